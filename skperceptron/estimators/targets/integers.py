"""Whole numbers in a range: a softmax with one output for each of them."""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import Any

import numpy as np

from ..._sklearn.fit_calls import FitMode
from ...engine.arrays import Floats, Integers
from ...engine.operators import OperatorGraph, Value
from ...exceptions import TooLargeError
from ...kept import kept_as
from ...losses import CategoricalLogLoss, Loss
from ...training import TargetRows, one_hot
from .regression import RegressionOptions, RegressionTarget

#: Most numbers in an array of a categorical output (256 MB); a step needs several such arrays.
LARGEST_DISTRIBUTION = 2**25


@kept_as("whole numbers")
class WholeNumbers(RegressionTarget):
    """Whole numbers, predicted as a distribution over all whole numbers of a range.

    Attributes
    ----------
    span : range
        From the least to the largest number.
    prediction : {"mean", "mode"}
        Which value of a distribution is predicted.
    """

    output = "categorical"
    span: range

    def __init__(self, asked: RegressionOptions) -> None:
        super().__init__(asked)
        self.prediction = asked.categorical_prediction

    @classmethod
    def fits(cls, asked: RegressionOptions) -> bool:
        return asked.output == cls.output

    @classmethod
    def usual_outputs(cls, asked: RegressionOptions) -> tuple[int | None, str]:
        if asked.output_range is None:
            return None, "softmax"
        low, high = asked.bounds()
        return int(high) - int(low) + 1, "softmax"

    @cached_property
    def values(self) -> Integers:
        """All numbers of the range, made only after the check that there is room for them."""
        return np.arange(self.span.start, self.span.stop)

    @property
    def attributes(self) -> dict[str, Any]:
        return {"values_": self.values}

    def predicting(self, categorical_prediction: str) -> RegressionTarget:
        target = copy(self)
        target.prediction = categorical_prediction
        return target

    def decode(self, raw: Floats) -> Floats:
        raw = self.link(raw)
        if self.prediction == "mode":
            return self.values[raw.argmax(axis=-1)][..., np.newaxis].astype(raw.dtype)
        return np.asarray((raw * self.values.astype(raw.dtype)).sum(axis=-1, keepdims=True))

    def to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        if self.prediction == "mean":
            return self.link_to_onnx(graph, raw) @ self.values[:, np.newaxis].astype(float)
        code = graph.op("ArgMax", raw, axis=1, keepdims=1)
        return graph.op("Gather", self.values.astype(float), code, axis=0)

    @property
    def output_names(self) -> list[str]:
        return [str(value) for value in self.values]

    @property
    def is_scored_by_r2(self) -> bool:
        return True

    def _go_on_from(self, earlier: Any, loss: Loss, n_columns: int) -> None:
        super()._go_on_from(earlier, loss, n_columns)
        self.span = earlier.span

    def _check_n_columns(self, n_columns: int) -> None:
        """Do nothing: ``_check_integers`` checks this, with a message of its own."""

    def _learn(
        self, y: Floats, sample_weight: Floats | None, loss: Loss, mode: FitMode
    ) -> TargetRows:
        self._check_integers(y)
        if not mode.continuing:
            self.span = self._find_range(y)
            # Whether there is room for a network is checked later, when its sizes are known.
            if reason := self.too_large(1):
                raise TooLargeError(reason)
        elif self._asked.output_range is not None:
            before = self.span[0], self.span[-1]
            if tuple(self._asked.bounds()) != before:
                raise ValueError(
                    f"output_range={self._asked.output_range!r}: warm_start and partial_fit"
                    f" continue with the values of the earlier fit, {before}."
                )
        self.loss = CategoricalLogLoss()
        return self._positions(y)

    def _rows(self, y: Floats) -> TargetRows:
        self._check_integers(y)
        return self._positions(y)

    def _positions(self, y: Floats) -> TargetRows:
        self._asked.check_range(y, self.span[0], self.span[-1])
        return one_hot((y[:, 0] - self.span[0]).astype(np.intp), len(self.span))

    def _check_integers(self, y: Floats) -> None:
        if y.shape[1] != 1:
            raise ValueError(
                f"output='categorical' predicts one target column, but y has {y.shape[1]}."
            )
        if len(odd := y[y != np.round(y)]):
            raise ValueError(f"output='categorical' needs integers in y, got {odd[0]}.")

    def _find_range(self, y: Floats) -> range:
        given = self._asked.output_range
        bounds = (y.min(), y.max()) if given is None else self._asked.bounds()
        low, high = int(bounds[0]), int(bounds[1])
        if low == high:
            raise ValueError(
                "output='categorical' needs at least two different values: all values of y are"
                f" {low}, and output_range is None."
            )
        return range(low, high + 1)

    def too_large(self, widest: int) -> str:
        n_values = self.span.stop - self.span.start
        if n_values * widest <= LARGEST_DISTRIBUTION:
            return ""
        return (
            f"output='categorical' has one output for each integer from {self.span[0]} to"
            f" {self.span[-1]}: {n_values} values times {widest} rows of a batch, or hidden units,"
            f" are more than {LARGEST_DISTRIBUTION} numbers. Use a narrower range, a smaller"
            " batch_size, or output='continuous'."
        )
