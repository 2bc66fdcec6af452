"""Holds `mlops decide` against the reference numbers in `fixtures/compare`, or in another folder of that form.

    python3 tests/decide_golden.py BINARY [FOLDER]

Metrics, gains, bounds, the usual tests, slices, verdicts, folds, forecasts and adjusted p-values, each within the tolerance
of its record. Nothing is held that the command does not say: other metrics, McNemar's χ², bootstraps of means.
"""

import csv
import json
import pathlib
import subprocess
import sys
import tempfile

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "compare"

# Metric: test of the reference, its loss, what the reference calls both values and the gain.
TESTS = {
    "mae": ("paired_t", "abs_error", "champion", "challenger", "gain"),
    "mse": ("paired_t", "squared_error", "champion", "challenger", "gain"),
    "log_loss": ("paired_t", "log_loss", "champion", "challenger", "gain"),
    "brier": ("paired_t", "brier", "champion", "challenger", "gain"),
    "rmse": ("influence_rmse", None, "rmse_champion", "rmse_challenger", "gain"),
    "r2": ("influence_r2", None, "r2_champion", "r2_challenger", "gain"),
    "f1": ("influence_f1", None, "f1_champion", "f1_challenger", "gain"),
    "roc_auc": ("delong", None, "auc_champion", "auc_challenger", "gain"),
    "accuracy": ("agresti_min_paired_difference", None, None, None, "gain_adjusted"),
}
# The metric that the decisions of the reference are about, by what they are based on.
BASED_ON = {"delong": "roc_auc", "paired_t": "mae", "agresti_min_paired_difference": "accuracy"}
UNSAID = {"cohen_kappa", "f1_micro"}


class Held:
    def __init__(self):
        self.n, self.wrong = 0, []

    def number(self, place, ours, theirs, tol):
        self.n += 1
        allowed = tol.get("abs", 0.0) + tol.get("rel", 0.0) * abs(theirs)
        if ours is None or not abs(ours - theirs) <= allowed:
            self.wrong.append(f"{place}: {ours} instead of {theirs}")

    def word(self, place, ours, theirs):
        self.n += 1
        if ours != theirs:
            self.wrong.append(f"{place}: {ours} instead of {theirs}")


def decide(binary, *arguments):
    command = [binary, "-q", "--format", "json", "decide", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}: {done.stderr}")
    answer = json.loads(done.stdout, parse_constant=lambda word: sys.exit(f"{word} is no JSON"))
    if "decision" in answer and (done.returncode == 1) != (answer["decision"]["verdict"] == "worse"):
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode} for {answer['decision']['verdict']}")
    return answer


def columns(case):
    with open(case / "predictions.csv", encoding="utf-8") as file:
        return csv.DictReader(file).fieldnames


def arguments(case, expected):
    names = columns(case)
    if "champion_proba" in names:
        sides = ["--champion", "champion_proba", "--challenger", "challenger_proba"]
    else:
        sides = []
    # Classes of numbers are told from quantities by what the columns hold; the reference says which they are.
    # The reference has the formulas of many rows, whatever their number.
    return [case / "predictions.csv", "--truth", "y_true", "--task", expected["task"], "--min-rows", "2", "--asymptotic", *sides]


def second(comparison, name):
    return next((test for test in comparison["secondary"] if test["name"] == name), None)


def rows(binary, case, expected, held):
    common = arguments(case, expected)
    task_metrics = [name for name in expected["metrics"]["champion"] if name not in UNSAID]
    answer = decide(binary, *common, *(f"--metric={name}" for name in task_metrics))
    ours = {one["metric"]: one for one in answer["comparisons"]}
    loose = {"rel": 1e-12, "abs": 1e-14}
    for side in ("champion", "challenger"):
        for name in task_metrics:
            held.number(f"{case.name} {side} {name}", ours[name][side], expected["metrics"][side][name], loose)
    records = {(test["test"], test.get("loss")): test for test in expected["tests"]}
    for name, one in ours.items():
        test, loss, champion, challenger, gain = TESTS.get(name, (None, None, None, None, None))
        theirs = records.get((test, loss))
        if theirs is None:
            continue
        place, tol = f"{case.name} {name}", theirs["tol"]
        for field, key in (("champion", champion), ("challenger", challenger), ("gain", gain)):
            if key:
                held.number(f"{place} {field}", one[field], theirs[key], tol)
        for field, key in (("lower", "lower_95_one_sided"), ("upper", "upper_95_one_sided")):
            if key in theirs:
                held.number(f"{place} {field}", one[field], theirs[key], tol)
        tests(held, place, one, theirs, records, loss)
    wilson = [test for test in expected["tests"] if test["test"] == "wilson_accuracy"]
    for test in wilson:
        interval = answer["accuracy"][test["model"]]["interval"]
        for at in (0, 1):
            held.number(f"{case.name} Wilson {test['model']}", interval[at], test["ci95"][at], test["tol"])
    decisions(binary, common, case, expected, held)
    sliced(binary, common, case, expected, held)


def tests(held, place, one, theirs, records, loss):
    if theirs["test"] in ("paired_t", "delong"):
        test = second(one, "paired t" if theirs["test"] == "paired_t" else "DeLong")
        held.number(f"{place} statistic", test["statistic"], theirs.get("t", theirs.get("z")), theirs["tol"])
        held.number(f"{place} p", test["p"], theirs["p_two_sided"], theirs["tol"])
        held.number(f"{place} p better", test["p_better"], theirs["p_one_sided_better"], theirs["tol"])
    ranks = records.get(("wilcoxon_signed_rank", loss)) if loss else None
    if ranks:
        test = second(one, "Wilcoxon signed-rank")
        held.number(f"{place} Wilcoxon p", test["p"], ranks["p_two_sided"], ranks["tol"])
        held.number(f"{place} Wilcoxon p better", test["p_better"], ranks["p_one_sided_better"], ranks["tol"])
        held.number(f"{place} Wilcoxon sum", test["statistic"], ranks["statistic_greater"], ranks["tol"])
    pairs = records.get(("mcnemar", None)) if one["metric"] == "accuracy" else None
    if pairs:
        exact, mid = second(one, "exact McNemar"), second(one, "mid-p McNemar")
        held.number(f"{place} McNemar p", exact["p"], pairs["p_exact_two_sided"], pairs["tol"])
        held.number(f"{place} McNemar p better", exact["p_better"], pairs["p_exact_one_sided_better"], pairs["tol"])
        held.number(f"{place} McNemar rows", exact["statistic"], pairs["challenger_only"], pairs["tol"])
        held.number(f"{place} McNemar mid-p", mid["p"], pairs["p_mid_two_sided"], pairs["tol"])


def decisions(binary, common, case, expected, held):
    """Superiority asks for better, non-inferiority for not worse; a rejected superiority is a gain that is below zero."""
    for theirs in expected["decisions"]:
        name = BASED_ON[theirs["based_on"]]
        answer = decide(binary, *common, f"--metric={name}", f"--margin={name}={theirs['margin']}", f"--alpha={theirs['alpha_one_sided']}")
        one = answer["comparisons"][0]
        place = f"{case.name} {theirs['mode']}"
        for field in ("gain", "lower", "upper"):
            held.number(f"{place} {field}", one[field], theirs[field], {"rel": 1e-8, "abs": 1e-12})
        verdict = answer["decision"]["verdict"]
        if theirs["mode"] == "superiority":
            held.word(place, verdict == "better", theirs["decision"] == "promote")
        elif theirs["mode"] == "non_inferiority":
            words = {"better": "promote", "same": "promote", "worse": "reject", "inconclusive": "inconclusive"}
            held.word(place, words[verdict], theirs["decision"])


def sliced(binary, common, case, expected, held):
    if not expected["slices"]:
        return
    names = [name for name in columns(case) if name.startswith("slice_")]
    answer = decide(binary, *common, *(f"--slice={name}" for name in names), f"--slice-margin={expected['margin']}")
    ours = {one["slice"].removeprefix("slice_"): one for one in answer["slices"]}
    tol = {"rel": 1e-8, "abs": 1e-12}
    for theirs in expected["slices"]:
        one, place = ours.pop(theirs["slice"]), f"{case.name} {theirs['slice']}"
        held.word(f"{place} rows", one["n_rows"], theirs["n"])
        held.word(f"{place} status", one["status"], theirs["status"])
        for field, key in (("gain", "gain"), ("p_worse", "p_worse"), ("p_adjusted", "p_holm")):
            held.number(f"{place} {field}", one[field], theirs[key], tol)
    held.word(f"{case.name} other slices", list(ours), [])


def forecasts(binary, case, expected, held):
    for theirs in expected["tests"]:
        horizon, metric = theirs["horizon"], theirs["loss"]
        answer = decide(
            binary, case / "predictions.csv", "--truth", f"y_true_h{horizon}", "--champion", f"champion_h{horizon}",
            "--challenger", f"challenger_h{horizon}", "--time", "t", "--horizon", horizon, "--metric", metric,
        )
        one = answer["comparisons"][0]
        test, place = second(one, "Diebold–Mariano"), f"{case.name} {metric} {horizon}"
        held.number(f"{place} gain", one["gain"], theirs["gain"], theirs["tol"])
        held.number(f"{place} statistic", test["statistic"], theirs["hln_uniform"], theirs["tol"])
        held.number(f"{place} p", test["p"], theirs["p_hln_uniform_two_sided"], theirs["tol"])
        if "p_hln_uniform_one_sided_better" in theirs:
            better = theirs["p_hln_uniform_one_sided_better"]
            held.number(f"{place} p better", test["p_better"], better, theirs["tol"])


def table(folder, names, lines):
    path = pathlib.Path(folder) / f"{'-'.join(names)}.csv"
    path.write_text("\n".join([",".join(names), *(",".join(map(repr, line)) for line in lines)]) + "\n")
    return path


def folds(binary, case, expected, held):
    with tempfile.TemporaryDirectory() as folder:
        for theirs in expected["tests"]:
            if theirs["test"] == "corrected_resampled_t":
                scores = zip(expected["scores_champion"], expected["scores_challenger"], strict=True)
                file = table(folder, ["champion", "challenger"], scores)
                answer = decide(binary, "--folds", file, "--n-train", theirs["n_train"], "--n-test", theirs["n_test"])
                one = answer["comparisons"][0]
                test = second(one, "corrected resampled t")
                held.number(f"{case.name} gain", one["gain"], theirs["gain"], theirs["tol"])
                held.number(f"{case.name} t", test["statistic"], theirs["t"], theirs["tol"])
                held.number(f"{case.name} p", test["p"], theirs["p_two_sided"], theirs["tol"])
                held.number(f"{case.name} p better", test["p_better"], theirs["p_one_sided_better"], theirs["tol"])
            else:
                lines = [(0.0, difference) for pair in expected["five_by_two_differences"] for difference in pair]
                file = table(folder, ["champion", "challenger"], lines)
                test = decide(binary, "--folds", file, "--n-train", 75, "--n-test", 75)["five_by_two"]
                for ours, key in (("t", "t"), ("p_t", "p_t_two_sided"), ("f", "F"), ("p_f", "p_F")):
                    held.number(f"{case.name} 5x2 {ours}", test[ours], theirs[key], theirs["tol"])


def multiplicity(binary, case, expected, held):
    with tempfile.TemporaryDirectory() as folder:
        file = table(folder, ["p"], [(p,) for p in expected["p_values"]])
        for name, theirs in expected["adjusted"].items():
            ours = decide(binary, file, "--p", "p", "--adjust", name.replace("_", "-"))["adjusted"]
            held.word(f"{case.name} {name} length", len(ours), len(theirs))
            for one, other in zip(ours, theirs, strict=False):
                held.number(f"{case.name} {name}", one, other, {"rel": 1e-12})


def main():
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else FIXTURES
    n_wrong = 0
    cases = sorted(path.parent for path in folder.glob("*/expected.json"))
    for case in cases:
        expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))
        held = Held()
        if "p_values" in expected:
            multiplicity(binary, case, expected, held)
        elif "scores_champion" in expected:
            folds(binary, case, expected, held)
        elif expected["task"] == "forecast":
            forecasts(binary, case, expected, held)
        else:
            rows(binary, case, expected, held)
        print(f"{case.name:<24} {held.n - len(held.wrong)} of {held.n} numbers and words")
        for line in held.wrong:
            print("  ", line)
        n_wrong += len(held.wrong)
    if not cases:
        raise SystemExit(f"no cases in {folder}")
    raise SystemExit(1 if n_wrong else 0)


if __name__ == "__main__":
    main()
