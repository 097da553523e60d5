"""Tasks divided into pieces, each for one worker, which trains the networks in it as stacks."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from contextlib import suppress
from itertools import pairwise
from numbers import Integral
from typing import Any, Protocol

from ..estimators.base import BaseMultilayerPerceptron
from ..estimators.choices import hidden_sizes
from ._spreading import Workers

#: Bounds of the number of members that a worker gets at a time. Small stacks are slower per member:
#: hardly with 15 members, and not measurably with 45.
FEWEST, MOST = 15, 60

#: From this number of hidden units on, the arithmetic of two members takes longer than the calls
#: to NumPy: a worker may then get fewer than FEWEST members, so that all workers end together, and
#: members of ensembles are trained in threads. (With 128, an arm of 100 units kept a table's
#: networks in processes: a fit of 3,000 x 15 numbers took 13 s instead of 6 on two cores.)
MANY_UNITS = 100

#: Seconds of all work, below which each worker gets its pieces at once. It would wait about .01 s
#: for each further piece, and .07 s if loky collects garbage first, which it does once a second.
BRIEF = 1.0

#: Multiplications and additions per second of a fast core, roughly.
PER_SECOND = 1e10

#: Epochs assumed where `max_iter` is a rule, not a number.
USUAL_EPOCHS = 100

#: What reading a parameter may raise that is invalid, which only the fit itself reports.
UNREADABLE = (AttributeError, IndexError, TypeError, ValueError, OverflowError)


class Task(Protocol):
    """A fit that is given to a worker.

    Attributes
    ----------
    network : BaseMultilayerPerceptron or None
        None if it cannot be trained in a stack.
    n_units : int
        Hidden units of the network, a rough measure of its cost.
    source : hashable
        Fits with equal sources are fitted on the same transformed data.
    """

    @property
    def network(self) -> BaseMultilayerPerceptron | None: ...

    @property
    def n_units(self) -> int: ...

    @property
    def source(self) -> Hashable: ...


def n_hidden_units(network: Any) -> int:
    """Return the number of hidden units; 0 without a network or with invalid parameters."""
    with suppress(*UNREADABLE):
        return sum(hidden_sizes(network))
    return 0


def least_seconds(network: Any, X: Any) -> float:
    """Return a low estimate of a fit's seconds; 0 without a network or with invalid parameters."""
    with suppress(*UNREADABLE):
        n_rows, n_inputs = X.shape
        n_weights = sum(a * b for a, b in pairwise([n_inputs, *hidden_sizes(network), 1]))
        given = network.max_iter
        n_epochs = float(given) if isinstance(given, Integral) else USUAL_EPOCHS
        return 6 * n_rows * n_weights * n_epochs / PER_SECOND
    return 0.0


def pieces_for(
    workers: Workers, tasks: Sequence[Task], expected: float, side_by_side: bool = False
) -> list[list[int]]:
    """Divide tasks as ``pieces_of`` does, or into one piece for each worker if all are brief.

    ``expected`` is a rough estimate of the seconds that all networks take.
    """
    pieces = pieces_of(tasks, workers.count, side_by_side)
    # Nothing is known of the time that other estimators take.
    are_brief = expected < BRIEF and all(task.network is not None for task in tasks)
    if not are_brief or workers.begins_here():
        return pieces
    return shares_of(pieces, tasks, workers.count)


def shares_of(
    pieces: Sequence[list[int]], tasks: Sequence[Task], n_workers: int
) -> list[list[int]]:
    """Put pieces together: one for each worker, of about the same work."""
    shares: list[list[int]] = [[] for _ in range(min(n_workers, len(pieces)))]
    for piece in pieces:
        min(shares, key=lambda share: _work_of(share, tasks)).extend(piece)
    return shares


def pieces_of(tasks: Sequence[Task], n_workers: int, side_by_side: bool = False) -> list[list[int]]:
    """Divide tasks into pieces for workers; return their positions, the longest piece first.

    Tasks on the same data are put side by side on request, so that pieces need few of the data.
    """
    order = list(range(len(tasks)))
    if side_by_side:
        places = {source: n for n, source in enumerate(dict.fromkeys(t.source for t in tasks))}
        order.sort(key=lambda i: places[tasks[i].source])
    alike: dict[Hashable, list[int]] = {}
    for i in order:
        alike.setdefault(_kind(tasks[i], i), []).append(i)

    def work_of(piece: Sequence[int]) -> int:
        return _work_of(piece, tasks)

    def cut(size: int) -> list[list[int]]:
        pieces = [
            positions[start : start + size]
            for positions in alike.values()
            for start in range(0, len(positions), size)
        ]
        return sorted(pieces, key=lambda piece: -work_of(piece))

    share = math.ceil(len(tasks) / n_workers)
    if n_workers == 1 or any(task.n_units < MANY_UNITS for task in tasks):
        return cut(min(MOST, max(FEWEST, share)))
    # Each worker's share, or less if some workers would otherwise wait for the last pieces.
    sizes = range(min(MOST, max(2, share)), 1, -1)
    return min(map(cut, sizes), key=lambda pieces: _longest([*map(work_of, pieces)], n_workers))


def labels_of(pieces: Sequence[Any]) -> list[str]:
    """Return the names of the stacks of each piece in progress reports."""
    if len(pieces) == 1:
        return ["stack"]
    return [f"part {i} of {len(pieces)}, stack" for i in range(1, len(pieces) + 1)]


def _work_of(piece: Sequence[int], tasks: Sequence[Task]) -> int:
    return sum(1 + tasks[i].n_units for i in piece)


def _longest(works: Sequence[int], n_workers: int) -> int:
    """Return the work of the busiest worker, if each free worker takes the next piece."""
    busy = [0] * n_workers
    for work in works:
        busy[busy.index(min(busy))] += work
    return max(busy)


def _kind(task: Task, i: int) -> Hashable:
    """Return a key that is equal for tasks that may become members of one stack."""
    network = task.network
    if network is None:
        return i
    names = "hidden_layer_sizes", "batch_size", "skip_connections", "dtype"
    # Optimizers of one stack may differ in numbers, but not in operations.
    solver = getattr(network.solver, "operations", network.solver)
    return *(str(getattr(network, name)) for name in names), str(solver)
