"""``f * h``: a gate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Call, Floats
from ..operators import OperatorGraph, Value
from .base import Bench, Block


class Multiply(Block):
    """``f * h``, unit by unit: one value is the gate of the other (Dauphin et al. 2017).

    Parameters
    ----------
    units : int
        Width of both inputs and of the value (H).
    """

    kind: ClassVar[str] = "multiply"

    def __init__(self, units: int) -> None:
        self.units = units

    def to_onnx(
        self, graph: OperatorGraph, inputs: Sequence[Value], learned: Sequence[Floats]
    ) -> Value:
        return inputs[0] * inputs[1]

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        f, h = work.inputs_of(node)
        yield partial(np.multiply, f, h, work.value_of(node))

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        first, second = work.sources_of(node)
        f, h = work.inputs_of(node)
        grad = work.gradient_at(node)
        for source, other in ((first, h), (second, f)):
            if work.wants_gradient(source):
                to_input, add_up = work.gradient_slot(source)
                yield partial(np.multiply, grad, other, to_input)
                yield from add_up
