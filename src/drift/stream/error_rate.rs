//! DDM and EDDM: detectors for a stream of right (0) and wrong (1) answers. Pure.

use super::{Detector, Mean, Signal};

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DdmParams {
    /// Answers before the first signal.
    pub warm_start: f64,
    /// Standard deviations above the best error rate that are a warning, and a change.
    pub warning_threshold: f64,
    pub drift_threshold: f64,
}

/// Signals when the error rate is above the least that was seen. After a change the next answer begins anew.
///
/// Source: Gama, Medas, Castillo and Rodrigues, *Learning with drift detection* (2004), in the form of river 0.26.1.
/// Oracle: river, `fixtures/drift/stream`.
#[derive(Debug, Clone)]
pub struct Ddm {
    params: DdmParams,
    rate: Mean,
    /// Error rate and its standard deviation where their sum was least.
    least: (f64, f64),
    fired: bool,
}

impl Ddm {
    pub fn new(params: DdmParams) -> Self {
        Self {
            params,
            rate: Mean::default(),
            least: (f64::INFINITY, 0.0),
            fired: false,
        }
    }
}

impl Detector for Ddm {
    fn take(&mut self, x: f64) -> Signal {
        if self.fired {
            *self = Self::new(self.params);
        }
        self.rate.update(x);
        let (p, n) = (self.rate.value, self.rate.n);
        let s = (p * (1.0 - p) / n).sqrt();
        if n <= self.params.warm_start {
            return Signal::default();
        }
        if p + s <= self.least.0 + self.least.1 {
            self.least = (p, s);
        }
        let beyond = |threshold: f64| p + s > self.least.0 + threshold * self.least.1;
        self.fired = beyond(self.params.drift_threshold);
        Signal {
            warning: !self.fired && beyond(self.params.warning_threshold),
            change: self.fired,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EddmParams {
    /// Answers, and then errors, before the first signal.
    pub warm_start: f64,
    /// Shares of the greatest distance between errors below which there is a warning (`alpha`), and a change (`beta`).
    pub alpha: f64,
    pub beta: f64,
}

/// Signals when errors come closer together than they were. A warning stays until an error takes it back. After a
/// change the next answer begins anew.
///
/// Source: Baena-García and others, *Early drift detection method* (2006), in the form of river 0.26.1. Oracle: river,
/// `fixtures/drift/stream`.
#[derive(Debug, Clone)]
pub struct Eddm {
    params: EddmParams,
    n: f64,
    last_error: f64,
    distance: Mean,
    squares: f64,
    greatest: f64,
    signal: Signal,
}

impl Eddm {
    pub fn new(params: EddmParams) -> Self {
        Self {
            params,
            n: 0.0,
            last_error: 0.0,
            distance: Mean::default(),
            squares: 0.0,
            greatest: -1.0,
            signal: Signal::default(),
        }
    }

    fn error(&mut self) {
        let distance = self.n - self.last_error;
        self.last_error = self.n;
        let before = self.distance.value;
        self.distance.update(distance);
        self.squares += (distance - before) * (distance - self.distance.value);
        if self.n <= self.params.warm_start {
            return;
        }
        let n_errors = self.distance.n;
        let variance = if n_errors > 1.0 {
            self.squares / (n_errors - 1.0)
        } else {
            0.0
        };
        let spread = self.distance.value + 2.0 * variance.sqrt();
        if spread > self.greatest {
            self.greatest = spread;
        } else if n_errors > self.params.warm_start {
            let level = spread / self.greatest;
            if level < self.params.beta {
                self.signal.change = true;
            } else {
                self.signal.warning = level < self.params.alpha;
            }
        }
    }
}

impl Detector for Eddm {
    fn take(&mut self, x: f64) -> Signal {
        if self.signal.change {
            *self = Self::new(self.params);
        }
        self.n += 1.0;
        if x != 0.0 {
            self.error();
        }
        self.signal
    }
}
