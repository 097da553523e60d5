"""The learning-rate range test shows which rates work for a problem, and changes nothing."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn import neural_network
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.inspection import LearningRateRangeTest, learning_rate_range_test
from skperceptron.optimizers import LBFGS

X, Y = load_digits(return_X_y=True)
X = X[:600] / 16
Y = Y[:600]


def make(cls=MLPSoftmaxClassifier, **options):
    return cls(**{"hidden_layer_sizes": (8,), "random_state": 0} | options)


def test_loss_stays_at_tiny_rates_falls_and_explodes():
    found = learning_rate_range_test(make(solver="sgd"), X, Y, n_steps=60, smoothing=0.5)
    assert found.losses[:5] == pytest.approx(np.full(5, found.losses[0]), rel=0.1)
    assert found.smoothed_losses.min() < 0.9 * found.losses[0]
    np.testing.assert_allclose(
        found.rates, np.geomspace(1e-6, 10, 60)[: len(found.rates)], rtol=1e-12
    )
    best = found.rates[found.smoothed_losses.argmin()]
    assert 1e-4 < found.suggestion < best


def test_first_losses_are_those_of_training_with_these_rates():
    network = make(batch_size=600, shuffle=False, solver="sgd", dtype="float64")
    found = learning_rate_range_test(network, X, Y, min_rate=1e-3, max_rate=1e-1, n_steps=5)
    growth = 100 ** (1 / 4)
    network.set_params(learning_rate=lambda n: growth**n, max_iter=5, n_iter_no_change=np.inf)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        network.fit(X, Y)
    np.testing.assert_allclose(found.losses, network.loss_curve_, rtol=1e-9)


@pytest.mark.parametrize(
    "losses",
    [
        [2.0, 1.0, 3.9, 4.1],
        [1.0, 0.5, 0.1, 0.3, 0.8, 0.9],
        [1.0, 0.1, -0.01, 0.2, -0.5, -0.2, -1.0, 0.5, 1.9, 2.1],
        [-2.0, -1.9, -3.0, 5.9, 6.1],
    ],
)
def test_ends_far_above_the_minimum_even_of_losses_that_may_be_negative(losses, monkeypatch):
    given = iter([*losses, *[0.0] * 9])
    module = "skperceptron.inspection._learning_rate"
    monkeypatch.setattr(f"{module}._loss_of_step", lambda *step: next(given))
    found = learning_rate_range_test(make(), X, Y, smoothing=0.0, n_steps=len(losses) + 9)
    np.testing.assert_allclose(found.losses, losses)


def test_estimator_stays_as_it_was():
    network = make(early_stopping=True, averaging="swa", random_state=3)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        network.set_params(max_iter=2).fit(X, Y)
    before = pickle.dumps(vars(network))
    learning_rate_range_test(network, X, Y, n_steps=5)
    assert pickle.dumps(vars(network)) == before


@pytest.mark.parametrize(
    "cls, data",
    [
        (MLPBinaryClassifier, (X, Y % 2)),
        (MLPBinaryClassifier, (X, np.c_[Y % 2, Y % 3 == 0])),
        (MLPRegressor, (X, 1.0 * Y)),
        (MLPRegressor, (sparse.csr_array(X), np.c_[Y, -Y])),
        (MLPSoftmaxClassifier, (X.tolist(), [str(label) for label in Y])),
    ],
    ids=["binary", "labels", "number", "sparse, numbers", "lists"],
)
def test_every_kind_of_problem_is_tested(cls, data):
    found = learning_rate_range_test(make(cls), *data, max_rate=1e3, n_steps=30)
    assert np.isfinite(found.losses).all()
    assert len(found.rates) == len(found.losses) == len(found.smoothed_losses) >= 5
    assert found.rates[0] < found.suggestion < found.rates[-1]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_categories_of_frames_are_embedded(library):
    module = pytest.importorskip(library)
    names = np.array(["a", "b", "c", "d"])
    frame = module.DataFrame({"size": X[:, 20], "kind": names[Y % 4]})
    codes = np.column_stack([X[:, 20], Y % 4])
    # The first batch does not hold all categories.
    order = np.argsort(Y % 4, kind="stable")
    frame, codes = frame[order.tolist()] if library == "polars" else frame.iloc[order], codes[order]
    options = {"batch_size": 50, "shuffle": False}
    found, expected = (
        learning_rate_range_test(make(**options, categorical_features=marked), given, Y[order])
        for marked, given in ((["kind"], frame), ([1], codes))
    )
    np.testing.assert_array_equal(found.losses, expected.losses)
    plain = learning_rate_range_test(make(**options), codes, Y[order])
    assert (found.losses[:5] != plain.losses[:5]).all()


def test_weights_of_classes_are_those_of_all_rows():
    shares = {0: 1 / np.mean(Y > 0) / 2, 1: 1 / np.mean(Y == 0) / 2}
    labels = (Y == 0).astype(int)
    found, expected, plain = (
        learning_rate_range_test(make(class_weight=given), X, labels, n_steps=20).losses
        for given in ("balanced", shares, None)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert abs(found[0] - plain[0]) > 0.01


def test_batches_need_not_hold_all_integers_to_predict():
    network = make(MLPRegressor, output="categorical", batch_size=4)
    found = learning_rate_range_test(network, X, Y, n_steps=30)
    assert found.losses[0] == pytest.approx(np.log(10), rel=0.3)


@pytest.mark.filterwarnings("error")
def test_a_batch_larger_than_all_rows_is_no_reason_to_warn():
    found = learning_rate_range_test(make(batch_size=1_000), X, Y, n_steps=3)
    assert np.isfinite(found.losses).all()


def test_sparse_labels_give_the_losses_of_dense_ones():
    labels = np.c_[Y % 2, Y % 3 == 0].astype(int)
    found, expected = (
        learning_rate_range_test(make(MLPBinaryClassifier), X, given, n_steps=20).losses
        for given in (sparse.csr_array(labels), labels)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "changes, error, fragment",
    [
        (
            {"estimator": make_pipeline(make())},
            TypeError,
            "got Pipeline. Pass the one at its end, and X as",
        ),
        ({"estimator": neural_network.MLPClassifier()}, TypeError, "got <class 'sklearn"),
        ({"estimator": RosenblattPerceptron()}, TypeError, "RosenblattPerceptron has no learning"),
        ({"estimator": make(solver="lbfgs")}, ValueError, "solver='lbfgs' has no learning rate"),
        ({"estimator": make(solver=LBFGS())}, ValueError, "has no learning rate"),
        ({"min_rate": 0.0}, ValueError, r"'min_rate' .* must be a float in the range \(0, inf\)"),
        ({"max_rate": np.nan}, ValueError, "'max_rate' .* must be"),
        ({"min_rate": 1.0, "max_rate": 0.1}, ValueError, "must be below max_rate=0.1"),
        ({"min_rate": 1e300, "max_rate": 1e305}, ValueError, "min_rate=1e\\+300 is too large"),
        ({"n_steps": 1}, ValueError, r"'n_steps' .* must be an int in the range \[2, inf\)"),
        ({"smoothing": 1.0}, ValueError, r"'smoothing' .* must be a float in the range \[0, 1\)"),
        ({"y": Y[:-1]}, ValueError, "inconsistent numbers of samples"),
        ({"estimator": make(alpha=-1)}, ValueError, "The 'alpha' parameter"),
        ({"X": np.where(X > 0.9, np.nan, X)}, ValueError, "X contains NaN"),
    ],
)
def test_bad_input_is_refused(changes, error, fragment):
    arguments = {"estimator": make(), "X": X, "y": Y} | changes
    with pytest.raises(error, match=fragment):
        learning_rate_range_test(**arguments)


def test_plot_shows_losses_over_rates_on_a_logarithmic_axis(pyplot):
    rates = np.geomspace(1e-4, 1, 5)
    losses = np.array([2.0, 1.9, 1.0, 0.9, 3.0])
    found = LearningRateRangeTest(rates, losses, losses + 1)
    assert found.suggestion in rates[1:3]
    ax = found.plot()
    assert ax.get_xscale() == "log"
    batch, smoothed, suggestion = ax.lines
    for line, values in ((batch, losses), (smoothed, losses + 1)):
        np.testing.assert_array_equal(line.get_xdata(), rates)
        np.testing.assert_array_equal(line.get_ydata(), values)
    assert set(suggestion.get_xdata()) == {found.suggestion}
    assert found.plot(ax) is ax


def test_plot_without_matplotlib_names_the_extra(hide_package):
    hide_package("matplotlib")
    found = LearningRateRangeTest(*np.ones((3, 5)))
    with pytest.raises(ImportError, match=r"LearningRateRangeTest.plot requires matplotlib"):
        found.plot()


def test_units_of_few_rows_are_those_of_all_of_them(rng):
    X = rng.normal(size=(12, 3))
    network = MLPRegressor(hidden_layer_sizes=(4,), batch_size=4, random_state=0)
    small, ordinary = (learning_rate_range_test(network, X, y) for y in (1e-6 * X, 1e3 * X))
    assert len(small.rates) > 50
    np.testing.assert_allclose(small.losses[:5], ordinary.losses[:5], rtol=0.5)


def test_rows_of_a_class_of_weight_zero_are_in_no_batch():
    y = np.arange(90) % 3
    X = np.eye(3)[y]
    network = MLPSoftmaxClassifier((4,), batch_size=1, random_state=0)
    network.set_params(class_weight={0: 0, 1: 1, 2: 1})
    assert len(learning_rate_range_test(network, X, y).rates) == 100
