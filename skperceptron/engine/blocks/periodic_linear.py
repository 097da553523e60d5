"""Periodic embeddings with an activation: waves of each feature, mixed and rectified."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Arrays, Call, Floats
from ..operators import OperatorGraph, Value, Values
from .base import Bench
from .periodic import OfWaves, angles_of, features_first, products_of_columns


class PeriodicLinear(OfWaves):
    r"""``relu([sin(2 pi x w), cos(2 pi x w)] M + s)`` for each feature x, with its own parameters.

    "PLR" of Gorishniy et al. (2022), *On embeddings for numerical features*. F frequencies w are
    mixed into W numbers.
    """

    kind: ClassVar[str] = "periodic_linear_embedding"

    @property
    def units(self) -> int:  # type: ignore[override]
        return self.n_features * self.width

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {
            "frequencies": (self.n_features, self.n_frequencies),
            "mixing": (self.n_features, 2 * self.n_frequencies, self.width),
            "shifts": (self.n_features, self.width),
        }

    def _rooms(self, work: Bench, node: int) -> list[Floats]:
        """Return arrays for waves, mixtures, angles and one column."""
        return self.rooms(work, node, (2 * self.n_frequencies, self.width, self.n_frequencies, 1))

    def to_onnx(self, graph: OperatorGraph, inputs: Values, learned: Arrays) -> Value:
        frequencies, mixing, shifts = (a[0] for a in self.per_feature(learned))
        angles = features_first(graph, inputs[0]) * frequencies * (2 * np.pi)
        waves = graph.concatenate([graph.op("Sin", angles), graph.op("Cos", angles)], axis=2)
        mixed = graph.op("Relu", waves @ mixing + shifts.swapaxes(0, 1))
        return graph.reshape(graph.op("Transpose", mixed, perm=[1, 0, 2]), -1, self.units)

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        (x,), F = work.inputs_of(node), self.n_frequencies
        frequencies, mixing, shifts = self.per_feature(work.parameters_of(node))
        waves, mixtures, angles, _ = self._rooms(work, node)
        out = work.value_of(node)
        by_feature = out.reshape(*out.shape[:2], self.n_features, self.width)
        yield from angles_of(x, frequencies, angles)
        yield partial(np.sin, angles, waves[..., :F])
        yield partial(np.cos, angles, waves[..., F:])
        yield partial(np.matmul, waves, mixing, mixtures)
        yield partial(np.add, mixtures.swapaxes(1, 2), shifts, by_feature)
        yield partial(np.maximum, by_feature, 0, out=by_feature)

    def keeps_value(self, trains: bool) -> bool:
        return trains

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        (source,), (x,), F = work.sources_of(node), work.inputs_of(node), self.n_frequencies
        frequencies, mixing, _ = self.per_feature(work.parameters_of(node))
        to_frequencies, to_mixing, to_shifts = self.per_feature(work.gradients_of(node))
        waves, mixtures, angles, column = self._rooms(work, node)
        value, grad = work.value_of(node), work.gradient_at(node)
        turn = angles.dtype.type(2 * np.pi)
        by_feature = grad.reshape(*grad.shape[:2], self.n_features, self.width)
        # No gradient passes where the activation is zero.
        yield partial(np.sign, value, value)
        yield partial(np.multiply, grad, value, grad)
        yield partial(np.add.reduce, by_feature, 1, None, to_shifts, True)
        yield partial(np.copyto, mixtures, by_feature.swapaxes(1, 2))
        yield partial(np.matmul, waves.swapaxes(2, 3), mixtures, to_mixing)
        # What follows is the gradient of the angles: cosine times that of the sines, minus sine
        # times that of the cosines.
        sines, cosines = mixing[:, :, :F], mixing[:, :, F:]
        yield partial(np.matmul, mixtures, sines.swapaxes(2, 3), angles)
        yield partial(np.multiply, waves[..., F:], angles, waves[..., F:])
        yield partial(np.matmul, mixtures, cosines.swapaxes(2, 3), angles)
        yield partial(np.multiply, waves[..., :F], angles, angles)
        yield partial(np.subtract, waves[..., F:], angles, angles)
        yield partial(np.multiply, angles, turn, angles)
        yield from products_of_columns(x, column, angles, to_frequencies)
        if work.wants_gradient(source):
            to_input, add_up = work.gradient_slot(source)
            yield partial(np.matmul, angles, frequencies.swapaxes(2, 3), column)
            yield partial(np.copyto, to_input, column[..., 0].swapaxes(1, 2))
            yield from add_up
