"""Temperatures and weights, compared with those that other methods find at the same minimum."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn.metrics import log_loss

from skperceptron.model_selection import _combination
from skperceptron.model_selection._combination import (
    BLOCK,
    TEMPERATURES,
    Blend,
    BlendProblem,
    BlendRules,
    blend_of_means,
    blend_of_probabilities,
    blocks_of,
    em_weights,
    greedy_selection,
    log_of,
    mean_square,
    minus_log_likelihood,
    nnls_weights,
    tempered,
)
from skperceptron.model_selection._held_out import (
    FittedMember,
    HeldOutRows,
    blended_without_own_fold,
    combined,
)
from skperceptron.model_selection._outputs import ProbabilityOutput


def ones(values):
    """Return a weight of one for each row, which is the last axis."""
    return np.ones(np.shape(values)[-1])


def on_the_simplex(objective, n_arms):
    """Return the minimum over non-negative weights with sum 1, found by a general solver."""
    found = minimize(
        objective,
        np.full(n_arms, 1 / n_arms),
        method="SLSQP",
        bounds=[(0, 1)] * n_arms,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    return found.x


def fit_temperature(logits, truth, weight):
    """Return the temperature of logits (N, C), which are left as they are."""
    return _combination.fit_temperature(logits.T.copy(), truth, weight)


def draws_from(rng, logits, temperature):
    probabilities = tempered(logits, temperature)
    return np.array([rng.choice(logits.shape[1], p=p) for p in probabilities])


def test_temperature_is_that_of_brute_force_and_near_the_one_that_drew_the_classes(rng):
    logits = 3 * rng.normal(size=(2000, 4))
    for drawn_at in (0.5, 1.0, 2.0):
        codes = draws_from(rng, logits, drawn_at)
        found = fit_temperature(logits, codes, ones(codes))
        tried = np.linspace(0.96, 1.04, 41) * found
        losses = [log_loss(codes, tempered(logits, t)) for t in tried]
        assert_allclose(tried[np.argmin(losses)], found, rtol=3e-3)
        assert_allclose(found, drawn_at, rtol=0.15)
        # Log-probabilities are logits.
        same = fit_temperature(log_of(tempered(logits, 1)), codes, ones(codes))
        assert_allclose(same, found, rtol=1e-4)


def test_temperature_keeps_to_its_bounds():
    logits = np.array([[4.0, 0.0], [0.0, 4.0]])
    for codes, bound in zip(np.array([[0, 1], [1, 0]]), TEMPERATURES, strict=True):
        assert_allclose(fit_temperature(logits, codes, ones(codes)), bound, rtol=1e-4)


def test_temperature_one_changes_no_probabilities(rng):
    probabilities = rng.dirichlet(np.ones(3), size=20)
    assert_allclose(tempered(log_of(probabilities), 1.0), probabilities)


def test_likely_weights_are_those_of_a_general_solver(rng):
    likelihoods = rng.uniform(0.05, 1, size=(4, 300)) * [[1.0], [0.9], [1.1], [0.2]]
    found = em_weights(likelihoods, ones(likelihoods), n_steps=20_000, pseudo_count=0)
    expected = on_the_simplex(lambda w: minus_log_likelihood(w @ likelihoods), 4)
    assert_allclose(found, expected, atol=1e-4)
    # With pseudo-counts: the likelihood times a Dirichlet density.
    found = em_weights(likelihoods, ones(likelihoods), n_steps=20_000, pseudo_count=1)
    expected = on_the_simplex(
        lambda w: minus_log_likelihood(w @ likelihoods) - np.log(np.maximum(w, 1e-12)).sum() / 300,
        4,
    )
    assert_allclose(found, expected, atol=1e-4)


def test_steps_never_decrease_the_likelihood(rng):
    likelihoods = rng.uniform(size=(5, 40))
    weights = [
        em_weights(likelihoods, ones(likelihoods), n_steps=n, pseudo_count=0) for n in range(30)
    ]
    losses = minus_log_likelihood(weights @ likelihoods)
    assert (np.diff(losses) <= 1e-15).all()


def test_pseudo_counts_keep_weights_of_few_rows_nearly_equal():
    likelihoods = np.array([[0.9], [0.1]])
    assert_allclose(em_weights(likelihoods, np.ones(1), pseudo_count=100), [0.5, 0.5], atol=0.01)
    assert_allclose(em_weights(np.zeros((2, 3)), np.ones(3), pseudo_count=1), [0.5, 0.5])


@pytest.mark.parametrize("n_rows", [300, 3])
def test_weights_of_least_squares_are_those_of_a_constrained_solver(n_rows, rng):
    truth = rng.normal(size=n_rows)
    predictions = truth + rng.normal(size=(5, n_rows)) * [[1], [0.8], [0.5], [3], [1]] + 0.3
    errors = predictions - truth
    found = nnls_weights(errors, ones(errors))
    assert_allclose(found.sum(), 1)
    assert (found >= 0).all()
    expected = on_the_simplex(lambda w: mean_square(w @ errors), 5)
    assert_allclose(mean_square(found @ errors), mean_square(expected @ errors), atol=1e-7)
    if n_rows > 5:
        assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("unit", [1e-180, 1.0, 1e180])
def test_weights_of_least_squares_do_not_depend_on_the_unit(unit):
    errors = np.random.RandomState(1).normal(size=(3, 50)) + 0.2
    found = nnls_weights(errors * unit, ones(errors))
    assert_allclose(found, nnls_weights(errors, ones(errors)), atol=1e-9)


def test_perfect_arms_weigh_alike_and_one_perfect_arm_takes_all():
    assert_allclose(nnls_weights(np.zeros((4, 9)), np.ones(9)), 0.25)
    errors = np.array([[1.0, 2, 3], [0, 0, 0], [-1, 5, 0.5]])
    assert_allclose(nnls_weights(errors, ones(errors)), [0, 1, 0], atol=1e-12)


def test_a_weight_of_two_equals_a_repeated_row(rng):
    weights = np.array([2.0, 0, 1, 3, 1])
    repeated = np.repeat(np.arange(5), weights.astype(int))
    likelihoods = rng.uniform(size=(3, 5))
    assert_allclose(
        em_weights(likelihoods, weights, pseudo_count=1),
        em_weights(likelihoods[:, repeated], ones(repeated), pseudo_count=1),
    )
    errors = rng.normal(size=(3, 5))
    found = nnls_weights(errors, weights)
    assert_allclose(found, nnls_weights(errors[:, repeated], ones(repeated)), atol=1e-9)
    logits, codes = rng.normal(size=(5, 3)), np.array([0, 0, 2, 1, 1])
    assert_allclose(
        fit_temperature(logits, codes, weights),
        fit_temperature(logits[repeated], codes[repeated], ones(repeated)),
        rtol=1e-4,
    )


def test_a_weight_of_two_equals_a_repeated_row_for_several_columns_of_numbers():
    # Without the fourth row, whose weight is zero, the columns have other standard deviations.
    weights = np.array([2.0, 1, 3, 0, 1])
    repeated = np.repeat(np.arange(5), weights.astype(int))
    y = np.column_stack([[0.0, 1, 2, 90, 3], [0.0, 7, 1, 2, 5]])
    predictions = y + np.random.RandomState(3).normal(size=(3, 5, 2))
    found = blend_of_means(BlendProblem(predictions, y, weights, BlendRules()))
    of_repeated = predictions[:, repeated], y[repeated], ones(repeated)
    expected = blend_of_means(BlendProblem(*of_repeated, BlendRules()))
    assert_allclose(found.weights, expected.weights, atol=1e-9)


def test_greedy_selection_finds_what_exhaustive_search_finds():
    errors = np.random.RandomState(2).normal(0.2, size=(3, 30))
    n_rounds = 12
    found = greedy_selection(errors, mean_square, n_rounds=n_rounds)
    assert_allclose(found.sum(), 1)
    shares = [
        np.array([i, j, n - i - j]) / n
        for n in range(1, n_rounds + 1)
        for i in range(n + 1)
        for j in range(n + 1 - i)
    ]
    least = min(mean_square(w @ errors) for w in shares)
    assert mean_square(found @ errors) <= least * 1.02


def test_greedy_selection_keeps_the_best_round_and_takes_one_arm_where_others_do_harm(rng):
    errors = np.array([[0.1, 0.1], [9, 9], [8, 9]])
    assert_array_equal(greedy_selection(errors, mean_square), [1, 0, 0])
    # The mean of both arms is nearly right; a third round, in which one is added again, harms it.
    opposite = np.array([[1.0], [-1.1]])
    assert_array_equal(greedy_selection(opposite, mean_square, n_rounds=3), [0.5, 0.5])
    # The first of equally good rounds is kept: in the third one, both arms do not weigh alike.
    near = greedy_selection(np.array([[1.0], [-1.0]]), lambda m: np.abs(m[:, 0]) > 0.5, n_rounds=3)
    assert_array_equal(near, [0.5, 0.5])
    likelihoods = rng.uniform(size=(4, 60))
    found = greedy_selection(likelihoods, minus_log_likelihood)
    best_alone = minus_log_likelihood(likelihoods).min()
    assert minus_log_likelihood(found @ likelihoods) <= best_alone


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_greedy_shares_have_the_sum_one_even_if_all_losses_overflow():
    assert_array_equal(greedy_selection(np.full((2, 3), 1e200), mean_square), [1, 0])


def test_only_the_best_arms_get_a_weight():
    errors = np.array([[3.0, -3], [1, -1], [-1.1, 1], [4, 4]])
    for combination in ("weights", "greedy", "mean"):
        rules = BlendRules(combination, n_best=2)
        weights = rules.weights(errors, mean_square, nnls_weights, ones(errors))
        assert_allclose(weights.sum(), 1)
        assert_array_equal(weights[[0, 3]], 0)
        assert (weights[[1, 2]] > 0).all()


def test_blend_of_probabilities_is_calibrated_and_of_several_labels_too(rng):
    truth = rng.randint(2, size=(500, 2))
    sure = np.where(rng.uniform(size=truth.shape) < 0.8, truth, 1 - truth)
    probability = np.where(sure, 0.99, 0.01)
    arms = np.stack([np.stack([1 - probability, probability], axis=-1), np.full((500, 2, 2), 0.5)])
    blend = blend_of_probabilities(BlendProblem(arms, truth, np.ones(500), BlendRules()))
    assert_allclose(np.median(blend.of(arms)[..., 1][sure == 1]), 0.8, atol=0.04)
    rules = BlendRules(calibrate=False)
    plain = blend_of_probabilities(BlendProblem(arms, truth, np.ones(500), rules))
    assert plain.temperature == 1
    assert_allclose(plain.of(arms), np.tensordot(plain.weights, arms, axes=1))


@pytest.mark.parametrize(("n_arms", "pseudo_count"), [(2, 1.0), (3, 1.0), (6, 0.5)])
def test_more_than_three_arms_have_three_pseudo_counts_in_total(rng, n_arms, pseudo_count):
    arms, truth = rng.dirichlet(np.ones(3), (n_arms, 20, 1)), rng.randint(3, size=(20, 1))
    likelihoods = arms[:, np.arange(20), 0, truth[:, 0]]
    expected = em_weights(likelihoods, ones(truth[:, 0]), pseudo_count=pseudo_count)
    blend = blend_of_probabilities(
        BlendProblem(arms, truth, np.ones(20), BlendRules(calibrate=False))
    )
    assert_allclose(blend.weights, expected)


def test_columns_count_in_units_of_their_deviation(rng):
    y = rng.normal(size=(200, 2))
    # Each arm predicts one column exactly, and 0 for the other.
    arms = np.stack([y * [1, 0], y * [0, 1]])
    for units in ([1, 1], [1, 1e6]):
        blend = blend_of_means(BlendProblem(arms * units, y * units, np.ones(200), BlendRules()))
        assert_allclose(blend.weights, 0.5, atol=0.05)


def test_columns_of_equal_numbers_count_in_their_own_units():
    # The deviation of the first column is 1. Each arm errs by 1 in one of the columns.
    y = np.column_stack([np.tile([1.0, -1.0], 100), np.full(200, 3.0)])
    arms = y + np.eye(2)[:, np.newaxis]
    blend = blend_of_means(BlendProblem(arms, y, np.ones(200), BlendRules()))
    assert_allclose(blend.weights, [0.5, 0.5])


@pytest.mark.parametrize("n_rows", [1, 2, 3, 8])
def test_no_block_has_a_single_row_unless_it_is_the_only_one(n_rows):
    sizes = [block.stop - block.start for block in blocks_of(n_rows, BLOCK)]
    assert sum(sizes) == n_rows
    assert len(sizes) == max(1, n_rows // 2)
    assert min(sizes) > 1 or sizes == [1]


def test_rows_are_counted_once_however_often_they_are_held_out():
    held = HeldOutRows([np.array([4, 1]), np.array([1, 2]), np.array([1])])
    assert_array_equal(held.known, [1, 2, 4])
    assert_array_equal(held.groups, [0, 1, 0])
    values = np.array([[40.0, 1, 3, 20, 5]])
    assert_array_equal(held.averages(values), [[3, 20, 40]])
    assert_array_equal(held.averages(np.stack([values, values], axis=-1)).shape, [1, 3, 2])
    assert_allclose(held.shares(np.array([3.0, 1, 2])), [2, 1, 1, 1, 1])
    once = HeldOutRows([np.array([2, 0]), np.array([1])])
    assert_array_equal(once.averages(np.array([[2.0, 0, 1]])), [[0, 1, 2]])


def test_few_copies_of_the_predictions_are_made_to_combine_them(peak_of):
    n_rows, n_arms, classes = 2**17, 2, np.arange(4)
    rng = np.random.RandomState(0)
    splits = [(np.empty(0, int), test) for test in np.split(rng.permutation(n_rows), 4)]
    probabilities = rng.dirichlet(np.ones(4), n_rows).astype(np.float32)
    codes = rng.randint(4, size=(n_rows, 1))

    def combine():
        network = SimpleNamespace(classes_=classes)
        held_out = [probabilities[test] for _, test in splits]
        arms = [[FittedMember(network, p, p.copy()) for p in held_out] for _ in range(n_arms)]
        combined(ProbabilityOutput(classes), arms, splits, codes, None, BlendRules())

    assert peak_of(combine) < 10.2 * n_arms * probabilities.nbytes


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_rows_without_weight_count_as_if_they_were_never_held_out(rng, scale):
    classes, folds = np.arange(3), np.split(rng.permutation(60), 3)
    probabilities, codes = rng.dirichlet(np.ones(3), (2, 60)), rng.randint(3, size=(60, 1))
    counts = np.arange(60) % 2
    network = SimpleNamespace(classes_=classes)

    def combine(folds):
        arms = [[FittedMember(network, p[test], p[test]) for test in folds] for p in probabilities]
        splits = [(np.empty(0, int), test) for test in folds]
        return combined(
            ProbabilityOutput(classes), arms, splits, codes, scale * counts, BlendRules()
        )

    found, expected = combine(folds), combine([test[counts[test] > 0] for test in folds])
    assert_allclose(found.blend.weights, expected.blend.weights, rtol=1e-9)
    assert_allclose(found.temperatures, expected.temperatures, rtol=1e-5)
    assert_allclose(found.oof_loss, expected.oof_loss, rtol=1e-5)
    assert np.isfinite(found.oof_predictions).all()
    assert_array_equal(np.isnan(expected.oof_predictions).all(axis=1), counts == 0)


def test_targets_of_a_fold_decide_nothing_about_the_blend_of_its_rows(rng):
    predictions, y = rng.normal(size=(3, 40, 1)), rng.normal(size=(40, 1))
    groups, weight = np.arange(40) % 4, np.ones(40)

    def learn_from(truth):
        def learn(rows):
            of_rows = predictions[:, rows], truth[rows], weight[rows]
            return blend_of_means(BlendProblem(*of_rows, BlendRules()))

        return learn

    before = blended_without_own_fold(learn_from(y), predictions, weight, groups)
    others = y.copy()
    others[groups == 1] += 100 * rng.normal(size=(10, 1))
    after = blended_without_own_fold(learn_from(others), predictions, weight, groups)
    assert_array_equal(before[groups == 1], after[groups == 1])
    assert not np.allclose(before[groups == 0], after[groups == 0])
    # With a single fold there are no others to learn from: it uses all rows.
    alone = blended_without_own_fold(learn_from(y), predictions, weight, np.zeros(40, dtype=int))
    expected = learn_from(y)(slice(None))
    assert isinstance(expected, Blend)
    assert_allclose(alone, expected.of(predictions))
