//! A twin of GitHub's runner, for one step: what it gives to a container action, and what it makes of what that says.
//!
//! It knows nothing of the action. A [`Scenario`] becomes folders, an event file and an environment; the action runs as a
//! program with the host's paths, or as an image with `docker run`; what it wrote is read as the runner reads it, and all
//! of it is a JSON transcript.
#![allow(dead_code, reason = "each test takes what it needs")]

mod files;
mod log;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::{Value, json};

use log::Log;

/// After a cancellation the runner waits this long, then asks harder, and then this long again, and kills.
const AFTER_INTERRUPT: Duration = Duration::from_millis(7500);
const AFTER_TERMINATE: Duration = Duration::from_millis(2500);

#[derive(Debug, Clone)]
pub enum Action {
    /// A program on this machine, with paths of this machine.
    Program { path: PathBuf, arguments: Vec<String> },
    /// An image of the local Docker, with the paths of a container action.
    Image { tag: String, entrypoint: Option<String> },
}

/// One step of one job.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub action: Action,
    pub workspace: PathBuf,
    pub event_name: String,
    /// The content of the event's file; `None` where there is no such file.
    pub event: Option<Vec<u8>>,
    pub git_ref: String,
    pub sha: String,
    pub repository: String,
    pub actor: String,
    /// `with:`, by the names that action.yml has.
    pub inputs: BTreeMap<String, String>,
    /// The text of action.yml, for the defaults of inputs.
    pub manifest: Option<String>,
    /// The job's token, for `${{ github.token }}` in a default. The environment never has it.
    pub token: String,
    /// Replaces or adds variables, after all others: `env:` of the step, addresses of twins.
    pub env: BTreeMap<String, String>,
    /// Values that may be nowhere in what the action writes.
    pub secrets: Vec<String>,
    pub is_debug: bool,
    pub cancel_after: Option<Duration>,
    /// Cancels as soon as a line of the log holds this, which is surer than a time.
    pub cancel_on: Option<String>,
    /// Ends what hangs.
    pub timeout: Duration,
}

impl Scenario {
    /// A push to the default branch of `ada/models`.
    pub fn new(action: Action, workspace: &Path) -> Self {
        let sha = "1234567812345678123456781234567812345678";
        let event = json!({
            "ref": "refs/heads/main", "before": "a".repeat(40), "after": sha,
            "repository": {"id": 1, "full_name": "ada/models", "default_branch": "main"},
        });
        Self {
            action,
            workspace: workspace.to_owned(),
            event_name: "push".to_owned(),
            event: Some(event.to_string().into_bytes()),
            git_ref: "refs/heads/main".to_owned(),
            sha: sha.to_owned(),
            repository: "ada/models".to_owned(),
            actor: "ada".to_owned(),
            inputs: BTreeMap::new(),
            manifest: None,
            token: "ghs_twin.of_a.token".to_owned(),
            env: BTreeMap::new(),
            secrets: Vec::new(),
            is_debug: false,
            cancel_after: None,
            cancel_on: None,
            timeout: Duration::from_mins(2),
        }
    }

    /// Runs the step and says all that came of it.
    pub fn run(&self) -> Value {
        let host = tempfile::tempdir().unwrap();
        let folders = Folders::make(host.path(), &self.workspace);
        if let Some(event) = &self.event {
            std::fs::write(folders.workflow.join("event.json"), event).unwrap();
        }
        let mut env = self.environment(&folders);
        // Another one for every step: the folder's name is new each time.
        let container = format!("mlops_twin_{}", host.path().file_name().unwrap().display()).replace('.', "");
        let mut command = match &self.action {
            Action::Program { path, arguments } => {
                let mut command = Command::new(path);
                command.args(arguments).env_clear();
                // The image has its own; nothing else of this machine's environment reaches an action.
                command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
                command
            }
            Action::Image { tag, entrypoint } => {
                for value in env.values_mut() {
                    *value = folders.inside(value);
                }
                docker_run(&container, tag, entrypoint.as_deref(), &folders, &env)
            }
        };
        let child = command
            .envs(&env)
            .current_dir(&self.workspace)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut log = Log::new(&self.secrets, self.is_debug);
        let ended = self.watch(child, &mut log);
        if matches!(self.action, Action::Image { .. }) && ended.is_killed {
            Command::new("docker").args(["rm", "-f", &container]).output().unwrap();
        }
        files::transcript(&folders.commands, log, &self.secrets, ended.value())
    }

    /// Feeds the log with what the action says, until it is gone and everything that it said is read.
    fn watch(&self, mut child: Child, log: &mut Log) -> Ended {
        let (sender, lines) = channel();
        read_lines(child.stdout.take().unwrap(), sender.clone());
        read_lines(child.stderr.take().unwrap(), sender);
        let pid = Pid::from_child(&child);
        let started = Instant::now();
        let mut ended = Ended::default();
        // What is to be done next to an action that does not end, and when.
        let mut next = self.cancel_after.map(|after| (started + after, Signal::INT));
        let timeout = started + self.timeout;
        loop {
            let deadline = next.map_or(timeout, |(at, _)| at.min(timeout));
            match next_line(&lines, deadline) {
                Ok(line) => {
                    log.line(&line);
                    let is_due = self.cancel_on.as_ref().is_some_and(|text| line.contains(text));
                    if is_due && !ended.is_cancelled && next.is_none() {
                        next = Some((Instant::now(), Signal::INT));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let now = Instant::now();
                    let (_, signal) = next.filter(|(at, _)| *at <= now).unwrap_or((now, Signal::KILL));
                    next = match signal {
                        Signal::INT => Some((now + AFTER_INTERRUPT, Signal::TERM)),
                        Signal::TERM => Some((now + AFTER_TERMINATE, Signal::KILL)),
                        _ => None,
                    };
                    ended.is_cancelled |= signal == Signal::INT;
                    ended.is_killed |= signal == Signal::KILL;
                    // One that is gone meanwhile is what is wanted.
                    let _ = match signal {
                        Signal::KILL => kill_process_group(pid, signal),
                        other => kill_process(pid, other),
                    };
                    if ended.is_killed {
                        break;
                    }
                }
            }
        }
        let status = child.wait().unwrap();
        ended.code = status.code().unwrap_or(128 + status.signal().unwrap_or(0));
        ended
    }

    fn environment(&self, folders: &Folders) -> BTreeMap<String, String> {
        let name = self.git_ref.splitn(3, '/').nth(2).unwrap_or_default();
        let (owner, _) = self.repository.split_once('/').unwrap();
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let command_file = |name: &str| path(&folders.commands.join(name));
        let mut env: BTreeMap<String, String> = [
            ("GITHUB_ACTIONS", "true"),
            ("CI", "true"),
            ("GITHUB_ACTION", "__self"),
            ("GITHUB_ACTOR", &self.actor),
            ("GITHUB_API_URL", "https://api.github.com"),
            ("GITHUB_EVENT_NAME", &self.event_name),
            ("GITHUB_GRAPHQL_URL", "https://api.github.com/graphql"),
            ("GITHUB_JOB", "model"),
            ("GITHUB_REF", &self.git_ref),
            ("GITHUB_REF_NAME", name),
            ("GITHUB_REPOSITORY", &self.repository),
            ("GITHUB_REPOSITORY_OWNER", owner),
            ("GITHUB_RETENTION_DAYS", "90"),
            ("GITHUB_RUN_ATTEMPT", "1"),
            ("GITHUB_RUN_ID", "987"),
            ("GITHUB_RUN_NUMBER", "12"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_SHA", &self.sha),
            ("GITHUB_TRIGGERING_ACTOR", &self.actor),
            ("GITHUB_WORKFLOW", "mlops"),
            ("RUNNER_ARCH", "X64"),
            ("RUNNER_ENVIRONMENT", "github-hosted"),
            ("RUNNER_NAME", "twin"),
            ("RUNNER_OS", "Linux"),
            ("RUNNER_TOOL_CACHE", "/opt/hostedtoolcache"),
            ("RUNNER_WORKSPACE", "/home/runner/work/models"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let workflow = format!("{}/.github/workflows/mlops.yml@{}", self.repository, self.git_ref);
        env.insert("GITHUB_WORKFLOW_REF".to_owned(), workflow);
        for (name, value) in [
            ("HOME", path(&folders.home)),
            ("GITHUB_EVENT_PATH", path(&folders.workflow.join("event.json"))),
            ("GITHUB_WORKSPACE", path(&folders.workspace)),
            ("RUNNER_TEMP", path(&folders.temp)),
            ("GITHUB_OUTPUT", command_file(files::OUTPUT)),
            ("GITHUB_ENV", command_file(files::ENV)),
            ("GITHUB_PATH", command_file(files::PATH)),
            ("GITHUB_STATE", command_file(files::STATE)),
            ("GITHUB_STEP_SUMMARY", command_file(files::SUMMARY)),
        ] {
            env.insert(name.to_owned(), value);
        }
        if self.is_debug {
            env.insert("RUNNER_DEBUG".to_owned(), "1".to_owned());
        }
        let mut inputs = self.manifest.as_deref().map(defaults).unwrap_or_default();
        for value in inputs.values_mut() {
            *value = value
                .replace("${{ github.token }}", &self.token)
                .replace("${{ job.check_run_id }}", "555");
        }
        inputs.extend(self.inputs.clone());
        for (name, value) in inputs {
            env.insert(format!("INPUT_{}", name.replace(' ', "_").to_uppercase()), value);
        }
        env.extend(self.env.clone());
        env
    }
}

/// How the action ended.
#[derive(Default)]
struct Ended {
    code: i32,
    is_cancelled: bool,
    is_killed: bool,
}

impl Ended {
    fn value(&self) -> Value {
        let conclusion = match (self.is_cancelled, self.is_killed, self.code) {
            (true, _, _) => "cancelled",
            (false, true, _) => "timed out",
            (false, false, 0) => "success",
            (false, false, _) => "failure",
        };
        json!({"exit_code": self.code, "conclusion": conclusion, "killed": self.is_killed})
    }
}

/// What the runner mounts into a container action.
struct Folders {
    workspace: PathBuf,
    temp: PathBuf,
    home: PathBuf,
    workflow: PathBuf,
    commands: PathBuf,
}

impl Folders {
    fn make(host: &Path, workspace: &Path) -> Self {
        let folders = Self {
            workspace: workspace.to_owned(),
            temp: host.to_owned(),
            home: host.join("_github_home"),
            workflow: host.join("_github_workflow"),
            commands: host.join("_runner_file_commands"),
        };
        for folder in [&folders.home, &folders.workflow, &folders.commands] {
            std::fs::create_dir(folder).unwrap();
        }
        for name in files::ALL {
            std::fs::write(folders.commands.join(name), "").unwrap();
        }
        folders
    }

    /// In the order in which the runner looks, each with its name in the container.
    fn mounts(&self) -> [(&Path, &'static str); 5] {
        [
            (&self.workspace, "/github/workspace"),
            (&self.commands, "/github/file_commands"),
            (&self.workflow, "/github/workflow"),
            (&self.home, "/github/home"),
            (&self.temp, "/github/runner_temp"),
        ]
    }

    /// A value that is a path of the host, or begins with one, with the container's path; others as they are.
    fn inside(&self, value: &str) -> String {
        for (outside, inside) in self.mounts() {
            if let Some(rest) = value.strip_prefix(outside.to_str().unwrap())
                && (rest.is_empty() || rest.starts_with('/'))
            {
                return format!("{inside}{rest}");
            }
        }
        value.to_owned()
    }
}

/// Values travel through the client's environment, so that they can hold anything.
fn docker_run(
    name: &str,
    tag: &str,
    entrypoint: Option<&str>,
    folders: &Folders,
    env: &BTreeMap<String, String>,
) -> Command {
    let mut command = Command::new("docker");
    command.args([
        "run",
        "--name",
        name,
        "--label",
        "mlops-twin",
        "--workdir",
        "/github/workspace",
        "--rm",
    ]);
    for variable in env.keys() {
        command.args(["-e", variable]);
    }
    if let Some(entrypoint) = entrypoint {
        command.args(["--entrypoint", entrypoint]);
    }
    // Twins listen on the loopback of this machine.
    if env
        .values()
        .any(|value| value.contains("://127.0.0.1") || value.contains("localhost:"))
    {
        command.args(["--network", "host"]);
    }
    command.args(["-v", "/var/run/docker.sock:/var/run/docker.sock"]);
    for (outside, inside) in folders.mounts() {
        command.arg("-v").arg(format!("{}:{inside}", outside.display()));
    }
    command.arg(tag);
    command
}

fn read_lines(stream: impl Read + Send + 'static, lines: Sender<String>) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
            if lines.send(text).is_err() {
                break;
            }
            line.clear();
        }
    });
}

fn next_line(lines: &Receiver<String>, deadline: Instant) -> Result<String, RecvTimeoutError> {
    lines.recv_timeout(deadline.saturating_duration_since(Instant::now()))
}

/// The inputs of an action.yml, each with its default or an empty text.
fn defaults(manifest: &str) -> BTreeMap<String, String> {
    let manifest: Value = serde_yaml::from_str(manifest).unwrap();
    let Some(inputs) = manifest["inputs"].as_object() else {
        return BTreeMap::new();
    };
    inputs
        .iter()
        .map(|(name, input)| {
            let default = match &input["default"] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            (name.clone(), default)
        })
        .collect()
}
