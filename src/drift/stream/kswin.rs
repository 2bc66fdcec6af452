//! KSWIN: the newest values of a window against all older ones, by Kolmogorov and Smirnov's test. Pure.

use std::collections::VecDeque;

use super::{Detector, Signal};
use crate::stats::kolmogorov::two_sample;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KswinParams {
    /// A p-value of at most this is a change, 0 to 1.
    pub alpha: f64,
    /// Values in the window, more than `stat_size`.
    pub window_size: usize,
    /// The newest values that are held against the older ones, at least 1.
    pub stat_size: usize,
}

/// Signals when the distribution of the newest values differs, at whatever scale. A distance of at most 0.1 is never a
/// change. After one the newest values are kept.
///
/// The original draws a random part of the older values; all of them are taken here, so that the same stream gives the
/// same signals, and the test is sharper.
///
/// Source: Raab, Heusinger and Schleif, *Reactive soft prototype computing for concept drift streams* (2020). Oracle:
/// scipy's `ks_2samp` on the same windows, `fixtures/drift/stream` (`kswin_deterministic`).
#[derive(Debug, Clone)]
pub struct Kswin {
    params: KswinParams,
    window: VecDeque<f64>,
    /// The least distance, in steps of 1 / (older · newest), that is a change.
    critical: u64,
}

impl Kswin {
    pub fn new(params: KswinParams) -> Self {
        Self {
            params,
            window: VecDeque::with_capacity(params.window_size + 1),
            critical: critical(&params),
        }
    }

    /// The greatest difference of the two distribution functions, times older · newest.
    fn distance(&self) -> u64 {
        let n_older = self.params.window_size - self.params.stat_size;
        let sorted = |values: &mut Vec<f64>| values.sort_unstable_by(f64::total_cmp);
        // Adding zero makes a negative zero a positive one, so that the two are equal here too.
        let mut older: Vec<f64> = self.window.iter().take(n_older).map(|x| x + 0.0).collect();
        let mut newest: Vec<f64> = self.window.iter().skip(n_older).map(|x| x + 0.0).collect();
        sorted(&mut older);
        sorted(&mut newest);
        let (mut i, mut j, mut greatest) = (0, 0, 0);
        while i < older.len() && j < newest.len() {
            let value = older[i].min(newest[j]);
            i += older[i..].iter().take_while(|x| **x <= value).count();
            j += newest[j..].iter().take_while(|x| **x <= value).count();
            greatest = greatest.max((i * newest.len()).abs_diff(j * older.len()));
        }
        greatest as u64
    }
}

impl Detector for Kswin {
    fn take(&mut self, x: f64) -> Signal {
        self.window.push_back(x);
        if self.window.len() > self.params.window_size {
            self.window.pop_front();
        }
        let change = self.window.len() >= self.params.window_size && self.distance() >= self.critical;
        if change {
            self.window.drain(..self.params.window_size - self.params.stat_size);
        }
        Signal::change(change)
    }
}

/// The p-value falls with the distance, so that one distance decides; it is found once, not at every value.
fn critical(params: &KswinParams) -> u64 {
    let (n, m) = ((params.window_size - params.stat_size) as u64, params.stat_size as u64);
    let steps = n * m;
    // Beyond a tenth of all steps, and not at a tenth.
    let (mut low, mut high) = (steps / 10 + 1, steps + 1);
    while low < high {
        let middle = low.midpoint(high);
        if two_sample(n, m, middle as f64 / steps as f64) <= params.alpha {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}
