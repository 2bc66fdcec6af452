"""A repository on the twin of GitHub, and jobs that run the image for its events, each as a runner starts a container action.

Everything happens in throwaway folders and containers with names of their own. The workspace belongs to user 1001, as on a
hosted runner, or to whoever runs this and is not root. The twin listens on the loopback, so containers use the host's network,
and it ends with the program that started it.
"""

import json
import os
import pathlib
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROJECT = ROOT / "fixtures/repos/diabetes"
REPOSITORY = "ada/diabetes"
OWNER = 1001 if os.geteuid() == 0 else os.geteuid()
# What the job for pull requests that `mlops init` writes may do, and the one for the default branch.
PULL = {"contents": "read", "checks": "write", "pull-requests": "write"}
MAIN = {name: "write" for name in ["contents", "checks", "pull-requests", "issues", "deployments", "actions"]}
KEY = "planted-secret-of-somebody"
COMMAND_FILES = {
    "GITHUB_OUTPUT": "set_output_1",
    "GITHUB_ENV": "set_env_1",
    "GITHUB_PATH": "add_path_1",
    "GITHUB_STATE": "save_state_1",
    "GITHUB_STEP_SUMMARY": "step_summary_1",
}
problems = []


def check(holds, what):
    print(f"   {'ok' if holds else 'BROKEN'}: {what}", flush=True)
    if not holds:
        problems.append(what)


def project(folder):
    """An example, path to text."""
    files = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and not {".mlops", "__pycache__"} & set(name.parts):
            files[str(name)] = path.read_text()
    return files


class World:
    """An example on `main`, with two who may write and one who may not."""

    def __init__(self, options, folder=PROJECT):
        self.options = options
        # Its input is ours alone: it ends when we do.
        self.process = subprocess.Popen([options.twin], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = json.loads(self.process.stdout.readline())["url"]
        self.files = project(folder)
        self.config = self.files["mlops.yaml"]
        self.seed(collaborators={"ada": "admin", "mia": "maintain", "tom": "read"})
        self.push("main", self.files)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)

    def ask(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self.url}/_twin/{path}", None if body is None else json.dumps(body).encode(), {"content-type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def seed(self, tokens=(), **repository):
        return self.ask("POST", "scenario", {"repositories": [{"name": REPOSITORY, **repository}], "tokens": list(tokens)})

    def seen(self):
        return self.ask("GET", "snapshot")[REPOSITORY]

    def fault(self, **fault):
        self.ask("POST", "faults", fault)

    def push(self, branch, files):
        return self.ask("POST", "commit", {"repository": REPOSITORY, "branch": branch, "files": files})["sha"]

    def open(self, branch, title):
        pull = {"title": title, "author": "bob", "head": branch, "base": "main"}
        return self.seed(pulls=[pull])["repositories"][REPOSITORY]["pulls"][0]

    def merge(self, number):
        self.ask("POST", "merge", {"repository": REPOSITORY, "number": number})

    def about(self):
        return {"id": 1, "full_name": REPOSITORY, "default_branch": "main", "private": False}

    def main(self, event="push", **payload):
        """A push to `main` as it stands, or another event of it."""
        tip = self.seen()["branches"]["main"]["commits"][0]["sha"]
        if event == "push":
            payload = {"ref": "refs/heads/main", "before": "0" * 40, "after": tip}
        return Job(self, event, {**payload, "repository": self.about()}, "main", tip, "refs/heads/main", "ada", MAIN)

    def pull_request(self, number, branch, action="synchronize"):
        pull = next(one for one in self.seen()["pulls"] if one["number"] == number)
        side = {"repo": {"id": 1}}
        payload = {
            "action": action,
            "number": number,
            "pull_request": {
                "number": number, "title": "a title", "draft": False, "merged": False, "user": {"login": "bob"},
                "head": {"sha": pull["head"], "ref": branch, **side}, "base": {"sha": pull["base"], "ref": "main", **side},
            },
            "repository": self.about(),
        }
        return Job(self, "pull_request", payload, branch, pull["head"], f"refs/pull/{number}/merge", "bob", PULL)

    def comment(self, number, login, body):
        said = self.ask("POST", "comment", {"repository": REPOSITORY, "issue": number, "login": login, "body": body})
        comment = {"id": said["id"], "body": body, "author_association": "MEMBER", "user": {"login": login, "type": "User"}}
        issue = {"number": number, "pull_request": {"url": "https://api.github.example/pulls"}}
        job = self.main("issue_comment", action="created", issue=issue, comment=comment)
        job.actor = login
        return job

    def thread(self, number):
        """The one comment, and those that it took the place of."""
        comments = [one for one in self.seen()["comments"] if one["issue"] == number and not one["deleted_by"]]
        return [one for one in comments if one["versions"][0]["body"].startswith("<!-- mlops-action:mlops.yaml")]

    def checks(self, sha):
        return {one["name"]: one["conclusion"] or one["status"] for one in self.seen()["check_runs"] if one["head_sha"] == sha}

    def proposed(self, branch, files):
        """A branch with these files, its pull request, and the job that it starts."""
        self.push(branch, files)
        return self.pull_request(self.open(branch, branch), branch, "opened")


class Job:
    """The folders of one job, and its container."""

    def __init__(self, world, event, payload, branch, sha, git_ref, actor, permissions):
        self.world, self.options = world, world.options
        self.event, self.payload, self.branch = event, payload, branch
        self.sha, self.git_ref, self.actor, self.permissions = sha, git_ref, actor, permissions
        self.inputs, self.more, self.arguments = {}, {}, []
        self.has_socket, self.run = True, None

    def __enter__(self):
        world = self.world
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mlops-job-"))
        self.temp, self.workspace = self.folder / "_temp", self.folder / "work"
        self.commands = self.temp / "_runner_file_commands"
        for name in ["_github_home", "_github_workflow", "_runner_file_commands"]:
            (self.temp / name).mkdir(parents=True)
        (self.temp / "_github_workflow/event.json").write_text(json.dumps(self.payload))
        for name in COMMAND_FILES.values():
            (self.commands / name).touch()
        for name, text in {**world.seen()["branches"][self.branch]["files"], ".git/HEAD": self.sha}.items():
            (self.workspace / name).parent.mkdir(parents=True, exist_ok=True)
            (self.workspace / name).write_text(text)
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", f"{OWNER}:{OWNER}", self.folder], check=True)
        run = {"repository": REPOSITORY, "event": self.event, "head_branch": self.branch, "head_sha": self.sha, "scope": self.git_ref}
        self.run = self.run or world.ask("POST", "run", run)
        self.token = world.seed(tokens=[{"repository": REPOSITORY, "permissions": self.permissions}])["tokens"][0]
        self.secrets = [self.token, self.run["runtime_token"], KEY]
        return self

    def __exit__(self, *_):
        # What root's container left behind on a runner without root stays there: only the temporary folder knows it.
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self):
        """What the runner gives to a container action, paths translated."""
        return {
            "HOME": "/github/home",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION": "__self",
            "GITHUB_ACTOR": self.actor,
            "GITHUB_API_URL": self.world.url,
            "GITHUB_EVENT_NAME": self.event,
            "GITHUB_EVENT_PATH": "/github/workflow/event.json",
            "GITHUB_GRAPHQL_URL": f"{self.world.url}/graphql",
            "GITHUB_JOB": "model",
            "GITHUB_REF": self.git_ref,
            "GITHUB_REF_NAME": self.git_ref.split("/", 2)[2],
            "GITHUB_REF_TYPE": "branch",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_REPOSITORY_OWNER": "ada",
            "GITHUB_RETENTION_DAYS": "90",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_RUN_ID": str(self.run["id"]),
            "GITHUB_RUN_NUMBER": "1",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_SHA": self.sha,
            "GITHUB_TRIGGERING_ACTOR": self.actor,
            "GITHUB_WORKFLOW": "model",
            "GITHUB_WORKFLOW_REF": f"{REPOSITORY}/.github/workflows/mlops.yml@refs/heads/main",
            "GITHUB_WORKSPACE": "/github/workspace",
            "RUNNER_ARCH": "X64",
            "RUNNER_ENVIRONMENT": "github-hosted",
            "RUNNER_NAME": "runner",
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": "/github/runner_temp",
            "RUNNER_TOOL_CACHE": "/opt/hostedtoolcache",
            "RUNNER_WORKSPACE": "/home/runner/work/diabetes",
            "ACTIONS_RESULTS_URL": f"{self.world.url}/",
            "ACTIONS_RUNTIME_TOKEN": self.run["runtime_token"],
            "HF_TOKEN": KEY,
            **{f"INPUT_{name}": "" for name in ["COMMAND", "VERSION", "CONFIG", "DIRECTORY", "REASON", "CHECK-RUN-ID"]},
            "INPUT_COMMENT": "always",
            "INPUT_ACCEPT-WARNINGS": "false",
            "INPUT_GITHUB-TOKEN": self.token,
            **{f"INPUT_{name.upper()}": value for name, value in self.inputs.items()},
            **{variable: f"/github/file_commands/{name}" for variable, name in COMMAND_FILES.items()},
            **self.more,
        }

    def start(self):
        """Starts the container by the runner's own command line; values travel in the client's environment."""
        environment = {name: value for name, value in self.environment().items() if value is not None}
        self.name = f"mlops_{secrets.token_hex(3)}"
        command = [self.options.docker, "run", "--name", self.name, "--label", "mlops-check", "--workdir", "/github/workspace", "--rm"]
        for name in environment:
            command += ["-e", name]
        command += ["--entrypoint", "/usr/local/bin/mlops-action"]
        command += self.arguments if "--network" in self.arguments else ["--network", "host", *self.arguments]
        mounts = [
            (self.temp, "/github/runner_temp"),
            (self.temp / "_github_home", "/github/home"),
            (self.temp / "_github_workflow", "/github/workflow"),
            (self.commands, "/github/file_commands"),
            (self.workspace, "/github/workspace"),
        ]
        if self.has_socket:
            mounts.insert(0, ("/var/run/docker.sock", "/var/run/docker.sock"))
        for outside, inside in mounts:
            command += ["-v", f"{outside}:{inside}"]
        self.log = open(self.folder / "log", "w+b")
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [*command, self.options.image], env={**os.environ, **environment}, stdout=self.log, stderr=subprocess.STDOUT
        )
        return self

    def wait(self, limit=120):
        try:
            code = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.docker("kill", self.name)
            self.process.wait()
            code = "killed"
        self.took = time.monotonic() - self.began
        return code

    def again(self):
        """The job's next attempt, on a runner that keeps its folders."""
        for variable in COMMAND_FILES:
            self.file(variable).write_text("")
        attempt = int(self.environment()["GITHUB_RUN_ATTEMPT"]) + 1
        self.more = {**self.more, "GITHUB_RUN_ATTEMPT": str(attempt)}

    def ran(self, limit=120):
        """Runs it to its end, holds against it what holds for every job, and gives its exit code."""
        code = self.start().wait(limit)
        self.tidy()
        return code

    def tidy(self):
        """Nothing of root's is left, no secret is anywhere, the summary is short enough to be shown."""
        roots = self.roots()
        if roots:
            check(False, f"nothing of root's is left {roots[:5]}")
        summary = self.summary()
        if len(summary.encode()) > 1 << 20:
            check(False, f"the summary is short enough: {len(summary)}")
        secrets = [secret.encode() for secret in self.secrets]

        def has_none(text, place):
            if any(secret in text for secret in secrets):
                check(False, f"no secret is in the {place}")

        has_none(self.said().encode(), "log")
        # Of many names for one file, such as uv makes, one will do.
        seen = set()
        for folder in [self.workspace, self.temp]:
            for path in folder.rglob("*"):
                about = path.lstat()
                if stat.S_ISREG(about.st_mode) and about.st_ino not in seen:
                    seen.add(about.st_ino)
                    has_none(path.read_bytes(), path.relative_to(self.folder))

    def said(self):
        """The log without the lines by which the runner learns what to hide."""
        lines = (self.folder / "log").read_text(errors="replace").splitlines(True)
        return "".join(line for line in lines if not line.startswith("::add-mask::"))

    def outputs(self):
        """The outputs as the runner reads them: from the host's folder, whatever is in its place by now."""
        return records(self.file("GITHUB_OUTPUT").read_text())

    def summary(self):
        return self.file("GITHUB_STEP_SUMMARY").read_text()

    def file(self, variable):
        return self.commands / COMMAND_FILES[variable]

    def docker(self, *arguments):
        return subprocess.run([self.options.docker, *arguments], capture_output=True, text=True)

    def until(self, what, holds, limit=60.0):
        deadline = time.monotonic() + limit
        while not holds():
            if time.monotonic() > deadline or self.process.poll() is not None:
                sys.exit(f"{what} did not come:\n{self.said()}")
            time.sleep(0.05)

    def processes(self):
        """Number, parent, user and state of every process in the container, as the machine sees them."""
        said = self.docker("top", self.name, "-eo", "pid,ppid,uid,stat,args").stdout
        return [line.split(None, 4) for line in said.splitlines()[1:]]

    def is_gone(self):
        return self.docker("ps", "-aq", "--filter", f"name={self.name}").stdout.strip() == ""

    def roots(self):
        """What belongs to root below the job's folders; nothing of it may be the container's."""
        places = [self.workspace, self.temp]
        found = [path for place in places for path in [place, *place.rglob("*")] if path.lstat().st_uid != OWNER]
        return [str(path.relative_to(self.folder)) for path in found]


def records(text):
    """`NAME=VALUE` lines and `NAME<<END … END` blocks: the earlier of `=` and `<<` decides. What is neither fails the step."""
    found, lines = {}, iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if heredoc > 0 and (equals < 0 or heredoc < equals):
            name, end, value = line[:heredoc], line[heredoc + 2 :], []
            for line in lines:
                if line == end:
                    break
                value.append(line)
            else:
                sys.exit(f"the output {name} does not end")
            found[name] = "\n".join(value)
        elif equals > 0:
            found[line[:equals]] = line[equals + 1 :]
        else:
            sys.exit(f"this is no output: {line!r}")
    return found
