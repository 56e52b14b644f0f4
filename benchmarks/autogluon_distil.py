"""One side of distillation_autogluon.py: AutoGluon, run by an interpreter that has it.

In a folder it finds ``fit.csv`` and ``truth.csv``, and ``request.json`` with the type of problem,
a seed and the students' settings. It leaves there what each model says of the rows of truth, as
``<name>.npy``, and writes a line of JSON: seconds, processor seconds and bytes by name.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor
from autogluon.tabular.models.lgb import lgb_utils

TARGET = "target of the benchmark"
AUGMENT = {"size_factor": 5, "max_size": 100_000}  # the defaults


def repair() -> Callable[[], None]:
    """Repair early stopping of LightGBM on soft classes, and return what undoes it.

    LightGBM 4 gives a metric scores of shape (rows, classes); AutoGluon 1.6.3 reads them as the
    flat array, class by class, that LightGBM 3 gave. The loss is then that of shuffled scores, and
    boosting ends after a tree or two.
    """
    original = lgb_utils.func_generator

    def repaired(*args: Any, **kwargs: Any) -> Callable[..., Any]:
        metric = original(*args, **kwargs)

        def flat(scores: np.ndarray, data: Any) -> Any:
            return metric(scores.ravel(order="F"), data)

        flat.__name__ = metric.__name__
        return flat

    lgb_utils.func_generator = repaired

    def undo() -> None:
        lgb_utils.func_generator = original

    return undo


class Side:
    """A predictor fitted once; each student is distilled from a copy of it."""

    def __init__(self, folder: Path, models: Path) -> None:
        self.folder, self.models = folder, models
        self.request = json.loads((folder / "request.json").read_text())
        self.truth = pd.read_csv(folder / "truth.csv", keep_default_na=False, na_values=[""])
        self.fit_rows = pd.read_csv(folder / "fit.csv", keep_default_na=False, na_values=[""])
        self.found: dict[str, dict[str, float]] = {}

    def new(self, name: str) -> TabularPredictor:
        return TabularPredictor(
            TARGET,
            problem_type=self.request["problem_type"],
            eval_metric=self.request["eval_metric"],
            path=str(self.models / name),
            verbosity=0,
        )

    def run(self) -> None:
        predictor = self.new("predictor")
        self.timed("teacher", lambda: predictor.fit(self.fit_rows))
        self.answer("teacher", predictor, predictor.model_best)
        for kind, settings in self.request["students"].items():
            only = {kind: settings}
            plain = self.new(f"plain-{kind}")
            self.timed(
                f"plain {kind}",
                lambda p=plain, only=only: p.fit(
                    self.fit_rows, hyperparameters=only, fit_weighted_ensemble=False
                ),
            )
            self.answer(f"plain {kind}", plain, plain.model_names()[0])
            self.distil(kind, only, predictor, kind)
            if kind == "GBM" and self.request["problem_type"] == "multiclass":
                undo = repair()
                self.distil(f"{kind} repaired", only, predictor, kind)
                undo()

    def distil(self, name: str, only: dict, predictor: TabularPredictor, kind: str) -> None:
        copied = predictor.clone(str(self.models / f"copy-{name}"), return_clone=True)
        copied.set_model_best(predictor.model_best)
        names = self.timed(
            name, lambda: copied.distill(hyperparameters=only, augment_args=dict(AUGMENT))
        )
        self.answer(name, copied, names[0])

    def timed(self, name: str, work: Callable[[], Any]) -> Any:
        # what it draws comes from the global generator alone
        np.random.seed(self.request["seed"])  # noqa: NPY002
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        self.found[name] = {
            "seconds": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
        }
        return result

    def answer(self, name: str, predictor: TabularPredictor, model: str) -> None:
        """Save what a model says of the rows of truth, and note its size."""
        rows = self.truth.drop(columns=TARGET)
        if self.request["problem_type"] == "regression":
            said = predictor.predict(rows, model=model)
        else:
            said = predictor.predict_proba(rows, model=model)
            said = said[sorted(said.columns)]
        np.save(self.folder / f"{name}.npy", said.to_numpy(dtype=float))
        self.found[name]["bytes"] = _n_bytes(predictor._trainer.load_model(model).model)


def _n_bytes(model: Any) -> float:
    """Bytes of the text of boosted trees, or of the parameters of a network."""
    if hasattr(model, "model_to_string"):
        return len(model.model_to_string().encode())
    if hasattr(model, "state_dict"):
        return sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
    return float("nan")


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as models:
        side = Side(Path(sys.argv[1]), Path(models))
        side.run()
    print(json.dumps(side.found), flush=True)
