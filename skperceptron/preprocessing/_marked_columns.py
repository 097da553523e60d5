"""Columns of a table that a user marks by names, positions or truth values."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from ..options import Function, Instance, Interval, Listing, Name, Rules, items_of

_COLUMN = (Instance(str), Instance(bool), Instance(np.bool_), Interval(whole=True))

#: Valid values of ``categorical_features``.
CATEGORICAL_FEATURES: Rules = (
    Name(["from_dtype"]),
    Listing(_COLUMN, "names, positions or truth values"),
    Function("(X)"),
    None,
)


def marked_columns(chosen: Any, names: Sequence[str], n_columns: int) -> set[int]:
    """Return the positions of the columns that `categorical_features` names.

    A string, such as "from_dtype", marks no columns. ``names`` is empty if columns have none.
    Raises ValueError if one of these columns does not exist, or if the number of truth values is
    wrong.
    """
    items = items_of(chosen) or []
    if items and all(isinstance(item, bool | np.bool_) for item in items):
        if len(items) != n_columns:
            raise ValueError(
                f"categorical_features has {len(items)} truth values, X has {n_columns}"
                " columns: one for each is needed."
            )
        return {j for j, is_category in enumerate(items) if is_category}
    names = list(names)
    unknown = [item for item in items if not _is_column(item, names, n_columns)]
    if unknown:
        known = f"its columns are {names}" if names else "its columns have no names"
        raise ValueError(
            f"categorical_features holds {unknown[0]!r}, but X has no such column: {known},"
            f" their positions are 0 to {n_columns - 1}."
        )
    return {names.index(item) if isinstance(item, str) else int(item) for item in items}


def _is_column(item: Any, names: Sequence[str], n_columns: int) -> bool:
    if isinstance(item, str):
        return item in names
    is_position = isinstance(item, Integral) and not isinstance(item, bool)
    return is_position and 0 <= int(item) < n_columns
