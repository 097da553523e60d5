"""Which rows are mistakes of one response unit, found block by block.

Rosenblatt's rule visits one row after the other. A row that is answered wrongly is a mistake, and
changes the weights w that the next row meets: it adds s_i x_i, where s_i is the right answer, 1 or
-1, times the row's step. Row i is a mistake if s_i x_i w is not positive.

The code keeps the negated rows r_i = -s_i x_i, (B, A). A mistake subtracts r_i from w, and row i is
a mistake if its *opposed margin* r_i w is not negative. For a block of B rows that starts with
the weights w,

    opposed_i = r_i w - sum over mistakes j < i of r_j r_i.

One matrix product gives all r_i w, (B,), and another all r_j r_i, (B, B). What is left is to find
out which rows are mistakes. Row 0 depends on no other row, row 1 on row 0 alone, and so on. So the
solver guesses all mistakes, computes all opposed margins from them, reads off new mistakes, and
repeats this until nothing changes. Each such sweep makes at least one more row right for good,
usually all but a few.

Here N is the number of rows, B that of a block, A that of features.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ..engine.arrays import Booleans, Call, Floats

#: Rows of a block (B). Per row, inner products take time in proportion to B, calls to 1 / B.
BLOCK = 64

#: Up to so many rows, visiting them one by one is faster than a block.
FEW_ROWS = 12

#: A margin this much smaller than the largest of its block may be nothing but rounding.
DOUBTFUL = 1e-11

#: -1 above the diagonal, 0 elsewhere, (B, B): only earlier rows change the margins of later ones.
FROM_LATER = -np.triu(np.ones((BLOCK, BLOCK)), k=1)

ONE = np.ones(())


class ErrorBlocks:
    """A :class:`.Solver` for windows of dense rows, by blocks that hand the weights on.

    Let R be a block's rows, (B, A), and e flag its mistakes with 1, (B,). The weights for the next
    block are w - e R. One product computes their negative: [e, -1] @ [R; w] = -(w - e R). So
    blocks take turns: the second, fourth, ... hold negated rows and negated weights. They have the
    same margins, and the sign costs no extra pass over the weights.

    Parameters
    ----------
    shape : tuple (N, A)
        Of the features of the largest window.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.capacity, n_features = shape
        n_blocks = _n_blocks(self.capacity)
        # Behind a block's rows stand the weights that they meet; the last place is for those
        # after all blocks.
        self._rows = np.zeros((n_blocks + 1, BLOCK + 1, n_features))
        # (B + 1, B) for each block: in row 0 the opposed margins before any correction, below
        # them the inner products, (earlier, later), times FROM_LATER.
        self._systems = np.zeros((n_blocks, BLOCK + 1, BLOCK))
        # (B + 2) for each block: 1, e, -1. The first B + 1 multiply a system, the last B + 1
        # multiply the rows and weights.
        self._flags = np.zeros((n_blocks, BLOCK + 2))
        self._flags[:, 0], self._flags[:, -1] = 1, -1
        # Opposed margins after all corrections.
        self._settled = np.zeros((n_blocks, BLOCK))
        blocks = zip(self._systems, self._flags, self._settled, strict=True)
        self._steps = [
            (self._enter(b), system[0], flags[1:-1], flags[:-1], system, settled, self._leave(b))
            for b, (system, flags, settled) in enumerate(blocks)
        ]

    def room(self, shape: tuple[int, int]) -> Floats:
        """Return an array for features: see :class:`.Solver`."""
        return np.empty(shape)

    def answer(self, features: Floats, amounts: Floats, weight: Floats) -> tuple[Booleans, Floats]:
        """Present rows to a unit: see :class:`.Solver`."""
        self._features, self._amounts, self._n_blocks = features, amounts, _n_blocks(len(amounts))
        if len(amounts) <= FEW_ROWS:
            weight = self._walk(weight, 0)
            return self._wrong(0, 1), weight
        self._fill()
        self._meet(0, weight)
        exact, first, stop = 0, 0, self._n_blocks
        while first < self._n_blocks:
            self._solve(first, stop)
            doubtful = self._first_doubtful(first, stop)
            if doubtful is None or self._is_exact(weight):
                first, stop = stop, stop + 2 * (stop - first)
            else:
                weight = self._corrected(weight, exact, doubtful)
                weight = self._walk(weight, doubtful)
                exact, first, stop = doubtful + 1, doubtful + 1, doubtful + 2
                self._meet(first, weight)
            stop = min(stop, self._n_blocks)
        weight = self._corrected(weight, exact, self._n_blocks)
        return self._wrong(0, self._n_blocks), weight

    def _fill(self) -> None:
        """Compute what does not depend on weights."""
        factors = _by_block(-self._amounts, np.ones)
        self._sizes = np.abs(factors)
        factors[1::2] *= -1
        rows, products = self._rows[: self._n_blocks, :-1], self._systems[: self._n_blocks, 1:]
        features = _by_block(self._features, np.zeros)
        np.multiply(features, factors[..., np.newaxis], out=rows)
        np.matmul(rows, rows.transpose(0, 2, 1), out=products)
        products *= FROM_LATER

    def _wrong(self, first: int, stop: int) -> Booleans:
        """Return which rows of these blocks are mistakes."""
        n_rows = len(self._amounts) - first * BLOCK
        return self._flags[first:stop, 1:-1].ravel()[:n_rows] > 0

    def _solve(self, first: int, stop: int) -> None:
        """Find the mistakes in these blocks. What fills the last one up is zeros."""
        dot, step = np.dot, np.heaviside
        for enter, opposed, wrong, known, system, settled, leave in self._steps[first:stop]:
            enter()
            step(opposed, ONE, wrong)
            before, now = b"", wrong.tobytes()
            while now != before:
                dot(known, system, settled)
                step(settled, ONE, wrong)
                before, now = now, wrong.tobytes()
            leave()

    def _enter(self, block: int) -> Call:
        """Return what computes a block's opposed margins before its corrections."""
        rows = self._rows[block]
        return partial(np.dot, rows[:-1], rows[-1], self._systems[block, 0])

    def _leave(self, block: int) -> Call:
        """Return what hands the weights on."""
        flags, rows = self._flags[block, 1:], self._rows
        return partial(np.dot, flags, rows[block], rows[block + 1, -1])

    def _meet(self, block: int, weight: Floats) -> None:
        """Let a block's rows meet these weights."""
        np.multiply(weight, -1 if block % 2 else 1, out=self._rows[block, -1])

    def _first_doubtful(self, first: int, stop: int) -> int | None:
        """Return the first block in which rounding may have decided a row."""
        margins = np.abs(self._settled[first:stop]) / self._sizes[first:stop]
        largest = margins.max(axis=1)
        margins.reshape(-1)[len(self._amounts) - first * BLOCK :] = np.inf
        doubtful = margins.min(axis=1) <= DOUBTFUL * largest
        return first + int(doubtful.argmax()) if doubtful.any() else None

    def _is_exact(self, weight: Floats) -> bool:
        """Tell whether sums do not round: those of integers."""
        return all((a == np.rint(a)).all() for a in (self._amounts, weight, self._features))

    def _corrected(self, weight: Floats, first: int, stop: int) -> Floats:
        """Add the corrections of these blocks in the order in which they were made."""
        mistakes = np.flatnonzero(self._wrong(first, stop)) + first * BLOCK
        terms = np.empty((len(mistakes) + 1, len(weight)))
        terms[0] = weight
        np.take(self._features, mistakes, axis=0, out=terms[1:], mode="clip")
        terms[1:] *= self._amounts[mistakes, np.newaxis]
        # Reducing over the first axis adds row after row.
        return np.add.reduce(terms, axis=0)

    def _walk(self, weight: Floats, block: int) -> Floats:
        """Answer a block row by row, adding up in the order of the features."""
        rows = slice(block * BLOCK, (block + 1) * BLOCK)
        weight = weight.copy()
        answers = zip(self._features[rows], self._amounts[rows], strict=True)
        for i, (row, amount) in enumerate(answers, start=1):
            score = np.add.accumulate(weight * row)[-1]
            wrong = score <= 0 if amount > 0 else score >= 0
            self._flags[block, i] = wrong
            if wrong:
                weight += amount * row
        return weight


def _n_blocks(n_rows: int) -> int:
    return -(-n_rows // BLOCK)


def _by_block(numbers: Floats, fill: Callable[[tuple[int, ...]], Floats]) -> Floats:
    """Return what belongs to rows, the first axis, as (blocks, B, ...); a copy if it must grow."""
    n_rows, *others = numbers.shape
    n_blocks = _n_blocks(n_rows)
    if n_rows < n_blocks * BLOCK:
        numbers = np.concatenate([numbers, fill((n_blocks * BLOCK - n_rows, *others))])
    return numbers.reshape(n_blocks, BLOCK, *others)
