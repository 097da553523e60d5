"""The blocks of a multi-layer perceptron, and networks that embed columns."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skperceptron.activations import Tanh
from skperceptron.embeddings import Periodic
from skperceptron.engine import (
    Affine,
    InputBlocks,
    Network,
    NetworkInput,
    Node,
    multilayer_perceptron,
    wiring,
)
from skperceptron.engine.blocks import EmbedColumns
from skperceptron.engine.description import describe
from skperceptron.engine.network import INPUT
from skperceptron.engine.prediction import Predictor, predict_raw
from skperceptron.normalizations import LayerNormalization
from skperceptron.optimizers import LBFGS
from skperceptron.training import Stack, Targets, TrainingSet
from skperceptron.training.lbfgs import Objective, minimize_lbfgs
from tests.members import member_of

D, C, N = 3, 1, 40
#: Columns of codes, numbers of categories, and widths of their vectors.
CODED, LEVELS, DIMS = (D, D + 1), (4, 3), (2, 1)


def listed_in_docstring():
    """Return the names that the docstring lists, line by line."""
    text = wiring.multilayer_perceptron.__doc__
    lines = [line.strip() for line in text.partition("Parameters")[0].splitlines()]
    return [line.rstrip(",").split(", ") for line in lines if "affine_" in line or "_0" in line]


def names(network):
    return [node.name for node in network.nodes]


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_docstring_lists_the_blocks_of_each_depth(depth):
    network = multilayer_perceptron(D, (2,) * depth, C, [[Tanh()]] * depth)
    assert names(network) == listed_in_docstring()[depth]


def test_docstring_lists_everything_that_can_be_asked_for():
    network = multilayer_perceptron(
        D,
        (2, 2),
        C,
        [[Tanh()]] * 2,
        "residual",
        normalize=LayerNormalization().block,
        input_blocks=InputBlocks(embed_numbers=Periodic().block, scales=True),
        dropout=[[0.1]] * 3,
        blends=True,
    )
    listed = listed_in_docstring()
    assert names(network) == [name for line in listed[3:7] for name in line]
    columns = EmbedColumns((0, 2), LEVELS, DIMS)
    blocks = InputBlocks(embed_columns=columns, scales=True)
    network = multilayer_perceptron(D, (), C, [], input_blocks=blocks, dropout=[[0.1]])
    assert names(network) == listed[7]
    blocks = InputBlocks(embed_numbers=Periodic().block, numbers_to_embed=[1])
    network = multilayer_perceptron(D, (), C, [], input_blocks=blocks)
    assert names(network) == listed[8]
    network = multilayer_perceptron(D, (2, 2), C, [[Tanh()]] * 2, n_networks=3)
    assert names(network) == [name for line in listed[9:] for name in line]


def test_networks_that_share_weights_read_no_codes():
    blocks = InputBlocks(embed_columns=EmbedColumns(CODED, LEVELS, DIMS))
    with pytest.raises(ValueError, match="no codes"):
        multilayer_perceptron(D + 2, (), C, [], input_blocks=blocks, n_networks=3)


def build(skip_connections="none", scale_inputs=True, hidden=(3, 3)):
    return multilayer_perceptron(
        D + len(CODED),
        hidden,
        C,
        [[Tanh()]] * len(hidden),
        skip_connections,
        input_blocks=InputBlocks(
            embed_columns=EmbedColumns(CODED, LEVELS, DIMS), scales=scale_inputs
        ),
    )


def table(seed=0):
    """Return columns of numbers and of codes, and targets that depend on both."""
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(N, D))
    codes = np.column_stack([rng.randint(n, size=N) for n in LEVELS])
    y = X[:, :1] + np.array([-2.0, 0.5, 1.0, 3.0])[codes[:, :1]] * (codes[:, 1:] > 0)
    return np.hstack([X, codes]), y


def start(network, seed=0):
    rng = np.random.RandomState(seed)
    vector = rng.normal(scale=0.5, size=(1, network.n_parameters))
    for node, views in zip(network.nodes, network.views(vector), strict=True):
        if not node.block.opens_layer:
            for view, array in zip(views, node.block.initial_arrays(rng), strict=True):
                view[0] = array.reshape(view.shape[1:])
    return vector[0]


def member(vector, **options):
    return member_of(
        parameters=vector,
        rows=np.arange(N),
        **{"learning_rate": 0.02, "alpha": 0.01, "shuffle": True, **options},
    )


def plain(network, vector, X):
    """Compute the network of two hidden layers without skip connections in plain NumPy."""
    kept = network.by_attribute(network.views(vector[np.newaxis]))
    tables = kept["embeddings_"]
    codes = X[:, D:].T.astype(int)
    value = np.hstack([X[:, :D], *(t[c] for t, c in zip(tables, codes, strict=True))])
    value *= kept["feature_scales_"][0]
    layers = list(zip(kept["coefs_"], kept["intercepts_"], strict=True))
    for weight, bias in layers[:-1]:
        value = np.tanh(value @ weight + bias)
    return value @ layers[-1][0] + layers[-1][1]


def test_predictions_are_those_of_the_formula():
    network = build()
    X, _ = table()
    vector = start(network)
    vector[network.n_weights :] += 0.3
    learned = network.views(vector[np.newaxis])
    expected = plain(network, vector, X)
    assert_allclose(predict_raw(network, learned, X), expected, rtol=1e-12)
    rows = np.array([5, 1, 30])
    assert_allclose(predict_raw(network, learned, X, rows), expected[rows], rtol=1e-12)
    single = Predictor(network, learned, np.dtype(np.float32))(X.astype(np.float32))
    assert single.dtype == np.float32
    assert_allclose(single, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("skip_connections", ["none", "residual", "dense"])
def test_objective_of_numbers_and_codes_has_the_gradient_of_central_differences(skip_connections):
    network = build(skip_connections)
    X, y = table()
    objective = Objective(network, member(start(network)), TrainingSet(X, Targets(y)))
    vector = start(network, seed=1)
    _, gradient = objective(vector)
    moves = 1e-6 * np.eye(len(vector))
    expected = [(objective(vector + m)[0] - objective(vector - m)[0]) / 2e-6 for m in moves]
    assert_allclose(gradient, expected, rtol=1e-5, atol=1e-8)


def test_penalty_applies_to_tables_and_not_to_factors():
    network = build()
    X, y = table()
    data = TrainingSet(X, Targets(y))
    vector = start(network, seed=1)
    found = [Objective(network, member(vector, alpha=a), data)(vector)[1] for a in (0.0, 0.8)]
    kept = network.by_attribute(network.views((found[1] - found[0])[np.newaxis]))
    own = network.by_attribute(network.views(vector[np.newaxis]))
    assert_array_equal(kept["feature_scales_"][0], 0)
    for change, array in zip(kept["embeddings_"], own["embeddings_"], strict=True):
        assert_allclose(change, 0.8 * array / N, rtol=1e-8, atol=1e-12)


def test_stack_learns_from_numbers_and_codes_and_each_member_is_as_if_alone():
    network = build()
    data = [TrainingSet(X, Targets(y)) for X, y in map(table, range(3))]
    starts = [start(network, seed) for seed in range(3)]
    float64 = np.dtype(np.float64)
    stack = Stack(network, [member(v) for v in starts], data, 20, float64)
    losses = [stack.run_epoch() for _ in range(30)]
    assert (losses[-1] < 0.5 * losses[0]).all()
    for k in range(3):
        alone = Stack(network, [member(starts[k])], data[k], 20, float64)
        for _ in range(30):
            alone.run_epoch()
        assert_allclose(
            stack.vectors.parameters[k], alone.vectors.parameters[0], rtol=1e-9, atol=1e-11
        )


def test_lbfgs_learns_from_numbers_and_codes():
    network = build(hidden=(4,))
    X, y = table()
    data = TrainingSet(X, Targets(y))
    options = {"alpha": 0.0, "optimizer": LBFGS(), "max_iter": 300, "tol": 1e-8}
    result, _ = minimize_lbfgs(network, member(start(network), **options), data)
    kept = network.by_attribute(network.views(result.x[np.newaxis]))
    assert result.fun < 1e-2
    assert not np.allclose(kept["feature_scales_"][0], 1)


def test_graph_shows_each_input():
    inputs = [NetworkInput("x", D), NetworkInput("others", 2)]
    network = Network(inputs, [Node("affine_1", Affine([D, 2], C), (INPUT, INPUT - 1))])
    nodes, edges = describe(network, "identity")
    shapes = {node.name: node.output_shape for node in nodes if node.kind == "input"}
    assert shapes == {"input": (None, D), "others": (None, 2)}
    read = [edge.source for edge in edges if edge.target == "affine_1"]
    assert read == ["input", "others"]


def test_graph_shows_embedded_columns():
    nodes, edges = describe(build(hidden=(3,)), "identity")
    assert ("input", "embedding_0") in [(edge.source, edge.target) for edge in edges]
    (shown,) = [node for node in nodes if node.kind == "column_embedding"]
    assert shown.n_parameters == 4 * 2 + 3 * 1
    assert shown.input_shape == (None, D + 2) and shown.output_shape == (None, 3)


def test_places_of_an_attribute_hold_what_is_kept_under_it():
    network = build()
    vector = np.arange(network.n_parameters, dtype=float)
    kept = network.by_attribute(network.views(vector[np.newaxis]))
    for attribute in network.attributes:
        places = network.trained_places(attribute)
        for place, array in zip(places, kept[attribute], strict=True):
            assert_array_equal(vector[place], array.ravel())
    assert network.trained_places("nothing_") == []
