"""Rows of tables at codes, and sums by codes."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skperceptron.engine.calls import look_up, sum_by_code

RNG = np.random.RandomState(0)
TABLES = RNG.normal(size=(2, 3, 4))
KINDS = pytest.mark.parametrize("kind", [np.float32, np.float64])


@KINDS
def test_each_member_reads_its_own_table(kind):
    codes, out = np.array([[2, 0, 2], [1, 1, 0]], kind), np.empty((2, 3, 4))
    look_up(TABLES, codes, out)
    assert_array_equal(out, [TABLES[0][[2, 0, 2]], TABLES[1][[1, 1, 0]]])


@pytest.mark.parametrize("number", [-1, -0.5, 3, 1e30, np.nan, np.inf, -np.inf])
def test_number_that_is_no_code_has_a_row_of_zeros_and_learns_nothing(number):
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
def test_sums_are_taken_row_by_row_in_double_precision(dtype, kind):
    codes = RNG.randint(3, size=(2, 50)).astype(kind)
    grad = (RNG.normal(size=(2, 50, 4)) * 10 ** RNG.uniform(-8, 8, (2, 50, 1))).astype(dtype)
    expected, out = np.zeros((2, 3, 4)), np.empty((2, 3, 4), dtype)
    for k in range(2):
        np.add.at(expected[k], codes[k].astype(int), grad[k].astype(float))
    sum_by_code(grad, codes, np.empty((2, 3, 4)), out)
    assert_array_equal(out, expected.astype(dtype))
