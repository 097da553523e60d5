"""Values of a network as linear functions of others, for blocks that define ``line``."""

from __future__ import annotations

from dataclasses import dataclass

from .arrays import Floats


@dataclass(frozen=True)
class Line:
    """A value as a linear function of bases: ``sum(base @ matrix) + shift``.

    Attributes
    ----------
    matrices : dict of int to ndarray of shape (width of the base, H)
        The keys are the bases: values of a network, inputs or nodes, by their positions.
    shift : ndarray of shape (H,)
    """

    matrices: dict[int, Floats]
    shift: Floats

    def __add__(self, other: Line) -> Line:
        matrices = dict(self.matrices)
        for base, matrix in other.matrices.items():
            matrices[base] = matrices[base] + matrix if base in matrices else matrix
        return Line(matrices, self.shift + other.shift)

    def scaled(self, factor: Floats, shift: Floats) -> Line:
        """Return the value times a factor for each unit, plus a shift for each unit."""
        matrices: dict[int, Floats] = {b: matrix * factor for b, matrix in self.matrices.items()}
        return Line(matrices, self.shift * factor + shift)

    def through(self, weight: Floats) -> Line:
        """Return the value times a weight matrix."""
        matrices: dict[int, Floats] = {b: matrix @ weight for b, matrix in self.matrices.items()}
        return Line(matrices, self.shift @ weight)
