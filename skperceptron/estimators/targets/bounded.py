"""Numbers in a range: a scaled sigmoid, trained on y scaled to [0, 1]."""

from __future__ import annotations

from ..._sklearn.fit_calls import FitMode
from ...engine.arrays import Floats
from ...kept import kept_as
from ...losses import Loss, ScaledSquaredError
from ...training import TargetRows, Targets
from .regression import RegressionOptions, RegressionTarget


@kept_as("bounded numbers")
class BoundedNumbers(RegressionTarget):
    """Numbers in the range that `output_range` gives."""

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
        self.loss = ScaledSquaredError(*self._bounds)
        return rows

    def _rows(self, y: Floats) -> TargetRows:
        low, high = self._bounds
        self._asked.check_range(y, low, high)
        return Targets((y - low) / (high - low))
