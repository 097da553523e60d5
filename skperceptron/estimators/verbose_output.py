"""What a verbose fit prints: a table of its epochs, why it has ended, and which epoch was best."""

from __future__ import annotations

from math import isfinite
from typing import Any

from ..callbacks.table import Column, EpochTable, say
from ..training import EpochReport, Member, Verdict
from .choices import Choices
from .run import Run

#: From this value of `verbose` on, the network is described first, and the patience is shown.
DETAILED = 2


class VerboseOutput:
    """Prints the progress of the training of one network."""

    def __init__(self, run: Run) -> None:
        self._member, self._is_detailed = run.member, run.estimator.verbose >= DETAILED
        validate: Any = run.member.recipe.validate
        self._score = None if validate is None else validate.score_name
        is_first = not run.member.progress.loss_curve
        self._table = EpochTable(
            [
                Column("loss"),
                *([Column("val. loss")] if validate is not None else []),
                *([Column(self._score, ".4f", 9)] if self._score is not None else []),
                Column("rate", ".3g", 8),
                *([Column("patience", width=8)] if self._is_detailed else []),
            ],
            None if run.is_incremental else run.member.recipe.max_iter,
            marks_best=validate is not None,
            has_heading=is_first or not run.is_incremental,
        )
        self._best: tuple[int, float] = (0, -float("inf"))
        if self._is_detailed and is_first:
            say(described(run))

    def tell(self, report: EpochReport) -> None:
        """Print the row of an epoch, and whether training stops or slows down after it."""
        member = self._member
        metrics = {
            "loss": report.loss,
            "val. loss": report.validation_loss,
            "rate": report.learning_rate,
            "patience": f"{member.progress.no_improvement:g}/{member.recipe.n_iter_no_change:g}",
        }
        if self._score is not None:
            metrics[self._score] = report.score
        self._table.row(report.epoch, metrics, is_best=self._is_best(report.epoch, report.score))
        if report.verdict in (Verdict.STOP, Verdict.SLOW_DOWN):
            say(_decision(member, report.verdict))
        if member.is_over and not member.diverged:
            self._tell_best()

    def _is_best(self, epoch: int, score: float | None) -> bool:
        if score is None or not isfinite(score):
            return False
        _, best = self._best
        is_best = score > best or (self._member.recipe.prefers_latest and score == best)
        if is_best:
            self._best = epoch, score
        return is_best

    def _tell_best(self) -> None:
        epoch, score = self._best
        if not epoch:
            return
        recipe = self._member.recipe
        is_restored = recipe.monitors_score and recipe.restores_best
        kept = "its weights are kept" if is_restored else "the last weights are kept"
        metric = f"validation loss {-score:.6g}"
        if self._score is not None:
            metric = f"{self._score} {score:.4g}"
        say(f"Best epoch: {epoch} ({metric}); {kept}.")


def described(run: Run) -> str:
    """Describe the network, its training data and its solver in one line."""
    choices, network, member = run.model.choices, run.model.network, run.member
    widths = (network.n_inputs, *choices.wiring.hidden_sizes, network.n_outputs)
    text = (
        f"{type(run.estimator).__name__}: {'-'.join(map(str, widths))} units,"
        f" {network.n_parameters:,} parameters, {run.model.dtype.name},"
        f" {type(choices.optimizer).__name__}; {member.recipe.n_samples:,} rows"
    )
    return text if choices.is_lbfgs else f"{text} in batches of {run.batch_rows:,}"


def _decision(member: Member, verdict: Verdict) -> str:
    """Return why training ends or slows down, in scikit-learn's words."""
    recipe = member.recipe
    monitored = "Validation score" if recipe.monitors_score else "Training loss"
    outcome = "Stopping."
    if verdict is Verdict.SLOW_DOWN:
        outcome = f"Setting learning rate to {member.current_rate:f}"
    return (
        f"{monitored} did not improve more than tol={recipe.tol:f} for"
        f" {recipe.n_iter_no_change} consecutive epochs. {outcome}"
    )


def table_of_iterations(choices: Choices) -> EpochTable:
    """Return the table of a run of L-BFGS."""
    return EpochTable([Column("loss")], choices.max_iter, "iteration")
