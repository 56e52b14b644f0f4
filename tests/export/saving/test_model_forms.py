"""Tests of boosters in files: the same trees, the same bits, the same attributes."""

import sys
import zipfile

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import stackens as se
from stackens.exceptions import MissingExtraError
from stackens.export.saving._parts import PartWriter

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 4))
y = X @ [1.0, 2.0, 0.0, -1.0] + rng.normal(size=200)
FRAME = pd.DataFrame(X, columns=list("abcd")).assign(
    e=pd.Categorical(rng.choice(["u", "v", "w"], 200))
)
FEW = {"n_estimators": 8, "verbose": -1, "n_jobs": 1}


def both(model, folder):
    se.save(model, folder / "model.stackens")
    return model, se.load(folder / "model.stackens")


def continued():
    before = lightgbm.LGBMRegressor(**FEW).fit(X, y)
    return lightgbm.LGBMRegressor(**FEW).fit(X, y, init_model=before)


def early_stopped():
    stop = lightgbm.early_stopping(2, verbose=False)
    model = lightgbm.LGBMRegressor(n_estimators=300, learning_rate=0.5, verbose=-1, n_jobs=1)
    return model.fit(X[:100], y[:100], eval_set=[(X[100:], y[100:])], callbacks=[stop])


LIGHTGBM = {
    "classifier": lambda: lightgbm.LGBMClassifier(**FEW).fit(X, y > 0),
    "labels": lambda: lightgbm.LGBMClassifier(**FEW).fit(X, np.where(y > 0, "yes", "no")),
    "categories": lambda: lightgbm.LGBMRegressor(**FEW).fit(FRAME, y),
    "continued": continued,
    "early stopping": early_stopped,
    "linear trees": lambda: lightgbm.LGBMRegressor(linear_tree=True, **FEW).fit(X, y),
    "dart": lambda: lightgbm.LGBMRegressor(boosting_type="dart", **FEW).fit(X, y),
    "ranker": lambda: lightgbm.LGBMRanker(**FEW).fit(X, np.arange(200) % 3, group=[50] * 4),
}


# older versions know no other name of it
@pytest.mark.filterwarnings("ignore:The argument 'eval_set'")
@pytest.mark.parametrize("name", list(LIGHTGBM))
def test_lightgbm_comes_back(name, tmp_path):
    model, back = both(LIGHTGBM[name](), tmp_path)
    rows = FRAME if name == "categories" else X
    assert (back.predict(rows) == model.predict(rows)).all()
    assert back.booster_.num_trees() == model.booster_.num_trees()
    assert back.booster_.params == model.booster_.params
    assert back.best_iteration_ == model.best_iteration_
    assert back.evals_result_ == model.evals_result_
    assert clone(back).get_params() == model.get_params()


def test_a_bare_booster_comes_back_as_text(tmp_path):
    data = lightgbm.Dataset(X, np.abs(y))
    booster = lightgbm.train({"objective": "poisson", "verbose": -1, "num_threads": 1}, data, 5)
    model, back = both(booster, tmp_path)
    assert type(back) is lightgbm.Booster
    assert (back.predict(X) == model.predict(X)).all()
    with zipfile.ZipFile(tmp_path / "model.stackens") as archive:
        (name,) = [name for name in archive.namelist() if name.startswith("lightgbm/")]
        assert archive.read(name).startswith(b"tree\nversion=")


def test_a_booster_in_two_places_is_one(tmp_path):
    model = LIGHTGBM["classifier"]()
    model.again = model.booster_
    _, back = both(model, tmp_path)
    assert back.again is back.booster_


def xgboost_models():
    xgboost = pytest.importorskip("xgboost")
    few = {"n_estimators": 8, "n_jobs": 1}
    stopped = xgboost.XGBRegressor(n_estimators=50, early_stopping_rounds=2, n_jobs=1)
    return [
        (xgboost.XGBClassifier(**few).fit(X, y > 0), X),
        (xgboost.XGBRegressor(enable_categorical=True, **few).fit(FRAME, y), FRAME),
        (xgboost.XGBRegressor(booster="dart", rate_drop=0.3, **few).fit(X, y), X),
        (stopped.fit(X[:100], y[:100], eval_set=[(X[100:], y[100:])], verbose=False), X),
    ]


@pytest.mark.parametrize("i", range(4))
def test_xgboost_comes_back(i, tmp_path):
    fitted, rows = xgboost_models()[i]
    model, back = both(fitted, tmp_path)
    assert (back.predict(rows) == model.predict(rows)).all()
    assert back.get_booster().save_raw("ubj") == model.get_booster().save_raw("ubj")
    assert str(clone(back).get_params()) == str(model.get_params())


def test_the_address_of_a_booster_is_never_taken_from_a_file():
    xgboost = pytest.importorskip("xgboost")
    from stackens.export.saving._model_forms import PART_READERS, write_booster

    parts = PartWriter()
    booster = xgboost_models()[0][0].get_booster()
    kind, name, config, state = write_booster(booster, parts)
    assert (kind, state.keys() & {"handle"}) == ("xgboost", set())

    class Parts:
        def content(self, name):
            return booster.save_raw("ubj")

    back = PART_READERS["xgboost"](Parts(), name, config, {"handle": 12345})
    assert back.handle.value not in (12345, booster.handle.value)
    assert (back.predict(xgboost.DMatrix(X)) == booster.predict(xgboost.DMatrix(X))).all()


def test_without_xgboost_the_file_says_what_is_missing(tmp_path, monkeypatch):
    se.save(xgboost_models()[0][0].get_booster(), tmp_path / "file")
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(MissingExtraError, match="pip install xgboost"):
        se.load(tmp_path / "file")
