"""Numbers of threads: those of workers, and those of BLAS within each.

Products of small matrices take longer in two BLAS threads than in one, since the threads wait for
each other at each product: with 32 x 128 times 128 x 128 numbers, a fit to 200 rows took 0.5 s of
processor time in one thread and 10 s in two. Workers that each train or predict with a network
of their own lose nothing with one BLAS thread.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from joblib import effective_n_jobs

from ..estimators.blas_threads import Limit, n_blas_threads

#: Operations of all networks together from which on threads are worth starting: they take some
#: ten milliseconds.
WORTH_THREADS = 5e8


def blas_limited_to(n: int) -> AbstractContextManager[Any]:
    """Let BLAS use at most ``n`` threads."""
    # A limit of one thread is always set, even if BLAS has one thread now: the limit that another
    # thread of the program has set may end.
    return Limit(n) if n == 1 or n < n_blas_threads() else nullcontext()


def n_threads(n_jobs: int | None, operations: float) -> int:
    """Return the number of threads to use, each for one network at a time.

    Without `n_jobs`, it is as many as BLAS may use, if there are enough operations
    (multiplications), unless joblib's configuration sets a number.
    """
    workers: int = effective_n_jobs(n_jobs)
    if n_jobs is not None or workers > 1:
        return workers
    return n_blas_threads() if operations > WORTH_THREADS else 1
