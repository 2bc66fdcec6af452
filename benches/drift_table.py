"""Writes `reference` and `current` of ROWS × COLUMNS into FOLDER, as CSV or Parquet.

Of five columns four are numbers (normal, skewed, counted, with missing cells) and one is of texts; every tenth column is
another one in `current`. Written in pieces, so that what is measured may be larger than what is written at once.
"""

import pathlib
import sys

import numpy as np

PIECE = 1_000_000
LEVELS = np.array([f"level {level}" for level in range(20)])


def column(draw, number, rows, is_moved):
    kind = number % 5
    if kind == 4:
        weights = np.arange(20, 0, -1.0) if is_moved else np.arange(30, 10, -1.0)
        return LEVELS[draw.choice(20, rows, p=weights / weights.sum())]
    if kind == 2:
        return draw.poisson(7.5 if is_moved else 7.0, rows)
    values = draw.lognormal(0.2 if is_moved else 0.0, 1, rows) if kind == 1 else draw.normal(0.3 * is_moved, 1, rows)
    if kind == 3:
        values[draw.random(rows) < 0.02] = np.nan
    # Six digits, as data in files has them.
    return np.round(values, 6)


def pieces(side, rows, columns):
    draw = np.random.default_rng(7 + (side == "current"))
    for first in range(0, rows, PIECE):
        length = min(PIECE, rows - first)
        yield {
            f"c{number}": column(draw, number, length, side == "current" and number % 10 == 3) for number in range(columns)
        }


def write_with_polars(path, parts):
    import polars as pl

    table = pl.concat([pl.DataFrame(part).with_columns(pl.selectors.float().fill_nan(None)) for part in parts])
    table.write_csv(path) if path.suffix == ".csv" else table.write_parquet(path, row_group_size=PIECE)


def write_with_pyarrow(path, parts):
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    writer = None
    for part in parts:
        table = pa.table({name: pa.array(values, from_pandas=True) for name, values in part.items()})
        if writer is None:
            kind = pa.csv.CSVWriter if path.suffix == ".csv" else pa.parquet.ParquetWriter
            writer = kind(str(path), table.schema)
        writer.write_table(table)
    writer.close()


def main():
    folder, rows, columns, form = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    try:
        import pyarrow  # noqa: F401

        write = write_with_pyarrow
    except ImportError:
        write = write_with_polars
    for side in ("reference", "current"):
        write(folder / f"{side}.{form}", pieces(side, rows, columns))


if __name__ == "__main__":
    main()
