//! CUSUM and EWMA: control charts against the first values of the stream. Pure.
//!
//! For pictures: values that depend on each other make both of them signal often.

use super::{Detector, Signal};
use crate::stats::{mean, sd};

/// The first values, and then their mean and standard deviation.
#[derive(Debug, Clone)]
struct Reference {
    n: usize,
    values: Vec<f64>,
    /// Once all have come; the standard deviation may be 0.
    law: Option<(f64, f64)>,
}

impl Reference {
    fn new(n: usize) -> Self {
        Self {
            n,
            values: Vec::with_capacity(n),
            law: None,
        }
    }

    /// The law that `x` is held against, or `None` while `x` is part of the reference.
    fn take(&mut self, x: f64) -> Option<(f64, f64)> {
        if self.law.is_none() {
            self.values.push(x);
            if self.values.len() == self.n {
                self.law = Some((mean(&self.values), sd(&self.values)));
            }
            return None;
        }
        self.law
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CusumParams {
    /// The first values that are the reference, at least 2.
    pub n_ref: usize,
    /// The shift that is let pass, and the sum that is a change, in standard deviations of the reference.
    pub k: f64,
    pub h: f64,
}

/// Signals when the sum of shifts of the mean, up or down, is too great; both sums begin anew then, the reference stays.
///
/// Where the reference is constant any other value is a change.
///
/// Source: Montgomery, *Introduction to Statistical Quality Control*, 7th ed., §9.1 (tabular CUSUM). Oracle: numpy,
/// `fixtures/drift/stream`.
#[derive(Debug, Clone)]
pub struct Cusum {
    params: CusumParams,
    reference: Reference,
    up: f64,
    down: f64,
}

impl Cusum {
    pub fn new(params: CusumParams) -> Self {
        Self {
            params,
            reference: Reference::new(params.n_ref),
            up: 0.0,
            down: 0.0,
        }
    }
}

impl Detector for Cusum {
    fn take(&mut self, x: f64) -> Signal {
        let Some((mean, sd)) = self.reference.take(x) else {
            return Signal::default();
        };
        // A constant reference makes this infinite, or NaN for the constant itself, which `max` turns into 0.
        let z = (x - mean) / sd;
        self.up = (self.up + z - self.params.k).max(0.0);
        self.down = (self.down - z - self.params.k).max(0.0);
        let change = self.up > self.params.h || self.down > self.params.h;
        if change {
            (self.up, self.down) = (0.0, 0.0);
        }
        Signal::change(change)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EwmaParams {
    /// The first values that are the reference, at least 2.
    pub n_ref: usize,
    /// The weight of the newest value, above 0, at most 1.
    pub lambda: f64,
    /// Standard deviations of the smoothed value that are a change.
    pub limit: f64,
}

/// Signals while the smoothed value is outside its limits.
///
/// Source: Montgomery, §9.2, with the exact limits of the first values. Oracle: numpy, `fixtures/drift/stream`.
#[derive(Debug, Clone)]
pub struct Ewma {
    params: EwmaParams,
    reference: Reference,
    smoothed: Option<f64>,
    /// (1 − λ)^(2j) after j values.
    forgotten: f64,
}

impl Ewma {
    pub fn new(params: EwmaParams) -> Self {
        Self {
            params,
            reference: Reference::new(params.n_ref),
            smoothed: None,
            forgotten: 1.0,
        }
    }

    #[cfg(test)]
    pub fn smoothed(&self) -> Option<f64> {
        self.smoothed
    }
}

impl Detector for Ewma {
    fn take(&mut self, x: f64) -> Signal {
        let Some((mean, sd)) = self.reference.take(x) else {
            return Signal::default();
        };
        let EwmaParams { lambda, limit, .. } = self.params;
        let smoothed = lambda * x + (1.0 - lambda) * self.smoothed.unwrap_or(mean);
        self.smoothed = Some(smoothed);
        self.forgotten *= (1.0 - lambda) * (1.0 - lambda);
        let spread = sd * (lambda / (2.0 - lambda) * (1.0 - self.forgotten)).sqrt();
        Signal::change((smoothed - mean).abs() > limit * spread)
    }
}
