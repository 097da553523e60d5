"""Networks that no fit has trained, and steps of training that change nothing, for inspection."""

from __future__ import annotations

import warnings
from copy import copy, deepcopy
from dataclasses import replace
from typing import Any

from .._sklearn.fit_calls import FitMode
from ..engine import Network
from ..engine.arrays import Floats
from ..losses import get_loss
from .choices import Wiring, hidden_sizes
from .classifiers import MLPBinaryClassifier, MLPClassifier, MLPSoftmaxClassifier
from .data import forget
from .fitted import ALWAYS_KEPT, FittedNetwork, fitted_network
from .fitting import prepare
from .regressor import MLPRegressor
from .run import Run
from .targets import RegressionOptions, asks_for_order, kind_of_target


def unfitted_network(estimator: Any, n_features: int, n_outputs: int | None) -> tuple[Network, str]:
    """Wire the network of an estimator that is not fitted; return it and the name of its link.

    The estimator's parameters have been checked. None outputs means the usual number; raises
    ValueError if there is none.
    """
    usual, link = _outputs(estimator, n_outputs)
    n_outputs = n_outputs or usual
    if n_outputs is None:
        raise ValueError(f"This {type(estimator).__name__} is not fitted: n_outputs must be given.")
    if estimator.categorical_features is not None:
        raise ValueError(
            f"This {type(estimator).__name__} is not fitted: how many categories"
            f" categorical_features={estimator.categorical_features!r} embeds is known after fit."
        )
    return _wired(estimator, n_features, n_outputs), link


def _outputs(estimator: Any, n_outputs: int | None) -> tuple[int | None, str]:
    """Return the usual number of outputs, if there is one, and the name of the link."""
    if isinstance(estimator, MLPRegressor):
        asked = RegressionOptions.of(estimator)
        return kind_of_target(asked).usual_outputs(asked)
    is_binary = isinstance(estimator, MLPBinaryClassifier)
    # y decides between the two; a single output can only be a sigmoid.
    may_be_binary = isinstance(estimator, MLPClassifier) and n_outputs == 1
    if isinstance(estimator, MLPSoftmaxClassifier) and asks_for_order(estimator.loss):
        return None, get_loss(estimator.loss, "ordinal").out_activation
    loss = get_loss(estimator.loss, "binary" if is_binary or may_be_binary else "multiclass")
    return 1 if is_binary else None, loss.out_activation


def _wired(estimator: Any, n_features: int, n_outputs: int) -> Network:
    with warnings.catch_warnings():
        # The warning that a threshold does not learn is for training.
        warnings.simplefilter("ignore", UserWarning)
        network: Network = estimator._build_network(Wiring.of(estimator), n_features, n_outputs)
    return network


def with_network(
    estimator: Any, parameters: dict[str, Any], learned: dict[str, list[Floats]]
) -> Any:
    """Return a copy of a fitted estimator with another network that predicts in the same units.

    ``parameters`` are those that describe the other network. ``learned`` holds its arrays by the
    attribute that holds them, in units of y.
    """
    target = fitted_network(estimator).target
    estimator = deepcopy(estimator).set_params(**parameters)
    forget(estimator)
    # ``forget`` has dropped these, too, but the target is still the same.
    estimator.__dict__.update(target.attributes)
    network = _wired(estimator, estimator.n_features_in_, estimator.n_outputs_)
    kept = {name: list(learned.get(name, [])) for name in (*ALWAYS_KEPT, *network.attributes)}
    estimator._store_fitted(FittedNetwork(network, target, kept))
    estimator.n_layers_ = len(hidden_sizes(estimator)) + 2
    return estimator


def prepare_step(estimator: Any, X: Any, y: Any, sample_weight: Any) -> Run:
    """Check and encode data as ``partial_fit`` of a fitted estimator does, without changing it.

    The returned run is ready for one step on all rows as a single batch.
    """
    # A copy: preparing stores attributes on it, and draws nothing from the user's generator.
    twin: Any = copy(estimator)
    twin.early_stopping, twin.averaging, twin.callbacks = False, None, None
    twin.shuffle, twin.random_state = False, 0
    # The weights that predict, even if these are an average of those in training.
    twin._later = replace(twin._later, raw_parameters=None)
    twin.__dict__.pop("_shortcut", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        mode = FitMode(continuing=True, incremental=True, trains=False)
        return prepare(twin, X, y, sample_weight, mode)
