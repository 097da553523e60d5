"""Errors that estimators raise; all of them are ``ValueError``."""

from __future__ import annotations

from .options import InvalidOption

__all__ = ["DivergedError", "InvalidOption"]


class DivergedError(ValueError):
    """Training has left the numbers: the loss, weights or predictions are no longer finite.

    An earlier fit is left as it was.

    Examples
    --------
    >>> import numpy as np
    >>> from skperceptron import MLPRegressor
    >>> from skperceptron.exceptions import DivergedError
    >>> X, y = np.arange(20.0).reshape(10, 2), np.arange(10.0)
    >>> network = MLPRegressor(solver="sgd", learning_rate_init=1e30, random_state=0)
    >>> with np.errstate(all="ignore"):
    ...     try:
    ...         network.fit(X, y)
    ...     except DivergedError:
    ...         print("Scale X, or lower learning_rate_init.")
    Scale X, or lower learning_rate_init.
    """
