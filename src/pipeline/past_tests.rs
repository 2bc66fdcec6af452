//! What the tests of the default branch came to, for the changes that a pull request makes to them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::suites::Summary;
use crate::sys;

use super::store::{CACHE, STATE, StoreError, own_directory};

/// Beside the models that are kept for reuse, and in the same cache on a runner.
pub const FILE: &str = "tests.json";
/// A summary has at most a megabyte.
pub const MAX_BYTES: u64 = 32 << 20;

/// By command; nothing where there is nothing to be read.
pub fn load(root: &Path) -> BTreeMap<String, Summary> {
    let bytes = sys::read_beneath(root, &[STATE, CACHE, FILE], MAX_BYTES);
    bytes.ok().and_then(|bytes| parse(&bytes)).unwrap_or_default()
}

pub fn parse(bytes: &[u8]) -> Option<BTreeMap<String, Summary>> {
    serde_json::from_slice(bytes).ok()
}

pub fn keep(root: &Path, suites: &BTreeMap<String, Summary>) -> Result<(), StoreError> {
    if suites.is_empty() {
        return Ok(());
    }
    let cache = own_directory(root)?.join(CACHE);
    sys::create_dir(&cache)?;
    let text = serde_json::to_vec(suites).expect("summaries have text keys and whole numbers");
    Ok(sys::write_atomic(&cache.join(FILE), &text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suites::{Counts, Suite, Tool};

    #[test]
    fn what_is_kept_comes_back_and_what_is_broken_is_nothing() {
        let root = tempfile::tempdir().unwrap();
        assert!(load(root.path()).is_empty());
        let suite = Suite {
            tool: Tool::Pytest,
            version: None,
            cases: Vec::new(),
            counts: Counts::default(),
            seconds: None,
            is_cut: false,
        };
        let suites = BTreeMap::from([("pytest".to_owned(), suite.summary())]);
        keep(root.path(), &suites).unwrap();
        assert_eq!(load(root.path()), suites);
        assert!(parse(b"{\"pytest\": 1}").is_none());
    }
}
