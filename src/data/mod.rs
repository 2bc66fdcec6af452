//! Reading data and saying what it is: frames, profiles, splits, contracts, leakage.

mod frame;
mod settings;

pub use frame::{Cell, Column, ColumnType, Frame, MISSING, Place, Values};
pub use settings::{Bound, ColumnRule, Contract, Settings, Size, Split, SplitKind};
