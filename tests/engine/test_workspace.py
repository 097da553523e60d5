"""A workspace: buffers that are made once, and steps that allocate nothing."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skperceptron import activations
from skperceptron.activations import Activation, PReLU, ReLU, Tanh
from skperceptron.engine import SparseBatch, Workspace, multilayer_perceptron

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


def bind(network, vectors, batch_size, **options):
    """Return a workspace that trains, and the (K, P) gradient it writes to."""
    gradient = np.full_like(vectors, np.nan)
    views = network.views(gradient)
    work = Workspace(network, network.views(vectors), batch_size, gradient=views, **options)
    return work, gradient


def run(work, x, delta):
    if isinstance(work.x, SparseBatch):
        work.x.matrices = x
    else:
        work.x[:] = x
    work.forward()
    raw = work.raw.copy()
    work.delta[:] = delta
    work.backward()
    return raw


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("activation", EVERY_ACTIVATION)
def test_step_of_any_activation_allocates_nothing_of_batch_size(peak_of, activation, dtype):
    batch_size, units = 4096, 32
    network = build(activation=activation, hidden=(units, units))
    rng = np.random.RandomState(0)
    vectors = rng.normal(scale=0.1, size=(1, network.n_parameters)).astype(dtype)
    work, _ = bind(network, vectors, batch_size)
    x = rng.normal(size=(1, batch_size, D)).astype(dtype)
    delta = rng.normal(size=(1, batch_size, C)).astype(dtype)

    def step():
        work.x[:] = x
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
    work.x[:] = rng.normal(size=work.x.shape)
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
    work.x[:] = 1
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
    assert_array_equal(work.x, x)


@pytest.mark.parametrize("skip_connections", WIRINGS)
def test_workspaces_of_whole_and_last_batch_share_parameters_and_gradient(skip_connections):
    rng = np.random.RandomState(0)
    network = build(skip_connections)
    vectors = rng.normal(size=(2, network.n_parameters))
    gradient = np.empty_like(vectors)
    learned, slopes = network.views(vectors), network.views(gradient)
    whole = Workspace(network, learned, B, gradient=slopes)
    last = Workspace(network, learned, 2, gradient=slopes)
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
        work.x[:] = x[members]
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
    predicts.x[:] = x
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
    thin, gradient = bind(network, vectors, B, sparse=True)
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
    work, gradient = bind(network, vectors, n_rows, sparse=True)

    peak = peak_of(lambda: run(work, [matrix], 1.0))
    assert peak < 5 * vectors.nbytes < n_rows * n_columns
    assert np.isfinite(gradient).all()
    untouched = np.setdiff1d(np.arange(n_columns), columns)
    assert_array_equal(gradient[0, untouched], 0)
