#!/usr/bin/env python3
"""Kills the program at random moments of a publication; the registry must always open and the next run complete.

    python3 tests/kill.py TARGET/release/mlops [TIMES]

Every round changes the data a little, so that each publication writes new objects. The moment of the kill is drawn
over the time that a whole run takes, weighted towards its end, where the writing is.
"""

import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[1]


def mlops(binary, repository, *arguments, check=True):
    done = subprocess.run(
        [binary, "-C", repository, "--format", "json", *arguments], capture_output=True, text=True, timeout=60
    )
    if check and done.returncode not in (0, 1):
        sys.exit(f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    times = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    draw = random.Random(20260101)
    with tempfile.TemporaryDirectory() as folder:
        repository = pathlib.Path(folder) / "repository"
        shutil.copytree(ROOT / "fixtures/repos/iris", repository, ignore=shutil.ignore_patterns(".mlops"))
        data = repository / "data/iris.csv"
        header, *rows = data.read_text().splitlines()
        mlops(binary, repository, "run")
        started = time.monotonic()
        mlops(binary, repository, "run", "--no-publish")
        whole = max(time.monotonic() - started, 0.01)
        killed = completed = 0
        for turn in range(times):
            shuffled = rows[:]
            draw.shuffle(shuffled)
            data.write_text("\n".join([header, *shuffled[: 120 + turn % 30]]) + "\n")
            process = subprocess.Popen(
                [binary, "-C", repository, "run"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                process.wait(timeout=whole * draw.uniform(0.2, 1.6))
                completed += 1
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                killed += 1
            status = json.loads(mlops(binary, repository, "status").stdout)
            numbers = [version["version"] for version in status["versions"]]
            if numbers != list(range(1, len(numbers) + 1)):
                sys.exit(f"turn {turn}: the versions are {numbers}")
            if status["aliases"].get("candidate") not in numbers:
                sys.exit(f"turn {turn}: `candidate` is at {status['aliases']}")
            if turn % 10 == 9:
                again = mlops(binary, repository, "run")
                if json.loads(again.stdout)["version"] is None:
                    sys.exit(f"turn {turn}: the next run made no version:\n{again.stdout}\n{again.stderr}")
        result = json.loads(mlops(binary, repository, "run").stdout)
        if result["version"] is None:
            sys.exit(f"the last run made no version: {result}")
        if killed < times // 3:
            sys.exit(f"only {killed} of {times} were killed in time: the test shows nothing")
        print(f"{killed} kills, {completed} completed before theirs; {len(numbers)} versions, each readable")


if __name__ == "__main__":
    main()
