"""Cross ensembles: members as if fitted alone, combined by held-out rows."""

import pickle
import warnings
from collections import Counter

import numpy as np
import pytest
import sklearn
from joblib import parallel_backend
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.decomposition import PCA, KernelPCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, r2_score
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
)
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.validation import has_fit_parameter

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
from skperceptron.model_selection import (
    StackedCrossEnsembleClassifier,
    StackedCrossEnsembleRegressor,
    StackedEnsembleClassifier,
    StackedGridSearchCV,
    _fits,
)
from skperceptron.model_selection import _stacking as stacking
from skperceptron.model_selection._ensemble_base import deviation_of, mean_of
from skperceptron.model_selection._transforming import through
from skperceptron.stopping import EarlyStopping
from skperceptron.training import Stack

pytestmark = pytest.mark.filterwarnings("ignore:lbfgs failed to converge")

X, Y = load_iris(return_X_y=True)
XR, YR = load_diabetes(return_X_y=True)
QUICK = {"hidden_layer_sizes": (6,), "max_iter": 20, "batch_size": 32, "learning_rate_init": 0.03}
SOFTMAX = MLPSoftmaxClassifier(**QUICK)
REGRESSOR = MLPRegressor(standardize_target=True, **QUICK)
SCALED = make_pipeline(StandardScaler(), SOFTMAX)
ARMS = {"alpha": [1e-4, 1.0]}
SCALED_ARMS = {"mlpsoftmaxclassifier__alpha": [1e-4, 1.0]}


def classifier(estimator=SOFTMAX, arms=ARMS, **options):
    return StackedCrossEnsembleClassifier(estimator, arms, **{"random_state": 0} | options)


def regressor(estimator=REGRESSOR, arms=ARMS, **options):
    return StackedCrossEnsembleRegressor(estimator, arms, **{"random_state": 0} | options)


def test_members_are_those_that_are_fitted_alone_and_monitor_their_held_out_rows():
    ensemble = classifier(SCALED, SCALED_ARMS, cv=3).fit(X, Y)
    assert [len(arm) for arm in ensemble.estimators_] == [3, 3]
    for arm, members in zip(ensemble.params_, ensemble.estimators_, strict=True):
        for member, (train, test) in zip(members, ensemble.splits_, strict=True):
            assert member[-1].alpha == arm["mlpsoftmaxclassifier__alpha"]
            scaler = StandardScaler().fit(X[train])
            alone = clone(member[-1]).fit(
                scaler.transform(X[train]),
                Y[train],
                X_val=scaler.transform(X[test]),
                y_val=Y[test],
            )
            proba = alone.predict_proba(scaler.transform(X))
            assert_allclose(member.predict_proba(X), proba, atol=1e-9)
            curve = member[-1].validation_loss_curve_
            assert len(curve) == 20
            own = log_loss(Y[test], member.predict_proba(X[test]))
            assert_allclose(own, min(curve), rtol=1e-6)
    seeds = {member[-1].random_state for arm in ensemble.estimators_ for member in arm}
    assert len(seeds) == 6
    assert_array_equal(ensemble.loss_curves_[1][2], ensemble.estimators_[1][2][-1].loss_curve_)
    assert len(ensemble.validation_loss_curves_[0][0]) == 20


def test_validation_rows_that_would_not_be_used_are_refused():
    ensemble = classifier(clone(SCALED), SCALED_ARMS, cv=3)
    given = {f"mlpsoftmaxclassifier__{name}": rows for name, rows in (("X_val", X), ("y_val", Y))}
    with pytest.raises(ValueError, match="mlpsoftmaxclassifier__X_val would not be used"):
        ensemble.fit(X, Y, **given)
    ensemble.set_params(restore_best=False, estimator__mlpsoftmaxclassifier__early_stopping=True)
    member = ensemble.fit(X, Y, **given).estimators_[0][0][-1]
    assert len(member.validation_scores_) == member.n_iter_


def test_training_to_the_last_epoch_gives_no_convergence_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier().fit(X, Y)
        with pytest.warns(sklearn.exceptions.ConvergenceWarning):
            classifier(restore_best=False).fit(X, Y)


def test_all_members_are_one_stack(monkeypatch):
    sizes = []

    def spied(network, members, *others, **options):
        sizes.append(len(members))
        return Stack(network, members, *others, **options)

    monkeypatch.setattr(stacking, "Stack", spied)
    classifier(SCALED, SCALED_ARMS).fit(X, Y)
    assert sizes == [8]


def test_networks_that_hold_out_the_same_rows_share_what_is_made_of_them(monkeypatch):
    n_calls = Counter()

    def counted(*arguments):
        n_calls["check_fold"] += 1
        return check_fold(*arguments)

    check_fold = _fits.check_fold
    monkeypatch.setattr(_fits, "check_fold", counted)
    X, y = load_iris(return_X_y=True)
    network = MLPSoftmaxClassifier((4,), max_iter=2)
    arms = {"numeric_embedding": [None, "plr"], "alpha": [0, 1]}
    StackedCrossEnsembleClassifier(network, arms, cv=3, random_state=0).fit(X, y)
    assert n_calls["check_fold"] == 3


def test_probabilities_are_the_tempered_mixture_of_tempered_arms():
    ensemble = classifier().fit(X, Y)

    def tempered(probability, temperature):
        powers = probability ** (1 / temperature)
        return powers / powers.sum(axis=-1, keepdims=True)

    members = ensemble.predict_members(X)
    assert members.shape == (2, 4, 150, 3)
    arms = [
        tempered(arm, t).mean(axis=0)
        for arm, t in zip(members, ensemble.temperatures_, strict=True)
    ]
    mixture = np.tensordot(ensemble.weights_, arms, axes=1)
    expected = tempered(mixture, ensemble.temperature_)
    assert_allclose(ensemble.predict_proba(X), expected, atol=1e-9)
    assert_allclose(ensemble.weights_.sum(), 1)
    assert_array_equal(ensemble.predict(X), expected.argmax(axis=1))
    assert_allclose(ensemble.predict_log_proba(X), np.log(ensemble.predict_proba(X)))
    assert_array_equal(ensemble.decision_function(X).argmax(axis=1), expected.argmax(axis=1))
    mean, std = ensemble.predict_proba(X, return_std=True)
    assert_array_equal(mean, ensemble.predict_proba(X))
    spread = [
        w * ((tempered(arm, t) - mixture) ** 2).mean(axis=0)
        for w, arm, t in zip(ensemble.weights_, members, ensemble.temperatures_, strict=True)
    ]
    assert_allclose(std, np.sqrt(np.sum(spread, axis=0)), atol=1e-9)


def test_without_calibration_all_temperatures_are_one():
    ensemble = classifier(calibrate=False).fit(X, Y)
    assert_array_equal(ensemble.temperatures_, 1)
    assert ensemble.temperature_ == 1
    mixture = np.tensordot(ensemble.weights_, ensemble.predict_members(X).mean(axis=1), axes=1)
    assert_allclose(ensemble.predict_proba(X), mixture)


def test_numbers_are_weighted_means():
    ensemble = regressor(arms={"alpha": [1e-4, 30.0, 1e4]}).fit(XR, YR)
    members = ensemble.predict_members(XR)
    assert members.shape == (3, 4, 442)
    mean = np.tensordot(ensemble.weights_, members.mean(axis=1), axes=1)
    assert_allclose(ensemble.predict(XR), mean)
    spread = np.tensordot(ensemble.weights_, ((members - mean) ** 2).mean(axis=1), axes=1)
    assert_allclose(ensemble.predict(XR, return_std=True)[1], np.sqrt(spread))
    # The last arm predicts little more than the mean of y: its weight is close to 0.
    assert ensemble.weights_[2] < 0.05
    assert ensemble.score(XR, YR) == r2_score(YR, ensemble.predict(XR))


def at_epochs_of_other_rows(member, train, test, power=2):
    """Predict held-out rows, each fifth of them at the epoch that is best for the others.

    Errors are raised to a power: 2 for squared ones, 1 for absolute ones.
    """
    at_epochs = [
        clone(member)
        .set_params(early_stopping=False, max_iter=max_iter, max_time=None)
        .fit(XR[train], YR[train])
        .predict(XR[test])
        for max_iter in range(1, REGRESSOR.max_iter + 1)
    ]
    errors = np.abs(np.array(at_epochs) - YR[test]) ** power
    predicted = np.empty(len(test))
    for part in range(5):
        mine = np.arange(len(test)) % 5 == part
        best = errors[:, ~mine].mean(axis=1).argmin()
        predicted[mine] = at_epochs[best][mine]
    return predicted


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_predictions_out_of_fold_are_those_of_members_that_were_not_trained_on_the_row():
    ensemble = regressor(calibrated := REGRESSOR, arms={}).fit(XR, YR)
    assert calibrated.early_stopping is False
    for (train, test), member in zip(ensemble.splits_, ensemble.estimators_[0], strict=True):
        expected = at_epochs_of_other_rows(member, train, test)
        assert_allclose(ensemble.oof_predictions_[test], expected, rtol=1e-6)
    assert_allclose(ensemble.oof_score_, r2_score(YR, ensemble.oof_predictions_))
    assert_allclose(ensemble.oof_loss_, mean_squared_error(YR, ensemble.oof_predictions_))
    assert_array_equal(ensemble.oof_arm_predictions_[0], ensemble.oof_predictions_)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("options", "power"),
    [
        ({"early_stopping": EarlyStopping("neg_mean_absolute_error", patience=np.inf)}, 1),
        # Such networks are not stacked.
        ({"max_time": 1000}, 2),
    ],
)
def test_no_row_selects_its_epoch_whatever_the_scorer_and_if_networks_are_fitted_alone(
    options, power
):
    ensemble = regressor(clone(REGRESSOR).set_params(**options), arms={}).fit(XR, YR)
    for (train, test), member in zip(ensemble.splits_, ensemble.estimators_[0], strict=True):
        expected = at_epochs_of_other_rows(member, train, test, power)
        assert_allclose(ensemble.oof_predictions_[test], expected, rtol=1e-6)
    assert "_train" not in vars(ensemble.estimators_[0][0])


@pytest.mark.filterwarnings("ignore:Only one class is present")
def test_an_epoch_is_chosen_where_a_score_without_some_rows_is_undefined():
    # Without the rows of the second class, no area under the curve is defined.
    labels = np.arange(60) % 15 == 0
    stopping = EarlyStopping("roc_auc", patience=np.inf)
    network = MLPSoftmaxClassifier((4,), max_iter=5, early_stopping=stopping)
    pairs = [(np.arange(30, 60), np.arange(30)), (np.arange(30), np.arange(30, 60))]
    ensemble = classifier(network, {}, cv=pairs).fit(XR[:60], labels)
    assert np.isfinite(ensemble.oof_predictions_).all()


def test_a_row_does_not_choose_the_epoch_at_which_it_is_predicted():
    # Labels by chance: predicted at the epochs that are best for these rows, 63 % would be right.
    network = MLPSoftmaxClassifier((16,), max_iter=80, learning_rate_init=0.03, batch_size=16)
    network.set_params(early_stopping=EarlyStopping("score", patience=np.inf))
    scores = []
    for seed in range(10):
        rng = np.random.RandomState(seed)
        rows, labels = rng.normal(size=(60, 8)), rng.permutation(np.repeat([0, 1], 30))
        ensemble = classifier(network, {}, cv=4, random_state=seed).fit(rows, labels)
        scores.append(ensemble.oof_score_)
    assert np.mean(scores) < 0.55


def test_scores_out_of_fold_are_those_of_the_predictions():
    labels = np.array(["a", "b", "c"])[Y]
    ensemble = classifier(SCALED, SCALED_ARMS).fit(X, labels)
    oof = ensemble.oof_predictions_
    assert_allclose(oof.sum(axis=1), 1)
    assert_allclose(ensemble.oof_loss_, log_loss(Y, oof))
    assert ensemble.oof_score_ == accuracy_score(labels, ensemble.classes_[oof.argmax(axis=1)])
    assert ensemble.oof_arm_predictions_.shape == (2, 150, 3)
    assert ensemble.score(X, labels) > 0.9


def test_predictions_that_are_not_finite_are_refused():
    lost = TransformedTargetRegressor(
        LinearRegression(), func=np.exp, inverse_func=np.log, check_inverse=False
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(ValueError, match="Arm 1 predicts NaN or infinity"):
            regressor(Pipeline([("step", Ridge())]), {"step": [Ridge(), lost]}).fit(XR, YR / 50)


def test_an_arm_that_does_harm_gets_little_weight():
    arms = {"mlpsoftmaxclassifier__learning_rate_init": [0.03, 1e-7]}
    ensemble = classifier(SCALED, arms).fit(X, Y)
    assert ensemble.weights_[1] < 0.1
    assert ensemble.oof_score_ > 0.9


def test_cross_fitted_predictions_are_not_those_of_the_weights_that_have_seen_all_folds():
    ensemble = regressor(cv=3).fit(XR, YR)
    fitted = np.tensordot(ensemble.weights_, ensemble.oof_arm_predictions_, axes=1)
    assert not np.allclose(fitted, ensemble.oof_predictions_)
    assert mean_squared_error(YR, fitted) <= ensemble.oof_loss_


def test_validation_rows_that_count_may_all_be_of_one_part():
    labels = np.arange(150) % 5 == 0
    network = clone(SOFTMAX).set_params(loss="focal", class_weight={False: 0.0})
    splits = [(np.arange(75), np.arange(75, 150)), (np.arange(75, 150), np.arange(75))]
    ensemble = classifier(network, {}, cv=splits).fit(X, labels)
    assert np.isfinite(ensemble.oof_predictions_).all()


def test_rows_that_are_held_out_twice_count_once_and_rows_never_held_out_are_nan():
    repeated = RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0)
    ensemble = classifier(arms={}, cv=repeated, calibrate=False).fit(X, Y)
    assert np.isfinite(ensemble.oof_predictions_).all()
    members = ensemble.estimators_[0]
    of_first = [m for m, (_, test) in zip(members, ensemble.splits_, strict=True) if 0 in test]
    assert len(of_first) == 2
    mean = np.mean([member.predict_proba(X[:1]) for member in of_first], axis=0)
    assert_allclose(ensemble.oof_predictions_[0], mean[0])

    some = ShuffleSplit(2, test_size=0.2, random_state=0)
    ensemble = regressor(cv=some).fit(XR, YR)
    seen = np.unique(np.concatenate([test for _, test in ensemble.splits_]))
    is_known = np.isin(np.arange(442), seen)
    assert_array_equal(np.isnan(ensemble.oof_predictions_), ~is_known)
    expected = r2_score(YR[is_known], ensemble.oof_predictions_[is_known])
    assert_allclose(ensemble.oof_score_, expected)


def test_one_split_is_enough():
    ensemble = regressor(cv=ShuffleSplit(1, test_size=0.3, random_state=0)).fit(XR, YR)
    assert_allclose(ensemble.weights_.sum(), 1)
    assert ensemble.predict(XR[:2]).shape == (2,)


@pytest.mark.parametrize("routing", [False, True])
def test_groups_are_held_out_together(routing):
    groups = np.arange(150) % 7
    with sklearn.config_context(enable_metadata_routing=routing):
        ensemble = classifier(arms={}, cv=GroupKFold(3)).fit(X, Y, groups=groups)
    assert len(ensemble.splits_) == 3
    for train, test in ensemble.splits_:
        assert not set(groups[train]) & set(groups[test])


def test_splits_may_be_given_by_rows_or_by_marks():
    pairs = [(np.arange(100), np.arange(100, 150)), (np.arange(50, 150), np.arange(50))]
    given = regressor(arms={}, cv=iter(pairs)).fit(XR[:150], YR[:150]).splits_
    assert_array_equal(given[1][1], np.arange(50))
    mask = np.arange(150) < 100
    given = regressor(arms={}, cv=[(mask, ~mask)]).fit(XR[:150], YR[:150]).splits_
    assert_array_equal(given[0][1], np.arange(100, 150))


def test_a_number_of_folds_means_shuffled_folds_with_classes_in_proportion():
    ensemble = classifier(arms={}, cv=5).fit(X, Y)
    for _, test in ensemble.splits_:
        assert_array_equal(np.bincount(Y[test]), [10, 10, 10])
    # Without shuffling, the first ten rows of each class would be held out first.
    in_order = np.concatenate([np.arange(10), np.arange(50, 60), np.arange(100, 110)])
    assert not np.array_equal(ensemble.splits_[0][1], in_order)


def test_seed_decides_and_workers_do_not_matter():
    one, again, other = (classifier(random_state=seed).fit(X, Y) for seed in (0, 0, 1))
    with parallel_backend("threading"):
        two = classifier(n_jobs=2).fit(X, Y)
    assert_array_equal(one.predict_proba(X), again.predict_proba(X))
    assert_allclose(one.predict_proba(X), two.predict_proba(X), atol=1e-9)
    assert not np.allclose(one.predict_proba(X), other.predict_proba(X))
    seeded = classifier(arms={"random_state": [3, 4]}).fit(X, Y)
    assert [arm[0].random_state for arm in seeded.estimators_] == [3, 4]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_members_keep_their_own_rules_of_early_stopping():
    rules = EarlyStopping(patience=3, tol=0.5)
    ensemble = classifier(arms={"early_stopping": [rules, False]}).fit(X, Y)
    stopped, free = ensemble.estimators_
    assert all(member.n_iter_ < 20 for member in stopped)
    assert all(member.n_iter_ == 20 for member in free)
    assert len(stopped[0].validation_scores_) == stopped[0].n_iter_
    # All training rows of the fold were used: no validation rows were split off.
    assert stopped[0].t_ == stopped[0].n_iter_ * len(ensemble.splits_[0][0])
    alone = classifier(restore_best=False).fit(X, Y)
    assert alone.validation_loss_curves_[0][0] is None
    member, (train, _) = alone.estimators_[0][0], alone.splits_[0]
    assert_allclose(
        member.predict_proba(X), clone(member).fit(X[train], Y[train]).predict_proba(X), atol=1e-9
    )


def test_several_labels_per_row_are_decided_label_by_label():
    X, Y = make_multilabel_classification(80, 6, n_classes=3, random_state=0)
    ensemble = classifier(make_pipeline(StandardScaler(), MLPBinaryClassifier(**QUICK)), {})
    ensemble.fit(X, Y)
    probability = ensemble.predict_proba(X)
    assert probability.shape == ensemble.oof_predictions_.shape == (80, 3)
    assert_array_equal(ensemble.predict(X), probability > 0.5)
    assert_array_equal(ensemble.classes_, [0, 1, 2])
    decision = ensemble.decision_function(X)
    assert_allclose(1 / (1 + np.exp(-decision)), probability)
    oof = ensemble.oof_predictions_
    assert ensemble.oof_score_ == accuracy_score(Y, oof > 0.5)
    of_truth = np.where(Y, oof, 1 - oof)
    assert_allclose(ensemble.oof_loss_, -np.log(of_truth).mean())
    was_sparse = classifier(MLPBinaryClassifier(**QUICK)).fit(X, sparse.csr_matrix(Y))
    assert sparse.issparse(was_sparse.predict(X))


def test_arms_may_predict_each_label_by_a_table_of_its_own():
    X, Y = make_multilabel_classification(81, 6, n_classes=3, random_state=0)
    # The fold that holds out the first row trains on a label that no row has.
    Y[:, 2] = [1] + [0] * 80
    arms = {"net": [KNeighborsClassifier(), MLPBinaryClassifier(**QUICK)]}
    pipeline = Pipeline([("scale", StandardScaler()), ("net", arms["net"][1])])
    ensemble = classifier(pipeline, arms, cv=3, calibrate=False).fit(X, Y)
    (first, *_), _ = ensemble.estimators_
    tables = first.predict_proba(X)
    never = np.zeros(81) if tables[2].shape[1] == 1 else tables[2][:, 1]
    of_labels = np.column_stack([tables[0][:, 1], tables[1][:, 1], never])
    assert_array_equal(ensemble.predict_members(X)[0, 0], of_labels)
    assert ensemble.oof_predictions_.shape == ensemble.predict_proba(X).shape == (81, 3)
    search = StackedGridSearchCV(pipeline, arms, cv=3, refit="ensemble").fit(X, Y)
    assert search.predict(X).shape == (81, 3)


def test_several_columns_share_weights_whatever_their_units_are():
    Y = np.column_stack([YR, -(YR**2) / 100, XR[:, 0]])
    one = regressor().fit(XR, Y)
    assert one.predict(XR).shape == one.oof_predictions_.shape == (442, 3)
    assert one.weights_.shape == (2,)
    other = regressor().fit(XR, Y * [1, 1024, 2**-10])
    assert_allclose(one.weights_, other.weights_, atol=0.02)


@pytest.mark.parametrize("unit", [2.0**-600, 2.0**600])
def test_units_of_the_target_do_not_matter(unit):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain, scaled = (regressor().fit(XR, YR * u) for u in (1.0, unit))
        predicted, std = scaled.predict(XR, return_std=True)
    assert_allclose(scaled.weights_, plain.weights_, atol=1e-6)
    assert_allclose(predicted / unit, plain.predict(XR), rtol=1e-6)
    assert_allclose(scaled.oof_score_, plain.oof_score_, rtol=1e-6)
    assert np.isfinite(std).all()


def test_weights_of_rows_reach_members_and_what_is_learned():
    weights = (Y < 2).astype(float)
    ensemble = classifier(arms={}).fit(X, Y, sample_weight=weights)
    assert (ensemble.predict(X) < 2).all()
    oof = ensemble.oof_predictions_
    is_counted = weights > 0
    assert_allclose(ensemble.oof_loss_, -np.log(oof[np.arange(150), Y])[is_counted].mean())
    of_pipeline = classifier(SCALED, {})
    of_pipeline.fit(X, Y, mlpsoftmaxclassifier__sample_weight=weights)
    assert (of_pipeline.predict(X) < 2).all()
    by_name = classifier(SCALED, {}).fit(X, Y, sample_weight=weights)
    assert_allclose(by_name.predict_proba(X), of_pipeline.predict_proba(X))
    assert has_fit_parameter(by_name, "sample_weight")
    with sklearn.config_context(enable_metadata_routing=True):
        requesting = clone(SOFTMAX).set_fit_request(sample_weight=True)
        routed = classifier(requesting, {}).fit(X, Y, sample_weight=weights)
    assert_allclose(routed.predict_proba(X), ensemble.predict_proba(X))
    with pytest.raises(ValueError, match="rows that are held out have a weight of zero"):
        split = [(np.arange(100), np.arange(100, 150))]
        classifier(arms={}, cv=split).fit(X, Y, sample_weight=np.arange(150) < 100)


def test_the_scale_of_weights_does_not_matter():
    arms = {"learning_rate_init": [0.003, 0.03], "alpha": [0.0]}
    weights = 1.0 + np.arange(150) % 2
    usual, tiny = (
        classifier(arms=arms).fit(X, Y, sample_weight=scale * weights) for scale in (1, 2.0**-10)
    )
    assert_allclose(tiny.weights_, usual.weights_, rtol=1e-9)


def test_a_network_whose_held_out_rows_have_no_weight_holds_out_others():
    fold = np.arange(150) % 3
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)]
    ensemble = classifier(arms={}, cv=splits).fit(X, Y, sample_weight=fold.astype(float))
    assert np.isfinite(ensemble.validation_loss_curves_).all()


def test_a_class_that_a_fold_lacks_has_no_probability_from_its_members():
    labels = np.where(np.arange(150) == 7, 3, Y)
    folds = KFold(4, shuffle=True, random_state=0)
    ensemble = classifier(arms={}, cv=folds).fit(X, labels)
    assert_array_equal(ensemble.classes_, [0, 1, 2, 3])
    lacking = [k for k, (train, _) in enumerate(ensemble.splits_) if 7 not in train]
    assert len(lacking) == 1
    members = ensemble.predict_members(X)[0]
    assert (members[lacking[0]][:, 3] == 0).all()
    assert np.isfinite(ensemble.predict_log_proba(X)).all()


def test_a_class_that_members_were_not_trained_on_changes_no_temperature():
    labels = np.where(np.arange(150) == 7, 3, Y)
    folds = KFold(4, shuffle=True, random_state=0)
    usual, odd = (classifier(SCALED, {}, cv=folds).fit(X, y) for y in (Y, labels))
    assert_allclose(odd.temperatures_, usual.temperatures_, rtol=0.3)
    assert_allclose(odd.temperature_, usual.temperature_, rtol=0.3)
    # The score counts the row all the same.
    assert odd.oof_predictions_[7, 3] < 1e-9
    truth = odd.oof_predictions_[np.arange(150), labels]
    assert_allclose(odd.oof_loss_, -np.log(np.maximum(truth, 1e-30)).mean(), rtol=1e-6)
    # If members know no class that they are tested on, all rows count.
    splits = [(np.flatnonzero(Y != k), np.flatnonzero(Y == k)) for k in range(3)]
    assert np.isfinite(classifier(SCALED, {}, cv=splits).fit(X, Y).temperatures_).all()


def test_arms_may_be_other_estimators_and_other_solvers():
    arms = [
        {"mlpsoftmaxclassifier": [LogisticRegression()]},
        {"mlpsoftmaxclassifier__solver": ["lbfgs"], "standardscaler": ["passthrough"]},
        {"mlpsoftmaxclassifier__verbose": [False]},
    ]
    ensemble = classifier(SCALED, arms).fit(X, Y)
    assert ensemble.oof_score_ > 0.9
    assert ensemble.loss_curves_[0] == [None] * 4
    assert regressor(Ridge(), {"alpha": [0.01, 1]}).fit(XR, YR).oof_score_ > 0.3


def test_members_need_neither_a_seed_nor_a_network():
    neighbors = {"n_neighbors": [3, 9]}
    ensemble = regressor(KNeighborsRegressor(), neighbors, cv=3).fit(XR, YR)
    assert_allclose(ensemble.score(XR, YR), r2_score(YR, ensemble.predict(XR)))


def test_a_network_that_no_stack_can_train_monitors_its_rows_too(capsys):
    ensemble = classifier(clone(SOFTMAX).set_params(verbose=True), {}, cv=2).fit(X, Y)
    assert "val. loss" in capsys.readouterr().out
    member, (_, test) = ensemble.estimators_[0][0], ensemble.splits_[0]
    own = log_loss(Y[test], member.predict_proba(X[test]))
    assert_allclose(own, min(member.validation_loss_curve_), rtol=1e-6)


@pytest.mark.parametrize("max_time", [None, 1e6])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_another_scale_of_rows_that_transformers_were_not_fitted_to_is_no_mistake(
    n_jobs, max_time, rng
):
    # The components of 48 rows and 1,000 columns hardly vary in other rows.
    wide = rng.normal(size=(60, 1000))
    network = clone(REGRESSOR).set_params(max_time=max_time)
    pipeline = make_pipeline(PCA(3, random_state=0), network)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        regressor(pipeline, {}, cv=5, n_jobs=n_jobs).fit(wide, wide[:, 0])


@pytest.mark.parametrize("combination", ["greedy", "mean"])
def test_weights_of_other_combinations_have_the_sum_one(combination):
    ensemble = classifier(combination=combination).fit(X, Y)
    assert_allclose(ensemble.weights_.sum(), 1)
    numbers = regressor(combination=combination).fit(XR, YR)
    if combination == "mean":
        assert_array_equal(numbers.weights_, [0.5, 0.5])


def test_verbose_states_arms_folds_weights_and_score(capsys):
    classifier(verbose=1).fit(X, Y)
    out = capsys.readouterr().out
    assert "Fitting 2 arms on 4 folds, totalling 8 members" in out
    assert out.count("Weight ") == out.count(", temperature ") == 2
    assert "Out-of-fold score" in out
    ensemble = regressor(arms={}, verbose=1).fit(XR, 1e-6 * YR)
    out = capsys.readouterr().out
    assert "Weight 1.000: {}" in out
    assert f"{ensemble.oof_score_:.4g}, loss {ensemble.oof_loss_:.6g}" in out


def test_frames_are_taken_and_clones_and_pickles_predict_the_same():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(XR, columns=[f"x{i}" for i in range(10)])
    ensemble = regressor().fit(frame, pandas.Series(YR))
    assert list(ensemble.feature_names_in_) == list(frame.columns)
    restored = pickle.loads(pickle.dumps(ensemble))
    assert_array_equal(restored.predict(frame), ensemble.predict(frame))
    again = clone(ensemble).fit(frame, YR)
    assert_array_equal(again.predict(frame), ensemble.predict(frame))
    assert "StackedCrossEnsembleRegressor" in ensemble._repr_html_()
    assert not hasattr(ensemble.fit(XR, YR), "feature_names_in_")


def test_what_cannot_be_combined_is_refused_in_one_sentence():
    def refused(message, ensemble, y=Y):
        with pytest.raises(ValueError, match=message) as caught:
            ensemble.fit(X, y)
        return caught

    refused("must be classifiers, but MLPRegressor is a regressor", classifier(REGRESSOR))
    refused("must be regressors, but MLPSoftmaxClassifier", regressor(SOFTMAX))
    refused("loss='pinball' predicts quantiles", regressor(MLPRegressor("pinball")))
    refused("predicts no probabilities|has no such method", classifier(NoProbabilities(), {}))
    refused("'param_grid' parameter of StackedCross", classifier(arms=[]))
    endless = MLPSoftmaxClassifier(hidden_layer_sizes=np.inf)
    refused("'hidden_layer_sizes' parameter of MLPSoftmax", classifier(endless))
    refused("'combination' parameter", classifier(combination="best"))
    refused("'cv' parameter", classifier(cv=1))
    refused("holds out no row", classifier(cv=[(np.arange(100), np.arange(0))]))
    refused("at least 2 classes", classifier(), np.zeros(150))
    refused("requires y to be passed", classifier(), None)
    refused("multiclass-multioutput", classifier(), np.column_stack([Y, Y]))
    refused("Invalid parameter 'nothing'", classifier(arms={"nothing": [1]}))
    refused("Cannot have number of splits", regressor(cv=200))
    rates = {"learning_rate_init": [0.01, 1e300], "activation": ["relu"]}
    with np.errstate(all="ignore"):
        caught = refused("diverged", classifier(arms=rates))
    assert "arm 1 with the parameters" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    "ask",
    [
        lambda ensemble: ensemble.classes_,
        lambda ensemble: ensemble.temperature_,
        lambda ensemble: ensemble.loss_curves_,
        lambda ensemble: ensemble.validation_loss_curves_,
        lambda ensemble: ensemble.predict_members(X),
        lambda ensemble: ensemble.predict_proba(X),
    ],
)
def test_an_ensemble_that_is_not_fitted_says_so(ask):
    with pytest.raises(NotFittedError):
        ask(classifier())


def test_arms_that_predict_another_number_of_columns_are_refused():
    class Doubling(LinearRegression):
        def predict(self, X):
            return np.column_stack([super().predict(X)] * 2)

    with pytest.raises(ValueError, match="predict 2 numbers for each row, but y has 1"):
        regressor(Doubling(), {}).fit(XR, YR)


def test_transformers_that_fail_before_a_network_that_is_fitted_alone_say_why():
    def refuse(X):
        raise ArithmeticError("not today")

    network = clone(SOFTMAX).set_params(max_time=1000)
    with pytest.raises(ArithmeticError, match="not today"):
        classifier(make_pipeline(FunctionTransformer(refuse), network), {}).fit(X, Y)


def test_a_network_whose_fit_takes_no_validation_rows_is_fitted_without():
    class Narrow(MLPSoftmaxClassifier):
        def fit(self, X, y):
            return super().fit(X, y)

    ensemble = classifier(Narrow(**QUICK), {}, cv=2).fit(X, Y)
    assert ensemble.validation_loss_curves_ == [[None, None]]


def test_member_that_cannot_be_fitted_is_reported_before_any_training(monkeypatch):
    monkeypatch.setattr(stacking, "epochs", None)
    with pytest.raises(ValueError, match="'alpha' parameter") as caught:
        classifier(arms={"alpha": [1.0, -1]}).fit(X, Y)
    assert "arm 1 with the parameters" in caught.value.__notes__[0]


class NoProbabilities(LogisticRegression):
    """A classifier that predicts labels only."""

    predict_proba = property()


def test_sparse_numbers_are_refused_as_by_the_members():
    with pytest.raises(TypeError, match="Sparse data was passed for y"):
        regressor().fit(XR, sparse.csr_matrix(np.c_[YR, YR]))


@pytest.mark.parametrize(("cv", "n_folds"), [(None, 5), (2, 2), (np.int64(3), 3)])
@pytest.mark.parametrize("make", [classifier, regressor])
def test_folds_are_drawn_by_the_seed_and_have_each_class_alike(make, cv, n_folds):
    numbers = Y if make is classifier else Y.astype(float)

    def tests_of(seed):
        ensemble = clone(make(arms={}, cv=cv, random_state=seed, restore_best=False))
        ensemble.set_params(estimator__max_iter=1).fit(X, numbers)
        return [test for _, test in ensemble.splits_]

    found, other = tests_of(0), tests_of(1)
    assert len(found) == n_folds
    assert_array_equal(np.sort(np.concatenate(found)), np.arange(150))
    for test, of_other_seed in zip(found, other, strict=True):
        assert not np.array_equal(test, of_other_seed)
        if make is classifier:
            counts = np.bincount(Y[test], minlength=3)
            assert counts.max() - counts.min() <= 1


def test_stratified_folds_of_the_users_are_taken_as_they_are():
    folds = StratifiedKFold(3)
    ensemble = classifier(arms={}, cv=folds).fit(X, Y)
    for (train, test), (a, b) in zip(ensemble.splits_, folds.split(X, Y), strict=True):
        assert_array_equal(train, a)
        assert_array_equal(test, b)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_numbers_whose_sum_overflows_are_learned_without_a_warning():
    targets = np.repeat([1e307, -1e307], 160)
    ensemble = regressor(REGRESSOR, {"alpha": [0.1, 0.2]}, cv=2).fit(XR[:320], targets)
    assert np.isfinite(ensemble.predict(XR[:320])).all()
    # The squared errors overflow, also those of rows that do not count.
    ensemble.fit(XR[:320], targets, sample_weight=np.arange(320) % 4)
    assert ensemble.oof_loss_ == np.inf


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("factor", [1.0, 2.0**1000, 2.0**-1000])
def test_mean_and_deviation_of_members_have_the_bits_of_numpy_in_any_unit(factor):
    numbers = np.random.RandomState(0).uniform(1, 2, (5, 7, 2))
    assert_array_equal(mean_of(factor * numbers), factor * numbers.mean(axis=0))
    assert_array_equal(deviation_of(factor * numbers), factor * numbers.std(axis=0))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_networks_that_share_the_rows_are_those_that_were_given_copies(kind, weighted):
    # A pipeline gives its network copies of the rows of a fold.
    params = {"sample_weight": np.arange(150) % 3} if weighted else {}
    routed = {f"mlp__{name}": value for name, value in params.items()}
    shared = classifier().fit(kind(X), Y, **params)
    copied = classifier(
        Pipeline([("mlp", SOFTMAX)]), {f"mlp__{name}": of for name, of in ARMS.items()}
    ).fit(kind(X), Y, **routed)
    assert_array_equal(shared.oof_predictions_, copied.oof_predictions_)
    assert_array_equal(shared.predict_proba(X), copied.predict_proba(X))
    assert shared.loss_curves_ == copied.loss_curves_


def test_rows_that_are_held_out_describe_nothing():
    y = YR.copy()
    far = np.argsort(y)[-20:]
    y[far] *= 1000
    others = np.setdiff1d(np.arange(len(y)), far)
    ensemble = regressor(MLPRegressor(standardize_target=True, clip_predictions=True, **QUICK))
    ensemble.set_params(cv=[(others, far)]).fit(XR, y)
    for (member,) in ensemble.estimators_:
        assert member.predict(XR).max() <= y[others].max() * (1 + 1e-6)


def test_a_stack_that_fails_is_fitted_fold_by_fold(monkeypatch):
    expected = classifier().fit(X, Y).oof_predictions_
    run, sizes = stacking._run, []

    def fail_together(ordered, *arguments):
        sizes.append(len(ordered))
        if len(ordered) > 1:
            raise RuntimeError
        run(ordered, *arguments)

    monkeypatch.setattr(stacking, "_run", fail_together)
    assert_allclose(classifier().fit(X, Y).oof_predictions_, expected, atol=1e-9)
    assert max(sizes) > 1


@pytest.mark.parametrize("kind", [StackedCrossEnsembleClassifier, StackedCrossEnsembleRegressor])
def test_time_series_are_predicted_from_their_past_and_first_rows_never(kind):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(80, 2))
    y = X[:, 0] + 0.1 * rng.normal(size=80)
    network = MLPRegressor(hidden_layer_sizes=(4,), max_iter=20, learning_rate_init=0.05)
    if kind is StackedCrossEnsembleClassifier:
        y, network = (y > 0).astype(int), MLPSoftmaxClassifier((4,), max_iter=20)
    ensemble = kind(network, {"alpha": [1e-4, 1.0]}, cv=TimeSeriesSplit(3), random_state=0)
    ensemble.fit(X, y)
    for train, test in ensemble.splits_:
        assert train.max() < test.min()
    unknown = np.isnan(ensemble.oof_predictions_).reshape(80, -1)
    assert unknown[:20].all()
    assert not unknown[20:].any()
    known = ensemble.oof_predictions_[20:]
    if kind is StackedCrossEnsembleClassifier:
        assert ensemble.oof_score_ == (known.argmax(axis=1) == y[20:]).mean()
    else:
        assert_allclose(ensemble.oof_loss_, ((known - y[20:]) ** 2).mean())


def test_rows_of_a_kernel_matrix_lose_the_columns_of_rows_that_are_held_out():
    def fitted(kernel, X):
        reduced = make_pipeline(KernelPCA(2, kernel=kernel), SOFTMAX)
        return classifier(reduced, SCALED_ARMS, cv=3).fit(X, Y)

    found, expected = fitted("precomputed", X @ X.T), fitted("linear", X)
    assert_allclose(found.oof_arm_predictions_, expected.oof_arm_predictions_, atol=1e-4)
    assert_allclose(found.validation_loss_curves_, expected.validation_loss_curves_, rtol=1e-4)


def test_validation_rows_pass_samplers_as_they_are():
    # imbalanced-learn's pipelines have steps that only change the rows to train on.
    scaler = StandardScaler().fit(X)
    steps = [("left", None), ("out", "passthrough"), ("sampler", object()), ("scaler", scaler)]
    assert_array_equal(through([steps[:3], steps[3:]], X), scaler.transform(X))


def test_classes_are_balanced_among_the_training_rows_even_if_some_are_held_out_too():
    train, test = np.r_[:60, 70:150:2], np.arange(20, 110)
    network = clone(SOFTMAX).set_params(class_weight="balanced", dtype="float64")
    ((member,),) = classifier(network, {}, cv=[(train, test)]).fit(X, Y).estimators_
    alone = clone(member).fit(X[train], Y[train], X_val=X[test], y_val=Y[test])
    assert_allclose(member.predict_proba(X), alone.predict_proba(X), atol=1e-9)


def test_weights_have_the_name_under_which_the_network_requests_them():
    weights = np.arange(150) % 4
    expected = classifier(SCALED, SCALED_ARMS, cv=3)
    expected.fit(X, Y, mlpsoftmaxclassifier__sample_weight=weights)
    with sklearn.config_context(enable_metadata_routing=True):
        network = clone(SOFTMAX).set_fit_request(sample_weight="of_network")
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        found = classifier(make_pipeline(scaler, "passthrough", network), SCALED_ARMS, cv=3)
        found.fit(X, Y, of_network=weights)
    assert_allclose(found.oof_loss_, expected.oof_loss_)
    assert_allclose(found.weights_, expected.weights_)


@pytest.mark.parametrize("kind", ["cross", "seeds", "search"])
def test_rows_may_be_strings(kind):
    texts = [("good " if label else "bad ") + str(i) for i, label in enumerate(Y)]
    estimator = make_pipeline(CountVectorizer(), SOFTMAX)
    model = {
        "cross": classifier(estimator, {}, cv=3),
        "seeds": StackedEnsembleClassifier(estimator, n_members=2, random_state=0),
        "search": StackedGridSearchCV(estimator, {}, cv=3, refit="ensemble"),
    }[kind]
    model.fit(texts, Y > 0)
    assert model.predict(["bad", "good"]).tolist() == [False, True]
    assert not hasattr(model, "n_features_in_")
