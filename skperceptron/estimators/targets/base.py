"""The interface of every kind of target."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import Any, ClassVar

import numpy as np
from scipy.special import logit

from ..._sklearn.fit_calls import FitMode
from ...components import key_of
from ...engine.arrays import Floats, Integers
from ...engine.operators import OperatorGraph, Value
from ...losses import Loss
from ...training import TargetRows
from ..choices import resolved_loss
from ..fitted import Outputs
from .metrics import Metric
from .units import Units


class Target(Outputs, ABC):
    """What a network is trained to predict.

    Attributes
    ----------
    loss : Loss
        What the network minimizes, for targets in the network's units. Known after ``encode``.
    units : Units or None
        Those in which the network sees numbers.
    """

    loss: Loss
    units: Units | None = None

    @abstractmethod
    def encode(
        self, y: Any, sample_weight: Floats | None, mode: FitMode, earlier: Any
    ) -> TargetRows:
        """Check y, complete this target, and return what the network is trained on.

        ``earlier`` is the target of the fit that this call continues, if it does.
        """

    @abstractmethod
    def encode_validation(self, y: Any) -> TargetRows:
        """Check and encode rows that the network does not learn from."""

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes that the target gives to the estimator, by name."""
        return {}

    def too_large(self, widest: int) -> str:
        """Return why a network for this target would need enormous arrays, "" if it would not.

        ``widest`` counts rows of a batch, or units of the widest hidden layer, if these are more.
        """
        return ""

    @property
    @abstractmethod
    def score_name(self) -> str | None:
        """The name of the validation score; None if it is the negative loss."""

    @abstractmethod
    def metric(self, name: Any) -> Metric | None:
        """Return a score that is computed from raw predictions, None if there is no such score.

        Early stopping monitors what ``name`` is: "score", a scorer's name, or anything else.
        """

    @property
    def key_of_metrics(self) -> Hashable:
        """A key that is equal for targets with the same losses and metrics."""
        return id(self)

    @abstractmethod
    def decode(self, raw: Floats) -> Any:
        """Return predictions from raw ones in units of y; may change the raw ones."""

    @property
    def link_name(self) -> str:
        return self.loss.out_activation

    @property
    def output_names(self) -> list[str]:
        """What each output stands for; empty if that is clear from the classes."""
        return []

    def linked(self, raw: Floats) -> Floats:
        # ``fold`` converts an affine layer to units of y; the identity becomes the conversion.
        weight, bias = self.fold(np.eye(raw.shape[1]), np.zeros(raw.shape[1]))
        return self.link(raw @ weight + bias)

    def link(self, raw: Floats) -> Floats:
        """Return predicted values from raw ones in units of y, (N, C); may change the raw ones."""
        self.loss.inverse_link(raw, out=raw)
        return raw

    def link_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        """Return what ``link`` does, in ONNX operators."""
        return self.loss.to_onnx(graph, raw)

    def labels_of(self, rows: TargetRows) -> Integers | None:
        """Return the labels by which validation rows are stratified, if any."""
        return None

    def taken_over(self, weight: Floats, bias: Floats, earlier: Any) -> tuple[Floats, Floats]:
        """Return the output layer of an earlier call, in units of y, in the network's units."""
        return weight, bias

    @property
    def key_of_units(self) -> Hashable:
        """A key that is equal for targets in the same units."""
        return None


class LabelTarget(Target):
    """Labels: the base of classes and indicators.

    ``loss`` is as the user gave it; ``classes`` are those announced to ``partial_fit``, those of
    the fit that this call continues, or None. ``estimator_name`` is for messages. ``same_classes``
    says whether ``fit``, if it continues an earlier one, must have the same classes.
    """

    #: The task for which the name of a loss is looked up.
    task: str
    #: If rows have no single class: why ``class_weight`` cannot weigh them, and what can.
    lacks_class: ClassVar[str]

    def __init__(
        self, loss: str | Loss, classes: Any, estimator_name: str, same_classes: bool
    ) -> None:
        self._given_loss = loss
        self.classes = classes
        self._estimator_name = estimator_name
        self._same_classes = same_classes

    @property
    def attributes(self) -> dict[str, Any]:
        return {"classes_": self.classes}

    def labels_of(self, rows: TargetRows) -> Integers | None:
        return rows.codes

    @property
    def score_name(self) -> str | None:
        return "accuracy"

    @property
    def key_of_metrics(self) -> Hashable:
        return type(self), key_of(self.loss), tuple(self.classes.tolist())

    @abstractmethod
    def codes(self, raw: Floats) -> Any:
        """Return positions of predicted classes, (..., N), or booleans for labels, (..., N, L)."""

    @abstractmethod
    def decision(self, raw: Floats) -> Floats:
        """Return what ``decision_function`` does."""

    @abstractmethod
    def probabilities(self, raw: Floats) -> Floats:
        """Return the probabilities of classes or labels; may change the raw predictions."""

    # The same in ONNX operators.

    @abstractmethod
    def codes_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        """Return the positions of predicted classes, (rows,), or labels, (rows, L), in int64."""

    @abstractmethod
    def decision_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        """Return decisions, a column for each class; for two, the first is minus the second."""

    @abstractmethod
    def probabilities_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        """Return the probabilities of classes or labels."""

    def _resolve_loss(self, n_targets: int) -> None:
        self.loss = resolved_loss(self._given_loss, self.task, n_targets)


def log_odds(loss: Loss, raw: Floats) -> Floats:
    """Return the logarithms of the odds for raw predictions, (..., N, C)."""
    if loss.out_activation == "logistic":
        return raw
    probabilities = np.empty(raw.shape, raw.dtype)
    loss.link_all(raw, probabilities)
    return logit(probabilities)


def log_odds_to_onnx(loss: Loss, graph: OperatorGraph, raw: Value) -> Value:
    """Return what ``log_odds`` gives, in ONNX operators."""
    if loss.out_activation == "logistic":
        return raw
    probabilities = loss.to_onnx(graph, raw)
    return graph.op("Log", probabilities / (1 - probabilities))
