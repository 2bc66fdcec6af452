//! The clock and the machine. `now` is called once, where the program starts.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the door that everybody else goes through"
)]

use std::time::{Duration, Instant};

use crate::base::Timestamp;

/// Measures how long something took; never goes backwards.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The present moment, in whole seconds.
pub fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_second())
}
