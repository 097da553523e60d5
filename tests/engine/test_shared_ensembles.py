"""Networks that share weights: their rows are stacked in one batch, and each has its own loss."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit, logit, softmax

from skperceptron.activations import Tanh
from skperceptron.engine import InputBlocks, TrainingPass, Workspace, multilayer_perceptron
from skperceptron.engine.blocks import Average
from skperceptron.engine.prediction import predict_raw

M, B, D, C = 3, 5, 4, 2


def network_of(hidden=(6, 6), skips="none", link="identity"):
    activations = [[Tanh()]] * len(hidden)
    scaled = InputBlocks(scales=True)
    return multilayer_perceptron(
        D, hidden, C, activations, skips, input_blocks=scaled, n_networks=M, link=link
    )


def data_for(network, n_members=2, seed=0):
    rng = np.random.RandomState(seed)
    vectors = rng.normal(size=(n_members, network.n_parameters))
    x = rng.normal(size=(n_members, B, D))
    return vectors, x, rng.normal(size=(n_members, M * B, C))


def by_hand(network, vector, x, skips="none"):
    """Compute the outputs of each network by itself, (M, B, C)."""
    kept = network.by_attribute(network.views(vector[np.newaxis]))
    adapters, found = iter(kept["adapters_"]), []
    layers = list(zip(kept["coefs_"][:-1], kept["intercepts_"][:-1], strict=True))
    values = [x * kept["feature_scales_"][0]] * M
    if not layers:
        factors = next(adapters)
        values = [value * factors[i] for i, value in enumerate(values)]
    for weight, bias in layers:
        into, out, shift = (next(adapters) for _ in range(3))
        before = values
        values = [
            np.tanh(((value * into[i]) @ weight + bias) * out[i] + shift[i])
            for i, value in enumerate(values)
        ]
        if skips == "residual" and before[0].shape == values[0].shape:
            values = [a + b for a, b in zip(values, before, strict=True)]
    last = np.split(kept["coefs_"][-1], M)
    found = [value @ last[i] + kept["intercepts_"][-1][i] for i, value in enumerate(values)]
    return np.array(found)


def trained(network, vectors, x, **options):
    gradient = np.full_like(vectors, np.nan)
    training = TrainingPass(network.views(gradient), **options)
    work = Workspace(network, network.views(vectors), B, training)
    work.inputs["x"].array[:] = x
    work.forward()
    return work, gradient


@pytest.mark.parametrize("hidden", [(), (6,), (6, 6)])
@pytest.mark.parametrize("skips", ["none", "residual"])
def test_training_computes_each_network_and_predicting_their_mean(hidden, skips):
    network = network_of(hidden, skips)
    vectors, x, _ = data_for(network)
    work, _ = trained(network, vectors, x)
    for k, vector in enumerate(vectors):
        expected = by_hand(network, vector, x[k], skips)
        assert_allclose(work.raw[k].reshape(M, B, C), expected, rtol=1e-10)
        raw = predict_raw(network, network.views(vector[np.newaxis]), x[k])
        assert_allclose(raw, expected.mean(axis=0), rtol=1e-10)


@pytest.mark.parametrize("like_numpy", [False, True])
@pytest.mark.parametrize("skips", ["none", "residual"])
def test_gradients_match_differences(skips, like_numpy):
    network = network_of(skips=skips)
    vectors, x, direction = data_for(network)
    work, gradient = trained(
        network, vectors, x, input_gradients=True, like_numpy=like_numpy, noise=[None, None]
    )
    work.delta[:] = direction
    work.backward()

    def value(moved):
        work, _ = trained(network, moved[np.newaxis], x[:1])
        return float((work.raw * direction[:1]).sum())

    for j in range(network.n_parameters):
        step = np.zeros(network.n_parameters)
        step[j] = 1e-5
        expected = (value(vectors[0] + step) - value(vectors[0] - step)) / 2e-5
        assert_allclose(gradient[0, j], expected, rtol=1e-5, atol=1e-7)


def test_a_network_of_a_stack_equals_the_same_alone():
    network = network_of()
    vectors, x, direction = data_for(network, n_members=3)
    work, gradient = trained(network, vectors, x)
    work.delta[:] = direction
    work.backward()
    for k in range(3):
        alone, own = trained(network, vectors[k : k + 1], x[k : k + 1])
        alone.delta[:] = direction[k : k + 1]
        alone.backward()
        assert_allclose(alone.raw[0], work.raw[k], rtol=1e-12)
        assert_allclose(own[0], gradient[k], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("link", "predicted", "raw_of"),
    [
        ("softmax", lambda z: softmax(z, axis=-1), lambda p: np.log(p)),
        ("logistic", expit, logit),
        ("identity", lambda z: z, lambda z: z),
    ],
)
def test_predictions_are_averaged_not_what_they_are_made_from(link, predicted, raw_of):
    x = np.random.RandomState(0).normal(scale=3, size=(2, M * B, C))
    out = np.empty((2, B, C))
    Average(M, C, link).average(x, out)
    mean = predicted(x.reshape(2, M, B, C)).mean(axis=1)
    assert_allclose(predicted(out), mean, rtol=1e-10)
    if link != "softmax":
        assert_allclose(out, raw_of(mean), rtol=1e-9)


def test_certain_predictions_stay_finite():
    x = np.full((1, M * B, C), 800.0)
    x[..., 1] *= -1
    for link in ("softmax", "logistic"):
        out = np.empty((1, B, C))
        Average(M, C, link).average(x, out)
        assert_allclose(out[..., 0] - out[..., 1], 1600.0)
