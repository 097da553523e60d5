"""The factors of the steps are the same, computed for many epochs at once or epoch by epoch."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skperceptron import MLPRegressor
from skperceptron.model_selection import StackedGridSearchCV
from skperceptron.optimizers import AdamW, Lion
from skperceptron.schedules import Adaptive, Constant, Cosine, InverseScaling, Schedule

rng = np.random.RandomState(0)
X = rng.normal(size=(70, 4))
Y = X[:, 0] ** 2 + rng.normal(scale=0.1, size=70)
OPTIONS = {"hidden_layer_sizes": (5,), "batch_size": 16, "max_iter": 12, "random_state": 0}


class Halving(Schedule):
    """Halves the rate after each epoch."""

    def after_epoch(self, initial, current, rows_seen):
        return current / 2


CASES = {
    "constant": {"learning_rate": Constant()},
    # No epoch counts as progress: the rate falls every second epoch.
    "adaptive": {"learning_rate": Adaptive(), "n_iter_no_change": 1, "tol": 10.0},
    "inverse scaling": {"learning_rate": InverseScaling(), "solver": "sgd"},
    "halving": {"learning_rate": Halving()},
    "cosine": {"learning_rate": Cosine()},
    "a user's function": {"learning_rate": lambda time: 1 / (1 + time)},
    "decay": {"solver": AdamW(weight_decay=0.1)},
    "decay with a schedule": {"solver": Lion(weight_decay=0.1), "decay_schedule": Cosine()},
    "float32": {"dtype": "float32"},
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_looking_ahead_changes_nothing(options, monkeypatch):
    found = []
    for ahead in (1, 17, 1_024):
        monkeypatch.setattr("skperceptron.training.scalars.STEPS_AHEAD", ahead)
        model = MLPRegressor(**OPTIONS, **options).fit(X, Y)
        if not any(getattr(value, "needs_max_iter", False) for value in options.values()):
            model.partial_fit(X, Y).partial_fit(X[:40], Y[:40])
        found.append(np.concatenate([w.ravel() for w in model.coefs_] + [model.loss_curve_]))
    for other in found[1:]:
        assert_array_equal(other, found[0])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_members_that_part_look_ahead_for_themselves(monkeypatch):
    grid = {"learning_rate_init": [0.001, 0.1], "alpha": [0.0, 1.0]}
    found = []
    for ahead in (1, 1_024):
        monkeypatch.setattr("skperceptron.training.scalars.STEPS_AHEAD", ahead)
        network = MLPRegressor(**OPTIONS, learning_rate="adaptive", n_iter_no_change=1)
        search = StackedGridSearchCV(network, grid, cv=3, n_jobs=1, refit=False).fit(X, Y)
        found.append(search.cv_results_["mean_test_score"])
    assert_array_equal(*found)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ["learning_rate", "decay_schedule"])
def test_functions_of_users_are_not_called_with_times_after_the_last_epoch(name):
    # It has no value there.
    options = {name: lambda time: np.sqrt(1 - time / 12), "solver": AdamW(weight_decay=0.1)}
    with np.errstate(invalid="raise"):
        assert MLPRegressor(**OPTIONS, **options).fit(X, Y).n_iter_ == 12
