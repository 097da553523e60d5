"""The work of a worker: it holds a share of the rows, and computes gradients or epochs on it.

The public functions here are Dask tasks. Their results depend only on their arguments, so that Dask
can run them again on another worker if one dies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil
from time import perf_counter
from typing import Any

import numpy as np

from ..engine import Network
from ..engine.arrays import Floats, Integers
from ..estimators.categories import checked_rows
from ..estimators.data import refuse_sparse_embedding
from ..training import Member, Recipe, Stack, TrainingSet
from ..training.groups import Groups
from ..training.member import Vectors
from ..training.plan import Plan
from ..training.scalars import Scalars
from ..training.step import BoundStep, Record, Shared
from ..training.window import RowWeights, Window
from ._blocks import put_together, refuse_other_rows

#: Most rows whose gradients are computed at a time.
LARGEST = 1024


@dataclass(frozen=True, eq=False)
class Job:
    """The settings with which all shares are trained.

    The recipe is without sample weights and validation, and the target is complete. The seed is
    that of shuffles and dropout on the workers. ``checker`` is an estimator that knows the features
    and categories, and checks X.
    """

    network: Network
    recipe: Recipe
    target: Any
    dtype: np.dtype
    batch_size: int
    seed: int
    checker: Any


@dataclass(frozen=True, eq=False)
class Share:
    """The rows of one worker, with targets in the dtype of the arithmetic and weights, (n,)."""

    job: Job
    number: int
    data: TrainingSet
    weight: Floats | None

    def __reduce__(self) -> Any:
        # The buffers of the portions are not sent.
        return Share, (self.job, self.number, self.data, self.weight)

    @cached_property
    def portions(self) -> Portions:
        """The object that computes gradients of these rows."""
        return Portions(self.job.network, self.job.recipe, self.data, self.job.dtype)

    def __sizeof__(self) -> int:
        # Dask prefers to run a task where its data are if these are large.
        return self.data.n_rows * (self.data.X[:1].nbytes if not self.data.is_sparse else 64)

    def seed_at(self, *place: int) -> np.random.SeedSequence:
        """Return the seed of the random numbers of a step or a round."""
        return np.random.SeedSequence([self.job.seed, self.number, *place])


def make_share(job: Job, number: int, weight: Floats | None, X: list[Any], y: list[Any]) -> Share:
    """Check blocks and concatenate them; ``weight`` has the shape (n,).

    Raises ValueError if X is invalid, or has another number of rows than y.
    """
    for rows, targets in zip(X, y, strict=True):
        refuse_other_rows(rows, targets)
    checked = [checked_rows(job.checker, rows) for rows in X]
    refuse_sparse_embedding(job.checker, checked[0])
    targets = job.target.encode_validation(np.concatenate([np.asarray(part) for part in y]))
    data = TrainingSet(put_together(checked), targets.astype(job.dtype))
    return Share(job, number, data, weight)


@dataclass(frozen=True)
class Answer:
    """The result of a task, and how long it took.

    The loss is the sum over the rows, or the mean loss of an epoch; the rate is the learning rate
    at its start.
    """

    arrays: dict[str, Floats]
    loss: float
    seconds: float
    steps: int = 1
    rate: float = 0.0


def gradient_on(
    share: Share,
    parameters: Floats,
    rows: Integers,
    factor: Floats | float,
    place: tuple[int, int],
    noise_share: float | None,
) -> Answer:
    """Return the sum of the gradients of some rows, (n,), at parameters of shape (P,).

    ``factor`` is the weight of each row in the batch, (n,) or one number; ``place`` epoch and step,
    which seed dropout; ``noise_share`` the factor of the dropout rates.
    """
    began = perf_counter()
    seed = share.seed_at(*place)
    gradient, loss = share.portions.gradient(parameters, rows, factor, seed, noise_share)
    return Answer({"gradient": gradient}, loss, perf_counter() - began)


def train_round(
    share: Share,
    arrays: Mapping[str, Floats],
    current_rate: float,
    epoch: int,
    rows_seen: int,
) -> Answer:
    """Train a network on the rows of a share for one epoch, counted from 0.

    ``arrays`` are its state: its parameters, their average, the state of the optimizer.
    ``rows_seen`` counts rows before this epoch, on all shares.
    """
    began = perf_counter()
    job, n_rows = share.job, share.data.n_rows
    recipe = replace(job.recipe, n_samples=n_rows, sample_weight=share.weight)
    seeds = share.seed_at(epoch).spawn(2)
    member = Member(
        recipe,
        arrays["parameters"],
        np.arange(n_rows),
        np.random.RandomState(np.random.MT19937(seeds[0])),
        np.random.default_rng(seeds[1]),
    )
    member.current_rate, member.n_iter = current_rate, epoch
    member.progress.rows_seen = rows_seen
    member.average = arrays.get("average")
    member.optimizer_state = {
        name: arrays[name] for name in recipe.optimizer.state_names if name in arrays
    }
    size = min(job.batch_size, n_rows)
    # All epochs have the same number of steps.
    n_steps = n_rows // size if recipe.drop_last else ceil(n_rows / size)
    member.steps = epoch * n_steps
    stack = Stack(job.network, [member], share.data, size, job.dtype)
    (loss,) = stack.run_epoch().tolist()
    stack.publish(0)
    found = {"parameters": member.parameters, **member.optimizer_state}
    if member.average is not None:
        found["average"] = member.average
    return Answer(found, loss, perf_counter() - began, n_steps, member.current_rate)


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
        self._window = Window(recipes, [data], size, network.n_outputs, dtype, weights, [0])
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
