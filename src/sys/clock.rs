//! The clock, chance and the machine. `now` is called once, where the program starts.
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

/// Sixteen bytes that nobody can guess.
pub fn random() -> std::io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    // Up to 256 bytes come whole, once the machine has gathered enough at its start.
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(bytes)
}
