"""Columns of X that hold categories: their positions and levels, and codes for those of frames.

A column of numbers holds codes: whole numbers from 0 on, one row of a learned table for each. A
negative code stands for a missing category. A column of a pandas, polars or Arrow frame that holds
no numbers, or has a categorical dtype, may hold anything: its codes are the positions in the list
of its categories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from .._sklearn.checks import as_table, validated
from ..engine.arrays import Integers
from ..engine.blocks import EmbedColumns
from ..exceptions import TooLargeError
from ..kept import kept_as
from ..preprocessing._columns import (
    OF_DAYS,
    categories_of,
    chosen_columns,
    content_of,
    holds_categories,
    is_frame,
    kind_of,
    marked_columns,
    names_of,
    with_category_codes,
)
from ..usercall import warn

#: From here on, float32 cannot represent all whole numbers.
LARGEST_CODE = 2**24

#: Largest number of rows of a table for each row of X: most of a larger one would not be trained.
LEVELS_PER_ROW = 1000


@kept_as("category columns")
@dataclass(frozen=True)
class CategoryColumns:
    """Which columns are embedded: their positions, in rising order, and the rows of each table."""

    columns: tuple[int, ...]
    levels: tuple[int, ...]

    def block(self, dim: int | None) -> EmbedColumns:
        """Return the block that embeds them in vectors of width ``dim``; None means the default."""
        dims = [usual_width(n) if dim is None else dim for n in self.levels]
        return EmbedColumns(self.columns, self.levels, dims)


def embedded_columns(categories: CategoryColumns | None) -> tuple[int, ...]:
    """Return the positions of the columns that are embedded; none without categories."""
    return () if categories is None else categories.columns


def usual_width(n_levels: int) -> int:
    """Return the default width of vectors for a number of categories, by a rule of fastai.

    ``1.6 n^0.56`` (Howard & Gugger 2020, *fastai: A layered API for deep learning*), at most 50 as
    in Guo & Berkhahn (2016), and at most the number of categories.
    """
    return int(min(50, n_levels, max(1, round(1.6 * n_levels**0.56))))


def with_codes(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Return X as the user gave it; categories in a frame that are not numbers become codes.

    The estimator remembers the categories. ``reset`` says whether this is the X of a fit that
    starts from scratch.
    """
    X = as_table(X)
    if reset:
        vars(estimator).pop("_category_values", None)
        if is_frame(X) and (found := _values_of(estimator, X)):
            estimator._category_values = found
    values = estimator._category_values
    if not values or not is_frame(X) or X.shape[1] <= max(values):
        return X
    return with_category_codes(X, values)


def _values_of(estimator: Any, X: Any) -> dict[int, list[Any]]:
    """Return the categories of those marked columns of a frame that do not hold numbers."""
    chosen = chosen_columns(estimator, X)
    if chosen is None:
        return {}
    columns: Sequence[int] = range(X.shape[1])
    has_categories = holds_categories
    if not _is_by_dtype(chosen):
        columns = sorted(marked_columns(chosen, names_of(X), X.shape[1]))
        has_categories = _holds_no_numbers
    return {j: categories_of(X, j) for j in columns if has_categories(X, j)}


def _holds_no_numbers(X: Any, j: int) -> bool:
    content, is_category = content_of(X, j)
    if is_category or content.dtype.kind in "biuf":
        # Booleans are the codes 0 and 1.
        return is_category
    is_number = kind_of(content, names_of(X)[j]) == "number"
    return not is_number or any(isinstance(value, OF_DAYS) for value in content.tolist())


def _is_by_dtype(chosen: Any) -> bool:
    return isinstance(chosen, str) and chosen == "from_dtype"


def marks_columns_of_arrays(estimator: Any) -> bool:
    """Tell whether columns would be embedded even if X is not a frame."""
    chosen = estimator.categorical_features
    return chosen is not None and not _is_by_dtype(chosen)


def _marked(estimator: Any, given: Any, X: Any) -> tuple[int, ...]:
    """Return the positions of the columns to embed, which must hold codes in X."""
    chosen = chosen_columns(estimator, given)
    if chosen is None:
        return ()
    names = getattr(estimator, "feature_names_in_", ())
    by_dtype = _is_by_dtype(chosen)
    values = estimator._category_values
    columns = tuple(sorted(values if by_dtype else marked_columns(chosen, names, X.shape[1])))
    check_codes(estimator, X, columns)
    return columns


def columns_of(
    estimator: Any,
    given: Any,
    X: Any,
    rows: Integers | slice = slice(None),
    n_rows: int | None = None,
) -> CategoryColumns | None:
    """Return which columns are embedded; None if there are none.

    The estimator has checked X, which the user gave as ``given``. The ``rows`` that are trained on
    determine the numbers of levels; of ``n_rows`` rows, X may hold a part.

    Raises
    ------
    ValueError
        If a column holds something other than codes, or codes that need an enormous table.
    """
    columns, values = _marked(estimator, given, X), estimator._category_values
    if not columns:
        return None
    levels = []
    for j in columns:
        if j in values:
            levels.append(max(1, len(values[j])))
            continue
        largest = X[rows, j].max()
        if largest >= min(LARGEST_CODE, LEVELS_PER_ROW * (n_rows or X.shape[0])):
            raise TooLargeError(
                f"categorical_features: column {_name(estimator, j)} holds the code"
                f" {largest:.0f}, for which a table of as many rows would be trained. Number the"
                " categories from 0 on, for example by sklearn.preprocessing.OrdinalEncoder."
            )
        levels.append(max(1, int(largest) + 1))
    return CategoryColumns(columns, tuple(levels))


def find_columns(estimator: Any, given: Any, X: Any, rows: Integers | slice = slice(None)) -> None:
    """Store on an estimator which columns are embedded; arguments are as for `columns_of`."""
    columns = columns_of(estimator, given, X, rows)
    FoundCategories(columns, estimator._category_values).remember(estimator)


@dataclass(frozen=True)
class FoundCategories:
    """The embedded columns of some rows, and the categories in those that hold no numbers."""

    columns: CategoryColumns | None
    values: dict[int, list[Any]]

    @classmethod
    def in_block(cls, estimator: Any, X: Any, n_rows: int) -> FoundCategories:
        """Find the categories of one of several blocks, which have ``n_rows`` rows in total.

        The estimator, which checks X, is not fitted.
        """
        checked = validated(estimator, with_codes(estimator, X, reset=True), reset=True)
        columns = columns_of(estimator, X, checked, n_rows=n_rows)
        return cls(columns, estimator._category_values)

    @classmethod
    def in_all(cls, parts: Sequence[FoundCategories]) -> FoundCategories:
        """Return the categories of all blocks together.

        Categories that differ from block to block, as those of Parquet files do, are sorted. Raises
        ValueError if blocks differ in which columns are embedded, or in which of them are not
        numbers.
        """
        columns = {embedded_columns(part.columns) for part in parts}
        if len(columns) > 1 or len({tuple(part.values) for part in parts}) > 1:
            raise ValueError(
                "categorical_features must mark the same columns of the same dtypes in each block,"
                f" got {' and '.join(map(str, sorted(map(list, columns))))}."
            )
        values = {j: _united([part.values[j] for part in parts]) for j in parts[0].values}
        all_levels = [part.columns.levels for part in parts if part.columns is not None]
        if not all_levels:
            return cls(None, values)
        (places,) = columns
        levels = [
            max(1, len(values[j])) if j in values else max(of_blocks)
            for j, of_blocks in zip(places, zip(*all_levels, strict=True), strict=True)
        ]
        return cls(CategoryColumns(places, tuple(levels)), values)

    def remember(self, estimator: Any) -> None:
        """Store them on an estimator, as if it had found them itself."""
        for name in ("_categories", "_category_values"):
            vars(estimator).pop(name, None)
        if self.columns is not None:
            estimator._categories = self.columns
        if self.values:
            estimator._category_values = self.values


def values_of_categories(estimator: Any) -> dict[int, list[Any]]:
    """Return the values that have codes, by column; none if codes themselves were given."""
    return getattr(estimator, "_category_values", {})


def take_over_categories(estimator: Any, source: Any) -> None:
    """Copy the categories of a fitted estimator to another one."""
    FoundCategories(source._categories, source._category_values).remember(estimator)


def checked_rows(estimator: Any, X: Any) -> Any:
    """Check rows, and return them with their categories replaced by an estimator's codes."""
    checked = validated(estimator, with_codes(estimator, X, reset=False), reset=False)
    check_codes(estimator, checked, embedded_columns(estimator._categories))
    return checked


def _united(lists: Sequence[list[Any]]) -> list[Any]:
    """Return all values of some lists; sorted, if the lists differ and the values allow it."""
    if all(values == lists[0] for values in lists):
        return lists[0]
    united = list(dict.fromkeys(value for values in lists for value in values))
    try:
        return sorted(united)
    except TypeError:
        return united


def check_codes(estimator: Any, X: Any, columns: Sequence[int]) -> None:
    """Raise ValueError if some columns of X hold anything other than codes."""
    if columns and sparse.issparse(X):
        raise ValueError(
            f"categorical_features={estimator.categorical_features!r} needs dense X, got a sparse"
            " matrix: pass X.toarray(), or use categorical_features=None."
        )
    for j in columns:
        column = X[:, j]
        if column.dtype.kind == "f" and len(odd := column[column != np.floor(column)]):
            raise ValueError(
                f"categorical_features: column {_name(estimator, j)} holds {odd[0]}, but its"
                " codes must be whole numbers: from 0 on, or negative for no category."
            )


def _name(estimator: Any, j: int) -> str:
    names = getattr(estimator, "feature_names_in_", None)
    return str(j) if names is None else repr(str(names[j]))


def check_later_categories(estimator: Any, given: Any, X: Any) -> None:
    """Raise ValueError if `categorical_features` marks other columns than in the earlier fit.

    Warn of categories that the earlier fit has not seen: they count as unknown in later fits, too.
    """
    earlier: CategoryColumns | None = estimator._categories
    before = embedded_columns(earlier)
    if before != _marked(estimator, given, X):
        raise ValueError(
            "warm_start and partial_fit continue with the tables of the earlier fit:"
            f" categorical_features={estimator.categorical_features!r} must mark the columns"
            f" {list(before)} of X, as it did."
        )
    if earlier is not None:
        _warn_of_new_categories(estimator, earlier, as_table(given), X)


def _warn_of_new_categories(estimator: Any, earlier: CategoryColumns, given: Any, X: Any) -> None:
    """Warn if rows to learn from hold categories that the tables of the earlier fit lack."""
    values = estimator._category_values
    for j, n_levels in zip(earlier.columns, earlier.levels, strict=True):
        codes = X[:, j]
        is_new = codes.max() >= n_levels
        # Values that are missing, or new, have negative codes.
        if j in values and is_frame(given) and codes.min() < 0:
            is_new = not set(values[j]).issuperset(categories_of(given, j))
        if is_new:
            warn(
                f"categorical_features: column {_name(estimator, j)} holds categories that the"
                " first call did not know. They count as missing, and are not learned. The first"
                " call must get all categories: in its rows, or listed by a categorical dtype."
            )
