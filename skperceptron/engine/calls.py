"""Array operations with their operands bound, in the form that starts soonest.

A small network spends its time in starting operations. A stack of one is therefore computed on
plain matrices and vectors, by ``np.dot`` and by the BLAS routines that SciPy hands out: these
start in a third of the time of NumPy's broadcasting, which stacks of several networks go through.
BLAS writes in place only into contiguous memory; everything here lies in such memory.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from scipy.linalg import blas

from .arrays import Call, Floats

Routines = dict[np.dtype[Any], Any]

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
_AXPY: Routines = {_FLOAT32: blas.saxpy, _FLOAT64: blas.daxpy}
_DOT: Routines = {_FLOAT32: blas.sdot, _FLOAT64: blas.ddot}
_GEMV: Routines = {_FLOAT32: blas.sgemv, _FLOAT64: blas.dgemv}
_GER: Routines = {_FLOAT32: blas.sger, _FLOAT64: blas.dger}


def product(a: Floats, b: Floats, out: Floats) -> Call:
    """Bind ``out = a @ b``, (K, n, m)."""
    if not out.flags.c_contiguous:
        # Both routines want rows that lie one behind the other: so do those of the transpose.
        a, b, out = b.swapaxes(1, 2), a.swapaxes(1, 2), out.swapaxes(1, 2)
    if len(out) == 1:
        return partial(np.dot, a[0], b[0], out[0])
    return partial(np.matmul, a, b, out)


def add_to_rows(row: Floats, out: Floats) -> Call:
    """Bind ``out += row``, (K, 1, H) and (K, B, H)."""
    if len(out) > 1:
        return partial(np.add, out, row, out)
    ones = np.ones(out.shape[1], out.dtype)
    ger = _GER[out.dtype]
    # The product of a column of ones and the row, added: no broadcasting.
    if out.flags.c_contiguous:
        x, y, a = row[0, 0], ones, out[0].T
    else:
        x, y, a = ones, row[0, 0], out[0]
    # alpha, x, y, strides of both, a, overwrite_x, overwrite_y, overwrite_a
    return partial(ger, 1.0, x, y, 1, 1, a, 1, 1, 1)


def sum_of_rows(x: Floats, out: Floats, in_order: bool = False) -> Call:
    """Bind the sum over the batch: (K, B, H) into (K, 1, H).

    Parameters
    ----------
    x, out : ndarray
    in_order : bool, default=False
        Whether row is added to row, which gives the bits of ``np.sum``; it takes thrice as long.
    """
    if in_order:
        return partial(np.add.reduce, x, 1, None, out, True)
    if len(out) > 1:
        return partial(np.matmul, np.ones((len(x), 1, x.shape[1]), x.dtype), x, out)
    ones = np.ones(x.shape[1], x.dtype)
    matrix, transposed = (x[0].T, 0) if x.flags.c_contiguous else (x[0], 1)
    gemv = _GEMV[x.dtype]
    # alpha, a, x, beta, y, offset and stride of x and of y, trans, overwrite_y
    return partial(gemv, 1.0, matrix, ones, 0.0, out[0, 0], 0, 1, 0, 1, transposed, 1)


def add_scaled(x: Floats, scale: float | Floats, y: Floats, room: Floats) -> None:
    """Add ``scale * x`` to y.

    Parameters
    ----------
    x, y : ndarray of shape (n,) or (K, n)
    scale : float, or ndarray of shape (K, 1)
    room : ndarray of the same shape
        May be overwritten.
    """
    if y.ndim == 1:
        # By position: names take BLAS's wrappers as long as the sum.
        _AXPY[y.dtype](x, y, len(x), scale)
    else:
        np.multiply(x, scale, out=room)
        np.add(y, room, out=y)


def squared_length(x: Floats) -> float | Floats:
    """Return the sum of squares of a vector (n,), or of each row of (K, n)."""
    if x.ndim == 1:
        return _DOT[x.dtype](x, x)
    return np.matmul(x[:, np.newaxis], x[:, :, np.newaxis])[:, 0, 0]
