#!/usr/bin/env python3
"""Feeds mutated configurations and data files to the program: never a panic, always a message with a place.

    python3 tests/mutants.py TARGET/release/mlops [COUNT]

Half of the mutants are configurations, half data files (CSV, JSON Lines, Parquet) that are trained on, scored or profiled.
The program may succeed, fail a gate (1) or refuse the input (2), and refusing names a place: line and column of the
configuration, or the data file, with the line where the format has lines. Anything else fails the test: a panic, a
signal, exit 101, more than 20 seconds, more than 1 GiB of addresses. Exit 3 is for those that ask for W&B, of which there is
no key here. Mutants that fail are kept and named.

Nothing that a mutant could say is run: the examples lose their commands before they are mutated, `lint` and `test` are
struck out of every mutant but where a number follows, and the shell that would be started finds no programs.
"""

import collections
import concurrent.futures
import itertools
import os
import pathlib
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[1]
ADDRESSES = 1 << 30
SECONDS = 20
NASTY = [
    b"\x00", b"\xff", b"\xef\xbb\xbf", b"\r", b"\n\n", b'"', b"'", b",", b";", b":", b"-", b"[", b"]", b"{", b"}", b"&a",
    b"*a", b"<<: *a", b"!!binary ", b"---\n", b"? ", b"| ", b"\t", b"1e999", b"-inf", b"nan", b"9" * 40, b"0x1F", b"~",
    "é\u202e\u0000".encode(), b"<script>", b"::error::x", b"\x1b[31m", b"1,5", b"%", b"null", b"true", b"-0", b"1e-320",
    b"1e308", b"9007199254740993", b"2024-02-30", b"%YAML 9.9\n", b"!<tag:x> ", b"\xc3", b"\\u0000", b"\\ud800", b"[" * 300,
]  # fmt: skip
VALUES = [
    b"", b"0", b"-1", b"1e300", b"-1e300", b"1e-300", b"99999999999999999999", b"nan", b"inf", b'"a ""b"""', b"true", b"?",
    b"2024-01-01", b"2024-01-01T00:00:00Z", "ü\u200f".encode(), b"x" * 5000, b" ", b"1 000", b"NA", b"0.1.2",
]  # fmt: skip


def mutate_bytes(draw, text, tail=None):
    text = bytearray(text)
    for _ in range(draw.choice([1, 1, 1, 2, 3, 8])):
        # What tells a Parquet file's shape is at its end.
        low = len(text) - tail if tail and len(text) > tail and draw.random() < 0.7 else 0
        at = draw.randrange(low, len(text) + 1)
        match draw.randrange(6):
            case 0:
                text[at:at] = draw.choice(NASTY)
            case 1:
                del text[at : at + draw.choice([1, 1, 2, 5, 20, 200])]
            case 2:
                text[at : at + 1] = bytes([draw.randrange(draw.choice([128, 256]))])
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


def mutate_cells(draw, text):
    """Whole cells, columns and many rows of a CSV file: what is well-formed gets further than what is not."""
    rows = [line.split(b",") for line in text.rstrip(b"\n").split(b"\n")]
    for _ in range(draw.choice([1, 1, 2, 5])):
        column, value = draw.randrange(len(rows[0])), draw.choice(VALUES)
        match draw.randrange(7):
            case 0:
                row = draw.choice(rows)
                row[column % len(row)] = value
            case 1:
                for row in rows[1:]:
                    row[column % len(row)] = value
            case 2:
                share = draw.random()
                for row in rows[1:]:
                    if draw.random() < share:
                        row[column % len(row)] = value
            case 3:
                del rows[1 + draw.randrange(len(rows)) :]
            case 4:
                for row in rows:
                    row.append(row[column % len(row)])
                rows[0][-1] += b"2"
            case 5:
                for number, row in enumerate(rows[1:]):
                    row[column % len(row)] = b"v%d" % number
            case 6:
                scale = draw.choice([1e300, 1e-300, 0.0, -1.0])
                for row in rows[1:]:
                    try:
                        row[column % len(row)] = b"%r" % (float(row[column % len(row)]) * scale)
                    except ValueError:
                        pass
    return b"\n".join(b",".join(row) for row in rows) + b"\n"


def disarm(text):
    """No key of commands is left, whatever the mutation made."""
    return re.sub(rb"(?i)lint|test(?!: *[0-9.%]+ *[,}\n])|run|notebook|metaflow|\\[xuU0-7N]", b"none", text)


def examples():
    """Configurations without commands, each with a data file to meet; and the data files."""
    configs = []
    folders = [ROOT / "fixtures/repos", ROOT / "fixtures/config/valid"]
    for path in sorted(itertools.chain(folders[0].glob("*/mlops.yaml"), folders[1].glob("*.yaml"))):
        text = re.sub(rb"(?m)^  (lint|test):.*\n(    .*\n)*", b"", path.read_bytes())
        configs.append(text)
    forest = b"train: {estimator: random_forest, params: {n_estimators: 20, max_depth: 4}}\n"
    for name, target in [("iris", b"species"), ("wdbc", b"diagnosis"), ("diabetes", b"progression")]:
        configs.append(b"model: m\ndata: {source: data/%s.csv, target: %s}\n" % (name.encode(), target) + forest)
    tables = [path for path in (ROOT / "fixtures/data").rglob("*") if path.suffix in (".csv", ".jsonl", ".parquet")]
    tables += (ROOT / "fixtures/repos").glob("*/data/*.csv")
    return configs, sorted(tables)


TARGETS = {"iris": "species", "wdbc": "diagnosis", "diabetes": "progression", "breast-cancer": "diagnosis"}


def config_for(draw, stem, name):
    """A sound configuration for a data file, of an estimator that fits its target."""
    target = TARGETS.get(stem) or ("species" if stem.startswith("penguins") else "a")
    fits = ["ridge", "lasso", "linear", "elastic_net"] if target == "progression" else ["logistic"]
    slices = "evaluate: {slices: [sex, {age: [0, 40, 60]}]}\ngates: {slices: {max_regression: 5%}}\n"
    extra = draw.choice(["", slices.replace(", {age: [0, 40, 60]}", "") if stem.startswith("peng") else slices])
    extra = extra if stem == "diabetes" or stem.startswith("peng") else ""
    estimator = draw.choice([*fits, "random_forest, params: {n_estimators: 10}"])
    return f"model: m\ndata: {{source: data/{name}, target: {target}}}\ntrain: {{estimator: {estimator}}}\n{extra}"


def judge(binary, repository, arguments, place, outcomes):
    """What is wrong with how the program took the mutant, or nothing."""
    kind = " ".join([arguments[0], place.pattern])
    try:
        done = subprocess.run([binary, "-C", repository, *arguments], capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"{kind}: hung"
    said = (done.stderr + done.stdout).decode(errors="replace")
    outcomes[arguments[0], done.returncode] += 1
    if done.returncode == 3 and arguments[-1] == "-q":
        # The whole reason: only a key of W&B may be what is missing.
        told = subprocess.run([binary, "-C", repository, *arguments[:-1]], capture_output=True, timeout=SECONDS)
        if b"there is no key: set `WANDB_API_KEY`" in told.stdout + told.stderr:
            return None
    if done.returncode not in (0, 1, 2):
        return f"{kind}: exit {done.returncode}\n{said}"
    if "panicked" in said or "a bug of ours" in said:
        return f"{kind}: panicked\n{said}"
    if done.returncode == 2 and not place.search(said):
        return f"{kind}: refused without a place\n{said}"
    if "\x1b" in said or "\x00" in said:
        return f"{kind}: control characters of the input came through\n{said!r}"
    if arguments[0] == "run" and done.returncode == 0 and re.search(r"\b(NaN|nan|inf)\b", done.stdout.decode()):
        return f"{kind}: not a number in a report\n{said}"
    return None


def worker(binary, seed, count):
    draw = random.Random(seed)
    outcomes, problems = collections.Counter(), {}
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    configs, tables = examples()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PATH"] = folder + "/no-programs"
        repository = pathlib.Path(folder) / "repository"
        (repository / "data").mkdir(parents=True)
        for table in tables:
            shutil.copy(table, repository / "data" / table.name)
        for sound, copy in [("iris.csv", "the file.csv"), ("diabetes.csv", "sales.csv")]:
            shutil.copy(repository / "data" / sound, repository / "data" / copy)
        config = repository / "mlops.yaml"
        of_config = re.compile(r"--> (mlops\.yaml:\d+:\d+|data/)")
        # The model that mutants are scored with.
        config.write_text("model: scorer\ndata: {source: data/iris.csv, target: species}\ntrain: {estimator: logistic}\n")
        scorer = config.read_bytes()
        subprocess.run([binary, "-C", repository, "run", "-q"], check=True, capture_output=True)
        for turn in range(count):
            if turn % 2 == 0:
                config.write_bytes(disarm(mutate_bytes(draw, draw.choice(configs))))
                arguments, place = [draw.choice(["run", "run", "run", "check"]), "-q"], of_config
            else:
                source = draw.choice(tables)
                original = source.read_bytes()
                name = "mutant" + source.suffix
                if source.suffix == ".csv" and draw.random() < 0.6:
                    mutant = mutate_cells(draw, original)
                else:
                    mutant = mutate_bytes(draw, original, 600 if source.suffix == ".parquet" else None)
                (repository / "data" / name).write_bytes(mutant)
                arguments = draw.choice([["run", "-q"], ["run", "-q"], ["predict"], ["profile"]])
                if arguments[0] == "run":
                    config.write_text(config_for(draw, source.stem, name))
                else:
                    config.write_bytes(scorer)
                    arguments = [arguments[0], f"data/{name}", *arguments[1:]]
                place = re.compile(rf"--> (data/{re.escape(name)}|mlops\.yaml:\d+:\d+)")
            problem = judge(binary, repository, arguments, place, outcomes)
            if problem:
                sort = re.sub(r"\d+|0x\w+", "N", problem)[:160]
                if sort not in problems:
                    keep = pathlib.Path(tempfile.mkdtemp(prefix="mutant-", dir="/tmp"))
                    shutil.copytree(repository, keep / "repository", ignore=shutil.ignore_patterns(".mlops"))
                    problems[sort] = f"{problem}\nkept: mlops -C {keep}/repository {' '.join(arguments)}"
                if len(problems) >= 12:
                    break
            for heavy in ("cache", "runs"):
                if turn % 100 == 99:
                    shutil.rmtree(repository / ".mlops" / heavy, ignore_errors=True)
    return list(problems.values()), outcomes


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    workers = os.cpu_count() or 1
    share = -(-count // workers)
    outcomes, problems = collections.Counter(), []
    with concurrent.futures.ProcessPoolExecutor(workers) as pool:
        first = int(os.environ.get("MLOPS_SEED", "1"))
        seeds = range(first, first + workers)
        for found, counted in pool.map(worker, itertools.repeat(binary), seeds, itertools.repeat(share)):
            problems += found
            outcomes += counted
    for (command, code), n in sorted(outcomes.items()):
        print(f"  {command:8} exit {code}: {n}")
    if problems:
        sys.exit("\n\n".join(problems))
    if min(sum(n for (_, code), n in outcomes.items() if code == wanted) for wanted in (0, 2)) < count // 10:
        sys.exit("hardly any mutant was taken, or hardly any refused: the test shows nothing")
    print(f"{share * workers} mutants, no panic, every refusal with a place")


if __name__ == "__main__":
    main()
