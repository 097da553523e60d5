"""The compiled pass against the blocks of the engine, which the engine's tests hold to the rule."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.linear_model import Perceptron

from skperceptron import RosenblattPerceptron
from skperceptron._library_pass import MarkingPass as LibraryPass
from skperceptron.engine.error_correction import AveragedWeights, ErrorCorrection, LastWeights
from skperceptron.rosenblatt import LARGE_ROWS, MANY_ROWS

pytestmark = pytest.mark.filterwarnings("ignore:Maximum number of epochs")


def make_rows(n_units=1, noise=0.5, integers=False, n_rows=400):
    rng = np.random.RandomState(0)
    features = rng.normal(size=(n_rows, 6))
    if integers:
        features = np.round(2 * features)
    scores = features @ rng.normal(size=(6, n_units))
    return features, np.where(scores + noise * rng.normal(size=scores.shape) > 0, 1.0, -1.0)


def make_classes(n_rows, n_classes=2, noise=2.0):
    rng = np.random.RandomState(1)
    X = rng.normal(size=(n_rows, 5))
    scores = X @ rng.normal(size=(5, n_classes)) + noise * rng.normal(size=(n_rows, n_classes))
    return X, scores.argmax(axis=1)


CASES = pytest.mark.parametrize(
    ("n_units", "noise", "integers"),
    [
        (1, 0.0, False),
        (1, 0.5, False),
        (1, 50.0, False),
        (3, 1.0, False),
        (1, 1.0, True),
        (4, 50.0, True),
    ],
)


@CASES
@pytest.mark.parametrize("weighted", [False, True])
def test_mistakes_and_weights_are_those_of_the_blocks(n_units, noise, integers, weighted):
    features, signs = make_rows(n_units, noise, integers)
    rng = np.random.RandomState(1)
    steps = rng.uniform(0.1, 3, len(features)) if weighted else np.ones(len(features))
    ours, theirs = (
        ErrorCorrection(np.zeros((n_units, 6)), AveragedWeights(), *solver)
        for solver in ([], [LibraryPass])
    )
    # The second window is shorter, the third longer than the first.
    for rows in (slice(0, 150), slice(150, 200), slice(200, 400)):
        made = ours.present(features[rows], signs[rows], steps[rows])
        assert theirs.present(features[rows], signs[rows], steps[rows]) == made
        assert_array_equal(theirs.weight, ours.weight)
    assert_allclose(
        theirs.memory.weights(theirs.weight), ours.memory.weights(ours.weight), rtol=1e-12
    )


@CASES
def test_sparse_rows_give_what_dense_rows_give(n_units, noise, integers):
    features, signs = make_rows(n_units, noise, integers)
    features[np.abs(features) < 0.7] = 0
    steps = np.ones(len(features))
    dense, thin = (
        ErrorCorrection(np.zeros((n_units, 6)), AveragedWeights(), *solver)
        for solver in ([], [LibraryPass])
    )
    made = dense.present(features, signs, steps)
    assert thin.present(sparse.csr_array(features), signs, steps) == made
    assert_allclose(thin.weight, dense.weight, rtol=1e-12, atol=1e-12)
    assert_allclose(
        thin.memory.weights(thin.weight), dense.memory.weights(dense.weight), rtol=1e-10, atol=1e-12
    )


def test_indices_of_64_bits_are_taken():
    features, signs = make_rows()
    rows = sparse.csr_array(features)
    rows.indices, rows.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    units = ErrorCorrection(np.zeros((1, 6)), LastWeights(), LibraryPass)
    expected = ErrorCorrection(np.zeros((1, 6)), LastWeights())
    steps = np.ones(len(signs))
    assert units.present(rows, signs, steps) == expected.present(features, signs, steps)


def test_rows_in_the_room_of_a_pass_are_presented_as_any_others():
    features, signs = make_rows()
    steps = np.ones(len(signs))
    units, others = (ErrorCorrection(np.zeros((1, 6)), LastWeights(), LibraryPass) for _ in "ab")
    for _ in range(2):
        room = units.room(features.shape)
        room[:] = features
        assert units.present(room, signs, steps) == others.present(features, signs, steps)
    assert np.may_share_memory(room, units.room(features.shape))
    assert_array_equal(units.weight, others.weight)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_many_rows_in_order_give_scikit_learns_perceptron(n_classes, fit_intercept):
    X, y = make_classes(LARGE_ROWS + 1000, n_classes)
    shared = {"max_iter": 2, "shuffle": False, "fit_intercept": fit_intercept}
    theirs = Perceptron(tol=None, **shared).fit(X, y)
    ours = RosenblattPerceptron(0, **shared).fit(X, y)
    assert_array_equal(ours.coef_, theirs.coef_)
    assert_array_equal(ours.intercept_, theirs.intercept_)


@pytest.mark.parametrize("weights", ["plain", "averaged", "pocket"])
@pytest.mark.parametrize("n_associative", [0, 10])
@pytest.mark.parametrize("form", [np.array, np.float32, sparse.csr_array], ids=lambda f: f.__name__)
def test_estimator_learns_the_same_by_blocks_and_by_the_compiled_pass(
    weights, n_associative, form, monkeypatch
):
    X, y = make_classes(MANY_ROWS + 100)
    X[:, 0] = X[:, 0] > 0
    X = X.astype(np.float32).astype(np.float64)
    model = RosenblattPerceptron(n_associative, weights=weights, max_iter=3, random_state=0)
    compiled = model.fit(form(X), y)
    coef, mistakes = compiled.coef_, compiled.mistakes_
    monkeypatch.setattr("skperceptron.rosenblatt.MANY_ROWS", MANY_ROWS + 1000)
    by_blocks = model.fit(X, y)
    assert by_blocks.mistakes_ == mistakes
    assert_allclose(by_blocks.coef_, coef, rtol=1e-10, atol=1e-12)
