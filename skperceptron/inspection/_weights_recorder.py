"""A callback that keeps the weights of each epoch."""

from __future__ import annotations

from typing import Any

from ..callbacks import Callback
from ..engine.arrays import Floats
from ..estimators.fitted import fitted_network
from ._wiring import node_parameters

#: Weights and biases of each layer.
Layers = list[tuple[Floats, Floats]]


class WeightsRecorder(Callback):
    """Keeps weights and biases after each epoch, for :func:`to_html`.

    A callback for small networks: memory grows with epochs times parameters.

    Attributes
    ----------
    epochs_ : list of int
        Epochs of the latest fit, from 1.
    layers_ : list of list of tuple of ndarray
        For each of them, a weight matrix (inputs, units) and a vector of biases (units,) per
        layer. With ``standardize_target`` they are those of the standardised target.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from skperceptron import MLPBinaryClassifier
    >>> from skperceptron.inspection import WeightsRecorder
    >>> X, y = make_moons(100, noise=0.1, random_state=0)
    >>> recorder = WeightsRecorder()
    >>> network = MLPBinaryClassifier((4,), max_iter=5, tol=1, callbacks=[recorder]).fit(X, y)
    >>> recorder.epochs_
    [1, 2, 3, 4, 5]
    >>> [weight.shape for weight, _ in recorder.layers_[-1]]
    [(2, 4), (4, 1)]
    """

    def __init__(self) -> None:
        self.epochs_: list[int] = []
        self.layers_: list[Layers] = []

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, fitted_estimator: Any = None
    ) -> bool:
        report = getattr(context, "report", None)
        if report is not None:
            if self.epochs_ and report["epoch"] <= self.epochs_[-1]:
                self.epochs_, self.layers_ = [], []  # another fit has begun
            self.epochs_.append(report["epoch"])
            self.layers_.append(layers_of(fitted_estimator))
        return False


def layers_of(estimator: Any) -> Layers:
    """Return copies of weights and biases of each layer of a fitted network, in its own units."""
    fitted = fitted_network(estimator)
    parameters = node_parameters(fitted.network, fitted.views(folded=False))
    return [
        (arrays["weight"].copy(), arrays["bias"].copy())
        for node, arrays in zip(fitted.network.nodes, parameters, strict=True)
        if node.block.kind == "affine"
    ]
