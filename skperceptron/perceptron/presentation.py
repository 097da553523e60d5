"""How rows are presented to response units: in windows, in compiled code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse

from ..engine.arrays import Floats, Integers
from ..engine.compiled import Way, shuffle, way
from .error_correction import ErrorCorrection, Solver
from .inputs import Features, Inputs, RowsInPlace
from .library_pass import LibrarySolver

#: Largest number of elements in the rows of a window (16 MB).
LARGE_WINDOW = 2**21

#: Largest number of products in a window: they take up to .1 s, during which Ctrl-C waits.
LARGE_WORK = 2**25

#: Largest number of rows in a window; to prepare one takes as long as to present 1000 rows. If
#: rows are few, a window holds several epochs.
LARGE_ROWS = 16_384

#: Largest number of rows used to find the slope of the probabilities.
SAMPLE = 10_000

#: Largest number of their responses, all units together: finding the slope takes up to .2 s.
SAMPLE_ANSWERS = 2**20

#: Largest number of right answers, all response units together, held at a time (32 MB).
ANSWERS = 2**22


#: Positions of rows; a slice if they are consecutive.
Chosen: TypeAlias = "Integers | slice"

#: Features of rows, and the amounts by which they correct each unit.
Content: TypeAlias = "tuple[Features | RowsInPlace, Floats]"


class CompiledSolver:
    """A :class:`.Solver` in the C extension, for windows of any length, dense or sparse."""

    def prepared(self, inputs: Inputs, rows: Integers) -> RowsInPlace:
        """Return rows in the form that it takes: see :class:`.Solver`."""
        return inputs.in_place(rows)

    present = staticmethod(RowsInPlace.corrected)


@dataclass(frozen=True)
class Presentation:
    """The rows that are presented, (N,), with their right classes and their weights.

    The inputs of the response units are those for all rows of X.
    """

    inputs: Inputs
    rows: Integers
    codes: Integers
    n_classes: int
    weights: Floats

    @property
    def n_responses(self) -> int:
        """The number of response units (C): two classes share one."""
        return 1 if self.n_classes == 2 else self.n_classes

    def _signs_of(self, chosen: Chosen) -> Floats:
        """Return the right answers of some rows, (n, C): 1 or -1."""
        units = np.arange(self.n_classes) if self.n_classes > 2 else np.array([1])
        return np.where(self.codes[chosen][:, np.newaxis] == units, 1.0, -1.0)

    def _amounts_of(self, chosen: Chosen) -> Floats:
        """Return the amounts by which some rows correct each unit that errs, (n, C)."""
        if len(self.rows) * self.n_responses > ANSWERS:
            return self._signs_of(chosen) * self.weights[chosen, np.newaxis]
        return self._amounts[chosen] if isinstance(chosen, slice) else self._amounts.take(chosen, 0)

    @cached_property
    def _amounts(self) -> Floats:
        """The amounts by which all rows correct each unit that errs, (N, C)."""
        return self._signs_of(slice(None)) * self.weights[:, np.newaxis]

    @cached_property
    def solver(self) -> Solver:
        """The solver: our compiled code or, if that is not used, scikit-learn's."""
        if way() is not Way.NUMPY:
            return CompiledSolver()
        return LibrarySolver((self._window_length, self.inputs.n_inputs))

    def present_epochs(
        self, units: ErrorCorrection, rng: np.random.RandomState | None, at_once: int
    ) -> list[int]:
        """Present each row once per epoch, up to the first epoch without a mistake.

        The generator draws the order of each of at most ``at_once`` epochs; without one, rows keep
        their order. Returns the number of mistakes in each epoch.
        """
        n_epochs = min(at_once, self._window_length // len(self.rows))
        if n_epochs <= 1:
            windows = self._windows(None if rng is None else self._order(rng))
            return [sum(sum(units.present(*self._content(window))) for window in windows)]
        if rng is None:
            order = np.tile(np.arange(len(self.rows)), n_epochs)
        else:
            before = rng.get_state(legacy=False)
            order = np.concatenate([self._order(rng) for _ in range(n_epochs)])
        mistakes = units.present(*self._content(order), n_epochs)
        if rng is not None and len(mistakes) < n_epochs:
            # Take back the draws for epochs that did not take place.
            rng.set_state(before)
            for _ in mistakes:
                self._order(rng)
        return mistakes

    def _order(self, rng: np.random.RandomState) -> Integers:
        order = np.arange(len(self.rows), dtype=np.intp)
        shuffle(order, rng)
        return order

    def count_right(self, weight: Floats, unit: int) -> float:
        """Return the weight of the rows that a response unit answers correctly."""
        right = 0.0
        for chosen in self._windows():
            is_class = self.codes[chosen] == (1 if self.n_classes == 2 else unit)
            with np.errstate(over="ignore", invalid="ignore"):
                responses = self.inputs.responses(self.rows[chosen], weight[np.newaxis])[:, 0]
            answered = responses * np.where(is_class, 1.0, -1.0) > 0
            right += float(self.weights[chosen][answered].sum())
        return right

    def sample(self, unit_weights: Floats) -> tuple[Floats, Floats, Floats]:
        """Return responses, signs and weights of at most ``SAMPLE`` rows.

        The responses are those of units with the given weights, (C, A).
        """
        at_most = max(1, min(SAMPLE, SAMPLE_ANSWERS // self.n_responses))
        chosen = np.arange(0, len(self.rows), ceil(len(self.rows) / at_most))
        with np.errstate(over="ignore", invalid="ignore"):
            responses = self.inputs.responses(self.rows[chosen], unit_weights)
        return responses, self._signs_of(chosen), self.weights[chosen]

    def _content(self, chosen: Chosen) -> Content:
        """Return the features of a window, and the amounts by which its rows correct each unit."""
        return self.solver.prepared(self.inputs, self.rows[chosen]), self._amounts_of(chosen)

    def _windows(self, order: Integers | None = None) -> Iterator[Chosen]:
        """Yield the rows of each window, in an order or, without one, as they are given."""
        length = self._window_length
        for start in range(0, len(self.rows), length):
            window = slice(start, start + length)
            yield window if order is None else order[window]

    @cached_property
    def _window_length(self) -> int:
        elements = self.inputs.mean_row_size
        work = elements * self.n_responses
        n_rows = min(LARGE_WINDOW / elements, LARGE_WORK / work, ANSWERS / self.n_responses)
        return max(1, min(LARGE_ROWS, int(n_rows)))


def check_sizes(X: Any, weights: Floats, has_constant: bool, n_terms: int) -> None:
    """Refuse rows whose inner products, by which mistakes are found, might overflow or vanish.

    X is None if the inputs are associative units, which are 0 or 1. ``weights``, (N,), are those of
    the rows. ``has_constant`` says whether an input other than those in X may be 1; ``n_terms`` is
    the largest number of times that a row is added to a unit's weights, times the number of inputs.
    """
    largest = float(has_constant)
    if X is not None:
        numbers = X.data if sparse.issparse(X) else X
        if numbers.size:
            largest = max(largest, float(numbers.max()), -float(numbers.min()))
    limits = np.finfo(np.float64)
    with np.errstate(over="ignore", under="ignore"):
        correction = np.float64(largest) * weights.max()
    too_large = correction > np.sqrt(limits.max / (len(weights) * n_terms))
    if too_large or 0 < correction < np.sqrt(limits.tiny):
        raise ValueError(
            f"X holds numbers up to {largest:.3g}, weights of its rows are up to"
            f" {weights.max():.3g}: the responses, which grow with the squares of both, would"
            f" {'overflow' if too_large else 'vanish'}. Scale X (for example with"
            " StandardScaler) or the weights."
        )


def rows_as_given(weights: Floats) -> tuple[Integers, Floats]:
    """Return the rows with a positive weight, in order, and their weights."""
    kept = np.flatnonzero(weights)
    return kept, weights[kept]
