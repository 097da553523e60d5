"""Repeated predictions are made by tables, with the same bits as by NumPy's calls."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
from skperceptron.activations import Activation, list_activations
from skperceptron.engine.compiled import VARIABLE, is_available
from skperceptron.engine.prediction import (
    FEW_ELEMENTS,
    PREDICTIONS_BEFORE_TABLES,
    CompiledWorkspace,
    Predictor,
)

pytestmark = [
    pytest.mark.skipif(not is_available(), reason="there is no extension"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


class Doubled(Activation):
    """An activation that tables do not support."""

    def forward(self, z, out):
        out[...] = [2 * row for row in z]

    def backward(self, z, a, grad):
        grad *= 2


@pytest.fixture(autouse=True)
def tables_are_wanted(monkeypatch):
    monkeypatch.setenv(VARIABLE, "auto")


def data(n_rows=30, n_features=5):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(n_rows, n_features))
    return X, (X[:, 0] > 0).astype(int)


def fitted(estimator=MLPSoftmaxClassifier, **options):
    options = {"hidden_layer_sizes": (7, 4), "max_iter": 2, "random_state": 0} | options
    return estimator(**options).fit(*data())


def predictor_of(model):
    ((kept,),) = model._fitted.predictors._resting.values()
    return kept[1]


def has_table(model):
    return predictor_of(model)._table is not None


def predict_until_there_is_a_table(model, X):
    """Predict until there is a table; return the first and the last predictions."""
    first = model._fitted.raw_predictions(X)
    for _ in range(PREDICTIONS_BEFORE_TABLES):
        last = model._fitted.raw_predictions(X)
    return first, last


OPTIONS = {
    "plain": {},
    "float32": {"dtype": "float32"},
    "residual": {"hidden_layer_sizes": (5, 5), "skip_connections": "residual"},
    "dense": {"skip_connections": "dense"},
    "dropout": {"dropout": 0.3},
    "several activations": {"activation": ["tanh", "gelu"]},
    "shared weights": {"ensemble_size": 3},
}


@pytest.mark.parametrize("n_rows", [1, 2, 9])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("estimator", [MLPSoftmaxClassifier, MLPBinaryClassifier, MLPRegressor])
def test_bits_stay_when_a_table_takes_over(estimator, options, n_rows):
    model = fitted(estimator, **options)
    first, last = predict_until_there_is_a_table(model, data()[0][:n_rows])
    assert has_table(model)
    assert_array_equal(last, first)


@pytest.mark.parametrize("estimator", [MLPBinaryClassifier, MLPRegressor])
def test_bits_of_rows_in_fortran_order_stay(estimator):
    rng = np.random.RandomState(0)
    model = fitted(estimator, hidden_layer_sizes=())
    for _ in range(5):
        X = np.asfortranarray(rng.normal(size=(17, 5)))
        assert_array_equal(*predict_until_there_is_a_table(model, X))


@pytest.mark.parametrize("activation", list_activations())
def test_every_activation_predicts_the_same_bits_by_a_table(activation):
    model = fitted(activation=activation)
    first, last = predict_until_there_is_a_table(model, data()[0][:3])
    assert_array_equal(last, first)


@pytest.mark.parametrize("n_rows", [1, 3])
def test_categories_are_looked_up_by_a_table(n_rows):
    X, y = data()
    X[:, 1] = np.arange(len(X)) % 4 - 1
    options = {"hidden_layer_sizes": (7,), "max_iter": 2, "random_state": 0}
    model = MLPRegressor(categorical_features=[1], **options).fit(X, y)
    first, last = predict_until_there_is_a_table(model, X[:n_rows])
    assert has_table(model)
    assert_array_equal(last, first)


@pytest.mark.parametrize("of_X", ["float32", "float64"])
@pytest.mark.parametrize("of_model", ["float32", "float64"])
def test_tables_use_new_rows_and_changed_weights(of_X, of_model):
    model = fitted(dtype=of_model)
    X = data()[0].astype(of_X)
    predict_until_there_is_a_table(model, X[:1])
    for i in range(5):
        model.coefs_[i % 3] *= 1.5
        model.intercepts_[i % 3] += 0.25
        found = model._fitted.raw_predictions(X[i : i + 1])
        plain = Predictor(model._fitted.network, model._fitted.views(), found.dtype)
        assert_array_equal(found, plain(X[i : i + 1]))
    assert has_table(model)


def test_rows_that_are_not_contiguous_are_predicted_by_a_table():
    X = data()[0]
    model = fitted()
    expected, _ = predict_until_there_is_a_table(model, np.ascontiguousarray(X[:2]))
    with_gaps = np.repeat(X, 2, axis=1)[:, ::2]
    np.testing.assert_allclose(model._fitted.raw_predictions(with_gaps[:2]), expected, rtol=1e-13)
    assert has_table(model)


def test_another_number_of_rows_begins_anew():
    model, (X, _) = fitted(), data()
    predict_until_there_is_a_table(model, X[:1])
    assert has_table(model)
    model.predict_proba(X[:2])
    assert not has_table(model)


@pytest.mark.parametrize(
    "why", ["many elements", "sparse rows", "NumPy's way", "an own activation"]
)
def test_tables_are_made_only_where_they_can_be_and_pay(why, monkeypatch):
    X, _ = data(FEW_ELEMENTS)
    n_rows, options = 1, {}
    if why == "many elements":
        n_rows = FEW_ELEMENTS
    elif why == "sparse rows":
        X = sparse.csr_array(X)
    elif why == "NumPy's way":
        monkeypatch.setenv(VARIABLE, "numpy")
    else:
        options = {"activation": Doubled()}
    model = fitted(**options)
    first, last = predict_until_there_is_a_table(model, X[:n_rows])
    assert not has_table(model)
    assert_array_equal(last, first)


@pytest.mark.parametrize("wanted", [{"divide": "raise"}, {"under": "raise"}])
def test_tables_are_not_used_where_numpy_is_set_to_raise(wanted, monkeypatch):
    model, (X, _) = fitted(), data()
    predict_until_there_is_a_table(model, X[:1])
    taken = []
    run = CompiledWorkspace.forward
    monkeypatch.setattr(CompiledWorkspace, "forward", lambda table: taken.append(1) or run(table))
    with np.errstate(**wanted):
        model.predict(X[:1])
    assert not taken
    model.predict(X[:1])
    assert taken


def test_threads_share_a_model_that_predicts_by_tables():
    model, (X, _) = fitted(), data()
    expected = [model.predict_proba(X[i : i + 1]) for i in range(len(X))]
    predict_until_there_is_a_table(model, X[:1])

    def predicted(i):
        return [model.predict_proba(X[i : i + 1]) for _ in range(200)]

    with ThreadPoolExecutor(4) as threads:
        for i, found in enumerate(threads.map(predicted, range(len(X)))):
            assert all(np.array_equal(one, expected[i]) for one in found)
