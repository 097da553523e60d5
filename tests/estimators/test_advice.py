"""Advice in convergence warnings: what to change, derived from the losses and from X."""

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import shuffle

from skperceptron import MLPBinaryClassifier, MLPRegressor
from skperceptron.estimators.advice import (
    NUMBERS,
    NamedRows,
    about_scale,
    about_validation_scale,
    advice,
    root_mean_squares,
)

SCALED = np.random.RandomState(0).normal(size=(60, 3))
Y = SCALED[:, 0] > 0


def told(estimator, X=SCALED, y=Y):
    """Return the messages of the convergence warnings of a fit."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(X, y)
    return [str(w.message) for w in caught if issubclass(w.category, ConvergenceWarning)]


def of_losses(losses, *, has_rate=True):
    return advice(losses, NamedRows(SCALED), "max_iter", has_rate=has_rate)


def test_fall_of_the_loss_is_the_mean_share_per_epoch():
    # The first fifty epochs do not count.
    losses = [1e9] * 50 + [100 * 0.97**epoch for epoch in range(11)]
    assert "falling by 3 % per epoch (last 10 epochs): raise max_iter" in of_losses(losses)


def test_fall_of_a_loss_below_zero_is_reported_as_a_difference():
    assert "falling by 0.25 per epoch (last 2 epochs)" in of_losses([0.0, -0.25, -0.5])


@pytest.mark.parametrize("losses", [[], [1.0]])
def test_one_epoch_is_no_curve(losses):
    assert of_losses(losses) == "Raise max_iter."


def test_advice_for_a_rising_loss_is_smaller_steps():
    text = of_losses([1.0, 2.0, 3.0])
    assert "not fallen in the last 2 epochs: lower learning_rate_init" in text
    assert "often rising" in of_losses([3.0, 3.5, 2.0, 2.5, 1.0])


def test_lbfgs_has_neither_a_learning_rate_nor_early_stopping():
    for losses in ([2.0, 1.0], [1.0, 2.0], [3.0, 3.5, 2.0, 2.5, 1.0]):
        text = of_losses(losses, has_rate=False)
        assert "learning_rate" not in text
        assert "early_stopping" not in text
        assert "iteration" in text


@pytest.mark.parametrize(
    ("X", "fragment"),
    [
        (SCALED, ""),
        (9 * SCALED, ""),
        (0.2 * SCALED, ""),
        (np.c_[SCALED, np.zeros(60)], ""),
        (np.zeros((60, 2)), ""),
        (np.eye(5), ""),
        (SCALED * [1, 200, 1], "feature number 1 has a root mean square of"),
        (SCALED + np.array([0, 0, 1e3]), "feature number 2 has a root mean square of 1e+03"),
        (SCALED / 100, "no feature has a root mean square above 0.01"),
        (np.full((3, 2), 1e300), "root mean square of inf"),
        (np.array([[200, 0], [100, 1]], dtype=np.uint8), "root mean square of 1.6e+02"),
        (sparse.csr_matrix(SCALED / 100), ""),
        (sparse.csr_array(50 * np.eye(4)), "MaxAbsScaler"),
    ],
)
def test_features_out_of_scale_are_reported(X, fragment):
    text = about_scale(NamedRows(X))
    assert (fragment in text) if fragment else text == ""


@pytest.mark.parametrize("code", [0, 500])
def test_codes_of_categories_have_no_scale(code):
    X = np.c_[np.full(60, code), SCALED]
    assert about_scale(NamedRows(X, codes=(0,))) == ""
    assert "no feature has" in about_scale(NamedRows(X / [1, 100, 100, 100], codes=(0,)))


def test_root_mean_squares_are_those_of_the_numbers():
    assert_allclose(root_mean_squares(SCALED), np.sqrt((SCALED**2).mean(axis=0)))
    # Zeros that are not stored do not make a sparse feature's root mean square small.
    assert_allclose(root_mean_squares(sparse.csr_array([[3.0, 0], [0, 0], [4, 0]])), [12.5**0.5, 0])


def test_only_some_rows_of_long_data_are_examined():
    class Counted(np.ndarray):
        taken = 0

        def __getitem__(self, item):
            found = super().__getitem__(item)
            Counted.taken = max(Counted.taken, found.size)
            return found

    X = np.ones((NUMBERS, 3), dtype=np.float32).view(Counted)
    assert about_scale(NamedRows(X)) == ""
    assert 0 < Counted.taken <= NUMBERS + 3


def test_warning_names_what_to_change_and_the_feature():
    frame = pd.DataFrame(SCALED * [1, 1, 1e4], columns=["age", "height", "income"])
    network = MLPBinaryClassifier((4,), max_iter=5, random_state=0)
    (text,) = told(network, frame)
    assert "Maximum iterations (5) reached" in text
    assert "'income'" in text and "StandardScaler" in text
    (text,) = told(network)
    assert "raise max_iter" in text and "scaled" not in text
    (text,) = told(network.set_params(max_time=1e-9, max_iter=10**6))
    assert "Maximum time" in text and "Raise max_time" in text


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        ({"max_iter": 3}, "raise max_iter"),
        ({"max_fun": 3, "max_iter": 1000}, "aise max_fun"),
    ],
)
def test_lbfgs_names_the_limit_that_has_ended_it(options, fragment):
    network = MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", random_state=0, **options)
    (text,) = told(network, y=SCALED[:, 1])
    assert text.startswith("lbfgs failed to converge after")
    assert fragment in text
    assert "learning_rate" not in text


def test_advice_is_given_once_in_a_call_of_the_users():
    network = MLPBinaryClassifier((4,), max_iter=5, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cross_val_score(network, SCALED, Y, cv=3)
    assert [("raise" in str(w.message)) for w in caught] == [True, False, False]


def raw_and_scaled(load):
    X, y = shuffle(*load(return_X_y=True), random_state=0)
    return X, StandardScaler().fit_transform(X), y


@pytest.mark.parametrize("load", [load_breast_cancer, load_diabetes, load_wine])
def test_validation_rows_on_another_scale_are_reported_both_ways(load):
    raw, scaled, _ = raw_and_scaled(load)
    half = len(raw) // 2
    for X, X_val in ((scaled[:half], raw[half:]), (raw[:half], scaled[half:])):
        assert "another scale than X" in about_validation_scale(NamedRows(X), X_val)
        single = X.astype(np.float32), X_val.astype(np.float32)
        assert "another scale" in about_validation_scale(NamedRows(single[0]), single[1])
    for X in (raw, scaled):
        for part in (X[half:], X[half : half + 3], X[half : half + 1]):
            assert about_validation_scale(NamedRows(X[:half]), part) == ""


@pytest.mark.parametrize(
    ("n_rows", "n_far", "is_told"),
    [(4, 1, False), (4, 2, True), (4, 4, True), (5, 2, False), (5, 3, True)],
)
def test_a_feature_of_few_validation_rows_is_told_if_half_of_them_lie_far(n_rows, n_far, is_told):
    rng = np.random.RandomState(0)
    X, X_val = rng.normal(size=(100, 8)), rng.normal(size=(n_rows, 8))
    X_val[:n_far, 3] *= 1e9
    assert ("in 1 of 8" in about_validation_scale(NamedRows(X), X_val)) == is_told


def test_rare_categories_and_constant_features_are_not_another_scale():
    rng = np.random.RandomState(0)
    codes = rng.randint(300, size=3000)
    X = np.eye(300)[codes]
    scaled = StandardScaler().fit_transform(X)
    for few in (1, 10, 100):
        for rows in (X, scaled):
            assert about_validation_scale(NamedRows(rows[few:]), rows[:few]) == ""
    assert about_validation_scale(NamedRows(np.ones((5, 2))), np.full((5, 2), 100.0)) == ""


def test_a_pixel_that_a_single_picture_uses_is_not_another_scale():
    X = np.random.RandomState(0).uniform(size=(400, 20))
    X[:, 7] = 0
    X[5, 7] = 0.004
    X_val = X.copy()
    X_val[9, 7] = 1
    for convert in (np.asarray, sparse.csr_array):
        for ours, theirs in ((X, X_val), (X_val, X)):
            assert about_validation_scale(NamedRows(convert(ours)), convert(theirs)) == ""
    X_val[:40, 7] = 1
    for ours, theirs in ((X, X_val), (X_val, X)):
        assert "another scale than X in 1 of 20" in about_validation_scale(NamedRows(ours), theirs)


@pytest.mark.parametrize("n_others", [2, 3])
def test_columns_that_are_ten_times_as_large_are_reported_if_they_are_more_than_half(n_others):
    X = np.random.RandomState(0).normal(size=(400, 4))
    factors = np.where(np.arange(4) < n_others, 10, 1)
    told = about_validation_scale(NamedRows(X[:200]), X[200:] * factors)
    assert ("in 3 of 4" in told) if n_others == 3 else told == ""


def test_a_long_tail_is_not_another_scale():
    X = np.random.RandomState(0).pareto(0.8, size=(1000, 5))
    X_val = X.copy()
    X_val[0, 0] = 1e9
    assert about_validation_scale(NamedRows(X), X_val) == ""
    assert about_validation_scale(NamedRows(X_val), X) == ""


def test_sparse_validation_rows_are_compared_by_the_size_of_what_is_stored():
    X = sparse.csr_array(sparse.random(400, 50, density=0.05, random_state=0))
    assert about_validation_scale(NamedRows(X[:200]), X[200:]) == ""
    assert "another scale" in about_validation_scale(NamedRows(X[:200]), 1000 * X[200:])
    assert "another scale" in about_validation_scale(NamedRows(1000 * X[:200]), X[200:])


def test_unscaled_validation_rows_in_a_pipeline_are_reported_at_the_users_line():
    raw, _, y = raw_and_scaled(load_breast_cancer)
    names = [f"column {i}" for i in range(30)]
    frame = pd.DataFrame(raw, columns=names)
    network = MLPBinaryClassifier((4,), max_iter=2, random_state=0)
    pipe = make_pipeline(StandardScaler().set_output(transform="pandas"), network)
    with pytest.warns(UserWarning, match=r"X_val has another scale than X in \d+ of 30") as caught:
        pipe.fit(
            frame[:400], y[:400],
            mlpbinaryclassifier__X_val=frame[400:], mlpbinaryclassifier__y_val=y[400:],
        )  # fmt: skip
    (warning,) = [w for w in caught if "another scale" in str(w.message)]
    assert warning.filename == __file__
    assert "'column " in str(warning.message)


def test_validation_rows_that_pass_through_the_pipeline_are_scaled():
    raw, _, y = raw_and_scaled(load_breast_cancer)
    with sklearn.config_context(enable_metadata_routing=True):
        network = MLPBinaryClassifier((8,), early_stopping=True, max_iter=100, random_state=0)
        network.set_fit_request(X_val=True, y_val=True)
        pipe = make_pipeline(StandardScaler(), network, transform_input=["X_val"])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", ConvergenceWarning)
            pipe.fit(raw[:400], y[:400], X_val=raw[400:], y_val=y[400:])
    assert pipe[-1].best_validation_score_ == pipe.score(raw[400:], y[400:]) > 0.9
