"""One network of a stack: how it is trained, and what has become of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..averaging import Averaging
from ..engine.arrays import Floats, Integers
from ..losses import Loss
from ..optimizers import Optimizer
from ..schedules import Schedule


@dataclass(frozen=True)
class GroupFactors:
    """How one group of a member's parameters is trained.

    Attributes
    ----------
    places : tuple of slice
        Where the group lies in the member's vector.
    rate : float
        What multiplies the learning rate.
    decay : float
        What multiplies decoupled weight decay: 1 is what weights have, 0 what all others have.
    penalty : float
        What multiplies `alpha`: likewise.
    """

    places: tuple[slice, ...]
    rate: float
    decay: float
    penalty: float


@dataclass
class Progress:
    """The history of a fit, by which it is judged, and how the one before it went.

    Attributes
    ----------
    loss_curve : list of float
        Training loss of each epoch.
    validation_scores, validation_losses : list of float
        One per epoch where there are validation rows.
    best_loss, best_score : float
        The best of either list.
    no_improvement : int
        Epochs since the watched figure last improved by the tolerance.
    rows_seen : int
        Rows used so far, all epochs and calls together.
    earlier : dict of str to list of float
        Of each list, what earlier calls have brought: it is reported, and decides nothing.
    """

    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    best_loss: float = np.inf
    best_score: float = -np.inf
    no_improvement: int = 0
    rows_seen: int = 0
    earlier: dict[str, list[float]] = field(default_factory=dict)

    def of_this_fit(self) -> dict[str, Any]:
        """Return all but what earlier calls have brought, by name."""
        return {name: value for name, value in asdict(self).items() if name != "earlier"}

    def all_of(self, name: str) -> list[float]:
        """Return one of the lists, with that of the earlier calls before it."""
        return [*self.earlier.get(name, ()), *getattr(self, name)]


@dataclass
class Member:
    """Everything in which the networks of one stack may differ.

    Attributes
    ----------
    parameters : ndarray of shape (P,)
        At the start, and again at the end.
    loss, optimizer, schedule
        Shared objects are recognised: neighbours with the same loss are computed at once.
    learning_rate : float
        The initial rate.
    alpha : float
        Strength of the penalty.
    l1_ratio : float
        Share of the L1 norm in it; the rest is half the squared L2 norm.
    max_grad_norm : float
        Longer gradients, penalty included, are shortened to this length.
    rows : ndarray of int, shape (n,)
        The rows of the data set that this member trains on.
    rng : RandomState
        Source of the shuffles. Members of a stack that share it see the same ones.
    noise : Generator, default=None
        Source of the dropout; needed where there is any.
    sample_weight : ndarray of shape (N,), default=None
        Weights of all rows of the data set.
    shuffle : bool
        Whether each epoch visits the rows in a new order.
    n_samples : int
        How many rows an epoch counts for (``rows`` may hold equal rows merged).
    validate : callable, default=None
        Maps the parameters to score and loss on the validation rows.
    watches_score : bool
        Whether the validation score decides about stopping, not the training loss.
    restores_best : bool
        Whether the parameters with the best validation score are kept.
    max_iter, tol, n_iter_no_change
        Stopping rules, as in scikit-learn.
    max_seconds : float
        Training stops after the epoch in which this time is over.
    averaging : Averaging, default=None
        How parameters are averaged over the steps.
    groups : tuple of GroupFactors, default=()
        Parts of the vector that are trained in their own way.
    decay_schedule : Schedule, default=None
        What the optimiser's weight decay is multiplied by as time goes on, beside the rate.
    drop_last : bool
        Whether the shorter batch that would end an epoch is left out.
    progress : Progress
        The history, continued.
    current_rate : float
        The learning rate as the schedule has changed it.
    steps : int
        Optimiser steps taken.
    n_iter : int
        Epochs of this run.
    average : ndarray of shape (P,)
        The averaged parameters, to continue from, and again at the end.
    best_parameters : ndarray of shape (P,)
        Those with the best validation score.
    verdict : str
        Of the last epoch, as in :class:`~skperceptron.training.EpochReport`.
    diverged : bool
        Whether the loss or the parameters have ceased to be finite.
    failure : Exception, default=None
        What ``validate`` has raised.
    optimizer_state : dict of str to ndarray of shape (P,)
        To continue from, and again at the end.
    """

    parameters: Floats
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    learning_rate: float
    alpha: float
    rows: Integers
    rng: np.random.RandomState
    l1_ratio: float = 0.0
    max_grad_norm: float = np.inf
    noise: np.random.Generator | None = None
    sample_weight: Floats | None = None
    shuffle: bool = True
    n_samples: int = 0
    validate: Callable[[Floats], tuple[float, float]] | None = None
    watches_score: bool = True
    restores_best: bool = True
    max_iter: int = 200
    tol: float = 1e-4
    n_iter_no_change: float = 10
    max_seconds: float = np.inf
    averaging: Averaging | None = None
    groups: tuple[GroupFactors, ...] = ()
    decay_schedule: Schedule | None = None
    drop_last: bool = False
    progress: Progress = field(default_factory=Progress)
    current_rate: float = 0.0
    steps: int = 0
    n_iter: int = 0
    average: Floats | None = None
    best_parameters: Floats | None = None
    verdict: str = "go on"
    diverged: bool = False
    failure: Exception | None = None
    optimizer_state: dict[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.n_samples = self.n_samples or len(self.rows)
        self.current_rate = self.current_rate or self.learning_rate

    @property
    def is_over(self) -> bool:
        """Whether no further epoch follows."""
        return self.verdict not in ("go on", "slow down")
