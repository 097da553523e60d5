"""Estimators that a search fits: a network, alone or as the last step of pipelines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._sklearn.compat import has_callbacks
from .._sklearn.fit_calls import NO_EXTRAS
from .._sklearn.pipelines import last_step, levels_of
from ..engine.arrays import Floats
from ..estimators import (
    MLPBinaryClassifier,
    MLPClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
)
from ..estimators.base import BaseMultilayerPerceptron, recorded_curves
from ..estimators.continuation import forget_steps
from ..estimators.fitted import drop_buffers
from ..estimators.parameters import is_lbfgs
from ._fits import Common, Fit
from ._transforming import Transformed, called_instead

#: Classes that can be stacked. A subclass may have changed how it is fitted.
STACKABLE = (MLPBinaryClassifier, MLPClassifier, MLPRegressor, MLPSoftmaxClassifier)


def network_of(estimator: Any) -> BaseMultilayerPerceptron | None:
    """Return an estimator's network if a stack can train it, else None.

    It is the estimator itself or the last step of a pipeline. Networks with L-BFGS, whose steps
    cannot be shared, ``warm_start``, ``max_time``, ``verbose`` or callbacks are fitted one by one.
    """
    network = last_step(estimator)
    if type(network) not in STACKABLE or any(map(has_callbacks, (*levels_of(estimator), network))):
        return None
    # Options of another type, such as arrays, are refused by the estimator's own ``fit``.
    is_plain = all(
        isinstance(value, bool | np.bool_ | int | list | tuple | None) and not value
        for value in (network.verbose, network.warm_start, network.callbacks)
    )
    if is_lbfgs(network.solver) or not is_plain or network.max_time is not None:
        return None
    return network


@dataclass(frozen=True)
class FittedMember:
    """A fitted estimator of an ensemble and perhaps its predictions for held-out rows.

    Those in ``cross_fitted`` are made at epochs that were chosen on other rows.
    """

    estimator: Any
    held_out: Any = None
    cross_fitted: Any = None

    @classmethod
    def with_predictions(cls, estimator: Any, X: Any, method: str) -> FittedMember:
        """Return a member with the predictions of one of its estimator's methods for X.

        State that only further training would need is dropped, and so are buffers.
        """
        network = last_step(estimator)
        if isinstance(network, BaseMultilayerPerceptron):
            forget_steps(network)
        predicted = predicted_by(estimator, method, X)
        if isinstance(network, BaseMultilayerPerceptron):
            drop_buffers(network)
        return cls(estimator, predicted, predicted)


def predicted_by(estimator: Any, method: str, X: Any) -> Any:
    """Return what a method predicts; of several labels per row, their probabilities, (n, L)."""
    found = getattr(estimator, method)(X)
    if isinstance(found, list) and np.ndim(found[0]) == 2:
        # Forests return a table for each label, with one column per class.
        tables = zip(found, estimator.classes_, strict=True)
        found = np.transpose([table[:, seen != 0].sum(axis=1) for table, seen in tables])
    return found


def requested_fit(
    network: BaseMultilayerPerceptron, transformed: Transformed, common: Common
) -> Fit:
    """Call a network's ``fit``, but only check its parameters and record its arguments."""
    if transformed.error is not None:
        return Fit(network, error=transformed.error)
    fit = Fit(network)

    def record(
        X: Any, y: Any, sample_weight: Any, *, incremental: bool, extras: Any = NO_EXTRAS
    ) -> None:
        fit.X, fit.y, fit.sample_weight, fit.extras = X, y, sample_weight, extras

    def check() -> None:
        fit.settings = common.check_parameters(network)

    with (
        fit.attempt(),
        called_instead(network, "_validate_params", check),
        called_instead(network, "_fit", record),
    ):
        network.fit(*transformed.arguments, **transformed.keywords)
    return fit


def curves_of(estimator: Any) -> dict[str, Floats]:
    """Return what a fitted estimator's network has recorded of each epoch, by name of the metric.

    An estimator without a network, or with one that is not fitted, has recorded nothing.
    """
    network = last_step(estimator)
    return recorded_curves(network) if isinstance(network, BaseMultilayerPerceptron) else {}
