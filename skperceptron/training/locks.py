"""Which of several processes may write a file.

The operating system holds the lock for an open file, and gives it back when its process
ends, however it ends: there are no stale locks.
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
            # A file system without locks. Each process writes under names of its own there.
            return True
        return True


class FileLock:
    """A lock that one process, and one holder in it, has at a time.

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
            # The holder before may have removed the file after it was opened here.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(self._path)):
                    self._descriptor = descriptor
                    return True
            os.close(descriptor)

    def release(self) -> None:
        """Give the lock back, if it is held, and remove the file."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        # Windows removes no file that is open: there it stays, and does no harm.
        with suppress(OSError):
            os.unlink(self._path)
        os.close(descriptor)
