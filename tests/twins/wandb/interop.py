"""The official client of W&B, as it is, against the twin: `interop.py TWIN_PROGRAM [--large]`.

Every step is a process of its own with a home of its own, since the client remembers who it is. Prints one line a check
and ends with the first that fails. Nothing but the loopback is talked to.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

REGISTRY = "wandb-registry-model/demo"
FIXTURES = pathlib.Path(__file__).resolve().parents[3] / "fixtures" / "wandb"
BOB = "bob-key-" + "b" * 40
CI = "local-" + "c" * 40
OUTSIDER = "o" * 40
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvIn0.c2lnbmF0dXJl"
SCENARIO = {
    "organizations": [{"name": "Acme", "entity": "acme_k7x2q", "members": {"ada": "admin"}}],
    "teams": [
        {"name": "ml-team", "members": {"bob": "member"}},
        {"name": "demo-team", "members": {"ada": "member"}},
        {"name": "elsewhere", "members": {}},
    ],
    "users": [
        {"name": "bob", "key": BOB, "default_entity": "ml-team"},
        {"name": "eve", "key": OUTSIDER},
    ],
    "service_accounts": [{"name": "ci", "team": "ml-team", "key": CI}],
    "identity_tokens": {TOKEN: "ci"},
    "registries": [
        {"organization": "Acme", "name": "model", "members": {"ada": "admin"}, "protected": ["production"]},
        {"organization": "Acme", "name": "texts", "types": ["text"]},
    ],
}


# ---------------------------------------------------------------- the twin


class Twin:
    """The twin's back door."""

    def __init__(self, url):
        self.url = url

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_twin/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def snapshot(self):
        return self.ask("GET", "snapshot")

    def project(self, name, entity="ml-team"):
        return self.snapshot()["projects"][f"{entity}/{name}"]

    def collection(self, name="demo", registry="wandb-registry-model"):
        return self.project(registry, "acme_k7x2q")["collections"][name]

    def calls(self, operation):
        return [call for call in self.ask("GET", "calls") if call["operation"] == operation]

    def settings(self, **settings):
        self.ask("POST", "settings", settings)

    def fault(self, **fault):
        self.ask("POST", "faults", fault)


def check(what, found, wanted=True):
    if found != wanted:
        print(f"wandb: {what}: FAILED: found {found!r}, not {wanted!r}", flush=True)
        sys.exit(1)
    print(f"wandb: {what}: ok", flush=True)


def refused(what, kind, act):
    """The client says no, with an error of this kind."""
    try:
        act()
    except kind as error:
        check(f"{what} is refused", True)
        return str(error)
    check(f"{what} is refused", False)


# ---------------------------------------------------------------- steps


def model(wandb, name, text, kind="model", **more):
    artifact = wandb.Artifact(name, kind, **more)
    with artifact.new_file("model.bin", "w") as file:
        file.write(text)
    with artifact.new_file("card/readme.md", "w") as file:
        file.write(f"# {name}\n")
    return artifact


def publish(wandb, twin):
    import numpy
    from PIL import Image

    config = {"lr": 0.1, "nested": {"depth": 3}}
    run = wandb.init(
        project="demo", id="first", config=config, tags=["ci"], notes="a note", group="g", job_type="train"
    )
    for step in range(22):
        run.log({"loss": 1 / (step + 1), "odd": float("nan"), "big": float("inf"), "small": float("-inf")})
    run.log({"a/b": 1, "deep": {"er": 2}})
    run.log({"table": wandb.Table(columns=["id", "text"], data=[[1, "x"], [2, "é"]])})
    run.log({"image": wandb.Image(Image.fromarray(numpy.zeros((4, 6, 3), dtype="uint8")))})
    curve = wandb.Table(columns=["x", "y"], data=[[0, 0], [1, 1]])
    run.log({"curve": wandb.plot.line(curve, "x", "y", title="A curve")})
    run.alert("drift", "the data drifted", level=wandb.AlertLevel.WARN)
    print("a line of the console")
    artifact = model(wandb, "net", "weights", metadata={"z": 1, "acc": 0.9, "inner": {"b": 1, "a": 2}})
    with artifact.new_file("large.bin", "wb") as file:
        file.write(os.urandom(9 << 20))
    run.log_artifact(artifact, aliases=["best"], tags=["blue"])
    artifact.wait()
    linked = run.link_artifact(artifact, REGISTRY, aliases=["candidate"])
    check("linking says which version it is", (linked.name, linked.version), ("demo:v0", "v0"))
    run.finish()

    found = twin.project("demo")["runs"]["first"]
    check("the run is finished", (found["state"], found["exit_code"]), ("finished", 0))
    check(
        "the run says what it is",
        (found["group"], found["job_type"], found["tags"], found["notes"]),
        ("g", "train", ["ci"], "a note"),
    )
    check("the configuration is nested", found["config"]["nested"]["value"], {"depth": 3})
    check("every step is there", len(found["history"]), 26)
    rows = [json.loads(line) for line in found["history"]]
    check("steps are numbered", [row["_step"] for row in rows], list(range(26)))
    check(
        "NaN and Infinity are bare words",
        '"odd":NaN' in found["history"][0] and '"small":-Infinity' in found["history"][0],
    )
    check("the summary is the last of each", (found["summary"]["loss"], found["summary"]["odd"]), (1 / 22, "NaN"))
    check("nested metrics stay nested", rows[22]["deep"], {"er": 2})
    check("a table is a table", rows[23]["table"]["_type"], "table-file")
    check("an image is an image", (rows[24]["image"]["_type"], rows[24]["image"]["width"]), ("image-file", 6))
    check("a chart is in the configuration", "curve" in found["config"]["_wandb"]["value"]["visualize"])
    check("the console is there", any("a line of the console" in line for line in found["output"]))
    wanted = {
        rows[23]["table"]["path"],
        rows[24]["image"]["path"],
        "config.yaml",
        "wandb-summary.json",
        "wandb-metadata.json",
    }
    check("files are there", wanted <= set(found["files"]) and wanted - set(found["uploaded"]) == set())
    check(
        "the alert is there",
        [(one["run"], one["title"], one["severity"], one["wait_ms"]) for one in twin.snapshot()["alerts"]],
        [("first", "drift", "WARN", 60000)],
    )
    version = twin.project("demo")["collections"]["net"]["versions"][0]
    check(
        "the artifact is there",
        (version["version"], version["aliases"], version["tags"]),
        ("v0", ["best", "latest"], ["blue"]),
    )
    check("its files are there", sorted(version["files"]), ["card/readme.md", "large.bin", "model.bin"])
    check(
        "it is linked",
        [(one["version"], one["aliases"], one["source"]) for one in twin.collection()["versions"]],
        [("v0", ["candidate", "latest"], "net:v0")],
    )
    check("storage never saw credentials", {call["scheme"] for call in twin.calls("storage PUT")}, {None})
    check("the API saw the key", {call["scheme"] for call in twin.calls("file_stream")}, {"Basic"})


def read(wandb, twin):
    api = wandb.Api()
    run = api.run("ml-team/demo/first")
    check("a run can be read", (run.state, run.name, run.config["lr"], run.tags), ("finished", "first", 0.1, ["ci"]))
    check("its summary can be read", (run.summary["loss"], run.lastHistoryStep), (1 / 22, 25))
    check(
        "its history can be sampled",
        list(run.history(keys=["loss"], pandas=False)[3].items()),
        [("_step", 3), ("loss", 0.25)],
    )
    check("its history is whole", len(run.history(pandas=False)), 26)
    check(
        "its history can be scanned",
        [row["loss"] for row in run.scan_history(keys=["loss"])],
        [1 / (step + 1) for step in range(22)],
    )
    check("its files can be listed", {"config.yaml", "wandb-metadata.json"} <= {file.name for file in run.files()})
    run.file("config.yaml").download(root="files")
    check("its files can be read", "lr:" in pathlib.Path("files/config.yaml").read_text())
    check("its artifacts can be listed", {one.type for one in run.logged_artifacts()}, {"model", "run_table"})
    check("its table can be read", run.logged_artifacts()[0].get("table.table.json").data, [[1, "x"], [2, "é"]])
    check(
        "runs can be searched",
        [one.id for one in api.runs("ml-team/demo", filters={"config.lr": 0.1, "state": "finished"})],
        ["first"],
    )

    for name in ["ml-team/demo/net:best", "wandb-registry-model/demo:candidate", "wandb-registry-model/demo:v0"]:
        artifact = api.artifact(name)
        folder = artifact.download(root=f"got-{name.replace('/', '-').replace(':', '-')}")
        check(f"{name} can be downloaded", pathlib.Path(folder, "model.bin").read_text(), "weights")
        artifact.verify(root=folder)
    check("metadata comes back", artifact.metadata, {"acc": 0.9, "inner": {"a": 2, "b": 1}, "z": 1})
    check(
        "where it is from comes back",
        (artifact.source_qualified_name, artifact.source_version),
        ("ml-team/demo/net:v0", "v0"),
    )
    check("the run that made it comes back", artifact.logged_by().id, "first")
    check("nobody used it yet", artifact.used_by(), [])
    check("an alias that is not there is told", api.artifact_exists("ml-team/demo/net:worst"), False)
    check("one that is there is told", api.artifact_exists("ml-team/demo/net:v0"))


def change(wandb, twin):
    api = wandb.Api()
    artifact = api.artifact("ml-team/demo/net:v0", type="model")
    artifact.aliases.append("stable")
    artifact.aliases.remove("best")
    artifact.tags = ["green", "old one"]
    artifact.description = "described"
    artifact.metadata["acc"] = 0.95
    artifact.save()
    version = twin.project("demo")["collections"]["net"]["versions"][0]
    check("aliases can be changed", version["aliases"], ["latest", "stable"])
    check("tags can be changed", version["tags"], ["green", "old one"])
    check("the rest can be changed", (version["description"], version["metadata"]["acc"]), ("described", 0.95))
    linked = api.artifact("wandb-registry-model/demo:v0")
    linked.aliases.append("production")
    linked.save()
    check(
        "an admin moves a protected alias",
        twin.collection()["versions"][0]["aliases"],
        ["candidate", "latest", "production"],
    )
    check(
        "collections can be listed",
        [one.name for one in api.artifact_type("model", "ml-team/demo").collections()],
        ["net"],
    )
    collection = api.artifact_collection("model", "ml-team/demo/net")
    collection.description = "nets"
    collection.tags = ["kept"]
    collection.save()
    changed = twin.project("demo")["collections"]["net"]
    check("a collection can be changed", (changed["description"], changed["tags"]), ("nets", ["kept"]))


def again(wandb, twin):
    run = wandb.init(project="demo", id="second", job_type="evaluate")
    used = run.use_artifact("net:latest")
    check("an artifact can be used", pathlib.Path(used.download(), "model.bin").read_text(), "weights")
    registered = run.use_artifact(f"{REGISTRY}:production")
    check("one of a registry too", registered.version, "v0")
    first = run.log_artifact(model(wandb, "net2", "one")).wait()
    same = run.log_artifact(model(wandb, "net2", "one", metadata={"other": True})).wait()
    check("the same contents are the same version", (first.version, same.version), ("v0", "v0"))
    second = run.log_artifact(model(wandb, "net2", "two")).wait()
    check("other contents are the next", second.version, "v1")
    run.link_artifact(second, REGISTRY, aliases=["candidate"])
    run.finish()
    versions = {one["version"]: one for one in twin.project("demo")["collections"]["net2"]["versions"]}
    check("latest moves", (versions["v0"]["aliases"], versions["v1"]["aliases"]), ([], ["latest"]))
    check(
        "an alias moves with a link",
        [one["aliases"] for one in twin.collection()["versions"]],
        [["production"], ["candidate", "latest"]],
    )
    check(
        "unchanged files are not sent again",
        len([call for call in twin.calls("storage PUT") if "artifacts" in call["path"]]),
        len({call["path"] for call in twin.calls("storage PUT") if "artifacts" in call["path"]}),
    )
    run = wandb.Api().run("ml-team/demo/second")
    check("inputs are known", [one.name for one in run.used_artifacts()], ["net:v0"])
    check("outputs are known", [one.name for one in run.logged_artifacts()], ["net2:v0", "net2:v1"])
    check("users are known", [one.id for one in wandb.Api().artifact("ml-team/demo/net:v0").used_by()], ["second"])


def registry(wandb, twin):
    api = wandb.Api()
    check("registries can be listed", sorted(one.name for one in api.registries("Acme")), ["dataset", "model", "texts"])
    check(
        "one can be found",
        [one.full_name for one in api.registries("Acme", filter={"name": "model"})],
        ["wandb-registry-model"],
    )
    one = api.registry("model", organization="Acme")
    check("one can be read", (one.name, one.organization), ("model", "Acme"))
    check("its collections can be listed", [found.name for found in one.collections()], ["demo"])
    check("its versions can be listed", sorted(found.version for found in one.versions()), ["v0", "v1"])
    found = api.registries("Acme").collections(filter={"name": "demo"}).versions(filter={"alias": "production"})
    check("versions can be searched", [(one.name, one.metadata.get("acc")) for one in found], [("demo:v0", 0.95)])
    collection = api.artifact_collection("model", f"{REGISTRY}")
    check(
        "a collection can be read",
        (collection.name, sorted(collection.aliases)),
        ("demo", ["candidate", "latest", "production"]),
    )
    check(
        "its versions can be paged",
        [one.version for one in api.artifacts("model", f"{REGISTRY}", per_page=1)],
        ["v1", "v0"],
    )
    linked = api.artifact(f"{REGISTRY}:v1")
    linked.unlink()
    check("a version can be unlinked", [one["version"] for one in twin.collection()["versions"]], ["v0"])
    source = api.artifact("ml-team/demo/net2:v1")
    again = source.link(REGISTRY, aliases=["candidate"])
    check("numbers are not used twice", again.version, "v2")
    check("linking again keeps the number", source.link(REGISTRY).version, "v2")
    made = api.create_registry("fresh", visibility="organization", organization="Acme", artifact_types=["model"])
    check("a registry can be made", (made.full_name, made.allow_all_artifact_types), ("wandb-registry-fresh", False))


def resume(wandb, twin):
    run = wandb.init(project="demo", id="first", resume="must", config={"late": 1})
    check("a run is resumed", (run.resumed, run.starting_step), (True, 26))
    run.log({"loss": 0.01})
    run.finish()
    found = twin.project("demo")["runs"]["first"]
    check("its history goes on", (len(found["history"]), json.loads(found["history"][-1])["_step"]), (27, 26))
    check("its configuration is joined", (found["config"]["lr"]["value"], found["config"]["late"]["value"]), (0.1, 1))
    check("it is one run", found["state"], "finished")
    refused(
        "resuming what is not there",
        wandb.errors.UsageError,
        lambda: wandb.init(project="demo", id="nothere", resume="must"),
    )


def fail(wandb, twin):
    run = wandb.init(project="demo", id="failing")
    run.log({"loss": 1})
    run.finish(exit_code=3)
    found = twin.project("demo")["runs"]["failing"]
    check("a failure is a failure", (found["state"], found["exit_code"]), ("failed", 3))


def offline(wandb, twin):
    run = wandb.init(project="demo", id="away", mode="offline", config={"lr": 0.5})
    for step in range(5):
        run.log({"loss": float("nan") if step == 2 else step})
    run.log({"table": wandb.Table(columns=["a"], data=[[1]])})
    run.log_artifact(model(wandb, "offnet", "weights"), aliases=["cand"])
    run.finish()
    folder = next(pathlib.Path("wandb").glob("offline-run-*"))
    sync(folder)
    check("the log is marked", (folder / "run-away.wandb.synced").exists())
    found = twin.project("demo")
    check(
        "an offline run is there",
        (found["runs"]["away"]["state"], len(found["runs"]["away"]["history"])),
        ("finished", 6),
    )
    check("its artifact is there", found["collections"]["offnet"]["versions"][0]["aliases"], ["cand", "latest"])
    for name, rows in [("hand-minimal", 3), ("hand-multiblock", 4)]:
        source = pathlib.Path(f"offline-run-20261125_000000-{name}")
        (source / "files").mkdir(parents=True)
        shutil.copy(FIXTURES / f"{name}.wandb", source / f"run-{name}.wandb")
        # Both are called `hand0001` by themselves.
        sync(source, "--id", name)
        found = twin.project("demo", "demo-team")["runs"][name]
        check(f"{name}.wandb is there", (found["state"], len(found["history"])), ("finished", rows))


def sync(folder, *more):
    program = pathlib.Path(sys.executable).with_name("wandb")
    done = subprocess.run([program, "sync", *more, str(folder)], capture_output=True, text=True, timeout=120)
    print(done.stdout, done.stderr, file=sys.stderr)
    check(f"wandb sync {folder.name}", done.returncode, 0)


def identity(wandb, twin):
    run = wandb.init(project="demo", entity="ml-team", id="federated")
    run.log({"loss": 1})
    run.finish()
    check("an identity token is exchanged", {call["status"] for call in twin.calls("oidc")}, {200})
    check("it stands for the service account", twin.project("demo")["runs"]["federated"]["user"], "ci")
    check("the API saw the access token", {call["scheme"] for call in twin.calls("file_stream")}, {"Bearer"})


def service(wandb, twin):
    wandb.init(project="demo", id="by-ci").finish()
    check("a service account works for a person", twin.project("demo")["runs"]["by-ci"]["user"], "bob")


def guest(wandb, twin):
    """Bob is a member of the registry and no admin."""
    api = wandb.Api()
    linked = api.artifact(f"{REGISTRY}:v2")
    linked.aliases.append("production")
    why = refused("a protected alias", wandb.errors.CommError, linked.save)
    check("the refusal says why", "permission denied" in why)
    check("a protected alias stays", twin.collection()["versions"][0]["aliases"], ["production"])
    linked = api.artifact(f"{REGISTRY}:v2")
    linked.aliases.append("shadow")
    linked.save()
    check("another alias moves", "shadow" in twin.collection()["versions"][1]["aliases"])
    source = api.artifact("ml-team/demo/net2:v1")
    refused(
        "linking with a protected alias", wandb.errors.CommError, lambda: source.link(REGISTRY, aliases=["production"])
    )
    refused(
        "linking into a registry that is not there",
        wandb.errors.CommError,
        lambda: source.link("wandb-registry-nowhere/demo"),
    )
    refused(
        "linking what a registry does not take",
        wandb.errors.CommError,
        lambda: source.link("wandb-registry-texts/demo"),
    )
    refused("an entity that is not there", wandb.errors.CommError, lambda: wandb.init(project="demo", entity="nobody"))
    refused("somebody else's entity", wandb.errors.CommError, lambda: wandb.init(project="demo", entity="elsewhere"))
    run = wandb.init(project="demo", id="guest")
    wrong = model(wandb, "net2", "three", kind="dataset")
    refused("another type in a sequence", (ValueError, wandb.errors.CommError), lambda: run.log_artifact(wrong).wait())
    run.finish()
    run = wandb.init(project="own", entity="bob", id="personal")
    own = run.log_artifact(model(wandb, "mine", "own")).wait()
    refused(
        "linking out of a personal entity",
        (ValueError, wandb.errors.CommError),
        lambda: own.link("acme_k7x2q/wandb-registry-model/demo"),
    )
    run.finish()


def outsider(wandb, twin):
    api = wandb.Api()
    refused("a stranger's look", (ValueError, wandb.errors.CommError), lambda: api.run("ml-team/demo/first").state)
    refused("a stranger's registry", (ValueError, wandb.errors.CommError), lambda: list(api.registries("Acme")))


def wrong_key(wandb, twin):
    refused(
        "a wrong key",
        (wandb.errors.AuthenticationError, wandb.errors.CommError, wandb.errors.UsageError),
        lambda: wandb.init(project="demo", id="wrong"),
    )
    check("nothing was made", "wrong" in twin.project("demo")["runs"], False)


def faults(wandb, twin):
    twin.fault(operation="upsertBucket", kind="status", code=500)
    twin.fault(
        operation="file_stream",
        kind="status",
        code=429,
        headers={"retry-after": "1"},
        body={"error": "rate limit exceeded"},
    )
    twin.fault(operation="file_stream", kind="drop_after", skip=1)
    twin.fault(operation="storage PUT", kind="status", code=503, times=2)
    twin.fault(operation="storage PUT", kind="drop_before", skip=2)
    twin.fault(operation="commitArtifact", kind="status_after", code=502)
    run = wandb.init(project="demo", id="stormy")
    for step in range(3):
        run.log({"loss": step})
    artifact = run.log_artifact(model(wandb, "stormy", "weights")).wait()
    run.finish()
    found = twin.project("demo")["runs"]["stormy"]
    check(
        "failures are lived through", (found["state"], len(found["history"]), artifact.version), ("finished", 3, "v0")
    )
    failed = [
        (call["operation"], call["status"]) for call in twin.ask("GET", "calls") if call["status"] not in (200, 204)
    ]
    check(
        "they happened",
        {("upsertBucket", 500), ("file_stream", 429), ("storage PUT", 503), ("storage PUT", 0)} <= set(failed),
    )


def old(wandb, twin):
    twin.settings(is_old=True)
    run = wandb.init(project="demo", id="on-old")
    run.log({"loss": 1})
    run.log_artifact(model(wandb, "oldnet", "weights")).wait()
    run.finish()
    twin.settings(is_old=False)
    found = twin.project("demo")
    check(
        "an old server is served",
        (found["runs"]["on-old"]["state"], len(found["collections"]["oldnet"]["versions"])),
        ("finished", 1),
    )


def new(wandb, twin):
    twin.settings(features={"ARTIFACT_DIGEST_ALGORITHM": True, "MARK_RUN_FILES_UPLOADED": True})
    run = wandb.init(project="demo", id="on-new")
    artifact = run.log_artifact(model(wandb, "newnet", "weights")).wait()
    run.use_artifact("newnet:v0")
    run.finish()
    twin.settings(features={"ARTIFACT_DIGEST_ALGORITHM": False, "MARK_RUN_FILES_UPLOADED": False})
    check("a new server is served", artifact.version, "v0")


def stop(wandb, twin):
    run = wandb.init(project="demo", id="stopped", settings=wandb.Settings(x_file_stream_transmit_interval=1))
    twin.ask("POST", "stop", {"entity": "ml-team", "project": "demo", "run": "stopped"})
    try:
        for step in range(600):
            run.log({"loss": step})
            time.sleep(0.1)
        check("the stop button ends a run", False)
    except KeyboardInterrupt:
        check("the stop button ends a run", True)


def large(wandb, twin):
    with open("large.bin", "wb") as file:
        file.truncate((2 << 30) + 5)
        file.seek(1 << 30)
        file.write(b"middle")
    run = wandb.init(project="demo", id="large")
    artifact = wandb.Artifact("large", "dataset")
    artifact.add_file("large.bin", policy="immutable", skip_cache=True)
    run.log_artifact(artifact).wait(1200)
    run.finish()
    parts = [call for call in twin.calls("storage PUT") if call["status"] == 200 and "artifacts" in call["path"]]
    check("a large file is sent in parts", len(parts), 21)
    found = twin.project("demo")["collections"]["large"]["versions"][0]["files"]["large.bin"]
    check("a large file is there", found["size"], (2 << 30) + 5)
    os.remove("large.bin")
    folder = wandb.Api().artifact("ml-team/demo/large:v0").download(root="got", skip_cache=True)
    check("a large file can be downloaded", pathlib.Path(folder, "large.bin").stat().st_size, (2 << 30) + 5)


STEPS = [
    (publish, {}),
    (read, {}),
    (change, {}),
    (again, {}),
    (registry, {}),
    (resume, {}),
    (fail, {}),
    (offline, {}),
    (identity, {"WANDB_API_KEY": None, "WANDB_IDENTITY_TOKEN_FILE": "token"}),
    (service, {"WANDB_API_KEY": CI, "WANDB_USERNAME": "bob"}),
    (guest, {"WANDB_API_KEY": BOB}),
    (outsider, {"WANDB_API_KEY": OUTSIDER}),
    (wrong_key, {"WANDB_API_KEY": "x" * 40}),
    (faults, {}),
    (old, {}),
    (new, {}),
    (stop, {}),
]


# ---------------------------------------------------------------- running them


def one(name, url):
    """A step, in a process of its own."""
    import wandb

    step = dict((step.__name__, step) for step, _ in STEPS + [(large, {})])[name]
    step(wandb, Twin(url))


def environment(home, twin, more):
    """Nothing of ours but the path: neither a key nor a proxy nor a home."""
    made = {
        "PATH": os.environ["PATH"],
        "HOME": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        "NO_PROXY": "127.0.0.1",
        "WANDB_BASE_URL": twin["url"],
        "WANDB_API_KEY": twin["key"],
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
        "WANDB_CONSOLE": "wrap",
        "WANDB_INIT_TIMEOUT": "60",
    }
    for name, value in more.items():
        if value is None:
            made.pop(name)
        else:
            made[name] = value
    return made


def main(program, names):
    root = tempfile.mkdtemp(prefix="wandb-interop-")
    scenario = pathlib.Path(root, "scenario.json")
    scenario.write_text(json.dumps(SCENARIO))
    process = subprocess.Popen(
        [program, "--scenario", scenario], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    status = 1
    try:
        twin = json.loads(process.stdout.readline())
        back = Twin(twin["url"])
        for step, more in STEPS + ([(large, {})] if "--large" in names else []):
            home = pathlib.Path(root, step.__name__)
            home.mkdir()
            (home / "token").write_text(TOKEN + "\n")
            started = time.monotonic()
            back.ask("DELETE", "calls")
            back.ask("DELETE", "faults")
            command = [sys.executable, __file__, "--step", step.__name__, twin["url"]]
            code = run(command, home, environment(str(home), twin, more), 1200 if step is large else 180)
            if code != 0:
                print(f"wandb: {step.__name__}: exit {code}")
                for call in back.ask("GET", "calls"):
                    print(
                        call["operation"],
                        call["path"],
                        call["status"],
                        str(call["variables"])[:700] if call["status"] >= 400 else "",
                        file=sys.stderr,
                    )
                return 1
            violations = back.ask("GET", "violations")
            check(f"{step.__name__} keeps the contract ({time.monotonic() - started:.0f} s)", violations, [])
            shutil.rmtree(home)
        status = 0
    finally:
        process.stdin.close()
        process.wait(20)
        shutil.rmtree(root, ignore_errors=True)
    return status


def run(command, home, environment, seconds):
    """What it says is shown when it is a check or when it fails; whatever it started ends with it."""
    log = home / "log"
    with open(log, "w") as output:
        process = subprocess.Popen(
            command, cwd=home, env=environment, stdout=subprocess.PIPE, stderr=output, text=True, start_new_session=True
        )
        try:
            said, _ = process.communicate(timeout=seconds)
            code = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
            code = "after too long a time"
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    print("".join(line + "\n" for line in said.splitlines() if line.startswith("wandb: ")), end="", flush=True)
    if code != 0:
        sys.stderr.write(log.read_text()[-6000:])
    return code


if __name__ == "__main__":
    if sys.argv[1] == "--step":
        one(*sys.argv[2:])
    else:
        sys.exit(main(sys.argv[1], sys.argv[2:]))
