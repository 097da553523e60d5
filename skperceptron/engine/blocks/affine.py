"""``z = x W + b``: the block that opens a layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Arrays, Call, Floats, side_by_side
from ..calls import add_to_rows, product, sum_of_rows
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
