"""Exports as users call them: checked, all or nothing, with clear errors."""

import os

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import stackens as se
from stackens.exceptions import ExportError, ExportMismatchError
from stackens.export import _export as export_module
from stackens.export._program_of import program_of
from stackens.export.c._compile import find_compiler
from stackens.export.verification import require_types_without_effect

X, Y = load_iris(return_X_y=True, as_frame=True)
SPECIES = np.array(["setosa", "versicolor", "virginica"])[Y]
TREE = DecisionTreeClassifier(max_depth=4, random_state=0).fit(X, SPECIES)


def _mixed(n=120):
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": random.normal(40, 9, n),
            "city": random.choice(["Bern", "Rome", "Ålesund"], n),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 900, n), "D"),
        }
    )
    table.loc[::7, "age"] = np.nan
    table.loc[::11, "city"] = None
    return table, np.where(table["age"].fillna(30) + 9 * (table["city"] == "Rome") > 41, "y", "n")


def test_an_artifact_answers_as_its_source(tmp_path):
    artifact = se.export.to_numpy(TREE, tmp_path / "tree.py")
    assert artifact.path == tmp_path / "tree.py"
    assert artifact.report.check.max_difference == 0.0
    assert artifact.report.check.n_cuts > 0
    assert artifact.report.n_bytes == (tmp_path / "tree.py").stat().st_size
    assert artifact.report.one_row_us > 0
    np.testing.assert_array_equal(artifact.predict_proba(X), TREE.predict_proba(X))
    np.testing.assert_array_equal(artifact.predict(X), TREE.predict(X))
    row = X.iloc[70].to_dict()
    assert artifact.predict(row) == TREE.predict(X.iloc[[70]])[0]
    assert artifact.predict_proba(row).shape == (3,)
    assert "largest difference 0" in str(artifact.report)
    assert os.listdir(tmp_path) == ["tree.py"]


def test_rows_of_mixed_types_through_preprocessing(tmp_path):
    table, y = _mixed()
    model = make_pipeline(se.TabularEncoder(encoding="one-hot", scale=True), LogisticRegression())
    model.fit(table, y)
    artifact = se.export.to_numpy(model, tmp_path / "model.py")
    kinds = [kind for _, kind in artifact.manifest.columns]
    assert kinds == ["number", "category", "datetime"]
    expected = model.predict_proba(table)
    np.testing.assert_allclose(artifact.predict_proba(table), expected, rtol=1e-12)
    row = {"age": None, "city": "Oslo", "since": "2020-03-01T00:00:00"}
    frame = pd.DataFrame({"age": [np.nan], "city": ["Oslo"], "since": [pd.Timestamp("2020-03-01")]})
    expected = model.predict_proba(frame)[0]
    np.testing.assert_allclose(artifact.predict_proba(row), expected, rtol=1e-12)


def test_regression_and_scores(tmp_path):
    values = LinearRegression().fit(X, np.column_stack([Y, 2.0 * Y]))
    artifact = se.export.to_numpy(values, tmp_path / "values.py")
    np.testing.assert_allclose(artifact.predict(X), values.predict(X), atol=1e-12)
    assert not hasattr(artifact, "predict_proba")
    scores = RidgeClassifier().fit(X, Y > 0)
    artifact = se.export.to_numpy(scores, tmp_path / "scores.py")
    np.testing.assert_array_equal(artifact.predict(X), scores.predict(X))


def test_rows_that_the_source_refuses_are_refused(tmp_path):
    model = LogisticRegression(max_iter=500).fit(X.to_numpy(), Y)
    artifact = se.export.to_numpy(model, tmp_path / "model.py")
    assert artifact.report.check.n_refused > 0
    with pytest.raises(ValueError, match="row 1, which it refuses"):
        artifact.predict([[5.0, 3.0, 1.0, 0.2], [5.0, None, 1.0, 0.2]])


def test_a_mismatch_leaves_no_file_and_keeps_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "tree.py"
    path.write_text("precious")
    read = export_module.program_of

    def wrong(model):
        program = read(model)
        for trees in program.trees():
            trees.leaf[:, 0] += 0.25
        return program

    monkeypatch.setattr(export_module, "program_of", wrong)
    with pytest.raises(ExportMismatchError, match="difference of 0.2"):
        se.export.to_numpy(TREE, path)
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["tree.py"]


def test_without_a_check(tmp_path):
    artifact = se.export.to_numpy(TREE, tmp_path / "tree.py", verify=False)
    assert artifact.report.check is None
    assert "not checked" in str(artifact.report)
    assert se.export.verify(artifact.path).max_difference == 0.0


def test_without_a_check_few_rows_are_asked(tmp_path):
    asked = []

    class Counting(DecisionTreeClassifier):
        def predict_proba(self, X, check_input=True):
            asked.append(len(X))
            return super().predict_proba(X, check_input)

    Counting.__module__, Counting.__name__ = "sklearn.tree", "DecisionTreeClassifier"
    Counting.__qualname__ = "DecisionTreeClassifier"
    se.export.to_numpy(Counting().fit(X.to_numpy(), Y), tmp_path / "tree.py", verify=False)
    assert 8 <= sum(asked) <= 300


@pytest.mark.skipif(find_compiler() is None, reason="needs a C compiler")
def test_an_older_extension_beside_a_c_file_is_told(tmp_path):
    path = tmp_path / "older.c"
    extension = se.export.to_c(TREE, path, compile=True, verify=False).extension
    with pytest.warns(UserWarning, match=f"{extension.name} beside the C file is of an earlier"):
        artifact = se.export.to_c(TREE, path)
    assert artifact.extension is None
    extension.unlink()
    se.export.to_c(TREE, path, verify=False)


def test_names_of_a_frame_that_lightgbm_changed_come_back(tmp_path):
    lightgbm = pytest.importorskip("lightgbm")
    frame = X.rename(columns=lambda name: name.removesuffix(" (cm)"))
    model = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(frame, Y)
    artifact = se.export.to_numpy(model, tmp_path / "model.py", X=frame)
    assert artifact.manifest.columns[0][0] == "sepal length"
    np.testing.assert_allclose(artifact.predict_proba(frame), model.predict_proba(frame))


@pytest.mark.parametrize(
    ("model", "path", "error", "match"),
    [
        (TREE, "tree.pkl", ExportError, "must end in '.py'.*'tree.py'"),
        (TREE, "tree.PY", ExportError, "must end in '.py'.*'tree.py'"),
        (TREE, "class.py", ExportError, "must be an identifier.*'class.py'"),
        (TREE, "my-tree.py", ExportError, "must be an identifier"),
        (TREE, "nowhere/tree.py", ExportError, "folder of the file must exist"),
        (DecisionTreeClassifier(), "tree.py", NotFittedError, "fit"),
        (KNeighborsClassifier().fit(X, Y), "knn.py", ExportError, "KNeighborsClassifier"),
        ("text", "text.py", ExportError, "classifier or a regressor"),
    ],
)
def test_wrong_input_is_told_before_anything_is_written(model, path, error, match, tmp_path):
    with pytest.raises(error, match=match):
        se.export.to_numpy(model, tmp_path / path)
    assert os.listdir(tmp_path) == []


def test_texts_that_are_no_unicode(tmp_path):
    pytest.importorskip("onnxruntime")
    values = pd.Series(["a", "\ud800"] * 20, dtype=object)  # half of a character
    model = make_pipeline(OrdinalEncoder(), LinearRegression())
    model.fit(values.to_frame("c"), np.arange(40) % 2)
    artifact = se.export.to_numpy(model, tmp_path / "model.py")
    np.testing.assert_allclose(artifact.predict([["a"], ["\ud800"]]), [0, 1], atol=1e-12)
    with pytest.raises(ExportError, match="half a character"):
        se.export.to_onnx(model, tmp_path / "model.onnx")


def test_the_same_model_gives_the_same_file(tmp_path):
    first = se.export.to_numpy(TREE, tmp_path / "first.py").path.read_bytes()
    assert se.export.to_numpy(TREE, tmp_path / "second.py").path.read_bytes() == first


def test_rows_in_single_precision_are_found_out():
    narrow = X.to_numpy(dtype=np.float32) / 3
    scale = np.float32([1.1, 0.7, 1.3, 0.9])
    model = make_pipeline(StandardScaler(), RandomForestRegressor(20, random_state=0))
    model.fit(narrow * scale, narrow[:, 0])
    own, wide = model.predict(narrow * scale), model.predict((narrow * scale).astype(float))
    program = program_of(model)
    columns = list((narrow * scale).astype(float).T)
    if np.allclose(own, wide, atol=1e-6):
        pytest.skip("rounding sends no row another way here")
    with pytest.raises(ExportMismatchError, match=r"X\.astype\('float64'\)"):
        require_types_without_effect(model, program, narrow * scale, columns)
    require_types_without_effect(model, program, (narrow * scale).astype(float), columns)


def test_categories_that_are_whole_numbers(tmp_path):
    lightgbm = pytest.importorskip("lightgbm")
    frame = pd.DataFrame({"code": pd.Categorical(Y % 2 + 5), "size": X.iloc[:, 0]})
    model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(frame, Y)
    artifact = se.export.to_numpy(model, tmp_path / "model.py", X=frame)
    np.testing.assert_allclose(artifact.predict_proba(frame), model.predict_proba(frame))


def test_folders_and_empty_names(tmp_path):
    (tmp_path / "tree.py").mkdir()
    with pytest.raises(ExportError, match="cannot take the place of a folder"):
        se.export.to_numpy(TREE, tmp_path / "tree.py")
    with pytest.raises(ExportError, match=r"must end in '\.py'"):
        se.export.to_numpy(TREE, "")
    for path in (None, 3, b"tree.py"):
        with pytest.raises(TypeError, match="path of pathlib"):
            se.export.to_numpy(TREE, path)


def test_a_folder_that_cannot_be_written_in_is_told_before_the_work(tmp_path, monkeypatch):
    def denied(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("stackens.export._export.tempfile.mkdtemp", denied)
    monkeypatch.setattr("stackens.export._export.program_of", None)
    with pytest.raises(ExportError, match=r"one to write in\. Got .*: Permission denied"):
        se.export.to_numpy(TREE, tmp_path / "tree.py")
