"""Converters of estimators with a network of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.blocks import Block
from ...engine.network import INPUT
from ...engine.operators import refuse_inherited
from ...engine.prediction import fold_lines
from ...estimators.categories import values_of_categories
from ...estimators.fitted import FittedNetwork, fitted_network
from ...estimators.targets import Indicators, RegressionTarget, WholeNumbers
from ...preprocessing._parts import Codes
from ._graph import Graph, Value
from ._outputs import (
    as_matrix,
    columns_of,
    number_type,
    numbers_are_float64,
    set_type_of_numbers,
    set_types_of_classes,
    write_classes,
)
from ._types import ONLY, stored

#: Alias of the regressor, under which skl2onnx knows it.
REGRESSOR = "SkperceptronRegressor"

#: Options of the regressor for further outputs, and the names of these.
EXTRAS = {"return_std": "std", "return_proba": "probabilities"}


# Labels.


def classifier_shapes(operator: Any) -> None:
    """Set the types of labels and probabilities."""
    target = fitted_network(operator.raw_operator).target
    set_types_of_classes(operator, isinstance(target, Indicators))


def convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Convert a classifier: to labels, and probabilities or decisions."""
    model = operator.raw_operator
    fitted = fitted_network(model)
    graph, raw = _started(scope, operator, container, fitted)
    target, (labels, numbers) = fitted.target, operator.outputs
    codes = target.codes_to_onnx(graph, raw)
    if isinstance(target, Indicators):
        graph.write(codes, labels)
    else:
        write_classes(graph, model, codes, labels)
    if scope.get_options(model, {"raw_scores": False})["raw_scores"]:
        graph.write(target.decision_to_onnx(graph, raw), numbers)
        return
    dtype = np.float64 if numbers_are_float64([numbers]) else np.float32
    shown = graph.in_dtype(dtype)
    probabilities = shown.cast(target.probabilities_to_onnx(graph, raw), shown.dtype.name)
    shown.write(never_certain(shown, probabilities), numbers)


def never_certain(graph: Graph, probabilities: Value) -> Value:
    """Return probabilities moved away from 0 and 1, like those of the estimators."""
    limits = np.finfo(graph.dtype)
    return graph.op("Max", graph.op("Min", probabilities, 1 - limits.epsneg), limits.tiny)


# Numbers.


def parse_regressor(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """Declare the outputs of a regressor: predictions, and what else the options ask for."""
    operator = scope.declare_local_operator(REGRESSOR, model)
    operator.inputs = inputs
    is_float64 = _is_float64(inputs, fitted_network(model))
    asked = scope.get_options(model, dict.fromkeys(EXTRAS, False))
    names = ["variable", *(name for option, name in EXTRAS.items() if asked[option])]
    for name in names:
        operator.outputs.append(scope.declare_local_variable(name, number_type(is_float64, [])))
    return operator.outputs


def regressor_shapes(operator: Any) -> None:
    """Set the types of predictions, deviations and probabilities."""
    model = operator.raw_operator
    fitted, n_rows = fitted_network(model), operator.inputs[0].get_first_dimension()
    is_float64, shape = _is_float64(operator.inputs, fitted), prediction_shape(fitted)
    for i, output in enumerate(operator.outputs):
        is_distribution = i and isinstance(fitted.target, WholeNumbers)
        width = [fitted.network.n_outputs] if is_distribution else shape
        set_type_of_numbers(output, is_float64, [n_rows, *width])


def prediction_shape(fitted: FittedNetwork) -> list[int]:
    """Return the shape of the predictions for one row: at least one number."""
    target, n_outputs = fitted.target, fitted.network.n_outputs
    if isinstance(target, WholeNumbers):
        return [1]
    n_each = target.loss.outputs_per_target
    n_targets = n_outputs // n_each
    if n_each == 1 or target.loss.estimates_std:
        return [n_targets]
    return [n_each] if n_targets == 1 else [n_targets, n_each]


def convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    """Convert a regressor: to predictions, and deviations or probabilities if asked for."""
    model = operator.raw_operator
    fitted = fitted_network(model)
    graph, raw = _started(scope, operator, container, fitted)
    target: RegressionTarget = fitted.target.predicting(model.categorical_prediction)
    refuse_inherited(target, "to_onnx", ("decode", "link"))
    values = target.to_onnx(graph, raw)
    found: list[Any]
    if target.loss.estimates_std:
        found = [graph.columns(values, start, fitted.network.n_outputs, 2) for start in (0, 1)]
    else:
        found = [graph.reshape(values, 0, *prediction_shape(fitted))]
    if isinstance(target, WholeNumbers):
        found.append(target.link_to_onnx(graph, raw))
    if len(operator.outputs) > len(found):
        raise ValueError(
            "return_std needs a loss that estimates standard deviations, such as 'gaussian_nll',"
            f" and return_proba a fit with output='categorical'; this {type(model).__name__} has"
            f" loss={model.loss!r} and output={model.output!r}."
        )
    for value, variable in zip(found, operator.outputs, strict=False):
        graph.write(value, variable)


# Both.


def _is_float64(inputs: Any, fitted: FittedNetwork) -> bool:
    return numbers_are_float64(inputs) or fitted.predicts_float64


def _started(
    scope: Any, operator: Any, container: Any, fitted: FittedNetwork
) -> tuple[Graph, Value]:
    """Return a graph in the right dtype, and raw predictions."""
    is_float64 = _is_float64(operator.inputs, fitted)
    graph = Graph(scope, container, np.float64 if is_float64 else np.float32)
    first = fitted.network.inputs[0].name
    return graph, raw_outputs(graph, fitted, {first: _features(graph, operator)})


def _features(graph: Graph, operator: Any) -> Value:
    """Return the features side by side; categories of a frame are replaced by codes."""
    model, inputs = operator.raw_operator, operator.inputs
    values = values_of_categories(model)
    names: Any = getattr(model, "feature_names_in_", range(model.n_features_in_))
    # In an array, categories are codes already.
    if not values or inputs[0].raw_name == ONLY != names[0]:
        return as_matrix(graph, inputs)
    columns: list[Any] = columns_of(graph, inputs, model.n_features_in_)
    for j, known in values.items():
        levels = stored(np.array(known, dtype=object), names[j]).tolist()
        columns[j] = Codes(j, levels, has_others=False).to_onnx(graph, columns[j], names[j])
    return graph.concatenate([graph.cast(column, graph.dtype.name) for column in columns])


def raw_outputs(graph: Graph, fitted: FittedNetwork, inputs: dict[str, Value]) -> Value:
    """Return raw predictions, (rows, C), in units of y, for values of the network's inputs.

    Raises NotDeclaredError if a block or an activation does not define its operators.
    """
    network, learned = fold_lines(fitted.network, fitted.views(np.float64))
    values: list[Any] = []
    for node, arrays in zip(network.nodes, learned, strict=True):
        # A linear block inherits its operators from the base class.
        refuse_inherited(node.block, "to_onnx", ("forward",), general=Block)
        sources = [
            values[source] if source >= 0 else inputs[network.inputs[INPUT - source].name]
            for source in node.sources
        ]
        values.append(node.block.to_onnx(graph, sources, arrays))
    return values[-1]
