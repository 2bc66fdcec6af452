//! The step that meets the champion, and what a reviewer should know about that meeting.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::base::{Digest, Verdict, VersionNumber};
use crate::config::Project;
use crate::data::{ColumnType, number_label};
use crate::drift::{Kept, Seen};
use crate::evaluate::{ClassCounts, noise_floor};
use crate::facts::{Champion, Facts, HistoryPoint, Outcome};
use crate::sys::Stopwatch;
use crate::track::{ModelVersion, RegistryError};

use super::compare::{self, Ground, Met, Past};
use super::draft::{Draft, beside, chain};
use super::drift::Before;
use super::steps::Made;
use super::uses;
use super::{Event, Services, version_metadata};

/// Every version, oldest first, what stands in production, and what it keeps of its data.
pub struct Production {
    versions: Vec<ModelVersion>,
    met: Met,
    pub before: Option<Arc<Before>>,
}

/// Asks the registry, once for everything that a run wants to know.
pub async fn production(project: &Project, services: &Services) -> Result<Production, RegistryError> {
    let registry = services.registry.as_ref();
    let versions = registry.versions(&project.model).await?;
    let met = compare::champion(registry, &project.model, &project.promote.to).await?;
    let before = Before::load(registry, &met).await?.map(Arc::new);
    Ok(Production { versions, met, before })
}

/// Meets what stands in production; a registry that can not be read makes it an error, never a pass.
pub async fn compare_with_production(
    draft: &mut Draft,
    project: &Arc<Project>,
    services: &Services,
    made: &Made,
    production: Result<Production, RegistryError>,
) {
    services.tell(Event::StepStarted { step: "compare" });
    let watch = Stopwatch::start();
    let Production { versions, met, before } = match production {
        Ok(found) => found,
        // Nobody failed: what could not be compared is undecided, and never reads as a pass.
        Err(RegistryError::Withheld { why }) => {
            draft.facts.alerts.push(format!("not compared with production: {why}"));
            draft.step(services, "compare", Outcome::Skipped, Some(why), watch.elapsed_ms());
            return;
        }
        Err(error) => {
            let detail = chain(&error);
            draft.step(services, "compare", Outcome::Error, Some(detail), watch.elapsed_ms());
            return;
        }
    };
    draft.facts.history = history(&versions, draft.facts.evaluation.as_ref().map_or("", |e| &e.primary));
    // Of a model of the repository's own the answers are a part.
    let trained = draft.facts.training.as_ref().map(|training| training.digest);
    let model = trained.unwrap_or_else(|| Digest::of(&made.bytes));
    let test = made.ready.prepared.facts.test_digest;
    let uses = uses::count(&services.root, &versions, test, model);
    let uses = uses
        .inspect_err(|error| tracing::warn!(%error, "could not count what this test set has judged"))
        .ok();
    let kept = before.as_ref().and_then(|before| before.kept.as_ref().ok());
    let past = Past {
        classes: kept.and_then(|kept| classes(kept, &project.data.target)),
        uses,
        ..past(&draft.facts, &versions, &met)
    };
    meet(draft, project, services, made, (met, past), &watch).await;
}

/// Meets a champion that is loaded already.
pub async fn compare_with(draft: &mut Draft, project: &Arc<Project>, services: &Services, made: &Made, met: Met) {
    services.tell(Event::StepStarted { step: "compare" });
    let watch = Stopwatch::start();
    meet(draft, project, services, made, (met, Past::default()), &watch).await;
}

async fn meet(
    draft: &mut Draft,
    project: &Arc<Project>,
    services: &Services,
    made: &Made,
    (met, past): (Met, Past),
    watch: &Stopwatch,
) {
    if let Met::Nobody = met {
        let alert = "no production version yet: compared with a baseline that learns nothing";
        draft.facts.alerts.push(alert.to_owned());
    }
    let (of, prepared, metrics) = (
        Arc::clone(project),
        Arc::clone(&made.ready.prepared),
        Arc::clone(&made.ready.metrics),
    );
    let (evaluated, model, seen, repeats) = (
        Arc::clone(&made.evaluated),
        Arc::clone(&made.model),
        Arc::clone(&made.seen),
        Arc::clone(&made.repeats),
    );
    let compared = beside(move || {
        let ground = Ground {
            project: &of,
            prepared: &prepared,
            truth: &evaluated.truth,
            challenger: &evaluated.predictions,
            model: &model,
            seen: &seen,
            metrics: &metrics,
            repeats: &repeats,
        };
        compare::compare(&ground, &met, &past)
    });
    match compared.await {
        Ok(comparison) => {
            if comparison.n_left_out > 0 {
                let (left_out, all) = (comparison.n_left_out, made.ready.prepared.partition.test.len());
                let alert =
                    format!("{left_out} of {all} test rows are left out of the comparison: they were trained on");
                draft.facts.alerts.push(alert);
            }
            if let (n @ 1.., Champion::Version { version, .. }) = (comparison.n_unanswered, &comparison.champion) {
                let all = made.ready.prepared.partition.test.len();
                let alert = format!(
                    "{n} of {all} test rows are left out of the comparison: {version} was made by the repository's own code, \
                     which never predicted them and left no ONNX file"
                );
                draft.facts.alerts.push(alert);
            }
            let first = comparison.metrics.first();
            if let (Champion::Version { version, .. }, Some(note)) = (
                &comparison.champion,
                first
                    .filter(|one| one.champion.is_none())
                    .and_then(|one| one.note.as_ref()),
            ) {
                draft
                    .facts
                    .alerts
                    .push(format!("{version} could not be compared: {note}"));
            }
            draft.facts.comparison = Some(comparison);
            draft.step(services, "compare", Outcome::Done, None, watch.elapsed_ms());
        }
        Err(panic) => draft.step(services, "compare", Outcome::Error, Some(panic), watch.elapsed_ms()),
    }
}

/// What the versions say about the noise of this run. What code of the repository's own did to them can not be seen, so of a
/// trainer of its own none is like it.
fn past(facts: &Facts, versions: &[ModelVersion], met: &Met) -> Past {
    if facts.training.as_ref().is_none_or(|training| training.own.is_some()) {
        return Past::default();
    }
    let run = version_metadata(facts);
    let alike = alike(versions, &run);
    let primary = facts.evaluation.as_ref().map_or("", |evaluation| &evaluation.primary);
    Past {
        noise: noise_floor(&values(&alike, primary)),
        earlier: match met {
            Met::Version { version, .. } => earlier(&alike, version.number, &run),
            Met::Unusable { .. } | Met::Nobody => Vec::new(),
        },
        ..Past::default()
    }
}

/// What a version and a run have in common where no change of the model is between them.
const SAME: [&str; 4] = [
    "/data/digest",
    "/data/test_digest",
    "/training/estimator",
    "/training/params",
];

/// The versions that were trained on the same data in the same way as this run, and judged on the same rows: with another
/// seed, or by another commit that changed nothing of it.
fn alike<'a>(versions: &'a [ModelVersion], run: &Value) -> Vec<&'a ModelVersion> {
    let is_same = |version: &&ModelVersion| {
        SAME.iter().all(|place| {
            let known = run.pointer(place).filter(|known| !known.is_null());
            known.is_some() && version.metadata.pointer(place) == known
        })
    };
    versions.iter().filter(is_same).collect()
}

/// What a metric came to in each version that knows it.
fn values(versions: &[&ModelVersion], metric: &str) -> Vec<f64> {
    versions.iter().filter_map(|version| value(version, metric)).collect()
}

fn value(version: &ModelVersion, metric: &str) -> Option<f64> {
    version.metadata.get("metrics")?.get(metric)?.as_f64()
}

/// What versions were called against this champion by the gates of this run.
fn earlier(versions: &[&ModelVersion], champion: VersionNumber, run: &Value) -> Vec<Verdict> {
    let champion = json!(champion);
    let is_same = |version: &&&ModelVersion| {
        version.metadata.get("champion") == Some(&champion)
            && version.metadata.get("gates_digest") == run.get("gates_digest")
    };
    versions
        .iter()
        .filter(is_same)
        .filter_map(|version| serde_json::from_value(version.metadata.get("verdict")?.clone()).ok())
        .collect()
}

/// Rows of each class in the data that production was made of, where it keeps all of them.
fn classes(kept: &Kept, target: &str) -> Option<ClassCounts> {
    let column = kept.columns.iter().find(|column| column.name == target)?;
    match &column.seen {
        Seen::Texts(texts) if texts.n_other == 0 => {
            let counts = texts.counts.iter().copied();
            Some(texts.levels.iter().cloned().zip(counts).collect())
        }
        Seen::Booleans([no, yes]) => {
            let named = |value| number_label(ColumnType::Boolean, value);
            Some([(named(0.0), *no), (named(1.0), *yes)].into())
        }
        Seen::Numbers(numbers) if numbers.rank_error <= 0.0 => {
            // Nothing is counted where every value occurs once.
            let counts = numbers.counts.iter().copied().chain(std::iter::repeat(1));
            let labels = numbers
                .values
                .iter()
                .map(|value| number_label(ColumnType::Float, *value));
            Some(labels.zip(counts).collect())
        }
        Seen::Texts(_) | Seen::Numbers(_) | Seen::Times(_) | Seen::Empty => None,
    }
}

fn history(versions: &[ModelVersion], primary: &str) -> Vec<HistoryPoint> {
    let newest = versions.len().saturating_sub(20);
    versions[newest..]
        .iter()
        .filter_map(|version| {
            Some(HistoryPoint {
                label: version.number.to_string(),
                value: value(version, primary)?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::drift::{ColumnSketch, NumberSketch, Scratch, TextSketch};

    fn version(number: u32, metadata: Value) -> ModelVersion {
        ModelVersion {
            model: "m".parse().unwrap(),
            number: VersionNumber(number),
            digest: Digest::of(&number.to_le_bytes()),
            files: std::collections::BTreeMap::new(),
            metadata,
            actor: "ada".to_owned(),
            at: Timestamp(0),
        }
    }

    fn told(alpha: &str, rmse: f64, verdict: &str, champion: u32) -> Value {
        json!({
            "data": {"digest": "d", "test_digest": "t"},
            "training": {"estimator": "random_forest", "params": {"max_depth": alpha}, "seed": rmse},
            "metrics": {"rmse": rmse, "mae": null},
            "verdict": verdict, "champion": champion, "gates_digest": "g",
        })
    }

    #[test]
    fn noise_is_that_of_versions_which_were_made_alike() {
        let mut moved = told("3", 50.9, "worse", 2);
        moved["data"]["test_digest"] = json!("other rows");
        let versions = [
            version(1, told("3", 50.0, "same", 2)),
            version(2, told("4", 60.0, "worse", 2)),
            version(3, moved),
            version(4, told("3", 51.0, "better", 2)),
            version(5, told("3", 52.0, "better", 3)),
            version(6, json!({})),
        ];
        let run = told("3", 0.0, "same", 2);
        let found = alike(&versions, &run);
        let numbers: Vec<u32> = found.iter().map(|version| version.number.0).collect();
        assert_eq!(numbers, [1, 4, 5]);
        assert_eq!(values(&found, "rmse"), [50.0, 51.0, 52.0]);
        assert!(values(&found, "mae").is_empty());
        assert_eq!(
            earlier(&found, VersionNumber(2), &run),
            [Verdict::Same, Verdict::Better]
        );
        let mut other_gates = run.clone();
        other_gates["gates_digest"] = json!("others");
        assert!(earlier(&found, VersionNumber(2), &other_gates).is_empty());
        // What nobody knows is not alike.
        assert!(alike(&versions, &json!({})).is_empty());
    }

    #[test]
    fn classes_of_production_are_named_as_those_of_today() {
        let column = |name: &str, seen| ColumnSketch {
            name: name.to_owned(),
            n_rows: 8,
            n_missing: 0,
            n_infinite: 0,
            seen,
        };
        let numbers = |values: &[f64]| {
            let counted = NumberSketch::of(values.iter().copied(), true, &mut Scratch::default());
            Seen::Numbers(counted.sketch.unwrap())
        };
        let texts = TextSketch::of([("no", 3), ("yes", 5)]);
        let part = TextSketch {
            n_other: 7,
            ..texts.clone()
        };
        let columns = [
            column("text", Seen::Texts(texts)),
            column("part", Seen::Texts(part)),
            column("boolean", Seen::Booleans([2, 6])),
            column("number", numbers(&[1.0, 0.0, 1.0, -0.0, 1.0])),
            column("once", numbers(&[2.0, 1.5])),
            column("empty", Seen::Empty),
        ];
        let kept = Kept::new(8, &columns, None, None);
        let of = |target: &str| {
            let counts = classes(&kept, target)?;
            Some(
                counts
                    .iter()
                    .map(|(name, n)| format!("{name} {n}"))
                    .collect::<Vec<_>>()
                    .join(", "),
            )
        };
        let found: Vec<Option<String>> = ["text", "boolean", "number", "once"].map(of).to_vec();
        let wanted = ["no 3, yes 5", "false 2, true 6", "0 2, 1 3", "1.5 1, 2 1"];
        assert_eq!(found, wanted.map(|text| Some(text.to_owned())));
        assert_eq!(["part", "empty", "absent"].map(of), [None, None, None]);
    }
}
