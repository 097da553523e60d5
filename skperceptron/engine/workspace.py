"""A network bound to its parameters and to buffers: the list of calls of one step.

Everything is allocated when the workspace is made. ``forward()`` and ``backward()``
run prepared calls and allocate nothing (sparse products excepted). Several
workspaces may share parameters: one for whole batches, one for the last, shorter one.

No value is changed while another reader needs it. A block that overwrites the buffer of its input
gets that buffer if nothing else needs the content, and a copy otherwise. If a value has several
readers, their gradients are added up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .arrays import Call, Floats, outputs_before_rows
from .blocks import Bench
from .calls import lies_by_columns
from .inputs import DenseInput, Input, SparseBatch
from .network import INPUT, Learned, Network, first_weight


@dataclass(frozen=True)
class TrainingPass:
    """What a workspace needs for steps of training, but not for predictions.

    Attributes
    ----------
    gradient : list of tuples of ndarray
        Where ``backward`` writes, listed like the parameters.
    noise : sequence of Generator or None, default=()
        Generator of each member's dropout masks; None for no dropout.
    scheduled : bool, default=False
        Whether dropout rates change from step to step.
    weighted : bool, default=False
        Whether rows have weights in blocks that mix rows, such as batch normalization.
    like_numpy : bool, default=False
        Whether outputs lie in memory row by row, gradients of biases have the bits of ``np.sum``
        and activations those of their ``reference``. Otherwise outputs lie in memory as (K, C, B),
        which is faster for losses, and BLAS computes the sums.
    input_gradients : bool, default=False
        Whether ``backward`` also computes the gradients of inputs that hold numbers.
    """

    gradient: Learned
    noise: Sequence[np.random.Generator | None] = ()
    scheduled: bool = False
    weighted: bool = False
    like_numpy: bool = False
    input_gradients: bool = False


# A long class: it manages all buffers, since blocks share them.
class Workspace(Bench):
    """Buffers and calls of one batch size.

    Parameters
    ----------
    network : Network
    parameters : list of tuples of ndarray
        What each node has learned, (K, ...), as ``network.views`` lists it, of the
        members that this workspace serves; read, never written.
    batch_size : int
        Rows per member (B).
    training : TrainingPass, default=None
        Without it the workspace can only predict.
    members : slice, default=slice(None)
        Which members of the network's stack the parameters belong to.
    inputs : mapping of str to Input, default={}
        Inputs that exist already, by their names. The others are made: arrays of numbers.

    Attributes
    ----------
    inputs : dict of str to Input
        To be filled before ``forward``.
    multiplicity : int
        How many predictions there are for each row of the batch (m); 1 except in the training of
        networks that share weights.
    raw : ndarray of shape (K, m B, C)
        Raw predictions after ``forward``.
    delta : ndarray of shape (K, m B, C)
        ``dL/d(raw)``, to be filled before ``backward``.
    row_shares : ndarray of shape (K, B, 1) or None
        Share of each row in the total weight of its batch, to be filled before ``forward``.
    total_weights : ndarray of shape (K, 1, 1) or None
        Total weight of the batch, likewise.
    noise_shares : ndarray of shape (K,) or None
        Factors of the dropout rates of each member, likewise.
    forward_calls, backward_calls : tuple of callable
        What ``forward`` and ``backward`` call one after another.
    """

    def __init__(
        self,
        network: Network,
        parameters: Learned,
        batch_size: int,
        training: TrainingPass | None = None,
        *,
        members: slice = slice(None),
        inputs: Mapping[str, Input] | None = None,
    ) -> None:
        self.network = network
        self.members = members
        self.trains = training is not None
        training = training or TrainingPass(gradient=[])
        self.like_numpy = training.like_numpy
        self.noise = training.noise
        self._gradients = training.gradient
        self._input_gradients = training.input_gradients
        weight = first_weight(parameters)
        self._shape = (len(weight), batch_size)
        self._dtype = weight.dtype
        self.multiplicity = network.multiplicity(len(network.nodes) - 1, self.trains)
        self._parameters = parameters
        self._scratch: dict[tuple[tuple[int, ...], tuple[int, ...]], Floats] = {}
        self._own_arrays: dict[int, Floats] = {}
        self._gradients_at: dict[int, Floats] = {}
        self.row_shares: Floats | None = None
        self.total_weights: Floats | None = None
        if training.weighted:
            self.row_shares = np.empty((*self._shape, 1), dtype=self._dtype)
            self.total_weights = np.empty((len(weight), 1, 1), dtype=self._dtype)
        self.noise_shares: Floats | None = np.ones(len(weight)) if training.scheduled else None
        self._wanted: dict[int, bool] = {}
        self.inputs = self._all_inputs(inputs or {})
        #: What each node reads, what it writes, and the calls that make private copies.
        self._operands: list[list[Any]] = []
        self._values: list[Any] = []
        self._copies: dict[int, Call] = {}
        for position in range(len(network.nodes)):
            self._place(position)
        self.raw: Floats = self._values[-1].array
        self.forward_calls = tuple(self._list_forward())
        if self.trains:
            self.delta = self._output_buffer()
            self._gradients_at[len(network.nodes) - 1] = self.delta
            self.backward_calls = tuple(self._list_backward())

    def prediction_call(self, out: Floats) -> Call:
        """Bind the call that writes one raw prediction for each row into ``out``, (K, B, C)."""
        if self.multiplicity == 1:
            return partial(np.copyto, out, self.raw)
        return partial(self.network.nodes[-1].block.average, self.raw, out)

    def forward(self) -> None:
        """Compute ``raw`` from the inputs."""
        for call in self.forward_calls:
            call()

    def backward(self) -> None:
        """Compute the gradient from ``delta``; values and ``delta`` are overwritten."""
        for call in self.backward_calls:
            call()

    def input_gradient(self, name: str) -> Floats:
        """Return the gradient of an input that holds numbers, (K, B, D), after ``backward``."""
        (value,) = (INPUT - i for i, one in enumerate(self.network.inputs) if one.name == name)
        return self._gradients_at[value]

    def _list_forward(self) -> Iterator[Call]:
        for position, node in enumerate(self.network.nodes):
            if position in self._copies:
                yield self._copies[position]
            yield from node.block.forward(self, position)

    def _list_backward(self) -> Iterator[Call]:
        for position, node in reversed(list(enumerate(self.network.nodes))):
            if position in self._gradients_at:
                yield from node.block.backward(self, position)
            else:
                # No gradient reaches this node.
                yield from (partial(array.fill, 0) for array in self._gradients[position])

    # Buffers.

    def _buffer(self, value: int, units_first: bool = False) -> Floats:
        """Return a new array for the value of a node or of an input."""
        n_members, n_rows = self._shape
        n_rows *= self.network.multiplicity(value, self.trains)
        width = self.network.width(value)
        if units_first:
            return outputs_before_rows(n_members, n_rows, width, self._dtype)
        return np.empty((n_members, n_rows, width), dtype=self._dtype)

    def _output_buffer(self) -> Floats:
        return self._buffer(len(self.network.nodes) - 1, self.trains and not self.like_numpy)

    def _all_inputs(self, given: Mapping[str, Input]) -> dict[str, Input]:
        """Return the inputs of the network, by name; those that are not given are made."""
        return {
            one.name: given.get(one.name) or DenseInput(self._buffer(INPUT - i))
            for i, one in enumerate(self.network.inputs)
        }

    def _value(self, value: int) -> Any:
        """Return the ``Input`` that holds the value of a node or of an input."""
        return self._values[value] if value >= 0 else self.inputs[self.network.input_of(value).name]

    def _place(self, position: int) -> None:
        """Decide what a node reads and where its value lies."""
        node = self.network.nodes[position]
        block = node.block
        operands = [self._value(source) for source in node.sources]
        for operand in operands:
            if operand.kind not in block.accepts:
                accepted = " or ".join(sorted(block.accepts))
                raise ValueError(
                    f"{node.name}, a block of kind {block.kind!r}, reads {accepted} values, not"
                    f" {operand.kind} ones."
                )
        if block.overwrites_input(self.trains) and not self._may_overwrite(node.sources[0]):
            original, operands = operands[0].array, [DenseInput(self._buffer(node.sources[0]))]
            self._copies[position] = partial(np.copyto, operands[0].array, original)
        self._operands.append(operands)
        if block.shares_value(self.trains):
            self._values.append(operands[0])
        elif block.keeps_kind and operands[0].kind == "sparse":
            self._values.append(SparseBatch(self._shape[0]))
        elif position == len(self.network.nodes) - 1:
            self._values.append(DenseInput(self._output_buffer()))
        else:
            units_first = block.puts_units_first(self.trains)
            if block.keeps_kind and operands[0].kind == "dense":
                # NumPy is slow if an operation reads in one order and writes in another.
                units_first = lies_by_columns(operands[0].array)
            self._values.append(DenseInput(self._buffer(position, units_first)))

    def _may_overwrite(self, value: int) -> bool:
        """Tell whether the reader of a value may overwrite it, since nothing else needs it."""
        if value < 0 or self.network.n_readers[value] > 1:
            return False
        node = self.network.nodes[value]
        if node.block.keeps_value(self.trains):
            return False
        # A block that passes its input on unchanged shares the input's buffer: look there.
        hands_on = node.block.shares_value(self.trains) and not node.block.overwrites_input(
            self.trains
        )
        return not hands_on or self._may_overwrite(node.sources[0])

    # What blocks ask for while they list their calls: see ``Bench``.

    def sources_of(self, node: int) -> tuple[int, ...]:
        return self.network.nodes[node].sources

    def operands_of(self, node: int) -> list[Any]:
        return self._operands[node]

    def inputs_of(self, node: int) -> list[Floats]:
        return [operand.array for operand in self._operands[node]]

    def holder_of(self, node: int) -> Any:
        return self._values[node]

    def value_of(self, node: int) -> Floats:
        return self._values[node].array

    def parameters_of(self, node: int) -> tuple[Floats, ...]:
        return self._parameters[node]

    def gradients_of(self, node: int) -> tuple[Floats, ...]:
        return self._gradients[node]

    def scratch(self, like: Floats) -> Floats:
        key = like.shape, like.strides
        if key not in self._scratch:
            self._scratch[key] = np.empty_like(like)
        return self._scratch[key]

    def own_array(self, node: int, *shape: int) -> Floats:
        if node not in self._own_arrays:
            self._own_arrays[node] = np.empty(shape, dtype=self._dtype)
        return self._own_arrays[node]

    def wants_gradient(self, value: int) -> bool:
        if value < 0:
            return self._input_gradients
        if value not in self._wanted:
            self._wanted[value] = bool(self._parameters[value]) or any(
                self.wants_gradient(source) for source in self.sources_of(value)
            )
        return self._wanted[value]

    def gradient_at(self, node: int) -> Floats:
        return self._gradients_at[node]

    def gradient_slot(self, value: int) -> tuple[Floats, Iterable[Call]]:
        # The first reader writes into the gradient itself, later ones into scratch that is added.
        if value not in self._gradients_at:
            self._gradients_at[value] = self._buffer(value)
            return self._gradients_at[value], ()
        total = self._gradients_at[value]
        share = self.scratch(total)
        return share, (partial(np.add, total, share, total),)

    def send_gradient(self, gradient: Floats, value: int) -> Iterable[Call]:
        # If it is the first share, the array becomes the gradient itself.
        if not self.wants_gradient(value):
            return ()
        if value not in self._gradients_at:
            self._gradients_at[value] = gradient
            return ()
        total = self._gradients_at[value]
        return (partial(np.add, total, gradient, total),)

    def send_copy(self, gradient: Floats, value: int) -> Iterable[Call]:
        if not self.wants_gradient(value):
            return ()
        if value in self._gradients_at:
            return self.send_gradient(gradient, value)
        total, _ = self.gradient_slot(value)
        return (partial(np.copyto, total, gradient),)
