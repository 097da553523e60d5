"""Calls of steps: products, also while other threads compute some, the sigmoid, and codes."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import product as combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit

from skperceptron.engine.calls import look_up, matmul, product, sigmoid, sum_by_code

#: Rows, inner length and columns of products, small and large.
SIZES = [(6, 32, 9), (32, 6, 9), (32, 96, 6), (130, 100, 90), (1, 5, 3), (4, 1, 3)]

TABLES = np.random.RandomState(0).normal(size=(2, 3, 4))
KINDS = pytest.mark.parametrize("kind", [np.float32, np.float64])


def stack(rng, shape, by_columns, dtype):
    """Return a stack of matrices whose rows, or whose columns, lie in one piece."""
    n_members, n_rows, n_columns = shape
    if not by_columns:
        return rng.normal(size=shape).astype(dtype)
    return rng.normal(size=(n_members, n_columns, n_rows)).astype(dtype).swapaxes(1, 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_products_of_matrices_in_any_layout_are_those_of_numpy(size, n_members, dtype):
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
        assert_array_equal(a, before[0])
        assert_array_equal(b, before[1])


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


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sigmoid_is_expit_but_for_a_few_roundings(dtype):
    limits = np.finfo(dtype)
    # Down to where the result would be subnormal.
    z = np.linspace(np.log(limits.tiny) + 1, 800, 10_001).astype(dtype)
    out = np.empty_like(z)
    sigmoid(z, out)
    assert_allclose(out, expit(z.astype(np.longdouble)), rtol=5 * limits.eps)
    sigmoid(z, z)
    assert_array_equal(z, out)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sigmoid_reaches_its_limits_without_a_warning(dtype):
    z = np.array([-np.inf, np.finfo(dtype).min, -1e4, 0, 1e4, np.inf, np.nan], dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sigmoid(z, z)
    assert_array_equal(z, [0, 0, 0, 0.5, 1, 1, np.nan])


@KINDS
def test_each_member_reads_its_own_table(kind):
    codes, out = np.array([[2, 0, 2], [1, 1, 0]], kind), np.empty((2, 3, 4))
    look_up(TABLES, codes, out)
    assert_array_equal(out, [TABLES[0][[2, 0, 2]], TABLES[1][[1, 1, 0]]])


@pytest.mark.parametrize("number", [-1, -0.5, 3, 1e30, np.nan, np.inf, -np.inf])
def test_number_that_is_not_a_code_has_a_row_of_zeros_and_learns_nothing(number):
    tables, codes = np.full((1, 3, 4), -np.inf), np.array([[number, 1.0]])
    rows, sums = np.empty((1, 2, 4)), np.empty((1, 3, 4))
    look_up(tables, codes, rows)
    assert_array_equal(rows[0], [[0] * 4, [-np.inf] * 4])
    assert not np.signbit(rows[0, 0]).any()
    grad = np.array([[[np.inf] * 4, [7.0] * 4]])
    sum_by_code(grad, codes, np.empty((1, 3, 4)), sums)
    assert_array_equal(sums[0], [[0] * 4, [7] * 4, [0] * 4])


@KINDS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_are_taken_row_by_row_in_double_precision(dtype, kind, rng):
    codes = rng.randint(3, size=(2, 50)).astype(kind)
    grad = (rng.normal(size=(2, 50, 4)) * 10 ** rng.uniform(-8, 8, (2, 50, 1))).astype(dtype)
    expected, out = np.zeros((2, 3, 4)), np.empty((2, 3, 4), dtype)
    for k in range(2):
        np.add.at(expected[k], codes[k].astype(int), grad[k].astype(float))
    sum_by_code(grad, codes, np.empty((2, 3, 4)), out)
    assert_array_equal(out, expected.astype(dtype))
