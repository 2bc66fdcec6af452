//! From what was found to what follows. Pure: one function, with its reasons.

use super::result::{ColumnDrift, DatasetDrift, Finding, Level, Multivariate, PcaDrift, Performance, Policy, Role};
use super::settings::Settings;
use super::unlabelled::{Estimated, EstimatedMetric};

/// From this severity on drift is worth training again, whatever the share of columns.
pub const SEVERE: f64 = 0.3;

/// What looks at many columns together has a tenth of the level, so that all together keep it.
const BESIDE: f64 = 0.1;
/// The bounds of a reconstruction error do not know how few rows were looked at: it has to be beyond them by this many of its
/// standard errors.
const STANDARD_ERRORS: f64 = 3.0;
/// With fewer rows of the reference for each column its components fit those rows too closely: others always look odd.
const ROWS_A_COLUMN: u64 = 50;

fn is_beyond(pca: &PcaDrift) -> bool {
    let reach = STANDARD_ERRORS * pca.sampling_error;
    pca.alert && (pca.value > pca.upper + reach || pca.value < pca.lower - reach)
}

/// What is known beside the tests of the columns.
#[derive(Debug, Clone, Copy)]
pub struct Beyond<'a> {
    pub findings: &'a [Finding],
    pub multivariate: Option<&'a Multivariate>,
    pub performance: Option<&'a Performance>,
    pub estimated: Option<&'a Estimated>,
    /// Rows of the reference.
    pub n_reference: u64,
}

/// What the columns, the findings, the tests of many columns together and the model's own errors come to.
pub fn decide(columns: &mut [ColumnDrift], beyond: Beyond<'_>, settings: &Settings) -> DatasetDrift {
    let Beyond {
        findings,
        multivariate,
        performance,
        estimated,
        n_reference,
    } = beyond;
    let severity = weigh(columns);
    // What had too few rows was not tested.
    let tested = columns.iter().filter(|column| column.is_decided()).count();
    let drifted = columns.iter().filter(|column| column.drifted).count();
    let moved = columns
        .iter()
        .filter(|column| !column.drifted && column.has_changed())
        .count();
    let share = if tested == 0 {
        0.0
    } else {
        drifted as f64 / tested as f64
    };
    let is_whole = tested > 0 && share >= settings.max_share && drifted > 0;
    let mut reasons = Vec::new();
    if drifted > 0 {
        reasons.push(format!("{drifted} of {tested} columns drifted"));
    }
    if moved > 0 {
        reasons.push(format!("{moved} more moved as a whole"));
    }
    for column in columns.iter().filter(|column| column.has_changed()) {
        match column.role {
            Role::Feature => {}
            Role::Target => reasons.push(format!("the target `{}` changed", column.column)),
            Role::Prediction => reasons.push("what production predicts changed".to_owned()),
        }
    }
    if let Some(domain) = multivariate.and_then(|many| many.domain_classifier.as_ref())
        && domain.drifted
        && domain.p <= settings.alpha * BESIDE
    {
        reasons.push(format!(
            "a classifier tells new rows from old ones (area under its ROC curve {:.2})",
            domain.auc
        ));
    }
    if let Some(pca) = multivariate.and_then(|many| many.pca_reconstruction.as_ref())
        && is_beyond(pca)
        && n_reference >= ROWS_A_COLUMN * pca.n_columns as u64
    {
        reasons.push("the columns hang together differently".to_owned());
    }
    let gone = findings
        .iter()
        .filter(|finding| finding.check == "missing_values" && finding.level != Level::Info);
    reasons.extend(gone.map(|finding| format!("`{}`: {}", finding.column, finding.message)));
    let is_degraded = performance.is_some_and(|performance| performance.found.degraded);
    if let Some(performance) = performance.filter(|performance| performance.found.degraded) {
        let [then, now] = performance.found.mean;
        reasons.push(format!("the {} rose from {then:.4} to {now:.4}", performance.measure));
    }
    if let Some(estimated) = estimated {
        reasons.extend(worsened(estimated));
    }
    let is_expected_worse = estimated.is_some_and(|estimated| estimated.alert);
    let failing: Vec<&Finding> = findings.iter().filter(|finding| finding.level == Level::Fail).collect();
    reasons.extend(
        failing
            .iter()
            .map(|finding| format!("`{}`: {}", finding.column, finding.message)),
    );
    let is_answer_changed = columns
        .iter()
        .any(|column| column.has_changed() && column.role != Role::Feature);
    let is_serious =
        is_whole || severity >= SEVERE || is_answer_changed || is_degraded || is_expected_worse || !failing.is_empty();
    let decision = match (settings.policy, reasons.is_empty()) {
        (Policy::Ignore, _) => "ignore",
        (_, true) => "pass",
        (Policy::Fail, false) if is_whole || !failing.is_empty() => "fail",
        // Columns that are gone can not be trained on again: a person has to look.
        (Policy::Retrain, false) if is_serious && failing.is_empty() => "retrain",
        (Policy::Warn | Policy::Fail | Policy::Retrain, false) => "warn",
    };
    if decision == "warn" && settings.policy == Policy::Retrain && failing.is_empty() {
        reasons.push("too little to train again for".to_owned());
    }
    DatasetDrift {
        tested,
        drifted,
        moved,
        share,
        threshold: settings.max_share,
        drift: is_whole,
        decision: decision.to_owned(),
        severity,
        reasons,
    }
}

/// The metric that is expected to have lost most, in standard errors; the others say the same.
fn worsened(estimated: &Estimated) -> Option<String> {
    let lost = |metric: &EstimatedMetric| {
        let difference = metric
            .reference
            .map_or(0.0, |reference| (reference - metric.estimate.value).abs());
        difference / metric.estimate.standard_error.max(f64::MIN_POSITIVE)
    };
    let most = estimated.worse().max_by(|a, b| lost(a).total_cmp(&lost(b)))?;
    Some(format!(
        "without labels, the model's {} is estimated at {:.4}, and was {:.4}",
        most.estimate.metric, most.estimate.value, most.reference?
    ))
}

/// Gives every column its severity, and the whole its own: the greatest of what the features that changed carry of the
/// model, the change of the target and the change of what production predicts.
///
/// A column's severity is its effect (standard deviations or a distance, at most 1), weighted by the feature's importance
/// beside the most important one. The features together weigh as their effects do, each with its share in the model; where
/// no importance is known all features weigh the same.
fn weigh(columns: &mut [ColumnDrift]) -> f64 {
    let features = columns.iter().filter(|column| column.role == Role::Feature);
    let known: f64 = features.clone().filter_map(|column| column.importance).sum();
    let greatest = features
        .clone()
        .filter_map(|column| column.importance)
        .fold(0.0_f64, f64::max);
    let n_features = features.count().max(1) as f64;
    let mut of_features = 0.0;
    let mut of_answers: f64 = 0.0;
    for column in columns.iter_mut() {
        let effect = column.effect.filter(|effect| !effect.is_nan()).unwrap_or(0.0);
        // An area under a ROC curve begins at one half.
        let effect = match column.effect_kind.as_deref() {
            Some("roc_auc") => (2.0 * effect - 1.0).clamp(0.0, 1.0),
            _ => effect.clamp(0.0, 1.0),
        };
        let weight = match (column.role, column.importance) {
            (Role::Feature, Some(importance)) if greatest > 0.0 => importance / greatest,
            _ => 1.0,
        };
        column.severity = if column.has_changed() { effect * weight } else { 0.0 };
        if !column.has_changed() {
            continue;
        }
        match column.role {
            Role::Feature if known > 0.0 => of_features += effect * column.importance.unwrap_or(0.0) / known,
            Role::Feature => of_features += effect / n_features,
            Role::Target | Role::Prediction => of_answers = of_answers.max(effect),
        }
    }
    of_features.max(of_answers).min(1.0)
}
