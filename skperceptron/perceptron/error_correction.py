"""Rosenblatt's error correction: exactly sequential, yet in compiled code.

A row is presented; every response unit whose answer is wrong adds the row, with the
sign of the right answer, to its weights (Rosenblatt 1962, Principles of Neurodynamics).
Rows come in windows, and a solver finds which of them are mistakes.

Here N is the number of rows of a window, A that of features, C that of response units.
Biases are the weights of a constant feature, the last one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..engine.arrays import Booleans, Floats, Integers
from ..kept import kept_as
from .inputs import Answers, Features, Inputs, RowsInPlace

#: Differences of sums of weights, relative to the sums, that may be due to rounding.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Visit:
    """The mistakes and corrections of the response units in one window.

    Attributes
    ----------
    features : ndarray, CSR matrix or RowsInPlace of shape (N, A)
    steps : ndarray of shape (N,)
        Weights of the rows.
    wrong : ndarray of bool of shape (N, C)
    corrections : ndarray of shape (N, C)
        Factor with which each row was added to the weights of each unit; zero unless wrong.
    before : ndarray of shape (C, A)
        The weights before the first row.
    """

    features: Features | RowsInPlace
    steps: Floats
    wrong: Booleans
    corrections: Floats
    before: Floats

    def times_since(self, start: float) -> Floats:
        """Return the weight of all rows so far, before each row and after the last, (N + 1,).

        It is added up row by row, so that it does not depend on where windows end.
        """
        return np.add.accumulate(np.concatenate([[start], self.steps]))


#: Takes a unit's weights, (A,), and its number; returns the weight of all rows that it gets right.
CountRight = Callable[[Floats, int], float]


@kept_as("last weights")
class LastWeights:
    """Keeps nothing: the weights are those after the last row."""

    #: Whether ``observe`` is called for each window. Otherwise it is enough to count mistakes.
    observes = False

    def begin(self, count_right: CountRight) -> None:
        """Prepare for training on the rows that ``count_right`` counts."""

    def observe(self, visit: Visit) -> None:
        """Take account of a window; only called if it ``observes``."""

    def end(self) -> None:
        """Drop all references to the training rows."""

    def weights(self, current: Floats) -> Floats:
        """Return the weights to predict with, (C, A)."""
        return current


@kept_as("averaged weights")
class AveragedWeights(LastWeights):
    """The average of the weights after each row presented (Freund & Schapire 1999).

    Each row counts with its weight.
    """

    observes = True

    def __init__(self) -> None:
        self._time = 0.0
        # The sum of all corrections, each times the total weight of the rows before it.
        self._moment: Floats | float = 0.0

    def observe(self, visit: Visit) -> None:
        times = visit.times_since(self._time)
        if visit.wrong.any():
            moment = np.zeros(visit.before.shape) + self._moment
            corrections = visit.corrections * times[:-1, np.newaxis]
            self._moment = _plus_rows(moment, visit.features, corrections)
        self._time = times[-1]

    def weights(self, current: Floats) -> Floats:
        return current - self._moment / self._time if self._time else current


@kept_as("pocket weights")
class PocketWeights(LastWeights):
    """The weights with the longest run of right answers during training (Gallant 1990).

    With the ratchet: a longer run counts only if its weights also answer more of all
    training rows correctly. Each response unit has its own pocket.
    """

    observes = True

    def __init__(self, weight: Floats) -> None:
        self._pocket = weight.copy()
        self._time = 0.0
        # When the run of the current weights has begun.
        self._begun = np.zeros(len(weight))
        self._longest_run = np.zeros(len(weight))
        # Whether no mistake has followed the run of the weights in the pocket.
        self._is_going_on = np.ones(len(weight), dtype=bool)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Earlier versions stored lengths of runs, and first no flags.
        run = state.pop("_run", np.zeros(0))
        added = {"_time": 0.0, "_begun": -run, "_is_going_on": np.zeros(len(run), dtype=bool)}
        vars(self).update(added | state)

    def begin(self, count_right: CountRight) -> None:
        self._count_right: CountRight | None = count_right
        self._right = np.array([count_right(w, c) for c, w in enumerate(self._pocket)])

    def end(self) -> None:
        self._count_right = None

    def observe(self, visit: Visit) -> None:
        times = visit.times_since(self._time)
        for c in range(len(self._pocket)):
            self._observe_unit(visit, c, times)
        self._time = times[-1]

    def _observe_unit(self, visit: Visit, c: int, times: Floats) -> None:
        mistakes = np.flatnonzero(visit.wrong[:, c])
        # Run r ends before mistake r, the last run with the window. The first run may have begun
        # in an earlier window.
        starts = np.concatenate([[self._begun[c]], times[mistakes + 1]])
        runs = np.concatenate([times[mistakes], times[-1:]]) - starts
        self._begun[c] = starts[-1]
        if self._is_going_on[c]:
            self._longest_run[c] = max(self._longest_run[c], runs[0])
            self._is_going_on[c] = not len(mistakes)
        slack = ROUNDING * times[-1]
        for r in np.flatnonzero(runs > self._longest_run[c] + slack):
            if runs[r] > self._longest_run[c] + slack:
                made = mistakes[:r]
                correction = visit.corrections[made, c : c + 1]
                weight = _plus_rows(visit.before[c : c + 1], visit.features[made], correction)
                if self._offer(weight[0], c, runs[r]):
                    self._is_going_on[c] = r == len(mistakes)

    def _offer(self, weight: Floats, c: int, run: float) -> bool:
        """Put weights into the pocket if they answer more rows correctly; tell whether they do."""
        assert self._count_right is not None
        right = self._count_right(weight, c)
        is_better = right > self._right[c] * (1 + ROUNDING)
        if is_better:
            self._pocket[c], self._right[c], self._longest_run[c] = weight, right, run
        return is_better

    def weights(self, current: Floats) -> Floats:
        return self._pocket.copy()


class Solver(Protocol):
    """Presents rows to units, strictly one after another."""

    def prepared(self, inputs: Inputs, rows: Integers) -> Features | RowsInPlace:
        """Return rows in the form that ``present`` takes."""

    def present(self, features: Any, amounts: Floats, weight: Floats, n_epochs: int) -> Answers:
        """Present the rows of one epoch or several to each unit.

        Parameters
        ----------
        features : ndarray, CSR matrix or RowsInPlace of shape (N, A)
            Matrices are of float64.
        amounts : ndarray of shape (N, C)
            As in :meth:`ErrorCorrection.present`.
        weight : ndarray of shape (C, A)
        n_epochs : int
            Number of epochs, which have equally many rows.

        Returns
        -------
        mistakes : ndarray of int of shape (n_epochs,)
            All units together; zeros after the first epoch without a mistake, as the weights do
            not change any more.
        wrong : ndarray of bool of shape (N, C)
            Which rows are mistakes; only set for the epochs up to that one.
        weight : ndarray of shape (C, A)
            After all corrections.
        """


class ErrorCorrection:
    """Response units in training.

    ``weight``, (C, A), float64, is what training starts with, and then what it has made of it so
    far. The memory gets every window, if it ``observes``.
    """

    def __init__(self, weight: Floats, memory: LastWeights, solver: Solver) -> None:
        self.weight = weight
        self.memory = memory
        self._solver = solver

    # Overflow is detected after training, in the weights or in the responses.
    @np.errstate(over="ignore", invalid="ignore")
    def present(
        self, features: Features | RowsInPlace, amounts: Floats, n_epochs: int = 1
    ) -> list[int]:
        """Present the rows of a window one after another, up to an epoch without a mistake.

        Features, (N, A), are in the form that the solver takes; matrices are of float64. Amounts,
        (N, C), are the factors with which a row is added to the weights of a unit that errs: the
        weight of the row, with the sign of the right answer. All epochs of the window have equally
        many rows. Returns the number of corrections in each, all units together.
        """
        before = self.weight
        found, wrong, self.weight = self._solver.present(features, amounts, before, n_epochs)
        mistakes: list[int] = found.tolist()
        if 0 in mistakes:
            mistakes = mistakes[: mistakes.index(0) + 1]
        if self.memory.observes:
            seen = slice(len(amounts) // n_epochs * len(mistakes))
            features, amounts, wrong = features[seen], amounts[seen], wrong[seen]
            steps = np.abs(amounts[:, 0])
            self.memory.observe(Visit(features, steps, wrong, amounts * wrong, before))
        return mistakes


def _plus_rows(total: Floats, features: Features | RowsInPlace, factors: Floats) -> Floats:
    """Return a total, (C, A), plus the rows, each times its factor (one per unit)."""
    if isinstance(features, RowsInPlace):
        return features.added_to(total, factors)
    return total + (features.T @ factors).T
