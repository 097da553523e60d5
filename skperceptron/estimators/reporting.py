"""Messages of a fit: warnings, and the metrics for callbacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult
from sklearn.exceptions import ConvergenceWarning

from ..training import EpochReport, Member, Verdict
from ..usercall import first_in_call, warn
from .advice import NamedRows, about_scale, advice
from .choices import Choices
from .model import Model

#: SciPy's status if a limit of iterations or function calls has ended the search.
LIMIT_REACHED = 1


def warn_unconverged(
    verdict: Verdict, choices: Choices, losses: Sequence[float], data: NamedRows
) -> None:
    """Warn if training has ended at a limit, and say what to change.

    ``losses`` holds the training loss of each epoch.
    """
    limits = {
        Verdict.EXHAUSTED: (f"Maximum iterations ({choices.max_iter})", "max_iter"),
        Verdict.OUT_OF_TIME: (f"Maximum time ({choices.max_seconds} seconds)", "max_time"),
    }
    if verdict not in limits:
        return
    text, limit = limits[verdict]
    _warn_with_advice(
        f"{'L-BFGS' if choices.is_lbfgs else 'Stochastic Optimizer'}:"
        f" {text} reached and the optimization hasn't converged yet.",
        lambda: advice(losses, data, limit, has_rate=not choices.is_lbfgs),
    )


def warn_unconverged_lbfgs(
    result: OptimizeResult, choices: Choices, losses: Sequence[float], data: NamedRows
) -> None:
    """Warn if L-BFGS has ended without reaching its tolerance, and say what to change.

    ``losses`` holds the training loss of each iteration.
    """
    if not result.status:
        return

    def advise() -> str:
        if result.status != LIMIT_REACHED:
            # The line search has found nothing lower, because of rounding or overflow.
            scale = about_scale(data)
            return f"Raise tol={choices.tol:g}: rounding hides what is left to gain. {scale}"
        limit = "max_iter" if result.nit >= choices.max_iter else "max_fun"
        return advice(losses, data, limit, has_rate=False)

    head = f"lbfgs failed to converge after {result.nit} iteration(s) (status={result.status}):"
    _warn_with_advice(f"{head} {result.message}.", advise)


def _warn_with_advice(head: str, advise: Callable[[], str]) -> None:
    """Warn; in a call that warns often, such as a search, only the first warning has advice."""
    text = f"{head} {advise()}" if first_in_call("advice") else head
    warn(text.rstrip(), ConvergenceWarning)


def warn_of_small_batch(model: Model, n_samples: int) -> None:
    """Warn if batches have fewer rows than they should have, or than the network needs."""
    choices, network = model.choices, model.network
    if isinstance(choices.batch_size, int) and choices.batch_size > n_samples:
        warn(
            f"Got batch_size={choices.batch_size}, larger than the sample size {n_samples}. It is"
            " going to be clipped."
        )
    if network.mixes_rows and choices.batch_rows(n_samples) == 1 and first_in_call("single rows"):
        warn(
            "Batches have a single row, which batch normalization turns into zeros:"
            " use batches of two rows or more, or normalization='layer'."
        )


def was_planned(member: Member) -> bool:
    """Tell whether a member was meant to train to its last epoch, and has done so.

    This is so if the best epoch is restored and the patience is infinite. It is also so if the
    schedule ends with the last epoch, and no rule could have stopped training earlier: the patience
    is as long as training, or the training loss is monitored without a tolerance.
    """
    recipe = member.recipe
    if member.verdict is not Verdict.EXHAUSTED:
        return False
    if recipe.monitors_score and recipe.restores_best and recipe.n_iter_no_change == np.inf:
        return True
    if not recipe.schedule.needs_max_iter:
        return False
    is_patient = recipe.n_iter_no_change >= recipe.max_iter
    return is_patient or not (recipe.monitors_score or recipe.tol)


def epoch_metrics(report: EpochReport) -> dict[str, Any]:
    """Return the metrics of an epoch that callbacks receive.

    Validation metrics are NaN if the epoch was not validated. A network that has diverged is not
    validated, and a validation may fail.
    """
    progress = report.member.progress
    found: dict[str, Any] = {
        "epoch": report.epoch,
        "loss": report.loss,
        "learning_rate": report.learning_rate,
    }
    history = {"loss": progress.loss_curve}
    if report.member.recipe.validate is not None:
        scores, losses = progress.validation_scores, progress.validation_losses
        if report.member.diverged or report.member.failure is not None:
            scores, losses = [*scores, np.nan], [*losses, np.nan]
        history |= {"validation_score": scores, "validation_loss": losses}
        found |= {name: values[-1] for name, values in history.items()}
    return {**found, "history": history, "is_last": report.member.is_over}
