"""What both estimators share: containers of rows, tags, and what is said before fit."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.datasets import make_classification
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import get_tags

import stackens as se
from stackens.exceptions import DistillationWarning
from stackens.export._program_of import program_of
from stackens.export.program import evaluate
from tests.export.exported import assert_exported, mixed_table

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


# ---------------------------------------------------------------- in exports

QUICK = {"augmentation": None, "soft_weight": 0.5, "outer": None, "cv": 2, "random_state": 0}
STUDENTS = ["lightgbm", "tree", "linear", "mlp", DecisionTreeClassifier(max_depth=3)]


@pytest.mark.parametrize("student", STUDENTS, ids=str)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_student_of_classes_is_exported_with_its_encoder(student, n_classes):
    rows, y = mixed_table("binary" if n_classes == 2 else "multiclass")
    teacher = make_pipeline(se.TabularEncoder(), DecisionTreeClassifier(max_depth=3))
    if not isinstance(student, str):
        rows = rows[["income", "member"]]
        teacher = teacher[-1]
    distilled = se.DistilledClassifier(teacher, student=student, **QUICK).fit(rows, y)
    atol = 1e-6 if student == "mlp" else 1e-15
    program = assert_exported(distilled, rows, atol=atol)
    assert program.classes.tolist() == distilled.classes_.tolist()
    assert_exported(distilled.student_, rows, atol=atol)


@pytest.mark.parametrize("student", [*STUDENTS[:4], LinearRegression()], ids=str)
def test_a_student_of_values_is_exported_with_its_encoder(student):
    rows, y = mixed_table("regression")
    teacher = make_pipeline(se.TabularEncoder(), DecisionTreeRegressor(max_depth=3))
    if not isinstance(student, str):
        rows = rows[["income", "member"]]
    distilled = se.DistilledRegressor(teacher, student=student, **QUICK).fit(rows, y)
    atol = 1e-5 if student == "mlp" else 1e-12
    assert assert_exported(distilled, rows, atol=atol).one_target


@pytest.mark.parametrize("student", ["lightgbm", "tree", "linear"])
def test_students_of_quantiles_and_of_several_values_are_exported(student):
    rows, y = mixed_table("regression")
    rows = rows[["income", "member"]]
    quantiles = se.DistilledRegressor(
        GradientBoostingRegressor(n_estimators=5), student=student, quantiles=(0.1, 0.9), **QUICK
    )
    targets = {"teacher_targets": np.column_stack([y - 1, y + 1])}
    several = se.DistilledRegressor(DecisionTreeRegressor(max_depth=3), student=student, **QUICK)
    for model in (quantiles.fit(rows, y, **targets), several.fit(rows, targets["teacher_targets"])):
        program = assert_exported(model, rows, atol=1e-12)
        assert (program.one_target, program.n_outputs) == (False, 2)


def test_an_export_refuses_missing_values_where_the_student_does():
    model = se.DistilledClassifier(LogisticRegression(), student="tree", **QUICK).fit(X, Y)
    rows = X[:5].copy()
    rows[2, 1] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        model.predict(rows)
    program = program_of(model)
    (found,) = evaluate(program, list(rows.T), [program.refused])
    assert np.isfinite(found).all(axis=1).tolist() == [True, True, False, True, True]
    for teacher, takes in ((DecisionTreeClassifier(), X), (LogisticRegression(), None)):
        frame = pd.DataFrame(X, columns=list("abcd")) if takes is None else takes
        model = se.DistilledClassifier(teacher, student="tree", **QUICK).fit(frame, Y)
        assert program_of(model).refused is None


@pytest.mark.parametrize("kind", [pd.DataFrame, np.asarray])
def test_what_it_learnt_with_missing_values_is_answered_and_exported_with_them(kind):
    rows = X.copy()
    rows[::7, 1] = np.nan
    base = make_pipeline(se.TabularEncoder(), LogisticRegression())
    teacher = se.StackedClassifier([("base", base)], passthrough=True)
    assert not get_tags(teacher).input_tags.allow_nan
    model = se.DistilledClassifier(teacher, student="tree", **QUICK).fit(kind(rows), Y)
    np.testing.assert_array_equal(model.predict(rows), model.predict(kind(rows)))
    assert program_of(model).refused is None


def test_polars_frames_of_columns_without_a_common_type():
    frame, labels = mixed_table("binary", 120)[:2]
    teacher = make_pipeline(se.TabularEncoder(), DecisionTreeClassifier())
    student = se.DistilledClassifier(teacher, student="tree", **SETTINGS)
    student.fit(pl.from_pandas(frame), labels)
    assert student.predict(pl.from_pandas(frame)).shape == (120,)


def test_what_cannot_work_is_told_before_the_teacher_learns(tmp_path):
    class Never(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            raise AssertionError("it learns")

    def fit(X, **changes):
        settings = {k: changes.pop(k) for k in ("student", "augmentation", "cache") if k in changes}
        student = se.DistilledClassifier(Never(), **{"student": "tree", **settings})
        return student.fit(X, Y, **changes)

    file = tmp_path / "file"
    file.write_text("")
    own = DecisionTreeClassifier()
    repeated = pd.DataFrame(X, columns=list("aabc"))
    with pytest.raises(TypeError, match="needs a dense table"):
        fit(sparse.csr_matrix(X))
    with pytest.raises(TypeError, match="Rows can be made"):
        fit(sparse.csr_matrix(X), student=own, augmentation="munge")
    with pytest.raises(ValueError, match="needs a table of rows"):
        fit(X.reshape(200, 2, 2), student=["linear", own])
    with pytest.raises(ValueError, match="must have different names"):
        fit(repeated)
    with pytest.raises(ValueError, match="same number of rows"):
        fit(X, groups=[1, 2])
    with pytest.raises(ValueError, match="Got 199 missing ones"):
        fit(X, groups=[1.0] + [None] * 199)
    with pytest.raises(ValueError, match="there must be at least two"):
        fit(X, groups=np.zeros(200))
    with pytest.raises(ValueError, match="can be written to"):
        fit(X, cache=file)
    with pytest.raises(ValueError, match="'cache' parameter"):
        fit(X, cache=3)


def test_unlabeled_rows_that_have_a_label_are_left_out():
    more = np.vstack([X[:50], X[:20] + 1.0])
    student = se.DistilledClassifier(LogisticRegression(), student="tree", **SETTINGS)
    student.fit(X, Y, X_unlabeled=more)
    assert student.report_.findings.n_extra_rows == 20
    with pytest.warns(DistillationWarning, match="All rows of X_unlabeled stand in X"):
        student.fit(X, Y, X_unlabeled=X)
    assert student.report_.findings.n_extra_rows == 0
