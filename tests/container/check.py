#!/usr/bin/env python3
"""Runs the image as GitHub's runner runs a container action, and holds what came of it against what must hold.

    python3 tests/container/check.py IMAGE [--slim IMAGE] [--docker CLIENT] [--command run] [--action]

With `--action` the container is started as `action.yml` says; otherwise the program gets COMMAND. Everything happens in
throwaway folders. The workspace belongs to user 1001, as on a hosted runner, or to whoever runs this and is not root.
"""

import argparse
import json
import os
import pathlib
import re
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROJECT = ROOT / "fixtures/repos/diabetes"
OWNER = 1001 if os.geteuid() == 0 else os.geteuid()
# A runner waits 7.5 s after the first signal.
STOP_LIMIT = 7.0
SECRETS = {
    "INPUT_GITHUB-TOKEN": "planted-secret-token",
    "ACTIONS_RUNTIME_TOKEN": "planted-secret-runtime",
    "WANDB_API_KEY": "planted-secret-wandb",
}
problems = []


def check(holds, what):
    print(f"   {'ok' if holds else 'BROKEN'}: {what}")
    if not holds:
        problems.append(what)


class Job:
    """The folders of one job, and its container."""

    def __init__(self, options, test_command=None, files=()):
        self.options = options
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mlops-job-"))
        self.temp = self.folder / "_temp"
        self.workspace = self.folder / "work"
        shutil.copytree(PROJECT, self.workspace, ignore=shutil.ignore_patterns(".mlops", "__pycache__"))
        for name in ["_github_home", "_github_workflow", "_runner_file_commands"]:
            (self.temp / name).mkdir(parents=True)
        (self.temp / "_github_workflow/event.json").write_text('{"ref": "refs/heads/main"}')
        self.file_commands = {}
        for variable, name in [
            ("GITHUB_OUTPUT", "set_output"),
            ("GITHUB_ENV", "set_env"),
            ("GITHUB_PATH", "add_path"),
            ("GITHUB_STATE", "save_state"),
            ("GITHUB_STEP_SUMMARY", "step_summary"),
        ]:
            self.file_commands[variable] = self.temp / "_runner_file_commands" / name
            self.file_commands[variable].touch()
        for file in files:
            shutil.copy(file, self.workspace)
        if test_command:
            config = self.workspace / "mlops.yaml"
            text = re.sub(r"(?m)^  test: .*$", f"  test: {{run: [{json.dumps(test_command)}], timeout: 5m}}", config.read_text())
            config.write_text(text)
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", f"{OWNER}:{OWNER}", self.folder], check=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # What root's container left behind on a runner without root stays there: only the temporary folder knows it.
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self, **more):
        """What the runner gives to a container action, paths translated."""
        return {
            "HOME": "/github/home",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION": "__self",
            "GITHUB_ACTOR": "octocat",
            "GITHUB_API_URL": "http://127.0.0.1:9",
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_EVENT_PATH": "/github/workflow/event.json",
            "GITHUB_GRAPHQL_URL": "http://127.0.0.1:9/graphql",
            "GITHUB_JOB": "model",
            "GITHUB_REF": "refs/heads/main",
            "GITHUB_REF_NAME": "main",
            "GITHUB_REF_TYPE": "branch",
            "GITHUB_REPOSITORY": "octocat/diabetes",
            "GITHUB_REPOSITORY_OWNER": "octocat",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_RUN_ID": "1",
            "GITHUB_RUN_NUMBER": "1",
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_SHA": "a" * 40,
            "GITHUB_WORKFLOW": "model",
            "GITHUB_WORKSPACE": "/github/workspace",
            "RUNNER_ARCH": "X64",
            "RUNNER_ENVIRONMENT": "github-hosted",
            "RUNNER_NAME": "runner",
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": "/github/runner_temp",
            "RUNNER_TOOL_CACHE": "/opt/hostedtoolcache",
            "RUNNER_WORKSPACE": "/home/runner/work/diabetes",
            **{f"INPUT_{name}": "" for name in ["COMMAND", "VERSION", "CONFIG", "DIRECTORY", "COMMENT"]},
            **{name: f"/github/file_commands/{path.name}" for name, path in self.file_commands.items()},
            **SECRETS,
            **more,
        }

    def start(self, *docker_arguments, action=None, environment=None, socket=True):
        """Starts the container by the runner's own command line; values travel in the client's environment."""
        environment = environment or self.environment()
        self.name = f"mlops_{secrets.token_hex(3)}"
        command = [self.options.docker, "run", "--name", self.name, "--label", "mlops-check", "--workdir", "/github/workspace", "--rm"]
        for name in environment:
            command += ["-e", name]
        if action if action is not None else self.options.action:
            command += ["--entrypoint", "/usr/local/bin/mlops-action"]
            arguments = []
        else:
            arguments = ["-v", *self.options.command.split()]
        command += docker_arguments
        mounts = [
            (self.temp, "/github/runner_temp"),
            (self.temp / "_github_home", "/github/home"),
            (self.temp / "_github_workflow", "/github/workflow"),
            (self.temp / "_runner_file_commands", "/github/file_commands"),
            (self.workspace, "/github/workspace"),
        ]
        if socket:
            mounts.insert(0, ("/var/run/docker.sock", "/var/run/docker.sock"))
        for outside, inside in mounts:
            command += ["-v", f"{outside}:{inside}"]
        self.log = open(self.folder / "log", "w+b")
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [*command, self.options.image, *arguments], env={**os.environ, **environment}, stdout=self.log, stderr=subprocess.STDOUT
        )
        return self

    def wait(self, limit=300):
        try:
            code = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.docker("kill", self.name)
            code = self.process.wait()
        self.took = time.monotonic() - self.began
        return code

    def said(self):
        return (self.folder / "log").read_text(errors="replace")

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

    def roots(self):
        """What belongs to root below the job's folders; nothing of it may be the container's."""
        places = [self.workspace, self.temp]
        found = [path for place in places for path in [place, *place.rglob("*")] if path.lstat().st_uid != OWNER]
        return [str(path.relative_to(self.folder)) for path in found]


def ordinary(options):
    print("── a run as on a runner")
    for name, arguments in [("bridge", []), ("no network at all", ["--network", "none"])]:
        with Job(options) as job:
            code = job.start(*arguments).wait()
            check(code == 0, f"{name}: exit code 0 after {job.took:.1f} s")
            if code != 0:
                print(job.said())
            reports = list((job.workspace / ".mlops/runs").glob("*/report.html"))
            check(len(reports) == 1, f"{name}: one report is in the workspace")
            check(job.roots() == [], f"{name}: nothing of root's is left {job.roots()[:5]}")


def hostile(options):
    print("── a hostile command")
    with Job(options, "python3 hostile.py", [HERE / "hostile.py"]) as job:
        code = job.start("--memory", "1g").wait()
        said = job.said()
        check(code == 0, f"it is just a command that passes: exit code {code} after {job.took:.1f} s")
        try:
            reached = json.loads((job.workspace / "reached.json").read_text())
        except OSError:
            sys.exit(f"it did not get to its end:\n{said}")
        status = reached.pop("own status")
        for line in [f"Uid:\t{OWNER}", "Groups:\t \n", "NoNewPrivs:\t1", "CapEff:\t0000000000000000"]:
            check(line in status, f"its status says {line!r}")
        for name in [
            "environ of 1", "memory of 1", "output of 1", "docker", "kill 1", "become root", "write /usr", "write /etc",
        ]:
            check(reached[name].startswith("denied"), f"{name}: {reached[name]}")
        for name in ["own environment", "environ of the parent", "environ of everybody"]:
            check(reached[name] == "nothing in it" or reached[name].startswith("denied"), f"{name}: {reached[name]}")
        check(reached["own home"] == "done" and "mlops/home" in reached["where home is"], "it has a home of its own")
        check(job.processes() == [], "nothing of it is left")
        lines = [line.lstrip() for line in said.splitlines()]
        own = ("::group::", "::endgroup::", "::debug::", "::notice", "::warning", "::error")
        foreign = [line for line in lines if line.startswith("::") and not (options.action and line.startswith(own))]
        check(foreign == [], f"no line of the log is a command {foreign[:3]}")
        check("##[" not in said, "no old command is anywhere in the log")
        check("\x1b" not in said and "\u200b" not in said, "nothing steers a terminal")
        check(not any(secret in said for secret in SECRETS.values()), "no secret is in the log")
        check(len(said) < 1 << 20, f"100 MB without an end became {len(said) / 1024:.0f} KiB of log")
        check(job.roots() == [], f"nothing of root's is left {job.roots()[:5]}")
        forged = job.file_commands["GITHUB_OUTPUT"].read_text()
        if options.action:
            check("forged" not in forged, "the outputs are ours alone")
        # These are open to whoever is the workspace's user; what they hold is no secret, what they steer is overwritten.
        for name in [
            "list the file commands", "read the event", "forge an output", "move the file commands away", "home of the job",
        ]:
            print(f"   known: {name}: {reached[name]}")


def stopping(options):
    print("── signals, strays and zombies")
    stubborn = (
        "(setsid sh -c 'trap \"\" TERM INT; : >one; while :; do sleep 1; done' &); i=0; "
        "while [ $i -lt 50 ]; do (sh -c 'exit 0' &); i=$((i+1)); done; "
        "trap '' TERM INT; : >two; while :; do sleep 1; done"
    )
    for how in [["kill", "-s", "INT"], ["kill", "-s", "TERM"], ["stop", "-t", "8"], None]:
        with Job(options, stubborn) as job:
            job.start()
            job.until("the command", lambda job=job: all((job.workspace / name).exists() for name in ["one", "two"]))
            if how is None:
                # Strays that died are taken leave of while the command runs on.
                job.until("the end of the zombies", lambda job=job: not any("Z" in p[3] for p in job.processes()), 15)
                users = {process[2] for process in job.processes() if "mlops" not in process[4]}
                check(users == {str(OWNER)}, f"commands run as {OWNER}: {users}")
                check(len(job.processes()) >= 3, "and they do run")
                # As the runner does: to the client, which passes it on.
                how = ["the client"]
                asked = time.monotonic()
                job.process.send_signal(2)
            else:
                asked = time.monotonic()
                job.docker(*how, job.name)
            code = job.wait(30)
            took = time.monotonic() - asked
            check(took < STOP_LIMIT and code == 130, f"{' '.join(how)}: ended with {code} after {took:.1f} s")
            check(job.roots() == [], f"{' '.join(how)}: nothing of root's is left {job.roots()[:5]}")


def kubernetes(options):
    print("── as runners on Kubernetes do it")
    with Job(options) as job:
        name = f"mlops_{secrets.token_hex(3)}"
        mount = ["-v", f"{job.workspace}:/__w/diabetes", "-v", f"{job.temp}:/__w/_temp"]
        started = job.docker("run", "-d", "--rm", "--name", name, *mount, "--entrypoint", "tail", options.image, "-f", "/dev/null")
        try:
            check(started.returncode == 0, f"`tail` is there {started.stderr.strip()}")
            environment = job.environment(GITHUB_WORKSPACE="/__w/diabetes", RUNNER_TEMP="/__w/_temp", HOME="/root")
            environment["GITHUB_EVENT_PATH"] = "/github/workflow/event.json"
            words = " ".join(f"'{name}={value}'" for name, value in environment.items())
            program = "/usr/local/bin/mlops-action" if options.action else f"/usr/local/bin/mlops {options.command}"
            script = f"cd /__w/diabetes && exec env {words} {program}"
            done = job.docker("exec", name, "sh", "-e", "-c", script)
            check(done.returncode == 0, f"`sh`, `env`, no socket, no event: exit code {done.returncode}")
            if done.returncode != 0:
                print(done.stdout + done.stderr)
            links = job.docker("exec", name, "readlink", "-f", "/usr/local/bin/mlops-action").stdout.strip()
            check(links == "/usr/local/bin/mlops", f"the action's entry point is the program: {links}")
        finally:
            job.docker("kill", name)


def tools(options):
    print("── what commands find")
    for command in ["uv --version", "python3 -m venv --help", "git --version", "test -e /etc/ssl/certs/ca-certificates.crt"]:
        done = subprocess.run(
            [options.docker, "run", "--rm", "--network", "none", "--user", f"{OWNER}", "--entrypoint", "sh", options.image, "-c", command],
            capture_output=True, text=True,
        )
        check(done.returncode == 0, f"{command}: {done.stdout.splitlines()[:1]}")
    if options.slim:
        slim = subprocess.run([options.docker, "run", "--rm", options.slim, "--version"], capture_output=True, text=True)
        check(slim.returncode == 0, f"slim: {slim.stdout.strip()}")


def start_time(options):
    print("── from `docker run` to the first line, in ms")
    for name, arguments in [
        ("--version", [options.image, "--version"]),
        ("--version, no network", ["--network", "none", options.image, "--version"]),
        ("as the action", ["--entrypoint", "/usr/local/bin/mlops-action", options.image]),
    ]:
        times = []
        for _ in range(5):
            began = time.monotonic()
            process = subprocess.Popen(
                [options.docker, "run", "--rm", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            process.stdout.readline()
            times.append((time.monotonic() - began) * 1000)
            process.communicate()
        print(f"   {name}: median {statistics.median(times):.0f}, least {min(times):.0f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("image")
    parser.add_argument("--slim", help="the image with the program alone")
    parser.add_argument("--docker", default="docker")
    parser.add_argument("--command", default="run", help="what the program is told when it is not the action")
    parser.add_argument("--action", action="store_true", help="start it as `action.yml` says")
    options = parser.parse_args()
    for part in [start_time, tools, ordinary, hostile, stopping, kubernetes]:
        part(options)
    if problems:
        sys.exit("broken:\n  " + "\n  ".join(problems))


if __name__ == "__main__":
    main()
