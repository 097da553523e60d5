"""Stacked cross-validation gives cross_validate's answer."""

import inspect

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes, load_wine
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPRegressor, MLPSoftmaxClassifier
from skperceptron.model_selection import stacked_cross_validate

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_wine(return_X_y=True)
QUICK = {"hidden_layer_sizes": (6,), "max_iter": 8, "batch_size": 32, "random_state": 0}
MODEL = make_pipeline(StandardScaler(), MLPSoftmaxClassifier(learning_rate_init=0.03, **QUICK))


def assert_same(ordinary, stacked):
    assert list(ordinary) == list(stacked)
    for key in ordinary:
        if "score" in key and not key.endswith("_time"):
            assert_allclose(stacked[key], ordinary[key], atol=1e-6, rtol=0, err_msg=key)


def test_signature_is_scikit_learns():
    assert list(inspect.signature(stacked_cross_validate).parameters) == [
        *inspect.signature(cross_validate).parameters,
        "callbacks",
    ]


def test_scores_estimators_and_indices_are_scikit_learns():
    options = {
        "groups": np.arange(len(Y)) % 7,
        "cv": GroupKFold(4),
        "scoring": ["accuracy", "neg_log_loss"],
        "return_train_score": True,
        "return_estimator": True,
        "return_indices": True,
    }
    ordinary = cross_validate(MODEL, X, Y, **options)
    stacked = stacked_cross_validate(MODEL, X, Y, **options)
    assert_same(ordinary, stacked)
    for one, other in zip(ordinary["estimator"], stacked["estimator"], strict=True):
        assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=1e-9)
        assert one[-1].n_iter_ == other[-1].n_iter_
    for one, other in zip(ordinary["indices"]["test"], stacked["indices"]["test"], strict=True):
        assert_array_equal(one, other)
    assert len({id(model[0]) for model in stacked["estimator"]}) == 4


def test_weights_are_routed_as_in_scikit_learn():
    weights = np.random.RandomState(0).uniform(size=442)
    data = load_diabetes(return_X_y=True)
    network = MLPRegressor(standardize_target=True, **QUICK)
    params = {"sample_weight": weights}
    assert_same(
        cross_validate(network, *data, params=params),
        stacked_cross_validate(network, *data, params=params),
    )
    with sklearn.config_context(enable_metadata_routing=True):
        network.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        assert_same(
            cross_validate(network, *data, params=params),
            stacked_cross_validate(network, *data, params=params),
        )


def test_other_estimators_and_errors_are_treated_as_in_scikit_learn():
    data = load_diabetes(return_X_y=True)
    assert_same(
        cross_validate(LinearRegression(), *data),
        stacked_cross_validate(LinearRegression(), *data),
    )
    with pytest.raises(ValueError, match="The 'return_estimator' parameter"):
        stacked_cross_validate(MODEL, X, Y, return_estimator="yes")
    with pytest.raises(ValueError, match="alpha"):
        stacked_cross_validate(MLPSoftmaxClassifier(alpha=-1), X, Y, error_score="raise")
