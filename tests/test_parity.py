"""Parity: with options that scikit-learn has, too, the same seed gives scikit-learn's model.

All fits are in float64. Weights, biases and loss curves agree to a relative 1e-6 after
hundreds of epochs; counts (of epochs and rows) and names agree exactly.
"""

import itertools
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, _multilayer_perceptron
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import has_fit_parameter

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier

RTOL = 1e-6

#: From 1.7 on scikit-learn's MLPs have sample weights and the Poisson loss.
IS_1_7 = has_fit_parameter(MLPClassifier(), "sample_weight")
needs_1_7 = pytest.mark.skipif(not IS_1_7, reason="scikit-learn < 1.7 does not have this option")

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:Got .*batch_size.* larger than:UserWarning",
)


@pytest.fixture(autouse=True)
def scikit_learn_stratifies_three_classes_too(monkeypatch):
    """Let scikit-learn stratify its split of one column per class, as ours always is."""

    def stratified(X, y, *others, stratify, **options):
        if y.dtype == bool and y.ndim == 2 and (y.sum(axis=1) == 1).all():
            stratify = y.argmax(axis=1)
        return train_test_split(X, y, *others, stratify=stratify, **options)

    monkeypatch.setattr(_multilayer_perceptron, "train_test_split", stratified)


def _rows(n_features, n_rows=160, seed=0):
    """Return standard normal numbers, about a third of them replaced by zeros."""
    X = np.random.RandomState(seed).normal(size=(n_rows, n_features))
    return np.where(np.abs(X) < 0.43, 0.0, X)


def _multiclass():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), np.array([-4, 2, 9])[y]


def _binary():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X)[:190, :12], np.where(y[:190] == 1, 3, -7)


def _multilabel():
    X, y = make_multilabel_classification(170, 10, n_classes=4, random_state=0)
    return StandardScaler().fit_transform(X), y


def _one_output():
    X = _rows(8)
    noise = np.random.RandomState(1).normal(size=len(X))
    return X, X[:, 0] * X[:, 1] + 2 * X[:, 2] + 0.3 * noise


def _several_outputs():
    X = _rows(8)
    noise = np.random.RandomState(1).normal(size=(len(X), 3))
    return X, np.c_[X[:, 0] * X[:, 1], 2 * X[:, 2] - 3, np.abs(X[:, 3])] + 0.3 * noise


def _counts():
    X = _rows(8)
    return X, np.random.RandomState(1).poisson(np.exp(0.5 * X[:, 0] - 0.3 * X[:, 1]))


#: name: (data, ours, theirs, parameters of the problem, marks)
PROBLEMS = {
    "multiclass": (_multiclass, MLPSoftmaxClassifier, MLPClassifier, {}, ()),
    "binary": (_binary, MLPBinaryClassifier, MLPClassifier, {}, ()),
    "multilabel": (_multilabel, MLPBinaryClassifier, MLPClassifier, {}, ()),
    "one output": (_one_output, MLPRegressor, TheirRegressor, {}, ()),
    "several outputs": (_several_outputs, MLPRegressor, TheirRegressor, {}, ()),
    "poisson": (_counts, MLPRegressor, TheirRegressor, {"loss": "poisson"}, (needs_1_7,)),
}


def pair(problem, **parameters):
    """Return X, y, and the two unfitted estimators of a problem."""
    make, ours, theirs, of_problem, _ = PROBLEMS[problem]
    shared = {
        "hidden_layer_sizes": (20, 10),
        "learning_rate_init": 0.002,
        "random_state": 1,
        **of_problem,
        **parameters,
    }
    return *make(), as_theirs(ours(dtype="float64", **shared)), theirs(**shared)


def as_theirs(network):
    """Let a regressor train on the target itself, as scikit-learn's does."""
    is_regressor = isinstance(network, MLPRegressor)
    return network.set_params(standardize_target=False) if is_regressor else network


def weights_of(X):
    """Return uneven weights, some of them zero."""
    rng = np.random.RandomState(3)
    return rng.uniform(0.1, 2, X.shape[0]) * (rng.uniform(size=X.shape[0]) > 0.05)


def difference(ours, theirs):
    """Return the largest relative difference of two arrays' elements."""
    ours, theirs = np.asarray(ours, float).ravel(), np.asarray(theirs, float).ravel()
    return float(np.max(np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1e-12), initial=0.0))


def assert_same_model(ours, theirs, X, record=None):
    """Compare all fitted attributes, and the predictions."""
    for name in ("n_iter_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    pairs = {
        "coefs_": (ours.coefs_, theirs.coefs_),
        "intercepts_": (ours.intercepts_, theirs.intercepts_),
        "loss_": ([[ours.loss_]], [[theirs.loss_]]),
    }
    if ours.solver != "lbfgs":
        assert ours.t_ == theirs.t_
        assert len(ours.loss_curve_) == len(theirs.loss_curve_)
        for name in ("loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_"):
            mine, other = getattr(ours, name), getattr(theirs, name)
            assert (mine is None) == (other is None), name
            if other is not None:
                pairs[name] = [np.atleast_1d(mine)], [np.atleast_1d(other)]
    largest = 0.0
    for name, (mine, other) in pairs.items():
        for a, b in zip(mine, other, strict=True):
            assert_allclose(a, b, rtol=RTOL, atol=1e-12, err_msg=name)
            largest = max(largest, difference(a, b))
    if record is not None:
        record("largest_relative_difference", largest)
    if hasattr(theirs, "classes_"):
        assert_array_equal(ours.classes_, theirs.classes_)
        assert_array_equal(ours.predict(X), theirs.predict(X))
        assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-5, atol=1e-9)
    else:
        assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-5, atol=1e-7)


# Every pair of options, for hundreds of epochs.

OPTIONS = {
    "problem": list(PROBLEMS),
    "solver": ["adam", "sgd", "lbfgs"],
    "activation": ["relu", "tanh", "logistic", "identity"],
    "batch_size": ["auto", 32],
    "early_stopping": [False, True],
    "weighted": [False, True],
    "sparse": [False, True],
}


def _combinations():
    """Return every problem x solver x activation with a draw of the other options."""
    names = list(OPTIONS)
    rng = np.random.RandomState(0)
    for first in itertools.product(*(OPTIONS[name] for name in names[:3])):
        drawn = (OPTIONS[name][rng.randint(2)] for name in names[3:])
        yield dict(zip(names, (*first, *drawn), strict=True))


def _differs(problem, solver):
    """Return whether scikit-learn gives L-BFGS a gradient that is not that of its objective."""
    return problem == "several outputs" and solver == "lbfgs"


COMBINATIONS = [c for c in _combinations() if not _differs(c["problem"], c["solver"])]


def test_every_pair_of_options_occurs_together():
    for (a, values_a), (b, values_b) in itertools.combinations(OPTIONS.items(), 2):
        seen = {(combination[a], combination[b]) for combination in COMBINATIONS}
        wanted = {pair for pair in itertools.product(values_a, values_b) if not _differs(*pair)}
        assert seen == wanted, (a, b)


def _marked(combination):
    marks = [*PROBLEMS[combination["problem"]][-1], *([needs_1_7] * combination["weighted"])]
    name = " ".join(
        str(value) if name in ("problem", "solver", "activation") else f"{name}={value}"
        for name, value in combination.items()
    )
    return pytest.param(combination, marks=marks, id=name)


@pytest.mark.parametrize("combination", [_marked(combination) for combination in COMBINATIONS])
def test_many_epochs_end_in_scikit_learns_model(combination, record_property):
    combination = dict(combination)
    problem, weighted = combination.pop("problem"), combination.pop("weighted")
    is_sparse = combination.pop("sparse")
    # Older versions sum up their loss in another order, and L-BFGS amplifies rounding errors:
    # with them, only its first iterations are compared.
    max_iter = 150 if IS_1_7 or combination["solver"] != "lbfgs" else 12
    parameters = {"max_iter": max_iter, "tol": 1e-6, "n_iter_no_change": 60, **combination}
    X, y, ours, theirs = pair(problem, **parameters)
    X = sparse.csr_matrix(X) if is_sparse else X
    weight = {"sample_weight": weights_of(X)} if weighted else {}
    theirs.fit(X, y, **weight)
    ours.fit(X, y, **weight)
    assert_same_model(ours, theirs, X, record_property)


# One option at a time.

CASES = {
    "sgd without momentum": {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.05},
    "sgd with plain momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "sgd with full momentum": {"solver": "sgd", "momentum": 1.0, "learning_rate_init": 1e-4},
    "sgd invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1},
    "sgd invscaling slowly": {
        "solver": "sgd",
        "learning_rate": "invscaling",
        "learning_rate_init": 0.01,
        "power_t": 0.1,
    },
    "sgd adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.02,
        "tol": 1e-2,
        "n_iter_no_change": 2,
        "max_iter": 300,
    },
    "adaptive with early stopping": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "early_stopping": True,
        "n_iter_no_change": 3,
        "max_iter": 300,
    },
    "adam ignores the schedule": {"learning_rate": "adaptive"},
    "adam's decay rates": {"beta_1": 0.5, "beta_2": 0.9},
    "adam without memory": {"beta_1": 0.0, "beta_2": 0.0, "learning_rate_init": 1e-3},
    "adam's epsilon": {"epsilon": 1e-2},
    "no shuffling": {"shuffle": False, "batch_size": 32},
    "no shuffling, early stopping": {"shuffle": False, "batch_size": 32, "early_stopping": True},
    "a few epochs": {"max_iter": 3},
    "one epoch": {"max_iter": 1, "batch_size": 7},
    "one row per batch": {"max_iter": 5, "batch_size": 1},
    "batch larger than the data": {"batch_size": 10_000},
    "stops at once": {"tol": 10.0, "n_iter_no_change": 1},
    "stops before the last epoch": {"tol": 3e-3, "n_iter_no_change": 3, "max_iter": 400},
    "never stops": {"n_iter_no_change": np.inf, "tol": 10.0},
    "no penalty": {"alpha": 0},
    "strong penalty": {"alpha": 1.0, "batch_size": 32},
    "strong penalty, lbfgs": {"alpha": 1.0, "solver": "lbfgs"},
    "no penalty, lbfgs": {"alpha": 0.0, "solver": "lbfgs"},
    "lbfgs out of evaluations": {"solver": "lbfgs", "max_fun": 20},
    "lbfgs out of iterations": {"solver": "lbfgs", "max_iter": 7},
    "lbfgs with a coarse tolerance": {"solver": "lbfgs", "tol": 1e-2},
    "no hidden layer": {"hidden_layer_sizes": ()},
    "no hidden layer, logistic": {"hidden_layer_sizes": (), "activation": "logistic"},
    "no hidden layer, lbfgs": {"hidden_layer_sizes": (), "solver": "lbfgs"},
    "three hidden layers": {"hidden_layer_sizes": (9, 8, 7), "activation": "tanh"},
    "hidden layer as a number": {"hidden_layer_sizes": 15},
    "hidden layers as a list": {"hidden_layer_sizes": [6, 6]},
    "large validation set": {"early_stopping": True, "validation_fraction": 0.4},
    "early stopping with a wide tolerance": {
        "early_stopping": True,
        "tol": 0.05,
        "n_iter_no_change": 4,
    },
    "seed 7": {"random_state": 7},
    "a RandomState": {"random_state": np.random.RandomState(5).get_state()},
}


AT_FIRST = {"max_iter": 60, "batch_size": 50}


def _seeded(parameters):
    """Give each estimator its own copy of the generator, in the same state."""
    state = parameters.get("random_state")
    if not isinstance(state, tuple):
        return parameters, parameters
    generators = np.random.RandomState(), np.random.RandomState()
    for generator in generators:
        generator.set_state(state)
    return tuple({**parameters, "random_state": generator} for generator in generators)


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        (case, problem)
        for case, parameters in CASES.items()
        for problem in ("multiclass", "binary", "several outputs")
        if not _differs(problem, parameters.get("solver"))
    ],
)
def test_option_means_what_it_means_in_scikit_learn(case, problem, record_property):
    X, y, ours, theirs = pair(problem, **AT_FIRST)
    for estimator, parameters in zip((ours, theirs), _seeded(CASES[case]), strict=True):
        estimator.set_params(**parameters).fit(X, y)
    assert_same_model(ours, theirs, X, record_property)


@pytest.mark.parametrize("problem", ["multiclass", "one output"])
@pytest.mark.parametrize(
    "parameters",
    [
        {"max_iter": 40},
        {"max_iter": 40, "solver": "sgd", "batch_size": 32, "momentum": 0.5},
        {"max_iter": 8, "solver": "lbfgs"},
        {"max_iter": 300, "n_iter_no_change": 3, "tol": 1e-2},
    ],
    ids=["adam", "sgd", "lbfgs", "stopping"],
)
def test_warm_start_goes_on_as_scikit_learn_does(problem, parameters, record_property):
    X, y, ours, theirs = pair(problem, warm_start=True, **parameters)
    for rows in (slice(None), slice(None), slice(20, None)):
        # Each of our fits has its own patience: results on other data must not end training.
        vars(theirs).update(best_loss_=np.inf, _no_improvement_count=0)
        theirs.fit(X[rows], y[rows])
        ours.fit(X[rows], y[rows])
        assert_same_model(ours, theirs, X, record_property)


@pytest.mark.parametrize("problem", ["multiclass", "binary", "multilabel", "several outputs"])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"solver": "sgd", "batch_size": 16},
        {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 1.0, "n_iter_no_change": 2},
        {"random_state": np.random.RandomState(5).get_state(), "batch_size": 16},
    ],
    ids=["adam", "sgd", "invscaling", "adaptive", "generator"],
)
def test_sequence_of_partial_fits_equals_scikit_learns(problem, parameters, record_property):
    X, y, ours, theirs = pair(problem)
    first = {"classes": np.unique(y)} if hasattr(ours, "predict_proba") else {}
    if problem == "multilabel":
        first = {"classes": np.arange(y.shape[1])}
    for estimator, seeded in zip((ours, theirs), _seeded(parameters), strict=True):
        estimator.set_params(**seeded)
    for i in range(30):
        rows = np.arange(len(X))[i % 3 :: 3] if i % 5 else np.arange(len(X))
        for estimator in (theirs, ours):
            estimator.partial_fit(X[rows], y[rows], **first)
        first = {}
    assert_same_model(ours, theirs, X, record_property)


@needs_1_7
@pytest.mark.parametrize("problem", ["multiclass", "binary", "several outputs"])
def test_weighted_partial_fits_equal_scikit_learns(problem, record_property):
    X, y, ours, theirs = pair(problem, batch_size=32)
    first = {"classes": np.unique(y)} if hasattr(ours, "predict_proba") else {}
    for _ in range(20):
        for estimator in (theirs, ours):
            estimator.partial_fit(X, y, sample_weight=weights_of(X), **first)
    assert_same_model(ours, theirs, X, record_property)


@pytest.mark.parametrize("problem", ["multiclass", "one output"])
def test_fit_after_partial_fit_starts_anew_as_in_scikit_learn(problem, record_property):
    X, y, ours, theirs = pair(problem, max_iter=30)
    first = {"classes": np.unique(y)} if hasattr(ours, "predict_proba") else {}
    for estimator in (theirs, ours):
        estimator.partial_fit(X, y, **first).fit(X, y)
    assert_same_model(ours, theirs, X, record_property)
    for estimator in (theirs, ours):
        estimator.partial_fit(X, y)
    assert_same_model(ours, theirs, X)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("problem", ["multiclass", "one output"])
def test_running_out_of_iterations_warns_as_in_scikit_learn(problem, solver):
    X, y, ours, theirs = pair(problem, max_iter=2, solver=solver)
    for estimator in (ours, theirs):
        with pytest.warns(ConvergenceWarning):
            estimator.fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours.set_params(max_iter=1000, tol=1.0).fit(X, y)


# A network without hidden layers is a linear model.

TO_THE_MINIMUM = {"solver": "lbfgs", "tol": 1e-9, "max_iter": 5000, "random_state": 0}


@pytest.mark.parametrize("alpha", [1.0, 5.0, 30.0])
def test_one_sigmoid_is_logistic_regression(alpha):
    X, y = _binary()
    # alpha / (2 n) |w|^2 + mean loss is LogisticRegression's objective over n C for C = 1 / alpha.
    theirs = LogisticRegression(C=1 / alpha, solver="newton-cholesky", tol=1e-10).fit(X, y)
    ours = MLPBinaryClassifier((), alpha=alpha, **TO_THE_MINIMUM).fit(X, y)
    assert_allclose(ours.coefs_[0].T, theirs.coef_, rtol=1e-3, atol=1e-4)
    assert_allclose(ours.intercepts_[0], theirs.intercept_, rtol=1e-3, atol=1e-4)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("alpha", [1.0, 5.0, 30.0])
def test_one_softmax_is_multinomial_logistic_regression(alpha):
    X, y = _multiclass()
    theirs = LogisticRegression(C=1 / alpha, solver="newton-cg", tol=1e-10, max_iter=1000)
    theirs.fit(X, y)
    ours = MLPSoftmaxClassifier((), alpha=alpha, **TO_THE_MINIMUM).fit(X, y)
    assert_allclose(ours.coefs_[0].T, theirs.coef_, rtol=1e-3, atol=1e-4)
    # Predictions do not change if a number is added to all biases.
    centered = ours.intercepts_[0] - ours.intercepts_[0].mean()
    assert_allclose(centered, theirs.intercept_ - theirs.intercept_.mean(), rtol=1e-3, atol=1e-4)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)
