"""Classes that are ordered: one logit for each border between neighbouring classes."""

from __future__ import annotations

from functools import partial

import numpy as np

from ...activations import Softplus
from ...engine.arrays import Floats, Integers
from ...engine.operators import OperatorGraph, Value
from ...kept import kept_as
from ...losses import Loss, OrdinalLogLoss, list_losses
from ...training import TargetRows, Targets
from .classes import ManyClasses


def asks_for_order(loss: str | Loss) -> bool:
    """Tell whether a loss, or the name of one, is for ordered classes."""
    if isinstance(loss, str):
        return loss in list_losses("ordinal")
    return loss.task == "ordinal"


@kept_as("ordered classes")
class OrderedClasses(ManyClasses):
    """Two classes or more in an order: an output for each but one (McCullagh 1980).

    The rank of a class is its place in the order, its code is its place in ``classes_``.
    """

    task = "ordinal"
    loss: OrdinalLogLoss

    @property
    def n_outputs(self) -> int:
        return len(self.classes) - 1

    @property
    def output_names(self) -> list[str]:
        in_order = np.asarray(self.classes)[np.argsort(self._ranks())]
        return [f"above {label}" for label in in_order[:-1]]

    def _ranks(self) -> Integers:
        """Return the rank of each class, by its code."""
        order = self.loss.order
        if order is None:
            return np.arange(len(self.classes))
        place = {label: rank for rank, label in enumerate(np.asarray(order).tolist())}
        labels = np.asarray(self.classes).tolist()
        if len(order) != len(labels) or set(place) != set(labels):
            raise ValueError(
                f"order={order!r} of {type(self.loss).__name__} must hold each of the classes"
                f" {labels} once."
            )
        return np.array([place[label] for label in labels])

    def _rows(self, codes: Integers) -> TargetRows:
        n = len(self.classes)
        return Targets(np.tri(n, n - 1, -1)[self._ranks()], codes)

    def scores(self, raw: Floats) -> Floats:
        """Return log-probabilities, a column for each class, by its code."""
        return self.loss.log_probabilities(raw)[..., self._ranks()]

    def probabilities(self, raw: Floats) -> Floats:
        return np.exp(self.scores(raw))

    def probabilities_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        return graph.op("Exp", self.scores_to_onnx(graph, raw))

    def link_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        # An output is the probability that the class lies above its border.
        n = len(self.classes)
        return self.probabilities_to_onnx(graph, raw) @ np.tri(n, n - 1, -1)[self._ranks()]

    def scores_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        """Return what ``scores`` does, in ONNX operators, with products for sums."""
        n, softplus = self.n_outputs, partial(Softplus().to_onnx, graph)
        first, gaps = graph.columns(raw, 0, 1), graph.columns(raw, 1, n)
        parts = [first] if n == 1 else [first, softplus(gaps)]
        cumulative = graph.concatenate(parts) @ np.triu(np.ones((n, n)))
        ranks = self._ranks()
        below, above = np.eye(n, n + 1)[:, ranks], np.eye(n, n + 1, 1)[:, ranks]
        logs = softplus(-cumulative) @ below + softplus(cumulative) @ above
        if n > 1:
            logs = logs + softplus(-gaps) @ below[1:]
        return -logs
