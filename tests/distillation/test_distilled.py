"""What both estimators share: containers of rows, tags, and what is said before fit."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags

import stackens as se

torch = pytest.importorskip("torch")

X, Y = make_classification(200, 4, random_state=0)
SETTINGS = {"augmentation": None, "soft_weight": 1.0, "outer": 0.3, "guard": False}


def test_frames_of_any_library():
    expected = se.DistilledClassifier(LogisticRegression(), student="tree", **SETTINGS).fit(X, Y)
    names = list("abcd")
    for frame in (pd.DataFrame(X, columns=names), pl.DataFrame(X, schema=names)):
        found = se.DistilledClassifier(LogisticRegression(), student="tree", **SETTINGS)
        found.fit(frame, Y)
        assert found.feature_names_in_.tolist() == names
        np.testing.assert_allclose(found.predict_proba(frame), expected.predict_proba(X))


def test_before_fit():
    student = se.DistilledClassifier(LogisticRegression())
    with pytest.raises(NotFittedError):
        student.predict(X)
    with pytest.raises(NotFittedError):
        student.pareto_  # noqa: B018


def test_tags_are_those_of_teacher_and_student():
    tree = DecisionTreeClassifier()
    tags = get_tags(se.DistilledClassifier(LogisticRegression(), student=tree)).input_tags
    assert (tags.allow_nan, tags.sparse, tags.string) == (False, True, False)
    assert get_tags(se.DistilledClassifier(tree, student=tree)).input_tags.allow_nan
    tags = get_tags(se.DistilledClassifier(None)).input_tags
    assert (tags.allow_nan, tags.sparse, tags.string) == (True, False, True)


def test_labels_of_several_columns_are_refused():
    labels = np.column_stack([Y, 1 - Y])
    with pytest.raises(ValueError, match="multilabel-indicator"):
        se.DistilledClassifier(LogisticRegression()).fit(X, labels)


def test_missing_values_that_the_teacher_cannot_take():
    found = se.DistilledClassifier(LogisticRegression(), student="tree", **SETTINGS).fit(X, Y)
    holes = np.where(np.arange(4) == 1, np.nan, X[:3])
    with pytest.raises(ValueError, match="NaN"):
        found.predict(holes)


def test_a_network_distils_images():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(600, 1, 4, 4)).astype(np.float32)
    labels = (images.mean(axis=(1, 2, 3)) > 0).astype(int)
    teacher = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2))
    with torch.no_grad():
        teacher[1].weight[:] = torch.stack([-torch.ones(16), torch.ones(16)])
        teacher[1].bias.zero_()
    student = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2))
    torch.nn.init.zeros_(student[1].weight)
    found = se.DistilledClassifier(
        teacher,
        student=student,
        temperature=3.0,
        teacher_output="logits",
        **{**SETTINGS, "random_state": 0},
    ).fit(torch.from_numpy(images), labels, seen_by_teacher=np.zeros(600, dtype=bool))
    assert found.score(images, labels) > 0.8
    assert "temperature 3" in str(found.report_)
    assert not student[1].weight.any()  # the one that was given is left alone
