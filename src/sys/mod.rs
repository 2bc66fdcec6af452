//! The only door to files, clocks and (later) the network. What others get is values.

mod clock;
mod error;
mod glob;
mod owner;
mod read;
mod write;

pub use clock::{Stopwatch, now, random};
pub use error::FileError;
pub use glob::{absolute, glob, inside};
pub use owner::{Owner, hand_over, is_root, is_same, owner, private_dir, private_dir_anew, write_beneath};
pub use read::{FileKind, kind, list, open, open_part, read, read_beneath, read_text};
#[cfg(test)]
pub use write::die_after;
pub use write::{
    Incoming, copy, create_anew, create_dir, create_exclusive, is_temp, overwrite, remove_dir, remove_stale_temps,
    sync_dir, write_atomic,
};
