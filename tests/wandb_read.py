#!/usr/bin/env python3
"""What we keep in W&B, read by the official client; and our offline runs, delivered by both clients.

    python tests/wandb_read.py TARGET/release/mlops TARGET/release/examples/wandb-twin [COMMAND …]

The command runs the unit test that writes a run with NaN and infinity to the twin.

With the `python` of an environment that has `wandb`; `wandb` itself has to be beside it.
"""

import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEY = "0123456789abcdef0123456789abcdef01234567"
PLACE = "registry: wandb\nwandb: {entity: ml-team, project: diabetes, data: upload}\n"


class Scene:
    def __init__(self, binary, twin):
        sys.path.insert(0, str(ROOT / "tests"))
        from world import Twin

        self.binary = pathlib.Path(binary).resolve()
        self.twin = Twin(twin)
        self.twin.post("scenario", service_accounts=[{"name": "ci", "team": "ml-team", "key": KEY}])
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="wandb-read-"))
        self.env = {
            "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(self.folder / "home"),
            "USER": "ada", "WANDB_BASE_URL": self.twin.url, "WANDB_API_KEY": KEY, "WANDB_ERROR_REPORTING": "false",
            "WANDB_SILENT": "true", "WANDB_DIR": str(self.folder), "MLOPS_WANDB_PACE_MS": "5",
        }  # fmt: skip
        (self.folder / "home").mkdir()

    def repository(self, name):
        root = self.folder / name
        shutil.copytree(ROOT / "fixtures/repos/diabetes", root, ignore=shutil.ignore_patterns(".mlops"))
        config = root / "mlops.yaml"
        config.write_text(config.read_text() + PLACE)
        return root

    def mlops(self, root, *arguments, code=0, **env):
        ran = subprocess.run(
            [self.binary, "-C", root, *arguments], env={**self.env, **env}, text=True, capture_output=True, timeout=120
        )
        assert ran.returncode == code, f"{arguments}: {ran.returncode}\n{ran.stdout}{ran.stderr}"
        return ran.stdout

    def close(self):
        violations = self.twin.ask("GET", "violations")
        self.twin.close()
        shutil.rmtree(self.folder)
        assert violations == [], violations


def check(name, holds):
    print(f"{'ok' if holds else 'FAILED'}  {name}", flush=True)
    if not holds:
        sys.exit(1)


def published(scene, api):
    """A run that was published and promoted, as its reader sees it."""
    import wandb

    root = scene.repository("published")
    scene.mlops(root, "run")
    scene.mlops(root, "promote")
    facts = json.loads(next((root / ".mlops/runs").glob("*/mlops-facts.json")).read_text())
    rmse = next(one["value"] for one in facts["evaluation"]["metrics"] if one["name"] == "rmse")
    runs = {run.job_type: run for run in api.runs("ml-team/diabetes")}
    run = api.run(f"ml-team/diabetes/{runs['publish'].id}")
    check("the run is finished", run.state == "finished")
    history = list(run.scan_history())
    check("its history has the metric", any(row.get("test/rmse") == rmse for row in history))
    check("its summary has the metric", run.summary["test/rmse"] == rmse)
    check("its configuration has the data", run.config["data"]["digest"] == facts["data"]["digest"])
    check("its group, tags and job type", run.job_type == "publish" and len(run.tags) > 0)
    files = {file.name for file in run.files()}
    for name in ("report.html", "mlops-facts.json", "config.yaml", "wandb-summary.json", "output.log"):
        check(f"its file {name}", name in files)
    check("tables and pictures", any("media/table/predictions" in name for name in files) and any(".png" in name for name in files))
    page = run.file("report.html").download(str(scene.folder / "page"), replace=True)
    check("the report can be read", "<html" in page.read())
    registered = "acme_k7x2q/wandb-registry-model/diabetes-progression"
    for alias in ("v0", "candidate", "production", "latest"):
        artifact = api.artifact(f"{registered}:{alias}")
        check(f"the registry has {alias}", artifact.digest == api.artifact(f"{registered}:v0").digest)
    place = artifact.download(str(scene.folder / "model"))
    artifact.verify(place)
    check("the model is whole", (pathlib.Path(place) / "model.json").stat().st_size > 0)
    check("its metadata have the evidence", artifact.metadata["metrics"]["rmse"] == rmse and artifact.metadata["passed"])
    source = api.artifact("ml-team/diabetes/diabetes-progression:v0")
    check("it was made by the run", source.logged_by().id == run.id)
    used = [one.name for one in run.used_artifacts()]
    check("the run used the data", used == ["diabetes-progression-data:v0"])
    ledger = api.artifact("ml-team/diabetes/diabetes-progression-ledger:latest", type="mlops-ledger")
    check("the ledger tells of the promotion", ledger.metadata["to"] == "v0" and ledger.metadata["alias"] == "production")
    # A second model: the run says which version it met.
    config = root / "mlops.yaml"
    config.write_text(config.read_text().replace("alpha: 1.0", "alpha: 0.9"))
    scene.mlops(root, "run")
    newest = next(iter(api.runs("ml-team/diabetes", order="-created_at")))
    used = {one.name for one in newest.used_artifacts()}
    check("the next run used what stood in production", "diabetes-progression:v0" in used)
    versions = api.registries(organization="Acme").collections().versions() if hasattr(api, "registries") else []
    check("the registry lists both", {one.version for one in versions} == {"v0", "v1"})
    scene.mlops(root, "promote")
    check("production has moved", api.artifact(f"{registered}:production").version == "v1")
    scene.mlops(root, "rollback")
    check("and back", api.artifact(f"{registered}:production").version == "v0")
    taken = wandb.init(entity="ml-team", project="diabetes", id=run.id, resume="must")
    taken.log({"seen": 1})
    taken.finish()
    check("the official client takes the run up again", list(api.run(f"ml-team/diabetes/{run.id}").scan_history())[-1]["seen"] == 1)


def offline(scene, api):
    """A run without a key, delivered by the official client."""
    root = scene.repository("offline")
    config = root / "mlops.yaml"
    config.write_text(config.read_text().replace("project: diabetes,", "project: synced,"))
    scene.mlops(root, "run", code=3, WANDB_API_KEY="")
    directory = next((root / ".mlops/wandb").glob("offline-run-*"))
    log = next(directory.glob("run-*.wandb"))
    check("a log of several blocks" if log.stat().st_size > 32768 else "a log", log.exists())
    moved = scene.folder / "elsewhere"
    shutil.copytree(root / ".mlops", moved)
    synced = subprocess.run(
        ["wandb", "sync", f"wandb/{directory.name}"],
        cwd=moved, env={**scene.env, "WANDB_SILENT": "false"}, text=True, capture_output=True, timeout=120,
    )  # fmt: skip
    mark = moved / "wandb" / directory.name / f"{log.name}.synced"
    check("`wandb sync` says that it is done", mark.exists() or print(synced.stdout, synced.stderr))
    run = next(iter(api.runs("ml-team/synced")))
    facts = json.loads((directory / "files/mlops-facts.json").read_text())
    rmse = next(one["value"] for one in facts["evaluation"]["metrics"] if one["name"] == "rmse")
    check("history and summary are there", run.summary["test/rmse"] == rmse and len(list(run.scan_history())) >= 1)
    check("the configuration is there", run.config["data"]["digest"] == facts["data"]["digest"])
    files = {file.name for file in run.files()}
    check("the files are there", "report.html" in files and any(name.endswith(".png") for name in files))
    artifact = api.artifact("ml-team/synced/diabetes-progression:latest", type="model")
    artifact.verify(artifact.download(str(scene.folder / "synced-model")))
    check("the model is there", artifact.logged_by().id == run.id)


def delivered(scene, api):
    """The same by ours, which publishes too."""
    root = scene.folder / "offline"
    told = scene.mlops(root, "sync")
    check("`mlops sync` publishes", "published as" in told)
    again = scene.mlops(root, "sync")
    check("and not twice", "delivered before" in again)
    status = json.loads(scene.mlops(root, "--format", "json", "status"))
    digests = [version["digest"] for version in status["versions"]]
    check("no version is doubled", len(digests) == len(set(digests)))


def odd_numbers(scene, api):
    """A run with numbers that JSON does not have, written by a test of ours."""
    rows = list(api.run("ml-team/odd/odd-1").scan_history())
    check("NaN comes back", math.isnan(float(rows[0]["loss"])))
    check("infinity comes back", float(rows[1]["loss"]) == math.inf and float(rows[2]["loss"]) == -math.inf)


def main():
    scene = Scene(*sys.argv[1:3])
    odd = sys.argv[3:]
    if odd:
        # With the home of whoever started this: tools of builds live there.
        made = subprocess.run(odd, cwd=ROOT, env={**os.environ, "MLOPS_WANDB_URL": scene.twin.url, "MLOPS_WANDB_KEY": KEY})
        assert made.returncode == 0, "the test that writes odd numbers failed"
    os.environ.update(scene.env)
    import wandb

    api = wandb.Api()
    try:
        published(scene, api)
        offline(scene, api)
        delivered(scene, api)
        if odd:
            odd_numbers(scene, api)
    finally:
        scene.close()


if __name__ == "__main__":
    main()
