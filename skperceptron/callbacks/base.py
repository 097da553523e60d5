"""The base of callbacks: the methods that a fit calls, and what each call means."""

from __future__ import annotations

from typing import Any, ClassVar

from ..options import Checked
from ..usercall import warn


class Callback(Checked):
    """Base of callbacks; on its own it does nothing.

    Its methods get the estimator that is fitted, and the context of the fit or of one of its
    epochs, as in :mod:`sklearn.callback`. At the end of an epoch, ``context.report`` is a dict of
    its metrics; ``"history"`` holds those of all epochs.

    Attributes
    ----------
    ends_fits : bool
        Whether it may end a fit. Estimators that train many networks then refuse it.
    """

    ends_fits: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in vars(cls):
            is_hook = name.startswith("on_") and name.endswith(("_begin", "_start", "_end"))
            if is_hook and not hasattr(Callback, name):
                warn(
                    f"{cls.__name__}.{name} is never called: fits call on_fit_task_begin and"
                    " on_fit_task_end."
                )

    def setup(self, estimator: Any, context: Any) -> None:
        """Prepare for a fit that is about to begin.

        Raises
        ------
        ValueError
            If a parameter is invalid.
        """
        self.check_parameters()

    def teardown(self, estimator: Any, context: Any) -> None:
        """Clean up after a fit, whether or not it has failed."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Called when the fit, or one of its epochs, begins."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        """Called when the fit, or one of its epochs, has ended.

        Returns
        -------
        bool
            Any true value at the end of an epoch ends the training, as in
            :mod:`sklearn.callback`.
        """
        return False

    def __getstate__(self) -> dict[str, Any]:
        # Copies take part in no fit that is running, and what it uses may be open files.
        return {n: value for n, value in super().__getstate__().items() if n != "_fits"}


class EpochCallback(Callback):
    """Base of callbacks that read the metrics of each epoch."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        # The fit itself has no report.
        report = getattr(context, "report", None)
        return report is not None and self._look_at(estimator, report)

    def teardown(self, estimator: Any, context: Any) -> None:
        running_fits(self).pop(id(estimator), None)

    def _look_at(self, estimator: Any, report: dict[str, Any]) -> bool:
        """Read the report of an epoch that has ended; return whether training should end."""
        raise NotImplementedError


def running_fits(callback: Callback) -> dict[int, Any]:
    """Return what a callback keeps of each fit that is running, by the id of its estimator.

    Fits in several threads may share a callback. A fit that was refused early has no entry.
    """
    fits: dict[int, Any] = callback.__dict__.setdefault("_fits", {})
    return fits


def check_monitor(callback: Any, report: dict[str, Any]) -> None:
    """Raise ValueError if the metric that a callback monitors is not reported."""
    if callback.monitor not in report["history"]:
        raise ValueError(
            f"monitor={callback.monitor!r} of {type(callback).__name__} is not reported: must be"
            f" one of {sorted(report['history'])}."
        )


def metrics_of(report: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers that an epoch reports, the epoch first."""
    named = {n: value for n, value in report.items() if n not in ("history", "is_last")}
    return {"epoch": named.pop("epoch"), **named}
