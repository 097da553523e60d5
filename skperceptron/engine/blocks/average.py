"""The mean of what several networks predict: the end of an ensemble that shares weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Arrays, Call, Floats, by_network
from ..operators import OperatorGraph, Value, Values
from .base import Bench, Block


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
