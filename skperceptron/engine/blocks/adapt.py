"""``x * f_i + b_i``: the parameters in which networks that share weights differ."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Arrays, Call, Floats, by_network
from ..operators import OperatorGraph, Value, Values
from .base import Bench, Block, LearnedArray


class Adapt(Block):
    """``x * f_i + b_i`` for each of m networks that share their weight matrices.

    The value has m B rows: those of the first network, then those of the second, and so on. So has
    the input, unless it is the same for all networks (Gorishniy et al. 2025, *TabM*; Wen et al.
    2020, *BatchEnsemble*).

    Parameters
    ----------
    n_networks : int
        How many networks share weights (m).
    units : int
        Width of input and value (H).
    has_shifts : bool
        Whether there are b_i, which start at 0.
    is_first : bool
        Whether the input is the same for all networks. Factors then start at -1 or +1 at random,
        so that networks differ from the beginning; otherwise they start at 1.
    """

    kind: ClassVar[str] = "adapter"

    def __init__(self, n_networks: int, units: int, has_shifts: bool, is_first: bool) -> None:
        self.n_networks = n_networks
        self.units = units
        self.has_shifts = has_shifts
        self.is_first = is_first

    @property
    def learned(self) -> tuple[LearnedArray, ...]:
        shape = self.n_networks, self.units
        names = ("factors", "shifts") if self.has_shifts else ("factors",)
        return tuple(LearnedArray(name, "adapters_", shape) for name in names)

    def initial_arrays(self, rng: np.random.RandomState) -> list[Floats]:
        shape = self.n_networks, self.units
        factors = rng.choice([-1.0, 1.0], shape) if self.is_first else np.ones(shape)
        return [factors, np.zeros(shape)] if self.has_shifts else [factors]

    def multiplicity(self, of_input: int, trains: bool) -> int:
        return self.n_networks

    def text(self) -> str:
        return f"{self.n_networks} networks"

    def _by_network(self, array: Floats) -> Floats:
        """Return a view of (K, m B, H) or of (K, 1, m H) as (K, m, *, H)."""
        return by_network(array, self.n_networks, self.units)

    def _input(self, work: Bench, node: int) -> Floats:
        """Return the input as (K, m, B, H), or (K, 1, B, H) where it is the same for all."""
        (x,) = work.inputs_of(node)
        return x[:, np.newaxis] if self.is_first else self._by_network(x)

    def to_onnx(self, graph: OperatorGraph, inputs: Values, learned: Arrays) -> Value:
        factors, *shifts = (array.reshape(self.n_networks, 1, self.units) for array in learned)
        n_before = 1 if self.is_first else self.n_networks
        value = graph.reshape(inputs[0], n_before, -1, self.units) * factors
        for shift in shifts:
            value = value + shift
        return graph.reshape(value, -1, self.units)

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        x, out = self._input(work, node), self._by_network(work.value_of(node))
        factors, *shifts = map(self._by_network, work.parameters_of(node))
        yield partial(np.multiply, x, factors, out)
        for shift in shifts:
            yield partial(np.add, out, shift, out)

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        (source,), x = work.sources_of(node), self._input(work, node)
        factors = self._by_network(work.parameters_of(node)[0])
        to_factors, *to_shifts = map(self._by_network, work.gradients_of(node))
        grad = work.gradient_at(node)
        of_networks = self._by_network(grad)
        room = self._by_network(work.own_array(node, *grad.shape))
        for to_shift in to_shifts:
            yield partial(np.add.reduce, of_networks, 2, None, to_shift, True)
        yield partial(np.multiply, of_networks, x, room)
        yield partial(np.add.reduce, room, 2, None, to_factors, True)
        if not work.wants_gradient(source):
            return
        yield partial(np.multiply, of_networks, factors, of_networks)
        if self.is_first:
            to_input, add_up = work.gradient_slot(source)
            yield partial(np.add.reduce, of_networks, 1, None, to_input)
            yield from add_up
        else:
            yield from work.send_gradient(grad, source)
