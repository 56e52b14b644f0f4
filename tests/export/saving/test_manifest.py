"""Tests of what a file says about its object, and of the warning about other versions."""

import json
import warnings
import zipfile
from importlib import metadata

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

import stackens as se
from stackens.exceptions import OtherVersionWarning
from stackens.export.saving._manifest import describe
from tests.export.saving.crafted import edited

FRAME = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0]})


def test_the_manifest_says_what_the_object_is_and_reads(tmp_path):
    model = lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(FRAME, list("xyxy"))
    se.save(model, tmp_path / "file")
    with zipfile.ZipFile(tmp_path / "file") as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert manifest["parts"].keys() == set(archive.namelist()) - {"manifest.json"}
    assert manifest["format"] == 1
    assert manifest["kind"] == "classifier"
    assert manifest["class"] == "lightgbm.sklearn.LGBMClassifier"
    assert manifest["schema"] == {"features": ["a", "b"], "n_features": 2, "classes": ["x", "y"]}
    for name in ("stackens", "scikit-learn", "lightgbm", "numpy", "skops"):
        assert manifest["versions"][name] == metadata.version(name)
    assert "torch" not in manifest["versions"]


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (LinearRegression().fit(FRAME, [0, 1, 2, 3]), "regressor"),
        (StandardScaler(), "transformer"),
        (SelfTrainingClassifier(), "object"),  # has no estimator to ask
        ({"a": 1}, "object"),
    ],
)
def test_kinds(model, kind):
    assert describe(model, [])["kind"] == kind


def test_numbers_and_dates_as_classes_are_json():
    for y in ([1, 2, 1, 2], np.array(["2020", "2021"] * 2, dtype="M8[D]").astype(str)):
        classes = describe(LogisticRegression().fit(FRAME, y), [])["schema"]["classes"]
        assert json.loads(json.dumps(classes)) == classes == sorted(set(np.asarray(y).tolist()))


@pytest.mark.parametrize(
    ("version", "warns"), [("1.2.0", True), ("here", False), ("here.9", False)]
)
def test_another_minor_version_of_scikit_learn_gives_one_warning(version, warns, tmp_path):
    here = ".".join(metadata.version("scikit-learn").split(".")[:2])
    se.save(LogisticRegression().fit(FRAME, list("xyxy")), tmp_path / "file")

    def age(parts, manifest):
        manifest["versions"]["scikit-learn"] = version.replace("here", here)

    path = edited(tmp_path / "file", tmp_path / "old", age)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        se.load(path)
    assert [warning.category for warning in caught] == [OtherVersionWarning] * warns
    if warns:
        assert "saved with scikit-learn 1.2.0" in str(caught[0].message)
        assert caught[0].filename == __file__
