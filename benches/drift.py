#!/usr/bin/env python3
"""Times comparisons of two tables as whole processes: the program and Evidently, in turn, on the same machine.

    pip install evidently==0.7.23 'pandas<3' polars
    cargo build --release && python benches/drift.py target/release/mlops

10,000 × 100 with a page of HTML, 1,000,000 × 10 from CSV, and 10,000,000 × 20 from Parquet, which is ours alone: Evidently
would hold all of it in memory. Prints user + system CPU seconds and peak memory, each as minimum, median and maximum, and
the ratio pair by pair. Nothing is judged here. `--once` runs each a single time on small tables, to see that the benchmark
itself works, and leaves Evidently out where it is not installed.
"""

import argparse
import importlib.util
import pathlib
import subprocess
import sys
import tempfile

from run import HERE, measure, pair, row


def alone(title, ours, folder, times):
    print(f"\n{title}\n  {'':<34} {'min':>9} {'median':>9} {'max':>9}")
    figures = [measure(ours, folder) for _ in range(times)]
    row("mlops, CPU", [cpu for cpu, _ in figures], "s")
    row("mlops, peak memory", [memory for _, memory in figures], "MiB")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("binary", type=lambda path: str(pathlib.Path(path).resolve()))
    arguments.add_argument("--once", action="store_true")
    options = arguments.parse_args()
    has_peer = importlib.util.find_spec("evidently") is not None
    if not has_peer and not options.once:
        sys.exit("Evidently is not installed")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)

        def table(rows, columns, form):
            subprocess.run(
                [sys.executable, str(HERE / "drift_table.py"), str(folder), str(rows), str(columns), form], check=True
            )
            return [str(folder / f"{side}.{form}") for side in ("reference", "current")]

        def compare(title, sides, page, times):
            ours = [options.binary, "drift", *sides, "--format", "json"]
            ours += ["--report", str(folder / "ours.html")] if page else []
            peer = [sys.executable, str(HERE / "drift_evidently.py"), *sides, str(folder / "peer.html") if page else "-"]
            if has_peer:
                pair(title, ours, peer, folder, times)
            else:
                alone(title, ours, folder, times)
            if page:
                sizes = {path.stem: path.stat().st_size >> 10 for path in sorted(folder.glob("*.html"))}
                print("  pages: " + ", ".join(f"{who} {size} KiB" for who, size in sizes.items()))

        rows = 1_000 if options.once else 10_000
        sides = table(rows, 100, "csv")
        compare(f"{rows:,} × 100 from CSV, with a page of HTML", sides, True, 1 if options.once else 5)
        rows = 10_000 if options.once else 1_000_000
        sides = table(rows, 10, "csv")
        compare(f"{rows:,} × 10 from CSV", sides, False, 1 if options.once else 3)
        rows = 20_000 if options.once else 10_000_000
        ours = [options.binary, "drift", *table(rows, 20, "parquet"), "--format", "json"]
        alone(f"{rows:,} × 20 from Parquet", ours, folder, 1 if options.once else 3)


if __name__ == "__main__":
    main()
