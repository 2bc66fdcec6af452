"""Repositories in Python, run by the image: their own environments, tools and trainers, from the package index itself.

What a hosted runner gets from the package index and from where uv has its Pythons, these jobs get there too. Where the second
can not be reached, as in a sandbox, a Python of this machine is served in its place, the way a company's mirror does it.
"""

import http.server
import io
import json
import os
import pathlib
import platform
import subprocess
import sys
import tarfile
import tempfile
import threading
import urllib.error
import urllib.request

from world import OWNER, ROOT, World, check

WARM_LIMIT_MS = 1000
RELEASES = "https://github.com/astral-sh/python-build-standalone/releases"
# What the repositories ask for that name one release; the image has a newer one.
ASKED = "3.11"
# Made by the tools that these repositories run, and not by us.
OF_TOOLS = {".pytest_cache", ".ruff_cache", ".metaflow"}
# Repository, and the file that describes its environment.
REPOSITORIES = {
    "requirements": "requirements.txt",
    "uv": "uv.lock",
    "poetry": "poetry.lock",
    "pipenv": "Pipfile.lock",
    "notebook": "uv.lock",
    "metaflow": "uv.lock",
}
FAILING = "\n\ndef test_that_two_is_three():\n    assert 2 == 3, 'it is not'\n"
UNUSED = "import json\n"


def python(options):
    print("── repositories in Python")
    with Pythons() as pythons, tempfile.TemporaryDirectory(prefix="mlops-kept-") as kept:
        for name, described in REPOSITORIES.items():
            with World(options, ROOT / f"fixtures/repos/python-{name}") as world, world.main() as job:
                reaches(job, pythons)
                bring(job, kept)
                lived(job, name, described)
                keep(job, kept)
        broken(options, pythons, kept)


def lived(job, name, described):
    """A push to main of a repository that is new here, and the same job again."""
    before = files(job)
    code = job.ran(600)
    check(code == 0, f"{name}: exit code {code} after {job.took:.1f} s")
    if code != 0:
        print(job.said()[-6000:])
        return
    facts = known(job)
    outputs = job.outputs()
    check(outputs["verdict"] == facts["verdict"] and outputs["passed"] == "true", f"its verdict is {outputs['verdict']}: {outputs['reason']}")
    check(outputs.get("model-version") == "v1", f"it is {outputs.get('model-version')}")
    environment = facts["environment"]
    check(environment["file"] == described and environment["is_locked"] and not environment["was_warm"],
          f"Python {environment['python']}, {environment['n_packages']} packages of {environment['file']} in {environment['elapsed_ms'] / 1000:.1f} s")
    if name != "poetry":
        check(f"{environment['python']}.".startswith(f"{ASKED}."), f"the Python that it asks for: {environment['python']}")
    gates = {gate["name"]: gate for gate in facts["gates"]}
    tools = [command["lint"]["tool"] for command in gates["lint"]["commands"] if command["exit_code"] == 0]
    check(tools == ["ruff check", "black"], f"lint by {tools}")
    tests = gates["test"]["commands"][0]["tests"]
    n_passed = tests["counts"]["n_passed"]
    check(n_passed > 0 and gates["test"]["status"] == "pass", f"{tests['tool']} {tests['version']}: {n_passed} tests passed")
    trained(facts)
    made = {pathlib.PurePath(one).parts[0] for one in files(job) - before}
    check(made <= OF_TOOLS | {".mlops"}, f"nothing else is left in the workspace: {sorted(made)}")
    job.again()
    code = job.ran(600)
    check(code == 0, f"again: exit code {code} after {job.took:.1f} s")
    environment = known(job)["environment"]
    is_warm = environment["was_warm"] and environment["elapsed_ms"] <= WARM_LIMIT_MS
    check(is_warm, f"its environment is there {'already' if environment['was_warm'] else 'anew'}, after {environment['elapsed_ms']} ms")
    check(job.outputs().get("model-version") == "v1", f"it is {job.outputs().get('model-version')}")


def trained(facts):
    training = facts["training"]
    own = training["own"]
    kept = {file["name"]: file["n_bytes"] for file in own["files"]}
    check(own["run"]["exit_code"] == 0, f"trained by its own `{own['run']['command']}` in {training['elapsed_ms'] / 1000:.1f} s, {kept}")
    claims = {claim["metric"]: claim["agrees"] for claim in own["claims"]}
    check(claims and all(claims.values()), f"what it says of itself is so: {claims}")
    if own["kind"] == "notebook":
        cells = own["notebook"]
        check(cells["n_cells"] == cells["n_executed"] > 0 and not cells["failed"], f"all {cells['n_cells']} cells ran")
    if own["kind"] == "metaflow":
        flow = own["flow"]
        tasks = {step["name"]: step["n_tasks"] for step in flow["steps"]}
        check(flow["is_successful"] and tasks.get("fit") == 3 and len(tasks) == 5, f"run {flow['run_id']} of {flow['name']}: {tasks}")
    metrics = {metric["name"]: round(metric["value"], 4) for metric in facts["evaluation"]["metrics"]}
    check(len(metrics) > 0, f"measured: {metrics}")


def broken(options, pythons, kept):
    """A pull request that breaks a test and a rule: its lines say so."""
    print("── a pull request that breaks a test and a rule")
    with World(options, ROOT / "fixtures/repos/python-uv") as world:
        path = "tests/test_model.py"
        text = world.files[path]
        changed = {path: text + FAILING, "train.py": world.files["train.py"] + UNUSED}
        with world.proposed("broken", changed) as job:
            reaches(job, pythons)
            bring(job, kept)
            code = job.ran(600)
            check(code == 1, f"exit code {code} after {job.took:.1f} s")
            runs = {one["name"]: one for one in world.seen()["check_runs"] if one["head_sha"] == job.sha}
            said = {(one["path"], one["start_line"]): one["message"] for run in runs.values() for one in run.get("annotations", [])}
            line = (text + FAILING).splitlines().index("    assert 2 == 3, 'it is not'") + 1
            check((path, line) in said, f"the failing test is at {path}:{line}: {said.get((path, line), sorted(said))}")
            last = len(changed["train.py"].splitlines())
            check(("train.py", last) in said, f"the unused import is at train.py:{last}: {said.get(('train.py', last), sorted(said))}")
            comments = world.thread(1)
            check(len(comments) == 1 and "test_that_two_is_three" in comments[0]["body"], "the comment names the test")


def known(job):
    """The facts of the last run."""
    latest = (job.workspace / ".mlops/latest").read_text().strip()
    return json.loads((job.workspace / f".mlops/runs/{latest}/mlops-facts.json").read_text())


def files(job):
    return {str(path.relative_to(job.workspace)) for path in job.workspace.rglob("*") if not path.is_dir()}


def reaches(job, pythons):
    """The package index is in reach: with what signs for it, and the proxy, where this machine has either."""
    job.more = {name: os.environ[name] for name in ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] if name in os.environ}
    job.more.update(pythons.more)
    bundle = os.environ.get("SSL_CERT_FILE")
    if bundle:
        inside = "/etc/ssl/machine.crt"
        job.arguments = ["-v", f"{os.path.realpath(bundle)}:{inside}:ro"]
        job.more.update(dict.fromkeys(["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE"], inside))


# What uv brought from the network. It goes from job to job, as by a cache, so that it comes once.
BROUGHT = ["uv-cache", "python"]


def bring(job, kept):
    folder = job.temp / "mlops"
    folder.mkdir()
    os.chown(folder, OWNER, -1)
    for path in pathlib.Path(kept).iterdir():
        path.rename(folder / path.name)


def keep(job, kept):
    for path in filter(pathlib.Path.exists, [job.temp / "mlops" / name for name in BROUGHT]):
        path.rename(pathlib.Path(kept) / path.name)


class Pythons:
    """Where uv gets a Python from that the image has not."""

    def __enter__(self):
        self.server, self.more = None, {}
        try:
            urllib.request.urlopen(urllib.request.Request(RELEASES, method="HEAD"), timeout=10).close()
        except (OSError, urllib.error.URLError):
            self.serve()
        return self

    def __exit__(self, *_):
        if self.server:
            self.server.shutdown()

    def serve(self):
        program = pathlib.Path(f"/usr/bin/python{ASKED}")
        if not program.exists():
            sys.exit(f"{RELEASES} can not be reached, and there is no {program} to serve in its place")
        print(f"   {RELEASES} can not be reached: {program} of this machine is served in its place")
        packed = packed_python(program)
        patch = int(subprocess.run([program, "-c", "import sys; print(sys.version_info[2])"], capture_output=True, check=True).stdout)
        answers = {"/python.tar.gz": packed}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                answer = answers.get(self.path)
                self.send_response(200 if answer else 404)
                self.send_header("content-length", str(len(answer or b"")))
                self.end_headers()
                self.wfile.write(answer or b"")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        address = f"http://127.0.0.1:{self.server.server_port}"
        family = platform.machine()
        entry = {
            "name": "cpython", "arch": {"family": family, "variant": None}, "os": "linux", "libc": "gnu",
            "major": 3, "minor": 11, "patch": patch, "prerelease": "", "variant": None, "sha256": None,
            "url": f"{address}/python.tar.gz",
        }
        answers["/list.json"] = json.dumps({f"cpython-{ASKED}.{patch}-linux-{family}-gnu": entry}).encode()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.more = {"UV_PYTHON_DOWNLOADS_JSON_URL": f"{address}/list.json"}


def packed_python(program):
    """The interpreter and its library as uv wants them: `python/bin` and `python/lib`."""
    unwanted = {"__pycache__", "test", "idlelib", "lib2to3", "ensurepip"}

    def wanted(entry):
        return None if entry.issym() or unwanted & set(pathlib.PurePath(entry.name).parts) else entry

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
        archive.add(program, f"python/bin/{program.name}")
        for name in ["python3", "python"]:
            link = tarfile.TarInfo(f"python/bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, program.name
            archive.addfile(link)
        archive.add(f"/usr/lib/{program.name}", f"python/lib/{program.name}", filter=wanted)
    return packed.getvalue()
