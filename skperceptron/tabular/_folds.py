"""Folds of the training rows: each network holds one fold out."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from ..engine.arrays import Floats, Integers
from ..model_selection._held_out import Split


def drawn_folds(
    n_folds: int, codes: Integers | None, rng: np.random.RandomState, sample_weight: Floats
) -> list[Split]:
    """Draw folds of equal size with equal shares of each class, both up to one row.

    A class with a single row is never held out, so that all networks know all classes. Rows of
    weight zero are assigned separately, so that each fold has its share of rows of positive weight.
    There are at most as many folds as rows. ``codes``, (n_rows,), are the classes, from 0 on.
    Raises ValueError if fewer than two rows can be held out.
    """
    n_rows, counts = len(sample_weight), sample_weight > 0
    order = rng.permutation(n_rows)
    may_leave = np.ones(n_rows, dtype=bool)
    if codes is not None:
        order = order[np.argsort(codes[order], kind="stable")]
        n_of_class = np.bincount(codes[counts], minlength=codes.max() + 1)
        may_leave = ~counts | (n_of_class[codes] > 1)
    order = order[np.argsort(~counts[order], kind="stable")]
    n_folds = min(n_folds, int((may_leave & counts).sum()))
    if n_folds < 2:
        of_class = "" if codes is None else " of one class"
        weighted = "" if counts.all() else " with a positive weight"
        raise ValueError(
            f"n_samples={int(counts.sum())}{weighted} is too few: at least 2 samples{of_class} are"
            " needed, one to train on while the other is held out."
        )
    # Class by class, each row goes to the next fold in turn; the first row of a class goes to the
    # fold after that of the last row of the class before.
    dealt = order[may_leave[order]]
    fold = np.full(n_rows, -1)
    fold[dealt] = np.arange(len(dealt)) % n_folds
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(n_folds)]


def grouped_folds(
    n_folds: int, codes: Integers | None, groups: Any, rng: np.random.RandomState
) -> list[Split]:
    """Draw folds, at most one per group, that keep the rows of each group together.

    They are stratified by the classes, (n_rows,), as far as the groups, (n_rows,), allow. Raises
    ValueError if there are fewer than two groups.
    """
    groups = np.asarray(groups)
    if groups.ndim != 1:
        raise ValueError(f"groups must have one value for each row, got shape {groups.shape}.")
    if groups.dtype.kind in "fmM" and np.isnan(groups).any():
        raise ValueError("groups contains NaN: give each row a group.")
    try:
        n_groups = len(np.unique(groups))
    except TypeError as error:
        raise TypeError(
            "groups holds values that cannot be compared with each other, such as None beside"
            " strings: give each row a number or a string."
        ) from error
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
        # Classes with fewer rows than folds are allowed.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        return [split for split in splitter.split(rows, codes, groups) if len(split[1])]


def counting_splits(
    splits: list[Split], codes: Integers | None, sample_weight: Floats
) -> list[Split]:
    """Return the splits with positive weights among their training and among their held-out rows.

    Some of these held-out rows must be of classes that the training rows have: a network is
    validated on no others. Raises ValueError if no split remains, or if the training rows of a
    split are all of one class.
    """
    kept = []
    for number, (train, test) in enumerate(splits):
        if not all(sample_weight[rows].any() for rows in (train, test)):
            continue
        if codes is not None:
            known = np.unique(codes[train][sample_weight[train] > 0])
            if len(known) < 2:
                raise ValueError(
                    f"The training rows of split {number}, of {len(splits)}, are all of one class,"
                    " or all others have zero weight: networks need at least 2. Draw other folds,"
                    " with shares of all classes, or give their rows weight."
                )
            if not sample_weight[test][np.isin(codes[test], known)].any():
                continue
        kept.append((train, test))
    if not kept:
        raise ValueError(
            "In each split, the training rows or the held-out rows are empty, or all of their"
            " sample_weight is zero, or no held-out row is of a class of the training rows."
        )
    return kept
