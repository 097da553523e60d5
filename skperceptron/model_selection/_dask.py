"""Tasks for the workers of a Dask cluster: each large array is sent once, not within each task.

An array becomes a task of its own, whose result is the array. Dask sends such a result to each
worker that needs it and, unlike scattered data, makes it again if a worker dies.
"""

from __future__ import annotations

import io
import pickle
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any
from weakref import WeakSet

import cloudpickle
import numpy as np
from scipy import sparse

from ._sending import ProcessCache, Sender

#: An array of at least this many bytes gets a task of its own, which takes a millisecond.
LARGE = 10_000

#: Bytes that a worker receives in a second: about a tenth of what a network of one gigabit per
#: second transmits, since other workers receive theirs at the same time. What takes less time to
#: make than to receive, each worker makes for itself.
BYTES_PER_SECOND = 10_000_000


class DaskSender(Sender):
    """Sends tasks to the workers of a Dask cluster.

    Arrays stay there as long as this object lives, shared values and results as long as their
    futures. ``waiting`` returns a context in which a task of the cluster may wait for others.
    """

    is_remote = True

    def __init__(
        self, client: Any, waiting: Callable[[], AbstractContextManager[Any]] = nullcontext
    ) -> None:
        self._client, self._waiting = client, waiting
        # By the ids of the arrays. These are kept, too, so that no other array gets the same id.
        self._sent: dict[int, tuple[Any, Any]] = {}
        self._futures: WeakSet[Any] = WeakSet()

    def task(self, function: Callable[..., Any], *arguments: Any) -> tuple[Any, ...]:
        written = io.BytesIO()
        pickler = _Pickler(written)
        pickler.dump((function, arguments))
        return _run, written.getvalue(), *map(self._future, pickler.aside)

    def shared(self, value: Any) -> Any:
        return self._submit(_itself, value)

    def started(self, cache: Any, tasks: Mapping[Hashable, tuple[Any, ...]]) -> dict[Hashable, Any]:
        futures = {
            key: self._submit(*self.task(_kept, cache, key, *task)) for key, task in tasks.items()
        }
        if futures:
            cost = self._submit(_cost, next(iter(futures.values())))
            with self._waiting():
                seconds, n_bytes = cost.result()
            if seconds * BYTES_PER_SECOND < n_bytes:
                return {}
        return futures

    @contextmanager
    def released_on_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            # The traceback, which Dask or a notebook may keep, leads to these futures.
            for future in self._futures:
                future.release()
            raise

    def _submit(self, *task: Any) -> Any:
        future = self._client.submit(*task, pure=False)
        self._futures.add(future)
        return future

    def _future(self, value: Any) -> Any:
        if _is_future(value):
            return value
        if id(value) not in self._sent:
            with warnings.catch_warnings():
                # Dask advises to scatter large data, but those would be lost if a worker died.
                warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
                self._sent[id(value)] = value, self._submit(_itself, value)
        return self._sent[id(value)][1]


class _Pickler(cloudpickle.Pickler):
    """Pickles all but large arrays and futures, which are put aside."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.aside: list[Any] = []
        self._numbers: dict[int, int] = {}

    def persistent_id(self, value: Any) -> int | None:
        if not (_is_large(value) or _is_future(value)):
            return None
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self.aside)
            self.aside.append(value)
        return self._numbers[id(value)]


class _Unpickler(pickle.Unpickler):
    """Reads what a pickler has written, with the values that the pickler has put aside."""

    def __init__(self, file: io.BytesIO, aside: tuple[Any, ...]) -> None:
        super().__init__(file)
        self._aside = aside

    def persistent_load(self, number: int) -> Any:
        return self._aside[number]


def _run(written: bytes, *aside: Any) -> Any:
    # If only one worker is left, joblib runs tasks in the client, where futures have not been
    # replaced by their results.
    aside = tuple(value.result() if _is_future(value) else value for value in aside)
    function, arguments = _Unpickler(io.BytesIO(written), aside).load()
    return function(*arguments)


def _kept(cache: ProcessCache, key: Hashable, function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a task on a worker, which keeps the result."""
    return cache.get(key, partial(function, *arguments))


def _cost(found: Any) -> tuple[float, int]:
    """Return the seconds that a ``Transformed`` has taken, and the bytes of its rows."""
    from dask.sizeof import sizeof

    return found.seconds, sizeof(found.arguments)


def _itself(value: Any) -> Any:
    return value


def _is_future(value: Any) -> bool:
    kind = type(value)
    return kind.__name__ == "Future" and kind.__module__.startswith("distributed.")


def _is_large(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.nbytes >= LARGE
    return sparse.issparse(value) or hasattr(type(value), "iloc")
