"""How many threads work on a fit: those of BLAS, or a team that takes steps together.

BLAS gets one thread while products are small: several would wait for each other longer than they
work. With 32 x 128 times 128 x 128 numbers, a fit to 200 rows took 0.5 s of processor time in one
thread and 10 s in two. Threads that each train or predict with a network of their own lose nothing
with one BLAS thread. The number of BLAS threads applies to the whole process, other threads of a
program included.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController

from ..engine.compiled import LARGE_PRODUCT, MemberTeam, RowTeam, Team, has_teams

#: Up to this many multiply-adds, OpenBLAS uses one thread by itself.
SMALL_PRODUCT = 2**18

#: From this much work of a stack on, in multiply-adds, sharing out members pays: it takes 10 ms,
#: and counting the threads of BLAS for the first time takes as long.
SHARED_WORK = 100_000_000

#: What a step takes beside its largest product, as multiply-adds: 2 us.
STEP = 20_000


class Limits:
    """Limits on BLAS threads that threads of this process ask for; the lowest one applies.

    The number of BLAS threads applies to the whole process: the first user sets it, and the last
    one restores it.
    """

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget all users: a forked process has none of its parent's threads."""
        self._lock = Lock()
        self._limits: list[int] = []
        self._first: Any = None

    def add(self, n: int) -> None:
        """Let BLAS use at most ``n`` threads."""
        with self._lock:
            if not self._limits:
                # None changes nothing: the numbers of now are remembered.
                self._first = _limit_all(None)
            is_least = not self._limits or n < min(self._limits)
            self._limits.append(n)
            if is_least:
                try:
                    _limit_all(n)
                except BaseException:
                    # Ctrl-C: nobody will call ``remove``.
                    self._limits.remove(n)
                    self._relax()
                    raise

    def remove(self, n: int) -> None:
        """Undo ``add``."""
        with self._lock:
            self._limits.remove(n)
            if self._limits and n >= min(self._limits):
                return
            try:
                self._relax()
            except BaseException:
                # After Ctrl-C, some libraries may still have the limit.
                self._relax()
                raise

    def _relax(self) -> None:
        """Set the number of threads that holds when a limit has ended."""
        if self._limits:
            _limit_all(min(self._limits))
        else:
            with _by_any_thread():
                self._first.restore_original_limits()


class Limit:
    """Limits BLAS to ``n`` threads, or fewer if another limit says so; may be entered again."""

    def __init__(self, n: int) -> None:
        self._n = n

    def __enter__(self) -> None:
        LIMITS.add(self._n)

    def __exit__(self, *exception: object) -> None:
        LIMITS.remove(self._n)


def _limit_all(n: int | None) -> Any:
    """Set the number of threads of each BLAS, unless None is given; return what restores it."""
    with _by_any_thread():
        return controller().limit(limits=n, user_api="blas")


@contextmanager
def _by_any_thread() -> Iterator[None]:
    """Let this thread set the number of threads, whichever thread has set it before.

    From version 3.8 on, threadpoolctl ignores all threads but the first one that sets the number of
    OpenBLAS, as long as that one lives. ``LIMITS`` already combines the limits of all threads.
    """
    _end_control()
    try:
        yield
    finally:
        _end_control()


def _end_control() -> None:
    for library in controller().lib_controllers:
        end = getattr(library, "clear_controlling_thread", None)
        if end is not None:
            end(force=True)


@cache
def controller() -> ThreadpoolController:
    # Searching for libraries takes milliseconds; those of NumPy and SciPy stay loaded.
    return ThreadpoolController()


def n_blas_threads() -> int:
    """Return how many threads BLAS may use now, as the environment or a limit says."""
    pools = controller().info()
    return max((pool["num_threads"] for pool in pools if pool["user_api"] == "blas"), default=1)


LIMITS = Limits()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=LIMITS.begin_anew)
ONE_THREAD = Limit(1)


def suited_team(largest_product: int, n_members: int = 1, n_steps: int = 0) -> Team | None:
    """Return a team of as many threads as BLAS may use; None if one thread is better.

    Small products are computed by one thread, so that they have the same bits whatever else the
    machine does: each thread trains some members of a stack. The bits of large products depend on
    the number of threads in any case: all threads train the same member.

    ``largest_product`` is the number of multiply-adds of the largest product of a step: rows of a
    batch times ``network.largest_product``. ``n_steps`` is how many steps several members take
    together, at most.
    """
    if not has_teams():
        return None
    if largest_product >= LARGE_PRODUCT:
        n_threads = n_blas_threads()
        return RowTeam(n_threads, ONE_THREAD) if n_threads > 1 else None
    if n_members == 1 or n_steps * (STEP + largest_product) < SHARED_WORK:
        return None
    n_threads = min(n_blas_threads(), n_members)
    # BLAS uses one thread for small products in any case.
    return MemberTeam(n_threads, nullcontext()) if n_threads > 1 else None


@contextmanager
def suited_threads(largest_product: int) -> Iterator[None]:
    """Let BLAS use as many threads as pay off; ``largest_product`` is as for ``suited_team``."""
    if SMALL_PRODUCT < largest_product < LARGE_PRODUCT:
        with ONE_THREAD:
            yield
    else:
        yield


def blas_limited_to(n: int) -> AbstractContextManager[Any]:
    """Let BLAS use at most ``n`` threads."""
    # A limit of one thread is always set, even if BLAS has one thread now: the limit that another
    # thread of the program has set may end.
    return Limit(n) if n == 1 or n < n_blas_threads() else nullcontext()
