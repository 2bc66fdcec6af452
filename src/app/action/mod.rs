//! The action: GitHub's runner starts us with an event, and what there is to do follows from it.

mod answer;
mod deliver;
mod desk;
mod environments;
mod evaluate;
mod listen;
mod moving;
mod plan;
mod shown;
mod stranger;

use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::base::{Diagnostic, Diagnostics, Secret};
use crate::cli::Invocation;
use crate::github::results::{CacheMode, Results, Service};
use crate::github::runner::{self, Annotation, Level};
use crate::github::{self, Client, Connection, Context, Inputs, Pace};
use crate::pipeline::chain;
use crate::report::{self, Render as _};
use crate::{exec, sys};

use super::patience::Patience;
use super::{CANCELLED, PASSED, UNKNOWN, UNUSABLE, doctor, failure, print, stop_signal, tracking};
use desk::Desk;
use plan::Job;

/// For all calls of one job together; what is not done by then is given up softly.
const BUDGET: Duration = Duration::from_mins(2);
/// The service behind artifacts and caches is given three times as long between two tries.
const SLOWER: u32 = 3;
/// Between being told to stop and being killed there are seven and a half seconds.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Does what the event asks for, whatever happens on the way.
pub async fn run(invocation: &Invocation) -> u8 {
    // One listener from the beginning to the end: between two of them a signal would be lost.
    let mut stopped = pin!(stop_signal());
    let mut desk = match open(invocation) {
        Ok(desk) => desk,
        Err(problems) => {
            let lines: Vec<Annotation> = problems.iter().map(problem).collect();
            print(&runner::annotations(&lines).0.join("\n")).ok();
            failure::say(&problems.to_string());
            return UNUSABLE;
        }
    };
    let done = async {
        desk.complete().await;
        Box::pin(work(&desk, invocation)).await
    };
    let done = tokio::select! {
        biased;
        () = &mut stopped => None,
        code = done => Some(code),
    };
    let code = if let Some(code) = done {
        code
    } else {
        failure::say("cancelled; the next run takes up what was finished");
        // What ran is dropped by now; a check that says "in progress" would say so for two weeks.
        let last = tokio::time::timeout(LAST_WORDS, desk.cancel());
        let (_, _, ()) = tokio::join!(exec::stop_all(), last, tracking::interrupt_all(CANCELLED));
        desk.write_files(
            &[("passed", "false".to_owned()), ("reason", "cancelled".to_owned())],
            "",
        );
        CANCELLED
    };
    exec::stop_all().await;
    if code == PASSED && desk.files_are_unknown.load(Ordering::Relaxed) {
        return UNKNOWN;
    }
    code
}

fn problem(one: &Diagnostic) -> Annotation {
    let message = match &one.help {
        Some(help) => format!("{}: {help}", one.message),
        None => one.message.clone(),
    };
    Annotation {
        title: Some("mlops".to_owned()),
        ..Annotation::new(Level::Error, message)
    }
}

/// What the runner says, and whom to talk to.
fn open(invocation: &Invocation) -> Result<Desk, Diagnostics> {
    let env = &invocation.env;
    let event = env
        .get("GITHUB_EVENT_PATH")
        .and_then(|path| sys::read(path.as_ref(), github::MAX_EVENT_BYTES).ok());
    let read = (
        Context::read(env, event.as_deref()),
        Inputs::read(env),
        Patience::read(env, "GITHUB"),
    );
    let (context, inputs, patience) = match read {
        (Ok(context), Ok(inputs), Ok(patience)) => (context, inputs, patience),
        (context, inputs, patience) => {
            let mut problems = Diagnostics::default();
            problems.extend(context.err().unwrap_or_default());
            problems.extend(inputs.err().unwrap_or_default());
            problems.extend(patience.err().unwrap_or_default());
            return Err(problems);
        }
    };
    let runtime = context.runtime.clone();
    let key = env.get("WANDB_API_KEY").map(|key| Secret::new(key.trim()));
    let known = [inputs.token.as_ref(), runtime.as_ref().map(|runtime| &runtime.token)];
    for secret in known.into_iter().chain([inputs.wandb_key.as_ref(), key.as_ref()]) {
        mask(secret);
    }
    let mut notices = Vec::new();
    let github = inputs.token.as_ref().and_then(|token| {
        let connection = Connection {
            budget: BUDGET,
            pace: Pace(patience.second),
            request_timeout: patience.timeout,
            ..Connection::new(context.urls.clone(), Some(token.clone()))
        };
        Client::new(connection)
            .map_err(|error| notices.push(format!("checks and comments are missing: {}", chain(&error))))
            .ok()
    });
    if inputs.token.is_none() {
        notices.push("checks and comments are missing: give a token as `github-token`".to_owned());
    }
    let results = runtime.and_then(|runtime| {
        let service = Service {
            runtime,
            server_url: context.urls.server.clone(),
            cache: CacheMode::read(env.get("ACTIONS_CACHE_MODE").map(String::as_str)),
            retention_days: context.retention_days,
            budget: BUDGET,
            pace: Pace(patience.second.saturating_mul(SLOWER)),
            request_timeout: patience.timeout,
        };
        Results::new(&service)
            .map_err(|error| notices.push(format!("artifacts are missing: {}", chain(&error))))
            .ok()
    });
    let desk = Desk::new(context, inputs, github, results);
    for notice in notices {
        desk.notice(notice);
    }
    Ok(desk)
}

/// The log must never show it, wherever it came from.
fn mask(secret: Option<&Secret>) {
    if let Some(lines) = secret.and_then(|secret| runner::masks(secret).ok()) {
        print(&lines.join("\n")).ok();
    }
}

async fn work(desk: &Desk, invocation: &Invocation) -> u8 {
    let workspace = &desk.context.workspace;
    let directory = desk
        .inputs
        .directory
        .as_ref()
        .map_or_else(|| workspace.clone(), |path| workspace.join(path));
    let mut invocation = invocation.of_action(directory, desk.inputs.config.as_ref().map(PathBuf::from));
    if let Some(key) = &desk.inputs.wandb_key {
        invocation
            .env
            .insert("WANDB_API_KEY".to_owned(), key.expose().to_owned());
    }
    let invocation = &invocation;
    match plan::plan(&desk.context, &desk.inputs) {
        Job::Evaluate(job) => {
            Box::pin(evaluate::evaluate(desk, invocation, &job, evaluate::Work::Run))
                .await
                .code
        }
        Job::Check(job) => {
            Box::pin(evaluate::evaluate(desk, invocation, &job, evaluate::Work::Check))
                .await
                .code
        }
        Job::Report(run) => stranger::report(desk, &run).await,
        Job::Comment(comment) => Box::pin(answer::answer(desk, invocation, &comment)).await,
        Job::Move(to) => moving::act(desk, invocation, to).await,
        Job::Doctor => doctor::doctor(invocation).unwrap_or_else(|failure| failure::show(&failure, invocation)),
        Job::Nothing { why } => {
            desk.write_files(&[("reason", why.clone())], "");
            desk.say(&[format!("nothing to do: {}", exec::neutralise(&why))]);
            PASSED
        }
        Job::Refuse { why, help } => {
            let refusal = report::refusal("mlops", &why, Some(&help));
            let summary = report::Markdown::default().render(&refusal);
            desk.write_files(&[("passed", "false".to_owned()), ("reason", why.clone())], &summary);
            desk.say(&[runner::annotation(&Annotation::new(
                Level::Error,
                format!("{why}: {help}"),
            ))]);
            UNUSABLE
        }
    }
}
