"""Rows visited by the C extension: Rosenblatt's rule, however the rows are stored."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import Perceptron

from skperceptron import RosenblattPerceptron
from skperceptron.engine.compiled import VARIABLE
from skperceptron.engine.compiled.extension import steps as extension
from skperceptron.perceptron.inputs import GivenInputs, RowsInPlace
from skperceptron.perceptron.presentation import CompiledSolver
from tests.perceptron.sharing import (
    EVERY_MEMORY,
    MEMORIES,
    NEEDS_EXTENSION,
    Units,
    assert_epochs_may_share_a_window,
    row_after_row,
    with_constant,
)

pytestmark = [
    NEEDS_EXTENSION,
    pytest.mark.filterwarnings("ignore:Maximum number of epochs"),
]


@pytest.fixture(autouse=True)
def extension_is_used(monkeypatch):
    """Unset the variable that could select NumPy."""
    monkeypatch.delenv(VARIABLE, raising=False)


def in_place(X, rows=None, constant=1.0):
    """Return rows of a matrix without copying them."""
    return GivenInputs(X, constant).in_place(np.arange(X.shape[0]) if rows is None else rows)


@EVERY_MEMORY
def test_mistakes_and_weights_do_not_depend_on_the_extension(answered_rows, row_weights, memory):
    features, signs = answered_rows
    amounts, start = signs * row_weights[:, np.newaxis], np.zeros((signs.shape[1], 7))
    both = [Units(solver, start, memory) for solver in ("compiled", "library")]
    for units in both:
        units.correction.memory.begin(lambda weight, unit: float(weight[0]))
        units.made = [
            units.present(features, amounts, rows)
            for rows in (slice(0, 100), slice(100, 101), slice(101, None))
        ]
    ours, theirs = both
    assert ours.made == theirs.made
    assert_array_equal(ours.weight, theirs.weight)
    assert_allclose(ours.kept, theirs.kept, rtol=1e-10)


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
    signs = rng.choice([-1.0, 1.0], (len(rows), rng.choice([1, 2, 5])))
    amounts = signs * rng.choice([1.0, 0.3, 1e-200], (len(rows), 1))
    n_units, constant = amounts.shape[1], float(rng.randint(2))
    start = np.round(rng.normal(size=(n_units, n_columns + 1)))
    history, wrong = row_after_row(with_constant(X, constant)[rows], amounts, start)

    def check(of):
        mistakes, marked, weight = of.corrected(amounts, start)
        assert_array_equal(mistakes, [wrong.sum()])
        assert_array_equal(marked, wrong)
        assert_array_equal(weight, history[-1])

    for matrix in (X, np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2]):
        check(in_place(matrix, rows, constant))
    thin = sparse.csr_array(X)
    for index in (np.int32, np.int64):
        thin.indices, thin.indptr = thin.indices.astype(index), thin.indptr.astype(index)
        # Leaving out the zeros does not change the sums.
        check(RowsInPlace(thin, rows, constant))


@pytest.mark.parametrize("n_units", [1, 2])
def test_rows_of_many_columns_are_visited_few_at_a_time(n_units):
    # Two rows of these fill the part of the cache that several units share.
    rng = np.random.RandomState(0)
    X = rng.normal(size=(5, 2**17)).astype(np.float32)
    amounts, start = rng.choice([-1.0, 1.0], (5, n_units)), np.zeros((n_units, 2**17 + 1))
    history, wrong = row_after_row(with_constant(X), amounts, start)
    mistakes, marked, weight = in_place(X).corrected(amounts, start)
    assert_array_equal(mistakes, [wrong.sum()])
    assert_array_equal(marked, wrong)
    assert_array_equal(weight, history[-1])


@pytest.mark.parametrize("form", [np.array, sparse.csr_array], ids=["dense", "sparse"])
def test_rows_of_a_large_matrix_are_visited_as_the_rule_says(form):
    # Large enough for rows to be prefetched.
    rng = np.random.RandomState(0)
    X, rows = rng.normal(size=(230, 300)), rng.permutation(230)
    amounts, start = rng.choice([-1.0, 1.0], (230, 1)), np.zeros((1, 301))
    history, wrong = row_after_row(with_constant(X)[rows], amounts, start)
    mistakes, marked, weight = in_place(form(X), rows).corrected(amounts, start)
    assert_array_equal(mistakes, [wrong.sum()])
    assert_array_equal(marked, wrong)
    assert_array_equal(weight, history[-1])


def test_row_numbers_may_have_32_bits():
    rng = np.random.RandomState(0)
    X, rows = rng.normal(size=(4, 3)), np.array([2, 0, 1, 3])
    amounts, start = rng.choice([-1.0, 1.0], (4, 1)), np.zeros((1, 4))
    found, expected = (
        in_place(X, rows.astype(dtype)).corrected(amounts, start) for dtype in (np.int32, np.intp)
    )
    for array, right in zip(found, expected, strict=True):
        assert_array_equal(array, right)


@pytest.mark.parametrize("form", [np.array, np.float32, sparse.csr_array], ids=lambda f: f.__name__)
def test_rows_are_added_to_totals_of_all_units(form):
    rng = np.random.RandomState(0)
    X, factors, total = rng.normal(size=(9, 4)), rng.normal(size=(5, 3)), rng.normal(size=(3, 5))
    X[X < 0] = 0
    factors[2], rows = 0, np.array([3, 3, 8, 0, 1])
    X = form(X)
    expected = total + factors.T @ with_constant(X, 0.5)[rows]
    assert_allclose(in_place(X, rows, 0.5).added_to(total, factors), expected, rtol=1e-12)


def test_rows_that_are_not_added_may_hold_anything():
    X = np.array([[1.0], [np.inf]])
    added = in_place(X).added_to(np.zeros((1, 2)), np.array([[2.0], [0.0]]))
    assert_array_equal(added, [[2, 2]])


def test_average_does_not_depend_on_where_windows_end(make_answered_rows):
    features, signs = make_answered_rows(noise=3.0)
    whole, parts = (Units("compiled", np.zeros((1, 7)), "averaged") for _ in "ab")
    whole.present(features, signs)
    for rows in np.array_split(np.arange(len(signs)), 13):
        parts.present(features, signs, rows)
    assert_array_equal(parts.kept, whole.kept)


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
    "not contiguous": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
}


@pytest.mark.parametrize("weights", MEMORIES)
@pytest.mark.parametrize(("n_associative", "kept_numbers"), [(0, 0), (10, 0), (10, 10**6)])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n_rows", [90, 2100])
def test_results_do_not_depend_on_the_extension(
    weights, n_associative, kept_numbers, form, n_rows, monkeypatch
):
    # Windows of 500 rows.
    monkeypatch.setattr("skperceptron.perceptron.presentation.LARGE_WINDOW", 500 * 6)
    monkeypatch.setattr("skperceptron.perceptron.estimator.KEPT_NUMBERS", kept_numbers)
    X, y = make_classes(n_rows)
    X = FORMS[form](X)
    model = RosenblattPerceptron(n_associative, weights=weights, max_iter=5, random_state=0)
    sample_weight = np.random.RandomState(0).choice([0.0, 0.5, 1.0, 3.0], n_rows)
    model.fit(X, y, sample_weight)
    coef, mistakes, slope = model.response_weights_, model.mistakes_, model.response_slope_
    monkeypatch.setenv(VARIABLE, "numpy")
    model.fit(X, y, sample_weight)
    assert model.mistakes_ == mistakes
    assert_allclose(model.response_weights_, coef, rtol=1e-10, atol=1e-12)
    assert_allclose(model.response_slope_, slope, rtol=1e-4)


@pytest.mark.parametrize("form", ["rows", "sparse"])
@pytest.mark.parametrize("weights", MEMORIES)
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("n_classes", "noise"), [(2, 0.0), (3, 2.0)])
def test_epochs_of_few_rows_may_share_a_window(form, weights, shuffle, n_classes, noise):
    X, y = make_classes(60, n_classes, noise)
    X = FORMS[form](X)
    options = {"n_associative": 0, "weights": weights, "shuffle": shuffle, "max_iter": 300}
    assert_epochs_may_share_a_window(X, y, options, converges=n_classes == 2)


def test_few_rows_take_few_calls(monkeypatch):
    X, y = make_classes(60)
    calls = []
    present = CompiledSolver.present
    counted = staticmethod(lambda *args: calls.append(0) or present(*args))
    monkeypatch.setattr(CompiledSolver, "present", counted)
    RosenblattPerceptron(0, random_state=0).fit(X, y)
    # Calls of 8, 8, 16, 32 and 36 epochs.
    assert len(calls) == 5


@pytest.mark.parametrize("n_associative", [0, 10])
@pytest.mark.parametrize("form", ["rows", "sparse"])
def test_no_call_takes_long_so_that_interrupts_are_handled(n_associative, form, monkeypatch):
    X, y = make_classes(900, 30, noise=2.0)
    model = RosenblattPerceptron(n_associative, random_state=0, max_iter=2).fit(FORMS[form](X), y)
    sizes = []
    present = CompiledSolver.present

    def counted(features, amounts, weight, n_epochs):
        n_elements = n_associative or (X.size if form == "rows" else np.count_nonzero(X)) / 900
        sizes.append(amounts.size * (n_elements + 1))
        return present(features, amounts, weight, n_epochs)

    monkeypatch.setattr(CompiledSolver, "present", staticmethod(counted))
    monkeypatch.setattr("skperceptron.perceptron.presentation.LARGE_WORK", 10_000)
    monkeypatch.setattr("skperceptron.perceptron.estimator.KEPT_NUMBERS", 1000)
    again = clone(model).fit(FORMS[form](X), y)
    assert 5_000 < max(sizes) <= 10_000
    assert again.mistakes_ == model.mistakes_
    assert_allclose(again.response_weights_, model.response_weights_, rtol=1e-10, atol=1e-12)


def test_slope_is_found_from_few_answers(monkeypatch):
    X, y = make_classes(900, 30, noise=2.0)
    sizes = []
    monkeypatch.setattr(
        "skperceptron.perceptron.estimator.slope_of",
        lambda responses, *others: sizes.append(responses.size) or 1.0,
    )
    monkeypatch.setattr("skperceptron.perceptron.presentation.SAMPLE_ANSWERS", 6000)
    RosenblattPerceptron(0, max_iter=2).fit(X, y)
    # Every fifth row.
    assert sizes == [180 * 30]


@pytest.mark.parametrize("value", ["auto", "compiled", "numpy", ""])
def test_environment_chooses_whether_the_extension_is_used(value, monkeypatch):
    monkeypatch.setenv(VARIABLE, value)
    calls = []
    present = CompiledSolver.present
    counted = staticmethod(lambda *args: calls.append(0) or present(*args))
    monkeypatch.setattr(CompiledSolver, "present", counted)
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


@pytest.mark.parametrize("which", ["rows", "amounts", "weight", "wrong", "mistakes"])
def test_extension_refuses_arrays_that_do_not_fit_each_other(which):
    arrays = {
        "rows": np.arange(4),
        "amounts": np.ones((4, 2)),
        "weight": np.zeros((2, 3)),
        "wrong": np.zeros((4, 2), bool),
        "mistakes": np.zeros(2, np.intp),
    }
    arrays[which] = {
        "weight": np.zeros(5),
        "mistakes": np.zeros(3, np.intp),
    }.get(which, arrays[which].ravel()[:-1])
    with pytest.raises(ValueError, match=r"visit\(\) got"):
        extension.visit(np.ones((4, 2)), None, None, *arrays.values(), 1.0)


@pytest.mark.parametrize("which", ["weight", "mistakes"])
def test_extension_refuses_empty_arrays(which):
    weight, mistakes = np.zeros((2, 3)), np.zeros(1, np.intp)
    weight, mistakes = (weight[:0], mistakes) if which == "weight" else (weight, mistakes[:0])
    rows, amounts, wrong = np.arange(4), np.ones((4, 2)), np.zeros((4, 2), bool)
    with pytest.raises(ValueError, match=r"visit\(\) got"):
        extension.visit(np.ones((4, 2)), None, None, rows, amounts, weight, wrong, mistakes, 1.0)


def test_extension_does_not_write_to_read_only_arrays():
    wrong = np.zeros(3, bool)
    wrong.flags.writeable = False
    rows, amounts, weight, mistakes = np.arange(3), np.ones(3), np.zeros(3), np.zeros(1, np.intp)
    with pytest.raises(ValueError, match=r"visit\(\) got"):
        extension.visit(np.ones((3, 2)), None, None, rows, amounts, weight, wrong, mistakes, 1.0)
    assert not wrong.any()
