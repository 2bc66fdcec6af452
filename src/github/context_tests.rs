//! `Context` and `trust` over every event of `fixtures/github/events`, whole and with parts that are missing.

#![expect(clippy::disallowed_methods, reason = "the events are files")]

use std::mem::discriminant;
use std::path::{Path, PathBuf};

use super::*;
use crate::github::{Trust, trust};

const MERGE: &str = "1234567812345678123456781234567812345678";

/// Every event by the name of its file, with what the file holds.
fn events() -> Vec<(String, Value)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/github/events");
    let mut found: Vec<(String, Value)> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path: PathBuf| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap())
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(found.len() > 20, "{}", found.len());
    found
}

/// The environment that the runner makes for the event of a file.
fn env(file: &str, event: &Value) -> BTreeMap<String, String> {
    let name = file.split('.').next().unwrap();
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let number = event.pointer("/number").and_then(Value::as_u64);
    let mut env: BTreeMap<String, String> = [
        ("GITHUB_EVENT_NAME", name),
        ("GITHUB_REPOSITORY", "ada/models"),
        ("GITHUB_RUN_ID", "987"),
        ("GITHUB_RUN_ATTEMPT", "2"),
        ("GITHUB_JOB", "model"),
        (
            "GITHUB_WORKFLOW_REF",
            "ada/models/.github/workflows/mlops.yml@refs/heads/main",
        ),
        ("GITHUB_WORKSPACE", "/github/workspace"),
        ("GITHUB_SHA", MERGE),
        ("RUNNER_TEMP", "/github/runner_temp"),
        ("GITHUB_OUTPUT", "/github/file_commands/set_output_1"),
        ("GITHUB_RETENTION_DAYS", "90"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let git_ref = number
        .map(|number| format!("refs/pull/{number}/merge"))
        .or_else(|| text("/ref").filter(|name| name.starts_with("refs/")))
        .or_else(|| text("/merge_group/head_ref"))
        .unwrap_or_else(|| "refs/heads/main".to_owned());
    let actor = text("/pull_request/user/login").or_else(|| text("/sender/login"));
    env.insert("GITHUB_REF".to_owned(), git_ref);
    env.insert("GITHUB_ACTOR".to_owned(), actor.unwrap());
    env
}

fn read(env: &BTreeMap<String, String>, event: &Value) -> Context {
    Context::read(env, Some(event.to_string().as_bytes())).unwrap()
}

fn number(cx: &Context) -> Option<u64> {
    match &cx.event {
        Event::PullRequest(pull) | Event::PullRequestTarget(pull) => Some(pull.number),
        Event::MergeGroup(group) => group.number,
        Event::WorkflowRun(run) => run.number,
        Event::IssueComment(comment) => comment.number.filter(|_| comment.is_pull_request),
        Event::Push(_)
        | Event::WorkflowDispatch { .. }
        | Event::RepositoryDispatch { .. }
        | Event::Schedule { .. }
        | Event::Other(_) => None,
    }
}

fn level(trust: &Trust) -> &'static str {
    match trust {
        Trust::Full => "full",
        Trust::ReadOnlyFork => "read only",
        Trust::ReportOnly => "report",
        Trust::CommandOnly => "command",
        Trust::Refused { .. } => "refused",
    }
}

#[test]
fn every_event_says_what_to_report_on() {
    let mut table = Vec::new();
    for (file, event) in events() {
        let cx = read(&env(&file, &event), &event);
        assert!(cx.notices.is_empty(), "{file}");
        let short = |sha: Option<&CommitSha>| sha.map_or("-".to_owned(), |sha| sha.short().to_owned());
        let number = number(&cx).map_or("-".to_owned(), |number| format!("#{number}"));
        let (head, base, trust) = (short(cx.head()), short(cx.base()), trust(&cx));
        table.push(format!("{file:28} {number:5} {head:8} {base:8} {}", level(&trust)));
    }
    insta::assert_snapshot!(table.join("\n"), @r"
    issue_comment.bot            #1    -        -        command
    issue_comment.edited         #1    -        -        command
    issue_comment.issue          -     -        -        command
    issue_comment.pull_request   #1    -        -        command
    merge_group                  #104  2ffea6d  380387f  full
    pull_request.closed          #2    ec26c3e  f95f852  full
    pull_request.dependabot      #2    ec26c3e  f95f852  read only
    pull_request.draft           #2    ec26c3e  f95f852  full
    pull_request.fork            #2    ec26c3e  f95f852  read only
    pull_request.fork-deleted    #2    ec26c3e  f95f852  read only
    pull_request.merged          #2    ec26c3e  f95f852  full
    pull_request.opened          #2    ec26c3e  f95f852  full
    pull_request.synchronize     #2    ec26c3e  f95f852  full
    push.branch                  -     6113728  aaaaaaa  full
    push.branch-deleted          -     -        aaaaaaa  full
    push.branch-forced           -     6113728  aaaaaaa  full
    push.branch-new              -     6113728  -        full
    push.tag-deleted             -     -        6113728  full
    repository_dispatch          -     1234567  -        full
    schedule                     -     1234567  -        full
    workflow_dispatch            -     1234567  -        full
    workflow_dispatch.inputs     -     1234567  -        full
    workflow_run                 #2    3484a3f  -        report
    workflow_run.fork            -     3484a3f  -        report
    workflow_run.fork-deleted    -     3484a3f  -        report
    ");
}

#[test]
fn every_event_is_read_whole() {
    let all: Vec<String> = events()
        .iter()
        .map(|(file, event)| format!("{file}: {:#?}", read(&env(file, event), event).event))
        .collect();
    insta::assert_snapshot!(all.join("\n\n"));
}

/// The pointers to everything in a value.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut step = |key: &str, inner: &Value| {
        let pointer = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        found.push(pointer.clone());
        pointers(inner, &pointer, found);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, inner)| step(key, inner)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, inner)| step(&index.to_string(), inner)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn without(event: &Value, pointer: &str) -> Value {
    let mut event = event.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/").replace("~0", "~");
    match event.pointer_mut(parent).unwrap() {
        Value::Object(fields) => drop(fields.shift_remove(&key)),
        Value::Array(items) => drop(items.remove(key.parse().unwrap())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => unreachable!("a pointer into a leaf"),
    }
    event
}

/// What is missing or has another type makes nothing more allowed, and no other commit or pull request than the event's.
#[test]
fn no_single_field_is_needed_or_trusted() {
    let strange = [
        Value::Null,
        Value::from(-1),
        Value::from("\u{0}\n::error::"),
        Value::Array(Vec::new()),
        Value::Object(serde_json::Map::new()),
        Value::from("x".repeat(2_000)),
    ];
    for (file, event) in events() {
        let env = env(&file, &event);
        let whole = read(&env, &event);
        let mut all = Vec::new();
        pointers(&event, "", &mut all);
        for pointer in all {
            let mut variants = vec![without(&event, &pointer)];
            for value in &strange {
                let mut changed = event.clone();
                *changed.pointer_mut(&pointer).unwrap() = value.clone();
                variants.push(changed);
            }
            for changed in variants {
                let cx = read(&env, &changed);
                let what = format!("{file} {pointer}");
                assert_eq!(discriminant(&cx.event), discriminant(&whole.event), "{what}");
                let trusted = trust(&cx);
                assert!(
                    trusted == trust(&whole) || trusted == Trust::ReadOnlyFork,
                    "{what}: {trusted:?}"
                );
                for (now, before) in [(cx.head(), whole.head()), (cx.base(), whole.base())] {
                    let is_known = now.is_none() || now == before || now == Some(&whole.sha);
                    assert!(is_known, "{what}: {now:?}");
                }
                let is_same = number(&cx) == number(&whole) || number(&cx).is_none();
                assert!(is_same, "{what}: {:?}", number(&cx));
            }
        }
    }
}

#[test]
fn without_its_file_an_event_is_what_the_environment_says() {
    let (file, event) = &events()[5..]
        .iter()
        .find(|(file, _)| file == "pull_request.opened")
        .cloned()
        .unwrap();
    let mut env = env(file, event);
    env.insert("GITHUB_HEAD_REF".to_owned(), "topic".to_owned());
    env.insert("GITHUB_BASE_REF".to_owned(), "main".to_owned());
    let text = event.to_string();
    let too_large = vec![b' '; usize::try_from(MAX_EVENT_BYTES).unwrap() + 1];
    let deep = "[".repeat(100_000);
    let broken: [(Option<&[u8]>, &str); 7] = [
        (None, "could not be read"),
        (Some(b""), "is not complete JSON"),
        (Some(&text.as_bytes()[..text.len() / 2]), "is not complete JSON"),
        (Some(b"{\"number\": \"\xff\"}"), "is not UTF-8"),
        (Some(&too_large), "is larger than 25 MiB"),
        (Some(b"[1]"), "is not an object"),
        (Some(deep.as_bytes()), "is not complete JSON"),
    ];
    for (bytes, why) in broken {
        let cx = Context::read(&env, bytes).unwrap();
        assert_eq!(
            cx.notices,
            [format!(
                "the file of the event (`GITHUB_EVENT_PATH`) {why}: what the environment says is used instead"
            )]
        );
        let Event::PullRequest(pull) = &cx.event else {
            panic!("{:?}", cx.event)
        };
        assert_eq!((pull.number, &pull.head, pull.is_fork), (2, &None, true));
        assert_eq!(
            (pull.head_ref.as_deref(), pull.base_ref.as_deref()),
            (Some("topic"), Some("main"))
        );
        assert_eq!(cx.sha.as_str(), MERGE);
    }
    env.insert("GITHUB_EVENT_NAME".to_owned(), "push".to_owned());
    let push = Context::read(&env, None).unwrap();
    assert_eq!(push.head().unwrap().as_str(), MERGE);
    env.insert("GITHUB_EVENT_NAME".to_owned(), "pull_request_target".to_owned());
    env.insert("GITHUB_REF".to_owned(), "refs/heads/main".to_owned());
    insta::assert_snapshot!(Context::read(&env, None).unwrap_err(), @r"
    error[event-without-number]: neither the event nor `GITHUB_REF` says which pull request this `pull_request_target` is about
      = help: let the step see the file that `GITHUB_EVENT_PATH` names
    ");
}

#[test]
fn what_nothing_works_without_is_named() {
    insta::assert_snapshot!(Context::read(&BTreeMap::new(), None).unwrap_err(), @r"
    error[missing-variable]: the variable `GITHUB_REPOSITORY` is not set
      = help: GitHub's runner sets it: run this as a step of a workflow, with `uses:`

    error[missing-variable]: the variable `GITHUB_RUN_ID` is not set
      = help: GitHub's runner sets it: run this as a step of a workflow, with `uses:`

    error[missing-variable]: the variable `GITHUB_WORKSPACE` is not set
      = help: GitHub's runner sets it: run this as a step of a workflow, with `uses:`

    error[missing-variable]: the variable `GITHUB_EVENT_NAME` is not set
      = help: GitHub's runner sets it: run this as a step of a workflow, with `uses:`

    error[missing-variable]: the variable `GITHUB_SHA` is not set
      = help: GitHub's runner sets it: run this as a step of a workflow, with `uses:`
    ");
    let (file, event) = events().swap_remove(0);
    let mut env = env(&file, &event);
    for (name, value) in [
        ("GITHUB_REPOSITORY", "ada/../x"),
        ("GITHUB_SHA", "main"),
        ("GITHUB_WORKSPACE", "relative"),
        ("GITHUB_API_URL", "file:///etc/passwd"),
        ("GITHUB_SERVER_URL", "https://user:key@github.com"),
        ("ACTIONS_RESULTS_URL", "https://x y"),
    ] {
        env.insert(name.to_owned(), value.to_owned());
    }
    insta::assert_snapshot!(Context::read(&env, None).unwrap_err(), @r"
    error[bad-variable]: the variable `GITHUB_REPOSITORY` can not be used: `ada/../x`
      = help: GitHub's runner sets it: no `env:` of the workflow should

    error[bad-variable]: the variable `GITHUB_WORKSPACE` can not be used: `relative`
      = help: GitHub's runner sets it: no `env:` of the workflow should

    error[bad-variable]: the variable `GITHUB_API_URL` can not be used: `file:///etc/passwd`
      = help: GitHub's runner sets it: no `env:` of the workflow should

    error[bad-variable]: the variable `GITHUB_SERVER_URL` can not be used: `***`
      = help: GitHub's runner sets it: no `env:` of the workflow should

    error[bad-variable]: the variable `ACTIONS_RESULTS_URL` can not be used: `https://x y`
      = help: GitHub's runner sets it: no `env:` of the workflow should

    error[bad-variable]: the variable `GITHUB_SHA` can not be used: `main`
      = help: GitHub's runner sets it: no `env:` of the workflow should
    ");
}

#[test]
fn a_deleted_branch_has_no_head() {
    let (file, event) = events()
        .into_iter()
        .find(|(file, _)| file == "push.branch-deleted")
        .unwrap();
    let mut env = env(&file, &event);
    env.insert("GITHUB_SHA".to_owned(), "0".repeat(40));
    let cx = read(&env, &event);
    assert_eq!((cx.head(), cx.sha.as_str()), (None, "a".repeat(40).as_str()));
}

#[test]
fn links_and_identities() {
    let (file, event) = events().swap_remove(0);
    let mut env = env(&file, &event);
    let cx = read(&env, &event);
    assert_eq!(cx.run.external_id("churn"), "987-2-model-churn");
    assert_eq!(cx.run_url(), "https://github.com/ada/models/actions/runs/987");
    assert_eq!(cx.job_url(55), "https://github.com/ada/models/actions/runs/987/job/55");
    assert!(cx.runtime.is_none() && !cx.is_debug);
    env.insert("GITHUB_API_URL".to_owned(), "https://x/api/v3/".to_owned());
    assert_eq!(read(&env, &event).urls.api, "https://x/api/v3");
    env.insert("ACTIONS_RESULTS_URL".to_owned(), "https://results/".to_owned());
    env.insert("ACTIONS_RUNTIME_TOKEN".to_owned(), "key".to_owned());
    env.insert("RUNNER_DEBUG".to_owned(), "1".to_owned());
    let cx = read(&env, &event);
    assert_eq!(cx.runtime.as_ref().unwrap().results_url, "https://results");
    assert!(cx.is_debug && !format!("{cx:?}").contains("key"));
}

#[test]
fn who_may_command() {
    let may: Vec<String> = events()
        .into_iter()
        .filter_map(|(file, event)| match read(&env(&file, &event), &event).event {
            Event::IssueComment(comment) => Some(format!("{file} {}", comment.may_command())),
            _ => None,
        })
        .collect();
    assert_eq!(
        may,
        [
            "issue_comment.bot false",
            "issue_comment.edited false",
            "issue_comment.issue false",
            "issue_comment.pull_request true",
        ]
    );
}

#[test]
fn only_the_default_branch_is_it() {
    let (file, event) = events().into_iter().find(|(file, _)| file == "push.branch").unwrap();
    let mut env = env(&file, &event);
    assert!(read(&env, &event).is_on_default_branch());
    env.insert("GITHUB_REF".to_owned(), "refs/tags/master".to_owned());
    assert!(!read(&env, &event).is_on_default_branch());
    assert!(!Context::read(&env, None).unwrap().is_on_default_branch());
}

#[test]
fn other_events_judge_and_write_nothing() {
    let (file, event) = events().swap_remove(0);
    let mut env = env(&file, &event);
    for (name, level_of) in [
        ("pull_request_review", "read only"),
        ("release", "read only"),
        ("workflow_dispatch", "full"),
    ] {
        env.insert("GITHUB_EVENT_NAME".to_owned(), name.to_owned());
        assert_eq!(level(&trust(&read(&env, &event))), level_of, "{name}");
    }
    env.insert("GITHUB_ACTOR".to_owned(), "dependabot[bot]".to_owned());
    env.insert("GITHUB_EVENT_NAME".to_owned(), "push".to_owned());
    assert_eq!(trust(&read(&env, &event)), Trust::ReadOnlyFork);
    env.insert("GITHUB_EVENT_NAME".to_owned(), "pull_request_target".to_owned());
    env.insert("GITHUB_REF".to_owned(), "refs/pull/7/merge".to_owned());
    let Trust::Refused { why, help } = trust(&read(&env, &event)) else {
        panic!("not refused")
    };
    assert!(why.contains("pull_request_target"), "{why}");
    assert!(help.contains("workflow_run"), "{help}");
}
