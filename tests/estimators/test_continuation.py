"""The state from which a later call goes on, and objects that it reuses."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skperceptron import MLPRegressor
from skperceptron._sklearn.fit_calls import FitMode
from skperceptron.estimators import running
from skperceptron.estimators.choices import Choices
from skperceptron.estimators.continuation import (
    Continuation,
    plain_options,
    progress_so_far,
    what_is_learned,
)
from skperceptron.estimators.fitting import prepare
from skperceptron.estimators.targets import Units
from skperceptron.schedules import InverseScaling
from skperceptron.training.stack import Stack

X = np.random.RandomState(0).normal(size=(60, 3))
Y = 10 * X[:, 0]


def streamed(y=Y, **options):
    model = MLPRegressor(hidden_layer_sizes=(4,), random_state=0, **options)
    for _ in range(3):
        model.partial_fit(X, y)
    return model


@pytest.mark.parametrize("ensemble_size", [None, 3])
def test_other_units_leave_predictions_as_they_are(ensemble_size):
    y = np.column_stack([Y, X[:, 1] - 7])
    options = {"averaging": "ema", "standardize_target": True, "ensemble_size": ensemble_size}
    model = streamed(y, **options)
    fitted, later = model._fitted, model._later
    other = pickle.loads(pickle.dumps(fitted.target))
    other.units = Units(np.array([3.0, -1.0]), np.array([4.0, 4.0]))
    changed = later.in_units_of(other, fitted.target, fitted.network)

    def last_layers(vector, target):
        views = fitted.network.views(vector.astype(np.float64)[np.newaxis])
        weight, bias = [learned for learned in views if learned][-1]
        # A row of biases for each network, with one bias for each target.
        return np.vstack(target.fold(weight[0], bias[0].reshape(-1, 2)))

    for name in ("raw_parameters", "average"):
        before, after = getattr(later, name), getattr(changed, name)
        assert not np.allclose(before, after)
        assert_allclose(last_layers(after, other), last_layers(before, fitted.target), rtol=1e-6)


def test_without_an_average_training_goes_on_from_what_is_shown():
    model = streamed(standardize_target=False)
    vector = model._later.parameters(model._fitted, model._fitted.target, model._fitted.network)
    views = model._fitted.network.views(vector[np.newaxis])
    learned = model._fitted.network.by_attribute(views)
    for found, expected in zip(learned["coefs_"], model.coefs_, strict=True):
        assert_array_equal(found, expected)


@pytest.mark.parametrize(("seed", "goes_on"), [(5, True), (6, False)])
def test_dropout_goes_on_where_the_seed_would_draw_the_same_masks(seed, goes_on):
    earlier, rng = np.random.default_rng(9), np.random.RandomState(1)
    fresh = np.random.default_rng(0)
    noise, shuffles = Continuation(noise=(5, earlier)).generators(fresh, rng, seed, rows_seen=40)
    expected = np.random.default_rng(9 if goes_on else 0)
    assert noise.random() == expected.random()
    assert (shuffles is rng) is not goes_on
    # The generator of the earlier fit has not advanced.
    assert earlier.random() == np.random.default_rng(9).random()


def run_of(model, **changes):
    mode = FitMode(continuing=True, incremental=True)
    return prepare(model.set_params(**changes), X, Y, mode=mode)


def test_masks_go_on_after_any_number_of_rows():
    earlier, other = np.random.default_rng(0), np.random.default_rng(1)
    kept = Continuation(noise=(5, earlier))
    rng = np.random.RandomState(5)
    drawn = [kept.generators(other, rng, 5, n)[1].randint(1000) for n in (7, 2**32 + 7)]
    assert drawn[0] == drawn[1]


def test_moments_are_for_the_same_kind_of_optimizer():
    model = streamed()
    assert run_of(model).member.steps == 3
    assert run_of(model, solver="sgd").member.steps == 0


def test_a_rate_is_kept_as_long_as_schedule_and_first_rate_are():
    model = streamed(solver="sgd", learning_rate=InverseScaling(0.5))
    rate = run_of(model).member.current_rate
    assert rate == model._later.steps.rate < 0.001
    assert run_of(model, learning_rate_init=0.01).member.current_rate > 2 * rate
    other = run_of(model, learning_rate="constant", learning_rate_init=0.001).member
    assert other.current_rate == 0.001


def test_fit_and_partial_fit_use_different_histories():
    model = streamed()
    partial = progress_so_far(model, FitMode(continuing=True, incremental=True))
    whole = progress_so_far(model, FitMode(continuing=True, incremental=False))
    assert partial.loss_curve == model.loss_curve_ and partial.best_loss == model.best_loss_
    assert whole.loss_curve == [] and whole.earlier["loss_curve"] == model.loss_curve_
    assert whole.rows_seen == partial.rows_seen == 180
    never = replace(model._later, no_improvement=None)
    model._later = never
    assert progress_so_far(model, FitMode(True, incremental=True)).loss_curve == []


def test_a_shortcut_is_for_equal_plain_options_and_is_not_copied():
    def choices_of_next_call(**changes):
        model.set_params(**changes).partial_fit(X, Y)
        return model._shortcut.choices

    model = streamed()
    kept = model._shortcut.choices
    assert choices_of_next_call(random_state=3) is kept
    changed = choices_of_next_call(alpha=1)
    assert changed is not kept
    assert pickle.loads(pickle.dumps(model._shortcut)).choices is None
    # Options with an object are not plain: its attributes may change.
    assert plain_options(model.set_params(learning_rate=InverseScaling(0.5))) is None
    assert choices_of_next_call() is not choices_of_next_call()


def test_small_steps_reuse_what_the_first_one_has_made(monkeypatch):
    made = []
    monkeypatch.setattr(running, "Stack", lambda *given: made.append(Stack(*given)) or made[-1])
    streamed()
    assert len(made) == 1


def test_dropout_is_nothing_that_a_later_call_goes_on_with():
    def learned(**options):
        return what_is_learned(
            Choices.of(MLPRegressor(hidden_layer_sizes=(4,), **options)).wiring.network(3, 1)
        )

    assert learned() == learned(dropout=0.5, activation="tanh")
    assert learned() != learned(activation="prelu")
    assert learned() != learned(normalization="layer")
