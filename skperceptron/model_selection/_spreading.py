"""Tasks spread over joblib's workers. Processes are started only if they save more than they cost.

A new worker process has to import the package first: a search of 0.3 s waited 3 s for two of them.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from multiprocessing import active_children
from numbers import Integral
from threading import Event, local
from time import monotonic, sleep
from typing import Any

import joblib
from joblib import cpu_count, effective_n_jobs
from joblib.parallel import BACKENDS, get_active_backend
from sklearn import config_context
from sklearn.utils.parallel import Parallel, delayed

from ..estimators.blas_threads import blas_limited_to, n_blas_threads
from ..usercall import at_line, users_line
from ._sending import Sender, as_raised

#: Seconds that worker processes have to save. They take about two to start, and threads may already
#: share a part of the work in this process.
START = 3.0

#: Seconds in which results are looked for all the time. joblib looks every .01 s, which is long
#: beside a search of .04 s.
SOON = 0.3

#: Operations of all networks together from which on threads are worth starting: they take about
#: ten milliseconds.
WORTH_THREADS = 5e8


class Workers:
    """The workers of joblib's active backend.

    As a context manager, it keeps the same workers for several calls of `spread`.

    Parameters
    ----------
    n_jobs : int or None
    prefer : {"processes", "threads"} or None, default=None
        None leaves the choice to joblib's configuration.
    **options
        Further options of :class:`joblib.Parallel`.

    Attributes
    ----------
    n_here : int
        How many tasks of the last call of `spread` were run in this process.
    """

    def __init__(self, n_jobs: int | None, prefer: str | None = None, **options: Any) -> None:
        # Without a preference of ours, that of joblib's configuration counts.
        self._preference = {} if prefer is None else {"prefer": prefer}
        options |= {"n_jobs": n_jobs, **self._preference}
        try:
            self._parallel = Parallel(**options, return_as="generator_unordered")
        except (TypeError, ValueError):
            # joblib before 1.4, or a backend that does not support generators.
            self._parallel = Parallel(**options)
        self._n_jobs = n_jobs
        self._context = ExitStack()
        #: Whether the next call of `spread` that needs the workers is to keep them.
        self._is_to_keep = False
        self.n_here = 0

    def __enter__(self) -> Workers:
        self._is_to_keep = True
        return self

    def __exit__(self, *raised: Any) -> None:
        self._is_to_keep = False
        self._context.__exit__(*raised)

    @property
    def count(self) -> int:
        """The number of workers."""
        return effective_n_jobs(self._n_jobs)

    def have_to_start(self) -> bool:
        """Tell whether the workers are processes and none of them is running yet."""
        if not self._uses_loky() or self.count == 1:
            return False
        return not any(_is_worker(process) for process in active_children())

    def _uses_loky(self) -> bool:
        backend, _ = get_active_backend(**self._preference)
        return _is_of_kind(backend, "loky")

    def begins_here(self) -> bool:
        """Tell whether the first tasks of `spread`, or all, are run in this process, in turn."""
        return self.count == 1 or self.have_to_start()

    def spread(
        self,
        tasks: Iterable[Any],
        n_tasks: int,
        expected: float = 0.0,
        must_stay: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[int, Any]]:
        """Yield the number and the result of each task as soon as it has ended.

        Tasks are run in this process until workers are worth starting. A task is a function and its
        arguments. ``expected`` is a low estimate of the seconds that all take. ``must_stay`` tells,
        after a task, whether the remaining ones must be run in this process, too.
        """
        line = users_line()
        has_ended = Event()
        delay = partial(_delayed_in_thread, has_ended) if self._uses_threads() else delayed
        waiting = (delay(at_line)(line, _Numbered(n), *task) for n, task in enumerate(tasks))
        self.n_here = n_tasks if self.count == 1 else 0
        if self.have_to_start():
            saved = 1 - 1 / self.count
            here = Parallel(n_jobs=1)
            start = time.perf_counter()
            while self.n_here < n_tasks and (expected * saved < START or must_stay()):
                yield from here([next(waiting)])
                self.n_here += 1
                # Assume that the remaining tasks take as long as those so far.
                spent = time.perf_counter() - start
                expected = spent / self.n_here * (n_tasks - self.n_here)
            if self.n_here == n_tasks:
                return
        if self._is_to_keep:
            self._context.enter_context(self._parallel)
            self._is_to_keep = False
        # Warning filters belong to the whole process: threads that begin and end in different
        # orders would leave behind what one of them has changed for a while.
        with warnings.catch_warnings(), self._shared_blas():
            try:
                results = self._parallel(waiting)
                if isinstance(results, Generator) and self._uses_loky():
                    yield from self._at_once(results, n_tasks - self.n_here)
                yield from results
            finally:
                # After an error or an interruption, threads are still at work.
                has_ended.set()

    def _at_once(self, results: Generator[Any, None, None], n_tasks: int) -> Iterator[Any]:
        """Yield the results that workers return within SOON, each within a millisecond."""
        counts, end = self._parallel, monotonic() + SOON
        for n in range(n_tasks):
            try:
                while counts.n_completed_tasks <= n < counts.n_dispatched_tasks:
                    if monotonic() > end:
                        return
                    sleep(0.001)
            except KeyboardInterrupt as interruption:
                # joblib has to stop the workers.
                results.throw(interruption)
            yield next(results)

    def _shared_blas(self) -> AbstractContextManager[Any]:
        """Leave each thread its share of the processors, as joblib does for processes."""
        if not self._uses_threads():
            return nullcontext()
        return blas_limited_to(max(1, cpu_count() // self.count))

    def _uses_threads(self) -> bool:
        backend, _ = get_active_backend(**self._preference)
        return self.count > 1 and bool(getattr(backend, "uses_threads", False))


def sender(n_jobs: int | None) -> Sender:
    """Return the sender of tasks for joblib's active backend."""
    backend, _ = get_active_backend()
    client = getattr(backend, "client", None)
    # For a single worker, joblib runs the tasks in this process.
    is_dask = type(client).__module__.startswith("distributed.")
    if not is_dask or backend.effective_n_jobs(n_jobs) == 1:
        return Sender()
    from ._dask import DaskSender

    return DaskSender(client, backend.retrieval_context)


class _Abandoned(BaseException):
    """Ends a thread's task that is no longer needed; ``except Exception`` does not catch it."""


_THREAD = local()


def end_if_abandoned() -> None:
    """End the task of this thread if the call that has started it has ended meanwhile."""
    has_ended = getattr(_THREAD, "has_ended", None)
    if has_ended is not None and has_ended.is_set():
        raise _Abandoned


class _InThread:
    """A task of a thread, with scikit-learn's configuration of the thread that started it.

    Threads share warning filters. The tasks of scikit-learn's ``delayed`` set them, too: a task
    that outlives an error would restore those of the call.
    """

    def __init__(self, has_ended: Event, function: Callable[..., Any]) -> None:
        self._has_ended, self._function = has_ended, function

    def with_config(self, config: dict[str, Any]) -> _InThread:
        """Receive the configuration from ``Parallel`` of scikit-learn 1.6."""
        self._config = config
        return self

    def with_config_and_warning_filters(self, config: dict[str, Any], _: Any) -> _InThread:
        """Receive the configuration from ``Parallel`` of later versions."""
        return self.with_config(config)

    def __call__(self, *arguments: Any) -> Any:
        before = getattr(_THREAD, "has_ended", None)
        _THREAD.has_ended = self._has_ended
        try:
            with config_context(**self._config):
                return self._function(*arguments)
        except _Abandoned:
            return None
        finally:
            _THREAD.has_ended = before


def _delayed_in_thread(
    has_ended: Event, function: Callable[..., Any]
) -> Callable[..., tuple[Any, Any, Any]]:
    return lambda *arguments: (_InThread(has_ended, function), arguments, {})


class _Numbered:
    """Runs a task and returns its number, too; what a copy raises can be sent back."""

    def __init__(self, number: int, is_copy: bool = False) -> None:
        self._number, self._is_copy = number, is_copy

    def __reduce__(self) -> tuple[Any, ...]:
        return _Numbered, (self._number, True)

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> tuple[int, Any]:
        try:
            return self._number, function(*arguments)
        except Exception as error:
            raised = as_raised(error) if self._is_copy else error
            if raised is error:
                raise
            raised = raised.with_traceback(error.__traceback__)
        # Not in the handler: with Dask imported, pickle sends the context of an error, too.
        raise raised


def without_preparing(n_jobs: int | None) -> AbstractContextManager[Any]:
    """Return a context in which joblib prepares nothing for worker processes.

    Otherwise, ``with Parallel(n_jobs)`` starts a process that will clean up after the workers, and
    which takes longer to start than a small search takes as a whole; with running workers, it still
    takes about half a millisecond. With "multiprocessing", it starts a pool that nothing closes:
    parallel calls share a backend, and ours puts its own pool in the place of that one. Nothing may
    be run in this context: it would have one worker.
    """
    # joblib before 1.3 has no such function. Numbers that are not whole, and 0, are refused later.
    config = getattr(joblib, "parallel_config", None)
    is_valid = n_jobs is None or (isinstance(n_jobs, Integral) and n_jobs != 0)
    backend, _ = get_active_backend()
    uses_processes = any(_is_of_kind(backend, name) for name in ("loky", "multiprocessing"))
    return config(backend="sequential") if config and is_valid and uses_processes else nullcontext()


def _is_of_kind(backend: Any, name: str) -> bool:
    """Tell whether it is joblib's backend of that name, which some platforms lack."""
    return type(backend) is BACKENDS.get(name)


def _is_worker(process: Any) -> bool:
    return type(process).__module__.startswith("joblib.externals.loky")


def n_threads(n_jobs: int | None, operations: float) -> int:
    """Return the number of threads to use, each for one network at a time.

    Without `n_jobs`, it is as many as BLAS may use, if there are enough operations
    (multiplications), unless joblib's configuration sets a number.
    """
    workers: int = effective_n_jobs(n_jobs)
    if n_jobs is not None or workers > 1:
        return workers
    return n_blas_threads() if operations > WORTH_THREADS else 1
