"""Score and loss on rows that a network is not trained on."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import check_scoring

from ..engine.arrays import Floats, Integers
from ..engine.prediction import predict_raw
from ..losses import Loss
from ..training import Targets, TrainingSet

if TYPE_CHECKING:
    from .base import BaseMultilayerPerceptron


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
        self._X, self._rows = data.X, rows
        self._y = y[rows]
        self._weight = None if sample_weight is None else sample_weight[rows]
        table, codes = data.targets.table, data.targets.codes
        self._targets = Targets(table[rows] if codes is None else table, _part(codes, rows))
        self._scorer = None if monitor in ("score", "loss") else check_scoring(estimator, monitor)

    def __call__(self, parameters: Floats) -> tuple[float, float]:
        """Return score and loss; NaN where a prediction is not finite."""
        network = self._estimator._network
        raw = predict_raw(network, network.views(parameters[np.newaxis]), self._X, self._rows)
        if not np.isfinite(raw).all():
            return np.nan, np.nan
        y = np.ascontiguousarray(self._targets.of_rows(), dtype=raw.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            loss = self._loss.mean(raw, y, self._weight)
        if self._monitor == "loss":
            return -loss, loss
        if self._scorer is None:
            return self._estimator._score_raw(raw, self._y, self._weight), loss
        return self._score(self._scorer, parameters), loss

    def _score(self, scorer: Callable[..., float], parameters: Floats) -> float:
        fitted = copy(self._estimator)
        fitted._store_parameters(parameters)
        options = {} if self._weight is None else {"sample_weight": self._weight}
        return float(scorer(fitted, self._X[self._rows], self._y, **options))


def _part(codes: Integers | None, rows: Integers) -> Integers | None:
    return None if codes is None else codes[rows]
