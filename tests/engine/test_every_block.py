"""Every block through the same checks: a new one joins them with one row in ``CASES``.

A row says how a block is made, what it reads, and what it computes in plain NumPy. The checks
put it into small networks: alone on the inputs, between affine blocks, and on a value that
another block reads too.
"""

import importlib
import pickle
import pkgutil
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from inspect import signature

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from skperceptron import MLPRegressor
from skperceptron.activations import PReLU, Tanh
from skperceptron.engine import (
    Activate,
    Add,
    Affine,
    Block,
    InputBlocks,
    LearnedArray,
    Network,
    NetworkInput,
    Node,
    Scale,
    TrainingPass,
    Workspace,
    blocks,
)
from skperceptron.engine.blocks import (
    Adapt,
    Average,
    BatchNormalize,
    Blend,
    Concatenate,
    Dropout,
    EmbedColumns,
    LayerNormalize,
    Periodic,
    PeriodicLinear,
    PiecewiseLinear,
    Select,
    SeparateAffine,
)
from skperceptron.engine.blocks.base import Line
from skperceptron.engine.description import describe
from skperceptron.engine.inputs import BorrowedRows, SparseBatch
from skperceptron.engine.network import INPUT
from skperceptron.engine.prediction import Predictor
from skperceptron.engine.wiring import multilayer_perceptron
from skperceptron.groups import ATTRIBUTES, ParameterGroups
from skperceptron.inspection import computational_graph, gradient_report, network_summary
from skperceptron.normalizations import BatchNormalization, LayerNormalization

B, H, C = 6, 3, 2


@dataclass
class Case:
    """A row of the table.

    Attributes
    ----------
    block : Block
    widths : tuple of int
        Widths of the values that it reads.
    formula : callable
        Returns the value, (B, units), from a list of (B, width) arrays and one of learned arrays.
    """

    block: Block
    widths: tuple[int, ...]
    formula: object

    @property
    def name(self):
        return type(self.block).__name__


def prelu(x, slopes):
    return np.where(x > 0, x, slopes * x)


def standardized(x, axis, epsilon):
    return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + epsilon)


def normalized(x, learned, axis):
    return standardized(x, axis, 0.1) * learned[0] + learned[1]


def periodic(x, learned):
    w, p, mixing, shift = learned
    parts = [
        np.column_stack([np.cos(2 * np.pi * f[:, None] * w[j] + p[j]) @ mixing[j] + shift[j], f])
        for j, f in enumerate(x[0].T)
    ]
    return np.hstack(parts)


def periodic_linear(x, learned):
    w, mixing, shift = learned
    parts = []
    for j, f in enumerate(x[0].T):
        angles = 2 * np.pi * f[:, None] * w[j]
        parts.append(np.hstack([np.sin(angles), np.cos(angles)]) @ mixing[j] + shift[j])
    return np.maximum(np.hstack(parts), 0)


def piecewise_linear(x, learned):
    places = [np.clip(f[:, None] * s + t, -1, 1) for f, s, t in zip(x[0].T, *learned, strict=True)]
    return np.hstack([*places, x[0]])


def looked_up(x, learned):
    """Return rows of two tables for the first and the last column; zeros for unknown codes."""
    parts = []
    for codes, table in zip(x[0].T[[0, 2]], learned, strict=True):
        rows = np.vstack([table, np.zeros(table.shape[1])])
        is_code = (codes >= 0) & (codes < len(table))
        parts.append(rows[np.where(is_code, codes, len(table)).astype(int)])
    return np.hstack(parts)


CASES = [
    Case(Activate([Tanh()], H), (H,), lambda x, _: np.tanh(x[0])),
    Case(Activate([PReLU()], H), (H,), lambda x, learned: prelu(x[0], learned[0])),
    # With a single network; ``test_shared_ensembles.py`` tests several.
    Case(Adapt(1, H, True, True), (H,), lambda x, learned: x[0] * learned[0] + learned[1]),
    Case(Average(1, H, "identity"), (H,), lambda x, _: x[0]),
    Case(SeparateAffine(1, H, 4), (H,), lambda x, learned: x[0] @ learned[0] + learned[1]),
    Case(Add(H), (H, H), lambda x, _: x[0] + x[1]),
    Case(Affine([H, 2], 4), (H, 2), lambda x, learned: np.hstack(x) @ learned[0] + learned[1]),
    Case(BatchNormalize(H, 0.1, 0.5), (H,), lambda x, learned: normalized(x[0], learned[0], 0)),
    Case(Blend(H), (H, H), lambda x, learned: x[0] + learned[0] * (x[1] - x[0])),
    Case(Concatenate((H, 2)), (H, 2), lambda x, _: np.hstack(x)),
    # Without a source of noise, as in inspection; ``test_dropout_and_normalization.py`` has one.
    Case(Dropout([0.5], H), (H,), lambda x, _: x[0]),
    Case(EmbedColumns((0, 2), (1, 2), (3, 1)), (H,), looked_up),
    Case(LayerNormalize(H, 0.1), (H,), lambda x, learned: normalized(x[0], learned[0], 1)),
    Case(Periodic(H, 4, 2, 0.3), (H,), periodic),
    Case(PeriodicLinear(H, 4, 2, 0.3), (H,), periodic_linear),
    Case(PiecewiseLinear(H, 4), (H,), piecewise_linear),
    Case(Scale(H), (H,), lambda x, learned: x[0] * learned[0]),
    Case(Select((0, 2)), (H,), lambda x, _: x[0][:, [0, 2]]),
]
EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def classes_of_package():
    """Return every concrete class of a block in the package."""
    modules = [
        importlib.import_module(f"{blocks.__name__}.{found.name}")
        for found in pkgutil.iter_modules(blocks.__path__)
    ]
    return {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Block) and hasattr(value, "kind")
    }


# Networks around a block.


def inputs_of(case):
    return [NetworkInput(f"x{i}", width) for i, width in enumerate(case.widths)]


def alone(case):
    """The block reads the inputs, and an affine block reads its value."""
    sources = tuple(INPUT - i for i in range(len(case.widths)))
    last = Node("last", Affine([case.block.units], C), (0,))
    return Network(inputs_of(case), [Node("block", case.block, sources), last])


def fed(case):
    """Return affine blocks that read the inputs, and the block, which reads their values."""
    firsts = [
        Node(f"first_{i}", Affine([width], width), (INPUT - i,))
        for i, width in enumerate(case.widths)
    ]
    return [*firsts, Node("block", case.block, tuple(range(len(firsts))))]


def between(case):
    """The block reads values of affine blocks, and another affine block reads its value."""
    nodes, n = fed(case), len(case.widths)
    nodes.append(Node("last", Affine([case.block.units], C), (n,)))
    return Network(inputs_of(case), nodes)


def beside(case):
    """``[x, f(x)]``: the output reads what the block reads, and the block's value."""
    nodes, n = fed(case), len(case.widths)
    nodes.append(Node("last", Affine([*case.widths, case.block.units], C), tuple(range(n + 1))))
    return Network(inputs_of(case), nodes)


def twice(case):
    """All sources of the block are the same value, which another block reads, too."""
    width = case.widths[0]
    nodes = [
        Node("first", Affine([width], width), (INPUT,)),
        Node("before", Activate([Tanh()], width), (0,)),
        Node("block", case.block, (0,) * len(case.widths)),
        Node("last", Affine([width, case.block.units, width], C), (1, 2, 0)),
    ]
    return Network([NetworkInput("x0", width)], nodes)


def data_for(network, n_members=1, seed=0):
    """Return parameters, inputs by their names, and a direction of the output."""
    rng = np.random.RandomState(seed)
    vectors = rng.uniform(0.3, 1.5, size=(n_members, network.n_parameters))
    vectors *= rng.choice([-1, 1], size=vectors.shape)
    given = {one.name: rng.normal(size=(n_members, B, one.width)) for one in network.inputs}
    return vectors, given, rng.normal(size=(n_members, B, C))


def bind(network, vectors, inputs=None, **options):
    gradient = np.full_like(vectors, np.nan)
    training = TrainingPass(network.views(gradient), noise=[None] * len(vectors), **options)
    return Workspace(network, network.views(vectors), B, training, inputs=inputs), gradient


def fill(work, given):
    for name, x in given.items():
        work.inputs[name].array[:] = x


def values_of(network, vectors, given, direction):
    """Return the sum of the outputs times a direction, (B, C), for each member of a stack."""
    work, _ = bind(network, vectors.copy())
    fill(work, given)
    work.forward()
    return (work.raw * direction).sum(axis=(1, 2))


MOVES = 1e-5 * np.array([-2, -1, 1, 2])
WEIGHTS = np.array([1, -8, 8, -1]) / 12 / 1e-5


def slope(function, array):
    """Return the derivatives by each element, as central differences of fourth order.

    ``function`` gives the values for a stack of moved arrays.
    """
    moves = MOVES[:, np.newaxis, np.newaxis] * np.eye(array.size)
    moved = (array.ravel() + moves).reshape(-1, *array.shape)
    return (WEIGHTS @ function(moved).reshape(len(MOVES), -1)).reshape(array.shape)


def assert_gradients_match(network, case, n_members=1):
    """Compare the gradients of all parameters and of all inputs."""
    vectors, given, direction = data_for(network, n_members)
    work, gradient = bind(network, vectors.copy(), input_gradients=True)
    fill(work, given)
    work.forward()
    work.delta[:] = direction
    work.backward()
    for k in range(n_members):
        own = {name: x[k] for name, x in given.items()}
        of_output = direction[k]

        def of_parameters(moved, own=own, of_output=of_output):
            return values_of(network, moved, own, of_output)

        # Running statistics of batch normalization are set by the batches: their gradient is 0.
        expected = slope(of_parameters, vectors[k])
        assert_allclose(gradient[k], expected, rtol=1e-6, atol=1e-8)
        for name in (one.name for one in network.inputs):

            def of_input(moved, own=own, of_output=of_output, name=name, k=k):
                same = np.repeat(vectors[k : k + 1], len(moved), axis=0)
                return values_of(network, same, {**own, name: moved}, of_output)

            expected = slope(of_input, own[name])
            assert np.abs(expected).max() > 1e-3 or not case.block.passes_gradient(0)
            assert_allclose(work.input_gradient(name)[k], expected, rtol=1e-6, atol=1e-8)


def test_every_block_of_the_package_has_a_row():
    assert {type(case.block) for case in CASES} == classes_of_package()


@EVERY_CASE
def test_value_is_that_of_the_formula(case):
    network = alone(case)
    vectors, given, _ = data_for(network, n_members=2)
    work, _ = bind(network, vectors)
    fill(work, given)
    work.forward()
    for k in range(2):
        own, (weight, bias) = ([array[k] for array in arrays] for arrays in network.views(vectors))
        learned = [
            array.reshape(declared.shape)
            for array, declared in zip(own, case.block.learned, strict=True)
        ]
        value = case.formula([x[k] for x in given.values()], learned)
        assert value.shape == (B, case.block.units)
        assert_allclose(work.raw[k], value @ weight + bias, rtol=1e-12, atol=1e-12)


@EVERY_CASE
def test_gradients_of_parameters_and_inputs_match_central_differences(case):
    assert_gradients_match(alone(case), case)


@pytest.mark.parametrize("wire", [between, beside, twice])
@pytest.mark.parametrize("n_members", [1, 2])
@EVERY_CASE
def test_gradients_in_a_network_match_central_differences(case, n_members, wire):
    if wire is twice and len(set(case.widths)) > 1:
        case = Case(Affine([H, H], 4), (H, H), case.formula)
    assert_gradients_match(wire(case), case, n_members)


@pytest.mark.parametrize("wire", [alone, between, beside])
@EVERY_CASE
def test_member_of_a_stack_equals_the_same_network_alone(case, wire):
    network = wire(case)
    vectors, given, direction = data_for(network, n_members=3)

    def raw_and_gradient(members):
        work, gradient = bind(network, vectors[members].copy())
        fill(work, {name: x[members] for name, x in given.items()})
        work.forward()
        raw = work.raw.copy()
        work.delta[:] = direction[members]
        work.backward()
        return raw, gradient

    together = raw_and_gradient(slice(None))
    for k in range(3):
        by_itself = raw_and_gradient(slice(k, k + 1))
        for stacked, single in zip(together, by_itself, strict=True):
            assert_allclose(stacked[k], single[0], rtol=1e-12, atol=1e-14)


@EVERY_CASE
def test_step_gives_the_same_when_it_is_run_again(case):
    network = alone(case)
    vectors, given, direction = data_for(network)
    work, gradient = bind(network, vectors.copy())
    found = []
    for _ in range(2):
        fill(work, given)
        work.forward()
        raw = work.raw.copy()
        work.delta[:] = direction
        work.backward()
        found.append((raw, gradient.copy()))
    for first, second in zip(*found, strict=True):
        assert_array_equal(first, second)


@EVERY_CASE
def test_inputs_are_left_as_they_are(case):
    network = alone(case)
    vectors, given, direction = data_for(network)
    work, _ = bind(network, vectors.copy())
    fill(work, given)
    work.forward()
    work.delta[:] = direction
    work.backward()
    for name, x in given.items():
        assert_array_equal(work.inputs[name].array, x)


@EVERY_CASE
def test_single_precision_follows_double_precision(case):
    network = alone(case)
    vectors, given, direction = data_for(network)
    found = []
    for dtype in (np.float64, np.float32):
        work, gradient = bind(network, vectors.astype(dtype))
        fill(work, given)
        work.forward()
        raw = work.raw.copy()
        work.delta[:] = direction
        work.backward()
        assert raw.dtype == gradient.dtype == dtype
        found.append((raw, gradient))
    for double, single in zip(*found, strict=True):
        assert_allclose(single, double, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("rows", [None, np.array([4, 0, 2])], ids=["all rows", "some rows"])
@pytest.mark.parametrize("wire", [alone, between, beside])
@EVERY_CASE
def test_prediction_equals_the_forward_pass_of_training(case, wire, rows):
    network = wire(case)
    vectors, given, _ = data_for(network)
    # Variances are positive.
    vectors = np.abs(vectors)
    work = (
        Workspace(network, network.views(vectors), B)
        if case.block.mixes_rows
        else bind(network, vectors)[0]
    )
    fill(work, given)
    work.forward()
    predictor = Predictor(network, network.views(vectors), np.dtype(np.float64))
    expected = work.raw[0] if rows is None else work.raw[0][rows]
    single = {name: x[0] for name, x in given.items()}
    assert_allclose(predictor(single, rows), expected, rtol=1e-12)
    if len(single) == 1:
        (x,) = single.values()
        assert_allclose(predictor(x, rows), expected, rtol=1e-12)


@EVERY_CASE
def test_sparse_and_borrowed_inputs_give_what_dense_ones_give_or_are_refused(case):
    if len(case.widths) > 1:
        case = Case(Affine([H], 4), (H,), case.formula)
    network = alone(case)
    vectors, given, direction = data_for(network)
    x = given["x0"] * (given["x0"] > 0)
    work, expected = bind(network, vectors.copy())
    fill(work, {"x0": x})
    work.forward()
    raw = work.raw.copy()
    work.delta[:] = direction
    work.backward()
    thin = {"x0": SparseBatch(1)}
    if "sparse" not in case.block.accepts:
        with pytest.raises(ValueError, match="reads dense values, not sparse ones"):
            bind(network, vectors, inputs=thin)
    else:
        work, gradient = bind(network, vectors.copy(), inputs=thin)
        work.inputs["x0"].matrices = [sparse.csr_array(x[0])]
        work.forward()
        assert_allclose(work.raw, raw, rtol=1e-12, atol=1e-12)
        work.delta[:] = direction
        work.backward()
        assert_allclose(gradient, expected, rtol=1e-12, atol=1e-12)
    if "borrowed" not in case.block.accepts:
        with pytest.raises(ValueError, match="not borrowed ones"):
            Workspace(network, network.views(vectors), B, inputs={"x0": BorrowedRows()})
    else:
        held = BorrowedRows()
        held.put(x[0], x.dtype)
        work = Workspace(network, network.views(vectors), B, inputs={"x0": held})
        work.forward()
        assert_allclose(work.raw, raw, rtol=1e-12, atol=1e-12)


@EVERY_CASE
def test_line_that_a_block_declares_is_what_predictions_compute(case):
    network = alone(case)
    vectors, given, _ = data_for(network)
    vectors = np.abs(vectors)
    learned = network.views(vectors)
    lines = [
        Line({INPUT - i: np.eye(width)}, np.zeros(width)) for i, width in enumerate(case.widths)
    ]
    line = case.block.line(lines, learned[0])
    if line is None:
        assert case.block.factor_and_shift(learned[0]) is None
        return
    work = Workspace(network, learned, B)
    fill(work, given)
    work.forward()
    through = [given[f"x{INPUT - base}"][0] @ matrix for base, matrix in line.matrices.items()]
    value = sum(through) + line.shift
    (weight, bias) = learned[1]
    assert_allclose(work.raw[0], value @ weight[0] + bias[0], rtol=1e-12)


# Declarations.


@EVERY_CASE
def test_what_a_block_learns_starts_in_the_declared_shapes(case):
    starts = case.block.initial_arrays(np.random.RandomState(0))
    declared = case.block.learned
    assert [start.shape for start in starts] == [array.shape for array in declared]
    assert all(np.isfinite(start).all() for start in starts)
    assert len({array.name for array in declared}) == len(declared)
    assert all(len(array.shape) == 2 for array in declared if array.is_weight)
    assert case.block.n_parameters == sum(start.size for start in starts)


def test_each_kind_of_learned_array_has_an_attribute_of_its_own():
    """Two classes share an attribute only if a common base class declares it."""
    homes = {}
    for case in CASES:
        for array in case.block.learned:
            assert array.attribute.endswith("_") and not array.attribute.startswith("_")
            of = next(cls for cls in type(case.block).__mro__ if "learned" in vars(cls))
            homes.setdefault((array.attribute, array.name if array.is_weight else ""), set())
            homes[array.attribute, array.name if array.is_weight else ""].add(of)
    assert all(len(classes) == 1 for classes in homes.values()), homes


def test_every_kind_that_estimators_learn_can_be_a_parameter_group():
    declared = {array.attribute for case in CASES for array in case.block.learned}
    assert set(ATTRIBUTES.values()) <= declared
    normalize = BatchNormalization().block
    scaled = InputBlocks(scales=True)
    network = multilayer_perceptron(
        2, (3,), 1, [[PReLU()]], input_blocks=scaled, normalize=normalize
    )
    assert set(network.attributes) <= set(ATTRIBUTES.values())
    assert list(ATTRIBUTES) == list(signature(ParameterGroups).parameters)


@EVERY_CASE
def test_views_and_attributes_hold_the_same_numbers(case):
    network = alone(case)
    vectors, _, _ = data_for(network)
    learned = network.views(vectors)
    kept = network.by_attribute(learned)
    assert set(kept) == set(network.attributes)
    assert sum(array.size for arrays in kept.values() for array in arrays) == vectors.size
    assert all(np.shares_memory(a, vectors) for arrays in kept.values() for a in arrays)
    for there, back in zip(learned, network.from_attributes(kept), strict=True):
        for a, b in zip(there, back, strict=True):
            assert_array_equal(a, b)


@EVERY_CASE
def test_graph_and_text_show_the_block(case):
    network = alone(case)
    nodes, edges = describe(network, "identity", batch_size=B)
    (shown,) = [node for node in nodes if node.name == "block"]
    assert shown.kind == case.block.kind
    assert shown.n_parameters == case.block.n_parameters
    assert shown.output_shape == (B, case.block.units)
    width = shown.input_shape[1]
    assert width in (case.widths[0], sum(case.widths))
    assert sum(edge.target == "block" for edge in edges) == len(case.widths)
    assert isinstance(shown.function, str)
    assert {edge.source for edge in edges} | {edge.target for edge in edges} == {
        node.name for node in nodes
    }


@pytest.mark.parametrize("copied", [deepcopy, lambda b: pickle.loads(pickle.dumps(b))])
@EVERY_CASE
def test_copy_of_a_block_is_the_block(case, copied):
    block = copied(case.block)
    assert vars(block).keys() == vars(case.block).keys()
    assert block.learned == case.block.learned
    assert case.name == "Activate" or block.shape == case.block.shape
    assert copied(alone(case)).n_parameters == alone(case).n_parameters


@EVERY_CASE
def test_blocks_of_members_are_joined_and_taken_apart(case):
    together = case.block.joined([case.block] * 3, lambda item: item)
    assert together.shape == case.block.shape
    assert together.members([2, 0]).shape == case.block.shape
    assert hash(case.block.shape) == hash(together.shape)


@pytest.mark.parametrize("normalization", [BatchNormalization(), LayerNormalization()])
def test_normalization_mixes_rows_as_its_block_does(normalization):
    block = normalization.block(H)
    assert normalization.mixes_rows == block.mixes_rows == isinstance(block, BatchNormalize)


# A user's block.


class Shift(Block):
    """``z = x + t``, with a learned t."""

    kind = "shift"

    def __init__(self, units):
        self.units = units

    @property
    def learned(self):
        return (LearnedArray("shift", "shifts_", (self.units,)),)

    def initial_arrays(self, rng):
        return [np.full(self.units, 0.25)]

    def forward(self, work, node):
        (x,), (shift,) = work.inputs_of(node), work.parameters_of(node)
        yield partial(np.add, x, shift, work.value_of(node))

    def backward(self, work, node):
        (source,), (to_shift,) = work.sources_of(node), work.gradients_of(node)
        grad = work.gradient_at(node)
        yield partial(np.add.reduce, grad, 1, None, to_shift, True)
        yield from work.send_gradient(grad, source)


class ShiftedRegressor(MLPRegressor):
    """A regressor with an additional block, which the package does not have."""

    def _build_network(self, wiring, n_features, n_outputs):
        network = super()._build_network(wiring, n_features, n_outputs)
        (first, *others) = network.nodes
        moved = [
            Node(n.name, n.block, tuple(s + 1 if s >= 0 else s for s in n.sources)) for n in others
        ]
        shift = Node("shift_0", Shift(n_features), (INPUT,))
        return Network(network.inputs, [shift, Node(first.name, first.block, (0,)), *moved])


def test_block_from_outside_passes_the_checks():
    case = Case(Shift(H), (H,), lambda x, learned: x[0] + learned[0])
    test_value_is_that_of_the_formula(case)
    for wire in (alone, between, beside, twice):
        assert_gradients_match(wire(case), case, n_members=2)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_block_from_outside_is_trained_stored_shown_and_pickled(solver):
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    model = ShiftedRegressor(
        hidden_layer_sizes=(4,), activation="tanh", solver=solver, random_state=0, max_iter=30
    )
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    (shift,) = model.shifts_
    assert shift.shape == (3,) and not np.allclose(shift, 0.25)
    assert [w.shape for w in model.coefs_] == [(3, 4), (4, 1)]
    assert model.activation_parameters_ == model.normalization_parameters_ == []
    value = np.tanh((X + shift) @ model.coefs_[0] + model.intercepts_[0])
    expected = (value @ model.coefs_[1] + model.intercepts_[1]).ravel()
    assert_allclose(model.predict(X), expected, rtol=1e-9)
    assert_allclose(pickle.loads(pickle.dumps(model)).predict(X), expected, rtol=1e-9)
    graph = computational_graph(model).with_values(X, y)
    assert_array_equal(graph["shift_0"].parameters["shift"], shift)
    assert graph["shift_0"].gradient.shape == X.shape
    assert 3 in list(network_summary(model)["n_parameters"])
    assert len(gradient_report(model, X, y)["layer"]) == 2
    if solver == "adam":
        before = shift.copy()
        model.partial_fit(X, y)
        assert not np.array_equal(model.shifts_[0], before)


def test_attribute_of_a_block_goes_when_the_next_fit_has_no_such_block():
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    model = ShiftedRegressor(hidden_layer_sizes=(2,), max_iter=1, random_state=0)
    with pytest.warns(UserWarning):
        model.fit(X, y)
    model.__class__ = MLPRegressor
    with pytest.warns(UserWarning):
        model.fit(X, y)
    assert not hasattr(model, "shifts_")


def test_sparse_batch_is_no_base_of_other_inputs():
    assert not issubclass(BorrowedRows, SparseBatch)


class ShiftIntoNothing(Shift):
    def forward(self, work, node):
        (x,), (shift,) = work.inputs_of(node), work.parameters_of(node)
        yield partial(np.add, x, shift)


class GradientIntoNothing(Shift):
    def backward(self, work, node):
        yield partial(np.add.reduce, work.gradient_at(node), 1)


class ShiftAtOnce(Shift):
    def forward(self, work, node):
        np.add(work.inputs_of(node)[0], work.parameters_of(node)[0], out=work.value_of(node))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize(
    ("block", "message"),
    [
        (ShiftIntoNothing, "ShiftIntoNothing.forward: add must write its result into an arg"),
        (GradientIntoNothing, "GradientIntoNothing.backward: reduce must write its result into"),
        (ShiftAtOnce, "ShiftAtOnce.forward must yield the calls of a step"),
    ],
)
def test_block_from_outside_whose_results_would_be_lost_is_refused(
    monkeypatch, block, message, solver
):
    monkeypatch.setitem(globals(), "Shift", block)
    X = np.random.RandomState(0).normal(size=(60, 3))
    with pytest.raises(TypeError, match=message):
        ShiftedRegressor(solver=solver, max_iter=30).fit(X, X[:, 0])
