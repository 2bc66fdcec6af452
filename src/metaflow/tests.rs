//! Recorded runs, and what hostile or damaged datastores make of them.
#![expect(clippy::disallowed_methods, reason = "tests unpack and damage recorded runs")]

use std::fmt::Write as _;
use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures/metaflow")
            .join(name),
    )
    .unwrap()
}

fn files(name: &str) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(fixture(&format!("{name}.zip")))).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut entry = archive.by_index(index).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.name().to_owned(), content)
        })
        .collect()
}

fn recorded(name: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files(name) {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    dir
}

/// Files of a recorded run whose path has `part` in it.
fn find(dir: &Path, part: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            } else if path.to_str().unwrap().contains(part) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn shown(flow: &Flow) -> String {
    let mut out = format!("{} success={} tags={:?}\n", flow.name, flow.is_successful, flow.tags);
    for step in &flow.steps {
        let kind = step.kind.as_deref().unwrap_or("?");
        writeln!(
            out,
            "{} {kind} line {:?}: {} tasks, {} failed, {} retries, timed {}",
            step.name,
            step.line,
            step.n_tasks,
            step.n_failed,
            step.n_retries,
            step.seconds.is_some_and(|seconds| (0.05..60.0).contains(&seconds))
        )
        .unwrap();
    }
    for edge in &flow.edges {
        let arrow = if edge.is_foreach { "=>" } else { "->" };
        write!(out, "{} {arrow} {}; ", edge.from, edge.to).unwrap();
    }
    writeln!(
        out,
        "\nmetrics {:?} {:?} undecodable={}",
        flow.metrics, flow.metrics_note, flow.is_undecodable
    )
    .unwrap();
    writeln!(out, "parameters {}", serde_json::to_string(&flow.parameters).unwrap()).unwrap();
    for artifact in &flow.artifacts {
        write!(out, "{}: {} {}; ", artifact.name, artifact.kind, artifact.size_bytes).unwrap();
    }
    for card in &flow.cards {
        write!(out, "\ncard of {}/{}", card.step, card.task).unwrap();
    }
    for failure in &flow.failures {
        write!(
            out,
            "\n{}/{} attempt {}: {:?} at {:?}:{:?}\n  {}",
            failure.step,
            failure.task,
            failure.attempt,
            failure.error,
            failure.file,
            failure.line,
            failure.tail.join("\n  ")
        )
        .unwrap();
    }
    let lines: Vec<_> = out.lines().map(str::trim_end).collect();
    lines.join("\n")
}

fn check(name: &str) -> String {
    shown(&read(recorded(name).path(), "metrics").unwrap())
}

#[test]
fn a_success_is_read() {
    insta::assert_snapshot!(check("success"), @r#"
    TrainFlow success=true tags=["git_sha:0123456789abcdef", "pr:42"]
    start split-foreach line Some(15): 1 tasks, 0 failed, 0 retries, timed true
    fit linear line Some(21): 3 tasks, 0 failed, 0 retries, timed true
    join join line Some(31): 1 tasks, 0 failed, 0 retries, timed true
    train linear line Some(38): 1 tasks, 0 failed, 0 retries, timed true
    end end line Some(49): 1 tasks, 0 failed, 0 retries, timed true
    start => fit; fit -> join; join -> train; train -> end;
    metrics {"n_folds": 3.0, "r2": 0.5, "rmse": 52.0} Some("these are no finite numbers: finished") undecodable=false
    parameters {"alpha":0.5,"fail":false,"flaky":false,"label":"a 'quoted' name","scalar":false}
    alpha: float 21; fail: bool 4; flaky: bool 4; folds: list 22; label: str 30; metrics: dict 70; model: dict 60; name: str 24; note: NoneType 4; rmses: list 43; scalar: bool 4;
    card of train/6
    "#);
}

#[test]
fn a_failure_is_read() {
    insta::assert_snapshot!(check("failure"), @r#"
    TrainFlow success=false tags=["git_sha:0123456789abcdef", "pr:42"]
    start split-foreach line Some(15): 1 tasks, 0 failed, 0 retries, timed true
    fit linear line Some(21): 3 tasks, 1 failed, 1 retries, timed true
    start => fit; fit -> join; join -> train; train -> end;
    metrics {} Some("the flow has no artifact `metrics`") undecodable=false
    parameters {"alpha":0.1,"fail":true,"flaky":false,"label":"a 'quoted' name","scalar":false}
    alpha: float 21; fail: bool 4; flaky: bool 4; folds: list 22; label: str 30; name: str 24; rmse: float 21; scalar: bool 4;
    fit/4 attempt 1: Some("ValueError: fold 3 has no rows") at Some("/tmp/recorded/flow.py"):Some(25)
        File "/venv/lib/python3.11/site-packages/metaflow/cli_components/step_cmd.py", line 171, in step
          task.run_step(
        File "/venv/lib/python3.11/site-packages/metaflow/task.py", line 938, in run_step
          self._exec_step_function(step_func, orig_step_func)
        File "/venv/lib/python3.11/site-packages/metaflow/task.py", line 147, in _exec_step_function
          raise raised_exception
        File "/venv/lib/python3.11/site-packages/metaflow/task.py", line 113, in _exec_step_function
          step_function()
        File "/tmp/recorded/flow.py", line 25, in fit
          raise ValueError("fold 3 has no rows")
      ValueError: fold 3 has no rows
      Task failed.
    "#);
}

#[test]
fn a_retry_is_counted_and_numbers_of_numpy_are_numbers() {
    insta::assert_snapshot!(check("retry"), @r#"
    TrainFlow success=true tags=["git_sha:0123456789abcdef", "pr:42"]
    start split-foreach line Some(15): 1 tasks, 0 failed, 0 retries, timed true
    fit linear line Some(21): 3 tasks, 0 failed, 1 retries, timed true
    join join line Some(31): 1 tasks, 0 failed, 0 retries, timed true
    train linear line Some(38): 1 tasks, 0 failed, 0 retries, timed true
    end end line Some(49): 1 tasks, 0 failed, 0 retries, timed true
    start => fit; fit -> join; join -> train; train -> end;
    metrics {"n_folds": 3.0, "r2": 0.5, "rmse": 52.0} Some("these are no finite numbers: finished") undecodable=false
    parameters {"alpha":0.1,"fail":false,"flaky":true,"label":"a 'quoted' name","scalar":true}
    alpha: float 21; fail: bool 4; flaky: bool 4; folds: list 22; label: str 30; metrics: dict 166; model: dict 60; name: str 24; note: NoneType 4; rmses: list 43; scalar: bool 4;
    card of train/6
    "#);
}

#[test]
fn lines_are_told_apart() {
    let run = fixture("retry.log");
    let mut out = String::new();
    for line in String::from_utf8(run).unwrap().lines() {
        match parse_line(line) {
            Line::Task {
                step,
                task,
                what: What::Output(text),
                ..
            } if text.starts_with("fold") || text.starts_with("::") => {
                writeln!(out, "{step}/{task} says {text}").unwrap();
            }
            Line::Task {
                what: What::Output(_), ..
            } => {}
            Line::Task { step, task, what, .. } => writeln!(out, "{step}/{task} {what:?}").unwrap(),
            Line::Flow(text) => writeln!(out, "flow: {}", text.split(" (run-id").next().unwrap()).unwrap(),
            Line::Other(text) => writeln!(out, "other: {text}").unwrap(),
        }
    }
    // Tasks of one step run beside each other, so that their lines come in any order.
    let mut lines: Vec<_> = out.lines().collect();
    lines.sort_unstable();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    end/7 Finished
    end/7 Started { is_retry: false }
    end/7 says ::warning::done
    fit/2 Finished
    fit/2 Started { is_retry: false }
    fit/2 says fold 1: rmse 51
    fit/3 Failed
    fit/3 Finished
    fit/3 Started { is_retry: false }
    fit/3 Started { is_retry: true }
    fit/3 says fold 2: rmse 52
    fit/4 Finished
    fit/4 Started { is_retry: false }
    fit/4 says fold 3: rmse 53
    flow: Done!
    flow: Workflow starting
    join/5 Finished
    join/5 Started { is_retry: false }
    other:     The graph looks good!
    other: Metaflow 2.19.39 executing TrainFlow for user:ci
    other: Project: demo, Branch: user.ci
    other: Validating your flow...
    start/1 Finished
    start/1 Splits(3)
    start/1 Started { is_retry: false }
    train/6 Finished
    train/6 Started { is_retry: false }
    "#);
}

#[test]
fn lines_that_only_look_alike_are_output() {
    for line in [
        "",
        "2026-11-30 16:30:41.017",
        "2026-11-30T16:30:41.017 [1/a/2 (pid 3)] x",
        "[1/a/2 (pid 3)] x",
    ] {
        assert_eq!(parse_line(line), Line::Other(line));
    }
    let time = "2026-11-30 16:30:41.017 ";
    for text in [
        "[1/a (pid 3)] x",
        "[1/a/2/3 (pid 3)] x",
        "[1/a/2 (pid x)] x",
        "[1/a/2 (pid 3) x",
        "[é",
    ] {
        assert_eq!(parse_line(&format!("{time}{text}")), Line::Flow(text));
    }
}

#[test]
fn a_flow_that_did_not_begin_says_so() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        read(dir.path(), "metrics"),
        Err(MetaflowError::NotBegun("run.json"))
    ));
    for said in [
        "",
        "[]",
        r#"{"flow_name": "../..", "run_id": "1"}"#,
        r#"{"flow_name": "A", "run_id": "a/b"}"#,
    ] {
        std::fs::write(dir.path().join("run.json"), said).unwrap();
        assert!(
            matches!(read(dir.path(), "metrics"), Err(MetaflowError::Malformed { .. })),
            "{said}"
        );
    }
    std::fs::write(dir.path().join("run.json"), r#"{"flow_name": "A", "run_id": "1"}"#).unwrap();
    let flow = read(dir.path(), "metrics").unwrap();
    assert!(!flow.is_successful && flow.steps.is_empty());
}

/// Puts a pickle in the place of the metrics, named and packed as Metaflow would.
fn with_metrics(pickle: &[u8], pack: impl Fn(&[u8]) -> Vec<u8>) -> Flow {
    use sha1::{Digest as _, Sha1};
    let dir = recorded("success");
    let sha = Sha1::digest(pickle)
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let place = dir.path().join(".metaflow/TrainFlow/data").join(&sha[..2]);
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join(&sha), pack(pickle)).unwrap();
    let data = find(dir.path(), "/end/7/0.data.json").remove(0);
    let mut said: serde_json::Value = serde_json::from_slice(&std::fs::read(&data).unwrap()).unwrap();
    said["objects"]["metrics"] = sha.into();
    std::fs::write(&data, said.to_string()).unwrap();
    read(dir.path(), "metrics").unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn hostile_metrics_are_not_run_and_said_to_be_undecodable() {
    let note = |pickle: &[u8], pack: &dyn Fn(&[u8]) -> Vec<u8>| {
        let flow = with_metrics(pickle, pack);
        assert!(flow.is_undecodable && flow.metrics.is_empty() && flow.is_successful);
        flow.metrics_note.unwrap()
    };
    insta::assert_snapshot!(note(b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0btouch pwned\x85R.", &gzip), @"`metrics` can not be decoded: it holds an object of `os.system`");
    assert!(!Path::new("pwned").exists());
    insta::assert_snapshot!(note(&vec![b'N'; 3 << 20], &gzip), @"`metrics` can not be decoded: it unpacks to more than 2097152 bytes");
    insta::assert_snapshot!(note(b"\x80\x04}.", &|_| gzip(b"\x80\x04}K\x01K\x02s.")), @"`metrics` can not be decoded: its content is not what it was when it was kept");
    insta::assert_snapshot!(note(b"\x80\x04}.", &<[u8]>::to_vec), @"`metrics` can not be decoded: it is not packed as Metaflow packs them");
    insta::assert_snapshot!(note(b"csklearn.base\nBaseEstimator\n.", &gzip), @"`metrics` can not be decoded: it holds an object of `sklearn.base.BaseEstimator`");
    insta::assert_snapshot!(note(b"", &gzip), @"`metrics` can not be decoded: it ends too early");
}

#[test]
fn what_is_no_number_is_named() {
    let flow = with_metrics(
        b"\x80\x04}(\x8c\x01aK\x01\x8c\x01bN\x8c\x01c\x88\x8c\x01dG\x7f\xf0\x00\x00\x00\x00\x00\x00u.",
        gzip,
    );
    assert_eq!(flow.metrics, [("a".to_owned(), 1.0)].into());
    insta::assert_snapshot!(flow.metrics_note.unwrap(), @"these are no finite numbers: b, c, d");
    let flow = with_metrics(b"\x80\x04K\x01.", gzip);
    insta::assert_snapshot!(flow.metrics_note.unwrap(), @"it is no dictionary of numbers");
}

#[test]
fn an_artifact_that_is_not_there_is_named() {
    let flow = read(recorded("success").path(), "scores").unwrap();
    insta::assert_snapshot!(flow.metrics_note.unwrap(), @"the flow has no artifact `scores`");
    assert!(!flow.is_undecodable);
}

#[test]
fn links_lead_nowhere() {
    let dir = recorded("success");
    let outside = tempfile::tempdir().unwrap();
    // A whole step, and the content of every artifact, are links to where they were.
    let run = find(dir.path(), "/end/7/0.data.json").remove(0);
    let step = run.ancestors().nth(2).unwrap();
    std::fs::rename(step, outside.path().join("end")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("end"), step).unwrap();
    let data = dir.path().join(".metaflow/TrainFlow/data");
    std::fs::rename(&data, outside.path().join("data")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("data"), &data).unwrap();
    let flow = read(dir.path(), "metrics").unwrap();
    assert!(!flow.is_successful && flow.metrics.is_empty() && flow.parameters.is_empty());
    assert!(flow.steps.iter().all(|step| step.name != "end"));
    assert!(flow.metrics_note.is_some());

    let dir = recorded("success");
    let said = dir.path().join("run.json");
    std::fs::rename(&said, outside.path().join("run.json")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("run.json"), &said).unwrap();
    assert!(matches!(read(dir.path(), "metrics"), Err(MetaflowError::File(_))));
}

#[test]
fn a_task_that_was_killed_is_no_success() {
    let dir = recorded("success");
    for path in find(dir.path(), "/end/7/_meta/sysmeta_attempt_ok") {
        std::fs::remove_file(path).unwrap();
    }
    let flow = read(dir.path(), "metrics").unwrap();
    assert!(!flow.is_successful);
    let end = flow.steps.iter().find(|step| step.name == "end").unwrap();
    assert_eq!((end.n_tasks, end.n_failed, end.seconds), (1, 1, None));
    // What the last task that succeeded kept is still told.
    assert!((flow.metrics["rmse"] - 52.0).abs() < 1e-12);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]
    #[test]
    fn damaged_stores_panic_nobody(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<usize>(), any::<u8>(), 0_u8..4), 1..80),
    ) {
        let dir = recorded("failure");
        let paths = find(dir.path(), "");
        for (which, at, byte, how) in edits {
            let path = &paths[which.index(paths.len())];
            if !path.exists() {
                continue;
            }
            let mut content = std::fs::read(path).unwrap();
            match how {
                0 => std::fs::remove_file(path).unwrap(),
                1 => {
                    content.truncate(at % (content.len() + 1));
                    std::fs::write(path, content).unwrap();
                }
                _ if content.is_empty() => {}
                _ => {
                    let n = content.len();
                    content[at % n] = byte;
                    std::fs::write(path, content).unwrap();
                }
            }
        }
        let _ = read(dir.path(), "metrics");
    }

    #[test]
    fn damaged_texts_panic_nobody(text in ".{0,300}", bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_line(&text);
        let _ = parse_line(&format!("2026-11-30 16:30:41.017 [{text}"));
        let task = state::Task { stderr: text, ..state::Task::default() };
        let _ = state::failure(&task);
        let _ = state::parse_data(&bytes);
    }
}
