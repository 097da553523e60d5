"""The target of a fitted network whose response units have a threshold.

From responses to probabilities: the slope of a sigmoid or softmax (Platt 1999).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import brentq

from ..engine.arrays import Floats
from ..engine.operators import OperatorGraph, Value
from ..estimators.fitted import Outputs
from ..losses import CategoricalLogLoss

#: Largest size of responses times slope: from there on, sigmoids are 0 or 1 anyway.
FAR = 1e4

#: Slopes between which the best one is searched, for responses of at most 1 in size. None of them
#: makes a probability underflow.
SLOPES = np.geomspace(1e-3, 300.0, 12).tolist()


class Threshold(Outputs):
    """Response units: one that fires for the second class, or one per class.

    ``slope`` is the factor by which responses are multiplied for probabilities.
    """

    # In float32, a sum close to its threshold might fall on the other side than in training.
    needs_float64 = True

    def __init__(self, n_responses: int, slope: float = 1.0) -> None:
        self._n_responses = n_responses
        self._slope = slope

    @property
    def link_name(self) -> str:
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


def slope_of(responses: Floats, signs: Floats, weights: Floats, n_classes: int) -> float:
    """Return the slope with the least log loss, for labels smoothed as in Platt.

    Responses, (N, C), are overwritten; signs, (N, C), are the right answers, 1 or -1.
    """
    size = np.abs(responses).max()
    if not size > 1 / np.finfo(size.dtype).max:
        return 1.0
    responses /= size
    # As if each class had occurred once more than it did.
    smoothing = n_classes / (len(signs) + n_classes)
    weighted = responses * (weights / weights.sum())[:, np.newaxis]
    link: Callable[..., Any]
    if responses.shape[1] == 1:
        # The sigmoid is (1 + tanh(z / 2)) / 2, and NumPy's tanh takes a third of its time. The
        # derivative is twice as large as with the sigmoid.
        factor, link, targets = 0.5, np.tanh, (1 - smoothing) * signs
    else:
        factor, link = 1.0, CategoricalLogLoss().inverse_link
        targets = (1 - smoothing) * (signs > 0) + smoothing / n_classes

    def tilt(slope: float) -> float:
        """Return the derivative of the log loss, which increases with the slope."""
        wrong = factor * slope * responses
        link(wrong, out=wrong)
        wrong -= targets
        return float(np.vdot(wrong, weighted))

    steeper = bisect_left(SLOPES, 0.0, key=tilt)
    if steeper in (0, len(SLOPES)):
        return float(SLOPES[min(steeper, len(SLOPES) - 1)] / size)
    return float(brentq(tilt, *SLOPES[steeper - 1 : steeper + 1], xtol=1e-6) / size)
