"""Transformers before networks, fitted once for all networks that need the same rows."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sklearn.base import clone

from .._sklearn.pipelines import last_step, levels_of
from ..estimators.base import BaseMultilayerPerceptron
from ._sending import ProcessCache, Sender, as_sent, with_traceback
from ._spreading import Workers


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
class Sources:
    """What the networks of each source are fitted on, made once for all of them.

    A task makes it: a function that returns a ``Transformed``, and its arguments.

    Attributes
    ----------
    found : mapping of hashable to Transformed
        On a cluster, these are futures, or missing: workers then make them.
    cache : ProcessCache
        Keeps what a worker has made.
    """

    found: Mapping[Hashable, Any]
    cache: Any

    @classmethod
    def of(
        cls,
        tasks: Mapping[Hashable, tuple[Any, ...]],
        has_transformers: bool,
        workers: Workers,
        sending: Sender,
    ) -> Sources:
        """Run the task of each source.

        Without transformers, tasks only select rows, which is too little work for a worker.
        """
        cache = sending.shared(ProcessCache())
        if sending.is_remote:
            return cls(sending.started(cache, tasks if has_transformers else {}), cache)
        if not has_transformers:
            return cls({s: make(*arguments) for s, (make, *arguments) in tasks.items()}, cache)
        found = dict(workers.spread(tasks.values(), len(tasks)))
        return cls({s: found[n] for n, s in enumerate(tasks)}, cache)

    def part(self, sources: Iterable[Hashable]) -> Sources:
        """Return what has been found for some sources."""
        return Sources({s: self.found[s] for s in self.found.keys() & set(sources)}, self.cache)

    def completed(self, tasks: Mapping[Hashable, tuple[Any, ...]]) -> dict[Hashable, Transformed]:
        """Return what the tasks make, by source; this process runs those that are missing."""
        made = {
            source: self.cache.get(source, partial(make, *arguments))
            for source, (make, *arguments) in tasks.items()
            if source not in self.found
        }
        return {**self.found, **made}


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
        with replaced(last_step(estimator), fit=record):
            estimator.fit(X, y, **params)
        found.steps = [level.steps[:-1] for level in levels_of(estimator)]
    except Exception as error:
        found.error = error
    found.seconds = time.perf_counter() - start
    return found


@contextmanager
def replaced(item: Any, **others: Any) -> Iterator[None]:
    """Replace methods and other attributes of the class for one object in a ``with`` block."""
    vars(item).update(others)
    try:
        yield
    finally:
        for name in others:
            vars(item).pop(name, None)


def through(steps: Sequence[Sequence[tuple[str, Any]]], X: Any) -> Any:
    """Return X, transformed by the fitted transformers of pipelines."""
    for _, transformer in (step for level in steps for step in level):
        # Samplers of imbalanced-learn only change rows to train on.
        if hasattr(transformer, "transform"):
            X = transformer.transform(X)
    return X


def own_rows(estimator: Any, X: Any) -> Any:
    """Return X; for a pipeline a copy, since transformers with ``copy=False`` would change X."""
    is_safe = last_step(estimator) is estimator or not hasattr(X, "copy")
    return X if is_safe else X.copy()


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
