"""The tabular regressor in torch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from stackens._core._task import infer_task
from stackens.neural._base import TorchMLP
from stackens.neural._table import TargetRows

__all__ = ["TorchMLPRegressor"]


class TorchMLPRegressor(RegressorMixin, TorchMLP):
    """A neural network for tables in torch: a regressor that works in its default settings.

    It takes tables as they are, with text, categories, dates, missing values and, at predict
    time, levels never seen. It is a base model, an ingredient for averages of weights, and a
    student.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(256,)
        Units of each hidden layer; an empty sequence gives a model that is linear in the bins.
    activation : {"elu", "gelu", "mish", "relu", "selu", "silu", "tanh"}, default="relu"
        What follows each hidden layer.
    n_bins : int, default=16
        Bins of each number, of about as many rows each. Beside itself, a number enters as how far
        it is through each bin, so that steps and bends are easily learnt. 0 means none.
    categories : {"auto", "one_hot", "embedding"}, default="auto"
        What categories become: a column for each level, of which the 50 most frequent stay, or
        a learnt vector of 8 numbers for each of up to 255 levels. "auto" learns vectors where a
        column has more than 50 levels.
    dropout : float, default=0.0
        Share of the hidden features that are left out, at random, in each step.
    learning_rate : float, default=3e-3
        Largest step of AdamW.
    weight_decay : float or "auto", default="auto"
        Decoupled decay of the weight matrices. "auto" is 1000 over the number of rows, 3 at most.
    schedule : {"one_cycle", "constant"}, default="one_cycle"
        How the learning rate goes over `max_iter` epochs: up in the first 30% and then down to
        nothing, or always the same.
    batch_size : int or "auto", default="auto"
        Rows in a step. "auto" makes about ten steps an epoch, of 16 to 256 rows, and batches of
        up to 1024 from 50,000 rows on.
    max_iter : int, default=40
        Largest number of epochs, that is of passes over the rows.
    early_stopping : bool or "auto", default="auto"
        Whether rows are set aside, to keep the weights of the epoch that is best on them and to
        stop when they no longer improve. "auto" does so from 100 distinct rows on.
    validation_fraction : float, default=0.15
        Share of the distinct rows that is set aside.
    n_iter_no_change : int, default=16
        Stop after so many epochs without a better validation loss.
    average : {"ema", "swa", "last_n"} or None, default=None
        Average of the weights that takes the place of the last ones: exponential, over about
        the last 100 steps; equal, over the second half of `max_iter` epochs; equal, over the last
        10 epochs.
    warm_start : bool, default=False
        Whether a further `fit` trains on from the weights of the last one. Encoder, bins,
        layers and the scale of y then stay as they are.
    device : str, default="auto"
        Where to train and to predict, as torch calls it, such as "cpu" or "cuda:1". "auto" is a
        CUDA GPU if there is one. The fitted network is kept in the memory of the CPU.
    n_jobs : int or None, default=None
        Threads of torch on the CPU. None means 1, which is often fastest for networks of this
        size; -1 all cores.
    random_state : int, RandomState or None, default=None
        Seed of the first weights, the order of the rows, dropout and the rows set aside. Torch's
        global generators are neither read nor changed.
    verbose : int, default=0
        Above 0 prints a line for each epoch.

    Attributes
    ----------
    module_ : torch.nn.Module
        The trained network, in evaluation mode. It reads what `encoder_` gives, in single
        precision, and returns standardised predictions of shape (n_samples, n_outputs).
    encoder_ : TabularEncoder
        What turns a table into numbers.
    target_mean_ : array of shape (n_outputs,)
        Mean of each target.
    target_scale_ : array of shape (n_outputs,)
        Standard deviation of each target, 1 where it is constant. Predictions are the network's
        outputs times the scale plus the mean.
    n_iter_ : int
        Number of epochs.
    loss_curve_ : list of float
        Mean loss of each epoch on the training rows, in squared standard deviations of y.
    validation_scores_ : list of float
        Minus the loss on the rows set aside after each epoch; empty if there were none.
    n_features_in_ : int
    feature_names_in_ : array of shape (n_features_in_,)

    See Also
    --------
    TorchMLPClassifier : The same for classes.
    WeightAveragedRegressor : One model out of several of these.
    stackens.neural.train : The training loop, for any module and for soft targets.

    Notes
    -----
    The network is a multilayer perceptron trained by AdamW on whole tensors, without a loader of
    data. Equal rows are merged and weighted before anything is drawn: a weight of 2 and a
    repeated row, or a weight of 0 and no row, give the same bits, and the order of the rows means
    nothing. Predictions are computed in double precision, so that they do not depend on
    which rows are asked together.

    References
    ----------
    Gorishniy, Rubachev & Babenko (2022), "On Embeddings for Numerical Features in Tabular Deep
    Learning", arXiv:2203.05556, for the bins.

    Holzmüller, Grinsztajn & Steinwart (2024), "Better by Default: Strong Pre-Tuned MLPs and
    Boosted Trees on Tabular Data", arXiv:2407.04491.

    Loshchilov & Hutter (2019), "Decoupled Weight Decay Regularization", arXiv:1711.05101.

    Smith & Topin (2018), "Super-Convergence", arXiv:1708.07120, for the schedule.

    Izmailov et al. (2018), "Averaging Weights Leads to Wider Optima and Better Generalization",
    arXiv:1803.05407, for ``average="swa"``.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from stackens import TorchMLPRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = TorchMLPRegressor(random_state=0).fit(X[:300], y[:300])
    >>> bool(model.score(X[300:], y[300:]) > 0.4)
    True
    >>> model.predict(X[:2]).shape
    (2,)
    """

    target_mean_: np.ndarray
    target_scale_: np.ndarray

    def _numbers(self, y: Any, *, going_on: bool) -> np.ndarray:
        task, y = infer_task(y, classification=False)
        if not going_on:
            self._y_ndim = task.y_ndim
        elif task.n_outputs != self._n_outputs:
            raise ValueError(
                f"With warm_start=True, y must have {self._n_outputs} column(s) as in the first "
                f"fit. Got {task.n_outputs}. Set warm_start=False to begin anew."
            )
        return task.encode(y)

    def _targets(self, rows: TargetRows, *, going_on: bool) -> TargetRows:
        if not going_on:
            self.target_mean_ = np.average(rows.target, axis=0, weights=rows.weights)
            deviations = rows.target - self.target_mean_
            # in units of the largest, as squares of huge or tiny numbers are no numbers
            largest = np.abs(deviations).max(axis=0)
            squares = (deviations / np.where(largest == 0, 1.0, largest)) ** 2
            scale = largest * np.sqrt(np.average(squares, axis=0, weights=rows.weights))
            # the deviation of a constant may be a rounding error
            constant = (np.ptp(rows.target, axis=0) == 0) | (scale == 0)
            self.target_scale_ = np.where(constant, 1.0, scale)
        return replace(rows, target=(rows.target - self.target_mean_) / self.target_scale_)

    @property
    def _n_outputs(self) -> int:
        return len(self.target_mean_)

    def predict(self, X: Any) -> np.ndarray:
        """Predict numbers.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_outputs)
        """
        values = self._outputs(X) * self.target_scale_ + self.target_mean_
        return values if self._y_ndim == 2 else values[:, 0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
