"""Every loss: its gradient, its inverse link, its mean, and that no float breaks it.

A new loss joins by being defined in ``skperceptron.losses``; one whose constructor needs
arguments is also named in ``ARGUMENTS``, one that refuses some targets in ``TARGETS``.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.base import clone
from sklearn.metrics import log_loss, mean_poisson_deviance, mean_squared_error

from skperceptron import losses
from skperceptron.losses import (
    BinaryLogLoss,
    CategoricalLogLoss,
    Loss,
    PoissonDeviance,
    ScaledSquaredError,
    SquaredError,
)

K, B, C = 2, 7, 3

ARGUMENTS = {"ScaledSquaredError": {"low": -2.0, "high": 5.0}}


def make(cls):
    return cls(**ARGUMENTS.get(cls.__name__, {}))


CLASSES = [
    value
    for name, value in sorted(vars(losses).items())
    if isinstance(value, type) and issubclass(value, Loss) and value is not Loss
    if not name.startswith("_")
]
EVERY_LOSS = pytest.mark.parametrize("loss", [make(cls) for cls in CLASSES], ids=repr)


def one_hot(rng, shape):
    return np.eye(shape[-1])[rng.randint(shape[-1], size=shape[:-1])]


#: Targets at the edge of what is allowed; elsewhere any real number is.
TARGETS = {
    "BinaryLogLoss": lambda rng, shape: rng.randint(2, size=shape).astype(float),
    "CategoricalLogLoss": one_hot,
    "PoissonDeviance": lambda rng, shape: rng.poisson(1.0, size=shape).astype(float),
    "ScaledSquaredError": lambda rng, shape: rng.randint(2, size=shape).astype(float),
}


def edge_targets(loss, rng, shape=(K, B, C)):
    draw = TARGETS.get(type(loss).__name__, lambda rng, shape: rng.normal(size=shape))
    return draw(rng, shape)


def inner_targets(loss, rng, shape=(K, B, C)):
    """Return targets that the inverse link can produce, in the network's units."""
    link = ScaledSquaredError(0.0, 1.0) if isinstance(loss, ScaledSquaredError) else loss
    y = rng.normal(size=shape)
    link.inverse_link(y, out=y)
    return y


KINDS_OF_TARGETS = pytest.mark.parametrize("targets", [edge_targets, inner_targets])


def evaluate(loss, raw, y):
    """Return each row's loss, and the gradient, from buffers full of NaN."""
    gradient, scratch = np.full((2, *raw.shape), np.nan, raw.dtype)
    kept = raw.copy(), y.copy()
    per_row = loss.losses(raw, y)
    assert_array_equal(raw, kept[0])
    loss.gradient(raw.copy(), y, gradient, scratch)
    assert_array_equal(y, kept[1])
    return per_row, gradient


@EVERY_LOSS
@KINDS_OF_TARGETS
def test_gradient_matches_central_differences(loss, targets):
    rng = np.random.RandomState(0)
    raw, y = rng.normal(scale=2, size=(K, B, C)), targets(loss, rng)
    _, gradient = evaluate(loss, raw, y)
    step = 1e-5
    for c in range(C):
        move = step * np.eye(C)[c]
        up, down = (evaluate(loss, raw + sign * move, y)[0] for sign in (1, -1))
        assert_allclose(gradient[..., c], (up - down) / (2 * step), rtol=1e-7, atol=1e-8)


@EVERY_LOSS
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_training_step_learns_the_gradient_and_keeps_what_the_loss_needs(loss, dtype):
    rng = np.random.RandomState(0)
    raw = rng.normal(scale=2, size=(K, B, C)).astype(dtype)
    y = edge_targets(loss, rng).astype(dtype)
    expected, gradient = evaluate(loss, raw, y)
    found, scratch = np.full((2, *raw.shape), np.nan, dtype)
    # A part of a larger array, as in training.
    evidence = np.full((K, 2 * B, C + 1), np.nan, dtype)[:, 1::2, : loss.evidence_width(C)]
    loss.learn(raw.copy(), y, found, scratch, evidence)
    assert_array_equal(found, gradient)
    assert_allclose(loss.losses_of(evidence, y), expected, rtol=20 * np.finfo(dtype).eps)


@EVERY_LOSS
def test_what_a_step_keeps_gives_a_finite_loss_for_hopeless_predictions(loss):
    y = edge_targets(loss, np.random.RandomState(0))
    raw = np.where(y > 0, -600.0, 600.0)
    evidence = np.empty((K, B, loss.evidence_width(C)))
    loss.learn(raw.copy(), y, np.empty_like(raw), np.empty_like(raw), evidence)
    assert np.isfinite(loss.losses_of(evidence, y)).all()


def pytorch_loss(torch, loss, raw, y):
    functional = torch.nn.functional
    if isinstance(loss, BinaryLogLoss):
        return functional.binary_cross_entropy_with_logits(raw, y, reduction="none").sum(-1)
    if isinstance(loss, CategoricalLogLoss):
        return -(y * functional.log_softmax(raw, dim=-1)).sum(-1)
    if isinstance(loss, PoissonDeviance):
        likelihood = functional.poisson_nll_loss(raw, y, log_input=True, reduction="none")
        return (likelihood + torch.xlogy(y, y) - y).sum(-1)
    predicted = torch.sigmoid(raw) if isinstance(loss, ScaledSquaredError) else raw
    return 0.5 * functional.mse_loss(predicted, y, reduction="none").sum(-1)


@pytest.mark.torch
@EVERY_LOSS
@KINDS_OF_TARGETS
def test_loss_and_gradient_equal_pytorch(loss, targets):
    torch = pytest.importorskip("torch")
    rng = np.random.RandomState(0)
    raw, y = rng.normal(scale=3, size=(K, B, C)), targets(loss, rng)
    per_row, gradient = evaluate(loss, raw, y)
    z = torch.tensor(raw, requires_grad=True)
    theirs = pytorch_loss(torch, loss, z, torch.tensor(y))
    theirs.sum().backward()
    assert_allclose(per_row, theirs.detach().numpy(), rtol=1e-12, atol=1e-13)
    assert_allclose(gradient, z.grad.numpy(), rtol=1e-12, atol=1e-13)


# exp(raw) itself is the prediction of a Poisson model: 1e4 lies beyond every float.
EXTREMES = [
    (make(cls), dtype, value)
    for cls in CLASSES
    for dtype in (np.float64, np.float32)
    for value in (-1e4, -700.0, 80.0, 700.0, 1e4)
    if cls is not PoissonDeviance or value <= (700 if dtype is np.float64 else 80)
]


@KINDS_OF_TARGETS
@pytest.mark.parametrize(("loss", "dtype", "value"), EXTREMES, ids=repr)
def test_loss_and_gradient_are_finite_at_extreme_predictions(loss, dtype, value, targets):
    rng = np.random.RandomState(0)
    y = targets(loss, rng).astype(dtype)
    one_large = np.zeros((K, B, C), dtype)
    one_large[..., 0] = value
    with np.errstate(all="raise", under="ignore"):
        for raw in (one_large, np.full((K, B, C), value, dtype)):
            per_row, gradient = evaluate(loss, raw, y)
            assert np.isfinite(per_row).all() and np.isfinite(gradient).all()
            assert (per_row > -1e-3).all()


@KINDS_OF_TARGETS
@pytest.mark.parametrize(("loss", "dtype", "value"), EXTREMES, ids=repr)
def test_mean_is_finite_at_extreme_predictions(loss, dtype, value, targets):
    y = targets(loss, np.random.RandomState(0), (B, C)).astype(dtype)
    with np.errstate(all="raise", under="ignore"):
        gradient = np.full((B, C), np.nan, dtype)
        assert np.isfinite(loss.mean(np.full((B, C), value, dtype), y, None, gradient))
    assert np.isfinite(gradient).all()


@EVERY_LOSS
@pytest.mark.parametrize("value", [-1e4, -700.0, 0.0, 700.0, 1e4])
def test_inverse_link_gives_valid_predictions_of_any_float(loss, value):
    if isinstance(loss, PoissonDeviance):
        value = min(value, 700.0)
    raw = np.zeros((B, C))
    raw[:, 0] = value
    predicted = np.empty_like(raw)
    with np.errstate(all="raise", under="ignore"):
        loss.inverse_link(raw, out=predicted)
    assert np.isfinite(predicted).all()
    low, high = {
        "logistic": (0, 1),
        "softmax": (0, 1),
        "exp": (0, np.inf),
        "scaled_logistic": (-2, 5),
        "identity": (-np.inf, np.inf),
    }[loss.out_activation]
    assert (predicted >= low).all() and (predicted <= high).all()
    if loss.out_activation == "softmax":
        assert_allclose(predicted.sum(axis=1), 1, rtol=1e-15)


@EVERY_LOSS
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_inverse_link_works_in_place_and_keeps_the_dtype(loss, dtype):
    raw = np.random.RandomState(0).normal(size=(B, C)).astype(dtype)
    kept, predicted = raw.copy(), np.empty_like(raw)
    loss.inverse_link(raw, out=predicted)
    assert_array_equal(raw, kept)
    loss.inverse_link(raw, out=raw)
    assert_array_equal(raw, predicted)
    assert raw.dtype == dtype


@EVERY_LOSS
def test_loss_vanishes_where_the_prediction_is_the_target_or_is_least_there(loss):
    rng = np.random.RandomState(0)
    raw = rng.normal(size=(K, B, C))
    link = ScaledSquaredError(0.0, 1.0) if isinstance(loss, ScaledSquaredError) else loss
    y = np.empty_like(raw)
    link.inverse_link(raw, out=y)
    best, gradient = evaluate(loss, raw, y)
    assert_allclose(gradient, 0, atol=1e-14)
    for _ in range(20):
        other, _ = evaluate(loss, raw + rng.normal(scale=0.3, size=raw.shape), y)
        assert (other >= best).all()


@EVERY_LOSS
def test_best_constant_model_predicts_the_weighted_mean_of_the_targets(loss):
    """All these losses are proper for the mean: at z with link(z) = mean, the gradient is 0."""
    rng = np.random.RandomState(0)
    weight = rng.uniform(0.1, 3, size=400)
    y = edge_targets(loss, rng, (400, C))
    z = np.zeros((1, C))
    for _ in range(20_000):
        raw = np.repeat(z[np.newaxis], 400, axis=1)
        _, gradient = evaluate(loss, raw, y[np.newaxis])
        mean_gradient = np.average(gradient[0], axis=0, weights=weight)
        if np.abs(mean_gradient).max() < 1e-11:
            break
        z -= mean_gradient
    link = ScaledSquaredError(0.0, 1.0) if isinstance(loss, ScaledSquaredError) else loss
    predicted = np.empty_like(z)
    link.inverse_link(z, out=predicted)
    assert_allclose(predicted[0], np.average(y, axis=0, weights=weight), rtol=1e-8)


@EVERY_LOSS
@KINDS_OF_TARGETS
def test_mean_is_the_average_of_the_rows(loss, targets):
    rng = np.random.RandomState(0)
    raw, y = rng.normal(size=(B, C)), targets(loss, rng, (B, C))
    weight = rng.uniform(0.1, 3, size=B)
    kept = raw.copy(), y.copy()
    (per_row,), (gradient,) = evaluate(loss, raw[np.newaxis], y[np.newaxis])
    per_row = per_row / (C if loss.averages_outputs else 1)
    assert_allclose(loss.mean(raw, y), per_row.mean(), rtol=1e-12)
    assert_allclose(loss.mean(raw, y, weight), np.average(per_row, weights=weight), rtol=1e-12)
    received = np.empty_like(raw)
    loss.mean(raw, y, weight, received)
    assert_allclose(received, gradient, rtol=1e-12, atol=1e-14)
    assert_array_equal(raw, kept[0])
    assert_array_equal(y, kept[1])


@EVERY_LOSS
@KINDS_OF_TARGETS
def test_integer_weights_equal_repetitions(loss, targets):
    rng = np.random.RandomState(0)
    raw, y = rng.normal(size=(B, C)), targets(loss, rng, (B, C))
    times = np.array([0, 1, 2, 3, 1, 0, 5])
    repeated = loss.mean(raw.repeat(times, axis=0), y.repeat(times, axis=0))
    assert_allclose(loss.mean(raw, y, times.astype(float)), repeated, rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_means_equal_the_metrics_of_scikit_learn(weighted):
    rng = np.random.RandomState(0)
    n = 50
    weight = rng.uniform(0.1, 3, size=n) if weighted else None
    raw = rng.normal(scale=2, size=(n, C))
    column = raw[:, :1]

    labels = rng.randint(2, size=(n, 1)).astype(float)
    expected = log_loss(labels[:, 0], expit(column[:, 0]), sample_weight=weight)
    assert_allclose(BinaryLogLoss().mean(column, labels, weight), expected, rtol=1e-12)

    codes = rng.randint(C, size=n)
    probability = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    expected = log_loss(codes, probability, sample_weight=weight, labels=range(C))
    assert_allclose(CategoricalLogLoss().mean(raw, np.eye(C)[codes], weight), expected, rtol=1e-12)

    y = rng.normal(size=(n, C))
    expected = mean_squared_error(y, raw, sample_weight=weight) / 2
    assert_allclose(SquaredError().mean(raw, y, weight), expected, rtol=1e-12)

    loss = ScaledSquaredError(-2.0, 5.0)
    shares = rng.uniform(size=(n, C))
    predicted = np.empty_like(raw)
    loss.inverse_link(raw, out=predicted)
    in_units = mean_squared_error(-2 + 7 * shares, predicted, sample_weight=weight)
    assert_allclose(loss.mean(raw, shares, weight), in_units / 2 / 7**2, rtol=1e-12)

    counts = rng.poisson(1.0, size=(n, 1)).astype(float)
    expected = mean_poisson_deviance(counts, np.exp(column), sample_weight=weight) / 2
    assert_allclose(PoissonDeviance().mean(column, counts, weight), expected, rtol=1e-12)


@EVERY_LOSS
def test_float32_agrees_with_float64_to_single_precision(loss):
    rng = np.random.RandomState(0)
    raw, y = rng.normal(scale=2, size=(K, B, C)), inner_targets(loss, rng)
    single = evaluate(loss, raw.astype(np.float32), y.astype(np.float32))
    for found, expected in zip(single, evaluate(loss, raw, y), strict=True):
        assert found.dtype == np.float32
        assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@EVERY_LOSS
def test_members_and_rows_do_not_touch_each_other(loss):
    rng = np.random.RandomState(0)
    raw, y = rng.normal(size=(K, B, C)), edge_targets(loss, rng)
    per_row, gradient = evaluate(loss, raw, y)
    for k in range(K):
        for b in range(B):
            alone = evaluate(loss, raw[k : k + 1, b : b + 1], y[k : k + 1, b : b + 1])
            assert_allclose(alone[0][0, 0], per_row[k, b], rtol=1e-14, atol=1e-15)
            assert_allclose(alone[1][0, 0], gradient[k, b], rtol=1e-14, atol=1e-15)


@EVERY_LOSS
def test_loss_is_a_scikit_learn_object_with_a_named_link(loss):
    assert clone(loss).get_params() == loss.get_params()
    assert loss.out_activation in {"logistic", "softmax", "identity", "exp", "scaled_logistic"}


@pytest.mark.parametrize(
    ("missing", "n_arrays"), [("inverse_link", 2), ("losses", 2), ("gradient", 4)]
)
def test_base_loss_defines_nothing(missing, n_arrays):
    with pytest.raises(NotImplementedError):
        getattr(Loss(), missing)(*[np.zeros((1, 1, 1))] * n_arrays)


def test_sigmoid_and_softmax_of_two_classes_are_the_same_model():
    rng = np.random.RandomState(0)
    z, labels = rng.normal(size=(1, B, 1)), rng.randint(2, size=(1, B, 1)).astype(float)
    binary, binary_gradient = evaluate(BinaryLogLoss(), z, labels)
    logits = np.concatenate([np.zeros_like(z), z], axis=2)
    both = np.concatenate([1 - labels, labels], axis=2)
    softmax, softmax_gradient = evaluate(CategoricalLogLoss(), logits, both)
    assert_allclose(softmax, binary, rtol=1e-12)
    assert_allclose(softmax_gradient[..., 1:], binary_gradient, rtol=1e-12)


@pytest.mark.parametrize("raw", [-1e308, 1e308])
def test_bounded_prediction_never_leaves_its_range_by_rounding(raw):
    loss = ScaledSquaredError(0.1, 0.7)
    predicted = np.full((1, 1), raw)
    loss.inverse_link(predicted, out=predicted)
    assert predicted[0, 0] == (0.1 if raw < 0 else 0.7)
