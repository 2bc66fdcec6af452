#!/usr/bin/env python3
"""Offline runs from one client to the other: ours by `wandb sync`, one of the official client by `mlops sync`.

    python tests/wandb_sync.py TARGET/release/mlops TARGET/release/examples/wandb-twin COMMAND …

The command runs the unit test that writes an offline run of ours to where MLOPS_WANDB_OFFLINE says. With the `python` of
an environment that has `wandb`; `wandb` itself has to be beside it. That `wandb sync` ends well says nothing: it does
with a damaged log too. What counts are its mark beside the log and what is there then.
"""

import json
import math
import os
import pathlib
import subprocess
import sys

from wandb_read import ROOT, Scene, check


def lines(kept):
    """Rows of a history, whose numbers may be what JSON does not have."""
    return [json.loads(line) for line in kept["history"]]


def ours(scene, api, command):
    here, there = scene.folder / "here", scene.folder / "there"
    here.mkdir()
    made = subprocess.run(command, cwd=ROOT, env={**os.environ, "HOME": scene.home, "MLOPS_WANDB_OFFLINE": str(here)})
    assert made.returncode == 0, "the test that writes an offline run failed"
    here.rename(there)
    directory = next((there / "wandb").glob("offline-run-*"))
    log = next(directory.glob("run-*.wandb"))
    check("the log has many blocks", log.stat().st_size > 5 * 32768)
    synced = subprocess.run(
        ["wandb", "sync", f"wandb/{directory.name}"],
        cwd=there, env={**scene.env, "WANDB_SILENT": "false"}, text=True, capture_output=True, timeout=120,
    )  # fmt: skip
    mark = directory / f"{log.name}.synced"
    check("`wandb sync` says that it is done", mark.exists() or print(synced.stdout, synced.stderr))
    kept = scene.twin.ask("GET", "snapshot")["projects"]["ml-team/later"]
    run = kept["runs"]["off-1"]
    rows = lines(run)
    check("the history is whole", [row["_step"] for row in rows] == [0, 1, 2, 3])
    losses = [float(row["loss"]) for row in rows]
    check("with numbers that JSON does not have", math.isnan(losses[0]) and losses[1:] == [math.inf, -math.inf, 0.25])
    check("and a long text", len(rows[1]["text"]) == 2 * 40_000)
    read = api.run("ml-team/later/off-1")
    check("its state", read.state == "failed")
    check("its summary", read.summary["passed"] is False and float(read.summary["best"]) == -math.inf)
    check("its configuration", (read.config["seed"], read.config["rows"]) == (42, 442))
    check("its name, group, kind, tags and notes", (read.name, read.group, read.job_type) == ("an offline run", "pull-7", "evaluate"))
    check("its tags and notes", set(read.tags) == {"ridge", "ci"} and read.notes == "[the run](https://github.com)")
    own = json.loads(read.json_config)["_wandb"]["value"]
    check("its charts", own["visualize"]["roc"]["panel_config"]["panelDefId"] == "wandb/line/v0")
    hidden = {metric["1"] for metric in own["m"] if 2 in metric["6"]}
    check("what has no panel", hidden == {"test/rmse_low", "test/rmse_high"})
    check("its console", [line for line in run["output"] if "one line" in line] != [] and len(run["output"]) == 2)
    files = {file.name for file in read.files()}
    expected = {"report.html", "config.yaml", "wandb-summary.json", "wandb-metadata.json", "output.log"}
    check("its files", expected <= files)
    last = rows[3]
    check("its picture", last["overview"]["path"] in files and last["overview"]["caption"] == "All of it")
    table = read.file(last["slices/age"]["path"]).download(str(scene.folder / "files"), replace=True)
    check("its table", json.load(table)["columns"] == ["x", "y"])
    shared = [one for one in read.logged_artifacts() if one.type == "run_table"]
    check("its tables as artifacts", len(shared) == 2)
    for artifact in shared:
        artifact.verify(artifact.download(str(scene.folder / artifact.name.replace(":", "-"))))
    model = api.artifact("ml-team/later/diabetes:latest", type="model")
    place = pathlib.Path(model.download(str(scene.folder / "model")))
    model.verify(str(place))
    check("its model", (place / "deep/er/card.md").read_text() == "# Card" and model.metadata["rmse"] == 53.5)
    check("once", model.version == "v0" and shared[0].version == "v0")
    data = api.artifact("ml-team/later/diabetes-data:latest", type="dataset")
    check("its data", data.manifest.entries["data.csv"].ref == "https://example.invalid/data.csv")
    return kept


def theirs(scene):
    import wandb

    root = scene.repository("theirs")
    config = root / "mlops.yaml"
    config.write_text(config.read_text().replace("project: diabetes,", "project: theirs,"))
    run = wandb.init(dir=root, project="theirs", id="sdk", mode="offline", config={"lr": 0.1, "n": {"a": 1}}, tags=["ci"])
    run.define_metric("acc", summary="max")
    print("hello")
    run.log({"loss": math.nan, "n": {"x": 1}, "acc": 0.9})
    run.log({"t": wandb.Table(columns=["a"], data=[[1]]), "acc": 0.5})
    run.finish()
    wandb.teardown()  # Only then the log is whole.
    directory = next((root / "wandb").glob("offline-run-*"))
    told = scene.mlops(root, "sync", str(directory.relative_to(root)))
    check("`mlops sync` delivers a run of the official client", "is delivered" in told)
    check("and says what it can not deliver", "run-sdk-t" in told)
    read = wandb.Api().run("ml-team/theirs/sdk")
    rows = list(read.scan_history())
    check("its rows", math.isnan(float(rows[0]["loss"])) and rows[0]["n"]["x"] == 1 and rows[1]["t"]["_type"] == "table-file")
    check("its summary", read.summary["acc"]["max"] == 0.9)
    check("its configuration", read.config == {"lr": 0.1, "n": {"a": 1}} and list(read.tags) == ["ci"])
    table = read.file(rows[1]["t"]["path"]).download(str(scene.folder / "files"), replace=True)
    check("its table", json.load(table)["data"] == [[1]])
    check("its console", any("hello" in line for line in scene.twin.ask("GET", "snapshot")["projects"]["ml-team/theirs"]["runs"]["sdk"]["output"]))


def main():
    scene = Scene(*sys.argv[1:3])
    scene.home = os.environ["HOME"]
    os.environ.update(scene.env)
    import wandb

    api = wandb.Api()
    try:
        ours(scene, api, sys.argv[3:])
        theirs(scene)
    finally:
        scene.close()


if __name__ == "__main__":
    main()
