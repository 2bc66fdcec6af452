//! HDDM: detectors for answers in [0, 1] with bounds that hold for any distribution. Pure.

use super::{Detector, Mean, Signal};

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HddmAParams {
    /// The chance of a false change, and of a false warning, 0 to 1.
    pub drift_confidence: f64,
    pub warning_confidence: f64,
    /// Whether a falling error rate is a change too.
    pub two_sided: bool,
}

/// Signals when the mean of all values is above the least that was sure, by Hoeffding's bound. After a change the next
/// value begins anew.
///
/// Source: Frías-Blanco and others, *Online and non-parametric drift detection methods based on Hoeffding's bounds*
/// (2015), in the form of river 0.26.1. Oracle: river, `fixtures/drift/stream`.
#[derive(Debug, Clone)]
pub struct HddmA {
    params: HddmAParams,
    all: Mean,
    least: Mean,
    greatest: Mean,
    fired: bool,
}

impl HddmA {
    pub fn new(params: HddmAParams) -> Self {
        Self {
            params,
            all: Mean::default(),
            least: Mean::default(),
            greatest: Mean::default(),
            fired: false,
        }
    }

    fn bound(&self, n: f64) -> f64 {
        (1.0 / (2.0 * n) * (1.0 / self.params.drift_confidence).ln()).sqrt()
    }

    /// What the mean may differ from that of its first `first` values.
    fn margin(&self, first: &Mean, confidence: f64) -> f64 {
        let m = (self.all.n - first.n) / first.n * (1.0 / self.all.n);
        (m / 2.0 * (2.0 / confidence).ln()).sqrt()
    }

    fn rose(&self, confidence: f64) -> bool {
        self.least.n < self.all.n && self.all.value - self.least.value >= self.margin(&self.least, confidence)
    }

    fn fell(&self, confidence: f64) -> bool {
        self.greatest.n < self.all.n && self.greatest.value - self.all.value >= self.margin(&self.greatest, confidence)
    }
}

impl Detector for HddmA {
    fn take(&mut self, x: f64) -> Signal {
        if self.fired {
            *self = Self::new(self.params);
        }
        self.all.update(x);
        let bound = self.bound(self.all.n);
        if self.least.n == 0.0 || self.least.value + self.bound(self.least.n) >= self.all.value + bound {
            self.least = self.all;
        }
        if self.greatest.n == 0.0 || self.greatest.value - self.bound(self.greatest.n) <= self.all.value - bound {
            self.greatest = self.all;
        }
        let HddmAParams {
            drift_confidence,
            warning_confidence,
            two_sided,
        } = self.params;
        let signal = signal(
            (self.rose(drift_confidence), self.rose(warning_confidence)),
            (
                two_sided && self.fell(drift_confidence),
                two_sided && self.fell(warning_confidence),
            ),
        );
        self.fired = signal.change;
        signal
    }
}

/// Of a rise and of a fall: whether each is a change, and a warning.
fn signal(rise: (bool, bool), fall: (bool, bool)) -> Signal {
    Signal {
        change: rise.0 || fall.0,
        warning: (!rise.0 && rise.1) || (!fall.0 && fall.1),
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HddmWParams {
    pub drift_confidence: f64,
    pub warning_confidence: f64,
    /// The weight of the newest value, above 0, at most 1.
    pub lambda: f64,
    pub two_sided: bool,
}

/// As [`HddmA`] with a mean that forgets, by `McDiarmid`'s bound.
///
/// Source and oracle: as [`HddmA`].
#[derive(Debug, Clone)]
pub struct HddmW {
    params: HddmWParams,
    all: Weighted,
    rise: Cut,
    fall: Cut,
    fired: bool,
}

/// A mean that forgets, and the sum of squares of its weights.
#[derive(Debug, Clone, Copy)]
struct Weighted {
    value: Option<f64>,
    squares: f64,
}

impl Weighted {
    const EMPTY: Self = Self {
        value: None,
        squares: 1.0,
    };

    fn update(&mut self, x: f64, lambda: f64) {
        self.value = Some(self.value.map_or(x, |value| lambda * x + (1.0 - lambda) * value));
        self.squares = lambda * lambda + (1.0 - lambda) * (1.0 - lambda) * self.squares;
    }
}

/// What came before the best cut, and after it.
#[derive(Debug, Clone, Copy)]
struct Cut {
    point: f64,
    before: Weighted,
    after: Weighted,
}

impl Cut {
    const NONE: Self = Self {
        point: f64::INFINITY,
        before: Weighted::EMPTY,
        after: Weighted::EMPTY,
    };

    /// `point` is a bound of `all`, of which the least makes the cut.
    fn update(&mut self, point: f64, all: Weighted, x: f64, lambda: f64) {
        if point < self.point {
            *self = Self {
                point,
                before: all,
                after: Weighted::EMPTY,
            };
        } else {
            self.after.update(x, lambda);
        }
    }

    /// Whether the mean after the cut is above (`sign` 1) or below (−1) the one before by more than chance allows.
    fn differs(&self, sign: f64, confidence: f64) -> bool {
        let (Some(before), Some(after)) = (self.before.value, self.after.value) else {
            return false;
        };
        sign * (after - before) > margin(self.before.squares + self.after.squares, confidence)
    }
}

fn margin(squares: f64, confidence: f64) -> f64 {
    (squares * (1.0 / confidence).ln() / 2.0).sqrt()
}

impl HddmW {
    pub fn new(params: HddmWParams) -> Self {
        Self {
            params,
            all: Weighted::EMPTY,
            rise: Cut::NONE,
            fall: Cut::NONE,
            fired: false,
        }
    }
}

impl Detector for HddmW {
    fn take(&mut self, x: f64) -> Signal {
        if self.fired {
            *self = Self::new(self.params);
        }
        let HddmWParams {
            drift_confidence,
            warning_confidence,
            lambda,
            two_sided,
        } = self.params;
        self.all.update(x, lambda);
        let mean = self.all.value.unwrap_or(x);
        let bound = margin(self.all.squares, drift_confidence);
        self.rise.update(mean + bound, self.all, x, lambda);
        self.fall.update(bound - mean, self.all, x, lambda);
        let rise = |confidence| self.rise.differs(1.0, confidence);
        let fall = |confidence| two_sided && self.fall.differs(-1.0, confidence);
        let signal = signal(
            (rise(drift_confidence), rise(warning_confidence)),
            (fall(drift_confidence), fall(warning_confidence)),
        );
        self.fired = signal.change;
        signal
    }
}
