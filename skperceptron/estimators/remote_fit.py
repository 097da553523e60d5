"""A fit whose rows lie elsewhere, such as in a cluster: checks and validation run here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._sklearn.checks import check_sample_weight, restored_on_failure
from .._sklearn.compat import check_y
from .._sklearn.fit_calls import Extras, FitMode
from ..callbacks.listening import listening
from ..training.data import RemoteRows
from .base import BaseMultilayerPerceptron
from .categories import FoundCategories, refuse_other_columns
from .choices import max_iter
from .data import CheckedData, encoded, forget, has_validation_data
from .fitting import make_ready
from .parameters import check_parameters, is_lbfgs
from .running import MakeStack, train

#: The name of such a fit in error messages.
NAME = "skperceptron.distributed.fit"


def fit_remote_rows(
    estimator: BaseMultilayerPerceptron,
    sample: Any,
    y: Any,
    sample_weight: Any,
    extras: Extras,
    make_stack: MakeStack,
    find_categories: Callable[[], FoundCategories],
) -> None:
    """Do what an estimator's ``fit`` does, with a stack that lets workers do steps or epochs.

    ``sample`` holds the first rows of X; y and the weights are those of all rows. ``make_stack``
    makes the stack from a ``Run`` whose ``data`` are :class:`RemoteRows`, and ``find_categories``
    returns the categories of all rows in the columns to be embedded.
    """
    check_parameters(estimator)
    _refuse(estimator, extras)
    mode = FitMode(hasattr(estimator, "_fitted") and estimator.warm_start, incremental=False)
    with (
        restored_on_failure(estimator),
        listening(estimator, max_iter(estimator, len(y)), sample, y, sample_weight) as listener,
    ):
        listener.refuse_to_save(NAME)
        checked = _checked(estimator, sample, y, sample_weight, mode, find_categories)
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
    sample: Any,
    y: Any,
    sample_weight: Any,
    mode: FitMode,
    find_categories: Callable[[], FoundCategories],
) -> CheckedData:
    """Check the data that is here, as ``check_data`` does if all of it is."""
    given = sample, y
    n_rows = sample.shape[0]
    sample, _ = estimator._validate_training_data(sample, y[:n_rows], reset=not mode.continuing)
    if mode.continuing:
        refuse_other_columns(estimator, given[0], sample)
    elif estimator.categorical_features is not None:
        find_categories().remember(estimator)
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
    data = RemoteRows(sample, targets)
    return CheckedData(data, target, y, given, sample_weight, weight)
