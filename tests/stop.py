#!/usr/bin/env python3
"""Stops the program at random moments of a slow run: it ends within seven seconds, with 130, and leaves no child.

    python3 tests/stop.py TARGET/release/mlops [TIMES]

The run reads 300,000 rows, trains a random forest, evaluates it, compares it with production and publishes. In every other
run a command comes before that: one with children that left their group, or that do not want to end. TIMES (60) runs get SIGTERM
or SIGINT at a moment drawn over the whole run, a third of them a second signal at once. Afterwards nothing that the
command started is alive, the registry answers and is as it was, and at the end a run completes.
"""

import collections
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

from world import alive

LIMIT = 7.0
ROWS = 300_000
QUIET = "sleep {mark}"
STUBBORN = "sleep {mark} & setsid -f sleep {mark}; trap '' TERM INT; while :; do sleep {mark}; done"
NOISY = "setsid sleep {mark} & yes {mark} & wait"


def write(repository, n_rows, n_trees, command):
    (repository / "mlops.yaml").write_text(
        "model: slow\n"
        "data: {source: data.csv, target: y}\n"
        f"train: {{estimator: random_forest, params: {{n_estimators: {n_trees}, max_depth: 12}}}}\n"
        "evaluate: {slices: [g]}\n"
        "gates:\n"
        f"  test: {{run: [{json.dumps(command)}], timeout: 10m}}\n"
        "  metrics: {r2: {informational: true}}\n"
        "promote: {approval: auto}\n"
    )
    draw = random.Random(1)
    with open(repository / "data.csv", "w") as out:
        out.write("a,b,c,d,g,y\n")
        for _ in range(n_rows):
            a, b, c = draw.random(), draw.random(), draw.gauss(0, 1)
            out.write(f"{a:.6f},{b:.6f},{c:.6f},{draw.randrange(50)},g{draw.randrange(4)},{a * 3 + b * c:.6f}\n")


def status(binary, repository):
    done = subprocess.run(
        [binary, "-C", repository, "--format", "json", "status"], capture_output=True, text=True, timeout=30
    )
    if done.returncode != 0:
        sys.exit(f"the registry can not be read:\n{done.stderr}")
    return [version["digest"] for version in json.loads(done.stdout)["versions"]]


def complete(binary, repository, n_trees):
    """Runs to the end, with a command that ends at once. How long that took."""
    config = (repository / "mlops.yaml").read_text()
    write_config = config.replace(config[config.index("  test:") : config.index("  metrics:")], "  test: ['true']\n")
    (repository / "mlops.yaml").write_text(write_config)
    began = time.monotonic()
    done = subprocess.run([binary, "-C", repository, "run", "-q"], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        sys.exit(f"a run without a signal ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return time.monotonic() - began


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    times = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    draw = random.Random(20260102)
    n_trees = 20
    with tempfile.TemporaryDirectory() as folder:
        repository = pathlib.Path(folder)
        write(repository, ROWS, n_trees, "true")
        whole = complete(binary, repository, n_trees)
        before, slowest, where = status(binary, repository), 0.0, collections.Counter()
        for turn in range(times):
            mark = f"7{os.getpid()}{turn:04}"
            command = ["true", QUIET, "true", STUBBORN, "true", NOISY][turn % 6].format(mark=mark)
            n_trees += 1
            config = repository / "mlops.yaml"
            text = config.read_text()
            start, end = text.index("train:"), text.index("evaluate:")
            train = f"train: {{estimator: random_forest, params: {{n_estimators: {n_trees}, max_depth: 12}}}}\n"
            text = text[:start] + train + text[end:]
            start, end = text.index("  test:"), text.index("  metrics:")
            config.write_text(text[:start] + f"  test: {{run: [{json.dumps(command)}], timeout: 10m}}\n" + text[end:])
            process = subprocess.Popen(
                [binary, "-C", repository, "run"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
            time.sleep(whole * draw.random())
            asked = time.monotonic()
            process.send_signal(draw.choice([signal.SIGTERM, signal.SIGINT]))
            if turn % 3 == 0:
                time.sleep(0.05 * draw.random())
                process.send_signal(draw.choice([signal.SIGTERM, signal.SIGINT]))
            try:
                said = process.communicate(timeout=LIMIT)[1]
            except subprocess.TimeoutExpired:
                process.kill()
                sys.exit(f"turn {turn}: still there after {LIMIT} s: {command}")
            took = time.monotonic() - asked
            slowest = max(slowest, took)
            last = [line.split()[1] for line in said.splitlines() if line.strip().startswith("✓")]
            if process.returncode == 130:
                where[f"after {last[-1]}" if last else "before the data were read"] += 1
            elif process.returncode == 0 and command == "true":
                where["after its end"] += 1
            elif process.returncode in (-signal.SIGTERM, -signal.SIGINT) and not said:
                # The signal came before the program could listen.
                where["before it began"] += 1
            else:
                sys.exit(f"turn {turn}: ended with {process.returncode}: {command}\n{said}")
            if left := alive(mark):
                sys.exit(f"turn {turn}: left alive: {left}")
            now = status(binary, repository)
            if now[: len(before)] != before:
                sys.exit(f"turn {turn}: the registry lost something")
            before = now
        complete(binary, repository, n_trees)
        after = status(binary, repository)
        if after[: len(before)] != before or len(after) < 2:
            sys.exit("the run after all signals made no version")
    print(f"a run takes {whole:.1f} s here; the slowest stop took {slowest:.2f} s")
    for name, n in sorted(where.items()):
        print(f"  {n:4} stopped {name}")
    working = ("after data", "after drift", "after train", "after evaluate")
    if sum(n for name, n in where.items() if name.startswith(working)) < times // 4:
        sys.exit("too few were stopped while something was computed: the test shows nothing")


if __name__ == "__main__":
    main()
