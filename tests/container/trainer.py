"""A trainer that means harm, `train: {run: …}` of a pull request: it ends, its job says how, and the next one is fine."""

import json
import re

from world import ROOT, World, check

CONFIG = """model: diabetes-progression
data: {{source: data/diabetes.csv, target: progression}}
environment: none
registry: embedded
train: {{run: {command}, timeout: {timeout}}}
gates: {{metrics: {{r2: {{informational: true}}}}}}
"""
# A trainer as it should be: it says the mean.
HONEST = """import csv, os, pathlib
rows = list(csv.DictReader(open("data/diabetes.csv")))
part = {int(one["row"]): one["part"] for one in csv.DictReader(open(os.environ["MLOPS_SPLIT"]))}
known = [float(one["progression"]) for row, one in enumerate(rows) if part[row] == "train"]
with open(pathlib.Path(os.environ["MLOPS_OUTPUT"]) / "predictions.csv", "w") as file:
    file.write("row,truth,prediction\\n")
    for row, one in enumerate(rows):
        if part[row] == "test":
            file.write(f"{row},{one['progression']},{sum(known) / len(known)}\\n")
"""
# What it would write, with how much it takes to keep it from that: the rights of its user, or Landlock too.
FORBIDDEN = ["/usr/local/bin/mlops", "/etc/passwd", "/var/lib/mine"]
OF_THE_RUNNER = ["/github/workflow/event.json", "/github/file_commands/set_output_1", "/github/home/mine"]
KEY = "0123456789abcdef" * 2 + "planted0"
QUIET = " ; ".join(
    f"python3 attack.py {attack}"
    for attack in ["commands", "look", f"write {' '.join(FORBIDDEN + OF_THE_RUNNER)}", "daemon"]
)


def trainer(options):
    for what, command, timeout, said in [
        ("looks, writes, commands and leaves somebody behind", QUIET, "1m", "predictions"),
        ("takes every process", "python3 attack.py fork_bomb sessions", "1m", "processes and threads"),
        ("takes all memory", "python3 attack.py memory", "1m", "memory"),
        ("asks for 10 GB and goes on", "python3 attack.py memory_at_once", "1m", None),
        ("prints without an end", "python3 attack.py output", "1m", "it printed more than"),
        ("computes without an end", "python3 attack.py compute", "3s", "it was stopped after"),
        ("ignores who asks it to end", "python3 attack.py daemon stay", "3s", "it was stopped after"),
    ]:
        print(f"── a trainer that {what}")
        with World(options) as world:
            program = (ROOT / "fixtures/hostile/train.py").read_text()
            config = CONFIG.format(command=json.dumps(command), timeout=timeout)
            files = {"mlops.yaml": config, "attack.py": program, "honest.py": HONEST}
            with world.proposed("harm", files) as job:
                job.arguments = ["--memory", "512m"]
                # Nobody is there: a run that was tracked waits on disk.
                job.more = {"WANDB_API_KEY": KEY, "WANDB_BASE_URL": "http://127.0.0.1:9", "MLOPS_WANDB_PACE_MS": "10"}
                job.inputs["wandb-api-key"] = KEY
                job.secrets.append(KEY)
                code = job.ran()
                log, outputs = job.said(), job.outputs()
                is_told = outputs.get("passed") == "false" and outputs.get("verdict") == "failed to run"
                check(is_told and job.took < 60, f"exit code {code} after {job.took:.1f} s: {outputs.get('reason')}")
                if not is_told:
                    print(log[-4000:])
                check(said is None or said in outputs.get("reason", ""), f"its reason says why: {said}")
                check("forged" not in str(outputs), f"the outputs are ours: {list(outputs)}")
                check("diabetes-progression" in job.summary() and "forged" not in job.summary(), "so is the summary")
                for variable in ["GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE"]:
                    check(job.file(variable).read_text() == "", f"{variable} is empty")
                reports = list((job.workspace / ".mlops/runs").glob("*/report.html"))
                check(len(reports) == 1, "there is a report")
                check(job.is_gone(), "nothing of it is left")
                found = world.checks(job.sha).get("mlops / diabetes-progression")
                check(found == "failure", f"its check says {found}")
                check(len(world.thread(1)) == 1, "its comment is there")
                if command is QUIET:
                    quiet(log)
                honest = config.replace(json.dumps(command), '"python3 honest.py"')
                (job.workspace / "mlops.yaml").write_text(honest)
                job.again()
                code = job.ran()
                check(code == 0, f"the next run: exit code {code} after {job.took:.1f} s: {job.outputs().get('reason')}")
                if code != 0:
                    print(job.said()[-4000:])


def quiet(log):
    """What it reached, by its own words."""
    lines = re.findall(r"^.*?((?:environ|mem|fd/1|write|empty|remove|move|link)\b.*: (?:reached|denied).*)$", log, re.MULTILINE)
    reached = [line for line in lines if ": reached" in line]
    known = [line for line in reached if any(path in line for path in OF_THE_RUNNER)]
    check(len(lines) > 30 and set(reached) == set(known), f"of {len(lines)} attempts none reached what is not its user's: {set(reached) - set(known)}")
    for line in known:
        print(f"   known without Landlock: {line}")
    check("##[" not in log and not re.search(r"^\s*::(set-output|stop-commands)", log, re.MULTILINE), "no line of the log is a command")
