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
from ._blocks import put_together, refuse_other_rows
from ._portion import Portions


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
        """What computes gradients of these rows."""
        return Portions(self.job.network, self.job.recipe, self.data, self.job.dtype)

    def __sizeof__(self) -> int:
        # Dask prefers to run a task where its data are if these are large.
        return self.data.n_rows * (self.data.X[:1].nbytes if not self.data.is_sparse else 64)

    def generator(self, *place: int) -> np.random.SeedSequence:
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
    seed = share.generator(*place)
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

    ``arrays`` are its state: its parameters, their average, the state of the optimiser.
    ``rows_seen`` counts rows before this epoch, on all shares.
    """
    began = perf_counter()
    job, n_rows = share.job, share.data.n_rows
    recipe = replace(job.recipe, n_samples=n_rows, sample_weight=share.weight)
    seeds = share.generator(epoch).spawn(2)
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
