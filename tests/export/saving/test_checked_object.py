"""Tests of what stands where in a loaded object: attacks whose classes and functions are allowed.

Each of these files ran code, wrote a file or touched memory at an address when it was loaded, or
when rows were asked of what had been loaded.
"""

import functools
import pathlib

import numpy as np
import pandas as pd
import pytest
import torch
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator
from sklearn.ensemble import StackingClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.feature_selection import SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multioutput import ClassifierChain
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, LabelEncoder, StandardScaler
from sklearn.utils import Bunch

import stackens as se
from stackens.exceptions import DamagedFileError, UntrustedTypesError
from stackens.export.saving._checked_object import MisplacedError, check_data, check_object
from stackens.neural import CheckpointRecorder
from tests.export.saving.crafted import saved_unchecked

X = np.random.default_rng(0).normal(size=(40, 2))
Y = (X[:, 0] > 0).astype(int)
TABLE = pd.DataFrame({"a": [1]})
TEXTS = ["cat dog", "dog", "cat"] * 10


def stack(estimator, method):
    model = StackingClassifier([("a", LogisticRegression())], passthrough=False)
    model.estimators_, model.stack_method_ = [estimator], [method]
    model.final_estimator_, model.classes_ = None, np.array([0, 1])
    model._label_encoder = LabelEncoder()
    return model


def stack_of(estimators):
    model = stack(None, "predict")
    model.estimators_ = estimators
    return model


def hidden(value):
    objects = np.empty(1, dtype=object)
    objects[0] = value
    return np.ma.MaskedArray(objects, mask=[True])


def layers(value):
    found = torch.nn.ModuleList()
    found._modules["0"] = value
    return found


def with_attribute(model, **attributes):
    vars(model).update(attributes)
    return model


def bag(response):
    blend = se.BlendedClassifier([LogisticRegression()], cv=2, final_fit="bag").fit(X, Y)
    model = next(iter(blend.cross_fit_.models.values()))
    model.response = response
    return blend


def xgboost_model():
    xgboost = pytest.importorskip("xgboost")
    return xgboost.XGBClassifier(n_estimators=1, n_jobs=1).fit(X, Y)


def lightgbm_model():
    return LGBMClassifier(n_estimators=1, verbose=-1, n_jobs=1).fit(X, Y)


def network_with(name, value):
    network = torch.nn.Linear(2, 1)
    network._buffers[name] = value
    return network


MEMORY = {"data": (0, False), "shape": (1,), "typestr": "<f8", "version": 3}
MISPLACED = {
    "a path that writes": lambda: stack(pathlib.Path("sign"), "write_bytes"),
    "a model that writes": lambda: stack(xgboost_model(), "save_model"),
    "a model of trees that writes": lambda: stack(lightgbm_model(), "set_params"),
    "a table in a stack": lambda: stack(TABLE, "predict"),
    "methods in an array": lambda: with_attribute(
        stack(GaussianNB(), "predict"), stack_method_=np.array(["save_model"])
    ),
    "a method that is no text": lambda: stack(GaussianNB(), {"to_csv": 1}),
    "a booster, which reads files": lambda: stack(lightgbm_model().booster_, "predict"),
    "a table in a pipeline": lambda: Pipeline([("a", TABLE), ("b", LinearRegression())]),
    "a column in a union": lambda: FeatureUnion([("a", TABLE["a"])]),
    "a table in an index": lambda: stack_of(pd.Index([pathlib.Path("sign")], dtype=object)),
    "a table behind a mask": lambda: stack_of(hidden(TABLE)),
    "a path in a list of layers": lambda: stack_of(layers(pathlib.Path("sign"))),
    "a class, whose methods take a bunch": lambda: Pipeline(
        [("a", FunctionTransformer(np.squeeze)), ("b", StackingClassifier)]
    ),
    "a table as tree of neighbours": lambda: with_attribute(
        KNeighborsClassifier().fit(X, Y), _tree=TABLE
    ),
    "a frozen table": lambda: FrozenEstimator(TABLE),
    "a threshold of a method": lambda: FixedThresholdClassifier(
        LogisticRegression(), response_method="to_csv"
    ),
    "a chain of methods": lambda: with_attribute(
        ClassifierChain(LogisticRegression()), chain_method_="to_csv"
    ),
    "a scorer of a method": lambda: with_attribute(
        make_scorer(accuracy_score), _response_method="to_csv"
    ),
    "a search whose best is a path": lambda: with_attribute(
        GridSearchCV(Ridge(), {}), best_estimator_=pathlib.Path("sign")
    ),
    "importances by a special name": lambda: SelectFromModel(
        Ridge(), importance_getter="__class__.__init__.__globals__"
    ),
    "a bag of a method": lambda: bag("save_model"),
    "a recorder, which writes": lambda: FunctionTransformer(CheckpointRecorder(folder="sign")),
    "a recorder with some arguments": lambda: FunctionTransformer(
        functools.partial(CheckpointRecorder(folder="sign"), {}, step=1)
    ),
    "a recorder as network": lambda: se.FrozenNetwork(CheckpointRecorder(folder="sign")),
    "a table before a network": lambda: se.FrozenNetwork(
        torch.nn.Linear(2, 1), preprocess=TABLE
    ),
}  # fmt: skip
MEMORIES = {
    "a bunch": lambda: with_attribute(LinearRegression(), coef_=Bunch(__array_interface__=MEMORY)),
    "an estimator": lambda: with_attribute(Ridge(), __array_interface__=MEMORY),
    "a layer": lambda: {"layer": network_with("__array_interface__", MEMORY)},
    "a layer as a column": lambda: pd.Series(
        [network_with("__cuda_array_interface__", MEMORY)], dtype=object
    ),
    "a layer as an array": lambda: [network_with("__array__", torch.nn.Identity())],
    "a booster": lambda: with_attribute(lightgbm_model().booster_, __array_interface__=MEMORY),
    "a booster of another": lambda: with_attribute(
        xgboost_model().get_booster(), __array_interface__=MEMORY
    ),
}


@pytest.mark.parametrize("name", list(MISPLACED))
def test_what_could_do_more_than_predict_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = MISPLACED[name]()
    rows = np.frombuffer(b"echo owned\n", dtype=np.uint8).reshape(1, -1)
    way = next(
        (way for way in ("transform", "predict", "predict_proba") if hasattr(type(model), way)),
        None,
    )
    probe = None if way is None else {"rows": rows, "way": way, "answers": np.zeros(1)}
    for kept in (None, probe):
        saved_unchecked(model, "file", kept)
        with pytest.raises(UntrustedTypesError, match=r"must hold models .* Got .* trusted=\["):
            se.load("file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", list(MEMORIES))
def test_nothing_claims_to_be_an_array_at_an_address(name, tmp_path):
    saved_unchecked(MEMORIES[name](), tmp_path / "file")
    with pytest.raises(DamagedFileError, match="special"):
        se.load(tmp_path / "file")


def test_the_message_names_the_place_and_trust_in_the_class_is_enough(tmp_path):
    model = make_pipeline(StandardScaler(), stack(TABLE, "predict"))
    se.save(model, tmp_path / "file")
    with pytest.raises(UntrustedTypesError) as caught:
        se.load(tmp_path / "file")
    told = str(caught.value)
    assert "Pipeline.steps[1][1].estimators_[0] is a DataFrame, no model" in told
    name = "sklearn.ensemble._stacking.StackingClassifier"
    assert told.endswith(f"trusted=['{name}'].")
    assert type(se.load(tmp_path / "file", trusted=[name])) is Pipeline


@pytest.mark.parametrize("vectorizer", [CountVectorizer, HashingVectorizer])
def test_texts_are_not_read_as_names_of_files(vectorizer, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("a text")
    model = vectorizer(input="filename").fit([str(secret)])
    se.save(model, tmp_path / "file", [str(secret)])
    with pytest.raises(UntrustedTypesError, match=r"reads files.*trusted=\["):
        se.load(tmp_path / "file")
    assert se.load(tmp_path / "file", trusted=[vectorizer]).input == "filename"
    se.save(model, tmp_path / "file")  # without rows nothing is read
    assert se.load(tmp_path / "file").input == "filename"


class Own(BaseEstimator):
    """A class of a user, who trusts it."""

    def __init__(self, models=None):
        self.models = models


HONEST = {
    "tables as parameters": FunctionTransformer(kw_args={"table": TABLE}),
    "choices of a search": GridSearchCV(Ridge(), {"alpha": pd.Series([1.0, 2.0])}),
    "a class of a user": Own([TABLE, pathlib.PurePath("x")]),
    "several methods": make_scorer(accuracy_score, response_method=["predict_proba", "predict"]),
    "a vocabulary of code": CountVectorizer(token_pattern=r"\w+").fit(["__array_interface__ a"]),
    "a booster beside a model": with_attribute(Ridge(), kept_=[lightgbm_model().booster_]),
    "a table alone": TABLE,
    "a loop": {"a": []},
}


@pytest.mark.parametrize("name", list(HONEST))
def test_what_honest_objects_hold_stays_allowed(name, tmp_path):
    se.save(HONEST[name], tmp_path / "file")
    assert type(se.load(tmp_path / "file", trusted=[Own])) is type(HONEST[name])


def test_search_results_may_hold_anything():
    search = GridSearchCV(Ridge(), {})
    search.cv_results_ = {"params": [{"path": pathlib.PurePath("x")}]}
    check_object(search, (), is_asked=True)
    search.other_ = search.cv_results_
    with pytest.raises(MisplacedError, match=r"GridSearchCV.other_\['params'\]\[0\]\['path'\]"):
        check_object(search, (), is_asked=True)


def test_an_object_that_contains_itself_is_looked_at_once():
    loop = []
    loop.append(loop)
    check_object({"loop": loop}, (), is_asked=False)


def test_what_stands_in_many_places_is_looked_at_once():
    nested = []
    for _ in range(200):
        nested = [nested, nested]
    check_data([nested])
    check_object(Pipeline([("a", nested)]), (), is_asked=False)


def test_data_are_looked_at_wherever_they_are():
    good = [1, "a", (X, TABLE, None), np.array([None, "b"], dtype=object), torch.ones(2)]
    check_data(good)
    bad = Bunch(__array_struct__=1)
    objects = np.empty(2, dtype=object)
    objects[1] = bad
    for values in ([bad], (1, [bad]), objects, bad):
        with pytest.raises(ValueError, match="special attribute __array_struct__"):
            check_data(values)
