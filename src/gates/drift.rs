//! The gate of drift: what the comparison decided, as a gate. Pure.

use crate::base::Span;
use crate::drift::{DriftResult, Policy};

use super::{GateResult, GateStatus};

/// What is known of drift.
#[derive(Debug, Clone, Copy)]
pub enum DriftFound<'a> {
    Compared(&'a DriftResult),
    /// Nothing could have changed, and why.
    Unchanged(&'a str),
    /// There is nothing to compare with, and why.
    Unknown(&'a str),
    /// There is, and it can not be compared with: what the configuration asks for is wrong.
    Unusable(&'a str),
    /// Production keeps nothing that could be compared with, which only a new production mends.
    NotKept(&'a str),
}

/// What drift means for the change. What is not known was not judged.
pub fn judge_drift(found: DriftFound<'_>, policy: Policy, span: Option<Span>) -> GateResult {
    let (status, reason) = match found {
        DriftFound::Unknown(why) => (GateStatus::Skipped, why.to_owned()),
        DriftFound::Unchanged(why) => (GateStatus::Pass, why.to_owned()),
        // What could not be compared never reads as a pass.
        DriftFound::Unusable(why) if policy == Policy::Fail => (GateStatus::Fail, why.to_owned()),
        DriftFound::Unusable(why) | DriftFound::NotKept(why) => (GateStatus::Warn, why.to_owned()),
        DriftFound::Compared(found) => {
            let status = match (policy, found.dataset.decision.as_str()) {
                (Policy::Ignore, _) => GateStatus::Skipped,
                (_, "fail") => GateStatus::Fail,
                (_, "warn" | "retrain") => GateStatus::Warn,
                _ if found.dataset.tested == 0 && !found.columns.is_empty() => GateStatus::Warn,
                _ => GateStatus::Pass,
            };
            (status, reason(found))
        }
    };
    GateResult {
        name: "drift".to_owned(),
        status,
        reason,
        verdict: None,
        span,
        commands: Vec::new(),
    }
}

fn reason(found: &DriftResult) -> String {
    let set = &found.dataset;
    match set.reasons.as_slice() {
        [] if set.tested == 0 => "no column could be tested".to_owned(),
        [] => format!(
            "none of {} columns drifted against the {}",
            set.tested, found.reference.source
        ),
        reasons => {
            let mut text = reasons.iter().take(3).cloned().collect::<Vec<_>>().join("; ");
            if reasons.len() > 3 {
                text.push_str("; …");
            }
            format!("{text}, against the {}", found.reference.source)
        }
    }
}
