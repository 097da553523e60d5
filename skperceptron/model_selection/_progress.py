"""Progress of stacks: reported to callbacks for each network, and printed for each stack."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Any

from .._sklearn.tasks import NetworkTask
from ..callbacks.table import duration, say
from ..estimators.reporting import epoch_metrics
from ..training import EpochReport

#: Seconds between two lines about one stack.
INTERVAL = 1.0


class StackProgress:
    """Reports the progress of one stack.

    There is a ``Fit`` for each member. With ``verbose=1``, a line with the stack's label is printed
    each second, with 2 another one for each network that has ended.
    """

    def __init__(
        self, fits: Sequence[Any], members: Sequence[Any], verbose: int, label: str
    ) -> None:
        self._fits = {id(member): fit for fit, member in zip(fits, members, strict=True)}
        self._n, self._verbose, self._label = len(fits), verbose, label
        self._max_iter = max(member.recipe.max_iter for member in members)
        self._began = self._told = monotonic()
        self._ended: list[float] = []
        for fit, member in zip(fits, members, strict=True):
            fit.tell(NetworkTask.begin, member.recipe.max_iter)

    def epoch(self, reports: Sequence[EpochReport]) -> None:
        """Report an epoch of all networks that were still being trained."""
        for report in reports:
            self._fits[id(report.member)].tell(NetworkTask.epoch, epoch_metrics(report))
            if report.member.is_over:
                self._end(report)
        if self._verbose:
            now = monotonic()
            if now - self._told >= INTERVAL or all(report.member.is_over for report in reports):
                self._told = now
                self._print(reports)

    def _end(self, report: EpochReport) -> None:
        fit = self._fits[id(report.member)]
        self._ended.append(report.loss)
        fit.tell(NetworkTask.end)
        if self._verbose > 1:
            score = "" if report.score is None else f", validation score {report.score:.4g}"
            result = f"{report.epoch} epochs, loss {report.loss:.6g}{score}"
            say(f"[{self._label}] {fit.name}: {result}")

    def _print(self, reports: Sequence[EpochReport]) -> None:
        epoch = max(report.epoch for report in reports)
        in_training = [report for report in reports if not report.member.is_over]
        losses = [report.loss for report in in_training] or self._ended
        seconds = monotonic() - self._began
        text = (
            f"[{self._label}] {self._n} network{'s' * (self._n > 1)}: epoch {epoch} of at most"
            f" {self._max_iter}, {len(self._ended)} ended, loss {_span(losses)}, {seconds:.1f} s"
        )
        if in_training:
            text += f", at most {duration(seconds / epoch * (self._max_iter - epoch))} left"
        say(text)


def _span(losses: Sequence[float]) -> str:
    low, high = f"{min(losses):.4g}", f"{max(losses):.4g}"
    return low if low == high else f"{low} to {high}"
