"""Validation data, early stopping, time limits: what is monitored and what is restored."""

import math
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import (
    accuracy_score,
    get_scorer,
    log_loss,
    make_scorer,
    r2_score,
    roc_auc_score,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
from skperceptron.estimators.splits import split
from skperceptron.model_selection import StackedGridSearchCV
from skperceptron.stopping import EarlyStopping

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = make_classification(300, 8, flip_y=0.2, random_state=0)
X_VAL, Y_VAL = X[200:], Y[200:]
X, Y = X[:200], Y[:200]
OPTIONS = {
    "hidden_layer_sizes": (16,),
    "learning_rate_init": 0.02,
    "batch_size": 20,
    "max_iter": 15,
    "random_state": 0,
    "dtype": "float64",
}


def make(cls=MLPBinaryClassifier, **options):
    return cls(**(OPTIONS | options))


def fit_with_validation(model, **options):
    return model.fit(X, Y, X_val=X_VAL, y_val=Y_VAL, **options)


def refitted(model, n_epochs):
    """Return the model as it was after an epoch, fitted without early stopping."""
    return clone(model).set_params(max_iter=n_epochs, early_stopping=False).fit(X, Y)


def test_validation_data_without_early_stopping_is_monitored_and_changes_nothing():
    plain, monitored = make().fit(X, Y), fit_with_validation(make())
    assert_array_equal(monitored.coefs_[0], plain.coefs_[0])
    assert plain.validation_scores_ is None and plain.validation_loss_curve_ is None
    assert len(monitored.validation_scores_) == len(monitored.validation_loss_curve_) == 15
    for epoch in (1, 7, 15):
        model = refitted(make(), epoch)
        score = monitored.validation_scores_[epoch - 1]
        assert score == accuracy_score(Y_VAL, model.predict(X_VAL))
        loss = monitored.validation_loss_curve_[epoch - 1]
        assert_allclose(loss, log_loss(Y_VAL, model.predict_proba(X_VAL)), rtol=1e-9)


@pytest.mark.parametrize("store", [np.asarray, sparse.csr_array])
def test_validation_rows_of_either_kind_and_their_weights_count(store):
    weight = np.random.RandomState(0).randint(3, size=len(Y_VAL))
    weighted = make().fit(X, Y, X_val=store(X_VAL), y_val=Y_VAL, sample_weight_val=weight)
    repeated = np.repeat(np.arange(len(Y_VAL)), weight)
    expected = make().fit(X, Y, X_val=X_VAL[repeated], y_val=Y_VAL[repeated])
    assert_allclose(weighted.validation_scores_, expected.validation_scores_, rtol=1e-12)
    assert_allclose(weighted.validation_loss_curve_, expected.validation_loss_curve_, rtol=1e-9)


def test_early_stopping_uses_the_validation_data_that_is_given():
    model = fit_with_validation(make(early_stopping=True, max_iter=100, n_iter_no_change=3))
    assert model.n_iter_ < 100
    best = int(np.argmax(model.validation_scores_)) + 1
    # No row of X is held out: every epoch is that of a plain fit.
    assert_array_equal(model.coefs_[0], refitted(model, best).coefs_[0])
    assert model.best_validation_score_ == model.score(X_VAL, Y_VAL)


MONITORS = [
    ("loss", lambda m: -log_loss(Y_VAL, m.predict_proba(X_VAL))),
    ("roc_auc", lambda m: roc_auc_score(Y_VAL, m.decision_function(X_VAL))),
    (make_scorer(accuracy_score), lambda m: m.score(X_VAL, Y_VAL)),
    (lambda m, X, y: float(m.coefs_[0][0, 0]), lambda m: m.coefs_[0][0, 0]),
]


@pytest.mark.parametrize("monitor, score_of", MONITORS, ids=["loss", "name", "scorer", "callable"])
def test_anything_can_be_monitored(monitor, score_of):
    rules = EarlyStopping(monitor, patience=4, tol=0.0)
    model = fit_with_validation(make(early_stopping=rules, max_iter=60))
    scores = model.validation_scores_
    for epoch in (1, len(scores)):
        assert_allclose(scores[epoch - 1], score_of(refitted(model, epoch)), rtol=1e-9)
    assert_allclose(score_of(model), max(scores), rtol=1e-9)
    best = int(np.argmax(scores))
    assert len(scores) == 60 or len(scores) >= best + 5


def test_patience_and_tolerance_of_the_object_take_precedence_over_those_of_the_estimator():
    rules = EarlyStopping("loss", patience=2, tol=100.0)
    model = fit_with_validation(make(early_stopping=rules, n_iter_no_change=12, tol=0.0))
    # Only the first epoch counts as an improvement: no later one improves by 100.
    assert model.n_iter_ == 4
    own = fit_with_validation(
        make(early_stopping=EarlyStopping("loss"), n_iter_no_change=2, tol=100.0)
    )
    assert own.n_iter_ == 4


def test_last_weights_are_kept_where_the_best_are_not_wanted():
    rules = EarlyStopping("loss", restore_best=False)
    model = fit_with_validation(make(early_stopping=rules))
    assert_array_equal(model.coefs_[0], refitted(model, model.n_iter_).coefs_[0])


def test_validation_of_regressors_is_in_units_of_the_target():
    X, y = make_regression(200, 5, noise=10, random_state=0)
    model = MLPRegressor(**OPTIONS).fit(X[:150], 1e6 * y[:150], X_val=X[150:], y_val=1e6 * y[150:])
    expected = r2_score(1e6 * y[150:], model.predict(X[150:]))
    assert_allclose(model.validation_scores_[-1], expected, rtol=1e-9)


class Recording:
    """A scorer that keeps its arguments; its signature is the documented one."""

    def __init__(self):
        self.given = []

    def __call__(self, estimator, X, y):
        self.given.append((X, y))
        return estimator.score(X, y)


FRAME = pd.DataFrame(X, columns=list("abcdefgh")).assign(count=np.arange(200, dtype="int16"))
FRAME.index = [f"row {i}" for i in range(200)]
LABELS = pd.Series(np.where(Y, "yes", "no"), index=FRAME.index, name="label")
WEIGHTED = [{}, {"sample_weight": np.linspace(0.5, 2, 200)}]


@pytest.mark.parametrize("weights", WEIGHTED, ids=["plain", "weighted"])
@pytest.mark.parametrize("cls", [MLPBinaryClassifier, MLPSoftmaxClassifier])
def test_scorers_get_rows_as_they_were_given(cls, weights):
    scorer = Recording()
    make(cls, early_stopping=EarlyStopping(scorer), class_weight="balanced", max_iter=2).fit(
        FRAME, LABELS, **weights
    )
    assert len(scorer.given) == 2
    for rows, labels in scorer.given:
        assert len(rows) == 20
        pd.testing.assert_frame_equal(rows, FRAME.loc[rows.index])
        pd.testing.assert_series_equal(labels, LABELS.loc[rows.index])


def test_scorers_get_validation_data_of_the_users_as_it_is():
    scorer = Recording()
    frame, labels = FRAME[:50], LABELS[:50]
    make(early_stopping=EarlyStopping(scorer), max_iter=1).fit(
        FRAME, LABELS, X_val=frame, y_val=labels
    )
    assert scorer.given[0][0] is frame and scorer.given[0][1] is labels


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
def test_scorers_get_sparse_rows_sparse(form):
    scorer = Recording()
    make(early_stopping=EarlyStopping(scorer), max_iter=1).fit(
        sparse.csr_array(X).asformat(form), Y
    )
    rows, labels = scorer.given[0]
    places = [int(np.flatnonzero((X == row).all(axis=1))[0]) for row in rows.toarray()]
    assert_array_equal(labels, Y[places])


@pytest.mark.usefixtures("large_files")
def test_scorers_get_rows_of_a_mapped_file(tmp_path):
    scorer = Recording()
    mapped = np.memmap(tmp_path / "X", dtype=np.float64, mode="w+", shape=X.shape)
    mapped[:] = X
    rules = EarlyStopping(scorer)
    found = make(early_stopping=rules, validation_fraction=0.9, max_iter=1).fit(mapped, Y)
    expected = make(early_stopping=True, validation_fraction=0.9, max_iter=1).fit(X, Y)
    assert found.validation_scores_ == expected.validation_scores_
    assert not isinstance(scorer.given[0][0], np.memmap)


def of_frames_only(estimator, X, y):
    """Score a frame, and check that its names and labels are kept; the documented signature."""
    assert list(X.columns) == list(FRAME.columns) and X["count"].dtype == "int16"
    assert y.name == "label" and (y.index == X.index).all()
    return estimator.score(X, y)


@pytest.mark.parametrize("search", [GridSearchCV, StackedGridSearchCV])
def test_documented_signature_works_in_searches_with_weights(search):
    rules = EarlyStopping(of_frames_only)
    model = make(early_stopping=rules, class_weight="balanced", max_iter=2)
    search = search(model, {"alpha": [0, 1]}, cv=2, error_score="raise", refit=False)
    search.fit(FRAME, LABELS, sample_weight=np.linspace(0.5, 2, 200))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("name", ["positive_likelihood_ratio", "neg_max_error"])
def test_metrics_without_weights_are_monitored_where_rows_are_weighted(name):
    cls = MLPRegressor if name == "neg_max_error" else MLPBinaryClassifier
    rules = EarlyStopping(name)
    model = make(cls, early_stopping=rules).fit(
        X, Y, X_val=X_VAL, y_val=Y_VAL, sample_weight_val=np.linspace(1, 2, 100)
    )
    best = model.best_validation_score_
    assert best == pytest.approx(get_scorer(name)(model, X_VAL, Y_VAL))


class Weighing:
    """A scorer that takes weights."""

    def __init__(self):
        self.weights = []

    def __call__(self, estimator, X, y, sample_weight=None):
        self.weights.append(sample_weight)
        return estimator.score(X, y, sample_weight)


def test_weights_are_given_to_scorers_that_accept_them():
    scorer, weight = Weighing(), np.linspace(1, 2, 100)
    model = make(early_stopping=EarlyStopping(scorer), max_iter=1)
    fit_with_validation(model, sample_weight_val=weight)
    assert_array_equal(scorer.weights[0], weight)
    fit_with_validation(model)
    assert scorer.weights[1] is None


@pytest.mark.parametrize("requested", [True, False, None])
@pytest.mark.parametrize("enabled", [True, False])
def test_requests_of_a_scorer_are_respected(requested, enabled):
    seen = []

    def metric(y, predicted, sample_weight=None):
        seen.append(sample_weight)
        return 1.0

    scorer = make_scorer(metric)
    if requested is not None:
        with sklearn.config_context(enable_metadata_routing=True):
            scorer.set_score_request(sample_weight=requested)
    model = make(early_stopping=EarlyStopping(scorer), max_iter=1)
    with sklearn.config_context(enable_metadata_routing=enabled):
        fit_with_validation(model, sample_weight_val=np.ones(100))
    # Without a request, the metric's parameter `sample_weight` is enough.
    assert (seen[0] is None) == (requested is False)


def test_weights_that_are_bound_already_are_kept():
    scorer = Weighing()
    bound = partial(scorer, sample_weight=np.arange(1.0, 101))
    fit_with_validation(
        make(early_stopping=EarlyStopping(bound), max_iter=1), sample_weight_val=np.ones(100)
    )
    assert_array_equal(scorer.weights[0], np.arange(1.0, 101))


RARE = np.where(np.arange(200) == 3, 1, 0)
NO_SCORES = {
    "R2 of one row": (
        MLPRegressor, None, {"X_val": X_VAL[:1], "y_val": Y_VAL[:1]}, "1 validation row is",
    ),
    "area of one class": (
        MLPBinaryClassifier, "roc_auc", {"X_val": X_VAL[Y_VAL == 1], "y_val": Y_VAL[Y_VAL == 1]},
        "1 of 2 classes",
    ),
    "area of a rare class": (MLPBinaryClassifier, "roc_auc", {}, "1 of 2 classes"),
    "area of three classes": (MLPSoftmaxClassifier, "roc_auc_ovr", {}, "2 of 3 classes"),
    "log loss of a rare class": (
        MLPSoftmaxClassifier, get_scorer("neg_log_loss"), {}, "2 of 3 classes",
    ),
    "NaN": (MLPRegressor, lambda m, X, y: np.nan, {}, "is nan"),
    "infinity": (MLPRegressor, lambda m, X, y: np.inf, {}, "is inf"),
    "a NaN in an array": (MLPRegressor, lambda m, X, y: np.array([np.nan]), {}, "is nan"),
    "a dict": (MLPRegressor, lambda m, X, y: {"r2": 1.0}, {}, "must be a number"),
    "text": (MLPRegressor, lambda m, X, y: "1.0", {}, "must be a number"),
    "nothing": (MLPRegressor, lambda m, X, y: None, {}, "must be a number"),
    "an array": (MLPRegressor, lambda m, X, y: np.ones(2), {}, "must be a number"),
    "a complex number": (MLPRegressor, lambda m, X, y: 1j, {}, "must be a number"),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_SCORES)
def test_first_score_that_is_not_finite_is_refused(name):
    cls, monitor, own, fragment = NO_SCORES[name]
    y = {MLPBinaryClassifier: RARE, MLPSoftmaxClassifier: np.where(RARE, 2, Y)}.get(cls, Y)
    if own:
        y = Y
    model = make(cls, early_stopping=EarlyStopping(monitor) if monitor else False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=rf"monitor=.*{fragment}"):
            model.fit(X, y, **own)
    assert not hasattr(model, "coefs_")


def test_later_score_that_is_not_finite_counts_as_no_improvement():
    scores = iter([0.1, 0.3, np.inf, np.nan, 0.2])
    model = make(early_stopping=EarlyStopping(lambda m, X, y: next(scores)), max_iter=5)
    with pytest.warns(UserWarning, match="has become inf") as caught:
        model.fit(X, Y)
    assert sum("has become" in str(w.message) for w in caught) == 1
    assert model.best_validation_score_ == 0.3
    assert np.isinf(model.validation_scores_[2]) and np.isnan(model.validation_scores_[3])


def test_filters_of_warnings_are_left_alone_after_the_first_score():
    before, seen = warnings.filters, []

    def score(model, X, y):
        seen.append(warnings.filters is before)
        return model.score(X, y)

    make(early_stopping=EarlyStopping(score), max_iter=4).fit(X, Y)
    # They belong to all threads of a program.
    assert len(seen) == 4 and all(seen[1:])


def test_validation_rows_on_a_far_larger_scale_are_refused():
    with pytest.raises(ValueError, match="X_val contains far larger values"):
        make(MLPRegressor).fit(X, Y, X_val=1e300 * X_VAL, y_val=Y_VAL)


def held_out_labels(cls, y, **options):
    """Return the labels of the rows that are held out."""
    scorer = Recording()
    rules = EarlyStopping(scorer)
    make(cls, early_stopping=rules, max_iter=1, **options).fit(X[: len(y)], y)
    return np.sort(scorer.given[0][1])


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_validation_rows_hold_classes_in_proportion(n_classes, seed):
    y = np.arange(200) % n_classes
    labels = held_out_labels(
        MLPSoftmaxClassifier, y, validation_fraction=n_classes / 20, random_state=seed
    )
    assert_array_equal(np.bincount(labels), np.full(n_classes, 10))


@pytest.mark.parametrize("cls", [MLPBinaryClassifier, MLPSoftmaxClassifier])
def test_only_row_of_a_class_is_trained_on(cls):
    for seed in range(5):
        labels = held_out_labels(cls, RARE, random_state=seed)
        assert_array_equal(labels, np.zeros(20))


def test_fewer_validation_rows_than_classes_are_enough():
    y = np.arange(60) % 10
    for seed in range(5):
        labels = held_out_labels(MLPSoftmaxClassifier, y, random_state=seed)
        assert len(set(labels)) == len(labels) == 6


@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=12).filter(lambda c: sum(c) > 1),
    fraction=st.floats(0.01, 0.5),
    seed=st.integers(0, 100),
)
def test_split_divides_all_rows_in_two_and_leaves_each_class_a_row(counts, fraction, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    n_held_out = math.ceil(fraction * len(labels))
    assume(n_held_out < len(labels))
    rows, held_out = split(len(labels), fraction, labels, np.random.RandomState(seed))
    assert_array_equal(np.sort(np.concatenate([rows, held_out])), np.arange(len(labels)))
    assert set(labels[rows]) == set(labels)
    assert len(held_out) == min(n_held_out, sum(counts) - len(counts))


BAD_OWN = {
    "features": ({"X_val": X_VAL[:, :3]}, "X_val has 3 features"),
    "NaN": ({"X_val": np.full_like(X_VAL, np.nan)}, "Input X_val contains NaN"),
    "infinite": ({"X_val": np.where(X_VAL > 1, np.inf, X_VAL)}, "Input X_val contains infinity"),
    "one row": ({"X_val": X_VAL[0]}, "X_val: Expected 2D array"),
    "no rows": ({"X_val": X_VAL[:0]}, "X_val: Found array with 0 sample"),
    "text": ({"X_val": [["a"] * 8] * 100}, "X_val: could not convert string"),
    "length": ({"y_val": Y_VAL[1:]}, "X_val and y_val: Found input variables with inconsistent"),
    "label": ({"y_val": Y_VAL + 1}, r"`y_val` has classes not in .*\. `y_val` has \["),
    "text labels": ({"y_val": np.where(Y_VAL, "y", "X")}, "`y_val` has classes not in"),
    "continuous": ({"y_val": Y_VAL + 0.5}, "y_val: Unknown label type: continuous"),
    "labels": ({"y_val": np.c_[Y_VAL, Y_VAL]}, "`y_val` holds labels"),
    "NaN in y": ({"y_val": np.full(100, np.nan)}, "Input y_val contains NaN"),
    "weights": ({"sample_weight_val": np.ones(3)}, r"sample_weight_val.*\(3,\)"),
    "negative": ({"sample_weight_val": -np.ones(100)}, "Negative values .*`sample_weight_val`"),
    "NaN weights": ({"sample_weight_val": np.full(100, np.nan)}, "sample_weight_val contains NaN"),
    "no weight": ({"sample_weight_val": np.zeros(100)}, "sample_weight_val"),
}


@pytest.mark.parametrize("name", BAD_OWN)
def test_errors_about_validation_data_name_its_parameters(name):
    changed, fragment = BAD_OWN[name]
    own = {"X_val": X_VAL, "y_val": Y_VAL, **changed}
    with pytest.raises(ValueError, match=fragment):
        make().fit(X, Y, **own)


def test_errors_about_validation_targets_of_regressors_name_them():
    for y_val, fragment in [
        (np.c_[Y_VAL, Y_VAL], "y_val has 2 columns"),
        (sparse.csr_array(Y_VAL[:, np.newaxis]), "for y_val"),
    ]:
        with pytest.raises((TypeError, ValueError), match=fragment):
            make(MLPRegressor).fit(X, Y, X_val=X_VAL, y_val=y_val)
    with pytest.raises(ValueError, match="y_val must lie in the range"):
        make(MLPRegressor, output_range=(0, 1)).fit(X, Y, X_val=X_VAL, y_val=Y_VAL + 4)


def test_unknown_labels_among_the_validation_rows_are_refused():
    with pytest.raises(ValueError, match="classes not in"):
        make(MLPSoftmaxClassifier).fit(X, Y, X_val=X_VAL, y_val=Y_VAL + 1)


@pytest.mark.parametrize(
    "given, fragment",
    [
        ({"X_val": X_VAL}, "X_val and y_val must be given together"),
        ({"y_val": Y_VAL}, "X_val and y_val must be given together"),
        ({"sample_weight_val": np.ones(5)}, "sample_weight_val needs X_val"),
        ({"X_val": X_VAL[:, :3], "y_val": Y_VAL}, "features"),
        ({"X_val": X_VAL, "y_val": Y_VAL[:-1]}, "inconsistent numbers of samples"),
        ({"X_val": X_VAL, "y_val": Y_VAL, "sample_weight_val": -np.ones(100)}, "Negative values"),
    ],
)
def test_bad_validation_data_is_refused_and_the_earlier_fit_survives(given, fragment):
    model = make().fit(X, Y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=fragment):
        model.fit(X[:50], Y[:50], **given)
    assert_array_equal(model.predict_proba(X), before)


def test_lbfgs_has_no_epochs_to_validate():
    with pytest.raises(ValueError, match="X_val and y_val need a stochastic solver"):
        fit_with_validation(make(solver="lbfgs"))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_without_validation_the_attributes_of_validation_are_none(solver):
    model = make(early_stopping=True).fit(X, Y)
    assert model.validation_scores_ is not None
    model.set_params(solver=solver, early_stopping=False).fit(X, Y)
    assert model.validation_scores_ is None
    assert model.validation_loss_curve_ is None
    assert model.best_validation_score_ is None


@pytest.mark.parametrize(
    "options, fragment",
    [
        ({"monitor": 3}, "'monitor' parameter of EarlyStopping .* Got 3"),
        (
            {"patience": 0},
            r"'patience' .* EarlyStopping must be an int in the range \[1, inf\).* Got 0",
        ),
        (
            {"tol": -1.0},
            r"'tol' .* EarlyStopping must be a float in the range \[0.0, inf\).* Got -1",
        ),
        ({"monitor": "rocauc"}, "rocauc"),
    ],
)
def test_bad_rules_are_refused(options, fragment):
    with pytest.raises(ValueError, match=fragment):
        make(early_stopping=EarlyStopping(**options)).fit(X, Y)


def test_rules_are_searched_like_any_parameter():
    grid = {"early_stopping__patience": [1, 5], "early_stopping__monitor": ["loss", "score"]}
    search = GridSearchCV(make(early_stopping=EarlyStopping()), grid, cv=2).fit(X, Y)
    assert search.best_params_.keys() == grid.keys()


def test_validation_data_reaches_the_network_through_a_pipeline():
    with sklearn.config_context(enable_metadata_routing=True):
        network = make(early_stopping=True).set_fit_request(X_val=True, y_val=True)
        pipeline = make_pipeline(StandardScaler(), network)
        if "transform_input" in pipeline.get_params():
            pipeline.set_params(transform_input=["X_val"])
        pipeline.fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
    assert pipeline[-1].best_validation_score_ == pipeline.score(X_VAL, Y_VAL)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_training_ends_when_its_time_is_over(solver):
    endless = {"max_iter": 10**6, "tol": 0.0, "n_iter_no_change": np.inf, "max_fun": 10**7}
    model = make(solver=solver, max_time=0.2, hidden_layer_sizes=(200, 200), **endless)
    with pytest.warns(ConvergenceWarning, match="Maximum time"):
        model.fit(X, Y)
    assert 1 <= model.n_iter_ < 10**6
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.filterwarnings("error")
def test_time_limit_that_is_not_reached_gives_no_warning():
    make(max_time=1e6, tol=1e3, n_iter_no_change=1, max_iter=50).fit(X, Y)
