"""``ensemble_size``: networks that share weights, as an estimator's parameter."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
from skperceptron.groups import ParameterGroup, ParameterGroups
from skperceptron.inspection import computational_graph, gradient_report, network_summary
from skperceptron.model_selection import StackedGridSearchCV

X, Y = load_iris(return_X_y=True)
XR, YR = load_diabetes(return_X_y=True)
M = 4
OPTIONS = {
    "hidden_layer_sizes": (8, 8),
    "ensemble_size": M,
    "max_iter": 20,
    "batch_size": 32,
    "learning_rate_init": 0.01,
    "random_state": 0,
    "dtype": "float64",
}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def outputs(model, x):
    """Return the output of each network before the link, (M, N, C)."""
    adapters = iter(model.adapters_)
    values = [x] * model.ensemble_size
    for weight, bias in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        into, out, shift = (next(adapters) for _ in range(3))
        values = [
            np.maximum(((value * into[i]) @ weight + bias) * out[i] + shift[i], 0)
            for i, value in enumerate(values)
        ]
    last = np.split(model.coefs_[-1], model.ensemble_size)
    return np.array(
        [v @ w + b for v, w, b in zip(values, last, model.intercepts_[-1], strict=True)]
    )


def test_probabilities_are_the_mean_of_those_of_the_networks():
    model = MLPSoftmaxClassifier(**OPTIONS).fit(X, Y)
    expected = softmax(outputs(model, X), axis=-1).mean(axis=0)
    assert_allclose(model.predict_proba(X), expected, atol=1e-9)
    model = MLPBinaryClassifier(**OPTIONS).fit(X, Y > 0)
    expected = expit(outputs(model, X)).mean(axis=0)[:, 0]
    assert_allclose(model.predict_proba(X)[:, 1], expected, atol=1e-9)


@pytest.mark.parametrize("standardize", [False, True])
def test_numbers_are_the_mean_of_those_of_the_networks(standardize):
    y = np.column_stack([YR, -2 * YR])
    model = MLPRegressor(standardize_target=standardize, **OPTIONS).fit(XR, y)
    assert_allclose(model.predict(XR), outputs(model, XR).mean(axis=0), rtol=1e-9)


def test_networks_differ_and_learn():
    model = MLPSoftmaxClassifier(**OPTIONS | {"max_iter": 100}).fit(X, Y)
    assert model.score(X, Y) > 0.95
    assert np.ptp(outputs(model, X), axis=0).max() > 0.1
    assert model.adapters_[0].shape == (M, 4)
    assert [a.shape for a in model.coefs_] == [(4, 8), (8, 8), (M * 8, 3)]
    assert model.intercepts_[-1].shape == (M, 3)


def test_a_single_network_is_an_ordinary_one_with_factors():
    still = ParameterGroups(adapter=ParameterGroup(rate=0))
    # The signs are drawn before the first shuffle.
    options = {**OPTIONS, "ensemble_size": 1, "parameter_groups": still, "shuffle": False}
    one = MLPRegressor(**options).fit(XR, YR)
    assert all((np.abs(array) == 1).all() or not array.any() for array in one.adapters_)
    signed = MLPRegressor(**{**options, "ensemble_size": None})
    signed.fit(
        XR * one.adapters_[0],
        YR,
        **start_of(MLPRegressor(**{**options, "learning_rate_init": 1e-300}).fit(XR, YR)),
    )
    assert_allclose(one.predict(XR), signed.predict(XR * one.adapters_[0]), rtol=1e-6)


def start_of(model):
    biases = [*model.intercepts_[:-1], model.intercepts_[-1][0]]
    return {"coefs_init": model.coefs_, "intercepts_init": biases}


# The steps of Adam do not depend on the size of the gradients.
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_weights_of_rows_are_repetitions(solver):
    weights = np.arange(len(X)) % 3
    options = OPTIONS | {"solver": solver, "batch_size": 10**4, "max_iter": 10}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weighted = MLPSoftmaxClassifier(**options).fit(X, Y, sample_weight=weights)
        repeated = MLPSoftmaxClassifier(**options).fit(X.repeat(weights, 0), Y.repeat(weights))
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-9)


def test_weights_that_hardly_differ_change_hardly_anything():
    # The steps of SGD, unlike Adam's, are proportional to the gradient.
    options = OPTIONS | {"solver": "sgd", "max_iter": 10}
    weights = 1 + 1e-9 * np.arange(len(X))
    weighted = MLPSoftmaxClassifier(**options).fit(X, Y, sample_weight=weights)
    plain = MLPSoftmaxClassifier(**options).fit(X, Y)
    assert_allclose(weighted.predict_proba(X), plain.predict_proba(X), atol=1e-5)


def test_stacked_search_equals_single_fits():
    grid = {"ensemble_size": [None, 2, 3], "alpha": [0.0, 1.0], "dropout": [0.2]}
    base = MLPSoftmaxClassifier(**OPTIONS | {"max_iter": 5})
    stacked = StackedGridSearchCV(base, grid, cv=2, scoring="neg_log_loss").fit(X, Y)
    alone = GridSearchCV(base, grid, cv=2, scoring="neg_log_loss").fit(X, Y)
    name = "mean_test_score"
    assert_allclose(stacked.cv_results_[name], alone.cv_results_[name], rtol=1e-9)


def test_parts_go_together():
    model = MLPSoftmaxClassifier(
        **OPTIONS,
        skip_connections="residual",
        normalization="layer",
        dropout=0.1,
        feature_scale=True,
        parametric_activation=True,
        numeric_embedding="pbld",
        early_stopping=True,
    ).fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(model.predict_proba(X), again.predict_proba(X))
    before = model.predict_proba(X)
    model.set_params(early_stopping=False).partial_fit(X, Y)
    assert np.abs(model.predict_proba(X) - before).max() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"solver": "lbfgs"}, "needs a stochastic solver"),
        ({"skip_connections": "dense"}, "'none' or 'residual'"),
        ({"normalization": "batch"}, "normalization='layer'"),
        ({"initializer": "unit_variance"}, "initializer='unit_variance' exclude each other"),
    ],
)
def test_what_does_not_go_together_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MLPRegressor(**OPTIONS | options).fit(XR, YR)


def test_sparse_rows_are_refused():
    with pytest.raises(ValueError, match="ensemble_size=4 needs dense X"):
        MLPRegressor(**OPTIONS).fit(sparse.csr_array(XR), YR)


def test_summary_and_graph_show_the_networks():
    model = MLPSoftmaxClassifier(**OPTIONS).fit(X, Y)
    assert len(network_summary(model))
    assert len(computational_graph(model).nodes)
    with pytest.raises(ValueError, match="ensemble_size=4"):
        gradient_report(model, X, Y)
