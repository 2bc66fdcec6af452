//! Runs on the twin of W&B: whole ones, repeated ones, and those that something goes wrong with.

mod time;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::base::Timestamp;
use crate::sys;
use crate::track::record::{Cell, Chart, ChartKind, Content, DataEntry, Dataset, GitState, Image, Row, RunFile, Table};
use crate::track::{Place, Wandb};
use crate::wandb::{
    CollectionPath, Credentials, Entry, Hosts, Key, KeySource, LinkArtifact, NewArtifact, Pace, Settings,
    link_artifact, publish,
};
use crate::wandb_twin::{Fault, Kind, Twin};

/// As long as an end may take.
const A_MINUTE: Duration = Duration::from_mins(1);

const ENTITY: &str = "ml-team";
const PROJECT: &str = "diabetes";

fn client(twin: &Twin) -> Client {
    let hosts = Hosts::new(Some(&twin.url()), None).unwrap();
    let credentials = Credentials::Key(Key::parse(&twin.key(), KeySource::Environment).unwrap());
    let mut settings = Settings::new(hosts, credentials);
    settings.pace = Pace(Duration::from_millis(1));
    Client::new(settings).unwrap()
}

fn start(id: &str) -> RunStart {
    RunStart {
        id: id.to_owned(),
        display_name: "evaluate #7".to_owned(),
        group: Some("pull-7".to_owned()),
        job_type: "evaluate".to_owned(),
        tags: vec!["ci".to_owned()],
        notes: Some("of pull request 7".to_owned()),
        config: BTreeMap::from([("model".to_owned(), json!("diabetes")), ("lr".to_owned(), json!(0.1))]),
        git: Some(GitState {
            remote: "https://github.com/acme/diabetes".to_owned(),
            commit: "0123456789012345678901234567890123456789".to_owned(),
        }),
        program: "mlops".to_owned(),
        host: Some("runner-1".to_owned()),
        started: sys::now(),
    }
}

fn row(pairs: &[(&str, Cell)]) -> Row {
    pairs
        .iter()
        .map(|(name, cell)| ((*name).to_owned(), cell.clone()))
        .collect()
}

fn table(key: &str) -> Table {
    Table {
        key: key.to_owned(),
        columns: vec!["x".to_owned(), "y".to_owned()],
        rows: vec![
            vec![Cell::Number(0.5), Cell::Whole(1)],
            vec![Cell::Number(f64::NAN), Cell::Missing],
        ],
        note: None,
    }
}

fn end(id: &str) -> RunEnd {
    RunEnd {
        config: BTreeMap::from([("rows".to_owned(), json!(442))]),
        history: vec![
            row(&[("test/rmse", Cell::Number(0.75)), ("test/rmse_low", Cell::Number(0.5))]),
            row(&[
                ("test/rmse", Cell::Number(0.5)),
                ("test/r2", Cell::Number(f64::NEG_INFINITY)),
            ]),
        ],
        summary: row(&[("passed", Cell::Truth(true)), ("nothing", Cell::Missing)]),
        tables: vec![table("gates")],
        charts: vec![Chart {
            key: "roc".to_owned(),
            title: "ROC curve".to_owned(),
            kind: ChartKind::Line,
            x: "x".to_owned(),
            y: "y".to_owned(),
            stroke: None,
            table: table("roc_table"),
        }],
        images: vec![Image {
            key: "overview".to_owned(),
            caption: "All of it".to_owned(),
            png: vec![137, 80, 78, 71],
            width: 3,
            height: 2,
        }],
        data: Some(Dataset {
            name: format!("{id}-data"),
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
        model: None,
        met: Some("diabetes:v0".to_owned()),
        files: vec![RunFile {
            name: "report.html".to_owned(),
            content: Content::from("<html>"),
        }],
        exit_code: 0,
        reason: "all gates passed".to_owned(),
    }
}

struct World {
    twin: Twin,
    client: Client,
}

impl World {
    /// With a version in the registry.
    async fn start() -> Self {
        let twin = Twin::start();
        let client = client(&twin);
        let maker = crate::wandb::UpsertRun {
            name: "maker".to_owned(),
            entity: Some(ENTITY.to_owned()),
            project: PROJECT.to_owned(),
            ..Default::default()
        };
        crate::wandb::upsert_run(&client, &maker).await.unwrap();
        let artifact = NewArtifact {
            entity: ENTITY.to_owned(),
            project: PROJECT.to_owned(),
            run: Some("maker".to_owned()),
            type_name: "model".to_owned(),
            name: "diabetes".to_owned(),
            description: None,
            metadata: None,
            aliases: Vec::new(),
            tags: Vec::new(),
            entries: BTreeMap::from([("m".to_owned(), Entry::File(Content::from("m").into()))]),
            client_ids: None,
        };
        let champion = publish(&client, artifact).await.unwrap().id;
        let link = LinkArtifact {
            artifact: champion,
            collection: CollectionPath {
                entity: "acme_k7x2q".to_owned(),
                project: "wandb-registry-model".to_owned(),
                collection: "diabetes".to_owned(),
            },
            aliases: Vec::new(),
        };
        link_artifact(&client, &link).await.unwrap();
        Self { twin, client }
    }

    fn online(&self, start: &RunStart) -> Online {
        let place = Place {
            entity: ENTITY.to_owned(),
            project: PROJECT.to_owned(),
            registry: "wandb-registry-model".to_owned(),
            organization: None,
            run: start.clone(),
        };
        // As another process: nothing is remembered.
        let client = client(&self.twin);
        let mut online = Online::new(
            client.clone(),
            OnlinePlace {
                entity: ENTITY.to_owned(),
                project: PROJECT.to_owned(),
                registry: Some(Wandb::new(client, place)),
            },
        );
        online.rhythm.interval = Duration::from_millis(1);
        online
    }

    /// From the beginning to the end.
    async fn track(&self, id: &str) -> Result<Ended, TrackError> {
        let start = start(id);
        let online = self.online(&start);
        online.start(&start).await?;
        online.say("step 1 of 2");
        online.say("step 2 of 2");
        online.finish(end(id), A_MINUTE).await
    }

    /// What people would see of it.
    fn run(&self, id: &str) -> Value {
        self.shown()["runs"][id].clone()
    }

    fn shown(&self) -> Value {
        self.twin.snapshot()["projects"][format!("{ENTITY}/{PROJECT}")].clone()
    }

    /// What storage has of a file of the run.
    fn file(&self, id: &str, name: &str) -> String {
        let state = self.twin.state();
        let place = format!("runs/{}/{name}", state.run(ENTITY, PROJECT, id).unwrap().id);
        String::from_utf8(state.objects[&place].content.bytes().unwrap()).unwrap()
    }

    fn assert_sound(&self) {
        assert_eq!(self.twin.violations(), Vec::<String>::new());
    }

    /// Ended, with everything in it once.
    fn assert_whole(&self, id: &str) {
        let shown = self.shown();
        let run = &shown["runs"][id];
        let versions = |collection: &str| shown["collections"][collection]["versions"].as_array().unwrap().clone();
        assert_eq!(
            (&run["state"], &run["exit_code"]),
            (&json!("finished"), &json!(0)),
            "{id}"
        );
        let rows = rows(&run["history"]);
        assert_eq!(
            rows.iter()
                .map(|row| row["_step"].as_u64().unwrap())
                .collect::<Vec<_>>(),
            [0, 1],
            "{id}"
        );
        assert_eq!(rows[1]["test/rmse"], json!(0.5));
        let summary = &run["summary"];
        assert_eq!((&summary["test/rmse"], &summary["passed"]), (&json!(0.5), &json!(true)));
        let tables = ["gates", "roc_table"];
        for key in ["gates", "roc_table", "overview"] {
            let path = rows[1][key]["path"].as_str().unwrap();
            assert_eq!(summary[key]["path"], path, "{id}");
            assert!(run["files"].as_array().unwrap().contains(&json!(path)), "{id}: {path}");
        }
        for key in tables {
            let name = format!("run-{id}-{key}");
            assert_eq!(versions(&name).len(), 1, "{name}");
            let client_id = versions(&name)[0]["client_id"].clone();
            let expected = format!(
                "wandb-client-artifact://{}/{key}.table.json",
                client_id.as_str().unwrap()
            );
            assert_eq!(rows[1][key]["artifact_path"], expected);
        }
        assert_eq!(versions(&format!("{id}-data")).len(), 1, "{id}");
        let inputs = run["inputs"].as_array().unwrap();
        assert_eq!(inputs.len(), 2, "{id}");
        for name in [format!("{id}-data:v0"), "diabetes:v0".to_owned()] {
            assert!(inputs.contains(&json!([name, null])), "{id}: {name}");
        }
        let config = &run["config"];
        assert_eq!(
            (&config["lr"], &config["rows"]),
            (&json!({"value": 0.1}), &json!({"value": 442}))
        );
        assert!(config["_wandb"]["value"]["visualize"]["roc"].is_object(), "{id}");
        assert_eq!(self.file(id, "report.html"), "<html>");
    }
}

fn rows(history: &Value) -> Vec<Value> {
    let lines = history.as_array().unwrap().iter();
    lines
        .map(|line| crate::wandb::read_json(line.as_str().unwrap()).unwrap())
        .collect()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_run_is_told_whole() {
    let world = World::start().await;
    let beginning = start("gh-1-1-evaluate");
    let online = world.online(&beginning);
    online.say("before it is open, nobody hears it");
    let started = online.start(&beginning).await.unwrap();
    assert_eq!(started.place, "W&B ml-team/diabetes");
    let url = format!("{}/ml-team/diabetes/runs/gh-1-1-evaluate", world.twin.url());
    assert_eq!(started.url.as_deref(), Some(url.as_str()));
    assert_eq!(world.run("gh-1-1-evaluate")["state"], "running");
    online.say("step 1 of 2");
    online.say("step 2 of 2");
    assert_eq!(
        online.finish(end("gh-1-1-evaluate"), A_MINUTE).await.unwrap(),
        Ended::default()
    );

    world.assert_sound();
    world.assert_whole("gh-1-1-evaluate");
    let run = world.run("gh-1-1-evaluate");
    for (name, expected) in [
        ("display_name", json!("evaluate #7")),
        ("group", json!("pull-7")),
        ("job_type", json!("evaluate")),
        ("tags", json!(["ci"])),
        ("notes", json!("of pull request 7")),
        ("commit", json!("0123456789012345678901234567890123456789")),
        ("repository", json!("https://github.com/acme/diabetes")),
        ("program", json!("mlops")),
        ("host", json!("runner-1")),
    ] {
        assert_eq!(run[name], expected, "{name}");
    }
    let history = texts(&run["history"]);
    assert!(history[1].contains("\"test/r2\":-Infinity"), "{}", history[1]);
    let output = texts(&run["output"]);
    assert_eq!(output.len(), 2);
    let line: Value = serde_json::from_str(output[0]).unwrap();
    assert_eq!(line["content"], "step 1 of 2");
    let own = &run["config"]["_wandb"]["value"];
    assert_eq!(own["m"], json!([{"1": "test/rmse_low", "6": [3, 2], "7": []}]));
    assert!(own["t"]["13"].is_string());

    assert_eq!(
        texts(&run["files"])
            .into_iter()
            .filter(|name| !name.starts_with("media/"))
            .collect::<Vec<_>>(),
        [
            "config.yaml",
            "output.log",
            "report.html",
            "wandb-metadata.json",
            "wandb-summary.json"
        ]
    );
    assert_eq!(texts(&run["files"]).len(), 8);
    let mut uploaded = texts(&run["uploaded"]);
    uploaded.sort_unstable();
    assert_eq!(uploaded, texts(&run["files"]));
    assert_eq!(
        world.file("gh-1-1-evaluate", "output.log"),
        "step 1 of 2\nstep 2 of 2\n"
    );
    let table = world.file("gh-1-1-evaluate", run["summary"]["gates"]["path"].as_str().unwrap());
    assert_eq!(table, "{\"columns\":[\"x\",\"y\"],\"data\":[[0.5,1],[NaN,null]]}");
    let data = &world.shown()["collections"]["gh-1-1-evaluate-data"];
    assert_eq!(data["type"], "dataset");
    let reference = &data["versions"][0]["files"]["data.csv"];
    assert_eq!(reference["ref"], "https://example.invalid/data.csv");
}

#[tokio::test]
async fn a_repeated_job_goes_on_with_its_run() {
    let world = World::start().await;
    world.track("r").await.unwrap();
    // People work with it meanwhile.
    let people = crate::wandb::UpsertRun {
        name: "r".to_owned(),
        entity: Some(ENTITY.to_owned()),
        project: PROJECT.to_owned(),
        tags: Some(vec!["seen".to_owned(), "ci".to_owned()]),
        ..Default::default()
    };
    crate::wandb::upsert_run(&world.client, &people).await.unwrap();
    assert_eq!(world.track("r").await.unwrap(), Ended::default());
    world.assert_sound();
    world.assert_whole("r");
    let run = world.run("r");
    assert_eq!(run["tags"], json!(["seen", "ci"]));
    assert_eq!(texts(&run["output"]).len(), 4, "each attempt has its lines");

    // A longer history goes on behind what is there.
    let beginning = start("r");
    let online = world.online(&beginning);
    online.start(&beginning).await.unwrap();
    let mut longer = end("r");
    longer.history.push(row(&[("test/rmse", Cell::Number(0.25))]));
    online.finish(longer, A_MINUTE).await.unwrap();
    let run = world.run("r");
    let steps: Vec<u64> = rows(&run["history"])
        .iter()
        .map(|row| row["_step"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, [0, 1, 2]);
    assert_eq!(run["summary"]["test/rmse"], json!(0.25));
    world.assert_sound();
}

/// Wherever the job is killed, the next attempt makes a whole run of it; lost answers do no harm.
#[tokio::test]
async fn a_job_that_is_killed_anywhere_is_repeated() {
    let world = World::start().await;
    let mut n_calls = 0;
    loop {
        let id = format!("killed-{n_calls}");
        world.twin.fault(Fault::always("", Kind::status(400)).after(n_calls));
        let killed = world.track(&id).await;
        let was_whole = killed.is_ok_and(|ended| ended.warnings.is_empty());
        world.twin.state().faults.clear();
        assert_eq!(world.track(&id).await.unwrap(), Ended::default(), "{id}");
        world.assert_whole(&id);
        if was_whole {
            break;
        }
        n_calls += 1;
    }
    assert!(n_calls > 30, "{n_calls}");
    for nth in (0..n_calls).step_by(3) {
        let id = format!("lost-{nth}");
        world.twin.fault(Fault::once("", Kind::DropAfter).after(nth));
        assert_eq!(world.track(&id).await.unwrap(), Ended::default(), "{id}");
        world.assert_whole(&id);
    }
    world.assert_sound();
}

#[tokio::test]
async fn what_w_and_b_can_do_without_is_a_warning() {
    let world = World::start().await;
    for (operation, skip, expected) in [
        ("createArtifact", 2, "some tables of the run may not be shown in W&B: "),
        ("useArtifact", 0, "the data is not linked to the run in W&B: "),
        (
            "useArtifact",
            0,
            "the version in production is not linked to the run in W&B: ",
        ),
        (
            "entity",
            0,
            "the version in production is not linked to the run in W&B: ",
        ),
        ("createRunFiles", 0, "W&B has no pictures and tables of the run: "),
        ("createRunFiles", 1, "W&B has not all files of the run: "),
        ("storage PUT", 0, "W&B has no pictures and tables of the run: "),
        ("upsertBucket", 1, "W&B has only the settings that the run began with: "),
    ] {
        let id = format!("{operation}-{skip}-{}", expected.len())
            .to_lowercase()
            .replace(' ', "-");
        world
            .twin
            .fault(Fault::always(operation, Kind::status(400)).after(skip));
        let ended = world.track(&id).await.unwrap();
        world.twin.state().faults.clear();
        assert!(
            ended.warnings.iter().any(|warning| warning.starts_with(expected)),
            "{operation}: {:?}",
            ended.warnings
        );
        let run = world.run(&id);
        assert_eq!(run["state"], "finished", "{operation}");
        assert_eq!(rows(&run["history"]).len(), 2, "{operation}");
        let named = run["summary"]["overview"]["path"].as_str();
        let has = |path| texts(&run["files"]).contains(&path);
        assert!(
            named.is_none_or(has),
            "{operation}: nothing speaks of a file that is not there"
        );
        // The next attempt has all of it.
        assert_eq!(world.track(&id).await.unwrap(), Ended::default(), "{operation}");
    }
    world.assert_sound();
}

/// An attempt that found nothing leaves no step behind that a later one would take for told.
#[tokio::test]
async fn an_attempt_without_rows_hides_none() {
    let world = World::start().await;
    let beginning = start("again");
    for exit_code in [3, 2] {
        let online = world.online(&beginning);
        online.start(&beginning).await.unwrap();
        let nothing = RunEnd {
            exit_code,
            ..RunEnd::default()
        };
        assert_eq!(online.finish(nothing, A_MINUTE).await.unwrap(), Ended::default());
        let run = world.run("again");
        assert_eq!(
            (&run["state"], &run["exit_code"]),
            (&json!("failed"), &json!(exit_code))
        );
    }
    world.track("again").await.unwrap();
    world.assert_whole("again");
    let online = world.online(&beginning);
    online.start(&beginning).await.unwrap();
    online.finish(RunEnd::default(), A_MINUTE).await.unwrap();
    assert_eq!(world.run("again")["summary"]["_step"], 1);
    world.assert_sound();
}

#[tokio::test]
async fn a_version_that_is_gone_is_said_by_name() {
    let world = World::start().await;
    let beginning = start("r");
    let online = world.online(&beginning);
    online.start(&beginning).await.unwrap();
    let missing = RunEnd {
        met: Some("diabetes:v9".to_owned()),
        ..end("r")
    };
    let ended = online.finish(missing, A_MINUTE).await.unwrap();
    assert_eq!(ended.warnings.len(), 1);
    assert!(ended.warnings[0].contains("`diabetes:v9`"), "{}", ended.warnings[0]);
}

#[tokio::test]
async fn a_run_that_can_not_be_told_is_an_error() {
    let world = World::start().await;
    world.twin.fault(Fault::always("upsertBucket", Kind::status(403)));
    assert!(matches!(world.track("refused").await, Err(TrackError::Wandb(_))));
    world.twin.state().faults.clear();

    world.twin.fault(Fault::always("file_stream", Kind::status(404)));
    assert!(matches!(world.track("deaf").await, Err(TrackError::Wandb(_))));
    world.twin.state().faults.clear();
    assert_eq!(world.run("deaf")["state"], "running");
    assert_eq!(world.track("deaf").await.unwrap(), Ended::default());
    world.assert_whole("deaf");

    let beginning = start("twice");
    let online = world.online(&beginning);
    assert!(
        online.finish(end("twice"), A_MINUTE).await.is_err(),
        "it was not opened"
    );
    online.start(&beginning).await.unwrap();
    online.finish(end("twice"), A_MINUTE).await.unwrap();
    assert!(online.finish(end("twice"), A_MINUTE).await.is_err(), "it is over");
}

#[tokio::test]
async fn a_stopped_job_ends_its_run() {
    let world = World::start().await;
    let beginning = start("stopped");
    let online = world.online(&beginning);
    online.interrupt(130).await;
    assert!(world.shown()["runs"]["stopped"].is_null(), "there was nothing to end");
    online.start(&beginning).await.unwrap();
    online.say("the last words");
    online.interrupt(130).await;
    let run = world.run("stopped");
    assert_eq!((&run["state"], &run["exit_code"]), (&json!("failed"), &json!(130)));
    assert_eq!(texts(&run["output"]).len(), 1);
    assert!(online.finish(end("stopped"), A_MINUTE).await.is_err());
    online.say("nobody hears it");

    // A stream that is stuck does not keep the end from being told.
    let beginning = start("stuck");
    let online = world.online(&beginning);
    online.start(&beginning).await.unwrap();
    world.twin.fault(Fault::once("file_stream", Kind::Never));
    online.say("the last words");
    online.interrupt(143).await;
    assert_eq!(world.run("stuck")["exit_code"], 143);

    // A run that is over stays as it is.
    world.track("over").await.unwrap();
    let beginning = start("over");
    let online = world.online(&beginning);
    online.start(&beginning).await.unwrap();
    online.finish(end("over"), A_MINUTE).await.unwrap();
    online.interrupt(130).await;
    assert_eq!(world.run("over")["exit_code"], 0);
    world.assert_sound();
}

#[tokio::test]
async fn a_job_that_is_stopped_early_does_not_go_on() {
    let world = World::start().await;
    let beginning = start("early");
    let online = world.online(&beginning);
    world
        .twin
        .fault(Fault::once("upsertBucket", Kind::Delay(Duration::from_millis(300))));
    let stop = async {
        // The run was looked for; it is made next.
        while !world.twin.calls().iter().any(|call| call.operation == "model") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        online.interrupt(130).await;
    };
    let (started, ()) = tokio::join!(online.start(&beginning), stop);
    assert!(matches!(started, Err(TrackError::Broken { .. })), "{started:?}");
    assert!(online.finish(end("early"), A_MINUTE).await.is_err());
}

#[tokio::test]
async fn a_server_without_features_gets_plain_lines() {
    let world = World::start().await;
    for is_on in world.twin.state().features.values_mut() {
        *is_on = false;
    }
    assert_eq!(world.track("plain").await.unwrap(), Ended::default());
    world.assert_whole("plain");
    let run = world.run("plain");
    let line = texts(&run["output"])[0].to_owned();
    assert!(line.ends_with(" step 1 of 2") && line.starts_with("20"), "{line}");
    world.assert_sound();
}

#[test]
fn moments_are_told_from_the_beginning_of_the_run() {
    let mut beginning = start("r");
    beginning.started = Timestamp(beginning.started.0 - 100);
    let moment = Clock::new(&beginning).moment();
    assert_eq!(moment.at_ms - moment.runtime_ms, beginning.started.0 * 1000);
    beginning.started = Timestamp(i64::MAX);
    assert_eq!(Clock::new(&beginning).moment().runtime_ms, 0);
}
