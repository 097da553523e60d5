"""Matrix products as another machine's BLAS may compute them, as a plugin for pytest.

A BLAS computes the last rows of a matrix, which do not fill a block of its kernel, in another loop
than the others, and the order of its sums may depend on the shape. So the last bits of a row may
depend on the number of rows, and when they do depends on the processor. With this plugin it happens
on every machine::

    python -m pytest -p tests.kernels.foreign tests/test_mlp.py

A test that fails with it relies on equal bits in products of different shapes. Sums without
rounding, such as those of small integers, do not change.
"""

import numpy as np

#: Rows of a block; products of the rows after the last whole block are summed in another order.
BLOCK = 8

_dot, _matmul = np.dot, np.matmul


def dot(a, b, out=None):
    """Compute ``np.dot(a, b, out)`` with last bits as on another machine."""
    result = _dot(a, b, out) if out is not None else _dot(a, b)
    return _with_other_bits(a, b, result)


def matmul(a, b, out=None):
    """Compute ``np.matmul(a, b, out)`` with last bits as on another machine."""
    result = _matmul(a, b, out) if out is not None else _matmul(a, b)
    return _with_other_bits(a, b, result)


def _with_other_bits(a, b, result):
    """Sum the last rows of a product of matrices, or of stacks of them, in another order."""
    matrices = np.ndim(a) >= 2 and np.ndim(a) == np.ndim(b)
    if not matrices or result.dtype.kind != "f":
        return result
    a, b, out = np.asarray(a), np.asarray(b), result
    if out.strides[-1] != out.itemsize:
        # NumPy lets BLAS compute the transpose, whose rows are contiguous.
        a, b, out = (x.swapaxes(-1, -2) for x in (b, a, out))
    (n_rows, n_terms), n_columns = a.shape[-2:], b.shape[-1]
    first = n_rows - n_rows % BLOCK
    # Products of a vector, which may be a row or a column, are left alone.
    if n_terms < 2 or first == n_rows or 1 in (n_rows, n_columns):
        return result
    middle = 1 + (3 * n_rows + n_columns) % (n_terms - 1)
    tail = a[..., first:, :]
    sums = _matmul(tail[..., :middle], b[..., :middle, :])
    sums += _matmul(tail[..., middle:], b[..., middle:, :])
    out[..., first:, :] = sums
    return result


def pytest_configure(config):
    """Replace NumPy's products before the package binds them."""
    np.dot, np.matmul = dot, matmul


def pytest_unconfigure(config):
    """Put NumPy's products back."""
    np.dot, np.matmul = _dot, _matmul
