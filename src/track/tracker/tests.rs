//! Runs on the twin of W&B: online, and offline delivered later.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::{Offline, OfflinePlace, Online, OnlinePlace, Tracker};
use crate::base::Timestamp;
use crate::track::Content;
use crate::track::record::{Cell, Chart, ChartKind, Model, Row, RunEnd, RunFile, RunStart, Table};
use crate::wandb::{Client, Credentials, Hosts, Key, KeySource, Pace, Settings, replay};
use crate::wandb_twin::{Fault, Kind, Twin};

/// As long as an end may take.
const A_MINUTE: Duration = Duration::from_mins(1);

fn client(url: &str, key: &str) -> Client {
    let hosts = Hosts::new(Some(url), None).unwrap();
    let key = Key::parse(key, KeySource::Environment).unwrap();
    let mut settings = Settings::new(hosts, Credentials::Key(key));
    settings.pace = Pace(Duration::from_millis(1));
    Client::new(settings).unwrap()
}

fn start(id: &str) -> RunStart {
    RunStart {
        id: id.to_owned(),
        display_name: "odd numbers".to_owned(),
        group: Some("pr-7".to_owned()),
        job_type: "evaluate".to_owned(),
        tags: vec!["ridge".to_owned()],
        notes: Some("[the run](https://github.com)".to_owned()),
        config: BTreeMap::from([("seed".to_owned(), json!(42))]),
        git: None,
        program: "mlops".to_owned(),
        host: None,
        started: Timestamp(1_795_593_600),
    }
}

fn row(loss: f64) -> Row {
    Row::from([
        ("loss".to_owned(), Cell::Number(loss)),
        ("ok".to_owned(), Cell::Truth(true)),
    ])
}

fn end() -> RunEnd {
    let table = Table {
        key: "slices".to_owned(),
        columns: vec!["name".to_owned(), "rmse".to_owned()],
        rows: vec![vec![Cell::Text("a".to_owned()), Cell::Number(f64::NAN)]],
        ..Table::default()
    };
    RunEnd {
        config: BTreeMap::from([("rows".to_owned(), json!(442))]),
        history: [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.25].map(row).to_vec(),
        summary: Row::from([
            ("loss".to_owned(), Cell::Number(0.25)),
            ("best".to_owned(), Cell::Number(f64::NAN)),
        ]),
        charts: vec![Chart {
            key: "roc".to_owned(),
            title: "ROC".to_owned(),
            kind: ChartKind::Line,
            x: "name".to_owned(),
            y: "rmse".to_owned(),
            stroke: None,
            table: table.clone(),
        }],
        tables: vec![table],
        files: vec![RunFile {
            name: "report.html".to_owned(),
            content: Content::from("<html>"),
        }],
        exit_code: 1,
        reason: "worse".to_owned(),
        ..RunEnd::default()
    }
}

fn online(client: Client, project: &str) -> Online {
    let place = OnlinePlace {
        entity: "ml-team".to_owned(),
        project: project.to_owned(),
        registry: None,
    };
    Online::new(client, place)
}

fn check_run(twin: &Twin, project: &str, id: &str) {
    let state = twin.state();
    let run = state.run("ml-team", project, id).expect("the run is there");
    let rows = &run.history;
    assert_eq!(rows.len(), 4, "{rows:?}");
    for (row, expected) in rows.iter().zip(["NaN", "Infinity", "-Infinity", "0.25"]) {
        assert!(row.contains(&format!("\"loss\":{expected},")), "{row}");
    }
    assert!(
        rows[3].contains("table-file"),
        "the last row has the tables: {}",
        rows[3]
    );
    assert_eq!(run.state, "failed");
    let config = &run.config;
    for part in [
        "\"seed\":{\"value\":42}",
        "\"rows\":{\"value\":442}",
        "wandb/line/v0",
        "\"t\":{\"13\"",
    ] {
        assert!(config.contains(part), "{part}: {config}");
    }
}

/// With an address in the environment the run goes there, for the official client to read.
#[tokio::test]
async fn numbers_that_json_does_not_have_are_kept() {
    #![expect(clippy::disallowed_methods, reason = "whoever starts the tests says where")]
    if let (Ok(url), Ok(key)) = (std::env::var("MLOPS_WANDB_URL"), std::env::var("MLOPS_WANDB_KEY")) {
        let tracker = online(client(&url, &key), "odd");
        tracker.start(&start("odd-1")).await.unwrap();
        tracker.finish(end(), A_MINUTE).await.unwrap();
        return;
    }
    let twin = Twin::start();
    // The same job again finds its run, and leaves it as it is.
    for _ in 0..2 {
        let tracker = online(client(&twin.url(), &twin.key()), "odd");
        let started = tracker.start(&start("odd-1")).await.unwrap();
        assert!(started.url.unwrap().ends_with("/ml-team/odd/runs/odd-1"));
        tracker.say("one line");
        let ended = tracker.finish(end(), A_MINUTE).await.unwrap();
        assert_eq!((ended.warnings, ended.waits), (Vec::new(), None));
    }
    check_run(&twin, "odd", "odd-1");
    assert_eq!(twin.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_is_closed() {
    let twin = Twin::start();
    let tracker = online(client(&twin.url(), &twin.key()), "stopped");
    tracker.start(&start("s-1")).await.unwrap();
    tracker.interrupt(130).await;
    assert_eq!(twin.state().run("ml-team", "stopped", "s-1").unwrap().state, "failed");
}

#[tokio::test]
async fn a_run_that_waited_is_delivered_once() {
    let (twin, folder) = (Twin::start(), tempfile::tempdir().unwrap());
    let place = OfflinePlace {
        entity: "ml-team".to_owned(),
        project: "later".to_owned(),
    };
    let tracker = Offline::new(folder.path(), place);
    tracker.start(&start("off-1")).await.unwrap();
    tracker.say("one line");
    let model = Model {
        name: "diabetes".to_owned(),
        metadata: json!({"rmse": 53.1}),
        files: BTreeMap::from([("model.json".to_owned(), Content::from("{}"))]),
    };
    let ended = tracker
        .finish(
            RunEnd {
                model: Some(model),
                ..end()
            },
            A_MINUTE,
        )
        .await
        .unwrap();
    let directory = ended.waits.unwrap();
    let client = client(&twin.url(), &twin.key());
    // Broken off at every call in turn, then whole: what is there in the end is what one delivery leaves.
    for n in 0..12 {
        twin.fault(Fault::once("", Kind::DropAfter).after(n));
        let _ = replay(&client, "ml-team", "later", &directory).await;
        twin.state().faults.clear();
    }
    let replayed = replay(&client, "ml-team", "later", &directory).await.unwrap();
    assert_eq!(replayed.warnings, Vec::<String>::new());
    check_run(&twin, "later", "off-1");
    let kept = twin.snapshot();
    let versions = &kept["projects"]["ml-team/later"]["collections"]["diabetes"]["versions"];
    assert_eq!(versions.as_array().unwrap().len(), 1, "{versions}");
    assert_eq!(twin.violations(), Vec::<String>::new());
}

/// The log of the official client, without the files beside it.
#[tokio::test]
async fn a_run_of_the_official_client_is_delivered() {
    #![expect(clippy::disallowed_methods, reason = "tests set the scene themselves")]
    let (twin, folder) = (Twin::start(), tempfile::tempdir().unwrap());
    let log = format!("{}/fixtures/wandb/official.wandb", env!("CARGO_MANIFEST_DIR"));
    std::fs::copy(log, folder.path().join("run-official.wandb")).unwrap();
    let client = client(&twin.url(), &twin.key());
    let replayed = replay(&client, "ml-team", "theirs", folder.path()).await.unwrap();
    assert!(replayed.url.ends_with("/ml-team/theirs/runs/official"));
    assert_eq!(replayed.warnings.len(), 6, "{:?}", replayed.warnings);
    let kept = twin.snapshot();
    let state = twin.state();
    let run = state.run("ml-team", "theirs", "official").expect("the run is there");
    assert_eq!(run.state, "failed");
    assert_eq!(run.history.len(), 4);
    assert!(run.history[0].contains("\"n\":{\"x\":1}"), "{}", run.history[0]);
    assert!(run.history[2].contains("\"t\":{"), "{}", run.history[2]);
    assert!(
        run.config.contains("\"t\":{\"13\"") && run.config.contains("wandb/line/v0"),
        "{}",
        run.config
    );
    drop(state);
    assert!(
        kept["projects"]["ml-team/theirs"]["collections"]
            .as_object()
            .is_none_or(serde_json::Map::is_empty)
    );
    assert_eq!(twin.violations(), Vec::<String>::new());
}
