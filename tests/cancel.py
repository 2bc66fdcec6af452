#!/usr/bin/env python3
"""The runner cancels a job at every stage: it ends in seven seconds, leaves no open check, no child and no foreign output.

    python3 tests/cancel.py TARGET/release/mlops TARGET/release/examples/github-twin

SIGTERM and SIGINT each, then the same job again, which completes.
"""

import os
import random
import signal
import sys
import time

from world import Twin, World, alive, live

LIMIT = 7.0
STUBBORN = "echo 'evil=1' >> ../output; echo '# evil' >> ../summary; trap '' TERM INT; sleep {mark} & while :; do sleep {mark}; done"


def config(test="true", n_trees=5):
    return (
        "model: diabetes-progression\n"
        "data: {source: data/rows.csv, target: y}\n"
        f"train: {{estimator: random_forest, params: {{n_estimators: {n_trees}, max_depth: 12}}}}\n"
        f"gates:\n  test: {{run: [{quoted(test)}], timeout: 10m}}\n  metrics: {{r2: {{informational: true}}}}\n"
    )


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def rows(n_rows):
    draw = random.Random(1)
    lines = ["a,b,c,y"]
    for _ in range(n_rows):
        a, b, c = draw.random(), draw.random(), draw.gauss(0, 1)
        lines.append(f"{a:.6f},{b:.6f},{c:.6f},{a * 3 + b * c:.6f}")
    return "\n".join(lines) + "\n"


def until(condition, what):
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    sys.exit(f"{what} did not come")


class Stage:
    """When the signal comes."""

    def __init__(self, name, fault=None, slow=None, after=0.0):
        self.name, self.fault, self.slow, self.after = name, fault, slow, after


def late(method, path, seconds):
    return {"method": method, "path_contains": path, "kind": "delay", "delay_ms": int(seconds * 1000)}


STAGES = [
    Stage("at once"),
    Stage("10 ms after the start", after=0.01),
    Stage("while the check is being opened", late("POST", "/check-runs", 1)),
    Stage("while the check is being opened, and GitHub is stuck", {"method": "POST", "path_contains": "/check-runs", "kind": "never"}),
    Stage("during a test that does not want to end", slow="test"),
    Stage("during training", slow="train"),
    Stage("while the verdict is delivered", late("PATCH", "/check-runs/", 1)),
    Stage("while GitHub is stuck with the verdict", {"method": "PATCH", "path_contains": "/check-runs/", "kind": "never"}),
    Stage("while the comment is posted", late("POST", "/comments", 1)),
]


def one(binary, twin_program, stage, which, small, large):
    twin = Twin(twin_program)
    mark = f"7{os.getpid()}{STAGES.index(stage)}{int(which)}"
    try:
        world = World(twin, binary, {"README.md": "x\n"})
        test = STUBBORN.format(mark=mark) if stage.slow == "test" else "true"
        data, n_trees = (large, 600) if stage.slow == "train" else (small, 5)
        files = {"mlops.yaml": config(test, n_trees), "data/rows.csv": data}
        sha = world.push("tune", files)
        number = world.open("tune")
        job = {**world.pull_request(number, sha), "files": files}
        if stage.fault:
            twin.post("faults", **stage.fault)
        twin.ask("DELETE", "calls")
        started = world.start(job, timeout=30_000)
        if stage.fault:
            of = stage.fault
            under_way = lambda: [  # noqa: E731
                call
                for call in twin.ask("GET", "calls")
                if call["method"] == of["method"] and of["path_contains"] in call["path"] and call["status"] == 0
            ]
            until(under_way, "the call")
        elif stage.slow == "test":
            until(lambda: alive(mark), "the test")
        elif stage.slow == "train":
            for line in started.process.stdout:
                if "✓ test" in line or "✓ data" in line:
                    break
            time.sleep(0.3)
        else:
            time.sleep(stage.after)
        asked = time.monotonic()
        started.process.send_signal(which)
        ran = started.wait(timeout=60)
        took = time.monotonic() - asked
        where = f"{stage.name}, {which.name}"
        is_early = not (stage.fault or stage.slow) and not ran.log.strip()
        if ran.code in (-signal.SIGTERM, -signal.SIGINT) and is_early:
            # The signal came before the program could listen, or say anything.
            assert not ran.output, ran.output
        else:
            assert ran.code == 130, f"{where}: exit {ran.code}\n{ran.log}"
            assert {"passed", "reason"} == ran.outputs, f"{where}: outputs {ran.outputs}"
        assert took <= LIMIT, f"{where}: {took:.1f} s"
        assert "evil" not in ran.output + ran.summary, f"{where}: what a command wrote stands in the runner's files"
        assert not alive(mark), f"{where}: left alive: {alive(mark)}"
        checks = world.seen()["check_runs"]
        assert all(one["status"] == "completed" for one in checks), f"{where}: {checks}"
        twin.ask("DELETE", "faults")
        job["files"] = {"mlops.yaml": config(), "data/rows.csv": small}
        job["run"] += 1
        again = world.run(job)
        assert again.code == 0, f"{where}: the next run ended with {again.code}\n{again.log}"
        seen = world.seen()
        assert len(live(seen, number)) == 1, f"{where}: {len(live(seen, number))} comments"
        assert all(one["status"] == "completed" for one in seen["check_runs"])
        shown = sorted({one["conclusion"] for one in checks}) or ["no check"]
        print(f"{where}: {took:.2f} s, {', '.join(shown)}", flush=True)
    finally:
        twin.close()


def main():
    binary, twin_program, *words = sys.argv[1:]
    small, large = rows(400), rows(60_000)
    for stage in STAGES:
        if words and not any(word in stage.name for word in words):
            continue
        for which in (signal.SIGTERM, signal.SIGINT):
            one(binary, twin_program, stage, which, small, large)


if __name__ == "__main__":
    main()
