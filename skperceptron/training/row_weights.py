"""The weight of each row in its batch, and of each batch in its epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..engine.arrays import Floats, Integers
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
        for k, epoch in enumerate(plan.epochs):
            self.sums[epoch.steps, k] = epoch.lengths
            self._lengths[k, epoch.steps] = epoch.lengths
            if self.are_given:
                lengths_at_rows = np.repeat(epoch.lengths, epoch.lengths)
                self._lengths_at_rows[k, : plan.counts[k]] = lengths_at_rows
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
        """Set losses of rows that do not count, which may be any number, to zero, in place."""
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
