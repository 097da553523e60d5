"""Tasks of networks that a stack trains together, reported to callbacks like separate fits.

scikit-learn's searches report each fit to callbacks as a task (1.9 and newer), and pass this on to
the estimator, which reports its epochs. If a stack trains many networks at once, this module
reports the epochs of each network.
"""

from __future__ import annotations

import inspect
from contextlib import ExitStack
from typing import Any

from .compat import callback_management_context


class NetworkTask:
    """The fit of one network, as it is reported to callbacks.

    The context is that of the task that the fit is a part of, or of the fit itself.
    ``is_propagated`` says whether it is a task of a scikit-learn search, whose callbacks are passed
    on to the fit.
    """

    def __init__(self, estimator: Any, context: Any, *, is_propagated: bool) -> None:
        self._estimator, self._context = estimator, context
        self._is_propagated = is_propagated
        self._open: ExitStack | None = None
        self._n_told = 0

    def begin(self, n_epochs: int) -> None:
        """Report that training begins, for `n_epochs` epochs at most.

        If another network of a stack fails, training begins again: nothing is reported twice.
        """
        if self._open is not None:
            return
        self._open = ExitStack()
        if self._is_propagated:
            estimator = self._estimator
            self._open.enter_context(self._context.propagate_callback_context(estimator))
            self._open.enter_context(callback_management_context(estimator))
            self._open.callback(self._tell_end)
            self._context = estimator._init_callback_context(max_subtasks=n_epochs)
        else:
            self._open.callback(self._tell_end)
            self._context.max_subtasks = n_epochs
        self._context.call_on_fit_task_begin(estimator=self._estimator)

    def epoch(self, report: dict[str, Any]) -> None:
        """Report that an epoch has ended."""
        if report["epoch"] <= self._n_told:
            return
        self._n_told = report["epoch"]
        epoch = self._context.subcontext(task_name="epoch")
        epoch.call_on_fit_task_begin(estimator=self._estimator)
        epoch.report = report
        epoch.call_on_fit_task_end(estimator=self._estimator)

    def begin_and_end(self) -> None:
        """Report a fit that has run without any reports."""
        self.begin(0)
        self.end()

    def end(self) -> None:
        """Report once that training has ended; do nothing if it has not begun."""
        if self._open is not None:
            self._open.close()

    def _tell_end(self) -> None:
        self._context.call_on_fit_task_end(estimator=self._estimator)


def task_of_call(keywords: dict[str, Any], estimator: Any) -> NetworkTask | None:
    """Return the task of a call of ``_fit_and_score``; None if there are no callbacks."""
    context = keywords.get("callback_ctx")
    if context is None or not context._callbacks or not hasattr(estimator, "set_callbacks"):
        return None
    return NetworkTask(estimator, context, is_propagated=True)


def want_fitted_estimators(keywords: dict[str, Any]) -> bool:
    """Tell whether callbacks of a search ask for data or a fitted estimator at each epoch."""
    context = keywords.get("callback_ctx")
    callbacks = [] if context is None else context._callbacks
    return any(
        parameter.kind is parameter.KEYWORD_ONLY
        for callback in filter(follows_whole, callbacks)
        for hook in (callback.on_fit_task_begin, callback.on_fit_task_end)
        for parameter in inspect.signature(hook).parameters.values()
    )


def follows_whole(callback: Any) -> bool:
    """Tell whether a callback follows the outermost fit with all that is fitted inside it."""
    return hasattr(callback, "max_propagation_depth")
