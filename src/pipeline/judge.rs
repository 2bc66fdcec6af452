//! From what was measured to gates, verdict and reason.

use crate::base::Verdict;
use crate::config::Project;
use crate::evaluate::{MetricKind, MetricResult};
use crate::facts::{ComparisonFacts, HistoryPoint, Outcome};
use crate::gates::{self, GateResult, GateStatus, MetricGate};

use crate::data::TARGET_COPY;

use super::draft::Draft;
use super::steps::Made;

pub fn judge_data_gate(draft: &mut Draft) {
    let Some(data) = &draft.facts.data else { return };
    let (status, reason, span) = if let Some(first) = data.violations.first() {
        let more = data.violations.len() - 1;
        let more = if more == 0 {
            String::new()
        } else {
            format!(" and {more} more")
        };
        (
            GateStatus::Fail,
            format!("the data contract is broken: {}{more}", first.message),
            first.span,
        )
    } else if let Some(leak) = data.leaks.iter().find(|leak| leak.code == TARGET_COPY) {
        // Nothing that is measured with a copy of the answer at hand is worth judging.
        (GateStatus::Fail, leak.message.clone(), None)
    } else if let Some(leak) = data.leaks.first() {
        (GateStatus::Warn, leak.message.clone(), None)
    } else {
        (
            GateStatus::Pass,
            format!("{} rows keep their contract", data.n_rows),
            None,
        )
    };
    draft.facts.gates.insert(
        0,
        GateResult {
            name: "data".to_owned(),
            status,
            reason,
            verdict: None,
            span,
            commands: Vec::new(),
        },
    );
}

/// Judges every gate and says the verdict.
pub fn judge(draft: &mut Draft, project: &Project, made: Option<&Made>) {
    judge_data_gate(draft);
    let Some(made) = made else {
        // There is no challenger: the reason stands already, and no gate can pass for it.
        draft.facts.verdict = Verdict::FailedToRun;
        draft.facts.passed = false;
        return;
    };
    let facts = &mut draft.facts;
    let usual = [usual_gate(project, &made.ready.metrics)];
    let metric_gates: &[MetricGate] = if project.gates.metrics.is_empty() {
        &usual
    } else {
        &project.gates.metrics
    };
    let results: &[MetricResult] = facts.evaluation.as_ref().map_or(&[], |evaluation| &evaluation.metrics);
    let on_inconclusive = project.gates.on_inconclusive;
    // Nothing can be better than itself: a change of documents only must not fail for that.
    let itself = facts.comparison.as_ref().is_some_and(|comparison| comparison.itself);
    for gate in metric_gates {
        let gate = &MetricGate {
            require_improvement: gate.require_improvement && !itself,
            ..gate.clone()
        };
        let result = results.iter().find(|result| result.name == gate.metric);
        let comparison = facts
            .comparison
            .as_ref()
            .and_then(|comparison| comparison.metrics.iter().find(|one| one.metric == gate.metric));
        facts
            .gates
            .push(gates::judge_metric(gate, result, comparison, on_inconclusive));
    }
    if let Some(gate) = &project.gates.slices {
        // What could not be compared is `None`; an empty list would read as nothing to compare.
        let comparable = |comparison: &&ComparisonFacts| comparison.metrics.iter().any(|one| one.champion.is_some());
        let slices = facts
            .comparison
            .as_ref()
            .filter(comparable)
            .map(|comparison| comparison.slices.as_slice());
        facts.gates.push(gates::judge_slices(gate, slices, on_inconclusive));
    }
    if let (Some(budget), Some(training)) = (&project.gates.budget, &facts.training) {
        let time = std::time::Duration::from_millis(training.elapsed_ms);
        facts
            .gates
            .push(gates::judge_budget(budget, Some(training.model_bytes), Some(time)));
    }
    if let Some(evaluation) = &facts.evaluation
        && let Some(value) = evaluation
            .metrics
            .iter()
            .find(|m| m.name == evaluation.primary)
            .and_then(|m| m.value)
    {
        facts.history.push(HistoryPoint {
            label: "this run".to_owned(),
            value,
        });
    }
    let primary = facts
        .comparison
        .as_ref()
        .zip(facts.evaluation.as_ref())
        .and_then(|(comparison, evaluation)| comparison.metrics.iter().find(|one| one.metric == evaluation.primary));
    let (verdict, reason, passed) = gates::overall(&facts.gates, primary);
    facts.verdict = verdict;
    let stuck = facts.steps.iter().find(|step| step.outcome == Outcome::Error);
    facts.reason = match stuck.and_then(|step| Some((&step.name, step.detail.as_ref()?))) {
        Some((name, detail)) => format!("`{name}` could not find out: {detail}"),
        None => reason,
    };
    facts.passed = passed && !draft.could_not_find_out;
}

/// The gate of a configuration without any: the first metric, no worse than its usual margin.
fn usual_gate(project: &Project, metrics: &[&'static MetricKind]) -> MetricGate {
    let kind = metrics.first().copied();
    MetricGate {
        metric: kind.map(|kind| kind.name.to_owned()).unwrap_or_default(),
        max: None,
        min: None,
        max_regression: kind.map(|kind| kind.default_margin),
        require_improvement: false,
        informational: false,
        span: project.train.span,
    }
}
