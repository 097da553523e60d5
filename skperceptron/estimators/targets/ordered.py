"""Classes that are ordered: one logit for each border between neighbouring classes."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..._sklearn.fit_calls import FitMode
from ..._sklearn.labels import shown_labels
from ...activations import Softplus
from ...engine.arrays import Floats, Integers
from ...engine.operators import OperatorGraph, Value
from ...kept import kept_as
from ...losses import Loss, OrdinalLogLoss, list_losses
from ...training import TargetRows, Targets
from ...usercall import first_in_call, warn
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

    def encode(
        self, y: Any, sample_weight: Floats | None, mode: FitMode, earlier: Any
    ) -> TargetRows:
        rows = super().encode(y, sample_weight, mode, earlier)
        if not mode.continuing and self._is_alphabetical() and first_in_call("alphabetical"):
            warn(
                "loss='ordinal' takes classes that are texts in alphabetical order, the lowest"
                f" first: {shown_labels(self.classes)}. State the order of your classes:"
                " loss=OrdinalLogLoss(order=[...])."
            )
        return rows

    def _is_alphabetical(self) -> bool:
        """Tell whether classes are in an order that nobody has stated, and that matters."""
        # Two classes give the same model in either order.
        is_stated = self.loss.order is not None or len(self.classes) == 2
        return not is_stated and isinstance(self.classes.tolist()[0], str | bytes)

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
