//! Small repositories and what is said about them.

use proptest::prelude::*;

use super::*;
use crate::config::RegistryChoice;
use crate::setup::workflows::{COMMAND, FORK, MAIN, PROMOTE, Plan};
use crate::setup::{Written, workflows};

fn plan(approval: Approval) -> Plan {
    Plan {
        default_branch: "main".to_owned(),
        directory: String::new(),
        config: None,
        approval,
        environment: "production".to_owned(),
        registry: RegistryChoice::Auto,
        wandb: false,
    }
}

fn asks(approval: Approval) -> Asks {
    Asks {
        approval,
        environment: "production".to_owned(),
        source: "data/d.csv".to_owned(),
        registry: RegistryChoice::Auto,
        wandb: false,
        shares_key: false,
    }
}

fn somewhere() -> Surroundings {
    Surroundings {
        default_branch: Some("main".to_owned()),
        ..Surroundings::default()
    }
}

fn read(files: &[Written]) -> Vec<Workflow> {
    files
        .iter()
        .map(|file| Workflow::read(&file.path, &file.text).unwrap_or_else(|problems| panic!("{problems}")))
        .collect()
}

/// What is said about a repository with this one workflow.
fn about(text: &str, asks: &Asks) -> String {
    let workflow = Workflow::read(".github/workflows/ci.yml", text).unwrap();
    shown(&examine(asks, &[workflow], &somewhere()))
}

/// One line a finding, with the first line of its fix.
fn shown(findings: &[Finding]) -> String {
    let one = |finding: &Finding| {
        let place = finding.place.as_ref();
        let place = place.map(|place| format!(" ({}:{})", place.file.rsplit('/').next().unwrap(), place.span.line));
        format!(
            "{}[{}]{}: {}",
            finding.matter.word(),
            finding.code,
            place.unwrap_or_default(),
            finding.what
        )
    };
    findings.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// What is said after one edit of what `init` writes.
fn edited(approval: Approval, file: &str, from: &str, to: &str) -> Vec<Finding> {
    let mut files = workflows(&plan(approval));
    let edited = files.iter_mut().find(|written| written.path.ends_with(file)).unwrap();
    assert!(edited.text.contains(from), "`{from}` is not in {file}");
    edited.text = edited.text.replacen(from, to, 1);
    examine(&asks(approval), &read(&files), &somewhere())
}

#[test]
fn what_init_writes_is_healthy() {
    for approval in [Approval::Comment, Approval::Environment, Approval::Auto] {
        for (directory, config) in [("", None), ("models/a b", Some("conf/other.yaml".to_owned()))] {
            let plan = Plan {
                directory: directory.to_owned(),
                config,
                ..plan(approval)
            };
            let files = workflows(&plan);
            assert_eq!(files.len(), if approval == Approval::Environment { 4 } else { 3 });
            assert_eq!(
                shown(&examine(&asks(approval), &read(&files), &somewhere())),
                "",
                "{plan:?}"
            );
        }
    }
}

#[test]
fn a_repository_without_workflows() {
    insta::assert_snapshot!(shown(&examine(&asks(Approval::Comment), &[], &somewhere())), @r"
    missing[no-workflow]: no workflow in `.github/workflows` uses `mlops-action/mlops-action`
    ");
}

#[test]
fn the_shortest_workflow() {
    let text = "on: pull_request\njobs:\n  ml:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: \
                actions/checkout@v7\n      - uses: mlops-action/mlops-action@main\n";
    insta::assert_snapshot!(about(text, &asks(Approval::Comment)), @r"
    missing[trigger] (ci.yml:1): no job with the action runs on `push`
    missing[trigger] (ci.yml:1): no job with the action runs on `issue_comment`
    missing[no-permissions] (ci.yml:3): the job `ml` does not say what its token may do
    advice[trigger] (ci.yml:1): no job with the action runs on `schedule`
    advice[trigger] (ci.yml:1): no job with the action runs on `merge_group`
    advice[persist-credentials] (ci.yml:6): the checkout of the job `ml` leaves its token behind
    advice[timeout] (ci.yml:3): the job `ml` has no `timeout-minutes`
    advice[not-pinned] (ci.yml:7): `mlops-action/mlops-action@main` follows a branch
    advice[no-fork-workflow]: no workflow shows the results of pull requests from forks
    ");
}

#[test]
fn everything_at_once() {
    let text = "on:
  pull_request_target:
  push: {branches: [release]}
  workflow_run: {workflows: [other], types: [completed]}
permissions: {contents: write}
jobs:
  ml:
    runs-on: [windows-latest]
    steps:
      - uses: actions/checkout@v7
        with: {ref: '${{ github.event.pull_request.head.sha }}', fetch-depth: 0}
      - uses: mlops-action/mlops-action@v1
        with: {commands: run, comment: sometimes, github-token: ''}
";
    insta::assert_snapshot!(about(text, &asks(Approval::Environment)), @r"
    missing[trigger] (ci.yml:1): no job with the action runs on `pull_request`
    missing[pull-request-target] (ci.yml:2): the action runs on `pull_request_target`
    missing[default-branch] (ci.yml:3): `push` does not run on the default branch `main`
    missing[permission] (ci.yml:5): the job `ml` lacks `actions: read` on workflow_run
    missing[permission] (ci.yml:5): the job `ml` lacks `checks: write` on push, workflow_run
    missing[permission] (ci.yml:5): the job `ml` lacks `pull-requests: write` on push, workflow_run
    missing[unsafe-checkout] (ci.yml:10): the job `ml` checks out a pull request's code on `pull_request_target`
    missing[runner] (ci.yml:8): runners of `windows-latest` can not run containers
    missing[input] (ci.yml:13): the action has no input `commands`
    missing[input] (ci.yml:13): the input `comment` can not be `sometimes`
    missing[no-token] (ci.yml:13): the input `github-token` is empty
    missing[no-promote-workflow]: `.github/workflows/mlops-promote.yml` has no job with the action that runs on `workflow_dispatch`
    advice[trigger] (ci.yml:1): no job with the action runs on `issue_comment`
    advice[trigger] (ci.yml:1): no job with the action runs on `schedule`
    advice[trigger] (ci.yml:1): no job with the action runs on `merge_group`
    advice[permission] (ci.yml:5): the job `ml` lacks `deployments: write` on push
    advice[persist-credentials] (ci.yml:10): the checkout of the job `ml` leaves its token behind
    advice[fetch-depth] (ci.yml:10): the checkout of the job `ml` fetches more than one commit
    advice[timeout] (ci.yml:7): the job `ml` has no `timeout-minutes`
    ");
}

/// File of `init`, what is written there, what it becomes, the code of the only finding that matters.
struct Row(&'static str, &'static str, &'static str, &'static str);

const ROWS: &[Row] = &[
    Row(MAIN, "  pull_request:\n", "", "trigger"),
    Row(
        MAIN,
        "  pull_request:\n",
        "  pull_request: {types: [opened]}\n",
        "types",
    ),
    Row(MAIN, "branches: [main]", "branches: [develop]", "default-branch"),
    Row(MAIN, "branches: [main]", "tags: ['v*']", "default-branch"),
    Row(MAIN, "branches: [main]", "branches-ignore: [main]", "default-branch"),
    Row(MAIN, "      checks: write", "      statuses: write", "permission"),
    Row(MAIN, "      contents: write", "      contents: read", "permission"),
    Row(
        MAIN,
        "      pull-requests: write",
        "      pull-requests: read",
        "permission",
    ),
    Row(MAIN, "      issues: write", "      packages: read", "permission"),
    Row(MAIN, "    runs-on: ubuntu-latest", "    runs-on: macos-15", "runner"),
    Row(MAIN, "    runs-on: ubuntu-latest", "    runs-on: ubuntu-slim", "runner"),
    Row(
        MAIN,
        "      - uses: actions/checkout@",
        "      - uses: actions/cache@",
        "no-checkout",
    ),
    Row(MAIN, "name: mlops\n", "name: models\n", "fork-name"),
    Row(MAIN, "command: ${{ inputs.command }}", "command: retrian", "input"),
    Row(MAIN, "command: ${{ inputs.command }}", "commands: run", "input"),
    Row(FORK, "workflows: [mlops]", "workflows: [ci]", "fork-name"),
    Row(FORK, "      actions: read", "      packages: read", "permission"),
    Row(
        FORK,
        "    steps:\n",
        "    steps:\n      - uses: actions/checkout@v7\n        with: {persist-credentials: false, ref: '${{ \
         github.event.workflow_run.head_sha }}'}\n",
        "unsafe-checkout",
    ),
    Row(
        COMMAND,
        "    steps:\n",
        "    steps:\n      - run: gh pr checkout ${{ github.event.issue.number }}\n",
        "unsafe-checkout",
    ),
    Row(COMMAND, "  issue_comment:", "  label:", "trigger"),
    Row(COMMAND, "      actions: write", "      packages: read", "permission"),
    Row(
        PROMOTE,
        "environment: production",
        "environment: prod",
        "environment-name",
    ),
    Row(PROMOTE, "    environment: production\n", "", "environment-name"),
    Row(PROMOTE, "      reason:", "      because:", "promote-inputs"),
    Row(
        PROMOTE,
        "  workflow_dispatch:",
        "  workflow_call:",
        "no-promote-workflow",
    ),
    Row(MAIN, "options: [run, ", "options: [run, promote, ", "approval-beside"),
];

#[test]
fn one_thing_missing_is_one_finding() {
    for Row(file, from, to, code) in ROWS {
        // With an environment a comment only starts what promotes, so that its absence is advice.
        let approval = if *code == "trigger" && *file == COMMAND {
            Approval::Comment
        } else {
            Approval::Environment
        };
        let found = edited(approval, file, from, to);
        let missing: Vec<&Finding> = found.iter().filter(|one| one.matter == Matter::Missing).collect();
        assert_eq!(missing.len(), 1, "{from} → {to}:\n{}", shown(&found));
        assert_eq!(missing[0].code, *code, "{from} → {to}");
        let place = missing[0].place.as_ref().unwrap();
        assert!(place.span.line > 0 && place.file.starts_with(FOLDER), "{from} → {to}");
    }
}

const ADVICE: &[Row] = &[
    Row(
        MAIN,
        "  pull_request:\n",
        "  pull_request: {paths: [data/**]}\n",
        "paths",
    ),
    Row(MAIN, "  merge_group:\n", "", "trigger"),
    Row(
        MAIN,
        "          persist-credentials: false",
        "          show-progress: false",
        "persist-credentials",
    ),
    Row(
        MAIN,
        "persist-credentials: false",
        "fetch-depth: 0\n          persist-credentials: false",
        "fetch-depth",
    ),
    Row(MAIN, "    timeout-minutes: 60\n", "", "timeout"),
    Row(
        MAIN,
        "mlops-action/mlops-action@v1",
        "mlops-action/mlops-action@main",
        "not-pinned",
    ),
    Row(MAIN, "      contents: read", "      contents: write", "too-much"),
    Row(MAIN, "      deployments: write", "      packages: read", "permission"),
];

#[test]
fn advice_does_not_fail() {
    for Row(file, from, to, code) in ADVICE {
        let found = edited(Approval::Comment, file, from, to);
        assert_eq!(found.len(), 1, "{from} → {to}:\n{}", shown(&found));
        assert_eq!(
            (found[0].matter, found[0].code),
            (Matter::Advice, *code),
            "{from} → {to}"
        );
    }
    let pinned = "mlops-action/mlops-action@0123456789abcdef0123456789abcdef01234567";
    assert_eq!(
        edited(Approval::Comment, MAIN, "mlops-action/mlops-action@v1", pinned),
        []
    );
}

#[test]
fn what_only_looks_may_not_write() {
    let text = "on: [push, schedule]\njobs:\n  ml:\n    permissions: {contents: read, checks: write, pull-requests: \
                write}\n    steps:\n      - uses: mlops-action/mlops-action@v1\n        with: {command: COMMAND}\n";
    let lacks =
        |command: &str| about(&text.replace("COMMAND", command), &asks(Approval::Comment)).contains("[permission]");
    assert!(!lacks("check"));
    assert!(lacks("run"));
}

proptest! {
    /// Whatever stands in a workflow, the doctor says something or nothing, and every place is in the file.
    #[test]
    fn any_workflow_can_be_looked_at(cut in 0..3000_usize, length in 0..200_usize, put in "[a-z:{}\\[\\]'\" \n-]{0,12}") {
        for file in workflows(&plan(Approval::Environment)) {
            let mut text: Vec<char> = file.text.chars().collect();
            let from = cut.min(text.len());
            text.splice(from..(from + length).min(text.len()), put.chars());
            let text: String = text.into_iter().collect();
            if let Ok(workflow) = Workflow::read(&file.path, &text) {
                let n_lines = text.lines().count();
                for finding in examine(&asks(Approval::Environment), &[workflow], &somewhere()) {
                    let line = finding.place.map_or(1, |place| place.span.line as usize);
                    prop_assert!((1..=n_lines.max(1)).contains(&line));
                }
            }
        }
    }
}

#[test]
fn data_in_lfs_has_to_be_fetched() {
    let files = read(&workflows(&plan(Approval::Comment)));
    for (attributes, kept) in [
        ("*.csv filter=lfs diff=lfs\n", true),
        ("/data/d.csv filter=lfs\n", true),
        ("data/** filter=lfs\n", true),
        ("*.bin filter=lfs\n*.csv text\n", false),
    ] {
        let here = Surroundings {
            attributes: Some(attributes.to_owned()),
            ..somewhere()
        };
        let found = examine(&asks(Approval::Comment), &files, &here);
        assert_eq!(found.iter().any(|one| one.code == "lfs"), kept, "{attributes}");
    }
}

#[test]
fn the_present_job() {
    let files = read(&workflows(&plan(Approval::Comment)));
    let said = |event: &str, has_token, has_runtime| {
        let here = Surroundings {
            job: Some(CurrentJob {
                event: event.to_owned(),
                has_token,
                has_runtime,
            }),
            ..somewhere()
        };
        let found = examine(&asks(Approval::Comment), &files, &here);
        found.iter().map(|one| one.code).collect::<Vec<_>>()
    };
    assert_eq!(said("pull_request", true, true), [""; 0]);
    assert_eq!(said("pull_request", false, true), ["no-token"]);
    assert_eq!(said("pull_request", true, false), ["no-runtime"]);
    assert_eq!(said("pull_request_target", true, true), ["pull-request-target"]);
}

#[test]
fn fixes_are_yaml_or_a_command() {
    let all = ROWS.iter().chain(ADVICE);
    let found = all.flat_map(|Row(file, from, to, _)| edited(Approval::Environment, file, from, to));
    let (wanted, _) = in_wandb(RegistryChoice::Wandb, Approval::Comment);
    let without_key = examine(&wanted, &read(&workflows(&plan(Approval::Comment))), &somewhere());
    let mut n = 0;
    for fix in found.chain(without_key).filter_map(|finding| finding.fix) {
        n += 1;
        assert!(fix.ends_with('\n'), "{fix}");
        if !fix.starts_with("mlops ") {
            crate::config::tree(&fix, "the fix").unwrap_or_else(|problems| panic!("{problems}\n{fix}"));
        }
    }
    assert!(n > 20, "{n}");
}

/// What init writes for a repository that keeps its versions there.
fn in_wandb(registry: RegistryChoice, approval: Approval) -> (Asks, Vec<Written>) {
    let plan = Plan {
        registry,
        wandb: true,
        ..plan(approval)
    };
    let asks = Asks {
        registry,
        wandb: true,
        ..asks(approval)
    };
    (asks, workflows(&plan))
}

#[test]
fn what_init_writes_for_wandb_is_healthy() {
    for approval in [Approval::Comment, Approval::Environment, Approval::Auto] {
        for registry in [RegistryChoice::Auto, RegistryChoice::Wandb, RegistryChoice::Embedded] {
            let (mut asks, files) = in_wandb(registry, approval);
            for shares_key in [false, true] {
                asks.shares_key = shares_key;
                assert_eq!(shown(&examine(&asks, &read(&files), &somewhere())), "", "{registry:?}");
            }
            for file in &files {
                let gets_key = file.text.contains("wandb-api-key: ${{ secrets.WANDB_API_KEY }}");
                assert_eq!(gets_key, !file.path.ends_with(FORK), "{}", file.path);
                let writes = file.text.contains("contents: write");
                let is_branch = registry != RegistryChoice::Wandb && !file.path.ends_with(FORK);
                assert_eq!(writes, is_branch, "{}", file.path);
            }
        }
    }
    // Back in the repository, the branch has to be written again.
    let (_, files) = in_wandb(RegistryChoice::Wandb, Approval::Comment);
    let said = shown(&examine(&asks(Approval::Comment), &read(&files), &somewhere()));
    assert_eq!(said.matches("lacks `contents: write`").count(), 2, "{said}");
}

#[test]
fn a_job_without_the_key_of_its_registry_is_told() {
    let told = |registry: RegistryChoice| {
        let (asks, _) = in_wandb(registry, Approval::Comment);
        shown(&examine(
            &asks,
            &read(&workflows(&plan(Approval::Comment))),
            &somewhere(),
        ))
    };
    insta::assert_snapshot!(told(RegistryChoice::Wandb), @r"
    missing[wandb-key] (mlops.yml:44): the job `model` has no key of W&B
    missing[wandb-key] (mlops.yml:62): the job `publish` has no key of W&B
    missing[wandb-key] (mlops-command.yml:31): the job `command` has no key of W&B
    ");
    insta::assert_snapshot!(told(RegistryChoice::Embedded), @r"
    advice[wandb-key] (mlops.yml:44): the job `model` has no key of W&B
    advice[wandb-key] (mlops.yml:62): the job `publish` has no key of W&B
    advice[wandb-key] (mlops-command.yml:31): the job `command` has no key of W&B
    ");
}

/// One job with the action, `MORE` beside its steps and `WITH` in its step.
fn with_key(on: &str, more: &str, with: &str) -> Vec<&'static str> {
    let (asks, _) = in_wandb(RegistryChoice::Wandb, Approval::Comment);
    let asks = Asks {
        shares_key: true,
        ..asks
    };
    let text = format!(
        "on: {on}\njobs:\n  m:\n    runs-on: ubuntu-latest\n    {more}\n    steps:\n      - uses: actions/checkout@v7\n      \
         - uses: {}@v1\n        {with}\n",
        super::super::ACTION
    );
    let workflow = Workflow::read(".github/workflows/m.yml", &text).unwrap();
    let found = examine(&asks, &[workflow], &somewhere());
    let mut codes: Vec<&str> = found.iter().map(|one| one.code).collect();
    codes.retain(|code| code.contains("key"));
    codes
}

#[test]
fn every_way_to_a_key_is_known() {
    for (more, with) in [
        ("env: {WANDB_API_KEY: '${{ secrets.KEY }}'}", ""),
        ("env: {WANDB_IDENTITY_TOKEN_FILE: /tmp/jwt}", ""),
        ("permissions: {id-token: write, contents: read}", ""),
        ("permissions: write-all", ""),
        ("", "env: {WANDB_API_KEY: '${{ secrets.KEY }}'}"),
        ("", "with: {WANDB-API-KEY: '${{ secrets.OTHER || secrets.KEY }}'}"),
        ("", "with: {wandb-api-key: '${{ inputs.key }}'}"),
    ] {
        assert_eq!(with_key("push", more, with), [""; 0], "{more}{with}");
    }
    for (more, with) in [
        ("", ""),
        ("", "with: {wandb-api-key: ''}"),
        ("", "env: {WANDB_API_KEY: }"),
    ] {
        assert_eq!(with_key("push", more, with), ["wandb-key"], "{more}{with}");
    }
}

#[test]
fn a_key_that_others_get_is_told() {
    let secret = "with: {wandb-api-key: '${{ secrets.KEY }}'}";
    for (on, more, with, told) in [
        (
            "push",
            "",
            "with: {wandb-api-key: 0123456789abcdef}",
            ["wandb-key-in-file"].as_slice(),
        ),
        (
            "push",
            "env: {WANDB_API_KEY: 0123456789abcdef}",
            "",
            &["wandb-key-in-file"],
        ),
        (
            "push",
            "",
            "with: {wandb-api-key: '${{ vars.KEY }}'}",
            &["wandb-key-in-file"],
        ),
        ("workflow_run", "", secret, &["wandb-key-unused"]),
        ("workflow_run", "", "", &[]),
        ("pull_request_target", "", secret, &["shared-key"]),
        ("issue_comment", "", secret, &[]),
    ] {
        assert_eq!(with_key(on, more, with), told, "{on} {more}{with}");
    }
    let (asks, files) = in_wandb(RegistryChoice::Wandb, Approval::Comment);
    let mut files = files;
    for file in &mut files {
        file.text = file.text.replace(
            "${{ secrets.WANDB_API_KEY }}",
            "0123456789abcdef0123456789abcdef01234567",
        );
    }
    for finding in examine(&asks, &read(&files), &somewhere()) {
        assert!(!format!("{finding:?}").contains("0123456789abcdef"), "{finding:?}");
    }
}

#[test]
fn the_present_key() {
    let said = |access: Access, event: Option<&str>, about: bool, registry| {
        let (mut asks, files) = in_wandb(registry, Approval::Comment);
        asks.wandb = about;
        let here = Surroundings {
            wandb: access,
            job: event.map(|event| CurrentJob {
                event: event.to_owned(),
                has_token: true,
                has_runtime: true,
            }),
            ..somewhere()
        };
        let found = examine(&asks, &read(&files), &here);
        let words = found.iter().map(|one| format!("{} {}", one.matter.word(), one.code));
        words.collect::<Vec<_>>().join(", ")
    };
    let (auto, wandb, embedded) = (RegistryChoice::Auto, RegistryChoice::Wandb, RegistryChoice::Embedded);
    let broken = || Access::Broken("what `WANDB_API_KEY` holds is too short".to_owned());
    assert_eq!(said(Access::Usable, Some("push"), true, wandb), "");
    assert_eq!(said(Access::Nothing, None, true, wandb), "");
    assert_eq!(said(Access::Nothing, Some("push"), true, wandb), "missing wandb-key");
    assert_eq!(said(Access::Nothing, Some("push"), true, embedded), "advice wandb-key");
    assert_eq!(
        said(Access::Nothing, Some("pull_request"), true, wandb),
        "advice wandb-key"
    );
    assert_eq!(said(Access::Nothing, Some("workflow_run"), true, wandb), "");
    assert_eq!(said(Access::Nothing, Some("push"), false, auto), "");
    assert_eq!(said(broken(), None, false, auto), "missing wandb-key-form");
    assert_eq!(said(broken(), Some("push"), true, embedded), "missing wandb-key-form");
    assert_eq!(said(broken(), None, false, embedded), "");
}
