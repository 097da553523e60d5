"""Units in which a network sees numbers: each column of y minus a shift, over a scale."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...engine.arrays import Floats
from ...kept import kept_as

#: Limits of units that float32 predicts without loss: sizes, and the ratio of shift and scale.
SINGLE_PRECISION = (1e-30, 1e30)
DEVIATIONS_IN_MEAN = 2**14


@kept_as("units")
@dataclass(frozen=True)
class Units:
    """Shift and scale, (T,), of each column.

    Scales are powers of two: multiplying by them rounds nothing.
    """

    shift: Floats
    scale: Floats

    @classmethod
    def of_y(cls, n_columns: int) -> Units:
        """Return the units of y itself."""
        return cls(np.zeros(n_columns), np.ones(n_columns))

    @cached_property
    def differ_from_y(self) -> bool:
        """Whether any column is changed."""
        return bool(self.shift.any() or (self.scale != 1).any())

    def apply(self, y: Floats) -> Floats:
        """Return y in these units."""
        # In this order nothing overflows, and divisions by powers of two round nothing.
        return y / self.scale - self.shift / self.scale

    def outgrow_float32(self, others: Floats) -> bool:
        """Tell whether float32 is not enough for numbers in units of y.

        Others, (n,), are further numbers that y may reach, such as bounds.
        """
        low, high = SINGLE_PRECISION
        sizes = np.concatenate([self.scale, np.abs(self.shift), np.abs(others)])
        return bool(
            (sizes > high).any()
            or (self.scale < low).any()
            or (np.abs(self.shift) / self.scale > DEVIATIONS_IN_MEAN).any()
        )


@kept_as("moments")
@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of each column of the rows seen so far.

    ``n_rows`` is the effective number of rows (Kish 1965).
    """

    n_rows: float
    weight: float
    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, y: Floats, sample_weight: Floats | None) -> Moments:
        """Return the moments of some rows."""
        # Squares of the largest floats overflow, those of the smallest vanish.
        largest = np.abs(y).max(axis=0)
        unit = np.where(largest > 0, largest, 1.0)
        mean = np.average(y / unit, axis=0, weights=sample_weight)
        deviation = np.sqrt(np.average((y / unit - mean) ** 2, axis=0, weights=sample_weight))
        if sample_weight is None:
            return cls(len(y), float(len(y)), mean * unit, deviation * unit)
        relative = sample_weight / sample_weight.max()
        n_rows = float(relative.sum() ** 2 / (relative**2).sum())
        return cls(n_rows, float(sample_weight.sum()), mean * unit, deviation * unit)

    def joined(self, other: Moments) -> Moments:
        """Return the moments of both groups of rows together."""
        weight = self.weight + other.weight
        a, b = self.weight / weight, other.weight / weight
        within = np.hypot(np.sqrt(a) * self.deviation, np.sqrt(b) * other.deviation)
        # The difference of the means themselves may overflow.
        between = 2 * np.sqrt(a * b) * (other.mean / 2 - self.mean / 2)
        return Moments(
            1 / (a**2 / self.n_rows + b**2 / other.n_rows),
            weight,
            a * self.mean + b * other.mean,
            np.hypot(within, between),
        )
