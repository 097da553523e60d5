"""Threads that run a table together: each its part of every row, or each some of the members.

BLAS has threads of its own, but only products use them. The threads of a team also share all other
work: activations, biases, the optimizer. For its part of a product, each uses one thread of BLAS.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, suppress
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

    def run(self, words: Integers, taken: Integers, first: int, last: int, work: int) -> None:
        """Run a table, (n_rows, WIDTH), for the steps ``first`` to ``last - 1``.

        ``taken``, (K,), counts the steps of each member; ``work`` is the approximate cost in
        elements.
        """
        if self._process != os.getpid():
            # A forked process has none of its parent's threads.
            self._hire()
        with self.one_thread:
            self._run(words, taken, first, last, work)

    @abstractmethod
    def _run(self, words: Integers, taken: Integers, first: int, last: int, work: int) -> None:
        """Share the work among the threads; return when it is done."""


class RowTeam(Team):
    """Threads that each compute a part of every row, for networks with large products."""

    def _run(self, words: Integers, taken: Integers, first: int, last: int, work: int) -> None:
        shared = np.zeros(TEAM_WORDS, np.intp)
        shared[N_THREADS] = self.n_threads
        others: list[Future[None]] = []
        try:
            # The system may refuse to start another thread.
            with suppress(RuntimeError):
                for place in range(1, self.n_threads):
                    task = partial(extension.run, words, taken, first, last, shared, place)
                    others.append(self._others.submit(task))
            if len(others) == self.n_threads - 1:
                extension.run(words, taken, first, last, shared, 0)
                # They may still be at work.
                wait(others)
                return
        finally:
            # After an error or Ctrl-C, or if some threads are missing, those at work have to stop.
            shared[STOPPED] = 1
            wait(others)
        extension.run(words, taken, first, last)


class MemberTeam(Team):
    """Threads that each run some members of a stack, and then those that no other has begun.

    Between two epochs of a small stack, the calling thread is busy for less time than it takes to
    wake another one. So the others stay awake for a while: they look for work without the
    interpreter's lock, and give way to other programs.
    """

    # One that is awake begins at once.
    least_work = 20_000

    #: From how much work on waking another thread pays. (Measured on two cores: one thread does
    #: this in 50 us, and waking another takes as long.)
    worth_waking: ClassVar[int] = 100_000

    #: Seconds after which a thread without work goes to sleep.
    patience = 0.001

    def _hire(self) -> None:
        super()._hire()
        self._shared = np.zeros(TEAM_WORDS, np.intp)
        self._awake: dict[int, Future[None]] = {}

    def _run(self, words: Integers, taken: Integers, first: int, last: int, work: int) -> None:
        self._wake(min(self.n_threads - 1, work // self.worth_waking))
        extension.lead(words, taken, first, last, self._shared)

    def _wake(self, n: int) -> None:
        """Have at least n other threads look for work, if the system allows it."""
        self._awake = {place: one for place, one in self._awake.items() if not one.done()}
        with suppress(RuntimeError):
            for place in range(1, n + 1):
                if place not in self._awake:
                    part = place / self.n_threads
                    task = partial(extension.follow, self._shared, part, self.patience)
                    self._awake[place] = self._others.submit(task)


def has_teams() -> bool:
    """Tell whether there can be teams: not if the compiler lacks GCC's atomics."""
    return extension is not None and bool(extension.HAS_TEAMS)
