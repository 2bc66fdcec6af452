//! Collects what the outside says, starts the runtime, returns the exit code.
#![expect(clippy::disallowed_methods, reason = "the environment is read once, here")]

use std::io::IsTerminal as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let env = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let terminal = mlops::Terminal {
        stdout: std::io::stdout().is_terminal(),
        stderr: std::io::stderr().is_terminal(),
    };
    ExitCode::from(mlops::run(std::env::args_os(), env, terminal))
}
