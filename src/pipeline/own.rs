//! The repository's own trainer: what it is told, how it is run, and the model that it leaves.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::{self, Digest, clean, shortened};
use crate::config::Project;
use crate::evaluate::Predictions;
use crate::exec::{self, Network, Sandbox, Task, neutralise};
use crate::facts::{ModelFile, OwnTraining, TrainingFacts};
use crate::gates::{self, CommandRun};
use crate::metaflow;
use crate::sys::FileError;
use crate::track::Content;
use crate::train::{self, OwnTrainer, TargetError};

use super::learn::Prepared;
use super::left::{self, Expected, LeftError};
use super::onnx::{self, OnnxModel};
use super::predictor::{AnswerError, HeldOut, Manifest, OwnModel, row_digests};
use super::store::StoreError;
use super::work::{self, Looked, Where, WorkError, WorkFolder};
use super::{Event, Services, beside};

/// Below [`Services::work`](super::Services::work).
const OUTPUT: &str = "output";
const SPLIT: &str = "split.csv";
const HASH_SEED: &str = "PYTHONHASHSEED";
/// An ONNX file that does not answer as the predictions do is another model.
const TOLERANCE: f64 = 1e-3;

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum OwnError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error("`{trainer}`: {source}")]
    Left {
        trainer: String,
        #[source]
        source: LeftError,
    },
}

/// Where a trainer finds what it is told, and leaves what it made.
#[derive(Debug)]
pub struct Desk {
    /// The user's; nothing in it is of another run.
    pub folder: WorkFolder,
    pub output: PathBuf,
    /// What a trainer learns from its environment.
    pub env: BTreeMap<String, String>,
}

/// Makes an empty folder for what the trainer leaves, and says which rows are held out.
pub fn lay_out(
    services: &Services,
    project: &Project,
    prepared: &Prepared,
    own: &OwnTrainer,
) -> Result<Desk, StoreError> {
    let place = work::fresh(services, "train")?;
    let output = place.inside(OUTPUT).make()?;
    let split = place.write(SPLIT, split_file(prepared).as_bytes(), 0o644)?;
    let of = |path: &Path| path.display().to_string();
    let env = [
        ("MLOPS_OUTPUT", of(&output)),
        ("MLOPS_SPLIT", of(&split)),
        ("MLOPS_DATA", project.data.source.clone()),
        ("MLOPS_TARGET", project.data.target.clone()),
        ("MLOPS_TASK", prepared.task.name().to_owned()),
        ("MLOPS_SEED", project.train.seed.to_string()),
        (
            "MLOPS_PARAMS",
            serde_json::Value::Object(own.params.clone()).to_string(),
        ),
    ];
    let mut env: BTreeMap<String, String> = env.map(|(name, value)| (name.to_owned(), value)).into();
    // Python draws the order of a set anew each time, and a model that is written in that order would differ by it alone.
    if !services.child_env.contains_key(HASH_SEED) {
        env.insert(HASH_SEED.to_owned(), "0".to_owned());
    }
    Ok(Desk {
        folder: place,
        output,
        env,
    })
}

/// Runs the trainer to its end, or to that of its time.
pub async fn run(services: &Services, own: &OwnTrainer, desk: &Desk, commit: Option<&str>) -> Result<Ran, WorkError> {
    let tags: Vec<String> = commit.iter().map(|commit| format!("git_sha:{commit}")).collect();
    let place = Where {
        root: &services.root,
        folder: &desk.folder,
        tags: &tags,
        branch: services.branch.as_deref(),
    };
    let launch = work::launch(&own.work, &own.params, place, own.timeout)?;
    let mut env = services.child_env.clone();
    env.extend(desk.env.clone());
    env.extend(launch.env);
    let task = Task {
        command: launch.command,
        cwd: services.root.clone(),
        env,
        timeout: own.timeout,
        user: services.child_user,
        sandbox: limited(&services.sandbox, own),
    };
    let is_flow = matches!(own.work, train::Work::Metaflow(_));
    let mut on_line = |line: &str| {
        services.tell(Event::Output {
            step: "train",
            // A task can print what the runner would obey once its prefix is gone.
            line: if is_flow {
                neutralise(&metaflow::shown(line))
            } else {
                line.to_owned()
            },
        });
    };
    let command = CommandRun {
        // What people wrote, not what it took to run it.
        command: neutralise(own.work.text()),
        ..gates::run_command("train", &task, &mut on_line).await
    };
    let looked = beside(move || work::look(&launch.after))
        .await
        .unwrap_or_else(|panic| Looked {
            failure: Some(panic),
            ..Looked::default()
        });
    let looked = decoded(looked, &task).await;
    Ok(Ran { command, looked })
}

/// As much as numbers by name take.
const MAX_DECODED: usize = 1 << 20;
const DECODE_WITHIN: Duration = Duration::from_mins(2);

/// Metrics of a flow that are no plain values, asked of Python in the repository's own environment.
async fn decoded(mut looked: Looked, task: &Task) -> Looked {
    let Some(asking) = looked.undecoded.take() else {
        return looked;
    };
    let mut env = task.env.clone();
    env.extend(asking.env);
    let asking = Task {
        command: asking.text,
        env,
        timeout: DECODE_WITHIN,
        ..task.clone()
    };
    let answered = exec::run_captured(&asking, MAX_DECODED, &mut |_| {}).await;
    let Ok((exit, captured)) = answered else { return looked };
    let text = String::from_utf8_lossy(&captured.stdout);
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    let read = last.and_then(|last| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(last).ok());
    if let (Some(0), Some(read)) = (exit.code, read) {
        let numbers = read
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_f64()?)));
        looked.metrics.extend(numbers);
    }
    looked
}

/// What the configuration takes away from what commands may do.
fn limited(sandbox: &Sandbox, own: &OwnTrainer) -> Sandbox {
    let mut sandbox = sandbox.clone();
    if !own.network {
        sandbox.network = Network::None;
    }
    let limits = [own.memory, sandbox.limits.memory_bytes];
    sandbox.limits.memory_bytes = limits.into_iter().flatten().min();
    sandbox
}

/// A trainer that came to its end.
pub struct Ran {
    pub command: CommandRun,
    pub looked: Looked,
}

impl Ran {
    /// What is told of it, before it is known what it left.
    pub fn facts(&self, own: &OwnTrainer) -> OwnTraining {
        OwnTraining {
            kind: own.work.key().to_owned(),
            run: self.command.clone(),
            claims: Vec::new(),
            files: Vec::new(),
            flow: self.looked.flow.clone(),
            notebook: self.looked.notebook.clone(),
        }
    }

    /// Why there is nothing to take from it.
    pub fn failure(&self) -> Option<String> {
        match (&self.looked.failure, failure(&self.command)) {
            (Some(why), _) => Some(format!("`{}`: {why}", shortened(&self.command.command))),
            (None, failed) => failed,
        }
    }
}

/// Why a run was none, with the last that it said.
fn failure(run: &CommandRun) -> Option<String> {
    let what = match (&run.problem, run.exit_code) {
        (None, Some(0)) => return None,
        (Some(problem), _) => format!("`{}`: {problem}", shortened(&run.command)),
        (None, Some(code)) => format!("`{}` exited with {code}", shortened(&run.command)),
        (None, None) => format!("`{}` did not end", shortened(&run.command)),
    };
    let last = run.tail.lines().rev().find(|line| !line.trim().is_empty());
    Some(match last {
        Some(last) => format!("{what}; the last that it said: {}", clean(last, 200)),
        None => what,
    })
}

/// `row,part`: every row of the data by its place there, from 0, and whether it is for training or held out.
fn split_file(prepared: &Prepared) -> String {
    let mut parts: Vec<(usize, &str)> = Vec::new();
    for (rows, part) in [(&prepared.partition.train, "train"), (&prepared.partition.test, "test")] {
        parts.extend(rows.iter().map(|&row| (prepared.place(row), part)));
    }
    parts.sort_unstable();
    let mut text = String::from("row,part\n");
    for (row, part) in parts {
        let _ = writeln!(text, "{row},{part}"); // Writing to a string can not fail.
    }
    text
}

/// A model of the repository's own, and everything that is known about its making.
pub struct Made {
    pub model: OwnModel,
    pub predictions: Predictions,
    pub bytes: Vec<u8>,
    /// What belongs to the model, beside our own files.
    pub files: BTreeMap<String, Content>,
    pub facts: TrainingFacts,
    pub alerts: Vec<String>,
}

/// Reads what the trainer left.
pub fn take(
    project: &Project,
    prepared: &Prepared,
    own: &OwnTrainer,
    desk: &Desk,
    ran: &Ran,
) -> Result<Made, OwnError> {
    let trainer = own.work.text();
    let failed = |source| OwnError::Left {
        trainer: shortened(&ran.command.command),
        source,
    };
    let (target, test) = (&project.data.target, &prepared.partition.test);
    let labels = labels(project, prepared)?;
    let expected_rows: Vec<usize> = test.iter().map(|&row| prepared.place(row)).collect();
    let truth = written(prepared, target);
    let expected = Expected {
        rows: &expected_rows,
        truth: &truth,
        task: prepared.task,
        labels: &labels,
    };
    let mut predictions = left::predictions(&desk.output, &expected).map_err(failed)?;
    let (mut claims, n_no_numbers) = left::claims(&desk.output).map_err(failed)?;
    for (metric, value) in &ran.looked.metrics {
        if !claims.iter().any(|(name, _)| name == metric) {
            claims.push((metric.clone(), *value));
        }
    }
    claims.truncate(left::MAX_CLAIMS);
    let files = left::files(&desk.output).map_err(failed)?;

    let labels = match &predictions {
        Predictions::Numbers(_) => Vec::new(),
        Predictions::Classes { labels, .. } => labels.clone(),
    };
    let mut manifest = Manifest::new(trainer, prepared.task, target, &prepared.features, labels);
    let (mut alerts, mut notes) = (Vec::new(), Vec::new());
    let mut described = Vec::with_capacity(files.len());
    for (name, content) in &files {
        let digest = content.digest()?;
        manifest.files.insert(name.clone(), digest);
        let (pickle, alert) = super::pickles::look(name, content)?;
        alerts.extend(alert);
        described.push(ModelFile {
            name: name.clone(),
            n_bytes: content.len()?,
            digest,
            pickle,
        });
    }
    let digests = row_digests(&prepared.frame, &prepared.features, target)?;
    let of_test = test.iter().filter_map(|&row| digests.get(row).copied()).collect();
    let mut asked_model = None;
    if let Some((name, content)) = onnx_file(&files) {
        match asked(content, &manifest, prepared, &predictions) {
            Ok((model, answers)) => {
                notes.push(format!(
                    "`{name}` answers as the predictions do: it is asked from now on, so that later models meet it on any rows"
                ));
                predictions = answers;
                asked_model = Some(model);
                manifest.onnx = Some(name.clone());
            }
            Err(why) => alerts.push(format!("`{name}` is kept and not asked: {why}")),
        }
    } else if !files.is_empty() {
        notes.push(
            "it left no ONNX file, so that later models meet it on the rows alone that it predicted now".to_owned(),
        );
    }
    if n_no_numbers > 0 {
        notes.push(format!(
            "{n_no_numbers} entries of `{}` are no numbers and left out",
            left::METRICS
        ));
    }
    let held_out = HeldOut::new(of_test, &predictions);
    let bytes = manifest.to_bytes();
    let facts = TrainingFacts {
        estimator: trainer.to_owned(),
        params: project.train.trainer.params(),
        seed: project.train.seed,
        n_features_in: prepared.features.len(),
        n_features_out: prepared.features.len(),
        model_bytes: described.iter().map(|file| file.n_bytes).sum(),
        digest: Digest::of_parts([bytes.as_slice(), held_out.to_bytes().as_slice()]),
        elapsed_ms: ran.command.elapsed_ms,
        reused_from: None,
        reused_page: None,
        notes,
        importance: Vec::new(),
        own: Some(OwnTraining {
            // What they are held against is measured later.
            claims: claims
                .into_iter()
                .map(|(metric, claimed)| left::checked(metric, claimed, &[]))
                .collect(),
            files: described,
            ..ran.facts(own)
        }),
    };
    Ok(Made {
        model: OwnModel {
            manifest,
            held_out,
            onnx: asked_model,
        },
        predictions,
        bytes,
        files,
        facts,
        alerts,
    })
}

/// The classes of the training rows.
fn labels(project: &Project, prepared: &Prepared) -> Result<Vec<String>, TargetError> {
    let rows = &prepared.partition.train;
    if prepared.task == base::Task::Regression {
        return Ok(Vec::new());
    }
    match train::truth(&prepared.frame, rows, &project.data.target, prepared.task, None)? {
        crate::evaluate::Truth::Classes { labels, .. } => Ok(labels),
        crate::evaluate::Truth::Numbers(_) => Ok(Vec::new()),
    }
}

/// The target of every held-out row as it is written.
fn written(prepared: &Prepared, target: &str) -> Vec<String> {
    let column = prepared.frame.column(target);
    let label = |row: &usize| {
        let label = column.and_then(|column| column.label(*row));
        label.map(std::borrow::Cow::into_owned).unwrap_or_default()
    };
    prepared.partition.test.iter().map(label).collect()
}

/// `model.onnx`, or the only file of this kind.
fn onnx_file(files: &BTreeMap<String, Content>) -> Option<(&String, &Content)> {
    let mut all = files
        .iter()
        .filter(|(name, _)| Path::new(name).extension().is_some_and(|extension| extension == "onnx"));
    files
        .get_key_value("model.onnx")
        .or_else(|| all.next().filter(|_| all.next().is_none()))
}

/// The ONNX file and its answers, if they are those of the predictions.
fn asked(
    content: &Content,
    manifest: &Manifest,
    prepared: &Prepared,
    predictions: &Predictions,
) -> Result<(OnnxModel, Predictions), String> {
    let bytes = content
        .clone()
        .into_bytes(onnx::MAX_BYTES as u64)
        .map_err(|error| error.to_string())?;
    let model = OnnxModel::new(&bytes).map_err(|error| super::chain(&error))?;
    let answers = model
        .predict(&prepared.frame, &prepared.partition.test, manifest)
        .map_err(|error| super::chain(&error))?;
    let (n_other, n_rows) = (n_other(predictions, &answers), answers.len());
    if n_other > 0 {
        return Err(format!(
            "it answers other than the predictions for {n_other} of {n_rows} held-out rows"
        ));
    }
    Ok((model, answers))
}

/// For how many rows two models answer differently.
fn n_other(one: &Predictions, other: &Predictions) -> usize {
    match (one, other) {
        (Predictions::Numbers(one), Predictions::Numbers(other)) => {
            let mean = one.iter().map(|value| value.abs()).sum::<f64>() / one.len().max(1) as f64;
            let agrees = |one: f64, other: f64| (one - other).abs() <= TOLERANCE * one.abs().max(mean);
            // What is not a number agrees with nothing.
            let differs = |(one, other): &(&f64, &f64)| !agrees(**one, **other);
            one.iter().zip(other).filter(differs).count()
        }
        (
            Predictions::Classes {
                codes: one,
                probabilities: p,
                labels,
            },
            Predictions::Classes {
                codes: other,
                probabilities: q,
                ..
            },
        ) => {
            let width = labels.len();
            // A decision is more than its probabilities: a trainer may have a threshold of its own.
            let differs = |row: usize| {
                let range = row * width..(row + 1) * width;
                let p_and_q = match (p.get(range.clone()), q.get(range)) {
                    (Some(p), Some(q)) => p.iter().zip(q).all(|(p, q)| (p - q).abs() <= TOLERANCE),
                    // Nothing that was told may get lost.
                    (p, _) => p.is_none(),
                };
                one.get(row) != other.get(row) || !p_and_q
            };
            (0..one.len()).filter(|&row| differs(row)).count()
        }
        _ => one.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(codes: &[u32], probabilities: &[f64]) -> Predictions {
        Predictions::Classes {
            codes: codes.to_vec(),
            labels: ["no", "yes"].map(str::to_owned).to_vec(),
            probabilities: probabilities.to_vec(),
        }
    }

    #[test]
    fn an_onnx_file_is_the_model_only_if_it_answers_alike() {
        let numbers = |values: &[f64]| Predictions::Numbers(values.to_vec());
        let told = [100.0, 200.0];
        assert_eq!(n_other(&numbers(&told), &numbers(&[100.000_01, 200.0])), 0);
        assert_eq!(n_other(&numbers(&told), &numbers(&[101.0, 200.0])), 1);
        assert_eq!(n_other(&numbers(&told), &numbers(&[f64::NAN, f64::NAN])), 2);
        let told = classes(&[0, 1], &[0.6, 0.4, 0.2, 0.8]);
        assert_eq!(n_other(&told, &classes(&[0, 1], &[0.6001, 0.3999, 0.2, 0.8])), 0);
        // A threshold of its own, and probabilities that would get lost.
        assert_eq!(n_other(&told, &classes(&[1, 1], &[0.6, 0.4, 0.2, 0.8])), 1);
        assert_eq!(n_other(&told, &classes(&[0, 1], &[])), 2);
        assert_eq!(n_other(&classes(&[0, 1], &[]), &told), 0);
    }
}
