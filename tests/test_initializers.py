"""Every initialiser draws what its paper says, from the generator it is given."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from skperceptron import initializers
from skperceptron.activations import get_activation
from skperceptron.initializers import GlorotUniform, Initializer

INITIALIZERS = [
    value()
    for name, value in sorted(vars(initializers).items())
    if isinstance(value, type) and issubclass(value, Initializer) and value is not Initializer
    if not name.startswith("_")
]
EVERY_INITIALIZER = pytest.mark.parametrize("initializer", INITIALIZERS, ids=repr)


@EVERY_INITIALIZER
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (200, 100)])
def test_layer_has_the_asked_shape_in_float64(initializer, shape):
    weight, bias = initializer.draw(*shape, 6.0, np.random.RandomState(0))
    assert weight.shape == shape
    assert bias.shape == shape[1:]
    assert weight.dtype == bias.dtype == np.float64
    assert np.isfinite(weight).all() and np.isfinite(bias).all()


@EVERY_INITIALIZER
def test_same_seed_gives_the_same_layer_and_another_seed_another(initializer):
    first, again, other = (
        initializer.draw(3, 5, 6.0, np.random.RandomState(seed)) for seed in (0, 0, 1)
    )
    assert_array_equal(first[0], again[0])
    assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


@EVERY_INITIALIZER
def test_global_generator_is_left_alone(initializer):
    before = np.random.get_state()[1].copy()
    initializer.draw(3, 5, 6.0, np.random.RandomState(0))
    assert_array_equal(np.random.get_state()[1], before)


@EVERY_INITIALIZER
def test_units_of_a_layer_do_not_start_alike(initializer):
    weight, _ = initializer.draw(10, 50, 6.0, np.random.RandomState(0))
    assert len(np.unique(weight, axis=1).T) == 50


@pytest.mark.parametrize("factor", [2.0, 6.0])
@pytest.mark.parametrize(("fan_in", "units"), [(1, 1), (4, 3), (300, 200), (20, 1000)])
def test_glorot_draws_stay_within_their_bound_and_fill_it(fan_in, units, factor):
    bound = np.sqrt(factor / (fan_in + units))
    weight, bias = GlorotUniform().draw(fan_in, units, factor, np.random.RandomState(0))
    drawn = np.concatenate([weight.ravel(), bias])
    assert (np.abs(drawn) <= bound).all()
    # The largest of n uniform draws lies within 20 / n of the bound, but for e^-20 of the cases.
    assert np.abs(drawn).max() >= bound * (1 - 20 / drawn.size)


@pytest.mark.parametrize("factor", [2.0, 6.0])
def test_glorot_draws_have_mean_zero_and_variance_a_third_of_the_squared_bound(factor):
    fan_in, units = 400, 300
    weight, _ = GlorotUniform().draw(fan_in, units, factor, np.random.RandomState(0))
    variance = factor / (fan_in + units) / 3
    # Five standard errors of the mean, and of the variance of a uniform law.
    assert abs(weight.mean()) < 5 * np.sqrt(variance / weight.size)
    assert abs(weight.var() / variance - 1) < 5 * np.sqrt(0.8 / weight.size)


def frozen(estimator, **options):
    """Return scikit-learn's network as it was drawn: one step at a rate that moves nothing."""
    return estimator(solver="sgd", learning_rate_init=1e-300, max_iter=1, **options)


@pytest.mark.parametrize("activation", ["relu", "tanh", "identity", "logistic"])
@pytest.mark.parametrize("hidden", [(7,), (5, 4, 3)])
@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_draws_equal_those_of_scikit_learn(estimator, hidden, activation):
    X = np.random.RandomState(1).normal(size=(30, 6))
    y = np.arange(30) % 3
    model = frozen(estimator, hidden_layer_sizes=hidden, activation=activation, random_state=42)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    rng = np.random.RandomState(42)
    factor = get_activation(activation).init_factor
    for coefs, intercepts in zip(model.coefs_, model.intercepts_, strict=True):
        weight, bias = GlorotUniform().draw(*coefs.shape, factor, rng)
        assert_array_equal(weight, coefs)
        assert_array_equal(bias, intercepts)
