"""What a page computes: each block of a network as a short list of operators.

Blocks, activations and targets define the operators that they consist of, for exported models (see
``skperceptron.engine.operators``). A page needs the same: the operators become a list that JSON
can hold, and ``compute.js`` has one function for each of them.

In a list, ``"s0"`` is the first input of a block, ``"v2"`` the result of the third step, and
``"c5"`` a constant. Constants that differ between epochs, such as weights, hold one array for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...engine.arrays import Floats
from ...engine.operators import NotDeclaredError, OperatorGraph, Value, dtype_of_result

#: The operators that ``compute.js`` has a function for.
OPERATORS = frozenset(
    """Abs Add ArgMax Concat Cos Div Equal Erf Exp Expm1 Floor Gather Greater IsNaN Less Log MatMul
    Max Min Mul Neg Not ReduceMean Relu Reshape Sigmoid Sign Sin Softmax Sort Sqrt Sub
    Table Tanh Transpose Trunc Where""".split()
)

#: Tables have their points at ``SCALE * sinh(t)``, with ``POINTS`` evenly spaced t from ``-REACH``
#: to ``REACH``: dense near 0, where functions bend, and as far out as 100.
POINTS, SCALE, REACH = 401, 1.0, 5.3

#: Slope between two points from which it counts as a jump.
JUMP = 5.0


class PageGraph(OperatorGraph):
    """A graph of operators that a page computes.

    Each step is an operator's name, its operands and, if there are any, its attributes.
    """

    dtype = np.dtype(np.float64)

    def __init__(self) -> None:
        self.steps: list[list[Any]] = []
        self.constants: list[Any] = []

    def source(self, i: int) -> Value:
        """Return the i-th input of a block."""
        return Value(self, f"s{i}", "float64")

    def op(self, name: str, *operands: Any, **attributes: Any) -> Value:
        if name == "Cast":
            return self.cast(operands[0], attributes["to"])
        if name not in OPERATORS:
            raise NotDeclaredError(f"it asks for the operator {name}, which the page does not have")
        values = [self._is(operand) for operand in operands]
        step = [name, [value.name for value in values]]
        self.steps.append([*step, attributes] if attributes else step)
        return Value(self, f"v{len(self.steps) - 1}", dtype_of_result(name, values))

    def sigmoid(self, z: Any) -> Value:
        return self.op("Sigmoid", z)

    def expm1(self, z: Any) -> Value:
        return self.op("Expm1", z)

    def in_dtype(self, dtype: Any) -> PageGraph:
        # JavaScript has one kind of number.
        return self

    def cast(self, value: Any, dtype: str) -> Value:
        is_fraction = value.dtype.startswith("float") and dtype.startswith("int")
        return self.op("Trunc", value) if is_fraction else value

    def coded(self, texts: Any, levels: Sequence[str]) -> Value:
        # The page has no such operator: a network of numbers does not read strings.
        return self.op("LabelEncoder", texts)

    def as_numbers(self, condition: Any) -> Value:
        return Value(self, condition.name, "float64")

    def whole(self, numbers: Any) -> Value:
        return self._is(np.asarray(numbers, dtype=np.int64))

    def mean(self, value: Any) -> Value:
        return self.op("ReduceMean", value)

    def log_of_sum(self, value: Any) -> Value:
        # The page has no such operator: it shows no networks that share weights.
        return self.op("ReduceLogSumExp", value)

    def sorted(self, value: Any, width: int) -> Value:
        return self.op("Sort", value, width=width)

    def reshape(self, value: Any, *shape: int) -> Value:
        return self.op("Reshape", value, shape=list(shape))

    def reshape_like(self, value: Any, other: Any) -> Value:
        # An array of the page has an attribute `shape`.
        return self.op("Reshape", value, other)

    def _is(self, operand: Any) -> Value:
        """Return a value, or the constant that a number or an array stands for."""
        if isinstance(operand, Value):
            return operand
        array = np.asarray(operand)
        self.constants.append(array)
        dtype = "int64" if array.dtype.kind in "iu" else "float64"
        return Value(self, f"c{len(self.constants) - 1}", dtype)


class Constants:
    """The arrays of a page, each stored once.

    As JSON, they have a shape, and ``values`` for all epochs or a list ``epochs`` of the values in
    each.
    """

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self._places: dict[Any, int] = {}

    def place(self, arrays: Sequence[Any]) -> str:
        """Return the name of a constant, given its array in each epoch, or one array for all."""
        arrays = [np.asarray(array, dtype=np.float64) for array in arrays]
        if all(np.array_equal(array, arrays[0], equal_nan=True) for array in arrays):
            arrays = arrays[:1]
        key = arrays[0].shape, *(array.tobytes() for array in arrays)
        if key not in self._places:
            self._places[key] = len(self.entries)
            values = [_rounded_list(array) for array in arrays]
            held = {"values": values[0]} if len(values) == 1 else {"epochs": values}
            self.entries.append({"shape": list(arrays[0].shape), **held})
        return f"c{self._places[key]}"


def program_of(
    constants: Constants, writers: Sequence[Callable[[PageGraph], Value]]
) -> dict[str, Any]:
    """Return a program as JSON: its steps, and which value is its result.

    ``writers``, one for each epoch or one for all, add operators to a graph and return their
    result; they differ in constants only, which are added to ``constants``.
    """
    graphs = [PageGraph() for _ in writers]
    out, *_ = (write(graph).name for write, graph in zip(writers, graphs, strict=True))
    of_epochs = zip(*(graph.constants for graph in graphs), strict=True)
    places = [constants.place(arrays) for arrays in of_epochs]

    def name(operand: str) -> str:
        return places[int(operand[1:])] if operand[0] == "c" else operand

    steps = [
        [operator, [name(operand) for operand in operands], *attributes]
        for operator, operands, *attributes in graphs[0].steps
    ]
    return {"steps": steps, "out": name(out)}


def program_of_table(
    constants: Constants, function: Callable[[Floats], Floats], jump: float
) -> dict[str, Any]:
    """Return a program that interpolates a function of one number linearly in a table.

    Where the slope is at least ``jump``, there is a step instead of a line.
    """
    points = SCALE * np.sinh(np.linspace(-REACH, REACH, POINTS))
    values = np.nan_to_num(function(points))

    def write(graph: PageGraph) -> Value:
        return graph.op("Table", graph.source(0), values, scale=SCALE, reach=REACH, jump=jump)

    return program_of(constants, [write])


def _rounded_list(array: Floats) -> list[float]:
    """Return the rounded numbers of an array; a single one, mostly of a formula, is not rounded."""
    return rounded(array.ravel()) if array.size > 1 else [float(np.nan_to_num(array.ravel()[0]))]


def rounded(values: Any) -> Any:
    """Return nested lists of numbers with five significant digits."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim > 1:
        return [rounded(row) for row in values]
    # JSON has no infinity, to which the largest float would be rounded.
    return [_short(float(f"{x:.5g}")) for x in np.nan_to_num(values).clip(-1e308, 1e308)]


def _short(value: float) -> float | int:
    """Return a whole number as an integer, which is shorter in JSON."""
    return int(value) if value.is_integer() and abs(value) < 1e15 else value
