"""Batch normalisation: each unit over the rows of the batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from ..arrays import Call, Floats
from .base import Bench
from .normalize import Normalize


class BatchNormalize(Normalize):
    """Batch normalisation (Ioffe & Szegedy 2015): each unit over the rows of the batch.

    Predictions use running statistics. These stand behind gamma and beta in the member's
    vector with a gradient of zero, so that whatever keeps, averages or restores
    parameters does so with them.

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

    def __init__(self, units: int, epsilon: float, momentum: float) -> None:
        super().__init__(units, epsilon)
        self.momentum = momentum

    def factor_and_shift(self, learned: Sequence[Floats]) -> tuple[Floats, Floats]:
        gamma, beta, mean, variance = self.vectors(learned[0])
        factor = gamma / np.sqrt(variance + variance.dtype.type(self.epsilon))
        return factor, beta - mean * factor

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        (z,), out = work.inputs_of(node), work.value_of(node)
        gamma, beta, running_mean, running_variance = self.vectors(work.parameters_of(node)[0])
        if not work.trains:
            yield from self._scaled(z, *self.factor_and_shift(work.parameters_of(node)), out)
            return
        mean, factor = self._statistics(work, node)
        yield from self._standardize(z, out, mean, factor)
        yield partial(self._follow, running_mean, mean, 1.0, out)
        n_rows = z.shape[1]
        # The unbiased variance; of a single row there is none.
        yield partial(self._follow, running_variance, factor, n_rows / max(1, n_rows - 1), out)
        yield from self._inverted(factor)
        yield partial(np.multiply, z, factor, z)
        yield from self._scaled(z, gamma, beta, out)

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
        yield from self._through_statistics(grad, z, room, means)
        yield partial(np.multiply, grad, factor, grad)
        yield partial(np.multiply, grad, gamma, grad)
        yield from work.send_gradient(grad, source)
