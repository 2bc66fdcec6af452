//! Everything that a log says of its run, put together as the API takes it. Pure.

use indexmap::IndexMap;
use serde_json::{Map, Value as Json, json};

use super::LogError;
use super::records::{Artifact, Item, Kind, Metric, Moment, Output, Run, Stats};
use super::tree::Tree;
use crate::wandb::lines;
use crate::wandb::media::OWN;

/// A line of the console is cut here, for output that never ends a line.
const MAX_LINE: usize = 1 << 20;

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub run: Run,
    /// `{"lr": {"value": 0.1}, "_wandb": {"value": {…}}}`
    pub config: Json,
    /// Lines of the history, one a step.
    pub rows: Vec<String>,
    /// One line; none if nothing is in it.
    pub summary: Option<String>,
    /// Lines about the machine.
    pub events: Vec<String>,
    pub console: Vec<ConsoleLine>,
    /// Below `files/`, each once.
    pub files: Vec<String>,
    pub artifacts: Vec<Artifact>,
    /// None if the run was killed.
    pub exit_code: Option<i32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleLine {
    pub at_ms: i64,
    pub text: String,
}

impl Told {
    /// Of the records of a log, in order.
    pub fn of(kinds: Vec<Kind>) -> Result<Self, LogError> {
        let (mut run, mut config, mut summary) = (None, Tree::default(), Tree::default());
        let (mut rows, mut stats, mut artifacts, mut exit_code) = (Vec::new(), Vec::new(), Vec::new(), None);
        let (mut files, mut metrics, mut console) = (IndexMap::new(), IndexMap::new(), Console::default());
        for kind in kinds {
            match kind {
                Kind::Run(mut told) => {
                    let items = told.config.take().unwrap_or_default();
                    change(&mut config, &items.update, &items.remove);
                    // Of one that was named anew, the last name.
                    run = Some(told);
                }
                Kind::Config(items) => change(&mut config, &items.update, &items.remove),
                Kind::Summary(items) => change(&mut summary, &items.update, &items.remove),
                Kind::History(row) => {
                    let mut tree = Tree::of(&row.item);
                    if !tree.has("_step") {
                        let step = row.step.map_or(rows.len().to_string(), |step| step.num.to_string());
                        tree.put_written("_step", step);
                    }
                    rows.push(tree.written());
                }
                Kind::Stats(one) => stats.push(one),
                Kind::Output(output) => console.say(output),
                Kind::Files(named) => files.extend(named.files.into_iter().map(|file| (file.path, ()))),
                Kind::Artifact(artifact) => artifacts.push(artifact),
                Kind::Metric(metric) => drop(metrics.insert((metric.name.clone(), metric.glob_name.clone()), metric)),
                Kind::Exit(exit) => exit_code = Some(exit.exit_code),
                Kind::Header(_) | Kind::Alert(_) => {}
            }
        }
        let run = run.ok_or_else(|| LogError("there is no run in it".to_owned()))?;
        let began = run.start_time.as_ref().map_or(0.0, seconds);
        Ok(Self {
            config: settings(config, &metrics.into_values().collect::<Vec<_>>()),
            rows,
            summary: (!summary.is_empty()).then(|| summary.written()),
            events: stats.iter().map(|stats| event(stats, began)).collect(),
            console: console.end(),
            files: files.into_keys().collect(),
            artifacts,
            exit_code,
            run,
        })
    }
}

fn change(tree: &mut Tree, update: &[Item], remove: &[Item]) {
    for item in update {
        tree.set(item);
    }
    for item in remove {
        tree.remove(item);
    }
}

fn seconds(moment: &Moment) -> f64 {
    moment.seconds as f64 + f64::from(moment.nanos) / 1e9
}

fn event(stats: &Stats, began: f64) -> String {
    let at = stats.timestamp.as_ref().map_or(0.0, seconds);
    let mut tree = Tree::default();
    tree.put_written(OWN, "true".to_owned());
    tree.put_written("_timestamp", lines::number(at));
    tree.put_written("_runtime", lines::number(at - began));
    for item in &stats.item {
        tree.put_written(&format!("system.{}", item.key), item.value_json.clone());
    }
    tree.written()
}

/// Each setting in a box, and beside them what is none.
fn settings(mut config: Tree, metrics: &[Metric]) -> Json {
    let mut own = config.split_off(OWN).unwrap_or_default().json();
    if !metrics.is_empty() {
        own.insert("m".to_owned(), definitions(metrics).into());
    }
    let boxed = config
        .json()
        .into_iter()
        .map(|(name, value)| (name, json!({ "value": value })));
    let mut all: Map<String, Json> = boxed.collect();
    if !own.is_empty() {
        all.insert(OWN.to_owned(), json!({ "value": own }));
    }
    all.into()
}

/// Members by number; the step of a metric is a metric too, and is named by its place.
fn definitions(metrics: &[Metric]) -> Vec<Json> {
    let mut names: Vec<String> = metrics.iter().map(|metric| metric.name.clone()).collect();
    let mut steps = Vec::new();
    for metric in metrics.iter().filter(|metric| !metric.step_metric.is_empty()) {
        let place = names.iter().position(|name| *name == metric.step_metric);
        if place.is_none() {
            names.push(metric.step_metric.clone());
            steps.push(json!({"1": metric.step_metric, "6": [], "7": []}));
        }
    }
    let place = |step: &str| names.iter().position(|name| name == step).map(|place| place + 1);
    let mut all: Vec<Json> = metrics
        .iter()
        .map(|metric| definition(metric, place(&metric.step_metric)))
        .collect();
    all.extend(steps);
    all
}

fn definition(metric: &Metric, step: Option<usize>) -> Json {
    let mut all = Map::new();
    if metric.glob_name.is_empty() {
        all.insert("1".to_owned(), metric.name.as_str().into());
    } else {
        all.insert("2".to_owned(), metric.glob_name.as_str().into());
    }
    if let (false, Some(step)) = (metric.step_metric.is_empty(), step) {
        all.insert("5".to_owned(), step.into());
    }
    let options = metric.options.unwrap_or_default();
    let options = [options.step_sync, options.hidden, options.defined];
    let summary = metric.summary.unwrap_or_default();
    let summary = [
        summary.min,
        summary.max,
        summary.mean,
        summary.best,
        summary.last,
        summary.none,
        summary.copy,
        summary.first,
    ];
    all.insert("6".to_owned(), numbers(&options).into());
    all.insert("7".to_owned(), numbers(&summary).into());
    if metric.goal != 0 {
        all.insert("8".to_owned(), metric.goal.into());
    }
    all.into()
}

/// Of those that hold, from 1 on.
fn numbers(flags: &[bool]) -> Vec<usize> {
    (1..)
        .zip(flags)
        .filter(|(_, holds)| **holds)
        .map(|(number, _)| number)
        .collect()
}

/// What was said in pieces, in lines. The two ways out have lines of their own.
#[derive(Debug, Default)]
struct Console {
    lines: Vec<ConsoleLine>,
    open: [Option<ConsoleLine>; 2],
}

impl Console {
    fn say(&mut self, output: Output) {
        let at_ms = output.timestamp.map_or(0, |moment| {
            moment
                .seconds
                .saturating_mul(1000)
                .saturating_add(i64::from(moment.nanos / 1_000_000))
        });
        let open = &mut self.open[usize::from(output.output_type != 0)];
        for piece in output.line.split_inclusive('\n') {
            let line = open.get_or_insert_with(|| ConsoleLine {
                at_ms,
                text: String::new(),
            });
            let (text, ends) = match piece.strip_suffix('\n') {
                Some(text) => (text, true),
                None => (piece, false),
            };
            line.text.push_str(text);
            if (ends || line.text.len() > MAX_LINE)
                && let Some(line) = open.take()
            {
                self.lines.push(line.shown());
            }
        }
    }

    fn end(mut self) -> Vec<ConsoleLine> {
        let left = self.open.into_iter().flatten().map(ConsoleLine::shown);
        self.lines.extend(left);
        self.lines
    }
}

impl ConsoleLine {
    /// As a terminal shows it in the end: what came before a return of the carriage is written over.
    fn shown(mut self) -> Self {
        let text = self.text.trim_end_matches('\r');
        let text = text.rsplit('\r').next().unwrap_or(text).to_owned();
        self.text = text;
        self
    }
}
