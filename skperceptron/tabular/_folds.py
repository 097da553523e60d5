"""Folds of the training rows: each network holds one fold out."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from ..engine.arrays import Integers
from ..model_selection._held_out import Split

__all__ = ["drawn_folds", "grouped_folds"]


def drawn_folds(
    n_rows: int, n_folds: int, codes: Integers | None, rng: np.random.RandomState
) -> list[Split]:
    """Draw folds of equal size, to a row; each has its share of every class, to a row.

    A class with a single row is never held out, so that all networks know all classes.

    Parameters
    ----------
    n_rows : int
    n_folds : int
        There are no more folds than rows.
    codes : ndarray of int, shape (n_rows,), or None
        The classes, from 0 on.
    rng : RandomState

    Returns
    -------
    list of tuple of ndarray

    Raises
    ------
    ValueError
        If nothing can be held out.
    """
    order = rng.permutation(n_rows)
    may_leave = np.ones(n_rows, dtype=bool)
    if codes is not None:
        order = order[np.argsort(codes[order], kind="stable")]
        may_leave = np.bincount(codes)[codes] > 1
    n_folds = min(n_folds, int(may_leave.sum()))
    if n_folds < 2:
        of_class = "" if codes is None else " of one class"
        raise ValueError(
            f"n_samples={n_rows} is too few: at least 2 samples{of_class} are needed, one to"
            " train on while the other is held out."
        )
    # Class by class, rows are dealt to the folds like cards; where one class ends, the next goes
    # on with the next fold.
    dealt = order[may_leave[order]]
    fold = np.full(n_rows, -1)
    fold[dealt] = np.arange(len(dealt)) % n_folds
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(n_folds)]


def grouped_folds(
    n_folds: int, codes: Integers | None, groups: Any, rng: np.random.RandomState
) -> list[Split]:
    """Draw folds that leave groups together.

    Parameters
    ----------
    n_folds : int
        There are no more folds than groups.
    codes : ndarray of int, shape (n_rows,), or None
        The classes: their shares are kept as far as groups allow it.
    groups : array-like of shape (n_rows,)
    rng : RandomState

    Raises
    ------
    ValueError
        If there are fewer than two groups.
    """
    groups = np.asarray(groups)
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise ValueError(
            "groups has a single group: at least 2 are needed, one to train on while the other is"
            " held out."
        )
    n_folds, rows = min(n_folds, n_groups), np.arange(len(groups))
    if codes is None or np.bincount(codes).max() < n_folds:
        return list(GroupKFold(n_folds, shuffle=True, random_state=rng).split(rows, None, groups))
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=rng)
    with warnings.catch_warnings():
        # Of classes with fewer rows than folds.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        return [split for split in splitter.split(rows, codes, groups) if len(split[1])]
