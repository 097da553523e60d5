"""Find the network in what a user has fitted, such as a pipeline or a search."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..estimators.base import BaseMultilayerPerceptron
from ..perceptron.estimator import RosenblattPerceptron

Estimator = BaseMultilayerPerceptron | RosenblattPerceptron


def unwrapped(estimator: Any) -> Any:
    """Return the network at the end of pipelines and searches; anything else as it is.

    Of a search, that is in its best estimator; raises NotFittedError if there is none.
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
