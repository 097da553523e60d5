"""Batch and layer normalization, and their base."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Arrays, Call, Floats, in_range
from ..operators import OperatorGraph, Value, Values
from .base import Bench, Block, LearnedArray


class Normalize(Block):
    r"""Base of both normalizations: :math:`\gamma \hat z + \beta`, gamma and beta learned.

    Training writes the standardized :math:`\hat z` over z, where the backward pass reads it. The
    variance gets epsilon added.
    """

    #: The axis that is averaged over: 1 for the rows of a batch, 2 for the units of a row.
    axis: ClassVar[int]
    #: How many vectors it has: gamma and beta, then statistics that no gradient changes.
    n_vectors: ClassVar[int] = 2

    def __init__(self, units: int, epsilon: float) -> None:
        self.units = units
        self.epsilon = epsilon

    @property
    def learned(self) -> tuple[LearnedArray, ...]:
        shape = self.n_vectors, self.units
        # gamma and beta; the others are statistics.
        n_statistics = (self.n_vectors - 2) * self.units
        return (
            LearnedArray("other", "normalization_parameters_", shape, n_statistics=n_statistics),
        )

    def initial_arrays(self, rng: np.random.RandomState) -> list[Floats]:
        # gamma and beta; after them, running means and variances.
        starts = [1.0, 0.0, 0.0, 1.0][: self.n_vectors]
        return [np.repeat(starts, self.units).reshape(self.n_vectors, self.units)]

    def overwrites_input(self, trains: bool) -> bool:
        return trains

    def vectors(self, learned: Floats) -> list[Floats]:
        """Split what is learned, (K, 1, n_vectors * H), into vectors of shape (K, 1, H)."""
        return np.split(learned, self.n_vectors, axis=2)

    def _standardize(
        self, z: Floats, room: Floats, mean: Floats, variance: Floats
    ) -> Iterator[Call]:
        """Subtract the mean from z and leave the variance in ``variance``."""
        yield from self._mean(z, mean)
        yield partial(np.subtract, z, mean, z)
        yield partial(np.multiply, z, z, room)
        yield from self._mean(room, variance)

    def _mean(self, numbers: Floats, mean: Floats) -> Iterator[Call]:
        """Average over the axis of the statistics."""
        share = numbers.dtype.type(1 / numbers.shape[self.axis])
        yield partial(np.add.reduce, numbers, self.axis, None, mean, True)
        yield partial(np.multiply, mean, share, mean)

    def _divide(self, z: Floats, variance: Floats) -> Iterator[Call]:
        """Divide z by ``sqrt(variance + epsilon)``, whose reciprocals replace the variances."""
        yield partial(np.add, variance, in_range(self.epsilon, variance.dtype), variance)
        yield partial(np.sqrt, variance, variance)
        yield partial(np.reciprocal, variance, variance)
        yield partial(np.multiply, z, variance, z)

    def _scaled(self, z: Floats, gamma: Floats, beta: Floats, out: Floats) -> Iterator[Call]:
        yield partial(np.multiply, z, gamma, out)
        yield partial(np.add, out, beta, out)

    def _statistics(self, work: Bench, node: int) -> tuple[Floats, Floats]:
        """Return room for means and factors, which broadcast over z."""
        shape = list(work.value_of(node).shape)
        shape[self.axis] = 1
        mean, factor = work.own_array(node, 2, *shape)
        return mean, factor

    def _gradients_of_vectors(self, work: Bench, node: int) -> Iterator[Call]:
        """Compute the gradients of gamma and beta."""
        (grads,) = work.gradients_of(node)
        of_gamma, of_beta, *of_statistics = self.vectors(grads)
        (z,) = work.inputs_of(node)
        grad, room = work.gradient_at(node), work.scratch(z)
        yield partial(np.multiply, grad, z, room)
        yield partial(np.add.reduce, room, 1, None, of_gamma, True)
        yield partial(np.add.reduce, grad, 1, None, of_beta, True)
        # Optimizers step along the whole gradient, and calculate in its array. Running statistics
        # must not move with a step: their part is set to zero again each time.
        yield from (partial(vector.fill, 0) for vector in of_statistics)

    def _through_statistics(
        self, grad: Floats, z: Floats, room: Floats, means: Floats
    ) -> Iterator[Call]:
        """Turn the gradient of the standardized z into that of z, except for the factor.

        Every z also moves the mean and the variance that all of them are standardized with. With
        averages over the axis of the statistics, the formula is
        ``grad - mean(grad) - z * mean(grad * z)``.
        """
        yield partial(np.multiply, grad, z, room)
        yield from self._mean(room, means)
        yield partial(np.multiply, z, means, room)
        yield from self._mean(grad, means)
        yield partial(np.subtract, grad, room, grad)
        yield partial(np.subtract, grad, means, grad)


class BatchNormalize(Normalize):
    """Batch normalization (Ioffe & Szegedy 2015): each unit over the rows of the batch.

    Rows count by their weights, so that a weight of 2 is the same as a repeated row.

    Predictions use running statistics. These come after gamma and beta in the member's
    vector, with a gradient of zero, so that they are kept, averaged and restored together
    with the parameters.

    Parameters
    ----------
    units : int
        Width of the value (H).
    epsilon : float
        Added to the variance.
    momentum : float
        Share of the newest batch in the running statistics, in (0, 1].
    """

    kind: ClassVar[str] = "batch_normalization"
    mixes_rows = True
    axis: ClassVar[int] = 1
    n_vectors: ClassVar[int] = 4
    records = True

    def __init__(self, units: int, epsilon: float, momentum: float) -> None:
        super().__init__(units, epsilon)
        self.momentum = momentum

    def factor_and_shift(self, learned: Arrays) -> tuple[Floats, Floats]:
        gamma, beta, mean, variance = self.vectors(learned[0])
        factor = gamma / np.sqrt(variance + in_range(self.epsilon, variance.dtype))
        return factor, beta - mean * factor

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        (z,), out = work.inputs_of(node), work.value_of(node)
        gamma, beta, running_mean, running_variance = self.vectors(work.parameters_of(node)[0])
        if not work.trains:
            yield from self._scaled(z, *self.factor_and_shift(work.parameters_of(node)), out)
            return
        mean, factor = self._statistics(work, node)
        n_rows = z.shape[1]
        # A single row, the last of an epoch, says nothing about the variance.
        follows = n_rows > 1
        if work.row_shares is None or work.total_weights is None:
            yield from self._standardize(z, out, mean, factor)
            if follows:
                yield partial(self._follow, running_mean, mean, 1.0, out)
                # The unbiased variance.
                yield partial(self._follow, running_variance, factor, n_rows / (n_rows - 1), out)
        else:
            yield from self._standardize_weighted(z, out, mean, factor, work.row_shares)
            if follows:
                running = running_mean, running_variance
                yield partial(self._follow_weighted, running, (mean, factor), work.total_weights)
        yield from self._divide(z, factor)
        yield from self._scaled(z, gamma, beta, out)

    def _standardize_weighted(
        self, z: Floats, room: Floats, mean: Floats, variance: Floats, shares: Floats
    ) -> Iterator[Call]:
        """Do the same as ``_standardize``, with rows weighted by their shares, (K, B, 1)."""
        yield partial(np.multiply, z, shares, room)
        yield partial(np.add.reduce, room, 1, None, mean, True)
        yield partial(np.subtract, z, mean, z)
        yield partial(np.multiply, z, z, room)
        yield partial(np.multiply, room, shares, room)
        yield partial(np.add.reduce, room, 1, None, variance, True)

    def _follow_weighted(
        self, running: tuple[Floats, Floats], newest: tuple[Floats, Floats], totals: Floats
    ) -> None:
        """Move running statistics towards those of batches of the given weights, (K, 1, 1)."""
        # A batch without weight changes nothing. A weight is a number of rows. A single row has no
        # unbiased variance, so below two rows the factor falls to 1.
        pace = self.momentum * (totals > 0)
        unbiased = np.maximum(totals, 1) / np.maximum(totals - 1, 1)
        factors = np.ones_like(unbiased), unbiased
        for statistic, found, times in zip(running, newest, factors, strict=True):
            statistic += pace * (found * times - statistic)

    def _follow(self, running: Floats, newest: Floats, times: float, room: Floats) -> None:
        """Move a running statistic towards that of the batch; ``room`` is overwritten."""
        step = room[:, :1]
        np.multiply(newest, step.dtype.type(times), out=step)
        np.subtract(step, running, out=step)
        np.multiply(step, step.dtype.type(self.momentum), out=step)
        np.add(running, step, out=running)

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        (z,), (source,) = work.inputs_of(node), work.sources_of(node)
        gamma = self.vectors(work.parameters_of(node)[0])[0]
        means, factor = self._statistics(work, node)
        grad, room = work.gradient_at(node), work.scratch(z)
        yield from self._gradients_of_vectors(work, node)
        if work.row_shares is None:
            yield from self._through_statistics(grad, z, room, means)
        else:
            yield from self._through_weighted(grad, z, room, means, work.row_shares)
        yield partial(np.multiply, grad, factor, grad)
        yield partial(np.multiply, grad, gamma, grad)
        yield from work.send_gradient(grad, source)

    def _through_weighted(
        self, grad: Floats, z: Floats, room: Floats, sums: Floats, shares: Floats
    ) -> Iterator[Call]:
        """Do the same as ``_through_statistics``, for statistics of weighted rows."""
        yield partial(np.multiply, grad, z, room)
        yield partial(np.add.reduce, room, 1, None, sums, True)
        yield partial(np.multiply, z, sums, room)
        yield partial(np.add.reduce, grad, 1, None, sums, True)
        yield partial(np.add, room, sums, room)
        yield partial(np.multiply, room, shares, room)
        yield partial(np.subtract, grad, room, grad)


class LayerNormalize(Normalize):
    """Layer normalization (Ba, Kiros & Hinton 2016): each row over its units.

    Parameters are those of :class:`Normalize`.
    """

    kind: ClassVar[str] = "layer_normalization"
    axis: ClassVar[int] = 2

    def overwrites_input(self, trains: bool) -> bool:
        return True

    def to_onnx(self, graph: OperatorGraph, inputs: Values, learned: Arrays) -> Value:
        gamma, beta = (vector[0] for vector in self.vectors(learned[0]))
        centered = inputs[0] - graph.mean(inputs[0])
        variance = graph.mean(centered * centered) + in_range(self.epsilon, graph.dtype)
        return centered / graph.op("Sqrt", variance) * gamma + beta

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        (z,), out = work.inputs_of(node), work.value_of(node)
        gamma, beta = self.vectors(work.parameters_of(node)[0])
        mean, factor = self._statistics(work, node)
        yield from self._standardize(z, out, mean, factor)
        yield from self._divide(z, factor)
        yield from self._scaled(z, gamma, beta, out)

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        (z,), (source,) = work.inputs_of(node), work.sources_of(node)
        gamma = self.vectors(work.parameters_of(node)[0])[0]
        means, factor = self._statistics(work, node)
        grad, room = work.gradient_at(node), work.scratch(z)
        yield from self._gradients_of_vectors(work, node)
        yield partial(np.multiply, grad, gamma, grad)
        yield from self._through_statistics(grad, z, room, means)
        yield partial(np.multiply, grad, factor, grad)
        yield from work.send_gradient(grad, source)
