#!/usr/bin/env python3
"""Kills the program at random moments of a publication; the registry must always open and the next run complete.

    python3 tests/kill.py TARGET/release/mlops [TIMES]

TIMES kills (200). Every round changes the data a little, so that each publication writes new objects and moves two aliases. Three rounds in
four wait for the first file that appears in the registry and then for a part of the time that a publication takes; the
others are killed at any moment of the run; every fifth has a second writer that is not killed and must win through.

After each kill, and again after the run that follows it: what is in the registry is checked here, file by file, without
the program; `status` and `history` answer; no version, entry or object that was there before is gone or different.
The test fails too when the kills did not land where they should: it prints how far each publication had come.
"""

import collections
import ctypes
import hashlib
import json
import os
import pathlib
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[1]
TEMP = ".mlops-tmp-"
IN_CREATE, IN_MOVED_TO, IN_NONBLOCK = 0x100, 0x80, 0o4000


class Watch:
    """The kernel's word for the first new name below a directory."""

    def __init__(self, registry):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.libc.inotify_init1(IN_NONBLOCK)
        for place in [registry / "ledger", registry / "objects", *(registry / "objects").iterdir()]:
            if self.libc.inotify_add_watch(self.fd, os.fsencode(place), IN_CREATE | IN_MOVED_TO) < 0:
                sys.exit(f"can not watch {place}: {os.strerror(ctypes.get_errno())}")

    def first(self, process, limit=30):
        """Waits for it; `False` if the process ends before."""
        ends = time.monotonic() + limit
        while time.monotonic() < ends:
            ready, _, _ = select.select([self.fd], [], [], 0.02)
            if ready:
                return True
            if process.poll() is not None:
                return False
        sys.exit("the program came to no publication")

    def close(self):
        os.close(self.fd)


def start(binary, repository, *arguments):
    return subprocess.Popen(
        [binary, "-C", repository, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def mlops(binary, repository, *arguments):
    done = subprocess.run(
        [binary, "-C", repository, "--format", "json", *arguments], capture_output=True, text=True, timeout=60
    )
    if done.returncode != 0:
        sys.exit(f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return json.loads(done.stdout)


def inspect(registry):
    """Reads the registry without the program. (entries, objects, number of temporary files)"""
    entries, objects, n_temps = [], set(), 0
    previous = None
    names = sorted(path for path in (registry / "ledger").iterdir())
    n_temps += sum(path.name.startswith(TEMP) for path in names)
    names = [path for path in names if not path.name.startswith(TEMP)]
    for number, path in enumerate(names, start=1):
        if path.name != f"{number:08}.json":
            sys.exit(f"entry {number} of the ledger is named {path.name}")
        text = path.read_text()
        if not text.endswith("}\n"):
            sys.exit(f"{path.name} is cut off")
        seal, body = json.loads(text)["seal"], text[text.index('"body":') + len('"body":') : -2]
        if seal.removeprefix("sha256:") != hashlib.sha256(body.encode()).hexdigest():
            sys.exit(f"{path.name} is not what its seal says")
        read = json.loads(body)
        if read["previous"] != previous:
            sys.exit(f"{path.name} does not follow the entry before it")
        previous = seal
        entries.append(seal)
        if read["record"]:
            objects.add(read["record"].removeprefix("sha256:"))
    kept = {}
    for path in (registry / "objects").rglob("*"):
        if path.is_dir():
            continue
        if path.name.startswith(TEMP):
            n_temps += 1
            continue
        name = path.parent.name + path.name
        kept[name] = path.read_bytes()
        if hashlib.sha256(kept[name]).hexdigest() != name:
            sys.exit(f"object {name} is not what its name says")
    for record in objects:
        if record not in kept:
            sys.exit(f"record {record} is named by the ledger and is not there")
        for file, digest in json.loads(kept[record])["files"].items():
            if digest.removeprefix("sha256:") not in kept:
                sys.exit(f"{file} {digest} is named by a record and is not there")
    return entries, set(kept), n_temps


def check(binary, repository, before, turn):
    """The registry is whole, holds all that was there before, and the program reads it."""
    now = inspect(repository / ".mlops/registry")
    if now[0][: len(before[0])] != before[0] or not before[1] <= now[1]:
        sys.exit(f"turn {turn}: something that was in the registry is gone")
    status = mlops(binary, repository, "status")
    numbers = [version["version"] for version in status["versions"]]
    if numbers != list(range(1, len(numbers) + 1)):
        sys.exit(f"turn {turn}: the versions are {numbers}")
    if any(status["aliases"].get(alias) not in numbers for alias in ("candidate", "production")):
        sys.exit(f"turn {turn}: the aliases are at {status['aliases']}")
    if len(mlops(binary, repository, "history")) != len(now[0]):
        sys.exit(f"turn {turn}: the history is not that of the ledger")
    return now


def stage(before, after):
    """How far a publication came."""
    n_entries = len(after[0]) - len(before[0])
    if n_entries:
        return f"{n_entries} of 3 entries"
    if after[1] - before[1]:
        return f"{len(after[1] - before[1])} objects"
    return "a temporary file" if after[2] > before[2] else "nothing written"


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    times = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    draw = random.Random(20260101)
    with tempfile.TemporaryDirectory() as folder:
        repository = pathlib.Path(folder) / "repository"
        registry = repository / ".mlops/registry"
        shutil.copytree(ROOT / "fixtures/repos/iris", repository, ignore=shutil.ignore_patterns(".mlops"))
        config, data = repository / "mlops.yaml", repository / "data/iris.csv"
        # No gate but "it runs", so that every version goes to production and a publication is as long as it can be.
        config.write_text(
            config.read_text() + "promote: {approval: auto}\ngates: {metrics: {accuracy: {informational: true}}}\n"
        )
        other = repository / "other.yaml"
        other.write_text(config.read_text().replace("data/iris.csv", "data/other.csv"))
        header, *rows = data.read_text().splitlines()
        # Equal rows may land on both sides of the split, which warns, and what warns is not promoted.
        rows = list(dict.fromkeys(rows))

        def shuffle(file, n_rows):
            draw.shuffle(rows)
            file.write_text("\n".join([header, *rows[:n_rows]]) + "\n")

        # How long a run and its publication take here.
        wholes, windows = [], []
        mlops(binary, repository, "run")
        for turn in range(5):
            shuffle(data, 145)
            watch = Watch(registry)
            began = time.monotonic()
            process = start(binary, repository, "run")
            if not watch.first(process):
                sys.exit("a run without a kill published nothing")
            first, n_entries = time.monotonic(), len(list((registry / "ledger").glob("*.json")))
            while len(list((registry / "ledger").glob("*.json"))) < n_entries + 3:
                if process.poll() is not None and len(list((registry / "ledger").glob("*.json"))) < n_entries + 3:
                    sys.exit("a run without a kill did not move both aliases")
            windows.append(time.monotonic() - first)
            process.wait()
            wholes.append(time.monotonic() - began)
            watch.close()
        whole, window = sorted(wholes)[2], sorted(windows)[2]

        stages, killed, second_writers = collections.Counter(), 0, 0
        state = check(binary, repository, inspect(registry), "before the first")
        turn = 0
        while killed < times and turn < 3 * times:
            turn += 1
            shuffle(data, 120 + turn % 30)
            watch = Watch(registry)
            process = start(binary, repository, "run")
            beside = None
            if turn % 5 == 2:
                shuffle(data.with_name("other.csv"), 120 + turn % 30)
                beside = start(binary, repository, "--config", "other.yaml", "run")
            if turn % 4 != 3:
                watch.first(process)
                time.sleep(window * draw.random())
            else:
                time.sleep(whole * draw.random() * 1.1)
            # A process that has ended and was not waited for takes the signal too: ask first.
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
            watch.close()
            if beside is not None:
                second_writers += 1
                if beside.wait(timeout=60) != 0:
                    sys.exit(f"turn {turn}: the second writer ended with {beside.returncode}")
            else:
                stages[stage(state, inspect(registry))] += 1
            state = check(binary, repository, state, turn)
            result = mlops(binary, repository, "run")
            if result["version"] is None or not result["passed"]:
                sys.exit(f"turn {turn}: the next run made no version: {result}")
            state = check(binary, repository, state, turn)
            if state[2]:
                sys.exit(f"turn {turn}: {state[2]} temporary files are left after the next run")
            if mlops(binary, repository, "status")["aliases"]["production"] != result["version"]:
                sys.exit(f"turn {turn}: the next run did not move production")
        print(f"a run takes {whole * 1000:.0f} ms here, a publication {window * 1000:.0f} ms")
        for name, n in sorted(stages.items()):
            print(f"  {n:4} killed with {name}")
        inside = sum(n for name, n in stages.items() if name not in ("nothing written", "3 of 3 entries"))
        print(f"{killed} kills in {turn} runs, {inside} inside a publication, {second_writers} beside a second writer")
        if killed < times or inside < times // 3:
            sys.exit("too few were killed inside a publication: the test shows nothing")


if __name__ == "__main__":
    main()
