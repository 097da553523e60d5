"""Importances of columns, from rows that networks have not been trained on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

from ..engine.arrays import Floats, Integers
from ..model_selection._cross_base import BaseCrossEnsemble, loss_of_held_out
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
    # A row of zero weight is as good as absent: others must not get its values, either.
    held = HeldOutRows([test[sample_weight[test] > 0] for _, test in ensemble.splits_])
    if not len(held.known):
        raise ValueError("All rows that are held out have a weight of zero: nothing can be judged.")
    parts = [numbers[test] for test in held.tests]
    loss_of = partial(
        loss_of_held_out, ensemble, held, truth=truth[held.known], weight=sample_weight[held.known]
    )
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


def _with_shuffled(part: Any, columns: slice, order: Integers) -> Any:
    """Return a copy of the rows in which some columns are reordered."""
    if sparse.issparse(part):
        before, after = part[:, : columns.start], part[:, columns.stop :]
        return sparse.hstack([before, part[:, columns][order], after], format="csr")
    shuffled = part.copy()
    shuffled[:, columns] = part[order, columns]
    return shuffled
