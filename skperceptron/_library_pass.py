"""Error correction by scikit-learn's compiled stochastic gradient descent.

With the perceptron's loss and a constant rate it is Rosenblatt's rule, row after row. What it
does not tell is which rows were mistakes. So beside each row stands a 1 in a column of
its own. The weight of that column is 0 until the row comes, and alters no score; then
it is the row's correction.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn import config_context
from sklearn.linear_model import SGDClassifier

from .engine.arrays import Booleans, Floats, Integers
from .engine.error_correction import Features

#: Dense rows from which on it pays: a call takes about 0.5 ms and 0.3 us a row, `.ErrorBlocks`
#: about 1 us a row (100 features, one thread).
MANY_ROWS = 1000


class LibraryPass:
    """A :class:`.Solver` for large windows.

    Parameters
    ----------
    features : ndarray or CSR matrix of shape (N, A)
        Of the largest window.
    """

    def __init__(self, features: Features) -> None:
        self.capacity, n_features = features.shape
        self._n_columns = n_features + self.capacity
        self._learner = SGDClassifier(
            loss="perceptron",
            penalty=None,
            fit_intercept=False,
            shuffle=False,
            learning_rate="constant",
            eta0=1.0,
            random_state=0,
        )
        # It learns nothing from a row of zeros but how many columns there are.
        nothing = sparse.csr_array((1, self._n_columns))
        self._learner.partial_fit(nothing, [True], classes=[False, True])
        if not sparse.issparse(features):
            self._numbers, self._columns = self._dense_rows(n_features)

    def room(self, shape: tuple[int, int]) -> Floats:
        """Return an array for features: see :class:`.Solver`."""
        n_rows, n_features = shape
        return np.empty(shape) if n_rows > self.capacity else self._numbers[:n_rows, :n_features]

    def answer(
        self, features: Features, amounts: Floats, weight: Floats
    ) -> tuple[Booleans, Floats]:
        """Present rows to a unit: see :class:`.Solver`."""
        learned = self._learner.coef_[0]
        learned[: len(weight)] = weight
        learned[len(weight) :] = 0
        with config_context(assume_finite=True, skip_parameter_validation=True):
            self._learner.partial_fit(
                self._marked(features), amounts > 0, sample_weight=np.abs(amounts)
            )
        learned, corrections = np.split(self._learner.coef_[0], [len(weight)])
        return corrections[: len(amounts)] != 0, learned.copy()

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

    def _dense_rows(self, n_features: int) -> tuple[Floats, Integers]:
        """Return room for the numbers of all rows, and the columns where they stand."""
        numbers = np.ones((self.capacity, n_features + 1))
        columns = np.empty(numbers.shape, dtype=np.int32)
        columns[:, :-1] = np.arange(n_features)
        columns[:, -1] = n_features + np.arange(self.capacity)
        return numbers, columns
