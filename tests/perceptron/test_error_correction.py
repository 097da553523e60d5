"""Error correction by every solver, compared with the rule as it stands in books."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skperceptron.perceptron.error_correction import PocketWeights
from tests.perceptron.sharing import (
    EVERY_SOLVER,
    Units,
    row_after_row,
    with_constant,
)


@EVERY_SOLVER
def test_weights_and_mistakes_are_those_of_the_sequential_rule_bit_for_bit(
    answered_rows, row_weights, solver
):
    features, signs = answered_rows
    amounts, start = signs * row_weights[:, np.newaxis], np.zeros((signs.shape[1], 7))
    history, wrong = row_after_row(with_constant(features), amounts, start)
    units = Units(solver, start)
    assert units.present(features, amounts) == [wrong.sum()]
    assert_array_equal(units.weight, history[-1])


@EVERY_SOLVER
def test_second_presentation_goes_on_where_the_first_ended(make_answered_rows, solver):
    features, signs = make_answered_rows()
    twice = np.concatenate([features, features]), np.concatenate([signs, signs])
    history, _ = row_after_row(with_constant(twice[0]), twice[1], np.zeros((1, 7)))
    units = Units(solver, np.zeros((1, 7)))
    for _ in range(2):
        units.present(features, signs)
    assert_array_equal(units.weight, history[-1])


@EVERY_SOLVER
def test_windows_of_any_length_may_follow_each_other(make_answered_rows, solver):
    features, signs = make_answered_rows()
    history, wrong = row_after_row(with_constant(features), signs, np.zeros((1, 7)))
    units = Units(solver, np.zeros((1, 7)))
    for start, stop in pairwise([0, 1, 3, 64, 197, len(features)]):
        rows = slice(start, stop)
        assert units.present(features, signs, rows) == [wrong[rows].sum()]
        assert_array_equal(units.weight, history[stop - 1])


@EVERY_SOLVER
@pytest.mark.parametrize("n_units", [1, 3])
@pytest.mark.parametrize("memory", ["plain", "averaged"])
def test_epochs_of_a_window_end_with_the_first_without_a_mistake(
    make_answered_rows, solver, n_units, memory
):
    features, signs = make_answered_rows(n_units, noise=0.0, n_rows=15)
    start = np.zeros((n_units, 7))
    apart, together = (Units(solver, start, memory) for _ in "ab")
    mistakes = [apart.present(features, signs)[0]]
    while mistakes[-1]:
        mistakes += apart.present(features, signs)
    n_epochs = len(mistakes) + 4
    assert 3 < n_epochs * 15 < 700
    many = np.tile(features, (n_epochs, 1)), np.tile(signs, (n_epochs, 1))
    assert together.present(*many, n_epochs=n_epochs) == mistakes
    assert_array_equal(together.weight, apart.weight)
    assert_allclose(together.kept, apart.kept, rtol=1e-12)


@EVERY_SOLVER
def test_a_window_may_hold_several_epochs_with_mistakes(make_answered_rows, solver):
    features, signs = make_answered_rows(3, noise=3.0, n_rows=90)
    apart, together = (Units(solver, np.zeros((3, 7))) for _ in "ab")
    mistakes = [apart.present(features, signs)[0] for _ in range(4)]
    many = np.tile(features, (4, 1)), np.tile(signs, (4, 1))
    assert together.present(*many, n_epochs=4) == mistakes
    assert_array_equal(together.weight, apart.weight)


@EVERY_SOLVER
def test_ties_are_mistakes_also_where_products_round_differently(solver):
    # 0.1 + 0.2 - 0.3 is not zero in floats: sums depend on the order, which must be the rule's.
    rows = np.array([[0.1, 0.2, 0.3], [1.0, 1.0, -1.0], [-1.0, -1.0, 1.0], [0.3, 0.2, 0.1]])
    features = np.column_stack([np.tile(rows, (64, 1)), np.zeros((256, 3))])
    signs = np.where(np.arange(len(features)) % 3 == 0, 1.0, -1.0)[:, np.newaxis]
    history, wrong = row_after_row(with_constant(features, 0.0), signs, np.zeros((1, 7)))
    units = Units(solver, np.zeros((1, 7)), constant=0.0)
    assert units.present(features, signs) == [wrong.sum()]
    assert_array_equal(units.weight, history[-1])


@EVERY_SOLVER
def test_sizes_of_steps_do_not_matter_even_where_their_products_underflow(
    make_answered_rows, solver
):
    features, signs = make_answered_rows(integers=True)
    amounts = signs * np.where(np.arange(len(signs)) < 73, 1e-200, 1.0)[:, np.newaxis]
    history, wrong = row_after_row(with_constant(features), amounts, np.zeros((1, 7)))
    units = Units(solver, np.zeros((1, 7)))
    assert units.present(features, amounts) == [wrong.sum()]
    assert_array_equal(units.weight, history[-1])


@EVERY_SOLVER
def test_sparse_rows_give_what_dense_rows_give(answered_rows, solver):
    features, signs = answered_rows
    features[np.abs(features) < 0.7] = 0
    start = np.zeros((signs.shape[1], 7))
    dense, thin = (Units(solver, start, "averaged") for _ in "ab")
    made = dense.present(features, signs)
    assert thin.present(sparse.csr_array(features), signs) == made
    assert_array_equal(thin.weight, dense.weight)
    assert_allclose(thin.kept, dense.kept, rtol=1e-10, atol=1e-12)


@EVERY_SOLVER
@pytest.mark.parametrize("n_units", [1, 3])
def test_averaged_weights_are_the_mean_over_all_rows_presented(n_units, make_answered_rows, solver):
    features, signs = make_answered_rows(n_units)
    row_weights = np.random.RandomState(1).uniform(0.1, 3, len(features))
    amounts, start = signs * row_weights[:, np.newaxis], np.ones((n_units, 7))
    history, _ = row_after_row(with_constant(features), amounts, start)
    units = Units(solver, start, "averaged")
    # In two windows, over which the average goes on.
    units.present(features, amounts, slice(100))
    units.present(features, amounts, slice(100, None))
    expected = np.average(history, axis=0, weights=row_weights)
    assert_allclose(units.kept, expected, rtol=1e-10)


def pocket_by_the_book(rows, signs, count_right):
    """Gallant's pocket with ratchet, for one unit and rows of weight 1."""
    weight = np.zeros(rows.shape[1])
    pocket, right, longest, run = weight.copy(), count_right(weight, 0), 0, 0
    for x, (sign,) in zip(rows, signs, strict=True):
        if sign * (weight @ x) > 0:
            run += 1
            if run > longest and count_right(weight, 0) > right:
                pocket, right, longest = weight.copy(), count_right(weight, 0), run
            elif np.array_equal(weight, pocket):
                longest = max(longest, run)
        else:
            weight = weight + sign * x
            run = 0
    return pocket, right


@EVERY_SOLVER
@pytest.mark.parametrize("noise", [0.3, 1.0, 3.0])
def test_pocket_keeps_the_longest_run_that_answers_more_rows_rightly(
    noise, make_answered_rows, solver
):
    features, signs = make_answered_rows(noise=noise, seed=3)
    rows = with_constant(features)

    def count_right(weight, unit):
        return float((rows @ weight * signs[:, unit] > 0).sum())

    units = Units(solver, np.zeros((1, 7)), "pocket")
    units.correction.memory.begin(count_right)
    units.present(features, signs)
    pocket, right = pocket_by_the_book(rows, signs, count_right)
    assert_allclose(units.kept[0], pocket, rtol=1e-10)
    assert count_right(units.kept[0], 0) == right


@EVERY_SOLVER
@pytest.mark.parametrize("seed", range(20))
def test_pocket_does_not_depend_on_where_windows_end(make_answered_rows, solver, seed):
    features, signs = make_answered_rows(noise=3.0, n_rows=300, seed=seed)
    rows = with_constant(features)

    def count_right(weight, unit):
        return float((rows @ weight * signs[:, unit] > 0).sum())

    kept = []
    for length in (300, 30, 7):
        units = Units(solver, np.zeros((1, 7)), "pocket")
        units.correction.memory.begin(count_right)
        for start in range(0, 300, length):
            units.present(features, signs, slice(start, start + length))
        kept.append(units.kept[0])
    assert_allclose(kept[1], kept[0], rtol=1e-10)
    assert_allclose(kept[2], kept[0], rtol=1e-10)


def test_pocket_that_an_earlier_version_has_stored_is_used():
    state = vars(PocketWeights(np.zeros((2, 7)))).copy()
    for name in ("_is_going_on", "_time", "_begun"):
        del state[name]
    pocket = PocketWeights.__new__(PocketWeights)
    pocket.__setstate__(state | {"_run": np.array([4.0, 0.5])})
    assert_array_equal(pocket._is_going_on, [False, False])
    assert_array_equal(pocket._time - pocket._begun, [4.0, 0.5])
    again = pickle.loads(pickle.dumps(PocketWeights(np.zeros((2, 7)))))
    assert_array_equal(again._is_going_on, [True, True])


@EVERY_SOLVER
def test_pocket_runs_go_on_from_one_window_to_the_next(solver):
    # After the first row, the weights answer all others rightly: one run over all windows.
    features, signs = np.ones((192, 6)), np.ones((192, 1))
    units = Units(solver, np.zeros((1, 7)), "pocket")
    units.correction.memory.begin(lambda weight, unit: float(weight[0] > 0))
    for rows in (slice(50), slice(50, 120), slice(120, None)):
        units.present(features, signs, rows)
    assert units.correction.memory._longest_run[0] == 191
    assert_array_equal(units.kept, np.ones((1, 7)))
