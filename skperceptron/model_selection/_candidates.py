"""Estimators that a search fits: a network, alone or as the last step of pipelines."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone

from .._sklearn.compat import has_callbacks
from .._sklearn.fit_calls import NO_EXTRAS
from .._sklearn.pipelines import last_step, levels_of, path_of
from ..engine.arrays import Floats
from ..estimators import (
    MLPBinaryClassifier,
    MLPClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
)
from ..estimators.base import BaseMultilayerPerceptron, recorded_curves
from ..estimators.continuation import forget_steps
from ..estimators.fitted import drop_buffers
from ..estimators.parameters import is_lbfgs
from ._fits import Common, Fit, token
from ._sending import ProcessCache, Sender, as_sent, with_traceback
from ._spreading import Workers

#: Classes that can be stacked. A subclass may have changed how it is fitted.
STACKABLE = (MLPBinaryClassifier, MLPClassifier, MLPRegressor, MLPSoftmaxClassifier)


def network_of(estimator: Any) -> BaseMultilayerPerceptron | None:
    """Return an estimator's network if a stack can train it, else None.

    It is the estimator itself or the last step of a pipeline. Networks with L-BFGS, whose steps
    cannot be shared, ``warm_start``, ``max_time``, ``verbose`` or callbacks are fitted one by one.
    """
    network = last_step(estimator)
    if type(network) not in STACKABLE or any(map(has_callbacks, (*levels_of(estimator), network))):
        return None
    # Options of another type, such as arrays, are refused by the estimator's own ``fit``.
    is_plain = all(
        isinstance(value, bool | np.bool_ | int | list | tuple | None) and not value
        for value in (network.verbose, network.warm_start, network.callbacks)
    )
    if is_lbfgs(network.solver) or not is_plain or network.max_time is not None:
        return None
    return network


def transformers_token(estimator: Any, parameters: dict[str, Any]) -> Hashable:
    """Return a key that is equal for candidates whose transformers have the same parameters.

    ``parameters`` are those that the search varies; the estimator has them set.
    """
    mine = path_of(estimator)
    return tuple(
        (name, token(value))
        for name, value in sorted(parameters.items())
        if not f"{name}__".startswith(mine)
    )


@dataclass
class Transformed:
    """The arguments that a pipeline's last step is fitted with, and the fitted transformers.

    Attributes
    ----------
    arguments : tuple
        Positional arguments of the network's ``fit``.
    keywords : dict
        Its keyword arguments.
    steps : list of list
        The fitted transformers of each pipeline, by name, the outermost first.
    validation : dict
        Keyword arguments of the network's ``fit`` that hold validation data.
    seconds : float
        Time that fitting the transformers took.
    n_users : int
        How many fits share this time.
    error : Exception, default=None
        The exception that a transformer has raised.
    """

    arguments: tuple[Any, ...] = ()
    keywords: dict[str, Any] = field(default_factory=dict)
    steps: list[list[tuple[str, Any]]] = field(default_factory=list)
    validation: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    n_users: int = 1
    error: Exception | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return what workers send back."""
        if self.error is None:
            return vars(self)
        return vars(self) | {"error": as_sent(with_traceback(self.error))}


@dataclass(frozen=True)
class FittedMember:
    """A fitted estimator of an ensemble and perhaps its predictions for held-out rows.

    Those in ``cross_fitted`` are made at epochs that were chosen on other rows.
    """

    estimator: Any
    held_out: Any = None
    cross_fitted: Any = None

    @classmethod
    def with_predictions(cls, estimator: Any, X: Any, method: str) -> FittedMember:
        """Return a member with the predictions of one of its estimator's methods for X.

        State that only further training would need is dropped, and so are buffers.
        """
        network = last_step(estimator)
        if isinstance(network, BaseMultilayerPerceptron):
            forget_steps(network)
        predicted = predicted_by(estimator, method, X)
        if isinstance(network, BaseMultilayerPerceptron):
            drop_buffers(network)
        return cls(estimator, predicted, predicted)


def predicted_by(estimator: Any, method: str, X: Any) -> Any:
    """Return what a method predicts; of several labels per row, their probabilities, (n, L)."""
    found = getattr(estimator, method)(X)
    if isinstance(found, list) and np.ndim(found[0]) == 2:
        # Forests return a table for each label, with one column per class.
        tables = zip(found, estimator.classes_, strict=True)
        found = np.transpose([table[:, seen != 0].sum(axis=1) for table, seen in tables])
    return found


def own_rows(estimator: Any, X: Any) -> Any:
    """Return X; for a pipeline a copy, since transformers with ``copy=False`` would change X."""
    is_safe = last_step(estimator) is estimator or not hasattr(X, "copy")
    return X if is_safe else X.copy()


def transform(estimator: Any, X: Any, y: Any, params: dict[str, Any]) -> Transformed:
    """Fit the transformers of a pipeline; record the arguments that its network would get."""
    start = time.perf_counter()
    # A search sets the parameters of its estimator again before it scores it: parts of a fitted
    # transformer would be replaced by others that are not fitted.
    estimator = clone(estimator)
    found = Transformed()

    def record(*arguments: Any, **keywords: Any) -> None:
        found.arguments, found.keywords = arguments, keywords

    try:
        with called_instead(last_step(estimator), "fit", record):
            estimator.fit(X, y, **params)
        found.steps = [level.steps[:-1] for level in levels_of(estimator)]
    except Exception as error:
        found.error = error
    found.seconds = time.perf_counter() - start
    return found


def transformed_once(
    tasks: Mapping[Any, tuple[Any, ...]],
    has_transformers: bool,
    workers: Workers,
    sending: Sender,
    cache: Any,
) -> dict[Hashable, Any]:
    """Run the tasks that fit transformers, each for all networks of one source.

    A task is a function that returns a ``Transformed``, and its arguments. Without transformers,
    tasks only select rows, which is too little work for a worker. ``cache`` is what tasks take in
    place of the ``ProcessCache`` of the worker that runs them.

    Returns the result of each source. On a cluster, workers may have to make it themselves, as they
    select rows if there are no transformers: then nothing is returned.
    """
    if sending.is_remote:
        return sending.started(cache, tasks if has_transformers else {})
    if not has_transformers:
        return {s: function(*arguments) for s, (function, *arguments) in tasks.items()}
    found = dict(workers.spread(tasks.values(), len(tasks)))
    return {s: found[n] for n, s in enumerate(tasks)}


def transformed_here(
    tasks: Mapping[Any, tuple[Any, ...]], sources: Mapping[Any, Any], cache: ProcessCache
) -> dict[Hashable, Any]:
    """Add to the results of ``transformed_once`` those that this process has to make itself."""
    made = {
        source: cache.get(source, partial(function, *arguments))
        for source, (function, *arguments) in tasks.items()
        if source not in sources
    }
    return {**sources, **made}


def through(steps: Sequence[Sequence[tuple[str, Any]]], X: Any) -> Any:
    """Return X, transformed by the fitted transformers of pipelines."""
    for _, transformer in (step for level in steps for step in level):
        # Samplers of imbalanced-learn only change rows to train on.
        if hasattr(transformer, "transform"):
            X = transformer.transform(X)
    return X


def requested_fit(
    network: BaseMultilayerPerceptron, transformed: Transformed, common: Common
) -> Fit:
    """Call a network's ``fit``, but only check its parameters and record its arguments."""
    if transformed.error is not None:
        return Fit(network, error=transformed.error)
    fit = Fit(network)

    def record(
        X: Any, y: Any, sample_weight: Any, *, incremental: bool, extras: Any = NO_EXTRAS
    ) -> None:
        fit.X, fit.y, fit.sample_weight, fit.extras = X, y, sample_weight, extras

    def check() -> None:
        fit.settings = common.check_parameters(network)

    with (
        fit.attempt(),
        called_instead(network, "_validate_params", check),
        called_instead(network, "_fit", record),
    ):
        network.fit(*transformed.arguments, **transformed.keywords)
    return fit


@contextmanager
def called_instead(item: Any, method: str, replacement: Callable[..., Any]) -> Iterator[None]:
    """Replace a method of one object within a ``with`` block."""
    vars(item)[method] = replacement
    try:
        yield
    finally:
        vars(item).pop(method, None)


def put_together(
    estimator: Any, network: BaseMultilayerPerceptron, transformed: Transformed
) -> None:
    """Give an estimator the transformers and the network that were fitted for it."""
    levels = levels_of(estimator)
    for level, steps in zip(levels, transformed.steps, strict=True):
        level.steps[:-1] = steps
    if levels:
        innermost = levels[-1].steps
        innermost[-1] = (innermost[-1][0], network)


def curves_of(estimator: Any) -> dict[str, Floats]:
    """Return what a fitted estimator's network has recorded of each epoch, by name of the metric.

    An estimator without a network, or with one that is not fitted, has recorded nothing.
    """
    network = last_step(estimator)
    return recorded_curves(network) if isinstance(network, BaseMultilayerPerceptron) else {}
