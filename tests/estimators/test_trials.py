"""Trials of a user's parts on a few numbers find what is left unwritten."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.model_selection import GridSearchCV

from skperceptron import MLPRegressor
from skperceptron.activations import Activation, get_activation, list_activations
from skperceptron.estimators.trials import (
    refuse_faulty_activation,
    refuse_faulty_loss,
    refuse_faulty_optimizer,
)
from skperceptron.exceptions import DivergedError
from skperceptron.losses import Loss, SquaredError, get_loss, list_losses
from skperceptron.optimizers import SGD, Optimizer, get_optimizer, list_optimizers

X = np.random.RandomState(0).normal(size=(30, 2))

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class ReadsInput(Activation):
    """A sine, whose derivative needs z."""

    def forward(self, z, out, *learned):
        np.sin(z, out=out)

    def backward(self, z, a, grad, *learned):
        grad *= np.cos(z)


class KeepsInput(ReadsInput):
    keeps_input = True


class Surrogate(ReadsInput):
    """Has another derivative than its own, on purpose."""

    def backward(self, z, a, grad, *learned):
        grad *= 1 - a * a


def test_a_derivative_that_needs_the_overwritten_input_is_refused():
    model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=2, random_state=0)
    with pytest.raises(ValueError, match="Set keeps_input = True in ReadsInput"):
        model.set_params(activation=["tanh", ReadsInput()], hidden_layer_sizes=(3, 3)).fit(
            X, X[:, 0]
        )
    for activation in (KeepsInput(), Surrogate()):
        model.set_params(activation=activation).fit(X, X[:, 0])


class Steps(KeepsInput):
    """Has steps, and the derivative of a smooth function."""

    def forward(self, z, out, *learned):
        np.round(z, out=out)


class HalfGradient(SquaredError):
    def gradient(self, raw, y, out, scratch):
        np.multiply(raw - y, 0.5, out=out)


class TooSteep(SquaredError):
    """Has the right gradient for one class per row only."""

    task = "multiclass"

    def gradient(self, raw, y, out, scratch):
        np.multiply(raw - y, y.sum(axis=-1, keepdims=True), out=out)


def test_a_derivative_that_finite_differences_contradict_gives_one_warning():
    model = MLPRegressor(hidden_layer_sizes=(3, 3), max_iter=2, random_state=0)
    with pytest.warns(UserWarning, match=r"Surrogate\.backward gives .* 0\.264 where .* -0\.513"):
        model.set_params(activation=Surrogate()).fit(X, X[:, 0])
    with pytest.warns(UserWarning, match=r"HalfGradient\.gradient gives a derivative") as found:
        search = GridSearchCV(model, {"loss": [HalfGradient()], "alpha": [0, 1]}, cv=2)
        search.set_params(estimator__activation="tanh").fit(X, X[:, 0])
    assert sum("HalfGradient" in str(one.message) for one in found) == 1


def test_derivatives_that_may_differ_give_no_warning(recwarn):
    for activation in (Steps(), KeepsInput(), Noisy(), Learned()):
        refuse_faulty_activation(activation)
    for loss in (RandomGradient(), Spread()):
        refuse_faulty_loss(loss, 2)
    refuse_faulty_loss(TooSteep(), 3)
    assert not recwarn


class HalfWritten(KeepsInput):
    """Leaves ``out`` as it was where z is negative."""

    def forward(self, z, out, *learned):
        np.sin(z, out=out, where=z > 0)


class Learned(KeepsInput):
    """Has a learned factor."""

    def n_parameters(self, units):
        return units

    def initial_parameters(self, units):
        return np.ones(units)

    def forward(self, z, out, factor):
        np.multiply(z, factor, out=out)

    def backward(self, z, a, grad, factor, factor_grad):
        factor_grad[...] = (grad * z).sum(axis=1, keepdims=True)
        grad *= factor


class NoGradient(Learned):
    def backward(self, z, a, grad, factor, factor_grad):
        grad *= factor


class AddsGradient(Learned):
    def backward(self, z, a, grad, factor, factor_grad):
        factor_grad += (grad * z).sum(axis=1, keepdims=True)
        grad *= factor


class Noisy(Surrogate):
    """Gives other values at each call."""

    def forward(self, z, out, *learned):
        np.tanh(z + np.random.normal(size=z.shape), out=out)


def test_an_activation_that_leaves_results_unwritten_is_refused():
    with pytest.raises(ValueError, match=r"HalfWritten\.forward must write all .* of `out`"):
        refuse_faulty_activation(HalfWritten())
    for activation in (NoGradient(), AddsGradient()):
        with pytest.raises(ValueError, match=r"Gradient\.backward must write all .* learned"):
            refuse_faulty_activation(activation)
    for activation in (Learned(), Noisy()):
        refuse_faulty_activation(activation)


def test_every_part_passes_the_trial(recwarn):
    for name in list_activations():
        refuse_faulty_activation(get_activation(name))
    for task, n_targets in (("regression", 1), ("binary", 2), ("multiclass", 3)):
        for name in list_losses(task):
            refuse_faulty_loss(get_loss(name, task), n_targets)
    for name in list_optimizers():
        refuse_faulty_optimizer(get_optimizer(name))
    assert not recwarn


class Logarithm(KeepsInput):
    def forward(self, z, out, *learned):
        np.log(z, out=out)


def test_an_activation_that_gives_nan_is_named_before_training_diverges():
    model = MLPRegressor(activation=Logarithm(), max_iter=2, random_state=0)
    with (
        np.errstate(invalid="ignore"),
        pytest.warns(UserWarning, match=r"Logarithm\.forward gives NaN"),
        pytest.raises(DivergedError),
    ):
        model.fit(X, X[:, 0])


class Descent(Optimizer):
    """Gradient descent that forgets what it has computed, unless ``moves``."""

    state_names = ("velocity",)

    def __init__(self, moves=False, rate=1.0):
        self.moves = moves
        self.rate = rate

    def coefficients(self, learning_rate, steps):
        return (learning_rate * self.rate,)

    def update(self, parameters, gradient, state, coefficients):
        state[0] += gradient
        if self.moves:
            parameters -= coefficients[0] * state[0]
        else:
            parameters = parameters - coefficients[0] * state[0]


def test_an_optimizer_that_moves_nothing_is_refused():
    with pytest.raises(ValueError, match=r"Descent\.update must change `parameters` in place"):
        MLPRegressor(solver=Descent(), max_iter=2).fit(X, X[:, 0])
    # A learning rate may be zero.
    for moves, rate in ((True, 1.0), (True, 0.0), (False, 0.0)):
        MLPRegressor(solver=Descent(moves, rate), max_iter=2).fit(X, X[:, 0])


class EveryFourth(Optimizer):
    """Gradient descent that moves in every fourth step, by the sum of four gradients."""

    state_names = ("total",)

    def coefficients(self, learning_rate, steps):
        moves = steps % 4 == 0
        return learning_rate * moves, 1.0 - moves

    def update(self, parameters, gradient, state, coefficients):
        (total,), (rate, keep) = state, coefficients
        total += gradient
        np.multiply(total, rate, out=gradient)
        parameters -= gradient
        total *= keep


def test_an_optimizer_may_move_in_every_fourth_step():
    options = {"hidden_layer_sizes": (3,), "alpha": 0, "max_iter": 5, "tol": 0, "random_state": 0}
    n = len(X) // 8 * 8
    options |= {"shuffle": False, "learning_rate_init": 0.01, "dtype": "float64"}
    ours = MLPRegressor(**options, solver=EveryFourth(), batch_size=n // 8)
    usual = MLPRegressor(**options, solver=SGD(0), batch_size=n // 2)
    # A large batch has the mean of four gradients.
    usual.set_params(learning_rate_init=0.04)
    predictions = [model.fit(X[:n], X[:n, 0]).predict(X) for model in (ours, usual)]
    assert_allclose(*predictions, rtol=1e-9)


def test_a_counter_of_an_optimizers_own_is_refused():
    class Counting(Descent):
        n_steps = 0

        def update(self, parameters, gradient, state, coefficients):
            self.n_steps += 1
            if self.n_steps % 4 == 0:
                parameters -= coefficients[0] * gradient

    with pytest.raises(ValueError, match="changes nothing needs a coefficient of 0"):
        MLPRegressor(solver=Counting(), max_iter=2).fit(X, X[:, 0])


def test_a_text_instead_of_a_tuple_of_names_is_refused():
    class Named(Descent):
        state_names = "velocity"

    with pytest.raises(TypeError, match=r"Named\.state_names must be a tuple .* got 'velocity'"):
        MLPRegressor(solver=Named(moves=True), max_iter=2).fit(X, X[:, 0])


class AddsToGradient(SquaredError):
    def gradient(self, raw, y, out, scratch):
        out += raw - y


class PartlyWritten(SquaredError):
    """Leaves ``out`` as it was where the prediction is too low."""

    def gradient(self, raw, y, out, scratch):
        np.subtract(raw, y, out=out, where=raw > y)


class RandomGradient(SquaredError):
    """Gives other values at each call, which is allowed."""

    def gradient(self, raw, y, out, scratch):
        np.add(raw - y, 0.01 * np.random.normal(size=out.shape), out=out)


@pytest.mark.parametrize("loss", [AddsToGradient(), PartlyWritten()], ids=["adds", "part"])
def test_a_loss_that_leaves_its_gradient_unwritten_is_refused(loss):
    with pytest.raises(ValueError, match=r"\.gradient must write all elements of `out`"):
        MLPRegressor(loss, max_iter=2, random_state=0).fit(X, X[:, 0])
    MLPRegressor(RandomGradient(), max_iter=2, random_state=0).fit(X, X[:, 0])


def test_a_part_is_tried_once_in_many_calls_and_again_after_a_change():
    calls = []

    class Watched(KeepsInput):
        def __init__(self, share=1.0):
            self.share = share

        def forward(self, z, out, *learned):
            calls.append(z.shape)
            super().forward(z, out, *learned)

    def was_tried():
        is_tried = (1, 30, 1) in calls
        calls.clear()
        return is_tried

    model = MLPRegressor(hidden_layer_sizes=(3, 3), activation=Watched(), random_state=0)
    model.partial_fit(X[:20], X[:20, 0])
    assert was_tried()
    model.partial_fit(X[:20], X[:20, 0])
    assert not was_tried()
    model.set_params(activation__share=0.5).partial_fit(X[:20], X[:20, 0])
    assert was_tried()
    with pytest.raises(ValueError, match="HalfWritten"):
        model.set_params(activation=HalfWritten()).partial_fit(X[:20], X[:20, 0])


class Spread(SquaredError):
    """Two outputs for each target."""

    judged_by_r2 = False
    outputs_per_target = 2

    def losses(self, raw, y):
        return (0.5 * (raw[..., 0::2] - y) ** 2 + raw[..., 1::2] ** 2).sum(axis=-1)

    def gradient(self, raw, y, out, scratch):
        np.subtract(raw[..., 0::2], y, out=out[..., 0::2])
        np.multiply(raw[..., 1::2], 2, out=out[..., 1::2])


class JudgedByR2(Spread):
    judged_by_r2 = True


class NegativeStd(Spread):
    estimates_std = True


class OneStd(SquaredError):
    estimates_std = True


class NoLink(Loss):
    losses, gradient = SquaredError.losses, SquaredError.gradient


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        (JudgedByR2(), ValueError, "JudgedByR2: judged_by_r2 = True needs one output"),
        (NegativeStd(), ValueError, r"NegativeStd\.inverse_link must give .* standard deviation"),
        (OneStd(), ValueError, r"OneStd\.inverse_link must give .* two outputs"),
        (NoLink(), NotImplementedError, "NoLink must define the method inverse_link"),
    ],
    ids=["R2", "negative", "one", "missing"],
)
def test_a_loss_that_could_be_trained_but_not_predict_or_score_is_refused(loss, error, message):
    with pytest.raises(error, match=message):
        MLPRegressor(loss, max_iter=2, random_state=0).fit(X, X[:, 0])


def test_several_numbers_for_a_target_have_no_score():
    model = MLPRegressor(Spread(), early_stopping=True, max_iter=2, random_state=0)
    model.fit(X, X[:, 0])
    assert model.predict(X).shape == (30, 2)
    with pytest.raises(ValueError, match=r"loss=Spread\(\) predicts 2 numbers for each target"):
        model.score(X, X[:, 0])
