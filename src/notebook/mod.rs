//! Notebooks as trainers: parameters go in, a command executes them, and what became of each cell comes back. Pure.

mod command;
mod executed;
mod literal;
mod places;
mod prepare;
#[cfg(test)]
mod tests;

#[cfg(test)]
use command::MISSING_EXIT;
pub use command::{Invocation, SCRIPT, SCRIPT_NAME, command};
pub use executed::executed;
pub use literal::ParamValue;
pub use prepare::prepare;

/// Larger notebooks are not read: one with pictures in it has some megabytes.
pub const MAX_BYTES: usize = 64 << 20;
const MAX_CELLS: usize = 10_000;

/// Why a notebook can not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotebookError {
    #[error("the notebook has {size_bytes} bytes; at most {limit} are read", limit = MAX_BYTES)]
    TooLarge { size_bytes: usize },
    #[error("the notebook is not JSON: {0}")]
    Json(String),
    #[error("the notebook has no list of cells; save it in format 4, as Jupyter does since 2015")]
    Format,
    #[error("the notebook has more than {} cells", MAX_CELLS)]
    TooManyCells,
    #[error("the notebook is written for the kernel `{0}`; only Python is executed")]
    Kernel(String),
    #[error("the parameter `{0}` can not be the name of a variable in Python")]
    Name(String),
    #[error("the parameter `{0}` is given twice")]
    Twice(String),
    #[error("the parameter `{0}` has lists within lists, more than {limit} deep", limit = literal::MAX_DEPTH)]
    TooDeep(String),
}

fn parse(bytes: &[u8]) -> Result<serde_json::Value, NotebookError> {
    if bytes.len() > MAX_BYTES {
        return Err(NotebookError::TooLarge {
            size_bytes: bytes.len(),
        });
    }
    let notebook: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| NotebookError::Json(error.to_string()))?;
    match notebook.get("cells").and_then(serde_json::Value::as_array) {
        None => Err(NotebookError::Format),
        Some(cells) if cells.len() > MAX_CELLS => Err(NotebookError::TooManyCells),
        Some(cells) if !cells.iter().all(serde_json::Value::is_object) => Err(NotebookError::Format),
        Some(_) => Ok(notebook),
    }
}

/// Whether a cell has a tag.
fn has_tag(cell: &serde_json::Value, tag: &str) -> bool {
    let tags = cell.pointer("/metadata/tags").and_then(serde_json::Value::as_array);
    tags.is_some_and(|tags| tags.iter().any(|each| each == tag))
}

fn is_code(cell: &serde_json::Value) -> bool {
    cell.get("cell_type").is_some_and(|kind| kind == "code")
}
