"""Predictions do not depend on earlier predictions, nor on the thread that makes them."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
from skperceptron.model_selection import StackedEnsembleRegressor

DTYPES = ["float32", "float64"]


def rows(n_rows=40, n_features=6, dtype="float64"):
    return np.random.RandomState(0).standard_normal((n_rows, n_features)).astype(dtype)


@pytest.fixture(params=DTYPES)
def fitted(request):
    """A classifier of three classes, trained in float32 or float64."""
    X = rows()
    network = MLPSoftmaxClassifier((5,), max_iter=9, tol=10, n_iter_no_change=1, random_state=0)
    return network.set_params(dtype=request.param).fit(X, np.arange(len(X)) % 3)


def plain_probabilities(model, X):
    hidden = np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0)
    raw = np.exp(hidden @ model.coefs_[1] + model.intercepts_[1])
    return raw / raw.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("change", ["inside", "exchanged"])
def test_changed_weights_are_used_by_the_next_prediction(fitted, dtype, change):
    X = rows(dtype=dtype)
    fitted.predict_proba(X)
    if change == "inside":
        fitted.coefs_[0][:] *= 2
    else:
        fitted.coefs_[0] = fitted.coefs_[0] * 2
    assert_allclose(fitted.predict_proba(X), plain_probabilities(fitted, X), rtol=1e-4)


def test_changed_normalization_is_used_by_the_next_prediction():
    X = rows()
    model = MLPRegressor(
        hidden_layer_sizes=(4,), normalization="batch", max_iter=9, tol=10, n_iter_no_change=1
    )
    model.set_params(random_state=0).fit(X, X[:, 0])
    before = model.predict(X)
    model.normalization_parameters_[0][0] *= 2
    assert np.abs(model.predict(X) - before).max() > 1e-3


def test_refitted_model_drops_its_earlier_predictor():
    X = rows()
    model = MLPBinaryClassifier((4,), max_iter=9, tol=10, n_iter_no_change=1, random_state=0)
    model.fit(X, X[:, 0] > 0).predict_proba(X)
    again = model.set_params(random_state=1).fit(X, X[:, 1] > 0).predict_proba(X)
    assert_array_equal(again, clone(model).fit(X, X[:, 1] > 0).predict_proba(X))


def test_predicting_changes_neither_attributes_nor_pickles(fitted):
    before, pickled = vars(fitted).copy(), pickle.dumps(fitted)
    fitted.predict_proba(rows())
    assert vars(fitted) == before
    assert pickle.dumps(fitted) == pickled


def test_result_is_not_overwritten_by_the_next_prediction(fitted):
    first = fitted.decision_function(rows()[:1])
    kept = first.copy()
    fitted.decision_function(rows()[1:2])
    assert_array_equal(first, kept)


def test_threads_may_share_a_model(fitted):
    X = rows(400)
    expected = [fitted.predict_proba(X[i : i + 1]) for i in range(len(X))]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda i: fitted.predict_proba(X[i : i + 1]), range(len(X))))
    assert_array_equal(found, expected)


@pytest.mark.parametrize("n_rows", [1, 300])
@pytest.mark.parametrize("dtype", DTYPES)
def test_no_probability_is_rounded_to_0_or_1(fitted, dtype, n_rows):
    X = 1e6 * rows(n_rows, dtype=dtype)
    for proba in (fitted.predict_proba(X), fitted.predict_proba(X)[:, ::-1]):
        assert proba.dtype == dtype
        assert proba.min() == np.finfo(dtype).tiny
        assert proba.max() == 1 - np.finfo(dtype).epsneg


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_that_are_not_finite_are_refused(fitted, bad, dtype):
    X = rows(dtype=dtype)
    fitted.predict_proba(X)
    X[3, 2] = bad
    with pytest.raises(ValueError, match="Input X contains"):
        fitted.predict_proba(X)


def test_sum_that_overflows_does_not_refuse_finite_rows(fitted):
    X = np.full((2, 6), np.finfo(np.float32).max, dtype=np.float32)
    fitted.coefs_[0][:] = 1e-38
    assert np.isfinite(fitted.predict_proba(X)).all()


def test_softmax_of_many_rows_equals_that_of_each(fitted):
    X = rows(300)
    alone = [fitted.predict_proba(X[i : i + 1])[0] for i in range(len(X))]
    assert_allclose(fitted.predict_proba(X), alone, rtol=1e-12)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_rows_that_float32_has_no_room_for_are_predicted_in_float64(fitted):
    X = rows(dtype="float32")
    largest = np.finfo(np.float32).max
    X[3] = np.copysign(largest, fitted.coefs_[0][:, 0])
    assert X[3] @ fitted.coefs_[0][:, 0].astype(np.float64) > largest
    probability = fitted.predict_proba(X)
    assert np.isfinite(probability).all()
    assert_allclose(probability.sum(axis=1), 1, rtol=1e-6)
    assert_array_equal(fitted.predict(X), fitted.predict(X.astype(np.float64)))


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_rows_whose_prediction_overflows_are_refused_by_their_position(fitted, method):
    X = rows()
    X[3] = np.finfo(np.float64).max
    with pytest.raises(ValueError, match=r"1 row\(s\), the first at position 3.*Scale X"):
        getattr(fitted, method)(X)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("size", [1e-200, 1e-30, 1e100, 1e300])
def test_r2_does_not_depend_on_units(size):
    X = rows()
    y = X @ np.arange(6.0)
    model = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", standardize_target=True)
    ordinary = model.fit(X, y).score(X, y + X[:, 0])
    weight = np.full(len(y), 1e300)
    model.fit(X, y * size)
    assert_allclose(model.score(X, y * size + X[:, 0] * size), ordinary, rtol=1e-4)
    assert_allclose(model.score(X, y * size + X[:, 0] * size, weight), ordinary, rtol=1e-4)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_r2_of_predictions_that_are_far_too_large_is_finite():
    X = rows()
    y = X[:, 0]
    model = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs").fit(X, y * 1e5)
    score = model.score(X, y * 1e-250)
    assert np.isfinite(score)
    assert score < -1e100


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("options", [{"output_range": (-1e60, 1e60)}, {"loss": "poisson"}])
def test_predictions_that_float32_has_no_room_for_are_float64(options):
    X = rows()
    y = 1e59 * np.exp(0.1 * X[:, 0])
    model = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", **options).fit(X, y)
    found = model.predict(X.astype(np.float32))
    assert found.dtype == np.float64
    assert_allclose(found, model.predict(X), rtol=1e-3)


def test_a_range_wider_than_all_floats_is_refused():
    model = MLPRegressor(output_range=(-1.7e308, 1.7e308))
    with pytest.raises(ValueError, match="wider than the largest float"):
        model.fit(rows(), np.zeros(40))


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_r2_of_an_ensemble_does_not_depend_on_units():
    X = rows()
    y = X @ np.arange(6.0)
    network = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", standardize_target=True)
    ensemble = StackedEnsembleRegressor(network, n_members=2, random_state=0)
    assert ensemble.fit(X, y * 1e200).score(X, y * 1e200) > 0.99
