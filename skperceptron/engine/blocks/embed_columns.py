"""Category embeddings: each code in some columns is replaced by a row of a learned table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Arrays, Call, Floats, side_by_side
from ..calls import look_up, sum_by_code
from ..operators import OperatorGraph, Value, Values
from .base import Bench, Block, LearnedArray


class EmbedColumns(Block):
    """Rows of learned tables, side by side, for those columns of an array that are category codes.

    Each of these columns f has a table of its own, (levels[f], dims[f]) (Guo & Berkhahn 2016). A
    table is the weight matrix of an affine layer that would read the column in one-hot form, and
    is penalized like one. A number that is not a code of the table, such as -1 or the code of a
    category that training has not seen, becomes a vector of zeros.

    Parameters
    ----------
    columns : sequence of int
        Positions of the columns in the input, whose width does not matter.
    levels : sequence of int
        Number of categories of each of them; a code is at least 0 and below it.
    dims : sequence of int
        Width of the vectors of each.
    """

    kind: ClassVar[str] = "column_embedding"
    holds_tables = True

    def __init__(self, columns: Sequence[int], levels: Sequence[int], dims: Sequence[int]) -> None:
        self.columns = tuple(columns)
        self.levels = tuple(levels)
        self.dims = tuple(dims)

    @property
    def units(self) -> int:  # type: ignore[override]
        """Width of the value: the sum of the widths of all columns' vectors."""
        return sum(self.dims)

    @property
    def learned(self) -> tuple[LearnedArray, ...]:
        shapes = zip(self.levels, self.dims, strict=True)
        return tuple(
            LearnedArray(f"table_{f}", "embeddings_", shape, is_weight=True)
            for f, shape in enumerate(shapes)
        )

    def passes_gradient(self, member: int) -> bool:
        return False

    def text(self) -> str:
        return ", ".join(f"{n} to {dim}" for n, dim in zip(self.levels, self.dims, strict=True))

    def to_onnx(self, graph: OperatorGraph, inputs: Values, learned: Arrays) -> Value:
        found = []
        for column, levels, table in zip(self.columns, self.levels, learned, strict=True):
            # A row of zeros at the end, for numbers that are not codes of the table.
            rows = np.vstack([table[0], np.zeros((1, table.shape[2]))])
            codes = graph.op("Floor", graph.op("Gather", inputs[0], graph.whole(column), axis=1))
            codes = graph.where(codes < 0, levels, graph.where(codes > levels, levels, codes))
            found.append(graph.op("Gather", rows, graph.cast(codes, "int64"), axis=0))
        return graph.concatenate(found)

    def _codes(self, work: Bench, node: int) -> Iterator[Floats]:
        """Yield the codes of each column, (K, B)."""
        (x,) = work.inputs_of(node)
        for column in self.columns:
            yield x[:, :, column]

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        out, tables = work.value_of(node), work.parameters_of(node)
        places, columns = side_by_side(self.dims), self._codes(work, node)
        for table, codes, place in zip(tables, columns, places, strict=True):
            yield partial(look_up, table, codes, out[:, :, place])

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        grad, to_tables = work.gradient_at(node), work.gradients_of(node)
        places, columns = side_by_side(self.dims), self._codes(work, node)
        # Tables take their turns in the same memory, which therefore stays in the cache.
        room = np.empty((len(grad), max(to_table[0].size for to_table in to_tables)))
        for to_table, codes, place in zip(to_tables, columns, places, strict=True):
            _, levels, dim = to_table.shape
            sums = room[:, : levels * dim].reshape(-1, levels, dim)
            yield partial(sum_by_code, grad[:, :, place], codes, sums, to_table)
        (source,) = work.sources_of(node)
        if work.wants_gradient(source):
            # The value is constant between two codes, so that the gradient is zero.
            to_input, add_up = work.gradient_slot(source)
            yield partial(to_input.fill, 0)
            yield from add_up
