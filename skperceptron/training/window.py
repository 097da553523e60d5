"""A run of batches: targets are gathered, and losses computed, for all of them at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..engine.arrays import Floats, Integers, runs
from .data import TrainingSet
from .member import Recipe
from .row_weights import RowWeights


class Window:
    """Order, targets and raw predictions of the rows that the next steps take.

    Parameters
    ----------
    recipes : sequence of Recipe
        Of the members.
    data : sequence of TrainingSet
        One for each member.
    length : int
        Rows of a window (n).
    n_outputs : int
        Raw predictions per row (C).
    dtype : dtype
    weights : RowWeights
        Those of the rows, in the order in which an epoch visits them.

    Attributes
    ----------
    order : ndarray of int, shape (K, n)
        Where each row stands in its data set.
    y : ndarray of shape (K, n, T)
    raw : ndarray of shape (K, n, C)
        To be filled by the steps.
    factor : ndarray of shape (K, n, 1) or None
        The factor of each row in the gradient of its batch, if rows have weights.
    notes : ndarray of shape (K, n, N) or None
        To be filled by the steps, if ``take_notes`` has been called.
    """

    def __init__(
        self,
        recipes: Sequence[Recipe],
        data: Sequence[TrainingSet],
        length: int,
        n_outputs: int,
        dtype: np.dtype,
        weights: RowWeights,
    ) -> None:
        shape = (len(recipes), length)
        self.length = length
        self.order = np.zeros(shape, dtype=np.intp)
        self.y = _outputs_first(data[0].targets.n_outputs, *shape, dtype)
        self.raw = _outputs_first(n_outputs, *shape, dtype)
        self.factor = np.zeros((*shape, 1), dtype=dtype) if weights.are_given else None
        self._weights = weights
        self._losses = list(runs([recipe.loss for recipe in recipes]))
        self.notes: Floats | None = None
        self._targets = [(one.targets, k) for one, k in runs(data)]
        self._rows = slice(0, 0)

    def take_notes(self) -> None:
        """Let steps keep notes: intermediate results from which losses are computed faster."""
        n_notes = max(loss.n_notes for loss, _ in self._losses)
        if n_notes:
            self.notes = _outputs_first(n_notes, *self.order.shape, self.raw.dtype)
            # Losses are also computed for rows that no step takes: with notes of 1, that causes no
            # warnings.
            self.notes.fill(1)

    def open(self, start: int, order: Integers, first_rows: Integers) -> None:
        """Prepare the window for the rows from position ``start`` of the epoch's order on.

        ``order``, (K, N), holds the rows of each member as the epoch visits them; ``first_rows``,
        (K, 1), says where they begin in its data set.
        """
        self._rows = slice(start, min(start + self.length, order.shape[1]))
        n_rows = self._rows.stop - start
        np.add(order[:, self._rows], first_rows, out=self.order[:, :n_rows])
        # The rows after these are left over from an earlier window: they are valid, but not used.
        for targets, k in self._targets:
            targets.take(self.order[k], self.y[k])
        if self.factor is not None and self._weights.in_batch is not None:
            self.factor[:, :n_rows, 0] = self._weights.in_batch[:, self._rows]

    def losses(self) -> Floats:
        """Return the sum of the rows' losses, each times its share, (K,) float64."""
        n_rows = self._rows.stop - self._rows.start
        shares = self._weights.shares(self._rows)
        losses = np.empty(shares.shape)
        for loss, k in self._losses:
            raw, y = self.raw[k, :n_rows], self.y[k, :n_rows]
            if self.notes is not None and loss.n_notes:
                losses[k] = loss.noted_losses(raw, y, self.notes[k, :n_rows, : loss.n_notes])
            else:
                losses[k] = loss.losses(raw, y)
        self._weights.leave_out(losses, shares)
        return np.einsum("kn,kn->k", losses, shares)


def _outputs_first(n_outputs: int, n_members: int, n_rows: int, dtype: np.dtype) -> Floats:
    """Return an array of zeros, (K, n, C), that lies in memory as (C, K, n)."""
    return np.zeros((n_outputs, n_members, n_rows), dtype).transpose(1, 2, 0)
