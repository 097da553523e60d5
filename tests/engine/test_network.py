"""The graph of blocks: which shapes it has, where its parameters lie, what it computes."""

from itertools import accumulate, pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skperceptron.activations import PReLU, ReLU, Tanh
from skperceptron.engine import (
    Activate,
    Add,
    Affine,
    InputBlocks,
    Workspace,
    multilayer_perceptron,
)
from skperceptron.engine.blocks import EmbedColumns
from skperceptron.normalizations import BatchNormalization

WIRINGS = ["none", "residual", "dense", "linear"]
SHAPES = [(), (4,), (4, 4), (4, 3, 3), (2, 2, 5, 5)]
TABLE = EmbedColumns((0,), (100,), (4,))


def build(hidden, skip_connections, activation=None, n_inputs=3, n_outputs=2):
    per_layer = [[Tanh() if activation is None else activation]] * len(hidden)
    return multilayer_perceptron(n_inputs, hidden, n_outputs, per_layer, skip_connections)


def weight_shapes(network):
    return [n.block.shape_of("weight") for n in network.nodes if isinstance(n.block, Affine)]


def plain_forward(network, vector, x, hidden, skip_connections):
    """Compute a tanh network with scikit-learn's layout and nothing of the engine's blocks."""
    learned = [views for views in network.views(vector[np.newaxis]) if len(views) == 2]
    layers = [(weight[0], bias[0, 0]) for weight, bias in learned]
    values = [x]
    for i, (weight, bias) in enumerate(layers):
        seen = np.hstack(values) if skip_connections == "dense" else values[-1]
        if skip_connections == "linear" and i == len(hidden) > 0:
            seen = np.hstack([values[-1], x])
        z = seen @ weight + bias
        if i == len(hidden):
            return z
        value = np.tanh(z)
        if skip_connections == "residual" and i > 0 and hidden[i] == hidden[i - 1]:
            value = value + values[-1]
        values.append(value)
    raise AssertionError("a network ends in an affine block")


def test_network_without_hidden_layers_is_one_affine_block():
    (node,) = build((), "none").nodes
    assert isinstance(node.block, Affine)
    assert node.block.shape_of("weight") == (3, 2)
    assert node.sources == (-1,)


@pytest.mark.parametrize(
    ("widths", "options", "expected"),
    [
        ((3, 4, 5, 2), {}, 4 * 5),
        ((3, 2), {}, 3 * 2),
        # Five networks share the first weight matrix, and have last ones of their own.
        ((3, 4, 2), {"n_networks": 5}, 5 * 3 * 4),
        ((3, 1, 4), {"n_networks": 5}, 5 * 1 * 4),
        # Rows of tables are looked up, not multiplied.
        ((3, 2), {"input_blocks": InputBlocks(embed_columns=TABLE)}, (2 + 4) * 2),
    ],
)
def test_multiply_adds_of_the_largest_product(widths, options, expected):
    n_inputs, *hidden, n_outputs = widths
    activations = [[Tanh()]] * len(hidden)
    network = multilayer_perceptron(n_inputs, hidden, n_outputs, activations, **options)
    assert network.largest_product == expected


@pytest.mark.parametrize("skip_connections", ["none", "residual"])
@pytest.mark.parametrize("hidden", SHAPES)
def test_each_layer_reads_the_layer_before(hidden, skip_connections):
    widths = [3, *hidden, 2]
    expected = list(pairwise(widths))
    assert weight_shapes(build(hidden, skip_connections)) == expected


@pytest.mark.parametrize("hidden", SHAPES)
def test_densely_connected_layers_read_the_input_and_all_earlier_layers(hidden):
    fan_in = list(accumulate(hidden, initial=3))
    assert weight_shapes(build(hidden, "dense")) == list(zip(fan_in, [*hidden, 2], strict=True))


@pytest.mark.parametrize("hidden", SHAPES)
def test_linear_path_leads_the_input_to_the_output_only(hidden):
    shapes = weight_shapes(build(hidden, "none"))
    shapes[-1] = (sum(hidden[-1:]) + 3, 2)
    assert weight_shapes(build(hidden, "linear")) == shapes


@pytest.mark.parametrize("skip_connections", WIRINGS)
def test_rows_of_inputs_are_the_weight_matrices(skip_connections):
    network = build((4, 4), skip_connections)
    found = network.rows_of_inputs()
    vector = np.zeros((1, network.n_parameters))
    for i, (place, _) in enumerate(found, start=1):
        assert not vector[:, place].any()
        vector[:, place] = i
    of_layers = [views[0][0] for views in network.views(vector) if len(views) == 2]
    seen = [list(dict.fromkeys(matrix[:, 0])) for matrix in of_layers]
    assert [number for of_layer in seen for number in of_layer] == list(range(1, len(found) + 1))
    counts = [
        (matrix[:, 0] == n).sum() for matrix, of in zip(of_layers, seen, strict=True) for n in of
    ]
    assert counts == [n_rows for _, n_rows in found]


@pytest.mark.parametrize(
    ("hidden", "layers_with_shortcut"),
    [((), []), ((3,), []), ((4, 4), [2]), ((4, 3, 3), [3]), ((4, 4, 3, 3, 3), [2, 4, 5])],
)
def test_shortcuts_join_hidden_layers_of_equal_width_only(hidden, layers_with_shortcut):
    nodes = build(hidden, "residual", n_inputs=hidden[0] if hidden else 3).nodes
    found = [node.name for node in nodes if isinstance(node.block, Add)]
    assert found == [f"add_{i}" for i in layers_with_shortcut]


@pytest.mark.parametrize("skip_connections", WIRINGS)
@pytest.mark.parametrize("hidden", SHAPES)
def test_nodes_come_after_their_sources_and_have_unique_names(hidden, skip_connections):
    network = build(hidden, skip_connections)
    assert all(s < i for i, node in enumerate(network.nodes) for s in node.sources)
    assert len({node.name for node in network.nodes}) == len(network.nodes)
    assert network.n_outputs == 2
    assert network.width(-1) == 3


@pytest.mark.parametrize("activation", [Tanh(), PReLU()], ids=["tanh", "prelu"])
@pytest.mark.parametrize("skip_connections", WIRINGS)
@pytest.mark.parametrize("hidden", SHAPES)
def test_views_cover_the_vector_exactly_once(hidden, skip_connections, activation):
    network = build(hidden, skip_connections, activation)
    vectors = np.arange(2.0 * network.n_parameters).reshape(2, -1)
    arrays = [array for views in network.views(vectors) for array in views]
    assert all(np.shares_memory(array, vectors) for array in arrays)
    for k in range(2):
        seen = np.concatenate([array[k].ravel() for array in arrays])
        assert_array_equal(np.sort(seen), vectors[k])


@pytest.mark.parametrize("skip_connections", WIRINGS)
@pytest.mark.parametrize("hidden", SHAPES)
def test_weights_lie_before_everything_else_in_the_order_of_the_layers(hidden, skip_connections):
    network = build(hidden, skip_connections, PReLU())
    vector = np.arange(network.n_parameters, dtype=float)[np.newaxis]
    weights = [views[0].ravel() for views in network.views(vector) if len(views) == 2]
    assert_array_equal(np.concatenate(weights), np.arange(network.n_weights))


def test_learned_activation_parameters_follow_the_weights_as_one_slope_per_unit():
    network = build((4, 3), "none", PReLU())
    slopes = [views[0].shape for views in network.views(np.zeros((5, network.n_parameters)))]
    assert slopes == [(5, 3, 4), (5, 1, 4), (5, 4, 3), (5, 1, 3), (5, 3, 2)]
    assert network.n_parameters == network.n_weights + (4 + 3 + 2) + (4 + 3)


@pytest.mark.parametrize("skip_connections", WIRINGS)
@pytest.mark.parametrize("hidden", SHAPES)
def test_forward_pass_equals_the_formula_written_out(hidden, skip_connections):
    rng = np.random.RandomState(0)
    network = build(hidden, skip_connections)
    vectors = rng.normal(size=(3, network.n_parameters))
    x = rng.normal(size=(3, 6, 3))
    work = Workspace(network, network.views(vectors), 6)
    work.inputs["x"].array[:] = x
    work.forward()
    for k in range(3):
        expected = plain_forward(network, vectors[k], x[k], hidden, skip_connections)
        assert_allclose(work.raw[k], expected, rtol=1e-12, atol=1e-12)


def test_each_member_is_computed_with_its_own_activation():
    rng = np.random.RandomState(0)
    relu, tanh = ReLU(), Tanh()
    mixed = multilayer_perceptron(3, (4,), 2, [[relu, tanh, relu]])
    vectors = rng.normal(size=(3, mixed.n_parameters))
    x = rng.normal(size=(3, 5, 3))

    def raw(network, members):
        work = Workspace(network, network.views(vectors[members]), 5)
        work.inputs["x"].array[:] = x[members]
        work.forward()
        return work.raw

    together = raw(mixed, slice(None))
    for k, activation in enumerate((relu, tanh, relu)):
        alone = raw(build((4,), "none", activation), slice(k, k + 1))
        assert_array_equal(together[k], alone[0])


def test_members_keeps_the_activations_of_the_chosen_positions():
    activations = [ReLU(), Tanh(), Tanh(), ReLU()]
    network = multilayer_perceptron(3, (4, 4), 2, [activations, [Tanh()]], "residual")
    kept = network.members([3, 1])
    first, second = [n.block for n in kept.nodes if isinstance(n.block, Activate)]
    assert first.activations == (activations[3], activations[1])
    assert len(second.activations) == 1
    assert [n.name for n in kept.nodes] == [n.name for n in network.nodes]
    assert kept.n_parameters == network.n_parameters


def test_members_that_learn_different_numbers_of_slopes_cannot_share_a_stack():
    with pytest.raises(ValueError, match="equally many activation parameters"):
        multilayer_perceptron(3, (4,), 2, [[ReLU(), PReLU()]])


def test_one_activation_per_hidden_layer_is_required():
    with pytest.raises(ValueError):
        multilayer_perceptron(3, (4, 4), 2, [[ReLU()]])


def test_trained_places_are_those_of_factors_and_shifts_but_not_of_statistics():
    normalize = BatchNormalization().block
    network = multilayer_perceptron(3, (4, 2), 1, [[Tanh()], [Tanh()]], normalize=normalize)
    places = network.views(np.arange(network.n_parameters)[np.newaxis])
    expected = []
    for node, (array, *_) in zip(network.nodes, [of or (None,) for of in places], strict=True):
        if node.name.startswith("normalization"):
            gamma, beta, _, _ = array.reshape(4, -1)
            expected += [*gamma, *beta]
    slices = network.trained_places("normalization_parameters_")
    assert np.concatenate([np.arange(s.start, s.stop) for s in slices]).tolist() == expected
    assert len(expected) == 2 * (4 + 2)
