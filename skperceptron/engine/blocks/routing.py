"""Blocks that learn nothing: the sum of two values, values side by side, some columns of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Arrays, Call, neighbors, side_by_side
from ..operators import OperatorGraph, Value, Values
from .base import Bench, Block, Line


class Add(Block):
    """``f + h``, both of H units: the shortcut of a residual network (He et al. 2016)."""

    kind: ClassVar[str] = "add"

    def __init__(self, units: int) -> None:
        self.units = units

    def line(self, inputs: Sequence[Line], learned: Arrays) -> Line:
        return inputs[0] + inputs[1]

    def to_onnx(self, graph: OperatorGraph, inputs: Values, learned: Arrays) -> Value:
        return inputs[0] + inputs[1]

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        f, h = work.inputs_of(node)
        yield partial(np.add, f, h, work.value_of(node))

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        transformed, shortcut = work.sources_of(node)
        grad = work.gradient_at(node)
        yield from work.send_copy(grad, shortcut)
        yield from work.send_gradient(grad, transformed)


class Concatenate(Block):
    """Copies of the inputs, which have these widths, side by side in one array.

    An affine block can read several values without such a copy. Blocks that treat all columns
    alike, such as a scale, need it.
    """

    kind: ClassVar[str] = "concatenation"

    def __init__(self, widths: Sequence[int]) -> None:
        self.widths = tuple(widths)

    @property
    def units(self) -> int:  # type: ignore[override]
        return sum(self.widths)

    def input_width(self, widths: Sequence[int]) -> int:
        return sum(widths)

    def to_onnx(self, graph: OperatorGraph, inputs: Values, learned: Arrays) -> Value:
        return graph.concatenate(list(inputs))

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        out = work.value_of(node)
        for x, place in zip(work.inputs_of(node), side_by_side(self.widths), strict=True):
            yield partial(np.copyto, out[:, :, place], x)

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        grad = work.gradient_at(node)
        for source, place in zip(work.sources_of(node), side_by_side(self.widths), strict=True):
            yield from work.send_copy(grad[:, :, place], source)


class Select(Block):
    """The columns of the input at some positions, in rising order, whatever its width."""

    kind: ClassVar[str] = "selection"

    def __init__(self, columns: Sequence[int]) -> None:
        self.columns = tuple(columns)

    @property
    def units(self) -> int:  # type: ignore[override]
        return len(self.columns)

    def text(self) -> str:
        return f"{len(self.columns)} columns"

    def to_onnx(self, graph: OperatorGraph, inputs: Values, learned: Arrays) -> Value:
        return graph.op("Gather", inputs[0], graph.whole(self.columns), axis=1)

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        (x,), out = work.inputs_of(node), work.value_of(node)
        for place, columns in neighbors(self.columns):
            yield partial(np.copyto, out[:, :, place], x[:, :, columns])

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        (source,), grad = work.sources_of(node), work.gradient_at(node)
        if work.wants_gradient(source):
            to_input, add_up = work.gradient_slot(source)
            yield partial(to_input.fill, 0)
            for place, columns in neighbors(self.columns):
                yield partial(np.copyto, to_input[:, :, columns], grad[:, :, place])
            yield from add_up
