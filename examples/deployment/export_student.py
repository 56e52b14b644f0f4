"""Distil a small student and write it as model.onnx and model.py, each checked against it.

Without arguments: whether a breast tumour is malignant, on the table that scikit-learn ships. With
a file of your own, whose columns may be numbers and text with gaps::

    python examples/deployment/export_student.py --csv customers.csv --target churned

serve.py serves the ONNX file. The Python file needs numpy, or nothing at all::

    python -c "import model; print(model.COLUMNS)"
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import pandas as pd
from sklearn.base import is_regressor
from sklearn.datasets import load_breast_cancer

import stackens as se


def main():
    arguments = parse_arguments()
    warnings.showwarning = lambda message, *_, **__: print(f"Note: {message}\n")
    if arguments.csv is None:
        print("Table: breast tumours, 569 patients (scikit-learn's own)")
        bunch = load_breast_cancer(as_frame=True)
        X, y = bunch.data, bunch.target.map(dict(enumerate(bunch.target_names)))
    else:
        X, y = read_table(arguments.csv, arguments.target)

    start = time.perf_counter()
    student = fitted_student(X, y, arguments.student)
    print(f"Distilled in {time.perf_counter() - start:.0f} seconds.\n")
    for write, name in ((se.export.to_onnx, "model.onnx"), (se.export.to_numpy, "model.py")):
        artifact = write(student, arguments.output / name, X=X)
        print(f"{artifact.path}\n{artifact.report}\n")
    model = (arguments.output / "model.onnx").resolve()
    print("Serve it: python -m pip install fastapi uvicorn onnxruntime")
    print(f"cd {Path(__file__).resolve().parent} && MODEL={model} uvicorn serve:app")


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


def fitted_student(X, y, family):
    """Teach a student by a forest and boosted trees together."""
    estimators = [pair for pair in se.default_estimators(X, y) if pair[0] != "mlp"]
    if is_regressor(estimators[0][1]):
        teacher, distilled = se.BlendedRegressor(estimators), se.DistilledRegressor
    else:
        teacher, distilled = se.BlendedClassifier(estimators), se.DistilledClassifier
    return distilled(teacher, student=family, outer=None, cv=3, random_state=0).fit(X, y)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=Path, help="a CSV file, also .gz (default: tumours)")
    parser.add_argument("--target", help="the column of that file to predict")
    parser.add_argument(
        "--student", default="tree", help="lightgbm, tree, linear or mlp (default: tree)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("."), help="the folder for both files (default: here)"
    )
    arguments = parser.parse_args()
    if (arguments.csv is None) != (arguments.target is None):
        parser.error("--csv and --target belong together: give both or none.")
    if not arguments.output.is_dir():
        parser.error(f"--output must be a folder that exists. Got {arguments.output}.")
    return arguments


if __name__ == "__main__":
    main()
