"""What distinguishes one fit of a network from another, so that saved fits can be resumed."""

from __future__ import annotations

from copy import copy
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..callbacks.identity import comparable, is_library
from ..callbacks.listening import FitDescription
from ..engine.arrays import Floats
from ..training.checkpoint import describe_random_state
from ..training.member import Progress
from ..training.state_checks import Form
from .choices import Choices
from .continuation import Continuation
from .model import Model

#: Parameters that affect at most how long a fit lasts.
_NO_SETTINGS = {
    "callbacks",
    "verbose",
    "max_iter",
    "max_time",
    "n_iter_no_change",
    "early_stopping__patience",
}


@dataclass(frozen=True)
class Start:
    """The parameters, (P,), and the rest of the state from which training begins."""

    parameters: Floats
    progress: Progress
    later: Continuation
    rng: np.random.RandomState


def description_of(
    estimator: Any,
    data: dict[str, Any],
    model: Model,
    rng: np.random.RandomState,
    start: Start | None,
) -> FitDescription:
    """Describe a fit whose network has been wired, before anything random is drawn.

    ``data`` is what was given to ``fit``, by name, with X checked.
    """
    settings, choices = _settings_of(estimator), model.choices
    limits: dict[str, float] = {
        "max_iter": choices.max_iter,
        "patience": choices.n_iter_no_change,
        "max_time": choices.max_seconds,
    }
    # A limit that affects more than the end of a fit makes it a different fit.
    if _may_read_max_iter(choices):
        settings["max_iter, on which learning_rate or averaging depends,"] = limits.pop("max_iter")
    elif choices.stopping is not None and choices.max_iter % choices.stopping.every:
        reason = "no multiple of early_stopping's `every` (the last epoch is always validated)"
        settings[f"max_iter, {reason},"] = limits.pop("max_iter")
    if choices.schedule.heeds_plateaus:
        settings["n_iter_no_change, on which learning_rate depends,"] = limits.pop("patience")
    if start is not None:
        later = start.later
        data = {
            **data,
            "weights_to_go_on_from": start.parameters,
            "average_to_go_on_from": later.average,
        }
        settings["history to go on from"] = asdict(start.progress)
        if later.noise is not None:
            seed, noise = later.noise
            settings["noise to go on from"] = [seed, repr(noise.bit_generator.state)]
    return FitDescription(settings, data, limits, _form_of(model, data["X"].shape[0], rng))


def _form_of(model: Model, n_rows: int, rng: np.random.RandomState) -> Form:
    """Return which arrays and numbers a saved fit has."""
    choices = model.choices
    has_noise = choices.wiring.is_noisy
    return Form(
        n_parameters=model.network.n_parameters,
        n_rows=n_rows,
        dtype=model.dtype,
        state_names=tuple(choices.optimizer.state_names),
        averages=choices.averaging is not None,
        generator=describe_random_state(rng),
        noise=dict(np.random.default_rng(0).bit_generator.state) if has_noise else None,
    )


def _settings_of(estimator: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "estimator": type(estimator),
        "feature names": getattr(estimator, "feature_names_in_", None),
    }
    for name, value in estimator.get_params().items():
        if name not in _NO_SETTINGS:
            settings[f"parameter {name}"] = comparable(value)
    rules = estimator.early_stopping
    if hasattr(rules, "patience"):
        rules = settings["parameter early_stopping"] = copy(rules)
        rules.patience = None
    return settings


def _may_read_max_iter(choices: Choices) -> bool:
    """Tell whether epochs before the last may depend on the total number of epochs.

    A class of the user's own receives that number, whatever its ``needs_max_iter`` is.
    """
    return any(
        part.needs_max_iter or not is_library(type(part).__module__)
        for part in choices.over_time.values()
    )
