"""Several labels per row, each present or not: one sigmoid for each."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from scipy import sparse
from scipy.special import expit

from ..._sklearn.compat import type_of_target
from ..._sklearn.fit_calls import FitMode
from ..._sklearn.labels import check_labels, n_evident_classes, shown_labels
from ...engine.arrays import Booleans, Floats, stored_once
from ...engine.operators import OperatorGraph, Value
from ...kept import kept_as
from ...training import SomeOfMany, TargetRows, Targets
from .base import LabelTarget, log_odds, log_odds_to_onnx
from .metrics import Metric


def is_multilabel(y: Any) -> bool:
    """Tell whether y holds several labels per row; refuse what no classifier can learn."""
    if n_evident_classes(y):
        return False
    if sparse.issparse(y) and y.shape[1] > 1:
        _check_indicator(y)
    check_labels(y)
    return bool(type_of_target(y, input_name="y") == "multilabel-indicator")


def refuse_other_kind(*, now: str, before: str) -> NoReturn:
    """Raise ValueError: validation rows, or a later call, have another kind of labels."""
    raise ValueError(f"`y` holds {now}, but the network is trained on {before}.")


@kept_as("indicators")
class Indicators(LabelTarget):
    """Several labels per row.

    ``is_sparse`` says whether predictions are sparse, as y was in the first call.
    """

    task = "binary"
    is_sparse = False
    lacks_class = (
        "in a multilabel-indicator `y` a row has many: pass sample_weight, or"
        " loss=BinaryFocalLoss(alpha=...) to weight labels that are present."
    )

    def encode(
        self, y: Any, sample_weight: Floats | None, mode: FitMode, earlier: Any
    ) -> TargetRows:
        if mode.continuing and not is_multilabel(y):
            refuse_other_kind(now="classes", before="labels")
        self.is_sparse = earlier.is_sparse if mode.continuing else sparse.issparse(y)
        _check_indicator(y)
        labels = np.arange(y.shape[1])
        if mode.continuing or mode.incremental:
            self._check_n_labels(len(labels))
        self.classes = labels
        self._resolve_loss(len(labels))
        return _rows(y)

    def encode_validation(self, y: Any) -> TargetRows:
        if not is_multilabel(y):
            refuse_other_kind(now="classes", before="labels")
        _check_indicator(y)
        self._check_n_labels(y.shape[1])
        return _rows(y)

    def codes(self, raw: Floats) -> Booleans:
        return log_odds(self.loss, raw) > 0

    def decode(self, raw: Floats) -> Any:
        return self.shown(self.codes(raw))

    def metric(self, name: Any) -> Metric | None:
        if not isinstance(name, str) or name != "score":
            return None
        return Metric(
            lambda targets, y: targets.of_rows(),
            lambda raw, labels: (self.codes(raw) == labels).all(axis=-1),
        )

    def shown(self, present: Any) -> Any:
        """Return labels, given as booleans (N, T), in the form that y had, dense or sparse."""
        labels = present.astype(int)
        return sparse.csr_matrix(labels) if self.is_sparse else labels

    def decision(self, raw: Floats) -> Floats:
        return log_odds(self.loss, raw)

    def probabilities(self, raw: Floats) -> Floats:
        return expit(log_odds(self.loss, raw))

    def codes_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        return graph.op("Cast", self.decision_to_onnx(graph, raw) > 0, to="int64")

    def decision_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        return log_odds_to_onnx(self.loss, graph, raw)

    def probabilities_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        return graph.sigmoid(self.decision_to_onnx(graph, raw))

    def _check_n_labels(self, n_labels: int) -> None:
        if n_labels != len(self.classes):
            raise ValueError(f"`y` has {n_labels} labels, but {len(self.classes)} are expected.")


def _rows(y: Any) -> TargetRows:
    if not sparse.issparse(y):
        return Targets(np.asarray(y, dtype=np.float64))
    # A copy: the user's matrix stays as it is.
    indicator = sparse.csr_array(y, dtype=np.int8, copy=True)
    indicator.sum_duplicates()
    indicator.eliminate_zeros()
    return SomeOfMany(indicator)


def _check_indicator(y: Any) -> None:
    """Refuse several labels per row that are not given as zeros and ones."""
    values = np.unique(stored_once(y).data if sparse.issparse(y) else y)
    if not np.isin(values, [0, 1]).all():
        raise ValueError(
            "A `y` of several labels per row must hold 1 (or True) where a row has a label, and"
            f" 0 (or False) elsewhere, got the values {shown_labels(values)}."
        )
