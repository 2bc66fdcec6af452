//! The twin as a program: `cargo run --example github-twin -- [--port 0] [--scenario FILE] [--for SECONDS]`.
//!
//! Prints `{"url": …}` and serves the loopback until its input ends or the time is over. `admin.rs` says what a scenario
//! is and what can be asked under `/_twin`.
fn main() {}
