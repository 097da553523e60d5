"""Periodic embeddings: each feature becomes a few numbers that are mixtures of waves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import prod
from typing import Any, ClassVar

import numpy as np

from ..arrays import Arrays, Call, Floats, side_by_side
from ..operators import OperatorGraph, Value, Values
from .base import Bench, EmbedNumbers


class OfWaves(EmbedNumbers):
    """Base of blocks that turn each feature into a few mixtures of its sines and cosines.

    Letters here: F frequencies of each of D features are mixed into W numbers. The arrays of all
    features are stored one after another.

    Parameters
    ----------
    n_features : int
        Width of the input (D).
    n_frequencies : int
        Number of frequencies for each feature (F).
    width : int
        Number of mixtures for each feature (W).
    spread : float
        Standard deviation of the frequencies at the start.
    """

    def __init__(self, n_features: int, n_frequencies: int, width: int, spread: float) -> None:
        self.n_features = n_features
        self.n_frequencies = n_frequencies
        self.width = width
        self.spread = spread

    def initial_arrays(self, rng: np.random.RandomState) -> list[Floats]:
        shapes = self.shapes()
        bound = 1 / np.sqrt(shapes["mixing"][1])
        drawn: dict[str, Callable[..., Any]] = {
            "frequencies": partial(rng.normal, 0, self.spread),
            "phases": partial(rng.uniform, -np.pi, np.pi),
            "mixing": partial(rng.uniform, -bound, bound),
            "shifts": partial(rng.uniform, -bound, bound),
        }
        return [drawn[name](size=shape) for name, shape in shapes.items()]

    def text(self) -> str:
        return f"{self.n_frequencies} frequencies"

    def per_feature(self, arrays: Arrays) -> list[Floats]:
        """Return views: (K, D, 1, F), but (K, D, *, W) of mixing and (K, 1, D, W) of shifts."""
        D, W = self.n_features, self.width
        views = {"mixing": (D, -1, W), "shifts": (1, D, W)}
        names = zip(self.shapes(), arrays, strict=True)
        return [a.reshape(len(a), *views.get(name, (D, 1, -1))) for name, a in names]

    def rooms(self, work: Bench, node: int, widths: Sequence[int]) -> list[Floats]:
        """Return arrays (K, D, B, width) whose content lasts until the backward pass.

        For predictions they lie in memory as (K, D, width, B), like the value.
        """
        n_members, n_rows, _ = work.value_of(node).shape
        shape = n_members, self.n_features, n_rows
        places = side_by_side(prod(shape) * width for width in widths)
        whole = work.own_array(node, places[-1].stop)
        parts = [(whole[p], width) for p, width in zip(places, widths, strict=True)]
        if work.trains:
            return [part.reshape(*shape, width) for part, width in parts]
        return [part.reshape(*shape[:2], width, n_rows).swapaxes(2, 3) for part, width in parts]


def features_first(graph: OperatorGraph, x: Value) -> Value:
    """Return features, (rows, D), as (D, rows, 1)."""
    return graph.reshape(graph.op("Transpose", x, perm=[1, 0]), 0, -1, 1)


def angles_of(x: Floats, frequencies: Floats, out: Floats) -> Iterator[Call]:
    """List the calls that write ``2 pi x w`` for features, (K, B, D), into (K, D, B, F)."""
    yield partial(np.multiply, x.swapaxes(1, 2)[..., np.newaxis], frequencies, out)
    yield partial(np.multiply, out, out.dtype.type(2 * np.pi), out)


def products_of_columns(x: Floats, column: Floats, y: Floats, out: Floats) -> Iterator[Call]:
    """List the calls that multiply each column of (K, B, D) by its matrix, (K, D, B, F).

    They copy x into `column`, (K, D, B, 1): the numbers of a column then lie side by side, as
    BLAS, and with it compiled steps, want them.
    """
    yield partial(np.copyto, column[..., 0], x.swapaxes(1, 2))
    yield partial(np.matmul, column.swapaxes(2, 3), y, out)


class Periodic(OfWaves):
    r"""``[cos(2 pi x w + p) M + s, x]`` for each feature x, with parameters of its own.

    "PBLD" of Holzmüller et al. (2024), after Gorishniy et al. (2022), *On embeddings for numerical
    features*. F frequencies w with phases p are mixed into W numbers, which x itself follows.
    """

    kind: ClassVar[str] = "periodic_embedding"

    @property
    def units(self) -> int:  # type: ignore[override]
        return self.n_features * (self.width + 1)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {
            "frequencies": (self.n_features, self.n_frequencies),
            "phases": (self.n_features, self.n_frequencies),
            "mixing": (self.n_features, self.n_frequencies, self.width),
            "shifts": (self.n_features, self.width),
        }

    def _rooms(self, work: Bench, node: int) -> list[Floats]:
        """Return arrays for angles, cosines, mixtures and one column."""
        return self.rooms(work, node, (self.n_frequencies, self.n_frequencies, self.width, 1))

    def _split(self, value: Floats) -> tuple[Floats, Floats]:
        """Return the embedded numbers, (K, B, D, W), and the features, (K, B, D), in the value."""
        by_feature = value.reshape(*value.shape[:2], self.n_features, self.width + 1)
        return by_feature[..., : self.width], by_feature[..., self.width]

    def to_onnx(self, graph: OperatorGraph, inputs: Values, learned: Arrays) -> Value:
        frequencies, phases, mixing, shifts = (a[0] for a in self.per_feature(learned))
        features = features_first(graph, inputs[0])
        cosines = graph.op("Cos", features * frequencies * (2 * np.pi) + phases)
        embedded = cosines @ mixing + shifts.swapaxes(0, 1)
        by_feature = graph.concatenate([embedded, features], axis=2)
        by_row = graph.op("Transpose", by_feature, perm=[1, 0, 2])
        return graph.reshape(by_row, -1, self.units)

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        (x,) = work.inputs_of(node)
        frequencies, phases, mixing, shifts = self.per_feature(work.parameters_of(node))
        angles, cosines, mixtures, _ = self._rooms(work, node)
        embedded, features = self._split(work.value_of(node))
        yield from angles_of(x, frequencies, angles)
        yield partial(np.add, angles, phases, angles)
        yield partial(np.cos, angles, cosines)
        yield partial(np.matmul, cosines, mixing, mixtures)
        yield partial(np.add, mixtures.swapaxes(1, 2), shifts, embedded)
        yield partial(np.copyto, features, x)

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        (source,), (x,) = work.sources_of(node), work.inputs_of(node)
        frequencies, _, mixing, _ = self.per_feature(work.parameters_of(node))
        to_frequencies, to_phases, to_mixing, to_shifts = self.per_feature(work.gradients_of(node))
        angles, cosines, mixtures, column = self._rooms(work, node)
        of_embedded, of_features = self._split(work.gradient_at(node))
        turn = angles.dtype.type(2 * np.pi)
        yield partial(np.add.reduce, of_embedded, 1, None, to_shifts, True)
        yield partial(np.copyto, mixtures, of_embedded.swapaxes(1, 2))
        yield partial(np.matmul, cosines.swapaxes(2, 3), mixtures, to_mixing)
        # What follows is the gradient of the angles: minus the sine times that of the cosines.
        yield partial(np.matmul, mixtures, mixing.swapaxes(2, 3), cosines)
        yield partial(np.sin, angles, angles)
        yield partial(np.multiply, cosines, angles, cosines)
        yield partial(np.negative, cosines, cosines)
        yield partial(np.add.reduce, cosines, 2, None, to_phases, True)
        yield from products_of_columns(x, column, cosines, to_frequencies)
        yield partial(np.multiply, to_frequencies, turn, to_frequencies)
        if work.wants_gradient(source):
            to_input, add_up = work.gradient_slot(source)
            yield partial(np.matmul, cosines, frequencies.swapaxes(2, 3), column)
            yield partial(np.multiply, column, turn, column)
            yield partial(np.add, column[..., 0].swapaxes(1, 2), of_features, to_input)
            yield from add_up


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
