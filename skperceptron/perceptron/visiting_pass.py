"""Error correction by the C extension: rows one after another, where they are."""

from __future__ import annotations

import sys

import numpy as np

from ..engine.arrays import Booleans, Floats
from .inputs import RowsInPlace


class VisitingPass:
    """A :class:`.Solver` for windows of any length, dense or sparse.

    Parameters
    ----------
    shape : tuple (N, A)
        Not needed: there is nothing to prepare.
    """

    capacity = sys.maxsize

    def __init__(self, shape: tuple[int, int]) -> None:
        pass

    def room(self, shape: tuple[int, int]) -> Floats:
        """Return an array for features: see :class:`.Solver`."""
        return np.empty(shape)

    def answer(
        self, features: RowsInPlace, amounts: Floats, weight: Floats
    ) -> tuple[Booleans, Floats]:
        """Present rows to a unit: see :class:`.Solver`."""
        weight, wrong = features.corrected(weight, amounts)
        return wrong, weight
