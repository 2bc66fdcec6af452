//! Models that others exported as ONNX, scored by us: the operators that classical models are made of. Pure.
//!
//! What scikit-learn (by skl2onnx), `LightGBM` and `XGBoost` (by onnxmltools) export is read, checked whole, and then
//! answers for a table of columns. Rows are scored in batches, so a row's answer must not depend on other rows; no
//! exporter makes such a model, and it is refused. Reading takes up to twenty times the memory of the file (a forest of
//! tiny trees), scoring up to 1 GiB.
//!
//! Oracles: scikit-learn and onnxruntime, `fixtures/onnx/skl`.

mod attributes;
mod graph;
mod ops;
mod proto;
mod scorer;
mod tensor;
#[cfg(test)]
mod tests;

#[cfg(test)]
use scorer::Input;
pub use scorer::{Answer, Column, Kind, Label, Scorer, Scores};
pub use tensor::Fault;

/// Why a model can not be scored.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    #[error("the model has {size_bytes} bytes, more than the {limit_bytes} that are read")]
    TooLarge { size_bytes: usize, limit_bytes: usize },
    #[error("the file is not an ONNX model: {0}")]
    Broken(&'static str),
    #[error("the file is not an ONNX model")]
    Decode(#[source] prost::DecodeError),
    #[error("the model can not be scored: {0}")]
    Invalid(String),
    #[error("version {version} of the operators of `{domain}` is not known; versions {oldest} to {newest} are")]
    Version {
        domain: String,
        version: i64,
        oldest: i64,
        newest: i64,
    },
    #[error("operator `{operator}` (domain `{domain}`) is not known")]
    Operator { operator: String, domain: String },
    #[error("operator `{operator}`{} can not be computed", of_node(name))]
    Node {
        operator: String,
        name: String,
        #[source]
        fault: Fault,
    },
    #[error("the constant `{name}` can not be read")]
    Tensor {
        name: String,
        #[source]
        fault: Fault,
    },
    #[error("the model asks for {expected} and gets {found}")]
    Columns { expected: String, found: String },
    #[error("input `{input}` is {expected}, and column `{column}` has {found}")]
    Column {
        input: String,
        column: String,
        expected: &'static str,
        found: String,
    },
}

/// Which node an operator is of; not every exporter gives names.
fn of_node(name: &str) -> String {
    if name.is_empty() {
        String::new()
    } else {
        format!(" (node `{name}`)")
    }
}
