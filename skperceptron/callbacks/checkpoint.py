"""A callback that saves a fit while it runs, and resumes it when it is started again."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from time import monotonic
from typing import Any

from ..options import COUNT, Filled, Infinity, Instance, Interval, InvalidOption, shown
from ..training import Verdict
from ..training.checkpoint import Job, State
from ..training.checkpoint_file import Writing, load
from .base import Callback, running_fits


class Checkpoint(Callback):
    """Save the fit while it runs, and resume it when it is started again.

    A fit that was killed at any moment and is started again, with the same parameters and
    data, ends with exactly the weights of an uninterrupted fit, bit for bit. The file holds
    weights, the state of optimizer and random generators, and the history, as arrays and JSON;
    the previous file is kept beside it as ``<path>.previous``. A fit that is complete is not
    repeated: delete the files to train again, or raise a limit (``max_iter``, ``max_time``,
    ``n_iter_no_change``) to continue it.

    Parameters
    ----------
    path : str or path
        A file; or, for a search, an existing directory, in which each combination of parameters
        and data gets a file of its own. A link stands for what it points to.
    every_n_epochs : int, default=1
        Number of epochs between saves, >= 1.
    every_n_seconds : float, default=None
        If given, save when this time has passed since the last save, not by `every_n_epochs`.
    name : str, default=None
        A name of the fit, needed if a parameter holds an object that cannot be distinguished
        from others of its kind, such as a function that writes to an open file. You guarantee
        that these objects are the same in fits of the same name. Fits with different names are
        different fits.

    Notes
    -----
    Data is recognized by a hash, so that a fit with a checkpoint reads all of X once more.
    A resumed fit does not restore what other callbacks recorded before the interruption.
    If the file cannot be written, or another process is writing it, the fit continues, with a
    warning.
    """

    rules = {
        "path": [Filled(Instance(str)), Instance(os.PathLike, "a path")],
        "every_n_epochs": [COUNT],
        "every_n_seconds": [Interval(0.0, low_closed=True), Infinity(), None],
        "name": [Filled(Instance(str)), None],
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
        folder = self._target().parent
        if not folder.is_dir():
            raise InvalidOption(
                f"The 'path' parameter of Checkpoint must lie in a folder that exists. Got"
                f" {shown(self.path)} instead: make {shown(str(folder))} first."
            )

    def teardown(self, estimator: Any, context: Any) -> None:
        saving: _Saving | None = running_fits(self).pop(id(estimator), None)
        if saving is not None:
            saving.writing.close()

    def resume(self, estimator: Any, job: Job) -> State | None:
        """Return the last saved state of a fit.

        Parameters
        ----------
        estimator : estimator
            Being fitted.
        job : Job
            What identifies the fit.

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
        saving = running_fits(self)[id(estimator)] = _Saving(job, Writing(file), monotonic())
        saved = load(file, job.check, tidies=saving.writing.is_allowed)
        if saved is None:
            return self._find_shorter(file, job)
        differences = job.differences(saved)
        if differences:
            raise ValueError(
                f"The checkpoint {file} is of another fit: {differences}. Delete it, or choose"
                " another path. For several fits, as in a search, pass a directory."
            )
        return saved

    def _target(self) -> Path:
        """Return the absolute path; of a link, that of the file or directory it points to."""
        return Path(os.path.realpath(self.path))

    def _choose_file(self, job: Job) -> Path:
        path = self._target()
        if not path.is_dir():
            return path
        return path / f"{_hash_of(job.identity)}-{_hash_of(job.limits)}.npz"

    def _find_shorter(self, file: Path, job: Job) -> State | None:
        """Return the state of the longest fit in a directory that this one continues."""
        if file == self._target():
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
        saving = running_fits(self)[id(estimator)]
        # A diverged state is not saved: resumed from the last sound state, the fit diverges again.
        if state.numbers["verdict"] != Verdict.DIVERGED.value:
            origin = {"identity": saving.job.identity, "limits": saving.job.limits}
            saving.writing.write(State(state.numbers | origin, state.arrays))
        saving.saved_at = monotonic()

    def _is_due(self, estimator: Any, context: Any) -> bool:
        if self.every_n_seconds is not None:
            saved_at: float = running_fits(self)[id(estimator)].saved_at
            return monotonic() - saved_at >= self.every_n_seconds
        return bool(context.report["epoch"] % int(self.every_n_epochs) == 0)


@dataclass
class _Saving:
    """What a checkpoint remembers about a running fit."""

    job: Job
    writing: Writing
    saved_at: float


def _hash_of(items: dict[str, Any]) -> str:
    return blake2b(repr(sorted(items.items())).encode(), digest_size=12).hexdigest()
