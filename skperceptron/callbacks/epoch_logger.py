"""A callback that keeps the figures of each epoch."""

from __future__ import annotations

from time import monotonic
from typing import Any

from .._sklearn.compat import check_pandas_support
from .base import Callback


class EpochLogger(Callback):
    """Keep the figures of each epoch.

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
    >>> network = MLPSoftmaxClassifier((8,), max_iter=300, callbacks=[logger], random_state=0)
    >>> network = network.fit(*load_iris(return_X_y=True))
    >>> len(logger.rows_) == network.n_iter_
    True
    """

    def setup(self, estimator: Any, context: Any) -> None:
        super().setup(estimator, context)
        self._fits = getattr(self, "_fits", 0) + 1
        self._began = monotonic()
        self.rows_: list[dict[str, Any]] = getattr(self, "rows_", [])

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        report = getattr(context, "report", None)
        if report is not None:
            figures = {n: value for n, value in report.items() if n not in ("history", "is_last")}
            seconds = monotonic() - self._began
            self.rows_.append({"fit": self._fits, **figures, "seconds": seconds})
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
