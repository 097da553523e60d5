"""Errors of this package: their classes, and that every kind of divergence raises one class."""

import pickle

import numpy as np
import pytest
from sklearn.exceptions import FitFailedWarning

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
    exceptions,
)
from skperceptron.callbacks import Callback, EpochLogger
from skperceptron.exceptions import DivergedError, InvalidOption
from skperceptron.model_selection import StackedEnsembleClassifier, StackedGridSearchCV

RNG = np.random.RandomState(0)
X = RNG.normal(size=(60, 4))
Y = (X[:, 0] > 0).astype(int)
ESTIMATORS = [MLPBinaryClassifier, MLPSoftmaxClassifier, MLPRegressor]
EVERY_ESTIMATOR = pytest.mark.parametrize("cls", ESTIMATORS)
TOO_FAR = {"activation": "relu", "learning_rate_init": 1e300, "max_iter": 20, "random_state": 0}

pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


@pytest.mark.parametrize("name", sorted({*exceptions.__all__} - {"InconsistentVersionWarning"}))
def test_every_error_is_a_value_error_that_can_be_pickled(name):
    error = getattr(exceptions, name)("why")
    assert isinstance(error, ValueError)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and str(again) == "why"


def test_a_diverged_fit_is_no_invalid_option():
    assert not issubclass(DivergedError, TypeError)
    assert not issubclass(DivergedError, InvalidOption)


@pytest.mark.parametrize("solver", ["sgd", "adam", "adamw", "rmsprop"])
@pytest.mark.parametrize("early_stopping", [False, True])
@EVERY_ESTIMATOR
def test_fits_of_every_stochastic_solver_raise_diverged_error(cls, solver, early_stopping):
    estimator = cls(
        hidden_layer_sizes=(4,), solver=solver, early_stopping=early_stopping, **TOO_FAR
    )
    with pytest.raises(DivergedError, match=r"diverged.*learning_rate_init=1e\+300"):
        estimator.fit(X * 1e5, Y)
    assert not hasattr(estimator, "coefs_")


@EVERY_ESTIMATOR
def test_fits_of_lbfgs_raise_diverged_error(cls):
    estimator = cls(hidden_layer_sizes=(4,), activation="identity", solver="lbfgs", max_iter=50)
    with pytest.raises(DivergedError, match="diverged"):
        estimator.fit(X * 1e300, Y)


@EVERY_ESTIMATOR
def test_partial_fit_raises_diverged_error(cls):
    estimator = cls(hidden_layer_sizes=(4,), solver="sgd", **TOO_FAR)
    options = {} if cls is MLPRegressor else {"classes": [0, 1]}
    with pytest.raises(DivergedError):
        for _ in range(20):
            estimator.partial_fit(X * 1e5, Y, **options)


@EVERY_ESTIMATOR
def test_own_validation_rows_that_are_far_larger_raise_diverged_error(cls):
    estimator = cls(hidden_layer_sizes=(50,), activation="identity", random_state=0)
    with pytest.raises(DivergedError, match="X_val"):
        estimator.fit(X, Y, X_val=np.full((2, 4), 1e308), y_val=Y[:2])


@EVERY_ESTIMATOR
def test_a_callback_that_ends_training_does_not_hide_it(cls):
    class Stop(Callback):
        def on_fit_task_end(self, estimator, context):
            report = getattr(context, "report", None)
            return report is not None and report["is_last"]

    logger = EpochLogger()
    estimator = cls(hidden_layer_sizes=(4,), solver="sgd", callbacks=[logger, Stop()], **TOO_FAR)
    with pytest.raises(DivergedError):
        estimator.fit(X * 1e5, Y)
    assert 0 < len(logger.rows_) < 20


def test_perceptron_whose_responses_overflow_raises_diverged_error():
    model = RosenblattPerceptron(0, random_state=0).fit(X, Y)
    weight, _ = model._state
    weight *= 1e307
    with pytest.raises(DivergedError, match=r"responses.* overflow"):
        model.partial_fit(X * 1e5, Y)


def test_members_of_a_stack_raise_diverged_error():
    diverging = MLPSoftmaxClassifier((4,), **TOO_FAR)
    with pytest.raises(DivergedError):
        StackedEnsembleClassifier(diverging, 2, random_state=0).fit(X, Y)
    grid = {"learning_rate_init": [0.01, 1e300]}
    search = StackedGridSearchCV(diverging, grid, cv=2, error_score="raise")
    with pytest.raises(DivergedError):
        search.fit(X, Y)
    with pytest.warns(FitFailedWarning, match="DivergedError"):
        search.set_params(error_score=-1).fit(X, Y)
