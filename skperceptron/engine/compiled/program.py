"""Programs: many similar steps, as tables that compiled code runs and calls left to Python.

A program is made from the lists of calls of the first, the second and the last step. They may
differ in operands only, which must move equally far in every step; this is checked. A program
keeps every array alive whose address its tables hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import BuiltinMethodType, MethodType
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Call, Integers
from ..calls import OfMembers
from .encoding import Rows, encode
from .extension import steps as extension
from .layout import ADDRESSES, BY_STEP, WAITS, WIDTH, Row
from .team import MemberTeam, Team

#: Elements above which neighboring rows are run block by block: BLOCK of ``_steps.c``.
BLOCK = 1_024

#: Types of arguments, other than arrays, for which equality means that two calls are the same.
COMPARED = (int, float, str, tuple, np.generic, MethodType, BuiltinMethodType)

#: Takes the number of a step, returns its calls; those of two steps differ in operands only.
Listing = Callable[[int], Sequence[Call]]


class Table:
    """Rows that compiled code runs, one member after another.

    ``of_epoch`` says which rows count steps from the start of the epoch, not of the window.
    """

    def __init__(self, rows: Sequence[Row], of_epoch: Sequence[bool]) -> None:
        blockwise = _in_blocks(rows, of_epoch)
        words = [row.words() for row in blockwise]
        self._words = np.array(words, dtype=np.intp).reshape(-1, WIDTH)
        self._words[_done_alone(blockwise), WAITS] = False
        # They keep the arrays alive that they use.
        self._rows = rows
        self._by_epoch = self._words[:, BY_STEP] * np.array(of_epoch)[:, np.newaxis]
        self._start = 0
        self._work = sum(row.work * (row.members[1] - row.members[0]) for row in rows)

    def admits(self, team: Team) -> bool:
        """Tell whether the threads of a team may run it together."""
        return not isinstance(team, MemberTeam) or _are_separate(self._rows)

    def run(
        self, taken: Integers, first: int, last: int, start: int, team: Team | None = None
    ) -> None:
        """Take the steps ``first`` to ``last - 1`` of a window: see :class:`Program`."""
        if start != self._start:
            self._words[:, ADDRESSES] += (start - self._start) * self._by_epoch
            self._start = start
        work = self._work * (last - first)
        if team is None or work < team.least_work:
            extension.run(self._words, taken, first, last)
        else:
            team.run(self._words, taken, first, last, work)


class PythonCall:
    """A call that is left to Python, with one callable per step.

    ``of_epoch`` says that they belong to the steps of an epoch, not of a window.
    """

    def __init__(self, calls: Sequence[Call], of_epoch: bool) -> None:
        self._calls = calls
        self._of_epoch = of_epoch

    def run(self, taken: Integers, first: int, last: int, start: int) -> None:
        """Take the steps ``first`` to ``last - 1`` of a window: see :class:`Program`."""
        offset = start if self._of_epoch else 0
        for call in self._calls[first + offset : last + offset]:
            call()


@dataclass(frozen=True)
class Section:
    """Some consecutive calls of each step.

    ``listing`` maps the number of a step, below ``n_steps``, to the list of its calls. With
    ``of_epoch``, steps are counted from the start of an epoch, not of a window.
    """

    listing: Listing
    n_steps: int
    of_epoch: bool = False


class Program:
    """Similar steps of some members of a stack.

    Parameters
    ----------
    sections : sequence of Section
        The calls of a step, in order.
    n_steps : int
        Largest number of steps in a window.
    n_members : int
        How many members take these steps (K).
    team : Team, default=None
        The threads that take the steps together, unless calls are left to Python; None is the
        calling thread alone.

    Attributes
    ----------
    n_python_calls : int
        How many calls of a step are left to Python.
    team : Team or None
        The threads that do take the steps together, if any.
    """

    def __init__(
        self,
        sections: Sequence[Section],
        n_steps: int,
        n_members: int,
        team: Team | None = None,
    ) -> None:
        self.n_steps = n_steps
        encoder = _Encoder(n_members)
        found = [
            (one, section.of_epoch) for section in sections for one in encoder.encoded(section)
        ]
        self._parts = _joined(found)
        self.n_python_calls = sum(isinstance(part, PythonCall) for part in self._parts)
        self._uncounted = np.zeros(n_members, np.intp)
        self._whole = self._parts[0] if len(self._parts) == 1 else None
        may_share = team is not None and isinstance(self._whole, Table) and self._whole.admits(team)
        self.team = team if may_share else None

    def run(self, taken: Integers, first: int, last: int, start: int) -> None:
        """Take the steps ``first`` to ``last - 1`` of a window.

        ``taken``, (K,), counts the steps of each member; the window begins at step ``start`` of the
        epoch.
        """
        if isinstance(self._whole, Table):
            self._whole.run(taken, first, last, start, self.team)
            return
        for step in range(first, last):
            for part in self._parts:
                part.run(self._uncounted, step, step + 1, start)
            taken += 1


def _joined(found: Sequence[tuple[list[Row] | PythonCall, bool]]) -> list[Table | PythonCall]:
    """Join the rows of consecutive calls in tables; flags tell whether they are of an epoch."""
    parts: list[Table | PythonCall] = []
    rows: list[tuple[Row, bool]] = []

    def close() -> None:
        if rows:
            parts.append(Table(*map(list, zip(*rows, strict=True))))
            rows.clear()

    for one, of_epoch in found:
        if isinstance(one, PythonCall):
            close()
            parts.append(one)
        else:
            rows.extend((row, of_epoch) for row in one)
    close()
    return parts


class _Encoder:
    """Encodes the calls of some members; a call that occurs again is encoded once."""

    def __init__(self, n_members: int) -> None:
        self._n_members = n_members
        self._known: dict[int, tuple[Rows, Call]] = {}
        self._constants: dict[Any, Any] = {}

    def encoded(self, section: Section) -> list[list[Row] | PythonCall]:
        """Return the rows of each call of a step; a call that has none is left to Python."""
        listing, n_steps = section.listing, section.n_steps
        listed = [listing(t) for t in sorted({0, min(1, n_steps - 1), n_steps - 1})]
        found: list[list[Row] | PythonCall] = []
        others: list[Sequence[Call]] | None = None
        for place, calls in enumerate(zip(*listed, strict=True)):
            rows = self._moving(calls, n_steps)
            if rows is not None:
                found.append(rows)
                continue
            others = others or [listing(t) for t in range(n_steps)]
            found.append(PythonCall([of_step[place] for of_step in others], section.of_epoch))
        return found

    def _rows_of(self, call: Call) -> Rows:
        if id(call) not in self._known:
            # The call is kept alive: otherwise, a later one might get its id.
            self._known[id(call)] = self._encoded(call), call
        return self._known[id(call)][0]

    def _encoded(self, call: Call) -> Rows:
        first, last = 0, self._n_members
        if isinstance(call, OfMembers):
            first, last = call.members
        try:
            rows = encode(call, last - first, self._constants)
        except (AttributeError, LookupError, TypeError, ValueError):
            # No check expects these operands: they are left to NumPy or Python.
            return None
        if rows is None:
            return None
        for row in rows:
            row.members = first, last
            if first and row.by_member:
                # A row holds the addresses of member 0 of the stack.
                moves = zip(row.addresses, row.by_member, strict=True)
                row.addresses = [address - first * move for address, move in moves]
        return rows

    def _moving(self, calls: Sequence[Call], n_steps: int) -> Rows:
        """Return rows for a call, given its forms in the first, the second and the last step."""
        rows = self._rows_of(calls[0])
        if rows is None or all(call is calls[0] for call in calls):
            return rows
        moves = _moves([_operands_of(call) for call in calls], n_steps)
        if moves is None:
            return None
        if not any(moves.values()):
            return rows
        return [
            replace(row, by_step=[moves.get(id(owner), 0) for owner in row.owners]) for row in rows
        ]


def _operands_of(call: Any) -> list[Any]:
    """Return the function, the members and all operands of a bound call."""
    bound = getattr(call, "table_form", call)
    if not isinstance(bound, partial):
        return []
    found = [bound.func, getattr(call, "members", None)]
    for x in (*bound.args, *bound.keywords.values()):
        found += x if isinstance(x, list | tuple) else [x]
    return found


def _moves(operands: Sequence[Sequence[Any]], n_steps: int) -> dict[int, int] | None:
    """Return by how many bytes operands move from step to step, by the id of their memory's owner.

    The operands are those of the first, the second and the last step. None if calls differ in
    anything else, or if parts of one array move by different distances: they might then overlap in
    one step but not in another.
    """
    if len(set(map(len, operands))) > 1:
        return None
    found: dict[int, int] = {}
    for first, second, last in zip(operands[0], operands[1], operands[-1], strict=True):
        if not isinstance(first, np.ndarray):
            if _is_same(first, second) and _is_same(first, last):
                continue
            return None
        move = extension.distance(first, second)
        if move is None or extension.distance(first, last) != move * (n_steps - 1):
            return None
        if found.setdefault(id(extension.owner_of(first)), move) != move:
            return None
    return found


def _is_same(x: Any, y: Any) -> bool:
    return x is y or (isinstance(x, COMPARED) and type(x) is type(y) and bool(x == y))


class Operand(NamedTuple):
    """Where an operand lies: in whose memory, and where the first number of the first member does.

    From number to number, step to step and member to member, it moves by the given bytes.
    """

    owner: int
    address: int
    stride: int
    by_step: int
    by_member: int


def _in_blocks(rows: Sequence[Row], of_epoch: Sequence[bool]) -> Sequence[Row]:
    """Group consecutive rows over the same elements, to be run block by block."""
    found: list[Row] = []
    vectors = [_memory_of(row) if _is_long(row) else [] for row in rows]
    if not any(vectors):
        return rows
    i = 0
    while i < len(rows):
        j = i + 1
        while (
            j < len(rows)
            and _run_along(rows[i], rows[j])
            and of_epoch[i] == of_epoch[j]
            and all(_may_alternate(rows[k], vectors[k], rows[j], vectors[j]) for k in range(i, j))
        ):
            j += 1
        group = list(rows[i:j])
        if len(group) > 1:
            group[0] = replace(group[0], group=j - i, work=sum(row.work for row in group))
        found += group
        i = j
    return found


def _done_alone(rows: Sequence[Row]) -> list[int]:
    """Return the indices of undivided rows after undivided ones: threads need not wait there."""
    found = []
    is_alone = False
    i = 0
    while i < len(rows):
        if is_alone and not rows[i].is_divided:
            found.append(i)
        is_alone = not rows[i].is_divided
        i += rows[i].group or 1
    return found


def _are_separate(rows: Sequence[Row]) -> bool:
    """Tell whether there are several members, which may run at the same time.

    No member reads what another one has computed, since all steps of one come before those of the
    next. But members may share memory for intermediate results, or a generator of random numbers.
    """
    n_members = max(row.members[1] for row in rows)
    users: dict[int, tuple[int, int]] = {}

    def has_other_users(resource: int, row: Row) -> bool:
        # Rows for all members use the part of each.
        return (
            row.members != (0, n_members) and users.setdefault(resource, row.members) != row.members
        )

    for row in rows:
        first, last = row.members
        moves = row.by_member or (0,) * len(row.addresses)
        if last - first > 1 and not all(moves[i] for i in row.written):
            return False
        if any(has_other_users(row.addresses[i] + first * moves[i], row) for i in row.written):
            return False
        generators = [owner for owner in row.owners if not isinstance(owner, np.ndarray)]
        if any(has_other_users(id(generator), row) for generator in generators):
            return False
    return n_members > 1


def _is_long(row: Row) -> bool:
    """Tell whether a row is elementwise, with more elements than BLOCK."""
    return row.can_be_split and row.dims[0] > BLOCK


def _run_along(row: Row, later: Row) -> bool:
    """Tell whether two rows are long, with the same members and length."""
    if not (_is_long(row) and _is_long(later)):
        return False
    return row.dims[0] == later.dims[0] and row.members == later.members


def _may_alternate(
    row: Row, first: Sequence[Operand], later: Row, second: Sequence[Operand]
) -> bool:
    """Tell whether two rows, with these operands, may take turns block by block."""
    # What one row writes, the other must use at the same elements or not at all.
    length = row.dims[0]
    return all(_meet_evenly(first[w], x, length) for w in row.written for x in second) and all(
        _meet_evenly(second[w], x, length) for w in later.written for x in first
    )


def _memory_of(row: Row) -> list[Operand]:
    """Return where the operands of a row lie, and how they move."""
    nothing = [0] * len(row.addresses)
    moves = row.by_step or nothing, row.by_member or nothing
    owners = [id(owner) for owner in row.owners]
    fields = zip(owners, row.addresses, row.steps, *moves, strict=True)
    return [Operand(*of_operand) for of_operand in fields]


def _meet_evenly(x: Operand, y: Operand, length: int) -> bool:
    """Tell whether two operands always have the same numbers, in the same order, or none."""
    if x == y or x.owner != y.owner:
        return True
    if (x.by_step, x.by_member) != (y.by_step, y.by_member):
        return False
    # Both hold numbers of at most 8 bytes.
    end_of_x = x.address + (length - 1) * x.stride + 8
    end_of_y = y.address + (length - 1) * y.stride + 8
    return end_of_x <= y.address or end_of_y <= x.address
