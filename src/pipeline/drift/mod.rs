//! The drift step: today's data against what production was trained on.

mod before;
mod files;
mod frames;
mod ground;
mod labels;
mod production;
mod season;
mod stream;

use std::sync::Arc;

use crate::config::{DriftGate, Project};
use crate::drift::DriftResult;
use crate::facts::Outcome;
use crate::gates::{DriftFound, judge_drift};
use crate::sys::Stopwatch;

use super::draft::{Draft, beside};
use super::learn::Prepared;
use super::{Event, Services};

pub use before::{Before, FILE, HELD_OUT_ROWS};
pub use files::{Sources, drift_of_files};
pub use ground::kept;
pub use stream::{Change, Spot, Watch, Watched, watch};

const STEP: &str = "drift";
/// In seconds.
const DAY: i64 = 86_400;

/// What the step came to.
pub enum Measured {
    Compared {
        result: Box<DriftResult>,
        /// Rows that could be learned from and that production does not know.
        n_new: u64,
    },
    /// There is nothing that could have changed.
    Unchanged(String),
    /// There is nothing to compare with.
    Unknown(String),
    /// What the configuration asks for can not be done.
    Unusable(String),
    /// Production keeps nothing that could be compared with.
    NotKept(String),
}

impl Measured {
    fn compared(result: DriftResult, n_new: usize) -> Self {
        Self::Compared {
            result: Box::new(result),
            n_new: n_new as u64,
        }
    }
}

/// Why it is time to train again; none: it is not.
pub type Due = Option<String>;

/// Measures drift and judges its gate. `before` is what stands in production; its error says why that is not known.
pub async fn measure(
    draft: &mut Draft,
    project: &Arc<Project>,
    services: &Services,
    prepared: &Arc<Prepared>,
    before: Result<Option<Arc<Before>>, String>,
) -> Due {
    let gate = &project.gates.drift;
    services.tell(Event::StepStarted { step: STEP });
    let watch = Stopwatch::start();
    let version = before.as_ref().ok().and_then(Option::as_ref).map(Arc::clone);
    let measured = match before {
        Err(why) => Ok(Measured::Unknown(why)),
        Ok(before) => {
            let (of, with, root) = (Arc::clone(project), Arc::clone(prepared), services.root.clone());
            beside(move || ground::measure(&root, &of, &with, before.as_deref())).await
        }
    };
    let (outcome, detail) = match &measured {
        Ok(Measured::Compared { result, .. }) => {
            let set = &result.dataset;
            let detail = format!("{} of {} columns drifted", set.drifted, set.tested);
            let failed = set.decision == "fail";
            (if failed { Outcome::Failed } else { Outcome::Done }, detail)
        }
        Ok(Measured::Unchanged(why)) => (Outcome::Done, why.clone()),
        Ok(Measured::Unusable(why)) => (Outcome::Failed, why.clone()),
        Ok(Measured::Unknown(why) | Measured::NotKept(why)) => (Outcome::Skipped, why.clone()),
        Err(panic) => (Outcome::Error, panic.clone()),
    };
    let found = match &measured {
        Ok(Measured::Compared { result, .. }) => DriftFound::Compared(result),
        Ok(Measured::Unchanged(why)) => DriftFound::Unchanged(why),
        Ok(Measured::Unusable(why)) => DriftFound::Unusable(why),
        Ok(Measured::NotKept(why)) => DriftFound::NotKept(why),
        Ok(Measured::Unknown(why)) | Err(why) => DriftFound::Unknown(why),
    };
    draft
        .facts
        .gates
        .push(judge_drift(found, gate.settings.policy, gate.span));
    draft.step(services, STEP, outcome, Some(detail), watch.elapsed_ms());
    let due = due(gate, measured.as_ref().ok(), version.as_deref(), services);
    if let Ok(Measured::Compared { result, .. }) = measured {
        draft.facts.drift = Some(*result);
    }
    due
}

/// Drift that is worth it, an old production, or many rows that it does not know. What could not be measured is a reason.
fn due(gate: &DriftGate, measured: Option<&Measured>, before: Option<&Before>, services: &Services) -> Due {
    if before.is_none() {
        return Some("nothing is in production that could stay".to_owned());
    }
    let n_new = match measured {
        Some(Measured::Compared { result, .. }) if result.dataset.decision == "retrain" => {
            return Some(result.dataset.reasons.join("; "));
        }
        Some(Measured::Compared { n_new, .. }) => *n_new,
        Some(Measured::Unchanged(_)) => 0,
        Some(Measured::Unknown(why) | Measured::Unusable(why) | Measured::NotKept(why)) => return Some(why.clone()),
        None => return Some("drift could not be measured".to_owned()),
    };
    if let (Some(most), Some(before)) = (gate.max_age, before) {
        let age = services.now.0.saturating_sub(before.version.at.0);
        if age >= i64::try_from(most.as_secs()).unwrap_or(i64::MAX) {
            return Some(format!("{} is {} days old", before.version.number, age / DAY));
        }
    }
    if let Some(least) = gate.min_new_rows.filter(|least| n_new >= *least) {
        return Some(format!("{n_new} rows are new, and {least} are enough to train again"));
    }
    None
}
