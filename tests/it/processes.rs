//! Signals: the program stops in time at any stage and leaves no child behind.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::Repository;

/// Waits for a condition; the test fails when it does not come.
fn until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < limit, "{what} did not come within {limit:?}");
        std::thread::yield_now();
    }
}

/// The processes that carry this text in their command line.
fn processes(mark: &str) -> usize {
    let own = std::process::id().to_string();
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()) && *name != own)
        .filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(mark) && !state.contains(") Z ")
        })
        .count()
}

#[test]
fn a_signal_ends_the_whole_tree() {
    for (signal, turn) in [("TERM", 1), ("INT", 2)] {
        let repository = Repository::example("iris");
        let mark = format!("77{turn}{}", std::process::id());
        // One child in the group, one that left it, one that ignores the polite signal.
        let command = format!(
            "sleep {mark} & setsid -f sleep {mark}; trap '' TERM INT; touch started; while :; do sleep {mark}; done"
        );
        let config = format!("{}gates: {{test: [\"{command}\"]}}\n", repository.read("mlops.yaml"));
        repository.write("mlops.yaml", &config);
        let mut child = repository
            .command(&["run"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("the command", Duration::from_secs(20), || {
            repository.path().join("started").exists() && processes(&format!("sleep\0{mark}")) >= 3
        });
        let asked = Instant::now();
        let kill = std::process::Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status()
            .unwrap();
        assert!(kill.success());
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(130));
        assert!(asked.elapsed() < Duration::from_secs(7), "{:?}", asked.elapsed());
        assert_eq!(processes(&format!("sleep\0{mark}")), 0, "a child is left");
    }
}

#[test]
fn a_command_that_overstays_is_stopped_and_is_a_finding() {
    let repository = Repository::example("iris");
    let config = format!(
        "{}gates: {{test: {{run: ['echo before; sleep 600'], timeout: 1s}}}}\n",
        repository.read("mlops.yaml")
    );
    repository.write("mlops.yaml", &config);
    let (code, result) = repository.json(&["run"]);
    assert_eq!((code, &result["gates"]["test"]), (1, &serde_json::json!("fail")));
    let facts: serde_json::Value =
        serde_json::from_slice(&std::fs::read(repository.last_run().join("mlops-facts.json")).unwrap()).unwrap();
    let test = facts["gates"]
        .as_array()
        .unwrap()
        .iter()
        .find(|gate| gate["name"] == "test")
        .unwrap();
    assert_eq!(test["commands"][0]["exit_code"], serde_json::Value::Null);
    assert!(test["commands"][0]["tail"].as_str().unwrap().contains("before"));
}

#[test]
fn two_runs_at_once_both_finish() {
    let repository = Repository::example("iris");
    let mut children: Vec<_> = (0..4)
        .map(|_| {
            repository
                .command(&["run"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    let (_, status) = repository.json(&["status"]);
    assert_eq!(
        status["versions"].as_array().unwrap().len(),
        1,
        "one digest is one version"
    );
}
