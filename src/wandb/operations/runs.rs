//! Runs: made, taken up again, read, their files announced, people alerted.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::base::Timestamp;

use super::shapes::{Project, Success, date, inner_json};
use super::text::read_json;
use super::{ALERT, CREATE_RUN_FILES, RUN_READ, RUN_RESUME, UPSERT_RUN, malformed};
use crate::wandb::client::Client;
use crate::wandb::error::WandbError;

/// Where a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunPath {
    pub entity: String,
    pub project: String,
    /// The id in its address, not the one of GraphQL.
    pub run: String,
}

/// A run to be made or changed; what is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpsertRun {
    /// W&B's id, of a run that is taken up again.
    pub id: Option<String>,
    /// The id in its address: without `: ; , # ? / '`.
    pub name: String,
    /// None: where the key's runs go.
    pub entity: Option<String>,
    pub project: String,
    pub display_name: Option<String>,
    pub group: Option<String>,
    pub job_type: Option<String>,
    pub tags: Option<Vec<String>>,
    pub notes: Option<String>,
    /// `{"lr": {"value": 0.1}, "_wandb": {"value": {"t": {…}}}}`.
    #[serde(serialize_with = "as_text")]
    pub config: Option<Value>,
    #[serde(serialize_with = "as_text")]
    pub summary: Option<Value>,
    pub commit: Option<String>,
    pub repository: Option<String>,
    pub program: Option<String>,
    pub host: Option<String>,
}

/// A run as W&B has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunHandle {
    pub id: String,
    /// With the entity and the project that W&B put it in.
    pub path: RunPath,
    pub display_name: Option<String>,
    pub n_history: u64,
    /// False: it was there before.
    pub is_new: bool,
}

/// Makes the run, or changes it.
pub async fn upsert_run(client: &Client, run: &UpsertRun) -> Result<RunHandle, WandbError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        upsert_bucket: Option<Payload>,
    }
    #[derive(Deserialize)]
    struct Payload {
        inserted: Option<bool>,
        bucket: Option<Bucket>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Bucket {
        id: String,
        name: String,
        display_name: Option<String>,
        history_line_count: Option<u64>,
        project: Option<Project>,
    }
    let answer: Answer = client.execute(&UPSERT_RUN, run).await?;
    let missing = |what: &str| malformed(&UPSERT_RUN, format!("it has no {what}"));
    let payload = answer.upsert_bucket.ok_or_else(|| missing("payload"))?;
    let bucket = payload.bucket.ok_or_else(|| missing("run"))?;
    let project = bucket.project.ok_or_else(|| missing("project"))?;
    Ok(RunHandle {
        id: bucket.id,
        path: RunPath {
            entity: project.entity.name,
            project: project.name,
            run: bucket.name,
        },
        display_name: bucket.display_name,
        n_history: bucket.history_line_count.unwrap_or(0),
        is_new: payload.inserted.unwrap_or(false),
    })
}

/// A run that is there, as far as one must know to go on with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Resume {
    pub id: String,
    pub name: String,
    pub display_name: Option<String>,
    pub tags: Vec<String>,
    pub notes: Option<String>,
    pub config: Option<Value>,
    pub summary: Option<Value>,
    /// Lines that its three files have; the next one is written behind them.
    pub n_history: u64,
    pub n_events: u64,
    pub n_log: u64,
    /// The step of the next row.
    pub next_step: u64,
    /// False: it was made, and nothing began.
    pub is_started: bool,
}

/// `None` if there is no such run.
pub async fn run_resume(client: &Client, path: &RunPath) -> Result<Option<Resume>, WandbError> {
    #[derive(Deserialize)]
    struct Answer {
        model: Option<Model>,
    }
    #[derive(Deserialize)]
    struct Model {
        bucket: Option<Bucket>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Bucket {
        id: String,
        name: String,
        display_name: Option<String>,
        tags: Option<Vec<String>>,
        notes: Option<String>,
        config: Option<String>,
        summary_metrics: Option<String>,
        history_line_count: Option<u64>,
        events_line_count: Option<u64>,
        log_line_count: Option<u64>,
        history_tail: Option<String>,
        wandb_config: Option<String>,
    }
    let answer: Answer = client.execute(&RUN_RESUME, path).await?;
    let Some(bucket) = answer.model.and_then(|model| model.bucket) else {
        return Ok(None);
    };
    let json = |field, text: &Option<String>| inner_json(&RUN_RESUME, field, text.as_deref());
    let summary = json("summaryMetrics", &bucket.summary_metrics)?;
    let tail = json("historyTail", &bucket.history_tail)?;
    let wandb_config = json("wandbConfig", &bucket.wandb_config)?;
    let n_history = bucket.history_line_count.unwrap_or(0);
    Ok(Some(Resume {
        next_step: next_step(summary.as_ref(), tail.as_ref(), n_history),
        is_started: wandb_config.is_some_and(|config| config.get("t").is_some_and(|t| !t.is_null())),
        id: bucket.id,
        name: bucket.name,
        display_name: bucket.display_name,
        tags: bucket.tags.unwrap_or_default(),
        notes: bucket.notes,
        config: json("config", &bucket.config)?,
        summary,
        n_history,
        n_events: bucket.events_line_count.unwrap_or(0),
        n_log: bucket.log_line_count.unwrap_or(0),
    }))
}

/// Behind the last step that the summary, the last row or the number of rows tell of. The tail is a list of texts, each
/// of which is a row.
pub(super) fn next_step(summary: Option<&Value>, tail: Option<&Value>, n_history: u64) -> u64 {
    let step = |row: &Value| row.get("_step").and_then(Value::as_u64);
    let last_row = tail
        .and_then(Value::as_array)
        .and_then(|rows| rows.last())
        .and_then(Value::as_str)
        .and_then(|row| read_json(row).ok());
    let known = [
        summary.and_then(step),
        last_row.as_ref().and_then(step),
        n_history.checked_sub(1),
    ];
    known
        .into_iter()
        .flatten()
        .max()
        .map_or(0, |last| last.saturating_add(1))
}

/// A run as people see it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunInfo {
    pub id: String,
    pub name: String,
    pub display_name: Option<String>,
    /// `running`, `finished`, `failed`, `crashed`, and others that W&B may think of.
    pub state: Option<String>,
    /// Somebody pressed the button.
    pub is_stopped: bool,
    pub tags: Vec<String>,
    pub created_at: Timestamp,
    pub heartbeat_at: Option<Timestamp>,
    pub config: Option<Value>,
    pub summary: Option<Value>,
    pub n_history: u64,
}

/// `None` if there is no such run.
pub async fn run_read(client: &Client, path: &RunPath) -> Result<Option<RunInfo>, WandbError> {
    #[derive(Deserialize)]
    struct Answer {
        project: Option<Holder>,
    }
    #[derive(Deserialize)]
    struct Holder {
        run: Option<Found>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Found {
        id: String,
        name: String,
        display_name: Option<String>,
        state: Option<String>,
        stopped: Option<bool>,
        tags: Option<Vec<String>>,
        created_at: String,
        heartbeat_at: Option<String>,
        config: Option<String>,
        summary_metrics: Option<String>,
        history_line_count: Option<u64>,
    }
    let answer: Answer = client.execute(&RUN_READ, path).await?;
    let Some(run) = answer.project.and_then(|project| project.run) else {
        return Ok(None);
    };
    let json = |field, text: &Option<String>| inner_json(&RUN_READ, field, text.as_deref());
    let heartbeat = run.heartbeat_at.as_deref().filter(|text| !text.is_empty());
    Ok(Some(RunInfo {
        created_at: date(&RUN_READ, "createdAt", &run.created_at)?,
        heartbeat_at: heartbeat.map(|text| date(&RUN_READ, "heartbeatAt", text)).transpose()?,
        config: json("config", &run.config)?,
        summary: json("summaryMetrics", &run.summary_metrics)?,
        id: run.id,
        name: run.name,
        display_name: run.display_name,
        state: run.state,
        is_stopped: run.stopped.unwrap_or(false),
        tags: run.tags.unwrap_or_default(),
        n_history: run.history_line_count.unwrap_or(0),
    }))
}

/// Where the files of a run go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunUploads {
    /// In the order that was asked for.
    pub files: Vec<RunFileUpload>,
    /// `Name:value`, for every one of them.
    pub headers: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFileUpload {
    pub name: String,
    /// None: nothing is to be sent.
    pub url: Option<String>,
}

/// Announces files of a run; their names may have `/`.
pub async fn create_run_files(client: &Client, run: &RunPath, files: &[String]) -> Result<RunUploads, WandbError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        create_run_files: Option<Payload>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Payload {
        upload_headers: Vec<String>,
        files: Vec<File>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct File {
        name: String,
        upload_url: Option<String>,
    }
    let answer: Answer = client.execute(&CREATE_RUN_FILES, &RunFiles { run, files }).await?;
    let payload = answer
        .create_run_files
        .ok_or_else(|| malformed(&CREATE_RUN_FILES, "it has no payload"))?;
    if payload.files.len() != files.len() || payload.files.iter().zip(files).any(|(file, name)| file.name != *name) {
        return Err(malformed(
            &CREATE_RUN_FILES,
            "its files are not those that were asked for",
        ));
    }
    Ok(RunUploads {
        headers: payload.upload_headers,
        files: payload
            .files
            .into_iter()
            .map(|file| RunFileUpload {
                name: file.name,
                url: file.upload_url.filter(|url| !url.is_empty()),
            })
            .collect(),
    })
}

#[derive(Serialize)]
pub(super) struct RunFiles<'a> {
    #[serde(flatten)]
    pub run: &'a RunPath,
    pub files: &'a [String],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AlertSeverity {
    Info,
    Warn,
    Error,
}

/// A message to the people who follow a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alert {
    pub title: String,
    pub text: String,
    pub severity: AlertSeverity,
    /// The same title is not sent again for so long.
    #[serde(rename = "wait")]
    pub wait_ms: Option<u64>,
}

/// Sends the message.
pub async fn alert(client: &Client, run: &RunPath, alert: &Alert) -> Result<(), WandbError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        notify_scriptable_run_alert: Option<Success>,
    }
    let answer: Answer = client.execute(&ALERT, &RunAlert { run, alert }).await?;
    match answer.notify_scriptable_run_alert {
        Some(Success { success: true }) => Ok(()),
        _ => Err(malformed(&ALERT, "it does not say that it was done")),
    }
}

#[derive(Serialize)]
pub(super) struct RunAlert<'a> {
    #[serde(flatten)]
    pub run: &'a RunPath,
    #[serde(flatten)]
    pub alert: &'a Alert,
}

/// JSON inside of JSON.
#[expect(clippy::ref_option, reason = "so serde calls it")]
pub(super) fn as_text<S: Serializer>(value: &Option<Value>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_ref().map(Value::to_string).serialize(serializer)
}
