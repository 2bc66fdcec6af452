//! What an event asks for: from context and inputs to a job. Pure.

use crate::base::CommitSha;
use crate::github::{Context, Event, Inputs, IssueComment, Trust, WorkflowRun, trust};

/// What there is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    Evaluate(Evaluate),
    /// Configuration, data, lint and tests; checks, and no training.
    Check(Evaluate),
    /// The facts of a run without rights, shown by one that has them.
    Report(WorkflowRun),
    /// Somebody's comment, which may hold a command.
    Comment(IssueComment),
    Move(Move),
    Doctor,
    Nothing {
        why: String,
    },
    Refuse {
        why: String,
        help: String,
    },
}

/// A run of the lifecycle, and where it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluate {
    /// The commit that checks belong to; `None`: the API knows it.
    pub head: Option<CommitSha>,
    /// Why a model that passes is not published.
    pub keep_back: Option<&'static str>,
    pub place: Place,
}

/// What is written outside the runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Checks and the comment of this pull request.
    Pull(u64),
    /// Nothing: the token may only read. The facts go up as an artifact, and a run with rights shows them.
    ReadOnly,
    /// Checks, and the pull request that this commit came from.
    DefaultBranch,
    /// As [`Place::DefaultBranch`], and one issue while it does not pass.
    Schedule,
    /// Checks alone.
    Commit,
}

/// A command on the registry without a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    Promote,
    Rollback,
    Plan,
    Status,
}

impl Move {
    /// As trackers name the run of it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Plan => "plan",
            Self::Status => "status",
        }
    }
}

/// What to do for this event, with these inputs.
pub fn plan(context: &Context, inputs: &Inputs) -> Job {
    let command = inputs.command.as_deref();
    let may_write = match trust(context) {
        Trust::Full | Trust::ReportOnly | Trust::CommandOnly => true,
        Trust::ReadOnlyFork => false,
        Trust::Refused { why, help } => return refuse(&why, &help),
    };
    // What is written where the token may write.
    let place = |place: Place| if may_write { place } else { Place::ReadOnly };
    match &context.event {
        Event::WorkflowRun(run) => match command {
            None | Some("publish-report") => Job::Report(run.clone()),
            Some("doctor") => Job::Doctor,
            Some(other) => unsafe_event(other, "workflow_run"),
        },
        Event::IssueComment(comment) => match command {
            None if comment.may_command() => Job::Comment(comment.clone()),
            None => nothing("only a person's new comment on a pull request can hold a command"),
            Some("doctor") => Job::Doctor,
            Some(other) => unsafe_event(other, "issue_comment"),
        },
        Event::PullRequest(pull) | Event::PullRequestTarget(pull) => {
            let evaluate = Evaluate {
                head: pull.head.clone(),
                keep_back: Some("it is published once this is merged"),
                place: place(Place::Pull(pull.number)),
            };
            match command {
                _ if pull.action.as_deref() == Some("closed") => {
                    nothing("the pull request is closed: the default branch reports what was merged")
                }
                None | Some("run") => Job::Evaluate(evaluate),
                Some("check") => Job::Check(evaluate),
                Some("doctor") => Job::Doctor,
                Some("status") => Job::Move(Move::Status),
                Some("plan") => Job::Move(Move::Plan),
                Some(other) => refuse(
                    &format!("`{other}` would act on production for code that nobody has merged"),
                    "start it from the default branch, or by a comment such as `/mlops promote`",
                ),
            }
        }
        Event::Push(push) if push.is_deleted => nothing("the branch was deleted"),
        Event::MergeGroup(group) => on_branch(
            command,
            Evaluate {
                head: group.head.clone(),
                keep_back: Some("it is published once this is merged"),
                place: place(Place::Commit),
            },
        ),
        Event::Push(_)
        | Event::WorkflowDispatch { .. }
        | Event::RepositoryDispatch { .. }
        | Event::Schedule { .. }
        | Event::Other(_) => {
            let is_default = context.is_on_default_branch();
            let shown = match (&context.event, is_default) {
                (Event::Schedule { .. }, true) => Place::Schedule,
                (_, true) => Place::DefaultBranch,
                (_, false) => Place::Commit,
            };
            let keep_back = match (is_default, may_write) {
                (true, true) => None,
                (true, false) => Some("the token of this run may only read"),
                (false, _) => Some("only the default branch publishes"),
            };
            on_branch(
                command,
                Evaluate {
                    head: context.head().cloned(),
                    keep_back,
                    place: place(shown),
                },
            )
        }
    }
}

/// The commands that an event of a branch knows.
fn on_branch(command: Option<&str>, evaluate: Evaluate) -> Job {
    let moves = |to: Move| match (evaluate.keep_back, evaluate.place) {
        (None, _) => Job::Move(to),
        (Some(_), Place::ReadOnly) => refuse(
            "production does not move in a run whose token may only read",
            "start the workflow on the default branch by hand",
        ),
        (Some(_), _) => refuse(
            "production moves from the default branch alone",
            "start the workflow on the default branch",
        ),
    };
    match command {
        None | Some("run" | "retrain") => Job::Evaluate(evaluate),
        Some("check") => Job::Check(evaluate),
        Some("promote") => moves(Move::Promote),
        Some("rollback") => moves(Move::Rollback),
        Some("plan") => Job::Move(Move::Plan),
        Some("status") => Job::Move(Move::Status),
        Some("doctor") => Job::Doctor,
        Some(other) => refuse(
            &format!("`{other}` has nothing to do in this event"),
            "leave `command` out: the event says what is done",
        ),
    }
}

fn nothing(why: &str) -> Job {
    Job::Nothing { why: why.to_owned() }
}

fn refuse(why: &str, help: &str) -> Job {
    Job::Refuse {
        why: why.to_owned(),
        help: help.to_owned(),
    }
}

fn unsafe_event(command: &str, event: &str) -> Job {
    refuse(
        &format!("`{command}` is not done in `{event}`, which has the repository's secrets whoever caused it"),
        "leave `command` out, and run the repository's code on `pull_request`, `push` or `workflow_dispatch`",
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn planned(event: &str, payload: &str, env: &[(&str, &str)]) -> Job {
        let mut all: BTreeMap<String, String> = [
            ("GITHUB_EVENT_NAME", event),
            ("GITHUB_REPOSITORY", "ada/model"),
            ("GITHUB_RUN_ID", "7"),
            ("GITHUB_WORKSPACE", "/w"),
            ("GITHUB_SHA", "1111111111111111111111111111111111111111"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_ACTOR", "ada"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        all.extend(
            env.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let context = Context::read(&all, Some(payload.as_bytes())).unwrap();
        plan(&context, &Inputs::read(&all).unwrap())
    }

    fn pull(head_id: u64, more: &str) -> String {
        format!(
            r#"{{"action": "opened", "number": 7, "pull_request": {{"number": 7, "user": {{"login": "bob"}},
            "head": {{"sha": "{}", "ref": "x", "repo": {{"id": {head_id}}}}},
            "base": {{"sha": "{}", "ref": "main", "repo": {{"id": 1}}}}}} {more}}}"#,
            "2".repeat(40),
            "3".repeat(40)
        )
    }

    const MAIN: &str = r#"{"after": "1111111111111111111111111111111111111111", "ref": "refs/heads/main",
        "repository": {"id": 1, "default_branch": "main"}}"#;

    #[test]
    fn every_event_has_its_job() {
        let head: CommitSha = "2".repeat(40).parse().unwrap();
        let evaluate = |job: Job| match job {
            Job::Evaluate(evaluate) => evaluate,
            other => panic!("{other:?}"),
        };
        let own = evaluate(planned("pull_request", &pull(1, ""), &[]));
        assert_eq!((own.head.as_ref(), own.place), (Some(&head), Place::Pull(7)));
        assert!(own.keep_back.is_some());
        assert_eq!(
            evaluate(planned("pull_request", &pull(2, ""), &[])).place,
            Place::ReadOnly
        );
        let push = evaluate(planned("push", MAIN, &[]));
        assert_eq!((push.keep_back, push.place), (None, Place::DefaultBranch));
        let branch = evaluate(planned("push", MAIN, &[("GITHUB_REF", "refs/heads/other")]));
        assert_eq!(
            (branch.keep_back.is_some(), branch.place),
            (true, Place::Commit),
            "another branch"
        );
        let scheduled = evaluate(planned("schedule", MAIN, &[]));
        assert_eq!((scheduled.keep_back, scheduled.place), (None, Place::Schedule));
        assert!(evaluate(planned("merge_group", "{}", &[])).keep_back.is_some());
        for (event, env) in [
            ("release", vec![]),
            ("pull_request_review", vec![]),
            ("push", vec![("GITHUB_ACTOR", "dependabot[bot]")]),
        ] {
            let without_rights = evaluate(planned(event, MAIN, &env));
            assert_eq!(
                (without_rights.keep_back.is_some(), without_rights.place),
                (true, Place::ReadOnly),
                "{event}"
            );
        }
        assert!(matches!(planned("workflow_run", "{}", &[]), Job::Report(_)));
        assert!(matches!(planned("issue_comment", "{}", &[]), Job::Nothing { .. }));
        assert!(matches!(
            planned("pull_request", &pull(1, "").replace("opened", "closed"), &[]),
            Job::Nothing { .. }
        ));
    }

    #[test]
    fn no_event_with_secrets_runs_code_that_is_not_merged() {
        for (event, payload) in [
            ("pull_request_target", pull(2, "")),
            ("workflow_run", "{}".to_owned()),
            ("issue_comment", "{}".to_owned()),
        ] {
            for command in ["run", "check", "retrain", "promote"] {
                let job = planned(event, &payload, &[("INPUT_COMMAND", command)]);
                assert!(matches!(job, Job::Refuse { .. }), "{event} {command}: {job:?}");
            }
        }
    }

    #[test]
    fn production_moves_from_the_default_branch_alone() {
        for command in ["promote", "rollback"] {
            let asked = [("INPUT_COMMAND", command)];
            assert!(matches!(planned("workflow_dispatch", MAIN, &asked), Job::Move(_)));
            assert!(matches!(
                planned("pull_request", &pull(1, ""), &asked),
                Job::Refuse { .. }
            ));
            let elsewhere = [("INPUT_COMMAND", command), ("GITHUB_REF", "refs/heads/other")];
            assert!(matches!(
                planned("workflow_dispatch", MAIN, &elsewhere),
                Job::Refuse { .. }
            ));
            assert!(matches!(planned("merge_group", "{}", &asked), Job::Refuse { .. }));
            assert!(matches!(planned("release", MAIN, &asked), Job::Refuse { .. }));
        }
        let status = planned("workflow_dispatch", MAIN, &[("INPUT_COMMAND", "status")]);
        assert_eq!(status, Job::Move(Move::Status));
    }
}
