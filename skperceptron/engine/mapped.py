"""Memory-mapped files: pages that have been read are let go.

The kernel keeps the pages of a file in memory as long as it has nothing better to do with it, and
counts those that a process has looked at as resident in it: in the end, the whole file. Told
to let them go, it only forgets that they belong here; the next look costs no reading.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

#: Bytes of a file that may stay resident.
RESIDENT = 2**27

#: Bytes that Linux makes resident around each byte that is read.
AROUND = 2**16


class Pages:
    """The pages of the file that an array lies in.

    Parameters
    ----------
    file : mmap
    row_bytes : int
        Length of a row of the array.
    """

    def __init__(self, file: mmap.mmap, row_bytes: int) -> None:
        self._file = file
        self._allowed = max(1, RESIDENT // (row_bytes + AROUND))
        self._read = 0

    def have_read(self, n_rows: int) -> None:
        """Count rows that were read, and let all pages go when it is time."""
        self._read += n_rows
        if self._read >= self._allowed:
            self._file.madvise(mmap.MADV_DONTNEED)
            self._read = 0


def pages_of(X: Any) -> Pages | None:
    """Return the pages of an array's file, or None if there is none that may let pages go."""
    owner = X
    while isinstance(owner, np.ndarray):
        # Changes to a copy-on-write map are nowhere else.
        if isinstance(owner, np.memmap) and owner.mode == "c":
            return None
        owner = owner.base
    if not isinstance(owner, mmap.mmap) or not hasattr(mmap, "MADV_DONTNEED"):
        return None
    return Pages(owner, X[:1].nbytes)
