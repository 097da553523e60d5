r"""Losses on raw predictions, each with the inverse link that turns raw into predicted values.

Conventions: ``raw`` is what the last affine block computes, (members, batch, outputs),
before the inverse link; ``y`` has the same shape. A loss gives one value per row,
summed over the outputs, and the gradient of exactly that value. Weights of rows are
applied by the caller. A training step needs the gradient only: it is written in place,
without temporary arrays. Values are asked for many batches at once.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.special import expit, xlogy
from sklearn.base import BaseEstimator

from .engine.arrays import Floats

__all__ = [
    "BinaryLogLoss",
    "CategoricalLogLoss",
    "Loss",
    "PoissonDeviance",
    "ScaledSquaredError",
    "SquaredError",
]


class Loss(BaseEstimator):
    """Base of all losses.

    A subclass defines ``inverse_link``, ``losses`` and ``gradient``.

    Attributes
    ----------
    out_activation : str
        Name of the inverse link, the ``out_activation_`` of an estimator.
    averages_outputs : bool
        Whether ``loss_curve_`` reports the mean over the outputs instead of their sum
        (scikit-learn's convention for the squared error, where the gradient is
        nevertheless that of the sum).
    """

    out_activation: ClassVar[str]
    averages_outputs: ClassVar[bool] = False

    def inverse_link(self, raw: Floats, out: Floats) -> None:
        """Write the predicted values into ``out``, which may be ``raw`` itself."""
        raise NotImplementedError

    def losses(self, raw: Floats, y: Floats) -> Floats:
        """Return the loss of each row.

        Parameters
        ----------
        raw, y : ndarray of shape (..., C)
            Neither is changed.

        Returns
        -------
        ndarray of shape (...)
        """
        raise NotImplementedError

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        """Write the gradient of each row's loss with respect to ``raw`` into ``out``.

        Parameters
        ----------
        raw : ndarray of shape (K, B, C)
            Raw predictions; may be overwritten.
        y : ndarray of shape (K, B, C)
            Targets.
        out : ndarray of shape (K, B, C)
            Receives the gradient.
        scratch : ndarray of shape (K, B, C)
            Room to calculate in, with arbitrary content.
        """
        raise NotImplementedError

    # What a training step calls. The loss itself is wanted once an epoch only: a step keeps of
    # each row what it takes, and the rest is done for many batches at once.

    def evidence_width(self, n_outputs: int) -> int:
        """Return how many numbers of each row a step keeps."""
        return n_outputs

    def learn(self, raw: Floats, y: Floats, out: Floats, scratch: Floats, evidence: Floats) -> None:
        """Do what ``gradient`` does, and keep what ``losses_of`` needs.

        Parameters
        ----------
        raw, y, out, scratch : ndarray of shape (K, B, C)
            As in ``gradient``.
        evidence : ndarray of shape (K, B, evidence_width)
            Receives what is kept.
        """
        np.copyto(evidence, raw)
        self.gradient(raw, y, out, scratch)

    def losses_of(self, evidence: Floats, y: Floats) -> Floats:
        """Return the loss of each row from what ``learn`` has kept of it."""
        return self.losses(evidence, y)

    def mean(
        self,
        raw: Floats,
        y: Floats,
        sample_weight: Floats | None = None,
        gradient: Floats | None = None,
    ) -> float:
        """Return the mean loss of a data set, the objective of L-BFGS.

        Parameters
        ----------
        raw, y : ndarray of shape (B, C)
            Neither is changed.
        sample_weight : ndarray of shape (B,), default=None
        gradient : ndarray of shape (B, C), default=None
            If given, receives the gradient of each row's loss, without its weight.
        """
        if gradient is not None:
            row = raw[np.newaxis].copy()
            self.gradient(row, y[np.newaxis], gradient[np.newaxis], np.empty_like(row))
        mean = float(np.average(self.losses(raw, y), weights=sample_weight))
        return mean / raw.shape[1] if self.averages_outputs else mean


class _LikeScikitLearn(Loss):
    """A loss whose mean has the same bits as scikit-learn's.

    L-BFGS blows up the last bit of its objective to other weights within a hundred
    iterations: the same model needs the same operations in the same order.
    """

    def mean(
        self,
        raw: Floats,
        y: Floats,
        sample_weight: Floats | None = None,
        gradient: Floats | None = None,
    ) -> float:
        predicted = np.empty_like(raw)
        self.inverse_link(raw, out=predicted)
        if gradient is not None:
            # All of these losses go with their canonical link.
            np.subtract(predicted, y, out=gradient)
        terms = np.average(self._terms(predicted, y), weights=sample_weight, axis=0)
        return float(terms.mean() if self.averages_outputs else terms.sum())

    def _terms(self, predicted: Floats, y: Floats) -> Floats:
        """Return the loss of each row and output, (B, C), from predicted values."""
        raise NotImplementedError


class BinaryLogLoss(_LikeScikitLearn):
    r"""Log loss of independent sigmoids, :math:`\log(1+e^z) - y z`, y in [0, 1].

    Finite for every finite raw prediction: it is computed from ``z``, not from a
    probability that may have been rounded to 0 or 1.
    """

    out_activation = "logistic"

    def inverse_link(self, raw: Floats, out: Floats) -> None:
        expit(raw, out=out)

    def losses(self, raw: Floats, y: Floats) -> Floats:
        # log(1 + e^z) = max(z, 0) + log(1 + e^-|z|); np.logaddexp takes twice as long.
        softplus = np.abs(raw)
        np.negative(softplus, out=softplus)
        np.exp(softplus, out=softplus)
        np.log1p(softplus, out=softplus)
        return (softplus + np.maximum(raw, 0) - raw * y).sum(axis=-1)

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        expit(raw, out=out)
        np.subtract(out, y, out=out)

    def _terms(self, predicted: Floats, y: Floats) -> Floats:
        p = _clipped(predicted)
        return -(xlogy(y, p) + xlogy(1 - y, 1 - p))


class CategoricalLogLoss(_LikeScikitLearn):
    r"""Log loss of a softmax, :math:`\log\sum_k e^{z_k} - \sum_k y_k z_k`; one y_k of a row is 1.

    Stable for every finite raw prediction: the largest of a row is subtracted first.
    """

    out_activation = "softmax"

    def inverse_link(self, raw: Floats, out: Floats) -> None:
        np.subtract(raw, raw.max(axis=-1, keepdims=True), out=out)
        np.exp(out, out=out)
        np.divide(out, out.sum(axis=-1, keepdims=True), out=out)

    def losses(self, raw: Floats, y: Floats) -> Floats:
        # With the classes in front, NumPy's loops run along the rows: three times as fast for ten
        # classes. scipy.special.logsumexp takes ten times as long.
        z = np.moveaxis(raw, -1, 0).copy()
        z -= z.max(axis=0)
        picked = (z * np.moveaxis(y, -1, 0)).sum(axis=0)
        np.exp(z, out=z)
        return np.log(z.sum(axis=0)) - picked

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        np.subtract(self._softmax(raw, scratch).swapaxes(1, 2), y, out=out)

    def evidence_width(self, n_outputs: int) -> int:
        return 1

    def learn(self, raw: Floats, y: Floats, out: Floats, scratch: Floats, evidence: Floats) -> None:
        probability = self._softmax(raw, scratch)
        # While it is free, ``out`` serves with the classes in front.
        of_class = out.reshape(probability.shape)
        np.multiply(probability, y.swapaxes(1, 2), out=of_class)
        np.add.reduce(of_class, axis=1, out=evidence.swapaxes(1, 2), keepdims=True)
        np.subtract(probability.swapaxes(1, 2), y, out=out)

    def losses_of(self, evidence: Floats, y: Floats) -> Floats:
        # Of a class whose probability has underflowed, all that is known is that it is tiny.
        probability = np.maximum(evidence[..., 0], np.finfo(evidence.dtype).tiny)
        return -np.log(probability)

    def _softmax(self, raw: Floats, scratch: Floats) -> Floats:
        """Return probabilities, (K, C, B), in the memory of ``scratch``; ``raw`` is used up."""
        # The classes in front, as in ``losses``.
        n_members, n_rows, n_classes = raw.shape
        z = scratch.reshape(n_members, n_classes, n_rows)
        per_row = raw.reshape(n_members, n_classes, n_rows)[:, :1]
        np.copyto(z, raw.swapaxes(1, 2))
        np.maximum.reduce(z, axis=1, out=per_row, keepdims=True)
        np.subtract(z, per_row, out=z)
        np.exp(z, out=z)
        np.add.reduce(z, axis=1, out=per_row, keepdims=True)
        np.divide(z, per_row, out=z)
        return z

    def _terms(self, predicted: Floats, y: Floats) -> Floats:
        return -xlogy(y, _clipped(predicted))


class SquaredError(_LikeScikitLearn):
    r"""Half the squared error, :math:`\frac12 (z - y)^2`."""

    out_activation = "identity"
    averages_outputs = True

    def inverse_link(self, raw: Floats, out: Floats) -> None:
        if out is not raw:
            np.copyto(out, raw)

    def losses(self, raw: Floats, y: Floats) -> Floats:
        return 0.5 * ((raw - y) ** 2).sum(axis=-1)

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        np.subtract(raw, y, out=out)

    def _terms(self, predicted: Floats, y: Floats) -> Floats:
        return 0.5 * (y - predicted) ** 2


class ScaledSquaredError(Loss):
    r"""Half the squared error of a prediction that a sigmoid keeps in a range.

    The prediction is :math:`l + (h - l)\,\sigma(z)`; the error is measured in units of
    the range, on targets scaled to [0, 1], so that it does not depend on units of y.

    Parameters
    ----------
    low, high : float
        The range, ``low < high``.
    """

    out_activation = "scaled_logistic"
    averages_outputs = True

    def __init__(self, low: float, high: float) -> None:
        self.low = low
        self.high = high

    def inverse_link(self, raw: Floats, out: Floats) -> None:
        expit(raw, out=out)
        np.multiply(out, self.high - self.low, out=out)
        np.add(out, self.low, out=out)
        # The product may be rounded to just above the range.
        np.minimum(out, self.high, out=out)

    def losses(self, raw: Floats, y: Floats) -> Floats:
        return 0.5 * ((expit(raw) - y) ** 2).sum(axis=-1)

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        expit(raw, out=raw)
        np.subtract(raw, y, out=out)
        np.multiply(out, raw, out=out)
        np.subtract(1, raw, out=scratch)
        np.multiply(out, scratch, out=out)


class PoissonDeviance(_LikeScikitLearn):
    r"""Half the Poisson deviance with a log link, :math:`y \log(y / e^z) - y + e^z`, y >= 0."""

    out_activation = "exp"

    def inverse_link(self, raw: Floats, out: Floats) -> None:
        np.exp(raw, out=out)

    def losses(self, raw: Floats, y: Floats) -> Floats:
        return (xlogy(y, y) - y * raw - y + np.exp(raw)).sum(axis=-1)

    def gradient(self, raw: Floats, y: Floats, out: Floats, scratch: Floats) -> None:
        np.exp(raw, out=out)
        np.subtract(out, y, out=out)

    def mean(
        self,
        raw: Floats,
        y: Floats,
        sample_weight: Floats | None = None,
        gradient: Floats | None = None,
    ) -> float:
        # y / exp(raw) is not a number where exp(raw) has become zero.
        underflows = raw.min() < np.log(np.finfo(raw.dtype).tiny)
        of_class = Loss if underflows else _LikeScikitLearn
        return of_class.mean(self, raw, y, sample_weight, gradient)

    def _terms(self, predicted: Floats, y: Floats) -> Floats:
        return xlogy(y, y / predicted) - y + predicted


def _clipped(probability: Floats) -> Floats:
    smallest = np.finfo(probability.dtype).eps
    return np.clip(probability, smallest, 1 - smallest)
