"""Associative units: random connections to sensory units, and thresholds that split the rows."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from sklearn.utils.random import sample_without_replacement

from ..activations import Heaviside
from ..engine import Network, multilayer_perceptron
from ..engine.arrays import Floats, Integers

#: Largest number of rows used to find thresholds.
SAMPLE = 10_000


@lru_cache(maxsize=16)
def wire(n_features: int, n_associative: int, n_responses: int) -> Network:
    """Return the network from sensory through associative to response units.

    It depends on shapes only: fits of equal shapes share it.
    """
    hidden = [n_associative] if n_associative else []
    return multilayer_perceptron(n_features, hidden, n_responses, [[Heaviside()]] * len(hidden))


def drawn_units(
    X: Any,
    rows: Integers,
    weights: Floats,
    shape: tuple[int, int],
    rng: np.random.RandomState,
) -> tuple[Floats, Floats]:
    """Draw connections, (D, n), and thresholds, (n,), of n units such that each splits the rows.

    ``rows`` are those of X to use, ``weights`` theirs; ``shape`` holds the number of units,
    and that of connections per unit.
    """
    n_features, (n_units, n_connections) = X.shape[1], shape
    joined = np.zeros((n_features, n_units))
    for unit in range(n_units):
        features = sample_without_replacement(n_features, n_connections, random_state=rng)
        joined[features, unit] = rng.choice([-1.0, 1.0], n_connections)
    if not n_units:
        return joined, np.empty(0)
    shares = rng.uniform(size=n_units)
    sums = X[rows[:SAMPLE]] @ joined
    thresholds = [_split(s, weights[:SAMPLE], q) for s, q in zip(sums.T, shares, strict=True)]
    return joined, np.array(thresholds)


def _split(sums: Floats, weights: Floats, share: float) -> float:
    """Return a threshold below which about the given share of the rows' weight lies.

    It lies halfway between two neighboring values, so that there are rows on both
    sides of it unless all values are equal.
    """
    values, inverse = np.unique(sums, return_inverse=True)
    if len(values) == 1:
        return float(values[0])
    below = np.cumsum(np.bincount(inverse, weights=weights))[:-1]
    i = np.abs(below / weights.sum() - share).argmin()
    middle = values[i] + (values[i + 1] - values[i]) / 2
    # Two adjacent floats have no number between them.
    return float(middle if middle > values[i] else values[i + 1])
