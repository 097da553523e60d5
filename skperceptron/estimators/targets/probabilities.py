"""A probability of each class instead of a label, such as the predictions of another model."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import xlogy

from ..._sklearn.fit_calls import FitMode
from ...engine.arrays import Floats, Integers
from ...kept import kept_as
from ...losses import CategoricalLogLoss
from ...training import TargetRows, Targets
from .classes import ManyClasses
from .metrics import Metric, clipped_to_precision, squared_distances

#: How far the sum of a row may be from 1.
TOLERANCE = 1e-6


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
        self._check_n_classes(self.classes)
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
    outside = (y < 0).any(axis=1) | (y > 1).any(axis=1)
    return outside | ~(np.abs(y.sum(axis=1, dtype=np.float64) - 1) <= TOLERANCE)


def _cross_entropy(probabilities: Floats, given: Floats) -> Floats:
    return -xlogy(given, clipped_to_precision(probabilities)).sum(axis=-1)


def _squared_distance(probabilities: Floats, given: Floats) -> Floats:
    return squared_distances(probabilities - given)
