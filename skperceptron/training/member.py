"""One network of a stack: how it is trained, and what has become of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..engine.arrays import Floats, Integers
from ..losses import Loss
from ..optimizers import Optimizer
from ..schedules import Schedule


@dataclass
class Progress:
    """The history that later calls of a warm start go on from.

    Attributes
    ----------
    loss_curve : list of float
        Training loss of each epoch.
    validation_scores : list of float
        One per epoch where a part of the data is held out.
    best_loss, best_score : float
        The best of either list.
    no_improvement : int
        Epochs since the watched figure last improved by the tolerance.
    rows_seen : int
        Rows used so far, all epochs together.
    """

    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    best_loss: float = np.inf
    best_score: float = -np.inf
    no_improvement: int = 0
    rows_seen: int = 0


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
        Strength of the L2 penalty.
    rows : ndarray of int, shape (n,)
        The rows of the data set that this member trains on.
    rng : RandomState
        Source of the shuffles. Members of a stack that share it see the same ones.
    sample_weight : ndarray of shape (N,), default=None
        Weights of all rows of the data set.
    shuffle : bool
        Whether each epoch visits the rows in a new order.
    n_samples : int
        How many rows an epoch counts for (``rows`` may hold equal rows merged).
    score : callable, default=None
        Maps the parameters to a validation score; presence means early stopping.
    max_iter, tol, n_iter_no_change
        Stopping rules, as in scikit-learn.
    progress : Progress
        The history, continued.
    current_rate : float
        The learning rate as the schedule has changed it.
    steps : int
        Optimiser steps taken.
    n_iter : int
        Epochs of this run.
    best_parameters : ndarray of shape (P,)
        Those with the best validation score.
    diverged : bool
        Whether the loss or the parameters have ceased to be finite.
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
    sample_weight: Floats | None = None
    shuffle: bool = True
    n_samples: int = 0
    score: Callable[[Floats], float] | None = None
    max_iter: int = 200
    tol: float = 1e-4
    n_iter_no_change: float = 10
    progress: Progress = field(default_factory=Progress)
    current_rate: float = 0.0
    steps: int = 0
    n_iter: int = 0
    best_parameters: Floats | None = None
    diverged: bool = False
    optimizer_state: dict[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.n_samples = self.n_samples or len(self.rows)
        self.current_rate = self.current_rate or self.learning_rate
