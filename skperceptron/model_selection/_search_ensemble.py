"""The best combination of the networks that a search has fitted: ``refit="ensemble"``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import indexable

from .._sklearn.compat import num_samples
from ..estimators.splits import counted_from_0
from ._cross_base import BaseCrossEnsemble, divided_params, weight_in
from ._cross_ensemble import StackedCrossEnsembleClassifier, StackedCrossEnsembleRegressor
from ._held_out import FittedMember, combined
from ._outputs import MeanOutput, ProbabilityOutput
from ._parallel import SearchRecord

#: How many candidates are combined: those with the least loss on held-out rows. Log loss on iris,
#: wine and breast cancer (geometric mean of 4 seeds, 30 random candidates x 5 folds): the best one
#: refitted .071, greedy selection .056, the best 3, 5 and 10 with weights .055, .055 and .058, all
#: with weights .060. On wine, greedy selection among few early-stopped candidates chose a single
#: one: .265, while weights gave .051.
N_BEST = 5


def record_for(search: Any, y: Any) -> SearchRecord:
    """Return an empty ``SearchRecord`` for a search; raise ValueError if y is None."""
    owner = f"{type(search).__name__}(refit='ensemble')"
    if y is None:
        raise ValueError(f"{owner} needs y: it weights candidates by how well they predict it.")
    output = ProbabilityOutput if is_classifier(search.estimator) else MeanOutput
    return SearchRecord(output.method, partial(output.check_member, owner))


def ensemble_of(
    search: Any, record: SearchRecord, X: Any, y: Any, params: dict[str, Any]
) -> BaseCrossEnsemble:
    """Return the best ensemble of the candidates of a fitted search.

    ``record`` holds the members that it has fitted; the data and ``params`` are those of its
    ``fit``.
    """
    start = time.perf_counter()
    n = search.n_splits_
    splits = [counted_from_0(split, num_samples(X)) for split in record.splits[:n]]
    arms: list[dict[str, Any]] = []
    members: list[Sequence[FittedMember]] = []
    for i, arm in enumerate(search.cv_results_["params"]):
        of_arm = [member for member in record.members[i * n : i * n + n] if member is not None]
        if len(of_arm) == n:
            arms.append(arm)
            members.append(of_arm)
    if not arms:
        raise ValueError(
            f"{type(search).__name__}(refit='ensemble') combines candidates that were fitted on"
            " all splits, but each has failed on at least one."
        )
    X, y = indexable(X, y)
    ensemble = _unfitted(search, y, splits)
    output, y, truth = ensemble._described(y)
    weight = weight_in(divided_params(search, params)[0], search.estimator, X)
    found = combined(
        output, members, splits, truth, weight, replace(ensemble._rules(), n_best=N_BEST)
    )
    chosen = np.flatnonzero(found.blend.weights)
    arms, members = [arms[i] for i in chosen], [members[i] for i in chosen]
    ensemble.param_grid = [{name: [value] for name, value in arm.items()} for arm in arms]
    ensemble._take(arms, splits, members, output, found.of(chosen))
    search.refit_time_ = time.perf_counter() - start
    return ensemble


def _unfitted(search: Any, y: Any, splits: list[tuple[Any, Any]]) -> BaseCrossEnsemble:
    """Return an ensemble with the options of a search."""
    classifies, cv = is_classifier(search.estimator), search.cv
    # An iterator yields pairs of training and test rows only once.
    cv = splits if hasattr(cv, "__iter__") else check_cv(cv, y, classifier=classifies)
    kind = StackedCrossEnsembleClassifier if classifies else StackedCrossEnsembleRegressor
    return kind(clone(search.estimator), {}, cv=cv, restore_best=False, n_jobs=search.n_jobs)
