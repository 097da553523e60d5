"""A peer in a process of its own, waiting to be asked.

In one process, the threads of one peer's BLAS would wait for work, busily, while another peer is
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
from typing import Any

from threadpoolctl import threadpool_limits

from .cases import Case
from .measuring import Options, UnsupportedError
from .peers import available, limit_threads


class Worker:
    """A peer's process.

    Parameters
    ----------
    name : str
        Of the peer.
    threads : int
    """

    def __init__(self, name: str, threads: int) -> None:
        command = [sys.executable, "-W", "ignore", "-m", __name__, name, str(threads)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def train(self, case: Case, dtype: str) -> dict[str, float]:
        """Return the seconds that training took, and those that compiling took if it did.

        Raises
        ------
        UnsupportedError
            If the peer cannot do it.
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
    """Employ all peers that were asked for, for a while."""
    employed = {name: Worker(name, options.threads) for name in options.chosen(available())}
    try:
        yield employed
    finally:
        for worker in employed.values():
            worker.dismiss()


def main(name: str, threads: int) -> None:
    """Train what the lines of standard input ask for."""
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
                # While others had their turn, its memory may have been paged out.
                peer(replace(case, epochs=-(-case.epochs // 4)), X, y)
                answer["seconds"] = peer(case, X, y)
                answer["compiling"] = getattr(peer, "compile_seconds", {}).get(case.name, 0.0)
            except UnsupportedError:
                answer = {}
            print(json.dumps(answer), flush=True)


def _limit_cores(n: int) -> None:
    """Let this process use so many cores: JAX starts a thread for each that it finds."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:n])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
