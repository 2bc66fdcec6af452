//! The words of the house: values that every other module speaks in. Pure, and imports nothing of ours.

mod diagnostic;
mod digest;
mod inert;
mod names;
mod node;
mod pace;
mod secret;
mod settings;
mod task;
mod time;

pub use diagnostic::{Diagnostic, Diagnostics, Severity, nearest, shortened};
pub use digest::Digest;
pub use inert::{clean, counted, is_invisible, without_escapes};
pub use names::{Alias, CommitSha, ModelName, NameError, VersionNumber};
pub use node::{Entry, Fields, Node, Span, Value};
pub use pace::{Pace, http_moment};
pub use secret::Secret;
pub use settings::Kind;
pub use task::{Direction, Task, Verdict};
pub use time::Timestamp;
