"""Gradients of activations, losses and wirings are the derivatives of the objective.

A new activation, loss, normalization or kind of skip connections is found in its module and
checked without an entry here; losses with other than default parameters are in ``MORE_LOSSES``.
Single blocks are checked in ``test_every_block.py``.
"""

from functools import partial
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skperceptron import MLPRegressor, activations, losses, normalizations
from skperceptron.activations import Activation, PReLU, ReLU, Sigmoid, Tanh
from skperceptron.engine import InputBlocks, TrainingPass, Workspace, multilayer_perceptron
from skperceptron.estimators.targets.numbers import _ScaledSquaredErrorInUnits
from skperceptron.initializers import Layer, ScikitLearn
from skperceptron.losses import (
    BinaryLogLoss,
    CategoricalLogLoss,
    Loss,
    Pinball,
    ScaledSquaredError,
    SquaredError,
)
from skperceptron.normalizations import Normalization
from skperceptron.optimizers import Optimizer
from skperceptron.training import Stack, Targets, TrainingSet
from skperceptron.training.lbfgs import Objective
from tests.members import member_of

#: All kinds of skip connections of the estimators.
SKIPS = sorted(next(iter(MLPRegressor._parameter_constraints["skip_connections"])).options)
D, H, C, B = 3, 3, 2, 5
ALPHA = 0.3
#: Dropout rates of the input and of two hidden layers.
RATES = (0.2, 0.4, 0.3)
#: Kinds of blocks that L-BFGS, which has no batches and no noise, refuses.
OF_BATCHES = {"batch_normalization", "dropout"}

#: Losses with arguments, or with parameters that lead through other code.
MORE_LOSSES = [
    ScaledSquaredError(low=0.0, high=1.0),
    _ScaledSquaredErrorInUnits(
        0.0, 1.0, shift=np.array([0.1, 0.6]), scale=np.array([0.25, 0.0625])
    ),
    BinaryLogLoss(label_smoothing=0.1),
    CategoricalLogLoss(label_smoothing=0.1),
    Pinball([0.1, 0.5, 0.9]),
]


def components_of(module, base):
    """Return the public classes of a module that derive from a base."""
    return [
        value
        for name, value in sorted(vars(module).items())
        if isinstance(value, type) and issubclass(value, base) and value is not base
        if not name.startswith("_")
    ]


SMOOTH = [cls for cls in components_of(activations, Activation) if cls().differentiable]
LOSSES = [cls() for cls in components_of(losses, Loss) if cls.names] + MORE_LOSSES
EVERY_ACTIVATION = pytest.mark.parametrize("activation", SMOOTH, ids=lambda cls: cls.__name__)
EVERY_LOSS = pytest.mark.parametrize("loss", LOSSES, ids=repr)
NORMALIZATIONS = components_of(normalizations, Normalization)


def build(activation, depth, skip_connections, n_outputs=C, **options):
    per_layer = [[activation]] * depth
    return multilayer_perceptron(D, (H,) * depth, n_outputs, per_layer, skip_connections, **options)


def all_wirings():
    """Yield a name, and a function from an activation and a number of outputs to a network."""
    for skip, depth in product(SKIPS, (1, 2, 3)):
        yield f"{skip}-{depth}", partial(build, depth=depth, skip_connections=skip)
    for skip in SKIPS:
        scaled = InputBlocks(scales=True)
        yield f"{skip}-scale", partial(build, depth=1, skip_connections=skip, input_blocks=scaled)
    choices = product(SKIPS, [None, *NORMALIZATIONS], [False, True])
    for skip, normalization, drops in choices:
        if normalization is None and not drops:
            continue
        names = [skip, normalization and normalization.__name__, drops and "Dropout"]
        options = {"normalize": normalization and normalization().block}
        if drops:
            options["dropout"] = [[rate] for rate in RATES]
        name = "-".join(filter(None, names))
        yield name, partial(build, depth=2, skip_connections=skip, **options)


WIRINGS = dict(all_wirings())


def gradients_to_check():
    """Yield wirings with activations.

    Plain wirings are checked with every activation. A wiring with normalization or dropout is
    checked with a third of the activations, and each activation with a third of these wirings.
    """
    for (i, wiring), (j, activation) in product(enumerate(WIRINGS), enumerate(SMOOTH)):
        is_plain = "Normalization" not in wiring and "Dropout" not in wiring
        if is_plain or (i + j) % 3 == 0:
            yield pytest.param(wiring, activation, id=f"{wiring}-{activation.__name__}")


def possible_targets(loss, rng):
    """Return values that the loss's own inverse link can produce, or classes."""
    if loss.task == "multiclass":
        return np.eye(C)[rng.randint(C, size=B)]
    if loss.task == "binary":
        return rng.randint(2, size=(B, C)).astype(float)
    y = rng.normal(size=(B, C))
    if loss.outputs_per_target == 1:
        loss.inverse_link(y, out=y)
    return y


def problem(network, loss, seed=2):
    """Return parameters, X, Y and weights of the rows."""
    rng = np.random.RandomState(seed)
    vector = rng.normal(scale=0.35, size=network.n_parameters)
    x = rng.normal(size=(B, D))
    weight = rng.uniform(0.2, 2, size=B)
    return vector, x, possible_targets(loss, rng), weight


def workspace_of(network, vectors, x, weight):
    """Bind a stack to rows, as in training; all of its members draw the same dropout masks."""
    training = TrainingPass(
        network.views(np.empty_like(vectors)),
        noise=[np.random.default_rng(0) for _ in vectors],
        weighted=weight is not None,
    )
    work = Workspace(network, network.views(vectors), len(x), training)
    work.inputs["x"].array[:] = x
    if weight is not None:
        # The statistics of a batch count rows by their weights.
        work.row_shares[:, :, 0] = weight / weight.sum()
        work.total_weights[:] = weight.sum()
    return work


def raw_predictions(network, vectors, x, weight=None):
    """Return the raw predictions of K parameter vectors for the same rows, (K, B, C)."""
    # A copy, because running statistics are written into the parameters.
    work = workspace_of(network, vectors.copy(), x, weight)
    work.forward()
    return work.raw


def objective_values(network, loss, vectors, raw, y, weight):
    """Compute the penalized loss by its formula, for K parameter vectors on the same rows."""
    per_row = loss.losses(raw, np.broadcast_to(y, (len(vectors), *y.shape)))
    penalty = 0.5 * ALPHA * (vectors[:, : network.n_weights] ** 2).sum(axis=1)
    return (per_row @ weight + penalty) / weight.sum()


#: Moves of a parameter, and their weights in a derivative whose error is of fourth order.
MOVES = 1e-5 * np.array([-2, -1, 1, 2])
WEIGHTS = np.array([1, -8, 8, -1]) / 12 / 1e-5


def moved_both_ways(vector):
    """Return the vector with each of its parameters moved, move by move."""
    return (vector + MOVES[:, np.newaxis, np.newaxis] * np.eye(len(vector))).reshape(
        -1, len(vector)
    )


def central_differences(network, loss, vector, y, weight, raw):
    """Return the derivatives by each parameter, from predictions of the moved vectors."""
    moved = moved_both_ways(vector)
    values = objective_values(network, loss, moved, raw, y, weight)
    return WEIGHTS @ values.reshape(len(MOVES), -1)


def member_with(vector, loss, n_rows, **options):
    return member_of(
        parameters=vector,
        loss=loss,
        rows=np.arange(n_rows),
        shuffle=False,
        **{"alpha": ALPHA, **options},
    )


class Keeps(Optimizer):
    """Keeps the gradient of its step, and moves nothing."""

    def coefficients(self, learning_rate, steps):
        return ()

    def update(self, parameters, gradient, state, coefficients):
        self.gradient = gradient.copy()


def gradients_of_a_step(network, losses, problems):
    """Return the gradient of one training step for each loss, all members of one stack."""
    keeps = Keeps()
    members = [
        member_with(
            vector,
            loss,
            B,
            sample_weight=weight,
            optimizer=keeps,
            noise=np.random.default_rng(0),
        )
        for loss, (vector, _, _, weight) in zip(losses, problems, strict=True)
    ]
    data = [TrainingSet(x, Targets(y)) for _, x, y, _ in problems]
    Stack(network, members, data, B, np.dtype(np.float64)).run_epoch()
    return keeps.gradient.reshape(len(losses), -1)


def objective_gradient(network, loss, vector, x, y, weight):
    """Return the gradient that L-BFGS gets."""
    member = member_with(vector, loss, B, sample_weight=weight)
    return Objective(network, member, TrainingSet(x, Targets(y)))(vector)[1]


def assert_gradients_match_central_differences(make_network, losses):
    """Check losses with equally many outputs, for which the network computes the same."""
    network = make_network(n_outputs=C * losses[0].outputs_per_target)
    mixes_rows = any(node.block.mixes_rows for node in network.nodes)
    # With these numbers no move of a parameter takes a value over the kink of an activation.
    problems = [problem(network, loss, seed=6 if mixes_rows else 2) for loss in losses]
    vector, x, _, weight = problems[0]
    # Statistics of a batch depend on the weights of its rows, which are the same for all losses.
    raw = raw_predictions(network, moved_both_ways(vector), x, weight)
    of_step = gradients_of_a_step(network, losses, problems)
    for loss, given, found in zip(losses, problems, of_step, strict=True):
        _, _, y, _ = given
        expected = central_differences(network, loss, vector, y, weight, raw)
        name = type(loss).__name__
        assert_allclose(found, expected, rtol=1e-6, atol=1e-8, err_msg=name)
        if not OF_BATCHES & {node.block.kind for node in network.nodes}:
            of_lbfgs = objective_gradient(network, loss, *given)
            assert_allclose(of_lbfgs, expected, rtol=1e-6, atol=1e-8, err_msg=name)


@pytest.mark.parametrize(("wiring", "activation"), list(gradients_to_check()))
def test_gradient_of_every_loss_matches_central_differences(wiring, activation):
    make_network = partial(WIRINGS[wiring], activation())
    for n in {loss.outputs_per_target for loss in LOSSES}:
        alike = [loss for loss in LOSSES if loss.outputs_per_target == n]
        assert_gradients_match_central_differences(make_network, alike)


@EVERY_LOSS
def test_gradient_without_hidden_layers_matches_central_differences(loss):
    assert_gradients_match_central_differences(partial(build, ReLU(), 0, "none"), [loss])


@EVERY_LOSS
@pytest.mark.parametrize("skip_connections", SKIPS)
def test_objective_is_the_weighted_mean_loss_plus_penalty(loss, skip_connections):
    network = build(Tanh(), 2, skip_connections, C * loss.outputs_per_target)
    vector, x, y, weight = problem(network, loss)
    member = member_with(vector, loss, B, sample_weight=weight)
    objective = Objective(network, member, TrainingSet(x, Targets(y)))
    value, _ = objective(vector)
    raw = raw_predictions(network, vector[np.newaxis], x)
    (total,) = objective_values(network, loss, vector[np.newaxis], raw, y, weight)
    assert_allclose(value, total, rtol=1e-12)
    penalty = 0.5 * ALPHA * (vector[: network.n_weights] ** 2).sum() / weight.sum()
    reported_mean = (total - penalty) / (C if loss.averages_outputs else 1)
    assert_allclose(objective.reported(value, vector), reported_mean + penalty, rtol=1e-12)


@EVERY_ACTIVATION
@pytest.mark.parametrize("skip_connections", SKIPS)
def test_penalty_applies_to_weights_and_not_to_biases_and_slopes(activation, skip_connections):
    network = build(activation(), 2, skip_connections)
    vector, x, y, _ = problem(network, SquaredError())
    data = TrainingSet(x, Targets(y))
    with_penalty = member_with(vector, SquaredError(), B)
    without = member_with(vector, SquaredError(), B, alpha=0.0)
    gradients = [Objective(network, m, data)(vector)[1] for m in (with_penalty, without)]
    difference = gradients[0] - gradients[1]
    n = network.n_weights
    assert_allclose(difference[:n], ALPHA * vector[:n] / B, rtol=1e-8, atol=1e-12)
    assert_array_equal(difference[n:], 0)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("skip_connections", SKIPS)
def test_learned_slopes_receive_the_derivative_of_the_objective(depth, skip_connections):
    network = build(PReLU(), depth, skip_connections)
    vector, x, y, weight = problem(network, SquaredError(), seed=1)
    member = member_with(vector, SquaredError(), B, sample_weight=weight)
    _, gradient = Objective(network, member, TrainingSet(x, Targets(y)))(vector)
    raw = raw_predictions(network, moved_both_ways(vector), x)
    expected = central_differences(network, SquaredError(), vector, y, weight, raw)

    def slopes(flat):
        learned = network.views(flat[np.newaxis])
        return np.concatenate([views[0].ravel() for views in learned if len(views) == 1])

    assert len(slopes(gradient)) == depth * H
    assert np.count_nonzero(slopes(gradient)) > 0
    assert_allclose(slopes(gradient), slopes(expected), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("skip_connections", SKIPS)
def test_gradient_of_a_stacked_member_equals_the_gradient_alone(skip_connections, dtype):
    chosen = [ReLU(), Tanh(), Tanh(), Sigmoid(), ReLU()]
    per_layer = [chosen, [Tanh()], chosen[::-1]]
    n_members = len(chosen)
    stacked = multilayer_perceptron(D, (H,) * 3, C, per_layer, skip_connections)
    rng = np.random.RandomState(0)
    vectors = rng.normal(size=(n_members, stacked.n_parameters)).astype(dtype)
    x = rng.normal(size=(n_members, B, D)).astype(dtype)
    delta = rng.normal(size=(n_members, B, C)).astype(dtype)

    def gradient_of(network, members):
        gradient = np.empty_like(vectors[members])
        training = TrainingPass(network.views(gradient))
        work = Workspace(network, network.views(vectors[members]), B, training)
        work.inputs["x"].array[:] = x[members]
        work.forward()
        work.delta[:] = delta[members]
        work.backward()
        return gradient

    together = gradient_of(stacked, slice(None))
    for k in range(n_members):
        alone = gradient_of(stacked.members([k]), slice(k, k + 1))
        assert_array_equal(together[k], alone[0])


@EVERY_ACTIVATION
def test_gradient_of_any_activation_is_the_same_in_a_stack(activation):
    other = SMOOTH[0] if activation is not SMOOTH[0] else SMOOTH[1]
    mates = [activation(), other(), activation()]
    if len({mate.n_parameters(H) for mate in mates}) > 1:
        mates = [activation() for _ in mates]
    stacked = multilayer_perceptron(D, (H,), C, [mates])
    rng = np.random.RandomState(0)
    vectors = rng.normal(size=(3, stacked.n_parameters))
    x, y = rng.normal(size=(B, D)), rng.normal(size=(B, C))
    data = TrainingSet(x, Targets(y))
    gradient = np.empty_like(vectors)
    training = TrainingPass(stacked.views(gradient))
    work = Workspace(stacked, stacked.views(vectors), B, training)
    work.inputs["x"].array[:] = x
    work.forward()
    work.delta[:] = work.raw - y
    work.backward()
    for k in range(3):
        member = member_with(vectors[k], SquaredError(), B, alpha=0.0)
        _, alone = Objective(stacked.members([k]), member, data)(vectors[k])
        assert_allclose(gradient[k] / B, alone, rtol=1e-12, atol=1e-14)


# Against PyTorch.

TORCH_ACTIVATIONS = {
    "CELU": "celu",
    "ELU": "elu",
    "HardTanh": "hardtanh",
    "Identity": None,
    "Mish": "mish",
    "PReLU": "prelu",
    "ReLU": "relu",
    "ReLU6": "relu6",
    "SELU": "selu",
    "SiLU": "silu",
    "Sigmoid": "sigmoid",
    "SoftPlus": "softplus",
    "SoftSign": "softsign",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
}
COMPARED = [cls for cls in SMOOTH if cls.__name__ in TORCH_ACTIVATIONS]


def torch_forward(torch, network, vector, x, activation, depth, skip_connections):
    """Run the network on views into one flat tensor of parameters."""
    apply = TORCH_ACTIVATIONS[activation.__name__]
    position = iter(network.views(np.arange(network.n_parameters)[np.newaxis]))
    seen, value = [x], x

    def take(views):
        return [vector[torch.from_numpy(view[0].astype(np.int64))] for view in views]

    for layer in range(1, depth + 2):
        weight, bias = take(next(position))
        if skip_connections == "linear" and layer > depth > 0:
            seen = [value, x]
        z = torch.cat(seen, dim=1) @ weight + bias
        if layer > depth:
            return z
        slopes = [slope[0] for slope in take(next(position))]
        function = getattr(torch.nn.functional, apply) if apply else lambda z: z
        fresh = function(z, *slopes)
        if skip_connections == "residual" and layer > 1:
            next(position)
            fresh = fresh + value
        value = fresh
        seen = [*seen, value] if skip_connections == "dense" else [value]


@pytest.mark.torch
@pytest.mark.parametrize("activation", COMPARED, ids=lambda cls: cls.__name__)
@EVERY_LOSS
@pytest.mark.parametrize("skip_connections", SKIPS)
def test_loss_and_gradient_of_a_whole_network_equal_pytorch(
    activation, loss, skip_connections, loss_in_pytorch
):
    import torch

    depth = 3
    network = build(activation(), depth, skip_connections, C * loss.outputs_per_target)
    vector, x, y, weight = problem(network, loss)
    member = member_with(vector, loss, B, sample_weight=weight)
    objective = Objective(network, member, TrainingSet(x, Targets(y)))
    value, gradient = objective(vector)
    flat = torch.tensor(vector, requires_grad=True)
    raw = torch_forward(torch, network, flat, torch.tensor(x), activation, depth, skip_connections)
    per_row = loss_in_pytorch(loss, raw, torch.tensor(y))
    mean = (torch.tensor(weight) * per_row).sum() / weight.sum()
    penalty = 0.5 * ALPHA * (flat[: network.n_weights] ** 2).sum() / weight.sum()
    (mean + penalty).backward()
    assert_allclose(gradient, flat.grad.numpy(), rtol=1e-9, atol=1e-12)
    assert_allclose(value, (mean + penalty).item(), rtol=1e-12)
    reported = mean.item() / (C if loss.averages_outputs else 1) + penalty.item()
    assert_allclose(objective.reported(value, vector), reported, rtol=1e-12)


@pytest.mark.torch
@pytest.mark.parametrize("skip_connections", SKIPS)
def test_epochs_of_adam_on_mini_batches_equal_pytorch(skip_connections, loss_in_pytorch):
    import torch

    depth, n_rows, batch_size, n_epochs = 2, 23, 5, 20
    network = build(Tanh(), depth, skip_connections)
    rng = np.random.RandomState(0)
    x, y = rng.normal(size=(n_rows, D)), rng.normal(size=(n_rows, C))
    start = initial_vector(network, rng)
    member = member_with(start, SquaredError(), n_rows, n_iter_no_change=np.inf)
    stack = Stack(network, [member], TrainingSet(x, Targets(y)), batch_size, np.dtype(np.float64))
    flat = torch.tensor(start, requires_grad=True)
    optimizer = torch.optim.Adam([flat], lr=member.recipe.learning_rate)
    step = 0
    for _ in range(n_epochs):
        stack.run_epoch()
        for first in range(0, n_rows, batch_size):
            rows = slice(first, first + batch_size)
            step += 1
            # scikit-learn adds epsilon before it corrects the bias, PyTorch after.
            optimizer.param_groups[0]["eps"] = 1e-8 / np.sqrt(1 - 0.999**step)
            optimizer.zero_grad()
            raw = torch_forward(
                torch, network, flat, torch.tensor(x[rows]), Tanh, depth, skip_connections
            )
            per_row = loss_in_pytorch(SquaredError(), raw, torch.tensor(y[rows]))
            penalty = 0.5 * ALPHA * (flat[: network.n_weights] ** 2).sum() / len(per_row)
            (per_row.mean() + penalty).backward()
            optimizer.step()
    assert_allclose(stack.vectors.parameters[0], flat.detach().numpy(), rtol=1e-9, atol=1e-11)


def initial_vector(network, rng):
    vector = np.zeros((1, network.n_parameters))
    for views in network.views(vector):
        if len(views) == 2:
            weight, bias = views
            fan_in, units = weight[0].shape
            weight[0], bias[0, 0] = ScikitLearn().draw(Layer(fan_in, units, None, 6.0), rng)
    return vector[0]
