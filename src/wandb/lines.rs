//! The lines of a run's stream, and the requests they are sent in: each line has its number, so that none is there twice.
//! Pure.

use std::collections::VecDeque;
use std::fmt::Write as _;

/// The most that one request may have.
const REQUEST: usize = 10 << 20;
/// What is around the lines of a request.
const AROUND: usize = 100 << 10;
/// The most that one line may have, as it stands in a request.
pub const LINE: usize = REQUEST - AROUND;

/// A number as W&B reads it: one that JSON does not have is written as a bare word.
pub fn number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    serde_json::Value::from(value).to_string()
}

/// A text in quotes.
pub fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

/// One line: names, and values as [`number`], [`text`] and [`object`] write them.
pub fn object<'a>(members: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let members: Vec<String> = members
        .into_iter()
        .map(|(name, value)| format!("{}:{value}", text(name)))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// How many lines each file of the run has already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offsets {
    pub history: u64,
    pub events: u64,
    pub output: u64,
}

/// A file of the run that grows by lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growing {
    History,
    /// Of the machine.
    Events,
    Output,
}

/// The lines of one file that are not there yet, as they stand in a request.
#[derive(Debug, Default)]
struct Tail {
    offset: u64,
    lines: VecDeque<String>,
}

/// What is to be sent.
#[derive(Debug, Default)]
pub struct Queue {
    history: Tail,
    events: Tail,
    output: Tail,
    /// Of the whole run, as it stands in a request.
    summary: Option<String>,
    uploaded: VecDeque<String>,
    n_skipped: u64,
}

/// One request, and what it takes out of the queue.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    pub body: String,
    n_history: usize,
    n_events: usize,
    n_output: usize,
    has_summary: bool,
    n_uploaded: usize,
    /// Says that the run is over.
    pub is_last: bool,
}

impl Queue {
    pub fn new(offsets: Offsets) -> Self {
        let tail = |offset| Tail {
            offset,
            lines: VecDeque::new(),
        };
        Self {
            history: tail(offsets.history),
            events: tail(offsets.events),
            output: tail(offsets.output),
            ..Self::default()
        }
    }

    pub fn push(&mut self, file: Growing, line: &str) {
        let line = text(line.trim_end_matches(['\n', '\r']));
        if line.len() > LINE {
            self.n_skipped += 1;
            return;
        }
        match file {
            Growing::History => self.history.lines.push_back(line),
            Growing::Events => self.events.lines.push_back(line),
            Growing::Output => self.output.lines.push_back(line),
        }
    }

    /// The summary is always whole; a newer one takes the place of one that was not sent.
    pub fn summarize(&mut self, summary: &str) {
        let line = text(summary);
        if line.len() > LINE {
            self.n_skipped += 1;
        } else {
            self.summary = Some(line);
        }
    }

    /// A file of the run that storage has now.
    pub fn uploaded(&mut self, name: &str) {
        self.uploaded.push_back(text(name));
    }

    /// Lines that were longer than W&B takes.
    pub fn n_skipped(&self) -> u64 {
        self.n_skipped
    }

    pub fn is_empty(&self) -> bool {
        let tails = [&self.history, &self.events, &self.output];
        tails.iter().all(|tail| tail.lines.is_empty()) && self.summary.is_none() && self.uploaded.is_empty()
    }

    /// As much as one request takes; nothing is a sign of life. With an exit code the one that has the rest is the last.
    pub fn batch(&self, exit_code: Option<i32>) -> Batch {
        let mut room = LINE;
        let mut files: Vec<String> = Vec::new();
        let mut take = |name: &str, tail: &Tail| {
            let (lines, n) = fitting(&tail.lines, &mut room);
            if n > 0 {
                files.push(format!(r#""{name}":{{"offset":{},"content":[{lines}]}}"#, tail.offset));
            }
            n
        };
        let n_history = take("wandb-history.jsonl", &self.history);
        let n_events = take("wandb-events.jsonl", &self.events);
        let n_output = take("output.log", &self.output);
        let mut has_summary = false;
        if let Some(summary) = self
            .summary
            .as_ref()
            .filter(|summary| summary.len() < room || files.is_empty())
        {
            room = room.saturating_sub(summary.len());
            files.push(format!(r#""wandb-summary.json":{{"offset":0,"content":[{summary}]}}"#));
            has_summary = true;
        }
        let (uploaded, n_uploaded) = fitting(&self.uploaded, &mut room);
        let is_all = n_history == self.history.lines.len()
            && n_events == self.events.lines.len()
            && n_output == self.output.lines.len()
            && has_summary == self.summary.is_some()
            && n_uploaded == self.uploaded.len();
        let mut members = Vec::new();
        if !files.is_empty() {
            members.push(format!(r#""files":{{{}}}"#, files.join(",")));
        }
        if n_uploaded > 0 {
            members.push(format!(r#""uploaded":[{uploaded}]"#));
        }
        let exit_code = exit_code.filter(|_| is_all);
        if let Some(exit_code) = exit_code {
            members.push(format!(r#""complete":true,"exitcode":{exit_code}"#));
        }
        Batch {
            body: format!("{{{}}}", members.join(",")),
            n_history,
            n_events,
            n_output,
            has_summary,
            n_uploaded,
            is_last: exit_code.is_some(),
        }
    }

    /// The batch is there now. Nothing was told since it was made.
    pub fn sent(&mut self, batch: &Batch) {
        for (tail, n) in [
            (&mut self.history, batch.n_history),
            (&mut self.events, batch.n_events),
            (&mut self.output, batch.n_output),
        ] {
            tail.lines.drain(..n);
            tail.offset += n as u64;
        }
        if batch.has_summary {
            self.summary = None;
        }
        self.uploaded.drain(..batch.n_uploaded);
    }
}

/// The first entries that there is room for, joined, and how many they are.
fn fitting(entries: &VecDeque<String>, room: &mut usize) -> (String, usize) {
    let mut joined = String::new();
    let mut n = 0;
    for entry in entries {
        if entry.len() + 1 > *room && !(n == 0 && *room == LINE) {
            break;
        }
        *room = room.saturating_sub(entry.len() + 1);
        let comma = if n == 0 { "" } else { "," };
        let _ = write!(joined, "{comma}{entry}"); // Writing to a string can not fail.
        n += 1;
    }
    (joined, n)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parsed(batch: &Batch) -> Value {
        serde_json::from_str(&batch.body).unwrap()
    }

    #[test]
    fn numbers_are_written_as_python_does() {
        // As `json.dumps` of Python has them.
        for (value, expected) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1e100, "1e+100"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "NaN"),
            (-f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(number(value), expected);
        }
        let line = object([
            ("loss", number(f64::NAN)),
            ("a \"b\"", text("ä\n\u{1}")),
            ("test", object([("rmse", number(0.5))])),
            ("_step", "3".to_owned()),
        ]);
        assert_eq!(
            line,
            r#"{"loss":NaN,"a \"b\"":"ä\n\u0001","test":{"rmse":0.5},"_step":3}"#
        );
        assert_eq!(object([]), "{}");
    }

    #[test]
    fn a_request_has_what_is_new_and_its_line_numbers() {
        let mut queue = Queue::new(Offsets {
            history: 7,
            events: 2,
            output: 0,
        });
        assert!(queue.is_empty());
        assert_eq!(queue.batch(None).body, "{}");
        queue.push(Growing::History, r#"{"x":NaN}"#);
        queue.push(Growing::History, r#"{"x":2}"#);
        queue.push(Growing::Events, "{}");
        queue.push(Growing::Output, "hello\n");
        queue.summarize(r#"{"x":1}"#);
        queue.summarize(r#"{"x":2}"#);
        queue.uploaded("config.yaml");
        let batch = queue.batch(None);
        assert_eq!(
            parsed(&batch),
            json!({
                "files": {
                    "wandb-history.jsonl": {"offset": 7, "content": ["{\"x\":NaN}", "{\"x\":2}"]},
                    "wandb-events.jsonl": {"offset": 2, "content": ["{}"]},
                    "output.log": {"offset": 0, "content": ["hello"]},
                    "wandb-summary.json": {"offset": 0, "content": ["{\"x\":2}"]},
                },
                "uploaded": ["config.yaml"],
            })
        );
        assert_eq!(queue.batch(None), batch, "what was not sent is made again");
        queue.sent(&batch);
        assert!(queue.is_empty());
        queue.push(Growing::History, "{}");
        queue.push(Growing::Output, "");
        assert_eq!(
            parsed(&queue.batch(Some(1))),
            json!({
                "files": {
                    "wandb-history.jsonl": {"offset": 9, "content": ["{}"]},
                    "output.log": {"offset": 1, "content": [""]},
                },
                "complete": true,
                "exitcode": 1,
            })
        );
    }

    #[test]
    fn much_is_sent_in_several_requests_and_only_the_last_ends_the_run() {
        let mut queue = Queue::new(Offsets::default());
        // Each is 3 MiB, and twice that in a request.
        let big = "\"".repeat(3 << 20);
        for n in 0..4 {
            queue.push(Growing::History, &format!("{n}{big}"));
            queue.push(Growing::Output, &format!("{n}"));
        }
        queue.summarize(&big);
        queue.uploaded("a");
        let (mut history, mut output) = (Vec::new(), Vec::new());
        let mut n_summaries = 0;
        for n_requests in 1.. {
            let batch = queue.batch(Some(0));
            assert!(batch.body.len() <= REQUEST, "{}", batch.body.len());
            let body = parsed(&batch);
            for (name, kept) in [("wandb-history.jsonl", &mut history), ("output.log", &mut output)] {
                let file = &body["files"][name];
                if !file.is_null() {
                    assert_eq!(file["offset"], json!(kept.len()));
                    kept.extend(file["content"].as_array().unwrap().iter().cloned());
                }
            }
            n_summaries += usize::from(!body["files"]["wandb-summary.json"].is_null());
            assert_eq!(body.get("complete").is_some(), batch.is_last);
            queue.sent(&batch);
            assert_eq!(queue.is_empty(), batch.is_last);
            if batch.is_last {
                assert_eq!(n_requests, 5);
                break;
            }
        }
        let starts: Vec<_> = history.iter().map(|line| &line.as_str().unwrap()[..1]).collect();
        assert_eq!(starts, ["0", "1", "2", "3"]);
        assert_eq!(output.len(), 4);
        assert_eq!(n_summaries, 1);
    }

    #[test]
    fn a_line_that_nobody_takes_is_counted() {
        let mut queue = Queue::new(Offsets::default());
        queue.push(Growing::History, &"x".repeat(LINE - 1));
        queue.push(Growing::Output, &"\"".repeat(LINE / 2));
        queue.summarize(&"x".repeat(LINE));
        assert_eq!(queue.n_skipped(), 3);
        assert!(queue.is_empty());
        queue.push(Growing::History, &"x".repeat(LINE - 2));
        queue.push(Growing::Events, "{}");
        queue.summarize(&"x".repeat(LINE - 2));
        assert_eq!(queue.n_skipped(), 3);
        for _ in 0..3 {
            assert!(!queue.is_empty());
            let batch = queue.batch(None);
            assert!(batch.body.len() <= REQUEST);
            queue.sent(&batch);
        }
        assert!(queue.is_empty(), "the longest ones go alone");
    }
}
