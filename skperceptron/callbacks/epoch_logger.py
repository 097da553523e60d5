"""A callback that keeps the metrics of each epoch."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from .._sklearn.compat import check_pandas_support
from .base import EpochCallback, figures_of, running_fits


class EpochLogger(EpochCallback):
    """Keep the metrics of each epoch.

    Fits in several threads may share a logger: ``fit`` says which rows belong together.

    Attributes
    ----------
    rows_ : list of dict
        One per epoch: ``fit`` (counted from 1), ``epoch``, ``seconds`` since the fit began,
        and what the estimator reports: ``loss``, ``learning_rate``, ``validation_score``,
        ``validation_loss``, or ``mistakes``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.callbacks import EpochLogger
    >>> logger = EpochLogger()
    >>> network = MLPSoftmaxClassifier((8,), tol=1e-2, callbacks=[logger], random_state=0)
    >>> network = network.fit(*load_iris(return_X_y=True))
    >>> len(logger.rows_) == network.n_iter_
    True
    """

    def setup(self, estimator: Any, context: Any) -> None:
        super().setup(estimator, context)
        # Fits of other threads may begin at the same moment: ``setdefault`` and ``append`` cannot
        # be interrupted.
        self.rows_: list[dict[str, Any]] = self.__dict__.setdefault("rows_", [])
        #: When each fit began.
        self._begun: list[float] = self.__dict__.setdefault("_begun", [])
        self._begin(estimator)

    def _begin(self, estimator: Any) -> tuple[int, float]:
        """Note a fit; return its number, counted from 1, and when it began."""
        # On Windows, monotonic() moves in steps of 16 ms before Python 3.13.
        began = perf_counter()
        self._begun.append(began)
        # Two fits may begin at equal times, but each has an object of its own.
        number = [one is began for one in self._begun].index(True) + 1
        running_fits(self)[id(estimator)] = number, began
        return number, began

    def _look_at(self, estimator: Any, report: dict[str, Any]) -> bool:
        # A worker process has a copy of the estimator, for which there is no entry.
        number, began = running_fits(self).get(id(estimator)) or self._begin(estimator)
        seconds = perf_counter() - began
        self.rows_.append({"fit": number, **figures_of(report), "seconds": seconds})
        return False

    def to_frame(self) -> Any:
        """Return the rows as a pandas DataFrame.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pandas = check_pandas_support("EpochLogger.to_frame")
        return pandas.DataFrame(self.rows_)
