"""Tasks that callbacks are told of: those of networks that a stack trains in place of their fits.

scikit-learn's searches describe each fit to callbacks as a task (1.9 and newer), and hand it on to
the estimator, which tells of its epochs. Where a stack trains many networks at once, each of them
tells of its own here.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from .compat import callback_management_context


class NetworkTask:
    """The fit of one network, as callbacks see it.

    Parameters
    ----------
    estimator : estimator
        What callbacks are told is being fitted.
    context : CallbackContext
        Of the task that the fit is a part of, or that it is.
    is_propagated : bool
        Whether it is a task of a search of scikit-learn's, whose callbacks are handed on.
    """

    def __init__(self, estimator: Any, context: Any, *, is_propagated: bool) -> None:
        self._estimator, self._context = estimator, context
        self._is_propagated = is_propagated
        self._open: ExitStack | None = None

    def begin(self, n_epochs: int) -> None:
        """Tell that the network begins to be trained, for so many epochs at most."""
        self._open = ExitStack()
        if self._is_propagated:
            estimator = self._estimator
            self._open.enter_context(self._context.propagate_callback_context(estimator))
            self._open.enter_context(callback_management_context(estimator))
            self._context = estimator._init_callback_context(max_subtasks=n_epochs)
        else:
            self._context.max_subtasks = n_epochs
        self._context.call_on_fit_task_begin(estimator=self._estimator)

    def epoch(self, report: dict[str, Any]) -> None:
        """Tell that an epoch has ended."""
        epoch = self._context.subcontext(task_name="epoch")
        epoch.call_on_fit_task_begin(estimator=self._estimator)
        epoch.report = report
        epoch.call_on_fit_task_end(estimator=self._estimator)

    def whole(self) -> None:
        """Tell of a fit that has taken place without a word."""
        self.begin(0)
        self.end()

    def end(self) -> None:
        """Tell that training has ended; nothing happens where it has not begun."""
        if self._open is None:
            return
        self._context.call_on_fit_task_end(estimator=self._estimator)
        self._open.close()
        self._open = None


def task_of_call(keywords: dict[str, Any], estimator: Any) -> NetworkTask | None:
    """Return the task of a call of ``_fit_and_score``, if callbacks want to know of it.

    Parameters
    ----------
    keywords : dict
        Of the call.
    estimator : estimator
        That it fits.
    """
    context = keywords.get("callback_ctx")
    if context is None or not context._callbacks or not hasattr(estimator, "set_callbacks"):
        return None
    return NetworkTask(estimator, context, is_propagated=True)


def want_fitted_estimators(keywords: dict[str, Any]) -> bool:
    """Tell whether callbacks of a search ask each epoch for data or for a fitted estimator."""
    context = keywords.get("callback_ctx")
    handed_on = [] if context is None else _handed_on(context._callbacks)
    return any(
        parameter.kind is parameter.KEYWORD_ONLY
        for callback in handed_on
        for hook in (callback.on_fit_task_begin, callback.on_fit_task_end)
        for parameter in inspect.signature(hook).parameters.values()
    )


def _handed_on(callbacks: Sequence[Any]) -> list[Any]:
    return [callback for callback in callbacks if hasattr(callback, "max_propagation_depth")]
