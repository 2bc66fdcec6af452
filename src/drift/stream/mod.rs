//! Detectors that look at one value after the other and say when the values changed. Pure.
//!
//! They are for the errors of a model, not for raw series: a season or a trend makes every one of them signal.

mod adwin;
mod charts;
mod error_rate;
mod hoeffding;
mod kswin;
mod page_hinkley;
mod table;
#[cfg(test)]
mod tests;

pub use table::{DETECTORS, DetectorKind, detect};

/// What a detector says after a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Signal {
    /// A change may be beginning. Only [`DetectorKind::warns`] detectors say so.
    pub warning: bool,
    /// The values changed. The detector has begun anew, or will with the next value.
    pub change: bool,
}

impl Signal {
    fn change(change: bool) -> Self {
        Self { warning: false, change }
    }
}

/// Where a stream is, from the values alone: the same values give the same signals.
pub trait Detector {
    /// Takes in a finite value. Sums that overflow (values beyond 1e150) signal nothing.
    fn take(&mut self, x: f64) -> Signal;

    /// Takes in a value; one that is missing or infinite says nothing and changes nothing.
    fn update(&mut self, x: f64) -> Signal {
        if x.is_finite() { self.take(x) } else { Signal::default() }
    }
}

/// The mean of what came so far, as `river.stats.Mean` computes it.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    n: f64,
    value: f64,
}

impl Mean {
    fn update(&mut self, x: f64) {
        self.n += 1.0;
        self.value += (1.0 / self.n) * (x - self.value);
    }
}
