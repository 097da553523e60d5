"""Which rows of a window are mistakes of one response unit, block by block.

A correction adds s_i x_i to the weights w, where s_i is the row's sign times its step. Rows are
kept opposed, r_i = -s_i x_i: row i is a mistake where its opposed margin r_i w is not negative.
Within a block

    opposed_i = r_i w - sum over mistakes j < i of r_j r_i,

of which one product gives all ``r_i w`` and another all ``r_j r_i``. Which rows are mistakes is
then the fixed point of a strictly triangular system: each sweep settles at least one more
row, usually all but a few.

Here N is the number of rows, B that of a block, A that of features.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

from .arrays import Booleans, Call, Floats

#: Rows of a block. The inner products cost B, the calls cost 1 / B per row.
BLOCK = 32

#: A margin this much smaller than the largest of its block may be nothing but rounding.
DOUBTFUL = 1e-11

#: Takes from the inner products those of later rows with earlier ones, (earlier, later).
LATER = -np.triu(np.ones((BLOCK, BLOCK)), k=1)

ONE = np.ones(())


class ErrorBlocks(ABC):
    """Rows that a unit sees, in blocks: `fill`, `begin`, `solve`, then ask.

    Parameters
    ----------
    capacity : int
        Largest number of rows.

    Attributes
    ----------
    n_blocks : int
        Filled ones. The last is filled up with rows of zeros.
    """

    n_blocks = 0

    def __init__(self, capacity: int) -> None:
        n_blocks = _n_blocks(capacity)
        self.capacity = capacity
        # First the opposed margins before any correction, then LATER's inner products.
        self._systems = np.zeros((n_blocks, BLOCK + 1, BLOCK))
        # 1 at a mistake, else 0, between what multiplies the opposed margins and the weights.
        self._flags = np.zeros((n_blocks, BLOCK + 2))
        self._flags[:, 0], self._flags[:, -1] = 1, -1
        # Opposed margins after all corrections.
        self._settled = np.zeros((n_blocks, BLOCK))
        self._steps = [
            (self._enter(b), system[0], flags[1:-1], flags[:-1], system, settled, self._leave(b))
            for b, (system, flags, settled) in enumerate(
                zip(self._systems, self._flags, self._settled, strict=True)
            )
        ]

    @abstractmethod
    def _enter(self, block: int) -> Call:
        """Return what computes the block's opposed margins before its corrections."""

    @abstractmethod
    def _leave(self, block: int) -> Call:
        """Return what passes its corrections on."""

    @abstractmethod
    def fill(self, features: Any, amounts: Floats) -> None:
        """Take rows, (N, A), and the s_i, (N,); compute what does not depend on weights."""

    @abstractmethod
    def begin(self, block: int, weight: Floats) -> None:
        """Let a block's rows meet these weights, (A,)."""

    @abstractmethod
    def corrected(self, first: int, stop: int) -> Floats:
        """Return the weights that block `first` began with, corrected up to block `stop`."""

    @abstractmethod
    def first_doubtful(self, first: int, stop: int) -> int | None:
        """Return the first block of which rounding may have decided a row."""

    def solve(self, first: int, stop: int) -> None:
        """Find the mistakes in these blocks."""
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

    def note(self, block: int, wrong: Booleans) -> None:
        """Take over which rows of a block are mistakes."""
        self._flags[block, 1 : 1 + len(wrong)] = wrong

    def wrong(self) -> Booleans:
        """Return which rows are mistakes, (N,)."""
        return self._wrong(0, self.n_blocks).ravel()[: self._n_rows] > 0

    def _wrong(self, first: int, stop: int) -> Floats:
        return self._flags[first:stop, 1:-1]


class DenseErrorBlocks(ErrorBlocks):
    """Blocks that hand their weights on.

    A mistake subtracts its row: [e, 1] @ [-R; w] would be one product for all, but R is
    stored, not -R. So every other block has both rows and weights negated: [e, -1] @ [R; w]
    is minus the corrected weights, as the next block needs them.
    """

    def __init__(self, capacity: int, n_features: int) -> None:
        # Behind a block's rows stand the weights that they meet; the last place is for those
        # after all blocks.
        self._rows = np.zeros((_n_blocks(capacity) + 1, BLOCK + 1, n_features))
        super().__init__(capacity)

    def _enter(self, block: int) -> Call:
        rows = self._rows[block]
        return partial(np.dot, rows[:-1], rows[-1], self._systems[block, 0])

    def _leave(self, block: int) -> Call:
        flags = self._flags[block, 1:]
        return partial(np.dot, flags, self._rows[block], self._rows[block + 1, -1])

    def fill(self, features: Floats, amounts: Floats) -> None:
        self._n_rows = n_rows = len(features)
        whole = n_rows // BLOCK
        self.n_blocks = n = _n_blocks(n_rows)
        self._sizes = _padded(np.abs(amounts), 1.0)
        factors = _padded(-amounts, 0.0)
        factors[1::2] *= -1
        blocks = features[: whole * BLOCK].reshape(whole, BLOCK, features.shape[1])
        np.multiply(blocks, factors[:whole, :, np.newaxis], out=self._rows[:whole, :-1])
        if n > whole:
            rest = n_rows - whole * BLOCK
            last = self._rows[whole]
            np.multiply(features[-rest:], factors[whole, :rest, np.newaxis], out=last[:rest])
            last[rest:] = 0
        rows, products = self._rows[:n, :-1], self._systems[:n, 1:]
        np.matmul(rows, rows.transpose(0, 2, 1), out=products)
        products *= LATER

    def begin(self, block: int, weight: Floats) -> None:
        np.multiply(weight, _parity(block), out=self._rows[block, -1])

    def corrected(self, first: int, stop: int) -> Floats:
        # SciPy adds up a row's terms in the order in which they stand.
        block, row = np.nonzero(self._wrong(first, stop))
        block += first
        places = np.append(first * (BLOCK + 1) + BLOCK, block * (BLOCK + 1) + row)
        factors = np.append(_parity(first), -_parity(block))
        rows = self._rows.reshape(-1, self._rows.shape[-1])
        chosen = sparse.csr_array((factors, places, [0, len(places)]), shape=(1, len(rows)))
        return (chosen @ rows)[0]

    def first_doubtful(self, first: int, stop: int) -> int | None:
        margins = np.abs(self._settled[first:stop]) / self._sizes[first:stop]
        largest = margins.max(axis=1)
        # Zeros that fill the last block up.
        margins.reshape(-1)[self._n_rows - first * BLOCK :] = np.inf
        doubtful = margins.min(axis=1) <= DOUBTFUL * largest
        return first + int(doubtful.argmax()) if doubtful.any() else None


class SparseErrorBlocks(ErrorBlocks):
    """Blocks that keep the inner products with all earlier rows of the window.

    Sparse rows are cheap to multiply with each other, and dear to take apart and to add to weights.
    """

    def __init__(self, capacity: int) -> None:
        size = _n_blocks(capacity) * BLOCK
        # As in `_systems`, for the window as one block.
        self._window = np.zeros((size + 1, size))
        self._window_flags = np.zeros(size + 1)
        self._window_flags[0] = 1
        super().__init__(capacity)

    def _enter(self, block: int) -> Call:
        earlier, here = slice(1 + block * BLOCK), slice(block * BLOCK, (block + 1) * BLOCK)
        flags, window = self._window_flags[earlier], self._window[earlier, here]
        return partial(np.dot, flags, window, self._systems[block, 0])

    def _leave(self, block: int) -> Call:
        place = self._window_flags[1 + block * BLOCK :][:BLOCK]
        return partial(np.copyto, place, self._flags[block, 1:-1])

    def fill(self, features: sparse.csr_array, amounts: Floats) -> None:
        self._n_rows = n_rows = len(amounts)
        self.n_blocks = _n_blocks(n_rows)
        self._opposed = sparse.csr_array(sparse.diags_array(-amounts) @ features)
        products = self._window[1:]
        products.fill(0)
        inner = (self._opposed @ self._opposed.T).toarray()
        np.negative(np.triu(inner, k=1), out=products[:n_rows, :n_rows])
        n = len(self._systems)
        every = np.arange(n)
        self._systems[:, 1:] = products.reshape(n, BLOCK, n, BLOCK)[every, :, every]

    def begin(self, block: int, weight: Floats) -> None:
        assert block == 0
        self._weight = weight
        self._window[0] = 0
        self._window[0, : self._n_rows] = self._opposed @ weight

    def corrected(self, first: int, stop: int) -> Floats:
        wrong = self._wrong(first, stop).ravel()[: self._n_rows]
        return self._weight - self._opposed.T @ wrong

    def first_doubtful(self, first: int, stop: int) -> int | None:
        return None


def _n_blocks(n_rows: int) -> int:
    return -(-n_rows // BLOCK)


def _padded(numbers: Floats, filling: float) -> Floats:
    """Return numbers of rows as (blocks, B)."""
    padded = np.full((_n_blocks(len(numbers)), BLOCK), filling)
    padded.reshape(-1)[: len(numbers)] = numbers
    return padded


def _parity(block: Any) -> Any:
    """Return 1 for an even, -1 for an odd block."""
    return 1 - block % 2 * 2
