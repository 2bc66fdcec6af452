//! Files of a run: those that W&B expects of every run, and whatever else is kept beside it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::artifacts::{Content, check_path, joined};
use super::client::Client;
use super::error::WandbError;
use super::operations::{RunPath, create_run_files};
use crate::base::Timestamp;

/// Files that are announced at once.
const BATCH: usize = 100;
/// Files that are sent at the same time.
const PARALLEL: usize = 8;

/// What W&B shows of every run.
#[derive(Debug, Clone, PartialEq)]
pub struct Records {
    /// The whole summary, as one line of JSON that may have `NaN`.
    pub summary: String,
    /// `{"lr": {"value": 0.1}, "_wandb": {"value": {…}}}`.
    pub config: Value,
    pub metadata: Option<RunMetadata>,
    pub requirements: Option<String>,
    /// All that the run printed.
    pub output: Option<Content>,
    /// `media/table/…`, `media/images/…`, `report.html`.
    pub others: BTreeMap<String, Content>,
}

/// Where a run took place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunMetadata {
    pub os: String,
    pub program: String,
    pub host: Option<String>,
    pub started: Timestamp,
    pub git: Option<RunGit>,
}

/// What a run worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunGit {
    pub remote: String,
    pub commit: String,
}

impl Records {
    /// Name → content.
    pub fn files(self) -> BTreeMap<String, Content> {
        let text = |text: String| Content::Bytes(text.into_bytes());
        let mut files = self.others;
        files.extend([
            ("wandb-summary.json".to_owned(), text(self.summary)),
            ("config.yaml".to_owned(), text(yaml(&self.config))),
        ]);
        let metadata = self.metadata.map(|run| text(metadata(&run)));
        files.extend(metadata.map(|metadata| ("wandb-metadata.json".to_owned(), metadata)));
        files.extend(
            self.requirements
                .map(|list| ("requirements.txt".to_owned(), text(list))),
        );
        files.extend(self.output.map(|output| ("output.log".to_owned(), output)));
        files
    }
}

fn metadata(run: &RunMetadata) -> String {
    let mut map = Map::new();
    map.insert("os".to_owned(), json!(run.os));
    map.insert("startedAt".to_owned(), json!(run.started.to_string()));
    map.insert("program".to_owned(), json!(run.program));
    if let Some(host) = &run.host {
        map.insert("host".to_owned(), json!(host));
    }
    if let Some(git) = &run.git {
        map.insert("git".to_owned(), json!({"remote": git.remote, "commit": git.commit}));
    }
    Value::Object(map).to_string()
}

/// A value as YAML in blocks; texts are quoted as JSON has them, which YAML reads alike.
fn yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(_) | Value::Array(_) if !is_empty(value) => block(value, 0, &mut out),
        _ => {
            let _ = writeln!(out, "{}", scalar(value)); // Writing to a string can not fail.
        }
    }
    out
}

fn block(value: &Value, depth: usize, out: &mut String) {
    let line = |out: &mut String, head: &str, value: &Value| {
        out.extend(std::iter::repeat_n("    ", depth));
        out.push_str(head);
        if is_empty(value) || !(value.is_object() || value.is_array()) {
            out.push(' ');
            out.push_str(&scalar(value));
            out.push('\n');
        } else {
            out.push('\n');
            block(value, depth + 1, out);
        }
    };
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(key, value)| line(out, &format!("{}:", plain_or_quoted(key)), value)),
        Value::Array(list) => list.iter().for_each(|value| line(out, "-", value)),
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// JSON, without the characters that YAML wants to see escaped.
fn scalar(value: &Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        if matches!(
            c,
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        ) {
            let _ = write!(out, "\\u{:04x}", u32::from(c)); // Writing to a string can not fail.
        } else {
            out.push(c);
        }
    }
    out
}

/// A key as it is, where YAML takes it for nothing else than a text.
fn plain_or_quoted(key: &str) -> String {
    const WORDS: &[&str] = &["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_plain = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(is_word)
        && !WORDS.contains(&key.to_ascii_lowercase().as_str());
    if is_plain {
        key.to_owned()
    } else {
        scalar(&Value::from(key))
    }
}

/// Sends the files; returns their names, which the run's stream is told when all are there.
pub async fn send_files(
    client: &Client,
    run: &RunPath,
    files: BTreeMap<String, Content>,
) -> Result<Vec<String>, WandbError> {
    for name in files.keys() {
        check_path(name).map_err(|why| WandbError::Invalid {
            what: format!("the files of run `{}`", run.run),
            message: why,
        })?;
    }
    let names: Vec<String> = files.keys().cloned().collect();
    let mut files: Vec<Content> = files.into_values().collect();
    let permits = Arc::new(Semaphore::new(PARALLEL));
    for batch in names.chunks(BATCH) {
        let uploads = create_run_files(client, run, batch).await?;
        let contents = files.drain(..batch.len());
        let mut tasks = JoinSet::new();
        for (upload, content) in uploads.files.into_iter().zip(contents) {
            let Some(url) = upload.url else { continue };
            let (client, run, permits) = (client.clone(), run.clone(), Arc::clone(&permits));
            let headers = uploads.headers.clone();
            tasks.spawn(async move {
                let _permit = permits.acquire().await;
                let content = content.whole()?;
                match client.put(&url, &headers, &content).await {
                    // The address has expired.
                    Err(WandbError::Storage { status: 400 | 403, .. }) => {}
                    sent => return sent.map(drop),
                }
                let again = create_run_files(&client, &run, &[upload.name]).await?;
                match again.files.into_iter().next().and_then(|upload| upload.url) {
                    Some(url) => client.put(&url, &again.headers, &content).await.map(drop),
                    None => Ok(()),
                }
            });
        }
        // What is still under way ends with the first error.
        while let Some(done) = tasks.join_next().await {
            joined(done)?;
        }
    }
    Ok(names)
}
