"""Penalties, decay and clipping in a step."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes

from skperceptron import MLPRegressor
from skperceptron.activations import Heaviside
from skperceptron.optimizers import SGD, AdamW, Lion
from skperceptron.training import update

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_diabetes(return_X_y=True)
X, Y = X[:60] * 20, (Y[:60] - 150) / 80
START = np.random.RandomState(3)
WEIGHTS = [START.normal(size=(10, 4)), START.normal(size=(4, 1))]
BIASES = [START.normal(size=4), START.normal(size=1)]
RATE = 0.01


def one_step(alpha=0.0, **options):
    """Return the weights and biases after one step of plain gradient descent."""
    model = MLPRegressor(
        hidden_layer_sizes=(4,),
        activation=options.pop("activation", "tanh"),
        solver=options.pop("solver", SGD(0.0, nesterov=False)),
        alpha=alpha,
        batch_size=60,
        max_iter=1,
        learning_rate_init=RATE,
        shuffle=False,
        dtype="float64",
        standardize_target=False,
        **options,
    )
    return model.fit(X, Y, coefs_init=WEIGHTS, intercepts_init=BIASES)


def steps_of(model):
    weights = [b - a for a, b in zip(WEIGHTS, model.coefs_, strict=True)]
    return weights, [b - a for a, b in zip(BIASES, model.intercepts_, strict=True)]


@pytest.fixture(params=[7, 65_536], ids=["short chunks", "one chunk"])
def chunks(request, monkeypatch):
    monkeypatch.setattr(update, "CHUNK", request.param)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
def test_penalty_is_an_elastic_net(l1_ratio, chunks):
    plain, found = one_step(), one_step(alpha=6.0, l1_ratio=l1_ratio)
    for free, pulled, weight in zip(plain.coefs_, found.coefs_, WEIGHTS, strict=True):
        pull = l1_ratio * np.sign(weight) + (1 - l1_ratio) * weight
        assert_allclose(pulled, free - RATE * 6.0 / 60 * pull, rtol=1e-12)
    for free, same in zip(plain.intercepts_, found.intercepts_, strict=True):
        assert_array_equal(same, free)
    sizes = sum(np.abs(w).sum() for w in WEIGHTS)
    squares = sum((w**2).sum() for w in WEIGHTS)
    penalty = 6.0 / 60 * (l1_ratio * sizes + (1 - l1_ratio) / 2 * squares)
    assert_allclose(found.loss_ - plain.loss_, penalty, rtol=1e-10)


def test_l1_brings_weights_of_useless_features_to_zero():
    rng = np.random.RandomState(0)
    noise = rng.normal(size=(300, 6))
    y = noise[:, 0] - 2 * noise[:, 1]
    sizes = {}
    for l1_ratio in (0.0, 1.0):
        model = MLPRegressor(
            hidden_layer_sizes=(),
            alpha=30,
            l1_ratio=l1_ratio,
            batch_size=300,
            random_state=0,
            learning_rate_init=0.01,
            max_iter=800,
            tol=0,
            dtype="float64",
            learning_rate="cosine",
            standardize_target=False,
        ).fit(noise, y)
        sizes[l1_ratio] = np.abs(model.coefs_[0][:, 0])
    assert (sizes[1.0][2:] < 1e-3).all() and (sizes[1.0][:2] > 0.5).all()
    assert (sizes[0.0][2:] > 1e-3).any()


@pytest.mark.parametrize("optimizer", [AdamW, Lion])
def test_decay_shrinks_weights_and_not_biases_before_the_step(optimizer, chunks):
    plain = one_step(solver=optimizer(weight_decay=0.0))
    found = one_step(solver=optimizer(weight_decay=2.0))
    for free, shrunk, weight in zip(plain.coefs_, found.coefs_, WEIGHTS, strict=True):
        assert_allclose(shrunk, free - RATE * 2.0 * weight, rtol=1e-10)
    for free, same in zip(plain.intercepts_, found.intercepts_, strict=True):
        assert_array_equal(same, free)


@pytest.mark.torch
def test_decay_and_clipping_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    n_steps, limit = 60, 0.3
    model = MLPRegressor(
        hidden_layer_sizes=(4,),
        activation="tanh",
        solver=AdamW(0.5),
        alpha=0.0,
        batch_size=60,
        max_iter=n_steps,
        tol=0,
        n_iter_no_change=n_steps,
        learning_rate_init=0.05,
        shuffle=False,
        dtype="float64",
        max_grad_norm=limit,
        standardize_target=False,
    ).fit(X, Y, coefs_init=WEIGHTS, intercepts_init=BIASES)
    layers = [torch.nn.Linear(10, 4).double(), torch.nn.Linear(4, 1).double()]
    with torch.no_grad():
        for layer, weight, bias in zip(layers, WEIGHTS, BIASES, strict=True):
            layer.weight.copy_(torch.tensor(weight.T))
            layer.bias.copy_(torch.tensor(bias))
    weights, biases = [layer.weight for layer in layers], [layer.bias for layer in layers]
    groups = [{"params": weights}, {"params": biases, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.05, weight_decay=0.5)
    rows, targets = torch.tensor(X), torch.tensor(Y)[:, None]
    for _ in range(n_steps):
        optimizer.zero_grad()
        output = layers[1](torch.tanh(layers[0](rows)))
        ((output - targets) ** 2).mean().mul(0.5).backward()
        torch.nn.utils.clip_grad_norm_([*weights, *biases], limit)
        optimizer.step()
    for found, expected in zip(model.coefs_, weights, strict=True):
        assert_allclose(found, expected.detach().numpy().T, rtol=1e-9, atol=1e-11)


def test_long_gradients_are_shortened_and_short_ones_are_not(chunks):
    weights, biases = steps_of(one_step(alpha=6.0))
    length = np.sqrt(sum((s**2).sum() for s in weights + biases)) / RATE
    for limit in (length / 3, length * 3):
        shortened = steps_of(one_step(alpha=6.0, max_grad_norm=limit))
        factor = min(1, limit / length)
        for step, short in zip(weights + biases, shortened[0] + shortened[1], strict=True):
            assert_allclose(short, factor * step, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:The gradient of Heaviside")
@pytest.mark.parametrize(
    "options", [{"alpha": 6.0, "l1_ratio": 0.5}, {"solver": AdamW(weight_decay=2.0)}], ids=repr
)
def test_weights_that_no_gradient_reaches_are_left_alone(options):
    model = one_step(activation=Heaviside(), **options)
    assert_array_equal(model.coefs_[0], WEIGHTS[0])
    assert not np.array_equal(model.coefs_[1], WEIGHTS[1])


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_batch_of_almost_no_weight_gives_no_warning_of_numpy():
    # The first row's penalty overflows beside its loss, whatever the second one weighs.
    network = MLPRegressor(hidden_layer_sizes=(2,), alpha=50.0, batch_size=1, random_state=0)
    try:
        network.partial_fit(np.eye(2), [0.0, 1.0], sample_weight=[1e-310, 1.0])
    except ValueError as error:
        assert "diverged" in str(error)
    else:
        assert np.isfinite(network.coefs_[0]).all()


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_weights_too_small_for_a_penalty_are_refused_without_a_warning_of_numpy():
    network = MLPRegressor(hidden_layer_sizes=(2,), alpha=50.0, max_iter=2)
    with pytest.raises(ValueError, match=r"alpha=50\.0 is divided by .* which is too small"):
        network.fit(np.eye(2), [0.0, 1.0], sample_weight=[1.2e-308, 1.2e-308])
