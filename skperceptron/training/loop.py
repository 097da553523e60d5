"""The only epoch loop: a generator that reports after each epoch and decides which members stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isfinite
from time import monotonic
from typing import NamedTuple

import numpy as np

from .member import Member, Verdict
from .quiet_epochs import QuietEpochs
from .stack import Stack
from .validating import Outcome


class EpochReport(NamedTuple):
    """The results of one epoch, counted from 1, for one member.

    The learning rate is that of the epoch's first step. Score and validation loss are None if the
    epoch is not validated.
    """

    member: Member
    epoch: int
    loss: float
    learning_rate: float
    score: float | None
    validation_loss: float | None
    verdict: Verdict


def epochs(
    stack: Stack, tells_all: bool = True, check: Callable[[], None] | None = None
) -> Iterator[list[EpochReport]]:
    """Train a stack until every member has stopped; yield a report for each that was in training.

    Members that stop leave the stack; each then holds its trained parameters. Those of a brief
    stack have no limits of epochs and time, which the caller of single epochs (``partial_fit``)
    counts itself. Without ``tells_all``, the reports of epochs that only change losses and
    parameters are skipped, which saves time; members get these losses at a later epoch. ``check``
    is called before epochs, and may end training by raising an exception.
    """
    quiet = None if tells_all else QuietEpochs(stack)
    try:
        yield from _epochs(stack, quiet, check)
    finally:
        if quiet is not None:
            quiet.settle()


def _epochs(
    stack: Stack, quiet: QuietEpochs | None, check: Callable[[], None] | None
) -> Iterator[list[EpochReport]]:
    began = monotonic()
    while stack.members:
        if check is not None:
            check()
        losses = stack.run_epoch() if quiet is None else quiet.run()
        # The losses were computed before the last step of the epoch, after which parameters may
        # be infinite.
        is_finite = np.isfinite(losses) & stack.are_finite()
        if quiet is not None and quiet.passes(losses, is_finite):
            continue
        finite = is_finite.tolist()
        outcomes = stack.validated(
            [k for k, member in enumerate(stack.members) if finite[k] and member.validates_next]
        )
        seconds = None if stack.is_brief else monotonic() - began
        reports = [
            _assess(stack, k, loss, finite[k], outcomes.get(k), seconds)
            for k, loss in enumerate(losses.tolist())
        ]
        leaving = [k for k, member in enumerate(stack.members) if member.is_over]
        if leaving:
            stack.retire(leaving)
        yield reports


def _assess(
    stack: Stack,
    k: int,
    loss: float,
    is_finite: bool,
    outcome: Outcome | None,
    seconds: float | None,
) -> EpochReport:
    """Update one member's history and decide how it continues.

    ``seconds`` have passed since training began; None if it has no limits of epochs and time.
    """
    member = stack.members[k]
    recipe, progress = member.recipe, member.progress
    rate = member.current_rate
    member.n_iter += 1
    epoch = progress.n_earlier + member.n_iter
    progress.rows_seen += recipe.n_samples
    progress.loss_curve.append(loss)
    if not is_finite or isinstance(outcome, Exception):
        member.verdict = Verdict.FAILED if is_finite else Verdict.DIVERGED
        if isinstance(outcome, Exception):
            # The other members of the stack continue.
            member.failure = outcome
        return EpochReport(member, epoch, loss, rate, None, None, member.verdict)
    score, validation_loss = outcome or (None, None)
    if recipe.validate is not None:
        # NaN stands for an epoch that is not validated.
        progress.validation_scores.append(np.nan if score is None else score)
        progress.validation_losses.append(np.nan if validation_loss is None else validation_loss)
    if not recipe.monitors_score:
        _monitor_loss(member, loss)
    elif score is not None:
        _monitor_score(stack, k, score)
    member.current_rate = recipe.schedule.after_epoch(
        recipe.learning_rate, member.current_rate, progress.rows_seen
    )
    member.verdict = _verdict(member, seconds)
    return EpochReport(member, epoch, loss, rate, score, validation_loss, member.verdict)


def _monitor_loss(member: Member, loss: float) -> None:
    progress = member.progress
    improved = loss <= progress.best_loss - member.recipe.tol
    progress.no_improvement = 0 if improved else progress.no_improvement + 1
    if loss < progress.best_loss:
        progress.best_loss = loss


def _monitor_score(stack: Stack, k: int, score: float) -> None:
    member = stack.members[k]
    progress = member.progress
    recipe = member.recipe
    improved = isfinite(score) and score >= progress.best_score + recipe.tol
    progress.no_improvement = 0 if improved else progress.no_improvement + recipe.validates_every
    if isfinite(score) and (
        score > progress.best_score or (recipe.prefers_latest and score == progress.best_score)
    ):
        progress.best_score = score
        if recipe.restores_best:
            member.best_parameters = stack.prediction_parameters(k).copy()


def _verdict(member: Member, seconds: float | None) -> Verdict:
    recipe, verdict = member.recipe, Verdict.GO_ON
    if member.progress.no_improvement > recipe.n_iter_no_change:
        rate = recipe.schedule.after_plateau(member.current_rate)
        if rate is None:
            return Verdict.STOP
        member.current_rate = rate
        member.progress.no_improvement = 0
        if member.n_iter < recipe.max_iter:
            verdict = Verdict.SLOW_DOWN
    if seconds is not None and member.n_iter >= recipe.max_iter:
        return Verdict.EXHAUSTED
    if seconds is not None and seconds > recipe.max_seconds:
        return Verdict.OUT_OF_TIME
    return verdict
