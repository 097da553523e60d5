"""A network as plain data: nodes and edges with names, shapes and counts; no arrays computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from . import Activate, Affine, Network
from .arrays import Floats
from .blocks import Dropout

#: Rows of a batch (None: any number) and units.
Shape = tuple[int | None, int]

#: Names of the first, the hidden and the last layers; braces stand for a hidden layer's number.
LAYER_NAMES = ("input", "hidden {}", "output")


@dataclass(frozen=True)
class GraphNode:
    """One block of a network.

    Attributes
    ----------
    name : str
        Unique in the graph.
    kind : str
        "input", "link", or the kind of an engine's block ("affine", "activation", "add"...).
    layer : str
        The layer that the block belongs to.
    function : str
        What an activation or the link computes; empty elsewhere.
    input_shape, output_shape : tuple
        (rows, units); None stands for any number of rows.
    weight_shape, bias_shape : tuple or None
    n_parameters : int
        Everything that the block holds: weights, biases, slopes, statistics.
    trained : bool
        Whether gradients, or corrections, reach the weights.
    value : ndarray of shape (rows, units), default=None
        What the block computes for a batch.
    gradient : ndarray of shape (rows, units), default=None
        Derivative of the mean loss of the batch with respect to `value`.
    parameters, parameter_gradients : dict of str to ndarray
        "weight" and "bias", or "other".
    """

    name: str
    kind: str
    layer: str
    function: str
    input_shape: Shape
    output_shape: Shape
    weight_shape: tuple[int, int] | None = None
    bias_shape: tuple[int] | None = None
    n_parameters: int = 0
    trained: bool = True
    value: Floats | None = field(default=None, repr=False, compare=False)
    gradient: Floats | None = field(default=None, repr=False, compare=False)
    parameters: dict[str, Floats] = field(default_factory=dict, repr=False, compare=False)
    parameter_gradients: dict[str, Floats] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class GraphEdge:
    """A value on its way from one block to another.

    Attributes
    ----------
    source, target : str
        Names of nodes.
    shape : tuple
        (rows, units).
    skips : bool
        Whether it is a skip connection: it goes round the block just before its target.
    """

    source: str
    target: str
    shape: Shape
    skips: bool = False


def describe(
    network: Network,
    link: str,
    batch_size: int | None = None,
    layer_names: Sequence[str] = LAYER_NAMES,
) -> tuple[list[GraphNode], list[GraphEdge]]:
    """Return the nodes and edges of a network, its input and its inverse link included.

    Parameters
    ----------
    network : Network
        Of one member.
    link : str
        Name of what turns raw into predicted values.
    batch_size : int, default=None
    layer_names : sequence of three str
    """
    first, _, last = layer_names
    names = ["input", *(node.name for node in network.nodes)]
    shape = (batch_size, network.n_inputs)
    nodes = [GraphNode("input", "input", first, "", shape, shape)]
    layers = _layers(network, layer_names)
    trained = _trained(network)
    edges = []
    for position, node in enumerate(network.nodes):
        block = node.block
        widths = [network.width(source) for source in node.sources]
        n_weights = 0 if block.weight_shape is None else block.weight_shape[0] * block.units
        nodes.append(
            GraphNode(
                name=node.name,
                kind=block.kind,
                layer=layers[position],
                function=_function(block),
                input_shape=(batch_size, sum(widths) if isinstance(block, Affine) else widths[0]),
                output_shape=(batch_size, block.units),
                weight_shape=block.weight_shape,
                bias_shape=(block.units,) if isinstance(block, Affine) else None,
                n_parameters=n_weights + block.n_other_parameters,
                trained=trained[position],
            )
        )
        edges += [
            GraphEdge(names[s + 1], node.name, (batch_size, w), s != max(node.sources))
            for s, w in zip(node.sources, widths, strict=True)
        ]
    shape = (batch_size, network.n_outputs)
    nodes.append(GraphNode("link", "link", last, link, shape, shape))
    edges.append(GraphEdge(names[-1], "link", shape))
    return nodes, edges


def _layers(network: Network, names: Sequence[str]) -> list[str]:
    """Return the layer of each node: an affine block opens one."""
    first, hidden, last = names
    opened = list(accumulate(int(isinstance(node.block, Affine)) for node in network.nodes))
    n_hidden = opened[-1] - 1

    def name(layer: int) -> str:
        if layer == 0:
            return first
        return last if layer > n_hidden else hidden.format(layer)

    return [name(layer) for layer in opened]


def _trained(network: Network) -> list[bool]:
    """Tell of each node whether a gradient reaches its weights."""
    sizes = [node.block.weight_shape or (0, 0) for node in network.nodes]
    starts = accumulate((rows * units for rows, units in sizes), initial=0)
    unreached = {place.start for place in network.unreached_weights(0)}
    return [
        not (rows and start in unreached) for start, (rows, _) in zip(starts, sizes, strict=False)
    ]


def _function(block: Any) -> str:
    if isinstance(block, Activate):
        return " ".join(str(block.activations[0]).split())
    return f"rate={block.rates[0]:g}" if isinstance(block, Dropout) else ""
