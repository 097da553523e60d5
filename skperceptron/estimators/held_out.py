"""Score and loss on rows that a network is not trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from sklearn.metrics import check_scoring

from ..engine.arrays import Floats, Integers
from ..engine.prediction import predict_raw
from ..losses import Loss
from ..training import TrainingSet

if TYPE_CHECKING:
    from .base import BaseMultilayerPerceptron

#: Predictions of more outputs than these are made part by part, so many numbers at a time (8 MB).
FEW_OUTPUTS = 64
HELD = 2**20


class Validation:
    """Score and loss of one network on validation rows, for parameters that come and go.

    Parameters
    ----------
    estimator : BaseMultilayerPerceptron
        Being fitted.
    loss : Loss
    monitor : str or callable
        As in :class:`~skperceptron.stopping.EarlyStopping`.
    data : TrainingSet
        Holds the validation rows.
    rows : ndarray of int
        Their positions.
    y : ndarray
        The user's targets of the data set.
    sample_weight : ndarray or None
        Weights of the data set.
    """

    def __init__(
        self,
        estimator: BaseMultilayerPerceptron,
        loss: Loss,
        monitor: str | Callable[..., float],
        data: TrainingSet,
        rows: Integers,
        y: Any,
        sample_weight: Floats | None,
    ) -> None:
        self._estimator = estimator
        self._loss = loss
        self._monitor = monitor
        self._X, self._rows = data.inputs, rows
        self._y = y[rows]
        self._weight = None if sample_weight is None else sample_weight[rows]
        self._targets = data.targets.part(rows)
        self._scorer = None if monitor in ("score", "loss") else check_scoring(estimator, monitor)

    def __call__(self, parameters: Floats) -> tuple[float, float]:
        """Return score and loss; NaN where a prediction is not finite."""
        network, estimator = self._estimator._network, self._estimator
        learned = network.views(parameters[np.newaxis])
        means, totals, judged = [], [], []
        for part in self._parts(network.n_outputs):
            raw = predict_raw(network, learned, self._X, self._rows[part])
            if not np.isfinite(raw).all():
                return np.nan, np.nan
            weight = None if self._weight is None else self._weight[part]
            total = float(len(raw) if weight is None else weight.sum())
            if total:
                y = np.ascontiguousarray(self._targets.part(part).of_rows(), dtype=raw.dtype)
                with np.errstate(over="ignore", invalid="ignore"):
                    means.append(self._loss.mean(raw, y, weight))
                totals.append(total)
            if self._monitor == "score":
                judged.append(estimator._judged(raw))
        loss = means[0] if len(means) == 1 else float(np.average(means, weights=totals))
        if self._monitor == "loss":
            return -loss, loss
        if self._scorer is None:
            return estimator._score_judged(_joined(judged), self._y, self._weight), loss
        return self._score(self._scorer, parameters), loss

    def _parts(self, n_outputs: int) -> Iterator[slice]:
        """Cut the rows such that predictions of a part are not many."""
        size = max(1, HELD // n_outputs) if n_outputs > FEW_OUTPUTS else max(1, len(self._rows))
        for start in range(0, len(self._rows), size):
            yield slice(start, start + size)

    def _score(self, scorer: Callable[..., float], parameters: Floats) -> float:
        fitted = copy(self._estimator)
        fitted._store_parameters(parameters)
        options = {} if self._weight is None else {"sample_weight": self._weight}
        return float(scorer(fitted, self._X[self._rows], self._y, **options))


def _joined(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    if sparse.issparse(parts[0]):
        return sparse.vstack(parts, format="csr")
    return np.concatenate(parts)
