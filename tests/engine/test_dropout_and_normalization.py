"""Dropout and normalization: gradients, statistics, and their effect on predictions."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skperceptron.activations import ReLU, Tanh
from skperceptron.engine import TrainingPass, Workspace, multilayer_perceptron
from skperceptron.engine.inputs import SparseBatch
from skperceptron.engine.prediction import fold_lines, predict_raw
from skperceptron.normalizations import BatchNormalization, LayerNormalization

D, H, C, B = 4, 5, 2, 7
WIRINGS = ["none", "residual", "dense"]
NORMALIZATIONS = [BatchNormalization(), LayerNormalization()]
by_class = pytest.mark.parametrize("normalization", NORMALIZATIONS, ids=lambda n: type(n).__name__)


def build(normalization=None, dropout=(), skip_connections="none", activation=None):
    return multilayer_perceptron(
        D,
        (H, H),
        C,
        [[activation or Tanh()]] * 2,
        skip_connections,
        normalize=None if normalization is None else normalization.block,
        dropout=dropout,
    )


def training_workspace(network, vectors, seeds=(0,), is_sparse=False):
    gradient = np.full_like(vectors, np.nan)
    work = Workspace(
        network,
        network.views(vectors),
        B,
        TrainingPass(network.views(gradient), [np.random.default_rng(seed) for seed in seeds]),
        inputs={"x": SparseBatch(len(vectors))} if is_sparse else {},
    )
    return work, gradient


def start_of(block):
    """Return the initial values of a block's only learned array, as a vector."""
    (start,) = block.initial_arrays(np.random.RandomState(0))
    return start.ravel()


def problem(network, seed=0):
    rng = np.random.RandomState(seed)
    vector = rng.normal(size=(1, network.n_parameters))
    return vector, rng.normal(size=(1, B, D)), rng.normal(size=(1, B, C))


@pytest.mark.parametrize("normalization", [None, *NORMALIZATIONS])
@pytest.mark.parametrize("dropout", [(), ([0.2], [0.5], [0.3])], ids=["whole", "dropout"])
@pytest.mark.parametrize("skip_connections", WIRINGS)
def test_gradient_matches_central_differences(normalization, dropout, skip_connections):
    network = build(normalization, dropout, skip_connections)
    vector, x, direction = problem(network)

    def value(parameters):
        # The same seed draws the same dropout masks.
        work, _ = training_workspace(network, parameters.copy())
        work.inputs["x"].array[:] = x
        work.forward()
        return (work.raw * direction).sum()

    work, gradient = training_workspace(network, vector.copy())
    work.inputs["x"].array[:] = x
    work.forward()
    work.delta[:] = direction
    work.backward()
    moves = 1e-6 * np.eye(vector.shape[1])[:, np.newaxis]
    expected = [(value(vector + move) - value(vector - move)) / 2e-6 for move in moves]
    assert_allclose(gradient[0], expected, rtol=1e-6, atol=1e-7)


@by_class
def test_standardized_values_have_mean_zero_and_variance_one(normalization):
    network = build(normalization)
    node = next(i for i, n in enumerate(network.nodes) if n.name == "normalization_1")
    vector, x, _ = problem(network)
    network.views(vector)[node][0][0, 0] = start_of(network.nodes[node].block)
    work, _ = training_workspace(network, vector)
    work.inputs["x"].array[:] = 1e3 * x + 5e3
    work.forward()
    axis = 0 if isinstance(normalization, BatchNormalization) else 1
    # Tanh has overwritten the buffer of the standardized values: undo it.
    standardized = np.arctanh(work.value_of(node)[0])
    assert_allclose(standardized.mean(axis=axis), 0, atol=1e-9)
    assert_allclose(standardized.var(axis=axis), 1, rtol=1e-5)


def test_running_statistics_follow_those_of_the_batches():
    block = BatchNormalization(momentum=0.25).block(H)
    network = build(BatchNormalization(momentum=0.25))
    vector, x, _ = problem(network)
    views = network.views(vector)
    views[1][0][0, 0] = start_of(block)
    work, _ = training_workspace(network, vector)
    work.inputs["x"].array[:] = x
    work.forward()
    z = x[0] @ views[0][0][0] + views[0][1][0]
    _, _, mean, variance = views[1][0][0].reshape(4, H)
    assert_allclose(mean, 0.25 * z.mean(axis=0), rtol=1e-12)
    assert_allclose(variance, 0.75 + 0.25 * z.var(axis=0, ddof=1), rtol=1e-12)


def test_a_batch_of_one_row_is_normalized_to_the_shift():
    network = build(BatchNormalization())
    vector, x, _ = problem(network)
    vector = np.abs(vector)
    training = TrainingPass(network.views(np.empty_like(vector)))
    work = Workspace(network, network.views(vector), 1, training)
    work.inputs["x"].array[:] = x[:, :1]
    work.forward()
    assert np.isfinite(work.raw).all()
    assert (network.views(vector)[1][0][0].reshape(4, H)[3] > 0).all()


@pytest.mark.parametrize("skip_connections", WIRINGS)
def test_folding_batch_normalization_changes_no_prediction(skip_connections):
    network = build(BatchNormalization(), skip_connections=skip_connections)
    vector, x, _ = problem(network)
    # Variances are positive.
    parameters = network.views(np.abs(vector))
    work = Workspace(network, parameters, B)
    work.inputs["x"].array[:] = x
    work.forward()
    folded, learned = fold_lines(network, parameters)
    assert not any(n.block.kind == "batch_normalization" for n in folded.nodes)
    assert_allclose(predict_raw(folded, learned, x[0]), work.raw[0], rtol=1e-12)
    assert_allclose(predict_raw(network, parameters, x[0]), work.raw[0], rtol=1e-12)


def test_line_of_batch_normalization_standardizes_scales_and_shifts():
    network = build(BatchNormalization(epsilon=0.5))
    node = next(i for i, n in enumerate(network.nodes) if n.name == "normalization_1")
    gamma, beta, mean, variance = learned = np.random.RandomState(0).uniform(1, 3, size=(4, H))
    block = network.nodes[node].block
    (factor,), (shift,) = block.factor_and_shift([learned.reshape(1, 1, 4 * H)])
    z = np.random.RandomState(1).normal(size=(B, H))
    expected = gamma * (z - mean) / np.sqrt(variance + 0.5) + beta
    assert_allclose(z * factor[0] + shift[0], expected, rtol=1e-12)


def test_predictions_use_every_unit():
    with_dropout, without = build(dropout=([0.5], [0.5], [0.5])), build()
    vector, x, _ = problem(without)
    assert_array_equal(
        predict_raw(with_dropout, with_dropout.views(vector), x[0]),
        predict_raw(without, without.views(vector), x[0]),
    )


def test_dropout_keeps_the_mean_and_drops_the_given_share():
    network = multilayer_perceptron(1, (20_000,), 1, [[ReLU()]], dropout=([0.0], [0.3]))
    vector = np.ones((1, network.n_parameters))
    work, _ = training_workspace(network, vector)
    work.inputs["x"].array[:] = 1
    work.forward()
    dropped = work.value_of(2)[0]
    # 140,000 draws: the standard error of the share is 0.0012.
    assert abs((dropped == 0).mean() - 0.3) < 0.006
    assert_allclose(dropped.mean(), 2, rtol=0.01)
    assert_allclose(np.unique(dropped), [0, 2 / 0.7], rtol=1e-12)


def test_each_member_has_its_own_rate_and_noise():
    """A stack of members with rates 0, 0.2 and 0.5 computes what each computes alone."""
    rates = [0.0, 0.2, 0.5]
    rng = np.random.RandomState(1)
    stacked = build(dropout=(rates, rates, [0.3]))
    vectors = rng.normal(size=(3, stacked.n_parameters))
    x = rng.normal(size=(3, B, D))
    work, _ = training_workspace(stacked, vectors, seeds=(5, 6, 7))
    work.inputs["x"].array[:] = x
    work.forward()
    for k, rate in enumerate(rates):
        alone = build(dropout=([rate], [rate], [0.3]))
        single, _ = training_workspace(alone, vectors[k : k + 1], seeds=(5 + k,))
        single.inputs["x"].array[:] = x[k]
        single.forward()
        assert_allclose(work.raw[k], single.raw[0], rtol=1e-12)
    kept = stacked.members([2, 0])
    assert [n.block.rates for n in kept.nodes if n.block.kind == "dropout"] == [
        (0.5, 0.0),
        (0.5, 0.0),
        (0.3,),
    ]


def test_dropout_of_sparse_input_leaves_the_data_alone():
    network = build(dropout=([0.5], [0.0], [0.0]))
    vector, _, _ = problem(network)
    matrix = sparse.csr_array(sparse.random(B, D, density=0.8, random_state=0))
    before = matrix.copy()
    work, _ = training_workspace(network, vector, is_sparse=True)
    work.inputs["x"].matrices = [matrix]
    for _ in range(3):
        work.forward()
        value = work.holder_of(0)
        assert value.kind == "sparse"
        assert set(np.unique(value.matrices[0].data / matrix.data)) == {0.0, 2.0}
    assert_array_equal(matrix.toarray(), before.toarray())


@pytest.mark.torch
@by_class
def test_normalization_agrees_with_pytorch(normalization):
    torch = pytest.importorskip("torch")
    network = multilayer_perceptron(D, (H,), C, [[Tanh()]], normalize=normalization.block)
    vector, x, direction = problem(network)
    views = network.views(vector)
    views[1][0][0, 0] = start_of(network.nodes[1].block)
    start = vector.copy()
    work, gradient = training_workspace(network, vector)
    work.inputs["x"].array[:] = x
    work.forward()
    raw = work.raw.copy()
    work.delta[:] = direction
    work.backward()

    first, last = torch.nn.Linear(D, H).double(), torch.nn.Linear(H, C).double()
    is_batch = isinstance(normalization, BatchNormalization)
    norm = (torch.nn.BatchNorm1d(H) if is_batch else torch.nn.LayerNorm(H)).double()
    learned = network.views(start)
    with torch.no_grad():
        for layer, (weight, bias) in ((first, learned[0]), (last, learned[-1])):
            layer.weight.copy_(torch.tensor(weight[0].T))
            layer.bias.copy_(torch.tensor(bias[0, 0]))
    out = last(torch.tanh(norm(first(torch.tensor(x[0])))))
    out.backward(torch.tensor(direction[0]))
    assert_allclose(raw[0], out.detach().numpy(), rtol=1e-10)
    grads = network.views(gradient)
    assert_allclose(grads[0][0][0], first.weight.grad.numpy().T, rtol=1e-9, atol=1e-12)
    of_norm = grads[1][0][0].reshape(-1, H)
    assert_allclose(of_norm[0], norm.weight.grad.numpy(), rtol=1e-9, atol=1e-12)
    assert_allclose(of_norm[1], norm.bias.grad.numpy(), rtol=1e-9, atol=1e-12)
    if is_batch:
        after = views[1][0][0].reshape(4, H)
        assert_allclose(after[2], norm.running_mean.numpy(), rtol=1e-10)
        assert_allclose(after[3], norm.running_var.numpy(), rtol=1e-10)
