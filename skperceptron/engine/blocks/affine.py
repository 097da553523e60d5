"""``z = x W + b``: the block that opens a layer, for one network or several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Arrays, Call, Floats, by_network, side_by_side
from ..calls import add_to_rows, matmul, product, sum_of_rows
from ..operators import OperatorGraph, Value, Values
from .base import Bench, Block, LearnedArray, Line


class Affine(Block):
    """``z = x W + b``, where x is one or several earlier values side by side.

    Several inputs are multiplied with their own rows of W one after another, so that no
    concatenated copy is made and a sparse input stays sparse. ``fan_in`` is the width of each.
    """

    kind: ClassVar[str] = "affine"
    accepts = frozenset({"dense", "borrowed", "sparse"})
    opens_layer = True

    def __init__(self, fan_in: Sequence[int], units: int) -> None:
        self.fan_in = tuple(fan_in)
        self.units = units

    @property
    def learned(self) -> tuple[LearnedArray, ...]:
        return (
            LearnedArray("weight", "coefs_", (sum(self.fan_in), self.units), is_weight=True),
            LearnedArray("bias", "intercepts_", self.bias_shape),
        )

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """Shape of the biases."""
        return (self.units,)

    @property
    def rows_of_inputs(self) -> tuple[int, ...]:
        return self.fan_in

    def input_width(self, widths: Sequence[int]) -> int:
        return sum(widths)

    def line(self, inputs: Sequence[Line], learned: Arrays) -> Line:
        weight, bias = learned
        parts = zip(inputs, self._rows(weight), strict=True)
        return sum((x.through(rows[0]) for x, rows in parts), start=Line({}, bias[0, 0]))

    def to_onnx(self, graph: OperatorGraph, inputs: Values, learned: Arrays) -> Value:
        weight, bias = learned
        parts = [x @ rows[0] for x, rows in zip(inputs, self._rows(weight), strict=True)]
        return sum(parts[1:], start=parts[0]) + bias[0, 0]

    def after_line(self, learned: Arrays, factor: Floats, shift: Floats) -> tuple[Floats, ...]:
        weight, bias = learned
        return weight * factor, bias * factor + shift

    def _rows(self, weight: Floats) -> list[Floats]:
        """Split W into the rows that belong to each input."""
        return [weight[:, place] for place in side_by_side(self.fan_in)]

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        weight, bias = work.parameters_of(node)
        out = work.value_of(node)
        for i, (x, rows) in enumerate(zip(work.operands_of(node), self._rows(weight), strict=True)):
            if i == 0:
                yield x.product(rows, out)
            else:
                partial_sum = work.scratch(out)
                yield x.product(rows, partial_sum)
                yield partial(np.add, out, partial_sum, out)
        yield add_to_rows(bias, out)

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        weight, _ = work.parameters_of(node)
        weight_grad, bias_grad = work.gradients_of(node)
        delta = work.gradient_at(node)
        for x, rows in zip(work.operands_of(node), self._rows(weight_grad), strict=True):
            yield x.transposed_product(delta, rows)
        yield sum_of_rows(delta, bias_grad, work.like_numpy)
        for source, rows in zip(work.sources_of(node), self._rows(weight), strict=True):
            if work.wants_gradient(source):
                to_input, add_up = work.gradient_slot(source)
                yield product(delta, rows.swapaxes(1, 2), to_input)
                yield from add_up


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
