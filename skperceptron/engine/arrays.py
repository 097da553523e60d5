"""Types and small functions shared by the engine's modules."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from operator import is_
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]
Booleans = NDArray[np.bool_]

#: Several arrays, such as all that a block has learned.
Arrays = Sequence[Floats]

Item = TypeVar("Item")

#: One array operation with its operands bound, all of them allocated beforehand.
#: A training step is a list of calls.
Call = Callable[[], Any]


class ActivationFunction(Protocol):
    """What the engine needs of an activation; ``skperceptron.activations`` has classes for it."""

    keeps_input: bool

    @property
    def differentiable(self) -> bool:
        """Whether a gradient passes on to the inputs."""

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        """Write f(z) into ``out``."""

    def reference(self, z: Floats, out: Floats, *learned: Floats) -> None:
        """Write f(z) into ``out``, with the bits that scikit-learn gets."""

    def infer(self, z: Floats, out: Floats, *learned: Floats) -> None:
        """Write f(z) into ``out``; no backward call will follow."""

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        """Multiply ``grad`` by f'(z), in place."""

    def forward_calls(self, z: Floats, out: Floats, *learned: Floats) -> list[Call]:
        """Bind ``forward`` to its arrays."""

    def backward_calls(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> list[Call]:
        """Bind ``backward`` to its arrays."""

    def to_onnx(self, graph: Any, z: Any, *learned: Floats) -> Any:
        """Return f(z), expressed in ONNX operators."""

    def n_parameters(self, units: int) -> int:
        """Return how many parameters a layer of ``units`` units learns."""

    def initial_parameters(self, units: int) -> Floats:
        """Return the initial values of these parameters."""


def split(items: Sequence[Item], goes_on: Callable[[Item, Item], bool]) -> Iterator[slice]:
    """Yield the place of each run of items; ``goes_on(before, item)`` tells if a run continues."""
    ends = [k for k, pair in enumerate(pairwise(items), 1) if not goes_on(*pair)]
    if len(items):
        yield from map(slice, [0, *ends], [*ends, len(items)])


def runs(items: Sequence[Item]) -> Iterator[tuple[Item, slice]]:
    """Yield the item of each run of neighbors that are the same object, and the run's place."""
    for place in split(items, is_):
        yield items[place.start], place


def grouped(keys: Sequence[Hashable]) -> list[list[int]]:
    """Return the positions of each distinct key."""
    found: dict[Hashable, list[int]] = {}
    for k, key in enumerate(keys):
        found.setdefault(key, []).append(k)
    return list(found.values())


def in_range(numbers: Any, dtype: Any) -> Floats:
    """Convert numbers to a dtype without turning any of them into zero or infinity.

    A learning rate of 1e300 or an epsilon of 1e-300 is out of the range of float32; the nearest
    normal number replaces it.
    """
    numbers, limits = np.asarray(numbers, dtype=np.float64), np.finfo(dtype)
    if limits.dtype == numbers.dtype:
        return numbers
    sizes = np.clip(np.abs(numbers), limits.tiny, limits.max)
    plain = (numbers == 0) | ~np.isfinite(numbers)
    return np.where(plain, numbers, np.copysign(sizes, numbers)).astype(dtype)


#: Numbers up to which testing each takes less time than adding them up with warnings silenced.
FEW_NUMBERS = 256


def all_finite(numbers: Floats) -> bool:
    """Tell whether no number is infinite or NaN."""
    if numbers.size <= FEW_NUMBERS:
        return bool(np.logical_and.reduce(np.isfinite(numbers), None))
    with np.errstate(over="ignore", invalid="ignore"):
        # The sum is almost always finite, and then no number needs a test: a tenth of the time.
        return bool(np.isfinite(np.add.reduce(numbers, None)) or np.isfinite(numbers).all())


def mean_of_rows(values: Floats, sample_weight: Floats | None) -> Floats:
    """Return the mean of rows, (..., N, C) to (..., C), with weights of shape (..., N)."""
    if sample_weight is None:
        return values.mean(axis=-2)
    weight = sample_weight[..., np.newaxis]
    return (values * weight).sum(axis=-2) / weight.sum(axis=-2)


def outputs_before_rows(n_members: int, n_rows: int, n_outputs: int, dtype: Any) -> Floats:
    """Return an array of zeros, (K, B, C), that lies in memory as (K, C, B)."""
    return np.zeros((n_members, n_outputs, n_rows), dtype).swapaxes(1, 2)


def by_network(rows: Floats, n_networks: int, width: int) -> Floats:
    """View (K, m B, width), the rows of one network after another, as (K, m, B, width)."""
    return rows.reshape(len(rows), n_networks, -1, width)


def side_by_side(widths: Iterable[int]) -> list[slice]:
    """Return the place of each of several parts that lie side by side."""
    return [slice(start, stop) for start, stop in pairwise(accumulate(widths, initial=0))]


def stored_once(X: Any) -> Any:
    """Return a sparse matrix that stores each of its numbers once: X itself, or a copy.

    Sparse matrices may store several numbers for one place, which add up. Whatever changes numbers
    one by one, such as a nonlinear function or dropout, would treat them as different ones.
    """
    if X.has_canonical_format:
        return X
    X = X.copy()
    X.sum_duplicates()
    return X


def as_slice(places: Sequence[int]) -> slice | list[int]:
    """Return ascending positions as a slice if none is left out: indexing then gives a view."""
    first, last = places[0], places[-1]
    return slice(first, last + 1) if last - first == len(places) - 1 else list(places)


def neighbors(positions: Sequence[int]) -> Iterator[tuple[slice, slice]]:
    """Split ascending positions where some are left out.

    Yields for each part its place in the list, and the positions themselves as a slice.
    """
    for place in split(positions, lambda before, after: before + 1 == after):
        yield place, slice(positions[place.start], positions[place.stop - 1] + 1)
