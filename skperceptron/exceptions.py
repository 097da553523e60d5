"""Errors that estimators raise, all of which are ``ValueError``, and a warning."""

from __future__ import annotations

from .engine.operators import NotDeclaredError
from .kept import offered_by as _offered_by
from .options import InvalidOption

__all__ = [
    "DivergedError",
    "InconsistentVersionWarning",
    "InvalidOption",
    "NotDeclaredError",
    "TooLargeError",
]


class DivergedError(ValueError):
    """Training has diverged: the loss, weights or predictions are no longer finite.

    The results of an earlier fit are kept.

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


class TooLargeError(ValueError, MemoryError):
    """The arrays that are needed would be far too large: nothing is allocated.

    Examples
    --------
    >>> import numpy as np
    >>> from skperceptron import MLPRegressor
    >>> from skperceptron.exceptions import TooLargeError
    >>> X, y = np.zeros((2, 1)), np.array([0, 10**9])
    >>> try:
    ...     MLPRegressor(output="categorical").fit(X, y)
    ... except TooLargeError:
    ...     print("Use output='continuous'.")
    Use output='continuous'.
    """


class InconsistentVersionWarning(UserWarning):
    """An estimator has been stored by another version of this package than the one that loads it.

    scikit-learn warns of its own versions with a class of the same name.

    Examples
    --------
    >>> import pickle, warnings
    >>> from skperceptron import MLPRegressor
    >>> from skperceptron.exceptions import InconsistentVersionWarning
    >>> stored = pickle.dumps(MLPRegressor())
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", InconsistentVersionWarning)
    ...     pickle.loads(stored)
    MLPRegressor()
    """


_offered_by(__name__)
