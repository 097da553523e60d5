"""The rows of an epoch as its steps take them: their weights, and windows of many batches.

The targets of a window are gathered, and its losses computed, for all of its batches at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..engine.arrays import Floats, Integers, runs
from .data import TrainingSet
from .member import Recipe
from .plan import Plan


class RowWeights:
    """Weights of rows in the order in which an epoch visits them.

    Parameters
    ----------
    recipes : sequence of Recipe
        Of the members.
    plan : Plan

    Attributes
    ----------
    are_given : bool
        Whether any member has weights.
    in_batch : ndarray of shape (K, n) or None
        Each row's weight divided by the sum over its batch; None if there are no weights: then all
        rows of a batch count the same.
    sums : ndarray of shape (S, K)
        The sum over each batch: its number of rows, if there are no weights.
    of_batches : ndarray of shape (K, S)
        The number of rows of each batch, divided by ``sums``; zero where a member does not take the
        step.
    """

    def __init__(self, recipes: Sequence[Recipe], plan: Plan) -> None:
        self._recipes = recipes
        self._plan = plan
        n_members = len(recipes)
        self.are_given = any(recipe.sample_weight is not None for recipe in recipes)
        shape = (n_members, plan.counts[0])
        self.in_batch = np.ones(shape) if self.are_given else None
        self.sums = np.ones((plan.n_steps, n_members))
        self._lengths = np.zeros((n_members, plan.n_steps))
        # The number of rows in the batch of each row, if there are weights; zero after a member's
        # last row.
        self._lengths_at_rows = np.zeros(shape if self.are_given else (n_members, 0))
        # Members with equally many rows, which are neighbors, share an epoch.
        for epoch, k in runs(plan.epochs):
            self.sums[epoch.steps, k] = epoch.lengths[:, np.newaxis]
            self._lengths[k, epoch.steps] = epoch.lengths
            if self.are_given:
                lengths_at_rows = np.repeat(epoch.lengths, epoch.lengths)
                self._lengths_at_rows[k, : len(lengths_at_rows)] = lengths_at_rows
        self.of_batches = self._divided()
        self._all_count = min(plan.counts) == plan.counts[0]
        # Without weights, shares are those of the last window.
        self._window = slice(0, 0)
        self._shares = np.ones((n_members, 0))

    def renew(self, order: Integers) -> None:
        """Divide each row's weight by the sum over its batch, for rows in this order, (K, n)."""
        assert self.in_batch is not None
        for k, (recipe, epoch) in enumerate(zip(self._recipes, self._plan.epochs, strict=True)):
            rows = order[k, : self._plan.counts[k]]
            weight: Floats = np.ones(len(rows))
            if recipe.sample_weight is not None:
                weight = recipe.sample_weight[rows]
            sums = np.add.reduceat(weight, epoch.starts)
            self.sums[epoch.steps, k] = sums
            # A batch without any weight has no effect.
            divisors = np.where(sums > 0, sums, 1)
            self.in_batch[k, : len(rows)] = weight / np.repeat(divisors, epoch.lengths)
        self.of_batches = self._divided()

    def _divided(self) -> Floats:
        sums = self.sums.T
        # If a batch has almost no weight, the reported penalty may become infinite.
        with np.errstate(over="ignore"):
            return np.divide(self._lengths, sums, out=np.zeros(sums.shape), where=sums > 0)

    def leave_out(self, losses: Floats, shares: Floats) -> None:
        """Set the losses of rows without weight, which may be any number, to zero, in place."""
        if self.are_given or not self._all_count:
            losses[shares == 0] = 0

    def shares(self, rows: slice) -> Floats:
        """Return the factors by which some rows' losses count in the epoch's sum, (K, n)."""
        if self.in_batch is not None:
            return self._lengths_at_rows[:, rows] * self.in_batch[:, rows]
        if rows != self._window:
            # Few rows are one window, whose shares are made once.
            last = np.array(self._plan.counts)[:, np.newaxis]
            self._window = rows
            self._shares = (np.arange(rows.start, rows.stop) < last).astype(np.float64)
        return self._shares


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
    order_of : sequence of int
        Which order of rows each member has; orders are numbered by their first members.

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
        order_of: Sequence[int],
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
        # Targets are gathered once for each order, and then copied for all members that have it.
        self._order_of, first_of = np.array(order_of), np.unique(order_of, return_index=True)[1]
        self._y = self.y
        if len(first_of) < len(recipes):
            self._y = _outputs_first(self.y.shape[2], len(first_of), length, dtype)
        self._targets = [(one.targets, i) for one, i in runs([data[k] for k in first_of])]
        self._rows = slice(0, 0)

    def take_notes(self) -> None:
        """Let steps keep notes: intermediate results from which losses are computed faster."""
        n_notes = max(loss.n_notes for loss, _ in self._losses)
        if n_notes:
            self.notes = _outputs_first(n_notes, *self.order.shape, self.raw.dtype)
            # Losses are also computed for rows that no step takes: with notes of 1, that causes no
            # warnings.
            self.notes.fill(1)

    def open(self, start: int, order: Integers) -> None:
        """Prepare the window for the rows from position ``start`` of the epoch's order on.

        ``order``, (n_orders, N), holds rows as the epoch visits them.
        """
        self._rows = slice(start, min(start + self.length, order.shape[1]))
        n_rows = self._rows.stop - start
        rows = order[:, self._rows]
        rows.take(self._order_of, 0, self.order[:, :n_rows], "clip")
        for targets, i in self._targets:
            targets.take(rows[i], self._y[i, :n_rows])
        if len(rows) < len(self.order):
            y = self.y.transpose(2, 0, 1)
            self._y.transpose(2, 0, 1).take(self._order_of, 1, y, "clip")
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
