"""The curves of a search's fits, in the runs that MLflow's autologging creates for it.

MLflow logs a search after its fit, from ``cv_results_``, which has no metrics of epochs, and it has
no hook for more. The curves are added to its runs right afterwards.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from ..callbacks.autologging import autologging, log_curves, session_of, tolerated
from ._fits import curves_of

#: Numbers that identify a child run: no two candidates take the same times.
TIMES = ("mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time")


def log_curves_of(search: Any) -> None:
    """Add the curves of a fitted search to its runs, if MLflow's autologging has logged it."""
    with tolerated(search):
        mlflow = autologging()
        if mlflow is None:
            return
        # MLflow has ended the run if it has also started it.
        parent = mlflow.active_run() or mlflow.last_active_run()
        # A search within another fit is not logged.
        with session_of(mlflow, search) as session:
            if parent is not None and session.should_log():
                _log_all(mlflow, search, parent)


def _log_all(mlflow: Any, search: Any, parent: Any) -> None:
    """Log the curves of splits to the runs of their candidates, and of the refit to the parent."""
    rows = zip(*(search.cv_results_[name] for name in TIMES), strict=True)
    places: dict[Hashable, int] = {tuple(map(float, row)): i for i, row in enumerate(rows)}
    tagged = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    children = mlflow.search_runs([parent.info.experiment_id], tagged, output_format="list")
    found = {places.get(tuple(map(run.data.metrics.get, TIMES))): run for run in children}
    # Runs of other searches below the same parent have none of these times.
    found.pop(None, None)
    for i, run in found.items():
        of_splits = {
            f"split{n}_{name}": curve
            for n, curves in enumerate(search.curves_[i])
            for name, curve in curves.items()
        }
        log_curves(mlflow, run, of_splits)
    # The run as MLflow returns it while it is active does not have its latest tags.
    tags = mlflow.get_run(parent.info.run_id).data.tags
    # Without this tag, it is a run of the user in which MLflow has logged nothing.
    if tags.get("estimator_name") == type(search).__name__:
        refitted = curves_of(getattr(search, "best_estimator_", None))
        log_curves(mlflow, parent, {f"refit_{name}": curve for name, curve in refitted.items()})
