"""Exported files where they are meant to run: beside onnxruntime, numpy, a C compiler, or nothing.

Each environment is new and holds links to the packages named, and to nothing else.
"""

import json
import os
import subprocess
import venv
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from packaging.requirements import Requirement
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import stackens as se
from stackens.export.c._compile import find_compiler
from tests.export.exported import mixed_table

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need rights of their own there")
ABSENT = ("stackens", "sklearn", "pandas", "scipy", "lightgbm", "torch", "joblib", "onnx")
needs_compiler = pytest.mark.skipif(find_compiler() is None, reason="there is no C compiler")

# What runs in each environment: which packages are there, and the answers as hexadecimal texts.
PRELUDE = """
import importlib.util, json, sys
absent = json.loads(sys.argv[1])
found = [name for name in absent if importlib.util.find_spec(name)]
assert found == [], found
rows = json.load(open("rows.json", encoding="utf-8"))
"""
ASK_MODULE = """
import model
answers = [[value.hex() for value in map(float, model.predict_proba(row))] for row in rows]
together = [[float(value).hex() for value in row] for row in model.predict_proba(rows)]
print(json.dumps({
    "answers": answers,
    "together": together,
    "labels": [str(model.predict(row)) for row in rows],
    "loaded": sorted({name.partition(".")[0] for name in sys.modules}),
}))
"""
ASK_ONNX = """
import numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession("model.onnx", options)
about = session.get_modelmeta().custom_metadata_map
columns = json.loads(about["columns"])
missing, unknown = about["missing_text"], about["unknown_text"]
text = lambda value: missing if value is None else unknown if value == missing else value
feed = {}
for each in session.get_inputs():
    held = sorted((c for c in columns if c["input"] == each.name), key=lambda c: c["position"])
    names = [column["name"] for column in held]
    if each.type == "tensor(string)":
        values = [[text(row[name]) for name in names] for row in rows]
        feed[each.name] = numpy.array(values, dtype=object)
    else:
        feed[each.name] = numpy.array([[row[name] for name in names] for row in rows], dtype=float)
label, together = session.run(["label", "probabilities"], feed)
alone = [session.run(["probabilities"], {k: v[i : i + 1] for k, v in feed.items()})[0][0]
         for i in range(len(rows))]
print(json.dumps({
    "answers": [[float(value).hex() for value in row] for row in alone],
    "together": [[float(value).hex() for value in row] for row in together],
    "labels": [str(each) for each in label.tolist()],
    "loaded": sorted({name.partition(".")[0] for name in sys.modules}),
}))
"""
MAIN = r"""
#include <math.h>
#include <stddef.h>
#include <stdio.h>
int model_predict_row(const double *numbers, const char *const *categories, double *out);
int model_predict(size_t n, const double *numbers, const char *const *categories, double *out);
int model_best(const double *out);
const char *model_class_name(int place);
extern const int model_n_numbers, model_n_categories, model_n_outputs;

int main(void)
{
    const double numbers[] = {NUMBERS};
    const char *const texts[] = {TEXTS};
    double together[2 * N_ROWS], alone[2];
    int i, status = model_predict(N_ROWS, numbers, texts, together);
    for (i = 0; i < N_ROWS; i++) {
        status |= model_predict_row(
            numbers + model_n_numbers * i, texts + model_n_categories * i, alone);
        printf("%a %a %a %a %s\n", alone[0], alone[1], together[2 * i], together[2 * i + 1],
            model_class_name(model_best(alone)));
    }
    return status;
}
"""


@pytest.fixture(scope="module")
def fitted():
    """A model of numbers, text and gaps, rows as JSON has them, and what it answers to those."""
    X, y = mixed_table("binary")
    X = X[["age", "income", "town"]]
    encoder = se.TabularEncoder(encoding="one-hot", scale=True)
    model = make_pipeline(encoder, LogisticRegression()).fit(X, y)
    frame = pd.concat([X.iloc[:20], X.iloc[:3].assign(town=["", "never seen", "Ålesund ☃"])])
    rows = [
        {name: None if value is None or value != value else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]
    assert any(row["age"] is None for row in rows)
    assert any(row["town"] is None for row in rows)
    return model, rows, model.predict_proba(frame), model.predict(frame)


def requirements(package):
    """A package and what it needs, as the installed distributions say it."""
    found, waiting = {}, [package]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = metadata.distribution(name)
            needed = map(Requirement, found[name].requires or [])
            waiting += [each.name for each in needed if not each.marker or each.marker.evaluate()]
    return found.values()


def new_environment(folder, packages=()):
    """Make a virtual environment with links to some packages; return its interpreter."""
    venv.create(folder / "env", with_pip=False, symlinks=True)
    python = folder / "env" / "bin" / "python"
    if packages:
        links = folder / "packages"
        links.mkdir()
        for package in packages:
            for distribution in requirements(package):
                link(distribution, links)
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        site = run(python, code, folder).strip()
        (Path(site) / "only.pth").write_text(f"{links}\n", encoding="utf-8")
    return python


def link(distribution, folder):
    """Link all that a distribution has put beside its modules, such as numpy and numpy.libs."""
    tops = {file.parts[0] for file in distribution.files or () if file.parts[0] != ".."}
    for top in tops - {"__pycache__"}:
        source = Path(distribution.locate_file(top)).resolve()
        if source.exists() and not (folder / top).exists():
            (folder / top).symlink_to(source, target_is_directory=source.is_dir())


def run(python, code, folder, *arguments):
    """Run code in a folder, with nothing of this environment but the interpreter."""
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(python), "-X", "utf8", "-W", "error", "-c", code, *arguments],
        cwd=folder,
        env=outside,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def answers_in(python, code, folder, fitted, absent=ABSENT):
    """Ask for all rows in an environment, compare, and return which modules were loaded."""
    _, rows, expected, labels = fitted
    (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    told = json.loads(run(python, PRELUDE + code, folder, json.dumps(absent)))
    for key in ("answers", "together"):
        found = np.array([[float.fromhex(value) for value in row] for row in told[key]])
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    assert told["labels"] == [str(label) for label in labels]
    return set(told["loaded"])


def test_onnxruntime_alone(tmp_path, fitted):
    pytest.importorskip("onnxruntime")
    se.export.to_onnx(fitted[0], tmp_path / "model.onnx")
    python = new_environment(tmp_path, ["onnxruntime"])
    loaded = answers_in(python, ASK_ONNX, tmp_path, fitted)
    assert {"numpy", "onnxruntime"} <= loaded


def test_numpy_alone(tmp_path, fitted):
    se.export.to_numpy(fitted[0], tmp_path / "model.py", dependencies="numpy")
    python, absent = new_environment(tmp_path, ["numpy"]), (*ABSENT, "onnxruntime")
    loaded = answers_in(python, ASK_MODULE, tmp_path, fitted, absent)
    assert "numpy" in loaded


def test_nothing_at_all(tmp_path, fitted):
    se.export.to_numpy(fitted[0], tmp_path / "model.py", dependencies="none")
    absent = (*ABSENT, "numpy", "onnxruntime")
    answers_in(new_environment(tmp_path), ASK_MODULE, tmp_path, fitted, absent)


@needs_compiler
@pytest.mark.parametrize("packages", [[], ["numpy"]], ids=["bare", "with numpy"])
def test_the_compiled_extension(tmp_path, fitted, packages):
    se.export.to_c(fitted[0], tmp_path / "model.c", compile=True)
    (tmp_path / "model.c").unlink()
    absent = (*ABSENT, *({"numpy", "onnxruntime"} - set(packages)))
    answers_in(new_environment(tmp_path, packages), ASK_MODULE, tmp_path, fitted, absent)


@needs_compiler
def test_a_c_compiler_alone(tmp_path, fitted):
    model, rows, expected, labels = fitted
    se.export.to_c(model, tmp_path / "model.c")
    numbers = [row[name] for row in rows for name in ("age", "income")]
    texts = [row["town"] for row in rows]
    main = MAIN.replace("N_ROWS", str(len(rows)))
    main = main.replace("NUMBERS", ", ".join("NAN" if v is None else v.hex() for v in numbers))
    main = main.replace("TEXTS", ", ".join("NULL" if t is None else f'"{t}"' for t in texts))
    (tmp_path / "main.c").write_text(main, encoding="utf-8")
    command = [*find_compiler(), "-std=c99", "-O2", "model.c", "main.c", "-lm", "-o", "program"]
    built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    done = subprocess.run([tmp_path / "program"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    lines = [line.split(maxsplit=4) for line in done.stdout.splitlines()]
    found = np.array([[float.fromhex(value) for value in line[:4]] for line in lines])
    np.testing.assert_allclose(found[:, :2], expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(found[:, 2:], found[:, :2])
    assert [line[4] for line in lines] == labels.tolist()
