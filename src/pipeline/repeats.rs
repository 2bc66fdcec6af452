//! The same training with other seeds: how much of a difference is the luck of one. Reuses what it did before.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::Digest;
use crate::config::Project;
use crate::evaluate::Predictions;
use crate::sys::Stopwatch;
use crate::train::{self, Estimator, FitError};

use super::cache;
use super::draft::chain;
use super::learn::Prepared;

/// What the other seeds gave.
#[derive(Debug, Default, PartialEq)]
pub struct Repeats {
    /// Of each other seed, over the held-out rows; their models are forgotten.
    pub predictions: Vec<Predictions>,
    /// What to know about them.
    pub note: Option<String>,
}

/// What is kept of the held-out rows that one seed predicted.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Kept {
    Numbers(Vec<f64>),
    Classes { codes: Vec<u32>, probabilities: Vec<f64> },
}

/// Trains with the seeds after the first, as many as `train.repeats` asks for, or takes over what they predicted before.
///
/// `model` is the key of the training with the first seed, and the classes that it knows. An estimator that draws nothing at
/// random is not trained again.
pub fn of(
    root: &Path,
    project: &Project,
    estimator: &dyn Estimator,
    prepared: &Prepared,
    (key, labels): (Digest, &[String]),
    now: &str,
) -> Result<Repeats, FitError> {
    let (n_seeds, first) = (project.train.repeats, project.train.seed);
    if n_seeds < 2 {
        return Ok(Repeats::default());
    }
    if !estimator.draws() {
        let note = format!(
            "`{}` draws nothing at random: `train.repeats` changes nothing",
            estimator.name()
        );
        return Ok(Repeats {
            predictions: Vec::new(),
            note: Some(note),
        });
    }
    let key = Digest::of_parts([b"repeats 1".as_slice(), key.hex().as_bytes(), &n_seeds.to_le_bytes()]);
    let seeds = (1..n_seeds).map(|more| first.wrapping_add(more));
    let n_rows = prepared.partition.test.len();
    let found = cache::find(root, key).and_then(|(_, bytes)| read(&bytes, n_seeds - 1, n_rows, labels));
    let predictions = if let Some(found) = found {
        found
    } else {
        let watch = Stopwatch::start();
        let predictions = seeds
            .map(|seed| predict(project, estimator, prepared, seed))
            .collect::<Result<Vec<_>, _>>()?;
        let bytes = write(&predictions);
        let record = cache::Record {
            key,
            model: Digest::of(&bytes),
            n_features_in: 0,
            n_features_out: 0,
            notes: Vec::new(),
            elapsed_ms: watch.elapsed_ms(),
            trained: now.to_owned(),
            run: None,
        };
        if let Err(error) = cache::keep(root, key, &record, &bytes) {
            tracing::warn!(%error, "could not keep what other seeds predicted");
        }
        predictions
    };
    let last = first.wrapping_add(n_seeds - 1);
    Ok(Repeats {
        predictions,
        note: Some(format!(
            "trained with {n_seeds} seeds, {first} to {last}: the model is that of {first}, and what they differ by is \
             part of the comparison"
        )),
    })
}

/// What one more seed says about the held-out rows.
fn predict(
    project: &Project,
    estimator: &dyn Estimator,
    prepared: &Prepared,
    seed: u64,
) -> Result<Predictions, FitError> {
    let trained = train::fit(
        &prepared.frame,
        &prepared.partition.train,
        &prepared.features,
        &project.data.target,
        prepared.task,
        estimator,
        seed,
    )?;
    trained
        .model
        .predict(&prepared.frame, Some(&prepared.partition.test))
        .map_err(|error| FitError::Data(chain(&error)))
}

fn write(predictions: &[Predictions]) -> Vec<u8> {
    let kept: Vec<Kept> = predictions
        .iter()
        .map(|one| match one {
            Predictions::Numbers(values) => Kept::Numbers(values.clone()),
            Predictions::Classes {
                codes, probabilities, ..
            } => Kept::Classes {
                codes: codes.clone(),
                probabilities: probabilities.clone(),
            },
        })
        .collect();
    serde_json::to_vec(&kept).expect("it has text keys and finite numbers only")
}

/// What [`write`] wrote, if it is of so many seeds, rows and classes.
fn read(bytes: &[u8], n_seeds: u64, n_rows: usize, labels: &[String]) -> Option<Vec<Predictions>> {
    let kept: Vec<Kept> = serde_json::from_slice(bytes).ok()?;
    let is_whole = |one: &Kept| match one {
        Kept::Numbers(values) => values.len() == n_rows && labels.is_empty(),
        Kept::Classes { codes, probabilities } => {
            let is_known = |code: &u32| usize::try_from(*code).is_ok_and(|code| code < labels.len());
            codes.len() == n_rows && codes.iter().all(is_known) && probabilities.len() == n_rows * labels.len()
        }
    };
    (kept.len() as u64 == n_seeds && kept.iter().all(is_whole)).then(|| {
        kept.into_iter()
            .map(|one| match one {
                Kept::Numbers(values) => Predictions::Numbers(values),
                Kept::Classes { codes, probabilities } => Predictions::Classes {
                    codes,
                    labels: labels.to_vec(),
                    probabilities,
                },
            })
            .collect()
    })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests set the scene themselves")]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::evaluate::{CompareRule, Comparison, compare, compare_repeats, metric};
    use crate::pipeline::learn::{Learned, evaluate, learn, prepare};

    const DATA: &str = include_str!("../../fixtures/repos/diabetes/data/diabetes.csv");

    fn project(train: &str) -> Project {
        let text =
            format!("model: diabetes\ndata: {{source: diabetes.csv, target: progression}}\ntrain: {{{train}}}\n");
        crate::config::check(&text).unwrap().project
    }

    fn learned(root: &Path, project: &Project) -> (Prepared, Learned) {
        let prepared = prepare(root, project, Timestamp(0)).unwrap();
        let estimator = project.train.trainer.built_in().unwrap();
        let now = "2026-01-02T03:04:05Z";
        let learned = learn(root, project, estimator, &prepared, now, None, "1.0.0").unwrap();
        (prepared, learned)
    }

    fn repository() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("diabetes.csv"), DATA).unwrap();
        root
    }

    #[test]
    fn a_forest_is_as_sure_as_its_seeds_agree() {
        let (root, rmse) = (repository(), metric("rmse").unwrap());
        let forest = |more: &str| project(&format!("estimator: random_forest, params: {{n_estimators: 5}}{more}"));
        let (of_one, of_three) = (forest(""), forest(", repeats: 3"));
        let (_, alone) = learned(root.path(), &of_one);
        assert!(alone.repeats.is_empty() && alone.facts.notes.iter().all(|note| !note.contains("seeds")));
        let (prepared, three) = learned(root.path(), &of_three);
        assert_eq!(three.bytes, alone.bytes, "the first seed makes the model");
        assert!(three.facts.reused_from.is_some());
        assert_eq!(
            three.facts.notes.last().map(|note| note.contains("42 to 44")),
            Some(true)
        );
        let first = evaluate(&of_three, &prepared, &three.model, None, &[rmse]).unwrap();
        let [second, third] = three.repeats.as_slice() else {
            panic!("{} seeds", three.repeats.len());
        };
        assert!(first.predictions != *second && second != third);

        let champion = project("estimator: random_forest, params: {n_estimators: 20}, seed: 7");
        let (_, champion) = learned(root.path(), &champion);
        let champion = champion
            .model
            .answer(&prepared.frame, &prepared.partition.test)
            .unwrap();
        let (champion, rule) = (champion.predictions, CompareRule::default());
        let width = |one: &Comparison| one.upper.unwrap() - one.lower.unwrap();
        let seeds = [&first.predictions, second, third];
        let together = compare_repeats(&first.truth, &champion, &seeds, rmse, &rule, 1);
        let apart: f64 = seeds
            .iter()
            .map(|seed| width(&compare(&first.truth, &champion, seed, rmse, &rule, 1)))
            .sum();
        assert!(
            width(&together) > 1.02 * apart / 3.0,
            "{} {}",
            width(&together),
            apart / 3.0
        );

        // What was done once is not done again, and what somebody broke is.
        let (_, again) = learned(root.path(), &of_three);
        assert_eq!(again.repeats, three.repeats);
        let labels: &[String] = &[];
        let bytes = write(&three.repeats);
        assert_eq!(
            read(&bytes, 2, first.truth.len(), labels).as_deref(),
            Some(three.repeats.as_slice())
        );
        assert!(read(&bytes, 3, first.truth.len(), labels).is_none());
        assert!(read(&bytes, 2, first.truth.len() + 1, labels).is_none());
        assert!(read(&bytes, 2, first.truth.len(), &["no".to_owned(), "yes".to_owned()]).is_none());
        assert!(read(b"[", 2, first.truth.len(), labels).is_none());
    }

    #[test]
    fn classes_are_kept_with_their_chances() {
        let labels = ["no".to_owned(), "yes".to_owned()];
        let one = Predictions::Classes {
            codes: vec![0, 1],
            labels: labels.to_vec(),
            probabilities: vec![0.9, 0.1, 0.3, 0.7],
        };
        let bytes = write(std::slice::from_ref(&one));
        assert_eq!(read(&bytes, 1, 2, &labels), Some(vec![one]));
        let unknown = br#"[{"classes": {"codes": [0, 2], "probabilities": [0.9, 0.1, 0.3, 0.7]}}]"#;
        assert_eq!(read(unknown, 1, 2, &labels), None);
    }

    #[test]
    fn what_draws_nothing_is_trained_once() {
        let root = repository();
        let (_, ridge) = learned(root.path(), &project("estimator: ridge, repeats: 5"));
        assert!(ridge.repeats.is_empty());
        let note = ridge.facts.notes.last().map(String::as_str);
        assert_eq!(
            note,
            Some("`ridge` draws nothing at random: `train.repeats` changes nothing")
        );
    }
}
