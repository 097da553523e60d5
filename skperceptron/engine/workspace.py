"""A network bound to its parameters and to buffers: the list of calls of one step.

Everything is allocated when the workspace is made. ``forward()`` and ``backward()``
run prepared calls and allocate nothing (sparse products excepted). Several
workspaces may share parameters: one for whole batches, one for the last, shorter one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from .arrays import Call, Floats, outputs_first
from .blocks import Dropout, Input
from .network import INPUT, Learned, Network, first_weight
from .sparse import SparseBatch


class Workspace:
    """Buffers and calls of one batch size.

    Parameters
    ----------
    network : Network
    parameters : list of tuples of ndarray
        What each node has learned, (K, ...), as ``network.views`` lists it, of the
        members that this workspace serves; read, never written.
    batch_size : int
        Rows per member (B).
    gradient : list of tuples of ndarray, default=None
        Where ``backward`` writes, listed like `parameters`. Without it the workspace
        can only predict.
    sparse : bool, default=False
        Whether the input is a :class:`SparseBatch` instead of an array.
    members : slice, default=slice(None)
        Which members of the network's stack the parameters belong to.
    noise : sequence of Generator or None, default=()
        Source of each of these members' dropout; None where there is none.
    x : SparseBatch, default=None
        The input, if it is to be one that exists already.
    weighted : bool, default=False
        Whether the rows of a batch count differently in what mixes them.
    like_numpy : bool, default=False
        Whether outputs lie in memory row by row, gradients of biases have the bits of ``np.sum``
        and activations those of their ``reference``. Else outputs lie in front, (K, C, B), which
        is faster for losses, and sums are left to BLAS.

    Attributes
    ----------
    x : ndarray of shape (K, B, D) or SparseBatch
        To be filled before ``forward``.
    raw : ndarray of shape (K, B, C)
        Raw predictions after ``forward``.
    delta : ndarray of shape (K, B, C)
        ``dL/d(raw)``, to be filled before ``backward``.
    row_shares : ndarray of shape (K, B, 1) or None
        Part of each row in the weight of its batch, to be filled before ``forward``.
    total_weights : ndarray of shape (K, 1, 1) or None
        Weight of the batch, likewise.
    forward_calls, backward_calls : tuple of callable
        What ``forward`` and ``backward`` call one after another.
    """

    def __init__(
        self,
        network: Network,
        parameters: Learned,
        batch_size: int,
        *,
        gradient: Learned | None = None,
        sparse: bool = False,
        members: slice = slice(None),
        noise: Sequence[np.random.Generator | None] = (),
        x: SparseBatch | None = None,
        weighted: bool = False,
        like_numpy: bool = False,
    ) -> None:
        self.network = network
        self.like_numpy = like_numpy
        self.noise = noise
        self.members = members
        self.trains = gradient is not None
        weight = first_weight(parameters)
        n_members = len(weight)
        self._shape = (n_members, batch_size)
        self._dtype = weight.dtype
        self._parameters = parameters
        self._scratch: dict[tuple[tuple[int, ...], tuple[int, ...]], Floats] = {}
        self._kept: dict[int, Floats] = {}
        self._gradients_at: dict[int, Floats] = {}
        if x is None and sparse:
            x = SparseBatch(n_members)
        self.x: Input = self._buffer(network.n_inputs) if x is None else x
        self.row_shares: Floats | None = None
        self.total_weights: Floats | None = None
        if weighted:
            self.row_shares = self._buffer(1)
            self.total_weights = np.empty((n_members, 1, 1), dtype=self._dtype)
        self._values = self._allocate_values()
        self.raw: Floats = self._values[-1]
        self.forward_calls = tuple(
            call
            for position, node in enumerate(network.nodes)
            for call in node.block.forward(self, position)
        )
        if gradient is not None:
            self._gradients = gradient
            self.delta = self._output_buffer()
            self._gradients_at[len(network.nodes) - 1] = self.delta
            self.backward_calls = tuple(
                call
                for position, node in reversed(list(enumerate(network.nodes)))
                for call in node.block.backward(self, position)
            )

    def forward(self) -> None:
        """Compute ``raw`` from ``x``."""
        for call in self.forward_calls:
            call()

    def backward(self) -> None:
        """Compute the gradient from ``delta``; values and ``delta`` are used up."""
        for call in self.backward_calls:
            call()

    def _buffer(self, width: int) -> Floats:
        return np.empty((*self._shape, width), dtype=self._dtype)

    def _output_buffer(self) -> Floats:
        if self.like_numpy or not self.trains:
            return self._buffer(self.network.n_outputs)
        return outputs_first(*self._shape, self.network.n_outputs, self._dtype)

    def _allocate_values(self) -> list[Any]:
        values: list[Any] = []
        for node in self.network.nodes:
            source = self.x if node.sources[0] == INPUT else values[node.sources[0]]
            if node.block.shares_value(self.trains):
                values.append(source)
            elif isinstance(node.block, Dropout) and isinstance(source, SparseBatch):
                values.append(SparseBatch(self._shape[0]))
            elif len(values) == len(self.network.nodes) - 1:
                values.append(self._output_buffer())
            else:
                values.append(self._buffer(node.block.units))
        return values

    # What blocks ask for while they list their calls.

    def sources_of(self, node: int) -> tuple[int, ...]:
        """Return which values the node reads."""
        return self.network.nodes[node].sources

    def inputs_of(self, node: int) -> list[Any]:
        """Return the arrays (or the sparse batch) that the node reads."""
        return [self.x if s == INPUT else self._values[s] for s in self.sources_of(node)]

    def value_of(self, node: int) -> Any:
        """Return the array (or the sparse batch) that the node writes."""
        return self._values[node]

    def parameters_of(self, node: int) -> tuple[Floats, ...]:
        """Return what the node has learned."""
        return self._parameters[node]

    def gradients_of(self, node: int) -> tuple[Floats, ...]:
        """Return where the gradient of what the node learns goes."""
        return self._gradients[node]

    def scratch(self, like: Floats) -> Floats:
        """Return an array of the same layout whose content nobody keeps beyond the next call."""
        key = like.shape, like.strides
        if key not in self._scratch:
            self._scratch[key] = np.empty_like(like)
        return self._scratch[key]

    def kept(self, node: int, *shape: int) -> Floats:
        """Return an array that is the node's own from the way forward to the way back."""
        if node not in self._kept:
            self._kept[node] = np.empty(shape, dtype=self._dtype)
        return self._kept[node]

    def wants_gradient(self, value: int) -> bool:
        """Tell whether a value's gradient is needed: not that of the data."""
        return value != INPUT and any(
            self._parameters[value] or self.wants_gradient(s) for s in self.sources_of(value)
        )

    def gradient_at(self, node: int) -> Floats:
        """Return the gradient of the node's value, complete once its readers have run."""
        return self._gradients_at[node]

    def hand_over(self, gradient: Floats, value: int) -> None:
        """Let a value, which nothing else reads, take over a gradient array as its own."""
        self._gradients_at[value] = gradient

    def gradient_slot(self, value: int) -> tuple[Floats, Iterable[Call]]:
        """Return where to write one reader's share of a value's gradient.

        The first reader writes into the gradient itself, later ones into scratch that
        the returned calls add to it.
        """
        if value not in self._gradients_at:
            self._gradients_at[value] = self._buffer(self.network.width(value))
            return self._gradients_at[value], ()
        total = self._gradients_at[value]
        share = self.scratch(total)
        return share, (partial(np.add, total, share, total),)
