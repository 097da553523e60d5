"""What targets of numbers have in common: checks, units, R2."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass, fields
from functools import cache, partial
from typing import Any, ClassVar

import numpy as np
from sklearn.metrics import d2_pinball_score, r2_score

from ..._sklearn.checks import check_numbers
from ..._sklearn.compat import column_or_1d
from ..._sklearn.fit_calls import FitMode
from ...engine.arrays import Floats
from ...engine.operators import OperatorGraph, Value
from ...kept import kept_as
from ...losses import Loss, Pinball, SquaredError, get_loss
from ...options import Interval, plain
from ...training import TargetRows
from ..choices import resolved_loss
from .base import Target
from .metrics import Metric, in_common_units, negative_error, not_infinite, r2
from .units import Units

#: Weights and biases of outputs are usually smaller than this in the network's units.
LARGE = 4.0


@kept_as("asked")
@dataclass(frozen=True)
class RegressionOptions:
    """The parameters of a regressor that determine its target, as the user gave them."""

    loss: Any
    output: str
    output_range: Any
    standardize_target: Any
    categorical_prediction: str
    clip_predictions: bool = False

    @classmethod
    def of(cls, regressor: Any) -> RegressionOptions:
        """Return the parameters of an estimator."""
        return cls(*(getattr(regressor, field.name) for field in fields(cls)))

    def bounds(self) -> tuple[float, float]:
        """Return `output_range`, checked."""
        bounds: tuple[Any, ...] = tuple(map(plain, self.output_range))
        is_whole = all(isinstance(bound, int) for bound in bounds)
        if self.output == "categorical" and not is_whole:
            raise ValueError(
                f"output_range={self.output_range!r}: must hold two integers (low, high) with"
                " output='categorical'."
            )
        if not np.isfinite(float(bounds[1]) - float(bounds[0])):
            raise ValueError(
                f"output_range={self.output_range!r}: the range is wider than the largest float."
            )
        if not bounds[0] < bounds[1]:
            raise ValueError(
                f"output_range={self.output_range!r}: the lower bound must be below the upper"
                " bound."
            )
        return bounds

    def check_range(self, y: Floats, low: float, high: float) -> None:
        """Raise ValueError unless all of y lies between two numbers."""
        allowed = Interval(low, high, low_closed=True, high_closed=True)
        if not allowed.contains(y):
            hint = ""
            if self.output_range is None:
                hint = " It is that of the rows trained on first: set it to that of all rows."
            raise ValueError(
                f"y must lie in the range {allowed}, got values from {y.min()} to {y.max()}:"
                f" output_range={self.output_range!r}.{hint}"
            )

    def check_loss(self, loss: Loss) -> None:
        """Refuse a loss that does not suit a bounded or categorical output."""
        is_bounded = self.output != "continuous" or self.output_range is not None
        if is_bounded and not isinstance(loss, SquaredError):
            raise ValueError(
                f"loss={self.loss!r} has an unbounded continuous output, got"
                f" output={self.output!r} and output_range={self.output_range!r}."
            )

    def of_units(self) -> dict[str, Any]:
        """Return the parameters that decide which numbers the network sees as targets."""
        bounds = None
        if self.output_range is not None and self.output != "categorical":
            bounds = tuple(map(float, self.bounds()))
        return {"output_range": bounds, "standardize_target": self.standardize_target}


class RegressionTarget(Target):
    """Numbers, one column or several.

    Attributes
    ----------
    asked_of_units : dict of str to object
        Parameters that must stay as they were in the first call; empty if unknown.
    """

    #: The value of the parameter `output` that asks for this kind.
    output: ClassVar[str] = "continuous"
    units: Units

    def __init__(self, asked: RegressionOptions) -> None:
        self._asked = asked
        self.asked_of_units: dict[str, Any] = {}

    @classmethod
    def fits(cls, asked: RegressionOptions) -> bool:
        """Tell whether the parameters ask for this kind."""
        return asked.output == cls.output and asked.output_range is None

    @classmethod
    def usual_outputs(cls, asked: RegressionOptions) -> tuple[int | None, str]:
        """Return the number of outputs for one column, None if unknown, and the link's name."""
        loss = get_loss(asked.loss, "regression")
        return loss.outputs_per_target, loss.out_activation

    def encode(
        self, y: Any, sample_weight: Floats | None, mode: FitMode, earlier: Any
    ) -> TargetRows:
        y = _checked_numbers(y)
        loss = resolved_loss(self._asked.loss, "regression", y.shape[1])
        self._asked.check_loss(loss)
        if earlier is None:
            self.units = Units.of_y(y.shape[1])
            self.asked_of_units = self._asked.of_units()
        else:
            self._go_on_from(earlier, loss, y.shape[1])
        return self._learn(y, sample_weight, loss, mode)

    def encode_validation(self, y: Any) -> TargetRows:
        y = _checked_numbers(y)
        self._check_n_columns(y.shape[1])
        return self._rows(y)

    @abstractmethod
    def _learn(
        self, y: Floats, sample_weight: Floats | None, loss: Loss, mode: FitMode
    ) -> TargetRows:
        """Complete this target from training rows, (N, T), and encode them."""

    @abstractmethod
    def _rows(self, y: Floats) -> TargetRows:
        """Check rows, (N, T), against this target, which is complete, and encode them."""

    def _go_on_from(self, earlier: Any, loss: Loss, n_columns: int) -> None:
        """Take over what the earlier call has found; refuse what does not fit it."""
        asked = self._asked
        if earlier.output != self.output:
            raise ValueError(
                f"output={asked.output!r}: warm_start and partial_fit continue with the output of"
                f" the earlier fit, which was {earlier.output!r}."
            )
        self.asked_of_units = earlier.asked_of_units
        for name, before in self.asked_of_units.items():
            if asked.of_units()[name] != before:
                raise ValueError(
                    f"{name}={getattr(asked, name)!r}: warm_start and partial_fit continue with the"
                    f" units of the earlier fit, {name}={before!r}."
                )
        self.units = earlier.units
        self._check_n_columns(n_columns)
        units = self.units.shift, self.units.scale
        before, now = (np.array(one.output_units(*units)) for one in (earlier.loss, loss))
        if self.units.differ_from_y and not np.array_equal(before, now):
            raise ValueError(
                f"loss={asked.loss!r}: warm_start and partial_fit continue with a target that was"
                " standardized for other outputs of the network: the kind of loss must stay."
            )

    def _check_n_columns(self, n_columns: int) -> None:
        n_targets = len(self.units.scale)
        if n_columns != n_targets:
            raise ValueError(f"y has {n_columns} columns, but {n_targets} are expected.")

    # Predictions.

    def predicting(self, categorical_prediction: str) -> RegressionTarget:
        """Return this target; if it predicts distributions, set to give their mean or mode."""
        return self

    def decode(self, raw: Floats) -> Floats:
        return self.link(raw)

    def link(self, raw: Floats) -> Floats:
        if raw.dtype == np.float32 and self.loss.outgrows(raw):
            raw = raw.astype(np.float64)
        self.loss.link_all(raw, raw)
        return raw

    def to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        """Return what ``decode`` gives, in ONNX operators.

        Only exported models need it. A target that redefines ``decode`` or ``link`` must redefine
        this method, too.
        """
        return self.link_to_onnx(graph, raw)

    def link_to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        # As inherited: exports refuse a class that redefines ``link`` alone.
        return self.loss.to_onnx(graph, raw)

    @property
    def output_names(self) -> list[str]:
        return self.loss.output_names

    @property
    def is_scored_by_r2(self) -> bool:
        """Whether the validation score is R2, not the negative loss."""
        return self.loss.judged_by_r2

    @property
    def score_name(self) -> str | None:
        return "R2" if self.is_scored_by_r2 else None

    def metric(self, name: Any) -> Metric | None:
        scores = {"score": r2, "neg_root_mean_squared_error": negative_error}
        if not self.is_scored_by_r2 or not isinstance(name, str) or name not in scores:
            return None
        return Metric(lambda targets, y: y.reshape(len(y), -1), self._beside, scores[name])

    def _beside(self, raw: Floats, y: Floats) -> Floats:
        """Return y and predictions in units of y, (..., T, 2), from raw ones in the network's."""
        offset, factor = self._output_units()
        predicted = self.decode(raw * factor + offset)
        return np.stack([y.astype(np.float64), predicted.astype(np.float64)], axis=-1)

    def measure(self, y: Floats, predicted: Floats, sample_weight: Any) -> float:
        """Return the score of predictions: R2, or D2 if the network predicts quantiles.

        For y of shape (N,) or (N, T), the estimator's ``predict`` returns predictions of the same
        shape, or with one more axis for quantiles.
        """
        n_each = self.loss.outputs_per_target
        if not isinstance(self.loss, Pinball):
            if n_each > 1 and not self.loss.estimates_std:
                raise ValueError(
                    f"loss={self.loss!r} predicts {n_each} numbers for each target, which have no"
                    " R2: use a scorer of your own. If they are mean and standard deviation, set"
                    " estimates_std = True in the class."
                )
            return scored(r2_score, y, predicted, sample_weight)
        quantiles = self.loss.quantiles
        by_quantile = predicted.reshape(len(predicted), -1, len(quantiles))
        scores = [
            scored(partial(d2_pinball_score, alpha=quantile), y, by_quantile[..., i], sample_weight)
            for i, quantile in enumerate(quantiles)
        ]
        return float(np.mean(scores))

    # Units.

    def fold(self, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        if not self.units.differ_from_y:
            return weight, bias
        # In float32, a large mean would hide a small deviation, and large units would overflow.
        weight, bias = weight.astype(np.float64), bias.astype(np.float64)
        offset, factor = self._output_units()
        # Numbers that are then not finite are refused when they are stored.
        with np.errstate(over="ignore", invalid="ignore"):
            return weight * factor, bias * factor + offset

    def unfold(self, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        if not self.units.differ_from_y:
            return weight, bias
        offset, factor = self._output_units()
        # Training that continues from numbers that are not finite leads to an error.
        with np.errstate(over="ignore", invalid="ignore"):
            return weight / factor, (bias - offset) / factor

    def taken_over(self, weight: Floats, bias: Floats, earlier: Any) -> tuple[Floats, Floats]:
        """Return the output layer of an earlier call, in units of y, in the network's units.

        Predictions stay the same, except where y now is so different from before that training
        could not bring the weights or the bias back to a usual size. Such outputs keep the numbers
        that they have in the network, so that predictions change with the units.
        """
        now = self.unfold(weight, bias)
        offset, factor = self._output_units()
        earlier_offset, earlier_factor = earlier._output_units()
        has_shrunk = factor < earlier_factor / LARGE
        with np.errstate(over="ignore"):
            has_moved = np.abs(offset - earlier_offset) > LARGE * factor
        keeps = has_shrunk & (_largest(now[0]) > LARGE) | has_moved & (_largest(now[1]) > LARGE)
        if not keeps.any():
            return now
        before = earlier.unfold(weight, bias)
        return np.where(keeps, before[0], now[0]), np.where(keeps, before[1], now[1])

    def _output_units(self) -> tuple[Floats, Floats]:
        """Return offset and factor that convert raw predictions to units of y."""
        return self.loss.output_units(self.units.shift, self.units.scale)

    @property
    def needs_float64(self) -> bool:
        bounds = () if self._asked.output_range is None else self._asked.output_range
        return self.units.outgrow_float32(np.asarray(bounds, dtype=np.float64))

    @property
    def key_of_units(self) -> Hashable:
        return self.units.shift.tobytes(), self.units.scale.tobytes()


def _checked_numbers(y: Any) -> Floats:
    """Return y as float64, (N, T)."""
    # scikit-learn turns None into NaN, and does not look for it afterwards.
    if not (type(y) is np.ndarray and y.dtype == np.float64) or np.isnan(y).any():
        y = check_numbers(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    # Means of columns are rounded differently in another order.
    return np.ascontiguousarray(y.reshape(len(y), -1))


def _largest(array: Floats) -> Floats:
    """Return the largest size of each output, (C,), in an array (..., C)."""
    return np.asarray(np.abs(array).reshape(-1, array.shape[-1]).max(axis=0))


def scored(score: Callable[..., float], y: Floats, predicted: Floats, weight: Any) -> float:
    """Return a score, computed in units of y and of weights, (N,), in which nothing overflows."""
    y = y.reshape(len(y), -1)
    predicted = predicted.astype(np.float64).reshape(len(predicted), -1)
    is_plain = np.ndim(weight) == 1
    plain_weight: Floats | None = np.asarray(weight, dtype=np.float64) if is_plain else None
    if y.shape[1] == predicted.shape[1]:
        y, predicted, plain_weight = in_common_units(y, predicted, plain_weight)
    with np.errstate(over="ignore", under="ignore"):
        # The score refuses other numbers of columns, and weights of other shapes.
        found = score(y, predicted, sample_weight=plain_weight if is_plain else weight)
    return float(not_infinite(found))


def list_outputs() -> list[str]:
    """Return the values that `output` may have."""
    return list(dict.fromkeys(kind.output for kind in _kinds()))


def kind_of_target(asked: RegressionOptions) -> type[RegressionTarget]:
    """Return the kind that the parameters ask for.

    Raises
    ------
    ValueError
        If there is none for this combination of parameters.
    """
    for kind in _kinds():
        if kind.fits(asked):
            return kind
    raise ValueError(
        f"output={asked.output!r} has no range of its own: output_range={asked.output_range!r} must"
        " be None."
    )


@cache
def _kinds() -> tuple[type[RegressionTarget], ...]:
    """Return all kinds of regression targets in this package."""
    package = sys.modules[__package__]
    found = [getattr(package, name) for name in package.__all__]
    return tuple(
        kind
        for kind in found
        if isinstance(kind, type)
        and issubclass(kind, RegressionTarget)
        and kind is not RegressionTarget
    )
