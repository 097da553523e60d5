"""Layer normalisation: each row over its units."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Arrays, Call, in_range
from ..operators import OperatorGraph, Value, Values
from .base import Bench
from .normalize import Normalize


class LayerNormalize(Normalize):
    """Layer normalisation (Ba, Kiros & Hinton 2016): each row over its units.

    Parameters are those of :class:`Normalize`.
    """

    kind: ClassVar[str] = "layer_normalization"
    axis: ClassVar[int] = 2

    def overwrites_input(self, trains: bool) -> bool:
        return True

    def to_onnx(self, graph: OperatorGraph, inputs: Values, learned: Arrays) -> Value:
        gamma, beta = (vector[0] for vector in self.vectors(learned[0]))
        centred = inputs[0] - graph.mean(inputs[0])
        variance = graph.mean(centred * centred) + in_range(self.epsilon, graph.dtype)
        return centred / graph.op("Sqrt", variance) * gamma + beta

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        (z,), out = work.inputs_of(node), work.value_of(node)
        gamma, beta = self.vectors(work.parameters_of(node)[0])
        mean, factor = self._statistics(work, node)
        yield from self._standardize(z, out, mean, factor)
        yield from self._inverted(factor)
        yield partial(np.multiply, z, factor, z)
        yield from self._scaled(z, gamma, beta, out)

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        (z,), (source,) = work.inputs_of(node), work.sources_of(node)
        gamma = self.vectors(work.parameters_of(node)[0])[0]
        means, factor = self._statistics(work, node)
        grad, room = work.gradient_at(node), work.scratch(z)
        yield from self._gradients_of_vectors(work, node)
        yield partial(np.multiply, grad, gamma, grad)
        yield from self._through_statistics(grad, z, room, means)
        yield partial(np.multiply, grad, factor, grad)
        yield from work.send_gradient(grad, source)
