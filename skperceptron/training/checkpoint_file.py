"""Files that hold the state of a fit, and survive a crash at any moment.

A file is a sealed archive. It is written under a temporary name in the same directory and flushed
to the disk. Then the previous file is moved aside and the new one renamed: at every moment at
least one whole file exists.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from operator import methodcaller
from pathlib import Path

import numpy as np

from ..usercall import tell
from .checkpoint import State
from .hashed_archive import DamagedArchiveError, read_arrays, write_arrays
from .locks import FileLock

_JSON = "json"

#: Ends the name of a file that is being written.
_UNFINISHED = ".unfinished"


def previous(path: Path) -> Path:
    """Return the path to which a file is moved when a newer one replaces it."""
    return path.with_name(path.name + ".previous")


def save(path: Path, state: State) -> None:
    """Write a file such that a crash at any moment leaves a whole one.

    Raises OSError if it cannot be written; the previous one is still there.
    """
    # JSON can hold Python's numbers, but not NumPy's.
    text = json.dumps(state.numbers, default=methodcaller("item")).encode()
    # Each writer uses a different name.
    name = f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}{_UNFINISHED}"
    unfinished = path.with_name(name)
    try:
        with open(unfinished, "xb") as file:
            write_arrays(file, {_JSON: np.frombuffer(text, dtype=np.uint8), **state.arrays})
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            os.replace(path, previous(path))
        os.replace(unfinished, path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
    _flush_directory(path.parent)


class Writing:
    """The right to write a checkpoint file during a fit.

    A fit that cannot write continues without saving: it is worth more than its checkpoint. A
    warning says that the file cannot be written, or that another fit is writing it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(path.with_name(path.name + ".lock"))
        self._has_failed = False
        self.is_allowed = False
        try:
            self.is_allowed = self._lock.acquire()
            if self.is_allowed:
                _remove_unfinished(path)
            else:
                self._warn("is being written by another fit")
        except OSError as error:
            self._warn(f"cannot be written ({error})")
        except BaseException:
            # Ctrl-C: nobody will call ``close``.
            self.close()
            raise

    def write(self, state: State) -> None:
        """Save a state if that is allowed; only the first of several failures causes a warning."""
        if not self.is_allowed:
            return
        try:
            save(self._path, state)
        except OSError as error:
            if not self._has_failed:
                self._warn(f"cannot be written ({error})")
            self._has_failed = True

    def close(self) -> None:
        """Let other fits write the file."""
        self._lock.release()

    def _warn(self, why: str) -> None:
        tell(f"The checkpoint {self._path} {why}: this fit continues without saving.")


def _remove_unfinished(path: Path) -> None:
    """Remove unfinished files of writers that were killed; the caller holds the lock."""
    for name in os.listdir(path.parent):
        if name.startswith(f"{path.name}.") and name.endswith(_UNFINISHED):
            with suppress(OSError):
                path.with_name(name).unlink()


def load(
    path: Path, check: Callable[[State], None] | None = None, *, tidies: bool = True
) -> State | None:
    """Read the newest whole file, and move damaged ones out of the way.

    Otherwise the next ``save`` would overwrite the previous, whole file with the damaged one;
    without ``tidies``, damaged files are left where they are. ``check`` raises
    ``DamagedArchiveError`` if a state cannot be right. Returns None if no file is whole. Warns of
    each damaged file; a filter that turns warnings into errors does not end the fit.
    """
    for candidate in (path, previous(path)):
        try:
            state = _read(candidate)
            if check is not None:
                check(state)
            return state
        except FileNotFoundError:
            continue
        except (DamagedArchiveError, OSError) as damage:
            aside = _put_aside(candidate) if tidies else None
            kept = "" if aside is None else f", and kept as {aside}"
            tell(f"The checkpoint {candidate} is damaged ({damage}), ignored{kept}.")
    return None


def _read(path: Path) -> State:
    arrays = read_arrays(path)
    try:
        numbers = json.loads(arrays.pop(_JSON).tobytes())
    except Exception as error:
        # A valid seal before invalid JSON: the file was forged. Deep nesting exhausts the stack.
        raise DamagedArchiveError(f"it holds no JSON: {type(error).__name__}") from error
    if not isinstance(numbers, dict):
        raise DamagedArchiveError("its JSON is not an object")
    return State(numbers, arrays)


def _put_aside(path: Path) -> Path | None:
    """Rename a file that is damaged; return its new name, or None if that cannot be done."""
    aside = path.with_name(path.name + ".damaged")
    try:
        if not path.is_file():
            return None
        os.replace(path, aside)
    except OSError:
        return None
    return aside


def _flush_directory(path: Path) -> None:
    """Make a rename durable, where the system allows it (Windows does not)."""
    if os.name == "posix":
        directory = os.open(path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
