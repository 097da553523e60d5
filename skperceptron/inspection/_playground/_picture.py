"""What a page draws: a column of units for each layer, and the edges between columns.

A column shows the last value of its layer, which other layers read: that after normalization,
activation and shortcut. Before the first layer, each block that changes the features (learned
factors, embeddings) has a column of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np

from ...engine import Network
from ...engine.arrays import Floats, side_by_side
from ...engine.blocks import Affine
from ...engine.network import INPUT, Learned, Node
from ...engine.prediction import Predictor

#: Largest number of units of a column that are drawn: those with the largest weights.
DRAWN_UNITS = 16


@dataclass
class Column:
    """Units of a layer that are drawn below one another.

    ``nodes`` are the positions of the blocks that it represents, none for the features; it shows
    the value of the last one. ``activation`` is the text of its activation, if it has one.
    """

    layer: str
    units: int
    nodes: list[int] = field(default_factory=list)
    activation: str = ""


@dataclass
class Edge:
    """The connections from one column to another, which are given by their positions.

    ``weights`` holds for each epoch a matrix (source units, target units), or a factor for each
    unit; None if values are passed on unchanged, or used in another way. Without weights, ``pairs``
    are those of connected units.
    """

    source: int
    target: int
    weights: list[Floats] | None = None
    pairs: list[list[int]] | None = None


def columns_of(network: Network, layers: Sequence[str], first: str) -> list[Column]:
    """Return the columns of a network, the features, of the layer ``first``, before the others.

    ``layers`` names the layer of each node.
    """
    columns = [Column(first, network.n_inputs)]
    opened = accumulate(node.block.opens_layer for node in network.nodes)
    for position, (node, is_layer) in enumerate(zip(network.nodes, opened, strict=True)):
        block, layer = node.block, layers[position]
        if node.block.opens_layer or not (is_layer or block.is_noise):
            name = layer if is_layer else block.kind.replace("_", " ")
            columns.append(Column(name, block.units, [position]))
        elif is_layer:
            columns[-1].nodes.append(position)
            if block.activation_of(0) is not None:
                columns[-1].activation = block.text()
    return columns


def edges_of(
    network: Network, columns: Sequence[Column], learned: Sequence[Learned], X: Floats
) -> list[Edge]:
    """Return all edges between the columns of a network.

    ``learned`` is what the nodes have learned, in each epoch. Rows of X show which features affect
    which numbers of an embedding.
    """
    place = {INPUT: 0}
    place |= {node: c for c, column in enumerate(columns) for node in column.nodes}
    edges = []
    for position, node in enumerate(network.nodes):
        if position not in place:
            # Noise is not drawn: it does not change predictions.
            place[position] = place[node.sources[0]]
            continue
        target = place[position]
        for i, source in enumerate(node.sources):
            if place[source] != target:
                edge = Edge(place[source], target)
                _complete(edge, network, position, i, learned, X)
                edges.append(edge)
    return edges


def _complete(
    edge: Edge, network: Network, position: int, i: int, learned: Sequence[Learned], X: Floats
) -> None:
    """Find the weights of an edge, or which units it connects."""
    block = network.nodes[position].block
    width = network.width(network.nodes[position].sources[i])
    rows = side_by_side(block.rows_of_inputs)
    if rows:
        edge.weights = [of_epoch[position][0][0, rows[i]] for of_epoch in learned]
    elif block.factor_and_shift(learned[-1][position]) is not None:
        edge.weights = [_factor(block, of_epoch[position]) for of_epoch in learned]
    elif block.units == width:
        edge.pairs = [[unit, unit] for unit in range(width)]
    else:
        edge.pairs = list(_reached(network, position, learned[-1], X))


def _factor(block: Any, arrays: Sequence[Floats]) -> Floats:
    factor, _ = block.factor_and_shift(arrays)
    return np.asarray(factor[0, 0])


def _reached(network: Network, position: int, learned: Learned, X: Floats) -> Iterator[list[int]]:
    """Yield which features change which units of a node before the first layer."""
    # A network must end in an affine block: here, one that changes nothing.
    units = network.nodes[position].block.units
    same = Node("same", Affine([units], units), (position,))
    part = Network(network.inputs, [*network.nodes[: position + 1], same])
    arrays = np.eye(units)[np.newaxis], np.zeros((1, 1, units))
    value = Predictor(part, [*learned[: position + 1], arrays], np.dtype(np.float64))
    before = value(X)
    for feature in range(X.shape[1]):
        moved = X.copy()
        moved[:, feature] = moved[::-1, feature] + 1
        changed = (value(moved) != before).any(axis=0)
        yield from ([feature, unit] for unit in np.flatnonzero(changed).tolist())


def drawn_units(columns: Sequence[Column], edges: Sequence[Edge]) -> list[list[int]]:
    """Return which units of each column are drawn: those with the largest weights."""
    found = []
    for c, column in enumerate(columns):
        largest = np.argsort(-unit_sizes(c, column, edges), kind="stable")[:DRAWN_UNITS]
        found.append(sorted(largest.tolist()))
    return found


def unit_sizes(c: int, column: Column, edges: Sequence[Edge]) -> Floats:
    """Return the sum of each unit's absolute weights to later columns, else from earlier ones."""
    weights = list(_weights_at(c, edges, lambda edge: edge.source, 1))
    weights = weights or list(_weights_at(c, edges, lambda edge: edge.target, 0))
    return sum(weights, start=np.zeros(column.units))


def _weights_at(
    column: int, edges: Sequence[Edge], end: Callable[[Edge], int], axis: int
) -> Iterator[Floats]:
    """Yield, for each edge with the column at one end, the sum of each unit's absolute weights."""
    for edge in edges:
        if edge.weights is not None and end(edge) == column:
            sizes = np.abs(edge.weights[-1])
            yield sizes if sizes.ndim == 1 else sizes.sum(axis=axis)
