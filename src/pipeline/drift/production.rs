//! What production's own answers say: its errors then and now, in time, and what they would be where answers are missing.

use crate::data::Frame;
use crate::drift::{Estimated, Performance, Settings};
use crate::evaluate::Predictions;
use crate::pipeline::draft::chain;
use crate::pipeline::learn::Prepared;
use crate::pipeline::predictor::AnswerError;
use crate::train;

use super::before::{Before, errors};
use super::frames::{self, Rows};
use super::labels::{self, Asked, MIN_ERRORS};
use super::stream;

/// Production, and rows with answers by which it can be judged: it did not learn from them.
pub struct Production<'a> {
    pub prepared: &'a Prepared,
    pub before: &'a Before,
    pub judged: Rows<'a>,
    pub settings: &'a Settings,
}

impl Production<'_> {
    /// Whether it errs more on these rows of today's data than on those that it is judged by.
    pub fn performance(&self, fresh: &[usize]) -> Option<Performance> {
        let judged = self.judged;
        if judged.rows.len() < MIN_ERRORS || fresh.len() < MIN_ERRORS {
            return None;
        }
        let rows = match &self.settings.time_column {
            Some(time) => frames::in_time(judged, time).ok()?,
            None => judged.rows.to_vec(),
        };
        let errors = [
            self.errors_of(judged.frame, &rows)?.1,
            self.errors_of(&self.prepared.frame, fresh)?.1,
        ];
        labels::performance(&errors, labels::measure_of(self.before.model.task()), self.settings)
    }

    /// The rows that it answers, and how wrong each answer is.
    fn errors_of(&self, frame: &Frame, rows: &[usize]) -> Option<(Vec<usize>, Vec<f64>)> {
        let (rows, predictions) = self.answered(frame, rows).ok()?;
        let truth = train::truth(frame, &rows, &self.prepared.facts.target, self.prepared.task, None).ok()?;
        let errors = errors(&truth, &predictions);
        (errors.len() == rows.len()).then_some((rows, errors))
    }

    /// The rows that it can answer, with its answers; the error says why it can not be asked.
    fn answered(&self, frame: &Frame, rows: &[usize]) -> Result<(Vec<usize>, Predictions), AnswerError> {
        let answers = self.before.model.answer(frame, rows)?;
        match answers.known {
            None => Ok((rows.to_vec(), answers.predictions)),
            Some(known) => {
                let rows: Vec<usize> = rows
                    .iter()
                    .zip(known)
                    .filter(|(_, known)| *known)
                    .map(|(row, _)| *row)
                    .collect();
                let answers = self.before.model.answer(frame, &rows)?;
                Ok((rows, answers.predictions))
            }
        }
    }

    /// What it is worth on rows without answers; nothing where there are too few rows, the error says why not.
    pub fn estimated(&self) -> Option<Result<Estimated, String>> {
        let unlabelled = self.prepared.unlabelled.as_ref()?;
        if labels::too_few(self.judged.rows.len(), unlabelled.n_rows()) {
            return None;
        }
        Some(self.estimate(unlabelled).map_err(|why| {
            format!(
                "what {} is worth on rows without `{}` was not estimated: {why}",
                self.before.version.number, self.prepared.facts.target
            )
        }))
    }

    fn estimate(&self, unlabelled: &Frame) -> Result<Estimated, String> {
        let answered = |frame, rows: &[usize]| self.answered(frame, rows).map_err(|error| chain(&error));
        let all: Vec<usize> = (0..unlabelled.n_rows()).collect();
        let (now, told) = answered(unlabelled, &all)?;
        let frame = self.judged.frame;
        let (then, known) = answered(frame, self.judged.rows)?;
        let target = &self.prepared.facts.target;
        let truth = train::truth(frame, &then, target, self.prepared.task, None).map_err(|error| chain(&error))?;
        let is_feature = |name: &str| self.prepared.features.iter().any(|feature| feature == name);
        let reference = Asked {
            rows: Rows { frame, rows: &then },
            predictions: &known,
        };
        let current = Asked {
            rows: Rows {
                frame: unlabelled,
                rows: &now,
            },
            predictions: &told,
        };
        labels::estimate(&reference, &truth, &current, &is_feature, self.settings)
    }

    /// Where its errors on these rows of today's data changed in the order of time, a sentence a change.
    pub fn changes_in_time(&self, fresh: &[usize]) -> Vec<String> {
        let Some(time) = &self.settings.time_column else {
            return Vec::new();
        };
        let frame = &self.prepared.frame;
        let Ok(ordered) = frames::in_time(Rows { frame, rows: fresh }, time) else {
            // The comparison says so already.
            return Vec::new();
        };
        let Some((rows, errors)) = self.errors_of(frame, &ordered) else {
            return Vec::new();
        };
        stream::changes_of_errors(
            frame,
            &rows,
            &errors,
            time,
            labels::measure_of(self.before.model.task()),
        )
    }
}
