"""How rows are presented to response units: in windows, by the solver that is fastest for them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse

from ..engine.arrays import Floats, Integers
from ..engine.compiled import Way, way
from .error_blocks import BLOCK, ErrorBlocks
from .error_correction import ErrorCorrection, Solver
from .inputs import Features, Inputs, Room, RowsInPlace
from .library_pass import HEAVIEST, LIGHTEST, CountingPass, MarkingPass
from .prefetch import prefetched
from .visiting_pass import VisitingPass

#: Numbers in a window of rows (2 MB).
WINDOW = 2**18

#: Dense rows from which on a compiled pass pays: its call takes 0.7 ms and 0.2 us a row,
#: `ErrorBlocks` 0.5 us a row, 0.7 us with many mistakes (64 features).
MANY_ROWS = 2000

#: Numbers of a window for a compiled pass (16 MB), whose calls are dear.
LARGE_WINDOW = 2**21

#: Rows of a window of which each row is marked: that takes a column each. Few sparse rows are
#: presented for several epochs in one window, since a compiled call takes as long as 5000 rows.
LARGE_ROWS = 16_384

#: Rows from which the slope of the probabilities is found.
SAMPLE = 10_000

#: Rows of a window of several epochs for :class:`.VisitingPass`: to prepare one takes as long as
#: 1000 to 2000 rows.
FEW_ROWS = 4096

#: Right answers, of all response units, that are held at a time (32 MB).
ANSWERS = 2**22


#: Positions of rows; a slice if they follow each other.
Chosen: TypeAlias = "Integers | slice"

#: Features, signs and weights of rows.
Content: TypeAlias = "tuple[Features | RowsInPlace, Floats, Floats]"


@dataclass(frozen=True)
class Presentation:
    """The rows that are presented, with the right answers.

    Attributes
    ----------
    inputs : GivenInputs or ComputedInputs
        Of the response units, for all row numbers.
    rows : ndarray of int of shape (N,)
    codes : ndarray of int of shape (N,)
        The right classes.
    n_classes : int
    weights : ndarray of shape (N,)
    only_counted : bool
        Whether it does not matter which presentations are mistakes.
    """

    inputs: Inputs
    rows: Integers
    codes: Integers
    n_classes: int
    weights: Floats
    only_counted: bool

    @property
    def n_responses(self) -> int:
        """Response units (C): two classes share one."""
        return 1 if self.n_classes == 2 else self.n_classes

    def signs_of(self, chosen: Chosen) -> Floats:
        """Return the right answers of some rows, (n, C): 1 or -1."""
        if self.n_classes == 2:
            return self._signs[chosen]
        units = np.arange(self.n_classes)
        return np.where(self.codes[chosen][:, np.newaxis] == units, 1.0, -1.0)

    @cached_property
    def _signs(self) -> Floats:
        """The right answers of the only unit to all rows, (N, 1)."""
        return np.where(self.codes == 1, 1.0, -1.0)[:, np.newaxis]

    @cached_property
    def solver(self) -> Callable[[tuple[int, int]], Solver]:
        """The kind that is fastest."""
        if way() is not Way.NUMPY:
            return VisitingPass
        if self.inputs.is_sparse:
            return MarkingPass
        if len(self.rows) < MANY_ROWS:
            return ErrorBlocks
        moderate = LIGHTEST < self.weights.min() and self.weights.max() < HEAVIEST
        return CountingPass if self.only_counted and moderate else MarkingPass

    def new_solver(self, shape: tuple[int, int]) -> Solver:
        """Return a solver for windows of this shape, and of the epochs that fit into one."""
        n_rows, n_inputs = shape
        return self.solver((max(n_rows, self._epochs_in_a_window * len(self.rows)), n_inputs))

    @cached_property
    def _epochs_in_a_window(self) -> int:
        """How many epochs are presented at once at most."""
        if self.solver is VisitingPass:
            return max(1, FEW_ROWS // len(self.rows))
        if self.solver is MarkingPass and self.inputs.is_sparse:
            return max(1, LARGE_ROWS // len(self.rows))
        return 1

    def present_epochs(
        self, units: ErrorCorrection, rng: np.random.RandomState | None, at_once: int
    ) -> list[int]:
        """Present each row in one epoch or several, but in none after one without a mistake.

        Parameters
        ----------
        units : ErrorCorrection
        rng : RandomState or None
            Where the order of each epoch comes from; None is for rows as they are given.
        at_once : int
            Largest number of epochs.

        Returns
        -------
        list of int
            The mistakes of each epoch.
        """
        n_epochs = min(at_once, self._epochs_in_a_window)
        if n_epochs <= 1:
            return [self.present_all(units, rng)]
        before: Any = None if rng is None else rng.get_state()
        if rng is None:
            order = np.tile(np.arange(len(self.rows)), n_epochs)
        else:
            order = np.concatenate([self._order(rng) for _ in range(n_epochs)])
        mistakes = units.present_epochs(*self._content(order, units.room), n_epochs)
        if rng is not None and len(mistakes) < n_epochs:
            # What was drawn for epochs that did not take place is drawn again by what follows.
            rng.set_state(before)
            for _ in mistakes:
                self._order(rng)
        return mistakes

    def _order(self, rng: np.random.RandomState) -> Integers:
        return rng.permutation(len(self.rows))

    def present_all(self, units: ErrorCorrection, rng: np.random.RandomState | None) -> int:
        """Present each row once, in random order if there is an `rng`; count the mistakes."""
        n_rows = len(self.rows)
        windows = self._contents(None if rng is None else self._order(rng), units.room)
        # A marking pass has one room only, and wakes up threads of BLAS, which keep a core busy.
        if self.solver is CountingPass and n_rows > self._window_length:
            windows = prefetched(windows)
        with closing(windows):
            return sum(units.present(*window) for window in windows)

    def count_right(self, weight: Floats, unit: int) -> float:
        """Return the weight of the rows that a response unit answers rightly."""
        right = 0.0
        for chosen in self._windows():
            is_class = self.codes[chosen] == (1 if self.n_classes == 2 else unit)
            with np.errstate(over="ignore", invalid="ignore"):
                responses = self.inputs.responses(self.rows[chosen], weight[np.newaxis])[:, 0]
            answered = responses * np.where(is_class, 1.0, -1.0) > 0
            right += float(self.weights[chosen][answered].sum())
        return right

    def sample(self, coef: Floats, intercept: Floats) -> tuple[Floats, Floats, Floats]:
        """Return responses, signs and weights of at most ``SAMPLE`` rows."""
        at_most = max(1, min(SAMPLE, ANSWERS // self.n_responses))
        chosen = np.arange(0, len(self.rows), -(-len(self.rows) // at_most))
        with np.errstate(over="ignore", invalid="ignore"):
            weights = np.column_stack([coef, intercept])
            responses = self.inputs.responses(self.rows[chosen], weights)
        return responses, self.signs_of(chosen), self.weights[chosen]

    def _contents(self, order: Integers | None, room: Room) -> Generator[Content, None, None]:
        """Yield features, signs and weights, window by window."""
        for chosen in self._windows(order):
            yield self._content(chosen, room)

    def _content(self, chosen: Chosen, room: Room) -> Content:
        """Return features, signs and weights of a window."""
        rows, inputs = self.rows[chosen], self.inputs
        is_in_place = self.solver is VisitingPass
        features = inputs.in_place(rows) if is_in_place else inputs.gathered(rows, room)
        return features, self.signs_of(chosen), self.weights[chosen]

    def _windows(self, order: Integers | None = None) -> Iterator[Chosen]:
        """Yield positions of rows in an order; in the order given, if there is none."""
        length = self._window_length
        for start in range(0, len(self.rows), length):
            window = slice(start, start + length)
            yield window if order is None else order[window]

    @cached_property
    def _window_length(self) -> int:
        return max(1, min(self._rows_by_features(), ANSWERS // self.n_responses))

    def _rows_by_features(self) -> int:
        n_inputs = self.inputs.n_inputs
        if self.inputs.is_sparse:
            return LARGE_ROWS
        if self.solver is ErrorBlocks:
            # Whole blocks: a window's last one would otherwise be shorter.
            return max(1, WINDOW // (n_inputs * BLOCK)) * BLOCK
        if self.solver is VisitingPass:
            # Several units visit the same rows while these are in the cache.
            return (LARGE_WINDOW if self.n_responses == 1 else WINDOW) // n_inputs
        n_rows = max(1, LARGE_WINDOW // n_inputs)
        return n_rows if self.solver is CountingPass else min(LARGE_ROWS, n_rows)


def check_sizes(X: Any, weights: Floats, has_constant: bool, n_terms: int) -> None:
    """Refuse rows whose inner products, by which mistakes are found, overflow or vanish.

    Parameters
    ----------
    X : {ndarray, CSR matrix} or None
        None is for inputs that are 0 or 1.
    weights : ndarray of shape (N,)
    has_constant : bool
        Whether an input may be 1 besides.
    n_terms : int
        How often, at most, a row may be added to the weights, times the number of inputs.
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
    """Return the rows that count, and their weights."""
    kept = np.flatnonzero(weights)
    return kept, weights[kept]
