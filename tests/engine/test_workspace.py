"""A workspace: buffers that are made once, and steps that allocate nothing."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skperceptron import activations
from skperceptron.activations import (
    GELU,
    Activation,
    Gaussian,
    Mish,
    PReLU,
    ReLU,
    Sigmoid,
    Sine,
    Tanh,
)
from skperceptron.engine import (
    Activate,
    Add,
    Affine,
    Network,
    Node,
    SparseBatch,
    TrainingPass,
    Workspace,
    multilayer_perceptron,
)
from skperceptron.engine.blocks import BatchNormalize, Blend, Dropout, LayerNormalize
from skperceptron.engine.network import INPUT
from skperceptron.normalizations import BatchNormalization

WIRINGS = ["none", "residual", "dense"]
D, HIDDEN, C, B = 5, (4, 4), 2, 6

EVERY_ACTIVATION = [
    value
    for name, value in sorted(vars(activations).items())
    if isinstance(value, type) and issubclass(value, Activation) and value is not Activation
    if not name.startswith("_")
]


def build(skip_connections="none", activation=Tanh, hidden=HIDDEN, n_inputs=D):
    per_layer = [[activation()]] * len(hidden)
    return multilayer_perceptron(n_inputs, hidden, C, per_layer, skip_connections)


def bind(network, vectors, batch_size, inputs=None, **options):
    """Return a workspace that trains, and the (K, P) gradient it writes to."""
    gradient = np.full_like(vectors, np.nan)
    training = TrainingPass(network.views(gradient), **options)
    return Workspace(network, network.views(vectors), batch_size, training, inputs=inputs), gradient


def run(work, x, delta):
    if isinstance(work.inputs["x"], SparseBatch):
        work.inputs["x"].matrices = x
    else:
        work.inputs["x"].array[:] = x
    work.forward()
    raw = work.raw.copy()
    work.delta[:] = delta
    work.backward()
    return raw


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("activation", EVERY_ACTIVATION)
def test_step_of_any_activation_allocates_nothing_of_batch_size(peak_of, activation, dtype):
    batch_size, units = 16384, 32
    network = build(activation=activation, hidden=(units, units))
    rng = np.random.RandomState(0)
    vectors = rng.normal(scale=0.1, size=(1, network.n_parameters)).astype(dtype)
    work, _ = bind(network, vectors, batch_size)
    x = rng.normal(size=(1, batch_size, D)).astype(dtype)
    delta = rng.normal(size=(1, batch_size, C)).astype(dtype)

    def step():
        work.inputs["x"].array[:] = x
        work.forward()
        work.delta[:] = delta
        work.backward()

    a_byte_per_activation = batch_size * units
    assert peak_of(step) < a_byte_per_activation


@pytest.mark.parametrize("skip_connections", WIRINGS)
@pytest.mark.parametrize("n_members", [1, 3])
def test_step_of_any_wiring_allocates_nothing_of_batch_size(peak_of, skip_connections, n_members):
    batch_size, units = 4096, 32
    network = build(skip_connections, hidden=(units,) * 3)
    rng = np.random.RandomState(0)
    work, _ = bind(network, rng.normal(size=(n_members, network.n_parameters)), batch_size)
    work.inputs["x"].array[:] = rng.normal(size=work.inputs["x"].array.shape)
    delta = rng.normal(size=work.delta.shape)

    def step():
        work.forward()
        work.delta[:] = delta
        work.backward()

    assert peak_of(step) < batch_size * units


@pytest.mark.parametrize("skip_connections", WIRINGS)
def test_parameters_are_read_where_they_lie(skip_connections):
    network = build(skip_connections)
    vectors = np.ones((2, network.n_parameters))
    work = Workspace(network, network.views(vectors), B)
    work.inputs["x"].array[:] = 1
    vectors[:] = 0
    work.forward()
    assert_array_equal(work.raw, 0)


@pytest.mark.parametrize("activation", [Tanh, PReLU])
@pytest.mark.parametrize("skip_connections", WIRINGS)
def test_backward_writes_every_entry_of_the_flat_gradient(skip_connections, activation):
    rng = np.random.RandomState(0)
    network = build(skip_connections, activation)
    vectors = rng.normal(size=(2, network.n_parameters))
    before = vectors.copy()
    work, gradient = bind(network, vectors, B)
    run(work, rng.normal(size=(2, B, D)), rng.normal(size=(2, B, C)))
    assert np.isfinite(gradient).all()
    assert_array_equal(vectors, before)


@pytest.mark.parametrize("skip_connections", WIRINGS)
def test_steps_leave_nothing_behind_that_changes_the_next(skip_connections):
    rng = np.random.RandomState(0)
    network = build(skip_connections)
    vectors = rng.normal(size=(2, network.n_parameters))
    work, gradient = bind(network, vectors, B)
    x, delta = rng.normal(size=(2, B, D)), rng.normal(size=(2, B, C))
    raw = run(work, x, delta)
    first = gradient.copy()
    run(work, 1e3 * x, -delta)
    assert_array_equal(run(work, x, delta), raw)
    assert_array_equal(gradient, first)


def test_input_of_a_workspace_survives_a_step():
    rng = np.random.RandomState(0)
    network = build("dense")
    work, _ = bind(network, rng.normal(size=(1, network.n_parameters)), B)
    x = rng.normal(size=(1, B, D))
    run(work, x, rng.normal(size=(1, B, C)))
    assert_array_equal(work.inputs["x"].array, x)


@pytest.mark.parametrize("skip_connections", WIRINGS)
def test_workspaces_of_whole_and_last_batch_share_parameters_and_gradient(skip_connections):
    rng = np.random.RandomState(0)
    network = build(skip_connections)
    vectors = rng.normal(size=(2, network.n_parameters))
    gradient = np.empty_like(vectors)
    learned, training = network.views(vectors), TrainingPass(network.views(gradient))
    whole = Workspace(network, learned, B, training)
    last = Workspace(network, learned, 2, training)
    x, delta = rng.normal(size=(2, B, D)), rng.normal(size=(2, B, C))

    def gradient_of(work, rows):
        run(work, x[:, rows], delta[:, rows])
        return gradient.copy()

    vectors[:] = rng.normal(size=vectors.shape)
    total = gradient_of(whole, slice(None))
    parts = sum(gradient_of(last, slice(i, i + 2)) for i in range(0, B, 2))
    assert_allclose(parts, total, rtol=1e-10, atol=1e-12)


def test_workspace_of_some_members_works_on_their_parameters_alone():
    rng = np.random.RandomState(0)
    network = multilayer_perceptron(D, (4,), C, [[Tanh(), ReLU(), Tanh()]])
    vectors = rng.normal(size=(3, network.n_parameters))
    x = rng.normal(size=(3, B, D))
    everyone = Workspace(network, network.views(vectors), B)
    leading = Workspace(network, network.views(vectors[:2]), B, members=slice(0, 2))
    last = Workspace(network, network.views(vectors[2:]), B, members=slice(2, 3))
    for work, members in ((everyone, slice(None)), (leading, slice(0, 2)), (last, slice(2, 3))):
        work.inputs["x"].array[:] = x[members]
        work.forward()
    assert_array_equal(np.concatenate([leading.raw, last.raw]), everyone.raw)


def test_activation_that_needs_no_input_overwrites_it():
    network = build(activation=Tanh)
    work = Workspace(network, network.views(np.ones((1, network.n_parameters))), B)
    assert np.shares_memory(work.value_of(0), work.value_of(1))


@pytest.mark.parametrize("activation", EVERY_ACTIVATION)
def test_predicting_and_training_workspaces_agree(activation):
    rng = np.random.RandomState(0)
    network = build(activation=activation)
    vectors = rng.normal(size=(2, network.n_parameters))
    x = rng.normal(size=(2, B, D))
    trains, _ = bind(network, vectors, B)
    predicts = Workspace(network, network.views(vectors), B)
    predicts.inputs["x"].array[:] = x
    predicts.forward()
    assert_allclose(run(trains, x, 0), predicts.raw, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("skip_connections", WIRINGS)
def test_sparse_input_gives_what_dense_input_gives(skip_connections, dtype):
    rng = np.random.RandomState(0)
    network = build(skip_connections)
    vectors = rng.normal(size=(2, network.n_parameters)).astype(dtype)
    x = (rng.normal(size=(2, B, D)) * (rng.uniform(size=(2, B, D)) < 0.4)).astype(dtype)
    delta = rng.normal(size=(2, B, C)).astype(dtype)
    dense, expected = bind(network, vectors, B)
    thin, gradient = bind(network, vectors, B, inputs={"x": SparseBatch(2)})
    raw = run(dense, x, delta)
    close = 1e-12 if dtype == np.float64 else 1e-4
    batch = [sparse.csr_array(member) for member in x]
    assert_allclose(run(thin, batch, delta), raw, rtol=close, atol=close)
    assert_allclose(gradient, expected, rtol=close, atol=close)


@pytest.mark.parametrize("skip_connections", ["none", "dense"])
def test_a_million_sparse_columns_are_never_densified(peak_of, skip_connections):
    n_rows, n_columns = 200, 1_000_000
    network = build(skip_connections, hidden=(1,), n_inputs=n_columns)
    columns = np.random.RandomState(0).randint(n_columns, size=(n_rows, 10))
    starts = np.arange(0, columns.size + 1, 10)
    matrix = sparse.csr_array(
        (np.ones(columns.size), columns.ravel(), starts), shape=(n_rows, n_columns)
    )
    vectors = np.full((1, network.n_parameters), 0.1)
    work, gradient = bind(network, vectors, n_rows, inputs={"x": SparseBatch(1)})

    peak = peak_of(lambda: run(work, [matrix], 1.0))
    assert peak < 5 * vectors.nbytes < n_rows * n_columns
    assert np.isfinite(gradient).all()
    untouched = np.setdiff1d(np.arange(n_columns), columns)
    assert_array_equal(gradient[0, untouched], 0)


# Values with several readers.

H = 4


def two_readers(f, g):
    """Two activations on one affine value; the output reads both, and the value itself."""
    nodes = [
        Node("affine_1", Affine([D], H), (INPUT,)),
        Node("f", Activate([f], H), (0,)),
        Node("g", Activate([g], H), (0,)),
        Node("affine_2", Affine([H, H, H], C), (1, 2, 0)),
    ]
    return Network(D, nodes)


def blended(f, g):
    """A learned mean of two functions of a value, with the value as a shortcut."""
    nodes = [
        Node("affine_1", Affine([D], H), (INPUT,)),
        Node("f", Activate([f], H), (0,)),
        Node("g", Activate([g], H), (0,)),
        Node("blend", Blend(H), (1, 2)),
        Node("add", Add(H), (3, 0)),
        Node("affine_2", Affine([H], C), (4,)),
    ]
    return Network(D, nodes)


def chain(f, g):
    """An activation of an activation; the first one has a second reader."""
    nodes = [
        Node("affine_1", Affine([D], H), (INPUT,)),
        Node("f", Activate([f], H), (0,)),
        Node("g", Activate([g], H), (1,)),
        Node("affine_2", Affine([H, H], C), (2, 1)),
    ]
    return Network(D, nodes)


def pure_chain(f, g):
    """An activation of an activation; each has one reader."""
    nodes = [
        Node("affine_1", Affine([D], H), (INPUT,)),
        Node("f", Activate([f], H), (0,)),
        Node("g", Activate([g], H), (1,)),
        Node("affine_2", Affine([H], C), (2,)),
    ]
    return Network(D, nodes)


def of_the_input(f, g):
    """An affine block reads the input and two activations of it; an activation comes last."""
    nodes = [
        Node("f", Activate([f], D), (INPUT,)),
        Node("g", Activate([g], D), (INPUT,)),
        Node("affine", Affine([D, D, D], C), (0, 1, INPUT)),
        Node("again", Activate([g], C), (2,)),
    ]
    return Network(D, nodes)


def normalized_twice(f, g):
    """Two normalizations and an activation of one value."""
    nodes = [
        Node("affine_1", Affine([D], H), (INPUT,)),
        Node("batch", BatchNormalize(H, 0.1, 0.1), (0,)),
        Node("layer", LayerNormalize(H, 0.1), (0,)),
        Node("f", Activate([f], H), (0,)),
        Node("sum", Add(H), (1, 2)),
        Node("g", Activate([g], H), (4,)),
        Node("affine_2", Affine([H, H], C), (5, 3)),
    ]
    return Network(D, nodes)


def with_itself(f, g):
    """A value added to itself, and blended with itself."""
    nodes = [
        Node("affine_1", Affine([D], H), (INPUT,)),
        Node("f", Activate([f], H), (0,)),
        Node("sum", Add(H), (1, 1)),
        Node("blend", Blend(H), (2, 2)),
        Node("g", Activate([g], H), (3,)),
        Node("affine_2", Affine([H, H], C), (4, 4)),
    ]
    return Network(D, nodes)


def dead_end(f, g):
    """A branch that reaches no output."""
    nodes = [
        Node("affine_1", Affine([D], H), (INPUT,)),
        Node("f", Activate([f], H), (0,)),
        Node("nowhere", Affine([H], 2), (1,)),
        Node("g", Activate([g], H), (0,)),
        Node("affine_2", Affine([H], C), (3,)),
    ]
    return Network(D, nodes)


SHARED = [
    two_readers,
    blended,
    chain,
    pure_chain,
    of_the_input,
    normalized_twice,
    with_itself,
    dead_end,
]


def plain_value(network, learned, x):
    """Compute one member's output with a new array for every value.

    ``learned`` and ``x`` have no member axis.
    """
    values = {INPUT: x}
    for position, (node, arrays) in enumerate(zip(network.nodes, learned, strict=True)):
        read = [values[s] for s in node.sources]
        kind = node.block.kind
        if kind == "affine":
            value = np.hstack(read) @ arrays[0] + arrays[1]
        elif kind == "activation":
            z = read[0][np.newaxis].copy()
            value = np.empty_like(z)
            node.block.activation_of(0).forward(z, value, *(a[np.newaxis] for a in arrays))
            value = value[0]
        elif kind == "add":
            value = read[0] + read[1]
        elif kind == "blend":
            value = read[0] + arrays[0] * (read[1] - read[0])
        else:
            axis = node.block.axis - 1
            gamma, beta, *_ = np.split(arrays[0], node.block.n_vectors, axis=1)
            variance = read[0].var(axis, keepdims=True) + 0.1
            value = (read[0] - read[0].mean(axis, keepdims=True)) / np.sqrt(variance)
            value = value * gamma + beta
        values[position] = value
    return value


def member_of(network, vector):
    return [tuple(a[0] for a in arrays) for arrays in network.views(vector[np.newaxis])]


def assert_shared_values_are_safe(network, n_members, trains):
    rng = np.random.RandomState(3)
    vectors = rng.uniform(0.2, 0.9, size=(n_members, network.n_parameters))
    vectors *= rng.choice([-1, 1], size=vectors.shape)
    x = rng.normal(size=(n_members, B, D))
    expected = [
        plain_value(network, member_of(network, vector), rows)
        for vector, rows in zip(vectors, x, strict=True)
    ]
    if not trains:
        work = Workspace(network, network.views(vectors), B)
        work.inputs["x"].array[:] = x
        work.forward()
        assert_allclose(work.raw, expected, rtol=1e-10, atol=1e-12)
        assert_array_equal(work.inputs["x"].array, x)
        return
    delta = rng.normal(size=(n_members, B, C))
    work, gradient = bind(network, vectors.copy(), B, input_gradients=True)
    assert_allclose(run(work, x, delta), expected, rtol=1e-10, atol=1e-12)
    assert_array_equal(work.inputs["x"].array, x)
    for k in range(n_members):

        def loss(vector, rows, k=k):
            return (plain_value(network, member_of(network, vector), rows) * delta[k]).sum()

        moves = 1e-6 * np.eye(vectors.shape[1])
        slopes = [
            (loss(vectors[k] + move, x[k]) - loss(vectors[k] - move, x[k])) / 2e-6 for move in moves
        ]
        assert_allclose(gradient[k], slopes, rtol=1e-5, atol=1e-7)
        moves = 1e-6 * np.eye(B * D).reshape(-1, B, D)
        slopes = [
            (loss(vectors[k], x[k] + move) - loss(vectors[k], x[k] - move)) / 2e-6 for move in moves
        ]
        found = work.input_gradient("x")[k].ravel()
        assert_allclose(found, slopes, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("pair", [(Tanh, Sigmoid), (Mish, PReLU), (GELU, Gaussian), (Sine, Tanh)])
@pytest.mark.parametrize("wire", SHARED, ids=lambda wire: wire.__name__)
def test_value_and_gradients_are_right_where_values_are_shared(wire, pair, n_members):
    network = wire(*(activation() for activation in pair))
    assert_shared_values_are_safe(network, n_members, trains=True)


@pytest.mark.parametrize("activation", [one for one in EVERY_ACTIVATION if one().differentiable])
def test_any_activation_leaves_a_value_that_others_read(activation):
    for wire in (two_readers, blended, chain, pure_chain):
        for pair in ((activation(), Tanh()), (Tanh(), activation())):
            assert_shared_values_are_safe(wire(*pair), 2, trains=True)


@pytest.mark.parametrize("activation", EVERY_ACTIVATION)
@pytest.mark.parametrize("wire", [w for w in SHARED if w is not normalized_twice])
def test_predictions_are_right_where_values_are_shared(wire, activation):
    assert_shared_values_are_safe(wire(activation(), Tanh()), 2, trains=False)


def test_value_of_a_network_that_ends_in_a_shared_value_is_not_overwritten():
    nodes = [
        Node("affine", Affine([D], H), (INPUT,)),
        Node("unread", Activate([Tanh()], H), (0,)),
        Node("sum", Add(H), (0, 0)),
    ]
    network = Network(D, nodes)
    vectors = np.random.RandomState(0).normal(size=(1, network.n_parameters))
    x = np.random.RandomState(1).normal(size=(1, B, D))
    work = Workspace(network, network.views(vectors), B)
    work.inputs["x"].array[:] = x
    work.forward()
    weight, bias = network.views(vectors)[0]
    assert_allclose(work.raw[0], 2 * (x[0] @ weight[0] + bias[0]), rtol=1e-12)


def test_dropout_hands_on_a_shared_value_that_nobody_may_write_over():
    nodes = [
        Node("affine_1", Affine([D], H), (INPUT,)),
        Node("dropout", Dropout([0.5], H), (0,)),
        Node("tanh", Activate([Tanh()], H), (1,)),
        Node("affine_2", Affine([H, H], C), (2, 0)),
    ]
    network = Network(D, nodes)
    vectors = np.random.RandomState(0).normal(size=(2, network.n_parameters))
    x = np.random.RandomState(1).normal(size=(2, B, D))
    work = Workspace(network, network.views(vectors), B)
    work.inputs["x"].array[:] = x
    work.forward()
    (w1, b1), _, _, (w2, b2) = network.views(vectors)
    z = x @ w1 + b1
    expected = np.concatenate([np.tanh(z), z], axis=2) @ w2 + b2
    assert_allclose(work.raw, expected, rtol=1e-12)


@pytest.mark.parametrize("skip_connections", WIRINGS)
@pytest.mark.parametrize("activation", EVERY_ACTIVATION)
def test_networks_of_the_estimators_need_no_copies(skip_connections, activation):
    network = multilayer_perceptron(
        D,
        (H, H),
        C,
        [[activation()]] * 2,
        skip_connections,
        normalize=BatchNormalization().block,
        dropout=[[0.1]] * 3,
    )
    vectors = np.ones((1, network.n_parameters))
    for work in (
        bind(network, vectors, B, noise=[None])[0],
        Workspace(network, network.views(vectors), B),
    ):
        assert not work._copies
