"""Numbers and their places in a dtype."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skperceptron.engine.arrays import FEW_NUMBERS, all_finite, in_range, neighbors

LIMITS = np.finfo(np.float32)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_numbers_neither_vanish_nor_become_infinite_in_float32():
    found = in_range([0.0, 1e-300, -1e-300, 1e300, -1e300, 0.5, np.inf], np.dtype(np.float32))
    assert found.dtype == np.float32
    expected = [0, LIMITS.tiny, -LIMITS.tiny, LIMITS.max, -LIMITS.max, 0.5, np.inf]
    assert_array_equal(found, np.array(expected, dtype=np.float32))


def test_numbers_stay_what_they_are_in_float64():
    numbers = np.array([0.0, 1e-310, 1e300, np.nan])
    assert_array_equal(in_range(numbers, np.dtype(np.float64)), numbers)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("size", [4, FEW_NUMBERS, FEW_NUMBERS + 1])
def test_finite_numbers_are_distinguished_from_others(bad, size):
    numbers = np.full(size, LIMITS.max)
    assert all_finite(numbers)
    numbers[2] = bad
    assert not all_finite(numbers)
    # With infinities of both signs, whose sum is NaN.
    assert not all_finite(np.tile([bad, -bad], size))


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        ([4], [((0, 1), (4, 5))]),
        ([0, 1, 2], [((0, 3), (0, 3))]),
        ([1, 2, 4, 7, 8], [((0, 2), (1, 3)), ((2, 3), (4, 5)), ((3, 5), (7, 9))]),
    ],
)
def test_positions_are_split_where_some_are_left_out(positions, expected):
    assert list(neighbors(positions)) == [(slice(*place), slice(*of)) for place, of in expected]
