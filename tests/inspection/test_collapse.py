"""Consecutive linear layers become one layer, and predictions stay the same."""

from copy import deepcopy

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.activations import (
    ELU,
    HardSigmoid,
    HardSwish,
    HardTanh,
    Heaviside,
    Identity,
    LeakyReLU,
    PReLU,
    ReLU,
    ReLU6,
)
from skperceptron.inspection import collapse_linear
from skperceptron.inspection._collapse import line_of

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:The gradient of Heaviside:UserWarning"),
]

RNG = np.random.RandomState(0)
X = RNG.normal(size=(50, 3))
ELSEWHERE = 10 * RNG.normal(size=(50, 3))
CLASSES = np.digitize(X[:, 0], [-0.5, 0.5])
QUICK = {"max_iter": 5, "random_state": 0, "dtype": "float64"}


def raw(estimator, X):
    if isinstance(estimator, MLPRegressor):
        return estimator.predict(X)
    return estimator.decision_function(X)


def network(activation, skip_connections="none", **more):
    n_hidden = len(activation)
    more = {"hidden_layer_sizes": (4,) * n_hidden, **more}
    model = MLPSoftmaxClassifier(
        activation=activation, skip_connections=skip_connections, **QUICK, **more
    )
    return model.fit(X, CLASSES)


@pytest.mark.parametrize("skips", ["none", "residual", "dense", "linear"])
def test_network_without_activations_is_one_layer(skips):
    deep = network(["identity"] * 3, skips)
    single = collapse_linear(deep)
    assert single.hidden_layer_sizes == () and len(single.coefs_) == 1
    assert single.n_layers_ == 2
    assert_allclose(raw(single, ELSEWHERE), raw(deep, ELSEWHERE), rtol=1e-9, atol=1e-12)


def test_collapsed_matrix_is_the_product_of_the_matrices():
    deep = network(["identity"])
    (w1, w2), (b1, b2) = deep.coefs_, deep.intercepts_
    single = collapse_linear(deep)
    assert_allclose(single.coefs_[0], w1 @ w2, rtol=1e-12)
    assert_allclose(single.intercepts_[0], b1 @ w2 + b2, rtol=1e-12)


@pytest.mark.parametrize(
    ("activation", "kept", "skips", "skips_after"),
    [
        (["relu", "identity", "tanh"], ("relu", "tanh"), "none", "none"),
        (["identity", "prelu", "identity"], ("prelu",), "none", "none"),
        (["relu", "identity", "tanh"], ("relu", "tanh"), "residual", "dense"),
        (["identity", "relu", "identity"], ("relu",), "residual", "dense"),
        (["identity", "identity", "relu"], ("relu",), "dense", "dense"),
        (["tanh", "identity", "prelu"], ("tanh", "prelu"), "dense", "dense"),
        (["relu", "tanh"], ("relu", "tanh"), "none", "none"),
    ],
)
def test_layers_between_activations_become_one(activation, kept, skips, skips_after):
    deep = network(activation, skips)
    collapsed = collapse_linear(deep)
    assert [type(a)().names[0] for a in collapsed.activation] == list(kept)
    assert collapsed.skip_connections == skips_after
    assert_allclose(raw(collapsed, ELSEWHERE), raw(deep, ELSEWHERE), rtol=1e-9, atol=1e-11)


def test_batch_normalization_and_dropout_disappear():
    deep = network(["relu", "identity"], normalization="batch", dropout=0.3, input_dropout=0.1)
    collapsed = collapse_linear(deep)
    assert collapsed.normalization is None and collapsed.normalization_parameters_ == []
    assert collapsed.hidden_layer_sizes == (4,) and collapsed.dropout == 0
    assert_allclose(raw(collapsed, ELSEWHERE), raw(deep, ELSEWHERE), rtol=1e-9)


@pytest.mark.parametrize("activation", ["identity", "tanh"])
@pytest.mark.parametrize("skips", ["none", "dense", "linear"])
def test_factors_of_the_features_are_merged_with_the_weights(activation, skips):
    model = network([activation, "identity"], skips, feature_scale=True, learning_rate_init=0.1)
    merged = collapse_linear(model)
    assert not merged.feature_scale and not hasattr(merged, "feature_scales_")
    assert np.ptp(model.feature_scales_[0])
    assert_allclose(raw(merged, ELSEWHERE), raw(model, ELSEWHERE), rtol=1e-9, atol=1e-12)
    assert_allclose(raw(merged.partial_fit(X, CLASSES), X), raw(merged, X))


def test_layer_normalization_is_refused():
    deep = network(["relu"], normalization="layer")
    with pytest.raises(ValueError, match="'normalization_1' of kind 'layer_normalization'"):
        collapse_linear(deep)


@pytest.mark.parametrize(
    ("activation", "threshold"),
    [("relu", 0), ("leaky_relu", 0), ("prelu", 0), ("threshold", 0), ("hard_tanh", 1)],
)
def test_units_that_stay_on_one_side_are_linear_on_the_data(activation, threshold):
    deep = network([activation, "tanh"])
    # Half of the units are always on, half are always off.
    deep.intercepts_[0][:] = [100, 100, -100, -100]
    assert len(collapse_linear(deep).hidden_layer_sizes) == 2
    collapsed = collapse_linear(deep, X)
    assert collapsed.hidden_layer_sizes == (4,)
    assert_allclose(raw(collapsed, X), raw(deep, X), rtol=1e-9, atol=1e-11)
    deep.intercepts_[0][1] = threshold - deep.coefs_[0][:, 1] @ X[0]
    assert len(collapse_linear(deep, X).hidden_layer_sizes) == 2


PIECEWISE = [
    *(Identity(), ReLU(), LeakyReLU(0.2), PReLU(), ReLU6(), HardTanh(), HardSigmoid()),
    *(HardSwish(), Heaviside()),
]


@pytest.mark.parametrize("activation", PIECEWISE, ids=lambda a: type(a).__name__)
@pytest.mark.parametrize("place", [-7.5, -3.5, -1.5, -0.9, 0.4, 1.5, 3.5, 6.5, 8.0])
def test_factor_and_shift_are_those_of_the_activation(activation, place):
    z = place + np.array([[-0.25], [0.25]])
    slopes = np.array([activation.alpha]) if isinstance(activation, PReLU) else None
    found = line_of(activation, slopes, z, 1)
    values, derivatives = activation(z), activation.derivative(z)
    if found is None:
        assert isinstance(activation, HardSwish) or derivatives[0] != derivatives[1]
    else:
        assert_allclose(z * found[0] + found[1], values, rtol=1e-12, atol=1e-15)


def test_unit_that_is_always_zero_passes_the_threshold():
    assert line_of(Heaviside(), None, np.zeros((3, 1)), 1) == (0, 1)


def test_curved_activation_stays():
    assert line_of(ELU(), None, np.ones((3, 2)), 2) is None


def test_a_subclass_may_be_non_linear():
    class Bent(ReLU):
        pass

    assert line_of(Bent(), None, np.ones((3, 2)), 2) is None


def test_collapsed_regressor_predicts_in_units_of_y_and_can_be_trained_further():
    y = 1e6 + 1e5 * X[:, 0]
    model = MLPRegressor(hidden_layer_sizes=(4, 4), activation="identity", **QUICK).fit(X, y)
    collapsed = collapse_linear(model)
    assert_allclose(collapsed.predict(X), model.predict(X), rtol=1e-12)
    before = collapsed.coefs_[0].copy()
    collapsed.partial_fit(X, y)
    assert (collapsed.coefs_[0] != before).any()


def test_float32_networks_agree_to_their_rounding():
    deep = network(["identity", "relu"]).set_params(dtype="float32").fit(X, CLASSES)
    collapsed = collapse_linear(deep)
    assert collapsed.coefs_[0].dtype == np.float32
    assert_allclose(raw(collapsed, X), raw(deep, X), rtol=1e-4, atol=1e-6)


def test_original_is_left_alone():
    deep = network(["identity", "relu"])
    before = deepcopy(deep.coefs_)
    collapse_linear(deep).partial_fit(X, CLASSES)
    assert deep.hidden_layer_sizes == (4, 4)
    for one, other in zip(before, deep.coefs_, strict=True):
        assert (one == other).all()


def test_perceptron_comes_back_as_a_copy():
    perceptron = RosenblattPerceptron(10, random_state=0).fit(X, CLASSES)
    copied = collapse_linear(perceptron)
    assert copied is not perceptron
    assert (copied.predict(X) == perceptron.predict(X)).all()


def test_unfitted_estimators_and_others_are_refused():
    with pytest.raises(NotFittedError):
        collapse_linear(MLPBinaryClassifier())
    with pytest.raises(TypeError, match=r"got <class 'str'>"):
        collapse_linear("network")
