"""The compiled passes, compared with the engine's blocks, whose own tests check the rule."""

import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.linear_model import Perceptron

from skperceptron import RosenblattPerceptron
from skperceptron.perceptron.error_correction import AveragedWeights, ErrorCorrection, LastWeights
from skperceptron.perceptron.library_pass import HEAVIEST, LIGHTEST, CountingPass, MarkingPass
from skperceptron.perceptron.presentation import MANY_ROWS
from tests.perceptron.sharing import assert_epochs_may_share_a_window

pytestmark = pytest.mark.filterwarnings("ignore:Maximum number of epochs")


@pytest.fixture(autouse=True)
def without_the_extension(monkeypatch):
    """Let rows be presented as if the extension were missing."""
    monkeypatch.setenv("SKPERCEPTRON_STEPS", "numpy")


def make_classes(n_rows, n_classes=2, noise=2.0):
    rng = np.random.RandomState(1)
    X = rng.normal(size=(n_rows, 5))
    scores = X @ rng.normal(size=(5, n_classes)) + noise * rng.normal(size=(n_rows, n_classes))
    return X, scores.argmax(axis=1)


@pytest.fixture
def several_windows(monkeypatch):
    """Limit windows to 500 rows of make_classes."""
    monkeypatch.setattr("skperceptron.perceptron.presentation.LARGE_WINDOW", 500 * 6)


@pytest.fixture
def prefetching(monkeypatch):
    """Return a list of the number of threads while each window is presented."""
    found = []
    present = ErrorCorrection.present

    def spied_on(*args):
        found.append(threading.active_count())
        return present(*args)

    monkeypatch.setattr(ErrorCorrection, "present", spied_on)
    return found


@pytest.mark.parametrize(
    ("memory", "solver"), [(AveragedWeights, MarkingPass), (LastWeights, CountingPass)]
)
def test_mistakes_and_weights_are_those_of_the_blocks(answered_rows, steps, memory, solver):
    features, signs = answered_rows
    start = np.zeros((signs.shape[1], 6))
    ours, theirs = ErrorCorrection(start, memory(), solver), ErrorCorrection(start, memory())
    # The second window is shorter, the third longer than the first.
    for rows in (slice(0, 100), slice(100, 150), slice(150, None)):
        made = theirs.present(features[rows], signs[rows], steps[rows])
        assert ours.present(features[rows], signs[rows], steps[rows]) == made
        assert_array_equal(ours.weight, theirs.weight)
    assert_allclose(
        ours.memory.weights(ours.weight), theirs.memory.weights(theirs.weight), rtol=1e-12
    )


@pytest.mark.parametrize("step", [np.nextafter(LIGHTEST, 1), np.nextafter(HEAVIEST, 1)])
def test_mistakes_are_counted_to_the_limits_of_steps(make_answered_rows, step):
    features, signs = make_answered_rows(noise=1.0, integers=True)
    steps = np.random.RandomState(0).choice([step, 1.0], len(signs))
    counted, expected = (
        ErrorCorrection(np.zeros((1, 6)), LastWeights(), *solver) for solver in ([CountingPass], [])
    )
    for _ in range(2):
        made = expected.present(features, signs, steps)
        assert counted.present(features, signs, steps) == made > 0
        assert_array_equal(counted.weight, expected.weight)


def test_sparse_rows_give_what_dense_rows_give(answered_rows):
    features, signs = answered_rows
    features[np.abs(features) < 0.7] = 0
    steps, start = np.ones(len(features)), np.zeros((signs.shape[1], 6))
    dense, thin = (
        ErrorCorrection(start, AveragedWeights(), *solver) for solver in ([], [MarkingPass])
    )
    made = dense.present(features, signs, steps)
    assert thin.present(sparse.csr_array(features), signs, steps) == made
    assert_allclose(thin.weight, dense.weight, rtol=1e-12, atol=1e-12)
    assert_allclose(
        thin.memory.weights(thin.weight), dense.memory.weights(dense.weight), rtol=1e-10, atol=1e-12
    )


def test_indices_of_64_bits_are_taken(make_answered_rows):
    features, signs = make_answered_rows()
    rows = sparse.csr_array(features)
    rows.indices, rows.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    units = ErrorCorrection(np.zeros((1, 6)), LastWeights(), MarkingPass)
    expected = ErrorCorrection(np.zeros((1, 6)), LastWeights())
    steps = np.ones(len(signs))
    assert units.present(rows, signs, steps) == expected.present(features, signs, steps)


@pytest.mark.parametrize("solver", [MarkingPass, CountingPass])
def test_rows_in_the_room_of_a_pass_are_presented_as_any_others(make_answered_rows, solver):
    features, signs = make_answered_rows()
    steps = np.ones(len(signs))
    units, others = (ErrorCorrection(np.zeros((1, 6)), LastWeights(), solver) for _ in "ab")
    for _ in range(3):
        room = units.room(features.shape)
        room[:] = features
        assert units.present(room, signs, steps) == others.present(features, signs, steps)
    assert_array_equal(units.weight, others.weight)


def test_next_window_is_gathered_in_another_room_than_the_last():
    units = ErrorCorrection(np.zeros((1, 6)), LastWeights(), CountingPass)
    first, second, third = (units.room((n_rows, 6)) for n_rows in (9, 9, 4))
    assert not np.may_share_memory(first, second)
    assert np.may_share_memory(first, third)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_many_rows_in_order_give_scikit_learns_perceptron(
    n_classes, fit_intercept, several_windows, prefetching
):
    X, y = make_classes(MANY_ROWS + 1100, n_classes)
    shared = {"max_iter": 2, "shuffle": False, "fit_intercept": fit_intercept}
    theirs = Perceptron(tol=None, **shared).fit(X, y)
    before = threading.active_count()
    ours = RosenblattPerceptron(0, **shared).fit(X, y)
    assert_array_equal(ours.coef_, theirs.coef_)
    assert_array_equal(ours.intercept_, theirs.intercept_)
    assert prefetching == [before + 1] * len(prefetching)
    assert threading.active_count() == before


@pytest.mark.parametrize("weights", ["plain", "averaged", "pocket"])
@pytest.mark.parametrize("n_associative", [0, 10])
@pytest.mark.parametrize("form", [np.array, np.float32, sparse.csr_array], ids=lambda f: f.__name__)
def test_estimator_learns_the_same_by_blocks_and_by_the_compiled_pass(
    weights, n_associative, form, monkeypatch, several_windows
):
    X, y = make_classes(MANY_ROWS + 100)
    X[:, 0] = X[:, 0] > 0
    X = X.astype(np.float32).astype(np.float64)
    model = RosenblattPerceptron(n_associative, weights=weights, max_iter=3, random_state=0)
    compiled = model.fit(form(X), y)
    coef, mistakes = compiled.coef_, compiled.mistakes_
    monkeypatch.setattr("skperceptron.perceptron.presentation.MANY_ROWS", MANY_ROWS + 1000)
    by_blocks = model.fit(X, y)
    assert by_blocks.mistakes_ == mistakes
    assert_allclose(by_blocks.coef_, coef, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("weights", ["plain", "averaged", "pocket"])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("n_classes", "noise"), [(2, 0.0), (3, 2.0)])
def test_epochs_of_few_sparse_rows_may_share_a_call(weights, shuffle, n_classes, noise):
    X, y = make_classes(60, n_classes, noise)
    X = sparse.csr_array(X)
    options = {"n_associative": 0, "weights": weights, "shuffle": shuffle, "max_iter": 120}
    assert_epochs_may_share_a_window(X, y, options, converges=n_classes == 2, rtol=1e-10)


def test_few_sparse_rows_take_few_calls(monkeypatch):
    X, y = make_classes(60)
    calls = []
    answer = MarkingPass.answer
    monkeypatch.setattr(MarkingPass, "answer", lambda *args: calls.append(0) or answer(*args))
    RosenblattPerceptron(0, random_state=0).fit(sparse.csr_array(X), y)
    assert len(calls) == 8


@pytest.mark.parametrize("n_associative", [0, 10])
def test_units_computed_in_another_thread_learn_bit_for_bit_what_they_learn_in_one(
    n_associative, monkeypatch, several_windows, prefetching
):
    X, y = make_classes(MANY_ROWS + 1100, 3)
    monkeypatch.setattr("skperceptron.perceptron.estimator.KEPT_NUMBERS", 0)
    model = RosenblattPerceptron(n_associative, max_iter=3, random_state=0).fit(X, y)
    coef, mistakes = model.coef_, model.mistakes_
    assert len(set(prefetching)) == 1
    monkeypatch.setattr("skperceptron.perceptron.presentation.prefetched", lambda items: items)
    model.fit(X, y)
    assert_array_equal(model.coef_, coef)
    assert model.mistakes_ == mistakes
    assert len(set(prefetching)) == 2


def test_extreme_sample_weights_are_learned_as_by_blocks(monkeypatch):
    X, y = make_classes(MANY_ROWS)
    # With integers, some scores are exactly zero; extreme weights must not change them.
    X = np.round(X)
    weights = np.random.RandomState(0).choice([1e-200, 1.0], len(y))
    model = RosenblattPerceptron(0, max_iter=2, shuffle=False).fit(X, y, weights)
    coef, mistakes = model.coef_, model.mistakes_
    monkeypatch.setattr("skperceptron.perceptron.presentation.MANY_ROWS", MANY_ROWS + 1)
    model.fit(X, y, weights)
    assert_array_equal(model.coef_, coef)
    assert model.mistakes_ == mistakes


def failing_after(n_calls, function, error):
    """Return a function that raises the error after `n_calls` calls."""
    calls = iter(range(n_calls))

    def failing(*args, **kwargs):
        if next(calls, None) is None:
            raise error
        return function(*args, **kwargs)

    return failing


def test_interruption_between_windows_leaves_a_usable_model_and_no_thread(
    monkeypatch, several_windows
):
    X, y = make_classes(MANY_ROWS)
    expected = RosenblattPerceptron(0, max_iter=2, random_state=0).fit(X, y)
    before = threading.active_count()
    interrupted = failing_after(10, ErrorCorrection.present, KeyboardInterrupt)
    monkeypatch.setattr(ErrorCorrection, "present", lambda *args: interrupted(*args))
    with pytest.warns(UserWarning, match="interrupted"):
        model = RosenblattPerceptron(0, random_state=0).fit(X, y)
    assert threading.active_count() == before
    assert model.mistakes_ == expected.mistakes_


@pytest.mark.parametrize("step", ["room", "present"])
def test_error_while_rows_are_gathered_or_presented_fails_the_fit_and_leaves_no_thread(
    step, monkeypatch, several_windows
):
    X, y = make_classes(MANY_ROWS)
    before = threading.active_count()
    failing = failing_after(6, getattr(ErrorCorrection, step), OSError("the disk is gone"))
    monkeypatch.setattr(ErrorCorrection, step, lambda *args: failing(*args))
    model = RosenblattPerceptron(0, random_state=0)
    with pytest.raises(OSError, match="the disk is gone") as caught:
        model.fit(X, y)
    # No thread is left, even though the traceback is still referenced.
    assert caught.tb is not None
    assert threading.active_count() == before
    assert not hasattr(model, "coef_")
