"""Groups of parameters with their own learning rate, decay and penalty."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import approx_fprime

from skperceptron.activations import Tanh
from skperceptron.engine import multilayer_perceptron
from skperceptron.groups import ParameterGroup, ParameterGroups
from skperceptron.optimizers import SGD, Adam, AdamW, Lion, RMSprop
from skperceptron.training import Stack, Targets, TrainingSet, epochs
from skperceptron.training import update as update_module
from skperceptron.training.groups import Groups, factors_of
from skperceptron.training.lbfgs import Objective
from skperceptron.training.member import GroupFactors
from tests.members import member_of, varied

RNG = np.random.RandomState(0)
X, Y = RNG.normal(size=(24, 3)), RNG.normal(size=(24, 2))
NETWORK = multilayer_perceptron(3, [4], 2, [[Tanh()]])
N_WEIGHTS, N = NETWORK.n_weights, NETWORK.n_parameters
START = RNG.normal(size=N)
BIASES = slice(N_WEIGHTS, N)
FLOAT64 = np.dtype(np.float64)


def member(groups=(), **options):
    return member_of(
        parameters=START.copy(),
        rows=np.arange(len(X)),
        rng=np.random.RandomState(1),
        tol=0.0,
        n_iter_no_change=np.inf,
        groups=groups,
        **{"max_iter": 3, **options},
    )


def train(*members, batch_size=8):
    network = multilayer_perceptron(3, [4], 2, [[Tanh()]])
    stack = Stack(network, members, TrainingSet(X, Targets(Y)), batch_size, FLOAT64)
    for _ in epochs(stack):
        pass
    return [one.parameters for one in members]


def group(*places, rate=1.0, decay=0.0, penalty=0.0):
    return GroupFactors(places, rate, decay, penalty)


@pytest.mark.parametrize("optimizer", [SGD(momentum=0.0), Adam(), RMSprop(), Lion()], ids=repr)
def test_factor_of_a_group_multiplies_the_first_step_of_its_parameters(optimizer):
    options = {"optimizer": optimizer, "max_iter": 1}
    (plain,) = train(member(**options), batch_size=24)
    (grouped,) = train(member([group(BIASES, rate=0.25)], **options), batch_size=24)
    assert_array_equal(grouped[:N_WEIGHTS], plain[:N_WEIGHTS])
    assert_allclose(grouped[BIASES] - START[BIASES], 0.25 * (plain - START)[BIASES], rtol=1e-9)


def test_group_with_a_rate_of_zero_does_not_change():
    (found,) = train(member([group(BIASES, rate=0.0)]))
    assert_array_equal(found[BIASES], START[BIASES])
    assert not np.isclose(found[:N_WEIGHTS], START[:N_WEIGHTS]).any()


def test_groups_that_change_nothing_give_the_same_model():
    weights = group(slice(0, N_WEIGHTS), decay=1.0, penalty=1.0)
    options = {"optimizer": AdamW(), "alpha": 0.5, "l1_ratio": 0.3}
    (plain,) = train(member(**options))
    (grouped,) = train(member([weights, group(BIASES)], **options))
    assert_allclose(grouped, plain, rtol=1e-12)


def test_groups_may_overlap_chunks(monkeypatch):
    groups = [group(slice(3, 7), rate=2.0), group(slice(11, N), rate=0.5)]
    options = {"optimizer": AdamW(), "alpha": 0.5}
    (expected,) = train(member(groups, **options))
    monkeypatch.setattr(update_module, "CHUNK", 5)
    (found,) = train(member(groups, **options))
    assert_array_equal(found, expected)


def test_decay_and_penalty_of_a_group_are_its_own():
    shrunk = member(
        [group(slice(0, N_WEIGHTS), decay=0.0), group(BIASES, decay=2.0)],
        optimizer=AdamW(weight_decay=0.1),
        learning_rate=0.01,
        max_iter=1,
    )
    free = member(optimizer=AdamW(weight_decay=0.0), learning_rate=0.01, max_iter=1)
    found, expected = train(shrunk, batch_size=24) + train(free, batch_size=24)
    assert_array_equal(found[:N_WEIGHTS], expected[:N_WEIGHTS])
    assert_allclose(found[BIASES], expected[BIASES] - 0.01 * 0.1 * 2.0 * START[BIASES], rtol=1e-9)
    plain = {"optimizer": SGD(momentum=0.0), "learning_rate": 0.1, "max_iter": 1}
    penalized = member([group(BIASES, penalty=3.0)], alpha=0.6, **plain)
    found, expected = train(penalized, batch_size=24) + train(
        member(alpha=0.6, **plain), batch_size=24
    )
    assert_array_equal(found[:N_WEIGHTS], expected[:N_WEIGHTS])
    pull = 0.1 * 0.6 / 24 * 3.0 * START[BIASES]
    assert_allclose(found[BIASES], expected[BIASES] - pull, rtol=1e-9)


def test_reported_loss_counts_what_a_group_is_penalized_by():
    options = {"optimizer": SGD(momentum=0.0), "learning_rate": 1e-12, "max_iter": 1}
    strong, plain = member([group(BIASES, penalty=3.0)], alpha=0.6, **options), member(**options)
    train(strong, batch_size=24), train(plain, batch_size=24)
    squares = (START[:N_WEIGHTS] ** 2).sum() + 3.0 * (START[BIASES] ** 2).sum()
    difference = strong.progress.loss_curve[0] - plain.progress.loss_curve[0]
    assert difference == pytest.approx(0.5 * 0.6 * squares / 24)


@pytest.mark.parametrize("optimizer", [SGD(), AdamW()], ids=repr)
def test_stacked_members_with_different_factors_equal_each_alone(optimizer):
    def members():
        options = {"optimizer": optimizer, "alpha": 0.1, "l1_ratio": 0.5}
        return [
            member([group(BIASES, rate=0.1)], **options),
            member([group(BIASES, rate=2.0, decay=1.0, penalty=1.0)], **options),
            member(**options),
            member([group(slice(2, 9), rate=0.0, decay=1.0, penalty=0.5)], **options),
        ]

    together = train(*members())
    for found, alone in zip(together, members(), strict=True):
        assert_allclose(found, *train(alone), rtol=1e-12, atol=1e-14)


def test_gradient_of_the_whole_objective_has_the_groups_penalties():
    one = member([group(BIASES, penalty=3.0), group(slice(0, 4), penalty=0.5)], alpha=2.0)
    objective = Objective(NETWORK, one, TrainingSet(X, Targets(Y)))
    plain = Objective(NETWORK, varied(one, groups=()), TrainingSet(X, Targets(Y)))
    # The two objectives differ by the penalties of the groups alone.
    penalty = lambda v: objective(v)[0] - plain(v)[0]  # noqa: E731
    expected = approx_fprime(START, penalty, 1e-7)
    assert_allclose(objective(START)[1] - plain(START)[1], expected, atol=1e-5)


def test_parts_are_the_whole_vector():
    members = member([group(slice(3, 7), rate=2.0)]), member()
    groups = Groups([one.recipe for one in members], N, N_WEIGHTS)
    places = [part.place for part in groups.parts]
    assert [place.start for place in places] == [0, 3, 7]
    assert [place.stop for place in places] == [3, 7, N]
    assert groups.rate_factors == [(1.0, 1.0), (2.0, 1.0)]
    assert [part.factor for part in groups.parts] == [0, 1, 0]


@pytest.mark.parametrize("rate", [0.0, 0.5, 2.0])
def test_a_rate_alone_makes_a_group(rate):
    network = multilayer_perceptron(3, (4,), 1, [[Tanh()]])
    groups = ParameterGroups(bias=ParameterGroup(rate))
    (factors,) = factors_of(groups, network)
    assert (factors.rate, factors.decay, factors.penalty) == (rate, 0, 0)
    assert not factors_of(ParameterGroups(bias=ParameterGroup(1.0)), network)
