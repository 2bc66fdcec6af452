//! The repository's own steps: a plan of what needs what, each task run only when what it depends on changed.
//!
//! [`Plan::of`] is pure and finds every problem of the configuration; [`run`] acts. A task's key is made of everything that
//! its result depends on; what it made is kept by content, so that going back to an earlier state costs a copy.

mod digests;
mod files;
mod missing;
mod pattern;
mod plan;
mod record;
mod run;
mod search;
mod settings;
mod store;
mod task;
#[cfg(test)]
mod tests;

pub use missing::missing_inputs;
pub use plan::Plan;
pub use run::{Around, Event, StepOutcome, StepStatus, StepsError, run};
pub use settings::{ITEM, MAX_ITEMS, MAX_RETRIES, StepSettings, StepTask, TIMEOUT, Work, Written};
