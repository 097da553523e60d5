"""Quiet epochs: no member of a stack stops or is validated, and losses change no learning rate.

Most epochs of a search are quiet, and so are those between two validations of an ensemble; no
callback reads their reports. They are checked for all members at once. Their results are written
into the members at the next epoch that is not quiet.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..engine.arrays import Booleans, Floats, all_finite
from ..schedules import Schedule
from .member import Member, Verdict
from .stack import Stack

#: How many epochs may follow one another without a check that what is learned is finite.
FEW_EPOCHS = 10


class QuietEpochs:
    """Checks the epochs of a stack until one of them is not quiet."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._watch: _Watch | None = None

    def run(self) -> Floats:
        """Run epochs up to one that may not be quiet; return its losses, (K,).

        In between, nothing checks whether what has been learned is finite: once it is infinite or
        NaN, it stays so.
        """
        watch = self._present()
        for _ in range(min(watch.n_sure(), FEW_EPOCHS)):
            losses = self._stack.run_epoch()
            if not all_finite(losses):
                return losses
            watch.note(losses)
        return self._stack.run_epoch()

    def passes(self, losses: Floats, is_finite: Booleans) -> bool:
        """Tell whether the epoch that has just ended was quiet: then nothing else must be done.

        Otherwise, the results of all epochs before it have been written into the members.
        ``is_finite``, (K,), says whether the loss of each member, (K,), and all that it has learned
        are finite.
        """
        if self._present().passes(losses, is_finite):
            return True
        self.settle()
        return False

    def _present(self) -> _Watch:
        """Return the watch over the members that are in training now."""
        # Members leave the stack only after an epoch that was not quiet, which ends the watch.
        if self._watch is None:
            self._watch = _Watch(self._stack.members)
        return self._watch

    def settle(self) -> None:
        """Write the results of all epochs so far into the members."""
        if self._watch is not None:
            self._watch.settle()
        self._watch = None


class _Watch:
    """The losses of some members, and for how long each has not improved."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members
        self._losses: list[Floats] = []
        self._n_left = min(map(_n_quiet, members))
        if self._n_left <= 0:
            # No epoch is quiet: the rest is not needed.
            return
        recipes = [member.recipe for member in members]
        self._tol = np.array([float(recipe.tol) for recipe in recipes])
        # Members that monitor their score stop at validated epochs only.
        self._patience = np.array(
            [np.inf if r.monitors_score else float(r.n_iter_no_change) for r in recipes]
        )
        self._best = np.array([float(member.progress.best_loss) for member in members])
        self._waited = np.array([member.progress.no_improvement for member in members])

    def n_sure(self) -> int:
        """Return how many of the next epochs are quiet, whatever their losses, if these are finite.

        A member that does not improve any more stops when its patience is exhausted.
        """
        n_left = self._n_left - len(self._losses)
        return int(max(0, min(n_left, (self._patience - self._waited).min()))) if n_left > 0 else 0

    def passes(self, losses: Floats, is_finite: Booleans) -> bool:
        if len(self._losses) >= self._n_left or not is_finite.all():
            return False
        if (self._waiting(losses) > self._patience).any():
            return False
        self.note(losses)
        return True

    def note(self, losses: Floats) -> None:
        """Note the losses of an epoch that was quiet."""
        self._waited = self._waiting(losses)
        self._best = np.minimum(losses, self._best)
        self._losses.append(losses)

    def _waiting(self, losses: Floats) -> Floats:
        """Return for how many epochs each member has not improved, after one with these losses."""
        return np.where(losses <= self._best - self._tol, 0, self._waited + 1)

    def settle(self) -> None:
        """Write the results of the epochs into the members."""
        n_epochs = len(self._losses)
        if not n_epochs:
            return
        curves = np.transpose(self._losses).tolist()
        found = zip(self._members, curves, self._best.tolist(), self._waited.tolist(), strict=True)
        for member, curve, best, waited in found:
            progress = member.progress
            member.n_iter += n_epochs
            member.verdict = Verdict.GO_ON
            progress.rows_seen += n_epochs * member.recipe.n_samples
            progress.loss_curve += curve
            if member.recipe.validate is not None:
                progress.validation_scores += [np.nan] * n_epochs
                progress.validation_losses += [np.nan] * n_epochs
            if not member.recipe.monitors_score:
                progress.best_loss, progress.no_improvement = best, waited


def _n_quiet(member: Member) -> int:
    """Return how many of a member's next epochs are quiet, as far as its losses allow it."""
    recipe = member.recipe
    changes_rate = type(recipe.schedule).after_epoch is not Schedule.after_epoch
    if changes_rate or recipe.averaging is not None or recipe.max_seconds < np.inf:
        return 0
    first_loud = recipe.max_iter
    if recipe.validate is not None:
        next_look = (member.n_iter // recipe.validates_every + 1) * recipe.validates_every
        first_loud = min(first_loud, next_look)
    return first_loud - 1 - member.n_iter
