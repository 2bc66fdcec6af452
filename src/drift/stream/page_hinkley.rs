//! Page and Hinkley's test: how far the sum of deviations from the running mean rose or fell. Pure.

use super::{Detector, Mean, Signal};

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PageHinkleyParams {
    /// Values before the first signal.
    pub min_instances: f64,
    /// What a deviation may be, in the unit of the values.
    pub delta: f64,
    /// How far the sum may rise or fall, in the unit of the values.
    pub threshold: f64,
    /// What is kept of the sum at every value, 0 to 1.
    pub alpha: f64,
}

/// Signals when the mean rose or fell. `delta` and `threshold` depend on the scale: give it (x − mean) / sd of the
/// reference. After a change the next value begins anew.
///
/// Source: Page, *Continuous inspection schemes* (1954), in the form of river 0.26.1 with both sides. Oracle: river,
/// `fixtures/drift/stream`.
#[derive(Debug, Clone)]
pub struct PageHinkley {
    params: PageHinkleyParams,
    state: State,
    fired: bool,
}

#[derive(Debug, Clone)]
struct State {
    mean: Mean,
    rise: f64,
    fall: f64,
    least_rise: f64,
    greatest_fall: f64,
}

impl State {
    fn new() -> Self {
        Self {
            mean: Mean::default(),
            rise: 0.0,
            fall: 0.0,
            least_rise: f64::INFINITY,
            greatest_fall: -1.0,
        }
    }
}

impl PageHinkley {
    pub fn new(params: PageHinkleyParams) -> Self {
        Self {
            params,
            state: State::new(),
            fired: false,
        }
    }
}

impl Detector for PageHinkley {
    fn take(&mut self, x: f64) -> Signal {
        if self.fired {
            self.state = State::new();
        }
        let (params, state) = (&self.params, &mut self.state);
        state.mean.update(x);
        let deviation = x - state.mean.value;
        state.rise = params.alpha * state.rise + deviation - params.delta;
        state.fall = params.alpha * state.fall + deviation + params.delta;
        state.least_rise = state.least_rise.min(state.rise);
        state.greatest_fall = state.greatest_fall.max(state.fall);
        self.fired = state.mean.n >= params.min_instances
            && (state.rise - state.least_rise > params.threshold
                || state.greatest_fall - state.fall > params.threshold);
        Signal::change(self.fired)
    }
}
