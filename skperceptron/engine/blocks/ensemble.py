"""Blocks of networks that share their weights: what each has of its own, and their average."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


class Average(Block):
    """One prediction of m networks, whose rows lie one below another, for each row.

    In training each network has a loss of its own, and the value is the input: m B rows. In
    predictions, the inverse link turns the value into the mean of the networks' predictions; with
    any other link than "logistic" and "softmax", it is the mean of the values themselves. Input and
    value have C units.
    """

    kind: ClassVar[str] = "average"
    #: Compiled steps record ``average``: it does nothing but arithmetic, the same for all values.
    records: ClassVar[bool] = True

    def __init__(self, n_networks: int, units: int, link: str) -> None:
        self.n_networks = n_networks
        self.units = units
        self.link = link

    def multiplicity(self, of_input: int, trains: bool) -> int:
        return self.n_networks if trains else 1

    def shares_value(self, trains: bool) -> bool:
        return trains

    def text(self) -> str:
        return f"{self.n_networks} networks"

    def average(self, x: Floats, out: Floats) -> None:
        """Write the mean of (K, m B, C) into (K, B, C)."""
        of_networks, mean = by_network(x, self.n_networks, self.units), out[:, np.newaxis]
        if self.link == "softmax":
            logs = of_networks - _log_of_sum(of_networks, 3)
            np.copyto(mean, _log_of_sum(logs, 1))
        elif self.link == "logistic":
            # The logarithms of the probabilities of both classes.
            yes, no = (-np.logaddexp(0, sign * of_networks) for sign in (-1, 1))
            np.subtract(_log_of_sum(yes, 1), _log_of_sum(no, 1), out=mean)
        else:
            np.add.reduce(of_networks, axis=1, out=mean, keepdims=True)
            np.divide(mean, self.n_networks, out=mean)

    def to_onnx(self, graph: OperatorGraph, inputs: Values, learned: Arrays) -> Value:
        (x,) = inputs
        if self.link == "softmax":
            return self._by_row(graph, graph.log_of_sum, x - graph.log_of_sum(x))
        if self.link == "logistic":
            no = -graph.op("Max", x, 0) - graph.op("Log", graph.op("Exp", -graph.op("Abs", x)) + 1)
            yes, no = (self._by_row(graph, graph.log_of_sum, logs) for logs in (x + no, no))
            return yes - no
        return self._by_row(graph, graph.mean, x)

    def _by_row(
        self, graph: OperatorGraph, reduce: Callable[[Value], Value], value: Value
    ) -> Value:
        """Return what a method of the graph makes of the values of all networks for each row."""
        of_networks = graph.reshape(value, self.n_networks, -1, self.units)
        by_row = graph.op("Transpose", of_networks, perm=[1, 2, 0])
        return graph.reshape(reduce(by_row), -1, self.units)

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        if not work.trains:
            yield partial(self.average, work.inputs_of(node)[0], work.value_of(node))

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        (source,) = work.sources_of(node)
        yield from work.send_gradient(work.gradient_at(node), source)


def _log_of_sum(x: Floats, axis: int) -> Floats:
    """Return the logarithm of the sum of exponentials, with the axis kept."""
    first = x[(slice(None),) * axis + (slice(1),)]
    largest, found = np.empty_like(first), np.empty_like(first)
    np.maximum.reduce(x, axis=axis, out=largest, keepdims=True)
    np.add.reduce(np.exp(x - largest), axis=axis, out=found, keepdims=True)
    np.log(found, out=found)
    return np.add(found, largest, out=found)
