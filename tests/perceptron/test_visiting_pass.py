"""Rows visited by the C extension: Rosenblatt's rule, however the rows are stored."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.linear_model import Perceptron

from skperceptron import RosenblattPerceptron
from skperceptron.engine.compiled import VARIABLE, is_available
from skperceptron.engine.compiled.extension import steps as extension
from skperceptron.perceptron.error_correction import (
    AveragedWeights,
    ErrorCorrection,
    LastWeights,
    PocketWeights,
)
from skperceptron.perceptron.inputs import GivenInputs, RowsInPlace
from skperceptron.perceptron.presentation import FEW_ROWS, MANY_ROWS
from skperceptron.perceptron.visiting_pass import VisitingPass
from tests.perceptron.sharing import assert_epochs_may_share_a_window

pytestmark = [
    pytest.mark.skipif(not is_available(), reason="there is no extension"),
    pytest.mark.filterwarnings("ignore:Maximum number of epochs"),
]

MEMORIES = {
    "plain": lambda start: LastWeights(),
    "averaged": lambda start: AveragedWeights(),
    "pocket": PocketWeights,
}
EVERY_MEMORY = pytest.mark.parametrize("memory", MEMORIES)


@pytest.fixture(autouse=True)
def no_wish(monkeypatch):
    """Unset the variable that could select NumPy, so that the extension is used."""
    monkeypatch.delenv(VARIABLE, raising=False)


def in_place(X, rows=None, constant=1.0):
    """Return rows of a matrix without copying them."""
    return GivenInputs(X, constant).in_place(np.arange(X.shape[0]) if rows is None else rows)


def gathered(X, constant=1.0):
    X = X.toarray() if sparse.issparse(X) else X
    return np.column_stack([X.astype(np.float64), np.full(len(X), constant)])


def visiting_units(start, memory="plain"):
    return ErrorCorrection(start, MEMORIES[memory](start), VisitingPass)


def by_the_book(rows, amounts, weight):
    """Return the weights after all rows, and the mistakes."""
    weight, wrong = weight.copy(), []
    for x, amount in zip(rows, amounts, strict=True):
        score = np.add.accumulate(weight * x)[-1]
        wrong.append(score <= 0 if amount > 0 else score >= 0)
        if wrong[-1]:
            weight += amount * x
    return weight, np.array(wrong, bool)


@EVERY_MEMORY
def test_mistakes_and_weights_are_those_of_the_blocks(answered_rows, steps, memory):
    features, signs = answered_rows
    start = np.zeros((signs.shape[1], 7))
    ours = visiting_units(start, memory)
    theirs = ErrorCorrection(start, MEMORIES[memory](start))
    for units, of in ((ours, in_place), (theirs, gathered)):
        units.memory.begin(lambda weight, unit: float(weight[0]))
        units.made = [
            units.present(of(features[rows]), signs[rows], steps[rows])
            for rows in (slice(0, 100), slice(100, 101), slice(101, None))
        ]
    assert ours.made == theirs.made
    assert_array_equal(ours.weight, theirs.weight)
    assert_allclose(
        ours.memory.weights(ours.weight), theirs.memory.weights(theirs.weight), rtol=1e-10
    )


@pytest.mark.parametrize("seed", range(60))
def test_rows_of_any_kind_and_number_are_visited_as_the_rule_says(seed):
    rng = np.random.RandomState(seed)
    n_rows, n_columns = rng.choice([1, 2, 3, 4, 5, 7, 8, 9, 40]), rng.choice([1, 2, 3, 8, 33])
    X = rng.normal(size=(n_rows, n_columns))
    # With small integers, some scores are zero.
    X = np.round(X) if rng.randint(2) else X
    X *= rng.uniform(size=X.shape) < rng.choice([0.0, 0.3, 1.0])
    X = X.astype(rng.choice([np.float32, np.float64]))
    rows = rng.randint(n_rows, size=rng.choice([1, 3, 4, 6, 50]))
    amounts = rng.choice([-1.0, 1.0], len(rows)) * rng.choice([1.0, 0.3, 1e-200], len(rows))
    start, constant = np.round(rng.normal(size=n_columns + 1)), float(rng.randint(2))
    weight, wrong = by_the_book(gathered(X, constant)[rows], amounts, start)
    for matrix in (X, np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2]):
        found = in_place(matrix, rows, constant).corrected(start, amounts)
        assert_array_equal(found[0], weight)
        assert_array_equal(found[1], wrong)
    thin = sparse.csr_array(X)
    for index in (np.int32, np.int64):
        thin.indices, thin.indptr = thin.indices.astype(index), thin.indptr.astype(index)
        # Sums without the zeros are the same.
        found = RowsInPlace(thin, rows, constant).corrected(start, amounts)
        assert_array_equal(found[0], weight)
        assert_array_equal(found[1], wrong)


@pytest.mark.parametrize("form", [np.array, np.float32, sparse.csr_array], ids=lambda f: f.__name__)
def test_rows_are_added_to_totals_of_all_units(form):
    rng = np.random.RandomState(0)
    X, factors, total = rng.normal(size=(9, 4)), rng.normal(size=(5, 3)), rng.normal(size=(3, 5))
    X[X < 0] = 0
    factors[2], rows = 0, np.array([3, 3, 8, 0, 1])
    X = form(X)
    expected = total + factors.T @ gathered(X, 0.5)[rows]
    assert_allclose(in_place(X, rows, 0.5).added_to(total, factors), expected, rtol=1e-12)


def test_rows_that_are_not_added_may_hold_anything():
    X = np.array([[1.0], [np.inf]])
    added = in_place(X).added_to(np.zeros((1, 2)), np.array([[2.0], [0.0]]))
    assert_array_equal(added, [[2, 2]])


def test_average_does_not_depend_on_where_windows_end(make_answered_rows):
    features, signs = make_answered_rows(noise=3.0)
    steps = np.ones(len(signs))
    whole, parts = (visiting_units(np.zeros((1, 7)), "averaged") for _ in "ab")
    whole.present(in_place(features), signs, steps)
    for rows in np.array_split(np.arange(len(signs)), 13):
        parts.present(in_place(features, rows), signs[rows], steps[rows])
    assert_array_equal(parts.memory.weights(parts.weight), whole.memory.weights(whole.weight))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_rows", [5, 300])
def test_rows_in_order_give_scikit_learns_perceptron_bit_for_bit(n_rows, n_classes, fit_intercept):
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(n_rows, 30)), np.arange(n_rows) % n_classes
    options = {"max_iter": 7, "shuffle": False, "fit_intercept": fit_intercept}
    theirs = Perceptron(tol=None, **options).fit(X, y)
    ours = RosenblattPerceptron(0, **options).fit(X, y)
    assert_array_equal(ours.coef_, theirs.coef_)
    assert_array_equal(ours.intercept_, theirs.intercept_)


def make_classes(n_rows, n_classes=2, noise=2.0):
    rng = np.random.RandomState(1)
    X = rng.normal(size=(n_rows, 5))
    X[:, 0] = X[:, 0] > 0
    scores = X @ rng.normal(size=(5, n_classes)) + noise * rng.normal(size=(n_rows, n_classes))
    return X.astype(np.float32).astype(np.float64), scores.argmax(axis=1)


FORMS = {
    "rows": np.array,
    "columns": np.asfortranarray,
    "float32": np.float32,
    "sparse": sparse.csr_array,
    "sparse-float32": lambda X: sparse.csr_array(X.astype(np.float32)),
    "gaps": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
}


@pytest.mark.parametrize("weights", MEMORIES)
@pytest.mark.parametrize(("n_associative", "kept_numbers"), [(0, 0), (10, 0), (10, 10**6)])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n_rows", [90, MANY_ROWS + 100])
def test_both_ways_learn_the_same(weights, n_associative, kept_numbers, form, n_rows, monkeypatch):
    # Windows of 500 rows.
    monkeypatch.setattr("skperceptron.perceptron.presentation.LARGE_WINDOW", 500 * 6)
    monkeypatch.setattr("skperceptron.perceptron.estimator.KEPT_NUMBERS", kept_numbers)
    X, y = make_classes(n_rows)
    X = FORMS[form](X)
    model = RosenblattPerceptron(n_associative, weights=weights, max_iter=5, random_state=0)
    sample_weight = np.random.RandomState(0).choice([0.0, 0.5, 1.0, 3.0], n_rows)
    model.fit(X, y, sample_weight)
    coef, mistakes, slope = model.coef_, model.mistakes_, model.response_slope_
    monkeypatch.setenv(VARIABLE, "numpy")
    model.fit(X, y, sample_weight)
    assert model.mistakes_ == mistakes
    assert_allclose(model.coef_, coef, rtol=1e-10, atol=1e-12)
    assert_allclose(model.response_slope_, slope, rtol=1e-4)


@pytest.mark.parametrize("form", ["rows", "sparse"])
@pytest.mark.parametrize("weights", MEMORIES)
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("n_classes", "noise"), [(2, 0.0), (3, 2.0)])
def test_epochs_of_few_rows_may_share_a_window(form, weights, shuffle, n_classes, noise):
    X, y = make_classes(60, n_classes, noise)
    X = FORMS[form](X)
    options = {"n_associative": 0, "weights": weights, "shuffle": shuffle, "max_iter": 300}
    assert_epochs_may_share_a_window(X, y, options, converges=n_classes == 2, rtol=1e-12)


def test_few_rows_take_few_calls(monkeypatch):
    X, y = make_classes(60)
    calls = []
    answer = VisitingPass.answer
    monkeypatch.setattr(VisitingPass, "answer", lambda *args: calls.append(0) or answer(*args))
    RosenblattPerceptron(0, random_state=0).fit(X, y)
    assert FEW_ROWS > 60 * 37
    assert len(calls) == 8


@pytest.mark.parametrize("value", ["auto", "compiled", "numpy", ""])
def test_environment_chooses_the_way(value, monkeypatch):
    monkeypatch.setenv(VARIABLE, value)
    calls = []
    answer = VisitingPass.answer
    monkeypatch.setattr(VisitingPass, "answer", lambda *args: calls.append(0) or answer(*args))
    RosenblattPerceptron(0, max_iter=2).fit(*make_classes(60))
    assert bool(calls) == (value != "numpy")


def test_unknown_way_is_refused(monkeypatch):
    monkeypatch.setenv(VARIABLE, "quick")
    with pytest.raises(ValueError, match="'quick' must be one of"):
        RosenblattPerceptron(0).fit(*make_classes(60))


@pytest.mark.parametrize(
    "fault", ["a column too far", "a column before the first", "rows too long"]
)
def test_matrices_that_point_outside_are_refused(fault):
    X = sparse.csr_array(make_classes(60)[0])
    X.indices, X.indptr = X.indices.copy(), X.indptr.copy()
    if fault == "rows too long":
        X.indptr[30:] += 5
    else:
        X.indices[3] = 5 if fault == "a column too far" else -1
    with pytest.raises(ValueError):
        GivenInputs(X, 1.0)


def test_matrix_of_the_user_stays_as_it_was():
    X, y = make_classes(60)
    X = sparse.csr_array(X)
    # Arrays longer than needed and 64-bit indices, as in a matrix that was built by hand.
    X.data, X.indices = np.append(X.data, 7.0), np.append(X.indices, 0).astype(np.int64)
    X.indptr = X.indptr.astype(np.int64)
    parts = X.data, X.indices, X.indptr
    RosenblattPerceptron(0, max_iter=2).fit(X, y)
    assert all(a is b for a, b in zip(parts, (X.data, X.indices, X.indptr), strict=True))


@pytest.mark.parametrize("which", ["rows", "amounts", "weight", "wrong"])
def test_extension_refuses_arrays_that_do_not_fit_each_other(which):
    arrays = {
        "rows": np.arange(3),
        "amounts": np.ones(3),
        "weight": np.zeros(3),
        "wrong": np.zeros(3, bool),
    }
    arrays[which] = arrays[which][:-1] if which != "weight" else np.zeros(0)
    with pytest.raises(ValueError, match=r"visit\(\) got"):
        extension.visit(np.ones((3, 2)), None, None, *arrays.values(), 1.0)


def test_extension_does_not_write_where_nobody_may():
    wrong = np.zeros(3, bool)
    wrong.flags.writeable = False
    with pytest.raises(ValueError, match=r"visit\(\) got"):
        extension.visit(
            np.ones((3, 2)), None, None, np.arange(3), np.ones(3), np.zeros(3), wrong, 1.0
        )
    assert not wrong.any()
