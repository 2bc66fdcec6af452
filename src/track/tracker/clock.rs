//! Tells moments of a run by one look at the clock.

use crate::sys::{self, Stopwatch};
use crate::track::record::RunStart;
use crate::wandb::media::Moment;

#[derive(Debug, Clone, Copy)]
pub struct Clock {
    first_ms: i64,
    watch: Stopwatch,
    started_ms: i64,
}

impl Clock {
    pub fn new(start: &RunStart) -> Self {
        Self {
            first_ms: sys::now().0.saturating_mul(1000),
            watch: Stopwatch::start(),
            started_ms: start.started.0.saturating_mul(1000),
        }
    }

    pub fn moment(&self) -> Moment {
        let elapsed = i64::try_from(self.watch.elapsed_ms()).unwrap_or(i64::MAX);
        let at_ms = self.first_ms.saturating_add(elapsed);
        Moment {
            at_ms,
            runtime_ms: at_ms.saturating_sub(self.started_ms).max(0),
        }
    }
}
