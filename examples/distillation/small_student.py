"""Distil a stack into one small model, and see what that keeps and what it costs.

Without arguments: the progression of diabetes in 442 patients, which scikit-learn ships. With a
file of your own::

    python examples/distillation/small_student.py --csv customers.csv --target churned

Prints a report and writes a picture of all students by score, latency and size.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import pandas as pd
from sklearn.base import is_regressor
from sklearn.datasets import load_diabetes

import stackens as se


def main():
    arguments = parse_arguments()
    warnings.showwarning = lambda message, *_, **__: print(f"Note: {message}\n")
    if arguments.csv is None:
        print("Table: progression of diabetes after a year, 442 patients (scikit-learn's own)")
        X, y = load_diabetes(return_X_y=True, as_frame=True)
    else:
        X, y = read_table(arguments.csv, arguments.target)
    estimators = [pair for pair in se.default_estimators(X, y) if pair[0] != "mlp"]
    if is_regressor(estimators[0][1]):
        teacher, distilled = se.StackedRegressor(estimators), se.DistilledRegressor
    else:
        teacher, distilled = se.StackedClassifier(estimators), se.DistilledClassifier

    start = time.perf_counter()
    student = distilled(
        teacher,
        student=arguments.student,
        max_bytes=arguments.max_bytes,
        n_jobs=2,
        random_state=0,
        verbose=1,
    ).fit(X, y)
    print(f"\nDistilled in {time.perf_counter() - start:.0f} seconds.\n\n{student.report_}\n")
    print(f"{student.pareto_}\n")
    student.pareto_.plot().figure_.savefig(arguments.output, dpi=150)
    print(f"Picture: {arguments.output.resolve()}\n\n{student.report_.summary()}")


def read_table(path, target):
    """Return the features and the target of a CSV file, without rows whose target is missing."""
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        sys.exit(f"The file {str(path)!r} could not be read as CSV: {error}. Check --csv.")
    if target not in table:
        sys.exit(f"--target must be a column of the file. Got {target!r}; it has {[*table]}.")
    table = table.dropna(subset=target)
    return table.drop(columns=target), table[target]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=Path, help="a CSV file, also .gz (default: diabetes)")
    parser.add_argument("--target", help="the column of that file to predict")
    parser.add_argument(
        "--student", default="tree", help="lightgbm, tree, linear, mlp or auto (default: tree)"
    )
    parser.add_argument(
        "--max-bytes", type=float, default=30_000, help="largest student (default: 30000)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("small_student.png"), help="where the picture goes"
    )
    arguments = parser.parse_args()
    if (arguments.csv is None) != (arguments.target is None):
        parser.error("--csv and --target belong together: give both or none.")
    if not arguments.output.resolve().parent.is_dir():
        parser.error(f"--output must lie in a folder that exists. Got {arguments.output}.")
    return arguments


if __name__ == "__main__":
    main()
