"""Losses and scores of raw predictions of validation rows.

Networks whose metrics are computed in the same way are evaluated together; a single network is a
group of one. K is the number of networks, n the number of rows of each.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..components import key_of
from ..engine.arrays import Floats, Integers
from ..training import TargetRows
from ..training.validating import ValidationMetrics
from .targets import Target
from .targets.metrics import Metric

#: Targets with at most this many numbers are kept in the form that the loss reads (8 MB).
KEPT = 2**20

#: Up to this many rows, lists of those that are not in a part are kept (2 MB for five parts).
MOST_KEPT_ROWS = 2**16


def parts_of(n_rows: int, n_parts: int) -> list[slice]:
    """Divide rows into parts, each with rows of all kinds, even if they are ordered by class."""
    return [slice(part, n_rows, n_parts) for part in range(n_parts)]


@dataclass(frozen=True, eq=False)
class TrueValues:
    """The true values of the validation rows of one network.

    ``y``, (n, ...), is checked, but not encoded; ``weight`` has the shape (n,).
    """

    targets: TargetRows
    y: Any
    weight: Floats | None

    def part(self, rows: Integers | slice) -> TrueValues:
        """Return those of some of the rows."""
        weight = None if self.weight is None else self.weight[rows]
        return TrueValues(self.targets.part(rows), self.y[rows], weight)


@dataclass(frozen=True, eq=False)
class _Truth:
    """What raw predictions are compared with.

    ``targets``, (K, n, T), are as the loss reads them; ``of_metric``, (K, n, ...), as the metric
    does, if there is one. Weights are (K, n).
    """

    targets: Floats
    of_metric: Any
    weight: Floats | None

    @classmethod
    def of(cls, members: Sequence[TrueValues], metric: Metric | None, dtype: np.dtype) -> _Truth:
        """Return the true values of all members."""
        targets = np.stack([rows.targets.of_rows() for rows in members])
        of_metric = None
        if metric is not None:
            of_metric = np.stack([metric.truth(rows.targets, rows.y) for rows in members])
        return cls(np.ascontiguousarray(targets, dtype=dtype), of_metric, _weights(members))

    @property
    def totals(self) -> Floats:
        """Total weight of the rows of each network, (K,)."""
        n_networks, n_rows, _ = self.targets.shape
        return (
            np.full(n_networks, float(n_rows)) if self.weight is None else self.weight.sum(axis=1)
        )


class Comparison:
    """Compares raw predictions of K networks with the true values.

    Parameters
    ----------
    target : Target
        Of one of the networks; those of the others have the same ``key_of_metrics``.
    monitor : str or callable
        As in :class:`~skperceptron.stopping.EarlyStopping`.
    members : sequence of TrueValues
        The rows of each network: equally many for all, and with weights for all or for none.
    n_parts : int, default=0
        Number of parts of the rows. Scores without each of them are computed, too.

    Attributes
    ----------
    gives_scores : bool
        Whether raw predictions are enough to compute the score; if not, a scorer is needed.
    """

    def __init__(
        self, target: Target, monitor: Any, members: Sequence[TrueValues], n_parts: int = 0
    ) -> None:
        self._target, self._monitor, self._members = target, monitor, members
        self._n_parts = n_parts
        self._metric = target.metric(monitor)
        self._is_by_loss = monitor == "loss" or (monitor == "score" and target.score_name is None)
        self.gives_scores = self._is_by_loss or self._metric is not None
        self._truth: _Truth | None = None
        self._others: list[Integers] = []

    @property
    def key(self) -> Hashable:
        """A key that is equal for comparisons that can be joined."""
        rows, monitor = self._members[0], self._monitor if self.gives_scores else None
        of_target = self._target.key_of_metrics
        if self._metric is None:
            # Losses do not depend on the units of y, which differ from fold to fold.
            of_target = type(self._target), key_of(self._target.loss)
        return of_target, monitor, rows.targets.n_rows, rows.weight is None, self._n_parts

    def joined(self, others: Sequence[Comparison]) -> Comparison:
        """Return one comparison of the networks of this one and of others with the same key."""
        members = [rows for one in (self, *others) for rows in one._members]
        return Comparison(self._target, self._monitor, members, self._n_parts)

    def evaluate(self, raw: Floats) -> ValidationMetrics:
        """Return the metrics of raw predictions, (K, n, C), which may be overwritten.

        The loss is NaN where a prediction is not finite; the scores then mean nothing.
        """
        return self.evaluate_portions([(slice(0, raw.shape[1]), raw)])

    def evaluate_portions(self, portions: Iterable[tuple[slice, Floats]]) -> ValidationMetrics:
        """Return what ``evaluate`` does, from predictions that are given portion by portion.

        Scores that are negative losses can leave out parts of the rows only if there is a single
        portion.
        """
        means, totals, compared, without = [], [], [], None
        is_finite = np.ones(len(self._members), dtype=bool)
        # An overflow leads to an error later.
        with np.errstate(over="ignore", invalid="ignore"):
            for portion, raw in portions:
                is_finite &= np.isfinite(raw).all(axis=(1, 2))
                if not is_finite.any():
                    return ValidationMetrics(np.full(len(is_finite), np.nan))
                raw[~is_finite] = 0
                truth = self._truth_of(portion, raw.dtype)
                if self._n_parts and self._is_by_loss:
                    means_of = self._target.loss.means
                    without = -self._without_parts(means_of, raw, truth.targets, truth.weight)
                if truth.totals.all():
                    means.append(self._target.loss.means(raw, truth.targets, truth.weight))
                    totals.append(truth.totals)
                if self._metric is not None:
                    compared.append(self._metric.compared(raw, truth.of_metric))
            losses = means[0] if len(means) == 1 else np.average(means, axis=0, weights=totals)
            losses = np.where(is_finite, losses, np.nan)
            if self._metric is None:
                return ValidationMetrics(losses, -losses if self._is_by_loss else None, without)
            whole = compared[0] if len(compared) == 1 else np.concatenate(compared, axis=1)
            score, weight = self._metric.score, _weights(self._members)
            if self._n_parts:
                without = self._without_parts(score, whole, weight)
            return ValidationMetrics(losses, score(whole, weight), without)

    def _without_parts(self, score: Callable[..., Floats], *arrays: Floats | None) -> Floats:
        """Return scores of all rows but those of each part, (K, n_parts), from (K, n, ...)."""
        # Unlike indexing, this gives contiguous arrays, which losses need.
        found = [
            score(*(None if one is None else np.take(one, others, axis=1) for one in arrays))
            for others in self._rows_without_parts()
        ]
        return np.stack(found, axis=1)

    def _rows_without_parts(self) -> Iterable[Integers]:
        """Return the positions of all rows but those of each part; few rows are kept."""
        if self._others:
            return self._others
        n_rows = self._members[0].targets.n_rows
        rows = np.arange(n_rows)
        found = (np.delete(rows, part) for part in parts_of(n_rows, self._n_parts))
        if n_rows > MOST_KEPT_ROWS:
            return found
        self._others = list(found)
        return self._others

    def _truth_of(self, part: slice, dtype: np.dtype) -> _Truth:
        """Return what the predictions of some rows are compared with."""
        if self._truth is not None:
            return self._truth
        n_rows = self._members[0].targets.n_rows
        is_all = part.start == 0 and part.stop >= n_rows
        members = self._members if is_all else [rows.part(part) for rows in self._members]
        truth = _Truth.of(members, self._metric, dtype)
        if is_all and truth.targets.size <= KEPT:
            # Each epoch needs them.
            self._truth = truth
        return truth


def _weights(members: Sequence[TrueValues]) -> Floats | None:
    """Return the weights of all members' rows, (K, n)."""
    weights = [rows.weight for rows in members if rows.weight is not None]
    return np.stack(weights) if weights else None
