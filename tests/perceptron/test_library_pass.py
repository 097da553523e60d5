"""Error correction where the extension is missing: by scikit-learn's compiled learner."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.linear_model import Perceptron

from skperceptron import RosenblattPerceptron
from skperceptron.perceptron.error_correction import ErrorCorrection
from skperceptron.perceptron.library_pass import LibrarySolver
from skperceptron.perceptron.presentation import Presentation
from tests.perceptron.sharing import Units, assert_epochs_may_share_a_window

pytestmark = pytest.mark.filterwarnings("ignore:Maximum number of epochs")

N_ROWS = 2100


@pytest.fixture(autouse=True)
def without_the_extension(monkeypatch):
    """Present rows as if the extension were missing."""
    monkeypatch.setenv("SKPERCEPTRON_STEPS", "numpy")


def make_classes(n_rows, n_classes=2, noise=2.0):
    rng = np.random.RandomState(1)
    X = rng.normal(size=(n_rows, 5))
    scores = X @ rng.normal(size=(5, n_classes)) + noise * rng.normal(size=(n_rows, n_classes))
    return X, scores.argmax(axis=1)


@pytest.fixture
def several_windows(monkeypatch):
    """Present rows of make_classes in windows of 500."""
    monkeypatch.setattr("skperceptron.perceptron.presentation.LARGE_WINDOW", 500 * 6)


def test_indices_of_64_bits_are_taken(make_answered_rows):
    features, signs = make_answered_rows()
    rows = sparse.csr_array(features)
    rows.indices, rows.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    found, expected = (Units("library", np.zeros((1, 7))) for _ in "ab")
    assert found.present(rows, signs) == expected.present(features, signs)
    assert_array_equal(found.weight, expected.weight)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_many_rows_in_order_give_scikit_learns_perceptron(
    n_classes, fit_intercept, several_windows
):
    X, y = make_classes(N_ROWS, n_classes)
    shared = {"max_iter": 2, "shuffle": False, "fit_intercept": fit_intercept}
    theirs = Perceptron(tol=None, **shared).fit(X, y)
    ours = RosenblattPerceptron(0, **shared).fit(X, y)
    assert_array_equal(ours.coef_, theirs.coef_)
    assert_array_equal(ours.intercept_, theirs.intercept_)


@pytest.mark.parametrize("form", [np.array, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("weights", ["plain", "averaged", "pocket"])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("n_classes", "noise"), [(2, 0.0), (3, 2.0)])
def test_epochs_of_few_rows_may_share_a_call(form, weights, shuffle, n_classes, noise):
    X, y = make_classes(60, n_classes, noise)
    options = {"n_associative": 0, "weights": weights, "shuffle": shuffle, "max_iter": 120}
    assert_epochs_may_share_a_window(form(X), y, options, converges=n_classes == 2, tolerance=1e-10)


@pytest.mark.parametrize("form", [np.array, sparse.csr_array], ids=["dense", "sparse"])
def test_few_rows_take_few_calls(form, monkeypatch):
    X, y = make_classes(60)
    calls = []
    present = LibrarySolver.present
    monkeypatch.setattr(LibrarySolver, "present", lambda *args: calls.append(0) or present(*args))
    RosenblattPerceptron(0, random_state=0).fit(form(X), y)
    # Calls of 8, 8, 16, 32 and 36 epochs.
    assert len(calls) == 5


def failing_after(n_calls, function, error):
    """Return the given function, made to raise an error after some calls."""
    calls = iter(range(n_calls))

    def failing(*args, **kwargs):
        if next(calls, None) is None:
            raise error
        return function(*args, **kwargs)

    return failing


def test_interruption_between_windows_leaves_a_usable_model(monkeypatch, several_windows):
    X, y = make_classes(2000)
    expected = RosenblattPerceptron(0, max_iter=2, random_state=0).fit(X, y)
    interrupted = failing_after(10, ErrorCorrection.present, KeyboardInterrupt)
    monkeypatch.setattr(ErrorCorrection, "present", lambda *args: interrupted(*args))
    with pytest.warns(UserWarning, match="interrupted"):
        model = RosenblattPerceptron(0, random_state=0).fit(X, y)
    assert model.mistakes_ == expected.mistakes_


@pytest.mark.parametrize("owner", [LibrarySolver, Presentation], ids=["gathered", "presented"])
def test_error_while_rows_are_gathered_or_presented_fails_the_fit(
    owner, monkeypatch, several_windows
):
    X, y = make_classes(2000)
    name = "prepared" if owner is LibrarySolver else "present_epochs"
    failing = failing_after(1, getattr(owner, name), OSError("the disk is gone"))
    monkeypatch.setattr(owner, name, lambda *args: failing(*args))
    model = RosenblattPerceptron(0, random_state=0)
    with pytest.raises(OSError, match="the disk is gone"):
        model.fit(X, y)
    assert not hasattr(model, "coef_")
