"""Checks and guards that all estimators share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from ._compat import convert_sample_weight
from .engine.arrays import Floats


def check_sample_weight(sample_weight: Any, X: Any) -> Floats:
    """Return the weights of the rows of X as a float64 array.

    Parameters
    ----------
    sample_weight : float or array-like of shape (n_samples,)
    X : {array-like, sparse matrix} of shape (n_samples, n_features)

    Returns
    -------
    ndarray of shape (n_samples,), float64

    Raises
    ------
    ValueError
        If a weight is negative, NaN or infinite, if the shape is wrong, or if all are zero.
    """
    weights = convert_sample_weight(sample_weight, X, dtype=np.float64)
    if (weights < 0).any():
        raise ValueError("Negative values in data passed to `sample_weight`.")
    if not weights.any():
        raise ValueError("All values of `sample_weight` are zero: at least one must be positive.")
    return weights


@contextmanager
def restored_on_failure(estimator: BaseEstimator) -> Iterator[None]:
    """Give an estimator its earlier attributes back if the body fails.

    The body must replace attributes, not change them in place.
    """
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
