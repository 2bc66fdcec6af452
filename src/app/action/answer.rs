//! `/mlops …` in a comment: who asks, what for, on which evidence; a reaction and one reply.

use serde_json::Value;
use tokio::sync::mpsc::unbounded_channel;

use crate::base::{CommitSha, Digest, VersionNumber};
use crate::cli::Invocation;
use crate::config::Approval;
use crate::github::commands::{self, Command};
use crate::github::comments::{self, Sticky};
use crate::github::issues::{self, Permission, Reaction, Replied};
use crate::github::pulls::{self, Pull};
use crate::github::{Client, IssueComment, workflows};
use crate::pipeline::{self, Services};
use crate::report::{self, Around, Render as _, Tone};
use crate::track::{AliasMove, LedgerEvent, ModelVersion, VersionRef};

use super::super::moves::Wanted;
use super::super::project::{self, Opened};
use super::super::wandb::Reach;
use super::super::{FAILED, Failure, PASSED, UNUSABLE, promote};
use super::desk::Desk;
use super::evaluate::{self, Work};
use super::moving::{self, Answer};
use super::plan::{Evaluate, Move, Place};
use super::shown;

/// The workflow whose job declares the environment.
const PROMOTE_WORKFLOW: &str = "mlops-promote.yml";

/// Who asked, and where.
struct Asked<'a> {
    client: &'a Client,
    pull: u64,
    comment: u64,
    author: &'a str,
}

/// Answers a comment, if there is a command in it.
pub async fn answer(desk: &Desk, invocation: &Invocation, comment: &IssueComment) -> u8 {
    let (Some(pull), Some(id), Some(author)) = (comment.number, comment.comment_id, comment.author.as_deref()) else {
        return PASSED;
    };
    let command = match commands::command(comment.body.as_deref().unwrap_or_default()) {
        Ok(None) => {
            desk.say(&["nothing to do: there is no command in the comment".to_owned()]);
            return PASSED;
        }
        Ok(Some(command)) => Ok(command),
        Err(problem) => Err(problem),
    };
    let Some(client) = &desk.github else {
        desk.say(&[]);
        return UNUSABLE;
    };
    let asked = Asked {
        client,
        pull,
        comment: id,
        author,
    };
    // Where this can not be read the reply, which looks again, says so.
    let before = issues::replied(client, &desk.context.repository, pull, &id.to_string()).await;
    asked.react(desk, Reaction::Eyes).await;
    if let Some(code) = before.ok().and_then(final_code) {
        // It may be the reaction that was lost.
        asked.react(desk, end_of(code)).await;
        desk.say(&["nothing to do: this comment was answered already".to_owned()]);
        return code;
    }
    let answer = match command {
        Err(problem) => refused(&problem.to_string(), Some("`/mlops help` shows what can be asked for")),
        Ok(command) => match decide(desk, invocation, &asked, &command).await {
            Ok(answer) => answer,
            Err(failure) => Answer::new(
                report::refusal("mlops", &failure.line(), failure.hint()),
                failure.code(),
            ),
        },
    };
    reply(desk, &asked, answer).await
}

impl Asked<'_> {
    /// There is one reaction of a kind, however often it is asked for.
    async fn react(&self, desk: &Desk, reaction: Reaction) {
        let reacted = issues::react(self.client, &desk.context.repository, self.comment, reaction).await;
        desk.soft("the reaction", reacted);
    }
}

fn end_of(code: u8) -> Reaction {
    if code == PASSED {
        Reaction::Rocket
    } else {
        Reaction::Confused
    }
}

/// How a comment that was answered before ended. What could not be found out, or could not be used, is tried again.
fn final_code(replied: Option<Replied>) -> Option<u8> {
    let code = replied?.data?["code"].as_u64()?;
    [PASSED, FAILED].into_iter().find(|known| u64::from(*known) == code)
}

async fn reply(desk: &Desk, asked: &Asked<'_>, answer: Answer) -> u8 {
    let repository = &desk.context.repository;
    let around = Around {
        run: Some(desk.context.run_url()),
        ..Around::default()
    };
    let document = report::around(answer.document, &around);
    let body = report::Markdown::default().render(&document);
    let data = serde_json::json!({ "schema": 1, "code": answer.code });
    let key = asked.comment.to_string();
    let replied = issues::reply_anew(asked.client, repository, asked.pull, &body, &data, &key).await;
    desk.soft("the reply", replied);
    asked.react(desk, end_of(answer.code)).await;
    if !answer.is_told {
        desk.write_files(&[("reason", report::document_title(&document))], &body);
    }
    desk.say(&[]);
    answer.code
}

/// What a command needs of its author.
fn may(command: &Command, permission: Permission) -> bool {
    let writes = matches!(permission, Permission::Admin | Permission::Maintain | Permission::Write);
    match command {
        Command::Promote { .. } | Command::Rollback | Command::Retrain | Command::Plan => writes,
        Command::Help | Command::Status => writes || matches!(permission, Permission::Triage | Permission::Read),
    }
}

async fn decide(desk: &Desk, invocation: &Invocation, asked: &Asked<'_>, command: &Command) -> Result<Answer, Failure> {
    let repository = &desk.context.repository;
    let permission = issues::permission(asked.client, repository, asked.author).await?;
    if !may(command, permission) {
        let why = format!("`{}` may not do this here", asked.author);
        return Ok(refused(
            &why,
            Some("it needs the permission to write to this repository"),
        ));
    }
    if *command == Command::Help {
        return Ok(Answer::new(report::help("mlops", &commands::usages()), PASSED));
    }
    let opened = project::open(invocation)?;
    let (events, _) = unbounded_channel();
    let by = evaluate::Asked {
        actor: asked.author,
        job_type: word(command),
        reach: Reach::Trusted,
    };
    let (services, kept, _) = evaluate::services(desk, invocation, &opened, &by, events).await?;
    let answer = obey(desk, invocation, asked, command, (&opened, &services)).await;
    kept.close(answer.as_ref().map_or(1, |answer| answer.code)).await;
    answer
}

/// As trackers name the run of it.
fn word(command: &Command) -> &'static str {
    match command {
        Command::Promote { .. } => "promote",
        Command::Rollback => "rollback",
        Command::Plan => "plan",
        Command::Retrain => "retrain",
        Command::Help | Command::Status => "status",
    }
}

async fn obey(
    desk: &Desk,
    invocation: &Invocation,
    asked: &Asked<'_>,
    command: &Command,
    (opened, services): (&Opened, &Services),
) -> Result<Answer, Failure> {
    if matches!(command, Command::Promote { .. } | Command::Rollback) {
        let ledger = services.registry.ledger(&opened.project.model).await?;
        // Its answer was lost, or a person has deleted it.
        if let Some(step) = ledger.iter().find_map(|entry| asked.followed_in(&entry.event)) {
            let (model, word) = (&opened.project.model, "Done before");
            let sentence = promote::sentence(model, step);
            return Ok(Answer::new(
                report::statement(model.as_str(), Tone::Plain, word, &sentence, &[]),
                PASSED,
            ));
        }
    }
    match command {
        Command::Help | Command::Status => moving::answered(opened, services, Move::Status, &Wanted::candidate()).await,
        Command::Plan => {
            let wanted = match bound(desk, asked, opened, services).await? {
                Ok(bound) => bound.wanted(None, false)?,
                Err(answer) => return Ok(answer),
            };
            moving::answered(opened, services, Move::Plan, &wanted).await
        }
        Command::Rollback => {
            let wanted = Wanted {
                asked: Some(asked.words()),
                ..Wanted::candidate()
            };
            moved(
                desk,
                opened,
                moving::answered(opened, services, Move::Rollback, &wanted).await?,
            )
            .await
        }
        Command::Retrain => Box::pin(retrain(desk, invocation, opened)).await,
        Command::Promote {
            version,
            accept_warnings,
        } => {
            let wanted = match version {
                Some(version) => Wanted {
                    asked: Some(asked.words()),
                    ..moving::wanted(Some(&version.to_string()), *accept_warnings)?
                },
                None => match bound(desk, asked, opened, services).await? {
                    Ok(bound) => bound.wanted(Some(asked), *accept_warnings)?,
                    Err(answer) => return Ok(answer),
                },
            };
            promoted(desk, asked, opened, services, &wanted).await
        }
    }
}

impl Asked<'_> {
    /// For the ledger.
    fn words(&self) -> String {
        format!("asked for by {} in {}", self.author, self.place())
    }

    fn place(&self) -> String {
        format!("#{} (comment {})", self.pull, self.comment)
    }

    /// What this very comment has moved.
    fn followed_in<'a>(&self, event: &'a LedgerEvent) -> Option<&'a AliasMove> {
        match event {
            LedgerEvent::Moved(step) => Some(step).filter(|step| step.because.contains(&self.place())),
            LedgerEvent::Published { .. } | LedgerEvent::Judged { .. } => None,
        }
    }
}

/// What a pull request's report was about, and what became of it: the only thing that its comments can promote.
struct Bound {
    version: VersionNumber,
    digest: Digest,
    head: CommitSha,
}

impl Bound {
    fn wanted(&self, asked: Option<&Asked<'_>>, accept_warnings: bool) -> Result<Wanted, Failure> {
        Ok(Wanted {
            asked: asked.map(|asked| format!("{}, {} of commit {}", asked.words(), self.digest, self.head.short())),
            ..moving::wanted(Some(&self.version.to_string()), accept_warnings)?
        })
    }
}

/// The version that the default branch made of this pull request, by the digest that its report names.
async fn bound(
    desk: &Desk,
    asked: &Asked<'_>,
    opened: &Opened,
    services: &Services,
) -> Result<Result<Bound, Answer>, Failure> {
    let repository = &desk.context.repository;
    let pull = pulls::pull(asked.client, repository, asked.pull).await?;
    let sticky = Sticky {
        issue: asked.pull,
        key: shown::in_repository(desk.inputs.directory.as_deref(), &opened.file),
    };
    let found = comments::find(asked.client, repository, &sticky).await?;
    let data = found.and_then(|found| found.data);
    let known = match known(&pull, data.as_ref()) {
        Ok(known) => known,
        Err((why, help)) => {
            let versions = services.registry.versions(&opened.project.model).await?;
            return Ok(match recorded(&pull, &versions) {
                Some(bound) => Ok(bound),
                None => Err(refused(why, Some(help))),
            });
        }
    };
    let version = services
        .registry
        .get(&opened.project.model, &VersionRef::Number(known.version))
        .await?;
    if version.digest != known.digest {
        return Ok(Err(refused(
            &format!(
                "{} is not what the report of this pull request was about",
                known.version
            ),
            Some("name the version: `/mlops status` shows them"),
        )));
    }
    Ok(Ok(known))
}

/// The version whose newest judgement was at the commit that the pull request was merged as, where its comment could not
/// be written.
fn recorded(pull: &Pull, versions: &[ModelVersion]) -> Option<Bound> {
    let merged = pull.merge_commit_sha.as_ref().filter(|_| pull.is_merged)?;
    let version = versions
        .iter()
        .rev()
        .find(|version| version.metadata["commit"] == merged.as_str())?;
    Some(Bound {
        version: version.number,
        digest: version.digest,
        head: merged.clone(),
    })
}

/// What the report says about a pull request that is merged; else why nothing of it can be promoted.
fn known(pull: &Pull, data: Option<&Value>) -> Result<Bound, (&'static str, &'static str)> {
    let Some(data) = data else {
        return Err((
            "there is no report on this pull request",
            "name a version, such as `/mlops promote v2`; `/mlops status` shows them",
        ));
    };
    let reported: Option<CommitSha> = data["head"].as_str().and_then(|head| head.parse().ok());
    if !pull.is_merged {
        return Err(if reported.as_ref() == Some(&pull.head_sha) {
            (
                "this pull request is not merged: what it proposes is not published",
                "merge it; the default branch evaluates and publishes it, and this comment can be written again",
            )
        } else {
            ("there are new commits since the report", "wait for the report on them")
        });
    }
    let merged = pull.merge_commit_sha.as_ref();
    let version = data["version"].as_u64().and_then(|number| u32::try_from(number).ok());
    let digest = data["digest"].as_str().and_then(|digest| digest.parse().ok());
    match (reported, version, digest) {
        (Some(head), Some(version), Some(digest)) if Some(&head) == merged && version > 0 => Ok(Bound {
            version: VersionNumber(version),
            digest,
            head,
        }),
        _ => Err((
            "the default branch has not published what was merged here",
            "wait for its run, or look why it did not pass",
        )),
    }
}

async fn promoted(
    desk: &Desk,
    asked: &Asked<'_>,
    opened: &Opened,
    services: &Services,
    wanted: &Wanted,
) -> Result<Answer, Failure> {
    match opened.project.promote.approval {
        Approval::Comment | Approval::Auto => {
            moved(
                desk,
                opened,
                moving::answered(opened, services, Move::Promote, wanted).await?,
            )
            .await
        }
        Approval::Environment => {
            let planned = moving::answered(opened, services, Move::Plan, wanted).await?;
            if planned.document.tone != Tone::Good {
                return Ok(planned);
            }
            dispatch(desk, asked, opened, wanted).await
        }
    }
}

/// Starts the workflow whose job waits for the environment's reviewers.
async fn dispatch(desk: &Desk, asked: &Asked<'_>, opened: &Opened, wanted: &Wanted) -> Result<Answer, Failure> {
    let inputs = [
        ("command", "promote".to_owned()),
        ("version", wanted.version.to_string()),
        ("reason", wanted.asked.clone().unwrap_or_else(|| asked.words())),
    ];
    let inputs = inputs.map(|(name, value)| (name.to_owned(), value)).into();
    let branch = desk.context.default_branch.as_deref().unwrap_or("main");
    let page = workflows::dispatch(
        asked.client,
        &desk.context.repository,
        PROMOTE_WORKFLOW,
        branch,
        &inputs,
    )
    .await?;
    let to = &opened.project.promote.to;
    let sentence = format!("{} waits for the reviewers of the environment `{to}`", wanted.version);
    let document = report::statement(opened.project.model.as_str(), Tone::Plain, "Asked", &sentence, &[]);
    let around = Around {
        report: page,
        ..Around::default()
    };
    Ok(Answer::new(report::around(document, &around), PASSED))
}

async fn moved(desk: &Desk, opened: &Opened, answer: Answer) -> Result<Answer, Failure> {
    desk.record_deployment(opened, &answer).await;
    Ok(answer)
}

/// Trains and publishes anew what stands on the default branch; nothing else may run in an event with secrets.
async fn retrain(desk: &Desk, invocation: &Invocation, opened: &Opened) -> Result<Answer, Failure> {
    let at = pipeline::head_commit(&opened.root);
    if at.as_deref() != Some(desk.context.sha.as_str()) || !desk.context.is_on_default_branch() {
        return Ok(refused(
            "what is checked out is not the tip of the default branch",
            Some("check out nothing else in a workflow on `issue_comment`: its secrets are not for other code"),
        ));
    }
    let job = Evaluate {
        head: Some(desk.context.sha.clone()),
        keep_back: None,
        place: Place::DefaultBranch,
    };
    let ended = Box::pin(evaluate::evaluate(desk, invocation, &job, Work::Run)).await;
    let (tone, word) = match ended.code {
        PASSED => (Tone::Good, "Trained"),
        FAILED => (Tone::Warn, "Trained, and it did not pass"),
        _ => (Tone::Bad, "Not trained"),
    };
    let document = report::statement(opened.project.model.as_str(), tone, word, &ended.title, &[]);
    Ok(Answer {
        is_told: true,
        ..Answer::new(document, ended.code)
    })
}

fn refused(why: &str, help: Option<&str>) -> Answer {
    Answer::new(report::refusal("mlops", why, help), FAILED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_reported_merged_and_published_is_known() {
        let sha = |c: char| -> CommitSha { c.to_string().repeat(40).parse().unwrap() };
        let pull = |is_merged: bool| Pull {
            number: 7,
            title: String::new(),
            url: String::new(),
            head_sha: sha('a'),
            head_ref: "x".into(),
            head_repository: Some(1),
            base_sha: sha('b'),
            base_ref: "main".into(),
            base_repository: 1,
            is_open: !is_merged,
            is_merged,
            is_draft: false,
            merge_commit_sha: Some(sha('c')),
            author: Some("bob".into()),
        };
        let digest = Digest::of(b"model").to_string();
        let data = |head: char, version: Value| serde_json::json!({"head": sha(head).as_str(), "version": version, "digest": digest});
        let why = |pull: &Pull, data: Option<&Value>| known(pull, data).err().map(|(why, _)| why);
        assert!(why(&pull(true), None).unwrap().contains("no report"));
        assert!(
            why(&pull(false), Some(&data('a', Value::Null)))
                .unwrap()
                .contains("not merged")
        );
        assert!(
            why(&pull(false), Some(&data('b', Value::Null)))
                .unwrap()
                .contains("new commits")
        );
        for (head, version) in [('a', 2.into()), ('c', Value::Null), ('c', 0.into()), ('c', "2".into())] {
            assert!(
                why(&pull(true), Some(&data(head, version)))
                    .unwrap()
                    .contains("has not published")
            );
        }
        assert_eq!(
            known(&pull(true), Some(&data('c', 2.into()))).ok().unwrap().version.0,
            2
        );
    }

    #[test]
    fn production_is_for_those_who_may_write() {
        let promote = Command::Promote {
            version: None,
            accept_warnings: false,
        };
        for permission in [Permission::Triage, Permission::Read, Permission::None] {
            for command in [&promote, &Command::Rollback, &Command::Retrain, &Command::Plan] {
                assert!(!may(command, permission), "{command:?} {permission:?}");
            }
        }
        assert!(may(&promote, Permission::Write) && may(&Command::Help, Permission::Read));
        assert!(!may(&Command::Help, Permission::None));
    }
}
