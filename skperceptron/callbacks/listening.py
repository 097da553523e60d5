"""Between a fit and its callbacks: who is told what, and when."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

from .._sklearn.compat import callback_management_context
from ..training.checkpoint import State, describe_random_state, recall_random_state

#: Parameters that do not change what a fit computes.
_IRRELEVANT = ("callbacks", "verbose")

#: Bytes of an array that are read at a time.
_BLOCK = 2**24


class Silence:
    """Stands in for a listener where there are no callbacks."""

    def begin(self, task_name: str) -> None:
        """Tell that an epoch begins."""

    def end(
        self,
        report: dict[str, Any],
        fitted: Callable[[], dict[str, Any]],
        state: Callable[[], State] | None = None,
    ) -> bool:
        """Tell that the epoch has ended; return whether training shall stop.

        Parameters
        ----------
        report : dict
            Figures of the epoch, and ``history``: of all epochs.
        fitted : callable
            Returns the attributes of the estimator, as if the fit ended here.
        state : callable, default=None
            Returns what training goes on from.
        """
        return False

    def close(self) -> None:
        """End an epoch that has begun but will not take place."""

    def resume(
        self, rng: np.random.RandomState, identity: Callable[[], dict[str, Any]]
    ) -> State | None:
        """Return the saved state of an interrupted fit and put its generator back, if there is one.

        Parameters
        ----------
        rng : RandomState
            Before anything is drawn from it.
        identity : callable
            Returns what the fit is of, by name.
        """
        return None

    def refuse_to_save(self, why: str) -> None:
        """Raise ValueError if a callback wants to save a fit that cannot be resumed."""


class Listener(Silence):
    """Passes on what happens.

    Parameters
    ----------
    estimator : estimator
    context : CallbackContext
        Of the fit.
    callbacks : list
    offered : dict
        Data that hooks may ask for: X, y and metadata.
    """

    def __init__(
        self, estimator: Any, context: Any, callbacks: list[Any], offered: dict[str, Any]
    ) -> None:
        self._estimator = estimator
        self._context = context
        self._offered = offered
        self._savers = [callback for callback in callbacks if hasattr(callback, "resume")]
        self._origin: dict[str, Any] = {}
        self._epoch: Any = None

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
        return epoch.call_on_fit_task_end(
            estimator=self._estimator, reconstruction_attributes=fitted, **self._offered
        )

    def close(self) -> None:
        if self._epoch is not None:
            self._epoch.call_on_fit_task_end(estimator=self._estimator)

    def resume(
        self, rng: np.random.RandomState, identity: Callable[[], dict[str, Any]]
    ) -> State | None:
        if not self._savers:
            return None
        self._origin = {"identity": identity(), "start": describe_random_state(rng)}
        for saver in self._savers:
            saved: State | None = saver.resume(self._origin["identity"])
            if saved is not None:
                self._origin["start"] = saved.numbers["start"]
                recall_random_state(rng, self._origin["start"])
                return saved
        return None

    def refuse_to_save(self, why: str) -> None:
        for saver in self._savers:
            raise ValueError(f"{type(saver).__name__} cannot resume {why}.")

    def _with_origin(self, state: State) -> State:
        return State(state.numbers | self._origin, state.arrays)


@contextmanager
def listening(
    estimator: Any, max_subtasks: int, X: Any, y: Any, sample_weight: Any
) -> Iterator[Silence]:
    """Set an estimator's callbacks up, tell them of the fit, and tear them down.

    Parameters
    ----------
    estimator : estimator
        With a parameter ``callbacks``, and perhaps others set by ``set_callbacks``.
    max_subtasks : int
        The largest number of epochs.
    X, y, sample_weight
        As given to ``fit``.

    Yields
    ------
    Silence or Listener
    """
    registered = list(getattr(estimator, "_skl_callbacks", ()))
    _check_place_of(estimator.callbacks or (), estimator)
    callbacks = [*registered, *(estimator.callbacks or ())]
    if not callbacks:
        yield Silence()
        return
    # Who saves comes last: by then it is known whether training stops.
    callbacks.sort(key=lambda callback: hasattr(callback, "resume"))
    metadata = None if sample_weight is None else {"sample_weight": sample_weight}
    offered = {"X": X, "y": y, "metadata": metadata}
    estimator.set_callbacks(*callbacks)
    try:
        with callback_management_context(estimator):
            context = estimator._init_callback_context(max_subtasks=max_subtasks)
            context.call_on_fit_task_begin(estimator=estimator, **offered)
            yield Listener(estimator, context, callbacks, offered)
            context.call_on_fit_task_end(
                estimator=estimator, reconstruction_attributes=dict, **offered
            )
    finally:
        estimator.set_callbacks(*registered)


def _check_place_of(callbacks: Iterable[Any], estimator: Any) -> None:
    """Refuse callbacks that belong to the outermost estimator, as scikit-learn does."""
    if not hasattr(estimator, "_parent_callback_ctx"):
        return
    misplaced = [type(c).__name__ for c in callbacks if hasattr(c, "max_propagation_depth")]
    if misplaced:
        raise TypeError(
            f"callbacks={misplaced} of a {type(estimator).__name__} inside another estimator follow"
            " the whole of a fit: hand them to the outermost estimator, such as the pipeline or"
            " the search, with set_callbacks."
        )


def identity_of(estimator: BaseEstimator, **data: Any) -> dict[str, Any]:
    """Return what a fit is of, in terms of JSON: estimator, parameters, fingerprints of data."""
    parameters = {
        name: described(value)
        for name, value in estimator.get_params().items()
        if name.split("__")[0] not in _IRRELEVANT
    }
    return {
        "estimator": type(estimator).__name__,
        **{f"parameter {name}": value for name, value in parameters.items()},
        **{name: fingerprint(value) for name, value in data.items()},
    }


def described(value: Any) -> str:
    """Return a text that is the same in every process."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(described, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {described(of)}' for key, of in value.items())}}}"
    if value is None or isinstance(value, str | int | float | np.generic | BaseEstimator):
        return repr(value)
    if isinstance(value, np.ndarray):
        return fingerprint(value)
    if isinstance(value, FunctionType):
        return _described_function(value)
    return getattr(value, "__qualname__", type(value).__name__)


def _described_function(function: FunctionType) -> str:
    """Return name and hash of what a function does: all lambdas have the same name."""
    code = function.__code__
    held = [cell.cell_contents for cell in function.__closure__ or ()]
    # A function may hold itself: those that it holds are known by their names.
    held = [f.__qualname__ if isinstance(f, FunctionType) else f for f in held]
    values = [*code.co_consts, *code.co_names, *held, *(function.__defaults__ or ())]
    text = code.co_code.hex() + described(values)
    return f"{function.__qualname__} {hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"


def fingerprint(data: Any) -> str:
    """Return shape, dtype and a hash (BLAKE2) of an array or CSR matrix; or of each in a list."""
    if data is None:
        return "None"
    if isinstance(data, list | tuple):
        return f"[{', '.join(map(fingerprint, data))}]"
    if not sparse.issparse(data):
        data = np.asanyarray(data)
    digest = hashlib.blake2b(digest_size=16)
    parts = (data.data, data.indices, data.indptr) if sparse.issparse(data) else (data,)
    for part in map(np.asanyarray, parts):
        if part.dtype.hasobject:
            digest.update(repr(part.tolist()).encode())
            continue
        rows = max(1, _BLOCK // max(1, part[:1].nbytes))
        for start in range(0, len(part), rows):
            digest.update(np.ascontiguousarray(part[start : start + rows]).tobytes())
    return f"{data.dtype} {data.shape} {digest.hexdigest()}"
