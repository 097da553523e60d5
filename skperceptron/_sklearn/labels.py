"""Checks of labels, whose messages say what is wrong with them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from ..preprocessing._columns import is_missing
from .compat import check_classification_targets

__all__ = ["check_labels", "refuse_missing_labels"]


def check_labels(y: Any) -> None:
    """Check what scikit-learn's ``check_classification_targets`` does.

    Raises
    ------
    ValueError
        If labels are missing, or y holds no labels.
    TypeError
        If labels cannot be sorted, such as numbers mixed with strings.
    """
    try:
        check_classification_targets(y)
    except (TypeError, ValueError):
        refuse_missing_labels(y)
        _refuse_labels_of_several_types(y)
        raise


def refuse_missing_labels(y: Any) -> None:
    """Raise ValueError if labels are missing."""
    if sparse.issparse(y):
        return
    found = np.asarray(y)
    if found.dtype.kind == "f" and np.isnan(found).any():
        raise ValueError("Input y contains NaN: leave out the rows without a label.")
    if found.dtype.kind in "OmM":
        missing = next((one for one in found.ravel() if is_missing(one)), "")
        if not isinstance(missing, str):
            name = "NaN" if isinstance(missing, float) else missing
            raise ValueError(f"Input y contains {name}: leave out the rows without a label.")


def _refuse_labels_of_several_types(y: Any) -> None:
    """Raise TypeError if labels cannot be sorted, such as numbers mixed with strings."""
    found = np.asarray(y, dtype=object) if isinstance(y, list | tuple) else y
    if getattr(getattr(found, "dtype", None), "kind", "") != "O" or np.ndim(found) != 1:
        return
    labels = np.asarray(found).tolist()
    try:
        sorted(set(labels))
    except TypeError as error:
        types = sorted({type(label).__name__ for label in labels})
        if len(types) < 2:
            # All are of one type: the message of scikit-learn is better.
            return
        raise TypeError(
            f"y holds labels of the types {' and '.join(types)}, which cannot be compared: give"
            " all of them one type, such as str."
        ) from error
