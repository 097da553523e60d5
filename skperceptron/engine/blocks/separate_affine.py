"""``z_i = x_i W_i + b_i``: separate layers for networks that share their other weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Arrays, Call, Floats, by_network
from ..calls import matmul
from ..operators import OperatorGraph, Value, Values
from .affine import Affine
from .base import Bench, Line


class SeparateAffine(Affine):
    """``z_i = x_i W_i + b_i`` for each of m networks, whose rows lie one below another.

    The weight matrices lie below one another, too, (m H, C), where H is the width of the input and
    C the number of units; biases are (m, C).
    """

    kind: ClassVar[str] = "separate_affine"
    accepts = frozenset({"dense"})

    def __init__(self, n_networks: int, width: int, units: int) -> None:
        self.n_networks = n_networks
        self.width = width
        self.units = units

    @property
    def fan_in(self) -> tuple[int, ...]:  # type: ignore[override]
        """Width of the input of each layer."""
        return (self.width,) * self.n_networks

    @property
    def n_layers(self) -> int:
        return self.n_networks

    @property
    def bias_shape(self) -> tuple[int, ...]:
        return self.n_networks, self.units

    def input_width(self, widths: Sequence[int]) -> int:
        return self.width

    def text(self) -> str:
        return f"{self.n_networks} networks"

    def line(self, inputs: Sequence[Line], learned: Arrays) -> None:  # type: ignore[override]
        return None

    def after_line(self, learned: Arrays, factor: Floats, shift: Floats) -> None:  # type: ignore[override]
        return None

    def _views(self, arrays: Arrays) -> tuple[Floats, Floats]:
        """Return weights, (K, m, H, C), and biases, (K, m, 1, C)."""
        weight, bias = arrays
        shape = len(weight), self.n_networks
        return (
            weight.reshape(*shape, self.width, self.units),
            bias.reshape(*shape, 1, self.units),
        )

    def to_onnx(self, graph: OperatorGraph, inputs: Values, learned: Arrays) -> Value:
        weight, bias = (array[0] for array in self._views(learned))
        x = graph.reshape(inputs[0], self.n_networks, -1, self.width)
        return graph.reshape(x @ weight + bias, -1, self.units)

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        weight, bias = self._views(work.parameters_of(node))
        x = by_network(work.inputs_of(node)[0], self.n_networks, self.width)
        out = by_network(work.value_of(node), self.n_networks, self.units)
        yield matmul(x, weight, out)
        yield partial(np.add, out, bias, out)

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        (source,) = work.sources_of(node)
        weight, _ = self._views(work.parameters_of(node))
        to_weight, to_bias = self._views(work.gradients_of(node))
        x = by_network(work.inputs_of(node)[0], self.n_networks, self.width)
        delta = by_network(work.gradient_at(node), self.n_networks, self.units)
        yield matmul(x.swapaxes(2, 3), delta, to_weight)
        yield partial(np.add.reduce, delta, 2, None, to_bias, True)
        if work.wants_gradient(source):
            to_input, add_up = work.gradient_slot(source)
            of_networks = by_network(to_input, self.n_networks, self.width)
            yield matmul(delta, weight.swapaxes(2, 3), of_networks)
            yield from add_up
