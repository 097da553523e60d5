"""One network of a stack, its recipe and its state, and the arrays of all networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from ..averaging import Averaging
from ..engine.arrays import Floats, Integers
from ..losses import Loss
from ..optimizers import Optimizer
from ..schedules import Schedule


class Verdict(Enum):
    """How training continues after an epoch, or why it has ended; the value is what files hold.

    Attributes
    ----------
    GO_ON
        Another epoch follows.
    SLOW_DOWN
        Another epoch follows, at a learning rate that was lowered instead of stopping.
    STOP
        A stopping rule, or a callback, has ended the training.
    EXHAUSTED
        That was the last allowed epoch, without convergence.
    OUT_OF_TIME
        The time limit has been reached.
    DIVERGED
        The loss or the parameters have ceased to be finite.
    FAILED
        The validation has raised an exception.
    """

    GO_ON = "go on"
    SLOW_DOWN = "slow down"
    STOP = "stop"
    EXHAUSTED = "exhausted"
    OUT_OF_TIME = "out of time"
    DIVERGED = "diverged"
    FAILED = "failed"

    @property
    def is_last(self) -> bool:
        """Whether no further epoch follows."""
        return self not in (Verdict.GO_ON, Verdict.SLOW_DOWN)


@dataclass(frozen=True)
class GroupFactors:
    """How one group of a member's parameters is trained.

    The group lies at ``places`` of the member's vector. Its factors are those of the learning rate,
    of decoupled weight decay and of `alpha`; the last two are usually 1 for weights, 0 for all
    other parameters.
    """

    places: tuple[slice, ...]
    rate: float
    decay: float
    penalty: float


@dataclass
class Progress:
    """The history of a fit, which decides when it stops, and that of earlier calls.

    Attributes
    ----------
    loss_curve : list of float
        Training loss of each epoch.
    validation_scores, validation_losses : list of float
        One per epoch where there are validation rows; NaN in epochs that are not validated.
    best_loss, best_score : float
        The best of either list.
    no_improvement : int
        Epochs since the monitored metric last improved by the tolerance.
    rows_seen : int
        Rows used so far, all epochs and calls together.
    earlier : dict of str to list of float
        The part of each list that earlier calls have added: it is only reported.
    n_earlier : int
        Epochs of earlier calls, from which ``partial_fit`` counts on.
    """

    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    best_loss: float = np.inf
    best_score: float = -np.inf
    no_improvement: int = 0
    rows_seen: int = 0
    earlier: dict[str, list[float]] = field(default_factory=dict)
    n_earlier: int = 0

    def of_this_fit(self) -> dict[str, Any]:
        """Return all attributes by name, except those of earlier calls."""
        of_earlier = ("earlier", "n_earlier")
        return {name: value for name, value in asdict(self).items() if name not in of_earlier}

    def all_of(self, name: str) -> list[float]:
        """Return one of the lists, including the part that earlier calls have added."""
        return [*self.earlier.get(name, ()), *getattr(self, name)]


@dataclass(frozen=True, eq=False, kw_only=True)
class Recipe:
    """How a member is trained: settings that training reads and never changes.

    Attributes
    ----------
    loss, optimizer, schedule
        Neighboring members that share the same loss object are computed together.
    learning_rate : float
        The initial rate.
    alpha : float
        Strength of the penalty.
    n_samples : int
        How many rows an epoch counts for (in the member's ``rows``, equal ones may be merged).
    l1_ratio : float
        Share of the L1 norm in the penalty; the rest is half the squared L2 norm.
    max_grad_norm : float
        Gradients with a larger norm, penalty included, are scaled down to this norm.
    sample_weight : ndarray of shape (N,), default=None
        Weights of all rows of the data set.
    shuffle : bool
        Whether each epoch visits the rows in a new order.
    validate : callable, default=None
        Maps the parameters to score and loss on the validation rows.
    validates_every : int
        Number of epochs from one validation to the next. Epoch ``max_iter`` is always validated.
    prefers_latest : bool
        Whether, of epochs with equal scores, the latest counts as the best one.
    monitors_loss : bool
        Whether the training loss decides about stopping although there are validation rows.
    restores_best : bool
        Whether the parameters with the best validation score are kept.
    max_iter, tol, n_iter_no_change
        Stopping rules, as in scikit-learn.
    max_seconds : float
        Training stops after the epoch in which this time is reached.
    averaging : Averaging, default=None
        How parameters are averaged over the steps.
    groups : tuple of GroupFactors, default=()
        Parts of the vector that have their own settings of training.
    decay_schedule : Schedule, default=None
        Factor of the optimizer's weight decay over time, in addition to the learning rate.
    dropout_schedule : Schedule, default=None
        Factor of the dropout rates over time.
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
    monitors_loss: bool = False
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

    @property
    def monitors_score(self) -> bool:
        """Whether validation scores, not training losses, decide when training stops."""
        return self.validate is not None and not self.monitors_loss


@dataclass(eq=False, slots=True)
class Member:
    """One network of a stack: its recipe, and all that training changes.

    It has slots, so that an attribute of the recipe cannot be set here by mistake.

    Attributes
    ----------
    recipe : Recipe
    parameters : ndarray of shape (P,)
        At the start, and again at the end.
    rows : ndarray of int, shape (n,)
        The rows of the data set that this member trains on, in the order of its last epoch.
    rng : RandomState
        Source of the shuffles. Members of a stack that share it have the same shuffles.
    noise : Generator, default=None
        Source of dropout masks; needed if there is dropout.
    progress : Progress
        The history, continued.
    current_rate : float
        The learning rate as the schedule has changed it; at the start, that of the recipe.
    steps : int
        Optimizer steps taken.
    n_iter : int
        Epochs of this run.
    optimizer_state : dict of str to ndarray of shape (P,)
        The optimizer's vectors, at the start, and again at the end.
    average : ndarray of shape (P,)
        The averaged parameters, at the start, and again at the end.
    best_parameters : ndarray of shape (P,)
        The parameters with the best validation score.
    verdict : Verdict
        Of the last epoch.
    failure : Exception, default=None
        The exception that the recipe's ``validate`` has raised.
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
    def patience_left(self) -> float:
        """For how many epochs it continues, even without an improvement."""
        return self.recipe.n_iter_no_change - self.progress.no_improvement

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


@dataclass
class Vectors:
    """What a stack has learned so far, and the state of its optimizers.

    Parameters
    ----------
    learned : ndarray of shape (V, K, P)
        The parameters, then each vector of the optimizer.
    gradient : ndarray of shape (K, P)
    state_names : sequence of str
        Of the optimizer's vectors.
    average : ndarray of shape (K, P) or None
        The averaged parameters, if some member has them.

    Attributes
    ----------
    parameters : ndarray of shape (K, P)
    state : dict of str to ndarray of shape (K, P)
        The vectors of the optimizer.
    """

    learned: Floats
    gradient: Floats
    state_names: Sequence[str]
    average: Floats | None

    def __post_init__(self) -> None:
        self.parameters: Floats = self.learned[0]
        self.state = dict(zip(self.state_names, self.learned[1:], strict=True))

    @classmethod
    def of_members(cls, members: Sequence[Member], dtype: np.dtype) -> Vectors:
        """Return the vectors with which these members start or continue."""
        names = members[0].recipe.optimizer.state_names
        shape = len(members), len(members[0].parameters)
        learned = np.empty((1 + len(names), *shape), dtype)
        average: Floats | None = None
        if any(m.recipe.averaging is not None for m in members):
            average = np.empty(shape, dtype)
        found = cls(learned, np.empty(shape, dtype), names, average)
        # Numbers too large for float32 become infinite: the training then has diverged.
        with np.errstate(over="ignore"):
            for k, member in enumerate(members):
                found.renew(k, member)
                if average is not None:
                    average[k] = member.parameters if member.average is None else member.average
        return found

    def renew(self, k: int, member: Member) -> None:
        """Copy the state of a member, except its average, into row k."""
        self.parameters[k] = member.parameters
        for name, vectors in self.state.items():
            vectors[k] = member.optimizer_state.get(name, 0)

    def of(self, members: slice | Sequence[int]) -> Vectors:
        """Return the rows of some members: as views, if they are given as a slice."""
        if isinstance(members, slice):
            learned = self.learned[:, members]
        else:
            # Indexing by a list would give another memory layout.
            learned = self.learned.take(members, axis=1)
        return Vectors(
            learned,
            self.gradient[members],
            self.state_names,
            None if self.average is None else self.average[members],
        )
