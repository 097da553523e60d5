"""The network behind an estimator: that of its fit, or the one that a fit would train."""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.utils.validation import check_is_fitted

from ..engine import Network
from ..engine.network import Learned
from ..estimators import MLPBinaryClassifier, MLPRegressor
from ..estimators.base import BaseMultilayerPerceptron
from ..estimators.targets import Asked
from ..losses import get_loss
from ..options import COUNT, check_option, plain
from ..perceptron.estimator import RosenblattPerceptron, wire

Estimator = BaseMultilayerPerceptron | RosenblattPerceptron


def check_estimator_type(estimator: Any, *, gradients: bool = False) -> None:
    """Raise TypeError unless it is an estimator of this package and, if asked, has gradients."""
    if not isinstance(estimator, Estimator):
        raise TypeError(
            f"estimator must be one of skperceptron's, got {type(estimator).__name__}. Of a"
            " pipeline, pass the last step: pipeline[-1]."
        )
    if gradients and isinstance(estimator, RosenblattPerceptron):
        raise TypeError("RosenblattPerceptron learns by error correction: it has no gradients.")


def is_fitted(estimator: Estimator) -> bool:
    """Tell whether an estimator has a network of its own."""
    return hasattr(estimator, "_network")


def wiring_of(
    estimator: Estimator, n_features: int | None = None, n_outputs: int | None = None
) -> tuple[Network, str]:
    """Return an estimator's network and the name of its link.

    Parameters
    ----------
    estimator : estimator
        Of this package.
    n_features, n_outputs : int, default=None
        Widths of an estimator that is not fitted.

    Raises
    ------
    ValueError
        If a width is missing, or differs from that of the fit.
    """
    check_estimator_type(estimator)
    for name, value in {"n_features": n_features, "n_outputs": n_outputs}.items():
        check_option("computational_graph", name, value, [COUNT, None])
    n_features, n_outputs = plain(n_features), plain(n_outputs)
    if is_fitted(estimator):
        network = estimator._network
        _check_widths(network, n_features, n_outputs)
        return network, estimator._link_name()
    estimator._validate_params()
    if n_features is None:
        raise ValueError(
            f"This {type(estimator).__name__} is not fitted: n_features must be given."
        )
    if isinstance(estimator, RosenblattPerceptron):
        n_responses = n_outputs or 1
        network = wire(n_features, int(estimator.n_associative), n_responses)
        return network, "threshold" if n_responses == 1 else "argmax"
    default, link = _output_before_fit(estimator)
    n_outputs = n_outputs or default
    if n_outputs is None:
        raise ValueError(f"This {type(estimator).__name__} is not fitted: n_outputs must be given.")
    with warnings.catch_warnings():
        # That a threshold does not learn is said when it is to be trained.
        warnings.simplefilter("ignore", UserWarning)
        return estimator._build_network(n_features, n_outputs), link


def _check_widths(network: Network, n_features: int | None, n_outputs: int | None) -> None:
    given = {"n_features": (n_features, network.n_inputs)}
    given["n_outputs"] = (n_outputs, network.n_outputs)
    for name, (value, fitted) in given.items():
        if value not in (None, fitted):
            raise ValueError(f"{name}={value!r}, but the estimator has been fitted with {fitted}.")


def _output_before_fit(estimator: BaseMultilayerPerceptron) -> tuple[int | None, str]:
    """Return the usual number of outputs, if there is one, and the name of the link."""
    if isinstance(estimator, MLPRegressor):
        if estimator.output == "categorical":
            if estimator.output_range is None:
                return None, "softmax"
            low, high = Asked.of(estimator).bounds()
            return int(high) - int(low) + 1, "softmax"
        if estimator.output_range is not None:
            return 1, "scaled_logistic"
        loss = get_loss(estimator.loss, "regression")
        return loss.outputs_per_target, loss.out_activation
    is_binary = isinstance(estimator, MLPBinaryClassifier)
    loss = get_loss(estimator.loss, "binary" if is_binary else "multiclass")
    return 1 if is_binary else None, loss.out_activation


def learned_of(estimator: Estimator, dtype: Any, *, folded: bool = True) -> Learned:
    """Return what the nodes of a fitted estimator's network have learned.

    ``folded=False`` is in the network's units instead of those of y.
    """
    check_is_fitted(estimator)
    if isinstance(estimator, RosenblattPerceptron):
        return estimator._fitted_views(dtype)
    return estimator._fitted_views(dtype, folded=folded)


def node_parameters(network: Network, learned: Learned) -> list[dict[str, Any]]:
    """Return what each node has learned, or its gradient, under the names that it declares."""
    return [
        {
            declared.name: array[0] if declared.is_weight else array[0, 0]
            for declared, array in zip(node.block.learned, arrays, strict=True)
        }
        for node, arrays in zip(network.nodes, learned, strict=True)
    ]
