"""The tasks of a search or a cross-validation, run as stacks spread over joblib's workers.

scikit-learn describes each fit of a search as a call of ``_fit_and_score``.
:class:`StackedParallel` stands where scikit-learn has ``Parallel``: it receives all calls at once,
trains the networks among them as stacks, and lets each call go on from there with an estimator
that is fitted already. Scores, error scores, messages and callbacks are thus scikit-learn's own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from .._sklearn.compat import check_method_params, safe_split, seeing
from ..estimators.base import BaseMultilayerPerceptron
from ..usercall import interrupted, warn
from ._candidates import (
    Accepted,
    Member,
    Transformed,
    ask_for_fit,
    network_of,
    put_together,
    transform,
    transformers_token,
)
from ._stacking import Fit, token, train

#: Members that are given to a worker at a time. From 15 on a stack is hardly slower per member,
#: from 45 on not measurably.
FEWEST, MOST = 15, 60

#: From so many hidden units on, the arithmetic of two members takes longer than the calls: fewer
#: than FEWEST of them may be given to a worker, so that all workers end together.
MANY_UNITS = 128


@dataclass
class Call:
    """One call of ``_fit_and_score``.

    Attributes
    ----------
    function, arguments, keywords
        Of the call; the estimator comes first and has its parameters already.
    network : BaseMultilayerPerceptron or None
        Where it can be trained in a stack.
    source : hashable
        Calls that agree in it are fitted on the same transformed data.
    n_units : int
        Hidden units of the network: what it costs, roughly.
    split : int
        Its place among the splits.
    """

    function: Any
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    network: BaseMultilayerPerceptron | None = None
    source: Hashable = None
    n_units: int = 0
    split: int = 0

    @property
    def name(self) -> str:
        """Candidate and split, in words."""
        return f"{self.keywords['parameters'] or 'the estimator'} on split {self.split}"

    @property
    def estimator(self) -> Any:
        """The estimator, in which the call ends."""
        return self.arguments[0]

    def run(self) -> dict[str, Any]:
        """Fit and score the ordinary way."""
        return self.function(*self.arguments, **self.keywords)

    def training_data(self) -> tuple[Any, Any, dict[str, Any]]:
        """Return X, y and further arguments of ``fit`` for the call's split."""
        _, X, y = self.arguments
        train = self.keywords["train"]
        params = self.keywords["fit_params"] or {}
        return (
            *safe_split(self.estimator, X, y, train),
            check_method_params(X, params=params, indices=train),
        )


@dataclass
class Keeping:
    """What is kept of a search beside scores and times.

    Attributes
    ----------
    method : str
        What members predict the rows with that they have not seen.
    splits : list of (train, test)
        The rows of each call.
    members : list of Member or None
        What each call has fitted; None where it has failed.
    """

    method: str
    splits: list[tuple[Any, Any]] = field(default_factory=list)
    members: list[Member | None] = field(default_factory=list)


class StackedParallel:
    """scikit-learn's ``Parallel``, for calls of ``_fit_and_score``.

    Parameters
    ----------
    parallel : Parallel, default=None
        What runs the pieces; without one it is made.
    keeping : Keeping, default=None
        Receives all that is fitted; without one it is forgotten.
    **options
        Those of :class:`joblib.Parallel`.
    """

    def __init__(
        self, parallel: Any = None, keeping: Keeping | None = None, **options: Any
    ) -> None:
        self._parallel = Parallel(**options) if parallel is None else parallel
        self._keeping = keeping

    def __enter__(self) -> StackedParallel:
        self._parallel.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._parallel.__exit__(*raised)

    def __call__(self, tasks: Iterable[Any]) -> list[dict[str, Any]]:
        """Fit and score; results come in the order of the tasks."""
        # Nobody else holds them, so that fitted networks do not pile up.
        calls = {i: _planned(i, *task) for i, task in enumerate(tasks)}
        keeping = self._keeping
        method = None if keeping is None else keeping.method
        if keeping is not None:
            of_calls = [call.keywords for call in calls.values()]
            keeping.splits = [(keywords["train"], keywords["test"]) for keywords in of_calls]
        sources = self._transform(list(calls.values()))
        pieces = pieces_of(list(calls.values()), self._n_workers())
        results: list[Any] = [None] * len(calls)

        def taken(piece: list[int]) -> tuple[list[Call], dict[Hashable, Transformed]]:
            mine = [calls.pop(i) for i in piece]
            return mine, {call.source: sources[call.source] for call in mine if call.network}

        outcomes = self._parallel(
            delayed(_fit_and_score)(*taken(piece), method) for piece in pieces
        )
        for piece, (found, _) in zip(pieces, outcomes, strict=True):
            for i, result in zip(piece, found, strict=True):
                results[i] = result
        if keeping is not None:
            keeping.members = [result.pop("member") for result in results]
        self._tell_of_interruptions([cut_short for _, cut_short in outcomes if cut_short])
        return results

    def _tell_of_interruptions(self, cut_short: Sequence[Sequence[str]]) -> None:
        """Name the fits that the user has cut short, piece by piece; the second time, stop."""
        if self._n_workers() > 1:
            # Each worker knows its own piece alone.
            for _ in cut_short:
                interrupted()
        for names in cut_short:
            warn(
                "Training interrupted by user. The search has gone on, but these candidates were"
                f" trained for fewer epochs, and are scored as they are: {'; '.join(names)}."
            )

    def _n_workers(self) -> int:
        return effective_n_jobs(self._parallel.n_jobs)

    def _transform(self, calls: Sequence[Call]) -> dict[Hashable, Transformed]:
        """Fit the transformers, once for each of their settings and each split."""
        leaders: dict[Hashable, Call] = {}
        users: dict[Hashable, int] = {}
        for call in calls:
            if call.network is not None:
                leaders.setdefault(call.source, call)
                users[call.source] = users.get(call.source, 0) + 1
        tasks = [
            delayed(transform)(call.estimator, *call.training_data()) for call in leaders.values()
        ]
        if any(call.network is not call.estimator for call in leaders.values()):
            found = self._parallel(tasks)
        else:
            # There are no transformers: taking rows is not worth a worker.
            found = [function.__wrapped__(*arguments) for function, arguments, _ in tasks]
        for transformed, n_users in zip(found, users.values(), strict=True):
            transformed.seconds /= n_users
        return dict(zip(leaders, found, strict=True))


def _planned(
    place: int, wrapped: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> Call:
    """Return a call with its parameters set, and whether a stack can serve it."""
    call = Call(wrapped.__wrapped__, arguments, keywords)
    if "parameters" not in keywords:
        # Another function, such as that of an incremental learning curve: it is run as it is.
        return call
    # A cross-validation, of one candidate, does not say which split it is.
    call.split, _ = keywords.get("split_progress") or (place, None)
    parameters = keywords["parameters"] or {}
    try:
        call.estimator.set_params(**clone(parameters, safe=False))
        network = network_of(call.estimator)
        call.n_units = 0 if network is None else int(np.sum(network.hidden_layer_sizes))
    except Exception:
        # The call itself will say what is wrong.
        return call
    if arguments[2] is None:
        return call
    call.network = network
    call.source = (
        token(keywords["train"]),
        transformers_token(call.estimator, parameters),
    )
    return call


class Task(Protocol):
    """A fit that a worker is given.

    Attributes
    ----------
    network : BaseMultilayerPerceptron or None
        Where it can be trained in a stack.
    n_units : int
        Hidden units of the network: what it costs, roughly.
    """

    @property
    def network(self) -> BaseMultilayerPerceptron | None: ...

    @property
    def n_units(self) -> int: ...


def pieces_of(tasks: Sequence[Task], n_workers: int) -> list[list[int]]:
    """Return the positions of tasks that one worker is given together, the longest work first."""
    alike: dict[Hashable, list[int]] = {}
    for i, task in enumerate(tasks):
        alike.setdefault(_kind(task, i), []).append(i)

    def work_of(piece: Sequence[int]) -> int:
        return sum(1 + tasks[i].n_units for i in piece)

    def cut(size: int) -> list[list[int]]:
        pieces = [
            positions[start : start + size]
            for positions in alike.values()
            for start in range(0, len(positions), size)
        ]
        return sorted(pieces, key=lambda piece: -work_of(piece))

    share = math.ceil(len(tasks) / n_workers)
    if n_workers == 1 or any(task.n_units < MANY_UNITS for task in tasks):
        return cut(min(MOST, max(FEWEST, share)))
    # Each worker's share, or less where the last pieces would keep some waiting.
    sizes = range(min(MOST, max(2, share)), 1, -1)
    return min(map(cut, sizes), key=lambda pieces: _longest([*map(work_of, pieces)], n_workers))


def _longest(works: Sequence[int], n_workers: int) -> int:
    """Return how long the busiest worker works, where whoever is free takes the next piece."""
    busy = [0] * n_workers
    for work in works:
        busy[busy.index(min(busy))] += work
    return max(busy)


def _kind(task: Task, i: int) -> Hashable:
    """Return what tasks agree in that may become members of one stack."""
    network = task.network
    if network is None:
        return i
    return tuple(
        str(getattr(network, name))
        for name in ("hidden_layer_sizes", "batch_size", "skip_connections", "dtype", "solver")
    )


def _fit_and_score(
    calls: Sequence[Call], sources: dict[Hashable, Transformed], method: str | None
) -> tuple[list[dict[str, Any]], list[str]]:
    """Fit and score, in this process; name the fits that the user has cut short.

    With a method, what was fitted is added to the results.
    """
    accepted = Accepted()
    asked = {
        i: ask_for_fit(call.network, sources[call.source], accepted)
        for i, call in enumerate(calls)
        if call.network is not None
    }
    train([fit for fit in asked.values() if fit.error is None])
    # Before they are scored: then networks are forgotten one by one.
    cut_short = [
        f"{calls[i].name} ({fit.estimator.n_iter_} epochs)"
        for i, fit in asked.items()
        if fit.was_cut_short and fit.error is None
    ]
    rows = _Rows()
    results = [
        _scored(call, asked[i], sources[call.source], rows) if i in asked else call.run()
        for i, call in enumerate(calls)
    ]
    if method is not None:
        for call, result in zip(calls, results, strict=True):
            result["member"] = _kept(call, result, rows, method)
    return results, cut_short


def _kept(call: Call, result: dict[str, Any], rows: _Rows, method: str) -> Member | None:
    """Return what a call has fitted, with its predictions of the rows that it has not seen."""
    if result["fit_error"] is not None:
        return None
    _, X, y = call.arguments
    X_test, _ = rows.split(call.estimator, X, y, call.keywords["test"], call.keywords["train"])
    try:
        return Member.judged(call.estimator, X_test, method)
    except Exception:
        # Predictions that overflow, for one; the scorer has met them too.
        return None


class _Clock:
    """A clock that can be put forward: what was done at once counts where it would have been."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def time(self) -> float:
        return time.time() + self.ahead


class _Rows:
    """Rows of the data, taken once for all calls that see the same ones."""

    def __init__(self) -> None:
        self._taken: dict[Hashable, Any] = {}

    def split(self, estimator: Any, X: Any, y: Any, rows: Any, others: Any = None) -> Any:
        """Return X and y of some rows."""
        key = rows.tobytes(), None if others is None else others.tobytes()
        if key not in self._taken:
            self._taken[key] = safe_split(estimator, X, y, rows, others)
        return self._taken[key]


def _scored(call: Call, fit: Fit, transformed: Transformed, rows: _Rows) -> dict[str, Any]:
    """Let a call go on with a network that has been trained."""
    clock = _Clock()
    estimator = call.estimator

    def adopt(*arguments: Any, **keywords: Any) -> Any:
        del estimator.fit
        clock.ahead += fit.seconds + transformed.seconds
        if fit.error is not None:
            raise fit.error
        put_together(estimator, fit.estimator, transformed)
        return estimator

    estimator.fit = adopt
    go_on = seeing(call.function, time=clock, _safe_split=rows.split)
    return go_on(*call.arguments, **call.keywords)
