"""Rules for the number of epochs: a budget of steps, or a function of the rows."""

import math

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skperceptron import MLPBinaryClassifier, MLPRegressor
from skperceptron.callbacks import Checkpoint
from skperceptron.estimators.choices import max_iter
from skperceptron.model_selection import StackedCrossEnsembleRegressor, StackedGridSearchCV

X = np.random.RandomState(0).normal(size=(60, 3))
Y = X[:, 0] - X[:, 1]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def make(limit, **options):
    defaults = {"hidden_layer_sizes": (3,), "random_state": 0, "tol": 0, "n_iter_no_change": np.inf}
    return MLPRegressor(**defaults | options, max_iter=limit)


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "expected"),
    [
        (10, "auto", 256),
        (1000, "auto", 200),
        (10_000, "auto", 40),
        (1_000_000, "auto", 4),
        (1_000_000, 1000, 20),
        (1_000_000, lambda n: n // 10, 256),
        (10**9, 1, 1),
    ],
)
def test_auto_is_a_budget_of_steps(n_rows, batch_size, expected):
    assert max_iter(make("auto", batch_size=batch_size), n_rows) == expected
    if expected not in (1, 256):
        size = 200 if batch_size == "auto" else batch_size
        steps = expected * math.ceil(n_rows / size)
        assert steps == pytest.approx(max(1000, 20 * math.sqrt(n_rows)), rel=0.1)


def test_fit_takes_as_many_epochs_as_the_rule_says():
    assert make(lambda n: n // 10).fit(X, Y).n_iter_ == 6
    assert make("auto", batch_size=2).fit(X, Y).n_iter_ == math.ceil(1000 / 30)
    assert make("auto", batch_size=2).fit(X.tolist(), Y.tolist()).n_iter_ == math.ceil(1000 / 30)
    assert make(lambda n: 4, solver="lbfgs").fit(X, Y).n_iter_ == 4


def test_schedules_and_averages_get_the_number_of_epochs():
    options = {"learning_rate": "cosine", "averaging": "swa", "learning_rate_init": 0.02}
    ruled, told = (make(n, **options).fit(X, Y) for n in (lambda n: n // 4, 15))
    np.testing.assert_array_equal(ruled.predict(X), told.predict(X))


def test_partial_fit_has_no_limit():
    model = make("auto")
    model.partial_fit(X, Y).partial_fit(X, Y)
    assert len(model.loss_curve_) == 2


def test_stacked_searches_use_the_number_of_rows_of_each_fit():
    grid = {"max_iter": ["auto", 3, np.size], "batch_size": [5, 10]}
    model = make(3)
    grid["max_iter"][2] = lambda n: n // 8
    stacked, single = (
        search(model, grid, cv=3).fit(X, Y) for search in (StackedGridSearchCV, GridSearchCV)
    )
    np.testing.assert_allclose(
        stacked.cv_results_["mean_test_score"], single.cv_results_["mean_test_score"], rtol=1e-9
    )
    ensemble = StackedCrossEnsembleRegressor(make(lambda n: n // 8), {}, cv=3).fit(X, Y)
    assert [member.n_iter_ for (arm) in ensemble.estimators_ for member in arm] == [5, 5, 5]


def test_interrupted_fit_goes_on_and_a_rule_that_asks_for_more_prolongs_it(tmp_path):
    short = make(lambda n: 3, callbacks=[Checkpoint(tmp_path / "fit")]).fit(X, Y)
    assert short.n_iter_ == 3
    longer = make(lambda n: 5, callbacks=[Checkpoint(tmp_path / "fit")]).fit(X, Y)
    np.testing.assert_array_equal(longer.loss_curve_[:3], short.loss_curve_)
    assert longer.n_iter_ == 5


def test_rules_that_give_no_count_are_refused():
    with pytest.raises(ValueError, match=r"'max_iter\(60\)' .* of MLPRegressor must be an int"):
        make(lambda n: 2.5).fit(X, Y)
    with pytest.raises(ValueError, match="2D array"):
        make("auto").fit(None, Y)
    with pytest.raises(ValueError, match=r"[Ff]ound array with 0 sample"):
        make("auto").fit(X[:0], Y[:0])


def test_rule_is_kept_by_clones():
    model = MLPBinaryClassifier(max_iter="auto")
    assert clone(model).max_iter == "auto"
