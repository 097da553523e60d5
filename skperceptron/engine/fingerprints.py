"""Fingerprints of rows, which depend on a row's content only, not on its position.

A fingerprint is a 64-bit hash of a row's numbers. Among n different rows, two share one with
probability n^2 / 2^65: about 3e-8 for a million rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .arrays import Floats, Integers, stored_once
from .compiled import Way, way
from .compiled.extension import steps as extension

Words = NDArray[np.uint64]

#: Numbers hashed at a time: 256 KB, which stay in the cache (100,000 x 100: 54 instead of 101 ms).
BLOCK = 2**15

#: Columns of `extra` are numbered from here, beyond those of any X.
EXTRA_FROM = 2**40


def row_fingerprints(
    X: Floats | sparse.csr_array, extra: Floats | Integers | sparse.csr_array
) -> Words:
    """Hash each row of X, (N, D), and of further columns, (N, E), such as targets: (N,), uint64.

    Numbers are float32 or float64. Zeros contribute nothing, so that a sparse and a dense row
    agree; 0.0 equals -0.0.
    """
    return _mixed(_hashes(X, 0) + _hashes(extra, EXTRA_FROM))


def merge_equal_rows(
    X: Floats | sparse.csr_array,
    extra: Floats | Integers | sparse.csr_array,
    sample_weight: Floats | None = None,
    rows: Integers | None = None,
) -> tuple[Integers, Floats]:
    """Find the distinct rows, in an order that depends on their content only.

    Rows of X, (N, D), are merged if those of ``extra``, (N, E), such as targets, are equal, too.
    Rows of weight zero are dropped; without weights, each row counts once. ``rows`` are the only
    ones to consider; None is all. Returns one row for each distinct content, and the sum of the
    weights of all rows with that content, in float64.
    """
    rows = np.arange(X.shape[0]) if rows is None else rows
    keys = row_fingerprints(X, extra)[rows]
    weights = None if sample_weight is None else sample_weight[rows]
    first = np.argsort(keys)
    in_order = keys[first]
    if (in_order[1:] == in_order[:-1]).any():
        # To find which of equal rows comes first takes a stable sort, three times as long.
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        totals = np.bincount(inverse.ravel(), weights=weights).astype(np.float64)
    else:
        totals = np.ones(len(keys)) if weights is None else weights[first].astype(np.float64)
    counts = totals > 0
    return rows[first[counts]], totals[counts]


def _hashes(X: Floats | Integers | sparse.csr_array, first_column: int) -> Words:
    return (_sparse_hashes if sparse.issparse(X) else _dense_hashes)(X, first_column)


def _dense_hashes(X: Floats | Integers, first_column: int) -> Words:
    n_rows, n_columns = X.shape
    multipliers = _multipliers(np.arange(first_column, first_column + n_columns, dtype=np.uint64))
    hashes = np.empty(n_rows, dtype=np.uint64)
    step = max(1, BLOCK // max(1, n_columns))
    for start in range(0, n_rows, step):
        part = slice(start, start + step)
        _hash_rows(X[part], multipliers, None, hashes[part])
    return hashes


def _sparse_hashes(X: sparse.csr_array, first_column: int) -> Words:
    X = stored_once(X)
    columns = np.arange(first_column, first_column + X.shape[1], dtype=np.uint64)
    hashes = np.empty(X.shape[0], dtype=np.uint64)
    n_numbers = len(X.indices)
    _hash_rows(X.data[:n_numbers], _multipliers(columns)[X.indices], X.indptr, hashes)
    return hashes


def _hash_rows(
    numbers: Floats | Integers, multipliers: Words, starts: Integers | None, hashes: Words
) -> None:
    """Write hashes of n rows: sums of numbers' scrambled bits, each times its multiplier.

    Dense numbers are (n, D), with (D,) multipliers. For a CSR matrix both are (n_numbers,), and
    rows begin at ``starts``, (n + 1,).
    """
    if way() is not Way.NUMPY:
        dtype = np.float32 if numbers.dtype == np.float32 else np.float64
        numbers = np.require(numbers, dtype, ["C", "A"])
        starts = None if starts is None else np.ascontiguousarray(starts, dtype=np.intp)
        extension.hash_rows(numbers, multipliers, starts, hashes)
        return
    words = _bits(numbers)
    np.multiply(words, multipliers, out=words)
    if starts is None:
        np.add.reduce(words, axis=1, out=hashes)
        return
    # Sums wrap around, so that differences of running sums are exact.
    running = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(words, dtype=np.uint64)])
    np.subtract(running[starts[1:]], running[starts[:-1]], out=hashes)


def _bits(numbers: Floats | Integers) -> Words:
    """Return the numbers' bits in float64, scrambled; zero stays zero."""
    # Adding 0.0 turns -0.0 into 0.0.
    words = (np.asarray(numbers, dtype=np.float64) + 0.0).view(np.uint64)
    return _scrambled(words)


def _multipliers(columns: Words) -> Words:
    """Return an odd number for each column."""
    return _mixed(columns) | np.uint64(1)


def _mixed(words: Words) -> Words:
    """Scramble words, zero included (the finalizer of SplitMix64, Steele et al. 2014)."""
    return _scrambled(words + np.uint64(0x9E3779B97F4A7C15))


def _scrambled(words: Words) -> Words:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
