"""Piecewise linear embeddings: each feature becomes its places in bins between quantiles."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Arrays, Call, Floats
from ..operators import OperatorGraph, Value, Values
from .base import Bench, EmbedNumbers

#: Bins are wider than this share of the largest absolute value of a feature. In narrower ones,
#: rounding of ``x s`` in float32, by 6e-8 of a number, would be seen. Slopes are finite there.
NARROWEST = 1e-4


class PiecewiseLinear(EmbedNumbers):
    r"""``[clip(x s + t, -1, 1), x]`` for each feature x, with slopes s and shifts t of its own.

    After the piecewise linear encoding of Gorishniy, Rubachev & Babenko (2022), *On embeddings for
    numerical features*. At the start each bin, between neighboring quantiles of a feature, has one
    pair (s, t): the number is -1 below the bin, 1 above it, and rises linearly within it. A feature
    with few values has a bin between any two neighbors; the remaining pairs are 0.

    Letters here: D features have T bins each. The value holds all bins of the first feature, then
    those of the second one, and so on, and at last all features.

    Parameters
    ----------
    n_features : int
        Width of the input (D).
    n_bins : int
        Largest number of bins of a feature (T).
    """

    kind: ClassVar[str] = "piecewise_linear_embedding"
    n_start_rows = 4096

    def __init__(self, n_features: int, n_bins: int) -> None:
        self.n_features = n_features
        self.n_bins = n_bins

    @property
    def units(self) -> int:  # type: ignore[override]
        return self.n_features * (self.n_bins + 1)

    @property
    def _n_places(self) -> int:
        """How many numbers of the value are places in bins."""
        return self.n_features * self.n_bins

    def text(self) -> str:
        return f"{self.n_bins} bins"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("slopes", "shifts"), (self.n_features, self.n_bins))

    def initial_arrays(self, rng: np.random.RandomState) -> list[Floats]:
        """Return bins of equal widths between -1 and 1, for data that are not known."""
        edges = np.linspace(-1, 1, self.n_bins + 1)
        return self.arrays_for(np.repeat(edges[:, np.newaxis], self.n_features, axis=1))

    def arrays_for(self, inputs: Floats) -> list[Floats]:
        slopes, shifts = (np.zeros((self.n_features, self.n_bins)) for _ in range(2))
        for j, column in enumerate(inputs.T):
            edges = _edges_of(column, self.n_bins)
            low, high = edges[:-1], edges[1:]
            slopes[j, : len(low)] = 2 / (high - low)
            shifts[j, : len(low)] = -(high + low) / (high - low)
        return [slopes, shifts]

    def keeps_value(self, trains: bool) -> bool:
        return trains

    def to_onnx(self, graph: OperatorGraph, inputs: Values, learned: Arrays) -> Value:
        (x,), (slopes, shifts) = inputs, (array[0] for array in learned)
        features = np.repeat(np.arange(self.n_features), self.n_bins).tolist()
        repeated = graph.op("Gather", x, graph.whole(features), axis=1)
        places = graph.op("Max", graph.op("Min", repeated * slopes + shifts, 1), -1)
        return graph.concatenate([places, x])

    def _repeated(self, work: Bench, node: int) -> tuple[Floats, Floats]:
        """Return an array for all features, each once per bin, as (K, B, D T) and (K, B, D, T)."""
        n_members, n_rows, _ = work.value_of(node).shape
        shape = n_members, n_rows, self.n_features, self.n_bins
        repeated = work.own_array(node, *shape)
        return repeated.reshape(n_members, n_rows, -1), repeated

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        (x,), (slopes, shifts) = work.inputs_of(node), work.parameters_of(node)
        value, n = work.value_of(node), self._n_places
        places, features = value[..., :n], value[..., n:]
        yield partial(np.copyto, features, x)
        if work.trains:
            repeated, by_feature = self._repeated(work, node)
            yield partial(np.copyto, by_feature, x[..., np.newaxis])
            yield partial(np.multiply, repeated, slopes, places)
        else:
            shape = len(x), self.n_features, self.n_bins, -1
            places, slopes, shifts = (
                array.swapaxes(1, 2).reshape(shape) for array in (places, slopes, shifts)
            )
            yield partial(np.multiply, features.swapaxes(1, 2)[:, :, np.newaxis], slopes, places)
        yield partial(np.add, places, shifts, places)
        yield partial(np.clip, places, -1, 1, places)

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        (source,), (slopes, _) = work.sources_of(node), work.parameters_of(node)
        to_slopes, to_shifts = work.gradients_of(node)
        n, (repeated, by_feature) = self._n_places, self._repeated(work, node)
        places, grad = work.value_of(node)[..., :n], work.gradient_at(node)
        of_places = grad[..., :n]
        # No gradient passes outside a bin, where the place is -1 or 1.
        yield partial(np.abs, places, places)
        yield partial(np.less, places, 1, places)
        yield partial(np.multiply, of_places, places, of_places)
        yield partial(np.add.reduce, of_places, 1, None, to_shifts, True)
        yield partial(np.multiply, repeated, of_places, repeated)
        yield partial(np.add.reduce, repeated, 1, None, to_slopes, True)
        if work.wants_gradient(source):
            to_input, add_up = work.gradient_slot(source)
            yield partial(np.multiply, of_places, slopes, repeated)
            yield partial(np.add.reduce, by_feature, 3, None, to_input)
            yield partial(np.add, to_input, grad[..., n:], to_input)
            yield from add_up


def _edges_of(column: Floats, n_bins: int) -> Floats:
    """Return edges of at most `n_bins` bins: all values, or quantiles if there are too many."""
    edges = np.unique(column)
    if len(edges) > n_bins + 1:
        edges = np.unique(np.quantile(column, np.linspace(0, 1, n_bins + 1)))
    least = max(NARROWEST * np.abs(edges).max(), np.finfo(np.float32).tiny)
    kept = [edges[0]]
    for edge in edges[1:]:
        if edge - kept[-1] > least:
            kept.append(edge)
    return np.array(kept)
