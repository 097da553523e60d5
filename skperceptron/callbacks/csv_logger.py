"""A callback that writes the metrics of each epoch to a file of comma-separated values."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import IO, Any

from ..options import Flag, Instance, shown
from ..training.locks import locked
from .base import EpochCallback, figures_of

#: Bytes of a first line that are read: no logger writes a longer one.
LONGEST = 10_000


class CSVLogger(EpochCallback):
    """Write the metrics of each epoch to a file, one line at the end of each epoch.

    Fits in several threads or processes may share a file if ``append=True``. Otherwise, each clears
    it when its first epoch has ended, so that a refused fit leaves it as it was. Lines do not say
    to which fit they belong; the rows of an ``EpochLogger`` do.

    Parameters
    ----------
    path : str or path-like
        The file.
    append : bool, default=False
        Whether to keep the lines of an earlier fit, and write a header only to an empty file. A fit
        that reports other metrics is refused.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.callbacks import CSVLogger
    >>> X, y = load_iris(return_X_y=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "epochs.csv"
    ...     network = MLPSoftmaxClassifier((8,), tol=1e-2, callbacks=[CSVLogger(path)])
    ...     network = network.fit(X, y)
    ...     header, *lines = path.read_text().splitlines()
    >>> header
    'epoch,loss,learning_rate'
    >>> len(lines) == network.n_iter_
    True
    """

    rules = {"path": [Instance(str), Instance(os.PathLike, "a path")], "append": [Flag()]}

    def __init__(self, path: Any, append: bool = False) -> None:
        self.path = path
        self.append = append

    def setup(self, estimator: Any, context: Any) -> None:
        super().setup(estimator, context)
        # Fails early if the file cannot be written. It is cleared later, while it is unchanged:
        # copies in other processes see then that one of them has cleared it.
        with Path(self.path).open("ab") as file:
            self._old = None if self.append else _state_of(file)

    def _look_at(self, estimator: Any, report: dict[str, Any]) -> bool:
        figures = figures_of(report)
        path = Path(self.path)
        # Locked, since two fits must not both find the file empty.
        with path.open("a+b") as file, locked(file.fileno()):
            if self.__dict__.pop("_old", None) == _state_of(file):
                file.truncate(0)
            columns, ends_line = _columns_of(file)
            if columns not in (None, list(figures)):
                raise ValueError(
                    f"{path} has the columns {shown(columns)}, but this fit reports"
                    f" {list(figures)}: append it to another file."
                )
            lines = io.StringIO(newline="")
            if not ends_line:
                lines.write("\r\n")
            writer = csv.DictWriter(lines, list(figures))
            if columns is None:
                writer.writeheader()
            writer.writerow(figures)
            _append(file.fileno(), lines.getvalue().encode())
        return False


def _columns_of(file: IO[bytes]) -> tuple[list[str] | None, bool]:
    """Return the columns in the first line of a file, and whether its last line has an end.

    An empty file has no columns, but None. Those of a file that holds no text make no sense.
    """
    file.seek(0)
    first = file.readline(LONGEST)
    if not first:
        return None, True
    file.seek(-1, os.SEEK_END)
    # Some programs write a mark of the encoding, which is no part of the first column.
    return next(csv.reader([first.decode("utf-8-sig", "replace")])), file.read(1) == b"\n"


def _append(descriptor: int, lines: bytes) -> None:
    """Write lines at the end of a file, or, such as on a full disk, nothing at all."""
    size = os.fstat(descriptor).st_size
    try:
        while lines:
            lines = lines[os.write(descriptor, lines) :]
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def _state_of(file: IO[Any]) -> tuple[int, int]:
    """Return what changes when a file is written: its size, and the time of the last change."""
    state = os.fstat(file.fileno())
    return state.st_size, state.st_mtime_ns
