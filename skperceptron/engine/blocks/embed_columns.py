"""Category embeddings of some columns of an array of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Call, Floats
from ..operators import OperatorGraph, Value
from .base import Bench
from .embed import Embed


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

    def _codes(self, work: Bench, node: int) -> Iterator[Floats]:
        (x,) = work.inputs_of(node)
        for column in self.columns:
            yield x[:, :, column]

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        yield from super().backward(work, node)
        (source,) = work.sources_of(node)
        if work.wants_gradient(source):
            # The value is constant between two codes, so that the gradient is zero.
            to_input, add_up = work.gradient_slot(source)
            yield partial(to_input.fill, 0)
            yield from add_up
