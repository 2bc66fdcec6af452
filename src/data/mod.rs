//! Reading data and saying what it is: frames, profiles, splits, contracts, leakage.

#![expect(clippy::result_large_err, reason = "a diagnostic is made once and ends the step")]

mod contract;
mod digest;
mod frame;
mod leaks;
mod profile;
mod quality;
mod read;
mod roles;
mod settings;
mod sort;
mod split;
mod suggest;
mod task;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
#[cfg(not(test))]
mod value;
#[cfg(test)]
pub mod value;

pub use contract::{Violation, check_contract};
pub use digest::mix;
pub use frame::{Cell, Column, ColumnType, Frame, MISSING, Values, number_label};
pub use leaks::{Columns as LeakColumns, TARGET_COPY, leaks};
pub use profile::{Profile, Summary, profile};
pub use quality::{DatasetStats, Finding, Level, QualitySettings, quality, statistics};
pub use read::{BadCell, DataError, Loaded, Portion, panics_are_caught};
pub use read::{read, read_lenient, read_source, scan, sha256};
pub use roles::{Role, roles};
pub use settings::{Bound, ColumnRule, Contract, Settings, Size, Split, SplitKind};
pub use sort::{ordered, sort, unordered};
pub use split::{Partition, default_split, split};
pub use suggest::{ColumnSuggestion, Suggestion, identifies, suggest};
pub use task::{check_task, infer_task, rows_with_target, short};
pub use value::timestamp;
