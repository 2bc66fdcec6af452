//! ADWIN: a window that is cut where its two parts differ. Pure.

use std::collections::VecDeque;

use super::{Detector, Signal};

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdwinParams {
    /// The chance of a false alarm, 0 to 1.
    pub delta: f64,
    /// Cuts are looked for after every `clock` values, at least 1.
    pub clock: u64,
    /// Buckets of one size before two are merged, at least 1.
    pub max_buckets: usize,
    /// Values that each part of a cut has at least.
    pub min_window_length: f64,
    /// Values before the first cut is looked for.
    pub grace_period: f64,
}

/// Signals when the mean of the newest values differs from that of the older ones, at whatever scale they have.
///
/// Memory and time of an update grow with the logarithm of the window. After a change the next value begins anew.
///
/// Source: Bifet and Gavaldà, *Learning from time-changing data with adaptive windowing* (2007), in the form of river
/// 0.26.1. Oracle: river, `fixtures/drift/stream`.
#[derive(Debug, Clone)]
pub struct Adwin {
    params: AdwinParams,
    window: Window,
    fired: bool,
}

/// Sum of the values and sum of squared deviations from their mean.
type Bucket = (f64, f64);

#[derive(Debug, Clone)]
struct Window {
    /// Row `r` holds buckets of 2^r values, the oldest first.
    rows: Vec<VecDeque<Bucket>>,
    n: f64,
    total: f64,
    squares: f64,
    ticks: u64,
}

impl Adwin {
    pub fn new(params: AdwinParams) -> Self {
        Self {
            params,
            window: Window::new(),
            fired: false,
        }
    }

    /// Values in the window, their sum, their sum of squared deviations.
    #[cfg(test)]
    pub fn window(&self) -> (f64, f64, f64) {
        (self.window.n, self.window.total, self.window.squares)
    }
}

impl Detector for Adwin {
    fn take(&mut self, x: f64) -> Signal {
        if self.fired {
            self.window = Window::new();
        }
        self.window.insert(x, self.params.max_buckets);
        self.fired = false;
        let due = self.window.ticks.is_multiple_of(self.params.clock.max(1));
        if due && self.window.n > self.params.grace_period {
            while self.window.differs(&self.params) {
                self.window.drop_oldest();
                self.fired = true;
            }
        }
        Signal::change(self.fired)
    }
}

impl Window {
    fn new() -> Self {
        Self {
            rows: vec![VecDeque::new()],
            n: 0.0,
            total: 0.0,
            squares: 0.0,
            ticks: 0,
        }
    }

    fn insert(&mut self, x: f64, max_buckets: usize) {
        self.ticks += 1;
        self.rows[0].push_back((x, 0.0));
        self.n += 1.0;
        if self.n > 1.0 {
            let deviation = x - self.total / (self.n - 1.0);
            self.squares += (self.n - 1.0) * deviation * deviation / self.n;
        }
        self.total += x;
        let mut row = 0;
        let mut size = 1.0;
        while self.rows[row].len() > max_buckets {
            if row + 1 == self.rows.len() {
                self.rows.push(VecDeque::new());
            }
            let (Some(first), Some(second)) = (self.rows[row].pop_front(), self.rows[row].pop_front()) else {
                break;
            };
            let difference = first.0 / size - second.0 / size;
            let squares = first.1 + second.1 + size * size * (difference * difference) / (2.0 * size);
            self.rows[row + 1].push_back((first.0 + second.0, squares));
            row += 1;
            size *= 2.0;
        }
    }

    /// Whether some cut leaves two parts whose means differ by more than chance allows.
    fn differs(&self, params: &AdwinParams) -> bool {
        let least = params.min_window_length;
        let confidence = (2.0 * self.n.ln() / params.delta).ln();
        let (mut n_old, mut old) = (0.0, 0.0);
        let (mut n_new, mut new) = (self.n, self.total);
        for (row, buckets) in self.rows.iter().enumerate().rev() {
            let size = size_of(row);
            for (place, (sum, _)) in buckets.iter().enumerate() {
                n_old += size;
                n_new -= size;
                old += sum;
                new -= sum;
                if row == 0 && place + 1 == buckets.len() {
                    return false;
                }
                if n_old < least || n_new < least {
                    continue;
                }
                let m = 1.0 / (n_old - least + 1.0) + 1.0 / (n_new - least + 1.0);
                let bound = (2.0 * m * (self.squares / self.n) * confidence).sqrt() + 2.0 / 3.0 * confidence * m;
                if (old / n_old - new / n_new).abs() > bound {
                    return true;
                }
            }
        }
        false
    }

    fn drop_oldest(&mut self) {
        let row = self.rows.len() - 1;
        let Some((sum, squares)) = self.rows[row].pop_front() else {
            return;
        };
        let size = size_of(row);
        self.n -= size;
        self.total -= sum;
        let difference = sum / size - self.total / self.n;
        self.squares -= squares + size * self.n * (difference * difference) / (size + self.n);
        if self.rows[row].is_empty() && row > 0 {
            self.rows.pop();
        }
    }
}

/// Values in a bucket of a row.
fn size_of(row: usize) -> f64 {
    i32::try_from(row).map_or(f64::INFINITY, |row| 2.0_f64.powi(row))
}
