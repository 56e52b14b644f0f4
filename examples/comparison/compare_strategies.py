"""Compare base models, blends, stacks and a weight average on one table, and say which to use.

Without arguments: the handwritten digits that scikit-learn ships. With a file of your own::

    python examples/comparison/compare_strategies.py --csv customers.csv --target churned

Columns may mix numbers, text, dates and missing values. Prints a leaderboard and one sentence, and
writes a picture of score against the time to predict.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import pandas as pd
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

import stackens as se


def main():
    arguments = parse_arguments()
    warnings.showwarning = show_note
    if arguments.csv is None:
        print("Table: handwritten digits, 1,797 images of 8 x 8 pixels (scikit-learn's own)")
        X, y = load_digits(return_X_y=True, as_frame=True)
        estimators = dict(se.default_estimators(X, y))
        # Any scikit-learn estimator can join. Neighbours err where trees do not.
        estimators["neighbours"] = make_pipeline(
            se.TabularEncoder(), KNeighborsClassifier(10, weights="distance")
        )
        # Two models of one architecture are averaged into one as well.
        estimators["linear_penalised"] = clone(estimators["linear"]).set_params(
            logisticregression__C=0.1
        )
        outer = 2
    else:
        X, y = read_table(arguments.csv, arguments.target)
        estimators = explained(se.default_estimators, X, y)
        outer = "auto"

    start = time.perf_counter()
    report = explained(
        se.compare, estimators, X, y, outer=outer, n_jobs=arguments.jobs, random_state=0, verbose=1
    )
    print(f"\nCompared in {time.perf_counter() - start:.0f} seconds.\n\n{report}\n")
    report.plot().figure_.savefig(arguments.output, dpi=150)
    print(f"Picture: {arguments.output.resolve()}\n\n{report.summary()}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=Path, help="a CSV file, also .gz (default: digits)")
    parser.add_argument("--target", help="the column of that file to predict")
    parser.add_argument("--jobs", type=int, default=2, help="fits at the same time (default: 2)")
    parser.add_argument(
        "--output", type=Path, default=Path("compare_strategies.png"), help="where the picture goes"
    )
    arguments = parser.parse_args()
    if (arguments.csv is None) != (arguments.target is None):
        parser.error("--csv and --target belong together: give both or none.")
    if not arguments.output.resolve().parent.is_dir():
        parser.error(f"--output must lie in a folder that exists. Got {arguments.output}.")
    return arguments


def read_table(path, target):
    """Return the features and the target of a CSV file, without rows whose target is missing."""
    try:
        table = pd.read_csv(path)
        if target in table:  # a class may be called "None" or "NA"
            table[target] = pd.read_csv(
                path, usecols=[target], keep_default_na=False, na_values=[""]
            )[target]
    except FileNotFoundError:
        sys.exit(f"There is no file {str(path)!r}. Check the path given to --csv.")
    except pd.errors.EmptyDataError:
        sys.exit(f"The file {str(path)!r} is empty. It must begin with a line of column names.")
    except (OSError, UnicodeDecodeError, pd.errors.ParserError) as error:
        sys.exit(f"The file {str(path)!r} could not be read as CSV: {error}. Check its format.")
    if target not in table.columns:
        sys.exit(
            f"The file {str(path)!r} has no column {target!r}. Its columns are: "
            f"{', '.join(map(str, table.columns))}. Give one of them as --target."
        )
    missing = table[target].isna()
    if missing.any():
        print(f"Left out {missing.sum():,} rows without a {target!r}.")
        table = table[~missing]
    if len(table) < 50 or table.shape[1] < 2:
        sys.exit(
            f"A comparison needs 50 rows and a column besides the target. Got {len(table):,} rows "
            f"and {table.shape[1]} columns in {str(path)!r}. Give a larger table."
        )
    print(f"Table: {path.name}, {len(table):,} rows, {table.shape[1] - 1} columns")
    return table.drop(columns=target).apply(as_dates), table[target]


def as_dates(column):
    """Return a column of text as dates where every text in it begins like 2026-01-31 and is one."""
    known = column.dropna()
    is_text = pd.api.types.is_string_dtype(known)
    if known.empty or not is_text or not known.str.match(r"\d{4}-\d{2}-\d{2}(\D|$)").all():
        return column
    try:
        return pd.to_datetime(column, format="ISO8601")
    except ValueError:  # such as February 30, or several time zones
        return column


def explained(function, *args, **kwargs):
    """Call a function of stackens; a mistake in the table ends the script with what it says."""
    try:
        return function(*args, **kwargs)
    except (ValueError, TypeError) as error:
        sys.exit(f"\nThis table cannot be compared: {error}")


def show_note(message, category, filename, lineno, file=None, line=None):
    """Show a warning as one line, without the place in the code that it comes from."""
    print(f"Note: {message}", file=sys.stderr)


if __name__ == "__main__":
    main()
