"""Estimators pickled by version 0.1.0: their many private attributes are turned into objects."""

from __future__ import annotations

from inspect import signature
from typing import Any

from ..losses import CategoricalLogLoss, ScaledSquaredError
from .choices import Choices
from .continuation import Continuation, StepState
from .fitted import ALWAYS_KEPT, FittedNetwork
from .targets import (
    BoundedNumbers,
    Indicators,
    LabelTarget,
    ManyClasses,
    Numbers,
    RegressionOptions,
    RegressionTarget,
    Target,
    TwoClasses,
    Units,
    WholeNumbers,
)

#: Attributes of version 0.1.0 whose content is now part of an object.
ATTRIBUTES = (
    "_average",
    "_is_multilabel",
    "_loss",
    "_network",
    "_no_improvement",
    "_optimizer_state",
    "_predictors",
    "_raw_parameters",
    "_target_scale",
    "_target_shift",
)


def upgrade(estimator: Any) -> None:
    """Give an estimator of version 0.1.0 what it lacks today; leave later ones as they are."""
    for name in estimator._get_param_names():
        if not hasattr(estimator, name):
            setattr(estimator, name, signature(type(estimator)).parameters[name].default)
    state = vars(estimator)
    if "_network" not in state:
        return
    network, target = state["_network"], _target_of(estimator)
    learned = {name: state.setdefault(name, []) for name in (*ALWAYS_KEPT, *network.attributes)}
    estimator._fitted = FittedNetwork(network, target, learned)
    estimator._later = Continuation(
        raw_parameters=state.get("_raw_parameters"),
        average=state.get("_average"),
        steps=_steps_of(estimator, state.get("_optimizer_state")),
        no_improvement=state.get("_no_improvement"),
    )
    for name in ATTRIBUTES:
        state.pop(name, None)


def _steps_of(estimator: Any, state: tuple[Any, int, float] | None) -> StepState | None:
    """Return the state of the optimizer, whose parameters are those of the estimator."""
    if state is None:
        return None
    choices = Choices.of(estimator)
    return StepState(*state, choices.optimizer, choices.schedule, choices.learning_rate)


def _target_of(estimator: Any) -> Target:
    """Return the target of a fitted estimator, from its attributes and the name of its class."""
    state = vars(estimator)
    target: LabelTarget | RegressionTarget
    if "_target_shift" in state:
        target = _of_regressor(estimator)
    else:
        kind: type[LabelTarget] = TwoClasses if "_is_multilabel" in state else ManyClasses
        if state.get("_is_multilabel"):
            kind = Indicators
        name = type(estimator).__name__
        target = kind(estimator.loss, estimator.classes_, name, estimator.warm_start)
    target.loss = state["_loss"]
    return target


def _of_regressor(estimator: Any) -> RegressionTarget:
    state, asked = vars(estimator), RegressionOptions.of(estimator)
    target: RegressionTarget
    if isinstance(state["_loss"], CategoricalLogLoss):
        target = WholeNumbers(asked)
        values = state["values_"]
        target.span = range(int(values[0]), int(values[-1]) + 1)
    elif isinstance(state["_loss"], ScaledSquaredError):
        target = BoundedNumbers(asked)
    else:
        target = Numbers(asked)
    target.units = Units(state["_target_shift"], state["_target_scale"])
    return target
