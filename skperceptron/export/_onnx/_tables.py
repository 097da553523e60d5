"""Converters of preprocessing: raw columns in, numbers for a network out."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx.common.data_types import StringTensorType
from sklearn.preprocessing import OrdinalEncoder

from ...preprocessing import RobustSmoothClipScaler
from ...preprocessing._scaler import inverse_or_zero
from ...preprocessing._tabular import parts_of
from ._graph import Graph, Value
from ._outputs import as_matrix, columns_of, number_type, numbers_are_float64

#: The name under which skl2onnx knows ``SideBySide``.
SIDE_BY_SIDE = "SkperceptronSideBySide"


class SideBySide(OrdinalEncoder):
    """Puts columns of numbers side by side before a part of scikit-learn that is exported.

    skl2onnx would turn them into float32, or into integers if the first ones are. It does the
    latter in column transformers before all steps, apart from those derived from an encoder.
    """


def parse_side_by_side(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """Declare the output of ``SideBySide``: float64 if any input of the whole model is."""
    kind, alias = number_type(numbers_are_float64(scope.input_variables), []), SIDE_BY_SIDE
    if any(isinstance(variable.type, StringTensorType) for variable in inputs):
        kind, alias = StringTensorType(), "SklearnConcat"
    operator = scope.declare_local_operator(alias, model)
    operator.inputs = inputs
    operator.outputs.append(scope.declare_local_variable("columns", kind))
    return operator.outputs


def side_by_side_shapes(operator: Any) -> None:
    """Set the number of columns, and strings as their type if a column transformer passes them."""
    shapes = [variable.type.shape for variable in operator.inputs]
    widths = [shape[1] for shape in shapes]
    if isinstance(operator.inputs[0].type, StringTensorType):
        operator.outputs[0].set_type(StringTensorType())
    operator.outputs[0].type.shape = [shapes[0][0], None if None in widths else sum(widths)]


def convert_side_by_side(scope: Any, operator: Any, container: Any) -> None:
    """Convert ``SideBySide``."""
    (output,) = operator.outputs
    graph = Graph(scope, container, np.float64 if numbers_are_float64([output]) else np.float32)
    is_string = isinstance(output.type, StringTensorType)
    columns = graph.input(operator.inputs[0]) if is_string else as_matrix(graph, operator.inputs)
    graph.write(columns, output)


def scaler_shapes(operator: Any) -> None:
    """Set the type of scaled columns."""
    shape = [operator.inputs[0].get_first_dimension(), operator.raw_operator.n_features_in_]
    operator.outputs[0].set_type(number_type(numbers_are_float64(operator.inputs), shape))


def convert_scaler(scope: Any, operator: Any, container: Any) -> None:
    """Convert a scaler."""
    is_float64 = numbers_are_float64(operator.inputs)
    graph = Graph(scope, container, np.float64 if is_float64 else np.float32)
    X = as_matrix(graph, operator.inputs)
    scaled = _scaled(graph, X, operator.raw_operator, missing=np.nan)
    graph.write(scaled, operator.outputs[0])


def preprocessor_shapes(operator: Any) -> None:
    """Set the type of prepared columns."""
    model = operator.raw_operator
    shape = [operator.inputs[0].get_first_dimension(), len(model.get_feature_names_out())]
    operator.outputs[0].set_type(number_type(np.dtype(model.dtype) == np.float64, shape))


def convert_preprocessor(scope: Any, operator: Any, container: Any) -> None:
    """Convert a preprocessor of tables."""
    model = operator.raw_operator
    graph = Graph(scope, container, np.dtype(model.dtype))
    parts = parts_of(model)
    encoded: list[Any]
    if parts is None:
        encoded = [as_matrix(graph, operator.inputs)]
    else:
        columns = columns_of(graph, operator.inputs, model.n_features_in_)
        filled = [(part, name) for part, name in parts if part.suffixes]
        encoded = [part.to_onnx(graph, columns[part.position], name) for part, name in filled]
    # Columns of codes come last, and are not scaled.
    n_scaled = len(encoded) - len(model.code_columns_)
    found = encoded[n_scaled:]
    if n_scaled:
        numbers = graph.concatenate(encoded[:n_scaled])
        # A missing number becomes the median, which is 0 once it is scaled.
        found = [_scaled(graph, numbers, model.scaler_, missing=0), *found]
    graph.write(graph.concatenate(found), operator.outputs[0])


def _scaled(graph: Graph, X: Value, scaler: RobustSmoothClipScaler, *, missing: float) -> Value:
    """Return scaled numbers, and ``missing`` where a number is missing."""
    constant = scaler.scale_ == 0
    inverse = inverse_or_zero(scaler.scale_, graph.dtype)
    z = (X - np.where(constant, 0, scaler.center_)) * inverse
    largest = float(np.finfo(graph.dtype).max)
    z = graph.op("Max", graph.op("Min", z, largest), -largest)
    if scaler.max_abs is not None:
        # z / sqrt(1 + (z / m)^2) without squares of large numbers: with t = |z| / m, the factor is
        # min(t, 1) / sqrt(1 + (min(t, 1) / max(t, 1))^2) on both sides of t = 1.
        t = graph.op("Abs", z / scaler.max_abs)
        small = graph.op("Min", t, 1)
        ratio = small / graph.op("Max", t, 1)
        drawn = small / graph.op("Sqrt", ratio * ratio + 1) * scaler.max_abs
        z = graph.op("Sign", z) * drawn
    return graph.where(graph.op("IsNaN", X), missing, z)
