"""Every loss: its gradient, its inverse link, its mean, and that all floats are handled.

A new loss is found in ``skperceptron.losses``; it needs its formula in ``TEXTBOOK``. Parameters
far from the defaults, and arguments without a default, are listed in ``VARIANTS``.
"""

import inspect
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal, assert_array_max_ulp
from scipy.special import expit, softmax
from scipy.stats import norm
from sklearn.base import clone
from sklearn.metrics import (
    log_loss,
    mean_gamma_deviance,
    mean_pinball_loss,
    mean_poisson_deviance,
    mean_squared_error,
)

from skperceptron import losses
from skperceptron.losses import (
    AbsoluteError,
    BinaryFocalLoss,
    BinaryLogLoss,
    CategoricalFocalLoss,
    CategoricalLogLoss,
    GammaDeviance,
    GaussianNLL,
    Huber,
    Interval,
    Loss,
    OrdinalLogLoss,
    Pinball,
    PoissonDeviance,
    ScaledSquaredError,
    SquaredError,
    get_loss,
    list_losses,
)

K, B, C = 2, 7, 3

VARIANTS = [
    BinaryLogLoss(label_smoothing=0.2),
    CategoricalLogLoss(label_smoothing=0.2),
    BinaryFocalLoss(gamma=0.5, alpha=0.25),
    CategoricalFocalLoss(gamma=0.5, alpha=[0.2, 1.0, 3.0]),
    CategoricalFocalLoss(gamma=0.0),
    OrdinalLogLoss(order=[2, 0, 1, 3]),
    Huber(delta=0.3),
    Pinball(0.8),
    Pinball([0.1, 0.5, 0.95]),
    ScaledSquaredError(low=-2.0, high=5.0),
]

CLASSES = [
    value
    for name, value in sorted(vars(losses).items())
    if isinstance(value, type) and issubclass(value, Loss) and value is not Loss
    if not name.startswith("_")
]
LOSSES = [cls() for cls in CLASSES if cls is not ScaledSquaredError] + VARIANTS
EVERY_LOSS = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def edge_targets(loss, rng, shape=(K, B, C)):
    """Return targets at the edges of the allowed range, or any numbers if it has none."""
    if loss.task == "multiclass":
        return np.eye(shape[-1])[rng.randint(shape[-1], size=shape[:-1])]
    if loss.task == "ordinal":
        return np.tri(shape[-1] + 1, shape[-1], -1)[rng.randint(shape[-1] + 1, size=shape[:-1])]
    if loss.task in ("binary", "bounded"):
        return rng.randint(2, size=shape).astype(float)
    if loss.target_interval.contains(0) and not loss.target_interval.contains(-1):
        return rng.poisson(1.0, size=shape).astype(float)
    if not loss.target_interval.contains(0):
        return rng.gamma(0.5, size=shape) + 1e-3
    return rng.normal(size=shape)


def inner_targets(loss, rng, shape=(K, B, C)):
    """Return targets that the inverse link can produce, in the network's units."""
    if isinstance(loss, BinaryFocalLoss | CategoricalFocalLoss):
        return edge_targets(loss, rng, shape)
    y = rng.normal(size=shape)
    if loss.outputs_per_target == 1:
        link_of(loss).inverse_link(y, out=y)
    return y


def link_of(loss):
    """Return the loss whose inverse link gives the network's units."""
    return ScaledSquaredError(0.0, 1.0) if isinstance(loss, ScaledSquaredError) else loss


def raw_predictions(loss, rng, shape=(K, B), scale=1.0):
    return rng.normal(scale=scale, size=(*shape, C * loss.outputs_per_target))


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


# The textbook: the formula of each loss, term by term, in the widest float of NumPy.


def log_sigmoid(z):
    return -np.logaddexp(0, -z)


def log_softmax(z):
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def smoothed(loss, y, n_classes):
    return y * (1 - loss.label_smoothing) + loss.label_smoothing / n_classes


def textbook_binary_log_loss(loss, z, y):
    y = smoothed(loss, y, 2)
    return -y * log_sigmoid(z) - (1 - y) * log_sigmoid(-z)


def textbook_categorical_log_loss(loss, z, y):
    return -smoothed(loss, y, C) * log_softmax(z)


def textbook_binary_focal_loss(loss, z, y):
    """Lin et al. (2017), equations 4 and 5."""
    log_p = np.where(y == 1, log_sigmoid(z), log_sigmoid(-z))
    alpha = 1 if loss.alpha is None else np.where(y == 1, loss.alpha, 1 - loss.alpha)
    return -alpha * (1 - np.exp(log_p)) ** loss.gamma * log_p


def textbook_categorical_focal_loss(loss, z, y):
    """Lin et al. (2017), for the probability of the right class."""
    alpha = np.ones(C) if loss.alpha is None else np.array(loss.alpha)
    return -y * alpha * (1 - np.exp(log_softmax(z))) ** loss.gamma * log_softmax(z)


def textbook_ordinal(loss, z, y):
    """McCullagh (1980): differences of the probabilities that the class is at most j."""
    logits = np.cumsum(np.concatenate([z[..., :1], np.logaddexp(0, z[..., 1:])], axis=-1), axis=-1)
    at_most = np.concatenate([1 / (1 + np.exp(-logits)), np.ones_like(z[..., :1])], axis=-1)
    y = np.concatenate([np.ones_like(y[..., :1]), y, np.zeros_like(y[..., :1])], axis=-1)
    return (y[..., 1:] - y[..., :-1]) * np.log(np.diff(at_most, axis=-1, prepend=0))


def textbook_huber(loss, z, y):
    error = abs(z - y)
    return np.where(error <= loss.delta, error**2 / 2, loss.delta * (error - loss.delta / 2))


def textbook_pinball(loss, z, y):
    quantiles = np.atleast_1d(loss.quantile)
    error = y[..., np.newaxis] - z.reshape(*y.shape, len(quantiles))
    return np.where(error > 0, quantiles * error, (quantiles - 1) * error).sum(axis=-1)


def textbook_gaussian(loss, z, y):
    """The negative logarithm of the density, without its constant."""
    mean, log_variance = z[..., 0::2], z[..., 1::2]
    return (log_variance + (y - mean) ** 2 / np.exp(log_variance)) / 2


def textbook_poisson(loss, z, y):
    y_log_y = y * np.log(np.where(y == 0, 1, y))
    return y_log_y - y * z - y + np.exp(z)


#: An independent formula for every class: the terms of each row, (..., T), which are summed. All
#: of them are exact for raw predictions of ordinary size.
TEXTBOOK = {
    AbsoluteError: lambda loss, z, y: abs(z - y),
    BinaryFocalLoss: textbook_binary_focal_loss,
    BinaryLogLoss: textbook_binary_log_loss,
    CategoricalFocalLoss: textbook_categorical_focal_loss,
    CategoricalLogLoss: textbook_categorical_log_loss,
    GammaDeviance: lambda loss, z, y: z - np.log(y) + y * np.exp(-z) - 1,
    GaussianNLL: textbook_gaussian,
    Huber: textbook_huber,
    OrdinalLogLoss: textbook_ordinal,
    Pinball: textbook_pinball,
    PoissonDeviance: textbook_poisson,
    ScaledSquaredError: lambda loss, z, y: (1 / (1 + np.exp(-z)) - y) ** 2 / 2,
    SquaredError: lambda loss, z, y: (z - y) ** 2 / 2,
}


#: On Windows and on macOS with ARM, such numbers have 64 bits, and formulas lose some digits.
LOST = 1 if np.finfo(np.longdouble).bits > 64 else 100


def textbook(loss, raw, y):
    """Return the loss of each row."""
    raw, y = raw.astype(np.longdouble), y.astype(np.longdouble)
    return TEXTBOOK[type(loss)](loss, raw, y).sum(axis=-1)


def test_every_loss_has_an_independent_formula():
    assert set(TEXTBOOK) == set(CLASSES)


def test_every_parameter_of_every_loss_is_tested_off_its_default():
    for cls in CLASSES:
        tested = [loss.get_params() for loss in VARIANTS if type(loss) is cls]
        for name, parameter in inspect.signature(cls).parameters.items():
            values = [parameters[name] for parameters in tested]
            assert any(value != parameter.default for value in values), (cls, name)


@EVERY_LOSS
@KINDS_OF_TARGETS
def test_loss_is_that_of_the_formula(loss, targets):
    rng = np.random.RandomState(0)
    raw, y = raw_predictions(loss, rng, scale=3), targets(loss, rng)
    per_row, _ = evaluate(loss, raw, y)
    assert_allclose(per_row, textbook(loss, raw, y).astype(float), rtol=LOST * 1e-12, atol=1e-13)


@EVERY_LOSS
@KINDS_OF_TARGETS
def test_gradient_matches_central_differences_of_the_formula(loss, targets):
    rng = np.random.RandomState(0)
    raw, y = raw_predictions(loss, rng, scale=2), targets(loss, rng)
    _, gradient = evaluate(loss, raw, y)
    step = 1e-5
    for c in range(raw.shape[-1]):
        move = step * np.eye(raw.shape[-1])[c]
        up, down = (textbook(loss, raw + sign * move, y) for sign in (1, -1))
        expected = ((up - down) / (2 * step)).astype(float)
        assert_allclose(gradient[..., c], expected, rtol=LOST * 1e-7, atol=1e-8)


@EVERY_LOSS
def test_a_step_allocates_almost_nothing(loss, peak_of):
    rng = np.random.RandomState(0)
    raw, y = raw_predictions(loss, rng, (1, 40_000)), edge_targets(loss, rng, (1, 40_000, C))
    out, scratch = np.empty_like(raw), np.empty_like(raw)
    # Allowed are NumPy's chunks for casts, and one class weight per row.
    assert peak_of(lambda: loss.gradient(raw, y, out, scratch)) < 0.4 * raw.nbytes


@EVERY_LOSS
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gradient_does_not_depend_on_how_arrays_lie_in_memory(loss, dtype):
    rng = np.random.RandomState(0)
    raw = raw_predictions(loss, rng, scale=2).astype(dtype)
    y = edge_targets(loss, rng).astype(dtype)
    _, gradient = evaluate(loss, raw, y)
    out, scratch = (outputs_first(np.full_like(raw, np.nan)) for _ in range(2))
    loss.gradient(outputs_first(raw), outputs_first(y), out, scratch)
    assert_array_equal(out, gradient)
    # NumPy may add the outputs of a row in another order, depending on the processor.
    losses = loss.losses(outputs_first(raw), outputs_first(y)), loss.losses(raw, y)
    assert_array_max_ulp(*losses, maxulp=4)


def outputs_first(array):
    """Return a copy whose memory has the shape (K, C, B), as in training."""
    return np.ascontiguousarray(array.swapaxes(1, 2)).swapaxes(1, 2)


@EVERY_LOSS
def test_loss_of_hopeless_predictions_is_finite(loss):
    y = edge_targets(loss, np.random.RandomState(0))
    raw = np.repeat(np.where(y > 0, -600.0, 600.0), loss.outputs_per_target, axis=-1)
    assert np.isfinite(loss.losses(raw, y)).all()


@pytest.mark.torch
@EVERY_LOSS
@KINDS_OF_TARGETS
def test_loss_and_gradient_equal_pytorch(loss, targets, loss_in_pytorch):
    import torch

    rng = np.random.RandomState(0)
    raw, y = raw_predictions(loss, rng, scale=3), targets(loss, rng)
    per_row, gradient = evaluate(loss, raw, y)
    z = torch.tensor(raw, requires_grad=True)
    theirs = loss_in_pytorch(loss, z, torch.tensor(y))
    theirs.sum().backward()
    assert_allclose(per_row, theirs.detach().numpy(), rtol=1e-12, atol=1e-13)
    assert_allclose(gradient, z.grad.numpy(), rtol=1e-12, atol=1e-13)


EXTREMES = (-1e4, -700.0, 80.0, 700.0, 1e4)
BOTH_DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32])


@EVERY_LOSS
@KINDS_OF_TARGETS
@BOTH_DTYPES
def test_loss_gradient_and_mean_are_finite_at_extreme_predictions(loss, dtype, targets):
    y = targets(loss, np.random.RandomState(0)).astype(dtype)
    for value in EXTREMES:
        flat = np.full((K, B, C * loss.outputs_per_target), value, dtype)
        one_large = np.zeros_like(flat)
        one_large[..., 0] = value
        with np.errstate(all="raise", under="ignore"):
            for raw in (one_large, flat):
                per_row, gradient = evaluate(loss, raw, y)
                assert np.isfinite(per_row).all() and np.isfinite(gradient).all()
                assert (per_row > -1e-3).all()
                received = np.full_like(raw[0], np.nan)
                assert np.isfinite(loss.mean(raw[0], y[0], None, received))
                assert np.isfinite(received).all()


def of_all_sizes(loss, dtype, targets):
    """Return targets, and raw predictions for them: usual, extreme and large ones."""
    rng = np.random.RandomState(0)
    y = targets(loss, rng).astype(dtype)
    usual = raw_predictions(loss, rng, scale=2).astype(dtype)
    return y, usual, *(np.full_like(usual, value) for value in EXTREMES), 300 * usual


@EVERY_LOSS
@KINDS_OF_TARGETS
@BOTH_DTYPES
def test_calls_of_a_step_write_the_same_gradient(loss, dtype, targets):
    y, *predictions = of_all_sizes(loss, dtype, targets)
    for raw in predictions:
        _, gradient = evaluate(loss, raw, y)
        out, scratch = np.full((2, *raw.shape), np.nan, dtype)
        with np.errstate(over="ignore"):
            for call in loss.gradient_calls(raw.copy(), y, out, scratch):
                call()
        assert_array_equal(out, gradient)


NOTING_LOSSES = [loss for loss in LOSSES if loss.n_notes]


@pytest.mark.parametrize("loss", NOTING_LOSSES, ids=repr)
@KINDS_OF_TARGETS
@BOTH_DTYPES
def test_notes_of_a_step_give_its_gradient_and_its_losses(loss, dtype, targets):
    y, *predictions = of_all_sizes(loss, dtype, targets)
    for raw in predictions:
        out, scratch, other = np.full((3, *raw.shape), np.nan, dtype)
        notes = np.full((loss.n_notes, *raw.shape[:2]), np.nan, dtype).transpose(1, 2, 0)
        with np.errstate(over="ignore"):
            for call in loss.noting_calls(raw.copy(), y, out, scratch, notes):
                call()
            for call in loss.gradient_calls(raw.copy(), y, other, scratch):
                call()
            losses_of_rows = loss.losses(raw, y)
        assert_array_equal(out, other)
        tolerance = 4 * np.finfo(dtype).eps
        assert_allclose(loss.noted_losses(raw, y, notes), losses_of_rows, tolerance, tolerance)


def test_some_losses_take_notes():
    assert NOTING_LOSSES


@pytest.mark.parametrize("name", ["losses", "gradient", "gradient_calls"])
def test_class_that_redefines_what_notes_are_of_takes_none(name):
    base = losses.CategoricalLogLoss
    cls = type("Redefined", (base,), {name: lambda self, *args: getattr(base, name)(self, *args)})
    assert cls().n_notes == 0
    assert type("Same", (base,), {})().n_notes == base.n_notes


@EVERY_LOSS
@BOTH_DTYPES
def test_inverse_link_gives_valid_predictions_of_any_float(loss, dtype):
    low, high = {
        "logistic": (0, 1),
        "softmax": (0, 1),
        "cumulative": (0, 1),
        "exp": (0, np.inf),
        "scaled_logistic": (-2, 5),
        "identity": (-np.inf, np.inf),
    }[loss.out_activation]
    for value in (0.0, *EXTREMES):
        raw = np.zeros((B, C * loss.outputs_per_target), dtype)
        raw[:, :: C - 1] = value
        predicted = np.empty_like(raw)
        with np.errstate(all="raise", under="ignore"):
            loss.inverse_link(raw, out=predicted)
        assert np.isfinite(predicted).all()
        assert (predicted >= low).all() and (predicted <= high).all()
        if loss.out_activation == "softmax":
            assert_allclose(predicted.sum(axis=1), 1, rtol=10 * np.finfo(dtype).eps)


@EVERY_LOSS
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_inverse_link_works_in_place_and_keeps_the_dtype(loss, dtype):
    raw = raw_predictions(loss, np.random.RandomState(0), (B,)).astype(dtype)
    kept, predicted = raw.copy(), np.empty_like(raw)
    loss.inverse_link(raw, out=predicted)
    assert_array_equal(raw, kept)
    loss.inverse_link(raw, out=raw)
    assert_array_equal(raw, predicted)
    assert raw.dtype == dtype


#: Losses of one output per target whose best prediction is the target itself.
EXACT = [
    BinaryLogLoss(),
    CategoricalLogLoss(),
    SquaredError(),
    AbsoluteError(),
    Huber(0.3),
    ScaledSquaredError(low=-2.0, high=5.0),
    PoissonDeviance(),
    GammaDeviance(),
]


@pytest.mark.parametrize("loss", EXACT, ids=repr)
def test_loss_vanishes_where_the_prediction_is_the_target_or_is_least_there(loss):
    rng = np.random.RandomState(0)
    raw = rng.normal(size=(K, B, C))
    y = np.empty_like(raw)
    link_of(loss).inverse_link(raw, out=y)
    best, gradient = evaluate(loss, raw, y)
    assert_allclose(gradient, 0, atol=1e-14)
    for _ in range(20):
        other, _ = evaluate(loss, raw + rng.normal(scale=0.3, size=raw.shape), y)
        assert (other >= best).all()


OF_THE_MEAN = [loss for loss in EXACT if not isinstance(loss, AbsoluteError | Huber)]


@pytest.mark.parametrize("loss", OF_THE_MEAN, ids=repr)
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
    predicted = np.empty_like(z)
    link_of(loss).inverse_link(z, out=predicted)
    assert_allclose(predicted[0], np.average(y, axis=0, weights=weight), rtol=1e-8)


def weighted_quantile(y, weight, quantile):
    order = np.argsort(y)
    reached = np.cumsum(weight[order]) >= quantile * weight.sum()
    return y[order][reached.argmax()]


def logit(p):
    return np.log(p / (1 - p))


def best_log_odds(share, loss):
    """Return the log-odds that minimize the expected focal loss of a class with this share."""
    z = np.linspace(-5, 5, 400_001)
    likes = np.logaddexp(0, -z) * expit(-z) ** loss.gamma
    return z[(share * likes + (1 - share) * likes[::-1]).argmin()]


def gaussian_moments(y, weight):
    mean = np.average(y, weights=weight)
    return [mean, np.log(np.average((y - mean) ** 2, weights=weight))]


#: Name: loss, kind of targets, and the constant raw prediction that minimizes the loss, computed
#: from y and weights. A loss whose minimum is not at the mean may have an entry here.
STATISTICS = {
    "absolute": (AbsoluteError(), "real", lambda y, w: weighted_quantile(y, w, 0.5)),
    "pinball": (Pinball(0.8), "real", lambda y, w: weighted_quantile(y, w, 0.8)),
    "pinballs": (
        Pinball([0.1, 0.5, 0.9]),
        "real",
        lambda y, w: [weighted_quantile(y, w, q) for q in (0.1, 0.5, 0.9)],
    ),
    "nearly squared": (Huber(1e3), "real", lambda y, w: np.average(y, weights=w)),
    "nearly absolute": (Huber(1e-9), "real", lambda y, w: weighted_quantile(y, w, 0.5)),
    "gaussian": (GaussianNLL(), "real", gaussian_moments),
    "gamma": (GammaDeviance(), "positive", lambda y, w: np.log(np.average(y, weights=w))),
    "smoothed": (
        BinaryLogLoss(0.2),
        "binary",
        lambda y, w: logit(0.8 * np.average(y, weights=w) + 0.1),
    ),
    "focal": (
        BinaryFocalLoss(1.5),
        "binary",
        lambda y, w: best_log_odds(np.average(y, weights=w), BinaryFocalLoss(1.5)),
    ),
}


@pytest.mark.parametrize("name", STATISTICS)
def test_best_constant_model_predicts_the_right_statistic(name):
    loss, kind, statistic = STATISTICS[name]
    rng = np.random.RandomState(0)
    y = {
        "real": lambda: rng.gamma(2.0, size=101) - 2,
        "positive": lambda: rng.gamma(2.0, size=101),
        "binary": lambda: (rng.uniform(size=101) < 0.3).astype(float),
    }[kind]()
    weight = rng.uniform(0.1, 3, size=101)
    best = np.atleast_1d(statistic(y, weight))

    def of(raw):
        return loss.mean(np.tile(raw, (101, 1)), y[:, np.newaxis], weight)

    least = of(best)
    for size in (1e-3, 1e-2, 0.1, 1.0):
        for move in size * rng.normal(size=(20, len(best))):
            assert of(best + move) >= least - 1e-12


def test_smoothed_softmax_is_least_at_the_smoothed_shares():
    shares = np.array([0.6, 0.3, 0.1])
    y = np.eye(3).repeat((6, 3, 1), axis=0)
    raw = np.tile(np.log(0.8 * shares + 0.2 / 3), (10, 1))
    gradient = np.empty_like(raw)
    CategoricalLogLoss(0.2).mean(raw, y, None, gradient)
    assert_allclose(gradient.mean(axis=0), 0, atol=1e-15)


@EVERY_LOSS
@KINDS_OF_TARGETS
def test_mean_is_the_average_of_the_rows(loss, targets):
    rng = np.random.RandomState(0)
    raw, y = raw_predictions(loss, rng, (B,)), targets(loss, rng, (B, C))
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
    raw, y = raw_predictions(loss, rng, (B,)), targets(loss, rng, (B, C))
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
    probability = softmax(raw, axis=1)
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


@pytest.mark.parametrize(("loss", "sign"), [(PoissonDeviance(), 1), (GammaDeviance(), -1)])
@pytest.mark.parametrize(("dtype", "bound"), [(np.float32, 44), (np.float64, 354.5)])
def test_loss_goes_on_along_its_tangent_where_exponentials_would_overflow(loss, sign, dtype, bound):
    # The other terms of the loss are negligible beside the exponential.
    raw = np.array([[bound], [bound + 1], [bound + 2], [4 * bound]], dtype)
    found = loss.losses(sign * raw, np.ones_like(raw)).astype(np.float64)
    assert_allclose(found / np.exp(bound), [1, 2, 3, 1 + 3 * bound], rtol=1e-5)


@EVERY_LOSS
def test_float32_agrees_with_float64_to_single_precision(loss):
    rng = np.random.RandomState(0)
    raw, y = raw_predictions(loss, rng, scale=2), inner_targets(loss, rng)
    single = evaluate(loss, raw.astype(np.float32), y.astype(np.float32))
    for found, expected in zip(single, evaluate(loss, raw, y), strict=True):
        assert found.dtype == np.float32
        assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@EVERY_LOSS
def test_members_and_rows_do_not_touch_each_other(loss):
    rng = np.random.RandomState(0)
    raw, y = raw_predictions(loss, rng), edge_targets(loss, rng)
    per_row, gradient = evaluate(loss, raw, y)
    for k in range(K):
        for b in range(B):
            alone = evaluate(loss, raw[k : k + 1, b : b + 1], y[k : k + 1, b : b + 1])
            assert_allclose(alone[0][0, 0], per_row[k, b], rtol=1e-14, atol=1e-15)
            assert_allclose(alone[1][0, 0], gradient[k, b], rtol=1e-14, atol=1e-15)


@EVERY_LOSS
def test_loss_is_a_scikit_learn_object_with_a_named_link(loss):
    assert clone(loss).get_params() == loss.get_params()
    links = {"logistic", "softmax", "cumulative", "identity", "exp", "scaled_logistic"}
    assert loss.out_activation in links


@pytest.mark.parametrize(
    ("missing", "n_arrays"),
    [
        ("inverse_link", 2),
        ("losses", 2),
        ("gradient", 4),
        ("noting_calls", 5),
        ("noted_losses", 3),
    ],
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


# Relations between losses, and with other libraries.


def test_label_smoothing_is_the_log_loss_of_smoothed_labels():
    rng = np.random.RandomState(0)
    for cls, n in ((BinaryLogLoss, 2), (CategoricalLogLoss, C)):
        raw, y = rng.normal(size=(K, B, C)), edge_targets(cls(), rng)
        found = evaluate(cls(0.3), raw, y)
        expected = evaluate(cls(), raw, 0.7 * y + 0.3 / n)
        for a, b in zip(found, expected, strict=True):
            assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize(
    ("special", "general", "factor"),
    [
        (BinaryLogLoss(), BinaryFocalLoss(gamma=0.0), 1),
        (BinaryLogLoss(), BinaryFocalLoss(gamma=0.0, alpha=0.5), 2),
        (CategoricalLogLoss(), CategoricalFocalLoss(gamma=0.0), 1),
        (AbsoluteError(), Pinball(0.5), 2),
        (SquaredError(), Huber(1e6), 1),
        (AbsoluteError(), Huber(1e-9), 1e9),
    ],
    ids=repr,
)
def test_special_cases_agree(special, general, factor):
    rng = np.random.RandomState(0)
    raw, y = rng.normal(size=(K, B, C)), edge_targets(special, rng)
    for a, b in zip(evaluate(special, raw, y), evaluate(general, raw, y), strict=True):
        assert_allclose(factor * b, a, rtol=1e-8, atol=1e-14)


def test_focal_softmax_of_two_classes_is_the_focal_sigmoid():
    rng = np.random.RandomState(0)
    z, labels = rng.normal(size=(1, B, 1)), rng.randint(2, size=(1, B, 1)).astype(float)
    sigmoid = evaluate(BinaryFocalLoss(1.5, alpha=0.25), z, labels)
    loss = CategoricalFocalLoss(1.5, alpha=[0.75, 0.25])
    both = np.concatenate([1 - labels, labels], axis=2)
    both = evaluate(loss, np.concatenate([np.zeros_like(z), z], axis=2), both)
    assert_allclose(both[0], sigmoid[0], rtol=1e-12)
    assert_allclose(both[1][..., 1:], sigmoid[1], rtol=1e-12)


def test_gamma_deviance_equals_scikit_learns():
    rng = np.random.RandomState(0)
    raw, y, weight = rng.normal(size=(50, 1)), rng.gamma(1.0, size=(50, 1)), rng.uniform(size=50)
    expected = mean_gamma_deviance(y, np.exp(raw), sample_weight=weight) / 2
    assert_allclose(GammaDeviance().mean(raw, y, weight), expected, rtol=1e-12)


def test_pinball_equals_scikit_learns_summed_over_quantiles():
    rng = np.random.RandomState(0)
    quantiles = [0.1, 0.5, 0.9]
    raw, y, weight = rng.normal(size=(50, 2, 3)), rng.normal(size=(50, 2)), rng.uniform(size=50)
    expected = sum(
        mean_pinball_loss(y, raw[..., i], sample_weight=weight, alpha=q, multioutput="raw_values")
        for i, q in enumerate(quantiles)
    )
    found = Pinball(quantiles).mean(raw.reshape(50, 6), y, weight)
    assert_allclose(found, expected.sum(), rtol=1e-12)


def test_gaussian_loss_is_the_negative_log_density_without_its_constant():
    rng = np.random.RandomState(0)
    raw, y = rng.normal(size=(B, 2)), rng.normal(size=(B, 1))
    density = norm.logpdf(y[:, 0], raw[:, 0], np.exp(raw[:, 1] / 2))
    assert_allclose(GaussianNLL().losses(raw, y), -density - 0.5 * np.log(2 * math.pi), rtol=1e-12)


def test_sorting_quantiles_never_increases_the_loss_of_any_row():
    rng = np.random.RandomState(0)
    loss = Pinball([0.1, 0.3, 0.6, 0.9])
    raw, y = rng.normal(size=(1000, 8)), rng.normal(size=(1000, 2))
    predicted = np.empty_like(raw)
    loss.inverse_link(raw, out=predicted)
    by_target = predicted.reshape(1000, 2, 4)
    assert (np.diff(by_target, axis=-1) >= 0).all()
    assert_array_equal(np.sort(raw.reshape(1000, 2, 4)), by_target)
    assert (loss.losses(predicted, y) <= loss.losses(raw, y) + 1e-12).all()
    assert (loss.losses(predicted, y) < loss.losses(raw, y) - 0.1).any()


CHANGES_UNITS = [loss for loss in LOSSES if loss.equivariance != "none"]


@pytest.mark.parametrize("loss", CHANGES_UNITS, ids=repr)
def test_last_layer_can_undo_a_change_of_units(loss):
    """Predictions follow the target's units, and the loss changes by a factor and a constant."""
    rng = np.random.RandomState(0)
    shift = np.zeros(1) if loss.equivariance == "scale" else np.array([30.0])
    scale = np.array([0.25])
    raw, t = (
        raw_predictions(loss, rng, (50,))[:, : loss.outputs_per_target],
        rng.gamma(2, size=(50, 1)),
    )
    offset, factor = loss.output_units(shift, scale)
    in_units = offset + factor * raw
    inside, outside = np.empty_like(raw), np.empty_like(raw)
    loss.inverse_link(raw, out=inside)
    loss.inverse_link(in_units, out=outside)
    if loss.estimates_std:
        shift = np.array([30.0, 0.0])
    assert_allclose(outside, shift + scale * inside, rtol=1e-12)
    of_t = loss.in_units(scale).losses(raw, t)
    of_y = loss.losses(in_units, shift[0] + scale * t)
    slope = np.ptp(of_y) / np.ptp(of_t)
    assert_allclose(of_y - of_y[0], slope * (of_t - of_t[0]), rtol=1e-9, atol=1e-9)


def test_hubers_delta_has_the_units_of_each_column():
    loss, scale = Huber(0.3), np.array([1e6, 0.1])
    inside = loss.in_units(scale)
    raw = np.random.RandomState(0).normal(size=(1, B, 2))
    y = np.zeros_like(raw)
    _, gradient = evaluate(inside, raw, y)
    # The first delta is so small that the gradient is the sign of the error.
    assert_array_equal(gradient[..., 0], np.sign(raw[..., 0]))
    assert_allclose(gradient[..., 1], np.clip(raw[..., 1], -3, 3))
    for c in range(2):
        move = 1e-6 * np.eye(2)[c]
        up, down = (evaluate(inside, raw + sign * move, y)[0] for sign in (1, -1))
        assert_allclose(gradient[..., c], (up - down) / 2e-6, rtol=1e-6, atol=1e-8)


# Looking losses up.


def test_every_name_gives_its_loss():
    assert list_losses() == sorted({name for cls in CLASSES for name in cls.names[:1]})
    for cls in CLASSES:
        for name in cls.names:
            assert type(get_loss(name, cls.task)) is cls
    for task in ("multiclass", "binary"):
        assert {"focal", "log_loss"} <= set(list_losses(task))
    assert {"squared_error", "huber", "pinball"} <= set(list_losses("regression"))
    assert get_loss(Huber(3.0)).delta == 3


@pytest.mark.parametrize(
    ("loss", "task", "error", "fragments"),
    [
        ("log_loss", "regression", ValueError, ["'log_loss'", "regression", "'huber'"]),
        ("huber", "binary", ValueError, ["'huber'", "binary", "'focal'", "'log_loss'"]),
        (Huber(), "binary", ValueError, ["Huber()", "'regression'", "'binary'"]),
        (BinaryLogLoss(), "multiclass", ValueError, ["BinaryLogLoss()", "'multiclass'"]),
        (Huber, "regression", TypeError, ["Huber()"]),
        (None, "regression", TypeError, ["None", "a string or a Loss"]),
    ],
    ids=repr,
)
def test_unknown_loss_is_refused_with_what_is_known(loss, task, error, fragments):
    with pytest.raises(error) as caught:
        get_loss(loss, task)
    for fragment in fragments:
        assert fragment in str(caught.value)


@pytest.mark.parametrize(
    ("loss", "error", "fragment"),
    [
        (BinaryLogLoss(label_smoothing=1.0), ValueError, "[0, 1). Got 1.0"),
        (CategoricalLogLoss(label_smoothing=-0.1), ValueError, "'label_smoothing'"),
        (BinaryLogLoss(label_smoothing=True), TypeError, "Got True"),
        (BinaryFocalLoss(gamma=-1), ValueError, "[0, inf)"),
        (BinaryFocalLoss(gamma=np.inf), ValueError, "[0, inf)"),
        (BinaryFocalLoss(alpha=1.0), ValueError, "(0, 1)"),
        (BinaryFocalLoss(alpha=[0.1, 0.9]), TypeError, "'alpha'"),
        (CategoricalFocalLoss(alpha=[1.0, 2.0]), ValueError, "each of the 3 classes"),
        (CategoricalFocalLoss(alpha=[1.0, -2.0, 1.0]), ValueError, "(0, inf)"),
        (Huber(delta=0), ValueError, "(0, inf). Got 0"),
        (Huber(delta=np.nan), ValueError, "'delta'"),
        (Huber(delta="1"), TypeError, "'delta'"),
        (Pinball(0), ValueError, "(0, 1)"),
        (Pinball([0.5, 1.0]), ValueError, "(0, 1)"),
        (Pinball([0.9, 0.1]), ValueError, "rising order"),
        (Pinball([0.5, 0.5]), ValueError, "rising order"),
        (Pinball([]), ValueError, "a float or a list of floats"),
        (Pinball([[0.5]]), ValueError, "an array-like of floats"),
        (Pinball("median"), TypeError, "'quantile'"),
    ],
    ids=repr,
)
def test_bad_parameter_is_refused(loss, error, fragment):
    with pytest.raises(error) as caught:
        loss.check_parameters(C)
    assert fragment in str(caught.value)


@EVERY_LOSS
def test_parameters_of_the_tests_are_good(loss):
    loss.check_parameters(C)


@pytest.mark.parametrize(
    ("loss", "allowed", "refused"),
    [
        (PoissonDeviance(), [0.0, 1.0], [-1e-9, 1.0]),
        (GammaDeviance(), [1e-300, 1.0], [0.0, 1.0]),
        (SquaredError(), [-1e300, 1.0], None),
    ],
    ids=repr,
)
def test_targets_outside_their_interval_are_refused(loss, allowed, refused):
    loss.check_targets(np.array(allowed))
    if refused:
        with pytest.raises(ValueError, match=r"inf\), got values from .* to 1.0") as caught:
            loss.check_targets(np.array(refused))
        assert str(loss.target_interval) in str(caught.value)
        assert str(caught.value).endswith(f": loss={loss!r}.")


def test_interval_knows_its_ends():
    assert str(Interval(0, 1, low_closed=True)) == "[0, 1)"
    assert Interval(0, 1, low_closed=True).contains([0, 0.5])
    assert not Interval(0, 1, low_closed=True).contains(1)
    assert not Interval().contains(np.nan)
    assert not Interval().contains(np.inf)
