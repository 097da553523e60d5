"""Members: options that never change, progress that training changes, and verdicts."""

from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from skperceptron import MLPBinaryClassifier, MLPRegressor
from skperceptron._sklearn.generators import same_generator
from skperceptron.engine import multilayer_perceptron
from skperceptron.estimators.fitting import prepare
from skperceptron.groups import ParameterGroups
from skperceptron.model_selection import _fits, _stacking
from skperceptron.training import Recipe, Stack, Targets, TrainingSet, Verdict, epochs
from skperceptron.training.checkpoint import state_of
from tests.members import member_of, varied

N = 20
RNG = np.random.RandomState(0)
X, Y = RNG.normal(size=(N, 3)), RNG.normal(size=(N, 1))
NETWORK = multilayer_perceptron(3, (), 1, [])


def make_member(**options):
    defaults = {
        "parameters": np.zeros(NETWORK.n_parameters),
        "learning_rate": 0.1,
        "rows": np.arange(N),
        "max_iter": 3,
    }
    return member_of(**(defaults | options))


@pytest.mark.parametrize("name", [field.name for field in fields(Recipe)])
def test_a_recipe_cannot_be_changed(name):
    recipe = make_member().recipe
    with pytest.raises(FrozenInstanceError):
        setattr(recipe, name, getattr(recipe, name))
    with pytest.raises(AttributeError):
        setattr(make_member(), name, getattr(recipe, name))


def test_training_changes_the_member_and_not_its_recipe():
    member = make_member()
    recipe, before = member.recipe, replace(member.recipe)
    list(epochs(Stack(NETWORK, [member], TrainingSet(X, Targets(Y)), 5, np.dtype(np.float64))))
    assert member.recipe is recipe
    assert vars(recipe) == vars(before)
    assert member.n_iter == 3 and member.steps == 12
    assert member.parameters.any()


def test_a_member_starts_at_the_rate_of_its_recipe():
    assert make_member(learning_rate=0.3).current_rate == 0.3
    assert make_member(learning_rate=0.3, current_rate=0.2).current_rate == 0.2


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("batch_size", [4, N])
def test_a_member_is_complete_when_it_is_made(batch_size, early_stopping):
    X_twice, y_twice = np.vstack([X, X]), np.vstack([Y, Y])[:, 0]
    options = {"batch_size": batch_size * 2, "dropout": 0.1, "random_state": 0}
    estimator = MLPRegressor(hidden_layer_sizes=(4,), early_stopping=early_stopping, **options)
    member = prepare(estimator, X_twice, y_twice).member
    recipe = member.recipe
    assert recipe.n_samples == 2 * N * (0.9 if early_stopping else 1)
    assert (recipe.validate is not None) == recipe.monitors_score == early_stopping
    assert member.noise is not None
    merges = batch_size == N
    assert (len(member.rows) < recipe.n_samples) == merges
    assert (recipe.sample_weight is not None) == merges


def test_members_of_a_search_share_equal_objects_and_generators():
    common = _fits.Common()
    y = X[:, 0] > 0
    estimators = [MLPBinaryClassifier((4,), alpha=a, random_state=0) for a in (0.1, 0.2)]
    prepared = [_stacking._prepare(_fits.Fit(one, X, y), common) for one in estimators]
    _stacking._share_generators(prepared)
    one, other = (p.member for p in prepared)
    for name in ("loss", "optimizer", "schedule"):
        assert getattr(one.recipe, name) is getattr(other.recipe, name)
    assert one.rng is other.rng
    assert (one.recipe.alpha, other.recipe.alpha) == (0.1, 0.2)


#: A value of each parameter that matters from the first step on only; none is the default.
OF_STEPS = {
    "alpha": 0.1,
    "averaging": "ema",
    "batch_size": 3,
    "beta_1": 0.5,
    "beta_2": 0.5,
    "decay_schedule": "cosine",
    "drop_last": True,
    "dropout_schedule": "cosine",
    "epsilon": 1e-3,
    "l1_ratio": 0.5,
    "learning_rate": "cosine",
    "learning_rate_init": 0.1,
    "max_fun": 3,
    "max_grad_norm": 1.0,
    "max_iter": 3,
    "momentum": 0.5,
    "n_iter_no_change": 3,
    "nesterovs_momentum": False,
    "parameter_groups": ParameterGroups(),
    "power_t": 0.1,
    "shuffle": False,
    "tol": 0.1,
}


@pytest.mark.parametrize("is_noisy", [False, True])
@pytest.mark.parametrize("name", [*sorted(_fits.STEPS_ONLY), "random_state", "activation"])
def test_candidates_share_a_start_if_they_differ_in_their_steps_only(name, is_noisy):
    value = OF_STEPS.get(name, {"random_state": 1, "activation": "tanh"}.get(name))
    y, common = X[:, 0] > 0, _fits.Common()
    options = {"random_state": 0, "dropout": 0.1 * is_noisy}
    found = []
    for changed in ({}, {name: value}):
        estimator = MLPBinaryClassifier((4,), **(options | changed))
        settings = common.check_parameters(estimator)
        fit = _fits.Fit(estimator, X, y, settings=settings)
        found.append(_stacking._prepare(fit, common))
        alone = prepare(clone(estimator), X, y).member
        assert_array_equal(found[-1].member.parameters, alone.parameters)
        drawn = [same_generator(member.rng).randint(2**31) for member in (found[-1].member, alone)]
        assert drawn[0] == drawn[1]
    one, other = found
    if name != "parameter_groups":
        # Objects cannot be compared by value: their networks share nothing.
        assert (one.network is other.network) == (name in _fits.STEPS_ONLY)
    assert one.member.parameters is not other.member.parameters


TEXTS = ["go on", "slow down", "stop", "exhausted", "out of time", "diverged", "failed"]


def test_files_hold_the_strings_of_verdicts():
    assert [verdict.value for verdict in Verdict] == TEXTS
    for verdict in Verdict:
        member = varied(make_member(), verdict=verdict)
        assert state_of(member).numbers["verdict"] == verdict.value


def test_training_goes_on_after_two_verdicts_only():
    assert [v for v in Verdict if not v.is_last] == [Verdict.GO_ON, Verdict.SLOW_DOWN]
    for verdict in Verdict:
        member = make_member(verdict=verdict)
        assert member.is_over == verdict.is_last
        assert member.diverged == (verdict is Verdict.DIVERGED)
