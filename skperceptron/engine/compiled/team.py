"""Threads that run a table together: each its part of every row, or each some of the members.

BLAS has threads of its own, but only products use them. The threads of a team also share all other
work: activations, biases, the optimiser. For its part of a product, each uses one thread of BLAS.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Any, ClassVar

import numpy as np

from ..arrays import Integers
from .extension import steps as extension
from .layout import N_THREADS, STOPPED, TEAM_WORDS


class Team(ABC):
    """Threads that take the same steps together.

    Parameters
    ----------
    n_threads : int
        Number of threads, including the calling one.
    one_thread : context manager
        Limits BLAS to one thread. It may be entered while it is active.

    Attributes
    ----------
    one_thread : context manager
    least_work : int
        From how much work of a table on, in elements, sharing it pays.
    """

    least_work: ClassVar[int] = 0

    def __init__(self, n_threads: int, one_thread: AbstractContextManager[Any]) -> None:
        self.n_threads = n_threads
        self.one_thread = one_thread
        self._hire()

    def _hire(self) -> None:
        self._process = os.getpid()
        self._others = ThreadPoolExecutor(self.n_threads - 1, "skperceptron-steps")

    def run(self, words: Integers, taken: Integers, first: int, last: int) -> None:
        """Run a table for the steps ``first`` to ``last - 1``.

        Parameters
        ----------
        words : ndarray of int, shape (n_rows, WIDTH)
        taken : ndarray of int, shape (K,)
            Counts the steps of each member.
        first, last : int
        """
        if self._process != os.getpid():
            # A forked process has none of its parent's threads.
            self._hire()
        with self.one_thread:
            self._run(words, taken, first, last)

    @abstractmethod
    def _run(self, words: Integers, taken: Integers, first: int, last: int) -> None:
        """Share the work among the threads; return when it is done."""

    @contextmanager
    def _helping(self, tasks: Sequence[Callable[[], None]], shared: Integers) -> Iterator[bool]:
        """Let each of the other threads do one of the tasks, and wait for their end.

        Tells whether all have begun. After an error, ``shared`` tells those that have to stop.
        """
        begun: list[Future[None]] = []
        try:
            # The system may refuse to start another thread.
            with suppress(RuntimeError):
                for task in tasks:
                    begun.append(self._others.submit(task))
            yield len(begun) == len(tasks)
            # They may still be at work.
            wait(begun)
        finally:
            # Any that are at work here, after an error or Ctrl-C, stop before their next step.
            shared[STOPPED] = 1
            wait(begun)


class RowTeam(Team):
    """Threads that each compute a part of every row, for networks with large products."""

    def _run(self, words: Integers, taken: Integers, first: int, last: int) -> None:
        task = words, taken, first, last, 0, len(taken)
        shared = _shared(self.n_threads)
        others = [partial(extension.run, *task, shared, n) for n in range(1, self.n_threads)]
        with self._helping(others, shared) as are_all:
            if are_all:
                extension.run(*task, shared, 0)
            else:
                # Those that have begun would wait for the others.
                shared[STOPPED] = 1
        if not are_all:
            extension.run(*task)


class MemberTeam(Team):
    """Threads that each run some members of a stack; one that is free takes the next member."""

    # (Measured on two cores: to wake a thread and to wait for it takes .1 ms, in which one thread
    # does half of this.)
    least_work = 2_000_000

    def _run(self, words: Integers, taken: Integers, first: int, last: int) -> None:
        waiting = deque(range(len(taken)))
        shared = _shared(1)

        def run_members() -> None:
            while not shared[STOPPED]:
                try:
                    k = waiting.popleft()
                except IndexError:
                    return
                extension.run(words, taken, first, last, k, k + 1, shared)

        with self._helping([run_members] * (self.n_threads - 1), shared):
            run_members()


def _shared(n_threads: int) -> Integers:
    """Return the words that threads share, so many of which run the same members."""
    found = np.zeros(TEAM_WORDS, np.intp)
    found[N_THREADS] = n_threads
    return found


def has_teams() -> bool:
    """Tell whether threads can divide rows: not if the compiler lacks GCC's atomics."""
    return extension is not None and bool(extension.HAS_TEAMS)
