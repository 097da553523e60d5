"""What tells one fit of a network from another, for those who save and resume fits."""

from __future__ import annotations

from copy import copy
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from .._sklearn.checks import Extras, FitMode
from ..averaging import Averaging
from ..callbacks.identity import is_library
from ..callbacks.listening import Facts
from ..schedules import Schedule
from ..training.checkpoint import describe_random_state
from ..training.state_checks import Form

if TYPE_CHECKING:
    from .base import BaseMultilayerPerceptron, CheckedData

#: Parameters that do not change what a fit computes, or only how long it goes on.
_NO_SETTINGS = {
    "callbacks",
    "verbose",
    "max_iter",
    "max_time",
    "n_iter_no_change",
    "early_stopping__patience",
}


def facts_of(
    estimator: BaseMultilayerPerceptron,
    checked: CheckedData,
    extras: Extras,
    mode: FitMode,
    rng: np.random.RandomState,
) -> Facts:
    """Describe a fit of which the network has been wired, and nothing drawn.

    Parameters
    ----------
    estimator : BaseMultilayerPerceptron
    checked : CheckedData
    extras : Extras
    mode : FitMode
    rng : RandomState
        That of the fit.

    Returns
    -------
    Facts
    """
    settings, limits = _settings_of(estimator), _limits_of(estimator)
    optimizer = estimator._make_optimizer()
    schedule = estimator._make_schedule(optimizer, incremental=False)
    decay_schedule = estimator._make_decay_schedule(incremental=False)
    averaging = estimator._resolve_averaging(incremental=False)
    # What decides more than the end of a fit tells it from others.
    by_time = [part for part in (schedule, decay_schedule, averaging) if part is not None]
    if any(_may_read_max_iter(part) for part in by_time):
        settings["max_iter, on which learning_rate or averaging depends,"] = limits.pop("max_iter")
    if schedule.heeds_plateaus:
        settings["n_iter_no_change, on which learning_rate depends,"] = limits.pop("patience")
    data = {"X": checked.data.X, "y": checked.y, "sample_weight": checked.sample_weight}
    if mode.continuing:
        data["weights_to_go_on_from"] = estimator._packed_parameters()
        data["average_to_go_on_from"] = getattr(estimator, "_average", None)
        settings["history to go on from"] = asdict(estimator._progress_so_far(mode))
        seed, noise = getattr(estimator, "_noise", (None, None))
        if noise is not None:
            settings["noise to go on from"] = [seed, repr(noise.bit_generator.state)]
    has_noise = any(estimator._dropout_rates())
    form = Form(
        n_parameters=estimator._network.n_parameters,
        n_rows=checked.data.n_rows,
        dtype=estimator._resolve_dtype(),
        state_names=tuple(optimizer.state_names),
        averages=averaging is not None,
        generator=describe_random_state(rng),
        noise=dict(np.random.default_rng(0).bit_generator.state) if has_noise else None,
    )
    return Facts(settings, data | vars(extras), limits, form)


def _settings_of(estimator: BaseMultilayerPerceptron) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "estimator": type(estimator),
        "feature names": getattr(estimator, "feature_names_in_", None),
    }
    for name, value in estimator.get_params().items():
        if name.partition("__")[0] not in _NO_SETTINGS and name not in _NO_SETTINGS:
            settings[f"parameter {name}"] = value
    rules = estimator.early_stopping
    if hasattr(rules, "patience"):
        rules = settings["parameter early_stopping"] = copy(rules)
        rules.patience = None
    return settings


def _limits_of(estimator: BaseMultilayerPerceptron) -> dict[str, float]:
    """Return what only decides how long a fit goes on, unless schedule or averaging read it."""
    rules = estimator._resolve_early_stopping()
    patience = estimator.n_iter_no_change
    if rules is not None and rules.patience is not None:
        patience = rules.patience
    return {
        "max_iter": estimator.max_iter,
        "patience": patience,
        "max_time": np.inf if estimator.max_time is None else estimator.max_time,
    }


def _may_read_max_iter(component: Schedule | Averaging) -> bool:
    """Tell whether other epochs than the last may depend on how many there will be.

    A class of the user's is told the number, whatever it says of its needs.
    """
    return component.needs_max_iter or not is_library(type(component).__module__)
