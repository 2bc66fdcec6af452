//! The detectors by name, with their parameters. Pure.

use super::adwin::{Adwin, AdwinParams};
use super::charts::{Cusum, CusumParams, Ewma, EwmaParams};
use super::error_rate::{Ddm, DdmParams, Eddm, EddmParams};
use super::hoeffding::{HddmA, HddmAParams, HddmW, HddmWParams};
use super::kswin::{Kswin, KswinParams};
use super::page_hinkley::{PageHinkley, PageHinkleyParams};
use super::{Detector, Signal};

/// A detector that can be asked for by name.
pub struct DetectorKind {
    pub name: &'static str,
    /// What it signals, for people.
    pub summary: &'static str,
    pub parameters: &'static [Parameter],
    /// Whether it takes only right (0) and wrong (1) answers.
    pub answers_only: bool,
    /// Whether it warns before a change.
    pub warns: bool,
    /// The values stand in the order of `parameters`, each within its range.
    make: fn(&[f64]) -> Box<dyn Detector>,
}

/// A number that a detector can be given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    pub name: &'static str,
    pub default: f64,
    /// The least and the greatest value, both allowed.
    pub range: (f64, f64),
    pub whole: bool,
}

const fn number(name: &'static str, default: f64, low: f64, high: f64) -> Parameter {
    Parameter {
        name,
        default,
        range: (low, high),
        whole: false,
    }
}

const fn count(name: &'static str, default: f64, low: f64, high: f64) -> Parameter {
    Parameter {
        name,
        default,
        range: (low, high),
        whole: true,
    }
}

/// A confidence or a level; 0 would ask for certainty.
const fn chance(name: &'static str, default: f64) -> Parameter {
    number(name, default, 1e-12, 1.0)
}

/// Every detector.
pub const DETECTORS: &[DetectorKind] = &[
    DetectorKind {
        name: "adwin",
        summary: "the mean of the newest values differs from that of the older ones",
        parameters: &[
            chance("delta", 0.002),
            count("clock", 32.0, 1.0, 1e9),
            count("max_buckets", 5.0, 1.0, 1e6),
            count("min_window_length", 5.0, 1.0, 1e9),
            count("grace_period", 10.0, 1.0, 1e9),
        ],
        answers_only: false,
        warns: false,
        make: |p| {
            Box::new(Adwin::new(AdwinParams {
                delta: p[0],
                clock: whole(p[1]) as u64,
                max_buckets: whole(p[2]),
                min_window_length: p[3],
                grace_period: p[4],
            }))
        },
    },
    DetectorKind {
        name: "page_hinkley",
        summary: "the mean rose or fell; thresholds are in the unit of the values",
        parameters: &[
            count("min_instances", 30.0, 1.0, 1e9),
            number("delta", 0.005, 0.0, f64::MAX),
            number("threshold", 50.0, 0.0, f64::MAX),
            number("alpha", 0.9999, 0.0, 1.0),
        ],
        answers_only: false,
        warns: false,
        make: |p| {
            Box::new(PageHinkley::new(PageHinkleyParams {
                min_instances: p[0],
                delta: p[1],
                threshold: p[2],
                alpha: p[3],
            }))
        },
    },
    DetectorKind {
        name: "kswin",
        summary: "the newest values of a window have another distribution than the older ones",
        parameters: &[
            chance("alpha", 0.005),
            count("window_size", 100.0, 2.0, 10_000.0),
            count("stat_size", 30.0, 1.0, 9_999.0),
        ],
        answers_only: false,
        warns: false,
        make: |p| {
            let window_size = whole(p[1]);
            Box::new(Kswin::new(KswinParams {
                alpha: p[0],
                window_size,
                // A window that is all newest values has nothing to be held against.
                stat_size: whole(p[2]).min(window_size - 1),
            }))
        },
    },
    DetectorKind {
        name: "ddm",
        summary: "the error rate is above the least that was seen",
        parameters: &[
            count("warm_start", 30.0, 1.0, 1e9),
            number("warning_threshold", 2.0, 0.0, 1e6),
            number("drift_threshold", 3.0, 0.0, 1e6),
        ],
        answers_only: true,
        warns: true,
        make: |p| {
            Box::new(Ddm::new(DdmParams {
                warm_start: p[0],
                warning_threshold: p[1],
                drift_threshold: p[2],
            }))
        },
    },
    DetectorKind {
        name: "eddm",
        summary: "errors come closer together than they were",
        parameters: &[
            count("warm_start", 30.0, 1.0, 1e9),
            number("alpha", 0.95, 0.0, 1.0),
            number("beta", 0.9, 0.0, 1.0),
        ],
        answers_only: true,
        warns: true,
        make: |p| {
            Box::new(Eddm::new(EddmParams {
                warm_start: p[0],
                alpha: p[1],
                beta: p[2],
            }))
        },
    },
    DetectorKind {
        name: "hddm_a",
        summary: "the error rate is above the least that was sure",
        parameters: &[
            chance("drift_confidence", 0.001),
            chance("warning_confidence", 0.005),
            count("two_sided_test", 0.0, 0.0, 1.0),
        ],
        answers_only: true,
        warns: true,
        make: |p| {
            Box::new(HddmA::new(HddmAParams {
                drift_confidence: p[0],
                warning_confidence: p[1],
                two_sided: p[2] != 0.0,
            }))
        },
    },
    DetectorKind {
        name: "hddm_w",
        summary: "the error rate of the newest answers is above that of the older ones",
        parameters: &[
            chance("drift_confidence", 0.001),
            chance("warning_confidence", 0.005),
            number("lambda_val", 0.05, 1e-9, 1.0),
            count("two_sided_test", 0.0, 0.0, 1.0),
        ],
        answers_only: true,
        warns: true,
        make: |p| {
            Box::new(HddmW::new(HddmWParams {
                drift_confidence: p[0],
                warning_confidence: p[1],
                lambda: p[2],
                two_sided: p[3] != 0.0,
            }))
        },
    },
    DetectorKind {
        name: "cusum",
        summary: "the sum of shifts against the first values is too great",
        parameters: &[
            count("n_ref", 50.0, 2.0, 1e7),
            number("k", 0.5, 0.0, 1e6),
            number("h", 5.0, 0.0, 1e6),
        ],
        answers_only: false,
        warns: false,
        make: |p| {
            Box::new(Cusum::new(CusumParams {
                n_ref: whole(p[0]),
                k: p[1],
                h: p[2],
            }))
        },
    },
    DetectorKind {
        name: "ewma",
        summary: "the smoothed value is outside the limits that the first values set",
        parameters: &[
            count("n_ref", 50.0, 2.0, 1e7),
            number("lambda", 0.2, 1e-9, 1.0),
            number("L", 3.0, 0.0, 1e6),
        ],
        answers_only: false,
        warns: false,
        make: |p| {
            Box::new(Ewma::new(EwmaParams {
                n_ref: whole(p[0]),
                lambda: p[1],
                limit: p[2],
            }))
        },
    },
];

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number within the range of its parameter"
)]
fn whole(value: f64) -> usize {
    value as usize
}

impl DetectorKind {
    /// The detector with these parameters; what is not named has its default.
    ///
    /// # Errors
    /// A parameter that the detector does not have, or a value outside its range; for people.
    pub fn make(&self, given: &[(&str, f64)]) -> Result<Box<dyn Detector>, String> {
        let mut values: Vec<f64> = self.parameters.iter().map(|parameter| parameter.default).collect();
        for (name, value) in given {
            let Some(place) = self.parameters.iter().position(|parameter| parameter.name == *name) else {
                let names: Vec<&str> = self.parameters.iter().map(|parameter| parameter.name).collect();
                return Err(format!("`{}` has no `{name}`; it has {}", self.name, names.join(", ")));
            };
            let Parameter { range, whole, .. } = self.parameters[place];
            if !(range.0..=range.1).contains(value) || (whole && value.fract() != 0.0) {
                let what = if whole { "a whole number" } else { "a number" };
                return Err(format!(
                    "`{name}` of `{}` is {what} from {} to {}, not {value}",
                    self.name, range.0, range.1
                ));
            }
            values[place] = *value;
        }
        Ok((self.make)(&values))
    }

    /// The places (from 0) of the values at which this detector says that they changed; missing values count as places.
    ///
    /// # Errors
    /// As [`DetectorKind::make`], or values that the detector does not take.
    pub fn detect(&self, given: &[(&str, f64)], values: &[f64]) -> Result<Vec<usize>, String> {
        let signals = self.signals(given, values)?.into_iter();
        Ok(signals
            .filter_map(|(place, signal)| signal.change.then_some(place))
            .collect())
    }

    /// The places (from 0) of the values at which this detector says anything, and what.
    ///
    /// # Errors
    /// As [`DetectorKind::detect`].
    pub fn signals(&self, given: &[(&str, f64)], values: &[f64]) -> Result<Vec<(usize, Signal)>, String> {
        let mut detector = self.make(given)?;
        let is_answer = |x: &f64| x.is_nan() || *x == 0.0 || (*x - 1.0).abs() < f64::EPSILON;
        if self.answers_only && !values.iter().all(is_answer) {
            return Err(format!("`{}` takes right (0) and wrong (1) answers only", self.name));
        }
        let places = values.iter().enumerate();
        Ok(places
            .map(|(place, x)| (place, detector.update(*x)))
            .filter(|(_, signal)| *signal != Signal::default())
            .collect())
    }
}

/// What the named detector finds with its defaults; see [`DetectorKind::detect`].
///
/// # Errors
/// No such detector, or values that it does not take.
pub fn detect(name: &str, values: &[f64]) -> Result<Vec<usize>, String> {
    let Some(kind) = DETECTORS.iter().find(|kind| kind.name == name) else {
        let names: Vec<&str> = DETECTORS.iter().map(|kind| kind.name).collect();
        return Err(format!("there is no detector `{name}`; there are {}", names.join(", ")));
    };
    kind.detect(&[], values)
}
