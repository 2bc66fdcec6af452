//! The steps that compute: data, training, evaluation. Synchronous; they run beside the event loop.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use crate::base::{Diagnostic, Diagnostics, Digest, Task, Timestamp};
use crate::config::{self, Project};
use crate::data::{self, DataError, Frame, LeakColumns, Partition, Profile, Role, SplitKind, Summary, Values};
use crate::evaluate::{self, MetricKind, Predictions, SliceColumn, SliceRule, Together, Truth};
use crate::facts::{ColumnFacts, DataFacts, EvaluationFacts, Leak, Remark, TrainingFacts, Violation};
use crate::sys::Stopwatch;
use crate::track::Content;
use crate::train::{self, Estimator, FitError, Model, TargetError};

use super::predictor::{AnswerError, Predictor};
use super::repeats::{self, Repeats};
use super::{RunPage, cache};

/// Data that is ready to be learned from.
pub struct Prepared {
    pub frame: Frame,
    /// Rows without a target, where there are some: production can be asked about them.
    pub unlabelled: Option<Frame>,
    /// The place of each row in the data as they were read, where rows were left out.
    pub origin: Option<Vec<usize>>,
    pub task: Task,
    pub partition: Partition,
    /// The group of each test row, where the split keeps groups together.
    pub groups: Option<Vec<u32>>,
    /// The moment of each test row, where the split is by time: neighbors are no independent evidence.
    pub times: Option<Vec<f64>>,
    pub features: Vec<String>,
    pub profile: Profile,
    pub facts: DataFacts,
    pub warnings: Diagnostics,
    /// What was read, with its size, for people.
    pub files: String,
    /// `(key, value)` of the defaults that only the data could settle.
    pub defaults: Vec<(String, String)>,
}

impl Prepared {
    /// The place of a row in the data as they were read, from 0.
    pub fn place(&self, row: usize) -> usize {
        self.origin.as_ref().map_or(row, |origin| origin[row])
    }
}

/// Reads, checks, splits and describes the data. No date in them is later than `now`.
pub fn prepare(root: &Path, project: &Project, now: Timestamp) -> Result<Prepared, DataError> {
    let settings = &project.data;
    let loaded = data::read(root, settings)?;
    let mut warnings = loaded.warnings;
    let n_bytes: u64 = loaded.files.iter().map(|(_, size)| size).sum();
    let files = match loaded.files.as_slice() {
        [(name, _)] => format!("`{name}`, {n_bytes} bytes"),
        several => format!("{} files, {n_bytes} bytes", several.len()),
    };
    let mut defaults = Vec::new();
    let whole = loaded.frame;
    let roles = data::roles(&whole, settings)?;
    sliceable(&whole, project)?;

    let violations = settings
        .contract
        .as_ref()
        .map(|contract| data::check_contract(&whole, &loaded.bad_cells, contract))
        .unwrap_or_default();

    // Rows without a target teach nothing and can not be scored.
    let (labelled, n_unlabelled) =
        data::rows_with_target(&whole, &settings.target).map_err(|problem| problem.at(settings.target_span))?;
    let (frame, unlabelled, origin) = if n_unlabelled == 0 {
        (whole, None, None)
    } else {
        let known: HashSet<usize> = labelled.iter().copied().collect();
        let unlabelled: Vec<usize> = (0..whole.n_rows()).filter(|row| !known.contains(row)).collect();
        (whole.select(&labelled), Some(whole.select(&unlabelled)), Some(labelled))
    };
    if n_unlabelled > 0 {
        let message = format!("{n_unlabelled} rows have no `{}` and are left out", settings.target);
        warnings.push(Diagnostic::warning("no-target", message).at(settings.target_span));
    }

    let task = if let Some(task) = settings.task {
        data::check_task(&frame, &settings.target, task).map_err(|problem| problem.at(settings.target_span))?;
        task
    } else {
        let (task, why) =
            data::infer_task(&frame, &settings.target).map_err(|problem| problem.at(settings.target_span))?;
        defaults.push(("data.task".to_owned(), format!("{}: {why}", task.name())));
        task
    };

    let split = match &settings.split {
        Some(split) => split.clone(),
        None => data::default_split(&settings.target, task, settings.target_span),
    };
    let known_by: Vec<&str> = frame
        .columns()
        .iter()
        .zip(&roles)
        .filter(|(_, role)| matches!(role, Role::Feature | Role::Target))
        .map(|(column, _)| column.name.as_str())
        .collect();
    let partition = data::split(&frame, &split, &known_by)?;
    if settings.split.is_none() {
        defaults.push(("data.split".to_owned(), partition.description.clone()));
    }
    warnings.extend(partition.warnings.clone());
    if task != Task::Regression
        && let Some(problem) = unseen_classes(&frame, &partition, &settings.target)
    {
        warnings.push(problem.at(split.span));
    }

    let named = |role: Role| frame.columns().iter().zip(&roles).filter(move |(_, of)| **of == role);
    let features: Vec<String> = named(Role::Feature).map(|(column, _)| column.name.clone()).collect();

    let leaks = data::leaks(
        &frame,
        &partition,
        &LeakColumns::of_split(&settings.target, &features, &split.kind),
    );
    let watched = data::QualitySettings {
        task: Some(task),
        time: match &split.kind {
            SplitKind::Time { column, .. } => Some(column.as_str()),
            SplitKind::Column { time, .. } => time.as_deref(),
            SplitKind::Random { .. } | SplitKind::Stratified { .. } | SplitKind::Group { .. } => None,
        },
        now: Some(now.0 as f64),
    };
    let remarks = data::quality(&frame, &roles, &watched);
    let groups = groups(&frame, &partition, &split.kind);
    let times = watched.time.and_then(|time| moments(&frame, &partition, time));
    let profile = data::profile(&frame, Some(&partition.train));
    let facts = DataFacts {
        source: settings.source.clone(),
        digest: frame.digest(),
        n_rows: frame.n_rows(),
        n_train: partition.train.len(),
        n_test: partition.test.len(),
        target: settings.target.clone(),
        task,
        split: partition.description.clone(),
        test_digest: frame.digest_of_rows(&partition.test),
        columns: describe(&profile, &roles),
        violations: violations.into_iter().map(violation).collect(),
        leaks: leaks
            .into_iter()
            .map(|leak| Leak {
                code: leak.code.to_owned(),
                message: leak.message,
                evidence: leak.evidence,
            })
            .collect(),
        remarks: remarks.into_iter().map(remark).collect(),
    };
    Ok(Prepared {
        frame,
        unlabelled,
        origin,
        task,
        partition,
        groups,
        times,
        features,
        profile,
        facts,
        warnings,
        files,
        defaults,
    })
}

/// A warning when held-out rows have classes that a model can not know.
fn unseen_classes(frame: &Frame, partition: &Partition, target: &str) -> Option<Diagnostic> {
    let column = frame.column(target)?;
    let known: HashSet<_> = partition.train.iter().filter_map(|&row| column.label(row)).collect();
    let unseen: Vec<_> = partition.test.iter().filter_map(|&row| column.label(row)).collect();
    let unseen: Vec<_> = unseen.into_iter().filter(|label| !known.contains(label)).collect();
    let first = data::short(unseen.first()?);
    let message = format!(
        "{} of {} held-out rows have classes of `{target}` that no training row has, such as `{first}`: they can only be \
         predicted wrong",
        unseen.len(),
        partition.test.len()
    );
    let help = format!("write `data.split: {{stratify: {target}}}`, or merge the rare classes");
    Some(Diagnostic::warning("unseen-class", message).help(help))
}

fn violation(found: data::Violation) -> Violation {
    Violation {
        rule: found.rule,
        message: found.message,
        n_rows: found.n_rows,
        evidence: found.evidence,
        span: Some(found.span),
    }
}

fn remark(found: data::Finding) -> Remark {
    Remark {
        code: found.code,
        is_warning: found.level == data::Level::Warn,
        message: found.message,
        evidence: found.evidence,
    }
}

/// Every column that is sliced by is in the data, and bins are of numbers: a slice that is misspelt would gate nothing.
fn sliceable(frame: &Frame, project: &Project) -> Result<(), Diagnostics> {
    let mut problems = Diagnostics::default();
    for (rule, span) in &project.evaluate.slices {
        let (SliceRule::Values { column: name } | SliceRule::Bins { column: name, .. }) = rule;
        match (frame.find(name), rule) {
            (Err(problem), _) => problems.push(problem.at(*span)),
            (Ok(column), SliceRule::Bins { .. }) if matches!(column.values, Values::Texts { .. }) => {
                let message = format!("`{name}` holds texts, and edges need numbers");
                let problem = Diagnostic::error("wrong-slice", message).at(*span);
                problems.push(problem.help(format!("write `{name}` alone: every value is a slice then")));
            }
            (Ok(_), _) => {}
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// A number for the group of every test row: rows of a group vary together, which intervals have to know.
fn groups(frame: &Frame, partition: &Partition, kind: &SplitKind) -> Option<Vec<u32>> {
    let (SplitKind::Group { column, .. }
    | SplitKind::Column {
        group: Some(column), ..
    }) = kind
    else {
        return None;
    };
    let column = frame.column(column)?;
    let mut known: HashMap<String, u32> = HashMap::new();
    let of = |row: &usize| {
        let label = column
            .label(*row)
            .map_or_else(String::new, std::borrow::Cow::into_owned);
        let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
        *known.entry(label).or_insert(next)
    };
    Some(partition.test.iter().map(of).collect())
}

/// When each test row was; nothing where a moment is not known.
fn moments(frame: &Frame, partition: &Partition, time: &str) -> Option<Vec<f64>> {
    let Values::Numbers(all) = &frame.column(time)?.values else {
        return None;
    };
    let of_test: Vec<f64> = partition.test.iter().map(|&row| all[row]).collect();
    of_test.iter().all(|moment| moment.is_finite()).then_some(of_test)
}

fn describe(profile: &Profile, roles: &[Role]) -> Vec<ColumnFacts> {
    profile
        .columns
        .iter()
        .zip(roles)
        .map(|(column, role)| {
            let numbers = match &column.summary {
                Summary::Numbers(numbers) => Some(numbers),
                Summary::Empty | Summary::Texts(_) | Summary::Times { .. } => None,
            };
            ColumnFacts {
                name: column.name.clone(),
                role: role.name().to_owned(),
                kind: column.kind.name().to_owned(),
                n_missing: column.n_missing,
                n_distinct: column.n_distinct,
                mean: numbers.map(|n| n.mean),
                min: numbers.map(|n| n.min),
                max: numbers.map(|n| n.max),
                sketch: sketch(&column.summary),
            }
        })
        .collect()
}

/// At most 20 counts: a histogram, or the most frequent levels.
fn sketch(summary: &Summary) -> Vec<u64> {
    match summary {
        Summary::Numbers(numbers) => numbers.histogram.counts.clone(),
        Summary::Texts(texts) => texts.levels.iter().take(20).map(|(_, count)| *count).collect(),
        Summary::Empty | Summary::Times { .. } => Vec::new(),
    }
}

/// What training gave, new or taken over.
pub struct Learned {
    pub model: Predictor,
    pub bytes: Vec<u8>,
    pub facts: TrainingFacts,
    /// What the repository's own trainer left beside its predictions.
    pub left: BTreeMap<String, Content>,
    /// What it predicted for the held-out rows, where it was not asked by us.
    pub predictions: Option<Predictions>,
    /// What models of the same training with other seeds say about the held-out rows.
    pub repeats: Vec<Predictions>,
}

/// Trains, or takes over the model that the same data, settings and seed gave before.
pub fn learn(
    root: &Path,
    project: &Project,
    estimator: &dyn Estimator,
    prepared: &Prepared,
    now: &str,
    run: Option<&RunPage>,
    program_version: &str,
) -> Result<Learned, FitError> {
    let key = Digest::of_parts([
        b"training 1".as_slice(),
        program_version.as_bytes(),
        config::training_key(project).to_string().as_bytes(),
        prepared.facts.digest.hex().as_bytes(),
        prepared.facts.test_digest.hex().as_bytes(),
        prepared.task.name().as_bytes(),
        prepared.features.join("\u{0}").as_bytes(),
        train::MODEL_SCHEMA.to_string().as_bytes(),
    ]);
    let found = cache::find(root, key)
        .and_then(|(record, bytes)| Some((record, Model::from_bytes(&bytes).ok()?, bytes)))
        // Whoever wrote the entry, it must be what would be trained here.
        .filter(|(_, model, _)| {
            let is_feature = |name: &&str| prepared.features.iter().any(|feature| feature == name);
            model.estimator() == estimator.name()
                && model.task() == prepared.task
                && model.target() == project.data.target
                && model.features().iter().all(is_feature)
        });
    let (record, model, bytes, reused) = if let Some((record, model, bytes)) = found {
        (record, model, bytes, true)
    } else {
        let watch = Stopwatch::start();
        let trained = train::fit(
            &prepared.frame,
            &prepared.partition.train,
            &prepared.features,
            &project.data.target,
            prepared.task,
            estimator,
            project.train.seed,
        )?;
        let bytes = trained.model.to_bytes();
        let record = cache::Record {
            key,
            model: Digest::of(&bytes),
            n_features_in: trained.n_features_in,
            n_features_out: trained.n_features_out,
            notes: trained.notes,
            elapsed_ms: watch.elapsed_ms(),
            trained: now.to_owned(),
            run: run.map(|run| run.id),
        };
        if let Err(error) = cache::keep(root, key, &record, &bytes) {
            tracing::warn!(%error, "could not keep the model for reuse");
        }
        (record, trained.model, bytes, false)
    };
    let Repeats { predictions, note } = repeats::of(root, project, estimator, prepared, (key, model.labels()), now)?;
    let facts = TrainingFacts {
        estimator: estimator.name().to_owned(),
        params: model.params().to_vec(),
        seed: project.train.seed,
        n_features_in: record.n_features_in,
        n_features_out: record.n_features_out,
        model_bytes: bytes.len() as u64,
        digest: record.model,
        elapsed_ms: record.elapsed_ms,
        reused_from: reused.then(|| format!("the training of {}", record.trained)),
        reused_page: record
            .run
            .zip(run)
            .filter(|_| reused)
            .map(|(id, run)| format!("{}{id}", run.base)),
        notes: record.notes.into_iter().chain(note).collect(),
        importance: model.importance().into_iter().take(10).collect(),
        own: None,
    };
    Ok(Learned {
        model: Predictor::BuiltIn(Box::new(model)),
        bytes,
        facts,
        left: BTreeMap::new(),
        predictions: None,
        repeats: predictions,
    })
}

/// What the model says about the held-out rows, and how good that is.
pub struct Evaluated {
    pub truth: Truth,
    pub predictions: Predictions,
    pub facts: EvaluationFacts,
}

/// Why a model could not be scored.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error("it could be asked about {n_known} of {n_rows} held-out rows alone")]
    NotAll { n_known: usize, n_rows: usize },
}

/// Scores the model on the held-out rows.
pub fn evaluate(
    project: &Project,
    prepared: &Prepared,
    model: &Predictor,
    predictions: Option<Predictions>,
    metrics: &[&'static MetricKind],
) -> Result<Evaluated, EvaluateError> {
    let rows = &prepared.partition.test;
    let truth = train::truth(
        &prepared.frame,
        rows,
        &project.data.target,
        prepared.task,
        Some(model.labels()),
    )?;
    let predictions = match predictions {
        Some(predictions) => predictions,
        None => asked(model, prepared, rows)?,
    };
    let seed = project.train.seed;
    let together = Together {
        groups: prepared.groups.as_deref(),
        times: prepared.times.as_deref(),
    };
    let results = evaluate::evaluate(&truth, &predictions, metrics, together, seed);
    let min_rows = project
        .gates
        .slices
        .as_ref()
        .map_or(evaluate::MIN_ROWS, |gate| gate.min_rows);
    let cut = cut(project, prepared);
    let slices = evaluate::evaluate_slices(&truth, &predictions, metrics, &cut, together, min_rows, seed);
    let facts = EvaluationFacts {
        primary: metrics.first().map(|metric| metric.name.to_owned()).unwrap_or_default(),
        metrics: results,
        slices,
        slice_min_rows: min_rows,
        plots: evaluate::plots(&truth, &predictions),
    };
    Ok(Evaluated {
        truth,
        predictions,
        facts,
    })
}

fn asked(model: &Predictor, prepared: &Prepared, rows: &[usize]) -> Result<Predictions, EvaluateError> {
    let answers = model.answer(&prepared.frame, rows)?;
    match answers.known {
        None => Ok(answers.predictions),
        Some(known) => Err(EvaluateError::NotAll {
            n_known: known.iter().filter(|known| **known).count(),
            n_rows: rows.len(),
        }),
    }
}

/// Every slice that the configuration asks for: name and positions within the test rows.
pub fn cut(project: &Project, prepared: &Prepared) -> Vec<(String, Vec<usize>)> {
    let rows = &prepared.partition.test;
    project
        .evaluate
        .slices
        .iter()
        .flat_map(|(rule, _)| slice_rows(&prepared.frame, rows, rule))
        .collect()
}

/// The slices of one rule: name and positions within `rows`.
fn slice_rows(frame: &Frame, rows: &[usize], rule: &SliceRule) -> Vec<(String, Vec<usize>)> {
    let (SliceRule::Values { column } | SliceRule::Bins { column, .. }) = rule;
    let Some(column) = frame.column(column) else {
        return Vec::new();
    };
    match &column.values {
        Values::Numbers(values) => {
            let taken: Vec<f64> = rows.iter().map(|&row| values[row]).collect();
            evaluate::slices(rule, SliceColumn::Numbers(&taken))
        }
        Values::Texts { codes, levels } => {
            let taken: Vec<u32> = rows.iter().map(|&row| codes[row]).collect();
            evaluate::slices(rule, SliceColumn::Texts { codes: &taken, levels })
        }
    }
}

/// The metrics of a run: the gated ones first, then those asked for, else the usual ones of the task.
pub fn metrics(project: &Project, task: Task) -> Result<Vec<&'static MetricKind>, Diagnostics> {
    let mut problems = Diagnostics::default();
    let mut chosen: Vec<&'static MetricKind> = Vec::new();
    let gated = project
        .gates
        .metrics
        .iter()
        .filter(|gate| !gate.informational)
        .map(|gate| (&gate.metric, gate.span));
    let shown = project
        .gates
        .metrics
        .iter()
        .filter(|gate| gate.informational)
        .map(|gate| (&gate.metric, gate.span));
    let asked = project.evaluate.metrics.iter().map(|(name, span)| (name, *span));
    for (name, span) in gated.chain(asked).chain(shown) {
        match evaluate::metric(name) {
            Some(kind) if kind.tasks.contains(&task) => {
                if !chosen.iter().any(|other| other.name == kind.name) {
                    chosen.push(kind);
                }
            }
            _ => {
                let message = format!("`{name}` is not a metric of {}", task.name());
                let fitting = evaluate::metrics_for(task).map(|kind| kind.name);
                let help = format!("the metrics are: {}", fitting.collect::<Vec<_>>().join(", "));
                problems.push(Diagnostic::error("wrong-metric", message).at(span).help(help));
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    if project.evaluate.metrics.is_empty() {
        for kind in evaluate::default_metrics(task) {
            if !chosen.iter().any(|other| other.name == kind.name) {
                chosen.push(kind);
            }
        }
    }
    Ok(chosen)
}
