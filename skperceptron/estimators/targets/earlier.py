"""Targets of estimators that version 0.1.0 has pickled, which kept what they knew themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...losses import CategoricalLogLoss, ScaledSquaredError
from .base import LabelTarget, Target
from .bounded import BoundedNumbers
from .classes import ManyClasses, TwoClasses
from .indicators import Indicators
from .integers import WholeNumbers
from .numbers import Numbers
from .regression import Asked, RegressionTarget
from .units import Units

#: Where they kept it.
ATTRIBUTES_OF_VERSION_0_1 = (
    "_is_multilabel",
    "_loss",
    "_seen",
    "_target_scale",
    "_target_shift",
    "_units_of_target",
)


def target_of_version_0_1(state: Mapping[str, Any], name: str) -> Target:
    """Return the target of a fitted estimator.

    Parameters
    ----------
    state : mapping of str to object
        All attributes of the estimator.
    name : str
        Of its class.
    """
    target: LabelTarget | RegressionTarget
    if "_target_shift" in state:
        target = _of_regressor(state)
    elif state.get("_is_multilabel"):
        target = Indicators(state["loss"], state["classes_"])
    else:
        kind = TwoClasses if "_is_multilabel" in state else ManyClasses
        target = kind(state["loss"], state["classes_"], name, state["warm_start"])
    target.loss = state["_loss"]
    return target


def _of_regressor(state: Mapping[str, Any]) -> RegressionTarget:
    names = ("loss", "output", "output_range", "standardize_target", "categorical_prediction")
    asked = Asked(**{name: state[name] for name in names})
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
