"""What exported models return: variables of skl2onnx, their types, and models inside models.

Apart from ``_ensembles``, only this module uses private functions of skl2onnx.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from skl2onnx._parse import _parse_sklearn, _parse_sklearn_classifier, _parse_sklearn_simple_model
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from skl2onnx.common.utils_classifier import get_label_classes
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from ...engine.arrays import Floats
from ._graph import Graph, Value
from ._types import OUTPUTS


def numbers_are_float64(variables: Sequence[Any]) -> bool:
    """Tell whether a model that reads these variables calculates in float64."""
    return any(isinstance(variable.type, DoubleTensorType) for variable in variables)


def number_type(is_float64: bool, shape: list[int | None]) -> Any:
    """Return the type of an output of numbers."""
    return DoubleTensorType(shape) if is_float64 else FloatTensorType(shape)


def set_type_of_numbers(variable: Any, is_float64: bool, shape: list[int | None]) -> None:
    """Set the type of an output; the dtype of one that a model around has declared stays."""
    if variable.raw_name not in OUTPUTS:
        is_float64 = numbers_are_float64([variable])
    variable.set_type(number_type(is_float64, shape))


def parse_numbers(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """Declare the output of a model with its type; skl2onnx gives it that of the first input."""
    outputs = _parse_sklearn_simple_model(scope, model, inputs, custom_parsers)
    outputs.parent.infer_types()
    return outputs


def parse_classifier(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """Declare labels and probabilities of a classifier.

    skl2onnx's converters of meta-estimators do not use this function for a classifier inside.
    """
    zipmap = scope.get_options(model, {"zipmap": True})["zipmap"]
    scope.add_options(id(model), {"zipmap": zipmap})
    outputs = _parse_sklearn_classifier(scope, model, inputs, custom_parsers=custom_parsers)
    if zipmap is not True:
        # skl2onnx gives them the type of the first input.
        for numbers in outputs[1 : None if zipmap else 2]:
            numbers.set_type(number_type(calculates_in_float64(model, inputs), [None]))
    return outputs


def calculates_in_float64(model: Any, inputs: Sequence[Any]) -> bool:
    """Tell whether the outputs of a model are float64.

    Tabular estimators prepare tables in a dtype of their own. If they are given one array, they
    have its dtype nevertheless: skl2onnx's converters of models around them expect that.
    """
    preprocessor = getattr(model, "preprocessor_", None)
    if preprocessor is not None and len(inputs) > 1:
        return np.dtype(preprocessor.dtype) == np.float64
    return numbers_are_float64(inputs)


def set_types_of_classes(operator: Any, is_multilabel: bool) -> None:
    """Set the types of a classifier's labels and probabilities."""
    model, scope = operator.raw_operator, operator.scope_inst
    n_rows, n_classes = operator.inputs[0].get_first_dimension(), len(model.classes_)
    shape = [n_rows, n_classes] if is_multilabel else [n_rows]
    operator.outputs[0].set_type(label_type(get_label_classes(scope, model), shape))
    # Dicts of probabilities are float32 in ONNX.
    are_dicts = scope.get_options(model, {"zipmap": False})["zipmap"] is True
    is_float64 = calculates_in_float64(model, operator.inputs) and not are_dicts
    set_type_of_numbers(operator.outputs[1], is_float64, [n_rows, n_classes])


def label_type(classes: Any, shape: list[int | None]) -> Any:
    """Return the type of an output of labels.

    Raises ValueError if the labels are neither integers, booleans nor strings.
    """
    kind = np.asarray(classes).dtype.kind
    if kind in "US" or (kind == "O" and all(isinstance(label, str) for label in classes)):
        return StringTensorType(shape)
    whole = kind == "f" and bool((np.asarray(classes) % 1 == 0).all())
    if kind in "iub" or whole:
        return Int64TensorType(shape)
    raise ValueError(
        f"Labels of an exported model must be integers, booleans or strings, got {classes!r}."
    )


def as_matrix(graph: Graph, variables: Sequence[Any]) -> Value:
    """Return the inputs of a model side by side, in the dtype of the graph."""
    parts = [graph.cast(graph.input(variable), graph.dtype.name) for variable in variables]
    return graph.concatenate(parts)


def columns_of(graph: Graph, inputs: Any, n_columns: int) -> list[Value]:
    """Return each column of the table, (rows, 1)."""
    found = []
    for variable in inputs:
        value, width = graph.input(variable), variable.type.shape[1]
        if len(inputs) == n_columns:
            found.append(value)
            continue
        found += [graph.columns(value, j, j + 1) for j in range(width or n_columns)]
    if len(found) != n_columns:
        raise ValueError(
            f"The exported model is given {len(found)} columns, but fit has seen {n_columns}."
        )
    return found


def write_classes(graph: Graph, model: Any, codes: Value, variable: Any) -> None:
    """Write labels to a variable, given their positions among the classes of a model."""
    classes = get_label_classes(graph.scope, model)
    if isinstance(variable.type, StringTensorType):
        table = graph.texts(classes)
    else:
        table = graph.whole(np.asarray(classes).astype(np.int64))
    graph.write(graph.op("Gather", table, codes, axis=0), variable)


def outputs_of(graph: Graph, model: Any, inputs: Sequence[Any]) -> list[Any]:
    """Return the output variables of a model inside another one.

    For a classifier these are labels and probabilities.
    """
    if is_classifier(model) or isinstance(model, Pipeline):
        for options in (graph.scope, graph.container):
            options.add_options(id(model), {"zipmap": False})
    return list(_parse_sklearn(graph.scope, model, list(inputs)))


def selection(members: Any, classes: Any) -> Floats:
    """Return the matrix, (c, C), that moves a member's classes to their places among all."""
    matrix = np.zeros((len(members), len(classes)))
    matrix[np.arange(len(members)), np.searchsorted(classes, members)] = 1
    return matrix
