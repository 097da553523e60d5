"""The graph of an exported model: operators become nodes, and numbers become constants.

Nodes are written for the opset that the user asks for. Only this module knows the differences
between opsets, such as how a sum receives its axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from onnx import TensorProto, helper, numpy_helper
from scipy.special import erfcx

from ...engine.operators import OperatorGraph, Value, dtype_of_result

#: The first opset in which ReduceMean and ReduceLogSumExp read their axes from an input.
AXES_AS_INPUT = 18

#: Degree of the polynomial for the error function in float64, which is then within 5e-15.
ERF_DEGREE = 24

#: The domain of operators for classic machine learning.
ML = "ai.onnx.ml"


class Graph(OperatorGraph):
    """A part of a model that skl2onnx is putting together.

    The scope provides unused names, the container receives the nodes.
    """

    def __init__(self, scope: Any, container: Any, dtype: Any) -> None:
        self.scope = scope
        self.container = container
        self.dtype = np.dtype(dtype)

    @property
    def opset(self) -> int:
        """The version of ONNX's operators."""
        return int(self.container.target_opset)

    def input(self, variable: Any) -> Value:
        """Return a variable of skl2onnx as a value."""
        dtypes = {"Float": "float32", "Double": "float64", "Boolean": "bool", "String": "str"}
        kind = type(variable.type).__name__.removesuffix("TensorType")
        return Value(self, variable.full_name, dtypes.get(kind, kind.lower()))

    def write(self, value: Any, variable: Any) -> None:
        """Assign a value to a variable of skl2onnx."""
        dtype = self.input(variable).dtype
        self._node("Cast", [self._is(value).name], variable.full_name, to=_type_of(dtype))

    def in_dtype(self, dtype: Any) -> Graph:
        return Graph(self.scope, self.container, dtype)

    # The methods that blocks, activations, losses and targets use.

    def op(self, name: str, *operands: Any, **attributes: Any) -> Value:
        values = [self._is(operand) for operand in operands]
        if name == "Erf" and self.dtype == np.float64:
            return self._erf(values[0])
        if name == "Cast":
            return self.cast(values[0], attributes["to"])
        out = self._new(name, dtype_of_result(name, values))
        self._node(name, [value.name for value in values], out.name, **attributes)
        return out

    def sigmoid(self, z: Any) -> Value:
        # onnxruntime's own sigmoid is about 1e-8 where the true value is smaller.
        return 1 / (1 + self.op("Exp", -z))

    def expm1(self, z: Any) -> Value:
        # Kahan's formula: the errors of the exponential and of its logarithm cancel. They would
        # not where the exponential is subnormal, but there, the value is -1.
        power = self.op("Exp", z)
        is_one = self.op("Equal", power, 1)
        vanishes = power < np.finfo(self.dtype).eps / 4
        logarithm = self.op("Log", self.where(is_one, np.e, self.where(vanishes, np.e, power)))
        found = self.where(vanishes, -1, (power - 1) * z / logarithm)
        return self.where(is_one, z, found)

    def as_numbers(self, condition: Any) -> Value:
        return self.cast(condition, self.dtype.name)

    def cast(self, value: Any, dtype: str) -> Value:
        if value.dtype == dtype:
            return value
        out = self._new("Cast", dtype)
        self._node("Cast", [value.name], out.name, to=_type_of(dtype))
        return out

    def whole(self, numbers: Any) -> Value:
        return self._constant(np.asarray(numbers, dtype=np.int64), "int64")

    def texts(self, texts: Any) -> Value:
        """Return a constant of strings."""
        name = self.scope.get_unique_variable_name("texts")
        encoded = [str(text).encode("utf-8") for text in texts]
        self.container.add_initializer(name, TensorProto.STRING, [len(encoded)], encoded)
        return Value(self, name, "str")

    def mean(self, value: Any) -> Value:
        return self._reduced("ReduceMean", value)

    def log_of_sum(self, value: Any) -> Value:
        return self._reduced("ReduceLogSumExp", value)

    def sorted(self, value: Any, width: int) -> Value:
        groups = self.reshape(value, -1, width)
        out, positions = self._new("TopK", value.dtype), self._new("TopK", "int64")
        read = [groups.name, self.whole([width]).name]
        self._node("TopK", read, out.name, positions.name, axis=-1, largest=0)
        return self.reshape_like(out, value)

    def reshape(self, value: Any, *shape: int) -> Value:
        return self.op("Reshape", value, self.whole(shape))

    def reshape_like(self, value: Any, other: Any) -> Value:
        shape = self._new("Shape", "int64")
        self._node("Shape", [other.name], shape.name)
        return self.op("Reshape", value, shape)

    def coded(self, texts: Any, levels: Sequence[str]) -> Value:
        out = self._new("LabelEncoder", "int64")
        self._node(
            "LabelEncoder",
            [texts.name],
            out.name,
            op_domain=ML,
            # The version in the oldest opset; skl2onnx has no newer one.
            op_version=2,
            keys_strings=[level.encode("utf-8") for level in levels],
            values_int64s=list(range(len(levels))),
            default_int64=-1,
        )
        return out

    # Internal methods.

    def _reduced(self, name: str, value: Any) -> Value:
        """Return each row's value of an operator that reduces the last axis."""
        if self.opset >= AXES_AS_INPUT:
            return self.op(name, value, self.whole([-1]), keepdims=1)
        return self.op(name, value, axes=[-1], keepdims=1)

    def _is(self, operand: Any) -> Value:
        """Return a value, or the constant that a number or an array stands for."""
        if isinstance(operand, Value):
            # It may come from a graph with another dtype.
            return Value(self, operand.name, operand.dtype)
        with np.errstate(over="ignore"):
            array = np.asarray(operand).astype(self.dtype)
        return self._constant(array, self.dtype.name)

    def _constant(self, array: Any, dtype: str) -> Value:
        name = self.scope.get_unique_variable_name("constant")
        tensor = numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape))
        self.container.add_initializer(name, None, None, tensor)
        return Value(self, name, dtype)

    def _new(self, hint: str, dtype: str) -> Value:
        return Value(self, self.scope.get_unique_variable_name(hint.lower()), dtype)

    def _node(self, op: str, inputs: list[str], *outputs: str, **attributes: Any) -> None:
        name = self.scope.get_unique_operator_name(op)
        self.container.add_node(op, inputs, list(outputs), name=name, **attributes)

    def _erf(self, z: Any) -> Value:
        """Return the error function in float64; onnxruntime has it for float32 only.

        ``erf(z) = sign(z) (1 - exp(-z^2) t g(t))`` with ``t = 2 / (2 + |z|)``, where g is smooth
        on [0, 1] (Press et al. 2007, *Numerical recipes*, 6.2.2): a polynomial in ``2 t - 1``.
        """
        t = 2 / (self.op("Abs", z) + 2)
        place = t * 2 - 1
        first, *others = _erf_coefficients()
        g: Any = place * 0 + first
        for coefficient in others:
            g = g * place + coefficient
        return self.op("Sign", z) * (1 - self.op("Exp", -(z * z)) * t * g)


@cache
def _erf_coefficients() -> list[float]:
    """Return the coefficients of the polynomial g of ``Graph._erf``, the highest power first."""

    def g(t: Any) -> Any:
        return erfcx(2 / t - 2) / t

    fitted = Chebyshev.interpolate(g, ERF_DEGREE, domain=[0, 1])
    polynomial = fitted.convert(kind=Polynomial, domain=[0, 1], window=[-1, 1])
    return [float(c) for c in polynomial.coef[::-1]]


def _type_of(dtype: str) -> int:
    """Return ONNX's number of a dtype."""
    if dtype == "str":
        return int(TensorProto.STRING)
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
