"""Some columns of a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Arrays, Call, neighbours
from ..operators import OperatorGraph, Value, Values
from .base import Bench, Block


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
        for place, columns in neighbours(self.columns):
            yield partial(np.copyto, out[:, :, place], x[:, :, columns])

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        (source,), grad = work.sources_of(node), work.gradient_at(node)
        if work.wants_gradient(source):
            to_input, add_up = work.gradient_slot(source)
            yield partial(to_input.fill, 0)
            for place, columns in neighbours(self.columns):
                yield partial(np.copyto, to_input[:, :, columns], grad[:, :, place])
            yield from add_up
