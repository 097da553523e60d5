"""Conversion of each kind of column into numbers: a column of X becomes columns of the output.

Each part learns from a column of N rows in ``fit``, names its outputs, and writes them.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from .._sklearn.checks import is_missing
from ..engine.arrays import Floats, Integers
from ..engine.operators import OperatorGraph, Value
from ..kept import kept_as
from ..options import shown
from ._columns import DAY, as_dates, as_keys, as_numbers, codes_of

YEAR = np.timedelta64(1, "Y")

#: Microseconds of a day.
MICROSECONDS = 86_400_000_000

#: Suffix of the output that marks missing values.
MISSING = "_missing"

#: The int64 that stands for a missing date.
MISSING_DATE = int(np.datetime64("NaT", "us").astype(np.int64))

#: The string that stands for a missing one in an exported model: no column has it as a level.
MISSING_TEXT = "\ufffd"

#: Days of 400 years, after which the calendar repeats itself.
DAYS_OF_ERA = 146_097

#: Days from a first of March, 800 eras before the year 0, to 1970.
MARCH_1970 = 719_468 + 800 * DAYS_OF_ERA

#: If the median is more than this many spreads away from 0, it is subtracted before numbers become
#: float32. Otherwise rounding, by 2^-24 of a number, would be more than 2^-12 of a spread.
FAR_FROM_0 = 2.0**12

#: Spreads between these leave room in float32 for outliers and for much smaller differences.
LEAST_SPREAD, LARGEST_SPREAD = 1e-30, 1e30

#: Up to this exponent, powers of two and their inverses are float64 numbers.
LARGEST_EXPONENT = 1000


class Part:
    """Outputs that are made from one column; their names are that of the column and a suffix."""

    suffixes: list[str]

    #: The time zone of the column in ``fit``, None without one.
    zone: str | None = None

    def __init__(self, position: int) -> None:
        self.position = position

    def fit(self, content: Any, name: Any) -> Part:
        """Learn from a column, (N,)."""
        raise NotImplementedError

    def write(self, content: Any, name: Any, out: Floats) -> None:
        """Fill ``out``, (N, number of suffixes); NaN stands for a number that is missing."""
        raise NotImplementedError

    def are_numbers(self) -> list[bool]:
        """Return which outputs are numbers: not categories, nor booleans."""
        return [False] * len(self.suffixes)

    def to_onnx(self, graph: OperatorGraph, column: Value, name: Any) -> Value:
        """Return the outputs of ``write`` for a column, (rows, 1), as ONNX operators."""
        raise NotImplementedError


class Quantity(Part):
    """A column of numbers or dates, stored in a dtype without loss of digits that matter.

    Parameters
    ----------
    position : int
    dtype : {"float64", "float32"} or NumPy dtype
        Dtype of the output.
    """

    # In a narrow dtype, `shift` is subtracted from numbers, and they are divided by 2**exponent.
    shift, exponent = 0.0, 0

    def __init__(self, position: int, dtype: Any) -> None:
        super().__init__(position)
        self.dtype = np.dtype(dtype).name

    def are_numbers(self) -> list[bool]:
        return [suffix != MISSING for suffix in self.suffixes]

    def _make_room(self, numbers: Floats) -> None:
        """Learn shift and exponent from float64 numbers, (N,)."""
        if self.dtype == "float64":
            return
        known = numbers[~np.isnan(numbers)]
        if not len(known):
            return
        low, median, high = np.quantile(known, (0.25, 0.5, 0.75), method="nearest")
        if low == high:
            low, high = known.min(), known.max()
        spread = high / 2 - low / 2
        if spread == 0:
            return
        if abs(median) / FAR_FROM_0 > spread:
            self.shift = float(median)
        if not LEAST_SPREAD < spread < LARGEST_SPREAD:
            exponent = int(np.frexp(spread)[1])
            self.exponent = max(-LARGEST_EXPONENT, min(LARGEST_EXPONENT, exponent))

    def _in_room(self, numbers: Floats) -> Floats:
        """Return shifted and divided numbers, which fit into the dtype."""
        if self.shift:
            numbers = numbers - self.shift
        return np.ldexp(numbers, -self.exponent) if self.exponent else numbers

    def _in_room_of(self, exact: OperatorGraph, numbers: Value) -> Value:
        """Return the same as ONNX operators on float64 numbers."""
        if self.shift:
            numbers = exact.op("Sub", numbers, self.shift)
        return exact.op("Mul", numbers, 2.0**-self.exponent) if self.exponent else numbers


@kept_as("column of numbers")
class Numbers(Quantity):
    """The numbers and, if some were missing in ``fit``, whether each is missing.

    If all were missing, all later values count as missing, too: for example, those of a column of
    strings that were all missing in ``fit``.
    """

    #: Whether ``fit`` has seen no number.
    is_empty = False

    def fit(self, content: Any, name: Any) -> Numbers:
        numbers = as_numbers(content, name)
        self._make_room(numbers)
        missing = np.isnan(numbers)
        self.is_empty = bool(missing.all())
        self.suffixes = ["", MISSING] if 0 < missing.sum() < len(missing) else [""]
        return self

    @property
    def is_plain(self) -> bool:
        """Whether numbers are written as they are."""
        return not (self.is_empty or self.shift or self.exponent)

    def write(self, content: Any, name: Any, out: Floats) -> None:
        if self.is_empty:
            out[:] = np.nan
            return
        numbers = as_numbers(content, name)
        out[:, 0] = self._in_room(numbers)
        if len(self.suffixes) > 1:
            out[:, 1] = np.isnan(numbers)

    def to_onnx(self, graph: OperatorGraph, column: Value, name: Any) -> Value:
        if self.is_empty:
            coded = graph.coded(column, [MISSING_TEXT]) if column.dtype == "str" else column
            return graph.cast(coded, graph.dtype.name) * np.nan
        exact = graph.in_dtype("float64")
        numbers = graph.cast(column, graph.dtype.name)
        if self.shift or self.exponent:
            shifted = self._in_room_of(exact, exact.cast(column, "float64"))
            numbers = graph.cast(shifted, graph.dtype.name)
        if len(self.suffixes) == 1:
            return numbers
        return graph.concatenate([numbers, graph.as_numbers(graph.op("IsNaN", numbers))])


class Categories(Part):
    """A column of categories, some of which are known as levels."""

    levels: list[Any]

    def _codes_of(self, content: Any, name: Any) -> Integers:
        """Return the number of each row's level, -1 if it has no known level."""
        return np.array(codes_of(as_keys(content), self.levels, name), dtype=np.intp)

    def _levels_to_onnx(self, graph: OperatorGraph, column: Value, name: Any) -> Value:
        """Return whether each row has each level, (rows, levels), as ONNX operators."""
        if not self.levels:
            raise ValueError(f"Column {name!r} of categories has no level: leave it out.")
        are_texts = all(isinstance(level, str) for level in self.levels)
        if are_texts != (column.dtype == "str"):
            raise ValueError(
                f"Column {name!r} has the levels {shown(self.levels)}, but is given to the exported"
                f" model as {column.dtype}: strings and numbers are never equal."
            )
        if are_texts:
            codes = graph.coded(column, self.levels)
            return graph.op("Equal", codes, graph.whole([range(len(self.levels))]))
        exact = graph.in_dtype("float64")
        levels = np.array([self.levels], dtype=np.float64)
        if len(np.unique(levels)) < levels.size:
            raise ValueError(
                f"Column {name!r} has the levels {shown(self.levels)}, some of which are equal in"
                " float64, in which an exported model compares numbers: convert them to strings."
            )
        return exact.op("Equal", exact.cast(column, "float64"), levels)


@kept_as("column of levels")
class Levels(Categories):
    """A column of zeros and ones for each level; if there are two, they share one of -1 and +1.

    Parameters
    ----------
    position : int
    max_categories, max_one_hot, min_frequency
        Those of :class:`TabularPreprocessor`. A column of more levels than `max_one_hot` becomes
        :class:`Codes` instead, or its last output marks missing values.
    """

    #: For files and pickles of earlier versions, which lack the attribute.
    marks_gaps = False

    def __init__(
        self,
        position: int,
        max_categories: int | None,
        max_one_hot: int | None,
        min_frequency: int,
    ) -> None:
        super().__init__(position)
        self.max_categories = max_categories
        self.max_one_hot = max_one_hot
        self.min_frequency = min_frequency

    def fit(self, content: Any, name: Any) -> Categories:
        try:
            counts = Counter(as_keys(content))
        except TypeError as error:
            raise TypeError(f"Column {name!r} of categories: {error}.") from error
        n_gaps = sum(counts.pop(level) for level in list(counts) if is_missing(level))
        levels = _in_order(list(counts))
        coded = [level for level in levels if counts[level] >= self.min_frequency]
        # Otherwise rare levels and missing values would share a code.
        has_gaps = len(coded) < len(levels) and n_gaps >= self.min_frequency
        are_many = self.max_one_hot is not None and len(levels) > self.max_one_hot
        if are_many and coded:
            # The most frequent level gets the largest code. Any part of the rows is likely to have
            # it, and so shows how many codes there are.
            coded.sort(key=counts.__getitem__)
            has_others = sum(counts[level] for level in coded) < len(content)
            return Codes(self.position, coded, has_others=has_others, has_gaps=has_gaps)
        # The sort is stable: of equally frequent levels, the first ones are kept.
        kept = set(sorted(levels, key=lambda level: -counts[level])[: self.max_categories])
        self.levels = [level for level in levels if level in kept]
        self.is_signed = len(levels) == len(self.levels) == 2
        named = self.levels[1:] if self.is_signed else self.levels
        self.suffixes = [f"_{level}" for level in named]
        self.marks_gaps = are_many and has_gaps
        if self.marks_gaps:
            self.suffixes.append(MISSING)
        return self

    def write(self, content: Any, name: Any, out: Floats) -> None:
        codes = self._codes_of(content, name)
        out[:] = 0
        known = np.flatnonzero(codes >= 0)
        if self.is_signed:
            out[known, 0] = 2 * codes[known] - 1
        else:
            out[known, codes[known]] = 1
        if self.marks_gaps:
            out[_gaps_among(content, codes), -1] = 1

    def to_onnx(self, graph: OperatorGraph, column: Value, name: Any) -> Value:
        found = graph.as_numbers(self._levels_to_onnx(graph, column, name))
        if self.is_signed:
            found = found @ np.array([[-1.0], [1.0]])
        if not self.marks_gaps:
            return found
        return graph.concatenate([found, _gaps_to_onnx(graph, column)])


@kept_as("column of codes")
class Codes(Categories):
    """Codes of the levels, from 0 on, for a network that embeds them.

    Levels are given in the order of their codes. If some rows in ``fit`` had none of them
    (``has_others``), such rows get the code 0, and levels those from 1 on. If these rows are both
    rare levels and gaps (``has_gaps``), gaps get the code 1, and levels those from 2 on.
    """

    #: For files and pickles of earlier versions, which lack the attribute.
    has_gaps = False

    def __init__(
        self, position: int, levels: list[Any], *, has_others: bool, has_gaps: bool = False
    ) -> None:
        super().__init__(position)
        self.levels = levels
        self.has_others = has_others
        self.has_gaps = has_gaps
        self.suffixes = [""]

    def write(self, content: Any, name: Any, out: Floats) -> None:
        codes = self._codes_of(content, name)
        out[:, 0] = codes + self.has_others + self.has_gaps
        # If `fit` has seen no other rows, they get -1, which means no category.
        out[codes < 0, 0] = self.has_others - 1
        if self.has_gaps:
            out[_gaps_among(content, codes), 0] = 1

    def to_onnx(self, graph: OperatorGraph, column: Value, name: Any) -> Value:
        known = [graph.as_numbers(self._levels_to_onnx(graph, column, name))]
        if self.has_gaps:
            known.insert(0, _gaps_to_onnx(graph, column))
        # The product is 0 for a row without a known level.
        codes = np.arange(1.0, self.has_gaps + len(self.levels) + 1)[:, np.newaxis]
        return graph.concatenate(known) @ codes - (1 - self.has_others)


def _gaps_among(content: Any, codes: Integers) -> list[int]:
    """Return the rows in which a category is missing; their codes are -1."""
    return [row for row in np.flatnonzero(codes < 0).tolist() if is_missing(content[row])]


def _gaps_to_onnx(graph: OperatorGraph, column: Value) -> Value:
    """Return 1 where a category is missing, 0 elsewhere, (rows, 1), as ONNX operators."""
    if column.dtype == "str":
        is_gap = graph.op("Equal", graph.coded(column, [MISSING_TEXT]), graph.whole(0))
    else:
        is_gap = graph.op("IsNaN", graph.cast(column, graph.dtype.name))
    return graph.as_numbers(is_gap)


def _in_order(levels: list[Any]) -> list[Any]:
    """Sort levels, if need be by type and text, so that the order of the rows does not matter."""
    try:
        return sorted(levels)
    except TypeError:
        return sorted(levels, key=lambda level: (type(level).__name__, str(level)))


@kept_as("column of dates")
class Dates(Quantity):
    """Days since 1970, and the time of the year, of the week and of the day.

    Each of these times is the sine and cosine of a point on a circle; both are 0 for a missing
    date. The time of the day is only there if a date in ``fit`` had one.
    """

    def fit(self, content: Any, name: Any) -> Dates:
        dates = as_dates(content, name)
        self._make_room(_days(dates))
        missing = np.isnat(dates)
        self.has_gaps = 0 < missing.sum() < len(missing)
        known = dates[~missing]
        self.has_times = bool((known != known.astype("datetime64[D]")).any())
        circles = ["year", "week", "day"] if self.has_times else ["year", "week"]
        self.suffixes = [
            "_days",
            *([MISSING] if self.has_gaps else []),
            *(f"_{circle}_{part}" for circle in circles for part in ("sin", "cos")),
        ]
        return self

    def write(self, content: Any, name: Any, out: Floats) -> None:
        dates = as_dates(content, name, self.zone)
        days = _days(dates)
        out[:, 0] = self._in_room(days)
        if self.has_gaps:
            out[:, 1] = np.isnat(dates)
        years = dates.astype("datetime64[Y]")
        length = (years + YEAR).astype("datetime64[D]") - years.astype("datetime64[D]")
        # 1970 began on a Thursday; weeks begin on Mondays.
        turns = [(dates - years) / length, (days + 3) / 7, days]
        n_circles = 3 if self.has_times else 2
        first = out.shape[1] - 2 * n_circles
        for i, turn in enumerate(turns[:n_circles]):
            angle = 2 * np.pi * (turn % 1)
            out[:, first + 2 * i] = np.nan_to_num(np.sin(angle))
            out[:, first + 2 * i + 1] = np.nan_to_num(np.cos(angle))

    def to_onnx(self, graph: OperatorGraph, column: Value, name: Any) -> Value:
        if column.dtype != "int64":
            raise ValueError(
                f"Column {name!r} holds dates, which an exported model takes as the int64 of"
                f" datetime64[us], but is given as {column.dtype}."
            )
        exact = graph.in_dtype("float64")
        missing = graph.op("Equal", column, graph.whole(MISSING_DATE))
        instants = graph.where(missing, graph.whole(0), column)
        days = exact.cast(instants, "float64") / float(MICROSECONDS)
        turns = [_part_of_year(exact, instants), (days + 3) / 7, days]
        found = [exact.where(missing, np.nan, self._in_room_of(exact, days))]
        if self.has_gaps:
            found.append(exact.as_numbers(missing))
        for turn in turns[: 3 if self.has_times else 2]:
            angle = (turn - exact.op("Floor", turn)) * (2 * np.pi)
            found += [exact.where(missing, 0, exact.op(wave, angle)) for wave in ("Sin", "Cos")]
        return graph.cast(exact.concatenate(found), graph.dtype.name)


def _days(dates: Any) -> Floats:
    """Return days since 1970, NaN for missing dates."""
    return (dates - np.datetime64(0, "D")) / DAY


def _part_of_year(graph: OperatorGraph, instants: Value) -> Value:
    """Return the part of its year that has passed at each instant, with ONNX's integer operators.

    Years begin in March and are counted from a year long before all dates, so that no number is
    negative and divisions round down (Hinnant 2021, *chrono-compatible low-level date algorithms*).
    """

    def over(value: Value, divisor: int) -> Value:
        return graph.op("Div", value, graph.whole(divisor))

    def times(value: Value, factor: int) -> Value:
        return graph.op("Mul", value, graph.whole(factor))

    def plus(value: Value, shift: int) -> Value:
        return graph.op("Add", value, graph.whole(shift))

    def first_day(year: Value) -> Value:
        """Return the day of each January 1st."""
        before = plus(year, -1)
        leap = over(before, 4) - over(before, 100) + over(before, 400)
        return plus(times(before, 365) + leap, 306)

    towards_zero = over(instants, MICROSECONDS)
    rest = instants - times(towards_zero, MICROSECONDS)
    day_of_1970 = towards_zero - graph.cast(rest < graph.whole(0), "int64")
    day = plus(day_of_1970, MARCH_1970)
    # All years from March to February are taken as equally long. Near the first of March, this one
    # may be wrong by one, but the next line gives the same year.
    year = over(times(day, 400), DAYS_OF_ERA)
    year = year + graph.cast(day > plus(first_day(plus(year, 1)), -1), "int64")
    start = first_day(year)
    length = first_day(plus(year, 1)) - start
    passed = graph.cast(times(day - start, MICROSECONDS), "float64")
    within = graph.cast(instants - times(day_of_1970, MICROSECONDS), "float64")
    return (passed + within) / (graph.cast(length, "float64") * float(MICROSECONDS))
