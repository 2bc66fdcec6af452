#!/usr/bin/env python3
"""Fifty jobs at once, on one pull request and on one registry: one comment, and no version or line of the ledger lost.

    python3 tests/races.py TARGET/release/mlops TARGET/release/examples/github-twin [JOBS]
"""

import collections
import sys
import time

from world import Twin, World, data_of, ledger, live, with_alpha


def at_once(world, jobs):
    """All are started before the first is waited for."""
    started = [world.start(job) for job in jobs]
    return [one.wait(timeout=300) for one in started]


def on_one_pull_request(world, n_jobs, alphas):
    """As many verdicts at once as there are alphas."""
    sha = world.push("tune", with_alpha(world.files, alphas[0]))
    number = world.open("tune")
    jobs = [
        {**world.pull_request(number, sha), "files": with_alpha(world.files, alphas[turn % len(alphas)])}
        for turn in range(n_jobs)
    ]
    for job, ran in zip(jobs, at_once(world, jobs)):
        expected = 1 if "alpha: 100000" in job["files"]["mlops.yaml"] else 0
        assert ran.code == expected, f"exit {ran.code} instead of {expected}:\n{ran.log}"
    seen = world.seen()
    reports = live(seen, number)
    assert len(reports) == 1, f"{len(reports)} comments stand as the report"
    assert reports[0]["minimized"] is None, "the one comment is folded"
    assert data_of(reports[0])["head"] == sha
    checks = [one for one in seen["check_runs"] if one["head_sha"] == sha]
    per_job = collections.Counter((one["name"], one["external_id"]) for one in checks)
    assert max(per_job.values()) == 1, f"doubled: {per_job.most_common(3)}"
    assert {one["status"] for one in checks} == {"completed"}
    verdicts = [one for one in checks if one["name"].count("/") == 1]
    assert len(verdicts) == n_jobs, f"{len(verdicts)} checks of {n_jobs} jobs"
    # The next run has the last word, in the same place or in a new one.
    world.must(world.pull_request(number, sha), 0)
    assert len(live(world.seen(), number)) == 1


def moves(seen, alias):
    found = [entry["event"].get("moved") for entry in ledger(seen)]
    return [one for one in found if one and one["alias"] == alias]


def assert_chain(seen, alias):
    """Each move begins where the one before ended, and none is made twice."""
    at = None
    for move in moves(seen, alias):
        assert move["from"] == at and move["to"] != at, f"{alias} moves {move}, but is at {at}"
        at = move["to"]
    return at


def assert_numbered(seen):
    numbers = [entry["sequence"] for entry in ledger(seen)]
    assert numbers == list(range(1, len(numbers) + 1)), f"the ledger has gaps: {numbers}"
    commits = seen["branches"]["mlops-registry"]["commits"]
    assert len(commits) == len(numbers), f"{len(commits)} commits for {len(numbers)} entries"


def pushes(world, n_jobs):
    """Different models, published at once."""
    jobs = [{**world.on_main(), "files": with_alpha(world.files, f"1.{turn:02}")} for turn in range(n_jobs)]
    rans = at_once(world, jobs)
    for ran in rans:
        assert ran.code == 0, f"exit {ran.code}:\n{ran.log}"
    seen = world.seen()
    assert_numbered(seen)
    published = [entry["event"]["published"] for entry in ledger(seen) if "published" in entry["event"]]
    assert [one["version"] for one in published] == list(range(1, n_jobs + 1)), published
    assert len({one["digest"] for one in published}) == n_jobs, "a version twice"
    assert_chain(seen, "candidate")


def promotions(world, n_jobs):
    """Each wants another version in production."""
    of = lambda turn: world.on_main("workflow_dispatch", inputs={"command": "promote", "version": f"v{turn + 1}"})  # noqa: E731
    rans = at_once(world, [of(turn) for turn in range(n_jobs)])
    codes = collections.Counter(ran.code for ran in rans)
    seen = world.seen()
    assert_numbered(seen)
    assert_chain(seen, "production")
    n_moved = len(moves(seen, "production"))
    for ran in rans:
        # 3: what was decided is not what would be decided now; to be tried again.
        assert ran.code in (0, 1) or (ran.code == 3 and "it was moved meanwhile" in ran.log), f"{ran.code}:\n{ran.log}"
    assert 1 <= n_moved <= n_jobs, f"{n_moved} moves"
    return codes, n_moved


def one_promotion(world, n_jobs):
    """All want the same."""
    before = len(moves(world.seen(), "production"))
    at = assert_chain(world.seen(), "production")
    version = 1 if at != 1 else 2
    job = {"command": "promote", "version": f"v{version}"}
    rans = at_once(world, [world.on_main("workflow_dispatch", inputs=job) for _ in range(n_jobs)])
    codes = collections.Counter(ran.code for ran in rans)
    seen = world.seen()
    assert_numbered(seen)
    n_moved = len(moves(seen, "production")) - before
    assert n_moved <= 1, f"{n_moved} moves for one promotion"
    if n_moved == 1:
        assert assert_chain(seen, "production") == version
        assert set(codes) == {0}, f"{codes}:\n" + next((ran.log for ran in rans if ran.code), "")
    return codes, n_moved


def main():
    binary, twin_program = sys.argv[1:3]
    n_jobs = int(sys.argv[3]) if len(sys.argv) > 3 else 50
    races = [
        ("one pull request", lambda world: (world.to_production(), on_one_pull_request(world, n_jobs, ["0.9"]))[1]),
        (
            "one pull request, different verdicts",
            lambda world: (world.to_production(), on_one_pull_request(world, n_jobs, ["0.9", "100000", "3.0"]))[1],
        ),
        ("pushes, promotions, one promotion", lambda world: (pushes(world, n_jobs), promotions(world, n_jobs), one_promotion(world, n_jobs))),
    ]
    for name, race in races:
        twin = Twin(twin_program)
        try:
            began = time.monotonic()
            said = race(World(twin, binary))
            violations = twin.ask("GET", "violations")
            assert not violations, violations[:3]
            print(f"{name}: {n_jobs} jobs, {time.monotonic() - began:.0f} s {said or ''}", flush=True)
        finally:
            twin.close()


if __name__ == "__main__":
    main()
