"""A callback that keeps the weights of each epoch."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..callbacks import Callback
from ..engine import Network
from ..engine.arrays import Floats
from ..engine.network import Learned
from ..estimators.fitted import fitted_network
from ._networks import node_parameters

#: Weights and biases of each layer.
Layers = list[tuple[Floats, Floats]]

#: The learned arrays of each block, by the names that it declares.
NodeParameters = list[dict[str, Floats]]


class WeightsRecorder(Callback):
    """Keep weights and biases after each epoch, for :func:`to_html`.

    A callback for small networks: memory grows with epochs times parameters. Fits that run at the
    same time, in several threads, need a recorder each.

    Attributes
    ----------
    epochs_ : list of int
        Epochs of the latest fit, from 1.
    layers_ : list of list of tuple of ndarray
        For each epoch, a weight matrix (inputs, units) and a vector of biases (units,) per
        layer. With ``standardize_target`` they are those for the standardized target.
    parameters_ : list of list of dict of str to ndarray
        For each epoch, everything that each block of the network has learned, by the names in
        ``computational_graph(network).nodes[i].parameters``; the first node there, the input,
        has learned nothing and is left out. ``layers_`` shares its arrays.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from skperceptron import MLPBinaryClassifier
    >>> from skperceptron.inspection import WeightsRecorder
    >>> X, y = make_moons(100, noise=0.1, random_state=0)
    >>> recorder = WeightsRecorder()
    >>> network = MLPBinaryClassifier((4,), n_iter_no_change=3, tol=1, callbacks=[recorder])
    >>> network = network.fit(X, y)
    >>> recorder.epochs_
    [1, 2, 3, 4, 5]
    >>> [weight.shape for weight, _ in recorder.layers_[-1]]
    [(2, 4), (4, 1)]
    """

    looks_into_network = True

    def __init__(self) -> None:
        self.epochs_: list[int] = []
        self.layers_: list[Layers] = []
        self.parameters_: list[NodeParameters] = []

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, fitted_estimator: Any = None
    ) -> bool:
        report = getattr(context, "report", None)
        if report is not None:
            if self.epochs_ and report["epoch"] != self.epochs_[-1] + 1:
                # Another fit has begun, or is resumed from a checkpoint.
                self.epochs_, self.layers_, self.parameters_ = [], [], []
            network, parameters = parameters_of(fitted_estimator)
            self.epochs_.append(report["epoch"])
            self.layers_.append(_layers(network, parameters))
            self.parameters_.append(parameters)
        return False


def parameters_of(estimator: Any) -> tuple[Network, NodeParameters]:
    """Return a fitted network and copies of its nodes' learned arrays, in the network's units."""
    fitted = fitted_network(estimator)
    learned = [tuple(array.copy() for array in arrays) for arrays in fitted.views(folded=False)]
    return fitted.network, node_parameters(fitted.network, learned)


def _layers(network: Network, parameters: NodeParameters) -> Layers:
    return [
        (arrays["weight"], arrays["bias"])
        for node, arrays in zip(network.nodes, parameters, strict=True)
        if node.block.kind == "affine"
    ]


def learned_arrays(network: Network, parameters: NodeParameters) -> Learned | None:
    """Return recorded parameters as ``network.views`` does; None if they do not fit the network."""
    if len(parameters) != len(network.nodes):
        return None
    learned: Learned = []
    for node, arrays in zip(network.nodes, parameters, strict=True):
        declared = {one.name: one for one in node.block.learned}
        sizes = {name: one.size for name, one in declared.items()}
        if sizes != {name: array.size for name, array in arrays.items()}:
            return None
        shaped = [
            array.astype(np.float64).reshape(1, *declared[name].shape_in_stack)
            for name, array in arrays.items()
        ]
        learned.append(tuple(shaped))
    return learned
