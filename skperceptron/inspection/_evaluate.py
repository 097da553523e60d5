"""Values and gradients of every block for a batch, copied while the engine works.

The engine reuses buffers: an activation may overwrite its input, and gradients are changed in
place. So each block is followed by a tap, a block that passes on the value in the forward pass
and the gradient in the backward pass, and keeps a copy of both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from .._sklearn.checks import validated
from ..engine import Block, Network, TrainingPass, Workspace
from ..engine.arrays import Call, Floats
from ..engine.blocks import Bench
from ..engine.network import FIRST, INPUT, Node
from ..estimators.base import BaseMultilayerPerceptron
from ..estimators.categories import with_codes
from ..estimators.fitted import fitted_network
from ..estimators.for_inspection import prepare_step
from ..estimators.run import Run
from ..perceptron.estimator import RosenblattPerceptron
from ..training import Targets, TrainingSet
from ._networks import Estimator, check_estimator_type, node_parameters, unwrapped_with_rows


class Tap(Block):
    """Passes on the value of its source, and keeps it and its gradient."""

    kind: ClassVar[str] = "tap"
    accepts = frozenset({"dense", "sparse"})
    keeps_kind = True

    def __init__(self, units: int) -> None:
        self.units = units
        self.gradient: Floats | None = None

    def keeps_value(self, trains: bool) -> bool:
        """Prevent later blocks from overwriting the copy."""
        return True

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        """Copy the value."""
        (source,), own = work.operands_of(node), work.holder_of(node)
        if source.kind == "sparse":
            # A sparse matrix is never changed in place: its source makes a new one.
            yield lambda: own.put(source.matrices[0], source.matrices[0].dtype)
        else:
            yield partial(np.copyto, own.array, source.array)

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        """Copy the gradient before the source changes it."""
        (source,) = work.sources_of(node)
        if work.wants_gradient(source):
            self.gradient = np.empty_like(work.gradient_at(node))
            yield partial(np.copyto, self.gradient, work.gradient_at(node))
            yield from work.send_gradient(work.gradient_at(node), source)


@dataclass(frozen=True)
class Evaluation:
    """The results of one pass.

    Attributes
    ----------
    x : ndarray of shape (B, D) or CSR matrix
    values : list of ndarray of shape (B, units), or CSR matrix
        One per node of the network, in the network's units.
    gradients : list of ndarray of shape (B, units) or None
        Of the mean loss, with respect to `values`; all None without targets.
    parameter_gradients : list of dict of str to ndarray
        One per node; empty without targets.
    loss : float or None
        The mean loss, without penalty.
    input_gradient : ndarray of shape (B, D) or None
        With respect to `x`, if requested.
    """

    x: Any
    values: list[Floats]
    gradients: list[Floats | None]
    parameter_gradients: list[dict[str, Floats]]
    loss: float | None = None
    input_gradient: Floats | None = None


def prepare(estimator: Any, X: Any, y: Any, sample_weight: Any) -> Run:
    """Prepare one step of the network in an estimator, on all rows as a single batch."""
    estimator, X = unwrapped_with_rows(estimator, X)
    check_estimator_type(estimator)
    if isinstance(estimator, RosenblattPerceptron):
        raise TypeError("RosenblattPerceptron learns by error correction: it has no gradients.")
    fitted_network(estimator)
    if estimator.ensemble_size is not None:
        raise ValueError(
            f"Gradients of networks that share weights, ensemble_size={estimator.ensemble_size!r},"
            " cannot be shown: each network has its own."
        )
    return prepare_step(estimator, X, y, sample_weight)


def evaluate(estimator: Estimator, X: Any) -> Evaluation:
    """Compute the value of every block as predicting does."""
    check_estimator_type(estimator)
    fitted = fitted_network(estimator)
    given = iter(fitted.views(np.float64, folded=False))
    X = checked_rows(estimator, X)
    data = TrainingSet(X, Targets(np.zeros((X.shape[0], 1))))
    network, taps = _tapped(fitted.network)
    learned = [() if node.block.kind == Tap.kind else next(given) for node in network.nodes]
    work = Workspace(network, learned, data.n_rows, inputs=data.holders(1))
    _fill(work, data)
    work.forward()
    values = [X if tap is None else _value(work, tap) for tap in taps]
    return Evaluation(X, values, [None] * len(values), [{} for _ in values])


def checked_rows(estimator: Any, X: Any, **checks: Any) -> Any:
    """Return X in float64, with codes for categories."""
    if isinstance(estimator, BaseMultilayerPerceptron):
        X = with_codes(estimator, X, reset=False)
    return validated(estimator, X, dtype=(np.float64,), reset=False, **checks)


def evaluate_training(run: Run, *, with_input_gradient: bool = False) -> Evaluation:
    """Compute values and gradients of every block, with all rows as one batch.

    Dropout is off; batch normalization uses the statistics of the batch, as in training. The
    gradient of the input, which training does not need, is a dense array.
    """
    member, data = run.member, run.data
    network = run.model.network
    tapped, taps = _tapped(network)
    gradient = np.zeros((1, network.n_parameters))
    work = _training_workspace(run, tapped, gradient, with_input_gradient)
    _fill(work, data)
    weight = weights_of_rows(run)
    shares = (weight / weight.sum())[:, np.newaxis]
    if work.row_shares is not None and work.total_weights is not None:
        work.row_shares[0] = shares
        work.total_weights.fill(1)
    work.forward()
    raw = work.raw[0].copy()
    y = np.ascontiguousarray(data.targets.of_rows(), dtype=np.float64)
    loss = member.recipe.loss.mean(raw, y, member.recipe.sample_weight, work.delta[0])
    work.delta *= shares
    delta = work.delta[0].copy()
    work.backward()
    values = [data.X if tap is None else _value(work, tap) for tap in taps]
    values[-1] = raw
    gradients = [_gradient(tapped, tap) for tap in taps]
    gradients[-1] = delta
    of_parameters = node_parameters(network, network.views(gradient))
    of_input = work.input_gradient(FIRST)[0] if with_input_gradient else None
    return Evaluation(data.X, values, gradients, of_parameters, loss, of_input)


def _training_workspace(
    run: Run, tapped: Network, gradient: Floats, input_gradients: bool
) -> Workspace:
    """Return the arrays of a training step that writes its gradient into ``gradient``, (1, P)."""
    member, data = run.member, run.data
    # A copy: batch normalization updates the statistics among the parameters.
    parameters = member.parameters.astype(np.float64)[np.newaxis]
    return Workspace(
        tapped,
        tapped.views(parameters),
        data.n_rows,
        TrainingPass(
            tapped.views(gradient),
            noise=[None],
            weighted=tapped.mixes_rows and member.recipe.sample_weight is not None,
            # The sigmoids of other steps may overflow; NumPy's warning is off in epochs only.
            like_numpy=True,
            input_gradients=input_gradients,
        ),
        inputs=data.holders(1),
    )


def weights_of_rows(run: Run) -> Floats:
    """Return the weight of each row in the mean loss, (B,)."""
    weight = run.member.recipe.sample_weight
    return np.ones(run.data.n_rows) if weight is None else weight


def _tapped(network: Network) -> tuple[Network, list[int | None]]:
    """Return the network with a tap after each block, and the node that holds each block's value.

    The last block needs no tap. Noise on the input has None: it is off, and the value is the input
    itself, which may be sparse.
    """
    nodes: list[Node] = []
    places = {INPUT - i: INPUT - i for i in range(len(network.inputs))}
    taps: list[int | None] = []
    for position, node in enumerate(network.nodes):
        nodes.append(Node(node.name, node.block, tuple(places[s] for s in node.sources)))
        if node.block.is_noise and node.sources[0] < 0:
            taps.append(None)
        else:
            if position < len(network.nodes) - 1:
                nodes.append(Node(f"tap_{position}", Tap(node.block.units), (len(nodes) - 1,)))
            taps.append(len(nodes) - 1)
        places[position] = len(nodes) - 1
    return Network(network.inputs, nodes), taps


def _fill(work: Workspace, data: TrainingSet) -> None:
    data.fill(work.inputs, np.arange(data.n_rows)[np.newaxis], np.dtype(np.float64))


def _value(work: Workspace, node: int) -> Any:
    held = work.holder_of(node)
    return held.matrices[0] if held.kind == "sparse" else np.asarray(held.array[0])


def _gradient(network: Network, node: int | None) -> Floats | None:
    gradient = None if node is None else getattr(network.nodes[node].block, "gradient", None)
    return None if gradient is None else gradient[0]


def dense(x: Any) -> Floats:
    """Return an array, whether or not the input is sparse."""
    return x.toarray() if sparse.issparse(x) else np.asarray(x)
