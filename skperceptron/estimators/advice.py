"""Advice for training that has ended at a limit, from the loss curve and from X."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from ..engine.arrays import Booleans, Floats
from ..engine.memory_mapped import pages_of
from .categories import embedded_columns

#: Epochs over which the fall of the loss is measured.
EPOCHS = 10

#: Numbers of X that are read, once for each warning: 2 ms.
NUMBERS = 10**6

#: Numbers of X and X_val that are read in each fit with validation data: 0.5 ms.
FEW_NUMBERS = 10**5

#: If most features of the validation rows lie more standard deviations than this from those of X,
#: only one of the two has been scaled.
FAR = 5.0

#: The same for a single feature.
VERY_FAR = 100.0

#: Least number of rows whose standard deviation is meaningful.
SOME_ROWS = 10

#: Root mean squares of features with which the default network trains well. Accuracy over five
#: folds of ``load_breast_cancer``, 100 epochs, standardized features times 0.01, 0.03, 0.1, 1, 10,
#: 30, 100: 0.90, 0.95, 0.98, 0.98, 0.98, 0.97, 0.96. Rows of a sparse matrix are often normalized
#: to length 1, so that its numbers are small for a good reason.
TINY, LARGE = 0.1, 10.0

#: A loss that rises in a larger share of the epochs oscillates: the steps are too large.
OFTEN = 1 / 3


class NamedRows(NamedTuple):
    """What a network was trained on.

    Attributes
    ----------
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
    names : array-like of str or None
        Names of the features.
    codes : tuple of int
        Positions of features that hold codes of categories, which have no scale.
    """

    X: Any
    names: Any = None
    codes: tuple[int, ...] = ()

    @classmethod
    def of(cls, estimator: Any, X: Any) -> NamedRows:
        """Return the data that an estimator has checked, with the names of its features."""
        names = getattr(estimator, "feature_names_in_", None)
        return cls(X, names, embedded_columns(estimator._categories))

    def label(self, position: int) -> str:
        """Return the name of a feature in messages."""
        return f"number {position}" if self.names is None else repr(str(self.names[position]))


def advice(losses: Sequence[float], data: NamedRows, limit: str, *, has_rate: bool) -> str:
    """Return sentences on what to change: one on the loss, one on X where it is not scaled.

    ``losses`` are those of the epochs, ``limit`` is the parameter that has ended the training, and
    ``has_rate`` says whether there is a learning rate to change.
    """
    return " ".join(filter(None, (_about_loss(losses, limit, has_rate), about_scale(data))))


def _about_loss(losses: Sequence[float], limit: str, has_rate: bool) -> str:
    recent = np.asarray(losses[-EPOCHS - 1 :], dtype=float)
    if len(recent) < 2:
        return f"Raise {limit}."
    n_epochs = len(recent) - 1
    unit = "epoch" if has_rate else "iteration"
    over = f"{n_epochs} {unit}s" if n_epochs > 1 else unit
    if recent[-1] >= recent[0]:
        first = "lower learning_rate_init, or " if has_rate else ""
        return (
            f"The loss has not fallen in the last {over}: {first}end with a larger tol; a"
            f" larger {limit} will hardly help."
        )
    text = f"The loss was still falling by {_fall(recent)} per {unit} (last {over})"
    if not has_rate:
        return f"{text}: raise {limit}."
    n_rises = np.count_nonzero(np.diff(recent) > 0)
    if OFTEN * n_epochs < n_rises:
        return f"{text}, but often rising: raise {limit}, and lower learning_rate_init."
    return f"{text}: raise {limit}, or learning_rate_init for larger steps."


def _fall(losses: Floats) -> str:
    """Return the mean fall from one loss to the next."""
    n_epochs = len(losses) - 1
    if losses[-1] > 0:
        return f"{100 * (1 - (losses[-1] / losses[0]) ** (1 / n_epochs)):.2g} %"
    # The logarithm of a density may have either sign: a percentage would mean nothing.
    return f"{(losses[0] - losses[-1]) / n_epochs:.2g}"


def about_scale(data: NamedRows) -> str:
    """Return a sentence if features of X are plainly not scaled, else ""."""
    sizes = root_mean_squares(some_rows(data.X, NUMBERS))
    sizes[list(data.codes)] = 0
    largest = int(sizes.argmax())
    is_sparse = sparse.issparse(data.X)
    scaler = "MaxAbsScaler" if is_sparse else "StandardScaler"
    if sizes[largest] > LARGE:
        found = f"feature {data.label(largest)} has a root mean square of {sizes[largest]:.2g}"
    elif 0 < sizes[largest] < TINY and not is_sparse:
        found = f"no feature has a root mean square above {sizes[largest]:.2g}"
    else:
        return ""
    return f"X is not scaled: {found}. Put a {scaler} before the network."


def about_validation_scale(data: NamedRows, X_val: Any) -> str:
    """Return a sentence if features of validation rows plainly have another scale, else "".

    This is the case if most features have another scale, or if that of one is far off.

    A feature has another scale if its numbers lie far from those of X, or much closer together, in
    standard deviations of X, and if its largest number differs, too. The second condition is for
    rare categories, coded as 0 and 1, which may be common or absent in few rows. A single feature
    must lie far away in several rows: a pixel at the border of images may have a value in one row
    of X_val, and hardly any in X.
    """
    ours, theirs = _Scale.of(data.X), _Scale.of(X_val)
    is_known = (ours.deviation > 0) & (theirs.deviation > 0)
    is_known[list(data.codes)] = False
    if not is_known.any():
        return ""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        away = np.hypot(theirs.deviation, theirs.mean - ours.mean) / ours.deviation
        back = np.hypot(ours.deviation, theirs.mean - ours.mean) / theirs.deviation
        larger = theirs.largest / ours.largest
        ratio = np.abs(np.log(larger))
    is_other = (away > FAR) & ((larger > 2) | (larger < 1 / FAR))
    is_other |= (away < 1 / FAR) & (larger < 1 / FAR)
    is_other &= is_known
    is_beyond = is_known & (away > VERY_FAR) & (larger > FAR)
    is_beyond[is_beyond] = theirs.lie_far_from(ours, is_beyond)
    if X_val.shape[0] >= SOME_ROWS:
        # The same with both exchanged; a few rows may be alike by chance.
        is_before = is_known & (back > VERY_FAR) & (larger < 1 / FAR)
        is_beyond[is_before] = ours.lie_far_from(theirs, is_before)
    if 2 * is_other.sum() <= is_known.sum() and not is_beyond.any():
        return ""
    is_other |= is_beyond
    worst = int(np.where(is_other, ratio, -1).argmax())
    return (
        f"X_val has another scale than X in {is_other.sum()} of {len(is_known)} features: feature"
        f" {data.label(worst)} is {theirs.mean[worst]:.3g} on average there, with a standard"
        f" deviation of {theirs.deviation[worst]:.2g}, but {ours.mean[worst]:.3g} and"
        f" {ours.deviation[worst]:.2g} in X. A pipeline does not transform X_val by itself: use"
        " Pipeline(..., transform_input=['X_val']) with metadata routing, or transform X_val first."
    )


class _Scale(NamedTuple):
    """Location and spread of each feature; in a sparse matrix, of the stored numbers."""

    rows: Any
    mean: Floats
    deviation: Floats
    largest: Floats

    def lie_far_from(self, other: _Scale, features: Booleans) -> Booleans:
        """Tell for some features whether several rows, or half of few, lie far from others."""
        chosen = self.rows[:, np.flatnonzero(features)]
        if sparse.issparse(chosen):
            chosen = chosen.toarray()
        with np.errstate(over="ignore"):
            away = np.abs(chosen - other.mean[features]) > VERY_FAR * other.deviation[features]
        return np.count_nonzero(away, axis=0) >= min(SOME_ROWS, len(chosen) / 2)

    @classmethod
    def of(cls, X: Any) -> _Scale:
        rows = some_rows(X, FEW_NUMBERS)
        with np.errstate(over="ignore", invalid="ignore"):
            if not sparse.issparse(rows):
                rows = np.asarray(rows, dtype=np.float64)
                largest, deviation = np.abs(rows).max(axis=0), rows.std(axis=0)
                # The deviation of a constant feature is nothing but rounding.
                is_constant = deviation <= 1e-12 * largest
                return cls(rows, rows.mean(axis=0), np.where(is_constant, 0, deviation), largest)
            size = root_mean_squares(rows)
            largest = np.asarray(abs(rows).max(axis=0).todense(), dtype=np.float64).ravel()
            # The mean of the stored numbers says little.
            return cls(rows, np.zeros(len(size)), size, largest)


def some_rows(X: Any, n_numbers: int) -> Any:
    """Return evenly spaced rows of X that hold about ``n_numbers`` numbers at most."""
    n_rows, n_features = X.shape
    step = max(1, n_rows * n_features // n_numbers)
    pages = pages_of(X)
    if pages is not None:
        return pages.rows_of(X, np.arange(0, n_rows, step))
    return X[::step] if sparse.issparse(X) or step > 1 else X


def root_mean_squares(rows: Any) -> Floats:
    """Return the root mean square of each feature of rows, (n, D), in float64, (D,).

    That of ones and zeros is at most 1. In a sparse matrix, only the stored numbers count.
    """
    with np.errstate(over="ignore"):
        if not sparse.issparse(rows):
            squares = np.einsum("ij,ij->j", rows, rows, dtype=np.float64) / len(rows)
        else:
            rows = rows.tocsc()
            stored = np.diff(rows.indptr)
            squared = rows.copy()
            squared.data = np.square(rows.data, dtype=np.float64)
            sums = np.asarray(squared.sum(axis=0)).ravel()
            squares = sums / np.maximum(stored, 1)
        return np.sqrt(squares)
