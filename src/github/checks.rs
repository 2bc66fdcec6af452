//! Checks: a verdict beside a commit, with annotations on the lines at fault.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Repository;
use super::address::segment;
use super::client::Client;
use super::error::GithubError;
use crate::base::CommitSha;
use std::time::Duration;

/// One check of one run. `external_id` names it among all of its name, so that a lost answer can be found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub name: String,
    /// The commit that people look at: of a pull request its head, never the merge commit.
    pub head: CommitSha,
    pub external_id: String,
    pub details_url: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    Success,
    Failure,
    Neutral,
    Cancelled,
    Skipped,
}

impl Conclusion {
    fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Neutral => "neutral",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }
}

/// How grave, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Failure,
    Warning,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Warning => "warning",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// In the repository.
    pub path: String,
    /// From 1.
    pub line: u32,
    pub end_line: u32,
    /// First and last; only an annotation of one line can have them.
    pub columns: Option<(u32, u32)>,
    pub level: Level,
    pub title: String,
    pub message: String,
}

/// What a check says. Cut to what GitHub takes when it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub title: String,
    pub summary: String,
    pub text: Option<String>,
    pub annotations: Vec<Annotation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct CheckId(pub u64);

/// GitHub counts characters of some fields and bytes of others; no text of this many bytes is over either limit.
const TEXT_LIMIT: usize = 65_535;
const TITLE_LIMIT: usize = 255;
const ANNOTATIONS_A_REQUEST: usize = 50;
const ANNOTATIONS: usize = 200;
/// As much as a cancelled job can spare.
const CANCEL_BUDGET: Duration = Duration::from_secs(3);

#[derive(Debug, Deserialize)]
struct Run {
    id: CheckId,
    #[serde(default)]
    external_id: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    output: Option<RunOutput>,
}

#[derive(Debug, Deserialize)]
struct RunOutput {
    #[serde(default)]
    annotations_count: usize,
}

impl Run {
    fn is_ended(&self) -> bool {
        self.status.as_deref() == Some("completed")
    }
}

/// Shows the check as in progress. Once a run: who calls it again makes another one.
pub async fn start(
    client: &Client,
    repository: &Repository,
    check: &Check,
    title: &str,
    summary: &str,
) -> Result<CheckId, GithubError> {
    let mut body = identity(check);
    body["status"] = json!("in_progress");
    body["output"] = json!({ "title": cut(title, TITLE_LIMIT), "summary": cut(summary, TEXT_LIMIT) });
    let look = || written(client, repository, check);
    let run: Run = client.create(&runs(repository), &body, look).await?;
    Ok(run.id)
}

/// Ends the check. Without `id` it is looked for; when there is none, or GitHub does not know that one any more, it is
/// made as one that has ended.
///
/// What follows the first fifty annotations is added afterwards; when that fails the verdict stands all the same.
pub async fn finish(
    client: &Client,
    repository: &Repository,
    check: &Check,
    id: Option<CheckId>,
    conclusion: Conclusion,
    output: &Output,
) -> Result<CheckId, GithubError> {
    let annotations = annotations(&output.annotations);
    let mut batches = annotations.chunks(ANNOTATIONS_A_REQUEST);
    let first = batches.next().unwrap_or_default();
    let ended = json!({
        "status": "completed",
        "conclusion": conclusion.as_str(),
        "output": said(output, first),
    });
    let mut n_written = first.len();
    let known = match id {
        Some(id) => Some(id),
        None => match written(client, repository, check).await? {
            Some(run) if run.is_ended() => return Ok(run.id),
            run => run.map(|run| run.id),
        },
    };
    let updated = match known {
        Some(id) => match add(client, repository, id, &ended, n_written).await {
            Err(GithubError::NotFound { .. }) => None,
            other => Some(other?),
        },
        None => None,
    };
    let id = if let Some(id) = updated {
        id
    } else {
        let mut body = identity(check);
        for (key, value) in ended.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        let look = async || {
            let run = written(client, repository, check).await?;
            Ok(run.filter(Run::is_ended))
        };
        let run: Run = client.create(&runs(repository), &body, look).await?;
        run.id
    };
    for batch in batches {
        n_written += batch.len();
        let body = json!({ "output": said(output, batch) });
        if let Err(error) = add(client, repository, id, &body, n_written).await {
            tracing::warn!(%error, check = check.name, "not all annotations are shown");
            break;
        }
    }
    Ok(id)
}

/// Says that the job was cancelled, in the little time that is left. Without `id` the check may be on its way, and is
/// looked for.
pub async fn cancel(
    client: &Client,
    repository: &Repository,
    check: &Check,
    id: Option<CheckId>,
) -> Result<(), GithubError> {
    let client = client.hurried(CANCEL_BUDGET);
    let id = match id {
        Some(id) => id,
        None => match written(&client, repository, check).await? {
            Some(run) => run.id,
            None => return Ok(()),
        },
    };
    let body = json!({
        "status": "completed",
        "conclusion": Conclusion::Cancelled.as_str(),
        "output": { "title": "Cancelled", "summary": "The job was cancelled before it had a verdict." },
    });
    client.patch::<Value>(&run(repository, id), &body).await.map(drop)
}

/// Annotations are added to those that are there, so that an update is repeated only if their number shows it lost.
async fn add(
    client: &Client,
    repository: &Repository,
    id: CheckId,
    body: &Value,
    n_afterwards: usize,
) -> Result<CheckId, GithubError> {
    let path = run(repository, id);
    let look = async || {
        let found: Run = client.get(&path).await?;
        let count = found.output.as_ref().map_or(0, |output| output.annotations_count);
        Ok((found.is_ended() && count >= n_afterwards).then_some(found))
    };
    let run: Run = client.change(&path, body, look).await?;
    Ok(run.id)
}

/// The run that this check already is, if any.
async fn written(client: &Client, repository: &Repository, check: &Check) -> Result<Option<Run>, GithubError> {
    let path = format!(
        "/repos/{repository}/commits/{}/check-runs?check_name={}&filter=all&per_page=100",
        check.head,
        segment(&check.name)
    );
    let runs: Vec<Run> = client.pages_below(&path, "check_runs", 1000).await?;
    Ok(runs
        .into_iter()
        .find(|run| run.external_id.as_deref() == Some(&check.external_id)))
}

fn runs(repository: &Repository) -> String {
    format!("/repos/{repository}/check-runs")
}

fn run(repository: &Repository, id: CheckId) -> String {
    format!("/repos/{repository}/check-runs/{}", id.0)
}

fn identity(check: &Check) -> Value {
    let mut body = json!({
        "name": check.name,
        "head_sha": check.head,
        "external_id": check.external_id,
    });
    if let Some(url) = &check.details_url {
        body["details_url"] = json!(url);
    }
    body
}

fn said(output: &Output, annotations: &[Value]) -> Value {
    let mut said = json!({
        "title": cut(&output.title, TITLE_LIMIT),
        "summary": cut(&output.summary, TEXT_LIMIT),
    });
    if let Some(text) = &output.text {
        said["text"] = json!(cut(text, TEXT_LIMIT));
    }
    if !annotations.is_empty() {
        said["annotations"] = json!(annotations);
    }
    said
}

/// As GitHub takes them: the gravest first, and no more than it shows.
fn annotations(all: &[Annotation]) -> Vec<Value> {
    let mut sorted: Vec<&Annotation> = all.iter().collect();
    sorted.sort_by_key(|annotation| annotation.level);
    sorted.truncate(ANNOTATIONS);
    sorted
        .into_iter()
        .map(|annotation| {
            let start = annotation.line.max(1);
            let end = annotation.end_line.max(start);
            let message = if annotation.message.trim().is_empty() {
                &annotation.title
            } else {
                &annotation.message
            };
            let mut value = json!({
                "path": annotation.path,
                "start_line": start,
                "end_line": end,
                "annotation_level": annotation.level.as_str(),
                "title": cut(&annotation.title, TITLE_LIMIT),
                "message": cut(message, TEXT_LIMIT),
            });
            if let Some((first, last)) = annotation.columns.filter(|_| start == end) {
                value["start_column"] = json!(first.max(1));
                value["end_column"] = json!(last.max(first).max(1));
            }
            value
        })
        .collect()
}

/// At most so many bytes, and so no more characters, with a sign that something is missing.
fn cut(text: &str, at_most: usize) -> String {
    const SIGN: &str = "…";
    if text.len() <= at_most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(at_most - SIGN.len());
    format!("{}{SIGN}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotation(line: u32, level: Level) -> Annotation {
        Annotation {
            path: "mlops.yaml".to_owned(),
            line,
            end_line: line,
            columns: Some((3, 9)),
            level,
            title: "gate".to_owned(),
            message: "0.8 < 0.9".to_owned(),
        }
    }

    #[test]
    fn texts_are_cut_where_a_character_ends() {
        assert_eq!(cut("abc", 3), "abc");
        let wide = "é".repeat(40_000);
        let text = cut(&wide, TEXT_LIMIT);
        assert!(text.len() <= TEXT_LIMIT && text.len() > TEXT_LIMIT - 4 && text.ends_with("é…"));
    }

    #[test]
    fn the_gravest_come_first_and_the_rest_is_left_out() {
        let mut all: Vec<_> = (1..=300).map(|line| annotation(line, Level::Warning)).collect();
        all.push(annotation(999, Level::Failure));
        all.push(annotation(998, Level::Failure));
        let sent = annotations(&all);
        assert_eq!(sent.len(), 200);
        assert_eq!(sent[0]["start_line"], 999);
        assert_eq!(sent[1]["start_line"], 998);
        assert_eq!(sent[2]["start_line"], 1);
    }

    #[test]
    fn places_are_made_such_as_github_takes() {
        let long = Annotation {
            end_line: 9,
            ..annotation(4, Level::Warning)
        };
        let odd = Annotation {
            line: 0,
            end_line: 0,
            columns: Some((0, 0)),
            message: " ".to_owned(),
            ..annotation(0, Level::Warning)
        };
        let sent = annotations(&[annotation(4, Level::Warning), long, odd]);
        assert_eq!(sent[0]["start_column"], 3);
        assert_eq!(sent[0]["end_column"], 9);
        assert_eq!(sent[1].get("start_column"), None);
        assert_eq!((&sent[2]["start_line"], &sent[2]["end_line"]), (&json!(1), &json!(1)));
        assert_eq!(sent[2]["message"], "gate");
    }
}
