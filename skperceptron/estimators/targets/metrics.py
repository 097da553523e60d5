"""Scores that are computed from raw predictions while a network is trained.

They stand for scikit-learn's scorers of the same names, which would predict the rows again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...engine.arrays import Floats, Integers

__all__ = [
    "Metric",
    "brier_score",
    "brier_terms",
    "clipped_to_precision",
    "log_loss",
    "root_mean_squared_error",
]


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
    given = clipped_to_precision(probabilities[np.arange(len(codes)), codes])
    return float(np.average(-np.log(given), weights=sample_weight))


def clipped_to_precision(probabilities: Floats) -> Floats:
    """Return probabilities in float64, those of 0 and 1 off by what their own dtype can tell."""
    limit = np.finfo(probabilities.dtype).eps
    return np.clip(probabilities.astype(np.float64), limit, 1 - limit)


def brier_score(probabilities: Floats, codes: Integers, sample_weight: Floats | None) -> float:
    """Return the mean squared distance of probabilities, (N, C), from certainty (Brier 1950)."""
    distances = probabilities.astype(np.float64)
    distances[np.arange(len(codes)), codes] -= 1
    return float(np.average(brier_terms(distances), weights=sample_weight))


def brier_terms(distances: Floats) -> Floats:
    """Return the squared length of each row of distances, (N, C), in float64.

    As in scikit-learn, that of two classes is halved, so that it is at most 1.
    """
    squares = np.einsum("nc,nc->n", distances, distances)
    return squares / 2 if distances.shape[1] == 2 else squares


def root_mean_squared_error(predicted: Floats, y: Floats, sample_weight: Floats | None) -> float:
    """Return the root of the mean squared error, averaged over the columns of y, (N, T)."""
    errors = predicted.reshape(len(predicted), -1).astype(np.float64) - y.reshape(len(y), -1)
    largest = np.abs(errors).max()
    if not 0 < largest < np.inf:
        return float(largest)
    # Squares of the largest errors overflow, those of the smallest vanish.
    means = np.average((errors / largest) ** 2, axis=0, weights=sample_weight)
    return float(largest * np.sqrt(means).mean())
