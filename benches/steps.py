#!/usr/bin/env python3
"""What the graph of steps costs beside the steps themselves, in pairs, each as a whole process on the same machine.

    pip install metaflow==2.19.39
    cargo build --release && python benches/steps.py target/release/mlops

Four steps that do nothing: beside a shell that runs the same four commands, and beside a flow of Metaflow with four such
steps. Then a step that reads 10,000 files of which none changed. Nothing is judged here; `--once` runs every pair a single
time. Without Metaflow its pair is left out, and said to be.
"""

import argparse
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from run import HERE, measure, pair, row

CONFIG = """\
model: steps
data: {source: data.csv, target: y}
train: {estimator: ridge}
steps:
"""
FOUR = CONFIG + "".join(
    f"  s{i}: {{run: 'true'{f', needs: [s{i - 1}]' if i else ''}}}\n" for i in range(4)
)
MANY = CONFIG + "  count: {run: ls in | wc -l > n.txt, inputs: [in], outputs: [n.txt]}\n"


def repository(folder, name, config):
    made = folder / name
    made.mkdir()
    (made / "mlops.yaml").write_text(config)
    (made / "data.csv").write_text("x,y\n" + "".join(f"{i},{2 * i}\n" for i in range(200)))
    return made


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("binary", type=lambda path: str(pathlib.Path(path).resolve()))
    arguments.add_argument("--once", action="store_true")
    options = arguments.parse_args()
    times = 1 if options.once else 15
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        four = repository(folder, "four", FOUR)
        ours = [options.binary, "-C", str(four), "run", "--step", "s3"]

        def fresh():
            shutil.rmtree(four / ".mlops", ignore_errors=True)

        shell = ["/usr/bin/env", "sh", "-c", "sh -c true && sh -c true && sh -c true && sh -c true"]
        pair("four steps that do nothing; the peer is a shell", ours, shell, folder, times, fresh)

        if importlib.util.find_spec("metaflow"):
            os.environ |= {
                "METAFLOW_USER": "bench",
                "METAFLOW_HOME": str(folder / "metaflow"),
                "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(folder),
            }
            flow = [sys.executable, str(HERE / "steps_flow.py"), "--quiet", "run"]
            pair("the same four; the peer is Metaflow", ours, flow, folder, min(times, 5), fresh)
        else:
            print("\nMetaflow is not installed: that pair is left out")

        many = repository(folder, "many", MANY)
        for i in range(10_000):
            (many / "in" / str(i % 100)).mkdir(parents=True, exist_ok=True)
            (many / "in" / str(i % 100) / f"{i}.txt").write_text(f"{i}\n" * 50)
        command = [options.binary, "-C", str(many), "run", "--step", "count"]
        print("\n10,000 input files: at first, and when nothing changed")
        subprocess.run(["sync"], check=True)
        row("at first, CPU", [measure(command, folder)[0]], "s")
        # Files that were written just before are read once more.
        measure(command, folder)
        row("nothing changed, CPU", [measure(command, folder)[0] for _ in range(times)], "s")


if __name__ == "__main__":
    main()
