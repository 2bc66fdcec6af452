//! The two sides of one column, merged: what a test works on. Pure.

use super::sketch::{Moments, NumberSketch, TextSketch};

/// One column on both sides. Every side has at least one row.
#[derive(Debug, Clone, PartialEq)]
pub enum Pair {
    Numbers(Numbers),
    Categories(Categories),
}

/// Distinct numbers of both sides together, and how many rows of each side have them.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbers {
    /// Ascending, distinct, finite, without a negative zero.
    pub values: Vec<f64>,
    /// As long as `values`; 0 where only the other side has it.
    pub reference: Vec<u64>,
    pub current: Vec<u64>,
    /// Of the reference and of the current side.
    pub moments: [Moments; 2],
    /// What pandas would keep as integers, of each side.
    pub is_integer: [bool; 2],
    /// The greatest error of a difference of the two distribution functions; 0 when exact.
    pub rank_error: f64,
}

/// The categories of both sides together: numbers in ascending order, texts in byte order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Categories {
    pub labels: Vec<String>,
    /// Rows of each side, as long as `labels`.
    pub reference: Vec<u64>,
    pub current: Vec<u64>,
}

impl Pair {
    /// Rows of the reference and of the current side.
    pub fn n(&self) -> [u64; 2] {
        match self {
            Self::Numbers(numbers) => [numbers.moments[0].n, numbers.moments[1].n],
            Self::Categories(categories) => [categories.reference.iter().sum(), categories.current.iter().sum()],
        }
    }

    /// Distinct values of both sides together.
    pub fn n_distinct(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.values.len(),
            Self::Categories(categories) => categories.labels.len(),
        }
    }

    /// Whether both sides have one and the same value.
    pub fn is_one_value(&self) -> bool {
        self.n_distinct() == 1
    }
}

impl Numbers {
    /// Time O(values of both).
    pub fn merge(reference: &NumberSketch, current: &NumberSketch) -> Self {
        let most = reference.values.len() + current.values.len();
        let mut merged = Self {
            values: Vec::with_capacity(most),
            reference: Vec::with_capacity(most),
            current: Vec::with_capacity(most),
            moments: [reference.moments, current.moments],
            is_integer: [reference.is_integer, current.is_integer],
            rank_error: reference.rank_error + current.rank_error,
        };
        let (mut left, mut right) = (0, 0);
        loop {
            let (a, b) = (reference.values.get(left), current.values.get(right));
            let (value, from) = match (a, b) {
                (None, None) => break,
                (Some(a), None) => (*a, [true, false]),
                (None, Some(b)) => (*b, [false, true]),
                (Some(a), Some(b)) => (a.min(*b), [a <= b, b <= a]),
            };
            merged.values.push(value);
            merged.reference.push(if from[0] { reference.count(left) } else { 0 });
            merged.current.push(if from[1] { current.count(right) } else { 0 });
            left += usize::from(from[0]);
            right += usize::from(from[1]);
        }
        merged
    }

    /// Every distinct number as a category; `label` writes it.
    pub fn categories(&self, label: impl Fn(f64) -> String) -> Categories {
        Categories {
            labels: self.values.iter().map(|value| label(*value)).collect(),
            reference: self.reference.clone(),
            current: self.current.clone(),
        }
    }
}

impl Categories {
    /// Where a side keeps the most frequent texts alone, all that it does not keep are one category of both sides, named `…`,
    /// at the end: nobody knows which of them the other side's rare texts are.
    pub fn merge(reference: &TextSketch, current: &TextSketch) -> Self {
        let mut merged = Self::all(reference, current);
        if reference.n_other + current.n_other == 0 {
            return merged;
        }
        let is_kept = |sketch: &TextSketch, counted: u64| counted > 0 || sketch.n_other == 0;
        let mut others = [reference.n_other, current.n_other];
        let mut kept = Self {
            labels: Vec::new(),
            reference: Vec::new(),
            current: Vec::new(),
        };
        for (at, label) in merged.labels.drain(..).enumerate() {
            let (a, b) = (merged.reference[at], merged.current[at]);
            if is_kept(reference, a) && is_kept(current, b) {
                kept.labels.push(label);
                kept.reference.push(a);
                kept.current.push(b);
            } else {
                others[0] += a;
                others[1] += b;
            }
        }
        kept.labels.push("…".to_owned());
        kept.reference.push(others[0]);
        kept.current.push(others[1]);
        kept
    }

    /// Every text of both sides with its rows.
    fn all(reference: &TextSketch, current: &TextSketch) -> Self {
        let mut merged = Self {
            labels: Vec::new(),
            reference: Vec::new(),
            current: Vec::new(),
        };
        let mut push = |label: &str, counts: [u64; 2]| {
            merged.labels.push(label.to_owned());
            merged.reference.push(counts[0]);
            merged.current.push(counts[1]);
        };
        let (mut left, mut right) = (0, 0);
        let count = |sketch: &TextSketch, at: usize| sketch.counts.get(at).copied().unwrap_or(0);
        loop {
            let (a, b) = (reference.levels.get(left), current.levels.get(right));
            let order = match (a, b) {
                (None, None) => break,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(a), Some(b)) => a.cmp(b),
            };
            match order {
                std::cmp::Ordering::Less => push(&reference.levels[left], [count(reference, left), 0]),
                std::cmp::Ordering::Greater => push(&current.levels[right], [0, count(current, right)]),
                std::cmp::Ordering::Equal => {
                    push(&reference.levels[left], [count(reference, left), count(current, right)]);
                }
            }
            left += usize::from(order.is_le());
            right += usize::from(order.is_ge());
        }
        merged
    }
}
