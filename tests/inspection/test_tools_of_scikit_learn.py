"""scikit-learn's own displays and inspection, on all four estimators."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.calibration import CalibrationDisplay, calibration_curve
from sklearn.inspection import (
    DecisionBoundaryDisplay,
    PartialDependenceDisplay,
    partial_dependence,
    permutation_importance,
)

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)

X = np.random.RandomState(0).normal(size=(80, 2))
# Only the first feature matters.
NUMBERS = 2 * X[:, 0]
LABELS = np.where(X[:, 0] > 0, "yes", "no")
MODELS = {
    "binary": MLPBinaryClassifier((5,), solver="lbfgs", alpha=0.1, random_state=0),
    "softmax": MLPSoftmaxClassifier((5,), solver="lbfgs", alpha=0.1, random_state=0),
    "perceptron": RosenblattPerceptron(50, weights="averaged", random_state=0),
    "regressor": MLPRegressor(
        hidden_layer_sizes=(5,), solver="lbfgs", alpha=0.1, random_state=0, max_iter=500
    ),
}
CLASSIFIERS = [name for name in MODELS if name != "regressor"]


@pytest.fixture(scope="module")
def fitted():
    return {
        name: model.fit(X, LABELS if name in CLASSIFIERS else NUMBERS)
        for name, model in MODELS.items()
    }


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("method", ["auto", "predict"])
def test_decision_boundary_follows_the_first_feature(pyplot, fitted, name, method):
    display = DecisionBoundaryDisplay.from_estimator(
        fitted[name], X, response_method=method, grid_resolution=9
    )
    response = display.response
    assert response.shape[:2] == (9, 9)
    # It rises along the first feature.
    assert (response[:, -1] > response[:, 0]).all()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_calibration_is_drawn_from_the_probabilities(pyplot, fitted, name):
    display = CalibrationDisplay.from_estimator(fitted[name], X, LABELS, n_bins=3)
    probability = fitted[name].predict_proba(X)[:, 1]
    expected, _ = calibration_curve(LABELS == "yes", probability, n_bins=3)
    assert_allclose(display.prob_true, expected)


@pytest.mark.parametrize("name", MODELS)
def test_permutation_importance_finds_the_feature_that_matters(fitted, name):
    y = LABELS if name in CLASSIFIERS else NUMBERS
    found = permutation_importance(fitted[name], X, y, n_repeats=3, random_state=0)
    assert found.importances_mean[0] > 0.3 > 5 * abs(found.importances_mean[1])


@pytest.mark.parametrize("name", MODELS)
def test_partial_dependence_shows_the_feature_that_matters(pyplot, fitted, name):
    display = PartialDependenceDisplay.from_estimator(fitted[name], X, [0, 1], grid_resolution=9)
    ((first, second),) = display.lines_
    assert np.ptp(first.get_ydata()) > 2 * np.ptp(second.get_ydata())
    average = partial_dependence(fitted[name], X, [0], grid_resolution=9)["average"][0]
    assert_allclose(first.get_ydata(), average)
