"""A callback that saves a fit while it goes on, and resumes it when it is started again."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from time import monotonic
from typing import Any

from ..options import COUNT, Infinity, Instance, Interval, InvalidOption, Text, shown
from ..training import Verdict
from ..training.checkpoint import Job, State, Writing, load
from .base import Callback


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
        folder = Path(self.path).absolute().parent
        if not folder.is_dir():
            raise InvalidOption(
                f"The 'path' parameter of Checkpoint must lie in a folder that exists. Got"
                f" {shown(self.path)} instead: make {shown(str(folder))} first."
            )
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
                f"The checkpoint {file} is of another fit: {differences}. Delete it, or choose"
                " another path; for several fits, as in a search, a directory."
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
        if state.numbers["verdict"] != Verdict.DIVERGED.value:
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
