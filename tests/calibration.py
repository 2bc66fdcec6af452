"""How often `mlops drift` is wrong, by simulation on the program itself.

    python3 tests/calibration.py BINARY [RUNS]

Data are drawn with a fixed seed (standard library alone), written as CSV, and compared by the program. Rates that break
their bound end with exit code 1. Reported for contrast, and not judged: what Evidently's defaults would have alarmed on.
"""

import json
import math
import os
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

LEVELS = ["red", "green", "blue", "grey", "black"]


def column(kind, n, rng, shift=0.0):
    """One column of n values; `shift` is in standard deviations."""
    if kind == "normal":
        return [rng.gauss(shift, 1.0) for _ in range(n)]
    if kind == "skewed":
        # exp of a normal: its standard deviation is 2.161.
        return [math.exp(rng.gauss(0.0, 1.0)) + shift * 2.161 for _ in range(n)]
    if kind == "rounded":
        return [round(rng.gauss(50.0 + 10.0 * shift, 10.0)) for _ in range(n)]
    if kind == "heavy":
        # Student's t with 3 degrees of freedom: its standard deviation is the root of 3.
        return [
            rng.gauss(0.0, 1.0) / math.sqrt(rng.gammavariate(1.5, 2.0) / 3.0) + shift * math.sqrt(3.0)
            for _ in range(n)
        ]
    weights = [5, 4, 3, 2, 1] if kind == "levels" else [60, 30, 6, 3, 1]
    return rng.choices(LEVELS, weights, k=n)


def ordered(n, phi, rng):
    """An autoregressive process of first order in its stationary law."""
    value, out = rng.gauss(0.0, 1.0 / math.sqrt(1.0 - phi * phi)), []
    for _ in range(n):
        out.append(value)
        value = phi * value + rng.gauss(0.0, 1.0)
    return out


def write(path, columns):
    names = list(columns)
    with open(path, "w", encoding="utf-8") as file:
        file.write(",".join(names) + "\n")
        for row in zip(*columns.values()):
            file.write(",".join(str(value) for value in row) + "\n")


def compare(binary, folder, before, after, *options):
    a, b = os.path.join(folder, "reference.csv"), os.path.join(folder, "current.csv")
    write(a, before)
    write(b, after)
    command = [binary, "drift", "--format", "json", "-q", *options, "--", a, b]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise SystemExit(f"exit code {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def changed(result):
    return {
        one["column"]
        for one in result["columns"]
        if one["drifted"] or (one["location"] or {}).get("moved")
    }


MIXED = ["normal"] * 40 + ["skewed"] * 15 + ["rounded"] * 15 + ["heavy"] * 10 + ["levels"] * 10 + ["rare"] * 10


def clean(binary, n, m, options=(), kinds=MIXED):
    """Any alarm in columns that did not change."""

    def once(rng, folder):
        before = {f"c{at}": column(kind, n, rng) for at, kind in enumerate(kinds)}
        after = {f"c{at}": column(kind, m, rng) for at, kind in enumerate(kinds)}
        result = compare(binary, folder, before, after, *options)
        # The alarm of the whole: columns, and what looks at many of them together.
        return bool(changed(result)) or result["dataset"]["decision"] != "pass"

    return once


def shifted(binary, n, m, shift, kind="normal", kinds=MIXED):
    """The one column of all that moved is found."""

    def once(rng, folder):
        before = {f"c{at}": column(kind, n, rng) for at, kind in enumerate(kinds)}
        after = {f"c{at}": column(kind, m, rng) for at, kind in enumerate(kinds)}
        before["moved"], after["moved"] = column(kind, n, rng), column(kind, m, rng, shift)
        before.pop("c0"), after.pop("c0")
        return "moved" in changed(compare(binary, folder, before, after))

    return once


def in_time(binary, n, m, phi):
    """Any alarm in ten series that go on as they were."""

    def once(rng, folder):
        series = {f"c{at}": ordered(n + m, phi, rng) for at in range(10)}
        series = {"t": [f"{2000 + day // 336:04}-{day // 28 % 12 + 1:02}-{day % 28 + 1:02}" for day in range(n + m)], **series}
        before = {name: values[:n] for name, values in series.items()}
        after = {name: values[n:] for name, values in series.items()}
        return bool(changed(compare(binary, folder, before, after, "--time", "t")) - {"t"})

    return once


def rate(name, once, runs, jobs):
    def run(index):
        rng = random.Random(f"{name} {index}")
        with tempfile.TemporaryDirectory() as folder:
            return once(rng, folder)

    with ThreadPoolExecutor(jobs) as pool:
        return sum(pool.map(run, range(runs))) / runs


def main():
    binary = os.path.abspath(sys.argv[1])
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    # (name, what happens once, least, most, share of the runs)
    cases = [
        ("any alarm, 100 clean columns, 296/146", clean(binary, 296, 146), 0.0, 0.06, 1.0),
        ("any alarm, 100 clean columns, 100/50", clean(binary, 100, 50), 0.0, 0.06, 0.5),
        ("any alarm, 100 clean columns, 1500/400", clean(binary, 1500, 400), 0.0, 0.06, 0.2),
        ("one of 100 found, 0.5 sd, 296/146", shifted(binary, 296, 146, 0.5), 0.80, 1.0, 1.0),
        ("one of 100 found, 0.5 sd, skewed", shifted(binary, 296, 146, 0.5, "skewed"), 0.80, 1.0, 0.3),
        ("one of 100 found, 0.5 sd, rounded", shifted(binary, 296, 146, 0.5, "rounded"), 0.80, 1.0, 0.3),
        ("any alarm, ten series, 365/90, 0.8", in_time(binary, 365, 90, 0.8), 0.0, 0.06, 0.5),
        ("any alarm, ten series, 365/90, 0.5", in_time(binary, 365, 90, 0.5), 0.0, 0.06, 0.5),
        ("Evidently's defaults, 100 clean, 296/146", clean(binary, 296, 146, ("--mode", "evidently")), None, None, 0.1),
    ]
    broken = 0
    for name, once, least, most, share in cases:
        n = max(20, int(runs * share))
        found = rate(name, once, n, os.cpu_count() or 2)
        # Bounds are held against what so few runs can say: two standard errors beyond the bound.
        noise = 2.0 * math.sqrt(0.25 / n) if least else 2.0 * math.sqrt((most or 0.0) * (1.0 - (most or 0.0)) / n)
        noise = 0.0 if n >= 1000 else noise
        ok = least is None or (least - (noise if least > 0 else 0.0) <= found <= most + (noise if most < 1 else 0.0))
        bound = "" if least is None else f"  ({least:.2f} to {most:.2f})"
        print(f"{'ok  ' if ok else 'FAIL'} {name:<45} {found:7.4f} of {n}{bound}", flush=True)
        broken += not ok
    if broken:
        raise SystemExit(f"{broken} rates are beyond their bounds")


if __name__ == "__main__":
    main()
