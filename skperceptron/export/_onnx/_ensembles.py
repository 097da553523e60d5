"""Converters of ensembles, searches and other models that hold models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from skl2onnx._parse import _parse_sklearn
from sklearn.base import is_classifier
from sklearn.ensemble import BaggingRegressor

from ..._sklearn.pipelines import last_step
from ...estimators.fitted import FittedNetwork, fitted_network
from ...model_selection import StackedEnsembleRegressor
from ...model_selection._combination import LEAST_PROBABILITY
from ...model_selection._ensemble_base import predicts_several_labels
from ._estimators import prediction_shape
from ._graph import Graph, Value
from ._outputs import (
    calculates_in_float64,
    outputs_of,
    selection,
    set_type_of_numbers,
    set_types_of_classes,
    write_classes,
)

# Types.


def ensemble_classifier_shapes(operator: Any) -> None:
    """Set the types of labels and probabilities."""
    model = operator.raw_operator
    set_types_of_classes(operator, predicts_several_labels(getattr(model, "ensemble_", model)))


def ensemble_regressor_shapes(operator: Any) -> None:
    """Set the type of predictions."""
    model, n_rows = operator.raw_operator, operator.inputs[0].get_first_dimension()
    is_float64 = calculates_in_float64(model, operator.inputs)
    is_float64 |= any(network.predicts_float64 for network in _networks_in(model))
    set_type_of_numbers(operator.outputs[0], is_float64, [n_rows, *shape_of_row(model)])


def shape_of_row(model: Any) -> list[int | None]:
    """Return the shape of a regressor's predictions for one row; [None] if it is not known."""
    model = last_step(model)
    if hasattr(model, "oof_predictions_"):
        return list(model.oof_predictions_.shape[1:]) or [1]
    if hasattr(model, "coefs_"):
        return [*prediction_shape(fitted_network(model))]
    if isinstance(model, StackedEnsembleRegressor | BaggingRegressor):
        return shape_of_row(model.estimators_[0])
    return [None]


def _networks_in(model: Any) -> list[FittedNetwork]:
    """Return the networks of a regressor, and of the ensembles inside it."""
    if isinstance(model, list):
        return [network for member in model for network in _networks_in(member)]
    model = last_step(getattr(model, "ensemble_", model))
    if hasattr(model, "coefs_"):
        return [fitted_network(model)]
    return _networks_in(list(getattr(model, "estimators_", ())))


# Members of equal weight.


def convert_ensemble(scope: Any, operator: Any, container: Any) -> None:
    """Convert the mean of probabilities, or of numbers."""
    model, graph = operator.raw_operator, Graph(scope, container, np.float64)
    mean = _mean([_predicted(graph, operator, member) for member in model.estimators_])
    if is_classifier(model):
        _write_labels(graph, operator, mean)
    else:
        graph.write(mean, operator.outputs[0])


# Arms with weights.


def convert_cross_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Convert the mixture of arms at their temperatures."""
    model, graph = operator.raw_operator, Graph(scope, container, np.float64)
    several, mixture = predicts_several_labels(model), []
    for weight, temperature, arm in _arms(model):
        aligned = []
        for member in arm:
            if several and isinstance(member.classes_, list):
                name = type(last_step(member)).__name__
                raise ValueError(f"An ensemble of {name} for several labels cannot be exported.")
            values = _predicted(graph, operator, member)
            if not several and not np.array_equal(member.classes_, model.classes_):
                values = values @ selection(member.classes_, model.classes_)
            if temperature != 1:
                values = _tempered(graph, values, temperature, several)
            aligned.append(values)
        mixture.append(_mean(aligned) * weight)
    blended = _tempered(graph, _sum(mixture), model.temperature_, several)
    _write_labels(graph, operator, blended)


def convert_cross_regressor(scope: Any, operator: Any, container: Any) -> None:
    """Convert the weighted mean of arms."""
    graph, mixture = Graph(scope, container, np.float64), []
    for weight, _, arm in _arms(operator.raw_operator):
        members = [_predicted(graph, operator, member) for member in arm]
        mixture.append(_mean(members) * weight)
    graph.write(_sum(mixture), operator.outputs[0])


def _arms(ensemble: Any) -> list[tuple[float, float, Any]]:
    """Return weight, temperature and members of each arm whose weight is not zero."""
    arms = zip(ensemble.weights_, ensemble.temperatures_, ensemble.estimators_, strict=True)
    return [(float(weight), float(t), arm) for weight, t, arm in arms if weight]


def _tempered(graph: Graph, values: Value, temperature: float, is_multilabel: bool) -> Value:
    """Return probabilities at a temperature."""
    if is_multilabel:
        logits = _log(graph, values) - _log(graph, 1 - values)
        return graph.sigmoid(logits / temperature)
    return graph.op("Softmax", _log(graph, values) / temperature, axis=-1)


def _log(graph: Graph, values: Value) -> Value:
    return graph.op("Log", graph.op("Max", values, LEAST_PROBABILITY))


# Models that consist of steps, one after another.


def parse_search(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """Declare the outputs of a search: those of the best estimator."""
    scope.add_options(id(model.best_estimator_), scope.get_options(model))
    return _parse_sklearn(scope, model.best_estimator_, inputs, custom_parsers=custom_parsers)


def convert_chain(scope: Any, operator: Any, container: Any) -> None:
    """Convert a model that only applies its steps: a tabular estimator, or a search."""
    graph, variables = Graph(scope, container, np.float64), operator.inputs
    model = operator.raw_operator
    is_tabular = hasattr(model, "preprocessor_")
    for step in (model.preprocessor_, model.ensemble_) if is_tabular else (model.best_estimator_,):
        variables = outputs_of(graph, step, variables)
    for found, variable in zip(variables, operator.outputs, strict=True):
        graph.write(graph.input(found), variable)


# Helpers.


def _predicted(graph: Graph, operator: Any, member: Any) -> Value:
    """Return what a member predicts, probabilities or numbers, in the dtype of the graph."""
    variable = outputs_of(graph, member, operator.inputs)[-1]
    # The member is converted later, and may then have another type than is declared now.
    return graph.cast(Value(graph, variable.full_name, "not known yet"), graph.dtype.name)


def _sum(values: Sequence[Value]) -> Value:
    return values[0] if len(values) == 1 else values[0].graph.op("Sum", *values)


def _mean(values: Sequence[Value]) -> Value:
    return _sum(values) * (1 / len(values))


def _write_labels(graph: Graph, operator: Any, probabilities: Value) -> None:
    model, (labels, numbers) = operator.raw_operator, operator.outputs
    if predicts_several_labels(model):
        graph.write(probabilities > 0.5, labels)
    else:
        codes = graph.op("ArgMax", probabilities, axis=1, keepdims=0)
        write_classes(graph, model, codes, labels)
    graph.write(probabilities, numbers)
