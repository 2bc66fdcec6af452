#!/usr/bin/env python3
"""Every call of six jobs fails in every way: the verdict stays what it is, and nothing is lost or done twice.

    python3 tests/faults.py TARGET/release/mlops TARGET/release/examples/github-twin [SHARE] [JOB…]

With a SHARE of 4, every fourth case is tried, each call in some ways and each way at some calls. A job runs once on the twin of GitHub, whose journal tells the calls. Then, in the same world each time, one call after
the other fails in one way after the other: refused (401, 403, 404, 409, 422), over a limit, down once or for good, cut off
before or after it was done, half answered, never answered. Held each time: the exit code is the verdict's, or 3 if the
registry or what a command stands on could not be asked; the surfaces that were not hit are all there; a missing permission
is named once; and once GitHub is well again the same job completes with everything there exactly once.
"""

import concurrent.futures
import queue
import re
import sys
import time
import traceback

import world
from world import FORK, READ_ONLY, REPORT, REPOSITORY, World, data_of, ledger, live, with_alpha

FOREVER = 1_000_000
PERMISSION = {"x-accepted-github-permissions": "checks=write; contents=write"}


def status(code, times=1, message="Server Error", **headers):
    headers = {name.replace("_", "-"): text for name, text in headers.items()}
    return {"kind": "status", "code": code, "times": times, "headers": headers, "body": {"message": message}}


REFUSED = "Resource not accessible by integration"
FAULTS = {
    "401": status(401, FOREVER, "Bad credentials"),
    "403 that names a permission": {**status(403, FOREVER, REFUSED), "headers": PERMISSION},
    "403": status(403, FOREVER, REFUSED),
    "404": status(404, FOREVER, "Not Found"),
    "409": status(409, message="Conflict"),
    "422": status(422, message="Validation Failed"),
    "429, at once": status(429, retry_after="0", message="You have exceeded a secondary rate limit"),
    "429, in a second": status(429, retry_after="1", message="You have exceeded a secondary rate limit"),
    "500": status(500),
    "500 for good": status(500, FOREVER),
    "dropped": {"kind": "drop_before"},
    "dropped for good": {"kind": "drop_before", "times": FOREVER},
    "done, then dropped": {"kind": "drop_after"},
    "done, then 502": {"kind": "status_after", "code": 502},
    "half an answer": {"kind": "truncated"},
    "no answer": {"kind": "never"},
    "no answer for good": {"kind": "never", "times": FOREVER},
}
PASSING = ("429, at once", "429, in a second", "500", "dropped", "done, then dropped", "done, then 502", "half an answer")


class Scene:
    """A world just before a job, and the job."""

    def __init__(self, name, binary, twin_program):
        self.name = name
        self.twin = world.Twin(twin_program)
        self.world = World(self.twin, binary)
        self.number, self.job, self.code = None, None, 0
        getattr(self, name)()
        self.world.token(self.job["permissions"])
        self.twin.post("keep")
        self.twin.ask("DELETE", "calls")
        self.clean = self.world.run(self.job)
        assert self.clean.code == self.code, self.clean.log
        self.calls = self.twin.ask("GET", "calls")
        self.after = self.world.seen()
        self.twin.post("back")
        self.before = self.world.seen()

    def propose(self, alpha):
        self.sha = self.world.push("tune", with_alpha(self.world.files, alpha))
        self.number = self.world.open("tune")
        self.job = self.world.with_runtime(self.world.pull_request(self.number, self.sha), "tune")

    def pull(self):
        self.world.to_production()
        self.propose("0.9")

    def worse(self):
        self.world.to_production()
        self.propose("100000")
        self.code = 1

    def push(self):
        self.pull()
        self.world.must(self.job)
        merged = self.twin.post("merge", repository=REPOSITORY, number=self.number)["sha"]
        self.world.contents[merged], self.world.main_sha = self.world.contents[self.sha], merged
        self.job = self.world.with_runtime(self.world.on_main(), "main")

    def promote(self):
        self.push()
        self.world.must(self.job)
        self.job = self.world.comment(self.number, "/mlops promote")

    def rollback(self):
        self.promote()
        self.world.must(self.job)
        self.job = self.world.comment(self.number, "/mlops rollback")

    def fork(self):
        self.world.to_production()
        files = with_alpha(self.world.files, "0.9")
        fork = {"name": FORK, "fork_of": REPOSITORY, "commits": [{"branch": "tune", "files": files}]}
        seeded = self.twin.post("scenario", repositories=[fork])["repositories"][FORK]
        self.sha = seeded["refs"]["refs/heads/tune"]
        self.world.contents[self.sha] = files
        self.number = self.world.open("tune", FORK)
        theirs = self.world.pull_request(self.number, self.sha, seeded["id"], permissions=READ_ONLY)
        theirs = self.world.with_runtime(theirs, "tune", head_repository=FORK)
        self.world.must(theirs)
        run = {
            "id": theirs["run"], "run_attempt": 1, "event": "pull_request", "conclusion": "success",
            "head_sha": self.sha, "head_branch": "tune",
            "head_repository": {"id": seeded["id"], "full_name": FORK, "owner": {"login": "eve"}},
        }  # fmt: skip
        payload = {"action": "completed", "workflow_run": run}
        self.job = self.world.job("workflow_run", payload, self.world.main_sha, permissions=REPORT)

    def fault(self, place, kind):
        """The call at this place of the journal fails; for good: it and whatever goes to the same path from then on."""
        call, fault = self.calls[place], FAULTS[kind]
        path = call["path"]
        if "/git/blobs/" in path:
            # What a job wrote itself has another name in every second.
            path = path[: path.index("/git/blobs/") + len("/git/blobs/")]
        same = [one for one in self.calls[:place] if one["method"] == call["method"] and path in one["path"]]
        return {**fault, "method": call["method"], "path_contains": path, "skip": len(same)}


def surface(call):
    """What a call is for: a surface, or what the verdict stands on."""
    path = call["path"]
    if "/devstoreaccount1/" in path and path.endswith(".zip") and call["method"] == "GET":
        return "facts"
    if "/twirp/" in path or "/devstoreaccount1/" in path:
        return "artifacts"
    if path == "/graphql":
        return {"viewer": "who we are", "minimizeComment": "comment", "unminimizeComment": "comment"}.get(
            call["operation"], "registry"
        )
    for part, name in [
        ("/check-runs", "checks"), ("/git/", "registry"), ("/reactions", "reaction"), ("/comments", "comment"),
        ("/permission", "permission"), ("/deployments", "deployment"), ("/contents/", "configuration before"),
        ("/actions/", "facts"), ("/pulls", "pull request"), ("/branches", "registry"),
    ]:  # fmt: skip
        if part in path:
            return name
    return path


# Without these a verdict or an answer can not be known.
STANDS_ON = {
    "pull": {"registry"}, "worse": {"registry"}, "push": {"registry"}, "fork": {"facts", "pull request"},
    "promote": {"registry", "permission", "pull request", "comment", "who we are"}, "rollback": {"registry", "permission"},
}  # fmt: skip


def shape(seen, number):
    """What people see, without what differs from run to run."""
    comments = [one for one in seen["comments"] if one["issue"] == number and one["deleted_by"] is None]
    return {
        "reports": [(data_of(one).get("verdict"), one["minimized"]) for one in live(seen, number)],
        "comments": len(comments),
        "reactions": sorted(tuple(reaction) for one in comments for reaction in one["reactions"]),
        "checks": sorted((one["name"], one["external_id"], one["conclusion"] or one["status"]) for one in seen["check_runs"]),
        "ledger": [event_of(entry) for entry in ledger(seen)],
        "deployments": sorted((one["environment"], str(one["payload"]), len(one["statuses"])) for one in seen["deployments"]),
    }


def event_of(entry):
    event = {name: dict(value) for name, value in entry["event"].items()}
    for value in event.values():
        value.pop("because", None)
    return (entry["actor"], str(event))


def same(expected, found, what):
    assert found == expected, f"{what}:\n  expected {expected}\n  found    {found}"


def check(scene, place, kind):
    call = scene.calls[place]
    of = surface(call)
    scene.twin.post("back")
    scene.twin.post("faults", **scene.fault(place, kind))
    ran = scene.world.run(scene.job, timeout=250 if kind.startswith("no answer") else 10_000)
    seen = scene.world.seen()
    found, expected, before = (shape(one, scene.number) for one in (seen, scene.after, scene.before))

    # The verdict.
    stands_on = of in STANDS_ON[scene.name]
    codes = {scene.code} | ({3} if stands_on else set())
    if scene.name in ("promote", "rollback") and stands_on and kind in ("404", "422", "409"):
        codes.add(1)
    if scene.name in ("promote", "rollback", "fork") and stands_on and kind.startswith("40"):
        codes.add(2)
    is_file = "/git/blobs/" in call["path"] or "/devstoreaccount1/" in call["path"]
    if kind in PASSING and not (kind == "half an answer" and is_file):
        codes = {scene.code}
    if kind == "half an answer" and is_file and stands_on:
        # Half a file that says it is whole is another file, which is not believed.
        codes.add(2)
    assert ran.code in codes, f"exit {ran.code}, not one of {codes}"
    assert "no production version yet" not in ran.summary, "a registry that could not be asked reads as an empty one"
    assert ran.summary.strip(), "there is no summary"
    assert {"reason"} <= ran.outputs, f"outputs: {ran.outputs}"

    # Nothing twice.
    assert len(found["reports"]) <= 1, f"{len(found['reports'])} reports"
    names = [(name, external) for name, external, _ in found["checks"]]
    assert len(names) == len(set(names)), f"a check twice: {names}"
    assert found["comments"] <= expected["comments"], "a comment too many"
    assert len(found["ledger"]) <= len(expected["ledger"]) and found["ledger"] == expected["ledger"][: len(found["ledger"])]
    assert len(found["deployments"]) <= len(expected["deployments"])

    # What was not hit is there.
    if ran.code == scene.code:
        same(expected["ledger"], found["ledger"], "the ledger")
        if of not in ("checks",):
            same(expected["checks"], found["checks"], "the checks")
        if of not in ("comment", "who we are", "pull request"):
            same((expected["reports"], expected["comments"]), (found["reports"], found["comments"]), "the comments")
        if of not in ("reaction", "comment", "who we are"):
            same(expected["reactions"], found["reactions"], "the reactions")
        if of != "deployment":
            same(expected["deployments"], found["deployments"], "the deployments")
    elif scene.name in ("pull", "worse", "push"):
        # An unknown verdict is shown as well.
        assert not [one for one in found["checks"] if one[2] == "in_progress"], "a check is left open"
        assert [one for one in found["checks"] if one not in before["checks"]], "no check says so"
        if scene.name != "push":
            assert found["reports"], "no comment says so"

    # One notice with the line to add.
    if kind == "403 that names a permission" and ran.code == scene.code and of not in ("artifacts", "who we are"):
        lines = [line for line in ran.notices() if "permissions:" in line]
        allowed = 0 if of == "pull request" or call["operation"] else 1
        assert allowed <= len(lines) <= 1, f"notices: {lines or ran.notices()}"
    for line in set(ran.notices()):
        assert ran.notices().count(line) == 1, f"twice: {line}"

    # GitHub is well again, and the same job runs again.
    scene.twin.ask("DELETE", "faults")
    again = scene.world.run({**scene.job, "attempt": 2})
    final = shape(scene.world.seen(), scene.number)
    of_attempt = lambda checks, n: [(name, end) for name, id, end in checks if f"-{n}-model" in id and id.startswith(run)]  # noqa: E731
    run = str(scene.job["run"])
    if of == "permission" and kind == "404":
        # Who is unknown may not, and is told once.
        same((1, 1), (ran.code, again.code), "the exit codes")
        return
    same(scene.code, again.code, f"the second run's exit code\n{again.log}")
    same(of_attempt(expected["checks"], 1), of_attempt(final["checks"], 2), "after the second run, the checks")
    for what in ("reports", "comments", "ledger", "reactions"):
        if what == "reactions" and ran.code != scene.code:
            continue
        same(expected[what], final[what], f"after the second run, {what}")
    violations = scene.twin.ask("GET", "violations")
    assert not violations, violations


def explore(name, binary, twin_program, share, report):
    scene = Scene(name, binary, twin_program)
    began, n_cases = time.monotonic(), 0
    try:
        for place, call in enumerate(scene.calls):
            for turn, kind in enumerate(FAULTS):
                # Neighbours begin elsewhere, so that no way and no call is left out.
                if (turn + place * (share // 2 + 1)) % share:
                    continue
                n_cases += 1
                try:
                    check(scene, place, kind)
                except Exception as error:  # noqa: BLE001, every case is told
                    if not isinstance(error, AssertionError):
                        traceback.print_exc()
                    where = f"{call['method']} {call['path']} {call['operation'] or ''}"
                    where = re.sub(r"[0-9a-f]{40}", "…", where)
                    report.put(where)
                    print(f"\n{name}, call {place} ({surface(call)}: {where}), {kind}:\n{error}", flush=True)
                    scene.twin.ask("DELETE", "faults")
    finally:
        scene.twin.close()
    return name, len(scene.calls), n_cases, time.monotonic() - began


def main():
    binary, twin_program, *names = sys.argv[1:]
    share = int(names.pop(0)) if names and names[0].isdigit() else 1
    names = names or list(STANDS_ON)
    report = queue.Queue()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = [pool.submit(explore, name, binary, twin_program, share, report) for name in names]
        for one in concurrent.futures.as_completed(done):
            name, n_calls, n_cases, seconds = one.result()
            print(f"{name}: {n_cases} cases, {n_calls} calls, {seconds:.0f} s", flush=True)
    if report.qsize():
        sys.exit(f"{report.qsize()} cases failed")


if __name__ == "__main__":
    main()
