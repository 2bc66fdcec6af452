#!/usr/bin/env python3
"""Runs the image as GitHub's runner runs a container action, and holds what came of it against what must hold.

    python3 tests/container/check.py IMAGE --twin PROGRAM [--slim IMAGE] [--docker CLIENT] [--only PART] [--measure TIMES]

PROGRAM is the twin of GitHub, `cargo build --example github-twin`. `world.py` says how a job is made.
"""

import argparse
import json
import os
import random
import secrets
import statistics
import subprocess
import sys
import time

from life import life
from python import python
from trainer import trainer
from world import HERE, OWNER, World, check, problems

# A runner waits 7.5 s after the first signal.
STOP_LIMIT = 7.0
CHECK = "mlops / diabetes-progression"
# What commands may not make of a log: the runner obeys these.
OWN = ("::group::", "::endgroup::", "::debug::", "::notice ", "::warning ", "::error ")
SLOW = """model: diabetes-progression
data: {source: data/slow.csv, target: y}
train: {estimator: random_forest, params: {n_estimators: 2000, max_depth: 14}}
gates: {metrics: {r2: {informational: true}}}
"""


def testing(world, command, **files):
    """The files of a project whose tests are this command."""
    lines = world.config.splitlines(True)
    line = f"  test: {{run: [{json.dumps(command)}], timeout: 5m}}\n"
    return {"mlops.yaml": "".join(line if one.startswith("  test:") else one for one in lines), **files}


def hostile(options):
    program = (HERE / "hostile.py").read_text()
    for what, arguments in [("a hostile command", ""), ("one that keeps the runner's folder", " keep")]:
        print(f"── {what}")
        with World(options) as world:
            files = testing(world, f"python3 hostile.py{arguments}", **{"hostile.py": program})
            with world.proposed("hostile", files) as job:
                job.arguments = ["--memory", "256m"]
                code = job.ran()
                said = job.said()
                has_landlock = attacked(job, said)
                # Without Landlock the folder is its user's, and can only be found to be another one.
                wanted = 3 if arguments and not has_landlock else 0
                check(code == wanted, f"with 256 MB of memory: exit code {code} after {job.took:.1f} s")
                if code != wanted:
                    print(said[-4000:])
                if wanted == 0:
                    untouched(job)
                else:
                    check("another folder" in said, "the log says why")
                check(world.checks(job.sha).get(CHECK) == "success", "and its check is told as it is")
                check(world.ask("GET", "violations") == [], "GitHub's contract holds")
    greedy(options)


def untouched(job, passed="true"):
    outputs = job.outputs()
    check("forged" not in str(outputs) and outputs.get("passed") == passed, f"the outputs are ours: {list(outputs)}")
    check("forged" not in job.summary() and "rmse" in job.summary(), "so is the summary")
    for variable in ["GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE"]:
        check(job.file(variable).read_text() == "", f"{variable} is empty")


def greedy(options):
    """Attacks that take all there is: the command ends, the job says why, and nothing else is harmed."""
    program = (HERE.parent.parent / "fixtures/hostile/train.py").read_text()
    for attack, words in [
        ("thread_bomb", "processes and threads"),
        ("fork_bomb", "processes and threads"),
        ("fork_bomb sessions", "processes and threads"),
        ("memory", "memory"),
        ("memory_of_many", "memory"),
        ("output", "it printed more than"),
        ("hop", None),
        ("daemon", None),
    ]:
        print(f"── a command that means harm: {attack}")
        with World(options) as world:
            files = testing(world, f"python3 attack.py {attack}", **{"attack.py": program})
            with world.proposed("greedy", files) as job:
                job.arguments = ["--memory", "512m"]
                code = job.ran()
                said = job.said()
                wanted = 0 if words is None else 1
                check(code == wanted and job.took < 60, f"exit code {code} after {job.took:.1f} s")
                if code != wanted:
                    print(said[-4000:])
                check(words is None or words in said, f"the log says why: {words}")
                check(job.is_gone(), "nothing of it is left")
                untouched(job, "true" if wanted == 0 else "false")
                check(world.checks(job.sha).get(CHECK) == ("success" if wanted == 0 else "failure"), "its check is told as it is")


def attacked(job, said):
    """Whether the kernel could hold its files."""
    try:
        reached = json.loads((job.workspace / "reached.json").read_text())
    except OSError:
        sys.exit(f"it did not get to its end:\n{said}")
    status = reached.pop("own status")
    for line in [f"Uid:\t{OWNER}", "Groups:\t \n", "NoNewPrivs:\t1", "CapEff:\t0000000000000000"]:
        check(line in status, f"its status says {line!r}")
    for name in ["environ of 1", "memory of 1", "output of 1", "docker", "kill 1", "become root", "write /usr", "write /etc", "write /var"]:
        check(reached[name].startswith("denied"), f"{name}: {reached[name]}")
    for name in ["own environment", "environ of the parent", "environ of everybody", "read the event"]:
        check(reached[name] == "nothing in it" or reached[name].startswith("denied"), f"{name}: {reached[name]}")
    check(reached["own home"] == "done" and "mlops/home" in reached["where home is"], "it has a home of its own")
    check(job.is_gone(), "nothing of it is left")
    foreign = [line for line in map(str.lstrip, said.splitlines()) if line.startswith("::") and not line.startswith(OWN)]
    check(foreign == [], f"no line of the log is a command {foreign[:3]}")
    check("##[" not in said, "no old command is anywhere in the log")
    check("\x1b" not in said and "\u200b" not in said, "nothing steers a terminal")
    check(len(said) < 1 << 20, f"100 MB without an end became {len(said) / 1024:.0f} KiB of log")
    # The workspace's user may do these; what the files hold is no secret, what they steer is overwritten.
    for name in ["list the file commands", "forge the files", "move the file commands away", "home of the job"]:
        if reached["landlock"] >= 3:
            check(reached[name].startswith("denied"), f"{name}: {reached[name]}")
        else:
            print(f"   known without Landlock: {name}: {reached[name]}")
    return reached["landlock"] >= 3


def ended(job, how, moment, conclusion="cancelled"):
    """Stops a job and holds what is left of it against what must be."""
    asked = time.monotonic()
    if how == "the client":
        # As the runner does: it passes the signal on.
        job.process.send_signal(2)
    else:
        job.docker(*how.split(), job.name)
    code = job.wait(30)
    took = time.monotonic() - asked
    check(took < STOP_LIMIT and code == 130, f"{how}, {moment}: ended with {code} after {took:.1f} s")
    job.tidy()
    check(job.is_gone(), f"{how}, {moment}: the container is gone")
    found = job.world.checks(job.sha).get(CHECK)
    check(found == conclusion, f"{how}, {moment}: the check says {found}")


def stopping(options):
    print("── signals")
    stubborn = (
        "(setsid sh -c 'trap \"\" TERM INT; : >one; while :; do sleep 1; done' &); i=0; "
        "while [ $i -lt 50 ]; do (sh -c 'exit 0' &); i=$((i+1)); done; "
        "trap '' TERM INT; : >two; while :; do sleep 1; done"
    )
    for how in ["kill -s INT", "kill -s TERM", "stop -t 8", "the client"]:
        with World(options) as world, world.proposed("stubborn", testing(world, stubborn)) as job:
            job.start()
            job.until("the command", lambda job=job: all((job.workspace / name).exists() for name in ["one", "two"]))
            if how == "the client":
                # Strays that died are taken leave of while the command runs on.
                job.until("the end of the zombies", lambda job=job: not any("Z" in p[3] for p in job.processes()), 15)
                users = {process[2] for process in job.processes() if "mlops" not in process[4]}
                check(users == {str(OWNER)}, f"commands run as {OWNER}: {users}")
                check(len(job.processes()) >= 3, "and they do run")
            ended(job, how, "during tests")
    draw = random.Random(1)
    rows = "".join(f"{draw.random():.6f},{draw.gauss(0, 1):.6f},{draw.gauss(0, 1):.6f}\n" for _ in range(40_000))
    for how in ["the client", "kill -s TERM"]:
        with World(options) as world, world.proposed("slow", {"mlops.yaml": SLOW, "data/slow.csv": f"a,b,y\n{rows}"}) as job:
            job.start()
            job.until("the training", lambda job=job: "✓ data" in job.said())
            time.sleep(0.5)
            check("✓ train" not in job.said(), "the forest is still growing")
            ended(job, how, "during training")
    # The artifact goes up first, then the check ends, then the comment comes.
    for moment, fault, conclusion in [
        ("while the report goes up", {"method": "POST", "path_contains": "CreateArtifact"}, "cancelled"),
        ("while the check ends", {"method": "PATCH", "path_contains": "/check-runs/"}, "cancelled"),
        ("while the comment comes", {"method": "POST", "path_contains": "/comments"}, "success"),
    ]:
        for how in ["the client", "kill -s TERM"]:
            with World(options) as world:
                world.fault(**fault, kind="delay", delay_ms=20_000)
                with world.proposed("late", {"NOTES.md": "late"}) as job:
                    job.start()
                    job.until("the report", lambda job=job: any((job.workspace / ".mlops/runs").glob("*/report.html")))
                    time.sleep(0.7)
                    ended(job, how, moment, conclusion)


def kubernetes(options):
    print("── as runners on Kubernetes do it")
    with World(options) as world, world.proposed("pod", {"NOTES.md": "pod"}) as job:
        name = f"mlops_{secrets.token_hex(3)}"
        mounts = ["-v", f"{job.workspace}:/__w/diabetes", "-v", f"{job.temp}:/__w/_temp", "--network", "host"]
        started = job.docker("run", "-d", "--rm", "--name", name, *mounts, "--entrypoint", "tail", options.image, "-f", "/dev/null")
        try:
            check(started.returncode == 0, f"`tail` is there {started.stderr.strip()}")
            job.more = {"GITHUB_WORKSPACE": "/__w/diabetes", "RUNNER_TEMP": "/__w/_temp", "HOME": "/root"}
            words = " ".join(f"'{name}={value}'" for name, value in job.environment().items())
            script = f"cd /__w/diabetes && exec env {words} /usr/local/bin/mlops-action"
            done = job.docker("exec", name, "sh", "-e", "-c", script)
            check(done.returncode == 0, f"`sh`, `env`, no socket, no event, no files: exit code {done.returncode}")
            if done.returncode != 0:
                print(done.stdout + done.stderr)
            check(world.checks(job.sha).get(CHECK) == "success", "its check is there")
            check(len(world.thread(1)) == 1, "so is the comment")
            check("outputs and summary are missing" in done.stdout, "the log says what is not")
            check(world.ask("GET", "violations") == [], "GitHub's contract holds")
            check(job.roots() == [], f"nothing of root's is left {job.roots()[:5]}")
            links = job.docker("exec", name, "readlink", "-f", "/usr/local/bin/mlops-action").stdout.strip()
            check(links == "/usr/local/bin/mlops", f"the action's entry point is the program: {links}")
        finally:
            job.docker("kill", name)


def elsewhere(options):
    print("── an enterprise server, and nobody at all")
    with World(options) as world, world.proposed("own", {"NOTES.md": "own"}) as job:
        job.more = {
            "GITHUB_API_URL": f"{world.url}/api/v3",
            "GITHUB_GRAPHQL_URL": f"{world.url}/api/graphql",
            "GITHUB_SERVER_URL": "https://github.example",
            "ACTIONS_RESULTS_URL": None,
            "INPUT_CHECK-RUN-ID": "",
        }
        code = job.ran()
        check(code == 0, f"an enterprise server: exit code {code} after {job.took:.1f} s")
        check(world.checks(job.sha).get(CHECK) == "success" and len(world.thread(1)) == 1, "check and comment are there")
        check(world.ask("GET", "violations") == [], "GitHub's contract holds")
    with World(options) as world, world.proposed("alone", {"NOTES.md": "alone"}) as job:
        job.arguments = ["--network", "none"]
        api = "https://api.github.com"
        job.more = {"GITHUB_API_URL": api, "GITHUB_GRAPHQL_URL": f"{api}/graphql", "ACTIONS_RESULTS_URL": f"{api}/"}
        code = job.ran()
        # What production is can not be found out, and that is what the verdict says.
        check(code == 3 and job.took < 90, f"no network at all: exit code {code} after {job.took:.1f} s")
        reports = list((job.workspace / ".mlops/runs").glob("*/report.html"))
        check(len(reports) == 1 and "reason" in job.outputs(), f"report and outputs are there: {job.outputs().get('reason')}")
        check("is missing" in job.said(), "the log says what is missing")
    with World(options) as world, world.main() as job:
        job.arguments = ["--network", "none"]
        job.more = {"INPUT_GITHUB-TOKEN": "", "ACTIONS_RESULTS_URL": None, "ACTIONS_RUNTIME_TOKEN": None}
        code = job.ran()
        check(code == 2, f"neither network nor token, nobody knows what is in production: exit code {code} after {job.took:.1f} s")


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


def measured(options):
    """Sizes and times for people; nothing is asserted."""
    print(f"── sizes, and medians of {options.measure} (load {os.getloadavg()[0]:.1f})")
    for name in filter(None, [options.image, options.slim]):
        about = json.loads(subprocess.run([options.docker, "image", "inspect", name], capture_output=True, text=True).stdout)[0]
        packed = subprocess.run(f"{options.docker} save {name} | gzip -6 | wc -c", shell=True, capture_output=True, text=True).stdout
        layers = len(about["RootFS"]["Layers"])
        print(f"   {name}: {about['Size'] / 1e6:.1f} MB, packed {int(packed) / 1e6:.1f} MB, {layers} layers")

    def first_line(arguments):
        began = time.monotonic()
        process = subprocess.Popen([options.docker, "run", "--rm", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        process.stdout.readline()
        took = time.monotonic() - began
        process.communicate()
        return took

    def pull_request(world, job):
        with job:
            job.start()
            while (job.folder / "log").stat().st_size == 0:
                time.sleep(0.002)
            first = time.monotonic() - job.began
            job.wait()
            return first, job.took

    action = ["--network", "host", "--entrypoint", "/usr/local/bin/mlops-action", options.image]
    rows = {
        "`--version`, bridge": [first_line([options.image, "--version"]) for _ in range(options.measure)],
        "`--version`, host network": [first_line(["--network", "host", options.image, "--version"]) for _ in range(options.measure)],
        "the action without an event": [first_line(action) for _ in range(options.measure)],
    }
    with World(options) as world:
        with world.main() as job:
            job.ran()
        promote = world.main("workflow_dispatch", inputs={})
        promote.inputs["command"] = "promote"
        with promote:
            promote.ran()
        world.push("tune", {"NOTES.md": "tune"})
        number = world.open("tune", "Tune")
        times = []
        for turn in range(options.measure):
            world.push("tune", {"NOTES.md": f"{turn}", "mlops.yaml": world.config.replace("alpha: 1.0", f"alpha: 0.{turn + 10}")})
            times.append(pull_request(world, world.pull_request(number, "tune")))
    rows["a pull request's first line"], rows["a pull request, to its end"] = zip(*times)
    for name, times in rows.items():
        print(f"   {name}: median {statistics.median(times) * 1000:.0f} ms, {min(times) * 1000:.0f} to {max(times) * 1000:.0f}")


PARTS = [tools, life, hostile, trainer, stopping, kubernetes, elsewhere]
# Needs the package index.
APART = [python]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("image")
    parser.add_argument("--twin", required=True, help="the program that is GitHub here")
    parser.add_argument("--slim", help="the image with the program alone")
    parser.add_argument("--docker", default="docker")
    parser.add_argument("--only", choices=[part.__name__ for part in PARTS + APART])
    parser.add_argument("--measure", type=int, metavar="TIMES", help="measures instead")
    options = parser.parse_args()
    if options.measure:
        measured(options)
        return
    for part in PARTS + APART:
        if options.only == part.__name__ or options.only is None and part in PARTS:
            began = time.monotonic()
            part(options)
            print(f"   {part.__name__}: {time.monotonic() - began:.0f} s")
    if problems:
        sys.exit("broken:\n  " + "\n  ".join(problems))


if __name__ == "__main__":
    main()
