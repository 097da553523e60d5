"""One class per row: two classes share a sigmoid, more have a softmax."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from scipy.special import expit

from ..._sklearn.compat import type_of_target
from ..._sklearn.fit_calls import FitMode
from ..._sklearn.labels import (
    are_evidently_classes,
    are_known_labels,
    check_labels,
    encoded_labels,
    refuse_too_few_classes,
)
from ...engine.arrays import Floats, Integers
from ...engine.operators import OperatorGraph, Value
from ...kept import kept_as
from ...training import TargetRows, Targets, one_hot
from .base import LabelTarget, log_odds, log_odds_to_onnx
from .indicators import is_multilabel, refuse_other_kind
from .metrics import Metric, brier_terms, log_terms

#: How validation rows are encoded: against the classes of the fit.
_KNOWN = FitMode(continuing=True, incremental=True)


def as_decision(scores: Floats) -> Floats:
    """Return scores of classes in the shape of a decision function.

    Scores, (n_samples, n_classes), are logits or log-probabilities. For two classes, the result is
    the score of the second minus that of the first, clipped to finite numbers, (n_samples,).
    """
    if scores.shape[1] != 2:
        return scores
    with np.errstate(over="ignore"):
        more = scores[:, 1] - scores[:, 0]
    # scikit-learn's metrics refuse infinite numbers.
    largest = np.finfo(more.dtype).max
    return more.clip(-largest, largest)


class _Classes(LabelTarget):
    """One class per row."""

    def encode(
        self, y: Any, sample_weight: Floats | None, mode: FitMode, earlier: Any
    ) -> TargetRows:
        codes = self._codes(y, mode)
        self._resolve_loss(self.n_outputs)
        return self._rows(codes)

    def encode_validation(self, y: Any) -> TargetRows:
        return self._rows(self._codes(y, _KNOWN))

    @property
    @abstractmethod
    def n_outputs(self) -> int:
        """Number of outputs of the network."""

    @abstractmethod
    def _rows(self, codes: Integers) -> TargetRows:
        """Return the network's targets for positions in ``classes``."""

    @abstractmethod
    def _check_kind(self, y: Any, mode: FitMode) -> None:
        """Raise ValueError unless y holds one class per row."""

    def _check_n_classes(self, classes: Any) -> None:
        refuse_too_few_classes(classes, self._estimator_name)

    def metric(self, name: Any) -> Metric | None:
        compared = {
            "score": lambda raw, codes: self.codes(raw) == codes,
            "neg_log_loss": lambda raw, codes: log_terms(self.probabilities(raw), codes),
            "neg_brier_score": lambda raw, codes: -brier_terms(self.probabilities(raw), codes),
        }
        if not isinstance(name, str) or name not in compared:
            return None
        return Metric(lambda targets, y: self.labels_of(targets), compared[name])

    def decode(self, raw: Floats) -> Any:
        return self.classes[self.codes(raw)]

    def _codes(self, y: Any, mode: FitMode) -> Integers:
        if not are_known_labels(y, self.classes, mode):
            self._check_kind(y, mode)
        self.classes, codes = encoded_labels(
            y, self.classes, mode, self._check_n_classes, same_classes=self._same_classes
        )
        return codes


@kept_as("two classes")
class TwoClasses(_Classes):
    """Two classes: one output, whose sigmoid is the probability of the second class."""

    task = "binary"
    n_outputs = 1

    def codes(self, raw: Floats) -> Integers:
        return (log_odds(self.loss, raw)[..., 0] > 0).astype(int)

    def decision(self, raw: Floats) -> Floats:
        return log_odds(self.loss, raw)[:, 0]

    def probabilities(self, raw: Floats) -> Floats:
        return expit(log_odds(self.loss, raw) * np.array([-1, 1], raw.dtype))

    def codes_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        is_second = log_odds_to_onnx(self.loss, graph, raw) > 0
        return graph.reshape(graph.op("Cast", is_second, to="int64"), -1)

    def decision_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        return log_odds_to_onnx(self.loss, graph, raw) * np.array([[-1.0, 1.0]])

    def probabilities_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        return graph.sigmoid(self.decision_to_onnx(graph, raw))

    def _rows(self, codes: Integers) -> TargetRows:
        return Targets(np.array([[0.0], [1.0]]), codes)

    def _check_kind(self, y: Any, mode: FitMode) -> None:
        # In a first call, this target has been chosen because y is not multilabel.
        if mode.continuing and is_multilabel(y):
            refuse_other_kind(now="labels", before="classes")

    def _check_n_classes(self, classes: Any) -> None:
        super()._check_n_classes(classes)
        if len(classes) > 2:
            raise ValueError(
                "Only binary classification is supported. The type of the target is multiclass:"
                f" got {len(classes)} classes. Use MLPSoftmaxClassifier for more than two."
            )


@kept_as("many classes")
class ManyClasses(_Classes):
    """Two classes or more: one output for each, joined by a softmax."""

    task = "multiclass"

    @property
    def n_outputs(self) -> int:
        return len(self.classes)

    def scores(self, raw: Floats) -> Floats:
        """Return logits or log-probabilities, a column for each class, by its code."""
        return raw

    def codes(self, raw: Floats) -> Integers:
        return self.scores(raw).argmax(axis=-1)

    def decision(self, raw: Floats) -> Floats:
        return as_decision(self.scores(raw))

    def probabilities(self, raw: Floats) -> Floats:
        self.loss.link_all(raw, raw)
        return raw

    def scores_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        """Return what ``scores`` does, in ONNX operators."""
        return raw

    def codes_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        return graph.op("ArgMax", self.scores_to_onnx(graph, raw), axis=1, keepdims=0)

    def decision_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        scores = self.scores_to_onnx(graph, raw)
        if len(self.classes) > 2:
            return scores
        return scores @ np.array([[1.0, -1.0], [-1.0, 1.0]])

    def probabilities_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        return self.loss.to_onnx(graph, raw)

    def _rows(self, codes: Integers) -> TargetRows:
        return one_hot(codes, len(self.classes))

    def _check_kind(self, y: Any, mode: FitMode) -> None:
        if are_evidently_classes(y):
            return
        check_labels(y)
        if type_of_target(y, input_name="y").startswith("multilabel"):
            raise ValueError(
                "MLPSoftmaxClassifier handles one class per row, but `y` is a multilabel"
                " indicator. Use MLPBinaryClassifier for several labels per row."
            )
