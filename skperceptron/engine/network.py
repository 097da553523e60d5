"""A network: blocks wired as a graph, and where their parameters lie in one flat vector.

The vector of one member holds all weight matrices first, in the order of the
nodes, then everything else (biases, slopes): the L2 penalty, which spares biases,
acts on one contiguous part, and scikit-learn's L-BFGS sees the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from .arrays import ActivationFunction, Floats
from .blocks import Activate, Add, Affine, Block, Dropout

#: What each node of a network has learned: (weight, bias), (slopes,) or ().
Learned = list[tuple[Floats, ...]]

#: The value that is fed from outside: a batch of X.
INPUT = -1


@dataclass(frozen=True)
class Node:
    """One block in the graph; its value is known by the node's position."""

    name: str
    block: Block
    sources: tuple[int, ...]


class Network:
    """A graph of blocks, without parameters and buffers of its own.

    Parameters
    ----------
    n_inputs : int
        Width of the input (D).
    nodes : sequence of Node
        In an order in which every node comes after its sources. The last one is
        the output (raw predictions, before the inverse link).

    Attributes
    ----------
    n_weights : int
        Length of the part of the vector that holds weight matrices.
    n_parameters : int
        Length of one member's vector (P).
    """

    def __init__(self, n_inputs: int, nodes: Sequence[Node]) -> None:
        self.n_inputs = n_inputs
        self.nodes = tuple(nodes)
        blocks = [node.block for node in self.nodes]
        weights = [int(np.prod(block.weight_shape or (0,))) for block in blocks]
        others = [block.n_other_parameters for block in blocks]
        edges = np.cumsum([0, *weights, *others]).tolist()
        self.n_weights = sum(weights)
        self.n_parameters = edges[-1]
        places = [slice(start, stop) for start, stop in pairwise(edges)]
        self._weight_places = places[: len(blocks)]
        self._other_places = places[len(blocks) :]

    @property
    def n_outputs(self) -> int:
        """Width of the output (C)."""
        return self.nodes[-1].block.units

    @property
    def mixes_rows(self) -> bool:
        """Whether training makes a row's value depend on the other rows of its batch."""
        return any(getattr(node.block, "mixes_rows", False) for node in self.nodes)

    def width(self, value: int) -> int:
        """Return how wide the value of a node, or ``INPUT``, is."""
        return self.n_inputs if value == INPUT else self.nodes[value].block.units

    def widest(self, spares_input: bool) -> int:
        """Return the width of the widest array that a row takes; a sparse input takes none."""
        widths = [node.block.units for node in self.nodes]
        return max(widths if spares_input else [self.n_inputs, *widths])

    def views(self, vectors: Floats) -> Learned:
        """Return what each node learns, as views into ``vectors`` of shape (K, P)."""
        n_members = len(vectors)
        found = []
        for node, weight, other in zip(
            self.nodes, self._weight_places, self._other_places, strict=True
        ):
            of_node = []
            if node.block.weight_shape is not None:
                of_node.append(vectors[:, weight].reshape(n_members, *node.block.weight_shape))
            if node.block.n_other_parameters:
                of_node.append(vectors[:, other].reshape(n_members, 1, -1))
            found.append(tuple(of_node))
        return found

    def unreached_weights(self, member: int) -> list[slice]:
        """Return where, in a member's vector, the weights lie that no gradient reaches.

        They lie before an activation without a derivative, such as a threshold.
        """
        reached = {len(self.nodes) - 1}
        for position, node in reversed(list(enumerate(self.nodes))):
            blocked = isinstance(node.block, Activate) and not node.block.passes_gradient(member)
            if position in reached and not blocked:
                reached.update(node.sources)
        return [
            place
            for position, place in enumerate(self._weight_places)
            if position not in reached and place.stop > place.start
        ]

    @property
    def shape(self) -> tuple[object, ...]:
        """What networks must agree in to be members of one stack; their activations may differ."""
        return self.n_inputs, tuple((n.name, n.sources, n.block.shape) for n in self.nodes)

    @staticmethod
    def stacked(networks: Sequence[Network], same: Callable[[Any], Any]) -> Network:
        """Return the network of a stack of single networks with equal shapes.

        Parameters
        ----------
        networks : sequence of Network
            Of one member each.
        same : callable
            Returns one object for all that are equal: neighbours that share an activation are
            computed at once.
        """
        nodes = []
        for of_members in zip(*(network.nodes for network in networks), strict=True):
            first = of_members[0]
            block = first.block.joined([node.block for node in of_members], same)
            nodes.append(Node(first.name, block, first.sources))
        return Network(networks[0].n_inputs, nodes)

    def hidden_part(self) -> Network:
        """Return the network without its output layer."""
        return Network(self.n_inputs, self.nodes[:-1])

    def members(self, kept: Sequence[int]) -> Network:
        """Return the network of the members with the given positions in the stack."""
        nodes = [Node(node.name, node.block.members(kept), node.sources) for node in self.nodes]
        return Network(self.n_inputs, nodes)


def first_weight(learned: Learned) -> Floats:
    """Return the first matrices, (K, fan_in, H), of what nodes have learned."""
    return next(arrays[0] for arrays in learned if arrays)


def multilayer_perceptron(
    n_inputs: int,
    hidden: Sequence[int],
    n_outputs: int,
    activations: Sequence[Sequence[ActivationFunction]],
    skip_connections: str = "none",
    *,
    normalize: Callable[[int], Block] | None = None,
    dropout: Sequence[Sequence[float]] = (),
) -> Network:
    """Wire a multi-layer perceptron.

    Without hidden layers it is one affine block: a single neuron per output.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Widths of input and output.
    hidden : sequence of int
        Widths of the hidden layers.
    activations : sequence over the hidden layers
        Each a sequence with one activation per member, or a single one for all.
    skip_connections : {"none", "residual", "dense"}, default="none"
        "residual": a hidden layer that is as wide as the hidden layer before it adds
        that layer's value to its own (He et al. 2016). "dense": every layer, the output
        included, sees the input and all earlier hidden layers (Huang et al. 2017).
    normalize : callable, default=None
        Makes a block of the given width that stands between a hidden layer's affine block
        and its activation.
    dropout : sequence over the input and the hidden layers, default=()
        Each a sequence with one rate per member, or a single one for all. Where all are
        zero, no block is added.

    Returns
    -------
    Network
    """
    nodes: list[Node] = []

    def append(name: str, block: Block, *sources: int) -> int:
        nodes.append(Node(name, block, sources))
        return len(nodes) - 1

    def affine(name: str, sources: Sequence[int], units: int) -> int:
        widths = [n_inputs if s == INPUT else nodes[s].block.units for s in sources]
        return append(name, Affine(widths, units), *sources)

    def dropped(name: str, source: int, units: int, rates: Sequence[float]) -> int:
        return append(name, Dropout(rates, units), source) if any(rates) else source

    rates = dropout or [[0.0]] * (len(hidden) + 1)
    seen = [dropped("dropout_0", INPUT, n_inputs, rates[0])]
    for i, (units, activation) in enumerate(zip(hidden, activations, strict=True), start=1):
        z = affine(f"affine_{i}", seen, units)
        if normalize is not None:
            z = append(f"normalization_{i}", normalize(units), z)
        value = append(f"activation_{i}", Activate(activation, units), z)
        value = dropped(f"dropout_{i}", value, units, rates[i])
        before = seen[-1]
        if skip_connections == "residual" and i > 1 and hidden[i - 2] == units:
            value = append(f"add_{i}", Add(units), value, before)
        seen = [*seen, value] if skip_connections == "dense" else [value]
    affine(f"affine_{len(hidden) + 1}", seen, n_outputs)
    return Network(n_inputs, nodes)
