"""Writes the Friedman 1 problem, 20,000 rows, and a configuration for it."""

import pathlib
import sys

import pandas as pd
from sklearn.datasets import make_friedman1

folder = pathlib.Path(sys.argv[1])
x, y = make_friedman1(n_samples=20_000, noise=1.0, random_state=0)
frame = pd.DataFrame(x, columns=[f"x{number}" for number in range(10)])
frame["y"] = y
frame.to_csv(folder / "friedman.csv", index=False)
(folder / "mlops.yaml").write_text(
    "model: friedman\ndata: {source: friedman.csv, target: y}\ntrain:\n  estimator: random_forest\n"
    "  params: {min_samples_leaf: 5}\n"
)
