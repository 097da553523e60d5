"""Stacked cross-validation gives cross_validate's answer."""

import inspect

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_wine
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import (
    GroupKFold,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    ShuffleSplit,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPRegressor, MLPSoftmaxClassifier
from skperceptron.model_selection import (
    StackedHalvingGridSearchCV,
    StackedHalvingRandomSearchCV,
    stacked_cross_val_predict,
    stacked_cross_val_score,
    stacked_cross_validate,
    stacked_learning_curve,
    stacked_validation_curve,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_wine(return_X_y=True)
QUICK = {"hidden_layer_sizes": (6,), "max_iter": 8, "batch_size": 32, "random_state": 0}
MODEL = make_pipeline(StandardScaler(), MLPSoftmaxClassifier(learning_rate_init=0.03, **QUICK))


def assert_same(ordinary, stacked):
    assert list(ordinary) == list(stacked)
    for key in ordinary:
        if "score" in key and not key.endswith("_time"):
            assert_allclose(stacked[key], ordinary[key], atol=1e-6, rtol=0, err_msg=key)


@pytest.mark.parametrize(
    ("ours", "theirs", "more"),
    [
        (stacked_cross_validate, cross_validate, ["callbacks"]),
        (stacked_cross_val_score, cross_val_score, ["callbacks"]),
        (stacked_cross_val_predict, cross_val_predict, []),
        (stacked_learning_curve, learning_curve, ["callbacks"]),
        (stacked_validation_curve, validation_curve, ["callbacks"]),
    ],
)
def test_signature_is_scikit_learns(ours, theirs, more):
    # Before version 1.8, some functions have an old name of `params`, too.
    known = [name for name in inspect.signature(theirs).parameters if name != "fit_params"]
    assert list(inspect.signature(ours).parameters) == known + more


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
    predicted = stacked_cross_val_predict(network, *data, params=params)
    assert_allclose(predicted, cross_val_predict(network, *data, params=params))
    assert not np.allclose(predicted, stacked_cross_val_predict(network, *data))
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


def test_scores_predictions_and_curves_are_scikit_learns():
    for method in ("predict", "predict_proba"):
        ordinary = cross_val_predict(MODEL, X, Y, cv=3, method=method)
        assert_allclose(stacked_cross_val_predict(MODEL, X, Y, cv=3, method=method), ordinary)
    assert_allclose(stacked_cross_val_score(MODEL, X, Y, cv=3), cross_val_score(MODEL, X, Y, cv=3))
    sizes = {"train_sizes": [0.5, 1.0], "cv": 3, "shuffle": True, "random_state": 0}
    for ours, theirs in zip(
        stacked_learning_curve(MODEL, X, Y, **sizes),
        learning_curve(MODEL, X, Y, **sizes),
        strict=True,
    ):
        assert_allclose(ours, theirs)
    values = {"param_name": "mlpsoftmaxclassifier__alpha", "param_range": [1e-4, 1.0], "cv": 3}
    for ours, theirs in zip(
        stacked_validation_curve(MODEL, X, Y, **values),
        validation_curve(MODEL, X, Y, **values),
        strict=True,
    ):
        assert_allclose(ours, theirs)


def test_halving_finds_what_scikit_learns_finds():
    grid = {"mlpsoftmaxclassifier__alpha": [1e-4, 1e-2, 1.0]}
    for ours, theirs in (
        (StackedHalvingGridSearchCV, HalvingGridSearchCV),
        (StackedHalvingRandomSearchCV, HalvingRandomSearchCV),
    ):
        found, expected = (
            kind(MODEL, grid, cv=3, random_state=0).fit(X, Y) for kind in (ours, theirs)
        )
        assert found.n_resources_ == expected.n_resources_
        assert found.best_params_ == expected.best_params_
        key = "mean_test_score"
        assert_allclose(found.cv_results_[key], expected.cv_results_[key], atol=1e-6)


@pytest.mark.parametrize(
    ("cv", "n_rows", "least"),
    [
        (5, 150, 5),
        (2, 150, 2),
        (4, 30, 5),
        (ShuffleSplit(2, test_size=3, random_state=0), 49, 17),
        # scikit-learn takes int(2 / 98 * 49) rows, which rounding makes 0.
        (2, 98, 3),
    ],
)
def test_halving_refuses_rounds_in_which_a_part_of_a_split_would_have_no_rows(cv, n_rows, least):
    X = np.random.RandomState(0).normal(size=(n_rows, 2))
    search = StackedHalvingGridSearchCV(
        LinearRegression(), {"fit_intercept": [True, False]}, cv=cv, scoring="neg_max_error"
    )
    with pytest.raises(ValueError, match=f"min_resources={least - 1} .*at least {least} rows"):
        clone(search).set_params(min_resources=least - 1).fit(X, X[:, 0])
    found = search.set_params(min_resources=least).fit(X, X[:, 0])
    assert found.n_resources_[0] == least


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (stacked_cross_val_predict, cross_val_predict),
        (stacked_cross_val_score, cross_val_score),
        (stacked_cross_validate, cross_validate),
        (stacked_learning_curve, learning_curve),
        (stacked_validation_curve, validation_curve),
        (StackedHalvingGridSearchCV, HalvingGridSearchCV),
        (StackedHalvingRandomSearchCV, HalvingRandomSearchCV),
    ],
    ids=lambda one: one.__name__,
)
def test_signatures_are_scikit_learns(ours, theirs):
    def defaults(function):
        return {name: str(p.default) for name, p in inspect.signature(function).parameters.items()}

    found, expected = defaults(ours), defaults(theirs)
    expected.pop("fit_params", None)
    # scikit-learn's functions have no parameter `callbacks`.
    found.pop("callbacks", None)
    assert found == expected


def test_options_of_the_functions_are_checked():
    for function in (stacked_cross_val_predict, stacked_cross_val_score):
        for cv in (True, 1):
            with pytest.raises(ValueError, match=r"cv' parameter of stacked_cross_val_"):
                function(MODEL, X, Y, cv=cv)
    with pytest.raises(ValueError, match=r"param_range=\[\] of stacked_validation_curve is empty"):
        stacked_validation_curve(MODEL, X, Y, param_name="alpha", param_range=[])
