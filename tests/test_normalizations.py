"""Every normalization computes its formula with the given parameters.

A new one needs one row of ``TEXTBOOK``; gradients, stacks and predictions of its block are tested
in ``tests/engine/test_every_block.py``.
"""

import inspect

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skperceptron import MLPRegressor, normalizations
from skperceptron.engine import Network, NetworkInput, Node, TrainingPass, Workspace
from skperceptron.engine.network import INPUT
from skperceptron.model_selection import StackedGridSearchCV
from skperceptron.normalizations import BatchNormalization, LayerNormalization, Normalization

B, H = 7, 4


def standardized(x, axis, epsilon):
    return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + epsilon)


#: An independent formula for every class: the value in training, (B, H), before factor and shift.
TEXTBOOK = {
    BatchNormalization: lambda n, x: standardized(x, 0, n.epsilon),
    LayerNormalization: lambda n, x: standardized(x, 1, n.epsilon),
}
# No parameter keeps its default: one that is ignored would go unnoticed.
UNUSUAL = [BatchNormalization(0.3, 0.5), LayerNormalization(0.5)]


def classes():
    found = [getattr(normalizations, name) for name in normalizations.__all__]
    found = {one for one in found if inspect.isclass(one) and issubclass(one, Normalization)}
    return found - {Normalization}


def test_every_normalization_has_an_independent_formula():
    assert set(TEXTBOOK) == classes() == {type(one) for one in UNUSUAL}


def in_training(normalization, x, learned):
    """Return the block's value for a batch, and its learned arrays afterwards."""
    network = Network([NetworkInput("x", H)], [Node("block", normalization.block(H), (INPUT,))])
    vector = np.concatenate([np.ravel(array) for array in learned])[np.newaxis]
    gradient = np.empty_like(vector)
    training = TrainingPass(network.views(gradient), noise=[None])
    work = Workspace(network, network.views(vector), len(x), training)
    work.inputs["x"].array[:] = x
    work.forward()
    return work.raw[0], [array[0] for array in network.views(vector)[0]]


@pytest.mark.parametrize("normalization", [cls() for cls in TEXTBOOK] + UNUSUAL, ids=repr)
def test_value_in_training_is_that_of_the_formula(normalization):
    rng = np.random.RandomState(0)
    x = rng.normal(loc=2, scale=3, size=(B, H))
    starts = normalization.block(H).initial_arrays(rng)
    found, _ = in_training(normalization, x, starts)
    expected = TEXTBOOK[type(normalization)](normalization, x)
    assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_running_statistics_move_by_the_momentum_of_the_normalization():
    x = np.random.RandomState(0).normal(loc=2, scale=3, size=(B, H))
    for momentum in (0.1, 0.3):
        normalization = BatchNormalization(momentum)
        block = normalization.block(H)
        _, after = in_training(normalization, x, block.initial_arrays(None))
        mean, variance = np.reshape(after, (-1, H))[-2:]
        assert_allclose(mean, momentum * x.mean(axis=0), rtol=1e-12)
        expected = (1 - momentum) + momentum * x.var(axis=0, ddof=1)
        assert_allclose(variance, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("total", "expected"), [(0.5, 1), (1 + 1e-12, 1), (1.5, 1.5), (2, 2), (3, 1.5)]
)
def test_variance_of_a_weighted_batch_is_corrected_at_most_twofold(total, expected):
    X = np.random.RandomState(0).normal(size=(8, 2))
    shares = np.arange(1, 9) / 36
    normalization = BatchNormalization(momentum=1.0)
    network = MLPRegressor(
        normalization=normalization, max_iter=1, batch_size=8, dtype="float64", random_state=0
    )
    with pytest.warns(ConvergenceWarning):
        plain = network.fit(X, X[:, 0], shares / 2).normalization_parameters_[0][3]
        found = network.fit(X, X[:, 0], shares * total).normalization_parameters_[0][3]
    assert_allclose(found / plain, expected, rtol=1e-9)


@pytest.mark.parametrize("weight", [None, np.full(9, 2.0)], ids=["alike", "weighted"])
def test_a_single_row_does_not_change_the_running_statistics(weight):
    X = np.random.RandomState(0).normal(size=(9, 2))
    options = {"normalization": "batch", "shuffle": False, "max_iter": 1, "random_state": 0}
    networks = [MLPRegressor(batch_size=4, drop_last=last, **options) for last in (False, True)]
    for network in networks:
        with pytest.warns(ConvergenceWarning):
            network.fit(X, X[:, 0], weight)
    found, expected = (network.normalization_parameters_[0][2:] for network in networks)
    assert_array_equal(found, expected)


def test_batches_of_a_single_row_give_a_warning(recwarn):
    X = np.random.RandomState(0).normal(size=(9, 2))
    network = MLPRegressor(normalization="batch", max_iter=1, batch_size=1, random_state=0)
    with pytest.warns(UserWarning, match="Batches have a single row"):
        network.fit(X, X[:, 0])
    with pytest.warns(UserWarning, match="Batches have a single row"):
        StackedGridSearchCV(network, {"alpha": [0.1, 1]}, cv=2).fit(X, X[:, 0])
    clone(network).set_params(normalization="layer").fit(X, X[:, 0])
    clone(network).set_params(hidden_layer_sizes=()).fit(X, X[:, 0])
    clone(network).set_params(batch_size=2).fit(X, X[:, 0])
    assert not [one for one in recwarn if "single row" in str(one.message)]


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_network_that_overflows_where_normalization_joins_its_layer_says_so():
    X = np.random.RandomState(0).normal(size=(20, 3))
    model = MLPRegressor(hidden_layer_sizes=(4,), normalization="batch", max_iter=1).fit(X, X[:, 0])
    model.coefs_[0] = model.coefs_[0] * 1e200
    model.normalization_parameters_[0][0] *= 1e200
    with pytest.raises(ValueError, match="prediction overflows"):
        model.predict(X)
