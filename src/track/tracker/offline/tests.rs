//! Offline runs as whoever delivers them finds them: whole, cut off at any moment, and with names that lead elsewhere.
#![expect(clippy::disallowed_methods, reason = "tests set the scene themselves")]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::base::Timestamp;
use crate::track::Content;
use crate::track::record::{Cell, Chart, ChartKind, DataEntry, Dataset, GitState, Image, Model, Row, RunFile, Table};
use crate::wandb::log::{Told, read};

/// As long as an end may take.
const A_MINUTE: Duration = Duration::from_mins(1);

/// A picture of one point.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55\0\0\0\nIDATx\x9cc\
    \x68\0\0\0\x82\0\x81\x77\xcd\x72\xb6\0\0\0\0IEND\xaeB`\x82";

fn start(id: &str) -> RunStart {
    RunStart {
        id: id.to_owned(),
        display_name: "an offline run".to_owned(),
        group: Some("pull-7".to_owned()),
        job_type: "evaluate".to_owned(),
        tags: vec!["ridge".to_owned(), "ci".to_owned()],
        notes: Some("[the run](https://github.com)".to_owned()),
        config: BTreeMap::from([
            ("seed".to_owned(), json!(42)),
            ("_wandb".to_owned(), json!("not ours to set")),
        ]),
        git: Some(GitState {
            remote: "https://github.com/acme/diabetes".to_owned(),
            commit: "0123456789012345678901234567890123456789".to_owned(),
        }),
        program: "mlops".to_owned(),
        host: Some("runner".to_owned()),
        started: Timestamp(1_795_593_600),
    }
}

fn row(pairs: &[(&str, Cell)]) -> Row {
    let pairs = pairs.iter();
    pairs.map(|(name, cell)| ((*name).to_owned(), cell.clone())).collect()
}

fn table(key: &str) -> Table {
    Table {
        key: key.to_owned(),
        columns: vec!["x".to_owned(), "y".to_owned()],
        rows: vec![
            vec![Cell::Number(0.5), Cell::Text("é".to_owned())],
            vec![Cell::Number(f64::NAN), Cell::Missing],
        ],
        note: None,
    }
}

/// With a value of everything; `n_bytes` is what one text in it is long.
fn end(n_bytes: usize) -> RunEnd {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.25];
    let mut history: Vec<Row> = odd.map(|loss| row(&[("loss", Cell::Number(loss))])).to_vec();
    let interval = [("test/rmse", 53.5), ("test/rmse_low", 50.0), ("test/rmse_high", 57.0)];
    history[3].extend(row(&interval.map(|(name, value)| (name, Cell::Number(value)))));
    history[1].insert("text".to_owned(), Cell::Text("\u{1F600}\n".repeat(n_bytes / 5)));
    RunEnd {
        config: BTreeMap::from([("rows".to_owned(), json!(442))]),
        history,
        summary: row(&[
            ("passed", Cell::Truth(false)),
            ("best", Cell::Number(f64::NEG_INFINITY)),
        ]),
        tables: vec![table("slices/age")],
        charts: vec![Chart {
            key: "roc".to_owned(),
            title: "ROC".to_owned(),
            kind: ChartKind::Line,
            x: "x".to_owned(),
            y: "y".to_owned(),
            stroke: None,
            table: table("roc_table"),
        }],
        images: vec![Image {
            key: "overview".to_owned(),
            caption: "All of it".to_owned(),
            png: PNG.to_vec(),
            width: 1,
            height: 1,
        }],
        data: Some(Dataset {
            name: "diabetes-data".to_owned(),
            metadata: json!({"rows": 442}),
            entries: BTreeMap::from([
                ("profile.json".to_owned(), DataEntry::File(Content::from("{}"))),
                (
                    "data.csv".to_owned(),
                    DataEntry::Reference {
                        uri: "https://example.invalid/data.csv".to_owned(),
                        digest: "sha256:00".to_owned(),
                        size_bytes: 7,
                    },
                ),
            ]),
        }),
        met: Some("diabetes:v0".to_owned()),
        model: Some(Model {
            name: "diabetes".to_owned(),
            metadata: json!({"rmse": 53.5}),
            files: BTreeMap::from([
                ("model.json".to_owned(), Content::from("{\"weights\":[1]}")),
                ("deep/er/card.md".to_owned(), Content::from("# Card")),
            ]),
        }),
        files: vec![RunFile {
            name: "report.html".to_owned(),
            content: Content::from("<html>"),
        }],
        exit_code: 1,
        reason: "worse".to_owned(),
    }
}

fn offline(base: &Path) -> Offline {
    Offline::new(
        base,
        OfflinePlace {
            entity: "ml-team".to_owned(),
            project: "later".to_owned(),
        },
    )
}

async fn whole(base: &Path, id: &str, end: RunEnd) -> (PathBuf, Vec<String>) {
    let tracker = offline(base);
    tracker.start(&start(id)).await.unwrap();
    tracker.say("one line");
    tracker.say("another");
    let ended = tracker.finish(end, A_MINUTE).await.unwrap();
    (ended.waits.unwrap(), ended.warnings)
}

fn told(directory: &Path) -> Told {
    let name = directory.file_name().unwrap().to_str().unwrap();
    let id = name.splitn(4, '-').nth(3).unwrap();
    let bytes = std::fs::read(directory.join(format!("run-{id}.wandb"))).unwrap();
    Told::of(read(&bytes).unwrap()).unwrap()
}

/// With a folder in the environment the run is written there, for the official client to deliver.
#[tokio::test]
async fn a_run_waits_whole() {
    let folder = tempfile::tempdir().unwrap();
    let asked = std::env::var("MLOPS_WANDB_OFFLINE").ok().map(PathBuf::from);
    let base = asked.as_deref().unwrap_or(folder.path());
    let (directory, warnings) = whole(base, "off-1", end(200_000)).await;
    assert_eq!(warnings, Vec::<String>::new());
    let relative = directory.strip_prefix(base).unwrap().to_str().unwrap();
    assert_eq!(relative, "wandb/offline-run-20261125_080000-off-1");
    let told = told(&directory);
    let run = &told.run;
    assert_eq!(
        [&run.run_id, &run.entity, &run.project, &run.run_group, &run.job_type],
        ["off-1", "ml-team", "later", "pull-7", "evaluate"]
    );
    let own = &told.config["_wandb"]["value"];
    assert_eq!(
        [&told.config["seed"], &told.config["rows"]],
        [&json!({"value": 42}), &json!({"value": 442})]
    );
    assert_eq!(
        own["visualize"]["roc"]["panel_config"]["fieldSettings"],
        json!({"x": "x", "y": "y", "stroke": null})
    );
    assert_eq!(
        own["m"],
        json!([{"1": "test/rmse_high", "6": [2, 3], "7": []}, {"1": "test/rmse_low", "6": [2, 3], "7": []}])
    );
    assert_eq!(told.rows.len(), 4);
    for (step, (row, loss)) in told
        .rows
        .iter()
        .zip(["NaN", "Infinity", "-Infinity", "0.25"])
        .enumerate()
    {
        assert!(row.contains(&format!("\"loss\":{loss},")), "{row}");
        assert!(row.contains(&format!("\"_step\":{step},")), "{row}");
    }
    let summary = told.summary.as_deref().unwrap();
    assert!(
        summary.contains("\"best\":-Infinity") && summary.contains("\"_step\":3"),
        "{summary}"
    );
    let console: Vec<&str> = told.console.iter().map(|line| line.text.as_str()).collect();
    assert_eq!((console, told.exit_code), (vec!["one line", "another"], Some(1)));
    for name in &told.files {
        assert!(directory.join("files").join(name).is_file(), "{name}");
    }
    for name in [
        "report.html",
        "config.yaml",
        "wandb-summary.json",
        "wandb-metadata.json",
        "output.log",
    ] {
        assert!(told.files.iter().any(|file| file == name), "{name}");
    }
    // What the last row says of its tables leads to an artifact and to a file.
    let last: Value = serde_json::from_str(&told.rows[3]).unwrap();
    let cell = &last["slices/age"];
    let shared = told.artifacts.iter().find(|one| one.name.contains("slices")).unwrap();
    assert_eq!(
        cell["artifact_path"],
        format!("wandb-client-artifact://{}/slices/age.table.json", shared.client_id)
    );
    assert!(told.files.iter().any(|name| cell["path"] == name.as_str()));
    let names: Vec<(&str, &str, bool)> = told
        .artifacts
        .iter()
        .map(|one| (one.type_name.as_str(), one.name.as_str(), one.use_after_commit))
        .collect();
    assert_eq!(
        names[2..],
        [("dataset", "diabetes-data", true), ("model", "diabetes", false)]
    );
    for artifact in &told.artifacts {
        for content in &artifact.manifest.as_ref().unwrap().contents {
            assert_eq!(content.local_path.is_empty(), !content.reference.is_empty());
            assert!(base.join(&content.local_path).exists(), "{}", content.local_path);
        }
    }
    assert!(directory.join(MODEL).join("deep/er/card.md").is_file());
}

#[tokio::test]
async fn a_run_that_is_killed_has_what_was_said_until_then() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = offline(folder.path());
    let started = tracker.start(&start("dead")).await.unwrap();
    let directory = PathBuf::from(started.place);
    assert_eq!(told(&directory).run.run_id, "dead");
    tracker.say("last words");
    let told = told(&directory);
    assert_eq!((told.console[0].text.as_str(), told.exit_code), ("last words", None));
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_has_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = offline(folder.path());
    tracker.interrupt(130).await;
    let started = tracker.start(&start("stopped")).await.unwrap();
    tracker.say("one line");
    tracker.interrupt(130).await;
    tracker.say("too late");
    let told = told(Path::new(&started.place));
    assert_eq!((told.console.len(), told.exit_code), (1, Some(130)));
    let error = tracker.finish(RunEnd::default(), A_MINUTE).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tracker gave up: there is no open run to be ended"
    );
}

#[tokio::test]
async fn what_can_not_be_kept_is_told_and_leads_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("base");
    let mut end = end(0);
    end.files.push(RunFile {
        name: "../../../../stolen".to_owned(),
        content: Content::from("x"),
    });
    end.files.push(RunFile {
        name: "gone".to_owned(),
        content: Content::File(folder.path().join("gone")),
    });
    end.data.as_mut().unwrap().name = "no name".to_owned();
    end.tables.push(table("../../up"));
    let (directory, warnings) = whole(&base, "odd", end).await;
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(
        warnings[0].starts_with("the file `../../../../stolen` is not kept: "),
        "{warnings:?}"
    );
    assert!(warnings[1].starts_with("the file `gone` is not kept: "), "{warnings:?}");
    assert!(
        warnings[2].starts_with("the data of the run are not kept: "),
        "{warnings:?}"
    );
    let listed: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(listed, ["base"]);
    let told = told(&directory);
    assert!(
        told.files
            .iter()
            .all(|name| directory.join("files").join(name).is_file())
    );
    assert_eq!(told.exit_code, Some(1));
}

#[tokio::test]
async fn a_log_that_can_not_be_written_is_no_run() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(RUNS), "in the way").unwrap();
    assert!(offline(folder.path()).start(&start("none")).await.is_err());
    std::fs::remove_file(folder.path().join(RUNS)).unwrap();
    let mut end = end(0);
    let model = end.model.as_mut().unwrap();
    model
        .files
        .insert("gone".to_owned(), Content::File(folder.path().join("gone")));
    let tracker = offline(folder.path());
    tracker.start(&start("none")).await.unwrap();
    assert!(
        tracker.finish(end, A_MINUTE).await.is_err(),
        "a model that is not there can not wait"
    );
}
