"""Callbacks that log the metrics of each epoch: rows that are kept, and lines of a file."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from time import perf_counter
from typing import IO, Any

from sklearn.exceptions import NotFittedError

from .._sklearn.compat import check_pandas_support
from ..options import Filled, Flag, Instance, shown
from ..training.locks import locked
from .base import EpochCallback, metrics_of, running_fits

#: Bytes of the first line of a file that are read: no logger writes a longer one.
LONGEST = 10_000


class EpochLogger(EpochCallback):
    """Keep the metrics of each epoch.

    Fits in several threads may share a logger: ``fit`` says which rows belong together.

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
    >>> network = MLPSoftmaxClassifier((8,), tol=1e-2, callbacks=[logger], random_state=0)
    >>> network = network.fit(*load_iris(return_X_y=True))
    >>> len(logger.rows_) == network.n_iter_
    True
    """

    def setup(self, estimator: Any, context: Any) -> None:
        super().setup(estimator, context)
        # Fits of other threads may begin at the same moment: ``setdefault`` and ``append`` cannot
        # be interrupted.
        self.rows_: list[dict[str, Any]] = self.__dict__.setdefault("rows_", [])
        #: When each fit began.
        self._begun: list[float] = self.__dict__.setdefault("_begun", [])
        self._begin(estimator)

    def _begin(self, estimator: Any) -> tuple[int, float]:
        """Note a fit; return its number, counted from 1, and when it began."""
        # On Windows, monotonic() moves in steps of 16 ms before Python 3.13.
        began = perf_counter()
        self._begun.append(began)
        # Two fits may begin at equal times, but each has an object of its own.
        number = [one is began for one in self._begun].index(True) + 1
        running_fits(self)[id(estimator)] = number, began
        return number, began

    def _look_at(self, estimator: Any, report: dict[str, Any]) -> bool:
        # A worker process has a copy of the estimator, for which there is no entry.
        number, began = running_fits(self).get(id(estimator)) or self._begin(estimator)
        seconds = perf_counter() - began
        self.rows_.append({"fit": number, **metrics_of(report), "seconds": seconds})
        return False

    def to_frame(self) -> Any:
        """Return the rows as a table.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        ImportError
            If pandas is not installed.
        NotFittedError
            If no fit has used it.
        """
        if not hasattr(self, "rows_"):
            raise NotFittedError("This EpochLogger has no rows yet: no fit has used it.")
        pandas = check_pandas_support("EpochLogger.to_frame")
        return pandas.DataFrame(self.rows_)


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

    rules = {"path": [Filled(Instance(str)), Instance(os.PathLike, "a path")], "append": [Flag()]}

    def __init__(self, path: Any, append: bool = False) -> None:
        self.path = path
        self.append = append

    def setup(self, estimator: Any, context: Any) -> None:
        super().setup(estimator, context)
        # Fails early if the file cannot be written. It is cleared later, and only if it is still
        # unchanged: copies in other processes thus notice that one of them has cleared it.
        with Path(self.path).open("ab") as file:
            self._old = None if self.append else _state_of(file)

    def _look_at(self, estimator: Any, report: dict[str, Any]) -> bool:
        metrics = metrics_of(report)
        path = Path(self.path)
        # Locked, since two fits must not both find the file empty.
        with path.open("a+b") as file, locked(file.fileno()):
            if self.__dict__.pop("_old", None) == _state_of(file):
                file.truncate(0)
            columns, ends_line = _columns_of(file)
            if columns not in (None, list(metrics)):
                raise ValueError(
                    f"{path} has the columns {shown(columns)}, but this fit reports"
                    f" {list(metrics)}: append it to another file."
                )
            lines = io.StringIO(newline="")
            if not ends_line:
                lines.write("\r\n")
            writer = csv.DictWriter(lines, list(metrics))
            if columns is None:
                writer.writeheader()
            writer.writerow(metrics)
            _append(file.fileno(), lines.getvalue().encode())
        return False


def _columns_of(file: IO[bytes]) -> tuple[list[str] | None, bool]:
    """Return the columns in the first line of a file, and whether its last line has an end.

    The columns are None if the file is empty, and anything if it holds no text.
    """
    file.seek(0)
    first = file.readline(LONGEST)
    if not first:
        return None, True
    file.seek(-1, os.SEEK_END)
    # Some programs write a byte order mark, which is not part of the first column.
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
