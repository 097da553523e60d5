"""The inputs of a network: several classes with one small protocol.

Every batch has a holder that stays the same while its content changes from step to step: an
array that is overwritten (:class:`DenseInput`), rows of the caller's array that are not copied
(:class:`BorrowedRows`), or CSR matrices (:class:`SparseBatch`). A block says in ``accepts`` which
kinds it can read. Values inside a network are held in the same way, as ``DenseInput`` or, after a
sparse input, as ``SparseBatch``.

Shapes: K members, B rows of a batch, D inputs, H units.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Protocol

import numpy as np
from scipy import sparse

from ..kept import kept_as
from .arrays import Call, Floats
from .calls import product

#: Placeholder before the first batch: making a matrix takes a third of a small prediction's time.
NOTHING = sparse.csr_array((0, 0))

#: What borrowed rows are between two predictions.
NO_ROWS = np.empty((0, 0))

#: For each member, the generator of dropout masks (None: no dropout) and the dropout rate.
Noise = Sequence[tuple[np.random.Generator | None, float]]


@kept_as("input")
@dataclass(frozen=True)
class NetworkInput:
    """One of the inputs that a network declares: its name, and its number of columns."""

    name: str
    width: int


class Input(Protocol):
    """The methods that a block may call of an input."""

    kind: ClassVar[str]

    def put(self, rows: Any, dtype: np.dtype) -> None:
        """Store these rows, (B, D), as the batch of the only member."""

    def product(self, weight: Floats, out: Floats) -> Call:
        """Bind ``out = x @ weight``, (K, B, H)."""

    def transposed_product(self, delta: Floats, out: Floats) -> Call:
        """Bind ``out = x.T @ delta``, (K, D, H)."""

    def scaled(self, factor: Floats, out: Any) -> Call:
        """Bind ``out = x * factor``, with a factor of (K, 1, D); ``out`` is an input, too."""

    def column_products(self, grad: Floats, room: Floats, out: Floats) -> Iterable[Call]:
        """Bind ``out[j] = sum_i x[i, j] * grad[i, j]``, (K, 1, D); `room` is as `grad`."""


class DenseInput:
    """An array, (K, B, D), that is overwritten at every step."""

    kind: ClassVar[str] = "dense"

    def __init__(self, array: Floats) -> None:
        self.array = array

    def put(self, rows: Any, dtype: np.dtype) -> None:
        self.array[0] = rows

    def product(self, weight: Floats, out: Floats) -> Call:
        return product(self.array, weight, out)

    def transposed_product(self, delta: Floats, out: Floats) -> Call:
        return product(self.array.swapaxes(1, 2), delta, out)

    def scaled(self, factor: Floats, out: DenseInput) -> Call:
        return partial(np.multiply, self.array, factor, out.array)

    def column_products(self, grad: Floats, room: Floats, out: Floats) -> Iterable[Call]:
        yield partial(np.multiply, self.array, grad, room)
        yield partial(np.add.reduce, room, 1, None, out, True)


class BorrowedRows:
    """Rows, (B, D), of a dense array that are read without a copy, for predictions of one member.

    They are in the dtype of the arithmetic.
    """

    kind: ClassVar[str] = "borrowed"
    rows: Floats

    def put(self, rows: Any, dtype: np.dtype) -> None:
        self.rows = rows

    def let_go(self) -> None:
        """Drop the reference to the array, so that it can be freed."""
        self.rows = NO_ROWS

    def product(self, weight: Floats, out: Floats) -> Call:
        return partial(self._multiply, weight[0], out[0])

    def _multiply(self, weight: Floats, out: Floats) -> None:
        np.dot(self.rows, weight, out)

    def transposed_product(self, delta: Floats, out: Floats) -> Call:
        raise TypeError("borrowed rows are for predictions: no gradient is computed from them.")

    def scaled(self, factor: Floats, out: DenseInput) -> Call:
        return partial(self._scale, factor[0], out.array[0])

    def _scale(self, factor: Floats, out: Floats) -> None:
        np.multiply(self.rows, factor, out)

    def column_products(self, grad: Floats, room: Floats, out: Floats) -> Iterable[Call]:
        raise TypeError("borrowed rows are for predictions: no gradient is computed from them.")


class SparseBatch:
    """CSR matrices, (B, D), one for each of K members; how many entries they have changes.

    Members that see the same rows may share one matrix.
    """

    kind: ClassVar[str] = "sparse"

    def __init__(self, n_members: int) -> None:
        self.matrices: list[sparse.csr_array] = [NOTHING] * n_members

    def put(self, rows: Any, dtype: np.dtype) -> None:
        self.matrices = [rows.astype(dtype, copy=False)]

    def product(self, weight: Floats, out: Floats) -> Call:
        return partial(self._multiply, weight, out)

    def _multiply(self, weight: Floats, out: Floats) -> None:
        for matrix, w, z in zip(self.matrices, weight, out, strict=True):
            z[:] = matrix @ w

    def transposed_product(self, delta: Floats, out: Floats) -> Call:
        return partial(self._multiply_transposed, delta, out)

    def _multiply_transposed(self, delta: Floats, out: Floats) -> None:
        for matrix, d, gradient in zip(self.matrices, delta, out, strict=True):
            gradient[:] = matrix.T @ d

    def scaled(self, factor: Floats, out: SparseBatch) -> Call:
        return partial(self._scale, factor, out)

    def _scale(self, factor: Floats, out: SparseBatch) -> None:
        for k, matrix in enumerate(self.matrices):
            out.matrices[k] = _with_entries(matrix, matrix.data * factor[k, 0, matrix.indices])

    def column_products(self, grad: Floats, room: Floats, out: Floats) -> Iterable[Call]:
        yield partial(self._multiply_columns, grad, out)

    def _multiply_columns(self, grad: Floats, out: Floats) -> None:
        for matrix, g, total in zip(self.matrices, grad, out, strict=True):
            total[0] = matrix.multiply(g).sum(axis=0)

    def drop_entries(self, noise: Noise, out: SparseBatch) -> None:
        """Drop stored entries at random: the others are zero with and without dropout."""
        for k, (matrix, (generator, rate)) in enumerate(zip(self.matrices, noise, strict=True)):
            if generator is not None and rate:
                keep = generator.random(len(matrix.data), dtype=np.float32) >= rate
                scaled = matrix.data * keep * matrix.dtype.type(1 / (1 - rate))
                matrix = _with_entries(matrix, scaled)
            out.matrices[k] = matrix


def _with_entries(matrix: Any, data: Floats) -> Any:
    """Return a CSR matrix with entries at the same places, but with other values."""
    return type(matrix)((data, matrix.indices, matrix.indptr), shape=matrix.shape)
