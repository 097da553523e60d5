"""Several values side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Arrays, Call, side_by_side
from ..operators import OperatorGraph, Value, Values
from .base import Bench, Block


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
