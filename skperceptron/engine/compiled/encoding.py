"""Bound calls of NumPy's functions, turned into rows of a table.

``encode`` reads a call, a ``functools.partial`` of a NumPy function and its operands, and returns
rows that give the same bits (except for large products), or None if it does not know the call,
which is then left to Python. It trusts nothing: shapes, dtypes, layouts and overlaps are checked as
in NumPy, and unusual operands are left to NumPy.

In a stack of n > 1 members, axis 0 of the array that a call writes is the member axis, and so is
axis 0 of every operand with equally many axes and n entries there. A row describes one member;
for the others, its operands are moved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import combinations, pairwise, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Call
from ..calls import (
    look_up,
    matmul_with_copy,
    number,
    overflowing_sigmoid,
    sigmoid_calls,
    softmax,
    softmax_calls,
    sum_by_code,
    take_and_cast,
)
from . import fused
from .extension import steps as extension
from .layout import LARGE_PRODUCT, MOST_CLASSES, Loop, Row
from .recording import recorded

Array = NDArray[Any]
Rows = list[Row] | None

#: Limit of the effort (``max_work``) that NumPy makes to find whether two arrays overlap.
OVERLAP_WORK: Any = 1_000

#: Comparisons for which there are loops of our own, of the same names, which write 1 or 0.
COMPARISONS = (np.greater, np.greater_equal, np.less, np.less_equal)

#: Names of our own loops that copy from one dtype to another.
CASTS = {"df": "narrow", "fd": "widen"}

#: NumPy's module (before version 2, under another name) with the ufunc that ``np.clip`` calls,
#: which has no public name.
_CORE: Any = getattr(np, "_core", None) or getattr(np, "core", None)
CLIP: Any = getattr(getattr(_CORE, "umath", None), "clip", None)


@cache
def own_loop(name: str) -> Loop:
    """Return one of our own loops."""
    return extension.own_loops()[name], 0


@cache
def inner_loop(ufunc: np.ufunc, dtype: np.dtype) -> Loop | None:
    """Return a ufunc's loop for operands that all have one dtype, or None."""
    wanted = dtype.char * ufunc.nin + "->" + dtype.char * ufunc.nout
    if wanted not in ufunc.types:
        return None
    return extension.inner_loop(ufunc, ufunc.types.index(wanted))


def in_array(x: Any, dtype: np.dtype) -> Any:
    """Return an operand; numbers become arrays, as in NumPy's arithmetic."""
    if type(x) in (int, float) or (isinstance(x, np.generic) and x.dtype == dtype):
        with np.errstate(over="ignore"):
            found = number(x, dtype)
        # Numbers too large for the dtype are left to NumPy.
        return found if np.isfinite(found) == np.isfinite(x) else x
    return x


def are_floats(first: Any, *others: Any) -> bool:
    """Tell whether operands are arrays of one float dtype that the loops can read."""
    if type(first) is not np.ndarray or first.dtype.char not in "df":
        return False
    dtype = first.dtype
    return all(map(extension.is_plain, (first, *others), repeat(dtype)))


def interfere(x: Array, out: Array) -> bool:
    """Tell whether writing ``out`` may change elements of ``x`` before they are read."""
    if extension.owner_of(x) is not extension.owner_of(out) or extension.distance(x, out) == 0:
        return False
    try:
        return bool(np.shares_memory(x, out, max_work=OVERLAP_WORK))
    except np.exceptions.TooHardError:
        return True


def encode(call: Call, n: int, constants: dict[Any, Array]) -> Rows:
    """Return rows that do what a bound call does for ``n`` members; None if it is left to Python.

    The only effect of the call is to write into arrays; what it returns is not used. The operands'
    addresses are those of the first member. ``constants`` holds arrays that are constants of
    recorded methods, by their content.
    """
    if not isinstance(call, partial):
        return None
    bound: partial[Any] = getattr(call, "table_form", call)
    function, operands = bound.func, bound.args
    if bound.keywords:
        if set(bound.keywords) != {"out"}:
            return None
        operands = (*operands, bound.keywords["out"])
    try:
        encoder = ENCODERS.get(function)
    except TypeError:
        return None
    if encoder is not None:
        return encoder(*operands, n=n)
    if isinstance(function, np.ufunc):
        return _ufunc(function, operands, n)
    owner = getattr(function, "__self__", None)
    if getattr(owner, "records", False) is True:
        return _method(function, operands, n, constants)
    method = METHODS.get((type(owner), getattr(function, "__name__", "")))
    return None if method is None else method(owner, *operands, n=n)


def _method(function: Any, operands: Sequence[Any], n: int, constants: dict[Any, Array]) -> Rows:
    """Encode all that a method does, or nothing."""
    calls = recorded(function, operands, constants)
    return None if calls is None else _all_of(calls, n, constants)


def _all_of(calls: Sequence[Call], n: int, constants: dict[Any, Array]) -> Rows:
    """Return the rows of several calls, or None if one of them has none."""
    found: list[Row] = []
    for call in calls:
        rows = encode(call, n, constants)
        if rows is None:
            return None
        found += rows
    return found


# Calls that broadcast.


def _ufunc(function: np.ufunc, operands: Sequence[Any], n: int) -> Rows:
    if function.nout != 1 or function.signature or len(operands) != function.nin + 1:
        return None
    out = operands[-1]
    if not are_floats(out):
        return None
    loop: Loop | None
    if function in COMPARISONS:
        loop = own_loop(f"{function.__name__}_{out.dtype.char}")
    else:
        loop = inner_loop(function, out.dtype)
    if loop is None:
        return None
    if not _takes_numbers(function) and any(type(x) in (int, float) for x in operands):
        return None
    arrays = [in_array(x, out.dtype) for x in operands]
    if not are_floats(*arrays):
        return None
    if function is np.add and arrays[0] is out:
        rows = _add_row(arrays[1], out, n)
        if rows is not None:
            return rows
    return elementwise(loop, arrays, n)


def _takes_numbers(function: np.ufunc) -> bool:
    """Tell whether Python's numbers take the dtype of the arrays, as in NumPy but not in SciPy."""
    return function is CLIP or getattr(np, function.__name__, None) is function


def _row(
    loop: Loop, operands: Sequence[Array], dims: Sequence[int], steps: Sequence[int], **of_row: Any
) -> list[Row]:
    """Return a row whose addresses and owners are those of its operands."""
    addresses = [extension.address(x) for x in operands]
    owners = tuple(extension.owner_of(x) for x in operands)
    return [Row(loop, addresses, dims, steps, owners=owners, **of_row)]


def _by_member(operands: Sequence[Array], n: int) -> Sequence[int]:
    """Return by how many bytes operands move from member to member, on their first axis."""
    return [x.strides[0] for x in operands] if n > 1 else ()


def elementwise(loop: Loop, arrays: Sequence[Array], n: int) -> Rows:
    """Return a row that applies a loop to operands that are broadcast to the last one."""
    found = extension.spread(arrays, n)
    if found is None:
        return None
    addresses, length, steps, work, by_member, outer, owners, may_meet = found
    if may_meet and any(interfere(x, arrays[-1]) for x in arrays[:-1]):
        return None
    return [
        Row(
            loop,
            addresses,
            (length,),
            steps,
            work,
            by_member,
            outer,
            axis=0,
            by_part=steps,
            can_be_split=not outer,
            owners=owners,
        )
    ]


def _add_row(row: Array, out: Array, n: int) -> Rows:
    """Encode ``out += row``, (K, 1, H) and (K, B, H): the loop runs once for all rows."""
    if out.ndim != 3 or row.shape != (len(out), 1, out.shape[2]) or len(out) != n:
        return None
    _, n_rows, width = out.shape
    # A single column is one vector: the elementwise loop will do.
    if width == 1 or out.strides[2] != out.itemsize or row.strides[2] != out.itemsize:
        return None
    if n_rows == 1 or not out.flags.writeable or interfere(row, out):
        return None
    return _row(
        own_loop(f"add_row_{out.dtype.char}"),
        (row, out),
        (n_rows, width),
        (out.strides[1],),
        work=n_rows * width,
        by_member=_by_member((row, out), n),
        axis=0,
        by_part=(0, out.strides[1]),
    )


def _clip(z: Any, low: Any, high: Any, out: Any, n: int) -> Rows:
    return _ufunc(CLIP, (z, low, high, out), n) if isinstance(CLIP, np.ufunc) else None


def _copy(out: Any, x: Any, n: int) -> Rows:
    """Encode ``np.copyto``, also between the two float dtypes."""
    if not are_floats(out):
        return None
    x = in_array(x, out.dtype)
    if not are_floats(x):
        return None
    if x.dtype == out.dtype:
        return elementwise(own_loop(f"copy_{out.dtype.char}"), [x, out], n)
    name = CASTS.get(x.dtype.char + out.dtype.char)
    return None if name is None else elementwise(own_loop(name), [x, out], n)


# Random numbers.


def _uniform(generator: Any, size: Any, dtype: Any, out: Any, n: int) -> Rows:
    """Encode ``generator.random(None, dtype, out)`` of one member."""
    if size is not None or n > 1 or not are_floats(out) or out.dtype != dtype:
        return None
    if not (out.flags.c_contiguous and out.flags.writeable):
        return None
    return [_uniform_row(generator, out)] if _draws_like_numpy(out.dtype) else None


def _uniform_row(generator: Any, out: Array) -> Row:
    loop, _ = own_loop(f"uniform_{out.dtype.char}")
    source = generator.bit_generator.ctypes.bit_generator.value
    owners = extension.owner_of(out), generator
    return Row(
        (loop, source), [extension.address(out)], [out.size], (), 4 * out.size, owners=owners
    )


@cache
def _draws_like_numpy(dtype: np.dtype) -> bool:
    """Tell whether our loop can draw from a generator, and draws the same numbers as this NumPy."""
    ours, theirs = np.zeros(8, dtype), np.random.default_rng(0).random(8, dtype)
    try:
        row = _uniform_row(np.random.default_rng(0), ours)
    except (AttributeError, ImportError):
        # A Python without ctypes.
        return False
    extension.run(np.array([row.words()], np.intp), np.zeros(1, np.intp), 0, 1)
    return bool((ours == theirs).all())


# Products.


def _is_blasable(x: Array) -> bool:
    """Tell whether BLAS can read the last two axes of ``x``, a matrix, without a copy."""
    (m, n), (of_row, of_column), size = x.shape[-2:], x.strides[-2:], x.itemsize
    by_rows = of_column == size and of_row % size == 0 and of_row >= n * size
    by_columns = of_row == size and of_column % size == 0 and of_column >= m * size
    # Nothing depends on the stride of an axis of length 1.
    is_vector = (m == 1 and of_column == size) or (n == 1 and of_row == size) or m == n == 1
    return by_rows or by_columns or is_vector


def _is_product_for_blas(a: Array, b: Array, out: Array) -> bool:
    """Tell whether BLAS can multiply matrices, (..., m, k) and (..., k, p), without a copy."""
    if not a.ndim == b.ndim == out.ndim or not 2 <= out.ndim <= 4:
        return False
    (m, k), p = a.shape[-2:], b.shape[-1]
    if b.shape[-2] != k or out.shape[-2:] != (m, p) or max(*a.shape, *out.shape) >= 2**31:
        return False
    return all(map(_is_blasable, (a, b, out))) and not (interfere(a, out) or interfere(b, out))


def product(a: Any, b: Any, out: Any, n: int) -> Rows:
    """Encode ``out = a @ b`` for (..., m, k) and (..., k, p), with at most two axes before."""
    if not are_floats(out, a, b) or not out.flags.writeable:
        return None
    if b.ndim == 2 < a.ndim:
        b = b.reshape((1,) * (a.ndim - 2) + b.shape)
    if a.ndim == 1 and b.ndim == 2 and out.ndim == 1 and n == 1:
        a, out = a[np.newaxis], out[np.newaxis]
    if not _is_product_for_blas(a, b, out):
        return None
    arrays = (a, b, out)
    (m, k), p = a.shape[-2:], b.shape[-1]
    repeated = extension.spread([x[..., 0, 0] for x in arrays], n)
    if repeated is None:
        return None
    _, repetitions, moves, _, by_member, outer, owners, _ = repeated
    if outer:
        return None
    loop = _loop_of_product(m, k, p, b, out)
    if loop is None:
        return None
    # Threads divide the repetitions, or the rows of the result unless it has many more columns.
    axis = 0 if repetitions > 1 else 1 if 2 * m > p else 3
    by_part = {
        0: moves,
        1: (a.strides[-2], 0, out.strides[-2]),
        3: (0, b.strides[-1], out.strides[-1]),
    }
    return [
        Row(
            loop,
            [extension.address(x) for x in arrays],
            [repetitions, m, k, p],
            [*moves, *(s for x in arrays for s in x.strides[-2:])],
            repetitions * m * k * p // 8 + 1,
            by_member,
            axis=axis,
            by_part=by_part[axis],
            owners=owners,
        )
    ]


def _loop_of_product(m: int, k: int, p: int, b: Array, out: Array) -> Loop | None:
    loop = inner_loop(np.matmul, out.dtype)
    if k == 1 and b.strides[-1] == out.strides[-1] == out.itemsize:
        return own_loop(f"outer_{out.dtype.char}")
    is_large = m * k * p >= LARGE_PRODUCT and min(m, k, p) >= 16
    if loop and is_large and out.dtype == np.float32 and out.strides[-1] == out.itemsize:
        # It calls NumPy's loop on other processors.
        return own_loop("product_f")[0], loop[0]
    return loop


def _product_with_copy(x: Any, room: Any, a: Any, b: Any, out: Any, n: int) -> Rows:
    copy, rows = _copy(room, x, n), product(a, b, out, n)
    return None if copy is None or rows is None else [*copy, *rows]


# Reductions and copies of rows.


def _reduce(
    ufunc: np.ufunc, x: Any, axis: Any, dtype: Any, out: Any, keepdims: Any = False, *, n: int
) -> Rows:
    """Encode ``ufunc.reduce`` along an axis after the first one, which is kept with length 1."""
    if ufunc not in (np.add, np.maximum) or dtype is not None or keepdims is not True:
        return None
    if not are_floats(x, out) or not isinstance(axis, int) or not 0 < axis < x.ndim:
        return None
    if out.shape != (*x.shape[:axis], 1, *x.shape[axis + 1 :]) or interfere(x, out):
        return None
    loop = inner_loop(ufunc, x.dtype)
    if loop is None or x.shape[axis] < 2 or (n > 1 and len(x) != n):
        return None
    start = number(0, x.dtype) if ufunc is np.add else _part(x, axis, 0, 1)
    first = _copy(out, start, n)
    rest = x if ufunc is np.add else _part(x, axis, 1, x.shape[axis])
    order = _loops_of_reduction(rest, out, axis, n)
    if first is None or order is None or len(order) > 3:
        return None
    length, *steps = order.pop()
    operands = (out, rest, out)
    rows = _row(
        loop,
        operands,
        [length],
        steps,
        work=rest.size // n,
        by_member=_by_member(operands, n),
        outer=[(m, moves) for m, *moves in order],
    )
    return [*first, *rows]


def _loops_of_reduction(x: Array, out: Array, axis: int, n: int) -> list[tuple[int, ...]] | None:
    """Return the nested loops of a reduction, the innermost last; None if NumPy's may be others.

    Each is its length, and the steps of the result, the operand and the result.
    """
    strides, of_out = x.strides, out.strides
    others = [a for a, m in enumerate(x.shape) if m > 1 and a != axis]
    # Along the axis with the smallest stride, NumPy sums pairwise; along others, one by one.
    closest = all(strides[axis] < strides[a] for a in others)
    others.sort(key=lambda a: -strides[a])
    axes = [
        (x.shape[a], of_out[a], strides[a], of_out[a]) for a in others if not (n > 1 and a == 0)
    ]
    along = (x.shape[axis], 0, strides[axis], 0)
    if closest:
        return [*axes, along]
    if not axes:
        # NumPy adds one number of each member after another, in a loop over the members.
        return None
    lies_between = strides[others[0]] > strides[axis]
    if lies_between and any(of_out[a] < of_out[b] for a, b in pairwise(others)):
        # The axes of the result lie in another order: NumPy might sum along the axis first.
        return None
    return [*axes[:-1], along, axes[-1]]


def _part(x: Array, axis: int, start: int, stop: int) -> Array:
    return x[(slice(None),) * axis + (slice(start, stop),)]


def _take(X: Any, rows: Any, axis: Any, out: Any, mode: Any = "", *, n: int) -> Rows:
    """Encode ``X.take(rows, 0, out, "clip")``: (N, D), (K, B) and (K, B, D)."""
    if type(out) is not np.ndarray or out.dtype != X.dtype or axis != 0 or mode != "clip":
        return None
    if X.dtype.hasobject or X.ndim != 2:
        return None
    return _gather(own_loop("gather"), X, rows, out, X.shape[1] * X.itemsize, n)


def _take_and_cast(X: Any, rows: Any, out: Any, room: Any, n: int) -> Rows:
    if type(X) is not np.ndarray or X.ndim != 2:
        return None
    name = CASTS.get(X.dtype.char + out.dtype.char)
    return (
        None if name is None else _gather(own_loop(f"gather_{name}"), X, rows, out, X.shape[1], n)
    )


def _gather(loop: Loop, X: Any, rows: Any, out: Any, width: int, n: int) -> Rows:
    """Encode a copy of rows; ``width`` is theirs, in the unit of the loop (bytes or columns)."""
    if not (extension.is_plain(X, X.dtype) and extension.is_plain(rows, np.dtype(np.intp))):
        return None
    if not extension.is_plain(out, out.dtype) or rows.ndim != 2 or len(rows) != n:
        return None
    if out.shape != (*rows.shape, X.shape[1]) or not out.flags.writeable:
        return None
    if not X.flags.c_contiguous or not out[0].flags.c_contiguous:
        return None
    if rows.strides[1] != rows.itemsize and rows.shape[1] > 1:
        return None
    if interfere(X, out) or interfere(rows, out):
        return None
    return _row(
        loop,
        (X, rows, out),
        [rows.shape[1], width, len(X)],
        (),
        work=out.size // n,
        # All members share X.
        by_member=(0, rows.strides[0], out.strides[0]) if n > 1 else (),
        axis=0,
        by_part=(0, rows.itemsize, out.strides[1]),
    )


# Rows of learned tables at codes.


def _look_up(table: Any, codes: Any, out: Any, n: int) -> Rows:
    """Encode ``look_up``: (K, levels, dim), (K, B) and (K, B, dim)."""
    loop = _loop_at_codes("look_up", table, codes, out, n)
    operands = (table, codes, out)
    if loop is None or _share_memory(operands) or not out.flags.writeable:
        return None
    steps = codes.strides[1], out.strides[1]
    return _row(
        loop,
        operands,
        [codes.shape[1], table.shape[2], table.shape[1]],
        steps,
        work=out.size // n,
        by_member=_by_member(operands, n),
        axis=0,
        by_part=(0, *steps),
    )


def _sum_by_code(grad: Any, codes: Any, room: Any, out: Any, n: int) -> Rows:
    """Encode ``sum_by_code``: (K, B, dim), (K, B), and twice (K, levels, dim)."""
    loop = _loop_at_codes("sum_by_code", out, codes, grad, n)
    operands = (grad, codes, room, out)
    if loop is None or _share_memory(operands) or not out.flags.writeable:
        return None
    if not (extension.is_plain(room, np.dtype(np.float64)) and room.shape == out.shape):
        return None
    if not (room[0].flags.c_contiguous and room.flags.writeable):
        return None
    return _row(
        loop,
        operands,
        [codes.shape[1], out.shape[2], out.shape[1]],
        [grad.strides[1], codes.strides[1]],
        work=(grad.size + out.size) // n,
        by_member=_by_member(operands, n),
        written=[2, 3],
    )


def _loop_at_codes(name: str, table: Any, codes: Any, rows: Any, n: int) -> Loop | None:
    """Return the loop for tables, (K, levels, dim), codes, (K, B), and rows, (K, B, dim)."""
    if not are_floats(rows, table, codes):
        return None
    if (table.ndim, codes.ndim) != (3, 2) or not len(table) == len(codes) == n:
        return None
    if rows.shape != (*codes.shape, table.shape[2]):
        return None
    if not table[0].flags.c_contiguous or rows.strides[2] != rows.itemsize:
        return None
    return own_loop(f"{name}_{rows.dtype.char}")


def _share_memory(arrays: Sequence[Any]) -> bool:
    """Tell whether two of some arrays have the same owner of their memory."""
    return len({id(extension.owner_of(x)) for x in arrays}) < len(arrays)


# Sigmoids and softmaxes.


def _sigmoid(z: Any, out: Any, n: int) -> Rows:
    """Encode ``overflowing_sigmoid``."""
    if not are_floats(out, z):
        return None
    loop = _loop_with_exp("sigmoid", out.dtype)
    rows = None if loop is None else elementwise(loop, [z, out], n)
    if rows is not None and all(step == out.itemsize for step in rows[0].steps):
        return rows
    return _all_of(sigmoid_calls(z, out), n, {})


def _softmax(z: Any, out: Any, largest: Any, total: Any, n: int) -> Rows:
    """Encode ``softmax``: (K, C, B) twice, and (K, 1, B) twice."""
    arrays = z, out, largest, total
    if not are_floats(out, z, largest, total):
        return None
    loop = _loop_with_exp("softmax", out.dtype)
    if loop is None or not _suit_one_softmax(arrays, n):
        return _all_of(softmax_calls(*arrays), n, {})
    _, n_classes, n_rows = z.shape
    return _row(
        loop,
        arrays,
        [n_rows, n_classes],
        [z.strides[1], out.strides[1]],
        work=4 * n_classes * n_rows,
        by_member=_by_member(arrays, n),
        axis=0,
        by_part=[z.itemsize] * len(arrays),
        written=[1, 2, 3],
    )


def _loop_with_exp(name: str, dtype: np.dtype) -> Loop | None:
    """Return one of our loops that calls NumPy's exp, whose address is its data."""
    exp = inner_loop(np.exp, dtype)
    # Ours passes no data to NumPy's.
    return None if exp is None or exp[1] else (own_loop(f"{name}_{dtype.char}")[0], exp[0])


def _suit_one_softmax(arrays: Sequence[Array], n: int) -> bool:
    """Tell whether one loop gives the same bits as the calls of ``softmax``."""
    z, out, largest, total = arrays
    # NumPy adds the exponentials of a single row in another order.
    if z.ndim != 3 or len(z) != n or z.shape[2] == 1 or not 2 <= z.shape[1] <= MOST_CLASSES:
        return False
    shape = (n, 1, z.shape[2])
    if out.shape != z.shape or largest.shape != shape or total.shape != shape:
        return False
    if any(x.strides[2] != x.itemsize for x in arrays):
        return False
    if not all(x.flags.writeable for x in (out, largest, total)):
        return False
    # One array may stand for two operands, but otherwise no two of them may overlap.
    return not any(interfere(x, y) for x, y in combinations(arrays, 2))


# Whole updates of an optimizer.


def _update(name: str, vectors: Sequence[Any], coefficients: Sequence[Any], n: int) -> Rows:
    """Encode one of the fused updates of a chunk, (K, n) or (n,)."""
    if not _are_of_one_update(vectors, coefficients, n):
        return None
    first, operands = vectors[0], (*vectors, coefficients[0])
    steps = [first.itemsize] * len(vectors) + [0]
    return _row(
        own_loop(f"{name}_{first.dtype.char}"),
        operands,
        [first.shape[-1]],
        steps,
        work=first.size // n,
        by_member=_by_member(operands, n),
        axis=0,
        by_part=steps,
        can_be_split=True,
        # All but the gradient.
        written=[0, *range(2, len(vectors))],
    )


def _are_of_one_update(vectors: Sequence[Any], coefficients: Sequence[Any], n: int) -> bool:
    """Tell whether the loop of an update can read and write these arrays."""
    first = vectors[0]
    if not are_floats(*vectors, *coefficients):
        return False
    if not all(x.flags.writeable for x in (*vectors, *coefficients)):
        return False
    if any(x.shape != first.shape or x.strides[-1:] != (first.itemsize,) for x in vectors):
        return False
    if first.shape[:-1] != ((n,) if n > 1 else ()):
        return False
    of_first = [x[:1] if n > 1 else x for x in vectors]
    if any(np.may_share_memory(x, y) for x, y in combinations(of_first, 2)):
        return False
    # The coefficients must lie side by side: the loop reads them as one operand.
    start, column = extension.address(coefficients[0]), coefficients[0]
    beside = [
        extension.address(x) == start + i * first.itemsize for i, x in enumerate(coefficients)
    ]
    if not all(beside) or {x.shape for x in coefficients} != {(n, 1) if n > 1 else ()}:
        return False
    if any(extension.owner_of(x) is not extension.owner_of(column) for x in coefficients):
        return False
    return not any(extension.owner_of(x) is extension.owner_of(column) for x in vectors)


#: Functions that are not ufuncs, or that ``_ufunc`` does not encode.
ENCODERS: dict[Any, Callable[..., Rows]] = {
    np.dot: product,
    np.matmul: product,
    matmul_with_copy: _product_with_copy,
    np.copyto: _copy,
    np.clip: _clip,
    take_and_cast: _take_and_cast,
    look_up: _look_up,
    overflowing_sigmoid: _sigmoid,
    softmax: _softmax,
    sum_by_code: _sum_by_code,
    fused.adam: partial(_update, "adam"),
    fused.sgd: partial(_update, "sgd"),
    fused.nesterov: partial(_update, "nesterov"),
}

#: Encoders of methods, by the type of the object and the name of the method.
METHODS: dict[tuple[type, str], Callable[..., Rows]] = {
    (np.ndarray, "fill"): _copy,
    (np.ndarray, "take"): _take,
    (np.random.Generator, "random"): _uniform,
    (np.ufunc, "reduce"): _reduce,
}
