//! Which rows a model was trained on: kept with it, so that no comparison scores it on rows it has seen.

use std::collections::BTreeSet;

use crate::data::Frame;
use crate::train::Model;

/// The file of a version: sorted 64-bit digests of its training rows, little-endian.
pub const FILE: &str = "train_rows.bin";

/// The rows that a model has seen, over the columns that it uses and its target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen(BTreeSet<u64>);

impl Seen {
    /// Of a model that is being trained on these rows.
    pub fn of(frame: &Frame, model: &Model, rows: &[usize]) -> Self {
        let digests = digests(frame, model).unwrap_or_default();
        Self(rows.iter().filter_map(|&row| digests.get(row).copied()).collect())
    }

    /// Whether the model has seen each of these rows; `None` when the data lacks a column, so that nobody can know.
    pub fn among(&self, frame: &Frame, model: &Model, rows: &[usize]) -> Option<Vec<bool>> {
        let digests = digests(frame, model)?;
        Some(
            rows.iter()
                .map(|&row| digests.get(row).is_some_and(|digest| self.0.contains(digest)))
                .collect(),
        )
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|digest| digest.to_le_bytes()).collect()
    }

    /// What [`Seen::to_bytes`] wrote; an incomplete number at the end is left out.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(
            bytes
                .chunks_exact(8)
                .filter_map(|chunk| Some(u64::from_le_bytes(chunk.try_into().ok()?)))
                .collect(),
        )
    }
}

/// A digest for every row of the frame, over the model's own columns in their own order.
fn digests(frame: &Frame, model: &Model) -> Option<Vec<u64>> {
    let names = model.features().into_iter().chain([model.target()]);
    let columns: Vec<usize> = names.map(|name| frame.index(name)).collect::<Option<_>>()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "half of a digest is enough to tell rows apart"
    )]
    Some(
        frame
            .row_digests(&columns)
            .into_iter()
            .map(|digest| digest as u64)
            .collect(),
    )
}
