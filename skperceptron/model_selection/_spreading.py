"""Tasks spread over joblib's workers, which are not started where that takes longer than the work.

A new worker process imports the package first: two of them kept a search of 0.3 s waiting for 3 s.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from itertools import pairwise
from multiprocessing import active_children
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from joblib.parallel import BACKENDS, get_active_backend
from sklearn.utils.parallel import Parallel

__all__ = ["Workers", "least_seconds"]

#: Seconds that worker processes take to start, roughly.
START = 2.0

#: Multiplications and additions that a processor does in a second at best, roughly.
PER_SECOND = 1e10

#: Epochs of a network whose limit is a rule.
USUAL_EPOCHS = 100


class Workers:
    """The workers of joblib's active backend.

    Used as a context, they are kept from one call to the next.

    Parameters
    ----------
    n_jobs : int or None
    prefer : {"processes", "threads"} or None, default=None
        Where joblib's configuration does not say.
    is_ordered : bool, default=True
        Whether results come in the order of the tasks; without, as soon as they can.
    **options
        Others of :class:`joblib.Parallel`.

    Attributes
    ----------
    n_here : int
        How many of the latest tasks were run in this process.
    """

    def __init__(
        self,
        n_jobs: int | None,
        prefer: str | None = None,
        is_ordered: bool = True,
        **options: Any,
    ) -> None:
        options |= {"n_jobs": n_jobs, "prefer": prefer}
        try:
            order = "generator" if is_ordered else "generator_unordered"
            self._parallel = Parallel(**options, return_as=order)
        except (TypeError, ValueError):
            # joblib before 1.4, or a backend that knows no generators.
            self._parallel = Parallel(**options)
        self._n_jobs, self._prefer = n_jobs, prefer
        self._context = ExitStack()
        self._is_open = self._is_kept = False
        self.n_here = 0

    def __enter__(self) -> Workers:
        self._is_open = True
        return self

    def __exit__(self, *raised: Any) -> None:
        self._is_open = self._is_kept = False
        self._context.__exit__(*raised)

    @property
    def count(self) -> int:
        """How many there are."""
        return effective_n_jobs(self._n_jobs)

    def have_to_start(self) -> bool:
        """Tell whether they would be processes none of which is running yet."""
        backend, _ = get_active_backend(prefer=self._prefer)
        if type(backend) is not BACKENDS["loky"] or self.count == 1:
            return False
        return not any(_is_worker(process) for process in active_children())

    def spread(
        self,
        tasks: Iterable[Any],
        n_tasks: int,
        expected: float = 0.0,
        must_stay: Callable[[], bool] = lambda: False,
    ) -> Iterator[Any]:
        """Yield the results of tasks, which are run here while workers are not worth their start.

        Parameters
        ----------
        tasks : iterable of joblib's tasks
        n_tasks : int
            How many they are.
        expected : float, default=0.0
            Seconds that all tasks take at least.
        must_stay : callable, default=never
            Tells after a task whether the others must be run here, too.

        Yields
        ------
        object
            What a task returns.
        """
        waiting = iter(tasks)
        self.n_here = n_tasks if self.count == 1 else 0
        if self.have_to_start():
            saved = 1 - 1 / self.count
            here = Parallel(n_jobs=1)
            start = time.perf_counter()
            while self.n_here < n_tasks and (expected * saved < START or must_stay()):
                yield from here([next(waiting)])
                self.n_here += 1
                # As if those to come took as long as those before.
                spent = time.perf_counter() - start
                expected = spent / self.n_here * (n_tasks - self.n_here)
            if self.n_here == n_tasks:
                return
        if self._is_open and not self._is_kept:
            self._context.enter_context(self._parallel)
            self._is_kept = True
        yield from self._parallel(waiting)


def _is_worker(process: Any) -> bool:
    return type(process).__module__.startswith("joblib.externals.loky")


def least_seconds(network: Any, X: Any) -> float:
    """Return about how long a fit takes at least; 0 without a network, and where nothing tells."""
    with suppress(AttributeError, IndexError, TypeError, ValueError, OverflowError):
        n_rows, n_inputs = X.shape
        widths = [float(n_inputs), *np.ravel(network.hidden_layer_sizes), 1.0]
        n_weights = sum(a * b for a, b in pairwise(widths))
        given = network.max_iter
        n_epochs = float(given) if isinstance(given, int | np.integer) else USUAL_EPOCHS
        seconds = 6 * n_rows * n_weights * n_epochs / PER_SECOND
        return seconds if math.isfinite(seconds) else 0.0
    return 0.0
