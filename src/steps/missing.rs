//! Inputs that are not there, found before anything runs.

use std::path::Path;

use crate::base::{Diagnostic, Diagnostics, nearest, shortened};
use crate::sys::{self, FileError};

use super::files::Root;
use super::pattern::Pattern;
use super::plan::Plan;
use super::search::Side;
use super::task::chain;

/// Inputs that are not there and that no step makes, each with its place in the configuration.
pub fn missing_inputs(plan: &Plan, root: &Path) -> Result<Diagnostics, FileError> {
    let root = Root::open(root)?;
    let mut problems = Diagnostics::default();
    for step in plan.steps() {
        for (pattern, span) in &step.given {
            let found = root.expand(std::slice::from_ref(pattern), Side::Inputs);
            let problem = match found {
                Ok((_, without)) if without.is_empty() => continue,
                Ok(_) => {
                    let message = format!("`{}` is not there, and no step makes it", shortened(pattern.text()));
                    Diagnostic::error("missing-input", message).help(match near(&root, pattern) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "mend the path, or name it among the `outputs` of the step that makes it".to_owned(),
                    })
                }
                Err(error) => {
                    let message = format!("`{}` can not be an input: {}", shortened(pattern.text()), chain(&error));
                    Diagnostic::error("bad-input", message).help("name ordinary files of the repository")
                }
            };
            problems.push(problem.at(*span));
        }
    }
    Ok(problems)
}

/// The name in the same directory that is nearest to one that is not there.
fn near(root: &Root, pattern: &Pattern) -> Option<String> {
    let path = pattern.literal()?;
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    let listed = sys::list(&root.path.join(above)).ok()?;
    let names: Vec<&str> = listed
        .iter()
        .filter_map(|entry| entry.name.to_str())
        .take(10_000)
        .collect();
    let near = nearest(name, names)?;
    Some(if above.is_empty() {
        near.to_owned()
    } else {
        format!("{above}/{near}")
    })
}
