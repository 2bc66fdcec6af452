//! Facts as a file: written for the next run, read back as if a stranger had written it. Pure.

use serde::Deserialize;

use crate::base::{is_invisible, without_escapes};

use super::{Facts, SCHEMA};

/// Above this nothing of ours was ever written: 500 metrics in 200 slices need a third of it.
const MAX_BYTES: usize = 48 << 20;
/// The longest text in the file, which is the tail of a command's output.
const MAX_TEXT: usize = 256 << 10;

/// Why a text is not the facts of a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    #[error("the facts are {bytes} bytes long; the limit is {limit}")]
    TooLarge { bytes: usize, limit: usize },
    #[error("the facts have schema {found}; this program knows up to {known}")]
    Newer { found: u32, known: u32 },
    #[error("the facts are malformed at line {line}, column {column}: {message}")]
    Malformed {
        line: usize,
        column: usize,
        message: String,
    },
    #[error("the facts have {found} {what}; the limit is {limit}")]
    TooMany {
        what: &'static str,
        found: usize,
        limit: usize,
    },
    /// Only of facts that nobody vouches for.
    #[error("the facts can not be those of a run: {why}")]
    Contradiction { why: &'static str },
}

impl FactsError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Newer { .. } => "use the version of the program that wrote them, or a later one",
            Self::TooLarge { .. } | Self::Malformed { .. } | Self::TooMany { .. } => {
                "run the pipeline again to write them anew"
            }
            Self::Contradiction { .. } => "look at the run that wrote them before you trust anything it says",
        }
    }
}

impl Facts {
    /// The saved form: JSON with an indent of two, keys in the order of the type, a newline at the end.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain values with text keys always serialize");
        text.push('\n');
        text
    }

    /// Reads what [`Facts::to_json`] wrote, of this schema or an older one.
    ///
    /// The text may come from a fork's run: sizes are bounded, and messages repeat at most 200 characters of it.
    ///
    /// # Errors
    /// [`FactsError`] says which bound or which place; a newer schema is refused before anything else is read.
    pub fn from_json(text: &str) -> Result<Self, FactsError> {
        #[derive(Deserialize)]
        struct Probe {
            schema: u32,
        }
        if text.len() > MAX_BYTES {
            return Err(FactsError::TooLarge {
                bytes: text.len(),
                limit: MAX_BYTES,
            });
        }
        let probe: Probe = serde_json::from_str(text).map_err(|error| malformed(&error))?;
        if probe.schema > SCHEMA {
            return Err(FactsError::Newer {
                found: probe.schema,
                known: SCHEMA,
            });
        }
        let facts: Self = serde_json::from_str(text).map_err(|error| malformed(&error))?;
        facts.check_sizes()?;
        Ok(facts)
    }

    fn check_sizes(&self) -> Result<(), FactsError> {
        let few = |what, found, limit| {
            if found > limit {
                return Err(FactsError::TooMany { what, found, limit });
            }
            Ok(())
        };
        few("gates", self.gates.len(), 2_000)?;
        few("steps", self.steps.len(), 1_000)?;
        few("defaults", self.defaults.len(), 1_000)?;
        few("alerts", self.alerts.len(), 1_000)?;
        few("history points", self.history.len(), 10_000)?;
        let mut texts = vec![self.reason.len(), self.model.len(), self.config_file.len()];
        texts.extend(self.directory.as_ref().map(String::len));
        for gate in &self.gates {
            few("commands of a gate", gate.commands.len(), 1_000)?;
            texts.push(gate.name.len());
            texts.push(gate.reason.len());
            texts.extend(gate.commands.iter().flat_map(|run| [run.command.len(), run.tail.len()]));
        }
        if let Some(data) = &self.data {
            few("columns", data.columns.len(), 20_000)?;
            few("contract violations", data.violations.len(), 20_000)?;
            few("leaks", data.leaks.len(), 20_000)?;
            texts.extend(data.columns.iter().map(|column| column.name.len()));
        }
        if let Some(training) = &self.training {
            few("parameters", training.params.len(), 1_000)?;
            few("training notes", training.notes.len(), 1_000)?;
        }
        if let Some(evaluation) = &self.evaluation {
            few("metrics", evaluation.metrics.len(), 1_000)?;
            few("slices", evaluation.slices.len(), 5_000)?;
            few("plot points", evaluation.plots.predicted_actual.len(), 10_000)?;
            few("plot points", evaluation.plots.roc.len(), 10_000)?;
            few("plot points", evaluation.plots.precision_recall.len(), 10_000)?;
            texts.extend(evaluation.metrics.iter().map(|metric| metric.name.len()));
            texts.extend(evaluation.slices.iter().map(|slice| slice.slice.len()));
        }
        if let Some(comparison) = &self.comparison {
            few("compared metrics", comparison.metrics.len(), 1_000)?;
            few("compared slices", comparison.slices.len(), 5_000)?;
        }
        match texts.into_iter().max() {
            Some(longest) => few("bytes in one text", longest, MAX_TEXT),
            None => Ok(()),
        }
    }
}

pub(super) fn malformed(error: &serde_json::Error) -> FactsError {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    FactsError::Malformed {
        line: error.line(),
        column: error.column(),
        // It may quote the file, and goes into a log: neither a terminal nor a runner may find anything to do in it.
        message: without_escapes(message)
            .chars()
            .filter(|c| !c.is_control() && !is_invisible(*c))
            .take(200)
            .collect::<String>()
            .replace("##[", "## ["),
    }
}
