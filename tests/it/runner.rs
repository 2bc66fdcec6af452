//! The twin of GitHub's runner, with small shell programs as the action.

use serde_json::{Value, json};

use crate::runner_twin::{Action, Scenario};

fn scenario(script: &str, workspace: &std::path::Path) -> Scenario {
    let action = Action::Program {
        path: "/bin/bash".into(),
        arguments: vec!["-c".to_owned(), script.to_owned()],
    };
    Scenario::new(action, workspace)
}

fn run(script: &str) -> Value {
    let workspace = tempfile::tempdir().unwrap();
    scenario(script, workspace.path()).run()
}

#[test]
fn commands_of_both_forms_are_found_on_both_streams() {
    let said = run(
        "echo '  ::error file=a.py,line=3,endLine=4,col=2,title=a%2Cb%3Ac::100%25%0Anext'
        echo '::Warning::w' >&2
        echo 'text ##[set-output name=x;]forged]'
        echo '::unknown::stays'
        echo '::group::g' && echo '::endgroup::' && echo '::debug::hidden'",
    );
    assert_eq!(
        said["annotations"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["level"] == "error")
            .unwrap(),
        &json!({"level": "error", "message": "100%\nnext", "title": "a,b:c", "file": "a.py", "line": 3, "end_line": 4, "shown": true})
    );
    assert_eq!(said["annotations"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&said["outputs"], &said["groups"]),
        (&json!({"x": "forged]"}), &json!(["g"]))
    );
    assert!(said["log"].as_array().unwrap().contains(&json!("::unknown::stays")));
    assert_eq!(
        (&said["exit_code"], &said["conclusion"]),
        (&json!(0), &json!("success"))
    );
}

#[test]
fn ten_annotations_of_a_level_are_shown() {
    let said = run("for i in 1 2 3 4 5 6 7 8 9 10 11; do echo \"::notice::$i\"; done; echo ::error::one; exit 3");
    let shown = |level: &str| {
        let all = said["annotations"].as_array().unwrap();
        all.iter()
            .filter(|one| one["level"] == level && one["shown"] == true)
            .count()
    };
    assert_eq!((shown("notice"), shown("error")), (10, 1));
    assert_eq!(
        (&said["exit_code"], &said["conclusion"]),
        (&json!(3), &json!("failure"))
    );
}

#[test]
fn stopped_commands_are_text() {
    let said = run(
        "echo ::stop-commands::tok123; echo '::set-output name=a::b'; echo ::tok123::; echo '::set-output name=c::d'",
    );
    assert_eq!(
        (&said["outputs"], &said["commands_left_stopped"]),
        (&json!({"c": "d"}), &json!(false))
    );
    let left = run("echo ::stop-commands::tok123");
    assert_eq!(left["commands_left_stopped"], true);
    assert_eq!(run("echo ::stop-commands::group")["conclusion"], "failure");
    assert_eq!(run("echo '::set-env name=a::b'")["conclusion"], "failure");
}

#[test]
fn command_files_are_read_as_the_runner_does() {
    let said = run("printf 'a<<E\\none=1\\ntwo\\nE\\nb=x<<y\\n' >>\"$GITHUB_OUTPUT\"
        printf 'K=V\\n' >>\"$GITHUB_ENV\"; printf '/bin/x\\n' >>\"$GITHUB_PATH\"; printf 'id=7\\n' >>\"$GITHUB_STATE\"
        printf '# Title\\n' >>\"$GITHUB_STEP_SUMMARY\"");
    assert_eq!(said["outputs"], json!({"a": "one=1\ntwo", "b": "x<<y"}));
    assert_eq!((&said["env"], &said["path"]), (&json!({"K": "V"}), &json!(["/bin/x"])));
    assert_eq!(
        (&said["state"], &said["summary"]),
        (&json!({"id": "7"}), &json!("# Title\n"))
    );
    for broken in ["a<<E\\nvalue\\n", "no record\\n", "=x\\n"] {
        let said = run(&format!("printf '{broken}' >>\"$GITHUB_OUTPUT\""));
        assert_eq!(said["conclusion"], "failure", "{broken}");
    }
    let long = run("head -c 1048577 /dev/zero | tr '\\0' a >>\"$GITHUB_STEP_SUMMARY\"");
    assert_eq!(
        (&long["summary"], &long["conclusion"]),
        (&Value::Null, &json!("success"))
    );
}

#[test]
fn secrets_are_seen_wherever_they_leak() {
    let workspace = tempfile::tempdir().unwrap();
    let leak = |script: &str| {
        let mut scenario = scenario(script, workspace.path());
        scenario.secrets = vec!["hunter22".to_owned()];
        scenario.run()
    };
    let log = leak("echo \"it is hunter22\"");
    assert_eq!((&log["leaks"]["log"], &log["log"]), (&json!(1), &json!(["it is ***"])));
    assert_eq!(leak("echo s=hunter22 >>\"$GITHUB_OUTPUT\"")["leaks"]["outputs"], true);
    assert_eq!(
        leak("echo hunter22 >>\"$GITHUB_STEP_SUMMARY\"")["leaks"]["summary"],
        true
    );
    let masked = leak("echo ::add-mask::hunter22; echo ::add-mask::other; echo other");
    assert_eq!(masked["leaks"], json!({"log": 0, "summary": false, "outputs": false}));
    assert_eq!((&masked["n_masks"], &masked["log"]), (&json!(2), &json!(["***"])));
}

#[test]
fn an_action_gets_what_the_runner_gives_and_nothing_more() {
    let workspace = tempfile::tempdir().unwrap();
    let mut scenario = scenario(
        "env | cut -d= -f1 | sort; env | grep ^INPUT_ | sort; test -s \"$GITHUB_EVENT_PATH\"",
        workspace.path(),
    );
    scenario.manifest = Some(
        "inputs:\n  github-token: {default: '${{ github.token }}'}\n  command: {default: run}\n  empty: {}\n"
            .to_owned(),
    );
    scenario.inputs.insert("command".to_owned(), "check".to_owned());
    let said = scenario.run();
    let log: Vec<&str> = said["log"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for line in [
        "INPUT_GITHUB-TOKEN=ghs_twin.of_a.token",
        "INPUT_COMMAND=check",
        "INPUT_EMPTY=",
        "RUNNER_TEMP",
    ] {
        assert!(log.contains(&line), "{line}: {log:?}");
    }
    assert!(
        !log.contains(&"GITHUB_TOKEN") && !log.contains(&"CARGO_MANIFEST_DIR"),
        "{log:?}"
    );
    assert_eq!(said["exit_code"], 0);
}

#[test]
fn a_cancelled_action_is_interrupted_first() {
    let workspace = tempfile::tempdir().unwrap();
    // Between any two commands the shell looks for signals, so none can come too early.
    let mut scenario = scenario(
        "trap 'echo stopped; exit 130' INT; echo began; while :; do :; done",
        workspace.path(),
    );
    scenario.cancel_on = Some("began".to_owned());
    let said = scenario.run();
    assert_eq!(
        (&said["conclusion"], &said["exit_code"], &said["killed"]),
        (&json!("cancelled"), &json!(130), &json!(false))
    );
    assert_eq!(said["log"], json!(["began", "stopped"]));
}
