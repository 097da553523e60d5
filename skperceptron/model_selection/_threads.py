"""Threads that calculate: those of workers, and those of BLAS within each.

Products of small matrices take longer in two threads of BLAS than in one: with 32 x 128 times
128 x 128 numbers, a fit to 200 rows took 0.5 s of processor time in one and 10 s in two, which
wait for each other at each product. A worker that trains or predicts with a network of its own
loses nothing.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from joblib import effective_n_jobs

from ..estimators.blas_threads import ONE_THREAD, controller, n_blas_threads

__all__ = ["blas_limited_to", "n_blas_threads", "n_threads"]

#: Operations for all networks, one after another, from which threads are worth starting: some ten
#: milliseconds.
WORTH_THREADS = 5e8


def blas_limited_to(n: int) -> AbstractContextManager[Any]:
    """Let BLAS use at most so many threads."""
    if n >= n_blas_threads():
        return nullcontext()
    return ONE_THREAD if n == 1 else controller().limit(limits=n, user_api="blas")


def n_threads(n_jobs: int | None, operations: float) -> int:
    """Return how many threads of one network each are to share operations.

    Parameters
    ----------
    n_jobs : int or None
        None are as many as BLAS could use, if there is enough to do, unless joblib's configuration
        names a number.
    operations : float
        How many multiplications there are.
    """
    workers: int = effective_n_jobs(n_jobs)
    if n_jobs is not None or workers > 1:
        return workers
    return n_blas_threads() if operations > WORTH_THREADS else 1
