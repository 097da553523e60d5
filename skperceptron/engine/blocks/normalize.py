"""The base of batch and layer normalisation."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Call, Floats, in_range
from .base import Bench, Block, LearnedArray


class Normalize(Block):
    r"""Base of both normalisations: :math:`\gamma \hat z + \beta`, gamma and beta learned.

    Training writes the standardised :math:`\hat z` over z, where the backward pass reads it. The
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
        share = z.dtype.type(1 / z.shape[self.axis])
        yield partial(np.add.reduce, z, self.axis, None, mean, True)
        yield partial(np.multiply, mean, share, mean)
        yield partial(np.subtract, z, mean, z)
        yield partial(np.multiply, z, z, room)
        yield partial(np.add.reduce, room, self.axis, None, variance, True)
        yield partial(np.multiply, variance, share, variance)

    def _inverted(self, variance: Floats) -> Iterator[Call]:
        """Turn variances into factors, in place: ``1 / sqrt(variance + epsilon)``."""
        yield partial(np.add, variance, in_range(self.epsilon, variance.dtype), variance)
        yield partial(np.sqrt, variance, variance)
        yield partial(np.reciprocal, variance, variance)

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
        # Optimisers step along the whole gradient, and calculate in its array. Running statistics
        # must not move with a step: their part is set to zero again each time.
        yield from (partial(vector.fill, 0) for vector in of_statistics)

    def _through_statistics(
        self, grad: Floats, z: Floats, room: Floats, means: Floats
    ) -> Iterator[Call]:
        """Turn the gradient of the standardised z into that of z, except for the factor.

        Every z also moves the mean and the variance that all of them are standardised with. With
        averages over the axis of the statistics, the formula is
        ``grad - mean(grad) - z * mean(grad * z)``.
        """
        share = grad.dtype.type(1 / grad.shape[self.axis])
        yield partial(np.multiply, grad, z, room)
        yield partial(np.add.reduce, room, self.axis, None, means, True)
        yield partial(np.multiply, means, share, means)
        yield partial(np.multiply, z, means, room)
        yield partial(np.add.reduce, grad, self.axis, None, means, True)
        yield partial(np.multiply, means, share, means)
        yield partial(np.subtract, grad, room, grad)
        yield partial(np.subtract, grad, means, grad)
