"""Look into a network: its shapes, its graph, its gradients, and pictures of them."""

from ..engine.description import GraphEdge, GraphNode
from ..kept import offered_by as _offered_by
from ._collapse import collapse_linear
from ._displays._activation import ActivationDisplay
from ._displays._gradient_flow import GradientFlowDisplay
from ._displays._loss import LossCurveDisplay
from ._displays._matrices import MatrixShapesDisplay
from ._displays._mistakes import MistakesDisplay
from ._displays._network import NetworkGraphDisplay
from ._displays._weights import WeightsDisplay
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
