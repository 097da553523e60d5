"""``f + h``: the shortcut of a residual network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Arrays, Call
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
