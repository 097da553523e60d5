"""Importances of columns, from rows that networks have not been trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from ..engine.arrays import Floats, Integers
from ..model_selection._cross_base import BaseCrossEnsemble
from ..model_selection._held_out import HeldOutRows


def rises_of_loss(
    ensemble: BaseCrossEnsemble,
    numbers: Any,
    columns: Sequence[slice],
    truth: Any,
    sample_weight: Floats,
    n_repeats: int,
    rng: np.random.RandomState,
) -> Floats:
    """Return the increase of the loss on held-out rows when a column is shuffled, (n, n_repeats).

    ``numbers``, (N, W), are the rows that the ensemble was fitted to, in the same order. Each of
    the n slices holds columns that are shuffled together. ``truth`` is as ``described_labels`` and
    ``described_numbers`` return it.
    """
    folds = [test for _, test in ensemble.splits_]
    held = HeldOutRows(folds)
    parts = [numbers[test] for test in folds]
    truth, sample_weight = truth[held.known], sample_weight[held.known]

    def loss_of(parts: Sequence[Any]) -> float:
        blended = _held_out_predictions(ensemble, parts, held)
        if blended.shape[:2] != truth.shape:
            seen, given = blended.shape[1], truth.shape[1]
            raise ValueError(f"y has {given} targets for each row, but fit has seen {seen}.")
        return ensemble._output.judged(blended, truth, sample_weight)[1]

    usual = loss_of(parts)
    rises = np.empty((len(columns), n_repeats))
    for j, columns_of_one in enumerate(columns):
        for repeat in range(n_repeats):
            orders = [rng.permutation(part.shape[0]) for part in parts]
            shuffled = [
                _with_shuffled(part, columns_of_one, order)
                for part, order in zip(parts, orders, strict=True)
            ]
            rises[j, repeat] = loss_of(shuffled) - usual
    return rises


def _held_out_predictions(
    ensemble: BaseCrossEnsemble, parts: Sequence[Any], held: HeldOutRows
) -> Floats:
    """Return blended predictions of the held-out rows, each by members that have not seen it."""
    of_arms = []
    for temperature, members in zip(ensemble.temperatures_, ensemble.estimators_, strict=True):
        pairs = zip(members, parts, strict=True)
        values = [ensemble._tempered(member, temperature, part) for member, part in pairs]
        of_arms.append(np.concatenate(values))
    return ensemble._blend.of(held.averages(np.stack(of_arms)))


def _with_shuffled(part: Any, columns: slice, order: Integers) -> Any:
    """Return a copy of the rows in which some columns are reordered."""
    if sparse.issparse(part):
        before, after = part[:, : columns.start], part[:, columns.stop :]
        return sparse.hstack([before, part[:, columns][order], after], format="csr")
    shuffled = part.copy()
    shuffled[:, columns] = part[order, columns]
    return shuffled
