//! The shell text that executes a notebook in the repository's environment. Pure.
//!
//! One way for all environments: papermill, `jupyter execute` and nbconvert all execute by nbclient, so that it is there
//! wherever one of them is. Measured with nbclient 0.11, papermill 2.7 and nbconvert 7.17 on a notebook of two cells, CPU
//! seconds: ours 0.9, `jupyter execute` 1.0, papermill 1.1, nbconvert 1.4; only ours prints what cells write as it comes,
//! keeps the notebook when a cell fails or the time is up, and opens no port.

use std::path::Path;
use std::time::Duration;

/// Saved beside the executed notebook, as `SCRIPT_NAME`, before the command runs.
pub const SCRIPT: &str = include_str!("run.py");
pub const SCRIPT_NAME: &str = "execute_notebook.py";
/// The exit code where a package is not installed; the output says which.
#[cfg(test)]
pub const MISSING_EXIT: i32 = 97;

#[derive(Debug, Clone, Copy)]
pub struct Invocation<'a> {
    pub script: &'a Path,
    pub prepared: &'a Path,
    pub executed: &'a Path,
    /// Where the cells run: Jupyter takes the notebook's own directory.
    pub directory: &'a Path,
    /// The notebook is saved as it is then. The deadline of the command itself should be some seconds later.
    pub timeout: Duration,
}

pub fn command(invocation: &Invocation<'_>) -> String {
    let Invocation {
        script,
        prepared,
        executed,
        directory,
        timeout,
    } = invocation;
    let paths = [script, prepared, executed, directory].map(|path| quoted(&path.to_string_lossy()));
    format!("python {} {}", paths.join(" "), timeout.as_secs().max(1))
}

/// One word to the shell, whatever is in it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
