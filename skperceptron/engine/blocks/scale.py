"""A learned factor for each feature."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Arrays, Call, Floats
from .base import Bench, Block, LearnedArray


class Scale(Block):
    """``z = x * s``: a learned factor s for each of H features, which starts at 1."""

    kind: ClassVar[str] = "scale"
    accepts = frozenset({"dense", "borrowed", "sparse"})
    keeps_kind = True

    def __init__(self, units: int) -> None:
        self.units = units

    @property
    def learned(self) -> tuple[LearnedArray, ...]:
        return (LearnedArray("scale", "feature_scales_", (self.units,)),)

    def initial_arrays(self, rng: np.random.RandomState) -> list[Floats]:
        return [np.ones(self.units)]

    def factor_and_shift(self, learned: Arrays) -> tuple[Floats, Floats]:
        (factor,) = learned
        return factor, np.zeros_like(factor)

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        (x,), (factor,) = work.operands_of(node), work.parameters_of(node)
        yield x.scaled(factor, work.holder_of(node))

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        (source,), (x,) = work.sources_of(node), work.operands_of(node)
        (factor,), (factor_grad,) = work.parameters_of(node), work.gradients_of(node)
        grad = work.gradient_at(node)
        yield from x.column_products(grad, work.scratch(grad), factor_grad)
        if work.wants_gradient(source):
            yield partial(np.multiply, grad, factor, grad)
            yield from work.send_gradient(grad, source)
