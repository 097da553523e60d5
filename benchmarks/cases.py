"""Training problems of the benchmarks: synthetic data of fixed shapes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

import numpy as np


@dataclass(frozen=True)
class Case:
    """One network on one data set.

    Attributes
    ----------
    name : str
    n_rows, n_features, n_classes : int
    hidden : tuple of int
    batch_size : int
    epochs : int
        Enough epochs to make the fixed cost of a fit negligible.
    activation, solver : str
        Names as in skperceptron.
    """

    name: str
    n_rows: int
    n_features: int
    n_classes: int
    hidden: tuple[int, ...]
    batch_size: int
    epochs: int
    activation: str = "relu"
    solver: str = "adam"

    @property
    def steps(self) -> int:
        """Number of gradient steps in all epochs together."""
        return self.epochs * ceil(self.n_rows / self.batch_size)

    @property
    def widths(self) -> list[int]:
        """Units of each layer, input and output included."""
        return [self.n_features, *self.hidden, self.n_classes]

    def shrunk(self) -> Case:
        """Return a small version of the case, which is trained in a moment."""
        return replace(self, n_rows=min(self.n_rows, 3 * self.batch_size), epochs=1)

    def data(self, dtype: str = "float64") -> tuple[np.ndarray, np.ndarray]:
        """Return X and y; the classes can be learned, but not perfectly."""
        rng = np.random.RandomState(0)
        X = rng.standard_normal((self.n_rows, self.n_features))
        scores = X @ rng.standard_normal((self.n_features, self.n_classes))
        scores += rng.gumbel(size=scores.shape) * np.sqrt(self.n_features) / 2
        return X.astype(dtype), scores.argmax(axis=1)


CASES = {
    case.name: case
    for case in (
        Case("tiny", 1_000, 10, 3, (16,), 32, 60),
        Case("small", 2_000, 20, 3, (32,), 32, 40),
        Case("digits", 1_797, 64, 10, (100,), 200, 100),
        Case("medium", 20_000, 50, 10, (100,), 200, 10),
        Case("mnist", 20_000, 784, 10, (256, 128), 128, 3),
        Case("wide", 10_000, 784, 10, (1024, 1024), 256, 3),
    )
}
