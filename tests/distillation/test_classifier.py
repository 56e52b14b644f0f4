"""DistilledClassifier: from rows and a teacher to one student, and what goes wrong on the way."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_wine, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import TimeSeriesSplit
from sklearn.tree import DecisionTreeClassifier

import stackens as se
from stackens.distillation._lesson import Lesson
from stackens.distillation.students import TreeStudent
from stackens.exceptions import DistillationWarning, LeakageWarning

X, Y = make_classification(400, 8, n_informative=5, flip_y=0.1, random_state=0)
FOREST = RandomForestClassifier(50, min_samples_leaf=3, random_state=0)


def distilled(teacher=FOREST, **changes):
    """A distillation that is quick: one tree, no synthetic rows, one hold-out."""
    given = {
        "student": "tree",
        "soft_weight": 1.0,
        "augmentation": None,
        "outer": 0.25,
        "guard": False,
        "random_state": 0,
    }
    return se.DistilledClassifier(teacher, **{**given, **changes})


def mixed_table(n=300, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "colour": rng.choice(["red", "green", "blue"], n),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
            "flag": rng.random(n) > 0.5,
        }
    )
    frame.loc[rng.random(n) < 0.1, "size"] = np.nan
    frame.loc[rng.random(n) < 0.1, "colour"] = None
    y = np.where(
        (frame["colour"] == "red") ^ (frame["size"].fillna(0) > 0.3 * rng.normal(size=n)),
        "yes",
        "no",
    )
    return frame, y


def test_a_student_keeps_what_its_teacher_gains():
    student = distilled().fit(X, Y)
    frame = student.report_.frame()
    assert frame.index.tolist() == ["teacher", "plain student", "distilled student"]
    assert student.report_.pays
    assert student.report_.retention > 0.3
    assert frame.loc["distilled student", "agreement"] > frame.loc["plain student", "agreement"]
    assert frame.loc["distilled student", "kl"] < frame.loc["plain student", "kl"]
    assert frame.loc["teacher", "one_row_us"] > 2 * frame.loc["distilled student", "one_row_us"]
    assert "out-of-bag" in student.report_.summary()
    assert student.predict_proba(X).shape == (400, 2)
    assert student.score(X, Y) > 0.8
    np.testing.assert_allclose(student.student_.predict_proba(X), student.predict_proba(X))


@pytest.mark.parametrize("student", ["lightgbm", "tree", "linear"])
def test_text_dates_and_missing_values(student):
    frame, y = mixed_table()
    estimators = se.default_estimators(frame, y)[:3]
    found = distilled(se.StackedClassifier(estimators), student=student, cv=3).fit(frame, y)
    assert found.classes_.tolist() == ["no", "yes"]
    assert set(found.predict(frame.head(20))) <= {"no", "yes"}
    assert found.feature_names_in_.tolist() == list(frame.columns)
    unseen = frame.head(3).assign(colour="violet", size=np.nan)
    assert np.isfinite(found.predict_proba(unseen)).all()
    assert "through the whole ensemble" in str(found.report_)


def test_several_classes():
    features, labels = load_wine(return_X_y=True)
    found = distilled(student="lightgbm", outer=3).fit(features, labels)
    proba = found.predict_proba(features)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert found.score(features, labels) > 0.9


def test_the_guard_gives_the_plain_student():
    """A teacher that says nothing but the mean cannot be better than a tree."""
    constant = RandomForestClassifier(5, max_depth=1, max_features=1, random_state=0)
    student = distilled(constant, guard=True)
    with pytest.warns(DistillationWarning, match="Distilling does not pay"):
        student.fit(X, Y)
    assert not student.report_.pays
    assert student.report_.retention is None
    assert student.report_.findings.chosen == "plain student"
    unknown = np.full((len(Y), 2), np.nan)
    lesson = Lesson(X, unknown, np.eye(2)[Y], student.student_.task, np.ones(len(Y)))
    plain = TreeStudent().fit(lesson)
    np.testing.assert_allclose(student.predict_proba(X), plain.predict_proba(X))
    kept = distilled(constant).fit(X, Y)
    assert kept.report_.findings.chosen == "distilled student"


def test_soft_targets_are_out_of_fold():
    """On noise a tree that memorises has out-of-fold labels that do not know the classes."""
    rng = np.random.default_rng(0)
    noise, labels = rng.normal(size=(300, 5)), rng.integers(0, 2, 300)
    memory = DecisionTreeClassifier(random_state=0)
    honest = distilled(memory, outer=None).fit(noise, labels).teacher_
    assert abs((honest.soft.argmax(axis=1) == labels).mean() - 0.5) < 0.15
    with_answers = distilled(memory, outer=None, soft_targets="in_sample").fit(noise, labels)
    assert (with_answers.teacher_.soft.argmax(axis=1) == labels).all()
    assert "in-sample" in with_answers.report_.summary()


def test_auto_searches_mixes_and_extra_rows():
    unlabeled = X[200:] + 0.01
    student = distilled(soft_weight="auto", augmentation="auto", student="tree")
    student.fit(X[:200], Y[:200], X_unlabeled=(unlabeled[i : i + 50] for i in range(0, 200, 50)))
    assert student.report_.findings.soft_weight in (1.0, 0.9, 0.5)
    always = distilled().fit(X[:200], Y[:200], X_unlabeled=unlabeled)
    assert always.report_.findings.n_extra_rows == 200
    assert "unlabeled" in str(always.report_)


def test_a_budget_is_met_or_refused(tmp_path):
    student = distilled(student="tree", max_bytes=20_500).fit(X, Y)
    front = student.pareto_.frame()
    chosen = front[front["chosen"]]
    assert len(chosen) == 1
    assert chosen["bytes"].iloc[0] <= 20_500
    assert set(front["kind"]) == {"distilled", "plain", "teacher"}
    file = se.export.to_numpy(student, tmp_path / "student.py").path
    assert file.stat().st_size <= 22_000  # the same size on a third more rows
    with pytest.raises(ValueError, match=r"No student meets max_bytes=10\b.*Allow"):
        distilled(student="tree", max_bytes=10).fit(X, Y)


def test_precomputed_targets_never_call_the_teacher():
    def teacher(rows):
        raise AssertionError("it must not be called")

    soft = LogisticRegression().fit(X, Y).predict_proba(X)
    found = distilled(teacher).fit(X, Y, teacher_targets=soft)
    assert found.report_.findings.teacher_calls == 0
    np.testing.assert_allclose(found.teacher_.soft, soft)
    column = distilled(None).fit(X, Y, teacher_targets=soft[:, 1])
    np.testing.assert_allclose(column.predict_proba(X), found.predict_proba(X))


def test_a_function_labels_what_it_has_not_seen():
    model = LogisticRegression().fit(X[:200], Y[:200])
    seen = np.arange(400) < 200
    found = distilled(model.predict_proba).fit(X, Y, seen_by_teacher=seen)
    assert np.isnan(found.teacher_.soft[:200]).all()
    assert found.report_.findings.n_held_out <= 200
    with pytest.warns(LeakageWarning):
        distilled(model.predict_proba).fit(X, Y)


def test_fit_from_a_cross_fit_fits_no_base_model_again():
    fitted = se.cross_fit({"lr": LogisticRegression(), "forest": FOREST}, X, Y)
    found = distilled(None).fit_from(fitted)
    assert found.report_.frame() is None or found.report_.frame().empty
    with pytest.raises(AttributeError, match="rows set aside"):
        found.pareto_  # noqa: B018
    simplex = distilled(se.BlendedClassifier([], weighting="simplex")).fit_from(fitted)
    blend = se.BlendedClassifier([], weighting="simplex").fit_from(fitted)
    np.testing.assert_allclose(simplex.teacher_.outputs(X[:5]).argmax(1), blend.predict(X[:5]))
    with pytest.raises(ValueError, match="regressor for numbers|classifier for classes"):
        se.DistilledRegressor(None).fit_from(fitted)


def test_time_order_trains_on_the_past():
    found = distilled(LogisticRegression(), cv=TimeSeriesSplit(4), outer="auto").fit(X, Y)
    assert found.report_.findings.n_held_out == 80
    assert np.isnan(found.teacher_.soft[:60]).all()


def test_weights_reach_teacher_student_and_scores():
    weights = np.where(Y == 1, 5.0, 1.0)
    heavy = distilled(LogisticRegression()).fit(X, Y, sample_weight=weights)
    even = distilled(LogisticRegression()).fit(X, Y)
    assert heavy.predict_proba(X)[:, 1].mean() > even.predict_proba(X)[:, 1].mean() + 0.1
    groups = np.arange(400) // 4
    assert distilled().fit(X, Y, groups=groups).report_.findings.n_held_out % 4 == 0


def test_the_same_seed_gives_the_same_student():
    settings = {"soft_weight": "auto", "augmentation": "auto"}
    first = distilled(**settings).fit(X, Y)
    again = distilled(**settings, n_jobs=2).fit(X, Y)
    np.testing.assert_array_equal(first.predict_proba(X), again.predict_proba(X))


def test_a_fitted_student_survives_copies():
    student = distilled().fit(X, Y)
    copied = pickle.loads(pickle.dumps(student))
    np.testing.assert_array_equal(copied.predict_proba(X), student.predict_proba(X))
    assert not hasattr(clone(student), "student_")


def test_nothing_given_is_changed():
    frame, y = mixed_table()
    before, teacher = frame.copy(), se.StackedClassifier(se.default_estimators(frame, y)[:2])
    distilled(teacher, student="linear", cv=3).fit(frame, y)
    pd.testing.assert_frame_equal(frame, before)
    assert not hasattr(teacher, "cross_fit_")


@pytest.mark.parametrize(
    ("parameters", "arguments", "error", "words"),
    [
        ({"temperature": 0}, {}, ValueError, "'temperature' parameter"),
        ({"temperature": -1.0}, {}, ValueError, "'temperature' parameter"),
        ({"soft_weight": 0.0}, {}, ValueError, "'soft_weight' parameter"),
        ({"augmentation": "gan"}, {}, ValueError, "'augmentation' parameter"),
        ({"student": "forest"}, {}, ValueError, "'student' parameter"),
        ({"student": DecisionTreeClassifier}, {}, TypeError, "must be an object"),
        ({"max_bytes": 0}, {}, ValueError, "'max_bytes' parameter"),
        ({"outer": 1}, {}, ValueError, "'outer' parameter"),
        ({"scoring": "no such"}, {}, ValueError, "'scoring' parameter"),
        ({}, {"teacher_targets": np.full((400, 3), 1 / 3)}, ValueError, "shape"),
        ({}, {"teacher_targets": np.full((399, 2), 0.5)}, ValueError, "row"),
        ({}, {"teacher_targets": np.full((400, 2), 0.7)}, ValueError, "sum to 1"),
        ({}, {"teacher_targets": np.full((400, 2), np.nan)}, ValueError, "NaN"),
        ({}, {"teacher_targets": np.full(400, -0.5)}, ValueError, "probabilities"),
        ({}, {"seen_by_teacher": np.arange(400)}, ValueError, "mask"),
        ({}, {"X_unlabeled": np.zeros((5, 3))}, ValueError, "shape"),
        ({}, {"X_unlabeled": iter([])}, ValueError, "row"),
        ({}, {"sample_weight": -np.ones(400)}, ValueError, "[Nn]egative"),
    ],
)
def test_bad_input(parameters, arguments, error, words):
    with pytest.raises(error, match=words):
        distilled(**parameters).fit(X, Y, **arguments)


def test_a_teacher_of_other_classes_is_refused():
    other = LogisticRegression().fit(X, np.where(Y == 1, "a", "b"))
    with pytest.raises(ValueError, match="class"):
        distilled(se.FrozenNetwork(other.predict_proba, classes=["a", "b"])).fit(X, Y)


def test_unlabeled_rows_of_other_columns_name_them():
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    with pytest.raises(ValueError, match="'z'"):
        distilled().fit(frame, Y, X_unlabeled=frame.rename(columns={"h": "z"}))
