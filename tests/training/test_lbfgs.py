"""L-BFGS: one objective over all rows, computed block by block, and when it ends."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import expit

from skperceptron.activations import ReLU, Tanh
from skperceptron.engine import multilayer_perceptron
from skperceptron.losses import (
    BinaryFocalLoss,
    BinaryLogLoss,
    CategoricalFocalLoss,
    CategoricalLogLoss,
    GammaDeviance,
    GaussianNLL,
    Huber,
    Pinball,
    PoissonDeviance,
    ScaledSquaredError,
    SquaredError,
)
from skperceptron.optimizers import LBFGS
from skperceptron.training import Targets, TrainingSet, lbfgs, minimize_lbfgs
from skperceptron.training.lbfgs import Objective
from tests.members import member_of, varied

N, D, C = 60, 5, 2
LOSSES = [
    BinaryLogLoss(),
    CategoricalLogLoss(),
    PoissonDeviance(),
    ScaledSquaredError(0.0, 1.0),
    SquaredError(),
]
EVERY_LOSS = pytest.mark.parametrize("loss", LOSSES, ids=repr)
WEIGHTS = pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])


def network_with(hidden=(4, 4), skip_connections="none", n_outputs=C):
    return multilayer_perceptron(D, hidden, n_outputs, [[Tanh()]] * len(hidden), skip_connections)


def make_data(n_outputs=C, store=np.asarray):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(N, D)) * (rng.uniform(size=(N, D)) < 0.7)
    y = (X @ rng.normal(size=(D, n_outputs)) + rng.normal(size=(N, n_outputs)) > 0).astype(float)
    return TrainingSet(store(X), Targets(y))


def make_member(network, loss, weighted=False, **options):
    rng = np.random.RandomState(1)
    defaults = {
        "parameters": rng.normal(scale=0.4, size=network.n_parameters),
        "learning_rate": 0.1,
        "alpha": 0.1,
        "rows": rng.permutation(N)[:50],
        "sample_weight": rng.uniform(size=N) if weighted else None,
        "optimizer": LBFGS(max_fun=10_000),
        "max_iter": 1000,
        "tol": 1e-9,
    }
    return member_of(loss=loss, **(defaults | options))


def assert_same(found, expected):
    """Check the value and the gradient of an objective."""
    assert found[0] == pytest.approx(expected[0], rel=1e-12)
    assert_allclose(found[1], expected[1], rtol=1e-10, atol=1e-13)


@WEIGHTS
@EVERY_LOSS
@pytest.mark.parametrize("rows_per_block", [1, 7, 25, 49, 50])
def test_blocks_of_any_size_give_the_same_objective(monkeypatch, rows_per_block, loss, weighted):
    network = network_with()
    member = make_member(network, loss, weighted)
    expected = Objective(network, member, make_data())(member.parameters)
    monkeypatch.setattr(lbfgs, "BLOCK", rows_per_block * D)
    blocked = Objective(network, member, make_data())
    for _ in range(2):
        assert_same(blocked(member.parameters), expected)


SMOOTH = [
    *LOSSES,
    BinaryFocalLoss(),
    BinaryLogLoss(label_smoothing=0.2),
    CategoricalFocalLoss(),
    CategoricalLogLoss(label_smoothing=0.2),
    GammaDeviance(),
    GaussianNLL(),
    Huber(0.5),
    Pinball([0.1, 0.5]),
]


@WEIGHTS
@pytest.mark.parametrize("alpha", [0.0, 2.0])
@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize("loss", SMOOTH, ids=repr)
def test_gradient_is_that_of_the_objective_however_many_targets(loss, n_targets, alpha, weighted):
    if loss.task == "multiclass":
        y = np.eye(n_targets + 1)[np.arange(N) % (n_targets + 1)]
    else:
        y = make_data(n_targets).targets.table + (1.0 if loss.task == "regression" else 0.0)
    n_outputs = y.shape[1] * loss.outputs_per_target
    network = network_with(n_outputs=n_outputs)
    member = make_member(network, loss, weighted, alpha=alpha)
    objective = Objective(network, member, TrainingSet(make_data().X, Targets(y)))
    at = member.parameters
    _, gradient = objective(at)
    step, rng = 1e-6, np.random.RandomState(2)
    for place in rng.choice(len(at), 12, replace=False):
        move = np.zeros_like(at)
        move[place] = step
        slope = (objective(at + move)[0] - objective(at - move)[0]) / (2 * step)
        assert gradient[place] == pytest.approx(slope, rel=1e-4, abs=1e-6)


def test_loss_of_a_result_is_the_mean_over_the_targets_beside_the_objectives_sum():
    network = network_with()
    member = make_member(network, SquaredError(), alpha=3.0, max_iter=20, tol=0.0)
    data = make_data()
    result, _ = minimize_lbfgs(network, member, data)
    # Two outputs: the objective is twice the mean loss plus the penalty, while `loss` is the mean
    # loss plus the penalty.
    penalty = 2 * result.loss - result.fun
    weights = result.x[: network.n_weights]
    assert penalty == pytest.approx(0.5 * 3.0 * (weights @ weights) / len(member.rows), rel=1e-9)


@WEIGHTS
@EVERY_LOSS
def test_objective_depends_on_the_vector_alone(loss, weighted):
    network = network_with(skip_connections="dense")
    member = make_member(network, loss, weighted)
    objective = Objective(network, member, make_data())
    value, gradient = objective(member.parameters)
    objective(10 * member.parameters)
    again, gradient_again = objective(member.parameters)
    assert again == value
    assert_array_equal(gradient_again, gradient)


@pytest.mark.parametrize("store", [sparse.csr_array, sparse.csr_matrix, np.asfortranarray])
@pytest.mark.parametrize("skip_connections", ["none", "residual", "dense", "linear"])
def test_any_storage_gives_the_same_objective(monkeypatch, skip_connections, store):
    network = network_with(skip_connections=skip_connections)
    member = make_member(network, SquaredError())
    expected = Objective(network, member, make_data())(member.parameters)
    monkeypatch.setattr(lbfgs, "BLOCK", 7 * D)
    assert_same(Objective(network, member, make_data(store=store))(member.parameters), expected)


@EVERY_LOSS
def test_rows_without_weight_do_not_count(monkeypatch, loss):
    monkeypatch.setattr(lbfgs, "BLOCK", 10 * D)
    network = network_with()
    weight = np.zeros(N)
    weight[10:20] = 1
    rows = np.arange(N)
    weighted = make_member(network, loss, rows=rows, sample_weight=weight)
    chosen = make_member(network, loss, rows=rows[10:20])
    found, expected = (
        Objective(network, member, make_data())(member.parameters) for member in (weighted, chosen)
    )
    assert_same(found, expected)


@EVERY_LOSS
def test_integer_weights_equal_repeated_rows(loss):
    network = network_with()
    times = np.random.RandomState(0).randint(4, size=N)
    weighted = make_member(network, loss, rows=np.arange(N), sample_weight=times.astype(float))
    repeated = make_member(network, loss, rows=np.arange(N).repeat(times))
    found, expected = (
        Objective(network, member, make_data())(member.parameters)
        for member in (weighted, repeated)
    )
    assert_same(found, expected)


@WEIGHTS
@EVERY_LOSS
def test_minimizer_without_hidden_layers_has_hardly_a_gradient(loss, weighted):
    n_outputs = 2
    network = network_with(hidden=(), n_outputs=n_outputs)
    labels = make_data(n_outputs=1).targets.table
    both = np.hstack([labels, 1 - labels])[:, :n_outputs]
    data = TrainingSet(make_data().X, Targets(both))
    member = make_member(network, loss, weighted, alpha=1.0)
    result, interrupted = minimize_lbfgs(network, member, data)
    objective = Objective(network, member, data)
    least, gradient = objective(result.x)
    _, at_start = objective(member.parameters)
    assert not interrupted
    assert result.fun == pytest.approx(least, rel=1e-12)
    assert np.abs(gradient).max() < 1e-3 * np.abs(at_start).max()
    rng = np.random.RandomState(0)
    for _ in range(20):
        assert objective(result.x + 0.05 * rng.normal(size=result.x.shape))[0] > least


def test_single_neuron_solves_penalized_logistic_regression():
    network = network_with(hidden=(), n_outputs=1)
    data = make_data(n_outputs=1)
    member = make_member(network, BinaryLogLoss(), alpha=0.5)
    result, _ = minimize_lbfgs(network, member, data)
    X, y = data.X[member.rows], data.targets.table[member.rows, 0]
    w, b = result.x[:D], result.x[D]
    residual = expit(X @ w + b) - y
    assert_allclose(X.T @ residual + 0.5 * w, 0, atol=1e-3)
    assert residual.sum() == pytest.approx(0, abs=1e-3)


def test_single_neuron_solves_ridge_regression():
    network = network_with(hidden=(), n_outputs=1)
    data = make_data(n_outputs=1)
    member = make_member(network, SquaredError(), alpha=0.5)
    result, _ = minimize_lbfgs(network, member, data)
    X, y = data.X[member.rows], data.targets.table[member.rows, 0]
    centered = X - X.mean(axis=0)
    w = np.linalg.solve(centered.T @ centered + 0.5 * np.eye(D), centered.T @ (y - y.mean()))
    assert_allclose(result.x[:D], w, atol=1e-5)
    assert_allclose(result.x[D], y.mean() - X.mean(axis=0) @ w, atol=1e-5)


@pytest.mark.parametrize("max_iter", [1, 5, 20])
def test_iterations_stay_within_their_budget(max_iter):
    network = network_with()
    member = make_member(network, BinaryLogLoss(), max_iter=max_iter, tol=0.0)
    result, _ = minimize_lbfgs(network, member, make_data())
    assert result.nit == max_iter
    assert result.fun < Objective(network, member, make_data())(member.parameters)[0]


def test_function_evaluations_stay_near_their_budget():
    network = network_with()
    member = make_member(network, BinaryLogLoss(), optimizer=LBFGS(max_fun=10), tol=0.0)
    result, _ = minimize_lbfgs(network, member, make_data())
    # SciPy finishes its current line search.
    assert result.nfev < 10 + 20


def test_parameters_in_float32_are_minimized_in_float64():
    network = network_with()
    single = make_member(network, SquaredError(), max_iter=5, tol=0.0)
    single.parameters = single.parameters.astype(np.float32)
    data = make_data()
    data.X = data.X.astype(np.float32)
    result, _ = minimize_lbfgs(network, single, data)
    assert result.x.dtype == np.float64
    assert single.parameters.dtype == np.float32


class Impatient(SquaredError):
    """A loss that interrupts like a user at an evaluation with a given number."""

    def __init__(self, after):
        self.after = after
        self.evaluations = 0

    def mean(self, raw, y, sample_weight=None, gradient=None):
        self.evaluations += 1
        if self.evaluations == self.after:
            raise KeyboardInterrupt
        return super().mean(raw, y, sample_weight, gradient)


def test_interruption_returns_the_last_accepted_iterate():
    network = network_with()
    member = make_member(network, SquaredError())
    start, _ = Objective(network, member, make_data())(member.parameters)
    impatient = varied(member, loss=Impatient(after=12))
    result, interrupted = minimize_lbfgs(network, impatient, make_data())
    assert interrupted
    assert 0 < result.nit < 12
    value, _ = Objective(network, member, make_data())(result.x)
    assert result.fun == pytest.approx(value, rel=1e-12)
    assert result.fun < start


def test_interruption_before_the_first_iterate_returns_the_start_without_another_evaluation():
    network = network_with()
    impatient = Impatient(after=1)
    member = make_member(network, impatient)
    result, interrupted = minimize_lbfgs(network, member, make_data())
    assert interrupted
    assert result.nit == 0
    assert result.fun == result.loss == np.inf
    assert_array_equal(result.x, member.parameters)
    assert impatient.evaluations == 1


def test_memory_grows_with_the_block_and_not_with_the_hidden_values(peak_of, monkeypatch):
    monkeypatch.setattr(lbfgs, "BLOCK", 2**14)
    n_rows, units = 20_000, 256
    network = multilayer_perceptron(1, (units,), 1, [[ReLU()]])
    member = make_member(network, SquaredError(), rows=np.arange(n_rows))
    data = TrainingSet(np.ones((n_rows, 1)), Targets(np.ones((n_rows, 1))))
    peak = peak_of(lambda: Objective(network, member, data)(member.parameters))
    assert peak < 8 * n_rows * units / 20


@pytest.mark.usefixtures("large_files")
def test_memory_mapped_data_is_read_block_by_block(peak_of, monkeypatch, tmp_path):
    monkeypatch.setattr(lbfgs, "BLOCK", 2**14)
    X = np.memmap(tmp_path / "X", dtype=np.float64, mode="w+", shape=(20_000, 64))
    X[:] = 1
    network = multilayer_perceptron(64, (4,), 1, [[ReLU()]])
    member = make_member(network, SquaredError(), rows=np.arange(20_000))
    data = TrainingSet(X, Targets(np.zeros((20_000, 1))))
    peak = peak_of(lambda: Objective(network, member, data)(member.parameters))
    assert peak < X.nbytes / 10


def test_million_sparse_columns_are_never_densified(peak_of):
    n_rows, n_columns = 200, 1_000_000
    columns = np.random.RandomState(0).randint(n_columns, size=n_rows)
    X = sparse.csr_array((np.ones(n_rows), columns, np.arange(n_rows + 1)), (n_rows, n_columns))
    network = multilayer_perceptron(n_columns, (), 1, [])
    member = make_member(network, SquaredError(), rows=np.arange(n_rows))
    data = TrainingSet(X, Targets(np.ones((n_rows, 1))))
    objective = Objective(network, member, data)
    assert objective.size == n_rows
    peak = peak_of(lambda: objective(member.parameters))
    assert peak < 6 * member.parameters.nbytes < 8 * n_rows * n_columns / 20
