"""Epochs at which validation rows are predicted: each row at one that other rows have chosen."""

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
    others; the latest one, if no epoch has had a finite score on them.

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
        self._best: list[Floats] = [np.empty(0)] * N_PARTS

    def see(self, scores: Floats | None, parameters: Floats) -> None:
        """Consider an epoch: the score without each part, if known, and the parameters, (P,)."""
        if scores is None:
            scores = np.full(N_PARTS, np.nan)
        is_better = (scores > self._best_scores) | ~np.isfinite(self._best_scores)
        if self._prefers_latest:
            is_better |= scores == self._best_scores
        if not is_better.any():
            return
        self._best_scores[is_better] = np.where(np.isfinite(scores), scores, -np.inf)[is_better]
        kept = parameters.copy()
        for part in np.flatnonzero(is_better):
            self._best[part] = kept

    def chosen(self) -> Iterator[tuple[Integers, Floats]]:
        """Yield the parameters of each chosen epoch once, after the rows that they predict."""
        rows = np.arange(self._n_rows)
        parts = parts_of(self._n_rows, N_PARTS)
        for parameters in {id(best): best for best in self._best if len(best)}.values():
            pairs = zip(parts, self._best, strict=True)
            places = np.concatenate([rows[part] for part, best in pairs if best is parameters])
            if len(places):
                yield places, parameters
