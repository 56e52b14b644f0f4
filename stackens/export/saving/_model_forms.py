"""Forms of boosters: LightGBM's as its text, XGBoost's in its own format."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from stackens.exceptions import MissingExtraError
from stackens.export.saving._allowed import check_attributes
from stackens.export.saving._parts import PartReader, PartWriter

__all__ = ["PART_READERS", "write_booster"]

# What a Booster of LightGBM holds for training only, as its own pickle leaves out or empties.
_BUFFERS = {"_Booster__inner_predict_buffer", "_Booster__is_predicted_cur_iter"}
_TRAINING = {"_handle", "train_set", "valid_sets", *_BUFFERS}
# The model that training went on from, whose trees are among the booster's own.
_BEFORE = "_Booster__init_predictor"


def write_booster(found: Any, parts: PartWriter) -> tuple[Any, ...] | None:
    """Return the form of a booster, or None."""
    # A package that was not imported has no objects.
    lightgbm, xgboost = sys.modules.get("lightgbm"), sys.modules.get("xgboost")
    if lightgbm is not None and type(found) is lightgbm.Booster:
        state = {name: value for name, value in vars(found).items() if name not in _TRAINING}
        if _BEFORE in state:
            state[_BEFORE] = None
        name = parts.add("lightgbm", "txt", lambda file: file.write(_text(found)))
        return "lightgbm", name, state
    if xgboost is not None and type(found) is xgboost.Booster:
        state = {name: value for name, value in vars(found).items() if name != "handle"}
        name = parts.add("xgboost", "ubj", lambda file: file.write(found.save_raw("ubj")))
        return "xgboost", name, found.save_config(), state
    return None


def _text(booster: Any) -> bytes:
    # all trees: without the number, those behind the best one of early stopping are left out
    return booster.model_to_string(num_iteration=-1).encode()


def _read_lightgbm(parts: PartReader, name: str, state: dict[str, Any]) -> Any:
    import lightgbm

    check_attributes(lightgbm.Booster, state)
    booster = lightgbm.Booster.__new__(lightgbm.Booster)
    empty: dict[str, Any] = {
        "_Booster__inner_predict_buffer": [],
        "_Booster__is_predicted_cur_iter": [],
    }
    text = parts.content(name).decode()
    booster.__setstate__({**state, **empty, "_handle": text})
    return booster


def _read_xgboost(parts: PartReader, name: str, config: str, state: dict[str, Any]) -> Any:
    try:
        import xgboost
    except ImportError as error:
        raise MissingExtraError(
            "Loading a model with XGBoost needs the package 'xgboost', which could not be imported "
            f"({error}). Install it with: python -m pip install xgboost"
        ) from error
    check_attributes(xgboost.Booster, state)
    booster = xgboost.Booster()
    booster.load_model(parts.content(name))
    booster.load_config(config)
    # never the address of another booster
    vars(booster).update((name, value) for name, value in state.items() if name != "handle")
    return booster


PART_READERS: dict[str, Callable[..., Any]] = {
    "lightgbm": _read_lightgbm,
    "xgboost": _read_xgboost,
}
