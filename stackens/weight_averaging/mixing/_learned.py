"""What learning to mix gives: the model, its weights, and how the learning went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stackens._core._html import html_of
from stackens.displays import WeightBarsDisplay
from stackens.weight_averaging._evaluation import Score

__all__ = ["LearnedMixing", "scores_frame"]


@dataclass(frozen=True, eq=False, repr=False)
class LearnedMixing:
    """Networks of one architecture mixed with learnt weights.

    Parameters
    ----------
    model : object
        The mixture: the same kind of thing as the models, ready to predict.
    weights : array of shape (n_groups, n_models)
        The weight of each model in each group of tensors.
    bias : array of shape (n_groups,)
        What is added to every number of a group; zeros unless asked for.
    groups : dict of str -> list of str
        The tensors of each group.
    names : sequence of str
        What the models are called.
    loss : float
        Loss on the held-out rows; where weights were searched by a score, that score, with the
        other sign if the greater was the better.
    start_loss : float
        The same at the start, the best of equal weights, each model alone and the greedy soup.
    history : list of dict
        One for each epoch: ``epoch``, ``train_loss``, ``validation_loss``.
    scores : DataFrame
        ``loss`` as above, and ``se``, its standard error over the held-out batches, or over rows
        where weights were searched by a score for each row; NaN where there is but one. A row for
        each model alone, equal weights and the greedy soup, or for the ``start`` that was given;
        and the last for the mixture that was ``learnt``.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens import weight_averaging as wa
    >>> low, high = {"w": np.array([1.0])}, {"w": np.array([5.0])}
    >>> mix = wa.learn_mixing([low, high], evaluate=lambda model: -abs(model["w"].item() - 2))
    >>> mix
    <LearnedMixing of model 0, model 1: 1 group, loss ..., at the start 1>
    >>> mix.model["w"].round(2), mix.weights.round(2)
    (array([2.]), array([[0.75, 0.25]]))
    >>> round(mix.loss, 2), mix.start_loss
    (0.0, 1.0)
    """

    model: Any
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    groups: Mapping[str, list[str]]
    names: Sequence[str]
    loss: float
    start_loss: float
    history: list[dict[str, float]]
    scores: pd.DataFrame

    def __repr__(self) -> str:
        shown = [*self.names[:10], *(["..."] if len(self.names) > 10 else [])]
        groups = f"{len(self.groups)} group{'s' if len(self.groups) != 1 else ''}"
        return (
            f"<LearnedMixing of {', '.join(shown)}: {groups}, loss {self.loss:.4g}, "
            f"at the start {self.start_loss:.4g}>"
        )

    def summary(self) -> str:
        """Return in words what learning gained over the best mixture that it could start from."""
        start = self.scores["loss"].iloc[:-1].idxmin()
        return (
            f"The learnt mixture of {len(self.names)} models has a loss of {self.loss:.4g} on the "
            f"rows held out, the best start ({start}) {self.start_loss:.4g}."
        )

    def _repr_html_(self) -> str:
        return html_of(self.summary(), self.frame())

    def frame(self) -> pd.DataFrame:
        """Return the weights: a row for each group, a column for each model, and the bias."""
        frame = pd.DataFrame(self.weights, pd.Index(self.groups, name="group"), list(self.names))
        return frame.assign(bias=self.bias) if self.bias.any() else frame

    def plot(self, ax: Any = None) -> WeightBarsDisplay:
        """Draw the weights of each group as a bar of parts.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a new figure, ``figure_`` of the result.

        Returns
        -------
        WeightBarsDisplay
        """
        frame = self.frame()[list(self.names)]
        return WeightBarsDisplay(frame, y_label="tensors mixed together").plot(ax)


def scores_frame(scores: Sequence[tuple[str, Score]]) -> pd.DataFrame:
    """Return minus the scores, and their standard errors, by name."""
    return pd.DataFrame(
        {
            "loss": [-score.mean for _, score in scores],
            "se": [score.se for _, score in scores],
        },
        pd.Index([name for name, _ in scores], name="mixture"),
    )
