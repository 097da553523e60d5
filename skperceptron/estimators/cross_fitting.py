"""Epochs at which the rows that choose an epoch can be predicted honestly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..engine.arrays import Floats, Integers
from .comparison import parts_of

#: Parts of the validation rows. With more parts, more rows choose the epoch of each, but every
#: evaluation takes longer.
N_PARTS = 5


class CrossFitting:
    """The parameters of the best epoch of one network for each part of its validation rows.

    The epoch that is best on all rows flatters the network's predictions for these rows: new rows
    would have lower scores (Varma & Simon 2006). So each part has an epoch that is best on all
    others.

    Parameters
    ----------
    n_rows : int
        Number of validation rows.
    prefers_latest : bool
        Whether the last of several equally good epochs counts as the best.
    """

    def __init__(self, n_rows: int, prefers_latest: bool) -> None:
        self._n_rows, self._prefers_latest = n_rows, prefers_latest
        self._best_scores = np.full(N_PARTS, -np.inf)
        self._best: list[Floats | None] = [None] * N_PARTS

    def see(self, scores: Floats, parameters: Floats) -> None:
        """Consider an epoch: the score without each part, and the parameters, (P,)."""
        is_better = scores > self._best_scores
        if self._prefers_latest:
            is_better |= np.isfinite(scores) & (scores == self._best_scores)
        if not is_better.any():
            return
        self._best_scores[is_better] = scores[is_better]
        kept = parameters.copy()
        for part in np.flatnonzero(is_better):
            self._best[part] = kept

    def chosen(self) -> Iterator[tuple[Integers, Floats]]:
        """Yield rows, and the parameters that are to predict them.

        Parts for which no epoch has had a finite score are left out.
        """
        rows = np.arange(self._n_rows)
        for part, best in zip(parts_of(self._n_rows, N_PARTS), self._best, strict=True):
            if best is not None and len(rows[part]):
                yield rows[part], best
