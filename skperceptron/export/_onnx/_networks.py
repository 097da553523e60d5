"""Converts a fitted network, which is read through :class:`FittedNetwork` only, to operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.blocks import Block
from ...engine.network import INPUT
from ...engine.operators import refuse_inherited
from ...engine.prediction import fold_lines
from ...estimators.fitted import FittedNetwork
from ._graph import Graph, Value


def raw_outputs(graph: Graph, fitted: FittedNetwork, inputs: dict[str, Value]) -> Value:
    """Return raw predictions, (rows, C), in units of y, for values of the network's inputs.

    Raises NotDeclaredError if a block or an activation does not define its operators.
    """
    network, learned = fold_lines(fitted.network, fitted.views(np.float64))
    values: list[Any] = []
    for node, arrays in zip(network.nodes, learned, strict=True):
        # A linear block inherits its operators from the base class.
        refuse_inherited(node.block, "to_onnx", ("forward",), general=Block)
        sources = [
            values[source] if source >= 0 else inputs[network.inputs[INPUT - source].name]
            for source in node.sources
        ]
        values.append(node.block.to_onnx(graph, sources, arrays))
    return values[-1]
