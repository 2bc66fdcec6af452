//! The stream of a run against a server that keeps its files as W&B does: a line is where its number says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::canned::{Asked, Canned, Server, answer, answer_with};
use crate::wandb::client::{Client, Settings};
use crate::wandb::error::WandbError;
use crate::wandb::lines::Offsets;
use crate::wandb::operations::RunPath;
use crate::wandb::retry::{Deadlines, Fault};
use crate::wandb::stream::{Rhythm, Stream};

/// What a run has by now.
#[derive(Debug, Default)]
struct Kept {
    files: BTreeMap<String, Vec<Value>>,
    uploaded: Vec<String>,
    ended: Vec<i64>,
    n_parts: usize,
}

impl Kept {
    fn take(&mut self, asked: &Asked) {
        let body = asked.json();
        self.n_parts += 1;
        for (name, file) in body["files"].as_object().into_iter().flatten() {
            let offset = usize::try_from(file["offset"].as_u64().unwrap()).unwrap();
            let lines = self.files.entry(name.clone()).or_default();
            assert!(offset <= lines.len(), "{name} has a hole before {offset}");
            for (index, line) in file["content"].as_array().unwrap().iter().enumerate() {
                if offset + index < lines.len() {
                    lines[offset + index] = line.clone();
                } else {
                    lines.push(line.clone());
                }
            }
        }
        for name in body["uploaded"].as_array().into_iter().flatten() {
            self.uploaded.push(name.as_str().unwrap().to_owned());
        }
        if body["complete"] == json!(true) {
            self.ended.push(body["exitcode"].as_i64().unwrap());
        }
    }

    fn lines(&self, name: &str) -> Vec<&str> {
        let lines = self.files.get(name).map(Vec::as_slice).unwrap_or_default();
        lines.iter().map(|line| line.as_str().unwrap()).collect()
    }
}

/// A run's server, and a sign for each part that it took.
async fn keeping(
    answers: impl Fn(&Asked, usize) -> Canned + Send + Sync + 'static,
) -> (Server, Arc<Mutex<Kept>>, Arc<Notify>) {
    let kept = Arc::new(Mutex::new(Kept::default()));
    let taken = Arc::new(Notify::new());
    let (keeper, sign) = (Arc::clone(&kept), Arc::clone(&taken));
    let server = Server::start(move |asked, n| {
        let canned = answers(asked, n);
        let is_kept = match &canned {
            Canned::Answer { status, .. } => *status < 300,
            // Its answer is lost, but it was done.
            Canned::Drop | Canned::Half => true,
            Canned::Hangup | Canned::Silence => false,
        };
        if is_kept {
            keeper.lock().unwrap().take(asked);
            sign.notify_one();
        }
        canned
    })
    .await;
    (server, kept, taken)
}

fn ok() -> Canned {
    answer(200, r#"{"exitcode":null,"limits":{}}"#)
}

fn rhythm(interval_ms: u64, heartbeat_ms: u64) -> Rhythm {
    Rhythm {
        interval: Duration::from_millis(interval_ms),
        heartbeat: Duration::from_millis(heartbeat_ms),
    }
}

fn open(client: Client, offsets: Offsets, rhythm: Rhythm) -> Stream {
    let run = RunPath {
        entity: "acme".to_owned(),
        project: "diabetes".to_owned(),
        run: "gh-1".to_owned(),
    };
    Stream::open(client, run, offsets, rhythm)
}

#[tokio::test]
async fn a_run_is_told_whole_whatever_is_lost_on_the_way() {
    let faults = |_: &Asked, n: usize| match n % 6 {
        0 => Canned::Drop,
        1 => answer(503, ""),
        2 => Canned::Half,
        3 => answer_with(429, &[("retry-after", "1")], ""),
        4 => answer(408, ""),
        _ => ok(),
    };
    let (server, kept, taken) = keeping(faults).await;
    let stream = open(server.client(), Offsets::default(), rhythm(1, 60_000));
    let mut expected = Vec::new();
    for step in 0..40 {
        let line = format!(r#"{{"loss":NaN,"_step":{step}}}"#);
        stream.history(line.clone());
        stream.output(format!("step {step}\n"));
        stream.summary(format!(r#"{{"_step":{step}}}"#));
        expected.push(line);
        if step % 10 == 0 {
            stream.event(r#"{"_wandb":true}"#.to_owned());
            stream.uploaded(format!("media/{step}.png"));
            taken.notified().await;
        }
    }
    let finished = stream.finish(3).await.unwrap();
    assert_eq!((finished.n_skipped, finished.is_stopped), (0, false));
    let kept = kept.lock().unwrap();
    assert_eq!(kept.lines("wandb-history.jsonl"), expected);
    assert_eq!(kept.lines("output.log").len(), 40);
    assert_eq!(kept.lines("output.log")[39], "step 39");
    assert_eq!(kept.lines("wandb-events.jsonl").len(), 4);
    assert_eq!(kept.lines("wandb-summary.json"), [r#"{"_step":39}"#]);
    let mut uploaded = kept.uploaded.clone();
    uploaded.sort();
    uploaded.dedup();
    assert_eq!(uploaded.len(), 4);
    // The last part may be there twice, as its answer may be lost, but it is the last.
    assert!(!kept.ended.is_empty() && kept.ended.iter().all(|code| *code == 3));
    let last = server.asked().pop().unwrap().json();
    assert_eq!(last["complete"], json!(true));
    assert_eq!(server.asked()[0].line, "POST /files/acme/diabetes/gh-1/file_stream");
}

#[tokio::test]
async fn a_run_that_is_taken_up_goes_on_where_it_was() {
    let (server, _, _) = keeping(|_, _| Canned::Silence).await;
    server.answers(vec![ok()]);
    let offsets = Offsets {
        history: 12,
        events: 3,
        output: 4,
    };
    let stream = open(server.client(), offsets, rhythm(1, 60_000));
    stream.history("{}".to_owned());
    stream.event("{}".to_owned());
    stream.output("x".to_owned());
    stream.finish(0).await.unwrap();
    let offsets: Vec<u64> = server
        .asked()
        .iter()
        .flat_map(|asked| asked.json()["files"].as_object().cloned().unwrap_or_default())
        .map(|(_, file)| file["offset"].as_u64().unwrap())
        .collect();
    assert_eq!(offsets.iter().sum::<u64>(), 19, "{offsets:?}");
}

#[tokio::test]
async fn lines_wait_for_each_other_and_silence_has_a_heartbeat() {
    let (server, kept, taken) = keeping(|_, _| ok()).await;
    let stream = open(server.client(), Offsets::default(), rhythm(60_000, 5));
    // Nothing is said, again and again.
    for _ in 0..3 {
        taken.notified().await;
    }
    assert!(server.asked().iter().all(|asked| asked.text() == "{}"));
    drop(stream);

    let stream = open(server.client(), Offsets::default(), rhythm(100, 60_000));
    let before = kept.lock().unwrap().n_parts;
    for step in 0..100 {
        stream.history(format!("{step}"));
    }
    stream.finish(0).await.unwrap();
    let kept = kept.lock().unwrap();
    assert_eq!(kept.lines("wandb-history.jsonl").len(), 100);
    // The first may go alone; the others are told while it is under way or in the time after it.
    assert!(kept.n_parts - before <= 3, "{}", kept.n_parts - before);
}

#[tokio::test]
async fn a_used_up_limit_delays_the_next_part() {
    let (server, _, taken) = keeping(|_, n| match n {
        0 => answer_with(200, &[("ratelimit-remaining", "0"), ("ratelimit-reset", "30")], "{}"),
        _ => ok(),
    })
    .await;
    let client = Client::new(Settings {
        // Thirty of these seconds are 300 ms.
        pace: crate::wandb::retry::Pace(Duration::from_millis(10)),
        ..server.settings()
    });
    let stream = open(client.unwrap(), Offsets::default(), rhythm(1, 60_000));
    stream.history("1".to_owned());
    taken.notified().await;
    let watch = crate::sys::Stopwatch::start();
    stream.finish(0).await.unwrap();
    assert!(watch.elapsed() >= Duration::from_millis(250), "{:?}", watch.elapsed());
}

#[tokio::test]
async fn the_button_that_stops_a_run_is_seen() {
    let (server, _, _) = keeping(|_, _| answer(200, r#"{"stopped":true}"#)).await;
    let stream = open(server.client(), Offsets::default(), rhythm(1, 60_000));
    assert!(!stream.is_stopped());
    stream.history("1".to_owned());
    while !stream.is_stopped() {
        tokio::task::yield_now().await;
    }
    assert!(stream.finish(0).await.unwrap().is_stopped);
}

#[tokio::test]
async fn a_stream_that_is_refused_is_dead_and_says_why() {
    let (server, kept, _) = keeping(|_, _| answer(404, r#"{"error":"run gh-1 not found"}"#)).await;
    let stream = open(server.client(), Offsets::default(), rhythm(1, 1));
    stream.history("1".to_owned());
    while stream.failure().is_none() {
        tokio::task::yield_now().await;
    }
    for step in 0..1000 {
        stream.history(format!("{step}"));
    }
    let error = stream.finish(0).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "W&B does not find what the stream of run `gh-1` is about in project `acme/diabetes`: run gh-1 not found"
    );
    assert_eq!(server.n_asked(), 1, "nothing is sent after that");
    assert_eq!(kept.lock().unwrap().n_parts, 0);

    // An outage ends it as well.
    let (server, _, _) = keeping(|_, _| answer(500, "")).await;
    let client = Client::new(Settings {
        deadlines: Deadlines {
            outage: Duration::from_millis(20),
            ..Deadlines::default()
        },
        ..server.settings()
    });
    let error = open(client.unwrap(), Offsets::default(), rhythm(1, 60_000))
        .finish(0)
        .await;
    assert!(
        matches!(
            &error,
            Err(WandbError::Unavailable {
                source: Fault::Status(500) | Fault::GivenUp(_),
                ..
            })
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn lines_that_are_too_long_are_counted() {
    let (server, kept, _) = keeping(|_, _| ok()).await;
    let stream = open(server.client(), Offsets::default(), rhythm(1, 60_000));
    stream.history("x".repeat(11 << 20));
    stream.history("{}".to_owned());
    assert_eq!(stream.finish(0).await.unwrap().n_skipped, 1);
    assert_eq!(kept.lock().unwrap().lines("wandb-history.jsonl"), ["{}"]);
}

#[tokio::test]
async fn what_is_dropped_says_no_more() {
    let (server, _, taken) = keeping(|_, _| ok()).await;
    let stream = open(server.client(), Offsets::default(), rhythm(1, 1));
    taken.notified().await;
    drop(stream);
    let stream = open(server.client(), Offsets::default(), rhythm(1, 60_000));
    stream.finish(7).await.unwrap();
    let ends = server
        .asked()
        .iter()
        .filter(|asked| asked.text().contains("complete"))
        .count();
    assert_eq!(ends, 1, "what is dropped does not end the run");
}
