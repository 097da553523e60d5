"""A lock that decides which of several processes may write a file.

The operating system holds the lock for an open file, and releases it when the process ends,
however it ends: there are no stale locks.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _take(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            # The file system has no locks. Each process still writes under a different name.
            return True
        return True


class FileLock:
    """A lock that has one holder at a time, among all processes.

    Parameters
    ----------
    path : Path
        Of a file that exists while the lock is held.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock if nobody has it; return whether it was taken.

        Raises
        ------
        OSError
            If the file cannot be made.
        """
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            if not _take(descriptor):
                os.close(descriptor)
                return False
            # The previous holder may have removed the file after it was opened here.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(self._path)):
                    self._descriptor = descriptor
                    return True
            os.close(descriptor)

    def release(self) -> None:
        """Release the lock, if it is held, and remove the file."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        # Windows cannot remove an open file: there it stays, and does no harm.
        with suppress(OSError):
            os.unlink(self._path)
        os.close(descriptor)
