"""Penalties, clipping, weight decay and rates per step, compared with PyTorch or a formula."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skperceptron.activations import Heaviside, Tanh
from skperceptron.engine import multilayer_perceptron
from skperceptron.optimizers import SGD, Adagrad, Adam, AdamW, Lion, NAdam, RMSprop
from skperceptron.schedules import Cosine, OneCycle, UserSchedule
from skperceptron.training import Stack, Targets, TrainingSet, Verdict, epochs
from skperceptron.training import update as update_module
from tests.members import member_of, varied

N, D, H, C, BATCH = 40, 4, 5, 2, 8
FLOAT64 = np.dtype(np.float64)
PLAIN = SGD(momentum=0.0, nesterov=False)
OPTIMIZERS = [
    PLAIN,
    Adagrad(),
    RMSprop(momentum=0.5),
    RMSprop(),
    Adam(amsgrad=True),
    AdamW(weight_decay=0.3),
    NAdam(),
    Lion(weight_decay=0.3),
]
EVERY_OPTIMIZER = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)


def make_data():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(N, D))
    return TrainingSet(X, Targets(np.tanh(X[:, :C]) + rng.normal(scale=0.1, size=(N, C))))


def make_network(n_members=1, activation=Tanh):
    return multilayer_perceptron(D, (H,), C, [[activation() for _ in range(n_members)]])


def make_member(k=0, **options):
    rng = np.random.RandomState(k)
    defaults = {
        "parameters": rng.normal(scale=0.5, size=make_network().n_parameters),
        "optimizer": PLAIN,
        "rows": np.arange(N),
        "rng": np.random.RandomState(k),
        "shuffle": False,
        "max_iter": 4,
        "n_iter_no_change": np.inf,
    }
    return member_of(**(defaults | options))


def train(members, network=None, batch_size=BATCH):
    network = network or make_network(len(members))
    for _ in epochs(Stack(network, members, make_data(), batch_size, FLOAT64)):
        pass
    return np.stack([member.parameters for member in members])


# Against PyTorch, in a network.


def torch_trajectory(torch, start, n_steps, make_optimizer, alpha, l1_ratio, max_norm, rate_of):
    """Train the same network in PyTorch; return its flat parameters."""
    edges = np.cumsum([D * H, H * C, H, C])[:-1]
    shapes = [(D, H), (H, C), (H,), (C,)]
    parts = zip(np.split(start, edges), shapes, strict=True)
    w1, w2, b1, b2 = tensors = [
        torch.tensor(part.reshape(shape), requires_grad=True) for part, shape in parts
    ]
    optimizer = make_optimizer(torch, [w1, w2], [b1, b2])
    data = make_data()
    X, y = torch.tensor(data.X), torch.tensor(data.targets.table)
    for step in range(n_steps):
        rows = slice(step * BATCH % N, step * BATCH % N + BATCH)
        raw = torch.tanh(X[rows] @ w1 + b1) @ w2 + b2
        squares = sum((w**2).sum() for w in (w1, w2))
        absolutes = sum(w.abs().sum() for w in (w1, w2))
        penalty = alpha * ((1 - l1_ratio) / 2 * squares + l1_ratio * absolutes)
        loss = (((raw - y[rows]) ** 2).sum() / 2 + penalty) / BATCH
        optimizer.zero_grad()
        loss.backward()
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(tensors, max_norm)
        for group in optimizer.param_groups:
            group["lr"] = rate_of(step)
        optimizer.step()
    return np.concatenate([t.detach().numpy().ravel() for t in tensors])


@pytest.mark.torch
@pytest.mark.parametrize("max_norm", [None, 0.05])
@pytest.mark.parametrize(("alpha", "l1_ratio"), [(0.0, 0.0), (0.3, 0.0), (0.3, 1.0), (0.3, 0.4)])
def test_two_hundred_steps_with_penalties_and_clipping_equal_pytorch(alpha, l1_ratio, max_norm):
    torch = pytest.importorskip("torch")
    member = make_member(
        optimizer=AdamW(weight_decay=0.3),
        alpha=alpha,
        l1_ratio=l1_ratio,
        max_grad_norm=np.inf if max_norm is None else max_norm,
        schedule=Cosine(warmup=5),
        max_iter=40,
    )
    start = member.parameters.copy()
    (ours,) = train([member])
    assert member.steps == 200

    def make_optimizer(torch, weights, biases):
        groups = [{"params": weights, "weight_decay": 0.3}, {"params": biases, "weight_decay": 0}]
        return torch.optim.AdamW(groups, lr=0.01)

    def rate_of(step):
        if step < 25:
            return 0.01 * step / 25
        return 0.01 * (1 + np.cos(np.pi * (step - 25) / 175)) / 2

    theirs = torch_trajectory(torch, start, 200, make_optimizer, alpha, l1_ratio, max_norm, rate_of)
    assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


# Elastic net.


@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_step_and_reported_loss_hold_the_elastic_net_divided_by_the_weights(weighted, l1_ratio):
    network = make_network()
    weight = np.random.RandomState(1).uniform(size=N) if weighted else np.ones(N)
    options = {"alpha": 0.7, "l1_ratio": l1_ratio, "sample_weight": weight}
    penalized, free = make_member(**options), make_member(**(options | {"alpha": 0.0}))
    start = penalized.parameters.copy()
    stacks = [Stack(network, [m], make_data(), N, FLOAT64) for m in (penalized, free)]
    losses = [float(stack.run_epoch()[0]) for stack in stacks]
    w = start[: network.n_weights]
    size = (1 - l1_ratio) / 2 * (w**2).sum() + l1_ratio * np.abs(w).sum()
    assert losses[0] - losses[1] == pytest.approx(0.7 * size / weight.sum(), rel=1e-10)
    pull = 0.7 * ((1 - l1_ratio) * w + l1_ratio * np.sign(w)) / weight.sum()
    moved = stacks[0].vectors.parameters[0] - stacks[1].vectors.parameters[0]
    assert_allclose(moved[: network.n_weights], -0.01 * pull, rtol=1e-9, atol=1e-15)
    assert_array_equal(moved[network.n_weights :], 0)


def test_penalties_leave_out_weights_that_no_gradient_reaches():
    network = make_network(activation=Heaviside)
    options = {"alpha": 1.0, "l1_ratio": 0.5, "optimizer": AdamW(weight_decay=1.0)}
    member = make_member(**options)
    start = member.parameters.copy()
    train([member], network)
    assert_array_equal(member.parameters[: D * H], start[: D * H])
    assert (member.parameters[D * H : network.n_weights] != start[D * H : network.n_weights]).all()


# Clipping.


def test_longer_gradient_is_shortened_to_the_norm_and_a_shorter_one_is_left_alone():
    free, long, short = (
        make_member(learning_rate=1.0, max_grad_norm=norm, max_iter=1)
        for norm in (np.inf, 0.1, 1e6)
    )
    start = free.parameters.copy()
    step, clipped, same = start - np.stack(
        [train([m], batch_size=N)[0] for m in (free, long, short)]
    )
    assert np.linalg.norm(step) > 0.5
    assert np.linalg.norm(clipped) == pytest.approx(0.1, rel=1e-4)
    assert_allclose(clipped / np.linalg.norm(clipped), step / np.linalg.norm(step), atol=1e-13)
    assert_array_equal(same, step)


def test_clipping_limits_exploding_steps():
    wild = {"learning_rate": 5.0, "optimizer": SGD(), "max_iter": 30}
    with np.errstate(all="ignore"):
        free, clipped = make_member(**wild), make_member(**wild, max_grad_norm=0.01)
        train([free]), train([clipped])
    assert free.diverged and not clipped.diverged


# Rates per step.


def test_steps_take_the_rates_of_the_schedule_one_by_one():
    schedule = OneCycle()
    members = [
        make_member(schedule=schedule, optimizer=Lion()),
        make_member(schedule=UserSchedule(constant), optimizer=Lion()),
    ]
    starts = np.stack([member.parameters for member in members])
    stack = Stack(make_network(2), members, make_data(), BATCH, FLOAT64)
    rates, reported = [], []
    for reports in epochs(stack):
        rates.append(stack.scalars.table[:, :, 0].copy())
        reported.append([report.learning_rate for report in reports])
    times = np.arange(4 * N // BATCH) / (N // BATCH)
    expected = schedule.rates(0.01, 0.01, times, 4)
    found = np.concatenate([of_epoch[:, 0] for of_epoch in rates[:-1]])
    assert_allclose(found, expected[: len(found)], rtol=1e-14)
    assert_allclose(np.array(reported)[:, 0], expected[:: N // BATCH], rtol=1e-14)
    assert_array_equal(np.array(reported)[:, 1], 0.005)
    # No weight moves further than the sum of all rates.
    moved = np.abs(np.stack([member.parameters for member in members]) - starts).max(axis=1)
    assert (moved <= [expected.sum() + 1e-12, 20 * 0.005 + 1e-12]).all()


def constant(epoch):
    return 0.5


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_constant_factor_is_a_smaller_rate(l1_ratio):
    halved = make_member(
        schedule=UserSchedule(constant), optimizer=AdamW(), alpha=0.1, l1_ratio=l1_ratio
    )
    slow = make_member(optimizer=AdamW(), alpha=0.1, l1_ratio=l1_ratio, current_rate=0.005)
    assert_array_equal(*train([halved]), *train([slow]))


# In a stack.


def different_members(optimizer):
    """Return members of which only some use each option."""
    return [
        make_member(0, optimizer=optimizer, alpha=0.1),
        make_member(1, optimizer=optimizer, alpha=0.2, l1_ratio=0.5, schedule=Cosine()),
        make_member(2, optimizer=optimizer, max_grad_norm=0.05, learning_rate=0.02),
        make_member(3, optimizer=optimizer, alpha=0.2, l1_ratio=1.0, max_grad_norm=0.5, max_iter=2),
    ]


@EVERY_OPTIMIZER
def test_stacked_member_equals_the_same_network_alone(optimizer):
    together = different_members(optimizer)
    train(together)
    for member, alone in zip(together, different_members(optimizer), strict=True):
        train([alone])
        assert_allclose(member.parameters, alone.parameters, rtol=1e-12, atol=1e-14)
        assert_allclose(member.progress.loss_curve, alone.progress.loss_curve, rtol=1e-12)


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, SGD(), SGD(nesterov=False), Adam()], ids=repr)
@pytest.mark.parametrize("chunk", [1, 7, 25])
def test_chunks_of_any_length_give_the_same_bits(monkeypatch, chunk, optimizer):
    expected = train(different_members(optimizer))
    monkeypatch.setattr(update_module, "CHUNK", chunk)
    assert_array_equal(train(different_members(optimizer)), expected)


@EVERY_OPTIMIZER
def test_training_continued_from_a_retired_member_equals_uninterrupted_training(optimizer):
    options = {"optimizer": optimizer, "alpha": 0.1, "l1_ratio": 0.5, "max_grad_norm": 1.0}
    options["schedule"] = UserSchedule(by_step)
    through = make_member(**options, max_iter=6)
    train([through])
    first = make_member(**options, max_iter=3)
    train([first])
    second = varied(first, max_iter=6, verdict=Verdict.GO_ON)
    train([second])
    assert_array_equal(second.parameters, through.parameters)
    for name in optimizer.state_names:
        assert_array_equal(second.optimizer_state[name], through.optimizer_state[name])


def by_step(n):
    return 1 / (1 + n)


def test_unused_options_add_no_call_to_a_step():
    def calls_of(**options):
        stack = Stack(make_network(), [make_member(**options)], make_data(), BATCH, FLOAT64)
        (steps,) = stack.steps
        return len(steps[0].bound.optimization.calls)

    plain = calls_of(optimizer=SGD())
    assert calls_of(optimizer=SGD(), alpha=0.1) == plain + 2
    assert calls_of(optimizer=SGD(), alpha=0.1, l1_ratio=0.5) == plain + 5
    plain = calls_of(optimizer=Adam())
    decaying = calls_of(optimizer=AdamW())
    assert decaying == plain + 2
    assert calls_of(optimizer=AdamW(), max_grad_norm=1.0) > decaying


@pytest.mark.parametrize("optimizer", [one for one in OPTIMIZERS if one.n_scratch], ids=repr)
def test_chunks_share_scratch_memory(monkeypatch, optimizer):
    monkeypatch.setattr(update_module, "CHUNK", 10)
    stack = Stack(make_network(), [make_member(optimizer=optimizer)], make_data(), BATCH, FLOAT64)
    (steps,) = stack.steps
    updates = [call for call in steps[0].bound.optimization.calls if call.func == optimizer.update]
    assert len(updates) == 4
    for i in range(optimizer.n_scratch):
        rooms = [call.args[2][len(optimizer.state_names) + i] for call in updates]
        assert all(np.shares_memory(room, rooms[0]) for room in rooms)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_limit_of_one_member_does_not_touch_another_whose_gradient_is_huge():
    gradient = np.full((2, 3), 1e30, dtype=np.float32)
    limits = np.array([[np.inf], [1.0]], dtype=np.float32)
    for call in update_module.clip_calls(gradient, limits):
        call()
    assert_array_equal(gradient[0], np.float32(1e30))
    assert np.isfinite(gradient).all()
