"""The table that a verbose fit prints, line by line, while it trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from time import monotonic
from typing import Any, NamedTuple

#: Rows after which the heading is repeated: about a screen.
SCREEN = 40


class Column(NamedTuple):
    """A column of numbers, and the format in which they are printed.

    The name is the heading, and the key of the numbers; a long one makes the column wider.
    """

    name: str
    form: str = ".6f"
    width: int = 11


class EpochTable:
    """An aligned table of epochs, each row of which is printed without delay.

    Parameters
    ----------
    columns : sequence of Column
        Between the number of the epoch and the time.
    n_epochs : int or None
        The largest number of epochs; if None, the remaining time is not shown.
    unit : str, default="epoch"
        What is counted.
    marks_best : bool, default=False
        Whether there is a column in which a star marks an epoch that is the best one so far.
    has_heading : bool, default=True
        False continues a table whose heading has been printed before.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        n_epochs: int | None,
        unit: str = "epoch",
        *,
        marks_best: bool = False,
        has_heading: bool = True,
    ) -> None:
        count = Column(unit, "d", max(6, len(unit)))
        self._columns = [count, *columns, Column("seconds", width=8)]
        self._n_epochs, self._unit = n_epochs, unit
        self._marks_best, self._has_heading = marks_best, has_heading
        self._n_rows = 0
        self._began = monotonic()
        self._first: int | None = None

    def row(self, number: int, metrics: Mapping[str, Any], *, is_best: bool = False) -> None:
        """Print the row of an epoch, with numbers by the names of the columns.

        A number that is None or NaN leaves its cell empty.
        """
        if self._has_heading and self._n_rows % SCREEN == 0:
            headings = {column.name: column.name for column in self._columns}
            say(self._line(headings, " ", "left, max"))
        self._n_rows += 1
        if self._first is None:
            self._first = number - 1
        seconds = monotonic() - self._began
        told = {**metrics, self._unit: number, "seconds": f"{seconds:.2f}"}
        left = ""
        if self._n_epochs is not None:
            left = duration(seconds / (number - self._first) * (self._n_epochs - number))
        say(self._line(told, "*" if is_best else " ", left))

    def _line(self, metrics: Mapping[str, Any], mark: str, left: str) -> str:
        line = "  ".join(_cell(column, metrics.get(column.name)) for column in self._columns)
        if self._marks_best:
            line += f"  {mark}"
        return line if self._n_epochs is None else f"{line}  {left:>9}"


def say(text: str) -> None:
    """Print a line and its end at once, without delay: other processes may print, too."""
    print(f"{text.rstrip()}\n", end="", flush=True)


def _cell(column: Column, value: Any) -> str:
    width = max(column.width, len(column.name))
    if value is None or (isinstance(value, float) and isnan(value)):
        return " " * width
    if isinstance(value, str):
        return f"{value:>{width}}"
    text = f"{value:{column.form}}"
    # Numbers such as 1e9 would be too wide for the column, and 1e-9 would be shown as 0.
    is_lost = float(text) == 0 != value
    return f"{value:>{width}.3e}" if len(text) > width or is_lost else f"{text:>{width}}"


def duration(seconds: float) -> str:
    """Return a time in words: "0.3 s", "59 s", "3 min", "2 h 05 min"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
