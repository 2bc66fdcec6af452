//! An ONNX file that a trainer left, asked about rows of our data.

use crate::data::Frame;
use crate::evaluate::Predictions;

use super::predictor::Manifest;

#[derive(Debug)]
pub struct OnnxModel {}

#[derive(Debug, thiserror::Error)]
pub enum OnnxModelError {
    #[error("nothing")]
    Nothing,
}

impl OnnxModel {
    pub fn new(_bytes: &[u8]) -> Result<Self, OnnxModelError> {
        Err(OnnxModelError::Nothing)
    }
    pub fn predict(&self, _frame: &Frame, _rows: &[usize], _manifest: &Manifest) -> Result<Predictions, OnnxModelError> {
        Err(OnnxModelError::Nothing)
    }
}
