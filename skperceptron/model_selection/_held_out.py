"""What members predict for held-out rows, and how to combine arms, learned from that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from .._sklearn.pipelines import last_step
from ..engine.arrays import Booleans, Floats, Integers
from ..estimators.base import BaseMultilayerPerceptron
from ..estimators.continuation import forget_steps
from ..estimators.fitted import drop_buffers
from ._combination import Blend, BlendProblem, BlendRules, blocks_of
from ._outputs import Output, Split


@dataclass(frozen=True)
class FittedMember:
    """A fitted estimator of an ensemble and perhaps its predictions for held-out rows.

    Those in ``cross_fitted`` are made at epochs that were chosen on other rows.
    """

    estimator: Any
    held_out: Any = None
    cross_fitted: Any = None

    @classmethod
    def with_predictions(cls, estimator: Any, X: Any, method: str) -> FittedMember:
        """Return a member with the predictions of one of its estimator's methods for X.

        State that only further training would need is dropped, and so are buffers.
        """
        network = last_step(estimator)
        if isinstance(network, BaseMultilayerPerceptron):
            forget_steps(network)
        predicted = predicted_by(estimator, method, X)
        if isinstance(network, BaseMultilayerPerceptron):
            drop_buffers(network)
        return cls(estimator, predicted, predicted)


def predicted_by(estimator: Any, method: str, X: Any) -> Any:
    """Return what a method predicts; of several labels per row, their probabilities, (n, L)."""
    found = getattr(estimator, method)(X)
    if isinstance(found, list) and np.ndim(found[0]) == 2:
        # Forests return a table for each label, with one column per class.
        tables = zip(found, estimator.classes_, strict=True)
        found = np.transpose([table[:, seen != 0].sum(axis=1) for table, seen in tables])
    return found


class HeldOutRows:
    """The rows that were held out by each split, in the order of their predictions.

    Parameters
    ----------
    tests : sequence of ndarray of int
        The rows that each split has held out. A row may occur several times, or never.

    Attributes
    ----------
    tests : sequence of ndarray of int
    known : ndarray of shape (N,)
        Those that were held out at least once, in ascending order, without repetition.
    groups : ndarray of shape (N,)
        The first split that has held out each of the known rows.
    """

    def __init__(self, tests: Sequence[Integers]) -> None:
        self.tests = tests
        counts = np.bincount(self.rows)
        self.known = np.flatnonzero(counts)
        # Four bytes each, not eight: there may be many millions of rows.
        self._counts = counts[self.known].astype(np.int32)
        self._order = np.argsort(self.rows, kind="stable")
        of_predictions = np.repeat(
            np.arange(len(tests), dtype=np.int32), [len(test) for test in tests]
        )
        self.groups = of_predictions[self._order[self._starts]]

    @property
    def rows(self) -> Integers:
        """All rows, split by split, (R,)."""
        return np.concatenate(self.tests)

    @property
    def _starts(self) -> Integers:
        """Where the predictions of each known row begin in their order."""
        return np.cumsum(self._counts, dtype=np.intp) - self._counts

    def averages(
        self,
        values: Floats,
        of: Callable[[Floats], Floats] | None = None,
        out: Floats | None = None,
    ) -> Floats:
        """Return the mean over all predictions of each known row, (A, R, ...) to (A, N, ...).

        With ``of``, it is the mean of what this function returns for each prediction, in float64.
        ``out`` is where it is written, a new array if None.
        """
        if out is None:
            out = np.empty((len(values), len(self.known), *values.shape[2:]))
        starts = np.append(self._starts, len(self._order))
        for rows in blocks_of(len(self.known), values[0, 0].size):
            first, last = starts[rows.start], starts[rows.stop]
            part: Floats = values[:, self._order[first:last]].astype(np.float64, copy=False)
            if of is not None:
                part = of(part)
            if len(self.known) < len(self._order):
                part = np.add.reduceat(part, starts[rows] - first, axis=1)
                part /= self._counts[rows].reshape(-1, *[1] * (values.ndim - 2))
            out[:, rows] = part
        return out

    def of_predictions(self, values: Any) -> Any:
        """Return what belongs to the row of each prediction, (N, ...) to (R, ...)."""
        return values[np.searchsorted(self.known, self.rows)]

    def shares(self, sample_weight: Floats) -> Floats:
        """Return the weight of each prediction, (R,): those of a row share its weight, (N,)."""
        return self.of_predictions(sample_weight / self._counts)


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
    members: list[Sequence[FittedMember]],
    splits: Sequence[Split],
    truth: Any,
    sample_weight: Floats | None,
    rules: BlendRules,
) -> Combination:
    """Learn how to combine arms, each of which has a member for each split.

    Truth is (n_samples, ...). The list of members keeps the estimators only: predictions that have
    been read are freed. Raises ValueError if all held-out rows have zero weight, or if a
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
    # A single row of a class that its members do not know would raise all temperatures: on wine,
    # the log loss of new rows was seven times as high.
    knows = np.concatenate([output.knows(truth, split) for split in splits])
    counted = weight * (np.bincount(held.rows, knows)[held.known] > 0)
    if not counted.any():
        counted, knows = weight, np.ones_like(knows)
    if len(held.known) < n_rows:
        truth = truth[held.known]
    temperatures, blend, blended, cross_fitted = _learned(
        _Known(output, held, truth, counted, knows, rules), members
    )
    score, loss = output.score_and_loss(blended, truth, weight)

    def of_all_rows(known: Floats) -> Floats:
        """Return the same in the shape that the user sees, (..., n_samples, ...)."""
        shown = output.shown(known)
        if len(held.known) == n_rows:
            return np.ascontiguousarray(shown)
        n_before = known.ndim - blended.ndim
        filled = np.full((*shown.shape[:n_before], n_rows, *shown.shape[n_before + 1 :]), np.nan)
        filled[(slice(None),) * n_before + (held.known,)] = shown
        return filled

    return Combination(
        temperatures, blend, of_all_rows(blended), of_all_rows(cross_fitted), score, loss
    )


@dataclass(frozen=True)
class _Known:
    """The rows that were held out, with their truth, (N, ...), and weights, (N,), and the rules.

    ``knows``, (R,), tells which predictions are by a member that knows the class of the row.
    """

    output: Output
    held: HeldOutRows
    truth: Any
    weight: Floats
    knows: Booleans
    rules: BlendRules


def _learned(
    known: _Known, members: list[Sequence[FittedMember]]
) -> tuple[Floats, Blend, Floats, Floats]:
    """Return the temperatures of the arms, (A,), the blend, and predictions of the known rows.

    These are blended without the own fold of a row, (N, ...), and those of each arm, (A, N, ...),
    made at epochs that were chosen on other rows.
    """
    predictions, cross_fitted, temperatures = _calibrated(known, members)
    truth, weight = known.truth, known.weight

    def learn(chosen: Booleans) -> Blend:
        # Not copied, as they may be many: the output takes them block by block.
        rows = np.flatnonzero(chosen)
        problem = BlendProblem(predictions, truth[rows], weight[rows], known.rules, rows)
        return known.output.learn(problem)

    blended = blended_without_own_fold(learn, cross_fitted, weight, known.held.groups)
    blend = known.output.learn(BlendProblem(predictions, truth, weight, known.rules))
    return temperatures, blend, blended, cross_fitted


def _calibrated(
    known: _Known, members: list[Sequence[FittedMember]]
) -> tuple[Floats, Floats, Floats]:
    """Return predictions of the known rows, (A, N, ...), and the temperatures of the arms, (A,).

    All predictions are at the temperature of their arm. The second ones are made at epochs that
    were chosen on other rows. Raises ValueError if one of the first is not finite.
    """
    output, held = known.output, known.held
    found: list[Floats] = []
    temperatures = np.ones(len(members))

    def keep(values: Floats, arm: int, kind: int) -> None:
        tempered = partial(output.tempered, temperature=temperatures[arm])
        if len(found) == kind:
            found.append(np.empty((len(members), len(held.known), *values.shape[1:])))
        held.averages(values[np.newaxis], tempered, found[kind][arm : arm + 1])

    for arm, of_arm in enumerate(members):
        values = _joined(output, of_arm, [member.held_out for member in of_arm])
        # Predictions are freed as soon as they have been read: there may be many.
        of_arm = members[arm] = [replace(member, held_out=None) for member in of_arm]
        if known.rules.calibrate:
            true = held.of_predictions(known.truth)
            shares = held.shares(known.weight) * known.knows
            temperatures[arm] = output.temperature(values, true, shares)
            del true, shares
        keep(values, arm, 0)
        if not np.isfinite(found[0][arm]).all():
            raise ValueError(f"Arm {arm} predicts NaN or infinity for rows that are held out.")
        del values
        values = _joined(output, of_arm, [member.cross_fitted for member in of_arm])
        members[arm] = [FittedMember(member.estimator) for member in of_arm]
        keep(values, arm, 1)
    return found[0], found[1], temperatures


def _joined(output: Output, members: Sequence[FittedMember], of_members: Sequence[Any]) -> Floats:
    """Return predictions of the members of an arm, split by split, (R, ...)."""
    joined, start = np.empty(0), 0
    for member, predicted in zip(members, of_members, strict=True):
        aligned = output.aligned(member.estimator, predicted)
        if not start:
            dtype = np.result_type(aligned, *map(np.asarray, of_members))
            joined = np.empty((sum(map(len, of_members)), *aligned.shape[1:]), dtype)
        joined[start : start + len(aligned)] = aligned
        start += len(aligned)
    return joined
