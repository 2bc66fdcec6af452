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


def clean(binary, n, m, options=(), kinds=MIXED, seen=None):
    """Any alarm in columns that did not change. `seen` gets the p-values by test: each is to be small as rarely as it says."""

    def once(rng, folder):
        before = {f"c{at}": column(kind, n, rng) for at, kind in enumerate(kinds)}
        after = {f"c{at}": column(kind, m, rng) for at, kind in enumerate(kinds)}
        result = compare(binary, folder, before, after, *options)
        if seen is not None:
            seen["first test"] += [one["p"] for one in result["columns"]]
            seen["location"] += [one["location"]["p"] for one in result["columns"] if one["location"]]
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


def at_least(n, k, p):
    """P(at least `k` of `n`) at the rate `p`."""

    def exactly(i):
        ways = math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1)
        return math.exp(ways + i * math.log(p) + (n - i) * math.log1p(-p))

    return math.fsum(exactly(i) for i in range(k, n + 1))


def is_within(n, k, least, most):
    """Whether `k` of `n` may come of a rate within the bounds: with fewer than 1,000 at a level of 5 %."""
    if n >= 1000:
        return least * n <= k <= most * n
    too_many = most < 1.0 and at_least(n, k, most) < 0.05
    return not too_many and (least == 0.0 or at_least(n, n - k, 1.0 - least) >= 0.05)


def main():
    binary = os.path.abspath(sys.argv[1])
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    seen = {"first test": [], "location": []}
    # (name, what happens once, least, most, share of the runs)
    cases = [
        ("any alarm, 100 clean columns, 296/146", clean(binary, 296, 146, seen=seen), 0.0, 0.06, 1.0),
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

    def told(name, n, k, least, most, ok):
        bound = "" if least is None else f"  ({least:.3g} to {most:.3g})"
        print(f"{'ok  ' if ok else 'FAIL'} {name:<45} {k / n:7.4f} of {n}{bound}", flush=True)
        return not ok

    for name, once, least, most, share in cases:
        n = max(20, int(runs * share))
        k = round(n * rate(name, once, n, os.cpu_count() or 2))
        broken += told(name, n, k, least, most, least is None or is_within(n, k, least, most))
    # A hundred of them a run: they say early what few alarms can not. Three standard errors, as they lie at their bound.
    for name, p_values in seen.items():
        for level in (0.05, 0.01, 0.001):
            n, k = len(p_values), sum(p <= level for p in p_values)
            ok = k <= n * level + 3.0 * math.sqrt(n * level)
            broken += told(f"clean columns, {name}, p at most {level}", n, k, 0.0, level, ok)
    if broken:
        raise SystemExit(f"{broken} rates are beyond their bounds")


if __name__ == "__main__":
    main()
