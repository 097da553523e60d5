"""Memory-mapped files: pages that have been read are released.

The kernel keeps the pages of a file in memory until it needs the memory otherwise. It counts all
pages that a process has read as resident in that process: in the end, the whole file. Releasing
pages only unmaps them from the process; as long as the kernel keeps them, they need not be read
from the file again. Those of small files stay: releasing them takes as long as a step.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np

#: Bytes of a file that may be resident at a time.
RESIDENT = 2**28

#: Rows in random order that may be resident at a time: Linux maps up to 2 MB around each.
SCATTERED = RESIDENT // 2**21


class Pages:
    """The pages of the file that an array lies in."""

    def __init__(self, file: mmap.mmap) -> None:
        self._file = file
        # Earlier readers may have left as many rows.
        self._n_read = SCATTERED

    def let_go(self) -> None:
        """Release all pages; they are mapped again when they are read."""
        self._file.madvise(mmap.MADV_DONTNEED)
        self._n_read = 0

    def portions(self, n_rows: int) -> Iterator[slice]:
        """Cut rows in random order into portions; release pages before too many are resident."""
        for start in range(0, n_rows, SCATTERED):
            portion = slice(start, min(start + SCATTERED, n_rows))
            length = portion.stop - start
            if self._n_read + length > SCATTERED:
                self.let_go()
            self._n_read += length
            yield portion

    def rows_of(self, X: Any, rows: Any) -> Any:
        """Return a copy of the rows of an array in these pages at some positions."""
        taken = np.empty((len(rows), *X.shape[1:]), dtype=X.dtype)
        for portion in self.portions(len(rows)):
            taken[portion] = X[rows[portion]]
        return taken


def pages_of(X: Any) -> Pages | None:
    """Return the pages of an array's file; None if there is none or its pages may or must stay."""
    owner = X
    while isinstance(owner, np.ndarray):
        # Changes to a copy-on-write map exist in its pages only.
        if isinstance(owner, np.memmap) and owner.mode == "c":
            return None
        owner = owner.base
    is_large = isinstance(owner, mmap.mmap) and len(owner) > RESIDENT
    return Pages(owner) if is_large and hasattr(mmap, "MADV_DONTNEED") else None
