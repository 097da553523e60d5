"""A table: that of pandas if it is installed, else a plain one that can be printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any


class Table:
    """Rows under named columns; returned instead of a DataFrame if pandas is not installed.

    Parameters
    ----------
    columns : sequence of str
    rows : sequence of sequences
        One value per column.

    Examples
    --------
    >>> from skperceptron.inspection import Table
    >>> table = Table(["block", "parameters"], [["affine_1", 12]])
    >>> table
    block     parameters
    affine_1          12
    >>> table["parameters"]
    [12]
    """

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self.columns = list(columns)
        self.rows = [tuple(row) for row in rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, column: str) -> list[Any]:
        """Return the values of a column."""
        place = self.columns.index(column)
        return [row[place] for row in self.rows]

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        lines = (
            "<tr>" + "".join(f"<td>{escape(_text(value))}</td>" for value in row) + "</tr>"
            for row in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"

    def __repr__(self) -> str:
        cells = [self.columns, *[[_text(value) for value in row] for row in self.rows]]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        right = [
            bool(self.rows) and all(isinstance(v, int | float) or v == "" for v in self[name])
            for name in self.columns
        ]
        return "\n".join(
            "  ".join(
                text.rjust(width) if is_number else text.ljust(width)
                for text, width, is_number in zip(line, widths, right, strict=True)
            ).rstrip()
            for line in cells
        )


def make_table(columns: Sequence[str], records: Sequence[Mapping[str, Any]]) -> Any:
    """Return a pandas DataFrame, or a :class:`Table` where pandas is not installed.

    Records hold the values of a row by column; a value that is not there is "".
    """
    rows = [[record.get(name, "") for name in columns] for record in records]
    try:
        import pandas
    except ImportError:
        return Table(columns, rows)
    return pandas.DataFrame(rows, columns=list(columns))


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
