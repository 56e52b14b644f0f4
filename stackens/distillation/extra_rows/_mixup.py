"""Mixup: new rows between two rows drawn at random, most of them near to one of the two."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stackens.distillation.extra_rows._source_table import SourceTable

__all__ = ["mixup"]


def mixup(
    table: SourceTable,
    n_new: int,
    rng: np.random.Generator,
    *,
    alpha: float = 0.4,
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Mix two random rows, in a share drawn from Beta(alpha, alpha).

    Numbers are averaged with that share. Levels, and numbers of which one is missing, come whole
    from one of the two rows, with that share as the probability. Unlike neighbours, two random
    rows are mostly of different classes: such rows tell where the teacher changes its mind.

    Differs from the papers' first one in that the answers are the teacher's, not mixed as well.

    Parameters
    ----------
    table : SourceTable
    n_new : int
    rng : Generator
    alpha : float, default=0.4
        The smaller, the nearer new rows are to real ones; 1 draws shares evenly.

    Yields
    ------
    rows, drawn : for each column, what :meth:`SourceColumn.new` takes

    References
    ----------
    H. Zhang, M. Cisse, Y. N. Dauphin & D. Lopez-Paz (2018), mixup: Beyond empirical risk
    minimization, ICLR, arXiv:1710.09412.
    L. Beyer et al. (2022), Knowledge distillation: A good teacher is patient and consistent, CVPR,
    arXiv:2106.05237, where the teacher labels mixed images.
    """
    if not alpha > 0.0:
        raise ValueError(
            f"The parameter alpha of mixup must be above 0. Got {alpha!r} instead. The default is "
            "0.4."
        )
    one, other = table.draw(n_new, rng), rng.integers(table.n_rows, size=n_new)
    share = rng.beta(alpha, alpha, n_new)
    share = np.maximum(share, 1.0 - share)  # of the first row, which each real row is as often
    for column in table.columns:
        source = np.where(rng.random(n_new) < share, one, other)
        drawn = None
        if column.numbers is not None:
            here, there = column.numbers[one], column.numbers[other]
            drawn = share * here + (1.0 - share) * there
        yield source, drawn
