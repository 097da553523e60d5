"""Rows in random order, drawn as by NumPy in about half the time."""

from __future__ import annotations

from functools import cache

import numpy as np

from ..arrays import Integers
from .extension import steps as extension

#: Number of rows from which on NumPy draws numbers of 64 bits, which we do not.
MANY_ROWS = 2**32


def shuffle(rows: Integers, rng: np.random.RandomState) -> None:
    """Do what ``rng.shuffle(rows)`` does with a contiguous array of intp, (n,)."""
    if type(rng) is np.random.RandomState and len(rows) < MANY_ROWS and _draws_like_numpy():
        _shuffle(rows, rng)
    else:
        rng.shuffle(rows)


def _shuffle(rows: Integers, rng: np.random.RandomState) -> None:
    source = rng._bit_generator
    with source.lock:
        extension.shuffle(rows, source.capsule)


@cache
def _draws_like_numpy() -> bool:
    """Tell whether there is compiled code that draws the same numbers as this NumPy."""
    ours, theirs = np.arange(100, dtype=np.intp), np.arange(100, dtype=np.intp)
    np.random.RandomState(0).shuffle(theirs)
    try:
        _shuffle(ours, np.random.RandomState(0))
    except AttributeError:
        # There is no extension module, or NumPy hides its source of random numbers.
        return False
    return bool((ours == theirs).all())
