"""The multi-layer perceptrons from outside: labels, outputs, units, history, randomness."""

import re
from unittest.mock import Mock

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import expit, softmax
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_iris,
    make_multilabel_classification,
)
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import KFold, train_test_split
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
from skperceptron.activations import PReLU, get_activation
from skperceptron.exceptions import DivergedError
from skperceptron.losses import Huber
from skperceptron.model_selection import StackedCrossEnsembleRegressor
from skperceptron.training.lbfgs import Objective

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:Got .*batch_size.* larger than:UserWarning",
)

CLASSIFIERS = [MLPBinaryClassifier, MLPSoftmaxClassifier]
ESTIMATORS = [*CLASSIFIERS, MLPRegressor]
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 20, "random_state": 0}


def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X)[:200], y[:200]


def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return StandardScaler().fit_transform(X), (y - y.mean()) / y.std()


def multilabel():
    X, y = make_multilabel_classification(150, 8, n_classes=3, random_state=0)
    return StandardScaler().fit_transform(X), y


def data_for(cls):
    return {MLPBinaryClassifier: cancer, MLPSoftmaxClassifier: iris, MLPRegressor: diabetes}[cls]()


def same_parameters(a, b):
    """Return whether the parameters of two fitted estimators are the same bit for bit."""
    return all(
        np.array_equal(x, y)
        for name in ("coefs_", "intercepts_", "activation_parameters_")
        for x, y in zip(getattr(a, name), getattr(b, name), strict=True)
    )


# Labels and probabilities.

LABELS = {
    "strings": ["ham", "spam"],
    "booleans": [False, True],
    "negative integers": [-7, -2],
    "floats": [1.0, 2.0],
    "objects": np.array(["a", "b"], dtype=object),
    "unsigned": np.array([3, 250], dtype=np.uint8),
}


@pytest.mark.parametrize("cls", CLASSIFIERS)
@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_type_come_back(cls, kind):
    X, y = cancer()
    labels = np.asarray(LABELS[kind])
    plain = cls(**SMALL, learning_rate_init=0.05).fit(X, y)
    named = clone(plain).fit(X, labels[y])
    assert_array_equal(named.classes_, labels)
    assert named.classes_.dtype == labels.dtype
    assert named.predict(X).dtype == labels.dtype
    assert_array_equal(named.predict(X), labels[plain.predict(X)])
    assert_array_equal(named.predict_proba(X), plain.predict_proba(X))
    assert named.score(X, labels[y]) > 0.95


@pytest.mark.parametrize("classes", [2, 3])
def test_softmax_supports_two_or_more_classes(classes):
    X, y = iris()
    X, y = X[y < classes], np.array(["z", "k", "a"])[y[y < classes]]
    model = MLPSoftmaxClassifier((8,), solver="lbfgs", random_state=0).fit(X, y)
    assert model.out_activation_ == "softmax"
    assert model.n_outputs_ == len(model.classes_) == classes
    assert model.coefs_[-1].shape == (8, classes)
    assert model.score(X, y) > 0.95


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cls", CLASSIFIERS)
def test_probabilities_sum_to_one_and_increase_with_the_decision(cls, dtype):
    X, y = cancer()
    model = cls(**SMALL).fit(X, y)
    X = X.astype(dtype)
    decision, probability = model.decision_function(X), model.predict_proba(X)
    assert decision.shape == (len(X),)
    assert decision.dtype == probability.dtype == dtype
    assert_allclose(probability.sum(axis=1), 1, rtol=1e-6)
    assert_allclose(probability[:, 1], expit(decision), rtol=1e-4)
    assert (np.diff(probability[np.argsort(decision), 1]) >= 0).all()
    assert_array_equal(model.predict(X), model.classes_[(decision > 0).astype(int)])


def test_softmax_decides_for_the_largest_probability():
    X, y = iris()
    model = MLPSoftmaxClassifier(**SMALL).fit(X, y)
    decision, probability = model.decision_function(X), model.predict_proba(X)
    assert_allclose(probability, softmax(decision, axis=1), rtol=1e-12)
    assert_allclose(probability.sum(axis=1), 1, rtol=1e-12)
    assert_array_equal(model.predict(X), model.classes_[decision.argmax(axis=1)])


@pytest.mark.parametrize("cls", CLASSIFIERS)
def test_log_probabilities_are_logarithms_and_stay_finite_when_probabilities_vanish(cls):
    X, y = cancer()
    model = cls(**SMALL).fit(X, y)
    assert_allclose(model.predict_log_proba(X), np.log(model.predict_proba(X)), rtol=1e-12)
    far = 1e4 * X
    raw = model.decision_function(far)
    # The exponential of such values overflows.
    assert np.abs(raw).max() > 800
    assert np.isfinite(model.predict_log_proba(far)).all()
    assert np.isfinite(model.predict_log_proba(far.astype(np.float32))).all()
    assert (model.predict_log_proba(far).min(axis=1) < -500).any()


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array, sparse.csc_matrix])
def test_sparse_labels_give_the_model_of_dense_ones(kind, solver):
    X, y = multilabel()
    weight = np.random.RandomState(0).randint(0, 3, len(X))
    own = {} if solver == "lbfgs" else {"X_val": X[:30], "y_val": y[:30]}
    model = MLPBinaryClassifier(**SMALL, solver=solver)
    dense = clone(model).fit(X, y, weight, **own)
    given = kind(y)
    in_sparse = {**own, "y_val": kind(y[:30])} if own else {}
    found = clone(model).fit(X, given, weight, **in_sparse)
    assert same_parameters(dense, found)
    assert found.score(X, given, weight) == dense.score(X, y, weight)
    assert (given != kind(y)).nnz == 0
    assert sparse.issparse(found.predict(X))
    if solver == "adam":
        assert found.validation_scores_ == dense.validation_scores_
        for each, labels in ((dense, y), (found, given.tocsr())):
            each.partial_fit(X[:50], labels[:50])
        assert same_parameters(dense, found)


@pytest.mark.parametrize("as_labels", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
def test_multilabel_targets_are_independent_sigmoids(as_labels):
    X, y = multilabel()
    model = MLPBinaryClassifier((12,), solver="lbfgs", random_state=0).fit(X, as_labels(y))
    assert model.out_activation_ == "logistic"
    assert_array_equal(model.classes_, [0, 1, 2])
    decision, probability = model.decision_function(X), model.predict_proba(X)
    assert decision.shape == probability.shape == y.shape
    assert_allclose(probability, expit(decision), rtol=1e-6, atol=1e-15)
    predicted = model.predict(X)
    assert sparse.issparse(predicted) == sparse.issparse(as_labels(y))
    assert_array_equal(sparse.csr_array(predicted).toarray(), decision > 0)
    assert model.score(X, y) == accuracy_score(y, decision > 0) > 0.8
    assert model.score(X, as_labels(y)) == model.score(X, y)


@pytest.mark.parametrize("n_labels", [2, 3])
def test_labels_may_come_batch_by_batch(n_labels):
    X, y = multilabel()
    y = y[:, :n_labels]
    model = MLPBinaryClassifier(**SMALL)
    for rows in (slice(0, 75), slice(75, None)):
        model.partial_fit(X[rows], y[rows], classes=np.arange(n_labels))
    assert model.predict_proba(X).shape == y.shape


def test_a_third_class_points_to_the_softmax_classifier():
    X, y = iris()
    with pytest.raises(ValueError, match=r"3 classes.*MLPSoftmaxClassifier"):
        MLPBinaryClassifier(**SMALL).fit(X, y)


# History: warm starts, partial fits, attributes.


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_partial_fits_equal_one_fit_of_as_many_epochs(cls):
    X, y = data_for(cls)
    # Without shuffling no random number is drawn after the initial weights.
    parameters = {**SMALL, "shuffle": False, "batch_size": 32, "max_iter": 6}
    whole = cls(**parameters).fit(X, y)
    parts = cls(**parameters)
    for _ in range(6):
        parts.partial_fit(X, y, **({} if cls is MLPRegressor else {"classes": np.unique(y)}))
    assert same_parameters(whole, parts)
    assert parts.loss_curve_ == whole.loss_curve_
    assert parts.t_ == whole.t_ == 6 * len(X)
    assert (parts.n_iter_, whole.n_iter_) == (1, 6)


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_warm_start_goes_on_and_cold_start_does_not(cls, solver):
    X, y = data_for(cls)
    parameters = {**SMALL, "max_iter": 4, "solver": solver, "alpha": 0.1}
    cold = cls(**parameters).fit(X, y)
    assert same_parameters(clone(cold).fit(X, y), cold)
    first = cold.loss_
    assert same_parameters(cold.fit(X, y), clone(cold).fit(X, y))
    warm = cls(**parameters, warm_start=True).fit(X, y)
    assert same_parameters(warm, cold)
    warm.fit(X, y)
    assert warm.loss_ < first
    if solver != "lbfgs":
        assert warm.n_iter_ == 4
        assert warm.loss_curve_[:4] == cold.loss_curve_
        assert len(warm.loss_curve_) == 8
        assert warm.best_loss_ == min(warm.loss_curve_[4:])
        assert warm.t_ == 8 * len(X)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_attributes_describe_the_fit(cls):
    X, y = data_for(cls)
    model = cls(hidden_layer_sizes=(7, 5), max_iter=9, random_state=0).fit(X, y)
    assert (model.n_layers_, model.n_iter_, model.t_) == (4, 9, 9 * len(X))
    assert len(model.loss_curve_) == 9
    assert model.loss_ == model.loss_curve_[-1]
    assert model.best_loss_ == min(model.loss_curve_)
    assert model.validation_scores_ is None
    assert model.best_validation_score_ is None
    assert model.n_features_in_ == X.shape[1]
    assert [w.shape for w in model.coefs_] == [(X.shape[1], 7), (7, 5), (5, model.n_outputs_)]
    assert [b.shape for b in model.intercepts_] == [(7,), (5,), (model.n_outputs_,)]


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_nothing_of_an_earlier_fit_is_left_after_a_fit_of_another_kind(cls):
    X, y = data_for(cls)
    model = cls(hidden_layer_sizes=(3,), max_iter=5, early_stopping=True, random_state=0).fit(X, y)
    lbfgs = {"solver": "lbfgs", "early_stopping": False}
    fresh = clone(model).set_params(**lbfgs).fit(X, y)
    assert vars(model.set_params(**lbfgs).fit(X, y)).keys() == vars(fresh).keys()


def test_integer_outside_the_values_trained_on_is_refused_with_a_hint():
    X, y = np.random.RandomState(0).normal(size=(30, 2)), np.arange(30) % 3
    way_out = "output_range=None. It is that of the rows trained on first: set it"
    network = MLPRegressor(output="categorical", max_iter=2, n_iter_no_change=3)
    with pytest.raises(ValueError, match=way_out):
        network.partial_fit(X, y).partial_fit(X, y + 1)
    ensemble = StackedCrossEnsembleRegressor(network, {"alpha": [0, 1]}, cv=KFold(3))
    with pytest.raises(ValueError, match=way_out):
        ensemble.fit(X, np.sort(y))
    ensemble.set_params(estimator__output_range=(0, 2)).fit(X, np.sort(y))
    assert ensemble.predict(X).min() >= 0


def test_values_of_an_earlier_categorical_fit_are_not_left():
    X, y = _counts()
    model = MLPRegressor(output="categorical", **SMALL).fit(X, y)
    assert not hasattr(model.set_params(output="continuous").fit(X, y), "values_")


@pytest.mark.parametrize("dtype", ["auto", "float32", "float64"])
@pytest.mark.parametrize("hidden", [(8,), (600, 8)])
def test_dtype_decides_for_training_and_the_input_for_prediction(dtype, hidden):
    X, y = diabetes()
    model = MLPRegressor(hidden_layer_sizes=hidden, dtype=dtype, max_iter=2).fit(X, y)
    # 600 * 10 weights are many, 10 * 8 are few.
    wanted = {"auto": "float64" if hidden == (8,) else "float32"}.get(dtype, dtype)
    assert model.dtype_ == wanted
    assert {w.dtype for w in model.coefs_} == {np.dtype(wanted)}
    for given in (np.float32, np.float64):
        assert model.predict(X.astype(given)).dtype == given
    assert MLPRegressor(dtype="float32", solver="lbfgs", max_iter=2).fit(X, y).dtype_ == np.float64


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_early_stopping_keeps_the_best_weights(cls, solver):
    X, y = data_for(cls)
    model = cls(
        hidden_layer_sizes=(8,), solver=solver, early_stopping=True, random_state=0,
        validation_fraction=0.2, learning_rate_init=0.05, n_iter_no_change=5, max_iter=200,
    ).fit(X, y)  # fmt: skip
    assert len(model.validation_scores_) == len(model.loss_curve_) == model.n_iter_ < 200
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.best_loss_ is None
    # The split is drawn from the generator after the initial weights.
    rng = np.random.RandomState(0)
    for a, b in [(X.shape[1], 8), (8, model.n_outputs_)]:
        rng.uniform(size=a * b + b)
    stratify = None if cls is MLPRegressor else y
    _, held_out = train_test_split(
        np.arange(len(X)), test_size=0.2, random_state=rng, stratify=stratify
    )
    assert_allclose(model.score(X[held_out], y[held_out]), model.best_validation_score_, rtol=1e-9)


def test_early_stopping_ends_before_the_last_scores_grow_worse():
    X, y = diabetes()
    model = MLPRegressor(
        hidden_layer_sizes=(50,), early_stopping=True, learning_rate_init=0.05, random_state=0
    ).fit(X, y)
    best = int(np.argmax(model.validation_scores_))
    assert model.validation_scores_[-1] < model.best_validation_score_
    assert model.n_iter_ - best > model.n_iter_no_change


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_verbose_prints_each_epoch(cls, capsys):
    X, y = data_for(cls)
    model = cls(**{**SMALL, "max_iter": 3}, verbose=True).fit(X, y)
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["epoch", "loss", "rate", "seconds", "left,", "max"]
    assert [row.split()[:3] for row in rows] == [
        [str(i), f"{loss:.6f}", "0.001"] for i, loss in enumerate(model.loss_curve_, start=1)
    ]
    assert {len(line) for line in (heading, *rows)} == {len(heading)}
    cls(**SMALL).fit(X, y)
    assert capsys.readouterr().out == ""


def test_verbose_states_scores_slower_rates_and_the_end(capsys):
    X, y = diabetes()
    parameters = {"hidden_layer_sizes": (8,), "n_iter_no_change": 1, "tol": 1.0, "verbose": True}
    MLPRegressor(**parameters, early_stopping=True, random_state=0).fit(X, y)
    printed = capsys.readouterr().out
    assert re.search(r"val\. loss +R2 +rate", printed)
    assert "for 1 consecutive epochs. Stopping." in printed
    MLPRegressor(**parameters, solver="sgd", learning_rate="adaptive", max_iter=5).fit(X, y)
    assert "Setting learning rate to 0.000200" in capsys.readouterr().out
    MLPRegressor(solver="lbfgs", max_iter=5, verbose=True).fit(X, y)
    assert "iterations, loss = " in capsys.readouterr().out


# Sample weights.


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_equal_repeated_rows(cls, solver, dtype):
    X, y = data_for(cls)
    X, y = X[::2], y[::2]
    counts = np.random.RandomState(0).randint(0, 4, size=len(X))
    model = cls(**SMALL, solver=solver, dtype=dtype, batch_size=2000)
    weighted = clone(model).fit(X, y, sample_weight=counts)
    repeated = clone(model).fit(np.repeat(X, counts, axis=0), np.repeat(y, counts, axis=0))
    assert_allclose(weighted.coefs_[0], repeated.coefs_[0], rtol=1e-5, atol=1e-7)
    assert_allclose(weighted.loss_, repeated.loss_, rtol=1e-6)


NORMALIZATIONS = [("adam", "batch"), ("sgd", "batch"), ("adam", "layer"), ("lbfgs", "layer")]


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize(("solver", "normalization"), NORMALIZATIONS)
def test_weights_equal_repeated_rows_that_are_merged_or_not(cls, solver, normalization):
    X, y = data_for(cls)
    X, y = X[::2], y[::2]
    rng = np.random.RandomState(0)
    counts = rng.randint(0, 4, size=len(X))
    model = cls(
        **{**SMALL, "max_iter": 8}, solver=solver, normalization=normalization, batch_size=2000,
        dtype="float64",
    )  # fmt: skip
    weighted = clone(model).fit(X, y, sample_weight=counts)
    X_repeated, y_repeated = np.repeat(X, counts, axis=0), np.repeat(y, counts, axis=0)
    repeated = clone(model).fit(X_repeated, y_repeated)
    # No two rows are equal, and none is merged.
    apart = clone(model).fit(X_repeated + 1e-9 * rng.normal(size=X_repeated.shape), y_repeated)
    for other, rtol in ((repeated, 1e-7), (apart, 1e-4)):
        assert weighted.loss_ == pytest.approx(other.loss_, rel=rtol)
        assert_allclose(
            weighted._raw_predictions(X), other._raw_predictions(X), rtol=rtol, atol=10 * rtol
        )


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_rows_of_weight_zero_do_not_touch_the_statistics_of_a_batch(cls):
    X, y = data_for(cls)
    chosen = np.random.RandomState(0).permutation(len(X))
    X, y = X[chosen], y[chosen]
    far = np.vstack([X[:40], 1e6 * X[40:60]])
    weight = np.repeat([1.0, 0.0], [40, 20])
    options = {**SMALL, "normalization": "batch", "shuffle": False}
    # A single batch, and batches of which the last two have no weight.
    for batch_size in (60, 10):
        model = cls(**options, batch_size=batch_size).fit(far, y[:60], weight)
        assert np.isfinite(model._raw_predictions(X[:40])).all()
        alone = cls(**options, batch_size=min(batch_size, 40)).fit(X[:40], y[:40])
        statistics = model.normalization_parameters_[0][2:]
        if batch_size == 60:
            assert_allclose(statistics, alone.normalization_parameters_[0][2:], rtol=1e-6)
        assert np.abs(statistics).max() < 100


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("factor", [1e-300, 1e-3, 1e150, 1e300])
def test_without_a_penalty_a_common_factor_of_the_weights_changes_nothing(cls, solver, factor):
    X, y = data_for(cls)
    weight = np.random.RandomState(0).randint(1, 4, len(X)).astype(float)
    early = {} if solver == "lbfgs" else {"early_stopping": True}
    model = cls(**{**SMALL, "max_iter": 5}, alpha=0, solver=solver, **early)
    plain, scaled = clone(model).fit(X, y, weight), clone(model).fit(X, y, factor * weight)
    assert_allclose(scaled._raw_predictions(X), plain._raw_predictions(X), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_a_common_factor_of_the_weights_only_rescales_the_penalty(cls):
    X, y = data_for(cls)
    halves = np.full(len(X), 0.5)
    plain = cls(**SMALL, alpha=2.0).fit(X, y)
    weighted = cls(**SMALL, alpha=1.0).fit(X, y, sample_weight=halves)
    assert_allclose(weighted.coefs_[0], plain.coefs_[0], rtol=1e-7)
    assert weighted.loss_ == pytest.approx(plain.loss_)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_weights_shift_the_fit_and_the_score(cls):
    X, y = data_for(cls)
    rng = np.random.RandomState(0)
    weights = rng.uniform(size=len(X)) ** 4
    model = cls(**SMALL).fit(X, y, sample_weight=weights)
    assert not same_parameters(model, cls(**SMALL).fit(X, y))
    metric = r2_score if cls is MLPRegressor else accuracy_score
    wanted = metric(y, model.predict(X), sample_weight=weights)
    assert model.score(X, y, sample_weight=weights) == pytest.approx(wanted)
    assert model.score(X, y) == pytest.approx(metric(y, model.predict(X)))


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_accuracy_does_not_depend_on_the_unit_of_weights():
    X = np.array([[0.0], [1.0], [2.0]])
    model = MLPSoftmaxClassifier((), max_iter=1, random_state=0).fit(X, [0, 1, 1])
    predicted = model.predict(X)
    y = [predicted[0], predicted[1], 1 - predicted[2]]
    assert_allclose(model.score(X, y, [1.0, 1.0, 2.0]), 0.5)
    assert_allclose(model.score(X, y, np.array([0.5, 0.5, 1.0]) * 1.7e308), 0.5)


@pytest.mark.parametrize("cls", CLASSIFIERS)
@pytest.mark.parametrize("kind", LABELS)
def test_score_is_scikit_learns_accuracy_however_the_labels_come(cls, kind):
    X, y = cancer()
    labels = np.asarray(LABELS[kind])[y]
    model = cls(**SMALL).fit(X[:100], labels[:100])
    wanted = accuracy_score(labels, model.predict(X))
    assert 0 < wanted < 1
    for given in (labels, labels.tolist()):
        assert model.score(X, given) == wanted
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.score(X, labels[1:])
    with pytest.raises(ValueError, match="mix of"):
        model.score(X, np.linspace(0, 1, len(X)))


# Regressors: bounded, categorical, standardized outputs.


@pytest.mark.parametrize("bounds", [(0, 100), (-3.5, -1.25), [0.0, 1e-3]], ids=str)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_output_range_bounds_every_prediction(bounds, solver):
    X, y = diabetes()
    low, high = bounds
    y = low + (high - low) * expit(y)
    model = MLPRegressor(
        output_range=bounds, hidden_layer_sizes=(8,), max_iter=300, solver=solver,
        learning_rate_init=0.02, random_state=0, tol=1e-7,
    ).fit(X, y)  # fmt: skip
    assert model.out_activation_ == "scaled_logistic"
    assert model.score(X, y) > 0.4
    for factor in (1, 1e3, 1e30):
        far = model.predict(factor * X)
        assert np.isfinite(far).all()
        assert low <= far.min() <= far.max() <= high
    # Predictions reach nearly the whole range.
    assert np.ptp(model.predict(1e30 * X)) > 0.99 * (high - low)
    hidden = np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0)
    raw = hidden @ model.coefs_[1] + model.intercepts_[1]
    assert_allclose(model.predict(X), (low + (high - low) * expit(raw))[:, 0], rtol=1e-9)


def test_output_range_holds_for_every_column():
    X, y = diabetes()
    y = np.c_[expit(y), expit(-y)]
    model = MLPRegressor(output_range=(0, 1), **SMALL).fit(X, y)
    assert model.predict(1e6 * X).shape == y.shape
    assert 0 <= model.predict(1e6 * X).min() <= model.predict(1e6 * X).max() <= 1


@pytest.mark.parametrize("bounds", [(-4, 4), (-4, 1000), (-1000, 1000), (-1e6, 1e6)], ids=str)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_range_far_wider_than_the_target_learns_as_well_as_none(bounds, solver):
    X, y = diabetes()
    options = {"hidden_layer_sizes": (8,), "solver": solver, "alpha": 10, "max_iter": 300}
    options |= {"learning_rate_init": 0.02, "random_state": 0}
    wanted = MLPRegressor(**options).fit(X[::2], y[::2]).score(X[1::2], y[1::2])
    model = MLPRegressor(output_range=bounds, **options).fit(X[::2], y[::2])
    assert model.score(X[1::2], y[1::2]) > wanted - 0.05
    raw = np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0)
    raw = raw @ model.coefs_[1] + model.intercepts_[1]
    low, high = bounds
    predicted = low + (high - low) * expit(raw[:, 0])
    assert_allclose(model.predict(X), predicted, atol=1e-12 * (high - low))


def test_constant_targets_at_a_bound_and_first_batches_of_few_rows_are_learned():
    X, y = diabetes()
    for constant in (0, 0.3, 1):
        model = MLPRegressor(output_range=(0, 1), learning_rate_init=0.02, random_state=0)
        predicted = model.fit(X[:50], np.full(50, constant)).predict(X[:50])
        assert_allclose(predicted, constant, atol=0.1)
    model = MLPRegressor(output_range=(-4, 1000), learning_rate_init=0.02, random_state=0)
    for start in range(40):
        model.partial_fit(X[start : start + 1], y[start : start + 1])
    for _ in range(100):
        model.partial_fit(X, y)
    assert model.score(X, y) > 0.4
    assert model.set_params(warm_start=True).fit(X, y).score(X, y) > 0.4


def test_without_standardization_a_bounded_output_is_trained_in_units_of_the_range():
    X, y = diabetes()
    shares = expit(y)
    options = {**SMALL, "standardize_target": False}
    model = MLPRegressor(output_range=(0, 1), **options).fit(X, shares)
    wide = MLPRegressor(output_range=(-5, 15), **options).fit(X, 20 * shares - 5)
    assert_allclose(wide.predict(X), 20 * model.predict(X) - 5, rtol=1e-9)
    loss = np.mean((model.predict(X) - shares) ** 2) / 2
    assert loss < model.loss_ < 2 * loss + 0.1


def test_clip_predictions_clips_a_bounded_output():
    X, y = diabetes()
    y = np.clip(y, -1, 1)
    model = MLPRegressor(output_range=(-4, 4), clip_predictions=True, **SMALL).fit(X, y)
    assert model.predict(100 * X).min() == y.min()
    assert model.predict(100 * X).max() == y.max()


BAD_TARGETS = {
    "above the range": ({"output_range": (0, 1)}, [0.0, 0.5, 1.5], "range"),
    "below the range": ({"output_range": (0, 1)}, [-0.1, 0.5, 1.0], "range"),
    "reversed range": ({"output_range": (5, 1)}, [2, 3, 4], "lower bound must be below"),
    "empty range": ({"output_range": (1, 1)}, [1, 1, 1], "lower bound must be below"),
    "three bounds": ({"output_range": (0, 1, 2)}, [0, 1, 1], "two finite numbers"),
    "infinite bound": ({"output_range": (0, np.inf)}, [0, 1, 1], "two finite numbers"),
    "not integers": ({"output": "categorical"}, [0.5, 1, 2], "integers"),
    "not an integer bound": (
        {"output": "categorical", "output_range": (0.5, 3)}, [1, 2, 3], "two integers",
    ),
    "integer outside": ({"output": "categorical", "output_range": (0, 2)}, [0, 1, 3], "range"),
    "one integer only": ({"output": "categorical"}, [4, 4, 4], "at least two different values"),
    "two columns": ({"output": "categorical"}, [[0, 1], [1, 0], [1, 1]], "one target column"),
    "negative count": ({"loss": "poisson"}, [0, 1, -1], "range"),
    "bounded counts": ({"loss": "poisson", "output_range": (0, 9)}, [0, 1, 2], "poisson"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_TARGETS)
def test_targets_that_do_not_fit_the_output_are_an_error(case):
    parameters, y, message = BAD_TARGETS[case]
    with pytest.raises(ValueError, match=message):
        MLPRegressor(**parameters, max_iter=2).fit(np.eye(3), y)


def _counts(shift=0):
    X, y = diabetes()
    return X, np.clip(np.round(2 * y + 4), 0, 9).astype(int) + shift


@pytest.mark.parametrize("shift", [0, -20])
def test_categorical_output_is_a_distribution_over_integers(shift):
    X, y = _counts(shift)
    model = MLPRegressor(output="categorical", **{**SMALL, "max_iter": 60}).fit(X, y)
    assert model.out_activation_ == "softmax"
    assert_array_equal(model.values_, np.arange(y.min(), y.max() + 1))
    probability = model.predict_proba(X)
    assert probability.shape == (len(X), len(model.values_))
    assert_allclose(probability.sum(axis=1), 1)
    assert_allclose(model.predict(X), probability @ model.values_, rtol=1e-9)
    model.set_params(categorical_prediction="mode")
    assert_array_equal(model.predict(X), model.values_[probability.argmax(axis=1)])
    assert model.predict(X.astype(np.float32)).dtype == np.float32


def test_categorical_output_covers_the_given_range():
    X, y = _counts()
    model = MLPRegressor(output="categorical", output_range=(-2, 12), **SMALL).fit(X, y)
    assert_array_equal(model.values_, np.arange(-2, 13))
    assert -2 <= model.predict(1e6 * X).min() <= model.predict(1e6 * X).max() <= 12
    model.partial_fit(X, np.full(len(X), 12))
    with pytest.raises(ValueError, match="range"):
        model.partial_fit(X, np.full(len(X), 13))


def test_categorical_output_is_softmax_classification_of_the_same_integers():
    X, y = _counts()
    regressor = MLPRegressor(output="categorical", **SMALL).fit(X, y)
    classifier = MLPSoftmaxClassifier(**SMALL).fit(X, y)
    assert_array_equal(classifier.classes_, regressor.values_)
    assert same_parameters(regressor, classifier)


def test_a_fit_predicts_as_it_was_made_whatever_output_says_by_now():
    X, y = _counts()
    for first, then in (("categorical", "continuous"), ("continuous", "categorical")):
        model = MLPRegressor(output=first, **SMALL).fit(X, y)
        expected = model.predict(X)
        assert_array_equal(model.set_params(output=then).predict(X), expected)


def test_only_a_categorical_output_has_probabilities():
    assert not hasattr(MLPRegressor(), "predict_proba")
    assert not hasattr(MLPRegressor(output_range=(0, 1)), "predict_proba")
    assert hasattr(MLPRegressor(output="categorical"), "predict_proba")


def test_poisson_predicts_positive_numbers():
    X, y = _counts()
    model = MLPRegressor("poisson", **SMALL, learning_rate_init=0.05).fit(X, y)
    assert model.out_activation_ == "exp"
    assert (model.predict(X) > 0).all()
    hidden = np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0)
    raw = hidden @ model.coefs_[1] + model.intercepts_[1]
    assert_allclose(model.predict(X), np.exp(raw[:, 0]), rtol=1e-9)
    assert model.score(X, y) > 0.3


UNITS = {
    "in millionths": (0.0, 1e-6),
    "in millions": (0.0, 1e6),
    "far from zero": (1e6, 1.0),
    "far below zero": (-1e6, 1.0),
    "in millions, far from zero": (1e9, 1e6),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("units", UNITS)
def test_units_of_the_target_do_not_matter(units, solver, dtype):
    X, y = diabetes()
    shift, scale = UNITS[units]
    model = MLPRegressor(random_state=0, solver=solver, dtype=dtype, max_iter=100, alpha=1.0)
    plain = clone(model).fit(X, y).score(X, y)
    assert plain > 0.4
    assert clone(model).fit(X, shift + scale * y).score(X, shift + scale * y) > plain - 0.03


def test_default_regressor_learns_columns_of_any_units_at_once():
    X, y = diabetes()
    rng = np.random.RandomState(0)
    other = X @ rng.normal(size=X.shape[1])
    columns = np.c_[y, 1e6 * y, 1e-6 * y, y + 1e6, other, 1e8 * other, np.full(len(y), 42.0)]
    model = MLPRegressor(random_state=0).fit(X, columns)
    predicted = model.predict(X)
    scores = r2_score(columns[:, :-1], predicted[:, :-1], multioutput="raw_values")
    assert scores[:4].min() > 0.5
    assert scores[4:].min() > 0.9
    assert_allclose(predicted[:, -1], 42.0, atol=1.0)


@pytest.mark.parametrize("constant", [0.0, 5.0, 1e6, -1e9, 0.1, -1e-7])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_constant_target_is_predicted(constant, solver):
    X, _ = diabetes()
    model = MLPRegressor(random_state=0, solver=solver).fit(X, np.full(len(X), constant))
    assert np.abs(model.predict(X) - constant).mean() < 0.1 * (abs(constant) or 1.0)


@pytest.mark.parametrize("standardize", ["auto", True])
@pytest.mark.parametrize("skip", ["none", "residual", "dense"])
def test_folded_weights_are_a_plain_network(standardize, skip):
    X, y = diabetes()
    y = np.c_[1e6 * y, y, 1e-5 * y + 7, y - 1e7]
    model = MLPRegressor(
        hidden_layer_sizes=(6, 6), skip_connections=skip, standardize_target=standardize,
        random_state=0, dtype="float64",
    ).fit(X, y)  # fmt: skip
    assert_allclose(forward(model, X), model.predict(X), rtol=1e-9)
    assert (r2_score(y, model.predict(X), multioutput="raw_values") > 0.3).all()


def test_ordinary_targets_keep_their_units():
    X, y = diabetes()
    for ordinary in (y, 1.9 * y + 1.5, 0.6 * y - 0.5):
        auto = MLPRegressor(**SMALL).fit(X, ordinary)
        raw = MLPRegressor(**SMALL, standardize_target=False).fit(X, ordinary)
        assert same_parameters(auto, raw)
        changed = MLPRegressor(**SMALL, standardize_target=True).fit(X, ordinary)
        # y is standardized already.
        assert same_parameters(auto, changed) == (ordinary is y)


def test_standardized_fit_is_the_fit_of_the_standardized_target():
    X, y = diabetes()
    # A power of two, so that scaling does not round.
    model = MLPRegressor(**SMALL, standardize_target=True).fit(X, 1024 * y)
    plain = MLPRegressor(**SMALL).fit(X, y - y.mean())
    assert_allclose(model.loss_curve_, plain.loss_curve_, rtol=1e-9)
    assert_allclose(model.predict(X), 1024 * (plain.predict(X) + y.mean()), rtol=1e-7, atol=1e-6)


FAR = {"near 100": (100.0, 1.0), "deviation 0.011": (0.0, 0.011), "near 900": (900.0, 1.0)}
FAR |= {"deviation 500": (0.0, 500.0), "near 2010": (2010.0, 1.0), "1e200": (0.0, 1e200)}
FAR |= {"1e-300": (0.0, 1e-300), "near 3": (3.0, 1.0), "0.1": (0.0, 0.1), "near 1e9": (1e9, 1.0)}


@pytest.mark.parametrize("of_X", ["float32", "float64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("units", FAR)
def test_default_regressor_learns_a_target_wherever_it_lies(units, dtype, of_X):
    X, y = diabetes()
    shift, scale = FAR[units]
    X = X.astype(of_X)
    model = MLPRegressor(random_state=0, dtype=dtype, max_iter=60)
    plain = clone(model).fit(X, y).predict(X)
    predicted = clone(model).fit(X, shift + scale * y).predict(X).astype(np.float64)
    in_units = (predicted - shift) / scale
    assert r2_score(y, in_units) > r2_score(y, plain) - 0.05


def stream(n_rows=1200):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(n_rows, 3))
    return X, X[:, 0] + 0.5 * X[:, 1]


@pytest.mark.parametrize(
    ("loss", "averaging", "n_first"),
    [("squared_error", None, 1), ("squared_error", "ema", 2), ("gaussian_nll", None, 1)],
)
@pytest.mark.parametrize("units", ["near 100", "in millions", "in millions, far from zero"])
def test_a_first_call_of_one_row_or_of_equal_rows_does_not_fix_the_units(
    units, n_first, averaging, loss
):
    X, y = stream()
    shift, scale = {"near 100": (100.0, 1.0), **UNITS}[units]
    y = shift + scale * y
    model = MLPRegressor(loss, (16,), random_state=0, learning_rate_init=0.01, averaging=averaging)
    model.partial_fit(np.repeat(X[:1], n_first, axis=0), np.repeat(y[:1], n_first))
    for start in range(1, 1000, 3):
        model.partial_fit(X[start : start + 3], y[start : start + 3])
    assert r2_score(y[1000:], model.predict(X[1000:])) > 0.8


def test_units_that_change_leave_predictions_as_they_are():
    X, y = stream()
    model = MLPRegressor(hidden_layer_sizes=(6,), learning_rate_init=1e-12, averaging="ema")
    model.partial_fit(X[:1], 1e6 * y[:1])
    before = model.predict(X)
    model.partial_fit(X[1:4], 1e6 * y[1:4])
    assert model._fitted.target.units.scale[0] > 1e4
    assert_allclose(model.predict(X), before, rtol=1e-6)


def test_validation_data_do_not_move_the_units():
    X, y = diabetes()
    model = MLPRegressor(**SMALL)
    plain = clone(model).fit(X[:20], 50 + y[:20])
    validated = clone(model).fit(X[:20], 50 + y[:20], X_val=X, y_val=1e6 * y)
    assert same_parameters(plain, validated)


def test_partial_fit_keeps_the_units_of_its_first_call():
    X, y = diabetes()
    model = MLPRegressor(hidden_layer_sizes=(16,), learning_rate_init=0.01, random_state=0)
    for i in range(400):
        rows = np.arange(i % 3, len(X), 3)
        model.partial_fit(X[rows], 1e6 * y[rows] + 1e7)
    assert model.score(X, 1e6 * y + 1e7) > 0.5
    assert model.predict(X).mean() == pytest.approx(1e7, rel=0.05)


@pytest.mark.parametrize("alpha", [1, 10])
@pytest.mark.parametrize("n_targets", [5, 20])
def test_lbfgs_with_several_targets_converges_as_with_the_same_objective(n_targets, alpha, recwarn):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(150, 6))
    weights = rng.normal(size=(2, 6, n_targets))
    y = np.tanh(X @ weights[0]) + np.sin(X @ weights[1])
    options = {"solver": "lbfgs", "alpha": alpha, "max_iter": 5000, "tol": 1e-5, "random_state": 0}

    def reached(loss):
        model = MLPRegressor(loss, (10,), standardize_target=False, **options).fit(X, y)
        penalty = 0.5 * alpha * sum((w**2).sum() for w in model.coefs_) / len(X)
        loss = ((model.predict(X) - y) ** 2).sum() / len(X) / 2
        return loss + penalty, model.loss_, loss / n_targets + penalty

    squared, reported, mean = reached("squared_error")
    assert squared < 1.02 * reached(Huber(1e6))[0]
    assert reported == pytest.approx(mean, rel=1e-9)
    assert not recwarn.list


# Architecture.


def forward(model, X):
    """Return raw predictions, computed from the fitted arrays as the documentation says."""
    slopes = iter(model.activation_parameters_)
    skip, names = model.skip_connections, model.activation
    n_hidden = len(model.coefs_) - 1
    names = [names] * n_hidden if isinstance(names, str) else names
    seen, value = [X], X
    for weight, bias, name in zip(model.coefs_, model.intercepts_, names, strict=False):
        source = np.hstack(seen) if skip == "dense" else value
        z = source @ weight + bias
        if name == "prelu":
            hidden = np.where(z > 0, z, next(slopes) * z)
        else:
            hidden = get_activation(name)(z)
        if skip == "residual" and len(seen) > 1 and hidden.shape == value.shape:
            hidden = hidden + value
        value = hidden
        seen.append(hidden)
    source = np.hstack(seen) if skip == "dense" else value
    return source @ model.coefs_[-1] + model.intercepts_[-1]


ARCHITECTURES = [
    (),
    (5,),
    (5, 5),
    (5, 3),
    (4, 4, 6, 6),
    (10, 10),
]


@pytest.mark.parametrize("hidden", ARCHITECTURES, ids=str)
@pytest.mark.parametrize("skip", ["none", "residual", "dense"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "prelu", "gelu"])
def test_fitted_arrays_are_the_documented_network(hidden, skip, activation):
    X, y = diabetes()
    y = np.digitize(y, [-0.5, 0.5])
    model = MLPSoftmaxClassifier(
        hidden, activation, skip_connections=skip, max_iter=5, random_state=0
    ).fit(X, y)
    for given in (X, sparse.csr_matrix(X)):
        assert_allclose(model.decision_function(given), forward(model, X), rtol=1e-9, atol=1e-12)
    # X has ten columns, but no shortcut leads around a first layer of ten units.
    widths = [X.shape[1], *hidden, 3]
    fan_in = np.cumsum(widths)[:-1] if skip == "dense" else widths[:-1]
    shapes = list(zip(fan_in, widths[1:], strict=True))
    assert [w.shape for w in model.coefs_] == shapes
    learned = [(h,) for h in hidden] if activation == "prelu" else []
    assert [a.shape for a in model.activation_parameters_] == learned


def test_shortcuts_change_the_network():
    X, y = diabetes()
    models = [
        MLPRegressor(hidden_layer_sizes=(6, 6), skip_connections=skip, max_iter=5, random_state=0)
        for skip in ("none", "residual", "dense")
    ]
    a, b, c = (model.fit(X, y).predict(X) for model in models)
    assert not np.allclose(a, b)
    assert not np.allclose(b, c)


def test_slopes_of_prelu_are_learned_and_restored():
    X, y = diabetes()
    start = PReLU(0.1)
    model = MLPRegressor(hidden_layer_sizes=(6, 4), activation=[start, "prelu"], max_iter=30,
                         random_state=0, warm_start=True).fit(X, y)  # fmt: skip
    first, second = (a.copy() for a in model.activation_parameters_)
    assert np.abs(first - 0.1).min() > 0
    assert np.abs(second - 0.25).min() > 0
    assert start.alpha == 0.1
    model.set_params(max_iter=1, learning_rate_init=1e-9).fit(X, y)
    assert_allclose(model.activation_parameters_[0], first, atol=1e-7)


def test_without_hidden_layers_the_network_is_linear():
    X, y = diabetes()
    model = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", alpha=0, tol=1e-8).fit(X, y)
    assert model.n_layers_ == 2
    design = np.c_[X, np.ones(len(X))]
    solution = np.linalg.lstsq(design, y, rcond=None)[0]
    assert_allclose(model.predict(X), design @ solution, atol=0.01)
    model.set_params(activation=[]).fit(X, y)
    assert_allclose(model.predict(X), design @ solution, atol=0.01)


# Randomness and inputs.


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_same_seed_same_model_and_no_global_generator(cls, solver):
    X, y = data_for(cls)
    model = cls(**{**SMALL, "max_iter": 5}, solver=solver, batch_size=32)
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    first = clone(model).fit(X, y)
    assert_array_equal(np.random.get_state()[1], before)
    np.random.seed(4)
    assert same_parameters(first, clone(model).fit(X, y))
    assert not same_parameters(first, clone(model).set_params(random_state=1).fit(X, y))


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_generator_is_used_up_and_a_seed_is_not(cls):
    X, y = data_for(cls)
    model = cls(**{**SMALL, "random_state": np.random.RandomState(0)})
    seeded = cls(**SMALL).fit(X, y)
    assert same_parameters(model.fit(X, y), seeded)
    assert not same_parameters(model.fit(X, y), seeded)


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("make", [np.array, sparse.csr_matrix, sparse.csr_array, np.asfortranarray])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inputs_are_never_changed(cls, make, dtype):
    X, y = data_for(cls)
    X = make(X.astype(dtype))
    weights = np.random.RandomState(0).uniform(size=len(y))
    arrays = [X.data if sparse.issparse(X) else X, y, weights]
    copies = [np.array(array) for array in arrays]
    for array in arrays:
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    for options in ({}, {"solver": "lbfgs"}, {"early_stopping": True}, {"batch_size": 16}):
        model = cls(**{**SMALL, "max_iter": 3}, **options).fit(X, y, sample_weight=weights)
        model.predict(X)
        model.score(X, y, sample_weight=weights)
    for array, copy in zip(arrays, copies, strict=True):
        assert_array_equal(array, copy)


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("skip", ["none", "dense"])
@pytest.mark.parametrize("options", [{}, {"solver": "lbfgs"}, {"batch_size": 16}], ids=str)
def test_sparse_input_gives_the_dense_model(cls, skip, options):
    X, y = data_for(cls)
    X = np.where(np.abs(X) < 0.5, 0, X)
    model = cls(**{**SMALL, "max_iter": 8}, skip_connections=skip, dtype="float64", **options)
    dense, scarce = clone(model).fit(X, y), clone(model).fit(sparse.csr_matrix(X), y)
    for a, b in zip(scarce.coefs_, dense.coefs_, strict=True):
        assert_allclose(a, b, rtol=1e-6, atol=1e-9)
    assert_allclose(
        forward(dense, X) if cls is MLPRegressor else dense.predict_proba(X),
        scarce.predict(X)[:, None] if cls is MLPRegressor else scarce.predict_proba(X),
        rtol=1e-6,
        atol=1e-9,
    )


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_names_of_columns_are_kept_and_checked(cls):
    pandas = pytest.importorskip("pandas")
    X, y = data_for(cls)
    names = [f"column {i}" for i in range(X.shape[1])]
    frame = pandas.DataFrame(X, columns=names)
    model = cls(**SMALL).fit(frame, y)
    assert_array_equal(model.feature_names_in_, names)
    assert same_parameters(model, cls(**SMALL).fit(X, y))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[names[::-1]])


FAILURES = {
    "wrong number of columns": lambda X, y: (X[:, 1:], y, None),
    "not a number": lambda X, y: (np.where(X == X[0, 0], np.nan, X), y, None),
    "negative weights": lambda X, y: (X, y, -np.ones(len(X))),
    "zero weights": lambda X, y: (X, y, np.zeros(len(X))),
    "too few targets": lambda X, y: (X, y[1:], None),
    "no rows": lambda X, y: (X[:0], y[:0], None),
}


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("failure", FAILURES)
def test_failed_partial_fit_leaves_the_earlier_fit(cls, failure):
    X, y = data_for(cls)
    model = cls(**SMALL).fit(X, y)
    before = {name: getattr(model, name) for name in ("t_", "loss_", "n_iter_", "n_features_in_")}
    predicted = model.predict(X)
    bad_X, bad_y, weights = FAILURES[failure](X, y)
    with pytest.raises(ValueError):
        model.partial_fit(bad_X, bad_y, sample_weight=weights)
    if failure != "wrong number of columns":
        with pytest.raises(ValueError):
            model.fit(bad_X, bad_y, sample_weight=weights)
    assert_array_equal(model.predict(X), predicted)
    assert {name: getattr(model, name) for name in before} == before


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_diverged_fit_is_an_error_that_names_the_cause_and_restores(solver):
    X, y = diabetes()
    model = MLPRegressor(**SMALL, solver=solver).fit(X, y)
    predicted, coefs = model.predict(X), model.coefs_
    model.set_params(learning_rate_init=1e300, activation="identity")
    with (
        np.errstate(all="ignore"),
        pytest.raises(ValueError, match=r"non-finite parameter weights.*learning_rate_init"),
    ):
        model.fit(X, y)
    assert model.coefs_ is coefs
    model.set_params(activation="relu")
    assert_array_equal(model.predict(X), predicted)


def test_weights_that_overflow_in_units_of_y_are_refused():
    X, y = 1e-3 * np.eye(4), np.array([0, 0, 0, 1.7e308])
    model = MLPRegressor(hidden_layer_sizes=(), alpha=0, solver="lbfgs")
    with pytest.raises(DivergedError, match="diverged"):
        model.fit(X, y)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_failed_first_fit_leaves_an_unfitted_estimator(cls):
    X, y = data_for(cls)
    model = cls(**SMALL)
    with pytest.raises(ValueError):
        model.fit(X, y[1:])
    assert not [name for name in vars(model) if name.endswith("_")]


@pytest.mark.parametrize("cls", CLASSIFIERS)
def test_log_loss_falls_while_training(cls):
    X, y = cancer()
    model = cls(**{**SMALL, "max_iter": 1}, warm_start=True, learning_rate_init=0.01)
    losses = [log_loss(y, model.fit(X, y).predict_proba(X)) for _ in range(10)]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize(
    "estimator", [MLPRegressor(), MLPRegressor(hidden_layer_sizes=(4, 3), loss=Huber(2.0))]
)
def test_a_clone_has_equal_parameters_and_nothing_else(estimator):
    X, y = load_diabetes(return_X_y=True)
    estimator.set_params(max_iter=2, random_state=0)
    for original in (estimator, clone(estimator).fit(X, y)):
        cloned = clone(original)
        assert repr(cloned.get_params()) == repr(original.get_params())
        assert vars(cloned).keys() == vars(estimator).keys()
        assert cloned.loss is not original.loss or isinstance(original.loss, str)


def test_a_clone_keeps_what_was_set_beside_the_parameters():
    estimator = MLPRegressor().set_output(transform="pandas")
    with config_context(enable_metadata_routing=True):
        estimator.set_fit_request(sample_weight=True)
        cloned = clone(estimator)
    assert cloned._sklearn_output_config == {"transform": "pandas"}
    assert cloned._metadata_request.fit.requests["sample_weight"] is True


def test_lbfgs_that_is_interrupted_before_its_first_iteration_keeps_the_start(monkeypatch):
    monkeypatch.setattr(Objective, "__call__", Mock(side_effect=KeyboardInterrupt))
    X, y = np.eye(3), np.arange(3.0)
    with pytest.warns(UserWarning, match="interrupted by user.* in 0 iterations"):
        model = MLPRegressor(solver="lbfgs", random_state=0).fit(X, y)
    assert (model.n_iter_, model.loss_, model.loss_curve_) == (0, np.inf, [])
    assert np.isfinite(model.predict(X)).all()
