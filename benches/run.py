#!/usr/bin/env python3
"""Times whole processes in pairs: the program and a peer that does the same job, in turn, on the same machine.

    pip install scikit-learn==1.9.1 pandas==2.3.3 polars onnxruntime
    cargo build --release && python benches/run.py target/release/mlops

Prints user + system CPU seconds and peak memory, each as minimum, median and maximum, and the ratio pair by pair. Nothing
is judged here. `--once` runs every pair a single time on small inputs, to see that the benchmarks themselves work.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent


def measure(command, folder):
    """CPU seconds and peak MiB of one process and its children."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        sys.exit(f"{command} ended with {code}:\n{said.decode(errors='replace')}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def row(name, values, unit):
    low, middle, high = min(values), statistics.median(values), max(values)
    print(f"  {name:<34} {low:9.3f} {middle:9.3f} {high:9.3f} {unit}")


def pair(title, ours, peer, folder, times, fresh=None):
    print(f"\n{title}\n  {'':<34} {'min':>9} {'median':>9} {'max':>9}")
    results = {"ours": [], "peer": []}
    for turn in range(times + (times > 1)):
        if fresh:
            fresh()
        figures = measure(ours, folder), measure(peer, folder)
        if turn or times == 1:  # The first turn warms the caches.
            results["ours"].append(figures[0])
            results["peer"].append(figures[1])
    for who, label in (("ours", "mlops"), ("peer", pathlib.Path(peer[1]).name if len(peer) > 1 else peer[0])):
        row(f"{label}, CPU", [cpu for cpu, _ in results[who]], "s")
        row(f"{label}, peak memory", [memory for _, memory in results[who]], "MiB")
    row("ratio of CPU", [a[0] / b[0] for a, b in zip(results["ours"], results["peer"])], "")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("binary", type=lambda path: str(pathlib.Path(path).resolve()))
    arguments.add_argument("--once", action="store_true")
    options = arguments.parse_args()
    times = 1 if options.once else 7
    rows = 20_000 if options.once else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)

        diabetes = folder / "diabetes"
        shutil.copytree(ROOT / "fixtures/repos/diabetes", diabetes, ignore=shutil.ignore_patterns(".mlops"))
        shutil.copy(HERE / "diabetes.yaml", diabetes / "mlops.yaml")
        pair(
            "the whole job on diabetes (442 × 10): read, check, train, evaluate with intervals, compare, report",
            [options.binary, "-C", str(diabetes), "run"],
            [sys.executable, str(HERE / "diabetes_sklearn.py"), str(diabetes / "data/diabetes.csv")],
            folder,
            times,
            fresh=lambda: shutil.rmtree(diabetes / ".mlops", ignore_errors=True),
        )

        big = folder / "big"
        big.mkdir()
        subprocess.run([sys.executable, str(HERE / "table.py"), str(big), str(rows)], check=True)
        for form in ("csv", "parquet", "jsonl"):
            pair(
                f"reading and profiling {rows:,} × 20 as {form}; the peer reads only",
                [options.binary, "profile", str(big / f"table.{form}")],
                [sys.executable, str(HERE / "read_polars.py"), str(big / f"table.{form}")],
                folder,
                times if rows < 100_000 else min(times, 5),
            )

        forest = folder / "forest"
        forest.mkdir()
        subprocess.run([sys.executable, str(HERE / "friedman.py"), str(forest)], check=True)
        pair(
            "a random forest of 100 trees on 20,000 × 10 (Friedman 1)",
            [options.binary, "-C", str(forest), "run", "--no-publish"],
            [sys.executable, str(HERE / "forest_sklearn.py"), str(forest / "friedman.csv")],
            folder,
            1 if options.once else 3,
            fresh=lambda: shutil.rmtree(forest / ".mlops", ignore_errors=True),
        )


if __name__ == "__main__":
    main()
