"""Look into a network: its shapes, its graph, its gradients, and pictures of them."""

from ..engine.description import GraphEdge, GraphNode
from ..kept import offered_by as _offered_by
from ._collapse import collapse_linear
from ._displays import (
    ActivationDisplay,
    GradientFlowDisplay,
    LossCurveDisplay,
    MatrixShapesDisplay,
    MistakesDisplay,
    NetworkGraphDisplay,
    WeightsDisplay,
)
from ._gradient_check import gradient_check
from ._gradients import GradientRecorder, gradient_report
from ._graph import ComputationalGraph, computational_graph, network_summary
from ._learning_rate import LearningRateRangeTest, learning_rate_range_test
from ._playground import to_html
from ._table import Table
from ._weights_recorder import WeightsRecorder

__all__ = [
    "ActivationDisplay",
    "ComputationalGraph",
    "GradientFlowDisplay",
    "GradientRecorder",
    "GraphEdge",
    "GraphNode",
    "LearningRateRangeTest",
    "LossCurveDisplay",
    "MatrixShapesDisplay",
    "MistakesDisplay",
    "NetworkGraphDisplay",
    "Table",
    "WeightsDisplay",
    "WeightsRecorder",
    "collapse_linear",
    "computational_graph",
    "gradient_check",
    "gradient_report",
    "learning_rate_range_test",
    "network_summary",
    "to_html",
]

_offered_by(__name__)
