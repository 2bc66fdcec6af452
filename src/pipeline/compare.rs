//! Champion against challenger, scored now on the same held-out rows.

use crate::base::{Alias, ModelName, Verdict};
use crate::config::Project;
use crate::evaluate::{self, CompareRule, Comparison, MetricKind, Predictions, Truth};
use crate::facts::{Champion, ComparisonFacts};
use crate::gates::MetricGate;
use crate::track::{ModelRegistry, ModelVersion, RegistryError, VersionRef};
use crate::train::{self, Model, TargetError};

use super::bundle::load_model;
use super::learn::{Prepared, cut};

/// Fewer common rows than this decide nothing.
pub const MIN_ROWS: usize = 30;

/// Who is met: a version that was loaded, one that can not be used and why, or nobody yet.
pub enum Met {
    Version { version: ModelVersion, model: Box<Model> },
    Unusable { version: ModelVersion, why: String },
    Nobody,
}

/// Loads what stands in production.
pub async fn champion(registry: &dyn ModelRegistry, name: &ModelName, alias: &Alias) -> Result<Met, RegistryError> {
    match load(registry, name, &VersionRef::Alias(alias.clone())).await {
        Err(RegistryError::NotFound { .. }) => Ok(Met::Nobody),
        found => found,
    }
}

/// Loads a version.
pub async fn load(registry: &dyn ModelRegistry, name: &ModelName, which: &VersionRef) -> Result<Met, RegistryError> {
    let version = registry.get(name, which).await?;
    Ok(match load_model(registry, &version).await? {
        Ok(model) => Met::Version {
            version,
            model: Box::new(model),
        },
        Err(why) => Met::Unusable { version, why },
    })
}

/// What a comparison stands on.
pub struct Ground<'a> {
    pub project: &'a Project,
    pub prepared: &'a Prepared,
    pub truth: &'a Truth,
    pub challenger: &'a Predictions,
    pub metrics: &'a [&'static MetricKind],
}

/// Compares on every metric of the run and on every slice. `uses` counts the challengers this test set has judged.
pub fn compare(ground: &Ground<'_>, met: &Met, uses: u64) -> ComparisonFacts {
    let (champion, predictions, why) = match met {
        Met::Version { version, model } => {
            let (predictions, why) = match model.predict(&ground.prepared.frame, Some(&ground.prepared.partition.test))
            {
                Ok(predictions) => (Some(predictions), None),
                Err(error) => (
                    None,
                    Some(format!("{} can not score these rows: {error}", version.number)),
                ),
            };
            (named(version), predictions, why)
        }
        Met::Unusable { version, why } => (named(version), None, Some(format!("{}: {why}", version.number))),
        Met::Nobody => {
            let (name, predictions) = baseline(ground);
            let why = predictions.as_ref().err().map(ToString::to_string);
            (Champion::Baseline { name: name.to_owned() }, predictions.ok(), why)
        }
    };
    let seed = ground.project.train.seed;
    let groups = ground.prepared.groups.as_deref();
    let metrics = ground
        .metrics
        .iter()
        .map(|kind| match &predictions {
            Some(champion) => {
                let rule = CompareRule {
                    margin: margin(ground.project, kind),
                    min_rows: MIN_ROWS,
                    groups,
                };
                evaluate::compare(ground.truth, champion, ground.challenger, kind, &rule, seed)
            }
            None => not_comparable(ground, kind, why.clone()),
        })
        .collect();
    let slices = predictions.as_ref().map(|champion| {
        let gate = ground.project.gates.slices.as_ref();
        let margin = gate.map(|gate| gate.max_regression).unwrap_or_default();
        let min_rows = gate.map_or(MIN_ROWS, |gate| gate.min_rows);
        let cut = cut(ground.project, ground.prepared);
        evaluate::compare_slices(ground.truth, champion, ground.challenger, &cut, margin, min_rows)
    });
    let slices = slices.unwrap_or_default();
    ComparisonFacts {
        champion,
        metrics,
        slices,
        test_set_uses: uses,
    }
}

/// The challenger's side alone, inconclusive with its reason.
fn not_comparable(ground: &Ground<'_>, kind: &MetricKind, note: Option<String>) -> Comparison {
    Comparison {
        metric: kind.name.to_owned(),
        direction: kind.direction,
        champion: None,
        challenger: kind.score(ground.truth, ground.challenger),
        difference: None,
        difference_interval: None,
        gain: None,
        lower: None,
        upper: None,
        margin: 0.0,
        method: "none".to_owned(),
        n_rows: ground.truth.len(),
        verdict: Verdict::Inconclusive,
        rows_needed: None,
        note,
    }
}

fn named(version: &ModelVersion) -> Champion {
    let commit = version
        .metadata
        .get("commit")
        .and_then(|commit| commit.as_str())
        .map(str::to_owned);
    Champion::Version {
        version: version.number,
        commit,
    }
}

/// The margin that a gate allows; metrics without a gate are shown with their usual one.
fn margin(project: &Project, kind: &MetricKind) -> evaluate::Margin {
    let gate: Option<&MetricGate> = project.gates.metrics.iter().find(|gate| gate.metric == kind.name);
    gate.and_then(|gate| gate.max_regression).unwrap_or(kind.default_margin)
}

/// The dummy that the first model meets: it knows the training targets and nothing else.
fn baseline(ground: &Ground<'_>) -> (&'static str, Result<Predictions, TargetError>) {
    let Prepared {
        frame, partition, task, ..
    } = ground.prepared;
    let (name, known) = match ground.truth {
        Truth::Numbers(_) => ("the training mean", None),
        Truth::Classes { labels, .. } => ("the class frequencies", Some(labels.as_slice())),
    };
    let train = train::truth(frame, &partition.train, &ground.project.data.target, *task, known);
    (name, train.map(|train| evaluate::baseline(&train, ground.truth.len())))
}
