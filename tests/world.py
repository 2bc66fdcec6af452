"""A repository on the twin of GitHub, and jobs that run the action there as a runner would; for the scripts beside this.

The twin is a program (`cargo build --example github-twin`); everything that it knows can be kept and brought back, so
that each case begins in the same world.
"""

import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "fixtures/repos/diabetes"
REPOSITORY = "ada/diabetes"
FORK = "eve/diabetes"
SECRET = "wandb-key-that-nobody-may-see"
PULL = {"contents": "read", "checks": "write", "pull-requests": "write"}
MAIN = {"contents": "write", "checks": "write", "pull-requests": "write", "issues": "write", "deployments": "write"}
REPORT = {"contents": "read", "checks": "write", "pull-requests": "write", "actions": "read"}
READ_ONLY = {"contents": "read", "pull-requests": "read"}


def alive(mark):
    """Processes other than this program that carry the mark in their command line."""
    found, own = [], os.path.basename(sys.argv[0]).encode()
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line, stat = (entry / "cmdline").read_bytes(), (entry / "stat").read_text()
            except OSError:
                continue
            if mark.encode() in line and own not in line and ") Z " not in stat:
                found.append(line.replace(b"\0", b" ").decode(errors="replace"))
    return found


def example():
    files = [path for path in EXAMPLE.rglob("*") if path.is_file() and ".mlops" not in path.parts]
    return {str(path.relative_to(EXAMPLE)): path.read_text() for path in sorted(files)}


def with_alpha(files, alpha):
    return {**files, "mlops.yaml": files["mlops.yaml"].replace("alpha: 1.0", f"alpha: {alpha}")}


class Twin:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = json.loads(self.process.stdout.readline())["url"]

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/_twin/{path}", data=data, method=method, headers={"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def post(self, path, **body):
        return self.ask("POST", path, body)

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


class Ran:
    """What a job left."""

    def __init__(self, code, log, folder, token):
        self.code, self.log = code, log
        self.summary = (folder / "summary").read_text()
        self.output = (folder / "output").read_text()
        self.outputs = set(re.findall(r"(?m)^([a-z-]+)<<", self.output))
        unmasked = "\n".join(line for line in log.splitlines() if not line.startswith("::add-mask::"))
        for secret in (SECRET, token):
            if any(secret in text for text in (unmasked, self.summary, self.output)):
                raise AssertionError("a secret is in the log, the summary or the outputs")

    def notices(self):
        return [line for line in self.log.splitlines() if line.startswith("::notice")]


class Started:
    def __init__(self, process, folder, token):
        self.process, self.folder, self.token = process, folder, token

    def wait(self, timeout=120):
        log, _ = self.process.communicate(timeout=timeout)
        try:
            return Ran(self.process.returncode, log, self.folder, self.token)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


class World:
    """The diabetes example on `main`, with one who may write."""

    def __init__(self, twin, binary, files=None):
        self.twin, self.binary = twin, pathlib.Path(binary).resolve()
        self.files = files or example()
        commits = [{"branch": "main", "message": "first", "files": self.files}]
        repository = {"name": REPOSITORY, "collaborators": {"ada": "admin", "mia": "maintain"}, "commits": commits}
        seeded = twin.post("scenario", repositories=[repository])["repositories"][REPOSITORY]
        self.id, self.main_sha = seeded["id"], seeded["refs"]["refs/heads/main"]
        self.tokens, self.contents = {}, {self.main_sha: self.files}
        self.n_runs = 100

    def token(self, permissions):
        key = json.dumps(permissions)
        if key not in self.tokens:
            made = self.twin.post("scenario", tokens=[{"repository": REPOSITORY, "permissions": permissions}])
            self.tokens[key] = made["tokens"][0]
        return self.tokens[key]

    def push(self, branch, files, repository=REPOSITORY):
        sha = self.twin.post("commit", repository=repository, branch=branch, files=files)["sha"]
        self.contents[sha] = files
        if branch == "main":
            self.main_sha = sha
        return sha

    def open(self, branch, head_repository=REPOSITORY):
        pull = {"title": "Tune", "author": "bob", "head_repository": head_repository, "head": branch, "base": "main"}
        seeded = self.twin.post("scenario", repositories=[{"name": REPOSITORY, "collaborators": {}, "pulls": [pull]}])
        return seeded["repositories"][REPOSITORY]["pulls"][0]

    def seen(self):
        return self.twin.ask("GET", "snapshot")[REPOSITORY]

    def repository(self):
        return {"id": self.id, "full_name": REPOSITORY, "default_branch": "main", "private": False}

    def job(self, event, payload, sha, **more):
        self.n_runs += 1
        job = {"ref": "refs/heads/main", "permissions": MAIN, "actor": "ada", "run": self.n_runs, "runtime": None}
        return {**job, "event": event, "payload": {**payload, "repository": self.repository()}, "sha": sha, **more}

    def on_main(self, event="push", inputs=None, **payload):
        if event == "push":
            payload = {"ref": "refs/heads/main", "before": "0" * 40, "after": self.main_sha}
        return self.job(event, payload, self.main_sha, inputs=inputs or {})

    def pull_request(self, number, sha, head_id=None, **more):
        head = {"sha": sha, "ref": "tune", "repo": {"id": head_id or self.id}}
        pull = {
            "number": number, "title": "Tune", "draft": False, "merged": False, "user": {"login": "bob"}, "head": head,
            "base": {"sha": self.main_sha, "ref": "main", "repo": {"id": self.id}},
        }  # fmt: skip
        payload = {"action": "synchronize", "number": number, "pull_request": pull}
        more = {"permissions": PULL, "actor": "bob", "ref": f"refs/pull/{number}/merge", **more}
        return self.job("pull_request", payload, sha, **more)

    def comment(self, number, text):
        made = self.twin.post("comment", repository=REPOSITORY, issue=number, login="mia", body=text)
        comment = {"id": made["id"], "body": text, "author_association": "MEMBER", "user": {"login": "mia", "type": "User"}}
        issue = {"number": number, "pull_request": {"url": "https://api.github.example/pulls"}}
        payload = {"action": "created", "issue": issue, "comment": comment}
        return self.job("issue_comment", payload, self.main_sha, actor="mia")

    def with_runtime(self, job, branch, **more):
        """The job with the service for artifacts and caches."""
        scope = job["ref"]
        run = self.twin.post("run", repository=REPOSITORY, event=job["event"], head_branch=branch, scope=scope, **more)
        return {**job, "run": run["id"], "runtime": run["runtime_token"]}

    def start(self, job, pace=5, timeout=10_000, env=None):
        """Runs the action for a job."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="mlops-job-"))
        workspace, temp = folder / "work", folder / "temp"
        temp.mkdir()
        for name, text in (job.get("files") or self.contents[job["sha"]]).items():
            path = workspace / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (workspace / ".git").mkdir()
        (workspace / ".git/HEAD").write_text(job["sha"])
        (folder / "event.json").write_text(json.dumps(job["payload"]))
        names = {"GITHUB_OUTPUT": "output", "GITHUB_ENV": "env", "GITHUB_PATH": "path", "GITHUB_STATE": "state"}
        names["GITHUB_STEP_SUMMARY"] = "summary"
        for name in names.values():
            (folder / name).write_text("")
        program = folder / "mlops-action"
        program.symlink_to(self.binary)
        token = self.token(job["permissions"])
        environment = {
            "PATH": os.environ["PATH"], "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": job["event"],
            "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_SHA": job["sha"], "GITHUB_REF": job["ref"],
            "GITHUB_ACTOR": job["actor"], "GITHUB_RUN_ID": str(job["run"]), "GITHUB_RUN_ATTEMPT": str(job.get("attempt", 1)),
            "GITHUB_JOB": "model", "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_WORKFLOW_REF": f"{REPOSITORY}/.github/workflows/mlops.yml@refs/heads/main",
            "GITHUB_API_URL": self.twin.url, "GITHUB_GRAPHQL_URL": f"{self.twin.url}/graphql",
            "GITHUB_WORKSPACE": str(workspace), "RUNNER_TEMP": str(temp),
            "GITHUB_EVENT_PATH": str(folder / "event.json"), "INPUT_GITHUB-TOKEN": token, "HF_TOKEN": SECRET,
            "MLOPS_GITHUB_PACE_MS": str(pace), "MLOPS_GITHUB_TIMEOUT_MS": str(timeout),
        }  # fmt: skip
        environment.update({variable: str(folder / name) for variable, name in names.items()})
        environment.update({f"INPUT_{name.upper()}": text for name, text in job.get("inputs", {}).items()})
        if job["runtime"]:
            environment["ACTIONS_RESULTS_URL"] = f"{self.twin.url}/"
            environment["ACTIONS_RUNTIME_TOKEN"] = job["runtime"]
        environment.update(env or {})
        process = subprocess.Popen(
            [program], cwd=workspace, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        return Started(process, folder, token)

    def run(self, job, **how):
        return self.start(job, **how).wait()

    def must(self, job, code=0):
        ran = self.run(job)
        assert ran.code == code, f"{ran.code} instead of {code}:\n{ran.log}"
        return ran

    def to_production(self):
        """Publishes what `main` has, and moves production there."""
        self.must(self.on_main())
        self.must(self.on_main("workflow_dispatch", inputs={"command": "promote"}, ref_type="branch"))


def live(seen, number):
    """The comments that stand as the report of a pull request."""
    marker = "<!-- mlops-action:mlops.yaml:v1 -->"
    of_pull = [one for one in seen["comments"] if one["issue"] == number and one["deleted_by"] is None]
    return [one for one in of_pull if one["body"].startswith(marker)]


def ledger(seen):
    branch = seen["branches"].get("mlops-registry", {"files": {}})
    names = sorted(name for name in branch["files"] if name.startswith("ledger/"))
    return [json.loads(branch["files"][name])["body"]["entry"] for name in names]


def data_of(comment):
    """What a comment carries for the next run."""
    found = re.search(r"mlops-data:([A-Za-z0-9_-]+)", comment["body"])
    return json.loads(base64.urlsafe_b64decode(found[1] + "=="))
