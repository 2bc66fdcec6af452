"""A pull request's life, from the first version to production and back, by the image."""

import time

from world import World, check


def life(options):
    print("── a pull request's life")
    began = time.monotonic()
    with World(options) as world:

        def runs(job, code, what):
            with job:
                got = job.ran()
                check(got == code, f"{what}: exit code {got} after {job.took:.1f} s")
                if got != code:
                    print(job.said())
                job.result, job.printed = job.outputs(), job.said()
            return job

        def moved():
            files = world.seen()["branches"].get("mlops-registry", {}).get("files", {})
            return sum(name.startswith("ledger/") for name in files)

        first = runs(world.main(), 0, "push to main")
        check(first.result.get("model-version") == "v1", f"it publishes {first.result.get('model-version')}")
        check(moved() == 2, f"on the registry's branch: {moved()} entries")
        promote = world.main("workflow_dispatch", inputs={})
        promote.inputs["command"] = "promote"
        runs(promote, 0, "promote by hand")
        check(moved() == 3, f"the ledger tells of it: {moved()} entries")

        def alpha(value):
            return world.config.replace("alpha: 1.0", f"alpha: {value}")

        world.push("tune", {"mlops.yaml": alpha("3.0")})
        number = world.open("tune", "Tune the ridge")
        opened = runs(world.pull_request(number, "tune", "opened"), 0, "a pull request")
        thread = world.thread(number)
        check(len(thread) == 1 and len(thread[0]["versions"]) == 1, "it has one comment")
        again = world.pull_request(number, "tune", "opened")
        again.run, again.more = opened.run, {"GITHUB_RUN_ATTEMPT": "2"}
        runs(again, 0, "the same job again")
        thread = world.thread(number)
        check(len(thread) == 1 and not thread[0]["minimized"], "it still has one comment")
        check("is missing" not in again.printed, "and its first attempt is in nobody's way")
        check(again.result["verdict"] == opened.result["verdict"], f"with the verdict {again.result['verdict']}")
        artifacts = {one["mime_type"]: one["name"] for one in world.seen()["artifacts"] if one["run"] == opened.run["id"]}
        check(artifacts.get("text/html", "").endswith(".html"), f"the report goes up as a page: {artifacts.get('text/html')}")
        check(artifacts.get("application/zip", "").startswith("mlops-model"), f"the model packed: {artifacts.get('application/zip')}")

        for value, code, verdict in [("0.9", 0, "better"), ("0.9", 0, "better"), ("100000", 1, "worse")]:
            world.push("tune", {"mlops.yaml": alpha(value), "NOTES.md": f"{value} {time.monotonic()}"})
            job = runs(world.pull_request(number, "tune"), code, f"alpha {value}")
            check(job.result["verdict"] == verdict, f"its verdict is {job.result['verdict']}: {job.result['reason']}")
            check(job.result["passed"] == str(code == 0).lower(), f"passed says {job.result['passed']}")
            checks = world.checks(job.sha)
            conclusion = checks.get("mlops / diabetes-progression")
            check(conclusion == ("success" if code == 0 else "failure"), f"its check says {conclusion}, with {len(checks) - 1} gates")
        thread = world.thread(number)
        live = [one for one in thread if not one["minimized"]]
        check(len(thread) == 2 and len(live) == 1, f"one comment, and the one it took the place of: {len(thread)}, {len(live)}")

        world.push("tune", {"mlops.yaml": alpha("0.9")})
        runs(world.pull_request(number, "tune"), 0, "better again")
        world.merge(number)
        merged = runs(world.main(), 0, "merged")
        check(merged.result.get("model-version") == "v2", f"main publishes {merged.result.get('model-version')}")
        check("v2" in world.thread(number)[-1]["body"], "and says so in the thread")
        for words, production, n_entries in [("/mlops promote", 2, 6), ("It is slow.\n\n/mlops rollback", 1, 7)]:
            runs(world.comment(number, "mia", words), 0, words.splitlines()[-1])
            check(moved() == n_entries, f"the ledger has {moved()} entries")
        check(len(world.thread(number)) == 2, "answers are not the comment")
        violations = world.ask("GET", "violations")
        check(violations == [], f"GitHub's contract holds {violations[:2]}")
    print(f"   the whole life took {time.monotonic() - began:.0f} s")
