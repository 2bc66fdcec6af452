//! The data of a run, as W&B is told of them: by address and digest, or uploaded where the configuration says so.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use crate::config::DataSharing;
use crate::facts::Facts;
use crate::sys;
use crate::track::Content;
use crate::track::record::{DataEntry, Dataset};

use super::project::Opened;

/// More files than this are told of as one.
const MAX_FILES: usize = 2000;

/// The files that the run has read. `page` is where the repository's files stand at this commit:
/// `https://github.com/ada/diabetes/blob/0123…`; without it, only what is uploaded can be told.
pub fn of(opened: &Opened, facts: &Facts, page: Option<&str>) -> Option<Dataset> {
    let settings = &opened.project.wandb;
    let about = facts.data.as_ref()?;
    let found = sys::glob(&opened.root, &opened.project.data.source).ok()?;
    if found.len() > MAX_FILES {
        return None;
    }
    let entries = found.iter().filter_map(|path| {
        let name = plain(path.strip_prefix(&opened.root).unwrap_or(path))?;
        let content = Content::File(path.clone());
        let entry = match (settings.data, page) {
            (DataSharing::Upload, _) => DataEntry::File(content),
            (DataSharing::Reference, Some(page)) => DataEntry::Reference {
                uri: format!("{page}/{}", encoded(&name)),
                digest: content.digest().ok()?.to_string(),
                size_bytes: content.len().ok()?,
            },
            (DataSharing::Reference, None) => return None,
        };
        Some((name, entry))
    });
    let entries: BTreeMap<String, DataEntry> = entries.collect();
    let metadata = json!({
        "source": about.source,
        "digest": about.digest,
        "rows": about.n_rows,
        "target": about.target,
        "columns": about.columns.len(),
    });
    (!entries.is_empty()).then(|| Dataset {
        name: format!("{}-data", facts.model),
        metadata,
        entries,
    })
}

/// A path inside of the repository, with `/`.
fn plain(path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path
        .components()
        .map(|part| match part {
            std::path::Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    parts.map(|parts| parts.join("/"))
}

fn encoded(path: &str) -> String {
    let parts = path
        .split('/')
        .map(|part| percent_encoding::utf8_percent_encode(part, percent_encoding::NON_ALPHANUMERIC));
    parts.map(|part| part.to_string()).collect::<Vec<_>>().join("/")
}
