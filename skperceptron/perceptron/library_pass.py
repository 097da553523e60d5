"""Error correction by scikit-learn's compiled stochastic gradient descent.

With the perceptron's loss and a constant rate it is Rosenblatt's rule, row after row. What it
does not tell is which rows were mistakes, or how many. That stands in the weights of
further columns, which alter no score.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import sparse
from sklearn import config_context
from sklearn.linear_model import SGDClassifier

from ..engine.arrays import Booleans, Floats, Integers
from .inputs import Features

#: What a mistake adds to the weight of the column that counts them. Its product with a
#: number in that column, which is about as small, is zero in floats.
TINY = 2.0**-700

#: Steps with which that is so: TINY divided by them is a normal number, and tiny.
LIGHTEST, HEAVIEST = 2.0**-250, 2.0**250


class _CompiledPass:
    """The compiled learner of one unit, for rows with columns beside their features."""

    def __init__(self, n_columns: int) -> None:
        self._n_columns = n_columns
        self._learner = SGDClassifier(
            loss="perceptron",
            penalty=None,
            fit_intercept=False,
            shuffle=False,
            learning_rate="constant",
            eta0=1.0,
            # A seed would be spread over a new generator's state in every call.
            random_state=np.random.RandomState(0),
        )
        # It learns nothing from a row of zeros but how many columns there are. Labels are
        # floats, which NumPy sorts faster than booleans to see which occur.
        nothing = sparse.csr_array((1, n_columns))
        self._learner.partial_fit(nothing, [1.0], classes=[-1.0, 1.0])

    def _pass(self, rows: Features, amounts: Floats, weight: Floats) -> tuple[Floats, Floats]:
        """Present rows; return the weights of the features and of the other columns."""
        learned = self._learner.coef_[0]
        learned[: len(weight)] = weight
        learned[len(weight) :] = 0
        signs, steps = np.copysign(1.0, amounts), np.abs(amounts)
        with config_context(assume_finite=True, skip_parameter_validation=True):
            self._learner.partial_fit(rows, signs, sample_weight=steps)
        learned, others = np.split(self._learner.coef_[0], [len(weight)])
        return learned.copy(), others


class CountingPass(_CompiledPass):
    """A :class:`.Solver` for large windows of dense rows that only counts mistakes.

    Beside each row stands a tiny number with the sign of the right answer, divided by the
    row's step: its correction adds ``TINY`` to the weight of that column. The steps must lie
    between ``LIGHTEST`` and ``HEAVIEST``.

    It has two rooms, handed out in turn: one may be filled while the other is presented.

    Parameters
    ----------
    shape : tuple (N, A)
        Of the features of the largest window.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.capacity, n_features = shape
        super().__init__(n_features + 1)
        self._rooms = [np.empty((self.capacity, n_features + 1)) for _ in range(2)]

    def room(self, shape: tuple[int, int]) -> Floats:
        """Return an array for features: see :class:`.Solver`."""
        self._rooms.reverse()
        return self._rooms[0][: shape[0], :-1]

    def answer(self, features: Floats, amounts: Floats, weight: Floats) -> tuple[int, Floats]:
        """Present rows to a unit: see :class:`.Solver`."""
        rows = self._room_of(features)[: len(features)]
        np.divide(TINY, amounts, out=rows[:, -1])
        learned, (count,) = self._pass(rows, amounts, weight)
        return round(count / TINY), learned

    def _room_of(self, features: Floats) -> Floats:
        """Return the room where features stand, columns beside them included."""
        for room in self._rooms:
            if np.may_share_memory(features, room):
                return room
        self.room(features.shape)[:] = features
        return self._rooms[0]


class MarkingPass(_CompiledPass):
    """A :class:`.Solver` for large windows, sparse ones too.

    Beside each row stands a 1 in a column of its own. The weight of that column is 0 until
    the row comes; then it is the row's correction.

    Parameters
    ----------
    shape : tuple (N, A)
        Of the features of the largest window.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.capacity, self._n_features = shape
        super().__init__(self._n_features + self.capacity)

    def room(self, shape: tuple[int, int]) -> Floats:
        """Return an array for features: see :class:`.Solver`."""
        return self._numbers[: shape[0], :-1]

    def answer(
        self, features: Features, amounts: Floats, weight: Floats
    ) -> tuple[Booleans, Floats]:
        """Present rows to a unit: see :class:`.Solver`."""
        learned, corrections = self._pass(self._marked(features), amounts, weight)
        return corrections[: len(amounts)] != 0, learned

    def _marked(self, features: Features) -> sparse.csr_array:
        """Return rows with a 1 in a column of its own beside each."""
        n_rows, n_features = features.shape
        if sparse.issparse(features):
            places = np.arange(n_rows + 1)
            shape = (n_rows, self.capacity)
            own = sparse.csr_array((np.ones(n_rows), places[:-1], places), shape=shape)
            marked = sparse.hstack([features, own], format="csr")
            # The learner takes no longer ones.
            marked.indices = marked.indices.astype(np.int32, copy=False)
            marked.indptr = marked.indptr.astype(np.int32, copy=False)
            return marked
        if not np.may_share_memory(features, self._numbers):
            self._numbers[:n_rows, :-1] = features
        numbers, columns = self._numbers[:n_rows].ravel(), self._columns[:n_rows].ravel()
        starts = np.arange(n_rows + 1, dtype=np.int32) * (n_features + 1)
        return sparse.csr_array((numbers, columns, starts), shape=(n_rows, self._n_columns))

    @cached_property
    def _numbers(self) -> Floats:
        """Room for the numbers of dense rows, each with its 1."""
        return np.ones((self.capacity, self._n_features + 1))

    @cached_property
    def _columns(self) -> Integers:
        """The columns where they stand."""
        columns = np.empty((self.capacity, self._n_features + 1), dtype=np.int32)
        columns[:, :-1] = np.arange(self._n_features)
        columns[:, -1] = self._n_features + np.arange(self.capacity)
        return columns
