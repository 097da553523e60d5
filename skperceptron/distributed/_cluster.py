"""The shares of a data set on the workers, and the tasks that are run on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter
from typing import Any

import dask
import numpy as np
from distributed import wait

from ..engine.arrays import Floats, Integers
from ._blocks import Blocks
from ._share import Answer, Job, gradient_on, make_share, train_round

#: How often a task may fail on a worker, and all workers die in a round, before the fit fails.
RETRIES = 3

#: Seconds of waiting for tasks after which to look whether all workers have died.
PATIENCE = 5.0


@dataclass
class Report:
    """The cost of a fit.

    Attributes
    ----------
    mode : str
        "summed" or "averaged".
    n_shares : int
        Number of shares into which the rows were divided.
    rounds : int
        How often tasks were sent to the workers: number of steps, or of epochs.
    bytes_per_round : float
        Sent and received, of all shares together.
    compute, wait, wire : float
        Seconds, which add up to the time of all rounds: computing (mean of the shares), waiting
        for the slowest share, and sending.
    """

    mode: str
    n_shares: int
    rounds: int = 0
    bytes_per_round: float = 0.0
    compute: float = 0.0
    wait: float = 0.0
    wire: float = 0.0

    def add(self, n_bytes: int, seconds: Sequence[float], elapsed: float) -> None:
        """Add the cost of a round: ``seconds`` is the computing time of each share."""
        self.bytes_per_round += (n_bytes - self.bytes_per_round) / (self.rounds + 1)
        self.rounds += 1
        mean, longest = float(np.mean(seconds)), max(seconds)
        self.compute += mean
        self.wait += longest - mean
        # Clocks of two processes may differ by a little.
        self.wire += max(0.0, elapsed - longest)


class Cluster:
    """The shares of a fit on the workers of a cluster.

    Dask knows how each share is made. If a worker dies, its share is made again on another one,
    and its last task is repeated. If all die, this waits for new workers.

    ``weight`` has the shape (N,); ``mode`` is for the report.
    """

    def __init__(
        self, client: Any, blocks: Blocks, weight: Floats | None, job: Job, mode: str
    ) -> None:
        self._client = client
        self._workers = sorted(client.nthreads())
        runs = blocks.cut(n_shares(client, blocks))
        counts = [sum(blocks.counts[run]) for run in runs]
        self._edges = np.cumsum([0, *counts])
        parts = [
            None if weight is None else weight[start:stop] for start, stop in pairwise(self._edges)
        ]
        totals = [n if part is None else part.sum() for n, part in zip(counts, parts, strict=True)]
        #: Weight of each share in means over all shares; the sum is 1.
        self.fractions = np.array(totals, dtype=float) / np.sum(totals)
        self.report = Report(mode, len(runs))
        job_there = dask.delayed(job, traverse=False)
        #: The arguments of ``make_share`` for each share.
        self._contents = [
            (job_there, k, part, blocks.X[run], blocks.y[run])
            for k, (run, part) in enumerate(zip(runs, parts, strict=True))
        ]
        self._shares: list[Any] = []
        self._make_shares()
        try:
            for share in self._completed(lambda: self._shares):
                # ``result`` raises the error of the task, but would also fetch rows.
                if share.exception() is not None:
                    share.result()
        except BaseException:
            self.release()
            raise

    def _make_shares(self) -> None:
        """Let the workers make the shares, without waiting for them."""
        make = dask.delayed(make_share)
        self._shares = [
            self._client.compute(make(*contents), **self._options(k))
            for k, contents in enumerate(self._contents)
        ]

    def release(self) -> None:
        """Let the workers forget the shares.

        Dask keeps the error of a task as long as its future, and the traceback of the error keeps
        the futures of all tasks and shares.
        """
        _release(self._shares)

    def _options(self, k: int) -> dict[str, Any]:
        """Return how Dask is to run a task of a share: on its worker, or another if that dies."""
        worker = self._workers[k % len(self._workers)]
        return {"retries": RETRIES, "workers": [worker], "allow_other_workers": True}

    def gradient(
        self,
        parameters: Floats,
        rows: Integers,
        factor: Floats | float,
        place: tuple[int, int],
        noise_share: float | None,
    ) -> tuple[Floats, float]:
        """Return gradient, (P,), and loss of a batch: sums over its rows, each times its factor.

        Rows are positions among all rows, ``place`` is the epoch and the step, and ``noise_share``
        a factor of the dropout rates.
        """
        owners = np.searchsorted(self._edges, rows, side="right") - 1
        asked = {}
        for k in np.unique(owners).tolist():
            own = owners == k
            of_rows = factor if np.ndim(factor) == 0 else np.asarray(factor)[own]
            asked[k] = (parameters, rows[own] - self._edges[k], of_rows, place, noise_share)
        answers = self._ask(gradient_on, asked)
        gradient = np.sum([answer.arrays["gradient"] for answer in answers], axis=0)
        return gradient, sum(answer.loss for answer in answers)

    def round(
        self, arrays: Mapping[str, Floats], rate: float, epoch: int, rows_seen: int
    ) -> tuple[dict[str, Floats], float, Answer]:
        """Train on each share for an epoch; return the means of the arrays and of the loss.

        The answer is that of the share with the most steps.
        """
        asked = {k: (dict(arrays), rate, epoch, rows_seen) for k in range(len(self._shares))}
        answers = self._ask(train_round, asked)
        mean = {
            name: np.einsum("k,kp->p", self.fractions, [answer.arrays[name] for answer in answers])
            for name in arrays
        }
        loss = float(np.dot(self.fractions, [answer.loss for answer in answers]))
        return mean, loss, max(answers, key=lambda answer: answer.steps)

    def _ask(
        self, task: Callable[..., Answer], asked: Mapping[int, tuple[Any, ...]]
    ) -> list[Answer]:
        """Run a task on some shares, with arguments for each; wait for all of them."""

        def submit() -> list[Any]:
            return [
                self._client.submit(task, self._shares[k], *given, pure=False, **self._options(k))
                for k, given in asked.items()
            ]

        began = perf_counter()
        futures = self._completed(submit)
        try:
            answers: list[Answer] = self._client.gather(futures)
        finally:
            _release(futures)
        elapsed = perf_counter() - began
        n_bytes = sum(map(_n_bytes, [*asked.values(), *(answer.arrays for answer in answers)]))
        self.report.add(n_bytes, [answer.seconds for answer in answers], elapsed)
        return answers

    def _completed(self, submit: Callable[[], list[Any]]) -> list[Any]:
        """Submit tasks, wait for them, and return their futures.

        If all workers die at once, Dask does not give their tasks to workers that join later.
        Shares are then made again, and the tasks submitted again.
        """
        for n_failures in range(RETRIES + 1):
            if n_failures:
                self._make_shares()
            futures = submit()
            try:
                if self._have_ended(futures):
                    return futures
            except BaseException:
                _release(futures)
                raise
            # Unlike ``release``, this is done before the next tasks are submitted: Dask would keep
            # the old places of tasks that it knows, such as those of blocks.
            self._client.cancel([*futures, *self._shares])
        raise RuntimeError(
            f"All workers of the cluster have died {RETRIES + 1} times in one round."
        )

    def _have_ended(self, futures: Sequence[Any]) -> bool:
        """Wait until tasks have ended; return False once all workers have been replaced."""
        while True:
            try:
                wait(futures, timeout=PATIENCE)
                return True
            except TimeoutError:
                alive = sorted(self._client.nthreads())
                if alive and set(alive).isdisjoint(self._workers):
                    self._workers = alive
                    return False


def n_shares(client: Any, blocks: Blocks) -> int:
    """Return into how many shares the blocks are divided."""
    return min(len(client.nthreads()), len(blocks.counts))


def _release(futures: Sequence[Any]) -> None:
    for future in futures:
        future.release()


def _n_bytes(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, dict):
        return sum(map(_n_bytes, value.values()))
    return sum(map(_n_bytes, value)) if isinstance(value, tuple) else 0
