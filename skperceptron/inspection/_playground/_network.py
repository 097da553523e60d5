"""A network as JSON: what a page computes of it, and what it draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ...activations import get_activation, list_activations
from ...engine import Network
from ...engine.arrays import Floats
from ...engine.blocks import Block
from ...engine.network import Learned
from ...engine.operators import NotDeclaredError, Value, refuse_inherited
from .._graph import ComputationalGraph
from ._picture import Column, Edge, columns_of, drawn_units, edges_of, unit_sizes
from ._program import JUMP, Constants, PageGraph, program_of, program_of_table


@dataclass(frozen=True)
class Shown:
    """What a page shows.

    The target turns raw predictions into answers; ``epochs`` are the learned arrays of the nodes
    after each epoch that is shown, in the network's units.
    """

    graph: ComputationalGraph
    network: Network
    target: Any
    epochs: list[Learned]
    X: Floats


def network_as_json(shown: Shown) -> dict[str, Any]:
    """Return what the page computes and draws."""
    _refuse_shared_weights(shown.network)
    constants = Constants()
    columns, edges = _picture(shown)
    found = {
        "nodes": [_node(shown, constants, i) for i in range(len(shown.network.nodes))],
        **_answers(shown, constants),
        "swaps": _swaps(constants),
        "columns": _columns_as_json(shown, columns, edges),
        "edges": [_edge_as_json(edge, constants) for edge in edges],
        "axes": _axes(shown.X, unit_sizes(0, columns[0], edges)),
    }
    return {**found, "constants": constants.entries}


def _refuse_shared_weights(network: Network) -> None:
    if any(network.multiplicity(i, trains=False) != 1 for i in range(len(network.nodes))):
        raise ValueError(
            "to_html shows one network; these are several that share weights (ensemble_size)."
        )


# What is computed.


def _node(shown: Shown, constants: Constants, position: int) -> dict[str, Any]:
    """Return a block as JSON: its sources, and its program."""
    node = shown.network.nodes[position]
    block = node.block
    activation: Any = block.activation_of(0)
    writers = [
        partial(_write_block, block, len(node.sources), of_epoch[position])
        for of_epoch in shown.epochs
    ]
    table = None if activation is None or block.learned else activation
    return {
        "name": node.name,
        "kind": block.kind,
        "units": block.units,
        "sources": list(node.sources),
        "isActivation": activation is not None,
        **_program_or_table(constants, writers, activation or block, table),
    }


def _write_block(block: Block, n_sources: int, arrays: Any, graph: PageGraph) -> Any:
    # A linear block inherits its operators from the base class.
    refuse_inherited(block, "to_onnx", ("forward",), general=Block)
    return block.to_onnx(graph, [graph.source(i) for i in range(n_sources)], arrays)


def _program_or_table(
    constants: Constants,
    writers: Sequence[Callable[[PageGraph], Value]],
    part: Any,
    function: Callable[[Floats], Floats] | None,
    jump: float = JUMP,
) -> dict[str, Any]:
    """Return a program; for a function that does not define its operators, a table of its values.

    Raises ValueError if there is neither.
    """
    try:
        return program_of(constants, writers)
    except NotDeclaredError as error:
        if function is None:
            raise ValueError(
                f"to_html cannot compute {type(part).__name__} in a browser, because it does not"
                " say which operators it is made of: define its to_onnx."
            ) from error
    return program_of_table(constants, function, jump)


def _swaps(constants: Constants) -> dict[str, Any]:
    """Return the activations that can replace the hidden ones: those without learned parameters."""
    activations = {name: get_activation(name) for name in list_activations()}
    return {
        name: _program_or_table(constants, [partial(_write_function, f)], f, f)
        for name, f in activations.items()
        if not f.n_parameters(1)
    }


def _write_function(function: Any, graph: PageGraph) -> Any:
    return function.to_onnx(graph, graph.source(0))


def _answers(shown: Shown, constants: Constants) -> dict[str, Any]:
    """Return programs that read raw predictions.

    ``link`` returns predicted values, a column for each output; ``answer`` the position of a class,
    or predicted numbers; ``shares`` the probabilities of classes.
    """
    target, n_outputs = shown.target, shown.network.n_outputs
    # ``fold`` converts an affine layer to y's units. Here the layer is the identity.
    units = target.fold(np.eye(n_outputs), np.zeros(n_outputs))

    def program(write: Callable[[PageGraph, Any], Any], compute: Any = None) -> dict[str, Any]:
        """Return the target's program; else a table of what it computes from a single output."""

        def write_in_units_of_y(graph: PageGraph) -> Any:
            raw: Any = graph.source(0)
            if not np.array_equal(units[0], np.eye(n_outputs)) or units[1].any():
                raw = raw @ units[0] + units[1]
            return write(graph, raw)

        def computed(points: Floats) -> Floats:
            return np.asarray(compute(points[:, np.newaxis]), dtype=np.float64)[:, 0]

        part = getattr(target, "loss", target)
        function = computed if compute is not None and n_outputs == 1 else None
        # If y has large numbers, a steep line is not a jump.
        return _program_or_table(constants, [write_in_units_of_y], part, function, jump=1e300)

    def decoded(raw: Floats) -> Floats:
        return np.asarray(target.decode(raw @ units[0] + units[1]))

    found = {"link": program(partial(_write_link, target), target.linked)}
    if hasattr(target, "codes_to_onnx"):
        shares = program(target.probabilities_to_onnx)
        return {**found, "answer": program(target.codes_to_onnx), "shares": shares}
    n = 1 if target.loss.estimates_std else target.loss.outputs_per_target
    # If there are several quantiles, the middle one is the prediction; all are drawn.
    curves = {"answerColumn": n // 2, "curves": list(range(n))}
    return {**found, "answer": program(partial(_write_numbers, target), decoded), **curves}


def _write_link(target: Any, graph: PageGraph, raw: Any) -> Any:
    if hasattr(target, "link"):
        refuse_inherited(target, "link_to_onnx", ("link",))
    return target.link_to_onnx(graph, raw)


def _write_numbers(target: Any, graph: PageGraph, raw: Any) -> Any:
    refuse_inherited(target, "to_onnx", ("decode", "link"))
    return target.to_onnx(graph, raw)


# What is drawn.


def _picture(shown: Shown) -> tuple[list[Column], list[Edge]]:
    """Return all columns and edges; if there are more classes than outputs, they get a column."""
    network, nodes = shown.network, shown.graph.nodes
    layers = [node.layer for node in nodes[1:-1]]
    columns = columns_of(network, layers, nodes[0].layer)
    edges = edges_of(network, columns, shown.epochs, shown.X)
    n_classes, n_outputs = len(getattr(shown.target, "classes", ())), network.n_outputs
    if 1 < n_outputs < n_classes:
        pairs = [[i, j] for i in range(n_outputs) for j in range(n_classes)]
        edges.append(Edge(len(columns) - 1, len(columns), pairs=pairs))
        columns.append(Column("classes", n_classes))
    return columns, edges


def _columns_as_json(
    shown: Shown, columns: Sequence[Column], edges: Sequence[Edge]
) -> list[dict[str, Any]]:
    """Return columns as JSON.

    ``value`` is the position of a node, or one of "x", "link" and "shares".
    """
    last = len(shown.network.nodes) - 1
    found: list[dict[str, Any]] = []
    for column, drawn in zip(columns, drawn_units(columns, edges), strict=True):
        value: Any = column.nodes[-1] if column.nodes else "shares" if found else "x"
        found.append(
            {
                "title": column.activation or column.layer,
                "layer": column.layer,
                "units": column.units,
                "drawn": drawn,
                "nodes": column.nodes,
                "value": "link" if value == last else value,
                "names": getattr(shown.target, "output_names", []) if value == last else [],
            }
        )
    return found


def _edge_as_json(edge: Edge, constants: Constants) -> dict[str, Any]:
    weights = None if edge.weights is None else constants.place(edge.weights)
    return {"from": edge.source, "to": edge.target, "weights": weights, "pairs": edge.pairs}


def _axes(X: Floats, sizes: Floats) -> list[int]:
    """Return the two features with the largest effect on later units; a single one twice."""
    moved = X.std(axis=0) * (sizes if sizes.any() else 1)
    first, *others = np.argsort(-moved, kind="stable")[:2].tolist()
    return sorted([first, *(others or [first])])
