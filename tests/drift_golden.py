"""Holds `mlops drift` against the reference numbers in `fixtures/drift`, with the comparator that came with them.

    python3 tests/drift_golden.py BINARY

Columns whose reference number is of another rule than the product's stand in EXCEPT, each with its reason.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "drift"

# (column, field or test): why the number differs. These columns are in the constructed pairs only.
CONSTANT = "one value on both sides is no drift by any test, so none is asked"
LONG = "whole numbers beyond 2^53 are texts here: as numbers they lose digits"
FEW = "Epps and Singleton need five rows a side: there is no score, where the reference has NaN"
EXCEPT = {
    ("huge", "effect"): "scaled before it is divided, so that a column of 1e300 can drift",
    ("tiny", "effect"): "scaled before it is divided, so that a column of 1e-300 has a standard deviation",
    ("big_int", "effect"): LONG,
    ("big_int", "p"): LONG,
    ("big_int", "must"): LONG,
    ("big_int", "drifted"): LONG,
    ("constant_cat", "chisquare"): CONSTANT,
    ("constant_cat", "g_test"): CONSTANT,
    ("neg_zero", "cramer_von_mises"): CONSTANT,
    ("neg_zero", "t_test"): CONSTANT,
    ("constant_diff", "es"): "two different constants differ; the reference has NaN",
    ("half_missing", "es"): FEW,
    ("with_inf", "es"): FEW,
    ("with_inf_and_missing", "es"): FEW,
    ("int_with_missing", "es"): FEW,
}
# Columns that Evidently counts as drifted texts and that are dates here, which are not tested.
DATES = {"seattle-weather-year": 1}


def run(binary, pair, *options):
    command = [binary, "-q", "--format", "json", "drift", *options]
    command += [str(pair / "reference.csv"), str(pair / "current.csv")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise SystemExit(f"{pair.name}: exit code {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def check(golden, results, name):
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(results, file)
        file.flush()
        done = subprocess.run(
            [sys.executable, str(FIXTURES / "check.py"), str(golden), file.name],
            capture_output=True,
            text=True,
        )
    lines = done.stdout.splitlines()
    wrong = [line for line in lines if line.startswith("MISMATCH")]
    left = [line for line in wrong if not any(line.startswith(f"MISMATCH {column} {field}") for column, field in EXCEPT)]
    if done.returncode not in (0, 1) or (done.returncode == 1 and not wrong):
        raise SystemExit(f"{name}: the comparator failed: {done.stderr}")
    print(f"{name:<40} {lines[-1] if lines else ''}, {len(wrong) - len(left)} by another rule")
    for line in left:
        print("  ", line)
    return len(left)


def main():
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    pairs = sorted(path.parent for path in FIXTURES.glob("*/calibrated.json"))
    if len(pairs) != 11:
        raise SystemExit(f"{len(pairs)} pairs instead of 11")
    n_wrong = 0
    for pair in pairs:
        golden = json.loads((pair / "expected.json").read_text(encoding="utf-8"))
        types = [
            f"--type={column['column']}={column['type']}"
            for column in golden["schema"]
            if column["type_overridden"] and column["type"] in ("num", "cat", "text", "datetime")
        ]
        n_wrong += check(pair / "calibrated.json", run(binary, pair, *types), f"{pair.name} calibrated")
        found = run(binary, pair, "--mode", "evidently", "--all-tests", *types)
        n_wrong += check(pair / "expected.json", found, f"{pair.name} evidently")
        shares = golden["dataset"]
        if not pair.name.startswith("edge-"):
            ours = (found["dataset"]["drifted"], found["dataset"]["tested"])
            n_dates = DATES.get(pair.name, 0)
            theirs = (shares["number_of_drifted_columns"] - n_dates, shares["number_of_columns"] - n_dates)
            if ours != theirs:
                print(f"   {pair.name}: {ours} columns drifted, {theirs} expected")
                n_wrong += 1
    if n_wrong:
        raise SystemExit(f"{n_wrong} numbers differ")


if __name__ == "__main__":
    main()
