"""Displays in scikit-learn's convention, one module each."""

from ._activation import ActivationDisplay
from ._gradient_flow import GradientFlowDisplay
from ._loss import LossCurveDisplay
from ._matrices import MatrixShapesDisplay
from ._mistakes import MistakesDisplay
from ._network import NetworkGraphDisplay
from ._weights import WeightsDisplay

__all__ = [
    "ActivationDisplay",
    "GradientFlowDisplay",
    "LossCurveDisplay",
    "MatrixShapesDisplay",
    "MistakesDisplay",
    "NetworkGraphDisplay",
    "WeightsDisplay",
]
