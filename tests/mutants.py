#!/usr/bin/env python3
"""Feeds mutated configurations and data files to the program: never a panic, always a message with a place.

    python3 tests/mutants.py TARGET/release/mlops [COUNT]

Half of the mutants are configurations, half data files (CSV, JSON Lines and, where the examples have one, Parquet). A run
may succeed, fail a gate (1) or refuse the input (2); refusing takes at least one line `--> file:line` or `--> file`.
Anything else (a panic, a signal, exit 3 or 101, a hang) ends the test with the mutant that did it.
"""

import concurrent.futures
import itertools
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[1]
PLACE = re.compile(r"-->\s+\S+")
NASTY = [
    b"\x00", b"\xff", b"\xef\xbb\xbf", b"\r", b"\n\n", b'"', b"'", b",", b";", b":", b"-", b"[", b"]", b"{", b"}", b"&a",
    b"*a", b"<<: *a", b"!!binary ", b"---\n", b"? ", b"| ", b"\t", b"1e999", b"-inf", b"nan", b"9" * 40, b"0x1F", b"~",
    "é\u202e\u0000".encode(), b"<script>", b"::error::x", b"\x1b[31m", b"1,5", b"%", b"null", b"true",
]


def mutate(draw, text):
    text = bytearray(text)
    for _ in range(draw.choice([1, 1, 1, 2, 3, 8])):
        at = draw.randrange(len(text) + 1)
        match draw.randrange(6):
            case 0:
                text[at:at] = draw.choice(NASTY)
            case 1:
                del text[at : at + draw.choice([1, 1, 2, 5, 20, 200])]
            case 2:
                text[at : at + 1] = bytes([draw.randrange(256)])
            case 3:
                lines = text.split(b"\n")
                lines.insert(draw.randrange(len(lines)), draw.choice(lines))
                text = bytearray(b"\n".join(lines))
            case 4:
                other = draw.randrange(len(text) + 1)
                text[at:at] = text[other : other + draw.randrange(1, 40)]
            case 5:
                text[at:] = b"" if draw.random() < 0.2 else text[at:]
    return bytes(text)


def run(binary, repository, kind, mutant):
    try:
        done = subprocess.run(
            [binary, "-C", repository, "run", "--no-publish", "--quiet"], capture_output=True, timeout=30
        )
    except subprocess.TimeoutExpired:
        return f"{kind}: hung"
    said = done.stderr.decode(errors="replace")
    if done.returncode not in (0, 1, 2):
        return f"{kind}: exit {done.returncode}\n{said}"
    if "panicked" in said or "a bug of ours" in said or "a bug of ours" in done.stdout.decode(errors="replace"):
        return f"{kind}: panicked\n{said}"
    if done.returncode == 2 and not PLACE.search(said):
        return f"{kind}: refused without a place\n{said}"
    return None


def worker(binary, seed, count):
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        repository = pathlib.Path(folder) / "repository"
        shutil.copytree(ROOT / "fixtures/repos/iris", repository, ignore=shutil.ignore_patterns(".mlops"))
        config, data = repository / "mlops.yaml", repository / "data/iris.csv"
        examples = sorted((ROOT / "fixtures/repos").glob("*/mlops.yaml")) + sorted(
            (ROOT / "fixtures/config/valid").glob("*.yaml")
        )
        tables = sorted(
            path for path in (ROOT / "fixtures/data").rglob("*") if path.suffix in (".csv", ".jsonl", ".parquet")
        )
        sound, table = config.read_bytes(), data.read_bytes()
        outcomes = {0: 0, 1: 0, 2: 0}
        for turn in range(count):
            if turn % 2 == 0:
                kind = "configuration"
                example = draw.choice(examples)
                mutant = mutate(draw, draw.choice([sound, example.read_bytes()]))
                # Commands of a mutated configuration must not do anything.
                mutant = re.sub(rb"(?m)^\s*(lint|test):.*$", b"", mutant)
                config.write_bytes(mutant)
            else:
                source = draw.choice(tables) if tables and draw.random() < 0.5 else data
                kind = f"data {source.suffix}"
                original = table if source == data else source.read_bytes()[:200_000]
                mutant = mutate(draw, original)
                target = repository / ("data/mutant" + source.suffix)
                target.write_bytes(mutant)
                config.write_bytes(sound.replace(b"data/iris.csv", b"data/mutant" + source.suffix.encode()))
            problem = run(binary, repository, kind, mutant)
            if problem:
                keep = pathlib.Path(tempfile.mkdtemp(prefix="mutant-"))
                shutil.copytree(repository, keep / "repository")
                return f"{problem}\nkept in {keep}", outcomes
            config.write_bytes(sound)
        return None, outcomes


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    workers = os.cpu_count() or 1
    share = count // workers
    with concurrent.futures.ProcessPoolExecutor(workers) as pool:
        seeds = range(1, workers + 1)
        for problem, _ in pool.map(worker, itertools.repeat(binary), seeds, itertools.repeat(share)):
            if problem:
                sys.exit(problem)
    print(f"{share * workers} mutants, no panic, every refusal with a place")


if __name__ == "__main__":
    main()
