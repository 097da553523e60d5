"""Gradients of varying numbers of rows, computed in buffers of a few sizes."""

from __future__ import annotations

import numpy as np

from ..engine import Network
from ..engine.arrays import Floats, Integers
from ..training import Member, Recipe, TrainingSet
from ..training.groups import Groups
from ..training.plan import Plan
from ..training.row_weights import RowWeights
from ..training.scalars import Scalars
from ..training.step import BoundStep, Record, Shared
from ..training.vectors import Vectors
from ..training.window import Window

#: Maximum number of rows computed at a time.
LARGEST = 1024


class Portions:
    """Computes gradients of any rows of a share, however many they are.

    The number of rows in a portion is a power of two; those that only fill it up have no weight.
    The targets in ``data`` have the dtype of the arithmetic.
    """

    def __init__(
        self, network: Network, recipe: Recipe, data: TrainingSet, dtype: np.dtype
    ) -> None:
        self._network, self._data, self._dtype = network, data, dtype
        noise = np.random.default_rng(0)
        empty = np.zeros(network.n_parameters)
        no_rows = np.empty(0, dtype=np.intp)
        self._member = Member(recipe, empty, no_rows, np.random.RandomState(0), noise)
        self._vectors = Vectors.of_members([self._member], dtype)
        self._made: dict[int, _Portion] = {}

    def gradient(
        self,
        parameters: Floats,
        rows: Integers,
        factor: Floats | float,
        seed: np.random.SeedSequence,
        noise_share: float | None,
    ) -> tuple[Floats, float]:
        """Return the sums of gradients, (P,), and losses of rows, each row times its factor.

        The seed is that of dropout, and ``noise_share`` a factor of its rates.
        """
        self._vectors.parameters[0] = parameters
        assert self._member.noise is not None
        self._member.noise.bit_generator.state = np.random.default_rng(seed).bit_generator.state
        total, loss = np.zeros(self._network.n_parameters, dtype=self._dtype), 0.0
        factors = np.broadcast_to(factor, rows.shape)
        # Overflow is either harmless, as in a sigmoid, or detected by the client.
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(rows), LARGEST):
                part = slice(start, start + LARGEST)
                portion = self._portion(len(rows[part]))
                loss += portion.run(rows[part], factors[part], noise_share)
                total += self._vectors.gradient[0]
        return total, loss

    def _portion(self, n_rows: int) -> _Portion:
        size = 1 << (n_rows - 1).bit_length()
        if size not in self._made:
            self._made[size] = _Portion(
                self._network, self._member, self._data, self._vectors, size
            )
        return self._made[size]


class _Portion:
    """The calls that compute the gradient of ``size`` rows, and their buffers.

    The parameters of ``vectors`` are read, and its gradient is written.
    """

    def __init__(
        self, network: Network, member: Member, data: TrainingSet, vectors: Vectors, size: int
    ) -> None:
        recipes, dtype = [member.recipe], vectors.parameters.dtype
        groups = Groups(recipes, network.n_parameters, network.n_weights)
        plan = Plan([size], size, size)
        weights, self._scalars = RowWeights(recipes, plan), Scalars([member], plan, groups, dtype)
        self._window = Window(recipes, [data], size, network.n_outputs, dtype, weights)
        record = Record.of_epoch(1, 1)
        shared = Shared(network, [member], [data], vectors, groups, self._scalars, weights, record)
        self._bound = BoundStep(shared, slice(0, 1), size)
        window = self._window
        self._factor = np.zeros((1, size, 1), dtype)
        self._calls = [
            *self._bound.gather_calls(window.order),
            *self._bound.gradient_calls(window.y, window.raw, self._factor),
        ]
        self._targets, self._loss = data.targets, member.recipe.loss

    def run(self, rows: Integers, factor: Floats, noise_share: float | None) -> float:
        """Write the gradient of some rows; return the sum of their losses."""
        n_rows, window = len(rows), self._window
        window.order[0, :n_rows] = rows
        window.order[0, n_rows:] = rows[0]
        self._factor[0, :n_rows, 0] = factor
        self._factor[0, n_rows:] = 0
        self._targets.take(window.order, window.y)
        if noise_share is not None and self._scalars.noise_shares is not None:
            self._scalars.noise_shares[:] = noise_share
            self._bound.announce(0)
        for call in self._calls:
            call()
        losses = self._loss.losses(window.raw[0, :n_rows], window.y[0, :n_rows])
        return float(np.dot(losses, factor))
