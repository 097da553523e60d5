"""The tasks of a search or a cross-validation, run as stacks spread over joblib's workers.

scikit-learn describes each fit of a search as a call of ``_fit_and_score``.
:class:`StackedParallel` replaces scikit-learn's ``Parallel``: it receives all calls at once, trains
their networks as stacks, and then runs each call with an estimator that is already fitted. Scores,
error scores, messages and callbacks are thus scikit-learn's own.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import numpy as np
from sklearn.base import clone

from .._sklearn.compat import check_method_params, safe_split, seeing
from .._sklearn.tasks import NetworkTask, task_of_call, want_fitted_estimators
from ..engine.arrays import Floats, runs
from ..engine.prediction import Predictors
from ..estimators.base import BaseMultilayerPerceptron, unfitted
from ..estimators.fitted import share_predictors
from ..options import is_immutable
from ..usercall import first_in_call, forget_in_call, has_happened, tell
from ._fits import (
    Common,
    Fit,
    curves_of,
    network_of,
    requested_fit,
    token,
    transformers_token,
)
from ._held_out import FittedMember
from ._pieces import labels_of, least_seconds, n_hidden_units, pieces_for
from ._sending import ProcessCache
from ._spreading import Workers, sender
from ._stacking import ENDED, InterruptedFit, RunOptions, trained
from ._transforming import Sources, Transformed, own_rows, put_together, transform


@dataclass
class Call:
    """One call of ``_fit_and_score``.

    Attributes
    ----------
    function, arguments, keywords
        Those of the call. The first argument is the estimator, with its parameters set.
    network, source, n_units
        Those of a ``Task``.
    split : int
        The index of its split.
    task : NetworkTask or None
        Reports the fit to callbacks that are not those of a search.
    """

    function: Any
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    network: BaseMultilayerPerceptron | None = None
    source: Hashable = None
    n_units: int = 0
    split: int = 0
    task: NetworkTask | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        state = vars(self)
        network, *data = self.arguments
        if self.network is not network:
            return _call, (state,)
        # The parameters of an unfitted network: its own way to be pickled takes much longer.
        sent = state | {"arguments": tuple(data), "network": vars(network)}
        return _call, (sent, type(network))

    @property
    def name(self) -> str:
        """Candidate and split, in words."""
        return f"{self.keywords['parameters'] or 'the estimator'} on split {self.split}"

    @property
    def estimator(self) -> Any:
        """The estimator that the call fits."""
        return self.arguments[0]

    @property
    def rows(self) -> tuple[Any, Any]:
        """The rows to train on, and those to score."""
        return self.keywords["train"], self.keywords["test"]

    def run(self) -> dict[str, Any]:
        """Fit and score without a stack."""
        return self.function(*self.arguments, **self.keywords)

    def training_data(self) -> tuple[Any, Any, dict[str, Any]]:
        """Return X, y and further arguments of ``fit`` for the call's split."""
        _, X, y = self.arguments
        train = np.asarray(self.rows[0])
        params = self.keywords["fit_params"] or {}
        return (
            *safe_split(self.estimator, X, y, train),
            check_method_params(X, params=params, indices=train),
        )


def _call(state: dict[str, Any], kind: type[BaseMultilayerPerceptron] | None = None) -> Call:
    """Return the call that ``Call.__reduce__`` describes; a network has its class beside it."""
    if kind is not None:
        network = unfitted(kind, state["network"])
        state |= {"arguments": (network, *state["arguments"]), "network": network}
    return Call(**state)


@dataclass
class SearchRecord:
    """What a search keeps besides scores and times.

    Attributes
    ----------
    method : str or None
        The method with which members predict the held-out rows; None keeps no members.
    refuse : callable or None
        Raises ValueError for the estimator of a call whose predictions cannot be combined.
    splits : list of (train, test)
        The rows of each call.
    members : list of FittedMember or None
        The member of each call; None if there is none, such as after a failure.
    curves : list of dict
        What the network of each call has recorded of its epochs, see `curves_of`.
    """

    method: str | None = None
    refuse: Callable[[Any], None] | None = None
    splits: list[tuple[Any, Any]] = field(default_factory=list)
    members: list[FittedMember | None] = field(default_factory=list)
    curves: list[dict[str, Floats]] = field(default_factory=list)


class StackedParallel:
    """Replaces scikit-learn's ``Parallel`` for calls of ``_fit_and_score``.

    Parameters
    ----------
    record : SearchRecord, default=None
        Receives what the search keeps; None if there is no search.
    new_task : callable, default=None
        Returns the callback task of the next call, or None.
    n_jobs : int, default=None
    keeps_finished : bool, default=True
        Whether the second interruption ends the search but keeps the results so far. Otherwise it
        is raised, so that no further calls follow.
    is_curve : bool, default=False
        Whether several calls in a row may be for one split, as they are for a curve.
    **options
        Others of :class:`joblib.Parallel`.
    """

    def __init__(
        self,
        record: SearchRecord | None = None,
        new_task: Callable[[], NetworkTask | None] | None = None,
        *,
        n_jobs: int | None = None,
        keeps_finished: bool = True,
        is_curve: bool = False,
        **options: Any,
    ) -> None:
        self._new_task, self._keeps_finished = new_task, keeps_finished
        self._is_curve = is_curve
        self._workers, self._sender = Workers(n_jobs, **options), sender(n_jobs)
        self._record = SearchRecord() if record is None else record

    def __call__(self, tasks: Iterable[Any]) -> list[dict[str, Any]]:
        """Fit and score; return the results in the order of the tasks.

        Raises
        ------
        KeyboardInterrupt
            If the user ends the search before any fit has ended.
        """
        calls = [_planned(i, *task) for i, task in enumerate(tasks)]
        n_calls = len(calls)
        if self._is_curve:
            _number_splits(calls)
        if self._record.refuse is not None:
            for call in calls:
                self._record.refuse(call.estimator)
        if self._new_task is not None:
            for call in calls:
                call.task = self._new_task()
        self._record.splits += [call.rows for call in calls]
        expected = sum(least_seconds(call.network, call.arguments[1]) for call in calls)
        pieces = pieces_for(self._workers, calls, expected, side_by_side=self._sender.is_remote)
        found: dict[int, dict[str, Any]] = {}
        cut_short = []
        with self._sender.released_on_failure():
            pending = self._tasks_of(pieces, calls)
            # The tasks hold the calls from here on.
            del calls
            for n, (of_piece, names) in self._outcomes(pending, len(pieces), expected):
                found.update(zip(pieces[n], of_piece, strict=True))
                if names:
                    cut_short.append(names)
        results = _completed(found, n_calls)
        self._record.members += [result.pop("member", None) for result in results]
        self._record.curves += [result.pop("curves") for result in results]
        self._tell_of_interruptions(cut_short)
        if self._keeps_finished:
            # The final fit to all rows may again be interrupted once.
            forget_in_call("interrupted", ENDED)
        return results

    def _tasks_of(self, pieces: Sequence[list[int]], calls: Sequence[Call]) -> Iterator[Any]:
        """Return the tasks of workers, one for each piece; it gets its calls when it is sent."""
        making = _transforming_tasks(calls)
        has_transformers = any(call.network is not call.estimator for _, call, _ in making.values())
        sources = Sources.of(making, has_transformers, self._workers, self._sender)
        # A call is removed when it is sent, so that fitted networks can be freed.
        waiting = dict(enumerate(calls))
        verbose = max((int(call.keywords["verbose"]) for call in calls), default=0)

        def task(n: int, label: str, shared: _Shared) -> tuple[Any, ...]:
            mine = [waiting.pop(i) for i in pieces[n]]
            needed = sources.part(call.source for call in mine)
            options = RunOptions(verbose, label, self._keeps_finished)
            conditions = _Conditions(self._record.method, options, shared)
            return self._sender.task(_fit_and_score, mine, needed, conditions)

        return map(task, range(len(pieces)), labels_of(pieces), self._shared(len(pieces)))

    def _outcomes(self, tasks: Iterable[Any], n_tasks: int, expected: float) -> Iterator[Any]:
        """Yield numbers and results of pieces, one by one, until the user ends the search."""
        # Workers that start later do not know that the user has ended the search.
        must_stay = partial(has_happened, ENDED)
        try:
            yield from self._workers.spread(tasks, n_tasks, expected, must_stay)
        except KeyboardInterrupt:
            # Workers are interrupted, too: what they have not returned is lost.
            if self._workers.count == 1 or not self._keeps_finished:
                raise

    def _tell_of_interruptions(self, cut_short: Sequence[Sequence[str]]) -> None:
        """Warn of the fits that the user has cut short, piece by piece."""
        for names in cut_short:
            tell(
                "Training interrupted by user. The search has continued, but these candidates were"
                f" trained for fewer epochs, and are scored as they are: {'; '.join(names)}."
            )

    def _shared(self, n_pieces: int) -> list[_Shared]:
        """Return the caches of each piece: one for all pieces if they run one after another."""
        # A process that is started later begins with empty caches.
        if self._workers.begins_here():
            return [_Shared()] * n_pieces
        return [_Shared() for _ in range(n_pieces)]


def _transforming_tasks(calls: Sequence[Call]) -> dict[Hashable, tuple[Any, ...]]:
    """Return the task that fits the transformers of each source, by the first of its calls."""
    users: dict[Hashable, list[Call]] = defaultdict(list)
    for call in calls:
        if call.network is not None:
            users[call.source].append(call)
    return {source: (_of_split, mine[0], len(mine)) for source, mine in users.items()}


def _of_split(call: Call, n_users: int) -> Transformed:
    """Fit the transformers of a call to its split; ``n_users`` calls share the time."""
    return replace(transform(call.estimator, *call.training_data()), n_users=n_users)


def _completed(found: dict[int, dict[str, Any]], n_calls: int) -> list[dict[str, Any]]:
    """Return the results of all calls; those that the user has cancelled score NaN."""
    ended = {i: result for i, result in found.items() if not result.pop("was_ended", False)}
    if len(ended) == n_calls:
        return [ended[i] for i in range(n_calls)]
    whole = next((result for result in ended.values() if result["fit_error"] is None), None)
    if whole is None:
        raise KeyboardInterrupt
    tell(
        f"Search ended by user. {len(ended)} of {n_calls} fits are kept; the others score NaN in"
        " cv_results_, and the best candidate is chosen among those that were fitted on all splits."
    )
    missing = _without_scores(whole)
    return [ended[i] if i in ended else deepcopy(missing) for i in range(n_calls)]


def _without_scores(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result of the same form as another, whose scores and times are NaN."""
    missing: dict[str, Any] = {"fit_time": np.nan, "score_time": np.nan, "curves": {}}
    missing |= {"fit_error": None, "member": None, "estimator": None}
    for name in {"test_scores", "train_scores"} & result.keys():
        scores = result[name]
        missing[name] = dict.fromkeys(scores, np.nan) if isinstance(scores, dict) else np.nan
    return {name: missing.get(name, value) for name, value in result.items()}


def _planned(
    place: int, wrapped: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> Call:
    """Return a call with its parameters set, and with its network if that can be stacked."""
    call = Call(wrapped.__wrapped__, arguments, keywords)
    # A cross-validation, which has a single candidate, does not name the split.
    call.split, _ = keywords.get("split_progress") or (place, None)
    parameters = keywords["parameters"] or {}
    # An error ends the search, whatever its ``error_score``: better before any fit.
    call.estimator.set_params(**_cloned(parameters))
    try:
        network = network_of(call.estimator)
        call.n_units = n_hidden_units(network)
    except Exception:
        # The call itself will raise the error.
        return call
    if arguments[2] is None or want_fitted_estimators(keywords):
        return call
    call.network = network
    call.source = token(call.rows[0]), transformers_token(call.estimator, parameters)
    return call


def _number_splits(calls: Sequence[Call]) -> None:
    """Number the splits of calls: those of one split score the same rows."""
    for split, (_, place) in enumerate(runs([call.rows[1] for call in calls])):
        for call in calls[place]:
            call.split = split


def _cloned(parameters: dict[str, Any]) -> Any:
    """Return a clone of parameters, or the same dict if no value can change."""
    is_fixed = all(map(is_immutable, parameters.values()))
    return parameters if is_fixed else clone(parameters, safe=False)


class _Rows:
    """Rows of the data, selected once for all calls that use the same rows."""

    def __init__(self) -> None:
        self._taken = ProcessCache()

    def split(self, estimator: Any, X: Any, y: Any, rows: Any, others: Any = None) -> Any:
        """Return X and y of some rows."""
        # Rows may be listed, or marked by booleans.
        parts = [None if part is None else np.asarray(part) for part in (rows, others)]
        key = tuple(None if part is None else part.tobytes() for part in parts)
        X, y = self._taken.get(key, partial(safe_split, estimator, X, y, *parts))
        return own_rows(estimator, X), y


@dataclass(frozen=True)
class _Shared:
    """Caches for the pieces that one process fits one after another.

    There are predictors for each number of rows, since they keep arrays of that length.
    """

    common: Common = field(default_factory=Common)
    rows: _Rows = field(default_factory=_Rows)
    predictors: dict[int, Predictors] = field(
        default_factory=partial(defaultdict, partial(Predictors, are_shared=True))
    )


@dataclass(frozen=True)
class _Conditions:
    """How a piece is fitted and scored.

    Attributes
    ----------
    method : str or None
        The method with which members predict the held-out rows; None keeps no members.
    options : RunOptions
        How its stacks are run and reported.
    shared : _Shared
        Caches that the piece reads and fills.
    """

    method: str | None
    options: RunOptions
    shared: _Shared


def _fit_and_score(
    calls: Sequence[Call], sources: Sources, conditions: _Conditions
) -> tuple[list[dict[str, Any]], list[str]]:
    """Fit and score in this process; return results, and names of fits that the user cut short.

    Curves are added to the results and, with a method, fitted members.
    """
    shared = conditions.shared
    transformed = sources.completed(_transforming_tasks(calls))
    fits = {
        i: requested_fit(call.network, transformed[call.source], shared.common)
        for i, call in enumerate(calls)
        if call.network is not None
    }
    for i, fit in fits.items():
        fit.name = calls[i].name
        fit.task = calls[i].task or task_of_call(calls[i].keywords, calls[i].estimator)
    cut_short = []
    results: dict[int, dict[str, Any]] = {}
    # Members that are kept need predictors of their own.
    tools = _Tools(shared.rows, shared.predictors if conditions.method is None else None)
    # Each stack as soon as it has ended: results are printed early, and networks freed one by one.
    for i in trained(fits, conditions.options, shared.common):
        call, fit = calls[i], fits[i]
        if fit.was_cut_short and fit.error is None:
            cut_short.append(f"{call.name} ({fit.estimator.n_iter_} epochs)")
        run = partial(_scored, call, fit, transformed[call.source], tools)
        results[i] = _result(call, run, fit, conditions)
    for i, call in enumerate(calls):
        if i not in fits:
            results[i] = _result(call, call.run, None, conditions)
    return [results[i] for i in range(len(calls))], cut_short


def _result(
    call: Call, run: Callable[[], dict[str, Any]], fit: Fit | None, conditions: _Conditions
) -> dict[str, Any]:
    """Return the scores and times that ``run`` finds, and what is kept of the call besides."""
    found = _unless_ended(run, fit, conditions.options.keeps_finished)
    has_failed = found["fit_error"] is not None or "was_ended" in found
    found["curves"] = {} if has_failed else curves_of(call.estimator)
    if conditions.method is not None:
        member = None if has_failed else _member_of(call, conditions.shared.rows, conditions.method)
        found["member"] = member
    return found


def _unless_ended(
    run: Callable[[], dict[str, Any]], fit: Fit | None, keeps_finished: bool
) -> dict[str, Any]:
    """Return the result of a call, unless the user has already ended the search.

    An interruption of the call ends the search if it is not the first one.
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


def _member_of(call: Call, rows: _Rows, method: str) -> FittedMember | None:
    """Return the member that a call has fitted, with its predictions for the held-out rows."""
    (_, X, y), (train, test) = call.arguments, call.rows
    X_test, _ = rows.split(call.estimator, X, y, test, train)
    try:
        return FittedMember.with_predictions(call.estimator, X_test, method)
    except Exception:
        # For example, predictions overflow; the scorer has seen them, too.
        return None


class _Clock:
    """A clock that can be set forward, to count the time of work that was done earlier."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def time(self) -> float:
        return time.time() + self.ahead


class _Tools:
    """What calls use in place of their own clock, rows and, unless None, predictors."""

    def __init__(self, rows: _Rows, predictors: dict[int, Predictors] | None) -> None:
        self.clock = _Clock()
        self.predictors = predictors
        self.used_by = cache(partial(seeing, time=self.clock, _safe_split=rows.split))


def _scored(call: Call, fit: Fit, transformed: Transformed, tools: _Tools) -> dict[str, Any]:
    """Run a call with a network that has already been trained."""
    estimator, network = call.estimator, fit.estimator

    def adopt(*arguments: Any, **keywords: Any) -> Any:
        del estimator.fit
        tools.clock.ahead += fit.seconds + transformed.seconds / transformed.n_users
        if fit.error is not None:
            raise fit.error
        if tools.predictors is not None:
            share_predictors(network, tools.predictors[len(call.rows[1])])
        put_together(estimator, network, transformed)
        return estimator

    estimator.fit = adopt
    return tools.used_by(call.function)(*call.arguments, **call.keywords)
