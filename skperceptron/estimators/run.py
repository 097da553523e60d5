"""A network that is ready to be trained, and where its results are stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engine.arrays import Integers
from ..training import Member, TrainingSet
from .advice import NamedRows
from .continuation import Continuation
from .held_out import Validation
from .model import Model
from .reporting import warn_unconverged, was_planned


@dataclass(frozen=True, eq=False)
class Run:
    """A network that is to be trained, and everything that its training needs.

    The results are stored on the estimator. The member has its recipe and its initial parameters.
    If it is incremental, it is one epoch of ``partial_fit``, which others may follow.
    """

    estimator: Any
    model: Model
    member: Member
    data: TrainingSet
    is_incremental: bool

    @property
    def batch_rows(self) -> int:
        """Rows of a batch."""
        return self.model.choices.batch_rows(self.member.recipe.n_samples)

    @property
    def named_rows(self) -> NamedRows:
        """The training data, as warnings use it."""
        return NamedRows.of(self.estimator, self.data.X)

    def cross_fit(self) -> None:
        """Note what ``Validation.cross_fitted`` needs, if held-out rows choose the epoch."""
        recipe = self.member.recipe
        chooses_epoch = recipe.monitors_score and recipe.restores_best
        if chooses_epoch and isinstance(recipe.validate, Validation):
            recipe.validate.cross_fit(recipe.prefers_latest)

    def cross_fitted(self, method: str) -> list[tuple[Integers, Any]]:
        """Return places among the validation rows, and what a method predicts there.

        See :class:`~.CrossFitting`. There are none unless ``cross_fit`` was called before training.
        """
        validate = self.member.recipe.validate
        return list(validate.cross_fitted(method)) if isinstance(validate, Validation) else []

    def finish(self) -> None:
        """Check the result of stochastic training, and store it on the estimator.

        Raises DivergedError if a loss or a parameter is no longer finite.
        """
        member = self.member
        if member.failure is not None:
            raise member.failure
        if member.diverged or not np.isfinite(member.parameters).all():
            self.model.refuse_diverged()
        if not was_planned(member):
            losses = member.progress.loss_curve
            warn_unconverged(member.verdict, self.model.choices, losses, self.named_rows)
        self.keep(self.estimator)

    def keep(self, estimator: Any) -> None:
        """Store the results of stochastic training so far on the estimator, or on a copy of it."""
        member, recipe, progress = self.member, self.member.recipe, self.member.progress
        monitors_score = recipe.monitors_score
        is_validated = recipe.validate is not None
        predicting = member.parameters if member.average is None else member.average
        if member.best_parameters is not None:
            predicting = member.best_parameters
        later = Continuation.of(member, estimator.random_state, estimator._later.noise)
        estimator._store_fitted(self.model.fitted(predicting))
        estimator._later = later
        estimator.loss_curve_ = progress.all_of("loss_curve")
        estimator.loss_ = progress.loss_curve[-1] if progress.loss_curve else np.inf
        estimator.best_loss_ = None if monitors_score else progress.best_loss
        scores, losses = map(progress.all_of, ("validation_scores", "validation_losses"))
        estimator.validation_scores_ = scores if is_validated else None
        estimator.validation_loss_curve_ = losses if is_validated else None
        estimator.best_validation_score_ = progress.best_score if monitors_score else None
        estimator.n_iter_ = member.n_iter
        estimator.t_ = progress.rows_seen
