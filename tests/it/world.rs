//! A repository on the twin of GitHub, and jobs that run our action for its events as a runner would.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::{SECRET, root};
use crate::twins::{PullSpec, Run, Twin};

pub const REPOSITORY: &str = "ada/diabetes";
/// What `mlops init` gives the job of a pull request.
pub const PULL: &[(&str, &str)] = &[("contents", "read"), ("checks", "write"), ("pull-requests", "write")];
/// And the one of the default branch.
pub const MAIN: &[(&str, &str)] = &[
    ("contents", "write"),
    ("checks", "write"),
    ("pull-requests", "write"),
    ("issues", "write"),
    ("deployments", "write"),
];
/// And the one that answers comments, where an environment's reviewers approve.
pub const COMMAND: &[(&str, &str)] = &[
    ("actions", "write"),
    ("contents", "write"),
    ("checks", "write"),
    ("pull-requests", "write"),
    ("deployments", "write"),
];
/// What is left of [`PULL`] for a fork.
const READ_ONLY: &[(&str, &str)] = &[("contents", "read"), ("checks", "read"), ("pull-requests", "read")];
/// The workflow that shows what forks found.
const REPORT: &[(&str, &str)] = &[
    ("actions", "read"),
    ("contents", "read"),
    ("checks", "write"),
    ("pull-requests", "write"),
];
/// The account of somebody's fork.
pub const FORK: &str = "eve/diabetes";

pub struct World {
    pub twin: Twin,
    run: std::cell::Cell<u64>,
    /// The text of the configuration and of the data on `main`.
    pub config: String,
    pub data: String,
    /// What every job is given besides.
    pub env: Vec<(&'static str, String)>,
}

/// One job: an event, what is checked out, and what it may do.
pub struct Job {
    pub event: &'static str,
    pub payload: Value,
    pub checkout: String,
    pub git_ref: String,
    pub permissions: Vec<(&'static str, &'static str)>,
    pub inputs: Vec<(&'static str, String)>,
    pub actor: String,
    pub env: Vec<(&'static str, String)>,
    /// Whether the runner gives it a service for artifacts and caches.
    pub has_results: bool,
}

/// What a job left.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub log: String,
    pub outputs: BTreeMap<String, String>,
    pub summary: String,
    /// The number of its run, and the commit that it was of.
    pub run: u64,
    pub head: String,
    /// What it left in the workspace, and whether that is there.
    workspace: tempfile::TempDir,
}

impl Ran {
    pub fn has_file(&self, name: &str) -> bool {
        self.workspace.path().join("work").join(name).exists()
    }
}

impl World {
    /// The diabetes example on `main`, with two who may write and one who may not.
    pub fn new() -> Self {
        let twin = Twin::start();
        let example = root().join("fixtures/repos/diabetes");
        let read = |name: &str| std::fs::read_to_string(example.join(name)).unwrap();
        let mut files = Vec::new();
        collect(&example, &example, &mut files);
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        {
            let mut state = twin.state();
            state.commit(REPOSITORY, "main", &files);
            let repository = state.repository(REPOSITORY);
            for (user, role) in [("ada", "admin"), ("mia", "maintain"), ("tom", "read")] {
                repository.collaborators.insert(user.to_owned(), role.to_owned());
            }
        }
        Self {
            twin,
            run: std::cell::Cell::new(100),
            config: read("mlops.yaml"),
            data: read("data/diabetes.csv"),
            env: Vec::new(),
        }
    }

    /// Commits on a branch, which is made from `main` if it is new.
    pub fn push(&self, branch: &str, files: &[(&str, &str)]) -> String {
        let mut state = self.twin.state();
        let repository = state.repository(REPOSITORY);
        let name = format!("refs/heads/{branch}");
        if let Some(tip) = repository.tip("main")
            && repository.tip(branch).is_none()
        {
            repository.refs.insert(name, tip);
        }
        let sha = state.commit(REPOSITORY, branch, files);
        state.synchronize();
        sha
    }

    pub fn open(&self, branch: &str, title: &str) -> u64 {
        let spec = PullSpec {
            title,
            author: "bob",
            head_repository: REPOSITORY,
            head: branch,
            base: "main",
        };
        self.twin.state().pull(REPOSITORY, &spec)
    }

    pub fn tip(&self, branch: &str) -> String {
        self.twin.state().repository(REPOSITORY).tip(branch).unwrap()
    }

    fn repository(&self) -> Value {
        let mut state = self.twin.state();
        let repository = state.repository(REPOSITORY);
        json!({"id": repository.id, "full_name": REPOSITORY, "default_branch": "main", "private": false})
    }

    /// The event of a pull request as it stands now.
    pub fn pull_request(&self, number: u64, action: &str) -> Job {
        let repository = self.repository();
        let mut state = self.twin.state();
        let pull = state.repository(REPOSITORY).pulls[&number].clone();
        let head_id = pull.head_repository.clone().map(|name| state.repository(&name).id);
        let is_fork = pull.head_repository.as_deref() != Some(REPOSITORY);
        Job {
            event: "pull_request",
            payload: json!({
                "action": action,
                "number": number,
                "pull_request": {
                    "number": number, "title": pull.title, "draft": false, "merged": false,
                    "user": {"login": pull.author},
                    "head": {"sha": pull.head_sha, "ref": pull.head_ref, "repo": {"id": head_id}},
                    "base": {"sha": pull.base_sha, "ref": pull.base_ref, "repo": {"id": repository["id"]}},
                },
                "repository": repository,
            }),
            checkout: pull.head_sha,
            git_ref: format!("refs/pull/{number}/merge"),
            permissions: if is_fork { READ_ONLY } else { PULL }.to_vec(),
            inputs: Vec::new(),
            actor: pull.author,
            env: Vec::new(),
            has_results: false,
        }
    }

    /// Somebody's fork, with a branch that a pull request proposes.
    pub fn fork(&self, branch: &str, files: &[(&str, &str)]) -> u64 {
        let mut state = self.twin.state();
        state.fork(REPOSITORY, FORK);
        state.commit(FORK, branch, files);
        let spec = PullSpec {
            title: "From a fork",
            author: "eve",
            head_repository: FORK,
            head: branch,
            base: "main",
        };
        state.pull(REPOSITORY, &spec)
    }

    /// The run of a pull request's workflow has ended: the workflow with rights begins.
    pub fn workflow_run(&self, ran: &Ran) -> Job {
        let mut state = self.twin.state();
        let run = state.repository(REPOSITORY).runs[&ran.run].clone();
        let id = state.repository(&run.head_repository).id;
        drop(state);
        let owner = run.head_repository.split('/').next().unwrap();
        let payload = json!({
            "action": "completed",
            "workflow_run": {
                "id": run.id, "run_attempt": 1, "event": run.event, "conclusion": "success",
                "head_sha": run.head_sha, "head_branch": run.head_branch, "pull_requests": [],
                "head_repository": {"id": id, "full_name": run.head_repository, "owner": {"login": owner}},
            },
        });
        Job {
            permissions: REPORT.to_vec(),
            ..self.on_main("workflow_run", payload)
        }
    }

    /// What a run left for others: names and bytes, as they were uploaded.
    pub fn artifacts(&self, ran: &Ran) -> BTreeMap<String, Vec<u8>> {
        let artifacts = self.twin.state().artifacts(REPOSITORY, ran.run);
        artifacts.into_iter().map(|(one, bytes)| (one.name, bytes)).collect()
    }

    /// Puts an artifact into a run, in place of one with that name.
    pub fn leave(&self, ran: &Ran, name: &str, bytes: &[u8]) {
        let mut state = self.twin.state();
        let artifacts = &mut state.repository(REPOSITORY).artifacts;
        artifacts.retain(|_, one| one.run != ran.run || one.name != name);
        state.artifact(REPOSITORY, ran.run, name, bytes);
    }

    /// The calls that would have changed something in the repository; artifacts and caches are the runner's.
    pub fn writes(&self) -> Vec<String> {
        let calls = self.twin.writes().into_iter();
        let of_api = calls.filter(|call| call.path.starts_with("/repos/") || call.path.ends_with("/graphql"));
        of_api.map(|call| format!("{} {}", call.method, call.path)).collect()
    }

    /// A push to `main` as it stands now.
    pub fn main(&self) -> Job {
        let tip = self.tip("main");
        Job {
            event: "push",
            payload: json!({"ref": "refs/heads/main", "before": "0".repeat(40), "after": tip, "repository": self.repository()}),
            checkout: tip,
            git_ref: "refs/heads/main".to_owned(),
            permissions: MAIN.to_vec(),
            inputs: Vec::new(),
            actor: "ada".to_owned(),
            env: Vec::new(),
            has_results: false,
        }
    }

    /// Somebody's new comment on a pull request.
    pub fn comment(&self, number: u64, author: &str, body: &str) -> Job {
        let id = self.twin.state().comment(REPOSITORY, number, author, body);
        Job {
            event: "issue_comment",
            payload: json!({
                "action": "created",
                "issue": {"number": number, "pull_request": {"url": "https://api.github.example/pulls"}},
                "comment": {
                    "id": id, "body": body, "author_association": "MEMBER",
                    "user": {"login": author, "type": "User"},
                },
                "repository": self.repository(),
            }),
            permissions: COMMAND.to_vec(),
            actor: author.to_owned(),
            ..self.main()
        }
    }

    /// Another event of the default branch.
    pub fn on_main(&self, event: &'static str, payload: Value) -> Job {
        let mut payload = payload;
        payload["repository"] = self.repository();
        Job {
            event,
            payload,
            ..self.main()
        }
    }

    /// Runs the action for a job.
    pub fn run(&self, job: &Job) -> Ran {
        self.start(job).wait()
    }

    /// Starts it; whoever waits gets what it left.
    pub fn start(&self, job: &Job) -> Started {
        self.run.set(self.run.get() + 1);
        let run = self.run.get();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let workspace = at("work");
        let mut state = self.twin.state();
        let repository = state.repository(REPOSITORY);
        for (name, (_, blob)) in repository.files_of(&job.checkout) {
            let path = workspace.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, repository.objects.blob(&blob).unwrap()).unwrap();
        }
        let of_pull = job.payload["pull_request"]["number"].as_u64();
        let of_pull = of_pull.and_then(|number| repository.pulls.get(&number)).cloned();
        let (head_repository, head_branch) = match of_pull {
            Some(pull) => (pull.head_repository, pull.head_ref),
            None => (None, job.git_ref.trim_start_matches("refs/heads/").to_owned()),
        };
        let record = Run {
            id: run,
            name: "mlops".to_owned(),
            file: "mlops.yml".to_owned(),
            event: job.event.to_owned(),
            head_sha: job.checkout.clone(),
            head_branch,
            head_repository: head_repository.unwrap_or_else(|| REPOSITORY.to_owned()),
            attempt: 1,
            status: "completed".to_owned(),
            conclusion: Some("success".to_owned()),
            jobs: vec!["model".to_owned()],
        };
        repository.runs.insert(run, record);
        let token = state.actions_token(REPOSITORY, &job.permissions);
        let runtime = job
            .has_results
            .then(|| state.runtime_token(REPOSITORY, run, &job.git_ref));
        drop(state);
        std::fs::create_dir_all(workspace.join(".git")).unwrap();
        std::fs::write(workspace.join(".git/HEAD"), &job.checkout).unwrap();
        std::fs::create_dir_all(at("temp")).unwrap();
        std::fs::write(at("event.json"), job.payload.to_string()).unwrap();
        for name in ["output", "env", "path", "state", "summary"] {
            std::fs::write(at(name), "").unwrap();
        }
        let program = at("mlops-action");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_mlops"), &program).unwrap();
        let mut command = Command::new(program);
        command
            .current_dir(&workspace)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let number = run.to_string();
        let set = [
            ("CI", "true"),
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", job.event),
            ("GITHUB_REPOSITORY", REPOSITORY),
            ("GITHUB_SHA", &job.checkout),
            ("GITHUB_REF", &job.git_ref),
            ("GITHUB_ACTOR", &job.actor),
            ("GITHUB_RUN_ID", &number),
            ("GITHUB_RUN_ATTEMPT", "1"),
            ("GITHUB_JOB", "model"),
            (
                "GITHUB_WORKFLOW_REF",
                "ada/diabetes/.github/workflows/mlops.yml@refs/heads/main",
            ),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("INPUT_GITHUB-TOKEN", &token),
            ("HF_TOKEN", SECRET),
        ];
        for (name, value) in set {
            command.env(name, value);
        }
        for (name, value) in &self.env {
            command.env(name, value);
        }
        command
            .env("GITHUB_API_URL", self.twin.url())
            .env("GITHUB_GRAPHQL_URL", self.twin.graphql_url())
            .env("GITHUB_WORKSPACE", &workspace)
            .env("RUNNER_TEMP", at("temp"))
            .env("GITHUB_EVENT_PATH", at("event.json"));
        for name in ["output", "env", "path", "state"] {
            command.env(format!("GITHUB_{}", name.to_uppercase()), at(name));
        }
        command.env("GITHUB_STEP_SUMMARY", at("summary"));
        if let Some(runtime) = &runtime {
            command
                .env("ACTIONS_RESULTS_URL", self.twin.results_url())
                .env("ACTIONS_RUNTIME_TOKEN", runtime);
        }
        for (name, value) in &job.inputs {
            command.env(format!("INPUT_{}", name.to_uppercase()), value);
        }
        for (name, value) in &job.env {
            command.env(name, value);
        }
        Started {
            child: command.spawn().unwrap(),
            folder,
            secrets: [SECRET.to_owned(), token].into_iter().chain(runtime).collect(),
            run,
            head: job.checkout.clone(),
        }
    }

    /// All that a person would see of a pull request: the thread, the checks of its head and of `main`, production.
    pub fn seen(&self, number: u64) -> String {
        let mut out = String::new();
        let mut state = self.twin.state();
        let comments = state.comments(REPOSITORY, number);
        let repository = state.repository(REPOSITORY);
        let pull = repository.pulls[&number].clone();
        writeln!(out, "# {} (#{number})", pull.title).unwrap();
        for comment in comments {
            let edits = comment.versions.len() - 1;
            let folded = comment
                .minimized
                .as_deref()
                .map(|why| format!(", folded as {why}"))
                .unwrap_or_default();
            let reactions: Vec<&str> = comment
                .reactions
                .iter()
                .map(|(_, _, content)| content.as_str())
                .collect();
            writeln!(
                out,
                "\n## {} wrote{folded} ({edits} edits) {}\n{}",
                comment.author,
                reactions.join(" "),
                indented(comment.body())
            )
            .unwrap();
        }
        for (title, sha) in [
            ("head", Some(pull.head_sha)),
            ("merge", pull.merge_commit_sha.filter(|_| pull.merged_at.is_some())),
        ] {
            let Some(sha) = sha else { continue };
            writeln!(out, "\n## Checks of the {title}").unwrap();
            for check in state.check_runs(REPOSITORY, &sha) {
                writeln!(
                    out,
                    "- {}: {} | {}",
                    check.name,
                    check.conclusion.as_deref().unwrap_or(&check.status),
                    check.title.as_deref().unwrap_or_default()
                )
                .unwrap();
                for annotation in &check.annotations {
                    writeln!(
                        out,
                        "    {}:{} {} {}",
                        annotation["path"].as_str().unwrap(),
                        annotation["start_line"],
                        annotation["annotation_level"].as_str().unwrap(),
                        annotation["message"].as_str().unwrap().replace('\n', " ⏎ ")
                    )
                    .unwrap();
                }
            }
        }
        out
    }

    /// The sticky comment and those that it took the place of.
    pub fn thread(&self, number: u64) -> Vec<crate::twins::Comment> {
        let comments = self.twin.state().comments(REPOSITORY, number);
        let is_ours = |comment: &crate::twins::Comment| {
            comment.deleted_by.is_none() && comment.versions[0].body.starts_with("<!-- mlops-action:mlops.yaml")
        };
        comments.into_iter().filter(is_ours).collect()
    }

    /// Who did what to the registry, a line an entry.
    pub fn ledger_lines(&self) -> Vec<String> {
        let lines = self.ledger().into_iter().map(|entry| {
            let (actor, event) = (&entry["actor"], &entry["event"]);
            format!("{} {}: {event}", entry["sequence"], actor.as_str().unwrap())
        });
        lines.collect()
    }

    /// The ledger on the registry's branch, an event a line.
    pub fn ledger(&self) -> Vec<Value> {
        let state = self.twin.state();
        let files = state.files(REPOSITORY, "mlops-registry");
        files
            .iter()
            .filter(|(name, _)| name.starts_with("ledger/"))
            .map(|(_, bytes)| {
                let sealed: Value = serde_json::from_slice(bytes).unwrap();
                sealed["body"]["entry"].clone()
            })
            .collect()
    }
}

/// What the comment hides for the next run.
pub fn hidden_data(body: &str) -> Value {
    let line = body.trim_end().lines().next_back().unwrap();
    let encoded = line
        .strip_prefix("<!-- mlops-data:")
        .and_then(|line| line.strip_suffix(" -->"));
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded.unwrap()).unwrap()).unwrap()
}

/// The comment with other hidden data, as somebody's edit would leave it.
pub fn with_hidden_data(body: &str, data: &Value) -> String {
    let (rest, _) = body.rsplit_once("<!-- mlops-data:").unwrap();
    format!("{rest}<!-- mlops-data:{} -->", URL_SAFE_NO_PAD.encode(data.to_string()))
}

fn indented(text: &str) -> String {
    text.trim_end()
        .lines()
        .map(|line| format!("  {line}").trim_end().to_owned() + "\n")
        .collect()
}

fn collect(top: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if matches!(name, ".mlops" | "__pycache__") {
            continue;
        }
        if path.is_dir() {
            collect(top, &path, files);
        } else {
            let inside = path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
            files.push((inside, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// A job that runs.
pub struct Started {
    pub child: std::process::Child,
    folder: tempfile::TempDir,
    secrets: Vec<String>,
    run: u64,
    head: String,
}

impl Started {
    pub fn wait(self) -> Ran {
        let output = self.child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let log = format!("{}{}", text(&output.stdout), text(&output.stderr));
        let read = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap();
        let unmasked: String = log.lines().filter(|line| !line.starts_with("::add-mask::")).collect();
        for secret in &self.secrets {
            assert!(!unmasked.contains(secret), "a secret is in the log:\n{log}");
            assert!(!read("summary").contains(secret) && !read("output").contains(secret));
        }
        Ran {
            code: output.status.code().unwrap_or(-1),
            log,
            outputs: outputs(&read("output")),
            summary: read("summary"),
            run: self.run,
            head: self.head,
            workspace: self.folder,
        }
    }
}

/// The records of the outputs' file, all of which have delimiters.
fn outputs(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (name, delimiter) = line.split_once("<<").unwrap();
        let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
        found.insert(name.to_owned(), value.join("\n"));
    }
    found
}
