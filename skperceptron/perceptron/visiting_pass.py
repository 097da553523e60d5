"""Error correction by the C extension, which reads rows one after another."""

from __future__ import annotations

from ..engine.arrays import Floats, Integers
from .inputs import Answers, Inputs, RowsInPlace


class VisitingPass:
    """A :class:`.Solver` for windows of any length, dense or sparse."""

    def seen(self, inputs: Inputs, rows: Integers) -> RowsInPlace:
        """Return rows in the form that it takes: see :class:`.Solver`."""
        return inputs.in_place(rows)

    def answer(
        self, features: RowsInPlace, amounts: Floats, weight: Floats, n_epochs: int
    ) -> Answers:
        """Present rows to units: see :class:`.Solver`."""
        return features.corrected(amounts, weight, n_epochs)
