"""Predictions as ONNX operators: the graph to which blocks and functions add them.

Neither this module nor a method ``to_onnx`` needs ONNX itself: ``to_onnx`` names operators, and
``skperceptron.export`` makes nodes of them. A value stands for an array, (rows, units), that will
exist when the exported model runs. ``+ - * / @`` and comparisons of values, and of values with
numbers or arrays, are operators too: ``z * graph.sigmoid(z)``.

The operators: https://onnx.ai/onnx/operators.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np


def _operator(name: str, *, is_reflected: bool = False) -> Callable[[Any, Any], Value]:
    """Return a method of a value that adds an operator with two operands to its graph."""

    def method(self: Any, other: Any) -> Value:
        operands = (other, self) if is_reflected else (self, other)
        return self.graph.op(name, *operands)

    return method


class Value:
    """An array of the exported model: its Python operators are operators of the graph.

    Numbers and arrays in operations with it become constants.

    Parameters
    ----------
    graph : OperatorGraph
    name : str
        Unique in the graph.
    dtype : {"float32", "float64", "int64", "bool", "str"}
    """

    # Makes NumPy's arrays leave operators with such a value to this class.
    __array_ufunc__ = None

    def __init__(self, graph: Any, name: str, dtype: str) -> None:
        self.graph = graph
        self.name = name
        self.dtype = dtype

    __add__, __radd__ = _operator("Add"), _operator("Add", is_reflected=True)
    __sub__, __rsub__ = _operator("Sub"), _operator("Sub", is_reflected=True)
    __mul__, __rmul__ = _operator("Mul"), _operator("Mul", is_reflected=True)
    __truediv__, __rtruediv__ = _operator("Div"), _operator("Div", is_reflected=True)
    __matmul__, __lt__, __gt__ = map(_operator, ("MatMul", "Less", "Greater"))

    def __neg__(self) -> Value:
        return self.graph.op("Neg", self)

    def __ge__(self, other: Any) -> Value:
        # ONNX's older opsets have no GreaterOrEqual.
        return self.graph.op("Not", self < other)


#: What a block reads.
Values = Sequence[Value]


class OperatorGraph(Protocol):
    """The graph that operators are added to: the base of all graphs."""

    #: The dtype of all numbers of the network, and of constants: float32 or float64.
    dtype: np.dtype

    def op(self, name: str, *operands: Any, **attributes: Any) -> Value:
        """Return the result of ONNX's operator of this name for values, numbers or arrays.

        In float64, ``Erf`` is composed of other operators: onnxruntime has it for float32 only.
        """

    def sigmoid(self, z: Value) -> Value:
        """Return ``1 / (1 + exp(-z))``, accurate also where the result is tiny."""

    def expm1(self, z: Value) -> Value:
        """Return ``exp(z) - 1``, accurate also where the result is tiny."""

    def in_dtype(self, dtype: Any) -> OperatorGraph:
        """Return the same graph with another dtype for the operators that follow."""

    def cast(self, value: Value, dtype: str) -> Value:
        """Return a value in another dtype; strings are parsed as numbers."""

    def where(self, condition: Value, a: Any, b: Any) -> Value:
        """Return a where a comparison holds, b elsewhere."""
        return self.op("Where", condition, a, b)

    def coded(self, texts: Value, levels: Sequence[str]) -> Value:
        """Return each string's position in `levels`, or -1 if it is not there, in int64."""

    def as_numbers(self, condition: Value) -> Value:
        """Return 1 where a comparison holds, 0 elsewhere."""

    def whole(self, numbers: Any) -> Value:
        """Return a constant of int64."""

    def mean(self, value: Value) -> Value:
        """Return the mean of each row, (rows, 1)."""

    def log_of_sum(self, value: Value) -> Value:
        """Return the logarithm of the sum of exponentials of each row, (rows, 1)."""

    def sorted(self, value: Value, width: int) -> Value:
        """Return each row, of `width` numbers, in ascending order."""

    def columns(self, value: Value, start: int, stop: int, step: int = 1) -> Value:
        """Return the columns ``start:stop:step``."""
        return self.op("Gather", value, self.whole(np.arange(start, stop, step)), axis=1)

    def reshape(self, value: Value, *shape: int) -> Value:
        """Return the value in another shape: -1 is inferred, 0 keeps the length of that axis."""

    def reshape_like(self, value: Value, other: Value) -> Value:
        """Return the value in the shape of another one."""

    def concatenate(self, values: Sequence[Value], axis: int = 1) -> Value:
        """Return values side by side."""
        return values[0] if len(values) == 1 else self.op("Concat", *values, axis=axis)


#: Dtypes of the results of operators, where they differ from those of the operands.
DTYPES_OF_RESULTS = {
    "ArgMax": "int64",
    "Equal": "bool",
    "Greater": "bool",
    "IsNaN": "bool",
    "Less": "bool",
    "Not": "bool",
}


def dtype_of_result(name: str, operands: Sequence[Value]) -> str:
    """Return the dtype of an operator's result."""
    return DTYPES_OF_RESULTS.get(name, operands[1 if name == "Where" else 0].dtype)


class NotDeclaredError(NotImplementedError, ValueError):
    """A part of a model has no ``to_onnx``, or inherits that of another formula.

    Examples
    --------
    >>> from skperceptron.exceptions import NotDeclaredError
    >>> issubclass(NotDeclaredError, NotImplementedError)
    True
    """


def not_declared(part: Any, arguments: str) -> NotDeclaredError:
    """Return the error for a part that does not say which operators it is made of."""
    name = type(part).__name__
    return NotDeclaredError(
        f"{name} cannot be exported to ONNX: it does not say which operators it is made of. Define"
        f" {name}.to_onnx({arguments}) beside its formula; docs/extending shows how."
    )


def refuse_inherited(
    part: Any, method: str, formulas: tuple[str, ...], general: type | None = None
) -> None:
    """Raise NotDeclaredError if a class redefines a formula, but not the ONNX operators for it.

    Inherited operators belong to another formula, unless they are those of the class `general`,
    which fit all formulas.
    """
    told, where = _nearest(part, method)
    redefined = [formula for formula in formulas if _nearest(part, formula)[0] < told]
    if redefined and where is not general:
        name = type(part).__name__
        raise NotDeclaredError(
            f"{name} cannot be exported to ONNX: it redefines {redefined[0]}, but its {method} is"
            f" that of {where.__name__}. Define {name}.{method} beside it; docs/extending shows"
            " how."
        )


def _nearest(part: Any, name: str) -> tuple[int, type]:
    """Return place and class of an attribute's first definition in the method resolution order."""
    return next((i, c) for i, c in enumerate(type(part).__mro__) if name in vars(c))
