"""Columns of tables as NumPy arrays, whichever library the table comes from.

A table is a 2-D array or a frame of pandas, polars or Arrow. None of these libraries is imported:
whoever passes such a frame has already imported its library. Each column is of one kind: "number"
(durations and times of day are numbers of days), "date" (perhaps with a time of day) or "category"
(all else).
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import cache
from importlib import import_module
from numbers import Integral, Real
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from .._sklearn.checks import MISSING_TYPES, is_arrow, is_missing
from ..engine.arrays import Floats, Integers
from ..options import (
    Function,
    Instance,
    Interval,
    Listing,
    Name,
    Rules,
    check_option,
    items_of,
    shown,
)
from ..usercall import warn

#: The dtype of dates. Nanoseconds would only reach to the year 2262.
DATE = np.dtype("datetime64[us]")

DAY = np.timedelta64(1, "D")

#: Dates without a time of day: their values are `datetime.date`, as in an array of objects.
DAYS = "datetime64[D]"

#: How the dtypes of categories begin in pandas, Arrow and polars.
CATEGORICAL = ("category", "dictionary", "Categorical", "Enum")

#: Dtypes of strings.
TEXT = re.compile(r"(str|[sS]tring|large_string)(\[\w+])?")

#: How the dtypes of integers begin, such as "Int64" and "uint8[pyarrow]".
INTEGER = re.compile(r"u?int\d", re.IGNORECASE)

#: Dtypes of numbers of polars that are like those of NumPy.
PLAIN_NUMBER = re.compile(r"U?Int(8|16|32|64)|Float(32|64)")

#: Where a dtype of pandas or Arrow, or one of polars, names a time zone. One of dateutil is named
#: by its file.
ZONE = re.compile(
    r"^(?:datetime64|timestamp)\[\w+, (?:tz=)?(?:tzfile\('(?:.*/zoneinfo/)?)?([^]']+)"
    r"|time_zone='([^']+)'"
)

#: Types of values that become numbers of days.
OF_DAYS = time | timedelta | np.timedelta64

#: Rows from which on numbering the values of a column is faster than comparing them one by one.
MANY_ROWS = 200

#: Up to this many strings count as categories, even if all of them are numbers.
FEW_CATEGORIES = 20

#: About how many columns there are warnings of their own.
MOST_WARNINGS = 5

#: This many different values are enough to tell what most of them are.
SAMPLE = 1000

_COLUMN = (Instance(str), Instance(bool), Instance(np.bool_), Interval(whole=True))

_RETURNED = (Name(["from_dtype"]), Listing(_COLUMN, "names, positions or booleans"))

#: Valid values of ``categorical_features``.
CATEGORICAL_FEATURES: Rules = (*_RETURNED, Function("(X)"), None)


def chosen_columns(estimator: Any, X: Any) -> Any:
    """Return `categorical_features` of an estimator, or what it returns for X if it is callable."""
    chosen = estimator.categorical_features
    if not callable(chosen):
        return chosen
    chosen = chosen(X)
    name = type(estimator).__name__
    check_option(name, "categorical_features(X)", chosen, (*_RETURNED, None))
    return chosen


def is_frame(X: Any) -> bool:
    """Tell whether X is a table with columns of different types."""
    # A pandas series has ndim 1; frames of other libraries may have no `ndim`.
    has_columns = is_arrow(X) or any(hasattr(X, name) for name in ("iloc", "to_series"))
    return has_columns and getattr(X, "ndim", 2) == 2


def names_of(X: Any) -> list[Any]:
    """Return the names of the columns of a frame."""
    return list(X.column_names if is_arrow(X) else X.columns)


def holds_categories(X: Any, j: int) -> bool:
    """Tell whether the dtype of a column of a frame says that it holds categories."""
    return _is_categorical(dtype_of(X, j))


def dtype_of(X: Any, j: int) -> Any:
    """Return the dtype of a frame's column, as its library names it."""
    if is_arrow(X):
        return X.column(j).type
    # Frames list the dtypes of all columns anew each time.
    return X.iloc[:, j].dtype if hasattr(X, "iloc") else X.to_series(j).dtype


def _is_categorical(dtype: Any) -> bool:
    return str(dtype).startswith(CATEGORICAL)


def categories_of(X: Any, j: int) -> list[Any]:
    """Return the categories of a frame's column: in the order of a pandas dtype, or sorted."""
    if hasattr(X, "iloc"):
        return with_usual_dates(_as_categorical(X.iloc[:, j]).cat.categories)
    return sorted(set(_listed(X, j)) - {None})


def with_category_codes(X: Any, categories: Mapping[int, list[Any]]) -> Any:
    """Return a frame in which codes replace some columns: places among the categories given.

    All other values become -1.
    """
    names = names_of(X)
    if hasattr(X, "iloc"):
        X = X.copy(deep=False)
        for j, known in categories.items():
            column = _as_categorical(X.iloc[:, j])
            warn_if_of_other_type(with_usual_dates(column.cat.categories), known, names[j])
            X.isetitem(j, column.cat.set_categories(known).cat.codes)
        return X
    for j, known in categories.items():
        values = _listed(X, j)
        codes = codes_of(values, known, names[j])
        if is_arrow(X):
            X = X.set_column(j, names[j], [codes])
        else:
            X = X.with_columns(type(X.to_series(j))(names[j], codes))
    return X


def codes_of(values: Sequence[Any], known: Sequence[Any], name: Any) -> list[int]:
    """Return the place of each value of a column among the known categories, -1 if it has none."""
    # Not stored as an attribute: skops cannot restore a dict whose keys are booleans.
    place = {value: code for code, value in enumerate(known)}
    try:
        codes = [place.get(value, -1) for value in values]
    except TypeError as error:
        raise TypeError(f"Column {name!r} of categories: {error}.") from error
    if max(codes, default=-1) < 0:
        warn_if_of_other_type(values, known, name)
    return codes


def warn_if_of_other_type(values: Sequence[Any], known: Iterable[Any], name: Any) -> None:
    """Warn if no value of a column is of the type of a known category: none can be equal to one."""
    given, fitted = [value for value in values if not is_missing(value)], list(known)
    if given and fitted and set(map(_broad_type, given)).isdisjoint(map(_broad_type, fitted)):
        warn(
            f"Column {name!r} holds {shown(given[0])}, but in the data of fit its categories were"
            f" of another type, such as {shown(fitted[0])}: all of them count as unknown. Convert"
            " the column."
        )


def _broad_type(value: Any) -> type:
    """Return a value's type: the same for all numbers and booleans, and for all strings."""
    if isinstance(value, Real | Decimal | np.bool_):
        return float
    return str if isinstance(value, str) else type(_usual_date(value))


def _as_categorical(column: Any) -> Any:
    """Return a column of a pandas frame with pandas' own categorical dtype."""
    if str(column.dtype).startswith("dictionary"):
        # Arrow's dictionaries have any order, and pandas cannot convert them if values are missing.
        column = column.astype(object)
    return column.astype("category")


def _listed(X: Any, j: int) -> list[Any]:
    """Return the values of a column of a polars or Arrow frame."""
    values: list[Any] = X.column(j).to_pylist() if is_arrow(X) else X.to_series(j).to_list()
    return values


def zone_of(X: Any, j: int) -> str | None:
    """Return the time zone that the dtype of a column names, None without one."""
    if not is_frame(X):
        return None
    dtype = dtype_of(X, j)
    zone = getattr(dtype, "tz", None)
    offset = zone.utcoffset(None) if isinstance(zone, tzinfo) else None
    if offset is not None:
        # Libraries have many names for such zones, but all of them know "+02:00".
        return str(timezone(offset)).removeprefix("UTC") or "UTC"
    # On Windows, paths of files have backslashes, which are doubled in the name of a dtype.
    found = ZONE.search(str(dtype).replace("\\\\", "/"))
    return None if found is None else found[1] or found[2]


def exact_content_of(X: Any, j: int, zone: str | None = None) -> Any:
    """Return a column of categories as a 1-D array, in which integers do not become floats."""
    if not is_frame(X) or INTEGER.match(str(dtype_of(X, j))) is None:
        return content_of(X, j, zone)[0]
    if hasattr(X, "iloc"):
        return X.iloc[:, j].astype(object).to_numpy(dtype=object, na_value=None)
    return _objects(_listed(X, j))


def distinct_content_of(X: Any, j: int, zone: str | None) -> tuple[Any, Integers | None]:
    """Return values of a column of categories, and the place of each row's value among them.

    Values of a dtype of categories or strings are listed once. Otherwise, places are None: there is
    a value for each row.
    """
    found = _numbered(X, j) if X.shape[0] >= MANY_ROWS and is_frame(X) else None
    if found is None:
        return exact_content_of(X, j, zone), None
    values, places = found
    # Gaps have the place -1, the last one.
    return _objects([*values, None]), places


def _numbered(X: Any, j: int) -> tuple[Iterable[Any], Integers] | None:
    """Return the categories of a frame's column, and the place of each row's one, -1 if missing.

    None if values cannot be numbered faster than they are compared one by one.
    """
    dtype, n_rows = dtype_of(X, j), X.shape[0]
    is_text = TEXT.fullmatch(str(dtype)) is not None
    if not (is_text or _is_categorical(dtype)):
        return None
    if hasattr(X, "iloc"):
        array = X.iloc[:, j].array
        if is_text:
            places, texts = array.factorize()
            return texts.astype(object), places
        is_short = str(dtype) == "category" and len(array.categories) < n_rows
        return (array.categories.astype(object), array.codes) if is_short else None
    if is_arrow(X):
        array = X.column(j).combine_chunks()
        array = array.dictionary_encode() if is_text else array
        # Several gigabytes of strings cannot be one array.
        if not hasattr(array, "dictionary") or len(array.dictionary) > n_rows:
            return None
        places = array.indices.cast("int64").fill_null(-1).to_numpy()
        return array.dictionary.to_pylist(), places
    polars, column = sys.modules["polars"], X.to_series(j)
    texts = column.cast(polars.String)
    levels = texts.drop_nulls().unique()
    places = texts.cast(polars.Enum(levels)).to_physical().cast(polars.Int64)
    return levels.to_list(), places.fill_null(-1).to_numpy()


def columns_of_numbers(X: Any) -> list[int]:
    """Return the positions of the columns that ``numbers_of`` can read."""
    if not is_frame(X):
        return list(range(X.shape[1])) if X.dtype.kind in "iuf" else []
    if hasattr(X, "iloc"):
        return [j for j, t in enumerate(X.dtypes) if isinstance(t, np.dtype) and t.kind in "iuf"]
    dtypes = () if is_arrow(X) else X.dtypes
    return [j for j, dtype in enumerate(dtypes) if PLAIN_NUMBER.fullmatch(str(dtype))]


def numbers_of(X: Any, rows: slice, columns: list[int]) -> Floats:
    """Return some columns of numbers as float64, (n_rows, n_columns), maybe without a copy."""
    if hasattr(X, "iloc"):
        found = X.iloc[rows, columns].to_numpy(dtype=np.float64)
    elif is_frame(X):
        found = X[rows, columns].to_numpy()
    else:
        found = X[rows] if len(columns) == X.shape[1] else X[rows, columns]
    numbers: Floats = found.astype(np.float64, copy=False)
    return numbers


def content_of(X: Any, j: int, zone: str | None = None) -> tuple[Any, bool]:
    """Return a column as a 1-D array, and whether its dtype says that it holds categories.

    Times with a time zone become local times: those of ``zone`` if it is given.
    """
    if hasattr(X, "iloc"):
        return _of_pandas(X.iloc[:, j], zone)
    if hasattr(X, "to_series"):
        column = X.to_series(j)
        if getattr(column.dtype, "time_zone", None) is not None:
            if zone is not None:
                column = _in_zone(column, zone)
            column = column.dt.replace_time_zone(None)
        # NumPy has no integers of 128 bits.
        content = None if str(column.dtype).endswith("Int128") else column.to_numpy()
        if content is None or content.ndim > 1:
            # Structs are refused later by `kind_of`, as lists are.
            content = _objects(column.to_list())
        return content, _is_categorical(column.dtype)
    if is_arrow(X):
        column = X.column(j)
        if _is_categorical(column.type):
            return _objects(column.to_pylist()), True
        if getattr(column.type, "tz", None) is not None:
            if zone is not None:
                column = column.cast(sys.modules["pyarrow"].timestamp(column.type.unit, zone))
            column = import_module("pyarrow.compute").local_timestamp(column)
        return column.to_numpy(), False
    return X[:, j], False


def _in_zone(column: Any, zone: str) -> Any:
    """Return a column of polars whose times are the local times of a zone."""
    if zone[0] not in "+-":
        return column.dt.convert_time_zone(zone)
    # polars does not know such zones.
    return column.dt.convert_time_zone("UTC") + _tzinfo(zone).utcoffset(None)


def _of_pandas(column: Any, zone: str | None) -> tuple[Any, bool]:
    dtype = column.dtype
    if _is_categorical(dtype):
        return column.astype(object).to_numpy(dtype=object, na_value=None), True
    if str(dtype).startswith("period"):
        column = column.dt.to_timestamp()
    if ZONE.search(str(dtype)):
        if zone is not None:
            column = column.dt.tz_convert(zone)
        column = column.dt.tz_localize(None)
    kind = getattr(column.dtype, "kind", "O")
    if kind in "iuf":
        return column.to_numpy(dtype=np.float64, na_value=np.nan), False
    if kind in "mM":
        content = column.astype(f"{kind}8[us]").to_numpy()
        return content.astype(DAYS) if str(dtype).startswith("date32") else content, False
    return column.to_numpy(dtype=object, na_value=None), False


def _objects(values: list[Any]) -> Any:
    """Return a list as a 1-D array of objects, even if these are sequences."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def kind_of(content: Any, name: Any) -> str:
    """Return what a column holds: "number", "date" or "category".

    Raises TypeError if its dtype is not supported, or if it holds complex numbers or values that
    are not hashable, such as lists.
    """
    kind = content.dtype.kind
    if kind in "iufm":
        return "number"
    if kind == "M":
        return "date"
    if kind in "bUST":
        return "category"
    if kind != "O":
        raise TypeError(
            f"Column {name!r} has dtype {content.dtype}: numbers, strings, booleans, dates and"
            " categories are supported."
        )
    values = content.tolist()
    types = {t for t in set(map(type, values)) if t.__name__ not in MISSING_TYPES}
    if len(types) > 1:
        # One of them may be that of missing values: NaN among dates or booleans.
        types = {type(value) for value in values if not is_missing(value)}
    odd = [t for t in types if t.__hash__ is None or issubclass(t, complex | np.complexfloating)]
    if odd:
        raise TypeError(
            f"Column {name!r} holds values of type {odd[0].__name__!r}; each value of an"
            " argument must be a string, a number or another hashable value."
        )
    if all(issubclass(t, Real | Decimal | OF_DAYS) for t in types):
        return "category" if types == {bool} else "number"
    if all(map(_is_of_dates, types)):
        return "date"
    return "category"


def _is_of_dates(kind: type) -> bool:
    """Tell whether values of a type are dates, or periods of pandas, which begin at one."""
    return issubclass(kind, date | np.datetime64) or _is_of_periods(kind)


def _is_of_periods(kind: type) -> bool:
    # By name, since pandas need not be installed.
    return kind.__name__ == "Period"


def about_categories(content: Any, name: Any) -> str:
    """Return a warning if there are many categories, and most are numbers or dates, else "".

    They may be in strings, except whole numbers, which may be codes. There is also a warning about
    more categories than nine tenths of the rows.
    """
    counts = Counter(as_keys(content))
    levels = [v for v in counts if not is_missing(v)]
    n_rows = sum(counts[v] for v in levels)
    if len(levels) <= FEW_CATEGORIES:
        return ""
    found = [v for v in levels[:SAMPLE] if _is_quantity(v)]
    if 2 * len(found) > min(len(levels), SAMPLE):
        raw = next((v for v in levels if not _is_quantity(v)), found[0])
        return (
            f"Column {name!r} holds strings, such as {shown(raw)}, but most of its values are"
            f" numbers or dates, such as {shown(found[0])}. Each of its {len(levels)} different"
            " values counts as a category. Convert the column, without signs such as $, for example"
            " by pd.to_numeric or pd.to_datetime with errors='coerce', or name it in"
            " categorical_features."
        )
    if len(levels) > 0.9 * n_rows:
        return (
            f"Column {name!r} has {len(levels)} different values in {n_rows} rows, such as"
            f" {shown(levels[0])}, which say nothing about new rows. Leave it out, or convert it to"
            " numbers."
        )
    return ""


def warn_of_columns(found: Sequence[tuple[Any, str]]) -> None:
    """Give the warnings about the first few columns, and name the other columns in one warning."""
    for _, text in found[:MOST_WARNINGS]:
        warn(text)
    if others := [name for name, _ in found[MOST_WARNINGS:]]:
        warn(f"Further columns like these ({len(others)}): {shown(others)}.")


def _is_quantity(value: Any) -> bool:
    """Tell whether a value or string is a number or a date; False if it may be a code."""
    if not isinstance(value, str):
        is_number = isinstance(value, Real | Decimal) and not isinstance(value, bool)
        return is_number or _is_of_dates(type(value))
    # Amounts such as "$1,250.00", and shares such as "12 %", are numbers, too.
    value = value.replace(",", "")
    for read in () if value.isdigit() else (float, datetime.fromisoformat):
        try:
            read(value.strip("$€£%"))
        except ValueError:
            continue
        return True
    return False


def as_numbers(content: Any, name: Any) -> Floats:
    """Return a column of numbers, or durations or times of day, in days, as float64.

    Missing values become NaN. Raises ValueError if it holds something else, or infinity.
    """
    kind = content.dtype.kind
    if kind == "m":
        numbers = content / DAY
    elif kind in "biuf":
        numbers = content.astype(np.float64, copy=False)
    else:
        numbers = np.array([_number(value, name) for value in content.tolist()], dtype=np.float64)
    if np.isinf(numbers).any():
        raise ValueError(
            f"Input X contains infinity: column {name!r}. Replace it, for example by NaN for a"
            " missing value."
        )
    return numbers


def _number(value: Any, name: Any) -> float:
    if is_missing(value):
        return np.nan
    if isinstance(value, time):
        value = datetime.combine(datetime.min, value, tzinfo=None) - datetime.min
    if isinstance(value, timedelta | np.timedelta64):
        return float(np.timedelta64(value) / DAY)
    if isinstance(value, Real | Decimal):
        try:
            return float(value)
        except OverflowError:
            return np.inf
    raise ValueError(
        f"Column {name!r} holds {shown(value)}, which is not a number; in the data of fit the"
        " column held numbers."
    )


def as_keys(content: Any) -> list[Any]:
    """Return the values of a column as Python objects, which compare equal across dtypes."""
    if content.dtype.kind in "mM" and content.dtype != DAYS:
        # In nanoseconds, dates would become integers.
        content = content.astype(f"{content.dtype.kind}8[us]")
    return with_usual_dates(content.tolist())


def with_usual_dates(values: Iterable[Any]) -> list[Any]:
    """Return values in which dates and durations of pandas' classes are those of Python.

    skops cannot load the others. Those with nanoseconds stay as they are: they would no longer
    differ from their neighbors.
    """
    values = list(values)
    types = {kind.__name__ for kind in set(map(type, values))}
    if types.isdisjoint(("Timestamp", "Timedelta")):
        return values
    return list(map(_usual_date, values))


def _usual_date(value: Any) -> Any:
    name = type(value).__name__
    if name == "Timestamp" and not value.nanosecond:
        return value.to_pydatetime()
    if name == "Timedelta" and not value.nanoseconds:
        return value.to_pytimedelta()
    return value


def as_dates(content: Any, name: Any, zone: str | None = None) -> Any:
    """Return a column of dates as datetime64[us], without time zones; missing ones become NaT.

    Objects with a time zone become local times: those of ``zone`` if it is given. Raises ValueError
    if the column holds something else.
    """
    if content.dtype.kind == "M":
        return content.astype(DATE, copy=False)
    return np.array([_date(value, name, zone) for value in content.tolist()], dtype=DATE)


def _date(value: Any, name: Any, zone: str | None) -> Any:
    """Return what NumPy takes for a date without a time zone: converting all at once is faster."""
    if is_missing(value):
        return None
    if _is_of_periods(type(value)):
        return value.to_timestamp()
    if isinstance(value, datetime):
        if zone is not None and value.tzinfo is not None:
            value = value.astimezone(_tzinfo(zone))
        return value.replace(tzinfo=None)
    if isinstance(value, date | np.datetime64):
        return value
    raise ValueError(
        f"Column {name!r} holds {shown(value)}, which is not a date; in the data of fit the column"
        " held dates."
    )


@cache
def _tzinfo(zone: str) -> Any:
    """Return a time zone by its name, or by its offset, such as "+02:00"."""
    return datetime.strptime(zone, "%z").tzinfo if zone[0] in "+-" else ZoneInfo(zone)


def marked_columns(chosen: Any, names: Sequence[str], n_columns: int) -> set[int]:
    """Return the positions of the columns that `categorical_features` names.

    A string, such as "from_dtype", marks no columns. ``names`` is empty if columns have none.
    Raises ValueError if one of these columns does not exist, or if the number of booleans is
    wrong.
    """
    items = items_of(chosen) or []
    if items and all(isinstance(item, bool | np.bool_) for item in items):
        if len(items) != n_columns:
            raise ValueError(
                f"categorical_features has {len(items)} booleans, X has {n_columns}"
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
