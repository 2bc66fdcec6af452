//! What the repository's own tests said: counts, names and failures on lines, from `JUnit` XML or from text. Pure.
//!
//! [`recognise`] says how a command is run so that it leaves a report, a [`Reader`] gets its lines while it runs, and
//! [`conclude`] makes one answer of the exit code, the lines and the report.

mod changes;
mod collect;
mod command;
mod ending;
mod junit;
mod names;
mod place;
mod result;
#[cfg(test)]
#[path = "tests/recorded.rs"]
mod testing;
mod text;

pub use changes::{Changes, Summary, compare};
pub use command::{Invocation, recognise};
pub use ending::{Conclusion, Ending, conclude};
pub use junit::MAX_REPORT_BYTES;
pub use place::Place;
pub use result::{Counts, Outcome, Suite, TestCase, Tool};
pub use text::Reader;
