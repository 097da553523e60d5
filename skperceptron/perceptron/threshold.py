"""What a fitted network asks of a target, answered for response units with a threshold."""

from __future__ import annotations

import numpy as np

from ..engine.arrays import Floats


class Threshold:
    """Response units: one that fires for the second class, or one per class.

    Parameters
    ----------
    n_responses : int
    """

    needs_float64 = True

    def __init__(self, n_responses: int) -> None:
        self._n_responses = n_responses

    @property
    def link_name(self) -> str:
        """The name of what turns responses into an answer."""
        return "threshold" if self._n_responses == 1 else "argmax"

    def linked(self, raw: Floats) -> Floats:
        """Return a one for each unit whose answer counts, else a zero; both are (N, C)."""
        if raw.shape[1] == 1:
            return (raw > 0).astype(raw.dtype)
        return np.eye(raw.shape[1])[raw.argmax(axis=1)]

    def fold(self, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """Return both as they are: there are no other units."""
        return weight, bias

    def unfold(self, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """Return both as they are."""
        return weight, bias
