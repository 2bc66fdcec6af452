#!/usr/bin/env python3
"""W&B as the registry, against its twin: every call that a publication makes meets every failure, and is killed anywhere.

    python3 tests/wandb_faults.py TARGET/release/mlops .../examples/github-twin .../examples/wandb-twin [faults|kills] [STRIDE]

Whatever happens, the job ends in time, no version is doubled, no model is lost, and the same job again ends with one
version, one link and one alias.
"""

import random
import shutil
import sys
import time

from world import Twin, World, example

PLACE = "registry: wandb\nwandb: {entity: ml-team, project: diabetes}\n"
COLLECTION = "diabetes-progression"
REGISTRY = "acme_k7x2q/wandb-registry-model"
PROJECT = "ml-team/diabetes"
# What does not answer holds a job for a minute at most, whatever asks for it; here a wait of a second is five milliseconds.
PACE_MS, TIMEOUT_MS, LIMIT = 5, 1500, 75


class Registry(Twin):
    """The twin of W&B, and what is kept there."""

    def seen(self):
        return self.ask("GET", "snapshot")["projects"]

    def versions(self):
        collections = self.seen().get(REGISTRY, {}).get("collections", {})
        return collections.get(COLLECTION, {}).get("versions", [])

    def sources(self):
        collections = self.seen().get(PROJECT, {}).get("collections", {})
        return collections.get(COLLECTION, {}).get("versions", [])

    def runs(self):
        return self.seen().get(PROJECT, {}).get("runs", {})

    def calm(self):
        self.ask("DELETE", "faults")
        self.ask("DELETE", "calls")


def scene(binary, github, wandb):
    files = example()
    files["mlops.yaml"] += PLACE
    world = World(Twin(github), binary, files)
    registry = Registry(wandb)
    return world, registry


def surroundings(registry):
    return {
        "WANDB_API_KEY": KEY, "WANDB_BASE_URL": registry.url, "MLOPS_WANDB_PACE_MS": str(PACE_MS),
        "MLOPS_WANDB_TIMEOUT_MS": str(TIMEOUT_MS),
    }  # fmt: skip


def aliases(versions):
    return sorted(alias for version in versions for alias in version["aliases"])


def whole(registry, what):
    """One version, one link, one candidate, and every run has ended."""
    versions, sources = registry.versions(), registry.sources()
    assert len(versions) == 1, f"{what}: {len(versions)} versions in the registry"
    assert len(sources) == 1, f"{what}: {len(sources)} versions in the project"
    assert aliases(versions).count("candidate") == 1, f"{what}: {aliases(versions)}"
    assert registry.ask("GET", "violations") == [], f"{what}: {registry.ask('GET', 'violations')}"


def closed(registry, what):
    states = {name: run["state"] for name, run in registry.runs().items()}
    assert all(state in ("finished", "failed") for state in states.values()), f"{what}: {states}"


def waits(started, log):
    """The model is in the workspace; one that had passed waits to be delivered, with what a publication takes."""
    work = started.folder / "work"
    if not list(work.glob(".mlops/runs/*/bundle/model.json")):
        return False
    waiting = list(work.glob(".mlops/wandb/offline-run-*"))
    if "could not be published" in log:
        return any((one / "mlops-publication.json").exists() and (one / "model/model.json").exists() for one in waiting)
    return True


def calls_of_a_publication(world, registry, env):
    ran = world.run(world.on_main(), env=env)
    assert ran.code == 0, ran.log
    whole(registry, "without failures")
    closed(registry, "without failures")
    calls = [call["operation"] for call in registry.ask("GET", "calls")]
    seen = {}
    for call in calls:
        seen[call] = seen.get(call, 0) + 1
    return [(call, skip) for call, n in seen.items() for skip in range(n)]


KINDS = (
    [{"kind": "status", "code": code} for code in (400, 401, 403, 404, 409, 429, 500, 502, 503)]
    + [{"kind": "drop_before"}, {"kind": "drop_after"}, {"kind": "never"}, {"kind": "truncated"}]
    + [{"kind": "status_after", "code": 502, "body": {"error": "bad gateway"}}]
)


def faults(world, registry, env, stride):
    registry.post("keep")
    calls = calls_of_a_publication(world, registry, env)
    cases = [(call, skip, kind, times) for call, skip in calls for kind in KINDS for times in (1, 1000)]
    cases = cases[:: max(stride, 1)]
    print(f"{len(calls)} calls, {len(cases)} cases", flush=True)
    slowest, failed = 0.0, []
    for call, skip, kind, times in cases:
        what = f"{call} {skip} {kind} × {times}"
        registry.post("back")
        registry.calm()
        registry.post("faults", operation=call, skip=skip, times=times, **kind)
        job, begun = world.on_main(), time.monotonic()
        started = world.start(job, env=env)
        try:
            log, _ = started.process.communicate(timeout=LIMIT)
            took = time.monotonic() - begun
            slowest = max(slowest, took)
            code = started.process.returncode
            assert code in (0, 2, 3), f"{what}: exit {code}\n{log}"
            versions = registry.versions()
            assert len(versions) <= 1, f"{what}: {len(versions)} versions"
            if code == 0:
                assert len(versions) == 1, f"{what}: it says that it published"
            else:
                assert versions or waits(started, log), f"{what}: the model is lost\n{log}"
            assert KEY not in "".join(line for line in log.splitlines() if not line.startswith("::add-mask::")), what
            registry.calm()
            again = world.run({**job}, env=env)
            assert again.code == 0, f"{what}: again: {again.code}\n{again.log}"
            whole(registry, what)
            closed(registry, what)
        except AssertionError as error:
            failed.append(str(error))
            print(f"FAILED {error}", flush=True)
        finally:
            started.process.kill()
            shutil.rmtree(started.folder, ignore_errors=True)
    print(f"{len(cases)} cases, {len(failed)} failed, the slowest job {slowest:.1f} s")
    return failed


def kills(world, registry, env, n_kills):
    registry.post("keep")
    begun = time.monotonic()
    ran = world.run(world.on_main(), env=env)
    assert ran.code == 0, ran.log
    usual = time.monotonic() - begun
    draw, failed = random.Random(4), 0
    for number in range(n_kills):
        registry.post("back")
        registry.calm()
        job = world.on_main()
        started = world.start(job, env=env)
        time.sleep(draw.uniform(0, usual))
        started.process.kill()
        started.process.communicate()
        shutil.rmtree(started.folder, ignore_errors=True)
        for attempt in range(2):
            again = world.run(job, env=env)
            assert again.code == 0, f"after kill {number}: {again.code}\n{again.log}"
        whole(registry, f"after kill {number}")
        closed(registry, f"after kill {number}")
    print(f"{n_kills} kills within {usual:.1f} s: one version, one link, one alias each time")
    return failed


def main():
    binary, github, wandb, *rest = sys.argv[1:]
    what, number = (rest + ["faults"])[0], int((rest[1:] + ["0"])[0])
    world, registry = scene(binary, github, wandb)
    global KEY
    KEY = registry_key(registry)
    env = surroundings(registry)
    try:
        failed = kills(world, registry, env, number or 100) if what == "kills" else faults(world, registry, env, number or 1)
    finally:
        registry.close()
        world.twin.close()
    sys.exit(1 if failed else 0)


def registry_key(registry):
    """A service account of the team, made for this."""
    key = "0123456789abcdef0123456789abcdef01234567"
    registry.post("scenario", service_accounts=[{"name": "ci", "team": "ml-team", "key": key}])
    return key


if __name__ == "__main__":
    main()
