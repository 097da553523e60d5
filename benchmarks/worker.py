"""Run each peer in its own process, which trains the cases that it receives.

In a shared process, idle BLAS threads of one peer would keep the cores busy while another peer is
timed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from math import ceil
from typing import Any

from threadpoolctl import threadpool_limits

from .cases import Case
from .measuring import Options, UnsupportedError
from .peers import available, limit_threads


class Worker:
    """The process of a peer.

    Parameters
    ----------
    name : str
        The name of the peer.
    threads : int
    """

    def __init__(self, name: str, threads: int) -> None:
        command = [sys.executable, "-W", "ignore", "-m", __name__, name, str(threads)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def train(self, case: Case, dtype: str) -> dict[str, float]:
        """Return the seconds of training and of compiling (0 if nothing was compiled).

        Raises
        ------
        UnsupportedError
            If the peer does not support the case.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps([asdict(case), dtype]), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        if not answer:
            raise UnsupportedError
        return answer

    def dismiss(self) -> None:
        """End the process."""
        self._process.communicate()


@contextmanager
def workers(options: Options) -> Iterator[dict[str, Worker]]:
    """Start a worker for each selected peer; stop them at the end."""
    employed = {name: Worker(name, options.threads) for name in options.chosen(available())}
    try:
        yield employed
    finally:
        for worker in employed.values():
            worker.dismiss()


def main(name: str, threads: int) -> None:
    """Train the case on each line of standard input and print the seconds."""
    warnings.simplefilter("ignore")
    _limit_cores(threads)
    if name == "PyTorch":
        limit_threads(threads)
    peer = available()[name]
    with threadpool_limits(threads):
        for line in sys.stdin:
            fields, dtype = json.loads(line)
            case = Case(**fields | {"hidden": tuple(fields["hidden"])})
            answer: dict[str, Any] = {}
            try:
                X, y = case.data(dtype)
                # A first run, because memory may have been paged out while other peers ran.
                peer(replace(case, epochs=ceil(case.epochs / 4)), X, y)
                answer["seconds"] = peer(case, X, y)
                answer["compiling"] = getattr(peer, "compile_seconds", {}).get(case.name, 0.0)
            except UnsupportedError:
                answer = {}
            print(json.dumps(answer), flush=True)


def _limit_cores(n: int) -> None:
    """Let this process use only `n` cores: JAX starts a thread for each that it finds."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:n])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
