"""Checks and guards that all estimators share."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, time, timedelta
from decimal import Decimal
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite, check_array

from ..engine.arrays import Floats, all_finite
from ..engine.memory_mapped import RESIDENT, pages_of
from ..usercall import correcting
from .compat import check_y, convert_sample_weight, validate_data

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

#: Dtypes that X may keep, because batches are converted one by one; others become float64.
ACCEPTED = tuple(map(np.dtype, "d f e b B h H i I l L q Q ?".split()))

#: Types of a plain matrix.
MATRICES = (np.ndarray, sparse.csr_matrix, sparse.csr_array)

#: Types of objects in a table that are dates or durations.
DATES = (date, time, timedelta, np.datetime64, np.timedelta64)

#: pandas' own missing values, by the names of their classes.
MISSING_TYPES = ("NAType", "NaTType", "NoneType")

#: How the dtypes of dates, times and durations begin in polars and Arrow.
OF_TIME = re.compile("(dictionary<values=)?(date|time|duration)", re.IGNORECASE)

#: The smallest and the largest positive float64 number of full precision.
NORMAL_NUMBERS = (float(np.finfo(np.float64).tiny), float(np.finfo(np.float64).max))

#: The y with which ``validate_data`` checks only X.
NO_TARGETS = "no_validation"


def check_sample_weight(sample_weight: Any, X: Any) -> Floats | None:
    """Return the weights of the rows of X, (n_samples,), in float64; None if there are none.

    They are given as an array, or as one number for all rows. Raises ValueError if a weight is
    negative, NaN or infinite, if the shape is wrong, if all are zero, or if their sum overflows or
    vanishes.
    """
    if sample_weight is None:
        return None
    refuse_other_libraries(sample_weight, "sample_weight")
    refuse_dates(sample_weight, "sample_weight")
    if _is_single(sample_weight):
        sample_weight = _checked_number(sample_weight)
    try:
        with checking():
            weights = convert_sample_weight(sample_weight, X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        if "sample_weight" in str(error):
            raise
        raise ValueError(f"sample_weight: {error}") from error
    if (weights < 0).any():
        raise ValueError("Negative values in data passed to `sample_weight`.")
    if not weights.any():
        raise ValueError("All values of `sample_weight` are zero: at least one must be positive.")
    check_sum_of_weights(weights, "sample_weight:")
    return weights


def _is_single(weight: Any) -> bool:
    """Tell whether a weight is one value for all rows, not an array or a sequence."""
    # np.ndim would convert arrays of other libraries, which may refuse it.
    is_array = hasattr(weight, "__array__") and not isinstance(weight, np.ndarray | np.generic)
    return not is_array and np.ndim(weight) == 0


def _checked_number(weight: Any) -> float:
    """Check a single weight for all rows, and return it."""
    number = weight.item() if isinstance(weight, np.ndarray) else weight
    is_number = isinstance(number, Real) and not isinstance(number, bool | np.bool_)
    if not (is_number and np.isfinite(float(number))):
        raise ValueError(
            f"sample_weight={weight!r}: must be a finite number above 0, or an array of one number"
            " for each row."
        )
    return float(number)


def check_sum_of_weights(
    weights: Floats, subject: str, allowed: tuple[float, float] = NORMAL_NUMBERS
) -> None:
    """Refuse weights whose sum overflows, or is so small that a division by it overflows.

    The error message starts with ``subject``; ``allowed`` is the least and the largest sum.
    """
    with np.errstate(over="ignore"):
        total = weights.sum()
    if not allowed[0] <= total <= allowed[1]:
        raise ValueError(
            f"{subject} the sum of the weights must lie between {allowed[0]:.2g} and"
            f" {allowed[1]:.2g}, got {total:.2g}. Multiply all of them by one factor."
        )


def is_arrow(X: Any) -> bool:
    """Tell whether X is a table or a record batch of Arrow."""
    # Asking the class is fast: a table lists all names anew each time that it is asked for them.
    # And a pandas frame has an attribute for each column, whatever the column's name is.
    return hasattr(type(X), "column_names")


def as_table(X: Any) -> Any:
    """Return X; an Arrow record batch becomes a table, whose names scikit-learn can read."""
    if is_arrow(X) and not hasattr(X, "combine_chunks"):
        return sys.modules["pyarrow"].Table.from_batches([X])
    return X


def refuse_dates(values: Any, name: str) -> None:
    """Raise TypeError if values are dates or durations, which NumPy treats as integers."""
    dtype, frame = getattr(values, "dtype", None), type(values)
    if hasattr(frame, "schema"):
        # Beside columns of numbers, polars and Arrow make integers of dates.
        types = values.dtypes if hasattr(frame, "dtypes") else values.schema.types
        dtype = np.dtype("datetime64" if any(map(OF_TIME.match, map(str, types))) else "O")
    elif getattr(dtype, "kind", "O") == "O" and hasattr(values, "__getitem__"):
        # Lists, tables, objects: look at the first row; scikit-learn reports any other error.
        with suppress(Exception):
            first = np.asarray(values[:1])
            has_dates = any(isinstance(value, DATES) for value in first.ravel().tolist())
            dtype = np.dtype("datetime64") if has_dates else first.dtype
    if getattr(dtype, "kind", "") in ("m", "M"):
        raise TypeError(
            f"{name} holds dates or durations, but numbers are needed: convert them first, for"
            ' example by (dates - dates[0]) / np.timedelta64(1, "D").'
        )


def is_missing(value: Any) -> bool:
    """Tell whether a value stands for a missing one."""
    if type(value).__name__ in MISSING_TYPES:
        return True
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    return isinstance(value, float | np.floating | Decimal) and value != value


def refuse_texts_of_any_length(y: Any) -> None:
    """Raise TypeError for targets of NumPy's StringDType, which scikit-learn's checks refuse."""
    if getattr(getattr(y, "dtype", None), "kind", "") == "T":
        raise TypeError(
            "y holds strings of NumPy's StringDType, which scikit-learn does not accept: pass"
            " y.astype(object)."
        )


def refuse_other_libraries(array: Any, name: str = "X") -> None:
    """Raise an error for data that scikit-learn would convert to a wrong array.

    Raises TypeError for a lazy frame, and for a tensor, which ``array_api_dispatch`` passes on
    unchanged. Raises ValueError for a masked array, whose mask would be ignored, and for an Arrow
    dictionary with missing values, which would become its last value.
    """
    if str(getattr(array, "type", "")).startswith("dictionary") and array.null_count:
        raise ValueError(f"Input {name} contains null: leave out the rows without a value.")
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise ValueError(
            f"{name} is a masked array, whose mask would be ignored: fill the masked"
            f" values first, by {name}.filled(...)."
        )
    kind = type(array)
    if hasattr(array, "collect_schema") and not hasattr(array, "shape"):
        raise TypeError(
            f"{name} is a {kind.__name__}, which holds no rows yet: pass {name}.collect()."
        )
    # Arrow's arrays have no shape; scikit-learn converts them.
    is_array = hasattr(array, "__dlpack__") and hasattr(array, "shape")
    if is_array and not isinstance(array, np.ndarray) and get_config().get("array_api_dispatch"):
        raise TypeError(
            f"{name} must be a NumPy array, got a {kind.__module__}.{kind.__name__}: convert it by"
            " np.asarray, or set array_api_dispatch=False, so that scikit-learn does so."
        )


def refuse_odd_targets(y: Any, *, are_numbers: bool) -> None:
    """Raise an error for targets that scikit-learn would convert to wrong ones."""
    refuse_other_columns(y, "y")
    refuse_texts_of_any_length(y)
    if are_numbers:
        refuse_dates(y, "y")


def refuse_other_columns(table: Any, name: str = "X") -> None:
    """Do what ``refuse_other_libraries`` does, also for each column of an Arrow table."""
    refuse_other_libraries(table, name)
    for column in getattr(table, "itercolumns", tuple)():
        refuse_other_libraries(column, name)


def is_evidently_valid(X: Any, estimator: BaseEstimator) -> bool:
    """Tell whether scikit-learn's checks would surely return X as it is, without a warning.

    This takes microseconds; the checks themselves take as long as ten predictions of a row.
    If False, they must be run.
    """
    fitted = vars(estimator)
    if "feature_names_in_" in fitted:
        return False
    return are_evidently_numbers(X) and X.shape[1] == fitted.get("n_features_in_")


def are_evidently_numbers(X: Any) -> bool:
    """Tell whether X is surely a matrix of finite numbers, of a dtype to keep, in memory."""
    return (
        type(X) in MATRICES
        and X.ndim == 2
        and X.dtype in (FLOAT32, FLOAT64)
        and 0 not in X.shape
        and pages_of(X) is None
        and all_finite(X if type(X) is np.ndarray else X.data)
    )


def checking() -> np.errstate:
    """Return a context without NumPy's warnings, for scikit-learn's check that data is finite.

    It adds all numbers up first, and a sum of the largest floats may be ``inf - inf``.
    """
    return np.errstate(over="ignore", invalid="ignore")


@contextmanager
def _pointing_to_tables() -> Iterator[None]:
    """Add a note to errors about strings and missing values: which estimators accept them."""
    try:
        yield
    except ValueError as error:
        if re.match("Input X contains NaN|could not convert string to float", str(error)):
            error.add_note(
                "If X is a table with strings or missing values, use TabularMLPClassifier or"
                " TabularMLPRegressor of skperceptron.tabular, or put TabularPreprocessor of"
                " skperceptron.preprocessing before the network in a pipeline."
            )
        raise


def check_numbers(y: Any, owner: Any = None) -> Floats:
    """Return numbers to predict as float64, (n_samples,) or (n_samples, n_outputs).

    Unlike labels, they may not be sparse.
    """
    refuse_odd_targets(y, are_numbers=True)
    with checking():
        return check_array(y, ensure_2d=False, dtype=np.float64, input_name="y", estimator=owner)


def checked_targets(estimator: Any, y: Any) -> Any:
    """Do what ``validated`` does, for targets of a network only."""
    are_numbers = estimator._y_is_numeric
    refuse_odd_targets(y, are_numbers=are_numbers)
    return check_y(y, True, are_numbers, estimator=estimator)


def are_evidently_targets(y: Any, n_rows: int, multi_output: bool) -> bool:
    """Tell whether scikit-learn's checks would surely return these targets as they are."""
    return (
        type(y) is np.ndarray
        and y.ndim in ((1, 2) if multi_output else (1,))
        and len(y) == n_rows
        and 0 not in y.shape
        and (y.dtype.kind in "biuUS" or (y.dtype == FLOAT64 and bool(np.isfinite(y).all())))
    )


def validated(estimator: BaseEstimator, X: Any, y: Any = NO_TARGETS, **checks: Any) -> Any:
    """Do what ``validate_data`` does, but check a memory-mapped file part by part.

    ``checks`` are more arguments of that function. Returns X, or X and y. X keeps its dtype if that
    is one of ``dtype`` (by default ACCEPTED), and is CSR if it is sparse.
    """
    is_plain = type(X) in MATRICES and X.ndim == 2 and X.dtype in checks.get("dtype", ACCEPTED)
    is_plain &= checks.keys() <= {"reset", "dtype", "multi_output", "y_numeric"}
    if is_plain and y is not NO_TARGETS:
        is_plain = are_evidently_targets(y, X.shape[0], checks.get("multi_output", False))
    if is_plain and checks.get("reset") is False and is_evidently_valid(X, estimator):
        return X if y is NO_TARGETS else (X, y)
    X = as_table(X)
    refuse_other_columns(X)
    refuse_odd_targets(y, are_numbers=checks.get("y_numeric", False))
    refuse_dates(X, "X")
    pages = pages_of(X)
    usual = {"accept_sparse": "csr", "dtype": ACCEPTED, "ensure_all_finite": pages is None}
    if is_plain and are_evidently_numbers(X):
        if checks.get("reset", True):
            estimator.n_features_in_ = X.shape[1]
            # Names of an earlier fit must not survive one without names.
            vars(estimator).pop("feature_names_in_", None)
            return X if y is NO_TARGETS else (X, y)
        # Names and number of the columns remain to be checked.
        usual["skip_check_array"] = True
    with checking(), _pointing_to_tables():
        found = validate_data(estimator, X, y, **{**usual, **checks})
    if pages is not None:
        checked = found[0] if isinstance(found, tuple) else found
        name = type(estimator).__name__
        size = max(1, RESIDENT // checked[:1].nbytes)
        for start in range(0, len(checked), size):
            part = checked[start : start + size]
            pages.let_go()
            with checking():
                assert_all_finite(part, input_name="X", estimator_name=name)
    return found


@contextmanager
def renaming(usual: str, name: str) -> Iterator[None]:
    """Correct the name of a parameter in the errors and warnings of general checks.

    ``usual`` is the name in the messages, such as "y". A message without it gets the right name in
    front.
    """
    try:
        with correcting(partial(renamed, usual, name)):
            yield
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(renamed(usual, name, str(error))) from error


def renamed(usual: str, name: str, message: str) -> str:
    """Do what ``renaming`` does, for a message."""
    # Not if it is a label or the name of a column.
    alone = rf"(?<![\w'\"])(?<!- ){usual}(?![\w'\"])"
    message, n_found = re.subn(alone, name, message) if usual else (message, 0)
    return message if n_found else f"{name}: {message}"


@contextmanager
def restored_on_failure(estimator: BaseEstimator) -> Iterator[None]:
    """Restore the earlier attributes of an estimator if the body fails.

    The body must replace attributes, not change them in place.
    """
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def take_over_features(estimator: Any, source: Any) -> None:
    """Copy the number and the names of features from another, fitted estimator, if it has them."""
    for name in ("n_features_in_", "feature_names_in_"):
        vars(estimator).pop(name, None)
        # A pipeline that begins with a vectorizer of strings has no features.
        if hasattr(source, name):
            setattr(estimator, name, getattr(source, name))
