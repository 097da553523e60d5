"""refit="ensemble": scikit-learn's results, and the best combination of the fitted models."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn
from joblib import parallel_backend
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss, make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
from skperceptron.model_selection import (
    StackedCrossEnsembleClassifier,
    StackedCrossEnsembleRegressor,
    StackedGridSearchCV,
    StackedRandomizedSearchCV,
    _search_ensemble,
)
from skperceptron.model_selection._search_ensemble import N_BEST

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:One or more of the .* scores are non-finite:UserWarning"),
]

X, Y = load_iris(return_X_y=True)
XR, YR = load_diabetes(return_X_y=True)
QUICK = {"hidden_layer_sizes": (6,), "max_iter": 20, "batch_size": 32, "learning_rate_init": 0.03}
SOFTMAX = MLPSoftmaxClassifier(random_state=0, **QUICK)
REGRESSOR = MLPRegressor(standardize_target=True, random_state=0, **QUICK)
SCALED = make_pipeline(StandardScaler(), SOFTMAX)
GRID = {"alpha": [1e-4, 0.1, 1.0]}
SCALED_GRID = {"mlpsoftmaxclassifier__alpha": [1e-4, 0.1, 1.0]}
SCORES = ("mean_test_score", "std_test_score", "rank_test_score", "split0_test_score")


def search(estimator=SOFTMAX, grid=GRID, **options):
    return StackedGridSearchCV(estimator, grid, **{"refit": "ensemble", "cv": 3} | options)


class SometimesMute(LogisticRegression):
    """A classifier whose probabilities cannot be computed for one of its settings."""

    def predict_proba(self, X):
        if self.C == 2:
            raise ArithmeticError("overflow")
        return super().predict_proba(X)


def test_candidates_whose_probabilities_cannot_be_computed_are_not_combined():
    found = search(SometimesMute(max_iter=500), {"C": [1, 2, 3]}).fit(X, Y)
    assert {arm["C"] for arm in found.best_estimator_.params_} <= {1, 3}
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()


def test_time_of_combining_is_that_of_the_final_fit(monkeypatch):
    times = iter([100.0, 103.0])
    clock = SimpleNamespace(perf_counter=lambda: next(times))
    monkeypatch.setattr(_search_ensemble, "time", clock)
    assert search(grid={}).fit(X, Y).refit_time_ == 3


def test_results_are_those_of_an_ordinary_search():
    ordinary = GridSearchCV(SCALED, SCALED_GRID, cv=3).fit(X, Y)
    found = search(SCALED, SCALED_GRID).fit(X, Y)
    for name in SCORES:
        assert_allclose(found.cv_results_[name], ordinary.cv_results_[name], atol=1e-6)
    assert set(found.cv_results_) == set(ordinary.cv_results_)
    assert found.best_params_ == ordinary.best_params_
    assert found.best_index_ == ordinary.best_index_
    assert_allclose(found.best_score_, ordinary.best_score_)
    assert found.n_splits_ == 3
    assert found.refit == "ensemble"


def test_members_are_the_networks_that_the_search_has_fitted():
    found = search(SCALED, SCALED_GRID).fit(X, Y)
    ensemble = found.best_estimator_
    assert isinstance(ensemble, StackedCrossEnsembleClassifier)
    folds = list(StratifiedKFold(3).split(X, Y))
    for arm, members in zip(ensemble.params_, ensemble.estimators_, strict=True):
        for member, (train, test) in zip(members, folds, strict=True):
            alone = clone(SCALED).set_params(**arm).fit(X[train], Y[train])
            assert_allclose(member.predict_proba(X), alone.predict_proba(X), atol=1e-9)
            place = found.cv_results_["params"].index(arm)
            scores = [found.cv_results_[f"split{k}_test_score"][place] for k in range(3)]
            assert accuracy_score(Y[test], member.predict(X[test])) in np.round(scores, 12)
    assert_allclose(ensemble.weights_.sum(), 1)
    assert_allclose(ensemble.oof_loss_, log_loss(Y, ensemble.oof_predictions_))
    for (train, test), (a, b) in zip(ensemble.splits_, folds, strict=True):
        assert_array_equal(train, a)
        assert_array_equal(test, b)


def test_the_search_predicts_as_its_ensemble():
    found = search(SCALED, SCALED_GRID).fit(X, Y)
    ensemble = found.best_estimator_
    assert_array_equal(found.predict(X), ensemble.predict(X))
    assert_array_equal(found.predict_proba(X), ensemble.predict_proba(X))
    assert_array_equal(found.predict_log_proba(X), ensemble.predict_log_proba(X))
    assert_array_equal(found.decision_function(X), ensemble.decision_function(X))
    assert found.score(X, Y) == ensemble.score(X, Y)
    assert_array_equal(found.classes_, [0, 1, 2])
    assert found.n_features_in_ == 4
    restored = pickle.loads(pickle.dumps(found))
    assert_array_equal(restored.predict_proba(X), found.predict_proba(X))


def test_its_ensemble_can_be_fitted_again():
    ensemble = search(REGRESSOR).fit(XR, YR).best_estimator_
    assert isinstance(ensemble, StackedCrossEnsembleRegressor)
    again = clone(ensemble).fit(XR, YR)
    assert again.params_ == ensemble.params_
    # As in the search, held-out rows do not choose epochs.
    assert again.estimators_[0][0].validation_scores_ is None
    # Their members differ: the search seeds all networks alike, the ensemble draws a seed for each.
    assert abs(again.oof_score_ - ensemble.oof_score_) < 0.2


def test_no_more_than_the_best_candidates_are_combined():
    rates = {"alpha": loguniform(1e-4, 10), "learning_rate_init": loguniform(1e-6, 1e-1)}
    found = StackedRandomizedSearchCV(
        SOFTMAX, rates, n_iter=12, cv=3, refit="ensemble", random_state=0
    ).fit(X, Y)
    ensemble = found.best_estimator_
    assert len(ensemble.params_) == len(ensemble.weights_) == len(ensemble.estimators_) == N_BEST
    assert ensemble.oof_arm_predictions_.shape == (N_BEST, 150, 3)
    assert len(ensemble.temperatures_) == N_BEST
    assert ensemble.score(X, Y) > 0.9


def test_several_metrics_rank_by_the_first():
    scoring = {"loss": "neg_log_loss", "accuracy": "accuracy"}
    found = search(scoring=scoring).fit(X, Y)
    ordinary = GridSearchCV(SOFTMAX, GRID, scoring=scoring, refit=False, cv=3).fit(X, Y)
    best = ordinary.cv_results_["rank_test_loss"].argmin()
    assert found.best_index_ == best
    assert_allclose(found.best_score_, ordinary.cv_results_["mean_test_loss"][best], atol=1e-6)
    assert found.best_params_ == ordinary.cv_results_["params"][best]
    assert_allclose(found.score(X, Y), -log_loss(Y, found.predict_proba(X)))
    with pytest.raises(NotFittedError):
        clone(found).score(X, Y)
    of_second = search(scoring=scoring, refit="accuracy").fit(X, Y)
    assert of_second.score(X, Y) == accuracy_score(Y, of_second.predict(X))

    def both(estimator, X, y):
        return {"a": estimator.score(X, y), "b": 0.0}

    found = search(scoring=both).fit(X, Y)
    assert found.score(X, Y) == accuracy_score(Y, found.predict(X))
    # If a metric is named "ensemble", `refit` names that metric, as in scikit-learn.
    named = {"ensemble": make_scorer(accuracy_score)}
    assert type(search(scoring=named).fit(X, Y).best_estimator_) is MLPSoftmaxClassifier


def test_weights_and_groups_are_used_and_weights_are_routed():
    weights, groups = (Y < 2).astype(float), np.arange(150) % 7
    found = search(cv=GroupKFold(3), scoring="accuracy")
    found.fit(X, Y, sample_weight=weights, groups=groups)
    assert (found.predict(X) < 2).all()
    for train, test in found.best_estimator_.splits_:
        assert not set(groups[train]) & set(groups[test])
    oof = found.best_estimator_.oof_predictions_
    own = -np.log(oof[np.arange(150), Y])[Y < 2].mean()
    assert_allclose(found.best_estimator_.oof_loss_, own)
    with sklearn.config_context(enable_metadata_routing=True):
        requesting = clone(SOFTMAX).set_fit_request(sample_weight=True)
        scorer = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        routed = search(requesting, cv=GroupKFold(3), scoring={"a": scorer})
        routed.fit(X, Y, sample_weight=weights, groups=groups)
    assert_allclose(routed.predict_proba(X), found.predict_proba(X))


def test_candidates_that_fail_are_left_out():
    grid = {"learning_rate_init": [0.03, 1e300], "activation": ["relu"]}
    with np.errstate(all="ignore"), pytest.warns(sklearn.exceptions.FitFailedWarning):
        found = search(grid=grid).fit(X, Y)
    assert [arm["learning_rate_init"] for arm in found.best_estimator_.params_] == [0.03]
    assert np.isnan(found.cv_results_["mean_test_score"][1])


class FailsOnSomeRows(Ridge):
    """Fails on the split whose training rows include the first row."""

    def fit(self, X, y, sample_weight=None):
        if (X == XR[0]).all(axis=1).any():
            raise ValueError("these rows are too much")
        return super().fit(X, y)


def test_a_search_without_a_whole_candidate_says_so_and_leaves_the_earlier_fit():
    folds = [(np.arange(50), np.arange(50, 90)), (np.arange(100, 150), np.arange(50, 90))]
    with pytest.warns(sklearn.exceptions.FitFailedWarning):
        found = search(FailsOnSomeRows(), {}, cv=folds)
        with pytest.raises(ValueError, match="fitted on all splits, but each has failed"):
            found.fit(XR, YR)
    assert not hasattr(found, "cv_results_")


def test_other_estimators_and_labels_are_taken_and_workers_do_not_matter():
    found = search(Ridge(), {"alpha": [0.01, 1.0]}).fit(XR, YR)
    assert found.best_estimator_.oof_score_ > 0.3
    data = make_multilabel_classification(90, 6, n_classes=3, random_state=0)
    network = MLPBinaryClassifier(random_state=0, **QUICK)
    found = search(network).fit(*data)
    assert found.predict_proba(data[0]).shape == (90, 3)
    with parallel_backend("threading"):
        spread = search(network, n_jobs=2).fit(*data)
    assert_allclose(spread.predict_proba(data[0]), found.predict_proba(data[0]), atol=1e-9)


def test_what_an_ensemble_learns_is_kept_and_all_else_is_dropped():
    member = search().fit(X, Y).best_estimator_.estimators_[0][0]
    alone = clone(SOFTMAX).fit(X, Y)
    assert len(pickle.dumps(member)) < len(pickle.dumps(alone))
    # Training may go on, with a fresh optimizer.
    member.partial_fit(X, Y)


def test_names_of_features_are_kept():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(XR, columns=[f"x{i}" for i in range(10)])
    found = search(REGRESSOR).fit(frame, pandas.Series(YR))
    assert list(found.feature_names_in_) == list(frame.columns)
    found.fit(XR, YR)
    assert not hasattr(found, "feature_names_in_")


def test_what_cannot_be_combined_is_refused_before_anything_is_fitted():
    def refused(message, estimator, grid=(), y=Y):
        with pytest.raises(ValueError, match=message):
            search(estimator, dict(grid)).fit(X, y)

    refused("combines what predict_proba returns, but LinearSVC", LinearSVC())
    refused("must be regressors, but KMeans is a clusterer", KMeans())
    refused("needs y", SOFTMAX, y=None)
    refused("predicts quantiles", MLPRegressor("pinball"))
    refused("predicts quantiles", REGRESSOR, {"loss": ["squared_error", "pinball"]})
    with pytest.raises(ValueError, match="refit must be set to a scorer key"):
        search(refit="best", scoring=["accuracy", "neg_log_loss"]).fit(X, Y)


def test_candidates_may_all_replace_what_cannot_be_combined():
    found = search(clone(REGRESSOR).set_params(loss="pinball"), {"loss": ["squared_error"]})
    assert found.fit(XR, YR).best_estimator_.oof_score_ > 0.3


def test_rows_of_splits_may_be_listed_or_marked():
    folds = list(StratifiedKFold(3).split(X, Y))
    marks = [tuple(np.isin(np.arange(len(X)), part) for part in fold) for fold in folds]
    expected = search(cv=folds).fit(X, Y).best_estimator_
    lists, tuples = ([tuple(map(kind, fold)) for fold in folds] for kind in (list, tuple))
    for cv in (lists, tuples, marks):
        found = search(cv=cv).fit(X, Y).best_estimator_
        assert_array_equal(found.oof_predictions_, expected.oof_predictions_)
        assert_array_equal(found.splits_[0][1], folds[0][1])


def test_splits_of_an_iterator_are_kept_for_another_fit():
    folds = list(StratifiedKFold(3).split(X, Y))
    ensemble = search(cv=iter(folds)).fit(X, Y).best_estimator_
    again = clone(ensemble).fit(X, Y)
    for found in (ensemble, again):
        assert len(found.splits_) == 3
        assert_array_equal(found.splits_[0][1], folds[0][1])


def test_a_scaler_that_changes_its_rows_changes_no_prediction():
    kept, changed = (
        search(make_pipeline(StandardScaler(copy=copy), SOFTMAX), SCALED_GRID).fit(X.copy(), Y)
        for copy in (True, False)
    )
    rows = X.copy()
    assert_array_equal(changed.predict_proba(rows), kept.predict_proba(X))
    assert_array_equal(rows, X)
    ensembles = changed.best_estimator_, kept.best_estimator_
    assert_array_equal(*(of.oof_predictions_ for of in ensembles))
    assert_array_equal(*(of.predict_members(X.copy()) for of in ensembles))
