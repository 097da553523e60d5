"""Numbers, with or without bounds, standardized where that helps training."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy.special import logit

from ..._sklearn.fit_calls import FitMode
from ...engine.arrays import Floats
from ...engine.operators import OperatorGraph, Value
from ...kept import kept_as
from ...losses import Loss, ScaledSquaredError
from ...training import TargetRows, Targets
from .regression import RegressionOptions, RegressionTarget
from .units import Moments, Units

#: Standard deviations outside these bounds, and means of more than this many deviations, harm
#: training on y as it is. R2 over five folds of the default network on standardized features, y as
#: it is, with a deviation of 0.25, 0.5, 1, 2, 5 and 10: 0.43, 0.42, 0.45, 0.47, 0.49, 0.49
#: (diabetes), and 0.80, 0.87, 0.90, 0.89, 0.87, 0.84 (Friedman's first problem, 600 rows); with a
#: mean of two deviations 0.40, 0.45, 0.46, 0.46, 0.43, 0.31 and 0.75, 0.82, 0.84, 0.81, 0.76, 0.72;
#: standardized 0.45 and 0.90.
ORDINARY_DEVIATION = (0.5, 2.0)
ORDINARY_MEAN = 1.0

#: Means of counts that training can handle as they are, if the output is exponential.
ORDINARY_COUNT = (0.25, 10.0)

#: Least and largest exponents of normal floats.
EXPONENTS = (-1022, 1023)

#: Least distance of the mean of bounded numbers from the bounds, in units of the scale and of the
#: range: logits must be finite.
MARGIN = (0.01, 1e-15)

#: Shifts are multiples of the scale divided by this power of two.
STEPS_OF_SHIFT = 2.0**20

#: Rows of equal weight after which ``partial_fit`` uses their deviation for later rows, too: 32,
#: less a margin for rounding.
ENOUGH_ROWS = 31.5


@kept_as("numbers")
class Numbers(RegressionTarget):
    """Numbers without bounds.

    Attributes
    ----------
    seen : Moments or None
        Moments of the target so far, until its units are determined.
    least, largest : ndarray of shape (T,)
        Of each column, in all training rows so far.
    """

    #: Whether "auto" leaves numbers of ordinary size unchanged.
    keeps_ordinary_units: ClassVar[bool] = True
    seen: Moments | None = None
    least, largest = np.array(np.inf), np.array(-np.inf)

    def _learn(
        self, y: Floats, sample_weight: Floats | None, loss: Loss, mode: FitMode
    ) -> TargetRows:
        loss.check_targets(y)
        self._find_extremes(y, sample_weight)
        self._find_units(y, sample_weight, loss, mode)
        self._loss_in_units_of_y = loss
        self.loss = loss.in_units(self.units.scale) if self.units.differ_from_y else loss
        return Targets(self.units.apply(y))

    def _rows(self, y: Floats) -> TargetRows:
        self._loss_in_units_of_y.check_targets(y)
        return Targets(self.units.apply(y))

    def decode(self, raw: Floats) -> Floats:
        values = super().decode(raw)
        if self._asked.clip_predictions:
            # Standard deviations are not clipped.
            of_target = values.reshape(*values.shape[:-1], -1, self.loss.outputs_per_target)
            clipped = of_target[..., :1] if self.loss.estimates_std else of_target
            # A bound beyond float32 limits no number in float32.
            with np.errstate(over="ignore"):
                least, largest = (
                    bound.astype(values.dtype)[..., np.newaxis]
                    for bound in (self.least, self.largest)
                )
            np.clip(clipped, least, largest, out=clipped)
        return values

    def to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        values = super().to_onnx(graph, raw)
        if not self._asked.clip_predictions:
            return values
        n = self.loss.outputs_per_target
        least, largest = np.repeat(self.least, n), np.repeat(self.largest, n)
        if self.loss.estimates_std:
            least[1::2], largest[1::2] = -np.inf, np.inf
        return graph.op("Min", graph.op("Max", values, least), largest)

    def _go_on_from(self, earlier: Any, loss: Loss, n_columns: int) -> None:
        super()._go_on_from(earlier, loss, n_columns)
        self.seen, self.least, self.largest = earlier.seen, earlier.least, earlier.largest

    def _find_extremes(self, y: Floats, sample_weight: Floats | None) -> None:
        counted = y if sample_weight is None else y[sample_weight > 0]
        self.least = np.minimum(self.least, counted.min(axis=0))
        self.largest = np.maximum(self.largest, counted.max(axis=0))

    def _find_units(
        self, y: Floats, sample_weight: Floats | None, loss: Loss, mode: FitMode
    ) -> None:
        """Choose the units in which the network sees each column, unless that has been done."""
        if loss.equivariance == "none" or not self._asked.standardize_target:
            return
        if mode.continuing and mode.incremental and not (mode.trains and self.seen):
            return
        seen = Moments.of(y, sample_weight)
        if mode.incremental and self.seen is not None:
            seen = self.seen.joined(seen)
        self.units = self._chosen_units(seen, loss, mode)
        # A constant first batch says nothing about the deviation.
        may_shift = loss.equivariance == "affine"
        is_known = np.all(seen.deviation if may_shift else seen.mean)
        is_settled = seen.n_rows >= ENOUGH_ROWS and (is_known or not mode.incremental)
        self.seen = None if is_settled else seen

    def _chosen_units(self, seen: Moments, loss: Loss, mode: FitMode) -> Units:
        may_shift = loss.equivariance == "affine"
        mean, deviation = seen.mean, seen.deviation
        spread = deviation if may_shift else mean
        keeps = self.keeps_ordinary_units and loss.keeps_ordinary_units
        if self._asked.standardize_target == "auto" and keeps:
            low, high = ORDINARY_DEVIATION if may_shift else ORDINARY_COUNT
            if mode.incremental and seen.n_rows < ENOUGH_ROWS:
                # A few rows may lie close together by chance.
                spread_at_least = np.maximum(spread, 1.0)
            else:
                spread_at_least = spread
            chosen = (spread_at_least < low) | (spread > high)
            chosen |= may_shift & (np.abs(mean) > ORDINARY_MEAN * spread_at_least)
        else:
            chosen = np.full(len(mean), bool(self._asked.standardize_target))
        # A constant column has nothing but rounding errors around its mean.
        constant = spread <= 1e-12 * np.abs(mean)
        measure = np.where(constant, np.minimum(np.abs(mean), 1.0), spread)
        # Powers of two: multiplying by them rounds nothing, so that folding is exact.
        exponent = np.round(np.log2(np.where(measure > 0, measure, 1.0)))
        scale = 2.0 ** np.clip(exponent, *EXPONENTS)
        # The mean is rounded to a grid, so that rounding errors of its sum have no effect on y in
        # these units: they differ between a row of weight 2 and a repeated row.
        grid = scale / STEPS_OF_SHIFT
        shift = np.where(constant, mean, np.round(np.where(constant, 0.0, mean) / grid) * grid)
        return Units(np.where(chosen & may_shift, shift, 0.0), np.where(chosen, scale, 1.0))


@kept_as("bounded numbers")
class BoundedNumbers(Numbers):
    """Numbers in the range that `output_range` gives.

    Units are those of y scaled to [0, 1].
    """

    #: R2 of the default network over three folds of Friedman's first problem, 600 rows, in a range
    #: that y fills, and in one 5 and 100 times as wide: 0.84 each; with units of the range 0.69,
    #: -1.8 and -1,938.
    keeps_ordinary_units = False

    @classmethod
    def fits(cls, asked: RegressionOptions) -> bool:
        return asked.output == cls.output and asked.output_range is not None

    @classmethod
    def usual_outputs(cls, asked: RegressionOptions) -> tuple[int | None, str]:
        return 1, ScaledSquaredError.out_activation

    def _learn(
        self, y: Floats, sample_weight: Floats | None, loss: Loss, mode: FitMode
    ) -> TargetRows:
        self._bounds = self._asked.bounds()
        rows = self._rows(y)
        self._find_extremes(y, sample_weight)
        self._find_units(rows.table, sample_weight, loss, mode)
        self.loss = ScaledSquaredError(*self._bounds)
        if self.units.differ_from_y:
            self.loss = _ScaledSquaredErrorInUnits(
                *self._bounds, self.units.shift, self.units.scale
            )
        return rows

    def _rows(self, y: Floats) -> Targets:
        low, high = self._bounds
        self._asked.check_range(y, low, high)
        return Targets((y - low) / (high - low))

    def _go_on_from(self, earlier: Any, loss: Loss, n_columns: int) -> None:
        super()._go_on_from(earlier, earlier.loss, n_columns)


@kept_as("bounded in units")
class _ScaledSquaredErrorInUnits(ScaledSquaredError):
    """The loss of raw predictions that are 0 at the mean of y, and change by 1 per scale of y."""

    def __init__(self, low: float, high: float, shift: Floats, scale: Floats) -> None:
        super().__init__(low, high)
        self.shift = shift
        self.scale = scale
        self.offset, self.factor = self.output_units(shift, scale)

    def output_units(self, shift: Floats, scale: Floats) -> tuple[Floats, Floats]:
        margin = np.maximum(MARGIN[0] * scale, MARGIN[1])
        mean = np.clip(shift, margin, 1 - margin)
        # Where y fills the range, the sigmoid has the right slope.
        exponent = np.round(np.log2(scale / (mean * (1 - mean))))
        return logit(mean), 2.0 ** np.minimum(exponent, 0)
