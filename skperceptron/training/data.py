"""Rows of X and y that steps gather into workspaces; X itself is copied only if it is small."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

from ..engine.arrays import Call, Floats, Integers
from ..engine.calls import take_and_cast
from ..engine.inputs import Input, SparseBatch
from ..engine.memory_mapped import pages_of
from ..engine.network import FIRST

#: Bytes of X, in all data sets, up to which they are copied into one, which stays in the cache.
JOINED = 2**20

#: Bytes of X in float64 up to which all of it is converted at once for arithmetic in float32: each
#: step then reads half as much, and converts nothing.
CONVERTED = 2**24

#: Classes up to which one-hot targets are rows of a table (32 KB): gathering from it is fastest.
TABLED = 64


class TargetRows(ABC):
    """Targets of N rows, in a form that need not hold all (N, T) numbers.

    ``codes`` are the classes, (N,); None if the targets are not classes.
    """

    codes: Integers | None

    @property
    @abstractmethod
    def n_outputs(self) -> int:
        """Width of the targets (T); a loss may read several network outputs for each."""

    @property
    def n_rows(self) -> int:
        """Number of rows (N)."""
        return self.keys.shape[0]

    @property
    @abstractmethod
    def keys(self) -> Any:
        """Numbers, (N, n), dense or sparse, whose rows are equal where the targets are."""

    @abstractmethod
    def astype(self, dtype: np.dtype) -> TargetRows:
        """Return the targets ready to be written into arrays of the given dtype."""

    @abstractmethod
    def part(self, rows: Integers | slice) -> TargetRows:
        """Return the targets of some rows."""

    @abstractmethod
    def take(self, rows: Integers, out: Floats) -> None:
        """Write the targets of ``rows`` (K, B) into ``out`` (K, B, T).

        It takes a third of the time if the targets are the first axis of ``out`` in memory.
        """

    def of_rows(self) -> Floats:
        """Return the targets of all rows, (N, T)."""
        out = np.empty((1, self.n_rows, self.n_outputs))
        self.take(np.arange(self.n_rows)[np.newaxis], out)
        return out[0]

    def followed_by(self, others: Sequence[TargetRows]) -> TargetRows:
        """Return the targets of several data sets, one after another."""
        found = [self, *others]
        joined = self._joined(found) if len(set(map(type, found))) == 1 else None
        return joined or Targets(np.concatenate([one.of_rows() for one in found]))

    def _joined(self, found: Sequence[Any]) -> TargetRows | None:
        """Return the targets of data sets of this form in this form, None if that is impossible."""
        return None


@dataclass(frozen=True)
class Targets(TargetRows):
    """Targets of N rows: ``table[codes[i]]``, or ``table[i]`` where there are no codes.

    Class labels need one code per row and one table row, (T,), per class, not an (N, T) array.
    """

    table: Floats
    codes: Integers | None = None

    @property
    def n_outputs(self) -> int:
        return self.table.shape[1]

    @property
    def keys(self) -> Any:
        return self.table if self.codes is None else self.codes[:, np.newaxis]

    def astype(self, dtype: np.dtype) -> Targets:
        # Targets too large for float32 make training diverge, which is reported.
        with np.errstate(over="ignore"):
            # From any other layout np.take would copy the whole table at every step.
            return Targets(np.asfortranarray(self.table, dtype=dtype), self.codes)

    def of_rows(self) -> Floats:
        return self.table if self.codes is None else self.table[self.codes]

    def part(self, rows: Integers | slice) -> Targets:
        if self.codes is None:
            return Targets(self.table[rows])
        return Targets(self.table, self.codes[rows])

    def _joined(self, found: Sequence[Targets]) -> Targets | None:
        codes = [one.codes for one in found if one.codes is not None]
        if len(codes) < len(found):
            return None
        has_one_table = all(np.array_equal(one.table, self.table) for one in found)
        return Targets(self.table, np.concatenate(codes)) if has_one_table else None

    def overwrite(self, other: Targets) -> None:
        """Copy the targets of equally many other rows into these arrays."""
        if self.codes is None or other.codes is None:
            with np.errstate(over="ignore"):
                np.copyto(self.table, other.table)
        else:
            np.copyto(self.codes, other.codes)

    def take(self, rows: Integers, out: Floats) -> None:
        places = rows if self.codes is None else self.codes.take(rows)
        # mode="clip" lets NumPy write straight into out; the rows are known to be valid.
        self.table.T.take(places, axis=1, out=out.transpose(2, 0, 1), mode="clip")


@dataclass(frozen=True)
class OneOfMany(TargetRows):
    """One of T classes for each row, where T is so large that no (T, T) table is made."""

    codes: Integers
    n_classes: int

    @property
    def n_outputs(self) -> int:
        return self.n_classes

    @property
    def keys(self) -> Any:
        return self.codes[:, np.newaxis]

    def astype(self, dtype: np.dtype) -> OneOfMany:
        return self

    def part(self, rows: Integers | slice) -> OneOfMany:
        return OneOfMany(self.codes[rows], self.n_classes)

    def _joined(self, found: Sequence[OneOfMany]) -> OneOfMany:
        return OneOfMany(np.concatenate([one.codes for one in found]), self.n_classes)

    def take(self, rows: Integers, out: Floats) -> None:
        out.fill(0)
        n_members, size = rows.shape
        k, b = np.arange(n_members)[:, np.newaxis], np.arange(size)
        out[k, b, self.codes.take(rows)] = 1


@dataclass(frozen=True)
class SomeOfMany(TargetRows):
    """Several of T labels for each row; only the labels that are present are stored.

    ``indicator``, (N, T), is CSR in canonical format, and holds nothing but ones.
    """

    indicator: sparse.csr_array
    codes: Integers | None = field(default=None, init=False)

    @property
    def n_outputs(self) -> int:
        return self.indicator.shape[1]

    @property
    def keys(self) -> Any:
        return self.indicator

    def astype(self, dtype: np.dtype) -> SomeOfMany:
        return self

    def part(self, rows: Integers | slice) -> SomeOfMany:
        return SomeOfMany(self.indicator[rows])

    def _joined(self, found: Sequence[SomeOfMany]) -> SomeOfMany:
        return SomeOfMany(sparse.vstack([one.indicator for one in found], format="csr"))

    def take(self, rows: Integers, out: Floats) -> None:
        out.fill(0)
        flat = rows.ravel()
        starts = self.indicator.indptr[flat]
        counts = self.indicator.indptr[flat + 1] - starts
        before = np.cumsum(counts) - counts
        # Positions of all labels in ``indices``: for each row, from its first label on.
        stored = np.arange(counts.sum()) + np.repeat(starts - before, counts)
        k, b = np.divmod(np.repeat(np.arange(len(flat)), counts), rows.shape[1])
        out[k, b, self.indicator.indices[stored]] = 1


def one_hot(codes: Integers, n_classes: int) -> TargetRows:
    """Return the targets of a softmax: a one at the class of each row, for codes of shape (N,)."""
    if n_classes > TABLED:
        return OneOfMany(codes, n_classes)
    return Targets(np.eye(n_classes), codes)


class TrainingSet:
    """X with the targets, whose rows are gathered batch by batch.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (N, D)
        Real numbers of any dtype, in memory or memory-mapped.
    targets : TargetRows
        Of N rows.

    Attributes
    ----------
    is_at_hand : bool
        Whether all rows of X are available in this process.
    """

    is_at_hand = True

    def __init__(self, X: Floats | sparse.csr_array, targets: TargetRows) -> None:
        self.X = X
        self.targets = targets
        self.is_sparse = sparse.issparse(X)
        #: Buffers for rows in the dtype of X, by their shape.
        self._gathered: dict[tuple[int, ...], Floats] = {}
        self._pages = pages_of(X)

    @property
    def n_rows(self) -> int:
        """Number of rows (N)."""
        return self.X.shape[0]

    def rows_at(self, places: Integers) -> Any:
        """Return some rows of X, in its dtype."""
        return self.X[places] if self._pages is None else self._pages.rows_of(self.X, places)

    def astype(self, dtype: np.dtype) -> TrainingSet:
        """Return the same rows with targets of the given dtype; a small X is converted, too."""
        X, is_plain = self.X, type(self.X) is np.ndarray
        if is_plain and (X.dtype, dtype) == (np.float64, np.float32) and X.nbytes <= CONVERTED:
            # Numbers too large for float32 make training diverge, which is reported.
            with np.errstate(over="ignore"):
                X = X.astype(dtype, order="C")
        return TrainingSet(X, self.targets.astype(dtype))

    def holders(self, n_members: int) -> dict[str, Input]:
        """Return an input for batches of X, by its name, unless an array will do."""
        return {FIRST: SparseBatch(n_members)} if self.is_sparse else {}

    def fill_calls(
        self, inputs: Mapping[str, Input], rows: Integers, dtype: np.dtype, members: slice
    ) -> list[Call]:
        """List the calls of ``fill``, for arrays whose content changes from step to step."""
        if self.is_sparse or self._pages or not self.X.flags.c_contiguous:
            return [partial(self.fill, inputs, rows, dtype, members)]
        x: Any = inputs[FIRST]
        return self._gather_calls(x.array[members], rows)

    def fill(
        self,
        inputs: Mapping[str, Input],
        rows: Integers,
        dtype: np.dtype,
        members: slice = slice(None),
    ) -> None:
        """Copy the rows at positions (K, B) into some members' part of a workspace's input."""
        x: Any = inputs[FIRST]
        if self.is_sparse:
            x.matrices[members] = [self.X[r].astype(dtype, copy=False) for r in rows]
            return
        out = x.array[members]
        if self._pages is None:
            self._gather(out, rows)
        else:
            for portion in self._pages.portions(rows.shape[1]):
                self._gather(out[:, portion], rows[:, portion])

    def _gather(self, out: Floats, rows: Integers) -> None:
        """Copy the rows of a dense X at positions (K, B) into out, (K, B, D)."""
        if not self.X.flags.c_contiguous:
            # np.take would copy the whole array first.
            out[:] = self.X[rows]
            return
        for call in self._gather_calls(out, rows):
            call()

    def _gather_calls(self, out: Floats, rows: Integers) -> list[Call]:
        """List calls that copy rows of a contiguous X, through a buffer if dtypes differ."""
        if self.X.dtype == out.dtype:
            return [partial(self.X.take, rows, 0, out, "clip")]
        if out.shape not in self._gathered:
            self._gathered[out.shape] = np.empty(out.shape, dtype=self.X.dtype)
        return [partial(take_and_cast, self.X, rows, out, self._gathered[out.shape])]


class RemoteRows(TrainingSet):
    """A training set of which only the first rows of X are in this process, as in a cluster."""

    is_at_hand = False

    def __init__(
        self,
        first: Floats | sparse.csr_array,
        targets: TargetRows,
        fetch: Callable[[Integers], Any],
    ) -> None:
        super().__init__(first, targets)
        self._fetch = fetch

    def rows_at(self, places: Integers) -> Any:
        return self._fetch(places)

    @property
    def n_rows(self) -> int:
        """Number of rows (N), all together."""
        return self.targets.n_rows

    def astype(self, dtype: np.dtype) -> RemoteRows:
        """Return the same object: targets are converted where the rows lie."""
        return self


def one_below_another(data: Sequence[TrainingSet]) -> tuple[list[TrainingSet], Integers]:
    """Join the data sets of members, if they are small, into one, from which a single call gathers.

    Returns a data set for each member, and where the rows of its own begin there, (K, 1).
    """
    parts = list({id(one): one for one in data}.values())
    alike = len({one.X.dtype for one in parts}) == 1 and not any(one.is_sparse for one in parts)
    if len(parts) == 1 or not alike or sum(one.X.nbytes for one in parts) > JOINED:
        return list(data), np.zeros((len(data), 1), dtype=np.intp)
    whole = TrainingSet(
        np.concatenate([one.X for one in parts]),
        parts[0].targets.followed_by([one.targets for one in parts[1:]]),
    )
    starts = np.cumsum([0, *(one.n_rows for one in parts)])
    start_of = {id(one): start for one, start in zip(parts, starts[:-1], strict=True)}
    return [whole] * len(data), np.array([[start_of[id(one)]] for one in data])
