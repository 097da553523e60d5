"""What the arms of an ensemble predict: probabilities of labels, or numbers.

Probabilities of n rows have the shape (n, L, C). If classes exclude each other, L is 1 and C is
the number of classes; if a row has several labels, L is the number of labels and C is 2. Numbers
have the shape (n, D).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy import sparse
from sklearn.metrics import r2_score
from sklearn.utils import get_tags

from .._sklearn.checks import check_numbers, checking, refuse_odd_targets
from .._sklearn.compat import column_or_1d, type_of_target
from .._sklearn.labels import check_labels, refuse_missing_labels, refuse_too_few_classes
from .._sklearn.pipelines import last_step
from ..engine.arrays import Booleans, Floats, Integers
from ..estimators.classifiers import MLPSoftmaxClassifier
from ..estimators.targets import are_probabilities, scored
from ..kept import kept_as
from ..losses import Pinball
from ._combination import (
    Blend,
    BlendProblem,
    blend_of_means,
    blend_of_probabilities,
    blend_to_distributions,
    fit_temperature,
    log_of,
    logs_by_class,
    of_labels,
    tempered,
)

#: A split: rows to train on, rows that are held out.
Split = tuple[Integers, Integers]


class Output(Protocol):
    """A kind of output, and how its predictions are blended and evaluated."""

    #: The method with which members predict it.
    method: str

    @classmethod
    def check_member(cls, owner: str, member: Any) -> None:
        """Raise ValueError if an estimator's predictions cannot be combined by an ``owner``."""

    def classes_of_rows(self, y: Any) -> Any:
        """Return the class of each row, by which splits are stratified; None if rows have none."""
        return None

    def knows(self, truth: Any, split: Split) -> Booleans:
        """Return which held-out rows of a split a member can predict correctly."""
        return np.ones(len(split[1]), dtype=bool)

    def aligned(self, estimator: Any, predicted: Any) -> Floats:
        """Return a member's predictions in the shape that all members share.

        Those in float32 may stay so.
        """

    def temperature(self, predictions: Floats, truth: Any, sample_weight: Floats) -> float:
        """Return the temperature that one arm's predictions need: numbers have none."""
        return 1.0

    def tempered(self, predictions: Floats, temperature: float) -> Floats:
        """Return predictions at a temperature: numbers stay as they are."""
        return predictions

    def learn(self, problem: BlendProblem) -> Blend:
        """Learn how to blend the arms."""

    def shown(self, blended: Floats) -> Floats:
        """Return blended predictions in the shape that the user sees."""

    def score_and_loss(
        self, blended: Floats, truth: Any, sample_weight: Floats
    ) -> tuple[float, float]:
        """Return score and loss of blended predictions."""


@kept_as("probability output")
@dataclass(frozen=True)
class ProbabilityOutput(Output):
    """Classes that exclude each other, or several labels per row, by the column indices of y.

    ``was_sparse`` says whether the target was.
    """

    classes: Any
    is_multilabel: bool = False
    was_sparse: bool = False

    method = "predict_proba"

    @classmethod
    def check_member(cls, owner: str, member: Any) -> None:
        check_kind(owner, member, "classifier")
        refuse_without(owner, member, cls.method)

    def classes_of_rows(self, y: Any) -> Any:
        return None if self.is_multilabel else y

    def knows(self, truth: Integers, split: Split) -> Booleans:
        """Return which held-out rows are of classes that the training rows have."""
        if self.is_multilabel:
            return super().knows(truth, split)
        train, test = split
        return np.isin(truth[test, 0], truth[train, 0])

    def aligned(self, estimator: Any, predicted: Any) -> Floats:
        """Return probabilities, (n, L, C): 0 for classes that a member has not seen."""
        if self.is_multilabel:
            predicted = np.asarray(predicted, dtype=np.float64)
            return np.stack([1 - predicted, predicted], axis=-1)
        predicted = _as_floats(predicted)
        aligned = np.zeros((len(predicted), 1, len(self.classes)), predicted.dtype)
        aligned[:, 0, np.searchsorted(self.classes, estimator.classes_)] = predicted
        return aligned

    def temperature(self, predictions: Floats, truth: Integers, sample_weight: Floats) -> float:
        weight = of_labels(sample_weight, truth.shape[1])
        return fit_temperature(_logs_of(predictions), truth.ravel(), weight)

    def tempered(self, predictions: Floats, temperature: float) -> Floats:
        return tempered(log_of(predictions), temperature) if temperature != 1 else predictions

    def learn(self, problem: BlendProblem) -> Blend:
        return blend_of_probabilities(problem)

    def shown(self, blended: Floats) -> Floats:
        """Return probabilities, (n, n_classes) or (n, n_labels)."""
        return blended[..., 1] if self.is_multilabel else blended[..., 0, :]

    def score_and_loss(
        self, blended: Floats, truth: Integers, sample_weight: Floats
    ) -> tuple[float, float]:
        """Return the accuracy, of all labels of a row together, and the log loss."""
        right = (blended.argmax(axis=-1) == truth).all(axis=-1)
        of_truth = np.take_along_axis(blended, truth[..., np.newaxis], axis=-1)[..., 0]
        losses = -log_of(of_truth).mean(axis=-1)
        return _average(right, sample_weight), _average(losses, sample_weight)


@kept_as("soft output")
@dataclass(frozen=True)
class SoftOutput(ProbabilityOutput):
    """Classes that exclude each other, where the truth is a row of probabilities, (n, C)."""

    def classes_of_rows(self, y: Floats) -> Integers:
        """Return the most likely class of each row."""
        return y.argmax(axis=1)

    knows = Output.knows

    def temperature(self, predictions: Floats, truth: Any, sample_weight: Floats) -> float:
        return fit_temperature(_logs_of(predictions), truth, sample_weight)

    def learn(self, problem: BlendProblem) -> Blend:
        return blend_to_distributions(problem)

    def score_and_loss(
        self, blended: Floats, truth: Any, sample_weight: Floats
    ) -> tuple[float, float]:
        """Return how often the most likely classes agree, and the cross entropy."""
        right = blended[:, 0].argmax(axis=1) == truth.argmax(axis=1)
        losses = -(truth * log_of(blended[:, 0])).sum(axis=1)
        return _average(right, sample_weight), _average(losses, sample_weight)


@kept_as("mean output")
@dataclass(frozen=True)
class MeanOutput(Output):
    """One or several columns of numbers; ``n_columns`` is None if the target is a vector."""

    n_columns: int | None = None

    method = "predict"

    @classmethod
    def check_member(cls, owner: str, member: Any) -> None:
        check_kind(owner, member, "regressor")
        loss = getattr(last_step(member), "loss", None)
        if isinstance(loss, Pinball) or (isinstance(loss, str) and loss == "pinball"):
            raise ValueError(
                f"{owner} learns weights for means, but loss={loss!r} predicts quantiles. Average"
                " quantiles with StackedEnsembleRegressor, or use another loss."
            )

    def aligned(self, estimator: Any, predicted: Any) -> Floats:
        """Return predictions, (n, D)."""
        predicted = _as_floats(predicted)
        given = 1 if predicted.ndim == 1 else predicted.shape[1]
        if given != (self.n_columns or 1):
            raise ValueError(
                f"The members predict {given} numbers for each row, but y has"
                f" {self.n_columns or 1}: only means of the same target can be combined."
            )
        return predicted.reshape(len(predicted), -1)

    def learn(self, problem: BlendProblem) -> Blend:
        return blend_of_means(problem)

    def shown(self, blended: Floats) -> Floats:
        """Return predictions, (n,) or (n, D)."""
        return blended[..., 0] if self.n_columns is None else blended

    def score_and_loss(
        self, blended: Floats, truth: Floats, sample_weight: Floats
    ) -> tuple[float, float]:
        """Return R2 and the mean squared error."""
        # The squared error of numbers around 1e200 overflows to infinity, as it should.
        with np.errstate(over="ignore"):
            squares = ((blended - truth) ** 2).mean(axis=-1)
            loss = _average(squares, sample_weight)
        return scored(r2_score, truth, blended, sample_weight), loss


def _logs_of(probabilities: Floats) -> Floats:
    """Return the logarithms of probabilities, (n, L, C) to (C, n L), in float64."""
    return logs_by_class(lambda rows: probabilities[rows].astype(np.float64), probabilities.shape)


def _as_floats(predicted: Any) -> Floats:
    """Return predictions as an array of float32 or float64."""
    predicted = np.asarray(predicted)
    return predicted if predicted.dtype == np.float32 else predicted.astype(np.float64, copy=False)


def _average(values: Floats | Booleans, sample_weight: Floats) -> float:
    # Infinity times a weight of zero would be NaN.
    return float(np.average(np.where(sample_weight, values, 0), weights=sample_weight))


def described_rows(y: Any) -> tuple[SoftOutput, Floats, Floats]:
    """Return the output for rows of probabilities, y as members get it, and the truth (n, C)."""
    truth = y.astype(np.float64)
    return SoftOutput(np.arange(y.shape[1])), y, truth / truth.sum(axis=1, keepdims=True)


def are_rows_of_probabilities(y: Any, estimator: Any) -> bool:
    """Tell whether y holds a probability of each class instead of labels.

    Rows of zeros and ones are labels, unless the network is an ``MLPSoftmaxClassifier``.
    """
    if sparse.issparse(y):
        return False
    found = np.asarray(y)
    if not are_probabilities(found):
        return False
    learns_rows = isinstance(last_step(estimator), MLPSoftmaxClassifier)
    return learns_rows or bool((found % 1 != 0).any())


def described_labels(owner: str, y: Any) -> tuple[ProbabilityOutput, Any, Integers]:
    """Return the output for labels, y as members get it, and the true codes (n, L)."""
    refuse_odd_targets(y, are_numbers=False)
    refuse_missing_labels(y)
    with checking():
        check_labels(y)
    kind = type_of_target(y, input_name="y")
    if kind == "multilabel-indicator":
        was_sparse = sparse.issparse(y)
        dense = y.toarray() if was_sparse else np.asarray(y)
        labels = ProbabilityOutput(np.arange(dense.shape[1]), True, was_sparse)
        return labels, y, (dense != 0).astype(np.intp)
    if kind not in ("binary", "multiclass"):
        raise ValueError(
            f"{owner} combines probabilities of classes, or of labels of a multilabel-indicator"
            f" target; this y is {kind}."
        )
    y = column_or_1d(y, warn=True)
    if not len(y):
        raise ValueError("Found array with 0 sample(s) in y, while a minimum of 1 is required.")
    classes, codes = np.unique(y, return_inverse=True)
    refuse_too_few_classes(classes, owner)
    return ProbabilityOutput(classes), y, codes[:, np.newaxis]


def described_numbers(owner: Any, y: Any) -> tuple[MeanOutput, Floats, Floats]:
    """Return the output for numbers, y as members get it, and the true numbers (n, D)."""
    y = check_numbers(y, owner)
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    return MeanOutput(None if y.ndim == 1 else y.shape[1]), y, y.reshape(len(y), -1)


def check_kind(owner: str, estimator: Any, kind: str) -> None:
    """Raise ValueError unless an estimator is of the given kind, "classifier" or "regressor"."""
    found = get_tags(estimator).estimator_type
    if found != kind:
        raise ValueError(
            f"The members of {owner} must be {kind}s, but {type(last_step(estimator)).__name__} is"
            f" {'no predictor' if found is None else f'a {found}'}."
        )


def refuse_without(owner: str, estimator: Any, method: str) -> None:
    """Raise ValueError if an estimator lacks the method whose results are combined."""
    if not hasattr(estimator, method):
        raise ValueError(
            f"{owner} combines what {method} returns, but {type(last_step(estimator)).__name__}"
            " has no such method."
        )
