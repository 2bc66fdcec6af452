//! Reading data and saying what it is: frames, profiles, splits, contracts, leakage.

#![expect(clippy::result_large_err, reason = "a diagnostic is made once and ends the step")]

mod contract;
mod digest;
mod frame;
mod leaks;
mod profile;
mod read;
mod roles;
mod settings;
mod source;
mod split;
mod task;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod value;

pub use contract::{Violation, check_contract};
pub use frame::{Cell, Column, ColumnType, FileRows, Frame, FrameError, MISSING, Place, Values, number_label};
pub use leaks::{Columns, Leak, leaks};
pub use profile::{ColumnProfile, Histogram, NumberProfile, PROBABILITIES, Profile, Summary, TextProfile, profile};
pub use read::{BadCell, DataError, Loaded, read};
pub use roles::{Role, roles};
pub use settings::{Bound, ColumnRule, Contract, Settings, Size, Split, SplitKind};
pub use source::FileError;
pub use split::{Partition, default_split, describe, split};
pub use task::{check_task, infer_task, rows_with_target};
