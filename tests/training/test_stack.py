"""A stack: each member ends as if it had been trained alone, whatever the others do."""

import functools
import tracemalloc
from unittest.mock import Mock

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.utils import shuffle

from skperceptron.activations import ELU, Activation, PReLU, ReLU, Sigmoid, Tanh
from skperceptron.engine import Network, multilayer_perceptron
from skperceptron.engine.prediction import predict_raw
from skperceptron.losses import (
    AbsoluteError,
    BinaryFocalLoss,
    BinaryLogLoss,
    CategoricalFocalLoss,
    CategoricalLogLoss,
    GaussianNLL,
    Huber,
    Pinball,
    PoissonDeviance,
    ScaledSquaredError,
    SquaredError,
)
from skperceptron.optimizers import SGD, Adam, AdamW, Lion, NAdam
from skperceptron.schedules import Adaptive, Constant, Exponential, InverseScaling
from skperceptron.training import Stack, Targets, TrainingSet, epochs
from skperceptron.training import stack as stack_module
from skperceptron.training import update as update_module
from skperceptron.training.lbfgs import Objective
from tests.members import member_of, varied

N, D, C, BATCH = 120, 5, 3, 16
FLOAT64 = np.dtype(np.float64)
# Members with different numbers of batches, with whole batches, with one row more than these, with
# fewer rows than a batch, and with one row.
COUNTS = [100, 65, 64, 64, 33, 20, 16, 9, 1]
LOSSES = [
    BinaryLogLoss(),
    CategoricalLogLoss(),
    PoissonDeviance(),
    ScaledSquaredError(0.0, 1.0),
    SquaredError(),
]


class Cubic(Activation):
    """A user's own activation: z + z^3 / 10."""

    keeps_input = True

    def forward(self, z, out, *learned):
        np.multiply(z, z, out=out)
        np.multiply(out, 0.1, out=out)
        np.add(out, 1, out=out)
        np.multiply(out, z, out=out)

    def backward(self, z, a, grad, *learned):
        np.multiply(z, z, out=a)
        np.multiply(a, 0.3, out=a)
        np.add(a, 1, out=a)
        np.multiply(grad, a, out=grad)


def make_data(loss=None, is_sparse=False, n_columns=D):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(N, n_columns)) * (rng.uniform(size=(N, n_columns)) < 0.7)
    codes = rng.randint(C, size=N)
    targets = Targets(np.eye(C), codes)
    if isinstance(loss, SquaredError):
        targets = Targets(np.tanh(X[:, :C]) + rng.normal(scale=0.1, size=(N, C)))
    return TrainingSet(sparse.csr_array(X) if is_sparse else X, targets)


def make_member(k, network, **options):
    """Return the k-th member; each call gives an equal one with a fresh generator."""
    rng = np.random.RandomState(1000 + k)
    defaults = {
        "parameters": rng.normal(scale=0.4, size=network.n_parameters),
        "alpha": 0.01,
        "rows": rng.permutation(N)[: COUNTS[k % len(COUNTS)]],
        "rng": np.random.RandomState(k),
        "max_iter": 6,
        "n_iter_no_change": np.inf,
    }
    return member_of(**(defaults | options))


def mixed_network(n_members, skip_connections="none"):
    functions = [ReLU(), Tanh(), Tanh(), Sigmoid(), ELU(), Cubic()]
    first = [functions[k % len(functions)] for k in range(n_members)]
    second = first[::-1]
    return multilayer_perceptron(D, (6, 6), C, [first, second], skip_connections)


def train(network, members, data, dtype=FLOAT64, batch_size=BATCH):
    """Train to the end; return each member's reports."""
    stack = Stack(network, members, data, batch_size, dtype)
    reports = {id(member): [] for member in members}
    with np.errstate(all="ignore"):
        for of_epoch in epochs(stack):
            for report in of_epoch:
                reports[id(report.member)].append((report.epoch, report.score, report.verdict))
    return [reports[id(member)] for member in members]


@functools.cache
def rounding():
    """Return the tolerance for numbers that lie elsewhere in memory, as in a stack.

    It is 0, except with BLAS's kernels for processors without AVX: they add up a vector in another
    order if its address is no multiple of 16.
    """
    values = np.random.RandomState(0).normal(size=33)
    memory = np.empty(34)
    memory[1:] = values
    sums = [[x[:n] @ x[:n] for n in range(34)] for x in (values, memory[1:])]
    return 0 if sums[0] == sums[1] else 1e-9


def assert_each_member_as_alone(network, make_members, data, dtype=FLOAT64, batch_size=BATCH):
    """Train all members together and one by one; parameters must have the same bits."""
    assert_same = functools.partial(assert_allclose, rtol=rounding(), atol=rounding())
    together = make_members()
    reports = train(network, together, data, dtype, batch_size)
    for k, alone in enumerate(make_members()):
        own_data = data if isinstance(data, TrainingSet) else data[k]
        (own,) = train(network.members([k]), [alone], own_data, dtype, batch_size)
        member = together[k]
        assert_same(member.parameters, alone.parameters)
        assert member.optimizer_state.keys() == alone.optimizer_state.keys()
        for name, vector in alone.optimizer_state.items():
            assert_same(member.optimizer_state[name], vector)
        curves = member.progress.loss_curve, alone.progress.loss_curve
        # Only the sum over an epoch's rows may be taken in another order.
        assert_allclose(*curves, rtol=1e-12 if dtype == FLOAT64 else 1e-6)
        for one, other in zip(reports[k], own, strict=True):
            assert one[::2] == other[::2]
            assert_same(np.array(one[1], dtype=float), np.array(other[1], dtype=float))
        for name in ("n_iter", "steps", "current_rate", "diverged"):
            assert getattr(member, name) == getattr(alone, name), name
        if alone.best_parameters is not None:
            assert_same(member.best_parameters, alone.best_parameters)
    return together


def variants_of(name, k):
    """Return the options in which the k-th member differs from the others."""
    everything = {
        "learning rate": {"learning_rate": 0.02 / (k + 1)},
        "alpha": {"alpha": 0.0 if k % 3 == 0 else 0.1 * k},
        "momentum": {"optimizer": SGD(momentum=k / 10)},
        "plain momentum": {"optimizer": SGD(momentum=k / 10, nesterov=False)},
        "Adam's decay": {"optimizer": Adam(beta_1=k / 10, beta_2=0.99, epsilon=10.0**-k)},
        "schedule": {
            "optimizer": SGD(),
            "schedule": [Constant(), InverseScaling(0.5), Adaptive()][k % 3],
            "n_iter_no_change": 2,
            "tol": 0.5,
            "max_iter": 12,
        },
        "shuffling": {"shuffle": k % 2 == 0},
        "length": {"max_iter": [3, 1, 8, 8, 2, 5, 9, 4, 7][k]},
        "patience": {"tol": 0.1, "n_iter_no_change": 1 + k, "max_iter": 40},
        "loss": {"loss": LOSSES[k // 2]},
        "sample weights": {
            "sample_weight": None if k % 3 == 1 else np.random.RandomState(k).uniform(size=N)
        },
        "rows that do not count": {
            "sample_weight": (np.random.RandomState(k).uniform(size=N) < 0.3).astype(float)
        },
    }
    return everything[name] if name in everything else {}


ALL_VARIANTS = [
    "seed",
    "learning rate",
    "alpha",
    "momentum",
    "plain momentum",
    "Adam's decay",
    "schedule",
    "shuffling",
    "length",
    "patience",
    "loss",
    "sample weights",
    "rows that do not count",
]


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_stacked_member_equals_the_same_network_alone(variant):
    network = mixed_network(len(COUNTS))

    def make_members():
        return [make_member(k, network, **variants_of(variant, k)) for k in range(len(COUNTS))]

    assert_each_member_as_alone(network, make_members, make_data())


@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("skip_connections", ["none", "residual", "dense", "linear"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_everything_may_differ_at_once(dtype, skip_connections, is_sparse):
    network = mixed_network(len(COUNTS), skip_connections)

    def make_members():
        members = []
        for k in range(len(COUNTS)):
            options = {"optimizer": SGD(momentum=k / 10)}
            for variant in ("learning rate", "alpha", "shuffling", "length", "sample weights"):
                options |= variants_of(variant, k)
            members.append(make_member(k, network, **options))
        return members

    data = make_data(is_sparse=is_sparse)
    assert_each_member_as_alone(network, make_members, data, np.dtype(dtype))


@pytest.mark.parametrize("batch_size", [1, 7, 64, 100, 1000])
def test_any_batch_size_suits_ragged_members(batch_size):
    network = mixed_network(len(COUNTS))

    def make_members():
        return [make_member(k, network, max_iter=3) for k in range(len(COUNTS))]

    assert_each_member_as_alone(network, make_members, make_data(), batch_size=batch_size)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_members_with_few_outputs_and_narrow_layers_equal_themselves_alone(n_outputs, loss):
    network = multilayer_perceptron(D, (1, 2), n_outputs, [[Tanh()], [Tanh()]])
    X = make_data().X
    shares = np.random.RandomState(0).uniform(size=(N, n_outputs))
    data = TrainingSet(X, Targets(shares / shares.sum(axis=1, keepdims=True)))

    def make_members():
        return [make_member(k, network, loss=loss) for k in range(len(COUNTS))]

    assert_each_member_as_alone(network, make_members, data)


@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
def test_members_with_data_of_their_own_equal_themselves_alone(is_sparse):
    network = mixed_network(len(COUNTS))
    sets = []
    for k in range(3):
        X = np.roll(make_data().X, k, axis=1)
        targets = Targets(np.tanh(np.roll(X[:, :C], k)))
        sets.append(TrainingSet(sparse.csr_array(X) if is_sparse else X, targets))
    # Some neighbors share a set, and the first set occurs again later.
    data = [sets[k] for k in (0, 0, 1, 2, 2, 0, 1, 1, 2)]
    members = assert_each_member_as_alone(
        network, lambda: [make_member(k, network) for k in range(len(COUNTS))], data
    )
    assert len({member.progress.loss_curve[0] for member in members}) == len(members)


def test_members_that_share_a_generator_are_shuffled_as_if_each_had_its_own():
    network = mixed_network(4)

    def make_members(shared):
        rngs = [np.random.RandomState(7)] * 4 if shared else map(np.random.RandomState, [7] * 4)
        # The members with the shared generator end one by one, and the others go on.
        return [
            make_member(k, network, rows=np.arange(N), rng=rng, max_iter=2 + k)
            for k, rng in enumerate(rngs)
        ]

    together, apart = make_members(shared=True), make_members(shared=False)
    train(network, together, make_data())
    train(network, apart, make_data())
    for one, other in zip(together, apart, strict=True):
        assert_array_equal(one.parameters, other.parameters)


def test_single_networks_are_joined_to_the_network_of_a_stack():
    functions = [ReLU(), Tanh(), ReLU(), Sigmoid()]
    singles = [multilayer_perceptron(D, (6,), C, [[function]]) for function in functions]
    kinds = {type(function): function for function in functions}
    joined = Network.stacked(singles, lambda function: kinds[type(function)])
    assert joined.nodes[1].block.activations == (functions[2], functions[1], *functions[2:])
    alike = Network.stacked([singles[0], singles[2]], lambda function: functions[0])
    assert alike.nodes[1].block.activations == (functions[0],)
    assert singles[0].shape == joined.shape
    assert singles[0].shape != multilayer_perceptron(D, (5,), C, [[ReLU()]]).shape
    assert singles[0].shape != multilayer_perceptron(D, (6,), C, [[PReLU()]]).shape


MIXTURES = {
    "one output per target": [
        *[CategoricalFocalLoss(alpha=[1.0, 2.0, 3.0])] * 2,
        BinaryFocalLoss(),
        CategoricalLogLoss(),
        CategoricalLogLoss(label_smoothing=0.1),
        BinaryLogLoss(label_smoothing=0.1),
        *[Huber(0.3)] * 2,
        AbsoluteError(),
    ],
    "two outputs per target": [
        *[Pinball([0.2, 0.8])] * 3,
        *[GaussianNLL()] * 2,
        Pinball([0.1, 0.5]),
    ],
}


@pytest.mark.parametrize("mixture", MIXTURES)
@pytest.mark.parametrize("dtype", [FLOAT64, np.dtype(np.float32)], ids=str)
def test_members_with_different_losses_equal_themselves_alone(mixture, dtype):
    chosen = MIXTURES[mixture]
    network = multilayer_perceptron(D, (6,), C * chosen[0].outputs_per_target, [[Tanh()]])
    weight = np.random.RandomState(0).uniform(size=N)

    def make_members():
        return [
            make_member(k, network, loss=loss, sample_weight=None if k % 2 else weight)
            for k, loss in enumerate(chosen)
        ]

    assert_each_member_as_alone(network, make_members, make_data(), dtype)


def test_learned_slopes_of_each_member_are_its_own():
    activations = [PReLU(), PReLU(), PReLU(alpha=0.1)]
    network = multilayer_perceptron(D, (6,), C, [activations])

    def make_members():
        return [make_member(k, network, alpha=0.3 * k) for k in range(3)]

    members = assert_each_member_as_alone(network, make_members, make_data())
    slopes = [network.views(m.parameters[np.newaxis])[1][0] for m in members]
    assert not np.array_equal(slopes[0], slopes[1])


@pytest.mark.parametrize("diverging", [0, 3, len(COUNTS) - 1])
def test_diverging_member_leaves_the_others_alone(diverging):
    network = mixed_network(len(COUNTS))

    def make_members():
        return [
            make_member(
                k,
                network,
                optimizer=SGD(),
                learning_rate=1e200 if k == diverging else 0.01,
            )
            for k in range(len(COUNTS))
        ]

    members = assert_each_member_as_alone(network, make_members, make_data())
    assert [m.diverged for m in members] == [k == diverging for k in range(len(COUNTS))]
    assert members[diverging].n_iter < members[diverging].recipe.max_iter
    for k, member in enumerate(members):
        assert np.isfinite(member.parameters).all() == (k != diverging)


def test_validation_scores_stop_each_member_in_its_own_epoch():
    network = mixed_network(len(COUNTS))
    data = make_data(SquaredError())
    held_out = np.arange(N - 30, N)

    def scorer(k):
        own = network.members([k])

        def score(parameters):
            raw = predict_raw(own, own.views(parameters[np.newaxis]), data.X, held_out)
            loss = float(((raw - data.targets.table[held_out]) ** 2).mean())
            return -loss, loss

        return score

    def make_members():
        return [
            make_member(k, network, validate=scorer(k), tol=0.02, n_iter_no_change=2, max_iter=30)
            for k in range(len(COUNTS))
        ]

    members = assert_each_member_as_alone(network, make_members, data)
    assert len({m.n_iter for m in members}) > 1
    for k, member in enumerate(members):
        assert scorer(k)(member.best_parameters)[0] == max(member.progress.validation_scores)


def test_members_leave_when_they_stop_and_the_rest_go_on():
    network = mixed_network(4)
    lasting = [5, 1, 3, 1]
    members = [make_member(k, network, max_iter=n) for k, n in enumerate(lasting)]
    stack = Stack(network, members, make_data(), BATCH, FLOAT64)
    in_training = [[r.member for r in reports] for reports in epochs(stack)]
    expected = [[m for m in members if m.recipe.max_iter > epoch] for epoch in range(5)]
    assert in_training == expected
    assert stack.members == []


def test_user_defined_activation_works_in_a_stack():
    network = multilayer_perceptron(D, (6,), C, [[Cubic(), ReLU(), Cubic()]])

    def make_members():
        return [make_member(k, network, max_iter=20) for k in range(3)]

    for member in assert_each_member_as_alone(network, make_members, make_data()):
        assert member.progress.loss_curve[-1] < member.progress.loss_curve[0]


# One step and one epoch.


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_step_of_plain_descent_follows_the_gradient_of_the_objective(loss, weighted):
    network = mixed_network(1)
    data = make_data()
    weight = np.random.RandomState(0).uniform(size=N) if weighted else None
    options = {
        "loss": loss,
        "optimizer": SGD(momentum=0.0, nesterov=False),
        "learning_rate": 0.1,
        "alpha": 0.3,
        "sample_weight": weight,
    }
    member = make_member(0, network, **options)
    start = member.parameters.copy()
    objective = Objective(network, member, data)
    value, gradient = objective(start)
    stack = Stack(network, [member], data, N, FLOAT64)
    (reported,) = stack.run_epoch()
    assert_allclose(stack.vectors.parameters[0], start - 0.1 * gradient, rtol=1e-10, atol=1e-13)
    assert reported == pytest.approx(objective.reported(value, start), rel=1e-12)


@pytest.mark.parametrize("loss", [BinaryLogLoss(), SquaredError()], ids=repr)
@pytest.mark.parametrize("weighted", [False, True])
def test_epoch_loss_is_the_mean_of_batch_objectives_weighted_by_their_rows(weighted, loss):
    network = mixed_network(1)
    data = make_data()
    weight = np.random.RandomState(0).uniform(size=N) if weighted else None
    still = {"learning_rate": 1e-300, "optimizer": SGD(0.0), "alpha": 0.5, "shuffle": False}
    member = make_member(0, network, loss=loss, sample_weight=weight, **still)
    rows = member.rows
    expected = 0.0
    for first in range(0, len(rows), BATCH):
        batch = varied(member, rows=rows[first : first + BATCH])
        objective = Objective(network, batch, data)
        value, _ = objective(member.parameters)
        expected += objective.reported(value, member.parameters) * len(batch.rows) / len(rows)
    (reported,) = Stack(network, [member], data, BATCH, FLOAT64).run_epoch()
    assert reported == pytest.approx(expected, rel=1e-12)


class Observant(SquaredError):
    """A loss that stores the targets that it gets."""

    def gradient(self, raw, y, out, scratch):
        self.seen.append(y[:, :, 0].astype(int).copy())
        super().gradient(raw, y, out, scratch)


@pytest.mark.parametrize("count", [1, 9, 16, 33, 64, 100])
def test_epoch_shows_each_row_once_in_scikit_learns_order(count):
    network = mixed_network(1)
    X = make_data().X
    names_of_rows = np.repeat(np.arange(N, dtype=float)[:, np.newaxis], C, axis=1)
    rows = np.random.RandomState(5).permutation(N)[:count]
    loss = Observant()
    member = make_member(0, network, loss=loss, rows=rows, rng=np.random.RandomState(7))
    stack = Stack(network, [member], TrainingSet(X, Targets(names_of_rows)), BATCH, FLOAT64)
    rng, expected = np.random.RandomState(7), rows
    for _ in range(3):
        loss.seen = []
        stack.run_epoch()
        shown = [batch[0] for batch in loss.seen]
        expected = shuffle(expected, random_state=rng)
        assert [len(batch) for batch in shown[:-1]] == [BATCH] * (len(shown) - 1)
        if count > BATCH:
            assert_array_equal(np.concatenate(shown), expected)
        else:
            assert_array_equal(np.sort(shown[0]), np.sort(rows))
    # The generator advances as if the rows were shuffled, even if they fit into a single batch.
    assert member.rng.randint(10**6) == rng.randint(10**6)


def test_rows_of_an_unshuffled_member_keep_their_order():
    network = mixed_network(1)
    names_of_rows = np.repeat(np.arange(N, dtype=float)[:, np.newaxis], C, axis=1)
    loss = Observant()
    member = make_member(0, network, loss=loss, shuffle=False)
    data = TrainingSet(make_data().X, Targets(names_of_rows))
    stack = Stack(network, [member], data, BATCH, FLOAT64)
    for _ in range(2):
        loss.seen = []
        stack.run_epoch()
        assert_array_equal(np.concatenate([batch[0] for batch in loss.seen]), member.rows)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_integer_weights_of_a_full_batch_equal_repeated_rows(loss):
    network = mixed_network(1)
    data = make_data()
    times = np.random.RandomState(0).randint(4, size=N)
    weighted = make_member(
        0, network, loss=loss, rows=np.arange(N), sample_weight=times.astype(float)
    )
    repeated = make_member(0, network, loss=loss, rows=np.arange(N).repeat(times))
    train(network, [weighted], data, batch_size=N)
    train(network, [repeated], data, batch_size=int(times.sum()))
    assert_allclose(weighted.parameters, repeated.parameters, rtol=1e-8, atol=1e-10)
    curves = weighted.progress.loss_curve, repeated.progress.loss_curve
    assert_allclose(*curves, rtol=1e-8)


def test_batch_in_which_no_row_counts_moves_nothing():
    network = mixed_network(1)
    member = make_member(0, network, sample_weight=np.zeros(N), optimizer=SGD(), alpha=0.5)
    start = member.parameters.copy()
    stack = Stack(network, [member], make_data(), BATCH, FLOAT64)
    assert stack.run_epoch() == [0]
    assert_array_equal(stack.vectors.parameters[0], start)


@pytest.mark.parametrize("limit", [np.inf, 0.05])
@pytest.mark.parametrize("chunk", [50, 2**16])
@pytest.mark.parametrize("optimizer", [SGD(), Adam(), AdamW(), NAdam(), Lion()], ids=repr)
def test_members_with_chunks_and_limits_equal_themselves_alone(
    monkeypatch, optimizer, chunk, limit
):
    monkeypatch.setattr(update_module, "CHUNK", chunk)
    network = mixed_network(4)

    def make_members():
        common = {"optimizer": optimizer, "max_grad_norm": limit, "rows": np.arange(N)}
        return [make_member(k, network, alpha=0.1 * k, **common) for k in range(4)]

    assert_each_member_as_alone(network, make_members, make_data())


@pytest.mark.parametrize("window", [1, 2**15])
def test_members_with_ragged_batches_share_what_their_steps_multiply_by(monkeypatch, window):
    monkeypatch.setattr(stack_module, "WINDOW", window)
    counts = [4 * BATCH + 1, 3 * BATCH, 2 * BATCH + 3, 2 * BATCH + 1, 9, 1]
    network = mixed_network(len(counts))
    common = {"optimizer": Adam(), "schedule": Exponential(0.5)}

    def make_members():
        return [make_member(k, network, rows=np.arange(n), **common) for k, n in enumerate(counts)]

    assert_each_member_as_alone(network, make_members, make_data())


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.filterwarnings("error")
def test_sigmoids_far_below_zero_do_not_warn_of_overflow(n_members):
    network = multilayer_perceptron(D, (6,), C, [[Sigmoid()]])
    start = np.full(network.n_parameters, 1e4)
    members = [
        make_member(k, network, parameters=-start, loss=BinaryLogLoss(), rows=np.arange(N))
        for k in range(n_members)
    ]
    data = TrainingSet(np.ones((N, D)), Targets(np.ones((N, C))))
    losses = Stack(network, members, data, BATCH, FLOAT64).run_epoch()
    assert np.isfinite(losses).all()
    assert (losses > 1e4).all()


def test_interrupted_epoch_counts_the_steps_that_were_taken(monkeypatch):
    network = mixed_network(2)
    members = [make_member(k, network, rows=np.arange(N)) for k in range(2)]
    monkeypatch.setattr(stack_module, "WINDOW", 1)
    stack = Stack(network, members, make_data(), BATCH, FLOAT64)
    monkeypatch.setattr(stack.window, "losses", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        stack.run_epoch()
    assert [member.steps for member in members] == [1, 1]


@pytest.mark.parametrize("window", [1, 100, 1000])
@pytest.mark.parametrize("weighted", [False, True])
def test_windows_of_any_length_give_the_same_bits(monkeypatch, weighted, window):
    network = mixed_network(len(COUNTS))

    def results():
        weights = {"sample_weight": np.arange(N, dtype=float) if weighted else None}
        members = [make_member(k, network, **weights) for k in range(len(COUNTS))]
        train(network, members, make_data())
        return [(m.parameters, m.progress.loss_curve) for m in members]

    expected = results()
    monkeypatch.setattr(stack_module, "WINDOW", window)
    for found, (parameters, curve) in zip(results(), expected, strict=True):
        assert_array_equal(found[0], parameters)
        assert_allclose(found[1], curve, rtol=1e-12)


# Leaving and coming back.


@pytest.mark.parametrize("optimizer", [SGD(), Adam()], ids=repr)
def test_training_continued_from_a_retired_member_equals_uninterrupted_training(optimizer):
    network = mixed_network(1)
    data = make_data()
    through = make_member(0, network, optimizer=optimizer, max_iter=10)
    train(network, [through], data)

    first = make_member(0, network, optimizer=optimizer, max_iter=4)
    stack = Stack(network, [first], data, BATCH, FLOAT64)
    order = stack.order
    list(epochs(stack))
    second = varied(first, rows=order[0].copy(), max_iter=10)
    train(network, [second], data)
    assert_array_equal(second.parameters, through.parameters)
    assert second.progress == through.progress
    assert second.steps == through.steps


def test_retired_member_owns_its_results():
    network = mixed_network(2)
    members = [make_member(k, network) for k in range(2)]
    stack = Stack(network, members, make_data(), BATCH, FLOAT64)
    stack.run_epoch()
    stack.retire([0])
    kept = members[0].parameters.copy()
    stack.run_epoch()
    stack.vectors.parameters[:] = 0
    assert_array_equal(members[0].parameters, kept)
    assert members[0].parameters.base is None
    assert stack.members == [members[1]]


def test_stack_does_not_change_what_members_came_with():
    network = mixed_network(2)
    members = [make_member(k, network) for k in range(2)]
    given = [(m.parameters, m.rows, m.parameters.copy(), m.rows.copy()) for m in members]
    train(network, members, make_data())
    for parameters, rows, parameters_then, rows_then in given:
        assert_array_equal(parameters, parameters_then)
        assert_array_equal(rows, rows_then)


# Members that cannot be stacked.


def test_members_must_come_in_order_of_falling_row_counts():
    network = mixed_network(2)
    members = [make_member(k, network) for k in (1, 0)]
    with pytest.raises(ValueError, match="descending order of their numbers of rows"):
        Stack(network, members, make_data(), BATCH, FLOAT64)


@pytest.mark.parametrize("other", [Adam(), SGD(nesterov=False)], ids=repr)
def test_optimizers_with_different_operations_cannot_share_a_stack(other):
    network = mixed_network(2)
    members = [make_member(0, network, optimizer=SGD()), make_member(1, network, optimizer=other)]
    with pytest.raises(ValueError, match="optimizers of one stack"):
        Stack(network, members, make_data(), BATCH, FLOAT64)


# Memory.


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("optimizer", [SGD(), SGD(nesterov=False), Adam()], ids=repr)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_epoch_allocates_nothing_of_batch_size(
    peak_of, loss, n_members, dtype, optimizer, weighted
):
    n_rows, width, batch_size = 600, 200, 500
    rng = np.random.RandomState(0)
    X = rng.normal(size=(n_rows, width))
    data = TrainingSet(X, Targets(np.eye(2), rng.randint(2, size=n_rows)))
    network = multilayer_perceptron(width, (width,), 2, [[Tanh()]])
    members = [
        make_member(
            k,
            network,
            loss=loss,
            optimizer=optimizer,
            rows=np.arange(n_rows),
            parameters=np.zeros(network.n_parameters),
            sample_weight=np.ones(n_rows) if weighted else None,
        )
        for k in range(n_members)
    ]
    stack = Stack(network, members, data, batch_size, np.dtype(dtype))
    a_byte_per_value = n_members * batch_size * width
    assert peak_of(stack.run_epoch) < a_byte_per_value


@pytest.mark.usefixtures("large_files")
def test_memory_mapped_data_is_read_batch_by_batch(peak_of, tmp_path):
    X = np.memmap(tmp_path / "X", dtype=np.float64, mode="w+", shape=(20_000, 200))
    X[:] = np.random.RandomState(0).normal(size=200)
    data = TrainingSet(X, Targets(np.zeros((20_000, 1))))
    network = multilayer_perceptron(200, (4,), 1, [[ReLU()]])
    member = make_member(0, network, rows=np.arange(20_000))

    def train_one_epoch():
        Stack(network, [member], data, 200, FLOAT64).run_epoch()

    assert peak_of(train_one_epoch) < X.nbytes / 10


class InfiniteAtZero(SquaredError):
    """Half the squared error, and infinite where the raw prediction is 0."""

    def losses(self, raw, y):
        return super().losses(raw, y) + np.where((raw == 0).all(axis=-1), np.inf, 0)


def test_losses_of_what_stands_behind_a_members_last_row_do_not_count():
    # The buffer has raw predictions of 0 where the shorter member has no row.
    network = mixed_network(2)
    members = [make_member(k, network, loss=InfiniteAtZero(), max_iter=1) for k in range(2)]
    train(network, members, make_data())
    assert np.isfinite([member.progress.loss_curve for member in members]).all()


def test_sparse_rows_with_a_million_columns_are_trained_without_densifying():
    n_rows, n_columns = 200, 1_000_000
    rng = np.random.RandomState(0)
    columns = rng.randint(n_columns, size=n_rows * 5)
    starts = np.arange(0, len(columns) + 1, 5)
    X = sparse.csr_array((np.ones(len(columns)), columns, starts), shape=(n_rows, n_columns))
    data = TrainingSet(X, Targets(rng.normal(size=(n_rows, 1))))
    network = multilayer_perceptron(n_columns, (1,), 1, [[ReLU()]])
    member = make_member(0, network, rows=np.arange(n_rows), optimizer=SGD())

    def train_one_epoch():
        Stack(network, [member], data, 50, FLOAT64).run_epoch()

    vector = 8 * network.n_parameters
    tracemalloc.start()
    try:
        train_one_epoch()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    densified = 8 * n_rows * n_columns
    assert peak < 8 * vector < densified / 20
