"""Two ways to take the steps of a window: NumPy's calls one by one, or compiled tables of them.

Unless products are large, both give the same bits, so that a fit may switch between them. Tables
are made if enough steps may follow for them to pay; what they cannot hold remains calls.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

from ..engine.arrays import split
from ..engine.compiled import Program, RowTeam, Section, Team, Way, warns_as_usual, way
from .step import BoundStep, Step

#: Steps after which tables pay: making them takes about as long as this many steps save.
#: (Measured on 1,000 x 10 with 16 units: 0.8 ms to make them, 60 to 80 us less for each step.)
STEPS_BEFORE_TABLES = 12

#: If fewer steps of a kind may follow in a fit, no tables are made.
STEPS_WORTH_TABLES = 2 * STEPS_BEFORE_TABLES


class Ahead(NamedTuple):
    """How many epochs are expected to follow, at least, and how many may follow at most."""

    at_least: float
    at_most: float


class NumPySteps:
    """Takes steps call by call."""

    def take(self, steps: Sequence[Step], i: int, gathers: bool) -> None:
        """Take steps of a window, given in the same list object in each epoch.

        ``i`` is the position of the first of them in the epoch; ``gathers`` says whether each step
        gathers its rows of X, or they have already been gathered.
        """
        for step in steps:
            if gathers:
                step.gather()
            step.run(i)
            i += 1

    def threads(self) -> AbstractContextManager[None]:
        """Return the context in which the steps of an epoch run."""
        return nullcontext()


@dataclass(frozen=True)
class EqualSteps:
    """Neighboring steps of a window that have the same members and equally many rows.

    ``first`` is the place of the first of them in the window.
    """

    steps: Sequence[Step]
    first: int

    @property
    def bound(self) -> BoundStep:
        """What the steps have in common."""
        return self.steps[0].bound


class CompiledSteps:
    """Takes steps by compiled tables, once they pay.

    Parameters
    ----------
    windows : sequence of sequence of Step
        The steps of an epoch.
    delays : dict of BoundStep to float
        How many steps of a kind are taken call by call before tables are made; inf for no tables.
    team : Team or None
        The threads that take steps together.
    """

    def __init__(
        self,
        windows: Sequence[Sequence[Step]],
        delays: dict[BoundStep, float],
        team: Team | None,
    ) -> None:
        self._team = team
        self._n_steps = sum(map(len, windows))
        self._delays = delays
        self._call_by_call = NumPySteps()
        self._equal_steps = {id(steps): _equal_steps(steps) for steps in windows}
        self._programs: dict[Hashable, Program] = {}

    def take(self, steps: Sequence[Step], i: int, gathers: bool) -> None:
        """Take steps of a window: see :class:`NumPySteps`."""
        calls_alone = not warns_as_usual()
        for equal in self._equal_steps[id(steps)]:
            if self._delays[equal.bound] > 0 or calls_alone:
                self._call_by_call.take(equal.steps, i + equal.first, gathers)
                self._delays[equal.bound] -= len(equal.steps)
            else:
                self._take_compiled(equal, i + equal.first, gathers)

    def threads(self) -> AbstractContextManager[None]:
        """Return the context in which the steps of an epoch run."""
        # BLAS is held to one thread during the whole epoch, not only during the steps of a team:
        # after their last work, threads of BLAS wait actively and would take processors from it.
        if self._team is None:
            return nullcontext()
        has_tables = any(delay <= 0 for delay in self._delays.values())
        if has_tables and all(p.team for p in self._programs.values()):
            return self._team.one_thread
        return nullcontext()

    def _take_compiled(self, equal: EqualSteps, i: int, gathers: bool) -> None:
        bound, first = equal.bound, 0
        for averages, last in bound.averaging_runs(i, len(equal.steps)):
            self._program(equal, averages, gathers).run(bound.counters, first, last, i)
            first = last

    def _program(self, equal: EqualSteps, averages: bool, gathers: bool) -> Program:
        # All windows of an epoch have the same steps, except that the last one has fewer.
        key = id(equal.steps[0]), averages, gathers
        known = self._programs.get(key)
        if known is None or known.n_steps < len(equal.steps):
            known = self._programs[key] = self._make(equal, averages, gathers)
        return known

    def _make(self, equal: EqualSteps, averages: bool, gathers: bool) -> Program:
        bound, steps = equal.bound, equal.steps
        sections = [
            Section(bound.announce_calls, self._n_steps, of_epoch=True),
            Section(
                lambda t: [*(steps[t].gather_calls if gathers else ()), *steps[t].gradient_calls],
                len(steps),
            ),
            Section(lambda i: bound.update_calls(i, averages), self._n_steps, of_epoch=True),
        ]
        return Program(sections, len(steps), len(bound.counters), self._team)


def _equal_steps(steps: Sequence[Step]) -> list[EqualSteps]:
    places = split(steps, lambda before, step: step.follows(before))
    return [EqualSteps(steps[place], place.start) for place in places]


def runner(
    windows: Sequence[Sequence[Step]], ahead: Ahead, team: Team | None
) -> NumPySteps | CompiledSteps:
    """Return the runner that the environment variable selects, for the steps of an epoch.

    The threads of a team, if there is one, take compiled steps together.
    """
    chosen = way()
    if chosen is Way.NUMPY:
        return NumPySteps()
    kinds = Counter(step.bound for steps in windows for step in steps)
    # A step that threads share takes longer than making its tables. The bits of large products
    # depend on the way, which must not depend on how many steps follow.
    at_once = chosen is Way.COMPILED or isinstance(team, RowTeam)
    delays = {
        bound: 0 if at_once or bound.has_large_product else _delay(ahead, count)
        for bound, count in kinds.items()
    }
    return CompiledSteps(windows, delays, team)


def _delay(ahead: Ahead, count: int) -> float:
    """Return how many steps of a kind, `count` per epoch, are taken before tables are made."""
    if ahead.at_most * count < STEPS_WORTH_TABLES:
        return math.inf
    return 0 if ahead.at_least * count >= STEPS_BEFORE_TABLES else STEPS_BEFORE_TABLES
