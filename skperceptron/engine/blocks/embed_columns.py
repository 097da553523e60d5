"""Category embeddings of some columns of an array of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Call, Floats, Integers
from ..operators import OperatorGraph, Value
from .base import Bench
from .embed import Embed, sum_by_code


class EmbedColumns(Embed):
    """Rows of learned tables, side by side, for those columns of an array that are category codes.

    Like :class:`Embed`, but the codes are numbers in an array that also holds other columns. A
    number that is not a code of the table, such as -1 or the code of a category that training has
    not seen, becomes a vector of zeros.

    Parameters
    ----------
    columns : sequence of int
        Positions of the columns in the input, whose width does not matter.
    levels : sequence of int
        Number of categories of each of them.
    dims : sequence of int
        Width of the vectors of each.
    """

    kind: ClassVar[str] = "column_embedding"
    accepts = frozenset({"dense"})

    def __init__(self, columns: Sequence[int], levels: Sequence[int], dims: Sequence[int]) -> None:
        super().__init__(levels, dims)
        self.columns = tuple(columns)

    def to_onnx(
        self, graph: OperatorGraph, inputs: Sequence[Value], learned: Sequence[Floats]
    ) -> Value:
        found = []
        for column, levels, table in zip(self.columns, self.levels, learned, strict=True):
            # A row of zeros at the end, for numbers that are not codes of the table.
            rows = np.vstack([table[0], np.zeros((1, table.shape[2]))])
            codes = graph.op("Floor", graph.op("Gather", inputs[0], graph.whole(column), axis=1))
            codes = graph.where(codes < 0, levels, graph.where(codes > levels, levels, codes))
            found.append(graph.op("Gather", rows, graph.cast(codes, "int64"), axis=0))
        return graph.concatenate(found)

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        (x,), out = work.inputs_of(node), work.value_of(node)
        for column, table, place in zip(
            self.columns, work.parameters_of(node), self._columns(), strict=True
        ):
            yield partial(_look_up, table, x[:, :, column], out[:, :, place])

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        (source,), (x,), grad = work.sources_of(node), work.inputs_of(node), work.gradient_at(node)
        for column, table_grad, place in zip(
            self.columns, work.gradients_of(node), self._columns(), strict=True
        ):
            yield partial(_sum_by_code, grad[:, :, place], x[:, :, column], table_grad)
        if work.wants_gradient(source):
            # The value is constant between two codes, so that the gradient is zero.
            to_input, add_up = work.gradient_slot(source)
            yield partial(to_input.fill, 0)
            yield from add_up


def _places(codes: Floats, levels: int) -> tuple[Integers, Floats]:
    """Return the row of a table for each code, and 1 if there is such a row, else 0."""
    known = (codes >= 0) & (codes < levels)
    return np.where(known, codes, 0).astype(np.intp), known.astype(codes.dtype)


def _look_up(table: Floats, codes: Floats, out: Floats) -> None:
    """Write the rows of (K, levels, dim) at the codes, (K, B), into ``out``, (K, B, dim)."""
    for of_member, member_codes, rows in zip(table, codes, out, strict=True):
        places, known = _places(member_codes, len(of_member))
        np.multiply(of_member[places], known[:, np.newaxis], out=rows)


def _sum_by_code(grad: Floats, codes: Floats, out: Floats) -> None:
    """Write the sum of the rows that have each code: (K, B, dim) into (K, levels, dim)."""
    for of_member, member_codes, sums in zip(grad, codes, out, strict=True):
        sum_by_code(of_member, *_places(member_codes, len(sums)), sums)
