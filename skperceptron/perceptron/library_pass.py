"""Error correction by scikit-learn's compiled stochastic gradient descent.

With the perceptron's loss and a constant learning rate it is Rosenblatt's rule, row by row. It
does not report which rows were mistakes. The weights of additional columns, which change no score,
show this.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import sparse
from sklearn import config_context

from ..engine.arrays import Booleans, Floats, Integers
from .inputs import Answers, Features, Inputs, with_numbers


class LibrarySolver:
    """A :class:`.Solver` that does not need the C extension.

    Each row has a 1 in an additional column of its own. The weight of that column is 0 until the
    row is presented; then it is the row's correction. ``shape``, (N, A), is that of the features of
    the largest window.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        # Not at the top of the file: this import takes 20 ms, and most installations never need it.
        from sklearn.linear_model import SGDClassifier

        self._capacity, self._n_features = shape
        self._learner = SGDClassifier(
            loss="perceptron",
            penalty=None,
            fit_intercept=False,
            shuffle=False,
            learning_rate="constant",
            eta0=1.0,
            # With a seed, every call would set up a new generator.
            random_state=np.random.RandomState(0),
        )
        # From a row of zeros it learns only the number of columns. Labels are floats, among
        # which NumPy finds the distinct ones faster than among booleans.
        nothing = sparse.csr_array((1, sum(shape)))
        self._learner.partial_fit(nothing, [1.0], classes=[-1.0, 1.0])

    def prepared(self, inputs: Inputs, rows: Integers) -> Features:
        """Return rows in the form that it takes: see :class:`.Solver`."""
        return inputs.gathered(rows)

    def present(
        self, features: Features, amounts: Floats, weight: Floats, n_epochs: int
    ) -> Answers:
        """Present rows to units: see :class:`.Solver`."""
        marked, weight = self._marked(features), weight.copy()
        wrong = np.empty(amounts.shape, bool)
        for unit, learned in enumerate(weight):
            wrong[:, unit] = self._pass(marked, amounts[:, unit], learned)
        return wrong.reshape(n_epochs, -1).sum(axis=1), wrong, weight

    def _pass(self, rows: sparse.csr_array, amounts: Floats, weight: Floats) -> Booleans:
        """Change the weights of a unit; return which rows it answers wrongly."""
        n_features, learned = len(weight), self._learner.coef_[0]
        learned[:n_features], learned[n_features:] = weight, 0
        signs, steps = np.copysign(1.0, amounts), np.abs(amounts)
        with config_context(assume_finite=True, skip_parameter_validation=True):
            self._learner.partial_fit(rows, signs, sample_weight=steps)
        weight[:], corrections = np.split(self._learner.coef_[0], [n_features])
        return corrections[: len(amounts)] != 0

    def _marked(self, features: Features) -> sparse.csr_array:
        """Return rows, each with a 1 in an additional column of its own."""
        n_rows, n_features = features.shape
        n_columns = self._n_features + self._capacity
        if isinstance(features, np.ndarray):
            numbers = np.column_stack([features, np.ones(n_rows)]).ravel()
            starts = np.arange(n_rows + 1) * (n_features + 1)
            parts = numbers, self._columns[:n_rows].ravel(), starts
            marked = sparse.csr_array(parts, shape=(n_rows, n_columns))
        else:
            own = n_features + np.arange(n_rows)
            marked = with_numbers(features, own, 1.0, n_columns)
        # scikit-learn's loop accepts column numbers of 32 bits only.
        marked.indices = marked.indices.astype(np.int32, copy=False)
        marked.indptr = marked.indptr.astype(np.int32, copy=False)
        return marked

    @cached_property
    def _columns(self) -> Integers:
        """The column numbers of dense rows, each row with its 1."""
        columns = np.empty((self._capacity, self._n_features + 1), dtype=np.int32)
        columns[:, :-1] = np.arange(self._n_features)
        columns[:, -1] = self._n_features + np.arange(self._capacity)
        return columns
