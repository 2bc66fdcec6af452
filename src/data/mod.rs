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
mod split;
mod task;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod value;

pub use contract::{Violation, check_contract};
pub use frame::{Cell, Column, ColumnType, Frame, MISSING, Values, number_label};
pub use leaks::{Columns as LeakColumns, TARGET_COPY, leaks};
pub use profile::{Profile, Summary, profile};
pub use read::{BadCell, DataError, Loaded, panics_are_caught, read, read_source};
pub use roles::{Role, roles};
pub use settings::{Bound, ColumnRule, Contract, Settings, Size, Split, SplitKind};
pub use split::{Partition, default_split, split};
pub use task::{check_task, infer_task, rows_with_target, short};
