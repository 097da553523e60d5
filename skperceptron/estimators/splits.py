"""Rows that are held out of training: how they are drawn."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from .._sklearn.checks import refuse_other_libraries, renaming
from .._sklearn.compat import column_or_1d
from .._sklearn.generators import state_as_key
from ..engine.arrays import Floats, Integers
from ..options import is_number

#: Splits of one data set are kept as long as they have at most this many rows in total (8 MB).
KEPT_ROWS = 2**20


def counted_from_0(split: Any, n_rows: int) -> tuple[Integers, Integers]:
    """Return both parts of a split, given as positions or booleans, as positions from 0 on.

    They are read-only, and so need no copy if they are given to this function again. Raises
    ValueError for a split of another number of rows.
    """
    train, held_out = (_counted_from_0(part, n_rows) for part in split)
    return train, held_out


def _counted_from_0(part: Any, n_rows: int) -> Integers:
    if isinstance(part, np.ndarray):
        is_plain = part.ndim == 1 and part.dtype == np.intp and not part.flags.writeable
        if is_plain and part.size and part.min() >= 0 and part.max() < n_rows:
            return part
    elif not isinstance(part, slice):
        part = list(part)
    try:
        counted = np.arange(n_rows)[part]
    except IndexError as error:
        raise ValueError(f"A split does not fit the {n_rows} rows of X: {error}.") from error
    counted.flags.writeable = False
    return counted


def split(
    n_rows: int, fraction: float, labels: Integers | None, rng: np.random.RandomState
) -> tuple[Integers, Integers]:
    """Draw rows to train on and rows to validate on, as scikit-learn does.

    With labels, (n_rows,), the split is stratified. scikit-learn refuses labels that occur in a
    single row, and parts with fewer rows than there are labels; here, each label then keeps at
    least one row to be trained on.
    """
    if labels is not None:
        counts = np.bincount(labels)
        n_held_out = ceil(fraction * n_rows)
        n_labels = np.count_nonzero(counts)
        smallest_part = min(n_held_out, n_rows - n_held_out)
        if counts[counts > 0].min() < 2 or smallest_part < n_labels:
            return _split_nearly_in_proportion(labels, counts, n_held_out, rng)
    rows, held_out = train_test_split(
        np.arange(n_rows), test_size=fraction, random_state=rng, stratify=labels
    )
    return rows, held_out


def _split_nearly_in_proportion(
    labels: Integers, counts: Integers, n_held_out: int, rng: np.random.RandomState
) -> tuple[Integers, Integers]:
    """Hold out rows nearly in proportion to the labels; at least one of each is trained on."""
    spare = np.maximum(counts - 1, 0)
    n_held_out = min(n_held_out, spare.sum())
    wanted = spare * (n_held_out / max(1, spare.sum()))
    taken = np.floor(wanted).astype(np.intp)
    # Labels with the largest remainders get the rows that rounding has left; ties are random.
    order = np.lexsort((rng.random_sample(len(counts)), taken - wanted))
    taken[order[: n_held_out - taken.sum()]] += 1
    shuffled = rng.permutation(len(labels))
    by_label = np.argsort(labels[shuffled], kind="stable")
    # How many rows of its label come before each row.
    place = np.empty(len(labels), dtype=np.intp)
    place[by_label] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    is_held_out = place < taken[labels[shuffled]]
    return shuffled[~is_held_out], shuffled[is_held_out]


@dataclass(frozen=True, eq=False)
class SplitRules:
    """What decides which rows are held out.

    ``fraction`` is the parameter `validation_fraction`; a splitter receives X and y, which have
    been checked. The split is stratified by the labels, (n_rows,), unless a splitter or the user's
    groups decide. ``weight`` has the shape (n_rows,).
    """

    fraction: Any
    X: Any
    y: Any
    labels: Integers | None = None
    groups: Any = None
    weight: Floats | None = None

    def draw(self, rng: np.random.RandomState) -> tuple[Integers, Integers]:
        """Draw rows to train on and rows to validate on; refuse parts that are too small."""
        if not self.fraction:
            raise ValueError(
                f"validation_fraction={self.fraction!r} must be in the range (0.0, 1.0)"
                " if early_stopping=True."
            )
        rows, held_out = self._parts(rng)
        if len(held_out) < 2 or not len(rows):
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' "
                "or the size of your dataset."
            )
        weight = self.weight
        if weight is None or (weight[rows].any() and weight[held_out].any()):
            return rows, held_out
        part = "validation" if weight[rows].any() else "training"
        raise ValueError(
            f"With early_stopping=True, all rows of the {part} set have a weight of zero. Leave out"
            " rows of weight zero, or pass X_val and y_val."
        )

    def _parts(self, rng: np.random.RandomState) -> tuple[Integers, Integers]:
        n_rows, groups = self.X.shape[0], None
        if self.groups is not None:
            refuse_other_libraries(self.groups, "groups")
            with renaming("y", "groups"):
                groups = column_or_1d(self.groups)
            if len(groups) != n_rows:
                raise ValueError(f"groups has {len(groups)} entries, X has {n_rows} rows.")
        try:
            if hasattr(self.fraction, "split"):
                *_, parts = self.fraction.split(self.X, self.y, groups)
            elif groups is None:
                return split(n_rows, self.fraction, self.labels, rng)
            else:
                splitter = GroupShuffleSplit(1, test_size=self.fraction, random_state=rng)
                *_, parts = splitter.split(self.X, self.y, groups)
            return counted_from_0(parts, n_rows)
        except (IndexError, TypeError, ValueError) as error:
            what = "rows" if groups is None else "groups"
            raise ValueError(
                f"validation_fraction={self.fraction!r} cannot hold {what} out: {error}"
            ) from error


class SplitCache:
    """Splits of one data set, shared by networks that would draw the same ones.

    A stratified split takes longer than training a small network for ten epochs, and most
    candidates of a search start with the same seed.
    """

    def __init__(self) -> None:
        self._found: dict[Hashable, tuple[tuple[Integers, Integers], Any]] = {}

    def draw(self, rules: SplitRules, rng: np.random.RandomState) -> tuple[Integers, Integers]:
        """Return what ``SplitRules.draw`` does; advance the generator in the same way."""
        if not is_number(rules.fraction) or rules.groups is not None:
            # Splitters may have generators of their own.
            return rules.draw(rng)
        key = rules.fraction, state_as_key(rng)
        if key not in self._found:
            if (len(self._found) + 1) * rules.X.shape[0] > KEPT_ROWS:
                self._found.clear()
            parts = rules.draw(rng)
            self._found[key] = parts, rng.get_state(legacy=False)
        (rows, held_out), after = self._found[key]
        rng.set_state(after)
        return rows.copy(), held_out
