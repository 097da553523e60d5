"""A network: blocks wired as a graph, and where their parameters lie in one flat vector.

The vector of one member holds all weight matrices first, in the order of the
nodes, then everything else (biases, slopes): the L2 penalty, which spares biases,
acts on one contiguous part, and scikit-learn's L-BFGS sees the same order.

Integers identify values: the value of a node has the node's position, that of an input a
negative number, ``INPUT`` for the first one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..kept import kept_as
from .arrays import Floats, side_by_side
from .blocks import Block, LearnedArray
from .inputs import NetworkInput

#: What each node of a network has learned: (weight, bias), (slopes,) or ().
Learned = list[tuple[Floats, ...]]

#: The first input: a batch of X. Further inputs are -2, -3 ...
INPUT = -1

#: The name of the first input.
FIRST = "x"


@kept_as("node")
@dataclass(frozen=True)
class Node:
    """One block in the graph; the node's position identifies its value."""

    name: str
    block: Block
    sources: tuple[int, ...]


@kept_as("network")
class Network:
    """A graph of blocks, without parameters or buffers of its own.

    Parameters
    ----------
    inputs : int or sequence of NetworkInput
        Width of the only input (D), which is named "x" and holds numbers; or all inputs.
    nodes : sequence of Node
        In an order in which every node comes after its sources. The last one is
        the output (raw predictions, before the inverse link).

    Attributes
    ----------
    inputs : tuple of NetworkInput
    n_weights : int
        Length of the part of the vector that holds weight matrices.
    n_parameters : int
        Length of one member's vector (P).
    largest_weight : int
        Length of the largest weight matrix.
    largest_product : int
        Multiply-adds, for each row of X, of the largest product of a training step.
    n_readers : Counter of int
        How many nodes read each value.
    attributes : tuple of str
        Names of the attributes in which estimators keep what the network learns.
    """

    def __init__(self, inputs: int | Sequence[NetworkInput], nodes: Sequence[Node]) -> None:
        self.inputs = (NetworkInput(FIRST, inputs),) if isinstance(inputs, int) else tuple(inputs)
        self.nodes = tuple(nodes)
        self.n_readers = Counter(source for node in self.nodes for source in node.sources)
        self._multiplicities = {trains: self._rows_of_values(trains) for trains in (False, True)}
        declared = [node.block.learned for node in self.nodes]
        arrays = [(p, array) for p, of_node in enumerate(declared) for array in of_node]
        self.attributes = tuple(dict.fromkeys(array.attribute for _, array in arrays))
        weights = [(p, array) for p, array in arrays if array.is_weight]
        in_order = [*weights, *((p, array) for p, array in arrays if not array.is_weight)]
        places = side_by_side(array.size for _, array in in_order)
        self.largest_weight = max((array.size for _, array in weights), default=0)
        self.largest_product = max((self._multiply_adds(p, a) for p, a in weights), default=0)
        self.n_weights = sum(array.size for _, array in weights)
        self.n_parameters = sum(array.size for _, array in arrays)
        place_of = {(p, a.name): place for (p, a), place in zip(in_order, places, strict=True)}
        #: The arrays of each node, as its block declares them, and where each lies.
        self._arrays: list[list[tuple[LearnedArray, slice]]] = [
            [(array, place_of[p, array.name]) for array in of_node]
            for p, of_node in enumerate(declared)
        ]

    def _rows_of_values(self, trains: bool) -> list[int]:
        """List how many rows the value of each node has for each row of X."""
        found: list[int] = []
        for node in self.nodes:
            of_source = 1 if node.sources[0] < 0 else found[node.sources[0]]
            found.append(node.block.multiplicity(of_source, trains))
        return found

    def _multiply_adds(self, position: int, weight: LearnedArray) -> int:
        """Return how many of them a weight matrix needs for each row of X; a table needs none."""
        block = self.nodes[position].block
        if block.holds_tables:
            return 0
        # Layers that lie one below another share the rows of the value.
        return weight.size * self._multiplicities[True][position] // block.n_layers

    def __getstate__(self) -> dict[str, Any]:
        return {"inputs": self.inputs, "nodes": self.nodes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Version 0.1.0 had one input, and kept its width.
        inputs = state["n_inputs"] if "n_inputs" in state else state["inputs"]
        Network.__init__(self, inputs, state["nodes"])

    @property
    def n_inputs(self) -> int:
        """Width of the first input (D)."""
        return self.inputs[0].width

    @property
    def n_outputs(self) -> int:
        """Width of the output (C)."""
        return self.nodes[-1].block.units

    @cached_property
    def mixes_rows(self) -> bool:
        """Whether training makes a row's value depend on the other rows of its batch."""
        return any(node.block.mixes_rows for node in self.nodes)

    @cached_property
    def looks_at_rows(self) -> bool:
        """Whether what a block learns starts from data."""
        return any(node.block.n_start_rows for node in self.nodes)

    def input_of(self, value: int) -> NetworkInput:
        """Return the input that a negative value stands for."""
        return self.inputs[INPUT - value]

    def width(self, value: int) -> int:
        """Return how wide the value of a node, or of an input, is."""
        return self.input_of(value).width if value < 0 else self.nodes[value].block.units

    def multiplicity(self, value: int, trains: bool) -> int:
        """Return how many rows a value has for each row of X."""
        return 1 if value < 0 else self._multiplicities[trains][value]

    def widest(self, spares_input: bool) -> int:
        """Return the most elements per row of X of any array; `spares_input` leaves inputs out."""
        widths = [
            node.block.units * several
            for node, several in zip(self.nodes, self._multiplicities[False], strict=True)
        ]
        return max(widths if spares_input else [*(i.width for i in self.inputs), *widths])

    def reads(self, value: int, kind: str) -> bool:
        """Tell whether predictions are possible if a value is of the given kind.

        All its readers must accept it, and so must readers of a block that passes it on unchanged.
        """
        return all(
            kind in node.block.accepts
            and (not node.block.shares_value(trains=False) or self.reads(position, kind))
            for position, node in enumerate(self.nodes)
            if value in node.sources
        )

    def views(self, vectors: Floats) -> Learned:
        """Return what each node learns, as views into ``vectors`` of shape (K, P)."""
        n_members = len(vectors)
        return [
            tuple(
                vectors[:, place].reshape(n_members, *array.shape_in_stack)
                for array, place in of_node
            )
            for of_node in self._arrays
        ]

    def trained_places(self, attribute: str) -> list[slice]:
        """Return where an attribute's trained parameters lie in the first member's vector."""
        reached = self.reached_nodes(0)
        return [
            slice(place.start, place.stop - array.n_statistics)
            for position in sorted(reached)
            for array, place in self._arrays[position]
            if array.attribute == attribute
        ]

    def rows_of_inputs(self) -> list[tuple[slice, int]]:
        """Return where each input's rows of each weight matrix lie, and how many rows these are.

        Matrices that no gradient of the first member reaches are left out.
        """
        reached, found = self.reached_nodes(0), []
        for position in sorted(reached):
            block = self.nodes[position].block
            if not block.rows_of_inputs:
                continue
            _, place = self._arrays[position][0]
            start = place.start
            for n_rows in block.rows_of_inputs:
                found.append((slice(start, start + n_rows * block.units), n_rows))
                start += n_rows * block.units
        return found

    def by_attribute(self, learned: Learned) -> dict[str, list[Floats]]:
        """Return views of what one member has learned, by attribute, in the declared shapes."""
        found: dict[str, list[Floats]] = {attribute: [] for attribute in self.attributes}
        for of_node, arrays in zip(self._arrays, learned, strict=True):
            for (declared, _), array in zip(of_node, arrays, strict=True):
                found[declared.attribute].append(array[0].reshape(declared.shape))
        return found

    def from_attributes(self, stored: Mapping[str, Sequence[Floats]]) -> Learned:
        """Undo ``by_attribute``: list the arrays that an estimator stores as ``views`` does.

        Raises ValueError if they have other shapes, since a user may have replaced them.
        """
        self._check_shapes(stored)
        left = {attribute: map(np.asarray, stored[attribute]) for attribute in self.attributes}
        learned: Learned = []
        for of_node in self._arrays:
            arrays = []
            for declared, _ in of_node:
                array = next(left[declared.attribute])
                arrays.append(
                    array[None] if declared.is_weight else array.reshape(1, 1, declared.size)
                )
            learned.append(tuple(arrays))
        return learned

    def _check_shapes(self, stored: Mapping[str, Sequence[Floats]]) -> None:
        needed: dict[str, list[tuple[int, ...]]] = {name: [] for name in self.attributes}
        for of_node in self._arrays:
            for declared, _ in of_node:
                needed[declared.attribute].append(declared.shape)
        for attribute, shapes in needed.items():
            found = [np.shape(array) for array in stored[attribute]]
            # A part of a network reads the first arrays of the whole one.
            if found[: len(shapes)] != shapes:
                raise ValueError(
                    f"{attribute} must hold arrays of the shapes {shapes}, got {found}."
                )

    def reached_nodes(self, member: int) -> set[int]:
        """Return the nodes that a member's gradient reaches.

        The gradient stops at blocks that pass none on, such as activations without a derivative.
        """
        reached = {len(self.nodes) - 1}
        for position, node in reversed(list(enumerate(self.nodes))):
            if position in reached and node.block.passes_gradient(member):
                reached.update(node.sources)
        return {position for position in reached if position >= 0}

    def unreached_weights(self, member: int) -> list[slice]:
        """Return where, in a member's vector, the weights lie that no gradient reaches."""
        reached = self.reached_nodes(member)
        return [
            place
            for position, of_node in enumerate(self._arrays)
            for array, place in of_node
            if position not in reached and array.is_weight
        ]

    @cached_property
    def shape(self) -> tuple[object, ...]:
        """What must be equal in networks of one stack; their activations may differ."""
        return self.inputs, tuple((n.name, n.sources, n.block.shape) for n in self.nodes)

    @staticmethod
    def stacked(networks: Sequence[Network], unify: Callable[[Any], Any]) -> Network:
        """Return the network of a stack of single networks with equal shapes.

        ``unify`` returns the same object for equal ones: neighbors that share an activation are
        computed together.
        """
        nodes = []
        for of_members in zip(*(network.nodes for network in networks), strict=True):
            first = of_members[0]
            block = first.block.joined([node.block for node in of_members], unify)
            nodes.append(Node(first.name, block, first.sources))
        return Network(networks[0].inputs, nodes)

    def hidden_part(self) -> Network:
        """Return the network without its output layer."""
        return Network(self.inputs, self.nodes[:-1])

    def members(self, positions: Sequence[int]) -> Network:
        """Return the network of the members with the given positions in the stack."""
        nodes = [Node(n.name, n.block.members(positions), n.sources) for n in self.nodes]
        return Network(self.inputs, nodes)


def first_weight(learned: Learned) -> Floats:
    """Return the first array, (K, ...), of what nodes have learned."""
    return next(arrays[0] for arrays in learned if arrays)
