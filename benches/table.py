"""Writes a table of ROWS × 20 (14 floats, 3 integers, 3 texts, some cells missing) as CSV, Parquet and JSON Lines."""

import pathlib
import sys

import numpy as np
import polars as pl

folder, rows = pathlib.Path(sys.argv[1]), int(sys.argv[2])
draw = np.random.default_rng(7)
columns = {}
for number in range(14):
    values = draw.normal(number, 1 + number, rows)
    if number % 3 == 0:
        values[draw.random(rows) < 0.02] = np.nan
    columns[f"f{number}"] = pl.Series(values).fill_nan(None)
for number in range(3):
    columns[f"i{number}"] = draw.integers(0, 10 ** (number + 2), rows)
for number, levels in enumerate((5, 20, 50)):
    names = np.array([f"level {level}" if level else 'quoted, "level"' for level in range(levels)])
    columns[f"t{number}"] = names[draw.integers(0, levels, rows)]
table = pl.DataFrame(columns)
table.write_csv(folder / "table.csv")
table.write_parquet(folder / "table.parquet", compression="snappy")
table.write_ndjson(folder / "table.jsonl")
