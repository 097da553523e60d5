"""A network as plain data: nodes and edges with names, shapes and counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from .arrays import Floats
from .network import INPUT, Network

#: Rows of a batch (None: any number) and units.
Shape = tuple[int | None, int]

#: Names of the first, hidden and last layers; a hidden layer's number replaces the braces.
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
        Under the names that the block declares: "weight" and "bias", "other" ...
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
    """A connection that carries a value from one block to another.

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
    """Return the nodes and edges of a network of one member, its input and its link included.

    ``link`` is the name of the inverse link, which turns raw predictions into predicted values.
    """
    first, _, last = layer_names
    nodes = _input_nodes(network, batch_size, first)
    names = {INPUT - i: node.name for i, node in enumerate(nodes)}
    names |= {position: node.name for position, node in enumerate(network.nodes)}
    layers = _layers(network, layer_names)
    reached = network.reached_nodes(0)
    edges = []
    for position, node in enumerate(network.nodes):
        block = node.block
        widths = [network.width(source) for source in node.sources]
        nodes.append(
            GraphNode(
                name=node.name,
                kind=block.kind,
                layer=layers[position],
                function=block.text(),
                input_shape=(batch_size, block.input_width(widths)),
                output_shape=(batch_size, block.units),
                weight_shape=block.shape_of("weight"),
                bias_shape=block.shape_of("bias"),
                n_parameters=block.n_parameters,
                trained=position in reached or not any(a.is_weight for a in block.learned),
            )
        )
        edges += [
            GraphEdge(names[s], node.name, (batch_size, w), s != max(node.sources))
            for s, w in zip(node.sources, widths, strict=True)
        ]
    shape = (batch_size, network.n_outputs)
    nodes.append(GraphNode("link", "link", last, link, shape, shape))
    edges.append(GraphEdge(network.nodes[-1].name, "link", shape))
    return nodes, edges


def _input_nodes(network: Network, batch_size: int | None, layer: str) -> list[GraphNode]:
    """Return a node for each input; the first one is the features."""
    names = ["input", *(one.name for one in network.inputs[1:])]
    shapes = [(batch_size, one.width) for one in network.inputs]
    return [GraphNode(n, "input", layer, "", s, s) for n, s in zip(names, shapes, strict=True)]


def _layers(network: Network, names: Sequence[str]) -> list[str]:
    first, hidden, last = names
    opened = list(accumulate(int(node.block.opens_layer) for node in network.nodes))
    n_hidden = opened[-1] - 1

    def name(layer: int) -> str:
        if layer == 0:
            return first
        return last if layer > n_hidden else hidden.format(layer)

    return [name(layer) for layer in opened]
