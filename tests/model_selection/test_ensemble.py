"""Ensembles: members as if fitted one by one, their mean and their spread."""

import numpy as np
import pytest
import sklearn
from joblib import parallel_backend
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.linear_model import LinearRegression, SGDClassifier
from sklearn.metrics import r2_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.random_projection import GaussianRandomProjection

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
from skperceptron.losses import Pinball
from skperceptron.model_selection import (
    StackedCrossEnsembleClassifier,
    StackedEnsembleClassifier,
    StackedEnsembleRegressor,
)
from skperceptron.model_selection._ensemble_base import mean_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
XR, YR = load_diabetes(return_X_y=True)
QUICK = {"hidden_layer_sizes": (6,), "max_iter": 15, "batch_size": 32, "learning_rate_init": 0.03}
SOFTMAX = MLPSoftmaxClassifier(**QUICK)
REGRESSOR = MLPRegressor(standardize_target=True, **QUICK)


def test_members_are_those_that_are_fitted_alone():
    model = make_pipeline(StandardScaler(), SOFTMAX)
    ensemble = StackedEnsembleClassifier(model, n_members=4, random_state=0).fit(X, Y)
    alone = [clone(member).fit(X, Y) for member in ensemble.estimators_]
    probabilities = np.array([member.predict_proba(X) for member in alone])
    assert_allclose(ensemble.predict_members(X), probabilities, atol=1e-9)
    assert len({member[-1].random_state for member in ensemble.estimators_}) == 4
    assert_allclose(ensemble.predict_proba(X), probabilities.mean(axis=0), atol=1e-9)
    mean, std = ensemble.predict_proba(X, return_std=True)
    assert_allclose(std, probabilities.std(axis=0), atol=1e-9)
    assert_array_equal(ensemble.predict(X), mean.argmax(axis=1))
    assert_allclose(np.exp(ensemble.predict_log_proba(X)), mean)
    assert (model[-1].random_state, ensemble.n_features_in_) == (None, 4)


def test_mean_of_regressors_is_better_than_the_average_member_and_has_a_spread():
    ensemble = StackedEnsembleRegressor(REGRESSOR, n_members=8, random_state=0)
    ensemble.fit(XR[:300], YR[:300])
    mean, std = ensemble.predict(XR[300:], return_std=True)
    members = ensemble.predict_members(XR[300:])
    assert_allclose(mean, members.mean(axis=0))
    assert_allclose(std, members.std(axis=0))
    scores = [r2_score(YR[300:], member) for member in members]
    assert ensemble.score(XR[300:], YR[300:]) > np.mean(scores)
    far = ensemble.predict(XR[300:] * 20, return_std=True)[1]
    assert far.mean() > 5 * std.mean()


def test_several_labels_per_row_are_averaged_label_by_label():
    X, Y = make_multilabel_classification(80, 6, n_classes=3, random_state=0)
    network = MLPBinaryClassifier(**QUICK)
    ensemble = StackedEnsembleClassifier(network, n_members=3, random_state=0).fit(X, Y)
    assert ensemble.predict_members(X).shape == (3, 80, 3)
    assert_array_equal(ensemble.predict(X), ensemble.predict_proba(X) > 0.5)
    assert_array_equal(ensemble.classes_, [0, 1, 2])


def test_seed_decides_and_workers_do_not_matter():
    ensembles = [StackedEnsembleClassifier(SOFTMAX, 20, random_state=seed) for seed in (0, 0, 1)]
    with parallel_backend("threading"):
        ensembles[1].set_params(n_jobs=2)
        one, two, other = (ensemble.fit(X, Y).predict_proba(X) for ensemble in ensembles)
    assert_allclose(one, two, atol=1e-9)
    assert not np.allclose(one, other)


def test_weights_reach_the_members_with_and_without_routing():
    weights = (Y < 2).astype(float)
    ensemble = StackedEnsembleClassifier(SOFTMAX, 2, random_state=0)
    ensemble.fit(X, Y, sample_weight=weights)
    expected = ensemble.predict_proba(X)
    assert (ensemble.predict(X) < 2).all()
    with sklearn.config_context(enable_metadata_routing=True):
        ensemble.estimator = clone(SOFTMAX).set_fit_request(sample_weight=True)
        ensemble.fit(X, Y, sample_weight=weights)
    assert_allclose(ensemble.predict_proba(X), expected)


def test_weights_reach_the_score_if_it_requests_them():
    weights = (Y < 2).astype(float)
    with sklearn.config_context(enable_metadata_routing=True):
        network = clone(SOFTMAX).set_fit_request(sample_weight=False)
        ensemble = StackedEnsembleClassifier(network, 2, random_state=0)
        pipeline = make_pipeline(StandardScaler(), ensemble.set_score_request(sample_weight=True))
        is_right = pipeline.fit(X, Y).predict(X) == Y
        assert pipeline.score(X, Y) == is_right.mean()
        expected = np.average(is_right, weights=weights)
        assert pipeline.score(X, Y, sample_weight=weights) == pytest.approx(expected)
        assert expected != is_right.mean()


def test_tools_that_look_for_sample_weight_in_the_signature_pass_it_to_the_members():
    # CalibratedClassifierCV ignores the weights of a classifier whose `fit` does not name them.
    weights = (Y < 2).astype(float) + 1e-6
    folds = StratifiedKFold(2)
    ensemble = StackedEnsembleClassifier(SOFTMAX, 2, random_state=0)
    calibrated = CalibratedClassifierCV(ensemble, cv=folds).fit(X, Y, sample_weight=weights)
    train, _ = next(folds.split(X, Y))
    expected = clone(ensemble).fit(X[train], Y[train], sample_weight=weights[train])
    found = calibrated.calibrated_classifiers_[0].estimator
    assert_allclose(found.predict_proba(X), expected.predict_proba(X))


def test_weights_reach_the_last_step_of_a_pipeline():
    weights = (Y < 2).astype(float)
    model = make_pipeline(StandardScaler(), SOFTMAX)
    ensemble = StackedEnsembleClassifier(model, 2, random_state=0)
    by_step = clone(ensemble).fit(X, Y, mlpsoftmaxclassifier__sample_weight=weights)
    ensemble.fit(X, Y, sample_weight=weights)
    assert_array_equal(ensemble.predict_proba(X), by_step.predict_proba(X))
    assert not hasattr(ensemble, "set_fit_request")


def test_names_of_features_are_those_of_the_last_fit():
    pandas = pytest.importorskip("pandas")
    ensemble = StackedEnsembleRegressor(REGRESSOR, 2, random_state=0)
    frame = pandas.DataFrame(XR, columns=[f"x{i}" for i in range(10)])
    assert list(ensemble.fit(frame, YR).feature_names_in_) == list(frame.columns)
    assert not hasattr(ensemble.fit(XR, YR), "feature_names_in_")


def test_other_estimators_may_be_members():
    ensemble = StackedEnsembleClassifier(SGDClassifier(loss="log_loss"), 3, random_state=0)
    assert ensemble.fit(X, Y).score(X, Y) > 0.8


@pytest.mark.parametrize(
    ("ensemble", "member", "message"),
    [
        (StackedEnsembleClassifier, MLPRegressor(), "classifiers, but MLPRegressor is a regress"),
        (StackedEnsembleClassifier, SGDClassifier(), "SGDClassifier has no such method"),
        (StackedEnsembleRegressor, MLPSoftmaxClassifier(), "must be regressors, but MLPSoftmax"),
        (
            StackedEnsembleRegressor,
            make_pipeline(StandardScaler(), LinearRegression()),
            "differ in their random_state, but LinearRegression has no such parameter",
        ),
        (StackedEnsembleRegressor, MLPRegressor, r"Pass an instance: MLPRegressor\(\)"),
    ],
)
def test_members_of_another_kind_are_refused_before_they_are_trained(ensemble, member, message):
    with pytest.raises(ValueError, match=message):
        ensemble(member, 2).fit([[0.0], [1.0]], [0, 1])


def test_failures_are_the_members():
    diverging = clone(SOFTMAX).set_params(learning_rate_init=1e300, activation="relu")
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="diverged"):
        StackedEnsembleClassifier(diverging, 2, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match="'n_members' parameter"):
        StackedEnsembleClassifier(SOFTMAX, 0).fit(X, Y)
    with pytest.raises(ValueError, match="Only binary classification"):
        StackedEnsembleClassifier(MLPBinaryClassifier(), 2).fit(X, Y)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_mean_and_spread_of_the_largest_numbers_do_not_overflow():
    wave = 1 + 0.1 * np.sin(XR[:60, 0])
    network = clone(REGRESSOR).set_params(random_state=0)
    ordinary = StackedEnsembleRegressor(network, n_members=4, random_state=0)
    mean, std = ordinary.fit(XR[:60], wave).predict(XR[:60], return_std=True)
    factor = 2.0**1023
    huge = clone(ordinary).fit(XR[:60], factor * wave).predict(XR[:60], return_std=True)
    assert_allclose(huge[0] / factor, mean, rtol=1e-9)
    assert_allclose(huge[1] / factor, std, rtol=1e-6, atol=1e-9)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_means_of_numbers_on_both_sides_of_the_bound_agree(dtype):
    below = np.array([[0.3, 0.8], [0.2, 0.9], [0.1, 0.7]], dtype=dtype) / 8
    assert_array_equal(mean_of(list(below)), below.mean(axis=0))
    # Scaling by a power of two changes no digit, but this one makes sums of three overflow.
    exponent = np.finfo(dtype).maxexp + 2
    assert_array_equal(mean_of(np.ldexp(below, exponent)), np.ldexp(below.mean(axis=0), exponent))


@pytest.mark.parametrize("quantile", [0.8, [0.1, 0.5, 0.9]])
def test_an_ensemble_of_one_scores_as_its_member_does(quantile):
    targets = np.column_stack([YR, -YR])
    network = clone(REGRESSOR).set_params(loss=Pinball(quantile))
    ensemble = StackedEnsembleRegressor(network, n_members=1, random_state=0).fit(XR, targets)
    member = ensemble.estimators_[0]
    assert_allclose(ensemble.score(XR, targets), member.score(XR, targets))


def test_dates_are_refused_as_numbers_to_score():
    ensemble = StackedEnsembleRegressor(REGRESSOR, n_members=2, random_state=0).fit(XR, YR)
    with pytest.raises(TypeError, match="y holds dates or durations"):
        ensemble.score(XR, np.arange(len(YR)).astype("datetime64[D]"))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_scaler_that_changes_its_rows_does_so_for_no_other_member(solver):
    network = clone(SOFTMAX).set_params(solver=solver)
    kept, changed = (
        StackedEnsembleClassifier(
            make_pipeline(StandardScaler(copy=copy), network), n_members=3, random_state=0
        ).fit(X.copy(), Y)
        for copy in (True, False)
    )
    assert_allclose(changed.predict_proba(X.copy()), kept.predict_proba(X), atol=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        lambda pipeline, **options: StackedEnsembleClassifier(pipeline, n_members=2, **options),
        lambda pipeline, **options: StackedCrossEnsembleClassifier(
            pipeline, {"mlpsoftmaxclassifier__alpha": [0, 1]}, cv=2, **options
        ),
    ],
    ids=["seeds", "folds"],
)
def test_random_transformers_are_seeded_and_shared(make):
    X, y = load_iris(return_X_y=True)
    network = MLPSoftmaxClassifier((4,), max_iter=2)
    pipeline = make_pipeline(StandardScaler(), GaussianRandomProjection(2), network)

    def seeds_of(ensemble):
        arms = [arm if isinstance(arm, list) else [arm] for arm in ensemble.estimators_]
        return {member[1].random_state for arm in arms for member in arm}

    first, second = (make(pipeline, random_state=0).fit(X, y) for _ in range(2))
    assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    (seed,) = seeds_of(first)
    assert seed is not None
    assert pipeline[1].random_state is None
    assert seeds_of(make(pipeline, random_state=1).fit(X, y)) != {seed}
    pipeline[1].random_state = 7
    assert seeds_of(make(pipeline, random_state=0).fit(X, y)) == {7}
