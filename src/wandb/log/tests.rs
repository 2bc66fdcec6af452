//! The log against those of other writers: two made by hand, one by the official client (`fixtures/wandb/official.py`).
#![expect(clippy::disallowed_methods, reason = "tests set the scene themselves")]

use std::io::{self, Write};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::framing::{Framing, records};
use super::records::{Exit, File, Files, History, Items, Output, Run, Stats, Step};
use super::*;

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/fixtures/wandb/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn log(kinds: &[Kind]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut log = Log::begin(&mut bytes).unwrap();
    for kind in kinds {
        log.push(kind.clone()).unwrap();
    }
    bytes
}

fn told(kinds: &[Kind]) -> Told {
    Told::of(read(&log(kinds)).unwrap()).unwrap()
}

fn run(id: &str) -> Kind {
    Kind::Run(Run {
        run_id: id.to_owned(),
        ..Run::default()
    })
}

fn set(pairs: &[(&str, &str)]) -> Items {
    Items {
        update: pairs
            .iter()
            .map(|(name, value)| item(name, (*value).to_owned()))
            .collect(),
        remove: Vec::new(),
    }
}

#[test]
fn logs_made_by_hand_are_read_and_written_again_to_the_letter() {
    for name in ["hand-minimal.wandb", "hand-multiblock.wandb"] {
        let bytes = golden(name);
        let kinds = read(&bytes).unwrap();
        assert!(
            matches!(kinds[1], Kind::Run(_)) && matches!(kinds.last(), Some(Kind::Exit(_))),
            "{name}"
        );
        assert!(log(&kinds[1..]) == bytes, "{name}");
    }
}

#[test]
fn the_official_clients_log_is_cut_as_we_cut_it() {
    let bytes = golden("official.wandb");
    let (mut framing, header) = Framing::begin();
    let mut again = header.to_vec();
    for record in records(&bytes).unwrap() {
        again.extend(framing.frame(&record));
    }
    assert!(again.len() > 32 << 10, "it has more than one block");
    assert!(again == bytes);
}

#[test]
fn the_official_clients_log_says_what_its_run_did() {
    let told = Told::of(read(&golden("official.wandb")).unwrap()).unwrap();
    let run = &told.run;
    assert_eq!(
        [
            &run.run_id,
            &run.entity,
            &run.project,
            &run.run_group,
            &run.job_type,
            &run.display_name,
            &run.notes
        ],
        ["official", "ml-team", "demo", "g", "train", "official run", "by hand"]
    );
    assert_eq!(
        (run.tags.join("|").as_str(), run.host.as_str()),
        ("ci|two words", "laptop")
    );
    let own = &told.config["_wandb"]["value"];
    assert_eq!(
        [&told.config["lr"], &told.config["nested"], &told.config["late"]],
        [
            &json!({"value": 0.1}),
            &json!({"value": {"a": 2}}),
            &json!({"value": true})
        ]
    );
    assert_eq!(own["visualize"]["chart"]["panel_config"]["panelDefId"], "wandb/line/v0");
    assert_eq!(
        own["m"],
        json!([
            {"1": "acc", "6": [3], "7": [2]},
            {"2": "val/*", "5": 3, "6": [1, 3], "7": []},
            {"1": "epoch", "6": [], "7": []},
        ])
    );
    let row = |n: usize| serde_json::from_str::<Value>(&told.rows[n]).unwrap();
    assert_eq!(told.rows.len(), 4);
    assert_eq!((&row(0)["n"]["x"], &row(0)["_step"]), (&json!(1), &json!(0)));
    for part in ["\"loss\":NaN,", "\"a/b\":Infinity", "\"_step\":1"] {
        assert!(told.rows[1].contains(part), "{part}: {}", told.rows[1]);
    }
    assert_eq!(
        (&row(2)["t"]["_type"], &row(2)["t"]["nrows"]),
        (&json!("table-file"), &json!(2))
    );
    assert_eq!(row(2)["img"]["caption"], "c");
    let summary = told.summary.unwrap();
    for part in [
        "\"best\":-Infinity",
        "\"loss\":NaN",
        "\"acc\":{\"max\":0.9}",
        "\"_wandb\":{\"runtime\":0}",
    ] {
        assert!(summary.contains(part), "{part}: {summary}");
    }
    let console: Vec<&str> = told.console.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(console, ["hello", "whole"]);
    assert!(told.console[0].at_ms > 1_795_000_000_000);
    let n_below = |folder: &str| told.files.iter().filter(|name| name.starts_with(folder)).count();
    assert_eq!((n_below("media/table/"), n_below("media/images/")), (2, 1));
    let artifacts: Vec<(&str, &str)> = told
        .artifacts
        .iter()
        .map(|artifact| (artifact.type_name.as_str(), artifact.name.as_str()))
        .collect();
    assert_eq!(
        artifacts,
        [
            ("run_table", "run-official-t"),
            ("run_table", "run-official-chart_table"),
            ("model", "weights")
        ]
    );
    let weights = &told.artifacts[2];
    let content = &weights.manifest.as_ref().unwrap().contents[0];
    assert_eq!(
        (content.path.as_str(), content.digest.as_str(), content.size),
        ("m.bin", "ndTkYSaMgDT1yFZOFVxnpg==", 1)
    );
    assert_eq!(weights.aliases, ["latest", "best"]);
    assert_eq!(
        (weights.metadata.as_str(), weights.client_id.len()),
        ("{\"acc\":1}", 128)
    );
    assert_eq!(told.exit_code, Some(3));
}

#[test]
fn a_log_that_was_cut_off_has_what_came_before() {
    for name in ["hand-multiblock.wandb", "official.wandb"] {
        let bytes = golden(name);
        let all = read(&bytes).unwrap();
        let mut n_before = 0;
        for cut in (0..bytes.len()).step_by(97) {
            let kinds = read(&bytes[..cut]).unwrap();
            assert_eq!(kinds[..], all[..kinds.len()], "{name} {cut}");
            assert!(kinds.len() >= n_before, "{name} {cut}");
            n_before = kinds.len();
        }
        assert!(n_before + 5 > all.len(), "{name}");
    }
}

#[test]
fn a_run_is_put_together_of_what_comes_later() {
    let told = told(&[
        run("first"),
        Kind::Config(set(&[("a", "1"), ("b", "NaN"), ("c", "{\"d\":[1,NaN]}")])),
        Kind::Config(Items {
            remove: vec![item("a", String::new())],
            ..set(&[("e", "2")])
        }),
        Kind::History(History {
            item: set(&[("loss", "0.5")]).update,
            step: Some(Step { num: 7 }),
        }),
        Kind::Stats(Stats {
            timestamp: Some(records::Moment {
                seconds: 10,
                nanos: 500_000_000,
            }),
            item: set(&[("cpu", "1.5")]).update,
        }),
        Kind::Files(Files {
            files: ["x", "y", "x"]
                .map(|path| File {
                    path: path.to_owned(),
                    ..File::default()
                })
                .to_vec(),
        }),
        run("renamed"),
    ]);
    assert_eq!(told.run.run_id, "renamed");
    assert_eq!(
        told.config,
        json!({"b": {"value": "NaN"}, "c": {"value": "{\"d\":[1,NaN]}"}, "e": {"value": 2}})
    );
    assert_eq!(told.rows, [r#"{"loss":0.5,"_step":7}"#]);
    assert_eq!(
        told.events,
        [r#"{"_wandb":true,"_timestamp":10.5,"_runtime":10.5,"system.cpu":1.5}"#]
    );
    assert_eq!(told.files, ["x", "y"]);
    assert_eq!((told.summary, told.exit_code), (None, None));
}

#[test]
fn lines_of_the_console_are_whole() {
    let say = |kind: i32, text: &str| {
        Kind::Output(Output {
            output_type: kind,
            timestamp: None,
            line: text.to_owned(),
        })
    };
    let told = told(&[
        run("r"),
        say(1, "one\ntw"),
        say(0, "error"),
        say(1, "o\n\n"),
        say(1, "10 %\r50 %\r100 %\r\n"),
        say(0, " here\n"),
        say(1, "unfinished"),
    ]);
    let lines: Vec<&str> = told.console.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(lines, ["one", "two", "", "100 %", "error here", "unfinished"]);
}

#[test]
fn a_log_without_a_run_is_none() {
    let error = Told::of(read(&log(&[])).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "there is no run in it");
}

/// A disk that is full after some bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(self.0);
        self.0 -= n;
        if n == 0 {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(n)
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn nothing_is_written_behind_half_a_record() {
    let mut log = Log::begin(Full(40)).unwrap();
    assert_eq!(log.push(run("r")).unwrap_err().kind(), io::ErrorKind::StorageFull);
    log.out.0 = 1000;
    let error = log.push(run("r")).unwrap_err();
    assert!(error.to_string().contains("a record before this one"), "{error}");
    assert_eq!(log.out().0, 1000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]
    #[test]
    fn what_is_written_is_read(
        ids in prop::collection::vec("\\PC{0,40}", 0..5),
        codes in prop::collection::vec(any::<i32>(), 0..5),
    ) {
        let runs = ids.iter().map(|id| run(id));
        let exits = codes.iter().map(|code| Kind::Exit(Exit { exit_code: *code, runtime: 0 }));
        let kinds: Vec<Kind> = runs.chain(exits).collect();
        prop_assert_eq!(&read(&log(&kinds)).unwrap()[1..], &kinds[..]);
    }

    /// Chunks that are right, around a record that is none.
    #[test]
    fn no_record_is_a_panic(payload in prop::collection::vec(any::<u8>(), 0..100)) {
        let (mut framing, header) = Framing::begin();
        let mut bytes = header.to_vec();
        bytes.extend(framing.frame(&payload));
        if let Ok(kinds) = read(&bytes) {
            let _ = Told::of(kinds);
        }
    }
}
