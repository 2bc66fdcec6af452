//! What a tracker is told about a run: [`start`] before it begins, [`end`] from its facts. Pure.
//!
//! A tracker keeps this for years and shows it to people who were not there. So everything has a bound, a name that its
//! protocol takes, and a text that can neither steer a terminal nor become a link or a picture of somebody else's.

mod canvas;
mod charts;
mod end;
mod pictures;
mod predictions;
mod setting;
mod start;
mod tables;
mod text;

#[cfg(test)]
mod tests;

pub use end::end;
pub use setting::{Configured, GitHub, Setting};
pub use start::start;
