"""Locks that decide which of several processes or threads may write a file.

The operating system holds a lock for an open file, and releases it when the process ends,
however it ends: there are no stale locks.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep

#: Seconds between two attempts to take a lock that another holds while it writes a line.
PAUSE = 0.001

if sys.platform == "win32":
    import msvcrt

    #: The byte that is locked. It is far behind the end, since a locked byte cannot be read.
    FAR = 2**30

    def _take(descriptor: int) -> bool:
        os.lseek(descriptor, FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        except OSError:
            # The file system has no locks, see below.
            return True
        return True

    def _give_back(descriptor: int) -> None:
        os.lseek(descriptor, FAR, os.SEEK_SET)
        with suppress(OSError):
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

    def _close_and_remove(descriptor: int, path: Path) -> None:
        # An open file cannot be removed: if another process has opened it meanwhile, it stays.
        os.close(descriptor)
        with suppress(OSError):
            os.unlink(path)
else:
    import fcntl

    def _take(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            # The file system has no locks. Each process still writes a checkpoint under a different
            # name, and a line as a whole.
            return True
        return True

    def _give_back(descriptor: int) -> None:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)

    def _close_and_remove(descriptor: int, path: Path) -> None:
        # Removed while it is locked: later, it may be the lock of another.
        try:
            with suppress(OSError):
                os.unlink(path)
        finally:
            os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    """Tell whether a path leads to an open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


@contextmanager
def locked(descriptor: int) -> Iterator[None]:
    """Hold the lock of a file that is open for appending; wait for others that hold it."""
    while not _take(descriptor):
        sleep(PAUSE)
    try:
        yield
    finally:
        # A process that was forked meanwhile has the file open, too: closing is not enough.
        _give_back(descriptor)


class FileLock:
    """A lock with one holder among all processes: a file that exists as long as it is held."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock if nobody has it; return whether it was taken.

        Raises OSError if the file cannot be made.
        """
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                if not _take(descriptor):
                    return False
                # The previous holder may have removed the file after it was opened here.
                if _is_at(descriptor, self._path):
                    self._descriptor = descriptor
                    return True
            finally:
                # After an error or Ctrl-C, too: nobody could release the lock.
                if self._descriptor is None:
                    os.close(descriptor)

    def release(self) -> None:
        """Release the lock, if it is held, and remove the file."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        _close_and_remove(descriptor, self._path)
