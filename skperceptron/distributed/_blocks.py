"""Dask collections as sequences of blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import getitem
from typing import Any

import dask
import dask.array
import numpy as np

from .._sklearn.compat import safe_indexing
from ..engine.arrays import Integers
from ..estimators.fitted import joined

#: Rows of the first block that the client looks at.
SAMPLE = 1024


@dataclass(frozen=True)
class Blocks:
    """A data set in blocks: their rows of X, their targets, and how many rows each has."""

    X: list[Any]
    y: list[Any]
    counts: list[int]

    def cut(self, n_shares: int) -> list[slice]:
        """Return runs of consecutive blocks with about equally many rows; no run is empty."""
        ends = np.cumsum(self.counts)
        wanted = ends[-1] * np.arange(1, n_shares) / n_shares
        # At least one block each: the k-th cut comes after at least k blocks.
        least = np.arange(1, n_shares)
        cuts = np.maximum(np.searchsorted(ends, wanted) + 1, least)
        cuts = np.maximum.accumulate(cuts - least) + least
        cuts = np.minimum(cuts, len(self.counts) - n_shares + least)
        edges = [0, *cuts.tolist(), len(self.counts)]
        return [slice(a, b) for a, b in pairwise(edges)]


def blocks_of(X: Any, y: Any, client: Any) -> tuple[Blocks, Any]:
    """Return the blocks of X and y, and all of y in memory.

    Parameters
    ----------
    X : dask Array of shape (N, D) or dask DataFrame
    y : dask Array, Series or DataFrame of N rows
        In the same blocks as X.
    client : distributed.Client
        Computes y: no other one may know what is persisted on its workers.

    Raises
    ------
    TypeError
        If X or y is not a Dask collection.
    ValueError
        If their blocks do not match, or there are no rows.
    """
    for name, given in (("X", X), ("y", y)):
        if not dask.is_dask_collection(given):
            raise TypeError(
                f"{name} must be an array or a data frame of Dask, got a"
                f" {type(given).__name__}: dask.array.from_array({name}, chunks=...) makes one."
            )
    if _is_frame(X) and _is_frame(y):
        of_x, of_y = _delayed_together(X, y)
    else:
        X, y = of_whole_rows(X), of_whole_rows(y)
        if _has_known_rows(X) and _has_known_rows(y):
            if X.shape[0] != y.shape[0]:
                raise ValueError(f"X has {X.shape[0]} rows, but y has {y.shape[0]}.")
            y = y.rechunk({0: X.chunks[0]})
        of_x, of_y = delayed(X), delayed(y)
    if len(of_x) != len(of_y):
        raise ValueError(
            f"X has {len(of_x)} blocks, but y has {len(of_y)}: both must be cut at the same rows."
        )
    parts = [np.asarray(part) for part in dask.compute(*of_y, scheduler=client.get)]
    # A filter may leave blocks without rows.
    kept = [i for i, part in enumerate(parts) if len(part)]
    check = dask.delayed(refuse_other_rows)
    left_out = [check(of_x[i], of_y[i]) for i, part in enumerate(parts) if not len(part)]
    dask.compute(*left_out, scheduler=client.get)
    if not kept:
        raise ValueError("X has no rows.")
    blocks = Blocks([of_x[i] for i in kept], [of_y[i] for i in kept], [len(parts[i]) for i in kept])
    return blocks, np.concatenate([parts[i] for i in kept])


def first_rows(blocks: Blocks, client: Any) -> Any:
    """Return the first rows of the first block, unchanged."""
    take = dask.delayed(_first_of_block)
    return take(blocks.X[0], blocks.y[0]).compute(scheduler=client.get)


def _first_of_block(X: Any, y: Any) -> Any:
    refuse_other_rows(X, y)
    return safe_indexing(X, slice(0, SAMPLE))


def rows_at(blocks: Blocks, client: Any, check: Callable[[Any], Any], places: Integers) -> Any:
    """Return the rows at some positions, in increasing order; those of each block are checked."""
    starts = np.cumsum([0, *blocks.counts])
    cuts = np.searchsorted(places, starts)
    chosen = [places[a:b] - start for a, b, start in zip(cuts, cuts[1:], starts, strict=False)]
    take = dask.delayed(safe_indexing)
    asked = [take(block, rows) for block, rows in zip(blocks.X, chosen, strict=True) if len(rows)]
    return put_together([check(part) for part in dask.compute(*asked, scheduler=client.get)])


def put_together(parts: Sequence[Any]) -> Any:
    """Concatenate blocks of rows."""
    if len(parts) == 1:
        return parts[0]
    if hasattr(parts[0], "iloc"):
        import pandas as pd

        return pd.concat(parts, ignore_index=True)
    return joined(parts)


def of_whole_rows(given: Any) -> Any:
    """Return an array whose blocks hold all columns; a frame as it is."""
    if isinstance(given, dask.array.Array) and given.ndim == 2 and given.numblocks[1] > 1:
        return given.rechunk({1: -1})
    return given


def _has_known_rows(given: Any) -> bool:
    return isinstance(given, dask.array.Array) and not np.isnan(given.shape[0])


def _is_frame(given: Any) -> bool:
    return hasattr(given, "map_partitions")


def _delayed_together(X: Any, y: Any) -> tuple[list[Any], list[Any]]:
    """Return the blocks of two frames, cut at the same rows.

    Read separately, some columns of a Parquet file may come in fewer and larger blocks than others.
    """
    # A feature may have any name: longer ones than all of these are free.
    longest = max((len(str(name)) for name in X.columns), default=0)
    n_columns = 1 if y.ndim == 1 else len(y.columns)
    names = [f"{i}".rjust(longest + 1) for i in range(n_columns)]
    if X.known_divisions and y.known_divisions:
        columns = [y] if y.ndim == 1 else [y[name] for name in y.columns]
        together = X.assign(**dict(zip(names, columns, strict=True)))
    elif X.npartitions == y.npartitions:
        # Dask would move rows with the same label to the same block, in another order.
        together = X.map_partitions(_beside, y, names, align_dataframes=False)
    else:
        return delayed(X), delayed(y)
    blocks = together.to_delayed()
    of_y = names[0] if y.ndim == 1 else names
    take = dask.delayed(getitem)
    return [take(b, list(X.columns)) for b in blocks], [take(b, of_y) for b in blocks]


def _beside(X: Any, y: Any, names: list[str]) -> Any:
    """Return a block of X with the targets of its rows as further columns, whatever their index."""
    refuse_other_rows(X, y)
    targets = np.asarray(y).reshape(len(y), len(names))
    return X.assign(**{name: targets[:, i] for i, name in enumerate(names)})


def refuse_other_rows(X: Any, y: Any) -> None:
    """Raise ValueError if a block of X has another number of rows than that of y."""
    if X.shape[0] != len(y):
        raise ValueError(f"a block of X has {X.shape[0]} rows, but that of y has {len(y)}.")


def delayed(given: Any) -> list[Any]:
    """Return the blocks of a collection."""
    return list(np.ravel(np.array(given.to_delayed(), dtype=object)))
