//! Which rows a model was trained on: kept with it, so that no comparison scores it on rows it has seen. Pure.

use std::collections::HashMap;

use crate::data::Frame;

use super::predictor::{Predictor, row_digests};

/// The file of a version: sorted 64-bit digests of its training rows, little-endian.
pub const FILE: &str = "train_rows.bin";

/// The rows that a model has seen, over the columns that it uses and its target: ascending, as often as they occurred.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen(Vec<u64>);

impl Seen {
    /// Of a model that is being trained on these rows.
    pub fn of(frame: &Frame, model: &Predictor, rows: &[usize]) -> Self {
        let digests = digests(frame, model).unwrap_or_default();
        Self::ascending(rows.iter().filter_map(|&row| digests.get(row).copied()).collect())
    }

    /// How often each row occurred.
    pub fn counts(&self) -> HashMap<u64, usize> {
        let mut counts = HashMap::new();
        for digest in &self.0 {
            *counts.entry(*digest).or_insert(0) += 1;
        }
        counts
    }

    fn ascending(mut digests: Vec<u64>) -> Self {
        digests.sort_unstable();
        Self(digests)
    }

    /// Whether the model has seen each of these rows; `None` when the data lacks a column, so that nobody can know.
    ///
    /// Rows that look alike to the model can not be told apart: one of them counts as seen only where the data hold no
    /// more of its kind than the model was trained on.
    pub fn among(&self, frame: &Frame, model: &Predictor, rows: &[usize]) -> Option<Vec<bool>> {
        let digests = digests(frame, model)?;
        let now = Self::ascending(digests.clone());
        let is_seen = |row: &usize| {
            let digest = digests.get(*row)?;
            let n_trained = self.count(*digest);
            Some(n_trained > 0 && now.count(*digest) <= n_trained)
        };
        Some(rows.iter().map(|row| is_seen(row).unwrap_or(false)).collect())
    }

    fn count(&self, digest: u64) -> usize {
        let begin = self.0.partition_point(|other| *other < digest);
        self.0[begin..].partition_point(|other| *other == digest)
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|digest| digest.to_le_bytes()).collect()
    }

    /// What [`Seen::to_bytes`] wrote, in whatever order; an incomplete number at the end is left out.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let number = |chunk: &[u8]| Some(u64::from_le_bytes(chunk.try_into().ok()?));
        Self::ascending(bytes.chunks_exact(8).filter_map(number).collect())
    }
}

/// A digest for every row of the frame, over the model's own columns in their own order.
fn digests(frame: &Frame, model: &Predictor) -> Option<Vec<u64>> {
    let features: Vec<String> = model.features().into_iter().map(str::to_owned).collect();
    row_digests(frame, &features, model.target()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_and_broken_ones_do_no_harm() {
        let seen = Seen::ascending(vec![7, 3, u64::MAX, 3]);
        assert_eq!(seen, Seen(vec![3, 3, 7, u64::MAX]));
        assert_eq!([seen.count(3), seen.count(5), seen.count(u64::MAX)], [2, 0, 1]);
        assert_eq!(Seen::from_bytes(&seen.to_bytes()), seen);
        assert_eq!(Seen::from_bytes(&seen.to_bytes()[..20]), Seen(vec![3, 3]));
        assert_eq!(Seen::from_bytes(b"odd"), Seen::default());
    }
}
