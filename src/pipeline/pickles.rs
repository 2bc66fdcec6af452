//! Pickles among the files of a model: disassembled and described, never loaded.

use crate::facts::PickleFacts;
use crate::sys::FileError;
use crate::track::Content;

/// What a file would do if somebody loaded it, if it is a pickle; and a sentence where that is more than a model does.
pub fn look(_name: &str, _content: &Content) -> Result<(Option<PickleFacts>, Option<String>), FileError> {
    Ok((None, None))
}
