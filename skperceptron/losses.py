r"""Losses on raw predictions, each with the inverse link that turns raw into predicted values.

A loss is an object with searchable parameters. To add one, write one class in this module: its
string names and its place in tests and in the estimators follow from it.

Conventions: ``raw`` is what the last affine block computes, (members, batch, outputs), before the
inverse link; ``y`` is (members, batch, targets). Most losses read one output per target. Where
there are several, the outputs of one target stand side by side: the i-th of each is
``raw[..., i::outputs_per_target]``. A loss gives one value per row, summed over the outputs,
and the gradient of exactly that value. Weights of rows are applied by the caller. A
training step needs the gradient only: it is written in place, without temporary arrays.
Values are computed for many batches at once. In training, arrays lie in memory output by output,
not row by row: the numbers of one output, for all rows of a batch, stand side by side. Sums over
outputs then add whole vectors.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, xlogy

from .components import Component, Interval, find, public_classes, undefined
from .engine.arrays import Booleans, Call, Floats, mean_of_rows
from .engine.calls import overflowing_sigmoid, sigmoid, softmax
from .engine.operators import OperatorGraph, Value, not_declared
from .kept import kept_as
from .options import AnyNumber, Instance, Listing

#: Log-variances, in the network's units, beyond which a linear penalty pulls them back.
LOG_VARIANCES = (-20.0, 20.0)

#: Rows of a softmax that are computed at a time. With ten classes, this takes half the time of all
#: rows at once.
LINKED_ROWS = 2**13


def _check_losses(name: str, result: Any, arguments: Sequence[Any]) -> None:
    """Raise ValueError unless there is one loss for each row; others might be broadcast."""
    expected, found = np.shape(arguments[0])[:-1], np.shape(result)
    if found != expected:
        raise ValueError(
            f"{name} must return the loss of each row, an array of shape {expected}, got shape"
            f" {found}. Sum over the outputs only: .sum(axis=-1)."
        )


class Loss(Component):
    """Base of all losses.

    A subclass defines ``inverse_link``, ``losses`` and ``gradient``; the rest has defaults.
    Parameters are arguments of ``__init__``, stored unchanged.

    Attributes
    ----------
    task : {"regression", "binary", "multiclass", "ordinal", "bounded"}
        Which estimators it is for. "binary": one sigmoid per target, whose inverse link is the
        sigmoid; "multiclass": one output per class, whose inverse link is the softmax;
        "ordinal": one output less than classes, for ``y > j``;
        "bounded": a regression with ``output_range``.
    out_activation : str
        Name of the inverse link, the ``out_activation_`` of an estimator. "logistic" means that
        raw predictions are log-odds.
    averages_outputs : bool
        Whether ``loss_curve_`` reports the mean over the outputs instead of their sum
        (scikit-learn's convention for the squared error, where the gradient is
        nevertheless that of the sum).
    judged_by_r2 : bool
        Whether a validation score is R2 instead of the negative loss: for losses that the mean
        minimizes.
    estimates_std : bool
        Whether the inverse link gives mean and standard deviation of each target.
    equivariance : {"none", "scale", "affine"}
        Which changes of the target's units, ``y = shift + scale * t``, can be undone by changing
        the last layer alone: none, those without a shift, or all. ``standardize_target`` trains
        on t.
    keeps_ordinary_units : bool
        Whether ``standardize_target="auto"`` leaves targets of ordinary size unchanged, as
        scikit-learn does.
    target_interval : Interval
        Where targets must lie.
    n_notes : int
        How many intermediate numbers per row ``noting_calls`` save for ``noted_losses``.
    """

    task: ClassVar[str] = "regression"
    out_activation: ClassVar[str] = "custom"
    averages_outputs: ClassVar[bool] = False
    judged_by_r2: ClassVar[bool] = False
    estimates_std: ClassVar[bool] = False
    equivariance: ClassVar[str] = "none"
    keeps_ordinary_units: ClassVar[bool] = False
    target_interval: ClassVar[Interval] = Interval()
    n_notes: ClassVar[int] = 0
    in_place = ("inverse_link", "link_all", "gradient")
    # A change of y would last: steps and reports read the same arrays.
    unchanged = {"losses": (0, 1), "gradient": (1,)}
    result_checks = {"losses": _check_losses}
    shortcuts = {
        "gradient": ("gradient_calls", "n_notes", "means"),
        "gradient_calls": ("n_notes",),
        "losses": ("n_notes", "means"),
        "inverse_link": ("to_onnx", "out_activation", "link_all", "means"),
    }

    @property
    def outputs_per_target(self) -> int:
        """How many outputs of the network describe one column of y."""
        return 1

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs for one column of y; empty if there is only one output."""
        return []

    def check_parameters(self, n_targets: int = 1) -> None:
        """Raise TypeError or ValueError if a parameter does not fit.

        Parameters
        ----------
        n_targets : int, default=1
            Columns of y, or classes.
        """
        super().check_parameters()

    def check_targets(self, y: Floats) -> None:
        """Raise ValueError if a target lies outside ``target_interval``."""
        if not self.target_interval.contains(y):
            raise ValueError(
                f"y must lie in the range {self.target_interval}, got values from {y.min()} to"
                f" {y.max()}: loss={self!r}."
            )

    def in_units(self, scale: Floats) -> Loss:
        """Return the loss for standardized targets, which are divided by ``scale``, (T,)."""
        return self

    def output_units(self, shift: Floats, scale: Floats) -> tuple[Floats, Floats]:
        """Return the conversion of raw predictions of ``t`` to those of ``y = shift + scale * t``.

        Parameters
        ----------
        shift, scale : ndarray of shape (T,)

        Returns
        -------
        offset, factor : ndarray of shape (C,)
            ``offset + factor * raw`` are raw predictions of y.
        """
        n = self.outputs_per_target
        return np.repeat(shift, n), np.repeat(scale, n)

    def outgrows(self, raw: Floats) -> bool:
        """Tell whether predicted values overflow in the dtype of the raw predictions."""
        return False

    def inverse_link(self, raw: Floats, out: Floats) -> None:
        """Write the predicted values into ``out``, which may be ``raw`` itself; both are (N, C)."""
        raise undefined(self, "inverse_link")

    def link_all(self, raw: Floats, out: Floats) -> None:
        """Do what ``inverse_link`` does, for rows of several networks.

        Parameters
        ----------
        raw, out : ndarray of shape (..., N, C)
            Contiguous in memory.
        """
        n_outputs = raw.shape[-1]
        self.inverse_link(raw.reshape(-1, n_outputs), out=out.reshape(-1, n_outputs))

    def to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        """Return the predicted values, expressed in ONNX's operators.

        Only exported models need it. A subclass that redefines ``inverse_link`` does not inherit
        it.

        Parameters
        ----------
        graph : OperatorGraph
            See ``skperceptron.engine.operators``.
        raw : Value
            Raw predictions, (rows, C).

        Raises
        ------
        NotDeclaredError
            If the loss does not define this method.
        """
        raise not_declared(self, "graph, raw")

    def losses(self, raw: Floats, y: Floats) -> Floats:
        """Return the loss of each row.

        Parameters
        ----------
        raw : ndarray of shape (..., C)
            Not changed.
        y : ndarray of shape (..., T)
            Not changed.

        Returns
        -------
        ndarray of shape (...)
        """
        raise undefined(self, "losses")

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        """Write the gradient of each row's loss with respect to ``raw`` into ``out``.

        ``inspection.gradient_check`` tells whether it is right.

        Parameters
        ----------
        raw : ndarray of shape (K, B, C)
            Raw predictions; may be overwritten.
        y : ndarray of shape (K, B, T)
            Targets; not changed.
        out : ndarray of shape (K, B, C)
            Receives the gradient.
        scratch : ndarray of shape (K, B, C)
            Temporary array with arbitrary content.
        """
        raise undefined(self, "gradient")

    def gradient_calls(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> list[Call]:
        """Bind ``gradient`` to the arrays of a training step, for all steps to come.

        During these calls NumPy does not warn of overflow.
        """
        return [partial(self.gradient, raw, y, out, scratch)]

    def noting_calls(
        self, raw: Floats, y: Floats, out: Floats, scratch: Floats, notes: Floats
    ) -> list[Call]:
        """Bind ``gradient`` in a form that saves intermediate numbers of each row.

        Parameters
        ----------
        raw, y, out, scratch : ndarray
            As for ``gradient``.
        notes : ndarray of shape (K, B, n_notes)
            Receives these numbers; in memory, the last axis comes first.
        """
        raise NotImplementedError

    def noted_losses(self, raw: Floats, y: Floats, notes: Floats) -> Floats:
        """Return what ``losses`` does, for the rows of a training step, using its notes.

        Parameters
        ----------
        raw, y : ndarray
            As for ``losses``.
        notes : ndarray of shape (..., n_notes)
            Written by the ``noting_calls`` of the step.
        """
        raise NotImplementedError

    def mean(
        self,
        raw: Floats,
        y: Floats,
        sample_weight: Floats | None = None,
        gradient: Floats | None = None,
    ) -> float:
        """Return the mean loss of a data set, as it is reported.

        L-BFGS minimizes it, times the number of outputs if ``averages_outputs``.

        Parameters
        ----------
        raw : ndarray of shape (B, C)
            Not changed.
        y : ndarray of shape (B, T)
            Not changed.
        sample_weight : ndarray of shape (B,), default=None
        gradient : ndarray of shape (B, C), default=None
            If given, receives the gradient of each row's loss, without its weight.
        """
        weight = None if sample_weight is None else sample_weight[np.newaxis]
        out = None if gradient is None else gradient[np.newaxis]
        return float(self.means(raw[np.newaxis], y[np.newaxis], weight, out)[0])

    def means(
        self,
        raw: Floats,
        y: Floats,
        sample_weight: Floats | None = None,
        gradient: Floats | None = None,
    ) -> Floats:
        """Return the ``mean`` of each of several data sets with the same number of rows, (K,).

        Parameters
        ----------
        raw : ndarray of shape (K, B, C)
        y : ndarray of shape (K, B, T)
        sample_weight : ndarray of shape (K, B), default=None
        gradient : ndarray of shape (K, B, C), default=None
        """
        if gradient is not None:
            scratch = raw.copy()
            self.gradient(scratch, y, gradient, np.empty_like(raw))
        means = np.average(self.losses(raw, y), axis=1, weights=sample_weight)
        return means / raw.shape[2] if self.averages_outputs else means


class _LikeScikitLearn(Loss):
    """A loss whose mean has the same bits as scikit-learn's.

    Within a hundred iterations of L-BFGS, a difference in the last bit of the objective grows to
    different weights: the same model needs the same operations in the same order.
    """

    def means(
        self,
        raw: Floats,
        y: Floats,
        sample_weight: Floats | None = None,
        gradient: Floats | None = None,
    ) -> Floats:
        differs = self._differs(raw)
        if differs is None:
            return self._means_of_terms(raw, y, sample_weight, gradient)
        means = super().means(raw, y, sample_weight, gradient)
        if not differs.all():
            alike = ~differs
            weight = None if sample_weight is None else sample_weight[alike]
            means[alike] = self._means_of_terms(raw[alike], y[alike], weight)
        return means

    def _differs(self, raw: Floats) -> Booleans | None:
        """Tell which data sets, (K,), need another formula than scikit-learn's; None if none do."""
        return None

    def _means_of_terms(
        self,
        raw: Floats,
        y: Floats,
        sample_weight: Floats | None,
        gradient: Floats | None = None,
    ) -> Floats:
        predicted = np.empty(raw.shape, raw.dtype)
        self.link_all(raw, predicted)
        if gradient is not None:
            # True for all of these losses, because each has its canonical link.
            np.subtract(predicted, y, out=gradient)
        terms = mean_of_rows(self._terms(predicted, y), sample_weight)
        return terms.mean(axis=1) if self.averages_outputs else terms.sum(axis=1)

    def _terms(self, predicted: Floats, y: Floats) -> Floats:
        """Return the loss of each row and output, (K, B, C), from predicted values."""
        raise NotImplementedError


# Classes.


class _LogLoss(_LikeScikitLearn):
    """Base of both log losses, with label smoothing."""

    ranges = {"label_smoothing": Interval(0, 1, low_closed=True)}

    def __init__(self, label_smoothing: float = 0.0) -> None:
        self.label_smoothing = label_smoothing

    def _differs(self, raw: Floats) -> Booleans | None:
        return np.ones(len(raw), bool) if self.label_smoothing else None

    def _smoothed(self, y: Floats, n_classes: int) -> Floats:
        if not self.label_smoothing:
            return y
        return y * (1 - self.label_smoothing) + self.label_smoothing / n_classes

    def _smooth(self, y: Floats, n_classes: int, out: Floats, scratch: Floats) -> None:
        """Turn the gradient in ``out`` into that for smoothed labels."""
        np.subtract(y, 1 / n_classes, out=scratch)
        np.multiply(scratch, self.label_smoothing, out=scratch)
        np.add(out, scratch, out=out)


class _Sigmoids(Loss):
    """A loss of independent sigmoids."""

    task = "binary"
    out_activation = "logistic"

    def inverse_link(self, raw: Floats, out: Floats) -> None:
        expit(raw, out=out)

    def to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        return graph.sigmoid(raw)


class BinaryLogLoss(_Sigmoids, _LogLoss):
    r"""Log loss of independent sigmoids, :math:`\log(1+e^z) - y z`, y in [0, 1] (Cox 1958).

    Finite for every finite raw prediction: it is computed from ``z``, not from a
    probability that may have been rounded to 0 or 1.

    Parameters
    ----------
    label_smoothing : float, default=0.0
        In [0, 1). Replaces y by ``(1 - label_smoothing) * y + label_smoothing / 2``
        (Szegedy et al. 2016).
    """

    names = ("log_loss",)

    def losses(self, raw: Floats, y: Floats) -> Floats:
        # log(1 + e^z) = max(z, 0) + log(1 + e^-|z|); np.logaddexp takes twice as long.
        softplus = np.abs(raw)
        np.negative(softplus, out=softplus)
        np.exp(softplus, out=softplus)
        np.log1p(softplus, out=softplus)
        return (softplus + np.maximum(raw, 0) - raw * self._smoothed(y, 2)).sum(axis=-1)

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        with np.errstate(over="ignore"):
            for call in BinaryLogLoss.gradient_calls(self, raw, y, out, scratch):
                call()

    def gradient_calls(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> list[Call]:
        calls: list[Call] = [
            partial(overflowing_sigmoid, raw, out),
            partial(np.subtract, out, y, out),
        ]
        if self.label_smoothing:
            calls.append(partial(self._smooth, y, 2, out, scratch))
        return calls

    def _terms(self, predicted: Floats, y: Floats) -> Floats:
        p = _clipped(predicted)
        return -(xlogy(y, p) + xlogy(1 - y, 1 - p))


class _Softmax(Loss):
    """A loss of a softmax; y has a column y_k for each class."""

    task = "multiclass"
    out_activation = "softmax"

    def inverse_link(self, raw: Floats, out: Floats) -> None:
        if len(raw) < LINKED_ROWS // 64:
            _normalize_exponentials(raw, out, axis=-1)
            return
        for start in range(0, len(raw), LINKED_ROWS):
            rows = slice(start, start + LINKED_ROWS)
            # With the classes as first axis, as in ``_cross_entropy``; slower for a few rows.
            z = raw[rows].T.copy()
            _normalize_exponentials(z, z, axis=0)
            out[rows] = z.T

    def link_all(self, raw: Floats, out: Floats) -> None:
        if raw.shape[-2] < LINKED_ROWS // 64:
            _normalize_exponentials(raw, out, axis=-1)
            return
        # Each network's rows separately: the order of a sum affects its last bit.
        for one, linked in zip(_stack_of(raw), _stack_of(out), strict=True):
            _Softmax.inverse_link(self, one, linked)

    def to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        return graph.op("Softmax", raw, axis=-1)

    def _cross_entropy(self, raw: Floats, y: Floats) -> Floats:
        # With the classes as first axis, NumPy's loops run along the rows: three times as fast for
        # ten classes. scipy.special.logsumexp takes ten times as long.
        z = _in_front(raw).copy()
        np.subtract(z, np.maximum.reduce(z, axis=0), out=z)
        picked = np.einsum("c...,...c->...", z, y)
        np.exp(z, out=z)
        return np.log(np.add.reduce(z, axis=0)) - picked

    def _softmax_call(self, raw: Floats, out: Floats, largest: Floats, total: Floats) -> Call:
        """Bind a call that writes probabilities into ``out``.

        ``largest`` and ``total``, (K, B, 1), are those of ``softmax``.
        """
        # (K, C, B), with the classes before the rows, as the arrays of a step lie in memory.
        return partial(softmax, *(array.swapaxes(1, 2) for array in (raw, out, largest, total)))


def _stack_of(x: Floats) -> Floats:
    """Return a view of (..., N, C) as (K, N, C)."""
    return x.reshape(-1, *x.shape[-2:])


def _in_front(x: Floats) -> Floats:
    """Return a view whose last axis comes first."""
    return x.transpose(x.ndim - 1, *range(x.ndim - 1))


class CategoricalLogLoss(_Softmax, _LogLoss):
    r"""Log loss of a softmax, :math:`\log\sum_k e^{z_k} - \sum_k y_k z_k`, y adding up to 1.

    One y_k of a row is 1, or the y_k are probabilities of the classes. Stable for every finite raw
    prediction: the largest of a row is subtracted first (Bridle 1990).

    Parameters
    ----------
    label_smoothing : float, default=0.0
        In [0, 1). Replaces each y_k by ``(1 - label_smoothing) * y_k + label_smoothing / C``,
        C being the number of classes (Szegedy et al. 2016).
    """

    names = ("log_loss",)
    n_notes = 2

    def losses(self, raw: Floats, y: Floats) -> Floats:
        return self._cross_entropy(raw, self._smoothed(y, raw.shape[-1]))

    def noted_losses(self, raw: Floats, y: Floats, notes: Floats) -> Floats:
        # As ``_cross_entropy``, but without the exponentials, which take most of its time.
        z = raw - notes[..., :1]
        losses = np.log(notes[..., 1])
        losses -= np.einsum("...c,...c->...", z, self._smoothed(y, raw.shape[-1]))
        return losses

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        for call in CategoricalLogLoss.gradient_calls(self, raw, y, out, scratch):
            call()

    def gradient_calls(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> list[Call]:
        # They can share one array: the largest is not needed once the total is computed.
        room = scratch[..., :1]
        return self._calls(raw, y, out, scratch, room, room)

    def noting_calls(
        self, raw: Floats, y: Floats, out: Floats, scratch: Floats, notes: Floats
    ) -> list[Call]:
        return self._calls(raw, y, out, scratch, notes[..., :1], notes[..., 1:])

    def _calls(
        self,
        raw: Floats,
        y: Floats,
        out: Floats,
        scratch: Floats,
        largest: Floats,
        total: Floats,
    ) -> list[Call]:
        calls: list[Call] = [
            self._softmax_call(raw, out, largest, total),
            partial(np.subtract, out, y, out),
        ]
        if self.label_smoothing:
            calls.append(partial(self._smooth, y, raw.shape[-1], out, scratch))
        return calls

    def _terms(self, predicted: Floats, y: Floats) -> Floats:
        return -xlogy(y, _clipped(predicted))


class BinaryFocalLoss(_Sigmoids):
    r"""Focal loss of independent sigmoids (Lin et al. 2017), y either 0 or 1.

    :math:`-\alpha_y (1-p_y)^\gamma \log p_y`, where :math:`p_y` is the predicted probability of
    the true y: rows that are classified well count less. Its minimum lies closer to 1/2 than the
    share of the class: the ranking is right, but probabilities are too cautious.

    Parameters
    ----------
    gamma : float, default=2.0
        At least 0, which is the log loss.

    alpha : float, default=None
        In (0, 1): weight of y = 1; ``1 - alpha`` is that of y = 0. None gives both the weight 1.
    """

    names = ("focal",)
    ranges = {"gamma": Interval(0, low_closed=True)}
    rules = {"alpha": [Interval(0, 1), None]}

    def __init__(self, gamma: float = 2.0, alpha: float | None = None) -> None:
        self.gamma = gamma
        self.alpha = alpha

    def losses(self, raw: Floats, y: Floats) -> Floats:
        weight = np.empty_like(raw)
        self._weigh(y, out=weight)
        wrong = -raw * np.sign(weight)
        terms = np.logaddexp(wrong, 0) * expit(wrong) ** self.gamma
        return (np.abs(weight) * terms).sum(axis=-1)

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        np.multiply(y, -2, out=scratch)
        np.add(scratch, 1, out=scratch)
        np.multiply(raw, scratch, out=raw)
        # With q = 1 - p: the derivative is q^gamma (gamma p (-log p) + q), times -1 for y = 1.
        sigmoid(raw, out)
        np.logaddexp(raw, 0, out=raw)
        np.subtract(1, out, out=scratch)
        np.multiply(raw, scratch, out=raw)
        np.multiply(raw, self.gamma, out=raw)
        np.add(raw, out, out=raw)
        np.power(out, self.gamma, out=out)
        np.multiply(out, raw, out=out)
        self._weigh(y, out=scratch)
        np.multiply(out, scratch, out=out)
        np.negative(out, out=out)

    def _weigh(self, y: Floats, out: Floats) -> None:
        """Write each target's weight into ``out``, negative where y is 0."""
        if self.alpha is None:
            np.multiply(y, 2, out=out)
            np.subtract(out, 1, out=out)
        else:
            np.subtract(y, 1 - self.alpha, out=out)


class CategoricalFocalLoss(_Softmax):
    r"""Focal loss of a softmax (Lin et al. 2017).

    :math:`-\alpha_y (1-p_y)^\gamma \log p_y`, where :math:`p_y` is the probability of the right
    class: rows that are classified well count less. Probabilities are too cautious, like those of
    :class:`BinaryFocalLoss`.

    Parameters
    ----------
    gamma : float, default=2.0
        At least 0, which is the log loss.

    alpha : array-like of shape (n_classes,), default=None
        Positive weights of the classes, in the order of ``classes_``.
    """

    names = ("focal",)
    ranges = {"gamma": Interval(0, low_closed=True)}
    rules = {"alpha": [Listing([Interval(0)], "floats in the range (0, inf)"), None]}

    def __init__(self, gamma: float = 2.0, alpha: Any = None) -> None:
        self.gamma = gamma
        self.alpha = alpha

    def check_parameters(self, n_targets: int = 1) -> None:
        super().check_parameters(n_targets)
        if self.alpha is not None and len(self.alpha) != n_targets:
            raise ValueError(
                f"alpha={self.alpha!r} of {type(self).__name__} must hold one weight for each of"
                f" the {n_targets} classes."
            )

    def losses(self, raw: Floats, y: Floats) -> Floats:
        cross_entropy = self._cross_entropy(raw, y)
        # Rounding may make the smallest ones slightly negative.
        wrong = np.maximum(-np.expm1(-cross_entropy), 0)
        losses = cross_entropy * wrong**self.gamma
        return losses if self.alpha is None else losses * (y @ self._weights(y))[..., 0]

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        self._softmax_call(raw, out, scratch[..., :1], scratch[..., :1])()
        of_class, truth, probability, per_row = (
            array.swapaxes(1, 2) for array in (raw, y, out, scratch)
        )
        right, wrong = per_row[:, :1], per_row[:, 1:2]
        np.multiply(probability, truth, out=of_class)
        np.add.reduce(of_class, axis=1, out=right, keepdims=True)
        np.subtract(1, right, out=wrong)
        np.maximum(wrong, np.finfo(wrong.dtype).tiny, out=wrong)
        # The log loss's gradient p - y, times q^gamma (1 - gamma p log(p) / q) with q = 1 - p.
        xlogy(right, right, out=right)
        np.divide(right, wrong, out=right)
        np.multiply(right, -self.gamma, out=right)
        np.add(right, 1, out=right)
        np.power(wrong, self.gamma, out=wrong)
        np.multiply(wrong, right, out=wrong)
        if self.alpha is not None:
            np.matmul(y, self._weights(y), out=right.swapaxes(1, 2))
            np.multiply(wrong, right, out=wrong)
        np.subtract(probability, truth, out=probability)
        np.multiply(probability, wrong, out=probability)

    def _weights(self, y: Floats) -> Floats:
        return np.asarray(self.alpha, dtype=y.dtype)[:, np.newaxis]


class OrdinalLogLoss(Loss):
    r"""Log loss of ordered classes by cumulative logits: :math:`-\log P(k)` of the class k.

    :math:`P(y \le j) = \sigma(c_j)` with :math:`c_0 = z_0` and
    :math:`c_j = c_{j-1} + \log(1 + e^{z_j})`: C - 1 outputs for C classes. For any outputs, the
    logits rise with j, so that probabilities are positive and add up to 1. If z_1, z_2 ... are
    the same for all rows, this is the proportional-odds model (McCullagh 1980).

    Targets have a column for each output: 1 if the class lies above j, else 0.

    Parameters
    ----------
    order : array-like, default=None
        All classes, the lowest first, and perhaps some without a row. None means the order of
        ``classes_``: numerical, or alphabetical with a warning. The order of a pandas categorical
        is not read: state ``order=list(y.cat.categories)``.
    """

    names = ("ordinal",)
    task = "ordinal"
    out_activation = "cumulative"
    rules = {"order": [Listing([Instance(str), AnyNumber()], "labels"), None]}

    def __init__(self, order: Any = None) -> None:
        self.order = order

    def inverse_link(self, raw: Floats, out: Floats) -> None:
        """Write the probability that the class lies above j."""
        cumulative = _cumulative(raw, np.empty_like(raw))
        expit(np.negative(cumulative, out=cumulative), out=out)

    def log_probabilities(self, raw: Floats) -> Floats:
        """Return the logarithm of the probability of each class, the lowest first.

        Parameters
        ----------
        raw : ndarray of shape (..., C - 1)

        Returns
        -------
        ndarray of shape (..., C)
        """
        n = raw.shape[-1]
        cumulative = _cumulative(raw, np.empty_like(raw))
        found = np.zeros((*raw.shape[:-1], n + 1), dtype=raw.dtype)
        # sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - e^(a - b)), where the last factor is
        # sigmoid(z) for b - a = log(1 + e^z).
        found[..., :n] -= np.logaddexp(0, -cumulative)
        found[..., 1:] -= np.logaddexp(0, cumulative)
        found[..., 1:n] -= np.logaddexp(0, -raw[..., 1:])
        return found

    def losses(self, raw: Floats, y: Floats) -> Floats:
        one, zero = y.dtype.type(1), y.dtype.type(0)
        minus_of_classes = np.diff(y, axis=-1, prepend=one, append=zero)
        return (minus_of_classes * self.log_probabilities(raw)).sum(axis=-1)

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        # Gradient for logits first: sigmoid(c_j) if the class is j or j + 1, minus 1 if it is j.
        sigmoid(_cumulative(raw, scratch), out)
        _steps_of(y, scratch, 2)
        np.multiply(out, scratch, out=out)
        is_class = _steps_of(y, scratch, 1)
        np.subtract(out, is_class, out=out)
        # An output changes its own logit and all that follow.
        for j in range(raw.shape[-1] - 2, -1, -1):
            np.add(out[..., j], out[..., j + 1], out=out[..., j])
        # log(1 + e^z) rises by sigmoid(z), and log(sigmoid(z)) by 1 - sigmoid(z).
        of_gaps, gaps, is_class = out[..., 1:], raw[..., 1:], is_class[..., 1:]
        sigmoid(gaps, gaps)
        np.add(of_gaps, is_class, out=of_gaps)
        np.multiply(of_gaps, gaps, out=of_gaps)
        np.subtract(of_gaps, is_class, out=of_gaps)


def _cumulative(raw: Floats, out: Floats) -> Floats:
    """Write cumulative logits, (..., C - 1), into ``out``."""
    np.copyto(out[..., 0], raw[..., 0])
    for j in range(1, raw.shape[-1]):
        np.logaddexp(raw[..., j], 0, out=out[..., j])
        np.add(out[..., j], out[..., j - 1], out=out[..., j])
    return out


def _steps_of(y: Floats, out: Floats, width: int) -> Floats:
    """Write ``y_(j-1) - y_(j-1+width)`` into ``out``, where y_(-1) is 1 and what follows y is 0."""
    n = y.shape[-1]
    out[..., 0] = 1
    out[..., 1:] = y[..., : n - 1]
    np.subtract(out[..., : n - width + 1], y[..., width - 1 :], out=out[..., : n - width + 1])
    return out


# Numbers, predicted by the raw output itself.


class _IdentityLink(Loss):
    """A loss whose raw predictions are the predicted values, in any units of the target."""

    out_activation = "identity"
    equivariance = "affine"

    def inverse_link(self, raw: Floats, out: Floats) -> None:
        if out is not raw:
            np.copyto(out, raw)

    def to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        return raw


class SquaredError(_IdentityLink, _LikeScikitLearn):
    r"""Half the squared error, :math:`\frac12 (z - y)^2`; minimized by the mean (Legendre 1805)."""

    names = ("squared_error",)
    keeps_ordinary_units = True
    averages_outputs = True
    judged_by_r2 = True

    def losses(self, raw: Floats, y: Floats) -> Floats:
        return 0.5 * ((raw - y) ** 2).sum(axis=-1)

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        np.subtract(raw, y, out=out)

    def _terms(self, predicted: Floats, y: Floats) -> Floats:
        return 0.5 * (y - predicted) ** 2


class AbsoluteError(_IdentityLink):
    r"""The absolute error :math:`|z - y|`, with gradient 0 at 0.

    Minimized by the median (Boscovich 1757).
    """

    names = ("absolute_error",)

    def losses(self, raw: Floats, y: Floats) -> Floats:
        return np.abs(raw - y).sum(axis=-1)

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        np.subtract(raw, y, out=out)
        np.sign(out, out=out)


class Huber(_IdentityLink):
    r"""Half the squared error up to delta, linear beyond it (Huber 1964).

    :math:`\frac12 e^2` where :math:`|e| = |z - y|` is at most delta, and
    :math:`\delta (|e| - \frac12 \delta)` elsewhere: between the mean and the median.

    Parameters
    ----------
    delta : float, default=1.0
        Error above which a row counts as an outlier, in the target's units, > 0.
    """

    names = ("huber",)
    ranges = {"delta": Interval(0)}

    def __init__(self, delta: float | Floats = 1.0) -> None:
        self.delta = delta

    def in_units(self, scale: Floats) -> Huber:
        # Smaller numbers would become zero in float32.
        return _HuberInUnits(np.maximum(self.delta / scale, 1e-30))

    def losses(self, raw: Floats, y: Floats) -> Floats:
        return self._terms(raw, y).sum(axis=-1)

    def _terms(self, raw: Floats, y: Floats) -> Floats:
        error = np.abs(raw - y)
        near = np.minimum(error, np.asarray(self.delta, dtype=raw.dtype))
        return near * (error - 0.5 * near)

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        delta = np.asarray(self.delta, dtype=raw.dtype)
        np.subtract(raw, y, out=out)
        np.minimum(out, delta, out=out)
        np.maximum(out, -delta, out=out)


@kept_as("huber in units")
class _HuberInUnits(Huber):
    """Huber's loss of a standardized target, with one delta per column.

    Where delta is below 1, the loss is divided by it: with a tiny delta it is then the absolute
    error, and not almost zero.
    """

    def losses(self, raw: Floats, y: Floats) -> Floats:
        divisor = np.minimum(self.delta, 1).astype(raw.dtype)
        return (self._terms(raw, y) / divisor).sum(axis=-1)

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        super().gradient(raw, y, out, scratch)
        np.divide(out, np.minimum(self.delta, 1), out=out)


class Pinball(_IdentityLink):
    r"""Pinball loss, minimized by a quantile (Koenker & Bassett 1978).

    :math:`q (y - z)` where the prediction is too low, :math:`(1 - q) (z - y)` elsewhere. A list
    of quantiles trains one output for each. Their predictions are sorted, so that no quantile
    crosses another; this never increases the loss of any row (Chernozhukov et al. 2010). Unlike
    sums of positive increments, sorting works in any units, does not slow down training, and needs
    no special output layer.

    Parameters
    ----------
    quantile : float or list of float, default=0.5
        In (0, 1), in rising order. A list of one is the same as the number.
    """

    names = ("pinball", "quantile")
    rules = {
        "quantile": [
            Interval(0, 1),
            Listing([Interval(0, 1)], "floats in the range (0, 1)"),
        ]
    }

    def __init__(self, quantile: Any = 0.5) -> None:
        self.quantile = quantile

    @property
    def quantiles(self) -> list[float]:
        """The quantiles as a list."""
        return np.atleast_1d(self.quantile).tolist()

    @property
    def output_names(self) -> list[str]:
        return [f"{100 * quantile:g} %" for quantile in self.quantiles]

    @property
    def outputs_per_target(self) -> int:
        return np.size(self.quantile)

    def check_parameters(self, n_targets: int = 1) -> None:
        super().check_parameters(n_targets)
        if not self.quantiles:
            raise ValueError(f"quantile={self.quantile!r} must be a float or a list of floats.")
        if not (np.diff(self.quantiles) > 0).all():
            raise ValueError(f"quantile={self.quantile!r} must be in rising order.")

    def inverse_link(self, raw: Floats, out: Floats) -> None:
        super().inverse_link(raw, out)
        if self.outputs_per_target > 1:
            out.reshape(*out.shape[:-1], -1, self.outputs_per_target).sort(axis=-1)

    def to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        n = self.outputs_per_target
        return raw if n == 1 else graph.sorted(raw, n)

    def losses(self, raw: Floats, y: Floats) -> Floats:
        total = np.zeros(raw.shape[:-1], dtype=raw.dtype)
        for i, quantile in enumerate(self.quantiles):
            error = y - raw[..., i :: self.outputs_per_target]
            total += np.maximum(quantile * error, (quantile - 1) * error).sum(axis=-1)
        return total

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        for i, quantile in enumerate(self.quantiles):
            of_quantile = out[..., i :: self.outputs_per_target]
            np.greater(raw[..., i :: self.outputs_per_target], y, out=of_quantile)
            np.subtract(of_quantile, quantile, out=of_quantile)


class GaussianNLL(Loss):
    r"""Negative log-likelihood of a normal distribution (Nix & Weigend 1994).

    Each target has two outputs, the mean z and the logarithm of the variance, s. The loss is
    :math:`\frac12 (s + (z - y)^2 e^{-s})`, without the constant. ``MLPRegressor.predict`` gives
    the mean, and with ``return_std=True`` the standard deviation too. In training, s above 20
    (below -20) counts as 20 (-20), plus a linear penalty that pulls it back.
    """

    names = ("gaussian_nll", "gaussian")
    out_activation = "identity"
    equivariance = "affine"
    estimates_std = True

    @property
    def outputs_per_target(self) -> int:
        return 2

    @property
    def output_names(self) -> list[str]:
        return ["mean", "std"]

    def output_units(self, shift: Floats, scale: Floats) -> tuple[Floats, Floats]:
        offset = np.column_stack([shift, 2 * np.log(scale)])
        return offset.ravel(), np.column_stack([scale, np.ones_like(scale)]).ravel()

    def outgrows(self, raw: Floats) -> bool:
        return bool(raw[..., 1::2].max() / 2 > _exponent_limit(raw.dtype))

    def inverse_link(self, raw: Floats, out: Floats) -> None:
        if out is not raw:
            np.copyto(out, raw)
        deviation = out[..., 1::2]
        np.multiply(deviation, 0.5, out=deviation)
        np.minimum(deviation, _exponent_limit(out.dtype), out=deviation)
        np.exp(deviation, out=deviation)

    def to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        limit = _exponent_limit(graph.dtype)
        of_target = graph.reshape(raw, -1, 2)
        half = graph.columns(of_target, 1, 2) * 0.5
        deviation = graph.op("Exp", graph.op("Min", half, limit))
        pairs = graph.concatenate([graph.columns(of_target, 0, 1), deviation])
        # An inferred width would be an error where there are no rows.
        return graph.reshape_like(pairs, raw)

    def losses(self, raw: Floats, y: Floats) -> Floats:
        mean, log_variance = raw[..., 0::2], raw[..., 1::2]
        bounded = np.clip(log_variance, *LOG_VARIANCES)
        terms = 0.5 * (bounded + (mean - y) ** 2 * np.exp(-bounded))
        return (terms + np.abs(log_variance - bounded)).sum(axis=-1)

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        error, log_variance = raw[..., 0::2], raw[..., 1::2]
        of_mean, of_variance = out[..., 0::2], out[..., 1::2]
        precision, beyond = scratch[..., 0::2], scratch[..., 1::2]
        np.subtract(error, y, out=error)
        np.maximum(log_variance, LOG_VARIANCES[0], out=precision)
        np.minimum(precision, LOG_VARIANCES[1], out=precision)
        np.subtract(log_variance, precision, out=beyond)
        np.negative(precision, out=precision)
        np.exp(precision, out=precision)
        np.multiply(error, precision, out=of_mean)
        np.multiply(error, of_mean, out=of_variance)
        np.subtract(1, of_variance, out=of_variance)
        np.multiply(of_variance, 0.5, out=of_variance)
        # Beyond the limits, the slope is that of the penalty instead: 1 or -1.
        np.sign(beyond, out=beyond)
        inside = np.abs(beyond, out=log_variance)
        np.subtract(1, inside, out=inside)
        np.multiply(of_variance, inside, out=of_variance)
        np.add(of_variance, beyond, out=of_variance)


class ScaledSquaredError(Loss):
    r"""Half the squared error of a prediction that a sigmoid keeps in a range.

    The prediction is :math:`l + (h - l)\,\sigma(z)`; the error is measured in units of
    the range, on targets scaled to [0, 1], so that it does not depend on units of y
    (Rumelhart et al. 1986).

    Parameters
    ----------
    low, high : float
        The range, ``low < high``.
    """

    task = "bounded"
    out_activation = "scaled_logistic"
    averages_outputs = True
    judged_by_r2 = True
    ranges = {"low": Interval(), "high": Interval()}
    #: The sigmoid is that of ``offset + factor * raw``, and errors are divided by the scale.
    offset: Any = 0.0
    factor: Any = 1.0
    scale: Any = 1.0

    def __init__(self, low: float, high: float) -> None:
        self.low = low
        self.high = high

    def outgrows(self, raw: Floats) -> bool:
        largest = max(abs(self.low), abs(self.high), self.high - self.low)
        return bool(largest > np.finfo(raw.dtype).max)

    def inverse_link(self, raw: Floats, out: Floats) -> None:
        expit(raw, out=out)
        np.multiply(out, self.high - self.low, out=out)
        np.add(out, self.low, out=out)
        # The product may be rounded to just above the range.
        np.minimum(out, self.high, out=out)

    def to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        scaled = graph.sigmoid(raw) * (self.high - self.low) + self.low
        return graph.op("Min", scaled, self.high)

    def losses(self, raw: Floats, y: Floats) -> Floats:
        offset, factor, scale = self._constants(raw)
        return 0.5 * (((expit(offset + factor * raw) - y) / scale) ** 2).sum(axis=-1)

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        offset, factor, scale = self._constants(raw)
        np.multiply(raw, factor, out=raw)
        np.add(raw, offset, out=raw)
        sigmoid(raw, raw)
        np.subtract(raw, y, out=out)
        np.divide(out, scale, out=out)
        np.multiply(out, raw, out=out)
        np.subtract(1, raw, out=scratch)
        np.multiply(out, scratch, out=out)
        np.multiply(out, factor / scale, out=out)

    def _constants(self, raw: Floats) -> list[Any]:
        return [np.asarray(one, raw.dtype) for one in (self.offset, self.factor, self.scale)]


# Positive numbers, whose logarithm is the raw output.


class _LogLink(Loss):
    """A loss of predictions e^z, minimized by the mean.

    Where e^z (or e^-z) would overflow, a tangent replaces it in the loss.
    """

    out_activation = "exp"
    judged_by_r2 = True
    equivariance = "scale"

    def output_units(self, shift: Floats, scale: Floats) -> tuple[Floats, Floats]:
        return np.log(scale), np.ones_like(scale)

    def outgrows(self, raw: Floats) -> bool:
        return bool(raw.max() > _exponent_limit(raw.dtype))

    def inverse_link(self, raw: Floats, out: Floats) -> None:
        np.minimum(raw, _exponent_limit(raw.dtype), out=out)
        np.exp(out, out=out)

    def to_onnx(self, graph: OperatorGraph, raw: Value) -> Value:
        return graph.op("Exp", graph.op("Min", raw, _exponent_limit(graph.dtype)))

    def _exp(self, z: Floats) -> Floats:
        bounded = np.minimum(z, _exponent_limit(z.dtype) / 2)
        return np.exp(bounded) * (1 + (z - bounded))

    def _slope_of_exp(self, z: Floats, out: Floats) -> None:
        np.minimum(z, _exponent_limit(z.dtype) / 2, out=out)
        np.exp(out, out=out)


class PoissonDeviance(_LogLink, _LikeScikitLearn):
    r"""Half the Poisson deviance with a log link, :math:`y \log(y / e^z) - y + e^z`, y >= 0.

    For counts, whose variance grows with their mean (Nelder & Wedderburn 1972).
    """

    names = ("poisson",)
    keeps_ordinary_units = True
    target_interval = Interval(0, low_closed=True)

    def losses(self, raw: Floats, y: Floats) -> Floats:
        return (xlogy(y, y) - y * raw - y + self._exp(raw)).sum(axis=-1)

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        self._slope_of_exp(raw, out)
        np.subtract(out, y, out=out)

    def _differs(self, raw: Floats) -> Booleans | None:
        # y / exp(raw) is infinite or NaN where exp(raw) underflows to zero.
        underflows = raw.min(axis=(1, 2)) < np.log(np.finfo(raw.dtype).tiny)
        overflows = raw.max(axis=(1, 2)) > _exponent_limit(raw.dtype) / 2
        is_far = underflows | overflows
        return is_far if is_far.any() else None

    def _terms(self, predicted: Floats, y: Floats) -> Floats:
        return xlogy(y, y / predicted) - y + predicted


class GammaDeviance(_LogLink):
    r"""Half the gamma deviance with a log link, :math:`z - \log y + y e^{-z} - 1`, y > 0.

    For positive numbers whose standard deviation grows with their mean (McCullagh & Nelder
    1989). It does not depend on the target's units.
    """

    names = ("gamma",)
    target_interval = Interval(0)

    def losses(self, raw: Floats, y: Floats) -> Floats:
        return (raw - np.log(y) + y * self._exp(-raw) - 1).sum(axis=-1)

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        np.negative(raw, out=raw)
        self._slope_of_exp(raw, out)
        np.multiply(out, y, out=out)
        np.subtract(1, out, out=out)


def _normalize_exponentials(raw: Floats, out: Floats, axis: int) -> None:
    """Write the softmax along an axis into ``out``."""
    # A difference may overflow: the probability of the lower one is then zero.
    with np.errstate(over="ignore"):
        np.subtract(raw, np.maximum.reduce(raw, axis=axis, keepdims=True), out=out)
    np.exp(out, out=out)
    np.divide(out, np.add.reduce(out, axis=axis, keepdims=True), out=out)


def _clipped(probability: Floats) -> Floats:
    smallest = np.finfo(probability.dtype).eps
    return np.clip(probability, smallest, 1 - smallest)


@lru_cache
def _exponent_limit(dtype: np.dtype) -> float:
    """Return the largest integer whose exponential is finite."""
    return float(np.floor(np.log(np.finfo(dtype).max)))


# Looking losses up.


@lru_cache
def _classes(task: str | None = None) -> dict[str, type[Loss]]:
    """Return the losses of this module, for one task or all, under all of their names."""
    losses = [
        cls for cls in public_classes(sys.modules[__name__], Loss) if task in (None, cls.task)
    ]
    return {name: cls for cls in losses for name in cls.names}


def list_losses(task: str | None = None) -> list[str]:
    """Return the canonical names of the built-in losses, sorted.

    Parameters
    ----------
    task : {"regression", "binary", "multiclass", "ordinal"}, default=None
        None lists all.

    Examples
    --------
    >>> from skperceptron.losses import list_losses
    >>> "log_loss" in list_losses("binary")
    True
    """
    return sorted({cls.names[0] for cls in _classes(task).values()})


def get_loss(loss: str | Loss, task: str = "regression") -> Loss:
    """Return a loss from its name, or the loss itself.

    Parameters
    ----------
    loss : str or Loss

    task : {"regression", "binary", "multiclass", "ordinal"}, default="regression"
        What the loss is for; the same name may mean another class for another task.

    Raises
    ------
    ValueError
        If no loss of that name is for the task, or if the object is for another one.
    TypeError
        If `loss` is neither a string nor a Loss.

    Examples
    --------
    >>> from skperceptron.losses import get_loss
    >>> get_loss("huber")
    Huber()
    >>> get_loss("focal", "binary")
    BinaryFocalLoss()
    """
    loss = find(loss, Loss, _classes(task), f" for {task}")
    if loss.task != task:
        raise ValueError(
            f"loss={loss!r} is for task {loss.task!r}, but {task!r} is needed here. Known names"
            f" for it: {', '.join(repr(name) for name in list_losses(task))}."
        )
    return loss


__all__ = [
    "AbsoluteError",
    "BinaryFocalLoss",
    "BinaryLogLoss",
    "CategoricalFocalLoss",
    "CategoricalLogLoss",
    "GammaDeviance",
    "GaussianNLL",
    "Huber",
    "Loss",
    "OrdinalLogLoss",
    "Pinball",
    "PoissonDeviance",
    "ScaledSquaredError",
    "SquaredError",
    "get_loss",
    "list_losses",
]
