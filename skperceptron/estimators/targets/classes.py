"""One class per row: two share a sigmoid, more have a softmax; ordered, or as probabilities."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import Any

import numpy as np
from scipy.special import expit, xlogy

from ..._sklearn.compat import type_of_target
from ..._sklearn.fit_calls import FitMode
from ..._sklearn.labels import (
    are_known_labels,
    check_labels,
    encoded_labels,
    n_evident_classes,
    refuse_too_few_classes,
    shown_labels,
)
from ...activations import Softplus
from ...engine.arrays import Floats, Integers
from ...engine.operators import OperatorGraph, Value
from ...kept import kept_as
from ...losses import CategoricalLogLoss, Loss, OrdinalLogLoss, list_losses
from ...training import TargetRows, Targets, one_hot
from ...usercall import first_in_call, warn
from .base import LabelTarget, log_odds, log_odds_to_onnx
from .indicators import is_multilabel, refuse_other_kind
from .metrics import Metric, brier_terms, clipped_to_precision, log_terms, squared_distances

#: How validation rows are encoded: against the classes of the fit.
_KNOWN = FitMode(continuing=True, incremental=True)

#: How far the sum of a row of probabilities may be from 1.
TOLERANCE = 1e-6


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
        if n_evident_classes(y):
            return
        check_labels(y)
        if type_of_target(y, input_name="y").startswith("multilabel"):
            raise ValueError(
                "MLPSoftmaxClassifier handles one class per row, but `y` is a multilabel"
                " indicator. Use MLPBinaryClassifier for several labels per row, or"
                " y.argmax(axis=1) if each row has one."
            )


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
                "loss='ordinal' orders classes that are strings alphabetically, the lowest"
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
        if len(place) < len(order) or not place.keys() >= set(labels):
            raise ValueError(
                f"order={order!r} of {type(self.loss).__name__} must hold each of the classes"
                f" {labels} once."
            )
        # The order may hold classes that no row has.
        return np.argsort(np.argsort([place[label] for label in labels]))

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


def are_probabilities(y: Any) -> bool:
    """Tell whether y is meant as rows of probabilities.

    Floats in several columns are, unless all of them are whole numbers and some row is not a
    distribution: these are labels, or a multilabel indicator.
    """
    if not isinstance(y, np.ndarray) or y.dtype.kind != "f" or y.ndim != 2 or y.shape[1] < 2:
        return False
    return bool((y % 1 != 0).any() or not _wrong_rows(y).any())


@kept_as("class probabilities")
class ClassProbabilities(ManyClasses):
    """Rows of probabilities, (N, C), which a softmax learns by cross entropy (Hinton et al. 2015).

    Each column is a class: its label is its position, or the one in an earlier call.
    """

    lacks_class = "a row of probabilities has none: pass sample_weight."

    def encode(
        self, y: Any, sample_weight: Floats | None, mode: FitMode, earlier: Any
    ) -> TargetRows:
        if not (mode.continuing or mode.incremental):
            self.classes = np.arange(y.shape[1])
        self._resolve_loss(self.n_outputs)
        if not isinstance(self.loss, CategoricalLogLoss):
            raise ValueError(
                f"loss={self._given_loss!r} needs labels, but `y` holds rows of probabilities:"
                " use loss='log_loss'."
            )
        return self._checked_rows(y)

    def encode_validation(self, y: Any) -> TargetRows:
        return self._checked_rows(y) if are_probabilities(y) else super().encode_validation(y)

    def labels_of(self, rows: TargetRows) -> Integers | None:
        return rows.codes if rows.codes is not None else rows.of_rows().argmax(axis=1)

    def metric(self, name: Any) -> Metric | None:
        measures = {"neg_log_loss": _cross_entropy, "neg_brier_score": _squared_distance}
        measure = measures.get(name) if isinstance(name, str) else None
        if measure is None:
            return super().metric(name)
        return Metric(
            lambda targets, y: targets.of_rows(),
            lambda raw, given: -measure(self.probabilities(raw), given),
        )

    def likeliest(self, y: Any) -> Any:
        """Return the most probable class of each row; labels stay as they are."""
        # Fits and scores take frames and lists, too.
        found = np.asarray(y)
        return likeliest(found, self.classes) if are_probabilities(found) else y

    def _checked_rows(self, y: Floats) -> TargetRows:
        _check_rows(y, len(self.classes))
        return Targets(np.asarray(y, dtype=np.float64))


def likeliest(y: Floats, classes: Any) -> Any:
    """Return the most probable class of each row of probabilities."""
    _check_rows(y, len(classes))
    return classes[y.argmax(axis=1)]


def _check_rows(y: Floats, n_classes: int) -> None:
    """Raise ValueError unless y holds a probability of each class in each row."""
    if y.shape[1] != n_classes:
        raise ValueError(
            f"`y` has {y.shape[1]} columns of probabilities, but {n_classes} classes are expected."
        )
    wrong = np.flatnonzero(_wrong_rows(y))
    if len(wrong):
        row = y[wrong[0]]
        raise ValueError(
            "Unknown label type: continuous-multioutput. Floats in several columns must be rows of"
            " probabilities, in [0, 1] and with a sum of 1, but in `y` the row at position"
            f" {wrong[0]} has numbers from {row.min():.7g} to {row.max():.7g} and the sum"
            f" {row.sum(dtype=np.float64):.7g}."
        )


def _wrong_rows(y: Floats) -> Any:
    """Tell for each row whether it is not a distribution."""
    return (y < 0).any(axis=1) | ~(np.abs(y.sum(axis=1, dtype=np.float64) - 1) <= TOLERANCE)


def _cross_entropy(probabilities: Floats, given: Floats) -> Floats:
    return -xlogy(given, clipped_to_precision(probabilities)).sum(axis=-1)


def _squared_distance(probabilities: Floats, given: Floats) -> Floats:
    return squared_distances(probabilities - given)
