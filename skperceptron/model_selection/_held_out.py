"""Learning on held-out rows how to combine the arms of an ensemble."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..engine.arrays import Booleans, Floats, Integers
from ._candidates import FittedMember
from ._combination import Blend, BlendRules
from ._outputs import Output

#: A split: rows to train on, rows that are held out.
Split = tuple[Integers, Integers]


class HeldOutRows:
    """The rows that were held out by each split, in the order of their predictions.

    Parameters
    ----------
    tests : sequence of ndarray of int
        The rows that each split has held out. A row may occur several times, or never.

    Attributes
    ----------
    tests : sequence of ndarray of int
    rows : ndarray of shape (R,)
        All of them, split by split.
    known : ndarray of shape (N,)
        Those that were held out at least once, in ascending order, without repetition.
    groups : ndarray of shape (N,)
        The first split that has held out each of the known rows.
    """

    def __init__(self, tests: Sequence[Integers]) -> None:
        self.tests = tests
        self.rows = np.concatenate(tests)
        self.known, first, counts = np.unique(self.rows, return_index=True, return_counts=True)
        self.groups = np.repeat(np.arange(len(tests)), [len(test) for test in tests])[first]
        self._counts = counts
        self._order = np.argsort(self.rows, kind="stable")
        self._starts = np.cumsum(counts) - counts

    def averages(self, values: Floats) -> Floats:
        """Return the mean over all predictions of each known row, (A, R, ...) to (A, N, ...)."""
        if len(self.known) == len(self.rows):
            return values[:, self._order]
        sums = np.add.reduceat(values[:, self._order], self._starts, axis=1)
        return sums / self._counts.reshape(-1, *[1] * (values.ndim - 2))

    def shares(self, sample_weight: Floats) -> Floats:
        """Return the weight of each prediction, (R,): those of a row share its weight, (N,)."""
        place = np.searchsorted(self.known, self.rows)
        return (sample_weight / self._counts)[place]


def blended_without_own_fold(
    learn: Callable[[Booleans], Blend],
    predictions: Floats,
    sample_weight: Floats,
    groups: Integers,
) -> Floats:
    """Blend predictions, (A, N, ...), with weights that were not learned on the row's own fold.

    ``learn`` maps a mask of rows, (N,), to a blend. ``groups``, (N,), holds the fold of each row.
    If there is only one, or the others have zero weight, weights are learned on all rows.
    """
    blended = np.empty(predictions.shape[1:])
    for group in np.unique(groups):
        own = groups == group
        others = ~own if sample_weight[~own].any() else np.ones_like(own)
        blended[own] = learn(others).of(predictions[:, own])
    return blended


@dataclass(frozen=True)
class Combination:
    """How arms are combined, and what the held-out rows say about it.

    Temperatures are (A,). The out-of-fold predictions, (n_samples, ...), are blended with weights
    learned on the other folds; those of arms are (A, n_samples, ...). Both are NaN for rows that
    were never held out.
    """

    temperatures: Floats
    blend: Blend
    oof_predictions: Floats
    oof_arm_predictions: Floats
    oof_score: float
    oof_loss: float

    def of(self, arms: Integers) -> Combination:
        """Return the same with these arms only, if the weights of all others are zero."""
        return replace(
            self,
            temperatures=self.temperatures[arms],
            blend=replace(self.blend, weights=self.blend.weights[arms]),
            oof_arm_predictions=self.oof_arm_predictions[arms],
        )


def combined(
    output: Output,
    members: Sequence[Sequence[FittedMember]],
    splits: Sequence[Split],
    truth: Any,
    sample_weight: Floats | None,
    rules: BlendRules,
) -> Combination:
    """Learn how to combine arms, each of which has a member for each split.

    Truth is (n_samples, ...). Raises ValueError if all held-out rows have zero weight, or if a
    prediction is not finite.
    """
    held = HeldOutRows([test for _, test in splits])
    n_rows = len(truth)
    weight = np.ones(len(held.known)) if sample_weight is None else sample_weight[held.known]
    if not weight.any():
        raise ValueError(
            "All rows that are held out have a weight of zero: nothing can be learned on them."
        )
    # Scaled to the mean 1, so that a pseudo-count equals a row, whatever the scale of weights.
    weight = weight / weight[weight > 0].mean()
    truth = truth[held.known]
    arms = [_judged_arm(output, arm, held, truth, weight, rules) for arm in members]
    predictions = np.stack([arm.predictions for arm in arms])
    for number, arm in enumerate(predictions):
        if not np.isfinite(arm).all():
            raise ValueError(f"Arm {number} predicts NaN or infinity for rows that are held out.")
    honest = np.stack([arm.honest for arm in arms])

    def learn(rows: Booleans | slice) -> Blend:
        return output.learn(predictions[:, rows], truth[rows], weight[rows], rules=rules)

    blended = blended_without_own_fold(learn, honest, weight, held.groups)
    score, loss = output.judged(blended, truth, weight)

    def of_all_rows(known: Floats) -> Floats:
        shown = output.shown(known)
        filled = np.full((n_rows, *shown.shape[1:]), np.nan)
        filled[held.known] = shown
        return filled

    return Combination(
        np.array([arm.temperature for arm in arms]),
        learn(slice(None)),
        of_all_rows(blended),
        np.stack([of_all_rows(arm) for arm in honest]),
        score,
        loss,
    )


@dataclass(frozen=True)
class _JudgedArm:
    """An arm's predictions for the known rows at its temperature, (N, ...).

    Those of ``honest`` are made at epochs that were chosen on other rows.
    """

    predictions: Floats
    honest: Floats
    temperature: float


def _judged_arm(
    output: Output,
    members: Sequence[FittedMember],
    held: HeldOutRows,
    truth: Any,
    weight: Floats,
    rules: BlendRules,
) -> _JudgedArm:
    def joined(of_members: Sequence[Any]) -> Floats:
        pairs = zip(members, of_members, strict=True)
        return np.concatenate([output.aligned(member.estimator, one) for member, one in pairs])

    values = joined([member.held_out for member in members])
    temperature = 1.0
    if rules.calibrate:
        of_rows = np.searchsorted(held.known, held.rows)
        temperature = output.temperature(values, truth[of_rows], held.shares(weight))

    def averages(values: Floats) -> Floats:
        return held.averages(output.tempered(values, temperature)[np.newaxis])[0]

    honest = joined([member.honest for member in members])
    return _JudgedArm(averages(values), averages(honest), temperature)
