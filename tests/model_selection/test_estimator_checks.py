"""scikit-learn's own checks on the meta-estimators, as scikit-learn runs them on its searches."""

import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skperceptron import MLPRegressor, MLPSoftmaxClassifier
from skperceptron.model_selection import (
    StackedCrossEnsembleClassifier,
    StackedCrossEnsembleRegressor,
    StackedEnsembleClassifier,
    StackedEnsembleRegressor,
    StackedGridSearchCV,
    StackedRandomizedSearchCV,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning"),
    pytest.mark.filterwarnings("ignore:The least populated class:UserWarning"),
]

QUICK = {"hidden_layer_sizes": (8,), "max_iter": 20, "learning_rate_init": 0.05}
SOFTMAX = MLPSoftmaxClassifier(**QUICK, random_state=0)
REGRESSOR = MLPRegressor(**QUICK, random_state=0)
SEARCH = {"cv": 2, "error_score": "raise"}
KINDS = ["dense", "sparse"]


def unequal_by_weight(estimator):
    """Return the checks that compare weights with repeated rows, where these must differ."""
    if isinstance(estimator, StackedCrossEnsembleClassifier | StackedCrossEnsembleRegressor):
        reason = "folds are drawn by rows"
    elif isinstance(estimator, StackedEnsembleRegressor):
        reason = "only the last step of the pipeline gets weights"
    else:
        return {}
    return {f"check_sample_weight_equivalence_on_{kind}_data": reason for kind in KINDS}


@parametrize_with_checks(
    [
        StackedGridSearchCV(SOFTMAX, {"alpha": [0.1, 1]}, **SEARCH),
        StackedRandomizedSearchCV(
            make_pipeline(StandardScaler(), REGRESSOR),
            {"mlpregressor__alpha": [0.1, 1]},
            n_iter=2,
            random_state=0,
            **SEARCH,
        ),
        StackedGridSearchCV(SOFTMAX, {"alpha": [0.1, 1]}, refit="ensemble", **SEARCH),
        StackedEnsembleClassifier(SOFTMAX, n_members=2),
        StackedEnsembleRegressor(make_pipeline(StandardScaler(), REGRESSOR), n_members=2),
        StackedCrossEnsembleClassifier(SOFTMAX, {"alpha": [0.1, 1]}, cv=2),
        StackedCrossEnsembleRegressor(
            make_pipeline(StandardScaler(), REGRESSOR), {"mlpregressor__alpha": [0.1, 1]}, cv=2
        ),
    ],
    expected_failed_checks=unequal_by_weight,
)
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)
