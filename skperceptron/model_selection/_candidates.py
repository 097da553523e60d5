"""Estimators as they stand in a search: a network, alone or at the end of pipelines."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._sklearn.compat import has_callbacks
from .._sklearn.pipelines import last_step, levels_of, path_of
from ..estimators import (
    MLPBinaryClassifier,
    MLPClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
)
from ..estimators.base import BaseMultilayerPerceptron
from ..estimators.data import NO_EXTRAS
from ..estimators.parameters import is_lbfgs
from ._stacking import Common, Fit, forget_training, token

#: Classes that a stack knows all about. A subclass may have changed how it is fitted.
STACKABLE = (MLPBinaryClassifier, MLPClassifier, MLPRegressor, MLPSoftmaxClassifier)


def network_of(estimator: Any) -> BaseMultilayerPerceptron | None:
    """Return the network that a stack can train in an estimator's place, if there is one.

    It is the estimator itself or the last step of a pipeline. L-BFGS, which has no steps in
    common with others, ``warm_start``, ``max_time``, ``verbose`` and callbacks need a fit of
    their own.
    """
    for level in (*levels_of(estimator), network := last_step(estimator)):
        if has_callbacks(level):
            return None
    if type(network) not in STACKABLE:
        return None
    # An option that is no such thing, such as an array, is refused by a fit of its own.
    is_plain = all(
        isinstance(value, bool | np.bool_ | int | list | tuple | None) and not value
        for value in (network.verbose, network.warm_start, network.callbacks)
    )
    if is_lbfgs(network.solver) or not is_plain or network.max_time is not None:
        return None
    return network


def transformers_token(estimator: Any, parameters: dict[str, Any]) -> Hashable:
    """Return what candidates agree in whose transformers have the same parameters.

    Parameters
    ----------
    estimator : estimator
        With its parameters set.
    parameters : dict
        In which the candidates of a search differ.
    """
    mine = path_of(estimator)
    return tuple(
        (name, token(value))
        for name, value in sorted(parameters.items())
        if not f"{name}__".startswith(mine)
    )


@dataclass
class Transformed:
    """What the last step of a pipeline is fitted on, and the transformers that made it.

    Attributes
    ----------
    arguments : tuple
        Of the network's ``fit``, positional ones.
    keywords : dict
        And the others.
    steps : list of list
        The fitted transformers of each pipeline, by name, the outermost first.
    validation : dict
        Keyword arguments of the network's ``fit`` that hold validation data.
    seconds : float
        What it took.
    error : Exception, default=None
        What a transformer has raised.
    """

    arguments: tuple[Any, ...] = ()
    keywords: dict[str, Any] | None = None
    steps: list[list[tuple[str, Any]]] | None = None
    validation: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    error: Exception | None = None


@dataclass(frozen=True)
class Member:
    """A fitted estimator of an ensemble.

    Attributes
    ----------
    estimator : estimator
    held_out : array-like, default=None
        What it predicts for rows that it has not seen.
    """

    estimator: Any
    held_out: Any = None

    @classmethod
    def judged(cls, estimator: Any, X: Any, method: str) -> Member:
        """Return a fitted estimator with what one of its methods makes of rows.

        What only further training would need is dropped.
        """
        forget_training(last_step(estimator))
        return cls(estimator, getattr(estimator, method)(X))


def transform(estimator: Any, X: Any, y: Any, params: dict[str, Any]) -> Transformed:
    """Run a pipeline's ``fit`` up to its network."""
    start = time.perf_counter()
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


def through(steps: Sequence[Sequence[tuple[str, Any]]], X: Any) -> Any:
    """Return what the fitted transformers of pipelines make of X."""
    for _, transformer in (step for level in steps for step in level):
        if transformer is not None and transformer != "passthrough":
            X = transformer.transform(X)
    return X


def ask_for_fit(network: BaseMultilayerPerceptron, transformed: Transformed, common: Common) -> Fit:
    """Run a network's ``fit`` up to where it would look at the data."""
    if transformed.error is not None:
        return Fit(network, None, None, error=transformed.error)
    asked = Fit(network, None, None)

    def record(
        X: Any, y: Any, sample_weight: Any, *, incremental: bool, extras: Any = NO_EXTRAS
    ) -> None:
        asked.X, asked.y, asked.sample_weight, asked.extras = X, y, sample_weight, extras

    def check() -> None:
        asked.settings = common.check_parameters(network)

    with (
        asked.attempt(),
        called_instead(network, "_validate_params", check),
        called_instead(network, "_fit", record),
    ):
        network.fit(*transformed.arguments, **(transformed.keywords or {}))
    return asked


@contextmanager
def called_instead(item: Any, method: str, replacement: Callable[..., Any]) -> Iterator[None]:
    """Let one method of one object do something else."""
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
    for level, steps in zip(levels, transformed.steps or (), strict=True):
        level.steps[:-1] = steps
    if levels:
        innermost = levels[-1].steps
        innermost[-1] = (innermost[-1][0], network)
