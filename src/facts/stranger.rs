//! Facts of a run that nobody vouches for, such as a fork's: checked, made inert, and cut to what may be shown. Pure.
//!
//! The numbers are the stranger's word whatever is done here. What is made sure of is that they can not crash or flood a
//! report, that no text in them acts, that the verdict is the one that the shown numbers and gates give, and that nothing
//! in them names a version, a commit or a registry: those come from whoever asks.

use serde_json::Value;

use crate::base::{Direction, ModelName, Verdict, is_invisible, without_escapes};
use crate::evaluate::{self, ALPHA, Comparison, MIN_ROWS, MetricResult, SECONDARY_TESTS, Secondary, SliceStatus};
use crate::gates::{self, GateStatus};

use super::{Champion, Facts, FactsError, Outcome};

/// Of a fork's facts. Ours are a few hundred kilobytes when there are very many slices.
const MAX_BYTES: usize = 2 << 20;
const MAX_TEXT: usize = 4 << 10;
/// What a command printed last.
const MAX_TAIL: usize = 64 << 10;
const MAX_LIST: usize = 5_000;
/// Up to here a number of JSON is exact, and a sum of thousands of them does not overflow.
const MAX_INTEGER: u64 = 1 << 53;
/// The square of a greater number may be infinite.
const MAX_MAGNITUDE: f64 = 1e100;
const MAX_PATH: usize = 255;
/// Tests beside the one that decides, and sentences about a verdict.
const MAX_BESIDE: usize = 10;

impl Facts {
    /// Reads facts that somebody else's code may have written.
    ///
    /// What comes out renders safely, and `passed`, `verdict` and `reason` say what its gates and comparisons say.
    /// `registry`, `tracking`, `history`, `commit`, `previous_run` and everything else that a stranger can not know are left out.
    ///
    /// # Errors
    /// [`FactsError`]: it is too long or too much, it is not what [`Facts::to_json`] writes, or it contradicts itself.
    pub fn from_stranger(text: &str) -> Result<Self, FactsError> {
        if text.len() > MAX_BYTES {
            return Err(FactsError::TooLarge {
                bytes: text.len(),
                limit: MAX_BYTES,
            });
        }
        // Refuses keys that come twice, which a tree of values would silently make one.
        let read = Self::from_json(text)?;
        let mut tree: Value = serde_json::from_str(text).map_err(|error| super::file::malformed(&error))?;
        let known = serde_json::to_value(&read).map_err(|error| super::file::malformed(&error))?;
        is_known(&tree, &known)?;
        clean(&mut tree, "")?;
        let mut facts: Self = serde_json::from_value(tree).map_err(|error| super::file::malformed(&error))?;
        facts.forget_claims();
        facts.check_names()?;
        facts.check_counts()?;
        facts.check_metrics()?;
        facts.check_gates()?;
        facts.check_verdict()?;
        Ok(facts)
    }

    fn forget_claims(&mut self) {
        self.registry = None;
        self.tracking = None;
        self.history.clear();
        self.commit = None;
        self.previous_run = None;
        if let Some(training) = &mut self.training {
            training.reused_from = None;
            training.reused_page = None;
        }
        if let Some(comparison) = &mut self.comparison
            && let Champion::Version { commit, .. } = &mut comparison.champion
        {
            *commit = None;
        }
    }

    fn check_names(&self) -> Result<(), FactsError> {
        if self.model.parse::<ModelName>().is_err() {
            return lie("the model has a name that no model can have");
        }
        if !is_plain_path(&self.config_file) || !self.directory.as_deref().is_none_or(is_plain_path) {
            return lie("a path leads out of the repository");
        }
        let is_version = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
        if self.program_version.len() > 64 || !self.program_version.chars().all(is_version) {
            return lie("no program has such a version");
        }
        let mut names: Vec<&str> = self.gates.iter().map(|gate| gate.name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return lie("two gates have one name");
        }
        Ok(())
    }

    /// Counts that are shown side by side fit together, and so do lists that are read in step.
    fn check_counts(&self) -> Result<(), FactsError> {
        if let Some(data) = &self.data {
            if data.n_train.saturating_add(data.n_test) > data.n_rows {
                return lie("training and test rows are more than there are");
            }
            if data.columns.iter().any(|column| column.n_missing > data.n_rows) {
                return lie("more values are missing than there are rows");
            }
            if data.columns.iter().any(|column| column.sketch.len() > 100) {
                return lie("a column has too many bins");
            }
        }
        if let Some(evaluation) = &self.evaluation {
            let plots = &evaluation.plots;
            let (edges, counts) = (plots.residual_edges.len(), plots.residual_counts.len());
            if !(edges == counts + 1 || (edges, counts) == (0, 0)) {
                return lie("a histogram has more or fewer bins than counts");
            }
            if let Some(confusion) = &plots.confusion {
                let n = confusion.labels.len();
                if n > 100 || confusion.counts.len() != n || confusion.counts.iter().any(|row| row.len() != n) {
                    return lie("a confusion matrix is not square");
                }
            }
        }
        if self.drift.as_ref().is_some_and(|drift| !drift.is_consistent()) {
            return lie("a picture of drift has more or fewer shares than bins");
        }
        let n_test = self.data.as_ref().map(|data| data.n_test);
        let compared = self.comparison.iter().flat_map(|comparison| {
            let metrics = comparison.metrics.iter().map(|one| one.n_rows);
            metrics.chain(comparison.slices.iter().map(|one| one.n_rows))
        });
        let sliced = self
            .evaluation
            .iter()
            .flat_map(|evaluation| evaluation.slices.iter().map(|slice| slice.n_rows));
        if n_test.is_some_and(|n_test| compared.chain(sliced).any(|n_rows| n_rows > n_test)) {
            return lie("more rows are compared than were held out");
        }
        Ok(())
    }

    /// Metrics are those that exist, with their own direction, and comparisons decide as their bounds say.
    fn check_metrics(&self) -> Result<(), FactsError> {
        if let Some(evaluation) = &self.evaluation {
            check_results(&evaluation.metrics)?;
            for slice in &evaluation.slices {
                check_results(&slice.metrics)?;
            }
            if !evaluation.metrics.iter().any(|one| one.name == evaluation.primary) {
                return lie("the metric that decides was not measured");
            }
        }
        if let Some(comparison) = &self.comparison {
            if comparison.reasons.len() > MAX_BESIDE {
                return lie("a comparison has too many reasons");
            }
            check_unique(comparison.metrics.iter().map(|one| one.metric.as_str()))?;
            for one in &comparison.metrics {
                check_comparison(one)?;
            }
        }
        Ok(())
    }

    /// No gate passes over what it stands on.
    fn check_gates(&self) -> Result<(), FactsError> {
        for gate in &self.gates {
            let passes = matches!(gate.status, GateStatus::Pass | GateStatus::Skipped);
            if passes && !gate.commands.iter().all(gates::CommandRun::has_passed) {
                return lie("a gate passes whose command failed");
            }
            let metric = gate.name.strip_prefix("metrics.");
            if metric.is_some_and(|metric| !is_metric(metric)) {
                return lie("a gate is for a metric that does not exist");
            }
            let compared = self.comparison.as_ref().zip(metric).and_then(|(comparison, metric)| {
                let found = comparison.metrics.iter().find(|one| one.metric == metric)?;
                Some(found.verdict)
            });
            if gate.verdict.is_some() && gate.verdict != compared {
                return lie("a gate has another verdict than its comparison");
            }
            if passes && gate.verdict == Some(Verdict::FailedToRun) {
                return lie("a gate passes for what did not run");
            }
            let is_broken = match gate.name.as_str() {
                "data" => self.data.as_ref().is_some_and(|data| !data.violations.is_empty()),
                "slices" => self.comparison.as_ref().is_some_and(|comparison| {
                    let lost = |slice: &evaluate::SliceComparison| slice.status == SliceStatus::Regression;
                    comparison.slices.iter().any(lost)
                }),
                _ => false,
            };
            if is_broken && gate.status != GateStatus::Fail {
                return lie("a gate does not fail for what it found");
            }
        }
        Ok(())
    }

    /// The word is what gates and comparison give, and so is the sentence wherever it says more than that a step stopped.
    fn check_verdict(&mut self) -> Result<(), FactsError> {
        if self.verdict == Verdict::FailedToRun || self.training.is_none() || self.evaluation.is_none() {
            // No challenger: then nothing passed, and a stranger's sentence may say why.
            return match (self.verdict, self.passed) {
                (Verdict::FailedToRun, false) => Ok(()),
                _ => lie("it has a verdict without a model"),
            };
        }
        let primary = self
            .comparison
            .as_ref()
            .zip(self.evaluation.as_ref())
            .and_then(|(comparison, evaluation)| {
                comparison.metrics.iter().find(|one| one.metric == evaluation.primary)
            });
        let (verdict, reason, passed) = gates::overall(&self.gates, primary);
        if self.verdict != verdict {
            return lie("its verdict is not that of its comparison");
        }
        let stopped = self
            .steps
            .iter()
            .any(|step| matches!(step.outcome, Outcome::Failed | Outcome::Error));
        if self.passed && (!passed || stopped) {
            return lie("it passed, and something in it did not");
        }
        if self.passed == passed {
            self.reason = reason;
        }
        Ok(())
    }
}

fn lie<T>(why: &'static str) -> Result<T, FactsError> {
    Err(FactsError::Contradiction { why })
}

/// Every key of `tree` is one that this program would write in the same place.
fn is_known(tree: &Value, known: &Value) -> Result<(), FactsError> {
    match (tree, known) {
        (Value::Object(tree), Value::Object(known)) => {
            for (key, value) in tree {
                let Some(known) = known.get(key) else {
                    return lie("it has a key that no facts have");
                };
                is_known(value, known)?;
            }
            Ok(())
        }
        (Value::Array(tree), Value::Array(known)) => tree
            .iter()
            .zip(known)
            .try_for_each(|(tree, known)| is_known(tree, known)),
        _ => Ok(()),
    }
}

/// Makes every text inert and holds every value against its bound; `key` is the nearest one above.
fn clean(value: &mut Value, key: &str) -> Result<(), FactsError> {
    match value {
        Value::Null | Value::Bool(_) => Ok(()),
        Value::Number(number) => {
            // A seed is any number, and nobody calculates with it.
            let is_integer = number.is_u64() || number.is_i64();
            let magnitude = number.as_f64().map_or(f64::INFINITY, f64::abs);
            let limit = if is_integer { MAX_INTEGER as f64 } else { MAX_MAGNITUDE };
            if magnitude <= limit || (is_integer && key == "seed") {
                return Ok(());
            }
            lie("a number is beyond everything that is measured")
        }
        Value::String(text) => {
            let limit = if key == "tail" { MAX_TAIL } else { MAX_TEXT };
            if text.len() > limit {
                return Err(FactsError::TooMany {
                    what: "bytes in one text",
                    found: text.len(),
                    limit,
                });
            }
            *text = inert(text, key == "tail");
            Ok(())
        }
        Value::Array(list) => {
            if list.len() > MAX_LIST {
                return Err(FactsError::TooMany {
                    what: "entries in one list",
                    found: list.len(),
                    limit: MAX_LIST,
                });
            }
            list.iter_mut().try_for_each(|value| clean(value, key))
        }
        Value::Object(entries) => entries.iter_mut().try_for_each(|(key, value)| clean(value, key)),
    }
}

/// Without what steers a terminal, hides, or turns the direction of writing. Only output has lines.
fn inert(text: &str, has_lines: bool) -> String {
    without_escapes(text)
        .chars()
        .filter_map(|c| match c {
            '\n' | '\t' if has_lines => Some(c),
            c if c.is_whitespace() || matches!(c, '\u{2028}' | '\u{2029}') => Some(' '),
            c if c.is_control() || is_invisible(c) => None,
            c => Some(c),
        })
        .collect()
}

fn is_plain_path(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= MAX_PATH
        && !path.contains(['\\', ':', '\n'])
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != ".." && (part != "." || path == "."))
}

fn is_metric(name: &str) -> bool {
    evaluate::metric(name).is_some()
}

fn has_direction(name: &str, direction: Direction) -> bool {
    evaluate::metric(name).is_some_and(|kind| kind.direction == direction)
}

fn is_ordered(interval: Option<[f64; 2]>) -> bool {
    interval.is_none_or(|[low, high]| low <= high)
}

fn check_unique<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), FactsError> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return lie("a metric is there twice");
    }
    Ok(())
}

fn check_results(results: &[MetricResult]) -> Result<(), FactsError> {
    check_unique(results.iter().map(|one| one.name.as_str()))?;
    for one in results {
        if !has_direction(&one.name, one.direction) {
            return lie("a metric does not exist, or its good direction is another one");
        }
        if !is_ordered(one.interval) {
            return lie("an interval ends before it begins");
        }
    }
    Ok(())
}

/// Tests that exist, with chances that are some.
fn check_secondary(tests: &[Secondary]) -> Result<(), FactsError> {
    let is_chance = |p: f64| (0.0..=1.0).contains(&p);
    let is_sound = |test: &Secondary| {
        let numbers = is_chance(test.p) && test.p_better.is_none_or(is_chance);
        numbers && test.statistic.is_none_or(f64::is_finite) && SECONDARY_TESTS.contains(&test.name.as_str())
    };
    if tests.len() > MAX_BESIDE || !tests.iter().all(is_sound) {
        return lie("a test beside the comparison is none");
    }
    Ok(())
}

fn check_comparison(one: &Comparison) -> Result<(), FactsError> {
    if !has_direction(&one.metric, one.direction) {
        return lie("a metric does not exist, or its good direction is another one");
    }
    let bounds = one.lower.zip(one.upper);
    if one.margin < 0.0 || !is_ordered(one.difference_interval) || !is_ordered(bounds.map(|(low, high)| [low, high])) {
        return lie("an interval ends before it begins");
    }
    if let (Some(champion), Some(challenger), Some(difference)) = (one.champion, one.challenger, one.difference) {
        let error = (challenger - champion - difference).abs();
        if error > 1e-6 * (champion.abs() + challenger.abs() + difference.abs()) {
            return lie("a difference is not that of its two sides");
        }
    }
    // A greater chance of being wrong would make more of the same numbers.
    if !(one.alpha > 0.0 && one.alpha <= ALPHA) {
        return lie("a comparison is surer than its bounds");
    }
    check_secondary(&one.secondary)?;
    match one.verdict {
        Verdict::Inconclusive => Ok(()),
        Verdict::FailedToRun => lie("a comparison says that nothing was compared"),
        Verdict::Better | Verdict::Same | Verdict::Worse => {
            let (Some(gain), Some((lower, upper)), Some(difference)) = (one.gain, bounds, one.difference) else {
                return lie("a comparison decides without numbers");
            };
            let turned = match one.direction {
                Direction::Maximize => difference,
                Direction::Minimize => -difference,
            };
            let is_turned = match one.verdict {
                Verdict::Better => turned <= 0.0,
                Verdict::Worse => turned >= 0.0,
                Verdict::Same | Verdict::Inconclusive | Verdict::FailedToRun => false,
            };
            let decided = evaluate::verdict(gain, lower, upper, one.margin);
            if one.n_rows < MIN_ROWS || decided != one.verdict || is_turned {
                return lie("a comparison decides other than its numbers");
            }
            Ok(())
        }
    }
}
