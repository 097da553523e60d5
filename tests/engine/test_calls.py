"""Bound products have the values of plain ones, also while other threads compute some."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product as combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skperceptron.engine.calls import matmul, product

#: Rows, inner length and columns of products, small and large.
SIZES = [(6, 32, 9), (32, 6, 9), (32, 96, 6), (130, 100, 90), (1, 5, 3), (4, 1, 3)]


def stack(rng, shape, by_columns, dtype):
    """Return a stack of matrices whose rows, or whose columns, lie in one piece."""
    n_members, n_rows, n_columns = shape
    if not by_columns:
        return rng.normal(size=shape).astype(dtype)
    return rng.normal(size=(n_members, n_columns, n_rows)).astype(dtype).swapaxes(1, 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_product_of_matrices_in_any_layout(size, n_members, dtype):
    n, inner, m = size
    for layout in combinations([False, True], repeat=3):
        rng = np.random.RandomState(0)
        a = stack(rng, (n_members, n, inner), layout[0], dtype)
        b = stack(rng, (n_members, inner, m), layout[1], dtype)
        out = stack(rng, (n_members, n, m), layout[2], dtype)
        before = a.copy(), b.copy()
        product(a, b, out)()
        tolerance = 1e-4 if dtype == np.float32 else 1e-12
        assert_allclose(out, np.einsum("kij,kjl->kil", *before), rtol=tolerance, atol=tolerance)
        # The factors stay as they were.
        np.testing.assert_array_equal(a, before[0])
        np.testing.assert_array_equal(b, before[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_multiply_transposed_matrices_of_different_sizes(dtype):
    # Without copies of transposed factors, this crashes with OpenBLAS 0.3.31 and AVX-512.
    def wrong(size):
        rng, (n, inner, m) = np.random.RandomState(0), size
        a = stack(rng, (200, n, inner), True, dtype)
        b = stack(rng, (200, inner, m), True, dtype)
        out = np.empty((200, n, m), dtype)
        call = matmul(a, b, out)
        call()
        expected, found = out.copy(), 0
        for _ in range(50):
            call()
            found += not np.array_equal(out, expected)
        return found

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(wrong, SIZES[:3] * 4)) == [0] * 12
