"""A row of a table: one inner loop with its operands, as the C code reads it.

Its fields are written in the order of ``Row`` in ``_steps.c``; each is as wide as a pointer.
When the meaning of a field or of a loop in C changes, raise ``VERSION`` in both files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

#: Version of this layout; ``_steps.c`` has the same.
VERSION = 10

#: Loops of our own in ``_steps.c``; most exist for doubles, "_d", and floats, "_f".
_FOR_BOTH = ("uniform", "copy", "greater", "greater_equal", "less", "less_equal", "add_row")
_OF_CODES = ("look_up", "sum_by_code")
_UPDATES = ("adam", "sgd", "nesterov")
_OTHERS = ("outer", "sigmoid", "softmax")
LOOPS = {"gather", "gather_narrow", "gather_widen", "narrow", "widen", "product_f"} | {
    f"{name}_{dtype}" for name in (*_FOR_BOTH, *_UPDATES, *_OF_CODES, *_OTHERS) for dtype in "df"
}

#: Largest numbers of operands of a row, and of sizes and strides that a loop reads.
OPERANDS, DIMS, STEPS = 5, 4, 9

#: The first words of a row, by their names in ``_steps.c``.
HEAD = "loop data n_args group first last work axis waits outer outer".split()

#: Index of the word that tells whether threads wait for each other before they run the row.
WAITS = HEAD.index("waits")

#: Words that hold the addresses, and by how many bytes they move from step to step.
ADDRESSES = slice(len(HEAD), len(HEAD) + OPERANDS)
BY_STEP = slice(ADDRESSES.stop, ADDRESSES.stop + OPERANDS)

#: Indices of the first size and the first stride, and the number of words in a row.
AT_DIMS = BY_STEP.stop + 4 * OPERANDS
AT_STEPS = AT_DIMS + DIMS
WIDTH = AT_STEPS + STEPS

#: Number of words that the threads of a team share, and the indices of two of them.
TEAM_WORDS, N_THREADS, STOPPED = 64, 0, 48

#: Largest number of classes of a softmax in one loop: its exponentials are computed for at least
#: four rows at once.
MOST_CLASSES = 256

#: Number of elements from which it pays to divide a row among threads.
WORTH_DIVIDING = 4_096

#: From this many multiply-adds in a product on, a second thread pays off. (Measured on two cores:
#: 1,797 x 64 with 100 units in batches of 200, 1.3 million of them, takes twice as long with two
#: threads; 20,000 x 784 with 256 units in batches of 128, 26 million, a sixth less.) In float32, a
#: loop of our own computes such products.
LARGE_PRODUCT = 10_000_000

#: Addresses of an inner loop and of its data.
Loop = tuple[int, int]


@dataclass(slots=True)
class Row:
    """One inner loop with its operands, for all members that it concerns.

    Attributes
    ----------
    loop : tuple of int
    addresses : sequence of int
        Of each operand, in the first step and for member 0 of the stack.
    dims, steps : sequence of int
        The sizes, and the strides in bytes, that the loop reads.
    work : int
        Approximate cost for one member, in elements.
    by_member : sequence of int
        By how many bytes each operand moves from member to member.
    outer : sequence of (int, sequence of int)
        Up to two nested repetitions: how many, and by how many bytes each operand moves.
    axis : int or None
        Index of the size that threads may divide: each then computes a part. None if one thread
        has to do it all.
    by_part : sequence of int
        By how many bytes each operand moves along this axis.
    can_be_split : bool
        Whether it is elementwise, so that any part of the elements can be computed separately.
    written : sequence of int
        Indices of the operands that are written; most often the last one alone.
    owners : tuple of ndarray
        The array that owns the memory of each operand; they live as long as the row.
    members : tuple of int
        Those that it concerns: the first, and one past the last.
    by_step : sequence of int
        By how many bytes each operand moves from step to step.
    group : int
        How many rows, starting with this one, are run block by block; 0 if none are.
    """

    loop: Loop
    addresses: Sequence[int]
    dims: Sequence[int]
    steps: Sequence[int]
    work: int
    by_member: Sequence[int] = ()
    outer: Sequence[tuple[int, Sequence[int]]] = ()
    axis: int | None = None
    by_part: Sequence[int] = ()
    can_be_split: bool = False
    written: Sequence[int] = (-1,)
    owners: tuple[Any, ...] = ()
    members: tuple[int, int] = (0, 1)
    by_step: Sequence[int] = field(default=())
    group: int = 0

    @property
    def is_divided(self) -> bool:
        """Whether threads of a team share the work."""
        return self.axis is not None and self.work >= WORTH_DIVIDING

    def words(self) -> list[int]:
        """Return the row as the C code reads it."""
        repeated = [n for n, _ in self.outer]
        of_operands = [self.addresses, self.by_step, self.by_member, self.by_part]
        of_operands += [moves for _, moves in self.outer]
        words = [0] * WIDTH
        words[: len(HEAD)] = (
            *self.loop,
            len(self.addresses),
            self.group,
            *self.members,
            self.work,
            self.axis if self.axis is not None and self.is_divided else -1,
            True,
            *repeated,
            *[1] * (2 - len(repeated)),
        )
        place = len(HEAD)
        for values in of_operands:
            words[place : place + len(values)] = values
            place += OPERANDS
        words[AT_DIMS : AT_DIMS + len(self.dims)] = self.dims
        words[AT_STEPS : AT_STEPS + len(self.steps)] = self.steps
        return words
