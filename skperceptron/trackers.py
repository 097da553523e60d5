"""Callbacks for MLflow, Weights & Biases, TensorBoard and Optuna (extra ``trackers``).

Each is a few lines around the library of the same name, which is imported when a fit begins. Pass
them to a network as ``callbacks=[...]``, alone or inside a pipeline or search. Metrics have the
names that the estimator reports, "loss", "validation_score", "validation_loss", "learning_rate" or
"mistakes", with the epoch as their step.
"""

from __future__ import annotations

import os
import re
from copy import copy
from importlib import import_module
from math import isnan
from typing import Any

from .callbacks.autologging import log_parameters, parameters_of
from .callbacks.base import EpochCallback, check_monitor, metrics_of, running_fits
from .options import Filled, HasMethods, Instance, InvalidOption, Rule, shown

__all__ = ["MLflowLogger", "OptunaPruning", "TensorBoardLogger", "WandbLogger"]


def _imported(name: str, owner: str) -> Any:
    """Return a module of an optional library."""
    try:
        return import_module(name)
    except ImportError as error:
        package = name.split(".")[0]
        raise ImportError(
            f"{owner} needs {package}: pip install {package}, or all trackers with"
            " pip install 'skperceptron[trackers]'."
        ) from error


class _Logger(EpochCallback):
    """Base of callbacks that log the metrics of each epoch.

    Nothing is written before the first epoch has ended: until then, a fit may be refused.
    """

    def _begin(self, estimator: Any) -> Any:
        """Write what comes before the first epoch; return what ``_log`` gets as ``begun``."""

    def _log(self, begun: Any, metrics: dict[str, float], epoch: int) -> None:
        raise NotImplementedError

    def _look_at(self, estimator: Any, report: dict[str, Any]) -> bool:
        fits = running_fits(self)
        if id(estimator) not in fits:
            fits[id(estimator)] = self._begin(estimator)
        metrics = metrics_of(report)
        epoch = metrics.pop("epoch")
        # NaN stands for a metric that an epoch lacks, such as a score if it is not validated.
        known = {name: float(value) for name, value in metrics.items() if not isnan(value)}
        self._log(fits[id(estimator)], known, epoch)
        return False


class _Prefix(Rule):
    """How names in MLflow may begin, which are paths to some of its stores."""

    text = "a str of letters, digits and '_-.: /', no part of which is empty or begins with '.'"

    def allows(self, value: Any) -> bool:
        return isinstance(value, str) and not re.search(r"[^\w\-.: /]|(^|/)[./]", value)


class MLflowLogger(_Logger):
    """Log parameters and the metrics of each epoch to MLflow's active run.

    Without an active run, MLflow starts one, which stays active after the fit.

    Parameters
    ----------
    prefix : str, default=""
        Prefix of the names of metrics and parameters, for several networks in one run.

    Examples
    --------
    >>> from skperceptron import MLPRegressor
    >>> from skperceptron.trackers import MLflowLogger
    >>> network = MLPRegressor(callbacks=[MLflowLogger()])
    """

    rules = {"prefix": [_Prefix()]}

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix

    def setup(self, estimator: Any, context: Any) -> None:
        super().setup(estimator, context)
        _imported("mlflow", "MLflowLogger")

    def _begin(self, estimator: Any) -> None:
        mlflow = import_module("mlflow")
        named = {f"{self.prefix}{n}": value for n, value in parameters_of(estimator).items()}
        log_parameters(mlflow, mlflow.active_run() or mlflow.start_run(), named)

    def _log(self, begun: Any, metrics: dict[str, float], epoch: int) -> None:
        named = {f"{self.prefix}{name}": value for name, value in metrics.items()}
        import_module("mlflow").log_metrics(named, step=epoch)


class WandbLogger(_Logger):
    """Log parameters and the metrics of each epoch to the active run of Weights & Biases.

    Start the run with ``wandb.init`` before the fit.

    Examples
    --------
    >>> from skperceptron import MLPRegressor
    >>> from skperceptron.trackers import WandbLogger
    >>> network = MLPRegressor(callbacks=[WandbLogger()])
    """

    def setup(self, estimator: Any, context: Any) -> None:
        super().setup(estimator, context)
        wandb = _imported("wandb", "WandbLogger")
        if wandb.run is None:
            raise ValueError("WandbLogger needs an active run: call wandb.init before the fit.")

    def _begin(self, estimator: Any) -> None:
        import_module("wandb").config.update(parameters_of(estimator), allow_val_change=True)

    def _log(self, begun: Any, metrics: dict[str, float], epoch: int) -> None:
        import_module("wandb").log({"epoch": epoch, **metrics})


class TensorBoardLogger(_Logger):
    """Write the metrics of each epoch for TensorBoard.

    Parameters
    ----------
    folder : str or path-like
        Pass it, or a folder above it, to ``tensorboard --logdir``.

    Examples
    --------
    >>> from skperceptron import MLPRegressor
    >>> from skperceptron.trackers import TensorBoardLogger
    >>> network = MLPRegressor(callbacks=[TensorBoardLogger("runs/first")])
    """

    rules = {"folder": [Filled(Instance(str)), Instance(os.PathLike, "a path")]}

    def __init__(self, folder: Any) -> None:
        self.folder = folder

    def setup(self, estimator: Any, context: Any) -> None:
        super().setup(estimator, context)
        _imported("tensorboard.summary", "TensorBoardLogger")
        if os.path.isfile(self.folder):
            raise InvalidOption(
                "The 'folder' parameter of TensorBoardLogger must be a folder. Got"
                f" {shown(self.folder)}, a file, instead."
            )

    def _begin(self, estimator: Any) -> Any:
        return import_module("tensorboard.summary").Writer(str(self.folder))

    def _log(self, begun: Any, metrics: dict[str, float], epoch: int) -> None:
        for name, value in metrics.items():
            begun.add_scalar(name, value, epoch)
        begun.flush()

    def teardown(self, estimator: Any, context: Any) -> None:
        writer = running_fits(self).get(id(estimator))
        super().teardown(estimator, context)
        if writer is not None:
            writer.close()


class OptunaPruning(EpochCallback):
    """Report a metric of each epoch to a trial of Optuna, and end unpromising trials early.

    Parameters
    ----------
    trial : optuna.Trial
        The trial that the objective function is given.
    monitor : str, default="validation_loss"
        A metric that the network reports. The study must optimize in its direction: minimize a
        loss, maximize a score.

    Raises
    ------
    optuna.TrialPruned
        From ``fit``, if the study's pruner decides to end the trial.

    Examples
    --------
    >>> from skperceptron import MLPRegressor
    >>> from skperceptron.trackers import OptunaPruning
    >>> def objective(trial):
    ...     rate = trial.suggest_float("learning_rate_init", 1e-4, 1e-1, log=True)
    ...     network = MLPRegressor(
    ...         learning_rate_init=rate, early_stopping=True, callbacks=[OptunaPruning(trial)])
    ...     return min(network.fit(X, y).validation_loss_curve_)
    """

    rules = {
        "trial": [HasMethods("a trial of Optuna", ("report", "should_prune"))],
        "monitor": [Instance(str)],
    }

    def __init__(self, trial: Any, monitor: str = "validation_loss") -> None:
        self.trial = trial
        self.monitor = monitor

    def __sklearn_clone__(self) -> OptunaPruning:
        # A copy of the trial would report to a copy of its study.
        return copy(self)

    def _look_at(self, estimator: Any, report: dict[str, Any]) -> bool:
        check_monitor(self, report)
        metric = float(report[self.monitor])
        if isnan(metric):
            # The epoch is not validated, or training has diverged, which the fit itself reports.
            return False
        self.trial.report(metric, step=report["epoch"])
        if self.trial.should_prune():
            raise _imported("optuna", "OptunaPruning").TrialPruned(
                f"Pruned at epoch {report['epoch']}."
            )
        return False
