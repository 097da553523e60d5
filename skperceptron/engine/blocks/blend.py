"""``x + a (f - x)``: how far each unit follows its activation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Arrays, Call, Floats
from ..calls import sum_of_rows
from ..operators import OperatorGraph, Value, Values
from .base import Bench, Block, LearnedArray, Line


class Blend(Block):
    """``x + a (f - x)`` of two values x and f, with a learned share a for each unit.

    With ``f = f(x)`` it is the parametric activation of Holzmüller et al. (2024), *Better by
    default*: shares start at 1, where the value is f; with 0 it is x. All have H units.
    """

    kind: ClassVar[str] = "blend"

    def __init__(self, units: int) -> None:
        self.units = units

    @property
    def learned(self) -> tuple[LearnedArray, ...]:
        return (LearnedArray("share", "activation_shares_", (self.units,)),)

    def initial_arrays(self, rng: np.random.RandomState) -> list[Floats]:
        return [np.ones(self.units)]

    def line(self, inputs: Sequence[Line], learned: Arrays) -> Line:
        share = learned[0][0, 0]
        x, f = inputs
        none = np.zeros_like(share)
        return x.scaled(1 - share, none) + f.scaled(share, none)

    def to_onnx(self, graph: OperatorGraph, inputs: Values, learned: Arrays) -> Value:
        x, f = inputs
        return x + (f - x) * learned[0][0]

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        (x, f), (share,), out = work.inputs_of(node), work.parameters_of(node), work.value_of(node)
        yield partial(np.subtract, f, x, out)
        yield partial(np.multiply, out, share, out)
        yield partial(np.add, out, x, out)

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        (source, followed), (x, f) = work.sources_of(node), work.inputs_of(node)
        (share,), (share_grad,) = work.parameters_of(node), work.gradients_of(node)
        grad = work.gradient_at(node)
        room = work.own_array(node, *grad.shape)
        yield partial(np.subtract, f, x, room)
        yield partial(np.multiply, room, grad, room)
        yield sum_of_rows(room, share_grad, work.like_numpy)
        # Both parts of the gradient are computed before either array is passed on.
        yield partial(np.multiply, grad, share, room)
        yield partial(np.subtract, grad, room, grad)
        yield from work.send_copy(room, followed)
        yield from work.send_gradient(grad, source)
