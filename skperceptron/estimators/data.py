"""Data on its way into training: checked, encoded and weighted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import check_consistent_length

from .._sklearn.checks import check_sample_weight, checked_targets, renaming
from .._sklearn.compat import num_samples
from .._sklearn.fit_calls import FROM_SCRATCH, Extras, FitMode
from ..engine.arrays import Floats, Integers, stored_once
from ..training import TargetRows, TrainingSet
from ..training.data import RemoteRows
from .categories import FoundCategories, check_later_categories, checked_rows, find_columns
from .continuation import Continuation
from .fitted import ALWAYS_KEPT
from .held_out import HeldOut
from .parameters import is_lbfgs
from .splits import SplitCache
from .targets import Target

#: Attributes that the next ``fit`` drops even if it continues from the weights.
_HISTORY = (
    "_shortcut",
    "cluster_report_",
    "loss_curve_",
    "validation_scores_",
    "validation_loss_curve_",
    "best_validation_score_",
)


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows to train on and to validate on; networks with different folds share the data set."""

    train: Integers
    held_out: Integers


@dataclass(frozen=True)
class CheckedData:
    """Checked data.

    Attributes
    ----------
    data : TrainingSet
    target : Target
        Complete, after ``encode``.
    y : ndarray
        Checked, not encoded.
    given : tuple
        X and y as the user gave them.
    sample_weight : ndarray of shape (N,) or None
        As given.
    weight : ndarray of shape (N,) or None
        Weight of each row, class weights included.
    fold : Fold or None
        Which rows are for training and for validation; None if the fit draws them, or takes all.
    splits : SplitCache
        The rows that networks have held out of this data so far.
    """

    data: TrainingSet
    target: Target
    y: Any
    given: tuple[Any, Any]
    sample_weight: Floats | None
    weight: Floats | None
    fold: Fold | None = None
    splits: SplitCache = field(default_factory=SplitCache)

    @cached_property
    def held_out(self) -> HeldOut | None:
        """The validation rows of the fold, one object for all networks."""
        if self.fold is None:
            return None
        return HeldOut(self.data, self.y, self.weight, self.given, self.fold.held_out)


def n_rows_of(X: Any) -> int:
    """Return the number of rows of an X that is not checked yet; 1 if it has none."""
    try:
        return max(1, num_samples(X))
    except TypeError:
        # The check of X says what is wrong.
        return 1


def check_data(estimator: Any, X: Any, y: Any, sample_weight: Any, mode: FitMode) -> CheckedData:
    """Check the data of a fit, store what describes it, and encode the targets.

    Only those parameters of the estimator are read that describe the target, the weights of rows or
    the categories.
    """
    given = X, y
    X, y = estimator._validate_training_data(X, y, reset=not mode.continuing)
    if sparse.issparse(X):
        X = stored_once(X)
    sample_weight = check_sample_weight(sample_weight, X)
    if mode.continuing:
        check_later_categories(estimator, given[0], X)
    else:
        forget(estimator)
        find_columns(estimator, given[0], X)
    target, targets, weight = encoded(estimator, y, sample_weight, mode)
    return CheckedData(TrainingSet(X, targets), target, y, given, sample_weight, weight)


def encoded(
    estimator: Any, y: Any, sample_weight: Floats | None, mode: FitMode
) -> tuple[Target, TargetRows, Floats | None]:
    """Return the target that checked y and the parameters ask for, its rows and their weights."""
    earlier = estimator._fitted.target if mode.continuing else None
    target: Target = estimator._choose_target(y, mode)
    rows = target.encode(y, sample_weight, mode, earlier)
    return target, rows, estimator._weigh(target, rows, sample_weight)


def check_fold(estimator: Any, X: Any, y: Any, sample_weight: Any, fold: Fold) -> CheckedData:
    """Check the data of a fit that trains on some rows and validates on others.

    The result is that of a fit to copies of both parts, passed as X and y, and as X_val and y_val.
    """
    given = X, y
    X, y = estimator._validate_training_data(X, y, reset=True)
    forget(estimator)
    find_columns(estimator, given[0], X, fold.train)
    rows = fold.train, fold.held_out
    weights: list[Floats | None] = [None, None]
    if sample_weight is not None:
        sample_weight = check_sample_weight(sample_weight, X)
        weights = [check_sample_weight(sample_weight[part], part) for part in rows]
    target, train, train_weight = encoded(estimator, y[fold.train], weights[0], FROM_SCRATCH)
    held_out = target.encode_validation(y[fold.held_out])
    places = np.zeros(X.shape[0], dtype=np.intp)
    for part, first in zip(rows, (0, len(fold.train)), strict=True):
        places[part] = np.arange(first, first + len(part))
    weight, held_out_weight = None, estimator._weigh(target, held_out, weights[1])
    if train_weight is not None and held_out_weight is not None:
        weight = np.zeros(X.shape[0])
        weight[fold.train], weight[fold.held_out] = train_weight, held_out_weight
    data = TrainingSet(X, train.followed_by([held_out]).part(places))
    return CheckedData(data, target, y, given, sample_weight, weight, fold)


def check_remote_data(
    estimator: Any,
    sample: Any,
    y: Any,
    sample_weight: Any,
    mode: FitMode,
    find_categories: Callable[[], FoundCategories],
    fetch: Callable[[Integers], Any],
) -> CheckedData:
    """Do what ``check_data`` does if only y and the first rows of X, ``sample``, are at hand.

    ``find_categories`` returns the categories of all rows in the columns to be embedded, and
    ``fetch`` the rows at some positions, in increasing order, checked.
    """
    of_sample = y[: sample.shape[0]]
    X, _ = estimator._validate_training_data(sample, of_sample, reset=not mode.continuing)
    if mode.continuing:
        check_later_categories(estimator, sample, X)
    elif estimator.categorical_features is not None:
        find_categories().remember(estimator)
        # Again, with the codes of the categories of all rows.
        X, _ = estimator._validate_training_data(sample, of_sample, reset=False)
    else:
        FoundCategories(None, {}).remember(estimator)
    given = sample, y
    y = checked_targets(estimator, y)
    sample_weight = check_sample_weight(sample_weight, y)
    if not mode.continuing:
        forget(estimator)
    target, targets, weight = encoded(estimator, y, sample_weight, mode)
    return CheckedData(RemoteRows(X, targets, fetch), target, y, given, sample_weight, weight)


def has_validation_data(extras: Extras, solver: Any) -> bool:
    """Tell whether the user has given validation data; ValueError if it cannot be used."""
    X, y, weight = extras.X_val, extras.y_val, extras.sample_weight_val
    if (X is None) != (y is None):
        raise ValueError("X_val and y_val must be given together.")
    if X is None and weight is not None:
        raise ValueError("sample_weight_val needs X_val and y_val.")
    if X is not None and is_lbfgs(solver):
        raise ValueError(f"X_val and y_val need a stochastic solver, got solver={solver!r}.")
    return X is not None


#: Parameters that need a dense X unless they are None.
NEED_DENSE = ("ensemble_size", "numeric_embedding")


def refuse_sparse_embedding(estimator: Any, X: Any) -> None:
    """Raise ValueError if X is sparse, but the network needs a dense one."""
    for name in NEED_DENSE:
        value = getattr(estimator, name)
        if value is not None and sparse.issparse(X):
            raise ValueError(
                f"{name}={value!r} needs dense X, got a sparse matrix: pass X.toarray(), or use"
                f" {name}=None."
            )


def check_validation_data(estimator: Any, target: Target, extras: Extras) -> HeldOut:
    """Check the user's own validation data; errors name its parameters."""
    with renaming("X", "X_val"):
        X = checked_rows(estimator, extras.X_val)
        refuse_sparse_embedding(estimator, X)
    with renaming("y", "y_val"):
        y = checked_targets(estimator, extras.y_val)
    with renaming("", "X_val and y_val"):
        check_consistent_length(X, y)
    with renaming("sample_weight", "sample_weight_val"):
        weight = check_sample_weight(extras.sample_weight_val, X)
    with renaming("y", "y_val"):
        targets = target.encode_validation(y)
        weight = estimator._weigh(target, targets, weight)
    return HeldOut(TrainingSet(X, targets), y, weight, (extras.X_val, extras.y_val))


def forget(estimator: Any) -> None:
    """Drop the state for continued training, and attributes that not every fit replaces."""
    forget_history(estimator)
    fitted = getattr(estimator, "_fitted", None)
    learned = () if fitted is None else fitted.learned
    names = [name for name in learned if name not in ALWAYS_KEPT]
    for name in (*names, *estimator._attributes_of_targets):
        estimator.__dict__.pop(name, None)
    estimator._later = Continuation()


def forget_history(estimator: Any) -> None:
    """Drop attributes that the next ``fit`` does not keep, even with the same weights."""
    for name in _HISTORY:
        estimator.__dict__.pop(name, None)
    # Dropout continues with the generator of the earlier fit.
    estimator._later = Continuation(noise=estimator._later.noise)
