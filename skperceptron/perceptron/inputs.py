"""Inputs of the response units: the features, or the associative units, and a constant.

Here n is the number of requested rows, A that of inputs, including the constant. The weight of the
constant, which is the last input, is the bias.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse

from ..engine.arrays import Booleans, Floats, Integers
from ..engine.compiled.extension import steps as extension

#: Rows, each with the constant.
Features: TypeAlias = "Floats | sparse.csr_array"

#: Number of mistakes in each epoch, which rows they are, final weights: see :class:`.Solver`.
Answers: TypeAlias = "tuple[Integers, Booleans, Floats]"


@dataclass(frozen=True)
class RowsInPlace:
    """Rows of X in some order, (n,), read without a copy, each followed by a constant.

    X is stored row by row, dense or CSR, in float64 or float32.
    """

    X: Any
    rows: Integers
    constant: float

    def __getitem__(self, chosen: Integers | slice) -> RowsInPlace:
        """Return some of the rows, without a copy."""
        return RowsInPlace(self.X, self.rows[chosen], self.constant)

    def corrected(self, amounts: Floats, weight: Floats, n_epochs: int = 1) -> Answers:
        """Present the rows to units: see :class:`.Solver`."""
        mistakes, wrong = np.zeros(n_epochs, np.intp), np.empty(amounts.shape, bool)
        return mistakes, wrong, self._visited(amounts, weight, wrong, mistakes)

    def added_to(self, total: Floats, factors: Floats) -> Floats:
        """Return a total, (C, A), plus each row in turn times its factors, (n, C)."""
        return self._visited(factors, total, None, np.zeros(1, np.intp))

    def _visited(
        self, amounts: Floats, weight: Floats, wrong: Booleans | None, mistakes: Integers
    ) -> Floats:
        X, weight = self.X, weight.copy()
        storage = (X.data, X.indices, X.indptr) if sparse.issparse(X) else (X, None, None)
        # On Windows, the usual integers of NumPy 1 have 32 bits.
        rows = np.ascontiguousarray(self.rows, dtype=np.intp)
        amounts = np.ascontiguousarray(amounts)
        extension.visit(*storage, rows, amounts, weight, wrong, mistakes, self.constant)
        return weight


class GivenInputs:
    """Rows of a matrix, (N, A - 1), dense or CSR."""

    def __init__(self, X: Any, constant: float) -> None:
        self._is_sparse = sparse.issparse(X)
        self._X = _checked(X) if self._is_sparse else X
        self._constant = constant

    @property
    def n_inputs(self) -> int:
        """The number of inputs, A."""
        return int(self._X.shape[1] + 1)

    @property
    def mean_row_size(self) -> float:
        """The number of elements that a row stores on average, with the constant."""
        return float(self._X.size / self._X.shape[0] + 1)

    def gathered(self, rows: Integers) -> Features:
        """Return a copy of rows, (n, A)."""
        return with_constant(self._X, self._constant, rows)

    def responses(self, rows: Integers, weights: Floats) -> Floats:
        """Return the responses of units to rows, (n, C), by their weights, (C, A)."""
        # To append the constant, or to select sparse rows, takes longer than the product.
        coef, biases = weights[:, :-1].T, self._constant * weights[:, -1]
        if not self._is_sparse:
            return _taken(self._X, rows).astype(np.float64, copy=False) @ coef + biases
        if 2 * len(rows) > self._X.shape[0]:
            return (self._X @ coef)[rows] + biases
        return self._X[rows] @ coef + biases

    def in_place(self, rows: Integers) -> RowsInPlace:
        """Return rows without a copy; with one, if compiled code cannot read X as it is stored."""
        X = self._X
        if self._is_sparse or (X.flags.c_contiguous and X.flags.aligned):
            return RowsInPlace(X, rows, self._constant)
        return _copied(_taken(X, rows), self._constant)


class ComputedInputs:
    """Associative units whose activations are computed whenever they are needed.

    ``associative_of`` maps row numbers to the activations of the units, (n, A - 1).
    """

    def __init__(
        self, associative_of: Callable[[Integers], Floats], n_units: int, constant: float
    ) -> None:
        self._associative_of = associative_of
        self.n_inputs = self.mean_row_size = n_units + 1
        self._constant = constant

    def gathered(self, rows: Integers) -> Features:
        """Return rows as :meth:`GivenInputs.gathered` does."""
        return with_constant(self._associative_of(rows), self._constant, np.arange(len(rows)))

    def responses(self, rows: Integers, weights: Floats) -> Floats:
        """Return responses as :meth:`GivenInputs.responses` does."""
        return self.gathered(rows) @ weights.T

    def in_place(self, rows: Integers) -> RowsInPlace:
        """Return rows as :meth:`GivenInputs.in_place` does."""
        return _copied(self._associative_of(rows), self._constant)


Inputs: TypeAlias = GivenInputs | ComputedInputs


def _checked(X: Any) -> sparse.csr_array:
    """Return a valid CSR matrix: the compiled code that reads it does not check column numbers."""
    storage = (np.require(part, requirements=["C", "A"]) for part in (X.data, X.indices, X.indptr))
    checked = sparse.csr_array(tuple(storage), shape=X.shape)
    checked.check_format(full_check=True)
    return checked


def _copied(numbers: Floats, constant: float) -> RowsInPlace:
    """Return all rows of a matrix, in order."""
    X = np.require(numbers, np.float64, ["C", "A"])
    return RowsInPlace(X, np.arange(len(X)), constant)


def with_constant(X: Features, constant: float, rows: Integers) -> Features:
    """Return rows of X, each followed by the constant, whose weight is the bias."""
    n_rows, n_inputs = len(rows), X.shape[1]
    if sparse.issparse(X):
        return with_numbers(X[rows], np.full(n_rows, n_inputs), constant, n_inputs + 1)
    extended = np.empty((n_rows, n_inputs + 1))
    extended[:, :-1], extended[:, -1] = _taken(X, rows), constant
    return extended


def with_numbers(
    X: sparse.csr_array, columns: Integers, number: float, n_columns: int
) -> sparse.csr_array:
    """Return a CSR matrix in float64 with one more number in each row, in the given column."""
    ends, n_rows = X.indptr[1:], X.shape[0]
    numbers = np.insert(X.data.astype(np.float64, copy=False), ends, number)
    starts = X.indptr + np.arange(n_rows + 1)
    parts = numbers, np.insert(X.indices, ends, columns), starts
    return sparse.csr_array(parts, shape=(n_rows, n_columns))


def _taken(X: Floats, rows: Integers) -> Floats:
    """Return rows of X; consecutive ones without a copy."""
    if rows[-1] - rows[0] == len(rows) - 1 and (rows[1:] > rows[:-1]).all():
        return X[rows[0] : rows[-1] + 1]
    # All row numbers are valid: "clip" saves the check.
    return np.take(X, rows, axis=0, mode="clip")
