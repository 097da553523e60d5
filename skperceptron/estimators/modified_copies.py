"""Copies of fitted estimators: with another network, or prepared for a single step."""

from __future__ import annotations

import warnings
from copy import copy, deepcopy
from dataclasses import replace
from typing import Any

from .._sklearn.fit_calls import FitMode
from ..engine.arrays import Floats
from .choices import Wiring
from .data import forget
from .fitted import ALWAYS_KEPT, FittedNetwork, fitted_network
from .fitting import prepare
from .run import Run


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        wiring = Wiring.of(estimator)
        network = estimator._build_network(wiring, estimator.n_features_in_, estimator.n_outputs_)
    kept = {name: list(learned.get(name, [])) for name in (*ALWAYS_KEPT, *network.attributes)}
    estimator._store_fitted(FittedNetwork(network, target, kept))
    estimator.n_layers_ = len(wiring.hidden_sizes) + 2
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
