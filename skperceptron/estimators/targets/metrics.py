"""Scores that are computed from raw predictions while networks are trained.

They replace scikit-learn's scorers of the same names, which would predict the rows again. Several
networks are scored at once: K is their number, n the number of rows of each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...engine.arrays import Floats, Integers, mean_of_rows
from ...training import TargetRows


def _mean(terms: Floats, sample_weight: Floats | None) -> Floats:
    return np.average(terms, axis=1, weights=sample_weight)


@dataclass(frozen=True)
class Metric:
    """A score, higher being better.

    Attributes
    ----------
    truth : callable
        Maps ``(targets, y)`` of one network's rows, encoded and as given, to what predictions are
        compared with, (n, ...).
    compared : callable
        Maps ``(raw, truth)``, (K, n, C) and (K, n, ...), to what is scored of each row,
        (K, n, ...). May change the raw predictions.
    score : callable
        Maps ``(compared, sample_weight)`` of all rows to the scores, (K,). The default is the mean.
    """

    truth: Callable[[TargetRows, Any], Any]
    compared: Callable[[Floats, Any], Any]
    score: Callable[[Any, Floats | None], Floats] = _mean


def log_terms(probabilities: Floats, codes: Integers) -> Floats:
    """Return ``log(p)`` for each row, where p is the probability, (..., C), of its class."""
    given = np.take_along_axis(probabilities, codes[..., np.newaxis], axis=-1)[..., 0]
    return np.log(clipped_to_precision(given))


def clipped_to_precision(probabilities: Floats) -> Floats:
    """Return probabilities in float64, kept from 0 and 1 by the precision of their own dtype."""
    limit = np.finfo(probabilities.dtype).eps
    return np.clip(probabilities.astype(np.float64), limit, 1 - limit)


def brier_terms(probabilities: Floats, codes: Integers) -> Floats:
    """Return squared distances of probabilities, (..., C), from the true classes (Brier 1950)."""
    distances = probabilities.astype(np.float64)
    places = codes[..., np.newaxis]
    of_class = np.take_along_axis(distances, places, axis=-1)
    np.put_along_axis(distances, places, of_class - 1, axis=-1)
    return squared_distances(distances)


def squared_distances(differences: Floats) -> Floats:
    """Return the squared length of each row of differences, (..., C), in float64.

    As in scikit-learn, that of two classes is halved, so that it is at most 1.
    """
    squares = np.einsum("...c,...c->...", differences, differences)
    return squares / 2 if differences.shape[-1] == 2 else squares


def negative_error(compared: Floats, sample_weight: Floats | None) -> Floats:
    """Return minus the root of the mean squared error, averaged over the columns of y.

    ``compared``, (K, n, T, 2), holds y and predictions side by side; weights are (K, n).
    """
    errors = compared[..., 1] - compared[..., 0]
    largest = np.abs(errors).max(axis=(1, 2))
    is_plain = (largest > 0) & (largest < np.inf)
    # Squares of the largest errors overflow, those of the smallest vanish.
    unit = np.where(is_plain, largest, 1.0)
    means = mean_of_rows((errors / unit[:, np.newaxis, np.newaxis]) ** 2, sample_weight)
    return -np.where(is_plain, largest * np.sqrt(means).mean(axis=1), largest)


def r2(compared: Floats, sample_weight: Floats | None) -> Floats:
    """Return R2, averaged over the columns of y, as ``r2_score`` does; arguments as above.

    R2 compares with the mean of several rows: for a single row, it is NaN.
    """
    if compared.shape[1] < 2:
        return np.full(len(compared), np.nan)
    y, predicted, weight = in_common_units(compared[..., 0], compared[..., 1], sample_weight)
    of_row = 1.0 if weight is None else weight[..., np.newaxis]
    with np.errstate(over="ignore", under="ignore"):
        wrong = (of_row * (y - predicted) ** 2).sum(axis=1)
        spread = (of_row * (y - mean_of_rows(y, weight)[:, np.newaxis]) ** 2).sum(axis=1)
        shares = np.divide(wrong, spread, out=np.ones_like(wrong), where=spread != 0)
        # Where y does not vary, an exact prediction counts as 1, any other as 0.
        columns = np.where((spread == 0) & (wrong == 0), 1.0, 1 - shares)
        return not_infinite(columns.mean(axis=1))


def in_common_units(
    y: Floats, predicted: Floats, weight: Any
) -> tuple[Floats, Floats, Floats | None]:
    """Return arguments with the same R2, in units in which nothing overflows or vanishes.

    Squares of the largest floats overflow, those of the smallest vanish. So y and predictions,
    (..., n, T), are divided by a power of two near the size of y, and weights, (..., n), by one
    near theirs; neither rounds.
    """
    exponent = np.frexp(np.abs(y).max(axis=-2, keepdims=True))[1]
    with np.errstate(over="ignore", under="ignore"):
        # Beyond 1e100 times the size of y, only the exponent of the score would change.
        predicted = np.clip(np.ldexp(predicted, -exponent), -1e100, 1e100)
        y = np.ldexp(y, -exponent)
        if weight is not None:
            largest = np.abs(weight).max(axis=-1, keepdims=True)
            weight = np.ldexp(weight, -np.frexp(largest)[1])
    return y, predicted, weight


def not_infinite(score: Any) -> Any:
    """Return scores, with minus infinity replaced by the lowest float.

    If y hardly varies, the score of bad predictions may overflow.
    """
    return np.maximum(score, -np.finfo(np.float64).max)
