"""A callback that ends training when a metric no longer improves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..options import COUNT, Infinity, Instance, Interval, plain
from .base import EpochCallback, check_monitor

#: Metrics that are better when they are larger.
_SCORES = ("validation_score",)


@dataclass(frozen=True)
class _Read:
    """What has been read so far of the history of a metric, which grows during a fit.

    ``best`` is the least loss so far, or the largest score times -1; ``waited`` counts the epochs
    since the last improvement, and ``latest`` is the last value that was read.
    """

    history: list[float] = field(default_factory=list)
    n_read: int = 0
    best: float = np.inf
    waited: int = 0
    latest: float = np.nan

    def is_of(self, history: list[float]) -> bool:
        """Tell whether this list was read before; it may have grown since."""
        return self.history is history and 0 < self.n_read <= len(history)

    def further(self, rises: bool, tol: float) -> _Read:
        """Read the values that have been added."""
        best, waited, value = self.best, self.waited, self.latest
        for value in self.history[self.n_read :]:
            loss = -value if rises else value
            waited = 0 if loss < best - tol else waited + 1
            best = min(best, loss)
        return _Read(self.history, len(self.history), best, waited, value)


class StopOnPlateau(EpochCallback):
    """End training when a metric has not improved for some epochs (Prechelt 1998).

    Parameters
    ----------
    monitor : str, default="loss"
        A metric that the estimator reports: "loss", "validation_loss",
        "validation_score", or "mistakes". Scores should rise, everything else should fall.
    patience : int, default=10
        Epochs in a row without improvement that are tolerated, >= 1. Epochs that are not validated
        count, but none of them ends training.
    tol : float, default=0.0
        The least change that counts as an improvement, >= 0.
    """

    rules = {
        "monitor": [Instance(str)],
        "patience": [COUNT, Infinity()],
        "tol": [Interval(0, low_closed=True)],
    }
    ends_fits = True
    _read = _Read()

    def __init__(self, monitor: str = "loss", patience: int = 10, tol: float = 0.0) -> None:
        self.monitor = monitor
        self.patience = patience
        self.tol = tol

    def teardown(self, estimator: Any, context: Any) -> None:
        # Another thread may have removed it.
        self.__dict__.pop("_read", None)

    def _look_at(self, estimator: Any, report: dict[str, Any]) -> bool:
        check_monitor(self, report)
        history = report["history"][self.monitor]
        # Another thread, whose fit shares this callback, may replace what has been read.
        read = self._read
        if not read.is_of(history):
            # A resumed fit continues its history. Values before its first epoch belong to earlier
            # fits, which a warm start continues.
            read = _Read(history, max(0, len(history) - report["epoch"]))
        self._read = read = read.further(self.monitor in _SCORES, plain(self.tol))
        # The value is NaN if the epoch was not validated: then nothing is known about improvement.
        return bool(read.waited > self.patience and not np.isnan(read.latest))
