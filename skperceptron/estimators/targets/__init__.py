"""Targets: each kind turns y into what a network is trained on, and raw predictions back.

An estimator makes a new target for each call of ``fit`` or ``partial_fit``. ``encode`` completes
it; after that nothing changes it, so that copies of the estimator share it.
"""

from .base import LabelTarget, Target
from .classes import (
    ClassProbabilities,
    ManyClasses,
    OrderedClasses,
    TwoClasses,
    are_probabilities,
    as_decision,
    asks_for_order,
    likeliest,
)
from .indicators import Indicators, is_multilabel, refuse_other_kind
from .integers import WholeNumbers
from .numbers import BoundedNumbers, Numbers
from .regression import (
    RegressionOptions,
    RegressionTarget,
    kind_of_target,
    list_outputs,
    scored,
)
from .units import Units

__all__ = [
    "BoundedNumbers",
    "ClassProbabilities",
    "Indicators",
    "LabelTarget",
    "ManyClasses",
    "Numbers",
    "OrderedClasses",
    "RegressionOptions",
    "RegressionTarget",
    "Target",
    "TwoClasses",
    "Units",
    "WholeNumbers",
    "are_probabilities",
    "as_decision",
    "asks_for_order",
    "is_multilabel",
    "kind_of_target",
    "likeliest",
    "list_outputs",
    "refuse_other_kind",
    "scored",
]
