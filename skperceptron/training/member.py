"""One network of a stack: how it is trained (a recipe), and what has become of it so far."""

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
from .verdict import Verdict


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
        One per epoch where there are validation rows; NaN in epochs that are not validated.
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


@dataclass(frozen=True, eq=False, kw_only=True)
class Recipe:
    """How a member is trained: what training reads, and never changes.

    Attributes
    ----------
    loss, optimizer, schedule
        Shared objects are recognised: neighbours with the same loss are computed at once.
    learning_rate : float
        The initial rate.
    alpha : float
        Strength of the penalty.
    n_samples : int
        How many rows an epoch counts for (the member's ``rows`` may hold equal rows merged).
    l1_ratio : float
        Share of the L1 norm in the penalty; the rest is half the squared L2 norm.
    max_grad_norm : float
        Longer gradients, penalty included, are shortened to this length.
    sample_weight : ndarray of shape (N,), default=None
        Weights of all rows of the data set.
    shuffle : bool
        Whether each epoch visits the rows in a new order.
    validate : callable, default=None
        Maps the parameters to score and loss on the validation rows.
    validates_every : int
        The epochs between two validations. The last epoch is always validated.
    prefers_latest : bool
        Whether, of epochs with equal scores, the latest counts as the best one.
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
    dropout_schedule : Schedule, default=None
        What dropout rates are multiplied by as time goes on.
    drop_last : bool
        Whether the shorter batch that would end an epoch is left out.
    """

    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    learning_rate: float
    alpha: float
    n_samples: int
    l1_ratio: float = 0.0
    max_grad_norm: float = np.inf
    sample_weight: Floats | None = None
    shuffle: bool = True
    validate: Callable[[Floats], tuple[float, float]] | None = None
    validates_every: int = 1
    prefers_latest: bool = False
    watches_score: bool = True
    restores_best: bool = True
    max_iter: int = 200
    tol: float = 1e-4
    n_iter_no_change: float = 10
    max_seconds: float = np.inf
    averaging: Averaging | None = None
    groups: tuple[GroupFactors, ...] = ()
    decay_schedule: Schedule | None = None
    dropout_schedule: Schedule | None = None
    drop_last: bool = False


@dataclass(eq=False, slots=True)
class Member:
    """One network of a stack: its recipe, and all that training changes.

    It has no other attributes: one of the recipe cannot be set here by mistake.

    Attributes
    ----------
    recipe : Recipe
    parameters : ndarray of shape (P,)
        At the start, and again at the end.
    rows : ndarray of int, shape (n,)
        The rows of the data set that this member trains on, as it has last visited them.
    rng : RandomState
        Source of the shuffles. Members of a stack that share it see the same ones.
    noise : Generator, default=None
        Source of the dropout; needed where there is any.
    progress : Progress
        The history, continued.
    current_rate : float
        The learning rate as the schedule has changed it; at the start, that of the recipe.
    steps : int
        Optimiser steps taken.
    n_iter : int
        Epochs of this run.
    optimizer_state : dict of str to ndarray of shape (P,)
        To continue from, and again at the end.
    average : ndarray of shape (P,)
        The averaged parameters, to continue from, and again at the end.
    best_parameters : ndarray of shape (P,)
        Those with the best validation score.
    verdict : Verdict
        Of the last epoch.
    failure : Exception, default=None
        What the recipe's ``validate`` has raised.
    """

    recipe: Recipe
    parameters: Floats
    rows: Integers
    rng: np.random.RandomState
    noise: np.random.Generator | None = None
    progress: Progress = field(default_factory=Progress)
    current_rate: float = 0.0
    steps: int = 0
    n_iter: int = 0
    optimizer_state: dict[str, Floats] = field(default_factory=dict)
    average: Floats | None = None
    best_parameters: Floats | None = None
    verdict: Verdict = Verdict.GO_ON
    failure: Exception | None = None

    def __post_init__(self) -> None:
        self.current_rate = self.current_rate or self.recipe.learning_rate

    @property
    def is_over(self) -> bool:
        """Whether no further epoch follows."""
        return self.verdict.is_last

    @property
    def validates_next(self) -> bool:
        """Whether the epoch that is about to end, or has just ended, is validated."""
        recipe, epoch = self.recipe, self.n_iter + 1
        if recipe.validate is None:
            return False
        return epoch % recipe.validates_every == 0 or epoch >= recipe.max_iter

    @property
    def diverged(self) -> bool:
        """Whether the loss or the parameters have ceased to be finite."""
        return self.verdict is Verdict.DIVERGED
