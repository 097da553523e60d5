"""A fit whose rows lie elsewhere, such as in a cluster: checks and validation run here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from .._sklearn.checks import check_sample_weight, restored_on_failure
from .._sklearn.compat import check_y
from .._sklearn.fit_calls import Extras, FitMode
from ..callbacks.listening import listening
from ..engine.arrays import Integers
from ..training.data import RemoteRows
from .base import BaseMultilayerPerceptron
from .categories import FoundCategories, check_later_categories, checked_rows
from .choices import max_iter
from .data import CheckedData, encoded, forget, has_validation_data
from .fitting import make_ready
from .parameters import check_parameters, is_lbfgs
from .running import MakeStack, train

#: The name of such a fit in error messages.
NAME = "skperceptron.distributed.fit"


@dataclass(frozen=True)
class Elsewhere:
    """What a fit asks for about rows of X that lie elsewhere.

    ``sample`` holds the first rows. ``find_categories`` returns the categories of all rows in the
    columns to be embedded, and ``rows_at`` the rows at some positions, in increasing order, after
    a function has checked them part by part.
    """

    sample: Any
    find_categories: Callable[[], FoundCategories]
    rows_at: Callable[[Callable[[Any], Any], Integers], Any]


def fit_remote_rows(
    estimator: BaseMultilayerPerceptron,
    X: Elsewhere,
    y: Any,
    sample_weight: Any,
    extras: Extras,
    make_stack: MakeStack,
) -> None:
    """Do what an estimator's ``fit`` does, with a stack that lets workers do steps or epochs.

    y and the weights are those of all rows. ``make_stack`` makes the stack from a ``Run`` whose
    ``data`` are :class:`RemoteRows`.
    """
    check_parameters(estimator)
    _refuse(estimator, extras)
    mode = FitMode(estimator.warm_start and estimator.__sklearn_is_fitted__(), incremental=False)
    with (
        restored_on_failure(estimator),
        listening(estimator, max_iter(estimator, len(y)), X.sample, y, sample_weight) as listener,
    ):
        listener.refuse_to_save(NAME)
        checked = _checked(estimator, X, y, sample_weight, mode)
        run = make_ready(estimator, checked, mode, extras, listener)
        train(run, listener, incremental=False, make_stack=make_stack)


def _refuse(estimator: BaseMultilayerPerceptron, extras: Extras) -> None:
    """Raise ValueError for what needs all rows in one place."""
    if is_lbfgs(estimator.solver):
        raise ValueError(
            f"solver={estimator.solver!r}: {NAME} needs a stochastic solver, such as 'adam'."
        )
    if estimator.early_stopping and not has_validation_data(extras, estimator.solver):
        raise ValueError(
            f"early_stopping={estimator.early_stopping!r}: {NAME} holds no rows out. Give it"
            " validation rows as X_val and y_val."
        )


def _checked(
    estimator: BaseMultilayerPerceptron,
    X: Elsewhere,
    y: Any,
    sample_weight: Any,
    mode: FitMode,
) -> CheckedData:
    """Check the data that is here, as ``check_data`` does if all of it is."""
    given = X.sample, y
    n_rows = X.sample.shape[0]
    sample, _ = estimator._validate_training_data(X.sample, y[:n_rows], reset=not mode.continuing)
    if mode.continuing:
        check_later_categories(estimator, given[0], sample)
    elif estimator.categorical_features is not None:
        X.find_categories().remember(estimator)
        # Again, with the codes of the categories of all rows.
        sample, _ = estimator._validate_training_data(given[0], y[:n_rows], reset=False)
    else:
        FoundCategories(None, {}).remember(estimator)
    y = check_y(y, True, estimator._y_is_numeric, estimator=estimator)
    if sample_weight is not None:
        sample_weight = check_sample_weight(sample_weight, y)
    if not mode.continuing:
        forget(estimator)
    target, targets, weight = encoded(estimator, y, sample_weight, mode)
    fetch = partial(X.rows_at, partial(checked_rows, estimator))
    data = RemoteRows(sample, targets, fetch)
    return CheckedData(data, target, y, given, sample_weight, weight)
