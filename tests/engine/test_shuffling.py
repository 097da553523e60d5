"""Rows in random order: the same draws as by NumPy."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skperceptron.engine.compiled import is_available, shuffle, shuffling

NEEDS_EXTENSION = pytest.mark.skipif(not is_available(), reason="needs compiled steps")
KINDS = np.random.MT19937, np.random.PCG64, np.random.Philox, np.random.SFC64


def both(kind=np.random.MT19937, seed=0):
    """Return two generators in the same state."""
    return [np.random.RandomState(kind(seed)) for _ in range(2)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_rows", [0, 1, 2, 3, 4, 5, 8, 9, 31, 32, 33, 100, 1025, 65_537])
def test_draws_are_those_of_numpy(kind, n_rows):
    ours, theirs = both(kind, n_rows)
    for _ in range(3):
        rows, expected = np.arange(n_rows, dtype=np.intp), np.arange(n_rows)
        shuffle(rows, ours)
        theirs.shuffle(expected)
        assert_array_equal(rows, expected)
        # Nothing is drawn besides.
        assert ours.random_sample() == theirs.random_sample()


def test_rows_in_any_order_are_shuffled_on():
    ours, theirs = both()
    rows = np.array([[5, 9, 2, 7], [0, 1, 2, 3]], dtype=np.intp)
    expected = rows[0].tolist()
    shuffle(rows[0], ours)
    theirs.shuffle(expected)
    assert rows.tolist() == [expected, [0, 1, 2, 3]]


def test_generators_of_users_shuffle_themselves():
    class Reversing(np.random.RandomState):
        def shuffle(self, rows):
            rows[:] = rows[::-1].copy()

    rows = np.arange(3)
    shuffle(rows, Reversing(0))
    assert rows.tolist() == [2, 1, 0]


@pytest.mark.parametrize("missing", ["extension module", "source of random numbers"])
def test_without_compiled_code_numpy_shuffles(missing, monkeypatch):
    def hidden(rows, rng):
        raise AttributeError

    if missing == "extension module":
        monkeypatch.setattr(shuffling, "extension", None)
    else:
        monkeypatch.setattr(shuffling, "_shuffle", hidden)
    shuffling._draws_like_numpy.cache_clear()
    ours, theirs = both()
    rows, expected = np.arange(9, dtype=np.intp), np.arange(9)
    try:
        shuffle(rows, ours)
    finally:
        shuffling._draws_like_numpy.cache_clear()
    theirs.shuffle(expected)
    assert_array_equal(rows, expected)


@NEEDS_EXTENSION
@pytest.mark.parametrize(
    ("rows", "source", "message"),
    [
        (np.arange(3, dtype=np.int16), np.random.MT19937(0).capsule, "another type"),
        (np.arange(3, dtype=np.intp), None, "invalid PyCapsule"),
        (np.arange(6, dtype=np.intp)[::2], np.random.MT19937(0).capsule, "read-write bytes-like"),
    ],
)
def test_other_rows_and_sources_are_refused(rows, source, message):
    before = rows.copy()
    with pytest.raises((ValueError, TypeError), match=message):
        shuffling.extension.shuffle(rows, source)
    assert_array_equal(rows, before)
