"""The target of a fitted network whose response units have a threshold."""

from __future__ import annotations

import numpy as np

from ..engine.arrays import Floats
from ..engine.operators import OperatorGraph, Value

#: Largest size of responses times slope: from there on, sigmoids are 0 or 1 anyway.
FAR = 1e4


class Threshold:
    """Response units: one that fires for the second class, or one per class.

    ``slope`` is the factor by which responses are multiplied for probabilities.
    """

    needs_float64 = True

    def __init__(self, n_responses: int, slope: float = 1.0) -> None:
        self._n_responses = n_responses
        self._slope = slope

    @property
    def link_name(self) -> str:
        """The name of the function that turns responses into an answer."""
        return "threshold" if self._n_responses == 1 else "argmax"

    def linked(self, raw: Floats) -> Floats:
        """Return 1 for a unit that fires or, of several, responds most, else 0; both are (N, C)."""
        if raw.shape[1] == 1:
            return (raw > 0).astype(raw.dtype)
        return np.eye(raw.shape[1])[raw.argmax(axis=1)]

    def link_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        """Return what ``linked`` does, in ONNX operators."""
        if self._n_responses == 1:
            return graph.as_numbers(raw > 0)
        codes = graph.op("ArgMax", raw, axis=1, keepdims=0)
        return graph.op("Gather", np.eye(self._n_responses), codes, axis=0)

    def codes_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        """Return the positions of predicted classes, (rows,), in int64."""
        if self._n_responses == 1:
            return graph.reshape(graph.op("Cast", raw > 0, to="int64"), -1)
        return graph.op("ArgMax", raw, axis=1, keepdims=0)

    def decision_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        """Return responses with a column per class; of two, the first is minus the second."""
        return raw * np.array([[-1.0, 1.0]]) if self._n_responses == 1 else raw

    def probabilities_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        """Return the probabilities of classes."""
        scaled = graph.op("Max", graph.op("Min", raw * self._slope, FAR), -FAR)
        if self._n_responses == 1:
            return graph.sigmoid(self.decision_to_onnx(graph, scaled))
        return graph.op("Softmax", scaled, axis=-1)

    def fold(self, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """Return both unchanged: y has no units to convert to."""
        return weight, bias

    def unfold(self, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """Return both unchanged."""
        return weight, bias
