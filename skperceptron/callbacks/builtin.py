"""Callbacks: objects that are told of each epoch, may note it down, save it, or end training.

They follow the protocol of :mod:`sklearn.callback` (scikit-learn 1.9). Hand them to an
estimator as ``callbacks=[...]``, with any version of scikit-learn, or with ``set_callbacks``.
The context that hooks receive has two further attributes at the end of an epoch: ``report``,
a dict with the figures of the epoch, and ``state``, a callable that returns all that
training goes on from (None where a fit cannot be resumed).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from .._sklearn.compat import check_pandas_support
from ..options import COUNT, Checked, Infinity, Instance, Interval, Text, plain
from ..training.checkpoint import Job, State, Writing, load

__all__ = ["Callback", "Checkpoint", "EpochLogger", "StopOnPlateau"]

#: Figures of an epoch that are better when they are larger.
_SCORES = ("validation_score",)


class Callback(Checked):
    """Base of callbacks; on its own it does nothing."""

    def setup(self, estimator: Any, context: Any) -> None:
        """Get ready: a fit begins.

        Raises
        ------
        ValueError
            If a parameter is not what it must be.
        """
        self.check_parameters()

    def teardown(self, estimator: Any, context: Any) -> None:
        """Tidy up: the fit has ended, well or not."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Learn that the fit, or one of its epochs, begins."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        """Learn that the fit, or one of its epochs, has ended.

        Returns
        -------
        bool
            True ends the training.
        """
        return False


class EpochLogger(Callback):
    """Keep the figures of each epoch.

    Attributes
    ----------
    rows_ : list of dict
        One per epoch: ``fit`` (counted from 1), ``epoch``, ``seconds`` since the fit began,
        and what the estimator reports: ``loss``, ``learning_rate``, ``validation_score``,
        ``validation_loss``, or ``mistakes``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.callbacks import EpochLogger
    >>> logger = EpochLogger()
    >>> network = MLPSoftmaxClassifier((8,), max_iter=300, callbacks=[logger], random_state=0)
    >>> network = network.fit(*load_iris(return_X_y=True))
    >>> len(logger.rows_) == network.n_iter_
    True
    """

    def setup(self, estimator: Any, context: Any) -> None:
        super().setup(estimator, context)
        self._fits = getattr(self, "_fits", 0) + 1
        self._began = monotonic()
        self.rows_: list[dict[str, Any]] = getattr(self, "rows_", [])

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        report = getattr(context, "report", None)
        if report is not None:
            figures = {n: value for n, value in report.items() if n not in ("history", "is_last")}
            seconds = monotonic() - self._began
            self.rows_.append({"fit": self._fits, **figures, "seconds": seconds})
        return False

    def to_frame(self) -> Any:
        """Return the rows as a pandas DataFrame.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pandas = check_pandas_support("EpochLogger.to_frame")
        return pandas.DataFrame(self.rows_)


@dataclass(frozen=True)
class _Read:
    """What is known of a history as far as it has been read.

    Attributes
    ----------
    history : list of float
        Grows by itself.
    n_read : int
    best : float
        The least loss so far, or the largest score times -1.
    waited : int
        Epochs since it last improved.
    """

    history: list[float] = field(default_factory=list)
    n_read: int = 0
    best: float = np.inf
    waited: int = 0

    def is_of(self, history: list[float]) -> bool:
        """Tell whether it is this history, which may have grown, that was read."""
        return self.history is history and 0 < self.n_read <= len(history)

    def further(self, rises: bool, tol: float) -> _Read:
        """Read what has been added."""
        best, waited = self.best, self.waited
        for figure in self.history[self.n_read :]:
            loss = -figure if rises else figure
            waited = 0 if loss < best - tol else waited + 1
            best = min(best, loss)
        return _Read(self.history, len(self.history), best, waited)


class StopOnPlateau(Callback):
    """End training when a figure has not improved for some epochs (Prechelt 1998).

    Parameters
    ----------
    monitor : str, default="loss"
        A figure that the estimator reports: "loss", "validation_loss",
        "validation_score", or "mistakes". Scores shall rise, everything else shall fall.
    patience : int, default=10
        Epochs in a row without improvement that are tolerated, >= 1.
    tol : float, default=0.0
        The least change that counts as an improvement, >= 0.
    """

    rules = {
        "monitor": [Instance(str)],
        "patience": [COUNT, Infinity()],
        "tol": [Interval(0, low_closed=True)],
    }
    _read = _Read()

    def __init__(self, monitor: str = "loss", patience: int = 10, tol: float = 0.0) -> None:
        self.monitor = monitor
        self.patience = patience
        self.tol = tol

    def setup(self, estimator: Any, context: Any) -> None:
        super().setup(estimator, context)
        self._read = _Read()

    def teardown(self, estimator: Any, context: Any) -> None:
        self._read = _Read()

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        report = getattr(context, "report", None)
        if report is None:
            return False
        if self.monitor not in report["history"]:
            raise ValueError(
                f"monitor={self.monitor!r} of StopOnPlateau is not reported: must be one of"
                f" {sorted(report['history'])}."
            )
        history = report["history"][self.monitor]
        if not self._read.is_of(history):
            # A resumed fit goes on with its history. What lies before the first epoch is of
            # earlier fits, which a warm start goes on from.
            self._read = _Read(history, max(0, len(history) - report.get("epoch", len(history))))
        self._read = self._read.further(self.monitor in _SCORES, plain(self.tol))
        return bool(self._read.waited > self.patience)


class Checkpoint(Callback):
    """Save the fit while it goes on, and resume it when it is started again.

    A fit that was killed at any moment and is started again, with the same parameters and
    data, ends with the very bits that it would have had. The file holds weights, the state
    of optimiser and random generators, and the history, as arrays and JSON; the file before
    it is kept beside it as ``<path>.previous``. A fit that is complete is not repeated:
    delete the files to train anew, or raise what limits it (``max_iter``, ``max_time``,
    ``n_iter_no_change``) to prolong it.

    Parameters
    ----------
    path : str or path
        A file; or a directory, in which each combination of parameters and data gets a file
        of its own, as a search needs it.
    every_n_epochs : int, default=1
        Save after so many epochs, >= 1.
    every_n_seconds : float, default=None
        If given, save when so much time has gone since the last time instead.
    name : str, default=None
        A name of the fit, needed where a parameter holds what cannot be told from others of
        its kind, such as a function that writes to an open file. You vouch that fits whose
        names are equal do not differ in that. Fits of different names are different fits.

    Notes
    -----
    Data is recognised by a hash, so that a fit with a checkpoint reads all of X once more.
    Other callbacks do not get back what they have noted down in the part that is not repeated.
    A file that cannot be written, or that another process is writing, is no reason to lose the
    fit: it goes on with a warning.
    """

    rules = {
        "path": [Instance(str), Instance(os.PathLike, "a path")],
        "every_n_epochs": [COUNT],
        "every_n_seconds": [Interval(0.0, low_closed=True), Infinity(), None],
        "name": [Text(), None],
    }

    def __init__(
        self,
        path: str | os.PathLike[str],
        every_n_epochs: int = 1,
        every_n_seconds: float | None = None,
        name: str | None = None,
    ) -> None:
        self.path = path
        self.every_n_epochs = every_n_epochs
        self.every_n_seconds = every_n_seconds
        self.name = name

    def setup(self, estimator: Any, context: Any) -> None:
        super().setup(estimator, context)
        if not Path(self.path).absolute().parent.is_dir():
            raise FileNotFoundError(f"path={self.path!r} of Checkpoint lies in no directory.")
        # Fits in several threads may share a callback: each has an entry of its own.
        fits: dict[int, _Saving] = self.__dict__.setdefault("_fits", {})
        fits.pop(id(estimator), None)

    def teardown(self, estimator: Any, context: Any) -> None:
        # A fit that was refused early has none.
        saving: _Saving | None = vars(self).get("_fits", {}).pop(id(estimator), None)
        if saving is not None:
            saving.writing.close()

    def resume(self, estimator: Any, job: Job) -> State | None:
        """Return the state of a fit that was saved last.

        Parameters
        ----------
        estimator : estimator
            Being fitted.
        job : Job
            What the fit is of.

        Returns
        -------
        State or None
            None if nothing was saved.

        Raises
        ------
        ValueError
            If the file is of another fit.
        """
        file = self._choose_file(job)
        saving = self._fits[id(estimator)] = _Saving(job, Writing(file), monotonic())
        saved = load(file, job.check, tidies=saving.writing.is_allowed)
        if saved is None:
            return self._find_shorter(file, job)
        differences = job.differences(saved)
        if differences:
            raise ValueError(
                f"The checkpoint {file} is of another fit: {differences}. Delete it or choose"
                " another path."
            )
        return saved

    def _choose_file(self, job: Job) -> Path:
        path = Path(self.path).absolute()
        if not path.is_dir():
            return path
        return path / f"{_hash_of(job.identity)}-{_hash_of(job.limits)}.npz"

    def _find_shorter(self, file: Path, job: Job) -> State | None:
        """Return the longest of those fits in a directory that this one prolongs."""
        if file == Path(self.path).absolute():
            return None
        others = sorted(file.parent.glob(f"{_hash_of(job.identity)}-*.npz"))
        loaded = [load(other, job.check, tidies=False) for other in others if other != file]
        shorter = [state for state in loaded if state is not None and not job.differences(state)]
        return max(shorter, key=lambda state: state.numbers["n_iter"], default=None)

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        state = getattr(context, "state", None)
        if state is not None and (context.report["is_last"] or self._is_due(estimator, context)):
            self.save(estimator, state())
        return False

    def save(self, estimator: Any, state: State) -> None:
        """Write a state of a fit to its file, if it can be written.

        Parameters
        ----------
        estimator : estimator
            Being fitted.
        state : State
        """
        saving = self._fits[id(estimator)]
        # A fit that has diverged says so again when it is repeated from where it was sound.
        if state.numbers["verdict"] != "diverged":
            origin = {"identity": saving.job.identity, "limits": saving.job.limits}
            saving.writing.write(State(state.numbers | origin, state.arrays))
        saving.saved_at = monotonic()

    def _is_due(self, estimator: Any, context: Any) -> bool:
        if self.every_n_seconds is not None:
            return monotonic() - self._fits[id(estimator)].saved_at >= self.every_n_seconds
        return bool(context.report["epoch"] % int(self.every_n_epochs) == 0)


@dataclass
class _Saving:
    """What a checkpoint remembers of a fit that goes on."""

    job: Job
    writing: Writing
    saved_at: float


def _hash_of(items: dict[str, Any]) -> str:
    return blake2b(repr(sorted(items.items())).encode(), digest_size=12).hexdigest()
