"""Category embeddings: each code is replaced by a row of a learned table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Call, Floats, Integers, side_by_side
from ..codes import look_up, sum_by_code
from ..operators import OperatorGraph, Value
from .base import Bench, Block, LearnedArray


class Embed(Block):
    """Rows of learned tables, side by side, for columns of category codes.

    Each column f of the codes, (K, B, F), has a table of its own, (levels[f], dims[f]) (Guo &
    Berkhahn 2016). A table is the weight matrix of an affine layer that would read the column
    in one-hot form, and is penalised like one.

    Parameters
    ----------
    levels : sequence of int
        Number of categories of each column; a code is at least 0 and below it.
    dims : sequence of int
        Width of each column's vectors.
    """

    kind: ClassVar[str] = "embedding"
    accepts = frozenset({"codes"})
    holds_tables = True

    def __init__(self, levels: Sequence[int], dims: Sequence[int]) -> None:
        self.levels = tuple(levels)
        self.dims = tuple(dims)
        if len(self.levels) != len(self.dims):
            raise ValueError(
                f"levels={self.levels} and dims={self.dims} must have one number for each column."
            )

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

    def _columns(self) -> list[slice]:
        """Return where each column's vectors lie in the value."""
        return side_by_side(self.dims)

    def to_onnx(
        self, graph: OperatorGraph, inputs: Sequence[Value], learned: Sequence[Floats]
    ) -> Value:
        found = []
        for f, table in enumerate(learned):
            codes = graph.op("Gather", inputs[0], graph.whole(f), axis=1)
            found.append(graph.op("Gather", table[0], codes, axis=0))
        return graph.concatenate(found)

    def _codes(self, work: Bench, node: int) -> Iterator[Floats | Integers]:
        """Yield the codes of each column, (K, B)."""
        (x,) = work.operands_of(node)
        for f in range(len(self.levels)):
            yield x.array[:, :, f]

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        out, tables = work.value_of(node), work.parameters_of(node)
        places, columns = self._columns(), self._codes(work, node)
        for table, codes, place in zip(tables, columns, places, strict=True):
            yield partial(look_up, table, codes, out[:, :, place])

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        grad, to_tables = work.gradient_at(node), work.gradients_of(node)
        places, columns = self._columns(), self._codes(work, node)
        # Tables take their turns in the same memory, which therefore stays in the cache.
        room = np.empty(max(to_table[0].size for to_table in to_tables))
        for to_table, codes, place in zip(to_tables, columns, places, strict=True):
            _, levels, dim = to_table.shape
            sums = room[: levels * dim].reshape(levels, dim)
            yield partial(sum_by_code, grad[:, :, place], codes, sums, to_table)
