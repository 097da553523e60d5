"""Rosenblatt's error correction: exactly sequential, yet by matrix products.

A row is presented; every response unit whose answer is wrong adds the row, with the
sign of the right answer, to its weights (Rosenblatt 1962, Principles of Neurodynamics).
Only mistakes change anything, so that within a block of rows

    margin_i = sign_i (w x_i + sum over mistakes j < i of sign_j step_j x_j x_i),

and row i is a mistake where margin_i <= 0. One product gives all ``w x_i``, another the
block's Gram matrix ``x_j x_i``. Which rows are mistakes is then the fixed point of a
strictly triangular system: each sweep settles at least one more row, usually all but a few.

Here N is the number of rows, B that of a block, A that of features, C that of response units.
Biases are the weights of a feature that is always 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse

from .arrays import Booleans, Floats

Features: TypeAlias = "Floats | sparse.csr_array"

#: Rows of a block. The Gram matrix costs B, the calls cost 1 / B per row (100,000 x 100, 7% and
#: 47% mistakes: 151 and 224 ms for 32, 103 and 176 ms for 64, 110 and 218 ms for 128).
BLOCK = 64

#: A margin this much smaller than the largest of its block may be nothing but rounding.
DOUBTFUL = 1e-11


@dataclass(frozen=True)
class Visit:
    """What happened to the response units while they saw the rows of one block.

    Attributes
    ----------
    features : ndarray or CSR matrix of shape (B, A)
    steps : ndarray of shape (B,)
        Weights of the rows.
    wrong : ndarray of bool of shape (B, C)
    corrections : ndarray of shape (B, C)
        By how much each row was added to the weights of each unit; zero unless wrong.
    before : ndarray of shape (C, A)
        The weights that the first row met.
    """

    features: Features
    steps: Floats
    wrong: Booleans
    corrections: Floats
    before: Floats


#: Takes weights, (A,), and a unit's number; returns the weight of the rows it answers rightly.
CountRight = Callable[[Floats, int], float]


class LastWeights:
    """Keeps nothing: the weights are those after the last row."""

    def begin(self, count_right: CountRight) -> None:
        """Prepare for training on rows that ``count_right`` can judge."""

    def observe(self, visit: Visit) -> None:
        """Take note of a block."""

    def end(self) -> None:
        """Let go of the rows."""

    def weights(self, current: Floats) -> Floats:
        """Return what to predict with, (C, A)."""
        return current


class AveragedWeights(LastWeights):
    """The average over all rows seen of the weights after each of them (Freund & Schapire 1999).

    A row counts by its weight.
    """

    def __init__(self) -> None:
        self._time = 0.0
        # Each correction times the moment at which it was made.
        self._moment: Floats | float = 0.0

    def observe(self, visit: Visit) -> None:
        elapsed = np.add.accumulate(visit.steps)
        if visit.wrong.any():
            since = self._time + elapsed - visit.steps
            self._moment = self._moment + _sum_of_rows(
                visit.features, visit.corrections * since[:, np.newaxis]
            )
        self._time += elapsed[-1]

    def weights(self, current: Floats) -> Floats:
        return current - self._moment / self._time if self._time else current


class PocketWeights(LastWeights):
    """Of all weights on the way, those with the longest run of right answers (Gallant 1990).

    With the ratchet: a longer run counts only if its weights also answer more of all
    rows rightly. Each response unit has its own pocket.
    """

    def __init__(self, weight: Floats) -> None:
        self._pocket = weight.copy()
        self._run = np.zeros(len(weight))
        self._longest_run = np.zeros(len(weight))

    def begin(self, count_right: CountRight) -> None:
        self._count_right: CountRight | None = count_right
        self._right = np.array([count_right(w, c) for c, w in enumerate(self._pocket)])

    def end(self) -> None:
        self._count_right = None

    def observe(self, visit: Visit) -> None:
        elapsed = np.add.accumulate(visit.steps)
        for c in range(len(self._pocket)):
            self._observe_unit(visit, c, elapsed)

    def _observe_unit(self, visit: Visit, c: int, elapsed: Floats) -> None:
        mistakes = np.flatnonzero(visit.wrong[:, c])
        # Run r ends before mistake r, the last one with the block; the first began earlier.
        starts = np.concatenate([[-self._run[c]], elapsed[mistakes]])
        ends = np.concatenate([(elapsed - visit.steps)[mistakes], elapsed[-1:]])
        runs = ends - starts
        self._run[c] = runs[-1]
        for r in np.flatnonzero(runs > self._longest_run[c]):
            if runs[r] > self._longest_run[c]:
                made = mistakes[:r]
                correction = _sum_of_rows(visit.features[made], visit.corrections[made, c : c + 1])
                self._offer(visit.before[c] + correction[0], c, runs[r])

    def _offer(self, weight: Floats, c: int, run: float) -> None:
        assert self._count_right is not None
        right = self._count_right(weight, c)
        if right > self._right[c]:
            self._pocket[c], self._right[c], self._longest_run[c] = weight, right, run

    def weights(self, current: Floats) -> Floats:
        return self._pocket.copy()


class ErrorCorrection:
    """Response units in training.

    Parameters
    ----------
    weight : ndarray of shape (C, A), float64
        Where training starts.
    memory : LastWeights, AveragedWeights or PocketWeights
        Told of every block.

    Attributes
    ----------
    weight : ndarray of shape (C, A)
        After all rows presented so far.
    """

    def __init__(self, weight: Floats, memory: LastWeights) -> None:
        self.weight = weight
        self.memory = memory
        self._earlier = np.tri(BLOCK, k=-1)

    def present(self, features: Features, signs: Floats, steps: Floats) -> int:
        """Present rows one after another.

        Parameters
        ----------
        features : ndarray or CSR matrix of shape (N, A), float64
        signs : ndarray of shape (N, C)
            The right answers, 1.0 or -1.0.
        steps : ndarray of shape (N,)
            Positive weights of the rows: what a correction is multiplied by.

        Returns
        -------
        int
            Number of corrections, all units together.
        """
        n_mistakes = 0
        for start in range(0, len(signs), BLOCK):
            block = slice(start, start + BLOCK)
            visit = self._visit(features[block], signs[block], steps[block])
            self.memory.observe(visit)
            n_mistakes += int(np.count_nonzero(visit.wrong))
        return n_mistakes

    def _visit(self, features: Features, signs: Floats, steps: Floats) -> Visit:
        amounts = signs * steps[:, np.newaxis]
        margins = (features @ self.weight.T) * signs
        wrong = margins <= 0
        if wrong.any():
            wrong, margins = self._settle(features, signs, amounts, margins)
        if self._is_doubtful(features, amounts, margins):
            wrong = self._walk(features, signs, amounts)
        visit = Visit(features, steps, wrong, amounts * wrong, self.weight)
        if wrong.any():
            self.weight = self._corrected(visit)
        return visit

    def _settle(
        self, features: Features, signs: Floats, amounts: Floats, margins: Floats
    ) -> tuple[Booleans, Floats]:
        """Find which rows are mistakes once earlier ones have been corrected."""
        gram: Any = features @ features.T
        if sparse.issparse(gram):
            gram = gram.toarray()
        size = len(gram)
        gram *= self._earlier[:size, :size]
        before, now = None, margins <= 0
        while before is None or (now != before).any():
            before = now
            settled = (gram @ (amounts * before)) * signs + margins
            now = settled <= 0
        return now, settled

    def _is_doubtful(self, features: Features, amounts: Floats, margins: Floats) -> bool:
        """Tell whether rounding may have decided a row. Sums of integers are exact."""
        if sparse.issparse(features):
            return False
        sizes = np.abs(margins)
        if sizes.min() > DOUBTFUL * sizes.max():
            return False
        return not all((a == np.rint(a)).all() for a in (features, amounts, self.weight))

    def _walk(self, features: Floats, signs: Floats, amounts: Floats) -> Booleans:
        """Find the mistakes row by row, adding up in the order of the features."""
        wrong = np.zeros(signs.shape, dtype=bool)
        weight = self.weight.copy()
        for i, row in enumerate(features):
            scores = np.add.accumulate(weight * row, axis=1)[:, -1]
            wrong[i] = signs[i] * scores <= 0
            weight += (amounts[i] * wrong[i])[:, np.newaxis] * row
        return wrong

    def _corrected(self, visit: Visit) -> Floats:
        """Add the corrections in the order in which they were made."""
        if sparse.issparse(visit.features):
            return visit.before + _sum_of_rows(visit.features, visit.corrections)
        weight = visit.before.copy()
        for c, wrong in enumerate(visit.wrong.T):
            mistakes = np.flatnonzero(wrong)
            terms = np.empty((len(mistakes) + 1, weight.shape[1]))
            terms[0] = weight[c]
            np.multiply(
                visit.features[mistakes], visit.corrections[mistakes, c : c + 1], out=terms[1:]
            )
            # Reducing over the first axis adds row after row.
            np.add.reduce(terms, axis=0, out=weight[c])
        return weight


def _sum_of_rows(features: Features, factors: Floats) -> Floats:
    """Return the sum of the rows, each times its factor (one per unit), as (C, A)."""
    return (features.T @ factors).T
