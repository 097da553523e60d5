"""Targets: each kind turns y into what a network is trained on, and raw predictions back.

An estimator makes a new target for each call of ``fit`` or ``partial_fit``. ``encode`` completes
it; after that nothing changes it, so that copies of the estimator share it.
"""

from .base import LabelTarget, Target
from .bounded import BoundedNumbers
from .classes import ManyClasses, TwoClasses
from .earlier import ATTRIBUTES_OF_VERSION_0_1, target_of_version_0_1
from .indicators import Indicators, is_multilabel
from .integers import WholeNumbers
from .numbers import Numbers
from .regression import Asked, RegressionTarget, scored

__all__ = [
    "ATTRIBUTES_OF_VERSION_0_1",
    "Asked",
    "BoundedNumbers",
    "Indicators",
    "LabelTarget",
    "ManyClasses",
    "Numbers",
    "RegressionTarget",
    "Target",
    "TwoClasses",
    "WholeNumbers",
    "is_multilabel",
    "scored",
    "target_of_version_0_1",
]
