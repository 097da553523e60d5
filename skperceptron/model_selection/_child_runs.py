"""The curves of a search's fits, in the runs that MLflow's autologging creates for it.

MLflow logs a search after its fit, from ``cv_results_``, which has no figures of epochs, and it has
no hook for more. The curves are added to its runs right afterwards.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Hashable, Mapping
from importlib import import_module
from typing import Any

import numpy as np

from ..engine.arrays import Floats
from ..usercall import warn
from ._candidates import curves_of

__all__ = ["log_curves"]

#: Figures by which a child run is known: no two candidates take the same times.
TIMES = ("mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time")

#: How many figures MLflow takes at a time.
MOST = 1000


def log_curves(search: Any) -> None:
    """Add the curves of a fitted search to its runs, if MLflow's autologging has logged it.

    Parameters
    ----------
    search : StackedSearch
    """
    try:
        mlflow = _autologging()
        if mlflow is None:
            return
        # MLflow has ended the run if it has also started it.
        parent = mlflow.active_run() or mlflow.last_active_run()
        if parent is not None:
            _log_all(mlflow, search, parent)
    except Exception as error:
        # The search itself is fitted.
        warn(f"MLflow has not got the curves of this {type(search).__name__}: {error}")


def _autologging() -> Any:
    """Return MLflow if the program uses it and it logs fits by itself; else None."""
    mlflow = sys.modules.get("mlflow")
    if mlflow is None:
        return None
    state = import_module("mlflow.utils.autologging_utils")
    return None if state.autologging_is_disabled("sklearn") else mlflow


def _log_all(mlflow: Any, search: Any, parent: Any) -> None:
    """Log the curves of splits to the runs of their candidates, and of the refit to the parent."""
    rows = zip(*(search.cv_results_[name] for name in TIMES), strict=True)
    places: dict[Hashable, int] = {tuple(map(float, row)): i for i, row in enumerate(rows)}
    tagged = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    children = mlflow.search_runs([parent.info.experiment_id], tagged, output_format="list")
    found = {places.get(_times_of(run)): run for run in children}
    # Those of other searches in the same run.
    found.pop(None, None)
    for i, run in found.items():
        of_splits = {
            f"split{n}_{name}": curve
            for n, curves in enumerate(search.curves_[i])
            for name, curve in curves.items()
        }
        _log(mlflow, run, of_splits)
    if found:
        refitted = curves_of(getattr(search, "best_estimator_", None))
        _log(mlflow, parent, {f"refit_{name}": curve for name, curve in refitted.items()})


def _times_of(run: Any) -> Hashable:
    return tuple(run.data.metrics.get(name) for name in TIMES)


def _log(mlflow: Any, run: Any, curves: Mapping[str, Floats]) -> None:
    """Log curves to a run, with the epochs as steps."""
    now = int(time.time() * 1000)
    figures = [
        mlflow.entities.Metric(name, float(figure), now, epoch)
        for name, curve in curves.items()
        for epoch, figure in enumerate(curve, 1)
        # An epoch that is not validated has no figure.
        if not np.isnan(figure)
    ]
    client = mlflow.MlflowClient()
    for start in range(0, len(figures), MOST):
        client.log_batch(run.info.run_id, figures[start : start + MOST])
