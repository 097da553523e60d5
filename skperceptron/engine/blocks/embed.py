"""Category embeddings: each code is replaced by a row of a learned table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Call, Floats, Integers, side_by_side
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

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        (x,), out = work.operands_of(node), work.value_of(node)
        for f, (table, place) in enumerate(
            zip(work.parameters_of(node), self._columns(), strict=True)
        ):
            yield partial(_look_up, table, x.array[:, :, f], out[:, :, place])

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        (x,), grad = work.operands_of(node), work.gradient_at(node)
        for f, (table_grad, place) in enumerate(
            zip(work.gradients_of(node), self._columns(), strict=True)
        ):
            yield partial(_sum_by_code, grad[:, :, place], x.array[:, :, f], table_grad)


def _look_up(table: Floats, codes: Integers, out: Floats) -> None:
    """Write the rows of (K, levels, dim) at the codes, (K, B), into ``out``, (K, B, dim)."""
    for of_member, member_codes, rows in zip(table, codes, out, strict=True):
        rows[:] = of_member[member_codes]


def _sum_by_code(grad: Floats, codes: Integers, out: Floats) -> None:
    """Write the sum of the rows that have each code: (K, B, dim) into (K, levels, dim)."""
    ones = np.ones(codes.shape[1], grad.dtype)
    for of_member, member_codes, sums in zip(grad, codes, out, strict=True):
        sum_by_code(of_member, member_codes, ones, sums)


def sum_by_code(grad: Floats, codes: Integers, factors: Floats, out: Floats) -> None:
    """Write the sum of the rows of each code, times their factors: (B, dim) into (levels, dim)."""
    dim = out.shape[1]
    # Building a sparse one-hot matrix and multiplying by it takes ten times as long.
    places = codes[:, np.newaxis] * dim + np.arange(dim)
    weighted = grad * factors[:, np.newaxis]
    out[:] = np.bincount(places.ravel(), weighted.ravel(), out.size).reshape(out.shape)
