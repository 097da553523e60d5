"""The network in what a user passes: a pipeline, a search, a fitted or an unfitted estimator."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..engine import Network
from ..engine.network import Learned
from ..estimators.base import BaseMultilayerPerceptron
from ..estimators.fitted import fitted_network, is_fitted
from ..estimators.for_inspection import unfitted_network
from ..estimators.parameters import check_parameters
from ..perceptron.estimator import RosenblattPerceptron
from ..perceptron.threshold import Threshold
from ..perceptron.units import wire

Estimator = BaseMultilayerPerceptron | RosenblattPerceptron


def unwrapped(estimator: Any) -> Any:
    """Return the network at the end of pipelines and searches; anything else as it is.

    In a search, it is that of the best estimator; raises NotFittedError if there is none.
    """
    return _path(estimator)[-1]


def unwrapped_with_rows(estimator: Any, X: Any) -> tuple[Any, Any]:
    """Return the network in a pipeline or search, and X transformed by the steps before it."""
    path = _path(estimator)
    for level in path:
        if isinstance(level, Pipeline) and len(level.steps) > 1:
            X = level[:-1].transform(X)
    return path[-1], X


def feature_names_of(estimator: Any) -> list[str] | None:
    """Return the names of the network's features, if all steps before it provide names."""
    path = _path(estimator)
    if getattr(path[0], "feature_names_in_", None) is None:
        # Generated names such as "x0" are not helpful.
        return None
    names = getattr(path[-1], "feature_names_in_", None)
    if names is None:
        names = _names_through(path)
    return None if names is None else [str(name) for name in names]


def _names_through(path: list[Any]) -> Any:
    """Return the names that the transformers before a network give its features, or None."""
    names = None
    for level in path:
        if isinstance(level, Pipeline) and len(level.steps) > 1:
            try:
                names = level[:-1].get_feature_names_out(names)
            except (AttributeError, ValueError):
                return None
        elif names is None:
            names = getattr(level, "feature_names_in_", None)
    return names


def _path(estimator: Any) -> list[Any]:
    path = [estimator]
    while not isinstance(path[-1], Estimator):
        last = path[-1]
        if isinstance(last, Pipeline):
            path.append(last.steps[-1][1])
        elif hasattr(last, "param_grid") or hasattr(last, "param_distributions"):
            if hasattr(last, "estimators_"):
                # An ensemble of arms has many networks.
                return path
            check_is_fitted(last, "best_estimator_")
            path.append(last.best_estimator_)
        else:
            return path
    return path


def check_estimator_type(estimator: Any) -> None:
    """Raise TypeError unless it is an estimator of this package."""
    if isinstance(estimator, Estimator):
        return
    if isinstance(unwrapped(estimator), Estimator):
        # It ends in one, but the caller needs the network itself.
        raise TypeError(
            f"estimator must be a network of skperceptron, got {type(estimator).__name__}. Pass the"
            " one at its end, and X as the steps before it transform it."
        )
    raise TypeError(
        "estimator must be a single network or perceptron of skperceptron, or a pipeline or search"
        f" that ends in one, got {type(estimator)}."
    )


def wiring_of(
    estimator: Estimator, n_features: int | None, n_outputs: int | None
) -> tuple[Network, str]:
    """Return an estimator's network and the name of its link.

    The widths are needed if it is not fitted. Raises ValueError if one is missing, or differs from
    that of the fit.
    """
    check_estimator_type(estimator)
    if is_fitted(estimator):
        fitted = fitted_network(estimator)
        _check_widths(fitted.network, n_features, n_outputs)
        return fitted.network, fitted.target.link_name
    check_parameters(estimator)
    if n_features is None:
        raise ValueError(
            f"This {type(estimator).__name__} is not fitted: n_features must be given."
        )
    if isinstance(estimator, RosenblattPerceptron):
        n_responses = n_outputs or 1
        network = wire(n_features, int(estimator.n_associative), n_responses)
        return network, Threshold(n_responses).link_name
    return unfitted_network(estimator, n_features, n_outputs)


def _check_widths(network: Network, n_features: int | None, n_outputs: int | None) -> None:
    of_features = "n_features", n_features, network.n_inputs
    of_outputs = "n_outputs", n_outputs, network.n_outputs
    for name, value, fitted in (of_features, of_outputs):
        if value not in (None, fitted):
            raise ValueError(f"{name}={value!r}, but the estimator has been fitted with {fitted}.")


def node_parameters(network: Network, learned: Learned) -> list[dict[str, Any]]:
    """Return each node's learned arrays, or their gradients, by their names."""
    return [
        {
            declared.name: array[0] if declared.is_weight else array[0, 0]
            for declared, array in zip(node.block.learned, arrays, strict=True)
        }
        for node, arrays in zip(network.nodes, learned, strict=True)
    ]
