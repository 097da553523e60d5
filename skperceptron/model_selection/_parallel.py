"""The tasks of a search or a cross-validation, run as stacks spread over joblib's workers.

scikit-learn describes each fit of a search as a call of ``_fit_and_score``.
:class:`StackedParallel` stands where scikit-learn has ``Parallel``: it receives all calls at once,
trains the networks among them as stacks, and lets each call go on from there with an estimator
that is fitted already. Scores, error scores, messages and callbacks are thus scikit-learn's own.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from itertools import starmap
from typing import Any, Protocol

import numpy as np
from sklearn.base import clone
from sklearn.utils.parallel import delayed

from .._sklearn.compat import check_method_params, safe_split, seeing
from .._sklearn.tasks import NetworkTask, task_of_call, want_fitted_estimators
from ..estimators.base import BaseMultilayerPerceptron
from ..usercall import first_in_call, forget_in_call, has_happened, warn
from ._candidates import (
    Member,
    Transformed,
    ask_for_fit,
    network_of,
    put_together,
    transform,
    transformers_token,
)
from ._sending import Sender, sender
from ._spreading import Workers, least_seconds
from ._stacking import ENDED, Common, Fit, InterruptedFit, Order, token, train

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
    task : NetworkTask or None
        Where callbacks are told of it that are not those of a search.
    """

    function: Any
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    network: BaseMultilayerPerceptron | None = None
    source: Hashable = None
    n_units: int = 0
    split: int = 0
    task: NetworkTask | None = None

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
    keeping : Keeping, default=None
        Receives all that is fitted; without one it is forgotten.
    new_task : callable, default=None
        Returns the task of one more call, or None.
    n_jobs : int, default=None
    keeps_finished : bool, default=True
        Whether the second interruption ends the calls and keeps the results that there are;
        where other calls would follow, it is raised.
    **options
        Others of :class:`joblib.Parallel`.
    """

    def __init__(
        self,
        keeping: Keeping | None = None,
        new_task: Callable[[], NetworkTask | None] | None = None,
        *,
        n_jobs: int | None = None,
        keeps_finished: bool = True,
        **options: Any,
    ) -> None:
        self._new_task, self._keeps_finished = new_task, keeps_finished
        # A list of results would be lost as a whole where the user ends the search.
        self._workers = Workers(n_jobs, is_ordered=False, **options)
        self._n_jobs = n_jobs
        self._keeping = keeping
        self._sender: Sender | None = None

    def __enter__(self) -> StackedParallel:
        self._workers.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._workers.__exit__(*raised)

    def __call__(self, tasks: Iterable[Any]) -> list[dict[str, Any]]:
        """Fit and score; results come in the order of the tasks.

        Raises
        ------
        KeyboardInterrupt
            If the user ends the search before any fit has ended.
        """
        # Nobody else holds them, so that fitted networks do not pile up.
        calls = {i: _planned(i, *task) for i, task in enumerate(tasks)}
        n_calls = len(calls)
        if self._new_task is not None:
            for call in calls.values():
                call.task = self._new_task()
        keeping = self._keeping
        method = None if keeping is None else keeping.method
        if keeping is not None:
            of_calls = [call.keywords for call in calls.values()]
            keeping.splits = [(keywords["train"], keywords["test"]) for keywords in of_calls]
        if self._sender is None:
            self._sender = sender(self._n_jobs)
        packed = self._sender.task
        sources = self._transform(list(calls.values()), self._sender)
        pieces = pieces_of(list(calls.values()), self._workers.count)
        expected = sum(least_seconds(call.network, call.arguments[1]) for call in calls.values())

        def taken(piece: list[int]) -> tuple[list[Call], dict[Hashable, Transformed]]:
            mine = [calls.pop(i) for i in piece]
            used = {call.source for call in mine if call.network}
            return mine, {source: sources[source] for source in used & sources.keys()}

        found: dict[int, dict[str, Any]] = {}
        cut_short = []
        conditions = [
            _Conditions(method, label, self._keeps_finished, shared)
            for label, shared in zip(labels_of(pieces), self._shared(len(pieces)), strict=True)
        ]
        outcomes = self._outcomes(
            (
                delayed(_numbered)(n, *packed(_fit_and_score, *taken(piece), conditions[n]))
                for n, piece in enumerate(pieces)
            ),
            len(pieces),
            expected,
        )
        for n, (of_piece, names) in outcomes:
            found.update(zip(pieces[n], of_piece, strict=True))
            cut_short += [names] if names else []
        results = _completed(found, n_calls)
        if keeping is not None:
            keeping.members = [result.pop("member", None) for result in results]
        self._tell_of_interruptions(cut_short)
        if self._keeps_finished:
            # The last fit to all rows may be interrupted once, too.
            forget_in_call("interrupted", ENDED)
        return results

    def _outcomes(self, tasks: Iterable[Any], n_tasks: int, expected: float) -> Iterator[Any]:
        """Yield what workers return, piece by piece, as long as the user does not end it."""
        # Workers that start later do not know that the user has ended the search.
        must_stay = partial(has_happened, ENDED)
        try:
            yield from self._workers.spread(tasks, n_tasks, expected, must_stay)
        except KeyboardInterrupt:
            # Workers are interrupted with us: what they have not returned is lost.
            if self._workers.count == 1 or not self._keeps_finished:
                raise

    def _tell_of_interruptions(self, cut_short: Sequence[Sequence[str]]) -> None:
        """Name the fits that the user has cut short, piece by piece."""
        for names in cut_short:
            warn(
                "Training interrupted by user. The search has gone on, but these candidates were"
                f" trained for fewer epochs, and are scored as they are: {'; '.join(names)}."
            )

    def _shared(self, n_pieces: int) -> list[_Shared]:
        """Return what each piece shares with others: all do where nobody works beside another."""
        # A process that is started later begins with nothing.
        if self._workers.count == 1 or self._workers.have_to_start():
            return [_Shared()] * n_pieces
        return [_Shared() for _ in range(n_pieces)]

    def _transform(self, calls: Sequence[Call], sender: Sender) -> dict[Hashable, Any]:
        """Fit the transformers, once for each of their settings and each split.

        Data that are sent to a cluster stay there: what is returned for them are futures, or
        nothing where workers need only take the rows of a split.
        """
        leaders: dict[Hashable, Call] = {}
        for call in calls:
            if call.network is not None:
                leaders.setdefault(call.source, call)
        users = Counter(call.source for call in calls if call.network is not None)
        has_transformers = any(call.network is not call.estimator for call in leaders.values())
        if sender.keeps_results:
            started = leaders.items() if has_transformers else ()
            return {s: sender.start(_of_split, call, users[s]) for s, call in started}
        tasks = [
            (n, _transformed, users[source], call.estimator, *call.training_data())
            for n, (source, call) in enumerate(leaders.items())
        ]
        if has_transformers:
            delayed_tasks = starmap(delayed(_numbered), tasks)
            found = dict(self._workers.spread(delayed_tasks, len(tasks)))
        else:
            # Taking rows is not worth a worker.
            found = dict(starmap(_numbered, tasks))
        return {source: found[n] for n, source in enumerate(leaders)}


def _transformed(n_users: int, *arguments: Any) -> Transformed:
    """Run a pipeline's ``fit`` up to its network, for so many calls that share the time."""
    found = transform(*arguments)
    found.seconds /= n_users
    return found


def _of_split(call: Call, n_users: int) -> Transformed:
    """Do so with the training rows of a call's split."""
    return _transformed(n_users, call.estimator, *call.training_data())


def _numbered(number: int, function: Callable[..., Any], *arguments: Any) -> tuple[int, Any]:
    """Return a number and what a function returns: results come as they are ready."""
    return number, function(*arguments)


def _completed(found: dict[int, dict[str, Any]], n_calls: int) -> list[dict[str, Any]]:
    """Return the results of all calls; those that the user has ended before them score NaN."""
    ended = [result for result in found.values() if not result.pop("was_ended", False)]
    if len(ended) == n_calls:
        return [found[i] for i in range(n_calls)]
    whole = next((result for result in ended if result["fit_error"] is None), None)
    if whole is None:
        raise KeyboardInterrupt
    warn(
        f"Search ended by user. {len(ended)} of {n_calls} fits are kept; the others score NaN in"
        " cv_results_, and the best candidate is chosen among those that were fitted on all splits."
    )
    missing = _without_scores(whole)
    kept = {id(result) for result in ended}
    results = [found.get(i) for i in range(n_calls)]
    return [r if r is not None and id(r) in kept else deepcopy(missing) for r in results]


def _without_scores(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result of the same form as another, whose scores and times are NaN."""
    missing = {}
    for name, value in result.items():
        if name in ("test_scores", "train_scores"):
            is_dict = isinstance(value, dict)
            missing[name] = dict.fromkeys(value, np.nan) if is_dict else np.nan
        else:
            missing[name] = np.nan if name in ("fit_time", "score_time") else value
    return missing | dict.fromkeys(result.keys() & {"fit_error", "member", "estimator"})


def _planned(
    place: int, wrapped: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> Call:
    """Return a call with its parameters set, and whether a stack can serve it."""
    call = Call(wrapped.__wrapped__, arguments, keywords)
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
    if arguments[2] is None or want_fitted_estimators(keywords):
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


def labels_of(pieces: Sequence[Any]) -> list[str]:
    """Return what progress calls the stacks of each piece."""
    if len(pieces) == 1:
        return ["stack"]
    return [f"part {i} of {len(pieces)}, stack" for i in range(1, len(pieces) + 1)]


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
    names = "hidden_layer_sizes", "batch_size", "skip_connections", "dtype"
    # Optimisers of one stack may differ in numbers, not in what they do.
    solver = getattr(network.solver, "operations", network.solver)
    return *(str(getattr(network, name)) for name in names), str(solver)


class _Rows:
    """Rows of the data, taken once for all calls that see the same ones.

    A copy in another process begins empty.
    """

    def __init__(self) -> None:
        self._taken: dict[Hashable, Any] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return _Rows, ()

    def split(self, estimator: Any, X: Any, y: Any, rows: Any, others: Any = None) -> Any:
        """Return X and y of some rows."""
        key = rows.tobytes(), None if others is None else others.tobytes()
        if key not in self._taken:
            self._taken[key] = safe_split(estimator, X, y, rows, others)
        return self._taken[key]


@dataclass(frozen=True)
class _Shared:
    """What pieces have in common that one process fits one after another."""

    common: Common = field(default_factory=Common)
    rows: _Rows = field(default_factory=_Rows)


@dataclass(frozen=True)
class _Conditions:
    """How a piece is gone about.

    Attributes
    ----------
    method : str or None
        What fitted members predict the rows with that they have not seen; None keeps no members.
    label : str
        What progress calls its stacks.
    keeps_finished : bool
        Whether the second interruption keeps the results that there are.
    shared : _Shared
        What was found out already.
    """

    method: str | None
    label: str
    keeps_finished: bool
    shared: _Shared


def _fit_and_score(
    calls: Sequence[Call], sources: dict[Hashable, Transformed], conditions: _Conditions
) -> tuple[list[dict[str, Any]], list[str]]:
    """Fit and score, in this process; name the fits that the user has cut short.

    With a method, what was fitted is added to the results.
    """
    method, keeps_finished = conditions.method, conditions.keeps_finished
    common, rows = conditions.shared.common, conditions.shared.rows
    users = Counter(call.source for call in calls if call.network is not None)
    for call in calls:
        if call.network is not None and call.source not in sources:
            sources[call.source] = _of_split(call, users[call.source])
    asked = {
        i: ask_for_fit(call.network, sources[call.source], common)
        for i, call in enumerate(calls)
        if call.network is not None
    }
    place_of = {id(fit): i for i, fit in asked.items()}
    for i, fit in asked.items():
        fit.name = calls[i].name
        fit.task = calls[i].task or task_of_call(calls[i].keywords, calls[i].estimator)
    cut_short = []
    results: dict[int, dict[str, Any]] = {}

    def score(fits: Sequence[Fit]) -> None:
        # Stack by stack, so that it is seen, and networks are forgotten one by one.
        for i in sorted(place_of[id(fit)] for fit in fits):
            if asked[i].was_cut_short and asked[i].error is None:
                cut_short.append(f"{calls[i].name} ({asked[i].estimator.n_iter_} epochs)")
            run = partial(_scored, calls[i], asked[i], sources, rows)
            results[i] = _ended_or(run, asked[i], keeps_finished)
            if method is not None:
                results[i]["member"] = _kept(calls[i], results[i], rows, method)

    verbose = max((int(call.keywords["verbose"]) for call in calls), default=0)
    order = Order(verbose, conditions.label, keeps_finished=keeps_finished, done=score)
    train([fit for fit in asked.values() if fit.error is None], order, common)
    score([fit for i, fit in asked.items() if i not in results])
    for i, call in enumerate(calls):
        if i not in asked:
            results[i] = _ended_or(call.run, None, keeps_finished)
            if method is not None:
                results[i]["member"] = _kept(call, results[i], rows, method)
    return [results[i] for i in range(len(calls))], cut_short


def _ended_or(
    run: Callable[[], dict[str, Any]], fit: Fit | None, keeps_finished: bool
) -> dict[str, Any]:
    """Return the result of a call, unless the user has ended the search before it.

    The interrupt key ends the search where it has been pressed before.
    """
    was_ended = has_happened(ENDED) if fit is None else isinstance(fit.error, InterruptedFit)
    if not was_ended:
        try:
            return run()
        except KeyboardInterrupt:
            if not (keeps_finished and has_happened("interrupted")):
                raise
            first_in_call(ENDED)
    return {"was_ended": True, "fit_error": None}


def _kept(call: Call, result: dict[str, Any], rows: _Rows, method: str) -> Member | None:
    """Return what a call has fitted, with its predictions of the rows that it has not seen."""
    if result["fit_error"] is not None or "was_ended" in result:
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


def _scored(
    call: Call, fit: Fit, sources: dict[Hashable, Transformed], rows: _Rows
) -> dict[str, Any]:
    """Let a call go on with a network that has been trained."""
    transformed = sources[call.source]
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
