"""Array operations with their operands bound, in the form with the least overhead.

A small network spends most of its time on the overhead of operations. A stack of one member is
therefore computed on plain matrices, by ``np.dot`` and, where NumPy would broadcast, by a BLAS
routine of SciPy's. These give the same bits as ``np.matmul`` and broadcasting in larger stacks.

A call is a ``functools.partial`` of a NumPy function and its operands, all of them arrays or plain
numbers. So code can read it: compiled steps (the folder ``compiled``) do the same without the
interpreter. In a stack of several members, axis 0 of the array that a call writes is the member
axis; a call that concerns only some members says which (``of_members``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from typing import Any

import numpy as np
from scipy.linalg import blas

from .arrays import Booleans, Call, Floats, Integers

#: Elements up to which routines of SciPy's BLAS stay on the calling thread. With more, threads of
#: SciPy's and of NumPy's BLAS would wait for each other.
LARGEST_RANK_ONE_UPDATE = 8_192

#: Multiply-adds up to which OpenBLAS has kernels of its own for small matrices.
LARGEST_SMALL_PRODUCT = 1_000_000

#: Elements of each part into which the sum of squares of a long row is split.
SUMMED_AT_ONCE = 65_536


class OfMembers(partial[Any]):
    """A call that concerns some of a stack's members only: the first, up to one past the last."""

    members: tuple[int, int]


class TwoFormCall(partial[Any]):
    """A call of a function that compiled tables do not know.

    ``table_form`` is a call that gives the same bits, for tables.
    """

    table_form: Call


class WritingCall(partial[Any]):
    """A call from a user's block, which raises TypeError if its result would be lost.

    ``listed_by`` is the name of the method that has listed it.
    """

    listed_by: str

    def __call__(self, /, *arguments: Any, **keywords: Any) -> None:
        result = super().__call__(*arguments, **keywords)
        name = f"{self.listed_by}: {getattr(self.func, '__name__', self.func)}"
        refuse_lost(name, result, (*self.args, *self.keywords.values()))


def refuse_lost(name: str, result: Any, given: Iterable[Any]) -> None:
    """Raise TypeError if a function that writes into an argument returns anything else."""
    if result is not None and not any(result is argument for argument in given):
        raise TypeError(
            f"{name} must write its result into an argument, as in np.tanh(z, out=out), and return"
            f" None, but it returned {type(result).__name__}, which would be lost."
        )


def of_members(calls: Iterable[Call], place: slice, n_members: int) -> Iterator[Call]:
    """Mark calls with the members of a stack that they concern, if these are not all."""
    first, last, _ = place.indices(n_members)
    for call in calls:
        if isinstance(call, partial) and (first, last) != (0, n_members):
            found = OfMembers(call.func, *call.args, **call.keywords)
            found.members = first, last
            yield found
        else:
            yield call


def number(x: Any, dtype: Any) -> Floats:
    """Return a number as a 0-d array: NumPy would make one of a plain number at every step.

    Equal numbers give the same array, which is read-only.
    """
    dtype = np.dtype(dtype)
    return _number(np.asarray(x, dtype).tobytes(), dtype)


@lru_cache(maxsize=4096)
def _number(content: bytes, dtype: np.dtype) -> Floats:
    found: Floats = np.frombuffer(content, dtype)[0:1].copy().reshape(())
    found.flags.writeable = False
    return found


def take_and_cast(X: Floats, rows: Integers, out: Floats, room: Floats) -> None:
    """Copy rows of X, (N, D), into ``out``, (K, B, D), through ``room`` in the dtype of X."""
    X.take(rows, 0, room, "clip")
    np.copyto(out, room)


def product(a: Floats, b: Floats, out: Floats) -> Call:
    """Bind ``out = a @ b``, (K, n, m)."""
    if not out.flags.c_contiguous:
        # Both routines want a C-contiguous result, such as the transpose of ``out`` here.
        a, b, out = b.swapaxes(1, 2), a.swapaxes(1, 2), out.swapaxes(1, 2)
    if len(out) > 1:
        return matmul(a, b, out)
    call = matmul(a[0], b[0], out[0])
    return partial(np.dot, *call.args) if call.func is np.matmul else call


def matmul(a: Floats, b: Floats, out: Floats) -> partial[Any]:
    """Bind ``out = a @ b`` for matrices, and for stacks of them.

    If the columns of both lie in one piece in memory, one of them is copied row by row first: on
    processors with AVX-512, OpenBLAS 0.3.31 writes small float32 products of two such matrices to
    wrong addresses if another thread computes one of another size at the same time. (Products of
    float64 numbers were right in a million trials.)
    """
    n_operations = a.shape[-2] * a.shape[-1] * b.shape[-1]
    may_fail = a.dtype == np.float32 and n_operations <= LARGEST_SMALL_PRODUCT
    if not (may_fail and lies_by_columns(a) and lies_by_columns(b)):
        return partial(np.matmul, a, b, out)
    if a.size <= b.size:
        room = np.empty(a.shape, a.dtype)
        return partial(matmul_with_copy, a, room, room, b, out)
    room = np.empty(b.shape, b.dtype)
    return partial(matmul_with_copy, b, room, a, room, out)


def matmul_with_copy(x: Floats, room: Floats, a: Floats, b: Floats, out: Floats) -> None:
    """Compute ``out = a @ b``, where ``room`` is one of the factors and gets the numbers of x."""
    np.copyto(room, x)
    np.matmul(a, b, out)


def lies_by_columns(x: Floats) -> bool:
    """Tell whether the columns of matrices, not their rows, lie in one piece in memory."""
    return min(x.shape[-2:]) > 1 and x.strides[-2] == x.itemsize


def add_to_rows(row: Floats, out: Floats) -> Call:
    """Bind ``out += row``, (K, 1, H) and (K, B, H)."""
    if len(out) > 1 or out.size > LARGEST_RANK_ONE_UPDATE:
        return partial(np.add, out, row, out)
    # Adding the product of a column of ones and the row takes a third of a broadcast's time.
    x, y = row[0, 0], np.ones(out.shape[1], out.dtype)
    matrix = out[0].T
    if not out.flags.c_contiguous:
        x, y, matrix = y, x, out[0]
    ger = blas.sger if out.dtype == np.float32 else blas.dger
    # alpha, x, y, strides of both, a, overwrite_x, overwrite_y, overwrite_a: by position, since
    # keyword arguments would take as long as the work.
    call = TwoFormCall(ger, 1.0, x, y, 1, 1, matrix, 1, 1, 1)
    call.table_form = partial(np.add, out, row, out)
    return call


def sum_of_rows(x: Floats, out: Floats, in_order: bool) -> Call:
    """Bind the sum over the batch: (K, B, H) into (K, 1, H).

    With ``in_order``, rows are added one by one: the bits of ``np.sum``, in three times the time.
    """
    if in_order:
        return partial(np.add.reduce, x, 1, None, out, True)
    ones = np.ones((len(x), 1, x.shape[1]), x.dtype)
    if len(x) == 1 and x.shape[2] == 1:
        # In a stack, NumPy treats a single column as a vector: this gives the same bits.
        return partial(np.dot, ones[0, 0], x[0], out[0, 0])
    return product(ones, x, out)


def squared_lengths_calls(x: Floats, room: Floats) -> list[Call]:
    """List calls that write the sum of squares of each row of (K, n) into (K, 1, 1).

    Long rows are summed in parts, which several threads can share.
    """
    n_parts, rest = divmod(x.shape[1], SUMMED_AT_ONCE)
    if n_parts < 2:
        return [partial(np.matmul, x[:, np.newaxis], x[:, :, np.newaxis], room)]
    sums = np.empty((len(x), n_parts + bool(rest), 1, 1), x.dtype)
    whole, last = x[:, : n_parts * SUMMED_AT_ONCE], x[:, n_parts * SUMMED_AT_ONCE :]
    parts = whole.reshape(len(x), n_parts, 1, SUMMED_AT_ONCE)
    calls: list[Call] = [partial(np.matmul, parts, parts.swapaxes(2, 3), sums[:, :n_parts])]
    if rest:
        by_row, by_column = last[:, np.newaxis], last[:, :, np.newaxis]
        calls.append(partial(np.matmul, by_row, by_column, sums[:, n_parts]))
    return [*calls, partial(np.add.reduce, sums[:, :, 0], 1, None, room, True)]


def sigmoid(z: Floats, out: Floats) -> None:
    """Write the logistic sigmoid of ``z`` into ``out``, which may be ``z`` itself.

    It differs from SciPy's ``expit`` by a few roundings, and is faster, since ``exp`` is
    vectorized: it takes an eighth of the time in float32 on (1, 128, 256), and between a quarter
    and nearly all of it in float64, depending on the processor.
    """
    with np.errstate(over="ignore"):
        overflowing_sigmoid(z, out)


def overflowing_sigmoid(z: Floats, out: Floats) -> None:
    """Do the same as ``sigmoid``, for callers that have silenced NumPy's overflow warnings.

    The exponential overflows to infinity (below -88 in float32), where the sigmoid is 0 anyway.
    Silencing the warnings at each step would take longer than a small step's sigmoid.
    """
    for call in sigmoid_calls(z, out):
        call()


def sigmoid_calls(z: Floats, out: Floats) -> list[Call]:
    """List the calls of ``overflowing_sigmoid``."""
    one = number(1, z.dtype)
    return [
        partial(np.negative, z, out),
        partial(np.exp, out, out),
        partial(np.add, out, one, out),
        partial(np.divide, one, out, out),
    ]


def softmax(z: Floats, out: Floats, largest: Floats, total: Floats) -> None:
    """Write the softmax of ``z`` over C classes into ``out``, both (K, C, B).

    ``largest`` and ``total``, (K, 1, B), receive the largest z of each row and the sum of all
    exponentials after its subtraction. They may be the same array.
    """
    for call in softmax_calls(z, out, largest, total):
        call()


def softmax_calls(z: Floats, out: Floats, largest: Floats, total: Floats) -> list[Call]:
    """List the calls of ``softmax``."""
    return [
        partial(np.maximum.reduce, z, 1, None, largest, True),
        partial(np.subtract, z, largest, out),
        partial(np.exp, out, out),
        partial(np.add.reduce, out, 1, None, total, True),
        partial(np.divide, out, total, out),
    ]


# B codes, for each of K members, choose rows of a table of their own. A code is a whole number,
# stored as a float. A number that is not a code, such as -1 or NaN, has a row of zeros, which
# learns nothing.


def look_up(table: Floats, codes: Floats, out: Floats) -> None:
    """Write the rows of a table, (K, levels, dim), at codes, (K, B), into ``out``, (K, B, dim)."""
    for of_member, member_codes, rows in zip(table, codes, out, strict=True):
        places, known = _places(member_codes, len(of_member))
        rows[:] = of_member[places]
        if not known.all():
            rows[~known] = 0


def sum_by_code(grad: Floats, codes: Floats, room: Floats, out: Floats) -> None:
    """Write the sum of the rows that have each code, in their order and in double precision.

    Rows are (K, B, dim), codes (K, B), sums (K, levels, dim). Compiled steps need room in float64.
    """
    dim = out.shape[2]
    for of_member, member_codes, sums in zip(grad, codes, out, strict=True):
        places, known = _places(member_codes, len(sums))
        if not known.all():
            of_member, places = of_member[known], places[known]
        # Building a sparse one-hot matrix and multiplying by it takes ten times as long.
        numbers = places[:, np.newaxis] * dim + np.arange(dim)
        found = np.bincount(numbers.ravel(), of_member.ravel(), sums.size)
        sums[:] = found.reshape(sums.shape)


def _places(codes: Floats, levels: int) -> tuple[Integers, Booleans]:
    """Return the row of a table for each code, and whether there is such a row."""
    known = (codes >= 0) & (codes < levels)
    return np.where(known, codes, 0).astype(np.intp, copy=False), known
