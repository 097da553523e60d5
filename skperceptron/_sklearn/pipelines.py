"""Estimators at the end of pipelines."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline


def levels_of(estimator: Any) -> list[Pipeline]:
    """Return an estimator's nested pipelines: each is the last step of the one before it."""
    found = []
    while isinstance(estimator, Pipeline):
        found.append(estimator)
        estimator = estimator.steps[-1][1]
    return found


def last_step(estimator: Any) -> Any:
    """Return the last step of a pipeline, which may be nested; else the estimator itself."""
    levels = levels_of(estimator)
    return levels[-1].steps[-1][1] if levels else estimator


def path_of(estimator: Any) -> str:
    """Return the prefix of the last step's parameters."""
    return "".join(f"{level.steps[-1][0]}__" for level in levels_of(estimator))


def seed_transformers(estimator: Any, seed: int) -> None:
    """Set the ``random_state`` of what precedes the last step of a pipeline, where it is None."""
    path = path_of(estimator)
    unseeded = {
        name: seed
        for name, value in estimator.get_params().items()
        if value is None and name.endswith("__random_state") and not name.startswith(path)
    }
    estimator.set_params(**unseeded)
