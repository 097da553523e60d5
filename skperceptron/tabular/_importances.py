"""Importances of columns, from rows that networks have not been trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from ..engine.arrays import Floats
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
    the n slices holds columns that are shuffled together, among all rows that are held out.
    ``truth`` is as ``described_labels`` and ``described_numbers`` return it.
    """
    # A row of zero weight counts as absent: others must not get its values, either.
    held = HeldOutRows([test[sample_weight[test] > 0] for _, test in ensemble.splits_])
    if not len(held.known):
        raise ValueError("All held-out rows have a weight of zero: there is no loss to compare.")
    parts = [numbers[test] for test in held.tests]
    truth, weight = truth[held.known], sample_weight[held.known]

    def loss_of(parts: Sequence[Any]) -> float:
        """Return the loss of the blend, predicted by members that were not trained on the rows."""
        of_arms = []
        for temperature, members in zip(ensemble.temperatures_, ensemble.estimators_, strict=True):
            pairs = zip(members, parts, strict=True)
            values = [
                ensemble._tempered(m, temperature, part) for m, part in pairs if part.shape[0]
            ]
            of_arms.append(np.concatenate(values))
        blended = ensemble._blend.of(held.averages(np.stack(of_arms)))
        if blended.shape[:2] != truth.shape:
            seen, given = blended.shape[1], truth.shape[1]
            raise ValueError(f"y has {given} targets for each row, but fit has seen {seen}.")
        return ensemble._output.score_and_loss(blended, truth, weight)[1]

    usual = loss_of(parts)
    starts = np.cumsum([len(test) for test in held.tests])[:-1]
    rises = np.empty((len(columns), n_repeats))
    for j, columns_of_one in enumerate(columns):
        column = numbers[:, columns_of_one]
        for repeat in range(n_repeats):
            # Not fold by fold: a fold may have a single row, or a single value of a column.
            sources = np.split(rng.permutation(held.rows), starts)
            shuffled = [
                _with_column(part, columns_of_one, column[rows])
                for part, rows in zip(parts, sources, strict=True)
            ]
            rises[j, repeat] = loss_of(shuffled) - usual
    return rises


def _with_column(part: Any, columns: slice, values: Any) -> Any:
    """Return a copy of the rows in which some columns have other values."""
    if sparse.issparse(part):
        return sparse.hstack(
            [part[:, : columns.start], values, part[:, columns.stop :]], format="csr"
        )
    changed = part.copy()
    changed[:, columns] = values
    return changed
