"""The connection between a fit and its callbacks: what is reported to them, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .._sklearn.callback_contexts import CALLBACK
from .._sklearn.compat import callback_management_context
from .._sklearn.tasks import NetworkTask
from ..options import Listing, check_option
from ..training.checkpoint import Job, State, describe_random_state, recall_random_state
from ..training.state_checks import Form
from .identity import IndescribableError, described, fingerprint
from .placing import callbacks_of, saves_fits, well_placed

#: What an estimator's ``callbacks`` must be, if not None.
CALLBACKS = Listing([CALLBACK], "callbacks (instances following the FitCallback protocol)")


@dataclass(frozen=True)
class FitDescription:
    """What identifies a fit: settings and data by name, limits, and the form of a saved state.

    Limits are settings that only affect how long the fit lasts.
    """

    settings: dict[str, Any]
    data: dict[str, Any]
    limits: dict[str, float]
    form: Form


class Listener:
    """Receives reports about a fit. This base class, for a fit without callbacks, does nothing."""

    #: Whether there are callbacks, which may look at the results of each epoch.
    listens = False

    def network_task(self, name: str) -> NetworkTask | None:
        """Return the task of the next network of the fit; None without callbacks."""
        return None

    def begin(self, task_name: str) -> None:
        """Report that an epoch begins."""

    def end(
        self,
        report: dict[str, Any],
        fitted: Callable[[], dict[str, Any]],
        state: Callable[[], State] | None = None,
    ) -> bool:
        """Report that the epoch has ended; return whether training is to stop.

        ``report`` holds the metrics of the epoch and, under ``history``, those of all epochs.
        ``fitted`` returns the attributes of the estimator, as if the fit ended here; ``state`` the
        state from which training can be resumed.
        """
        return False

    def close(self) -> None:
        """End an epoch that has been reported to begin but will not be trained."""

    def resume(
        self, rng: np.random.RandomState, describe: Callable[[], FitDescription]
    ) -> State | None:
        """Return the saved state of an interrupted fit, if any, and restore its random generator.

        Nothing has been drawn from it yet. ``describe`` returns what identifies the fit.
        """
        return None

    def refuse_to_save(self, why: str) -> None:
        """Raise ValueError if a callback would save a fit that cannot be resumed."""


class CallbackListener(Listener):
    """Passes reports on to callbacks.

    ``offered`` is the data that hooks may ask for: X, y and metadata.
    """

    listens = True
    #: Whether the fit consists of other fits. It is not complete yet when they have ended.
    has_parts = False

    def __init__(
        self, estimator: Any, context: Any, callbacks: list[Any], offered: dict[str, Any]
    ) -> None:
        self._estimator = estimator
        self._context = context
        self._offered = offered
        self._savers = [callback for callback in callbacks if saves_fits(callback)]
        others = [callback for callback in callbacks if not saves_fits(callback)]
        self._origin: dict[str, Any] = {"callbacks": list(map(_settings_of, others))}
        self._epoch: Any = None

    def network_task(self, name: str) -> NetworkTask | None:
        self.has_parts = True
        context = self._context.subcontext(task_name=name, max_subtasks=None)
        return NetworkTask(self._estimator, context, is_propagated=False)

    def begin(self, task_name: str) -> None:
        self._epoch = self._context.subcontext(task_name=task_name)
        self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._offered)

    def end(
        self,
        report: dict[str, Any],
        fitted: Callable[[], dict[str, Any]],
        state: Callable[[], State] | None = None,
    ) -> bool:
        epoch, self._epoch = self._epoch, None
        epoch.report = report
        epoch.state = None if state is None else lambda: self._with_origin(state())
        stops = epoch.call_on_fit_task_end(
            estimator=self._estimator, reconstruction_attributes=fitted, **self._offered
        )
        if stops and state is not None:
            for saver in self._savers:
                found = self._with_origin(state())
                found.numbers["told_to_stop"] = True
                saver.save(self._estimator, found)
        return stops

    def close(self) -> None:
        if self._epoch is not None:
            self._epoch.call_on_fit_task_end(estimator=self._estimator)

    def resume(
        self, rng: np.random.RandomState, describe: Callable[[], FitDescription]
    ) -> State | None:
        if not self._savers:
            return None
        description = describe()
        self._origin["start"] = describe_random_state(rng)
        found = [
            saver.resume(self._estimator, _job_of(description, getattr(saver, "name", None)))
            for saver in self._savers
        ]
        states: list[State] = [state for state in found if state is not None]
        if not states:
            return None
        saved = max(states, key=lambda state: state.numbers["n_iter"])
        self._origin["start"] = saved.numbers["start"]
        recall_random_state(rng, self._origin["start"])
        # If the callbacks have changed, the fit may continue.
        saved.numbers["told_to_stop"] &= saved.numbers["callbacks"] == self._origin["callbacks"]
        return saved

    def refuse_to_save(self, why: str) -> None:
        if self._savers:
            raise ValueError(f"{type(self._savers[0]).__name__} cannot resume {why}.")

    def _with_origin(self, state: State) -> State:
        return State(state.numbers | self._origin, state.arrays)


@contextmanager
def listening(
    estimator: Any, max_subtasks: int | None, X: Any, y: Any, sample_weight: Any
) -> Iterator[Listener]:
    """Set an estimator's callbacks up, report the fit to them, and tear them down.

    The estimator has a parameter ``callbacks``, and perhaps others set by ``set_callbacks``.
    ``max_subtasks`` is the largest number of epochs, or of networks; None if it is not known. The
    data is as given to ``fit``.
    """
    # scikit-learn does not check parameters in later calls of ``partial_fit``.
    check_option(type(estimator).__name__, "callbacks", estimator.callbacks, [CALLBACKS, None])
    registered, own = callbacks_of(estimator)
    callbacks = [*registered, *well_placed(own, estimator)]
    if not callbacks:
        yield Listener()
        return
    # Callbacks that save come last: by then it is known whether training stops.
    callbacks.sort(key=saves_fits)
    metadata = None if sample_weight is None else {"sample_weight": sample_weight}
    offered = {"X": X, "y": y, "metadata": metadata}
    with callback_management_context(estimator):
        estimator.set_callbacks(*callbacks)
        try:
            context = estimator._init_callback_context(max_subtasks=max_subtasks)
        finally:
            # Copies that hooks make of the estimator must not call its own callbacks twice.
            estimator.set_callbacks(*registered)
        context.call_on_fit_task_begin(estimator=estimator, **offered)
        listener = CallbackListener(estimator, context, callbacks, offered)
        yield listener
        attributes = None if listener.has_parts else dict
        context.call_on_fit_task_end(
            estimator=estimator, reconstruction_attributes=attributes, **offered
        )


def _settings_of(callback: Any) -> str:
    """Return class and parameters of a callback, without what it has recorded."""
    parameters = callback.get_params(deep=False) if isinstance(callback, BaseEstimator) else {}
    try:
        return f"{type(callback).__qualname__} {described(parameters)}"
    except IndescribableError:
        return type(callback).__qualname__


def _job_of(fit: FitDescription, name: str | None) -> Job:
    """Describe what identifies a fit; a name replaces what cannot be described.

    Without a name, that raises ValueError.
    """
    identity = {} if name is None else {"name of the checkpoint": repr(name)}
    for describe, things in ((described, fit.settings), (fingerprint, fit.data)):
        for label, value in things.items():
            try:
                identity[label] = describe(value, name)
            except IndescribableError as error:
                raise ValueError(
                    f"A checkpoint cannot identify {label}: {error}. If it is the same"
                    " in all fits of a name, pass Checkpoint(..., name=...): the name is compared"
                    " instead."
                ) from error
    return Job(identity, fit.limits, fit.form)
