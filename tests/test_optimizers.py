"""Every optimizer follows its published formula, in place, in chunks of any size."""

import re
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier

from skperceptron import MLPRegressor, optimizers
from skperceptron.model_selection import StackedGridSearchCV
from skperceptron.optimizers import (
    LBFGS,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Lion,
    NAdam,
    Optimizer,
    RMSprop,
    get_optimizer,
    list_optimizers,
)

P, STEPS = 37, 200

VARIANTS = [
    SGD(),
    SGD(momentum=0.0, nesterov=False),
    SGD(momentum=0.9, nesterov=False),
    SGD(momentum=0.5, nesterov=True),
    SGD(momentum=1.0, nesterov=True),
    Adam(),
    Adam(beta_1=0.0, beta_2=0.0),
    Adam(beta_1=0.7, beta_2=0.9, epsilon=1e-3),
]
DEFAULTS = [
    value()
    for name, value in sorted(vars(optimizers).items())
    if isinstance(value, type) and issubclass(value, Optimizer) and value is not Optimizer
    if not name.startswith("_") and value.is_stochastic
]
NEW = [d for d in DEFAULTS if repr(d) not in {repr(v) for v in VARIANTS}]
EVERY_OPTIMIZER = pytest.mark.parametrize("optimizer", VARIANTS + NEW, ids=repr)
# With momentum 1, or with Adam's beta_2 = 0, steps do not get smaller near the minimum.
SETTLING = pytest.mark.parametrize(
    "optimizer",
    [o for o in VARIANTS + NEW if getattr(o, "momentum", 0) < 1 and getattr(o, "beta_2", 1) > 0],
    ids=repr,
)


def zero_state(optimizer, shape, dtype=np.float64):
    return {name: np.zeros(shape, dtype) for name in optimizer.state_names}


def advance(optimizer, parameters, state, gradient, rate, step, chunk=None):
    """Take one step of a stack of members with the same optimizer, chunk by chunk."""
    chunk = chunk or parameters.shape[1]
    scalars = optimizer.coefficients(rate, step)
    columns = [np.full((len(parameters), 1), c, parameters.dtype) for c in scalars]
    for start in range(0, parameters.shape[1], chunk):
        part = slice(start, start + chunk)
        vectors = [vector[:, part] for vector in state.values()]
        vectors += [np.full_like(parameters[:, part], np.nan) for _ in range(optimizer.n_scratch)]
        optimizer.update(parameters[:, part], gradient[:, part], vectors, columns)


def slope(parameters):
    """Return the gradient of a badly scaled, nearly quadratic function."""
    scale = np.logspace(-2, 1, parameters.shape[-1])
    return scale * parameters + 0.1 * np.sin(3 * parameters)


def trajectory(optimizer, rate_of=lambda step: 0.01, dtype=np.float64, **options):
    parameters = np.linspace(-2, 3, P)[np.newaxis].astype(dtype)
    state = zero_state(optimizer, parameters.shape, dtype)
    visited = []
    for step in range(1, STEPS + 1):
        gradient = slope(parameters).astype(dtype)
        advance(optimizer, parameters, state, gradient, rate_of(step), step, **options)
        visited.append(parameters[0].copy())
    return np.array(visited)


def textbook_sgd(o, x, gradients):
    """Sutskever et al. (2013): v <- mu v - eta g; Nesterov moves on along mu v - eta g."""
    v = 0.0
    for _, eta, g in gradients:
        v = o.momentum * v - eta * g(x)
        x = x + (o.momentum * v - eta * g(x) if o.nesterov else v)
        yield x


def textbook_adam(o, x, gradients):
    """Kingma & Ba (2015), section 2, the order of computation at its end; Reddi et al. (2018)."""
    m = v = largest = 0.0
    for t, eta, g in gradients:
        m = o.beta_1 * m + (1 - o.beta_1) * g(x)
        v = o.beta_2 * v + (1 - o.beta_2) * g(x) ** 2
        largest = np.maximum(largest, v) if o.amsgrad else v
        root = np.sqrt(1 - o.beta_2**t)
        epsilon = o.epsilon * root if o.corrects_before_epsilon else o.epsilon
        x = x - eta * root / (1 - o.beta_1**t) * m / (np.sqrt(largest) + epsilon)
        yield x


def textbook_nadam(o, x, gradients):
    """Dozat (2016), algorithm 2, with the momenta of its section 3.2."""
    m = v = 0.0
    momentum = lambda t: o.beta_1 * (1 - 0.5 * 0.96 ** (t * o.momentum_decay))  # noqa: E731
    product = 1.0
    for t, eta, g in gradients:
        gradient = g(x)
        product *= momentum(t)
        m = o.beta_1 * m + (1 - o.beta_1) * gradient
        v = o.beta_2 * v + (1 - o.beta_2) * gradient**2
        of_moment = momentum(t + 1) * m / (1 - product * momentum(t + 1))
        of_gradient = (1 - momentum(t)) * gradient / (1 - product)
        x = x - eta * (of_moment + of_gradient) / (np.sqrt(v / (1 - o.beta_2**t)) + o.epsilon)
        yield x


def textbook_adagrad(o, x, gradients):
    """Duchi et al. (2011), with diagonal matrices."""
    squares = 0.0
    for _, eta, g in gradients:
        squares = squares + g(x) ** 2
        x = x - eta * g(x) / (np.sqrt(squares) + o.epsilon)
        yield x


def textbook_rmsprop(o, x, gradients):
    """Hinton (2012), lecture 6e, with heavy-ball momentum."""
    squares = v = 0.0
    for _, eta, g in gradients:
        squares = o.rho * squares + (1 - o.rho) * g(x) ** 2
        v = o.momentum * v + g(x) / (np.sqrt(squares) + o.epsilon)
        x = x - eta * v
        yield x


def textbook_lion(o, x, gradients):
    """Chen et al. (2023), algorithm 2."""
    m = 0.0
    for _, eta, g in gradients:
        gradient = g(x)
        x = x - eta * np.sign(o.beta_1 * m + (1 - o.beta_1) * gradient)
        m = o.beta_2 * m + (1 - o.beta_2) * gradient
        yield x


#: An independent formula for every class. Decoupled decay is not part of ``update``: the stack
#: applies it (tests/training/test_penalties.py).
TEXTBOOK = {
    SGD: textbook_sgd,
    Adagrad: textbook_adagrad,
    RMSprop: textbook_rmsprop,
    Adam: textbook_adam,
    AdamW: textbook_adam,
    NAdam: textbook_nadam,
    Lion: textbook_lion,
}
# No parameter keeps its default: one that is ignored would go unnoticed.
UNUSUAL = [
    Adagrad(1e-3),
    RMSprop(0.9, 0.7, 1e-3),
    Adam(0.8, 0.95, 1e-3, amsgrad=True),
    Adam(0.8, 0.95, 1e-3, corrects_before_epsilon=True),
    AdamW(0.3, 0.8, 0.95, 1e-3, amsgrad=True),
    NAdam(0.8, 0.95, 1e-3, 0.1),
    NAdam(beta_1=0.0),
    Lion(0.5, 0.8, 0.3),
]


def test_every_optimizer_has_an_independent_formula():
    assert {type(default) for default in DEFAULTS} == set(TEXTBOOK)


def test_every_parameter_of_an_optimizer_is_tested_off_its_default():
    tested = {cls: set() for cls in TEXTBOOK}
    for optimizer in VARIANTS + UNUSUAL:
        default = type(optimizer)().get_params()
        changed = {n for n, value in optimizer.get_params().items() if value != default[n]}
        tested[type(optimizer)] |= changed
    for cls, names in tested.items():
        assert names == set(cls().get_params())


RATES = {"constant": lambda step: 0.01, "falling": lambda step: 0.02 / np.sqrt(step)}


# Deprecation warnings of NumPy are errors, too.
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rate_of", RATES.values(), ids=RATES)
@pytest.mark.parametrize("optimizer", VARIANTS + UNUSUAL + NEW, ids=repr)
def test_trajectory_follows_the_published_formula(optimizer, rate_of):
    steps = ((t, rate_of(t), slope) for t in range(1, STEPS + 1))
    expected = list(TEXTBOOK[type(optimizer)](optimizer, np.linspace(-2, 3, P), steps))
    # Where a gradient is nearly zero, its rounding error is divided by a tiny root.
    assert_allclose(trajectory(optimizer, rate_of), expected, rtol=1e-9, atol=1e-9)


def test_late_steps_of_nadam_need_no_products_of_early_ones():
    optimizer = NAdam(beta_1=0.9)
    momenta = 0.9 * (1 - 0.5 * 0.96 ** (np.arange(1, 3002) * 0.004))
    products = np.cumprod(momenta)
    for steps in (np.arange(1, 3001), np.array([2999]), np.array([3000])):
        *_, of_gradient, of_moment = optimizer.coefficients(0.5, steps)
        scale = np.sqrt(0.001 / (1 - 0.999**steps))
        now, following = steps - 1, steps
        assert_allclose(
            of_gradient, 0.5 * (1 - momenta[now]) / (1 - products[now]) / scale, rtol=1e-12
        )
        expected = 0.5 * momenta[following] / (1 - products[following]) * (1 - 0.9) / scale
        assert_allclose(of_moment, expected, rtol=1e-12)
    # A product of all momenta up to here would take 8 TB.
    assert all(np.isfinite(c).all() for c in optimizer.coefficients(0.5, np.array([10**12])))


@pytest.mark.torch
@pytest.mark.parametrize("optimizer", VARIANTS, ids=repr)
def test_trajectory_equals_pytorch(optimizer):
    torch = pytest.importorskip("torch")
    x = torch.linspace(-2, 3, P, dtype=torch.float64)
    if isinstance(optimizer, SGD):
        # PyTorch refuses Nesterov without momentum, where the two are the same.
        look_ahead = optimizer.nesterov and optimizer.momentum > 0
        theirs = torch.optim.SGD([x], lr=0.01, momentum=optimizer.momentum, nesterov=look_ahead)
    else:
        theirs = torch.optim.Adam([x], lr=0.01, betas=(optimizer.beta_1, optimizer.beta_2))
    ours = trajectory(optimizer)
    for step in range(1, STEPS + 1):
        if isinstance(optimizer, Adam):
            # scikit-learn adds epsilon before it corrects the bias, PyTorch after.
            correction = np.sqrt(1 - optimizer.beta_2**step)
            theirs.param_groups[0]["eps"] = optimizer.epsilon / correction
        x.grad = torch.from_numpy(slope(x.numpy()))
        theirs.step()
        assert_allclose(ours[step - 1], x.numpy(), rtol=1e-10, atol=1e-10)


def of_pytorch(torch, x):
    """Return pairs of our optimizers and PyTorch's, with the same parameters."""
    options = {"lr": 0.01}
    adam = {"betas": (0.8, 0.95), "eps": 1e-3}
    ours = {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3}
    o = torch.optim
    return {
        "adagrad": (Adagrad(1e-3), o.Adagrad([x], eps=1e-3, **options)),
        "rmsprop": (RMSprop(0.9, epsilon=1e-3), o.RMSprop([x], alpha=0.9, eps=1e-3, **options)),
        "rmsprop with momentum": (
            RMSprop(0.9, 0.7, 1e-3),
            o.RMSprop([x], alpha=0.9, momentum=0.7, eps=1e-3, **options),
        ),
        "adam": (
            Adam(**ours, corrects_before_epsilon=True),
            o.Adam([x], **adam, **options),
        ),
        "amsgrad": (
            Adam(**ours, amsgrad=True, corrects_before_epsilon=True),
            o.Adam([x], amsgrad=True, **adam, **options),
        ),
        "adamw": (AdamW(0.0, **ours), o.AdamW([x], weight_decay=0.0, **adam, **options)),
        "nadam": (NAdam(**ours), o.NAdam([x], **adam, **options)),
        "nadam, other decay": (
            NAdam(**ours, momentum_decay=0.1),
            o.NAdam([x], momentum_decay=0.1, **adam, **options),
        ),
    }


@pytest.mark.torch
@pytest.mark.parametrize(
    "name",
    [
        "adagrad",
        "rmsprop",
        "rmsprop with momentum",
        "adam",
        "amsgrad",
        "adamw",
        "nadam",
        "nadam, other decay",
    ],
)
def test_two_hundred_steps_are_those_of_pytorch(name):
    torch = pytest.importorskip("torch")
    x = torch.linspace(-2, 3, P, dtype=torch.float64)
    optimizer, theirs = of_pytorch(torch, x)[name]
    for step, visited in enumerate(trajectory(optimizer)):
        x.grad = torch.from_numpy(slope(x.numpy()))
        if step == 0 and isinstance(optimizer, NAdam):
            # By default PyTorch keeps the product of momenta in float32.
            theirs.state[x].update(
                step=torch.tensor(0.0),
                mu_product=torch.ones((), dtype=torch.float64),
                exp_avg=torch.zeros_like(x),
                exp_avg_sq=torch.zeros_like(x),
            )
        theirs.step()
        assert_allclose(visited, x.numpy(), rtol=1e-10, atol=1e-10)


def test_names_find_optimizers_and_nothing_else_does():
    for name in list_optimizers():
        assert get_optimizer(name).names[0] == name
    optimizer = NAdam(0.5)
    assert get_optimizer(optimizer) is optimizer
    with pytest.raises(ValueError, match=r"Unknown optimizer 'newton'. Known names: 'adagrad'"):
        get_optimizer("newton")
    with pytest.raises(TypeError, match=r"must be a string or an Optimizer.* instance: Lion\(\)"):
        get_optimizer(Lion)


def test_lbfgs_evaluates_as_often_as_scikit_learns():
    assert LBFGS().max_fun == MLPClassifier().max_fun


@EVERY_OPTIMIZER
def test_optimizer_states_whether_steps_grow_with_gradients(optimizer):
    def way(factor):
        parameters = np.zeros((1, P))
        state = zero_state(optimizer, parameters.shape)
        for step in range(1, 4):
            gradient = factor * np.linspace(1, 2, P)[np.newaxis]
            advance(optimizer, parameters, state, gradient, 0.01, step)
        return parameters

    expected = way(1.0) * (1 if optimizer.is_scale_free else 1000)
    assert_allclose(way(1000.0), expected, rtol=1e-2)


@SETTLING
def test_optimizer_comes_closer_to_the_minimum(optimizer):
    # Adagrad's steps get smaller from the first one on.
    rate = 0.2 if isinstance(optimizer, Adagrad) else 0.01
    visited = trajectory(optimizer, lambda step: rate)
    assert np.linalg.norm(visited[-1]) < 0.8 * np.linalg.norm(visited[0])


@EVERY_OPTIMIZER
@pytest.mark.parametrize("chunk", [1, 5, P - 1, P + 1])
def test_chunks_of_any_length_give_the_same_bits(optimizer, chunk):
    assert_array_equal(trajectory(optimizer, chunk=chunk), trajectory(optimizer))


@EVERY_OPTIMIZER
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_step_changes_arrays_in_place_and_keeps_their_dtype(optimizer, dtype):
    rng = np.random.RandomState(0)
    parameters = rng.normal(size=(2, P)).astype(dtype)
    state = zero_state(optimizer, parameters.shape, dtype)
    before, vectors = parameters.copy(), list(state.values())
    advance(optimizer, parameters, state, rng.normal(size=(2, P)).astype(dtype), 0.1, 1)
    assert parameters.dtype == dtype
    assert (parameters != before).all()
    assert all(now is then for now, then in zip(state.values(), vectors, strict=True))
    assert all(vector.any() for vector in vectors)


@EVERY_OPTIMIZER
def test_state_and_step_number_are_all_that_a_continuation_needs(optimizer):
    rng = np.random.RandomState(0)
    gradients = rng.normal(size=(20, 1, P))
    parameters = rng.normal(size=(1, P))
    state = zero_state(optimizer, parameters.shape)

    def run(optimizer, parameters, state, steps):
        for step in steps:
            advance(optimizer, parameters, state, gradients[step].copy(), 0.1, step + 1)

    run(optimizer, parameters, state, range(10))
    saved = parameters.copy(), {name: vector.copy() for name, vector in state.items()}
    run(optimizer, parameters, state, range(10, 20))
    run(clone(optimizer), *saved, range(10, 20))
    assert_array_equal(saved[0], parameters)
    for name, vector in state.items():
        assert_array_equal(saved[1][name], vector)


@EVERY_OPTIMIZER
def test_scalars_of_many_steps_are_those_of_each(optimizer):
    steps, rates = np.arange(1, 50), np.linspace(0.1, 0.2, 49)
    together = np.broadcast_arrays(*optimizer.coefficients(rates, steps), steps)[:-1]
    alone = [optimizer.coefficients(r, int(s)) for r, s in zip(rates, steps, strict=True)]
    assert_allclose(np.transpose(together), np.array(alone), rtol=1e-14)


@EVERY_OPTIMIZER
def test_members_of_a_stack_follow_their_own_coefficients(optimizer):
    rng = np.random.RandomState(0)
    start, gradients = rng.normal(size=(3, P)), rng.normal(size=(10, 3, P))
    rates, delays = (0.1, 0.01, 0.001), (0, 5, 50)
    together, state = start.copy(), zero_state(optimizer, start.shape)
    for step, gradient in enumerate(gradients, start=1):
        rows = zip(rates, delays, strict=True)
        table = np.array([optimizer.coefficients(rate, step + delay) for rate, delay in rows])
        columns = [column[:, np.newaxis] for column in table.T]
        scratch = [np.full_like(together, np.nan) for _ in range(optimizer.n_scratch)]
        optimizer.update(together, gradient.copy(), [*state.values(), *scratch], columns)
    for k, (rate, delay) in enumerate(zip(rates, delays, strict=True)):
        alone, own = start[k : k + 1].copy(), zero_state(optimizer, (1, P))
        for step, gradient in enumerate(gradients, start=1):
            advance(optimizer, alone, own, gradient[k : k + 1].copy(), rate, step + delay)
        assert_array_equal(together[k], alone[0])


@SETTLING
def test_float32_follows_float64_to_single_precision(optimizer):
    single = trajectory(optimizer, dtype=np.float32)
    assert_allclose(single, trajectory(optimizer), rtol=1e-3, atol=1e-4)


@EVERY_OPTIMIZER
def test_zero_gradient_from_rest_moves_nothing(optimizer):
    parameters = np.linspace(-2, 3, P)[np.newaxis]
    state = zero_state(optimizer, parameters.shape)
    advance(optimizer, parameters, state, np.zeros((1, P)), 0.1, 1)
    assert_array_equal(parameters[0], np.linspace(-2, 3, P))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_first_step_of_adam_is_the_learning_rate_whatever_the_gradient(scale):
    parameters = np.zeros((1, P))
    optimizer = Adam()
    gradient = scale * np.linspace(1, 2, P)[np.newaxis]
    advance(optimizer, parameters, zero_state(optimizer, (1, P)), gradient, 0.001, 1)
    assert_allclose(parameters, -0.001, rtol=1e-3)


# Through an estimator.

IN_PYTORCH = {
    "sgd": (SGD(0.0, nesterov=False), "SGD", {}),
    "momentum": (SGD(0.9, nesterov=False), "SGD", {"momentum": 0.9}),
    "nesterov": (SGD(0.9), "SGD", {"momentum": 0.9, "nesterov": True}),
    "adagrad": (Adagrad(), "Adagrad", {}),
    "rmsprop": (RMSprop(), "RMSprop", {}),
    "adam": (Adam(corrects_before_epsilon=True), "Adam", {}),
    "amsgrad": (Adam(amsgrad=True, corrects_before_epsilon=True), "Adam", {"amsgrad": True}),
    "adamw": (AdamW(0.5), "AdamW", {"weight_decay": 0.5}),
    "nadam": (NAdam(), "NAdam", {}),
}


@pytest.mark.torch
@pytest.mark.parametrize("name", IN_PYTORCH)
def test_two_hundred_steps_of_a_network_are_those_of_pytorch(name):
    torch = pytest.importorskip("torch")
    optimizer, cls, options = IN_PYTORCH[name]
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    weights, biases = [rng.normal(size=s) for s in ((3, 5), (5, 1))], [rng.normal(size=5), [0.1]]
    model = MLPRegressor(
        hidden_layer_sizes=(5,),
        activation="tanh",
        solver=optimizer,
        alpha=0.0,
        learning_rate_init=0.01,
        max_iter=STEPS,
        n_iter_no_change=np.inf,
        shuffle=False,
        dtype="float64",
    )
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y, coefs_init=weights, intercepts_init=biases)

    leaves = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in weights + biases]
    (w1, w2), (b1, b2) = leaves[:2], leaves[2:]
    groups = [{"params": [w1, w2]}, {"params": [b1, b2], "weight_decay": 0.0}]
    theirs = getattr(torch.optim, cls)(groups, lr=0.01, **options)
    if name == "nadam":
        for leaf in leaves:
            # By default PyTorch keeps the product of momenta in float32.
            theirs.state[leaf].update(
                step=torch.tensor(0.0),
                mu_product=torch.ones((), dtype=torch.float64),
                exp_avg=torch.zeros_like(leaf),
                exp_avg_sq=torch.zeros_like(leaf),
            )
    rows, targets = torch.tensor(X), torch.tensor(y)[:, None]
    losses = []
    for _ in range(STEPS):
        theirs.zero_grad()
        loss = 0.5 * ((torch.tanh(rows @ w1 + b1) @ w2 + b2 - targets) ** 2).mean()
        loss.backward()
        theirs.step()
        losses.append(loss.item())
    assert_allclose(model.loss_curve_, losses, rtol=1e-10)
    for found, leaf in zip(model.coefs_ + model.intercepts_, leaves, strict=True):
        assert_allclose(found, leaf.detach().numpy(), rtol=1e-10, atol=1e-10)


def test_nadam_computes_no_more_in_late_epochs_than_in_early_ones(monkeypatch):
    lengths = []

    def counted(array):
        lengths.append(len(array))
        return cumprod(array)

    cumprod = np.cumprod
    monkeypatch.setattr(np, "cumprod", counted)
    for start in (1, 1000, 10**6):
        NAdam().coefficients(0.1, np.arange(start, start + 5))
    assert max(lengths) < 500


class ReadsItself(Optimizer):
    """Momentum whose parameter is read in ``update``, not passed by ``coefficients``."""

    state_names = ("velocity",)

    def __init__(self, momentum=0.9):
        self.momentum = momentum

    def coefficients(self, learning_rate, steps):
        return (learning_rate,)

    def update(self, parameters, gradient, state, coefficients):
        (velocity,) = state
        velocity *= self.momentum
        velocity += gradient
        parameters -= coefficients[0] * velocity


class WithFactor(SGD):
    """A built-in optimizer with a parameter more, which only ``update`` reads."""

    def __init__(self, momentum=0.9, nesterov=True, factor=1.0):
        super().__init__(momentum, nesterov)
        self.factor = factor

    def update(self, parameters, gradient, state, coefficients):
        gradient *= self.factor
        super().update(parameters, gradient, state, coefficients)


@pytest.mark.parametrize(
    ("optimizer", "grid"),
    [
        (ReadsItself(), {"solver__momentum": [0.1, 0.5, 0.95]}),
        (WithFactor(), {"solver__factor": [0.1, 1.0]}),
    ],
    ids=["own", "derived"],
)
def test_networks_trained_together_have_their_own_parameters_in_update(optimizer, grid):
    X = np.random.RandomState(0).normal(size=(60, 3))
    model = MLPRegressor(
        hidden_layer_sizes=(4,), solver=optimizer, max_iter=10, batch_size=20, random_state=0
    )
    alone, together = (
        search(model, grid, cv=2).fit(X, X[:, 0]).cv_results_["mean_test_score"]
        for search in (GridSearchCV, StackedGridSearchCV)
    )
    assert_allclose(together, alone, rtol=1e-6)


class Normed(Optimizer):
    """Divides the gradient by its length."""

    def coefficients(self, learning_rate, steps):
        return (learning_rate,)

    def update(self, parameters, gradient, state, coefficients):
        parameters -= coefficients[0] * gradient / np.linalg.norm(gradient)


class NormedByMember(Normed):
    """Does so for each network, which needs all of its parameters at once."""

    def update(self, parameters, gradient, state, coefficients):
        lengths = np.linalg.norm(gradient, axis=-1, keepdims=True)
        parameters -= coefficients[0] * gradient / lengths


class Noisy(Normed):
    """Two steps are never equal."""

    def update(self, parameters, gradient, state, coefficients):
        parameters -= coefficients[0] * np.random.normal(size=gradient.shape)


@pytest.mark.parametrize(
    ("optimizer", "members", "parts"),
    [
        (Normed(), True, True),
        (NormedByMember(), False, True),
        (Noisy(), False, False),
        (ReadsItself(), False, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Optimizer) else "",
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_step_that_mixes_parameters_is_reported_where_it_matters(
    optimizer, members, parts, monkeypatch
):
    X = np.random.RandomState(0).normal(size=(60, 3))
    model = MLPRegressor(hidden_layer_sizes=(4,), solver=optimizer, max_iter=2, random_state=0)
    monkeypatch.setattr("skperceptron.training.update.CHUNK", 1_000)
    message = f"{type(optimizer).__name__}.update gives other numbers .* but "

    def is_reported(reason, action):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            action()
        return any(re.match(message + reason, str(one.message)) for one in caught)

    search = StackedGridSearchCV(model, {"alpha": [0.1, 1.0]}, cv=2)
    assert is_reported("several networks", lambda: search.fit(X, X[:, 0])) == members
    assert not is_reported("", lambda: model.fit(X, X[:, 0]))
    monkeypatch.setattr("skperceptron.training.update.CHUNK", 10)
    assert is_reported("here it gets them", lambda: model.fit(X, X[:, 0])) == parts
