"""Threads that run a table together; each computes its part of every row.

BLAS has threads of its own, but only products use them. The threads of a team also share all other
work: activations, biases, the optimiser. For its part of a product, each uses one thread of BLAS.
"""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Any

import numpy as np

from ..arrays import Integers
from .extension import steps as extension
from .layout import N_THREADS, STOPPED, TEAM_WORDS


class Team:
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
    """

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
            self._run(words, taken, first, last, 0, len(taken))

    def _run(self, *task: Any) -> None:
        shared = np.zeros(TEAM_WORDS, np.intp)
        shared[N_THREADS] = self.n_threads
        begun: list[Future[None]] = []
        try:
            # The system may refuse to start another thread.
            with suppress(RuntimeError):
                for place in range(1, self.n_threads):
                    begun.append(self._others.submit(partial(extension.run, *task, shared, place)))
            is_complete = len(begun) == self.n_threads - 1
            if is_complete:
                extension.run(*task, shared, 0)
        finally:
            # After an error, threads that wait for this one stop.
            shared[STOPPED] = 1
            wait(begun)
        if not is_complete:
            extension.run(*task)


def has_teams() -> bool:
    """Tell whether threads can run a table together: not if the compiler lacks GCC's atomics."""
    return extension is not None and bool(extension.HAS_TEAMS)
