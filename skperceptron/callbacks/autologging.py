"""Fits of our estimators, logged if MLflow's autologging is on.

``mlflow.sklearn.autolog`` wraps the ``fit`` of the classes that it finds in scikit-learn; there is
no way to add other classes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from .._sklearn.compat import safe_indexing
from .._sklearn.pipelines import last_step
from ..engine.arrays import Floats
from ..usercall import tell

#: How many numbers MLflow accepts at a time.
MOST = 1000


def autologging() -> Any:
    """Return MLflow if the program uses it and it logs fits by itself; else None."""
    mlflow = sys.modules.get("mlflow")
    if mlflow is None:
        return None
    state = import_module("mlflow.utils.autologging_utils")
    return None if state.autologging_is_disabled("sklearn") else mlflow


@contextmanager
def autologged(
    estimator: Any, X: Any, recorded: Callable[[Any], Mapping[str, Floats]]
) -> Iterator[None]:
    """Log the fit within a ``with`` block if MLflow's autologging is on.

    A fit inside another one that MLflow logs, such as that of a search, is part of the other; a
    pipeline gets the curves of its network. ``recorded`` returns what the fitted estimator has
    recorded of each epoch, by name.
    """
    with ExitStack() as stack:
        session = None
        with tolerated(estimator):
            session = _begin(estimator, stack)
        yield
        if session is not None:
            with tolerated(estimator):
                _log_fitted(session, X, recorded(estimator))


@contextmanager
def tolerated(estimator: Any) -> Iterator[None]:
    """Turn an error of MLflow into a warning: the fit itself does not depend on it."""
    try:
        yield
    except Exception as error:
        tell(f"MLflow has not logged all of the fit of this {type(estimator).__name__}: {error}")


def session_of(mlflow: Any, estimator: Any) -> Any:
    """Return a session, such as MLflow's own patches open; it knows the fits that it is part of."""
    return mlflow.sklearn._SklearnTrainingSession(estimator, allow_children=False)


def _begin(estimator: Any, stack: ExitStack) -> Any:
    """Log the parameters of an estimator; return its session, or None if its fit is not logged."""
    mlflow = autologging()
    if mlflow is None:
        return None
    session = stack.enter_context(session_of(mlflow, estimator))
    outer = session._parent
    if outer is not None and outer.should_log() and last_step(outer.estimator) is estimator:
        return session
    run = mlflow.active_run()
    if not session.should_log() or (run is not None and _option("exclusive")):
        return None
    if run is None:
        run = mlflow.start_run(tags={"mlflow.autologging": "sklearn"})
        stack.push(partial(_end_run, mlflow, estimator))
    log_parameters(mlflow, run, parameters_of(estimator))
    name, module = type(estimator).__name__, type(estimator).__module__
    mlflow.set_tags({"estimator_name": name, "estimator_class": f"{module}.{name}"})
    return session


def _end_run(mlflow: Any, estimator: Any, failure: Any, *_: Any) -> None:
    with tolerated(estimator):
        mlflow.end_run("FAILED" if failure else "FINISHED")


def _option(name: str) -> Any:
    """Return an option of ``mlflow.sklearn.autolog``."""
    state = import_module("mlflow.utils.autologging_utils")
    return state.get_autologging_config("sklearn", name)


def _log_fitted(session: Any, X: Any, curves: Mapping[str, Floats]) -> None:
    """Log what an estimator has recorded, and the estimator itself if models are logged."""
    mlflow, estimator = autologging(), session.estimator
    run = mlflow.get_run(mlflow.active_run().info.run_id)
    new = {
        # A callback may have logged the same curve already.
        name: curve
        for name, curve in curves.items()
        if run.data.metrics.get(name) not in curve[~np.isnan(curve)][-1:]
    }
    log_curves(mlflow, run, new)
    if session.should_log() and _option("log_models"):
        rows = safe_indexing(X, slice(0, 5))
        signature = mlflow.models.infer_signature(rows, estimator.predict(rows))
        mlflow.sklearn.log_model(
            estimator,
            name="model",
            signature=signature,
            serialization_format=_option("serialization_format"),
            registered_model_name=_option("registered_model_name"),
        )


def parameters_of(estimator: Any) -> dict[str, str]:
    """Return the parameters of an estimator and its components that affect what it learns."""
    named = estimator.get_params(deep=True)
    return {n: str(value) for n, value in named.items() if n not in ("callbacks", "verbose")}


def log_parameters(mlflow: Any, run: Any, parameters: Mapping[str, str]) -> None:
    """Log parameters to a run, which keeps those that it has from autologging or an earlier fit."""
    known = mlflow.get_run(run.info.run_id).data.params
    # MLflow truncates longer strings, or refuses them.
    new = {name: value[:500] for name, value in parameters.items() if name not in known}
    with suppress(mlflow.exceptions.MlflowException):
        # Another thread may have logged some of them meanwhile.
        mlflow.log_params(new)


def log_curves(mlflow: Any, run: Any, curves: Mapping[str, Floats]) -> None:
    """Log curves to a run, with the epochs as steps."""
    now = int(time.time() * 1000)
    metrics = [
        mlflow.entities.Metric(name, float(value), now, epoch)
        for name, curve in curves.items()
        for epoch, value in enumerate(curve, 1)
        # An epoch that is not validated has no value.
        if not np.isnan(value)
    ]
    client = mlflow.MlflowClient()
    for start in range(0, len(metrics), MOST):
        client.log_batch(run.info.run_id, metrics[start : start + MOST])
