"""Error correction by blocks against the rule as the books write it: row after row."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skperceptron.perceptron.error_blocks import BLOCK, ErrorBlocks
from skperceptron.perceptron.error_correction import (
    AveragedWeights,
    ErrorCorrection,
    LastWeights,
    PocketWeights,
)


def row_after_row(features, signs, steps, weight):
    """Return the weights after every row, (N, C, A), and the mistakes, (N, C)."""
    weight, history, wrong = weight.copy(), [], []
    for x, sign, step in zip(features, signs, steps, strict=True):
        # One product after another, from the first feature on, as compiled code adds them up.
        scores = np.add.accumulate(weight * x, axis=1)[:, -1]
        mistaken = sign * scores <= 0
        weight += (sign * step * mistaken)[:, np.newaxis] * x
        history.append(weight.copy())
        wrong.append(mistaken)
    return np.array(history), np.array(wrong)


def test_weights_and_mistakes_are_those_of_the_sequential_rule_bit_for_bit(answered_rows, steps):
    features, signs = answered_rows
    start = np.zeros((signs.shape[1], features.shape[1]))
    history, wrong = row_after_row(features, signs, steps, start)
    units = ErrorCorrection(start, LastWeights())
    assert units.present(features, signs, steps) == wrong.sum()
    assert_array_equal(units.weight, history[-1])


def test_second_presentation_goes_on_where_the_first_ended(make_answered_rows):
    features, signs = make_answered_rows()
    twice = np.concatenate([features, features]), np.concatenate([signs, signs])
    history, _ = row_after_row(*twice, np.ones(len(twice[0])), np.zeros((1, 6)))
    units = ErrorCorrection(np.zeros((1, 6)), LastWeights())
    for _ in range(2):
        units.present(features, signs, np.ones(len(features)))
    assert_array_equal(units.weight, history[-1])


def test_windows_of_any_length_may_follow_each_other(make_answered_rows):
    features, signs = make_answered_rows()
    steps = np.ones(len(features))
    history, wrong = row_after_row(features, signs, steps, np.zeros((1, 6)))
    units = ErrorCorrection(np.zeros((1, 6)), LastWeights())
    ends = [0, 1, 3, BLOCK, 3 * BLOCK + 5, len(features)]
    for start, stop in pairwise(ends):
        rows = slice(start, stop)
        assert units.present(features[rows], signs[rows], steps[rows]) == wrong[rows].sum()
        assert_array_equal(units.weight, history[stop - 1])


def test_ties_are_mistakes_also_where_products_round_differently():
    # 0.1 + 0.2 - 0.3 is not zero in floats: the order of the sum decides, and must be the rule's.
    rows = np.array([[0.1, 0.2, 0.3], [1.0, 1.0, -1.0], [-1.0, -1.0, 1.0], [0.3, 0.2, 0.1]])
    features = np.tile(rows, (BLOCK, 1))
    signs = np.where(np.arange(len(features)) % 3 == 0, 1.0, -1.0)[:, np.newaxis]
    steps = np.ones(len(features))
    history, wrong = row_after_row(features, signs, steps, np.zeros((1, 3)))
    units = ErrorCorrection(np.zeros((1, 3)), LastWeights())
    assert units.present(features, signs, steps) == wrong.sum()
    assert_array_equal(units.weight, history[-1])


@pytest.mark.parametrize("scale", [1.0, 2.0**30, 2.0**-30])
@pytest.mark.parametrize("n_rows", [BLOCK + 4, 2 * BLOCK, 3 * BLOCK - 1])
def test_rows_that_fill_the_last_block_up_hide_no_tie(n_rows, scale):
    # The last row's score, 0.3 - 0.2 - 0.1, is 0 but for rounding, which depends on the order.
    features = np.random.RandomState(0).normal(size=(n_rows, 3))
    features[0], features[-1] = [0.3, 0.2, 0.1], [1.0, -1.0, -1.0]
    signs = np.ones((n_rows, 1))
    # No other row is a mistake.
    features[1:-1] *= np.sign(features[1:-1] @ features[0])[:, np.newaxis]
    features *= scale
    history, wrong = row_after_row(features, signs, np.ones(n_rows), np.zeros((1, 3)))
    units = ErrorCorrection(np.zeros((1, 3)), LastWeights())
    assert units.present(features, signs, np.ones(n_rows)) == wrong.sum()
    assert_array_equal(units.weight, history[-1])


def test_rows_far_from_the_border_are_never_answered_one_by_one(make_answered_rows, monkeypatch):
    features, signs = make_answered_rows(noise=0.0, n_rows=2 * BLOCK + 7)
    features += signs * np.eye(6)[0]
    walked = []
    monkeypatch.setattr(ErrorBlocks, "_walk", lambda *args: walked.append(args))
    ErrorCorrection(np.ones((1, 6)), LastWeights()).present(features, signs, np.ones(len(signs)))
    assert not walked


def test_only_the_block_of_a_tie_is_answered_row_by_row(make_answered_rows, monkeypatch):
    features, signs = make_answered_rows(noise=0.0, n_rows=2 * BLOCK + 7)
    features += signs * np.eye(6)[0]
    # With the initial weights of 1, its score is only a rounding error.
    features[0] = [0.1, 0.2, -0.3, 0.1, 0.2, -0.3]
    walk, walked = ErrorBlocks._walk, []

    def spied_on(blocks, weight, block):
        walked.append(block)
        return walk(blocks, weight, block)

    monkeypatch.setattr(ErrorBlocks, "_walk", spied_on)
    ErrorCorrection(np.ones((1, 6)), LastWeights()).present(features, signs, np.ones(len(signs)))
    assert walked == [0]


def test_steps_decide_nothing_even_where_their_products_vanish(make_answered_rows):
    features, signs = make_answered_rows(integers=True)
    steps = np.where(np.arange(len(signs)) < BLOCK + 9, 1e-200, 1.0)
    history, wrong = row_after_row(features, signs, steps, np.zeros((1, 6)))
    units = ErrorCorrection(np.zeros((1, 6)), LastWeights())
    assert units.present(features, signs, steps) == wrong.sum()
    assert_array_equal(units.weight, history[-1])


@pytest.mark.parametrize("n_units", [1, 3])
def test_averaged_weights_are_the_mean_over_all_rows_presented(n_units, make_answered_rows):
    features, signs = make_answered_rows(n_units)
    steps = np.random.RandomState(1).uniform(0.1, 3, len(features))
    history, _ = row_after_row(features, signs, steps, np.ones((n_units, 6)))
    units = ErrorCorrection(np.ones((n_units, 6)), AveragedWeights())
    # In two portions: the average goes on.
    units.present(features[:100], signs[:100], steps[:100])
    units.present(features[100:], signs[100:], steps[100:])
    expected = np.average(history, axis=0, weights=steps)
    assert_allclose(units.memory.weights(units.weight), expected, rtol=1e-10)


def pocket_by_the_book(features, signs, count_right):
    """Gallant's pocket with ratchet, for one unit and rows of weight 1."""
    weight = np.zeros(features.shape[1])
    pocket, right, longest, run = weight.copy(), count_right(weight, 0), 0, 0
    for x, (sign,) in zip(features, signs, strict=True):
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


@pytest.mark.parametrize("noise", [0.3, 1.0, 3.0])
def test_pocket_keeps_the_longest_run_that_answers_more_rows_rightly(noise, make_answered_rows):
    features, signs = make_answered_rows(noise=noise, seed=3)

    def count_right(weight, unit):
        return float((features @ weight * signs[:, unit] > 0).sum())

    memory = PocketWeights(np.zeros((1, 6)))
    memory.begin(count_right)
    ErrorCorrection(np.zeros((1, 6)), memory).present(features, signs, np.ones(len(features)))
    pocket, right = pocket_by_the_book(features, signs, count_right)
    assert_allclose(memory.weights(np.zeros((1, 6)))[0], pocket, rtol=1e-10)
    assert count_right(memory.weights(np.zeros((1, 6)))[0], 0) == right


def test_pocket_runs_go_on_from_one_block_to_the_next():
    # After the first row the weights classify all others correctly: one run over all blocks.
    features, signs = np.ones((3 * BLOCK, 1)), np.ones((3 * BLOCK, 1))
    memory = PocketWeights(np.zeros((1, 1)))
    memory.begin(lambda weight, unit: float(weight[0] > 0))
    ErrorCorrection(np.zeros((1, 1)), memory).present(features, signs, np.ones(len(features)))
    assert memory._run[0] == 3 * BLOCK - 1
    assert memory.weights(np.zeros((1, 1))) == 1
