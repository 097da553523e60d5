"""The plan of an epoch: which members take which step, with how many rows. Integers only.

Members are sorted by their numbers of rows, largest first. A full batch is then a step of the
first few members, and the shorter batch that ends an epoch is one step for each run of members with
equally many rows: no row is padded, and each member gets the batches that it would get alone.

An epoch is cut into windows of many batches; all whole windows have the same steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import eq

import numpy as np

from ..engine.arrays import Integers, split


@dataclass(frozen=True)
class Batch:
    """The members and rows of one step of an epoch.

    Members from ``first`` on, before ``last``, take ``size`` rows each (B), from ``start`` on,
    counted from the beginning of the window.
    """

    first: int
    last: int
    start: int
    size: int

    @property
    def members(self) -> slice:
        """Return where the members stand in the stack."""
        return slice(self.first, self.last)

    @property
    def rows(self) -> slice:
        """Return where the rows stand in the window."""
        return slice(self.start, self.start + self.size)


@dataclass(frozen=True)
class PlannedWindow:
    """A run of steps whose targets are gathered, and whose losses are computed, at once.

    ``start`` is the first row, counted from the beginning of the epoch; each batch is a step.
    """

    start: int
    batches: tuple[Batch, ...]


@dataclass(frozen=True)
class EpochOfMember:
    """Which steps of an epoch one member takes.

    That is, their positions in the epoch, and the first and the number of its rows in each, (n,).
    """

    steps: Integers
    starts: Integers
    lengths: Integers


class Plan:
    """All steps of an epoch.

    Parameters
    ----------
    counts : sequence of int
        How many rows each member has, in descending order.
    batch_size : int
        Rows per step; a member with fewer rows takes them all.
    window_length : int
        Rows of a window, a multiple of the batch size.
    drop_last : bool, default=False
        Whether a shorter batch is left out, unless it is the only one.

    Attributes
    ----------
    counts : tuple of int
        How many rows of each member an epoch takes.
    windows : list of PlannedWindow
    n_steps : int
    epochs : list of EpochOfMember
        One per member.

    Raises
    ------
    ValueError
        If the counts are not in descending order.
    """

    def __init__(
        self,
        counts: Sequence[int],
        batch_size: int,
        window_length: int,
        drop_last: bool = False,
    ) -> None:
        if list(counts) != sorted(counts, reverse=True):
            raise ValueError("members must be in descending order of their numbers of rows.")
        if drop_last:
            counts = [n - n % batch_size if n > batch_size else n for n in counts]
        self.counts = tuple(counts)
        self.windows = list(_windows(self.counts, batch_size, window_length))
        steps = [(w.start + b.start, b) for w in self.windows for b in w.batches]
        self.n_steps = len(steps)
        # Members with equally many rows take the same steps.
        of_count = {n: _epoch_of(steps, self.counts.index(n), n) for n in set(self.counts)}
        self.epochs = [of_count[n] for n in self.counts]


def _windows(counts: Sequence[int], size: int, length: int) -> Iterator[PlannedWindow]:
    found: dict[int, list[Batch]] = {}
    for batch in _batches(counts, size):
        window, start = divmod(batch.start, length)
        found.setdefault(window, []).append(Batch(batch.first, batch.last, start, batch.size))
    for window, batches in found.items():
        yield PlannedWindow(window * length, tuple(batches))


def _batches(counts: Sequence[int], size: int) -> Iterator[Batch]:
    """Yield each step of an epoch, its rows counted from the beginning of the epoch."""
    for start in range(0, counts[0] - size + 1, size):
        yield Batch(0, sum(count >= start + size for count in counts), start, size)
    for members in split(counts, eq):
        n_rows = counts[members.start]
        rest = n_rows % size
        if rest:
            yield Batch(members.start, members.stop, n_rows - rest, rest)


def _epoch_of(steps: Sequence[tuple[int, Batch]], k: int, n_rows: int) -> EpochOfMember:
    taken = [(i, start) for i, (start, batch) in enumerate(steps) if batch.first <= k < batch.last]
    starts = np.array([start for _, start in taken])
    return EpochOfMember(np.array([i for i, _ in taken]), starts, np.diff(starts, append=n_rows))
