//! Every call of every surface against every fault: the right kind of error, and nothing done twice.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::world::{NAME, World, connection};
use crate::base::CommitSha;
use crate::github::checks::{self, Annotation, Check, CheckId, Conclusion, Level, Output};
use crate::github::comments::{self, Found, How, Sticky};
use crate::github::deployments::{self, Deployment};
use crate::github::issues::{self, OpenIssue, Permission, Reaction, Standing};
use crate::github::retry::Fault;
use crate::github::{Client, Connection, GithubError, Repository};
use crate::github::{pulls, workflows};
use crate::twin::{Fault as Planned, Kind};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Start,
    Finish,
    FinishNew,
    Cancel,
    Find,
    CreateComment,
    EditComment,
    RepostComment,
    React,
    Reply,
    Permission,
    FindIssue,
    OpenIssue,
    UpdateIssue,
    CloseIssue,
    Pull,
    MergedAs,
    OpenAt,
    OpenFrom,
    FileAt,
    Dispatch,
    Record,
}

const ALL: [Call; 22] = [
    Call::Start,
    Call::Finish,
    Call::FinishNew,
    Call::Cancel,
    Call::Find,
    Call::CreateComment,
    Call::EditComment,
    Call::RepostComment,
    Call::React,
    Call::Reply,
    Call::Permission,
    Call::FindIssue,
    Call::OpenIssue,
    Call::UpdateIssue,
    Call::CloseIssue,
    Call::Pull,
    Call::MergedAs,
    Call::OpenAt,
    Call::OpenFrom,
    Call::FileAt,
    Call::Dispatch,
    Call::Record,
];

/// What one call stands on, made for it alone.
struct Case {
    call: Call,
    repository: Repository,
    pull: u64,
    head: CommitSha,
    check: Check,
    check_id: Option<CheckId>,
    sticky: Sticky,
    comment: Option<Found>,
    comment_id: u64,
    standing: Standing,
    issue: Option<OpenIssue>,
}

impl Case {
    async fn new(world: &World, call: Call) -> Self {
        let (pull, head) = world.pull();
        let (client, repository) = (&world.client, world.repository.clone());
        let check = Check {
            name: "mlops / churn".to_owned(),
            head: head.clone(),
            external_id: format!("1-1-job-{pull}"),
            details_url: Some("https://github.com/ada/models/actions/runs/1".to_owned()),
        };
        let sticky = Sticky {
            issue: pull,
            key: "churn".to_owned(),
        };
        let standing = Standing {
            key: format!("drift-{pull}"),
            label: None,
        };
        let needs_check = matches!(call, Call::Finish | Call::Cancel);
        let check_id = if needs_check {
            Some(
                checks::start(client, &repository, &check, "Training", "…")
                    .await
                    .unwrap(),
            )
        } else {
            None
        };
        let (mut comment, mut issue) = (None, None);
        if matches!(call, Call::EditComment | Call::RepostComment) {
            comments::publish(client, &repository, &sticky, None, "old", &Value::Null, How::Edit)
                .await
                .unwrap();
            comment = comments::find(client, &repository, &sticky).await.unwrap();
        }
        if matches!(call, Call::UpdateIssue | Call::CloseIssue) {
            issues::raise(client, &repository, &standing, None, "Drift", "old", &Value::Null)
                .await
                .unwrap();
            issue = issues::standing(client, &repository, &standing).await.unwrap();
        }
        let comment_id = world.twin.state().comment(NAME, pull, "ada", "/mlops promote");
        Self {
            call,
            repository,
            pull,
            head,
            check,
            check_id,
            sticky,
            comment,
            comment_id,
            standing,
            issue,
        }
    }

    /// The request that fails, by its method and a part of its path that no other case has.
    fn request(&self) -> (&'static str, String) {
        let check_run = self.check_id.map_or(0, |id| id.0);
        let comment = self.comment.as_ref().map_or(0, |found| found.id);
        let issue = self.issue.as_ref().map_or(0, |found| found.number);
        match self.call {
            Call::Start | Call::FinishNew => ("POST", "/check-runs".to_owned()),
            Call::Finish | Call::Cancel => ("PATCH", format!("/check-runs/{check_run}")),
            Call::Find => ("GET", format!("/issues/{}/comments", self.pull)),
            Call::CreateComment | Call::RepostComment | Call::Reply => {
                ("POST", format!("/issues/{}/comments", self.pull))
            }
            Call::EditComment => ("PATCH", format!("/issues/comments/{comment}")),
            Call::React => ("POST", format!("/issues/comments/{}/reactions", self.comment_id)),
            Call::Permission => ("GET", "/collaborators/ada/permission".to_owned()),
            Call::FindIssue => ("GET", format!("/repos/{NAME}/issues")),
            Call::OpenIssue => ("POST", format!("/repos/{NAME}/issues")),
            Call::UpdateIssue | Call::CloseIssue => ("PATCH", format!("/issues/{issue}")),
            Call::Pull => ("GET", format!("/pulls/{}", self.pull)),
            Call::MergedAs | Call::OpenAt => ("GET", format!("/commits/{}/pulls", self.head)),
            Call::OpenFrom => ("GET", format!("/repos/{NAME}/pulls")),
            Call::FileAt => ("GET", "/contents/mlops.yaml".to_owned()),
            Call::Dispatch => ("POST", "/actions/workflows/promote.yml/dispatches".to_owned()),
            Call::Record => ("POST", format!("/repos/{NAME}/deployments")),
        }
    }

    async fn run(&self, client: &Client) -> Result<(), GithubError> {
        let repository = &self.repository;
        let say = |how| {
            let found = self.comment.clone();
            comments::publish(client, repository, &self.sticky, found, "new", &Value::Null, how)
        };
        match self.call {
            Call::Start => {
                checks::start(client, repository, &self.check, "Training", "Step 1").await?;
            }
            Call::Finish | Call::FinishNew => {
                let output = Output {
                    title: "Worse".to_owned(),
                    summary: "AUC 0.87".to_owned(),
                    text: Some("…".to_owned()),
                    annotations: (1..=60).map(annotation).collect(),
                };
                checks::finish(
                    client,
                    repository,
                    &self.check,
                    self.check_id,
                    Conclusion::Failure,
                    &output,
                )
                .await?;
            }
            Call::Cancel => checks::cancel(client, repository, &self.check, self.check_id).await?,
            Call::Find => {
                comments::find(client, repository, &self.sticky).await?;
            }
            Call::CreateComment | Call::EditComment => {
                say(How::Edit).await?;
            }
            Call::RepostComment => {
                say(How::Repost).await?;
            }
            Call::React => issues::react(client, repository, self.comment_id, Reaction::Eyes).await?,
            Call::Reply => {
                issues::reply(client, repository, self.pull, "Promoted.", "promote-1").await?;
            }
            Call::Permission => {
                issues::permission(client, repository, "ada").await?;
            }
            Call::FindIssue => {
                issues::standing(client, repository, &self.standing).await?;
            }
            Call::OpenIssue | Call::UpdateIssue => {
                let found = self.issue.clone();
                issues::raise(
                    client,
                    repository,
                    &self.standing,
                    found,
                    "Drift",
                    "new",
                    &json!({"n": 1}),
                )
                .await?;
            }
            Call::CloseIssue => {
                let found = self.issue.as_ref().unwrap();
                issues::settle(client, repository, &self.standing, found, "Gone.").await?;
            }
            Call::Pull => {
                pulls::pull(client, repository, self.pull).await?;
            }
            Call::MergedAs => {
                pulls::merged_as(client, repository, &self.head).await?;
            }
            Call::OpenAt => {
                pulls::open_at(client, repository, &self.head).await?;
            }
            Call::OpenFrom => {
                pulls::open_from(client, repository, "ada", "branch", &self.head).await?;
            }
            Call::FileAt => {
                pulls::file_at(client, repository, "mlops.yaml", "main").await?;
            }
            Call::Dispatch => {
                let inputs = [("version".to_owned(), self.pull.to_string())].into();
                workflows::dispatch(client, repository, "promote.yml", "main", &inputs).await?;
            }
            Call::Record => {
                let deployment = Deployment {
                    environment: "production".to_owned(),
                    sha: self.head.clone(),
                    description: "é".repeat(200),
                    payload: json!({"model": "churn", "version": self.pull}),
                    url: Some("https://github.com/ada/models/actions/runs/1".to_owned()),
                };
                deployments::record(client, repository, &deployment).await?;
            }
        }
        Ok(())
    }

    /// How many of the thing there are that this call makes; calls that make nothing have one.
    fn n_made(&self, world: &World) -> usize {
        let state = world.twin.state();
        let marked = |mark: &str| {
            let comments = state.comments(NAME, self.pull);
            comments
                .iter()
                .filter(|comment| comment.body().starts_with(mark))
                .count()
        };
        let runs = state.check_runs(NAME, self.head.as_str());
        match self.call {
            Call::Start => runs.len(),
            Call::Cancel => runs
                .iter()
                .filter(|run| run.conclusion.as_deref() == Some("cancelled"))
                .count(),
            // Sixty annotations are one.
            Call::Finish | Call::FinishNew => runs.iter().map(|run| run.annotations.len()).sum::<usize>().div_ceil(60),
            Call::CreateComment | Call::EditComment | Call::RepostComment => {
                marked("<!-- mlops-action:churn:v1 -->\nnew")
            }
            Call::Reply => marked("<!-- mlops-reply:promote-1:v1 -->"),
            Call::React => {
                let comments = state.comments(NAME, self.pull);
                comments.iter().map(|comment| comment.reactions.len()).sum()
            }
            Call::OpenIssue | Call::UpdateIssue => {
                let mark = format!("<!-- mlops-issue:{}:v1 -->\nnew", self.standing.key);
                let issues = state.repositories[NAME].issues.values();
                issues
                    .filter(|issue| issue.is_open && issue.body.starts_with(&mark))
                    .count()
            }
            Call::CloseIssue => {
                let number = self.issue.as_ref().unwrap().number;
                let is_closed = !state.repositories[NAME].issues[&number].is_open;
                state.comments(NAME, number).len() * usize::from(is_closed)
            }
            Call::Dispatch => {
                let version = self.pull.to_string();
                let dispatches = state.repositories[NAME].dispatches.iter();
                dispatches
                    .filter(|one| one.inputs["version"].as_str() == Some(&version))
                    .count()
            }
            Call::Record => {
                let deployments = state.repositories[NAME].deployments.values();
                deployments
                    .filter(|one| one.sha == self.head.as_str())
                    .map(|one| one.statuses.len())
                    .sum()
            }
            Call::Find
            | Call::Permission
            | Call::FindIssue
            | Call::Pull
            | Call::MergedAs
            | Call::OpenAt
            | Call::OpenFrom
            | Call::FileAt => 1,
        }
    }
}

fn annotation(line: u32) -> Annotation {
    Annotation {
        path: "mlops.yaml".to_owned(),
        line,
        end_line: line,
        columns: Some((1, 4)),
        level: Level::Warning,
        title: "gate".to_owned(),
        message: "0.8 < 0.9".to_owned(),
    }
}

fn status(code: u16, headers: &[(&str, &str)], message: &str) -> Kind {
    let headers: BTreeMap<_, _> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Kind::Status {
        code,
        headers,
        body: json!({ "message": message, "documentation_url": "https://docs.github.com/rest" }),
    }
}

/// What passes by itself costs nothing but time, and nothing is there twice.
#[tokio::test]
async fn every_call_survives_every_fault_that_passes_and_does_nothing_twice() {
    for call in ALL {
        let world = World::new();
        for kind in [
            Kind::status(500),
            Kind::status(502),
            Kind::status(503),
            Kind::DropBefore,
            Kind::DropAfter,
            Kind::Truncated,
            Kind::StatusAfter {
                code: 502,
                body: json!({ "message": "Server Error" }),
            },
            status(429, &[("retry-after", "1")], "You have exceeded a secondary rate limit"),
            status(403, &[("retry-after", "1")], "You have exceeded a secondary rate limit"),
        ] {
            let case = Case::new(&world, call).await;
            let (method, path) = case.request();
            world.twin.fault(Planned::once(method, &path, kind.clone()));
            case.run(&world.client)
                .await
                .unwrap_or_else(|error| panic!("{call:?} {kind:?} {error:?}"));
            assert_eq!(
                world.twin.state().faults.last().unwrap().times,
                0,
                "{call:?} {kind:?} met it"
            );
            assert_eq!(case.n_made(&world), 1, "{call:?} {kind:?}");
            world.twin.state().faults.clear();
            // The same once more: nothing new, but of the three that say that they are not for that.
            if !matches!(call, Call::Start | Call::Finish | Call::Dispatch) {
                case.run(&world.client).await.unwrap();
                assert!(case.n_made(&world) <= 1, "{call:?} {kind:?}");
            }
        }
        assert_eq!(world.twin.violations(), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_survives_an_answer_that_never_comes() {
    let world = World::new();
    let connection = Connection {
        request_timeout: Duration::from_secs(2),
        ..connection(&world.twin, &world.token)
    };
    let mut cases = Vec::new();
    for call in ALL {
        cases.push(Case::new(&world, call).await);
    }
    for case in &cases {
        let (method, path) = case.request();
        world.twin.fault(Planned::once(method, &path, Kind::Never));
    }
    let mut tasks = tokio::task::JoinSet::new();
    for case in cases {
        let client = Client::new(connection.clone()).unwrap();
        tasks.spawn(async move {
            let ended = case.run(&client).await;
            (case, ended)
        });
    }
    while let Some(ended) = tasks.join_next().await {
        let (case, ended) = ended.unwrap();
        // Its own time is three seconds, of which the silence took two.
        if case.call != Call::Cancel {
            ended.unwrap_or_else(|error| panic!("{:?} {error:?}", case.call));
            assert_eq!(case.n_made(&world), 1, "{:?}", case.call);
        }
    }
}

#[tokio::test]
async fn every_call_says_what_is_wrong_when_it_stays_wrong() {
    type Is = fn(&GithubError) -> bool;
    let refused = "Resource not accessible by integration";
    for call in ALL {
        let world = World::new();
        for (kind, is_right) in [
            (
                status(401, &[], "Bad credentials"),
                (|error| matches!(error, GithubError::Unauthorized)) as Is,
            ),
            (
                status(403, &[("x-accepted-github-permissions", "checks=write")], refused),
                |error| error.missing_permission() == Some("checks: write"),
            ),
            (status(403, &[], refused), |error| error.missing_permission().is_some()),
            (status(403, &[], "Repository was archived"), |error| {
                matches!(error, GithubError::Forbidden { permission: None, .. })
            }),
            (status(404, &[], "Not Found"), |error| {
                matches!(error, GithubError::NotFound { .. })
            }),
            (status(409, &[], "Conflict"), |error| {
                matches!(error, GithubError::Conflict { .. })
            }),
            (status(422, &[], "Validation Failed"), |error| {
                matches!(error, GithubError::Invalid { .. })
            }),
            (status(429, &[("retry-after", "1")], "Too many"), |error| {
                matches!(error, GithubError::RateLimited { .. })
            }),
            (Kind::status(500), |error| {
                matches!(
                    error,
                    GithubError::Unavailable {
                        source: Fault::Status(500),
                        ..
                    }
                )
            }),
            (Kind::DropBefore, |error| {
                matches!(
                    error,
                    GithubError::Unavailable {
                        source: Fault::Dropped(_),
                        ..
                    }
                )
            }),
        ] {
            let case = Case::new(&world, call).await;
            let (method, path) = case.request();
            world.twin.fault(Planned::always(method, &path, kind.clone()));
            let ended = case.run(&world.client).await;
            world.twin.state().faults.clear();
            let code = if let Kind::Status { code, .. } = kind { code } else { 0 };
            // What these mean is an answer.
            let is_answer = match call {
                Call::Permission | Call::FileAt | Call::EditComment | Call::Finish => code == 404,
                Call::MergedAs | Call::OpenAt => matches!(code, 404 | 422),
                _ => false,
            };
            // No role in a repository is read by a permission of the token.
            let has_no_name = call == Call::Permission && code == 403;
            match ended {
                Ok(()) => assert!(is_answer, "{call:?} {kind:?}"),
                Err(error) => assert!(is_right(&error) || has_no_name, "{call:?} {kind:?} {error:?}"),
            }
            if !is_answer {
                let is_read = method == "GET";
                assert_eq!(case.n_made(&world), usize::from(is_read), "{call:?} {kind:?}");
            }
        }
        assert_eq!(world.twin.violations(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_token_that_may_not_is_told_which_line_to_add() {
    let world = World::new();
    let read_only = world.twin.state().actions_token(NAME, &[("contents", "read")]);
    let client = Client::new(connection(&world.twin, &read_only)).unwrap();
    for hides in [false, true] {
        world.twin.state().hides_accepted_permissions = hides;
        for (call, expected) in [
            (Call::Start, "checks: write"),
            (Call::Finish, "checks: write"),
            (Call::CreateComment, "pull-requests: write"),
            (Call::EditComment, "pull-requests: write"),
            (Call::OpenIssue, "issues: write"),
        ] {
            let case = Case::new(&world, call).await;
            let error = case.run(&client).await.unwrap_err();
            assert_eq!(error.missing_permission(), Some(expected), "{call:?} {error:?}");
            assert!(!format!("{error} {error:?}").contains(&read_only));
        }
    }
}

#[tokio::test]
async fn a_check_begins_and_ends_with_what_was_found() {
    let world = World::new();
    let case = Case::new(&world, Call::Start).await;
    let id = checks::start(&world.client, &world.repository, &case.check, "Training", "Step 1")
        .await
        .unwrap();
    let long = "é".repeat(70_000);
    let output = Output {
        title: "Worse".to_owned(),
        summary: long.clone(),
        text: Some(long),
        annotations: (1..=250).map(annotation).collect(),
    };
    let ended = checks::finish(
        &world.client,
        &world.repository,
        &case.check,
        Some(id),
        Conclusion::Failure,
        &output,
    );
    assert_eq!(ended.await.unwrap(), id);
    let runs = world.twin.state().check_runs(NAME, case.head.as_str());
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].conclusion.as_deref(), Some("failure"));
    assert_eq!(runs[0].annotations.len(), 200);
    assert!(runs[0].summary.as_deref().unwrap().ends_with("é…"));

    // One that nobody knows any more is made as one that has ended.
    let made = checks::finish(
        &world.client,
        &world.repository,
        &case.check,
        Some(CheckId(1)),
        Conclusion::Success,
        &output,
    );
    assert_ne!(made.await.unwrap(), id);
    // And one of which the id is not known yet is found by what names it.
    let (_, head) = world.pull();
    let check = Check {
        head: head.clone(),
        ..case.check
    };
    checks::start(&world.client, &world.repository, &check, "Training", "…")
        .await
        .unwrap();
    checks::cancel(&world.client, &world.repository, &check, None)
        .await
        .unwrap();
    let runs = world.twin.state().check_runs(NAME, head.as_str());
    assert_eq!(runs[0].conclusion.as_deref(), Some("cancelled"));
    assert_eq!(world.twin.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn pull_requests_are_found_by_their_commits() {
    let world = World::new();
    let (client, repository) = (&world.client, &world.repository);
    let (number, head) = world.pull();
    let pull = pulls::pull(client, repository, number).await.unwrap();
    assert_eq!((pull.number, &pull.head_sha, pull.is_open), (number, &head, true));
    assert!(!pull.is_fork());
    let branch = pull.head_ref.clone();
    assert_eq!(
        pulls::open_at(client, repository, &head).await.unwrap().unwrap().number,
        number
    );
    let from = |sha| {
        let branch = branch.clone();
        async move { pulls::open_from(client, repository, "ada", &branch, sha).await.unwrap() }
    };
    assert_eq!(from(&head).await.unwrap().number, number);
    assert_eq!(
        from(&"1".repeat(40).parse().unwrap()).await,
        None,
        "not of another commit"
    );
    assert_eq!(pulls::merged_as(client, repository, &head).await.unwrap(), None);
    let merged: CommitSha = world.twin.state().merge(NAME, number).parse().unwrap();
    assert_eq!(
        pulls::merged_as(client, repository, &merged)
            .await
            .unwrap()
            .unwrap()
            .number,
        number
    );
    assert_eq!(pulls::open_at(client, repository, &head).await.unwrap(), None);
    assert_eq!(
        pulls::merged_as(client, repository, &"2".repeat(40).parse().unwrap())
            .await
            .unwrap(),
        None
    );
    let text = pulls::file_at(client, repository, "mlops.yaml", "main").await.unwrap();
    assert_eq!(text.as_deref(), Some(&b"model: churn\n"[..]));
    assert_eq!(
        pulls::file_at(client, repository, "absent.yaml", "main").await.unwrap(),
        None
    );
    pulls::file_at(client, repository, "../etc/passwd", "main")
        .await
        .unwrap_err();
    assert_eq!(world.twin.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn what_goes_on_has_one_issue_until_it_ends() {
    let world = World::new();
    let (client, repository) = (&world.client, &world.repository);
    let standing = Standing {
        key: "drift".to_owned(),
        label: None,
    };
    let mallory = "<!-- mlops-issue:drift:v1 -->\nnot ours";
    world.twin.state().issue(NAME, "mallory", "Drift", mallory);
    let found = issues::standing(client, repository, &standing).await.unwrap();
    assert_eq!(found, None);
    issues::raise(client, repository, &standing, None, "Drift", "one", &json!({"n": 1}))
        .await
        .unwrap();
    let found = issues::standing(client, repository, &standing).await.unwrap().unwrap();
    assert_eq!(found.data, Some(json!({"n": 1})));
    issues::raise(
        client,
        repository,
        &standing,
        Some(found.clone()),
        "Drift",
        "two",
        &Value::Null,
    )
    .await
    .unwrap();
    let again = issues::standing(client, repository, &standing).await.unwrap().unwrap();
    assert_eq!(again.number, found.number);
    assert!(again.body.contains("two"));
    for _ in 0..2 {
        issues::settle(client, repository, &standing, &again, "Gone.")
            .await
            .unwrap();
    }
    assert_eq!(issues::standing(client, repository, &standing).await.unwrap(), None);
    assert_eq!(world.twin.state().comments(NAME, found.number).len(), 1);
    assert_eq!(
        issues::permission(client, repository, "stranger[bot]").await.unwrap(),
        Permission::None
    );
    assert_eq!(world.twin.violations(), Vec::<String>::new());
}
