"""Tests of save: whole objects go to a file and come back equal, and stay as they were."""

import joblib
import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import Birch
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis as LDA
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import GridSearchCV, KFold, RepeatedStratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, SplineTransformer
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier
from torch import nn

import stackens as se
from stackens._core._task import infer_task
from stackens.distillation._lesson import Lesson
from stackens.distillation.students import (
    EstimatorStudent,
    LightGBMStudent,
    LinearStudent,
    MLPStudent,
    ModuleStudent,
    TreeStudent,
)
from stackens.exceptions import ExportError, ExportMismatchError
from stackens.export.saving import _save

rng = np.random.default_rng(0)
N = 120
X = rng.normal(size=(N, 3))
Y = np.where(X[:, 0] + rng.normal(size=N) > 0, "yes", "no")
Y3 = np.array(["p", "q", "r"])[rng.integers(0, 3, N)]
Z = X @ [1.0, 2.0, -1.0] + rng.normal(size=N)
FRAME = pd.DataFrame(
    {
        "number": np.where(rng.random(N) < 0.1, np.nan, X[:, 0]),
        "level": pd.Categorical(rng.choice(["u", "v", "w"], N)),
        "text": rng.choice(["x", "y"], N),
        "date": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 999, N), unit="D"),
    }
)
TEXTS = [f"word{i % 37} common w{i % 5}" for i in range(N)]
FEW = {"n_estimators": 5, "verbose": -1, "n_jobs": 1}
MLP = {"hidden_layer_sizes": (8,), "max_iter": 2, "random_state": 0, "n_jobs": 1}


def table_model(model):
    return make_pipeline(se.TabularEncoder(), model)


def columns():
    numbers = make_pipeline(SimpleImputer(), SplineTransformer())
    levels = OneHotEncoder(handle_unknown="ignore", dtype=np.float32)
    return make_column_transformer((numbers, ["number"]), (levels, ["level", "text"]))


def student(recipe, task_of, rows=X):
    task, _ = infer_task(task_of)
    if task.is_classification:
        hard = np.eye(len(task.classes))[task.encode(task_of)]
        soft = 0.8 * hard + 0.2 / len(task.classes)
        loss = "cross_entropy"
    else:
        hard = soft = np.asarray(task_of)[:, None]
        loss = "squared_error"
    lesson = Lesson(rows, soft, hard, task, np.ones(N), loss=loss)
    return recipe.fit(lesson, random_state=0)


def distilled():
    teacher = se.BlendedClassifier([LogisticRegression(), GaussianNB()], cv=3)
    return se.DistilledClassifier(teacher, student="tree", random_state=0).fit(X, Y)


def soup():
    models = [("a", se.TorchMLPClassifier(**MLP)), ("b", se.TorchMLPClassifier(**MLP))]
    return se.WeightAveragedClassifier(models, random_state=0).fit(X, Y)


def deep_stack():
    models = [
        ("linear", make_pipeline(columns(), LINEAR)),
        ("network", se.TorchMLPClassifier(**MLP)),
        ("trees", table_model(LGBMClassifier(**FEW))),
        ("blend", se.BlendedClassifier([table_model(GaussianNB()), table_model(LDA())], cv=2)),
    ]
    return se.StackedClassifier(models, LogisticRegression(), cv=3, random_state=0)


def frozen():
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.GELU(), nn.Linear(4, 3))
    return se.FrozenNetwork(network, output="logits", classes=["p", "q", "r"])


LINEAR = LogisticRegression(max_iter=999)
REPEATED = RepeatedStratifiedKFold(n_splits=2)
SCORER = make_scorer(f1_score, pos_label="yes")
MODELS = {
    # scikit-learn
    "pipeline": lambda: (make_pipeline(columns(), LINEAR).fit(FRAME, Y), FRAME),
    "forest": lambda: (RandomForestClassifier(5, random_state=0).fit(X, Y3), X),
    "extra trees": lambda: (ExtraTreesRegressor(5, random_state=0).fit(X, Z), X),
    "boosting": lambda: (GradientBoostingClassifier(n_estimators=3).fit(X, Y), X),
    "histograms": lambda: (
        HistGradientBoostingClassifier(max_iter=3).fit(FRAME[["number", "level"]], Y3),
        FRAME[["number", "level"]],
    ),
    "isolation": lambda: (IsolationForest(n_estimators=5, random_state=0).fit(X), X),
    "several outputs": lambda: (DecisionTreeClassifier().fit(X, np.c_[Y, Y3]), X),
    "support vectors": lambda: (SVC().fit(X, Y), X),
    "neighbours": lambda: (KNeighborsClassifier(algorithm="ball_tree").fit(X, Y), X),
    "process": lambda: (GaussianProcessRegressor(random_state=0).fit(X, Z), X),
    "isotonic": lambda: (IsotonicRegression(out_of_bounds="clip").fit(X[:, 0], Z), X[:, :1]),
    "calibrated": lambda: (CalibratedClassifierCV(SVC(), method="isotonic").fit(X, Y), X),
    "texts": lambda: (make_pipeline(TfidfVectorizer(), SGDClassifier()).fit(TEXTS, Y), TEXTS),
    "functions": lambda: (
        make_pipeline(FunctionTransformer(np.exp), SelectKBest(f_regression, k=2)).fit(X, Z),
        X,
    ),
    "target": lambda: (TransformedTargetRegressor(Ridge(), func=np.cbrt, check_inverse=False,
                                                  inverse_func=np.square).fit(X, Z), X),
    "repeated folds": lambda: (
        se.BlendedClassifier([LogisticRegression()], cv=REPEATED).fit(X, Y),
        X,
    ),
    "search": lambda: (
        GridSearchCV(LogisticRegression(), {"C": [0.1]}, cv=KFold(3), scoring=SCORER).fit(X, Y),
        X,
    ),
    # stackens
    "encoder": lambda: (se.TabularEncoder().fit(FRAME), FRAME),
    "network": lambda: (se.TorchMLPClassifier(**MLP).fit(FRAME, Y3), FRAME),
    "network for numbers": lambda: (
        se.TorchMLPRegressor(categories="embedding", average="ema", **MLP).fit(FRAME, Z),
        FRAME,
    ),
    "frozen": lambda: (frozen(), X.astype(np.float32)),
    "blend": lambda: (
        se.BlendedClassifier([LogisticRegression(), LGBMClassifier(**FEW)], cv=3).fit(X, Y),
        X,
    ),
    "blend of numbers": lambda: (
        se.BlendedRegressor([Ridge(), LGBMRegressor(**FEW)], cv=3).fit(X, Z),
        X,
    ),
    "stack": lambda: (deep_stack().fit(FRAME, Y3), FRAME),
    "stack with rows": lambda: (
        se.StackedRegressor([Ridge(), SVR()], cv=3, passthrough=True).fit(X, Z),
        X,
    ),
    "soup": lambda: (soup(), X),
    "cross-fit": lambda: (se.cross_fit([LogisticRegression(), GaussianNB()], X, Y, cv=3), X),
    "distilled": lambda: (distilled(), X),
    "student of trees": lambda: (student(LightGBMStudent(5, 4), Y3, FRAME), FRAME),
    "student for numbers": lambda: (student(LightGBMStudent(5, 4), Z), X),
    "linear student": lambda: (student(LinearStudent(), Y, FRAME), FRAME),
    "student network": lambda: (student(MLPStudent((4,)), Z), X),
    "student tree": lambda: (student(TreeStudent(3), Y, FRAME), FRAME),
    "student estimator": lambda: (student(EstimatorStudent(Ridge()), Y3), X),
    "student module": lambda: (student(ModuleStudent(nn.Linear(3, 1), epochs=2), Z), X),
}  # fmt: skip
WAYS = ("predict_proba", "decision_function", "predict", "transform")


def answers(model, rows):
    for way in WAYS:
        if hasattr(model, way):
            answer = getattr(model, way)(rows.copy())
            for each in answer if isinstance(answer, list) else [answer]:
                values = getattr(each, "values", each)
                yield way, values.toarray() if hasattr(values, "toarray") else values


def parameters(model):
    return joblib.hash(str(model.get_params())) if hasattr(model, "get_params") else None


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.filterwarnings("ignore::UserWarning")  # of fits, which are not tested here
def test_a_model_comes_back_with_the_same_bits(name, tmp_path):
    model, rows = MODELS[name]()
    expected = list(answers(model, rows))
    # scores of a search are masked objects, which joblib can't hash
    before = None if name == "search" else joblib.hash(model)
    se.save(model, tmp_path / "file")
    assert name == "search" or joblib.hash(model) == before
    back = se.load(tmp_path / "file")
    assert type(back) is type(model)
    found = list(answers(back, rows))
    assert [way for way, _ in found] == [way for way, _ in expected]
    assert expected
    for (way, one), (_, other) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=way, strict=True)
    if hasattr(model, "get_params") and name != "frozen":
        assert str(back.get_params()) == str(model.get_params())
        assert type(clone(back)) is type(model)
    if hasattr(model, "feature_names_in_"):
        assert back.feature_names_in_.tolist() == model.feature_names_in_.tolist()
    se.save(back, tmp_path / "again", rows)
    assert type(se.load(tmp_path / "again")) is type(model)


def test_tables_of_predictions_come_back(tmp_path):
    table = se.cross_fit([LogisticRegression(), GaussianNB()], X, Y, cv=3).out_of_fold
    se.save(table, tmp_path / "file")
    back = se.load(tmp_path / "file")
    assert (back.values == table.values).all()
    assert (back.y == table.y).all()
    assert back.splits[1][0].tolist() == table.splits[1][0].tolist()


def test_a_compact_ensemble_is_smaller(tmp_path):
    rows = np.tile(X, (20, 1))
    cross = se.cross_fit([GaussianNB()], rows, np.tile(Y, 20), cv=3)
    se.save(cross, tmp_path / "whole")
    se.save(cross.compact(), tmp_path / "compact")
    small = (tmp_path / "compact").stat().st_size
    assert small < (tmp_path / "whole").stat().st_size / 4
    found = se.load(tmp_path / "compact").predict(X).values
    assert (found == cross.predict(X).values).all()


def test_what_skops_cannot_hold_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(ExportError, match="Birch"):
        se.save(Birch().fit(X), tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_keeps_the_file_that_was_there(tmp_path, monkeypatch):
    path = tmp_path / "file"
    se.save(Ridge(alpha=2.0), path)

    def broken(path, model):
        raise OSError("no room left")

    monkeypatch.setattr(_save, "_read_back", broken)
    with pytest.raises(OSError, match="no room left"):
        se.save(Ridge(alpha=3.0), path)
    assert se.load(path).alpha == 2.0
    assert list(tmp_path.iterdir()) == [path]


class Forgetful:
    """Comes back as nothing, since it takes no state."""

    def __getstate__(self):
        return {"kept": 1}

    def __setstate__(self, state):
        if "kept" in state and len(state) == 1 and Forgetful.strict:
            raise RuntimeError("I forgot")

    strict = False


def test_what_cannot_be_loaded_again_is_not_saved(tmp_path, monkeypatch):
    se.save(Forgetful(), tmp_path / "file")
    original = _save.read_object

    def later(path, **options):
        monkeypatch.setattr(Forgetful, "strict", True)
        return original(path, **options)

    monkeypatch.setattr(_save, "read_object", later)
    with pytest.raises(ExportError, match="I forgot"):
        se.save(Forgetful(), tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


class Dice:
    """Answers other numbers each time."""

    def predict(self, rows):
        return rng.normal(size=len(rows))


def test_a_model_without_steady_answers_is_not_saved_with_rows(tmp_path):
    with pytest.raises(ExportMismatchError, match=r"^The file must answer .* It was not kept\.$"):
        se.save(Dice(), tmp_path / "file", X)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_the_path_may_be_a_text_or_a_path(kind, tmp_path):
    se.save({"any": ["value"]}, kind(tmp_path / "no ending"))
    assert se.load(kind(tmp_path / "no ending")) == {"any": ["value"]}


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(IsADirectoryError, match="Add a name"):
        se.save(Ridge(), tmp_path)
    with pytest.raises(FileNotFoundError, match="Make .* first"):
        se.save(Ridge(), tmp_path / "nowhere" / "file")


@pytest.mark.parametrize("path", [None, b"file", 3], ids=repr)
def test_what_is_no_path_is_told(path):
    with pytest.raises(TypeError, match=r"must be a str or a path .* Got .*\. Pass the name"):
        se.save(Ridge(), path)
    with pytest.raises(TypeError, match=r"must be a str or a path .* Got .*\. Pass the name"):
        se.load(path)


@pytest.mark.parametrize("name", ["blend", "network", "pipeline", "texts"])
def test_equal_objects_give_equal_bytes(name, tmp_path):
    model, rows = MODELS[name]()
    se.save(model, tmp_path / "first", rows)
    held = [[] for _ in range(1000)]  # so that nothing gets the place in memory that it had
    se.save(model, tmp_path / "second", rows)
    assert len(held) == 1000
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
