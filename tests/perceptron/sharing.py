"""Response units, reference results and checks that the tests of all solvers share."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skperceptron import RosenblattPerceptron
from skperceptron.callbacks import Callback
from skperceptron.engine.compiled import is_available
from skperceptron.perceptron.error_correction import (
    AveragedWeights,
    ErrorCorrection,
    LastWeights,
    PocketWeights,
)
from skperceptron.perceptron.inputs import GivenInputs
from skperceptron.perceptron.library_pass import LibrarySolver
from skperceptron.perceptron.presentation import CompiledSolver

NEEDS_EXTENSION = pytest.mark.skipif(not is_available(), reason="there is no extension")

#: Make solvers for windows of up to 700 rows of 6 features and a constant.
SOLVERS = {"compiled": CompiledSolver, "library": lambda: LibrarySolver((700, 7))}

EVERY_SOLVER = pytest.mark.parametrize(
    "solver", [pytest.param("compiled", marks=NEEDS_EXTENSION), "library"]
)

MEMORIES = {
    "plain": lambda start: LastWeights(),
    "averaged": lambda start: AveragedWeights(),
    "pocket": PocketWeights,
}
EVERY_MEMORY = pytest.mark.parametrize("memory", MEMORIES)


class Units:
    """Response units to which rows of a matrix are presented."""

    def __init__(self, solver, start, memory="plain", constant=1.0):
        self._solver = SOLVERS[solver]() if isinstance(solver, str) else solver
        self._constant = constant
        self.correction = ErrorCorrection(start, MEMORIES[memory](start), self._solver)

    def present(self, X, amounts, rows=slice(None), n_epochs=1):
        """Present rows; return the mistakes of each epoch."""
        places = np.arange(X.shape[0])[rows]
        taken = self._solver.prepared(GivenInputs(X, self._constant), places)
        return self.correction.present(taken, amounts[rows], n_epochs)

    @property
    def weight(self):
        return self.correction.weight

    @property
    def kept(self):
        """The weights that the memory has chosen."""
        return self.correction.memory.weights(self.weight)


def with_constant(X, constant=1.0):
    """Return dense rows, each with its constant."""
    X = X.toarray() if sparse.issparse(X) else X
    return np.column_stack([X.astype(np.float64), np.full(len(X), constant)])


def row_after_row(rows, amounts, weight):
    """Return the weights after every row, (N, C, A), and the mistakes, (N, C), by the rule."""
    weight, history, wrong = weight.copy(), [], []
    for x, amount in zip(rows, amounts, strict=True):
        # Products are summed one by one, from the first feature on, as in compiled code.
        scores = np.add.accumulate(weight * x, axis=1)[:, -1]
        mistaken = np.where(amount > 0, scores <= 0, scores >= 0)
        weight += (amount * mistaken)[:, np.newaxis] * x
        history.append(weight.copy())
        wrong.append(mistaken)
    return np.array(history), np.array(wrong)


class Onlooker(Callback):
    """A callback that is called after each epoch, so that epochs cannot share a window."""

    n_epochs = 0

    def on_fit_task_end(self, estimator, context):
        self.n_epochs += context.task_name == "epoch"


def assert_epochs_may_share_a_window(X, y, options, converges, tolerance=0):
    """Check that a fit is the same with and without a callback for each epoch."""
    generators = [np.random.RandomState(3) for _ in "ab"]
    together, apart = (RosenblattPerceptron(**options, random_state=rng) for rng in generators)
    # Sums of such weights are rounded.
    weight = np.random.RandomState(4).choice([0.1, 0.2, 0.7], len(y))
    together.fit(X, y, weight)
    onlooker = Onlooker()
    apart.set_params(callbacks=[onlooker]).fit(X, y, weight)
    assert onlooker.n_epochs == together.n_iter_ == apart.n_iter_
    assert together.converged_ == apart.converged_ == converges
    assert together.mistakes_ == apart.mistakes_
    assert together.t_ == apart.t_
    assert_allclose(together.response_weights_, apart.response_weights_, tolerance, tolerance)
    assert_allclose(together.intercept_, apart.intercept_, tolerance, tolerance)
    # No number was drawn for an epoch that did not take place.
    assert_array_equal(*(rng.permutation(9) for rng in generators))
