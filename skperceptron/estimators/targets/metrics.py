"""Scores that are computed from raw predictions while a network is trained.

They stand for scikit-learn's scorers of the same names, which would predict the rows again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...engine.arrays import Floats, Integers

__all__ = ["Metric", "brier_score", "log_loss", "root_mean_squared_error"]


@dataclass(frozen=True)
class Metric:
    """A score, higher being better.

    Attributes
    ----------
    prepare : callable
        Returns what is scored from some rows' raw predictions, which it may change.
    score : callable
        ``(prepared, y, sample_weight)``, for all rows, to the score.
    """

    prepare: Callable[[Floats], Any]
    score: Callable[[Any, Any, Floats | None], float]


def log_loss(probabilities: Floats, codes: Integers, sample_weight: Floats | None) -> float:
    """Return the mean of ``-log(p)``, p being the probability, (N, C), of a row's class."""
    given = probabilities[np.arange(len(codes)), codes].astype(np.float64)
    limit = np.finfo(probabilities.dtype).eps
    return float(np.average(-np.log(np.clip(given, limit, 1 - limit)), weights=sample_weight))


def brier_score(probabilities: Floats, codes: Integers, sample_weight: Floats | None) -> float:
    """Return the mean squared distance between probabilities, (N, C), and certainty (Brier 1950).

    As in scikit-learn, the distance of two classes is halved, so that it is at most 1.
    """
    distances = probabilities.astype(np.float64)
    distances[np.arange(len(codes)), codes] -= 1
    squares = np.einsum("nc,nc->n", distances, distances)
    if probabilities.shape[1] == 2:
        squares /= 2
    return float(np.average(squares, weights=sample_weight))


def root_mean_squared_error(predicted: Floats, y: Floats, sample_weight: Floats | None) -> float:
    """Return the root of the mean squared error, averaged over the columns of y, (N, T)."""
    errors = predicted.reshape(len(predicted), -1).astype(np.float64) - y.reshape(len(y), -1)
    largest = np.abs(errors).max()
    if not 0 < largest < np.inf:
        return float(largest)
    # Squares of the largest errors overflow, those of the smallest vanish.
    means = np.average((errors / largest) ** 2, axis=0, weights=sample_weight)
    return float(largest * np.sqrt(means).mean())
