"""The neural tangent parametrization and the linear path, compared with plain NumPy.

The plain network stores W and computes ``x W / sqrt(fan_in) + b``; its steps are written out.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skperceptron import MLPRegressor
from skperceptron.groups import ParameterGroup, ParameterGroups
from skperceptron.initializers import Given
from skperceptron.model_selection import StackedGridSearchCV
from skperceptron.optimizers import SGD, Adam, AdamW, Lion

RNG = np.random.RandomState(0)
N, D, H = 24, 5, 4
X, Y = RNG.normal(size=(N, D)), RNG.normal(size=N)
#: Stored arrays: the hidden layer, its biases, the output layer, the linear path, the last bias.
START = [RNG.normal(size=shape) for shape in [(D, H), (H,), (H, 1), (D, 1), (1,)]]
#: Divisors of the stored arrays in the computation.
DIVISORS = [np.sqrt(D), 1.0, np.sqrt(H), np.sqrt(D), 1.0]
RATE, DECAY = 0.03, 0.5

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def gradient_of(stored):
    """Return the gradient of half the mean squared error by the stored arrays."""
    (w, b, v, u, c), (dw, _, dv, du, _) = stored, DIVISORS
    h = np.tanh(X @ w / dw + b)
    delta = (h @ v / dv + X @ u / du + c - Y[:, np.newaxis]) / N
    back = (delta @ v.T / dv) * (1 - h**2)
    return [
        X.T @ back / dw,
        back.sum(axis=0),
        h.T @ delta / dv,
        X.T @ delta / du,
        delta.sum(axis=0),
    ]


def adam_steps():
    """Adam (.9, .999) without epsilon."""
    first, second = [0.0] * 5, [0.0] * 5

    def step(t, gradient):
        for i, g in enumerate(gradient):
            first[i] = 0.9 * first[i] + 0.1 * g
            second[i] = 0.999 * second[i] + 0.001 * g**2
        return [
            m / (1 - 0.9**t) / np.sqrt(v / (1 - 0.999**t))
            for m, v in zip(first, second, strict=True)
        ]

    return step


def plain_training(make_step, n_steps, decay=0.0):
    """Return the stored arrays after some steps on all rows."""
    stored, step = [array.copy() for array in START], make_step()
    for t in range(1, n_steps + 1):
        moves = step(t, gradient_of(stored))
        for i, (array, move) in enumerate(zip(stored, moves, strict=True)):
            if array.ndim == 2:
                array -= RATE * decay * array
            stored[i] = array - RATE * move
    return stored


def kept(stored):
    """Return the stored arrays as the attributes of estimators."""
    w, b, v, u, c = (array / divisor for array, divisor in zip(stored, DIVISORS, strict=True))
    return [w, np.concatenate([v, u])], [b, c]


def network(solver, n_steps, **options):
    coefs, intercepts = kept(START)
    return MLPRegressor(
        hidden_layer_sizes=(H,),
        activation="tanh",
        solver=solver,
        initializer=Given(coefs, intercepts),
        skip_connections="linear",
        **{"parametrization": "ntk", "alpha": 0.0} | options,
        learning_rate_init=RATE,
        max_iter=n_steps,
        batch_size=N,
        n_iter_no_change=np.inf,
        tol=0,
        dtype="float64",
    )


#: For each solver: our optimizer, a function that makes the rule of its steps, and the decay.
STEPS = {
    "sgd": (SGD(momentum=0.0, nesterov=False), lambda: lambda t, gradient: gradient, 0.0),
    "adam": (Adam(epsilon=1e-100), adam_steps, 0.0),
    "adamw": (AdamW(weight_decay=DECAY, epsilon=1e-100), adam_steps, DECAY),
    "lion": (
        Lion(beta_1=0.0, beta_2=0.0),
        lambda: lambda t, gradient: [np.sign(g) for g in gradient],
        0.0,
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_training_equals_that_of_stored_weights_divided_by_the_root_of_their_inputs(name):
    solver, make_step, decay = STEPS[name]
    model = network(solver, 30).fit(X, Y)
    coefs, intercepts = kept(plain_training(make_step, 30, decay))
    for found, expected in zip(
        [*model.coefs_, *model.intercepts_], [*coefs, *intercepts], strict=True
    ):
        assert_allclose(found, expected, rtol=1e-7, atol=1e-9)
    h = np.tanh(X @ coefs[0] + intercepts[0])
    assert_allclose(
        model.predict(X), (np.hstack([h, X]) @ coefs[1] + intercepts[1]).ravel(), rtol=1e-6
    )


def test_factors_of_groups_multiply_those_of_the_parametrization():
    groups = ParameterGroups(weight=ParameterGroup(rate=0.5, decay=3.0))
    grouped = network(AdamW(weight_decay=DECAY), 1, parameter_groups=groups).fit(X, Y)
    # A group's decay is multiplied by its rate.
    slow = network(AdamW(weight_decay=3 * DECAY), 1).set_params(learning_rate_init=RATE / 2)
    for found, expected in zip(grouped.coefs_, slow.fit(X, Y).coefs_, strict=True):
        assert_allclose(found, expected, rtol=1e-9)


def test_a_wider_layer_learns_as_fast_as_a_narrow_one():
    """With this option, but not without, the first step changes z equally for every width."""
    moved = {}
    for parametrization in ("ntk", "standard"):
        for width in (16, 1024):
            options = {"learning_rate_init": 0.01, "initializer": "lecun_normal", "max_iter": 1}
            options |= {"hidden_layer_sizes": (width,), "random_state": 0, "alpha": 0}
            model = MLPRegressor(parametrization=parametrization, **options)
            start = MLPRegressor(**options).set_params(learning_rate_init=1e-12)
            difference = model.fit(X, Y).predict(X) - start.fit(X, Y).predict(X)
            moved[parametrization, width] = np.abs(difference).mean()
    assert 0.3 < moved["ntk", 1024] / moved["ntk", 16] < 8
    assert moved["standard", 1024] / moved["standard", 16] > 10


def test_l_bfgs_refuses_another_parametrization():
    with pytest.raises(ValueError, match="parametrization='ntk' needs a stochastic solver"):
        MLPRegressor(solver="lbfgs", parametrization="ntk").fit(X, Y)


def test_stacked_search_equals_single_fits():
    model = network("adam", 5).set_params(initializer="he_normal", random_state=0, batch_size=8)
    grid = {"parametrization": ["ntk", "standard"], "skip_connections": ["linear", "none"]}
    search = StackedGridSearchCV(model, grid, cv=3, refit=False).fit(X, Y)
    for parameters, score in zip(
        search.cv_results_["params"], search.cv_results_["split0_test_score"], strict=True
    ):
        alone = clone(model)
        rows = np.arange(N // 3, N)
        alone.set_params(**parameters).fit(X[rows], Y[rows])
        assert_allclose(alone.score(X[: N // 3], Y[: N // 3]), score, rtol=1e-9)


def test_linear_path_without_hidden_layers_changes_nothing():
    plain, linear = (
        network("adam", 3)
        .set_params(
            hidden_layer_sizes=(), skip_connections=skips, initializer="he_normal", random_state=0
        )
        .fit(X, Y)
        for skips in ("none", "linear")
    )
    assert_array_equal(linear.coefs_[0], plain.coefs_[0])
