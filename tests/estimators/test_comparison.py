"""Losses and scores of several networks at once have the same bits as those of each alone."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from scipy.special import softmax
from sklearn.metrics import accuracy_score

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
from skperceptron._sklearn.fit_calls import FitMode
from skperceptron.estimators.comparison import Comparison, TrueValues
from skperceptron.losses import CategoricalLogLoss, PoissonDeviance

FIT = FitMode(continuing=False, incremental=False)
RNG = np.random.RandomState(0)
K, N = 4, 12
CODES = np.resize([0, 1, 2], (K, N))
LABELS = RNG.randint(2, size=(K, N, 3))
NUMBERS = RNG.uniform(1, 9, size=(K, N))


class OwnLink(CategoricalLogLoss):
    """A user's loss, whose link accepts only an axis of rows and one of classes."""

    def inverse_link(self, raw, out):
        out[:] = softmax(raw, axis=1)


#: Metrics that are computed from raw predictions of classes, and of numbers.
OF_CLASSES = ("neg_log_loss", "neg_brier_score")
OF_NUMBERS = ("neg_root_mean_squared_error",)

#: An estimator, y of each network, the number of raw outputs, and metrics besides score and loss.
CASES = {
    "two classes": (MLPBinaryClassifier(), CODES % 2, 1, OF_CLASSES),
    "classes": (
        MLPSoftmaxClassifier(),
        np.array(["a", "b", "c"], dtype=object)[CODES],
        3,
        OF_CLASSES,
    ),
    "smoothed": (MLPSoftmaxClassifier(loss=CategoricalLogLoss(0.1)), CODES, 3, OF_CLASSES),
    "own link": (MLPSoftmaxClassifier(loss=OwnLink()), CODES, 3, OF_CLASSES),
    "ordered": (MLPSoftmaxClassifier(loss="ordinal"), CODES, 2, OF_CLASSES),
    "soft labels": (MLPSoftmaxClassifier(), RNG.dirichlet(np.ones(3), (K, N)), 3, OF_CLASSES),
    "labels": (MLPBinaryClassifier(), LABELS, 3, ()),
    "sparse labels": (MLPBinaryClassifier(), [sparse.csr_array(one) for one in LABELS], 3, ()),
    "numbers": (MLPRegressor(), np.stack([NUMBERS, NUMBERS**2], axis=-1), 2, OF_NUMBERS),
    "Gaussian": (MLPRegressor(loss="gaussian_nll"), NUMBERS, 2, ()),
    "counts": (MLPRegressor(loss=PoissonDeviance()), NUMBERS, 1, OF_NUMBERS),
    "in a range": (MLPRegressor(output_range=(0, 10)), NUMBERS, 1, OF_NUMBERS),
    "whole numbers": (MLPRegressor(output="categorical"), np.round(NUMBERS), 9, OF_NUMBERS),
}
MONITORS = ("score", "loss", *OF_CLASSES, *OF_NUMBERS)
FROM_RAW = [(case, name) for case in CASES for name in ("score", "loss", *CASES[case][3])]


def comparisons_of(case, monitor, weighted):
    """Return one comparison for each network, all of the same target."""
    estimator, of_networks, n_outputs, _ = CASES[case]
    whole = sparse.vstack if case == "sparse labels" else np.concatenate
    target = estimator._choose_target(whole(list(of_networks)), FIT)
    target.encode(whole(list(of_networks)), None, FIT, None)
    rng = np.random.RandomState(1)
    weights = rng.uniform(size=(K, N)) if weighted else [None] * K
    rows = [
        TrueValues(target.encode_validation(y), y, weight)
        for y, weight in zip(of_networks, weights, strict=True)
    ]
    raw = rng.normal(size=(K, N, n_outputs))
    return [Comparison(target, monitor, [one]) for one in rows], raw


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("monitor", MONITORS)
@pytest.mark.parametrize("case", CASES)
def test_evaluation_of_several_networks_is_that_of_each(case, monitor, dtype, weighted):
    alone, raw = comparisons_of(case, monitor, weighted)
    raw = raw.astype(dtype)
    assert len({one.key for one in alone}) == 1
    joined = alone[0].joined(alone[1:])
    for _ in range(2):
        losses, scores, _ = joined.evaluate(raw.copy())
        found = [one.evaluate(raw[k : k + 1].copy()) for k, one in enumerate(alone)]
        assert np.isfinite(losses).all()
        assert_array_equal(losses, np.concatenate([one.losses for one in found]))
        assert joined.gives_scores == ((case, monitor) in FROM_RAW)
        if joined.gives_scores:
            assert_array_equal(scores, np.concatenate([one.scores for one in found]))
        else:
            assert scores is None and all(one.scores is None for one in found)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("case", CASES)
def test_a_network_that_diverges_leaves_the_others_alone(case, bad):
    alone, raw = comparisons_of(case, "score", False)
    raw[1, 3, 0] = bad
    losses, scores, _ = alone[0].joined(alone[1:]).evaluate(raw.copy())
    assert np.isnan(losses[1]) and np.isnan(alone[1].evaluate(raw[1:2].copy())[0])
    for k in (0, 2, 3):
        loss, score, _ = alone[k].evaluate(raw[k : k + 1].copy())
        assert (losses[k], scores[k]) == (loss[0], score[0])


def test_counts_out_of_range_leave_the_rounding_of_others_alone():
    alone, raw = comparisons_of("counts", "loss", True)
    raw[2, 0, 0] = -800.0
    losses, *_ = alone[0].joined(alone[1:]).evaluate(raw.copy())
    found = [one.evaluate(raw[k : k + 1].copy())[0][0] for k, one in enumerate(alone)]
    assert np.isfinite(losses).all()
    assert_array_equal(losses, found)


def test_portions_of_rows_give_the_evaluation_of_all():
    alone, raw = comparisons_of("labels", "score", True)
    portions = [(slice(0, 5), raw[:1, :5].copy()), (slice(5, N), raw[:1, 5:].copy())]
    losses, scores, _ = alone[0].evaluate_portions(portions)
    wanted = alone[0].evaluate(raw[:1].copy())
    np.testing.assert_allclose(losses, wanted[0], rtol=1e-14)
    assert_array_equal(scores, wanted[1])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case, monitor", FROM_RAW)
def test_scores_without_parts_are_those_of_all_other_rows(case, monitor, weighted):
    alone, raw = comparisons_of(case, monitor, weighted)
    target, members = alone[0]._target, [rows for one in alone for rows in one._members]
    found = Comparison(target, monitor, members, n_parts=5).evaluate(raw.copy()).without_parts
    assert found.shape == (K, 5)
    for part in range(5):
        others = np.flatnonzero(np.arange(N) % 5 != part)
        of_others = Comparison(target, monitor, [rows.part(others) for rows in members])
        np.testing.assert_allclose(
            found[:, part], of_others.evaluate(np.take(raw, others, axis=1))[1], rtol=1e-12
        )


def test_a_softmax_over_many_rows_of_many_classes_has_the_bits_of_each_alone(rng):
    raw = rng.normal(size=(3, 200, 10))
    loss, together = CategoricalLogLoss(), np.empty_like(raw)
    loss.link_all(raw, together)
    for one, linked in zip(raw, together, strict=True):
        alone = np.empty_like(one)
        loss.inverse_link(one, out=alone)
        assert_array_equal(linked, alone)


def test_accuracy_is_that_of_labels_and_ties_go_to_the_first_class():
    (one, *_), _ = comparisons_of("classes", "score", False)
    raw = np.zeros((1, N, 3))
    raw[0, :4, 1:] = 1
    predicted = np.array(["b"] * 4 + ["a"] * 8)
    (score,) = one.evaluate(raw)[1]
    assert score == accuracy_score(np.array(["a", "b", "c"])[CODES[0]], predicted)


def test_networks_that_compute_otherwise_are_not_joined():
    keys = {
        comparisons_of(case, monitor, weighted)[0][0].key
        for case in ("two classes", "classes", "smoothed", "numbers")
        for monitor in ("score", "loss")
        for weighted in (False, True)
    }
    assert len(keys) == 16
    # Targets with equal classes and losses share a key; numeric ones, which have units, do so only
    # if nothing but the loss is compared.
    for case, monitor, n_keys in (
        ("classes", "score", 1),
        ("numbers", "score", 2),
        ("numbers", "loss", 1),
    ):
        both = [comparisons_of(case, monitor, False)[0][0] for _ in range(2)]
        assert len({one.key for one in both}) == n_keys


def test_losses_in_several_units_have_the_bits_of_each_alone(rng):
    alone = []
    for y in (NUMBERS[0], 1e6 * NUMBERS[1]):
        target = MLPRegressor(standardize_target=True)._choose_target(y, FIT)
        target.encode(y, None, FIT, None)
        alone.append(Comparison(target, "loss", [TrueValues(target.encode_validation(y), y, None)]))
    raw = rng.normal(size=(2, N, 1))
    losses, scores, _ = alone[0].joined(alone[1:]).evaluate(raw.copy())
    expected = np.concatenate(
        [a.evaluate(r[np.newaxis])[0] for a, r in zip(alone, raw, strict=True)]
    )
    assert_array_equal(losses, expected)
    assert_array_equal(scores, -expected)
