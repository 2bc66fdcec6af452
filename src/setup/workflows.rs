//! The workflow files that `init` writes. Pure.

use std::fmt::Write as _;

use crate::config::{Approval, RegistryChoice};

use super::wandb::SECRET;
use super::{ACTION, CHECKOUT, quoted};

/// What the workflows are written for.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub default_branch: String,
    /// The folder of the project below the repository's root; empty for the root itself.
    pub directory: String,
    /// The configuration, when it is not where it is looked for.
    pub config: Option<String>,
    pub approval: Approval,
    /// The alias that is promoted to, which is the environment's name too.
    pub environment: String,
    /// Where versions are kept.
    pub registry: RegistryChoice,
    /// The jobs get the key of W&B.
    pub wandb: bool,
}

/// A file to write, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// From the repository's root.
    pub path: String,
    pub text: String,
    pub why: &'static str,
}

pub const FOLDER: &str = ".github/workflows";
pub const MAIN: &str = "mlops.yml";
pub const FORK: &str = "mlops-fork.yml";
pub const COMMAND: &str = "mlops-command.yml";
pub const PROMOTE: &str = "mlops-promote.yml";

/// Every workflow that the plan needs.
pub fn workflows(plan: &Plan) -> Vec<Written> {
    let file = |name: &str, text: String, why| Written {
        path: format!("{FOLDER}/{name}"),
        text,
        why,
    };
    let mut files = vec![
        file(
            MAIN,
            main(plan),
            "judges pull requests; publishes on the default branch, weekly and when asked",
        ),
        file(
            FORK,
            fork(),
            "shows the results of pull requests from forks, whose own runs may write nothing",
        ),
        file(
            COMMAND,
            command(plan),
            "answers `/mlops …` comments of people who may write to the repository",
        ),
    ];
    if plan.approval == Approval::Environment {
        files.push(file(
            PROMOTE,
            promote(plan),
            "promotes once the environment's reviewers have agreed",
        ));
    }
    files
}

/// The steps of a job that works with the repository's code: checkout, then the action.
fn steps(plan: &Plan, with: &[(&str, &str)]) -> String {
    let mut text = format!(
        "    steps:
      - uses: {CHECKOUT}
        with:
          persist-credentials: false # no step and no training code finds the token
"
    );
    let mut inputs: Vec<(&str, String)> = Vec::new();
    if !plan.directory.is_empty() {
        inputs.push(("directory", quoted(&plan.directory)));
    }
    if let Some(config) = &plan.config {
        inputs.push(("config", quoted(config)));
    }
    if plan.wandb {
        inputs.push((
            "wandb-api-key",
            format!("{SECRET} # empty in pull requests of forks and of Dependabot"),
        ));
    }
    inputs.extend(with.iter().map(|(key, value)| (*key, (*value).to_owned())));
    action(&mut text, &inputs);
    text
}

/// The action's step; the tag is moved to every release of its major version.
fn action(text: &mut String, inputs: &[(&str, String)]) {
    // Writing to a string can not fail.
    let _ = writeln!(
        text,
        "      # `v1` follows the releases; to pin one, write its commit and keep its tag: @<commit> # v1.2.3
      - uses: {ACTION}@v1 # zizmor: ignore[unpinned-uses] a line for people to start with"
    );
    if !inputs.is_empty() {
        text.push_str("        with:\n");
    }
    for (key, value) in inputs {
        let _ = writeln!(text, "          {key}: {value}");
    }
}

/// The permission for what is kept on the registry's branch; in W&B nothing is.
fn contents(plan: &Plan, kept: &str) -> String {
    match plan.registry {
        RegistryChoice::Wandb => "contents: read # to check the code out; versions are in W&B".to_owned(),
        RegistryChoice::Auto | RegistryChoice::Embedded => {
            format!("contents: write # for {kept}, on the branch `mlops-registry`")
        }
    }
}

fn main(plan: &Plan) -> String {
    let branch = quoted(&plan.default_branch);
    // What is approved in an environment is not started beside it.
    let (commands, version) = if plan.approval == Approval::Environment {
        ("[run, check, plan, status, retrain, doctor]", "")
    } else {
        (
            "[run, check, plan, status, retrain, promote, rollback, doctor]",
            "      version:
        description: For promote; a version or an alias, `candidate` when empty
        required: false
",
        )
    };
    let inputs = [
        ("command", "${{ inputs.command }}"),
        ("version", "${{ inputs.version }}"),
    ];
    let n_inputs = if version.is_empty() { 1 } else { 2 };
    format!(
        "# Written by `mlops init`. `mlops doctor` says what is missing after a change.
name: mlops

on:
  pull_request:
  merge_group:
  push:
    branches: [{branch}]
  schedule:
    - cron: '17 5 * * 1' # on Mondays: does all of it still pass?
  workflow_dispatch:
    inputs:
      command:
        description: What to do
        type: choice
        options: {commands}
        default: run
{version}
permissions: {{}}

concurrency:
  group: mlops-${{{{ github.event.pull_request.number || github.ref }}}}
  cancel-in-progress: ${{{{ github.event_name == 'pull_request' }}}} # a publication is not cut short

jobs:
  # The conclusion of this job is the verdict: it is the one for branch protection to require.
  model:
    name: model
    if: github.event_name == 'pull_request' || github.event_name == 'merge_group'
    runs-on: ubuntu-latest
    timeout-minutes: 60
    permissions:
      contents: read # to check the code out
      checks: write # for the verdict, and one check for each gate
      pull-requests: write # for the one comment
{judge}
  publish:
    name: publish
    if: github.event_name != 'pull_request' && github.event_name != 'merge_group'
    runs-on: ubuntu-latest
    timeout-minutes: 120
    permissions:
      {contents}
      checks: write # for the verdict, and one check for each gate
      pull-requests: write # for the version in the comment of what was merged, which `/mlops promote` reads there
      issues: write # for the one issue while the scheduled run does not pass
      deployments: write # for the record of what is in production
{publish}",
        contents = contents(plan, "versions and the ledger"),
        judge = steps(plan, &[]),
        publish = steps(plan, &inputs[..n_inputs]),
    )
}

fn fork() -> String {
    let mut text =
        "# Written by `mlops init`. A pull request from a fork, or of Dependabot, is judged with a token that may write
# nothing. This workflow reads the facts that it left, as data that anybody may have written, and shows them. It checks
# out no code.
name: mlops fork

on:
  workflow_run: # zizmor: ignore[dangerous-triggers] no code of the pull request is checked out or run
    workflows: [mlops]
    types: [completed]

permissions: {}

concurrency:
  group: mlops-fork-${{ github.event.workflow_run.head_repository.id }}-${{ github.event.workflow_run.head_branch }}
  cancel-in-progress: true

jobs:
  report:
    name: report
    if: >-
      github.event.workflow_run.event == 'pull_request' &&
      (github.event.workflow_run.head_repository.full_name != github.repository ||
      github.event.workflow_run.actor.login == 'dependabot[bot]')
    runs-on: ubuntu-latest
    timeout-minutes: 10
    permissions:
      actions: read # to read the facts that the fork's run left
      contents: read # to find the pull request of the commit
      checks: write # for the verdict, and one check for each gate
      pull-requests: write # for the one comment
    steps:
"
        .to_owned();
    action(&mut text, &[]);
    text
}

fn command(plan: &Plan) -> String {
    let start = if plan.approval == Approval::Environment {
        "      actions: write # to start `mlops-promote.yml`, where the environment's reviewers agree\n"
    } else {
        ""
    };
    format!(
        "# Written by `mlops init`. Answers `/mlops plan | promote | rollback | retrain | status | help` on pull requests. Whoever
# may not write to the repository is refused. The code is the default branch's, never the pull request's.
name: mlops command

on:
  issue_comment: # zizmor: ignore[dangerous-triggers] the author is checked, no code of the pull request is run
    types: [created]

permissions: {{}}

concurrency:
  group: mlops-command-${{{{ github.event.issue.number }}}}-${{{{ github.event.comment.id }}}}
  cancel-in-progress: false

jobs:
  command:
    name: command
    if: github.event.issue.pull_request && startsWith(github.event.comment.body, '/mlops')
    runs-on: ubuntu-latest
    timeout-minutes: 60
    permissions:
{start}      {contents}
      checks: write # for what `/mlops retrain` finds
      pull-requests: write # for the reaction and the answer
      deployments: write # for the record of what is in production
{steps}",
        contents = contents(plan, "versions and the ledger"),
        steps = steps(plan, &[]),
    )
}

fn promote(plan: &Plan) -> String {
    let environment = &plan.environment;
    format!(
        "# Written by `mlops init`. The job waits until the reviewers of the environment have agreed: add them under
# Settings → Environments → {environment} → Required reviewers. Without reviewers nothing waits.
name: mlops promote

on:
  workflow_dispatch:
    inputs:
      command:
        description: Promote a version, or take the last promotion back
        type: choice
        options: [promote, rollback]
        default: promote
      version:
        description: A version or an alias, `candidate` when empty
        required: false
      reason:
        description: Why, for the ledger
        required: false

permissions: {{}}

concurrency:
  group: mlops-promote
  cancel-in-progress: false

jobs:
  promote:
    name: promote
    environment: {quoted}
    runs-on: ubuntu-latest
    timeout-minutes: 60
    permissions:
      {contents}
      deployments: write # for the record of what is in production
{steps}",
        contents = contents(plan, "the ledger"),
        quoted = quoted(environment),
        steps = steps(
            plan,
            &[
                ("command", "${{ inputs.command }}"),
                ("version", "${{ inputs.version }}"),
                ("reason", "${{ inputs.reason }}"),
            ]
        ),
    )
}
