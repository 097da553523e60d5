"""Scores that are computed while a network is trained: those of scikit-learn's scorers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.metrics import brier_score_loss, get_scorer, r2_score
from sklearn.preprocessing import scale

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
from skperceptron.estimators.targets.metrics import brier_terms, negative_error, r2
from skperceptron.losses import CategoricalLogLoss
from skperceptron.stopping import EarlyStopping

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OPTIONS = {"hidden_layer_sizes": (4,), "max_iter": 4, "random_state": 0, "dtype": "float64"}
IRIS = load_iris(return_X_y=True)
CANCER = load_breast_cancer(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
NAMES = np.array(["a", "b", "c"])

CASES = [
    (MLPSoftmaxClassifier(**OPTIONS), IRIS[0], NAMES[IRIS[1]], "neg_log_loss"),
    (MLPSoftmaxClassifier(**OPTIONS), scale(CANCER[0]), CANCER[1], "neg_brier_score"),
    (MLPBinaryClassifier(**OPTIONS), scale(CANCER[0]), CANCER[1], "neg_log_loss"),
    (MLPBinaryClassifier(**OPTIONS), scale(CANCER[0]), CANCER[1], "neg_brier_score"),
    (MLPRegressor(**OPTIONS), *DIABETES, "neg_root_mean_squared_error"),
    (
        MLPRegressor(standardize_target=True, **OPTIONS),
        DIABETES[0],
        np.column_stack([DIABETES[1], -(DIABETES[1] ** 2)]),
        "neg_root_mean_squared_error",
    ),
    (
        MLPRegressor(output="categorical", **OPTIONS),
        IRIS[0],
        IRIS[1].astype(float),
        "neg_root_mean_squared_error",
    ),
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("network", "X", "y", "name"), CASES)
def test_scores_are_those_of_the_scorer_with_that_name(network, X, y, name, weighted):
    weight = np.random.RandomState(1).uniform(0.5, 2, len(X)) if weighted else None
    scorer = get_scorer(name)

    def predicted_again(estimator, X, y, sample_weight=None):
        return scorer(estimator, X, y, sample_weight=sample_weight)

    curves = []
    for monitor in (name, predicted_again):
        network.set_params(early_stopping=EarlyStopping(monitor, patience=np.inf))
        curves.append(network.fit(X, y, sample_weight=weight).validation_scores_)
    assert len(curves[0]) == 4
    assert_allclose(curves[0], curves[1], rtol=1e-9)


def test_brier_score_of_several_classes_is_the_squared_distance():
    rng = np.random.RandomState(0)
    probabilities = rng.dirichlet(np.ones(4), size=30)
    codes, weight = rng.randint(4, size=30), rng.uniform(size=30)
    distances = ((probabilities - np.eye(4)[codes]) ** 2).sum(axis=1)
    assert_allclose(brier_terms(probabilities, codes), distances)
    two = probabilities[:, :2] / probabilities[:, :2].sum(axis=1, keepdims=True)
    found = np.average(brier_terms(two, codes % 2), weights=weight)
    assert_allclose(found, brier_score_loss(codes % 2, two[:, 1], sample_weight=weight))


@pytest.mark.parametrize("weighted", [False, True])
def test_r2_of_several_networks_is_that_of_each(weighted):
    rng = np.random.RandomState(0)
    y, predicted = rng.normal(size=(2, 6, 9, 2))
    # The units must cancel, up to rounding.
    units = np.array([1, 1e200, 1e-200, 1, 1, 1])[:, np.newaxis, np.newaxis]
    y, predicted = y * units, predicted * units
    # A constant column scores 1 if it is predicted exactly, else 0.
    y[3, :, 0] = y[4, :, 0] = 2
    predicted[3, :, 0] = 2
    predicted[5] = y[5]
    weight = rng.uniform(size=(6, 9)) if weighted else None
    found = r2(np.stack([y, predicted], axis=-1), weight)
    for k in range(6):
        given = {"sample_weight": weight[k]} if weighted else {}
        assert_allclose(found[k], r2_score(y[k] / units[k], predicted[k] / units[k], **given))
    assert found[5] == 1


def test_error_of_exact_predictions_is_zero_beside_that_of_others():
    compared = np.arange(12.0).reshape(2, 3, 1, 2)
    compared[0, ..., 1] = compared[0, ..., 0]
    assert negative_error(compared, None).tolist() == [0, -1]


def test_score_of_labels_is_the_share_of_rows_with_all_of_them_right():
    labels = np.column_stack([IRIS[1] > 0, IRIS[1] > 1, IRIS[0][:, 0] > 6]).astype(int)
    network = MLPBinaryClassifier(**OPTIONS, early_stopping=EarlyStopping(restore_best=False))
    network.fit(*(IRIS[0], labels), X_val=IRIS[0], y_val=labels)
    found = network.predict(IRIS[0]) == labels
    assert found.all(axis=1).mean() < found.any(axis=1).mean()
    assert network.validation_scores_[-1] == pytest.approx(found.all(axis=1).mean())


def test_r2_of_a_single_row_is_not_defined():
    assert np.isnan(r2(np.zeros((2, 1, 1, 2)), None)).all()
    y, predicted = np.array([1.0, 3.0]), np.array([1.0, 2.0])
    assert r2(np.stack([y, predicted], axis=-1)[np.newaxis, :, np.newaxis], None) == [0.5]


def test_log_loss_of_labels_ignores_label_smoothing():
    rules = EarlyStopping("neg_log_loss", patience=np.inf, restore_best=False)
    network = MLPSoftmaxClassifier(**OPTIONS, early_stopping=rules)
    network.set_params(loss=CategoricalLogLoss(label_smoothing=0.2)).fit(*IRIS)
    plain = [-score for score in network.validation_scores_]
    assert np.abs(np.subtract(plain, network.validation_loss_curve_)).min() > 1e-3


@pytest.mark.parametrize("name", ["neg_log_loss", "neg_brier_score"])
def test_classes_that_no_validation_row_has_do_no_harm(name):
    y = np.where(np.arange(150) == 3, 2, IRIS[1] == 2)
    rules = EarlyStopping(name, patience=np.inf)
    network = MLPSoftmaxClassifier(**OPTIONS, early_stopping=rules).fit(IRIS[0], y)
    assert np.isfinite(network.validation_scores_).all() and len(network.classes_) == 3


@pytest.mark.parametrize("ties", ["first", "latest"])
def test_validations_are_as_rare_and_ties_are_resolved_as_requested(ties):
    rules = EarlyStopping(lambda network, X, y: 1.0, patience=np.inf, every=3, ties=ties)
    network = MLPSoftmaxClassifier(**OPTIONS, early_stopping=rules).set_params(max_iter=7)
    network.fit(*IRIS)
    assert np.flatnonzero(np.isfinite(network.validation_scores_)).tolist() == [2, 5, 6]
    n_epochs = {"first": 3, "latest": 7}[ties]
    rows_alike = EarlyStopping("loss", patience=np.inf, restore_best=False)
    other = MLPSoftmaxClassifier(**OPTIONS, early_stopping=rows_alike).set_params(max_iter=n_epochs)
    assert_allclose(network.coefs_[0], other.fit(*IRIS).coefs_[0])


def test_bad_rules_are_refused_by_name():
    for options in ({"every": 0}, {"every": 1.5}, {"ties": "last"}):
        (name,) = options
        network = MLPSoftmaxClassifier(**OPTIONS, early_stopping=EarlyStopping(**options))
        with pytest.raises(ValueError, match=f"'{name}' parameter of EarlyStopping"):
            network.fit(*IRIS)
