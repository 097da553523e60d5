"""Validation data, early stopping, time limits: what is watched and what is restored."""

import warnings

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss, make_scorer, r2_score, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
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
    """Return the model as it was after an epoch, without anything that watches."""
    return clone(model).set_params(max_iter=n_epochs, early_stopping=False).fit(X, Y)


def test_validation_data_alone_is_watched_and_changes_nothing():
    plain, watched = make().fit(X, Y), fit_with_validation(make())
    assert_array_equal(watched.coefs_[0], plain.coefs_[0])
    assert plain.validation_scores_ is None and plain.validation_loss_curve_ is None
    assert len(watched.validation_scores_) == len(watched.validation_loss_curve_) == 15
    for epoch in (1, 7, 15):
        model = refitted(make(), epoch)
        score = watched.validation_scores_[epoch - 1]
        assert score == accuracy_score(Y_VAL, model.predict(X_VAL))
        loss = watched.validation_loss_curve_[epoch - 1]
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


@pytest.mark.parametrize("monitor, figure", MONITORS, ids=["loss", "name", "scorer", "callable"])
def test_anything_can_be_watched(monitor, figure):
    rules = EarlyStopping(monitor, patience=4, tol=0.0)
    model = fit_with_validation(make(early_stopping=rules, max_iter=60))
    scores = model.validation_scores_
    for epoch in (1, len(scores)):
        assert_allclose(scores[epoch - 1], figure(refitted(model, epoch)), rtol=1e-9)
    assert_allclose(figure(model), max(scores), rtol=1e-9)
    best = int(np.argmax(scores))
    assert len(scores) == 60 or len(scores) >= best + 5


def test_patience_and_tolerance_of_the_object_go_before_those_of_the_estimator():
    rules = EarlyStopping("loss", patience=2, tol=100.0)
    model = fit_with_validation(make(early_stopping=rules, n_iter_no_change=12, tol=0.0))
    # Nothing improves by 100: the first epoch does, then three do not.
    assert model.n_iter_ == 4
    own = fit_with_validation(
        make(early_stopping=EarlyStopping("loss"), n_iter_no_change=2, tol=100.0)
    )
    assert own.n_iter_ == 4


def test_last_weights_are_kept_where_the_best_are_not_wanted():
    rules = EarlyStopping("loss", restore_best=False)
    model = fit_with_validation(make(early_stopping=rules))
    assert_array_equal(model.coefs_[0], refitted(model, model.n_iter_).coefs_[0])


def test_validation_of_regressors_speaks_the_units_of_the_target():
    X, y = make_regression(200, 5, noise=10, random_state=0)
    model = MLPRegressor(**OPTIONS).fit(X[:150], 1e6 * y[:150], X_val=X[150:], y_val=1e6 * y[150:])
    expected = r2_score(1e6 * y[150:], model.predict(X[150:]))
    assert_allclose(model.validation_scores_[-1], expected, rtol=1e-9)


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
    with pytest.warns(ConvergenceWarning):
        model.fit(X, Y)
    assert 1 <= model.n_iter_ < 10**6
    assert np.isfinite(model.predict_proba(X)).all()


def test_time_that_is_not_over_is_not_mentioned():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(max_time=1e6, tol=1e3, n_iter_no_change=1, max_iter=50).fit(X, Y)
