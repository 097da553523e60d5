"""The part of scikit-learn 1.9's callback framework that this package uses, for older versions.

Names and behavior are those of :mod:`sklearn.callback`, with one difference: a fit's task has no
parent, because older versions do not report tasks of meta-estimators.
"""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from typing import Any, Self

from ..options import HasMethods

#: What a callback is.
CALLBACK = HasMethods("a callback", ("setup", "on_fit_task_begin", "on_fit_task_end", "teardown"))


class CallbackContext:
    """One task of a fit: the fit itself, or one of its epochs."""

    def __init__(self, estimator: Any, task_name: str, max_subtasks: int | None) -> None:
        self.estimator_name = type(estimator).__name__
        self.task_name = task_name
        self.task_id = 0
        self.max_subtasks = max_subtasks
        self.parent: CallbackContext | None = None
        self.root_uuid = uuid.uuid4()
        self._callbacks = getattr(estimator, "_skl_callbacks", [])
        self._n_children = 0

    def subcontext(self, task_name: str = "", max_subtasks: int | None = 0) -> CallbackContext:
        """Return the context of the next subtask."""
        child = copy(self)
        child.task_name, child.max_subtasks = task_name, max_subtasks
        child.parent, child.task_id = self, self._n_children
        child._n_children = 0
        self._n_children += 1
        return child

    def call_on_fit_task_begin(self, *, estimator: Any, **offered: Any) -> Self:
        """Tell all callbacks that the task begins."""
        self._call("on_fit_task_begin", estimator, offered)
        return self

    def call_on_fit_task_end(self, *, estimator: Any, **offered: Any) -> bool:
        """Tell all callbacks that the task has ended; return whether one wants to stop."""
        return self._call("on_fit_task_end", estimator, offered)

    def _call(self, hook: str, estimator: Any, offered: dict[str, Any]) -> bool:
        attributes = offered.pop("reconstruction_attributes", None)
        offered["fitted_estimator"] = attributes and (lambda: _fitted(estimator, attributes()))
        results = []
        for callback in self._callbacks:
            method = getattr(callback, hook)
            wanted = {}
            for name, parameter in inspect.signature(method).parameters.items():
                if parameter.kind is parameter.KEYWORD_ONLY:
                    value = offered.get(name)
                    wanted[name] = value() if callable(value) else value
            results.append(bool(method(estimator, self, **wanted)))
        return any(results)


def _fitted(estimator: Any, attributes: dict[str, Any]) -> Any:
    fitted = copy(estimator)
    vars(fitted).update(attributes)
    return fitted


class CallbackSupportMixin:
    """Gives an estimator ``set_callbacks``."""

    def set_callbacks(self, *callbacks: Any) -> Self:
        """Set callbacks, or none, for later fits.

        Parameters
        ----------
        *callbacks : objects with the hooks of :mod:`sklearn.callback`

        Returns
        -------
        self : object
        """
        if not all(map(CALLBACK.allows, callbacks)):
            raise TypeError("callbacks must be instances following the FitCallback protocol.")
        if callbacks:
            self._skl_callbacks = list(callbacks)
        else:
            self.__dict__.pop("_skl_callbacks", None)
        return self

    def __sklearn_clone__(self) -> Self:
        # Clones share callbacks, so that those of a search's estimator see each of its fits.
        clone: Self = super().__sklearn_clone__()  # type: ignore[misc]
        clone.set_callbacks(*getattr(self, "_skl_callbacks", ()))
        return clone

    def _init_callback_context(
        self, task_name: str = "fit", max_subtasks: int | None = 0
    ) -> CallbackContext:
        self._callback_fit_ctx = CallbackContext(self, task_name, max_subtasks)
        for callback in self._skl_callbacks:
            callback.setup(estimator=self, context=self._callback_fit_ctx)
        return self._callback_fit_ctx


@contextmanager
def callback_management_context(estimator: Any) -> Iterator[None]:
    """Tear down all callbacks, even if the body or one of them fails."""
    try:
        yield
    finally:
        context = estimator.__dict__.pop("_callback_fit_ctx", None)
        if context is not None:
            with ExitStack() as stack:
                for callback in context._callbacks[::-1]:
                    stack.callback(callback.teardown, estimator=estimator, context=context)
