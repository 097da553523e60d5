"""How the kinds of columns become numbers: N rows of a column fill some columns of the output.

Each part learns from a column in ``fit``, names its outputs, and writes them.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from ..engine.arrays import Floats, Integers
from ._columns import as_dates, as_keys, as_numbers, is_missing

__all__ = ["Dates", "Levels", "Numbers", "Part"]

DAY = np.timedelta64(1, "D")


class Part:
    """What is made of one column.

    Attributes
    ----------
    position : int
        Of the column in X.
    suffixes : list of str
        What the names of the outputs have behind the name of the column.
    """

    suffixes: list[str]

    def __init__(self, position: int) -> None:
        self.position = position

    def fit(self, content: Any, name: Any) -> Part:
        """Learn from a column, (N,)."""
        raise NotImplementedError

    def write(self, content: Any, name: Any, out: Floats) -> None:
        """Fill ``out``, (N, number of suffixes); NaN stands for a number that is missing."""
        raise NotImplementedError


class Numbers(Part):
    """The numbers, and whether each is missing, where some were missing in ``fit``."""

    def fit(self, content: Any, name: Any) -> Numbers:
        missing = np.isnan(as_numbers(content, name))
        self.suffixes = ["", "_missing"] if 0 < missing.sum() < len(missing) else [""]
        return self

    def write(self, content: Any, name: Any, out: Floats) -> None:
        numbers = as_numbers(content, name)
        out[:, 0] = numbers
        if len(self.suffixes) > 1:
            out[:, 1] = np.isnan(numbers)


class Levels(Part):
    """One column of zeros and ones for each level; two levels share one of -1 and +1.

    Parameters
    ----------
    position : int
    max_categories : int or None
        How many of the levels get a column: the most frequent ones.
    """

    def __init__(self, position: int, max_categories: int | None) -> None:
        super().__init__(position)
        self.max_categories = max_categories

    def fit(self, content: Any, name: Any) -> Levels:
        try:
            counts = Counter(as_keys(content))
        except TypeError as error:
            raise TypeError(f"Column {name!r} of categories: {error}.") from error
        counts = Counter({level: n for level, n in counts.items() if not is_missing(level)})
        levels = _in_order(list(counts))
        if self.max_categories is not None:
            # The sort is stable: of equally frequent levels the first ones stay.
            frequent = sorted(levels, key=lambda level: -counts[level])[: self.max_categories]
            kept = set(frequent)
            self.levels = [level for level in levels if level in kept]
        else:
            self.levels = levels
        self.is_signed = len(levels) == len(self.levels) == 2
        named = self.levels[1:] if self.is_signed else self.levels
        self.suffixes = [f"_{level}" for level in named]
        self._codes = {level: code for code, level in enumerate(self.levels)}
        return self

    def write(self, content: Any, name: Any, out: Floats) -> None:
        codes = self._codes_of(content, name)
        if self.is_signed:
            out[:, 0] = np.where(codes < 0, 0, 2 * codes - 1)
            return
        out[:] = 0
        known = np.flatnonzero(codes >= 0)
        out[known, codes[known]] = 1

    def _codes_of(self, content: Any, name: Any) -> Integers:
        """Return each row's level, -1 where it has none that is known."""
        code_of = self._codes.get
        try:
            codes = [code_of(level, -1) for level in as_keys(content)]
        except TypeError as error:
            raise TypeError(f"Column {name!r} of categories: {error}.") from error
        return np.array(codes, dtype=np.intp)


def _in_order(levels: list[Any]) -> list[Any]:
    """Sort levels; those of different types by type and text, so that no order of rows matters."""
    try:
        return sorted(levels)
    except TypeError:
        return sorted(levels, key=lambda level: (type(level).__name__, str(level)))


class Dates(Part):
    """Days since 1970, and where in the year, the week and the day the date lies.

    Each of the latter is a point on a circle, its sine and cosine, (0, 0) for a missing date. Those
    of the day come only where a date had a time of day in ``fit``.
    """

    def fit(self, content: Any, name: Any) -> Dates:
        dates = as_dates(content, name)
        missing = np.isnat(dates)
        self.has_gaps = 0 < missing.sum() < len(missing)
        known = dates[~missing]
        self.has_times = bool((known != known.astype("datetime64[D]")).any())
        circles = ["year", "week", "day"] if self.has_times else ["year", "week"]
        self.suffixes = [
            "_days",
            *(["_missing"] if self.has_gaps else []),
            *(f"_{circle}_{part}" for circle in circles for part in ("sin", "cos")),
        ]
        return self

    def write(self, content: Any, name: Any, out: Floats) -> None:
        dates = as_dates(content, name)
        days = (dates - np.datetime64(0, "D")) / DAY
        out[:, 0] = days
        if self.has_gaps:
            out[:, 1] = np.isnat(dates)
        years = dates.astype("datetime64[Y]")
        length = (years + 1).astype("datetime64[D]") - years.astype("datetime64[D]")
        # 1970 began on a Thursday; weeks begin on Mondays.
        turns = [(dates - years) / length, (days + 3) / 7, days]
        n_circles = 3 if self.has_times else 2
        first = out.shape[1] - 2 * n_circles
        for i, turn in enumerate(turns[:n_circles]):
            angle = 2 * np.pi * (turn % 1)
            out[:, first + 2 * i] = np.nan_to_num(np.sin(angle))
            out[:, first + 2 * i + 1] = np.nan_to_num(np.cos(angle))
