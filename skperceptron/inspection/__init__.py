"""Look into a network: its shapes, its graph, its gradients, and pictures of them."""

from .._graph import GraphEdge, GraphNode
from ._collapse import collapse_linear
from ._gradients import GradientRecorder, gradient_report
from ._graph import ComputationalGraph, computational_graph
from ._summary import network_summary
from ._table import Table

__all__ = [
    "ComputationalGraph",
    "GradientRecorder",
    "GraphEdge",
    "GraphNode",
    "Table",
    "collapse_linear",
    "computational_graph",
    "gradient_report",
    "network_summary",
]
