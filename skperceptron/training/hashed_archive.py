"""Archives of arrays that end in a seal: a hash of every byte before it.

The archive is an ordinary ``.npz`` with nothing compressed and nothing pickled, so that
``numpy.load`` reads it too. The seal behind it is a mark of the format and a BLAKE2 hash.
Nothing in a file is trusted before its seal has been checked. Since anybody can make a seal, the
sizes that a sealed file declares are not trusted either.
"""

from __future__ import annotations

import math
import os
import stat
from hashlib import blake2b
from io import BytesIO, RawIOBase
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_STORED, ZipFile

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

#: Stands before the hash at the end of every file. Another layout of files needs another mark.
_MARK = b"skperceptron-checkpoint-2\n"

_HASH_SIZE = 32

_READ_HEADER = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class DamagedArchiveError(ValueError):
    """A file cannot be used; the message says why."""


class _Hashing(RawIOBase):
    """A file that is written from beginning to end and hashed at the same time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = blake2b(digest_size=_HASH_SIZE)

    def write(self, data: Any) -> int:
        self._hash.update(data)
        return self._file.write(data)

    def seal(self) -> None:
        """Write the mark, and the hash of all that has been written."""
        self.write(_MARK)
        self._file.write(self._hash.digest())


def write_arrays(file: BinaryIO, arrays: dict[str, NDArray[Any]]) -> None:
    """Write arrays and a seal to a file that has just been opened."""
    hashing = _Hashing(file)
    entries: dict[str, Any] = arrays
    # Without ``seek`` the archive is written in one go, and each byte hashed as it passes.
    np.savez(hashing, **entries)
    hashing.seal()


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read what ``write_arrays`` has written.

    Raises DamagedArchiveError if the file holds anything else, OSError if it cannot be read.
    """
    archive = _unsealed(path)
    try:
        return _arrays_of(archive)
    except DamagedArchiveError:
        raise
    except Exception as error:
        # The seal is right, so the file was forged: NumPy's and Python's readers may raise any
        # kind of error.
        raise DamagedArchiveError(f"it holds no arrays: {type(error).__name__}: {error}") from error


def _unsealed(path: Path) -> bytes:
    """Check the seal, and return the bytes of the archive before it."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise DamagedArchiveError("it is not a regular file")
    with open(path, "rb") as file:
        # The end is checked first, so that a large file of another kind is not read.
        length = os.fstat(file.fileno()).st_size - len(_MARK) - _HASH_SIZE
        if length < 0:
            raise DamagedArchiveError("it is too short")
        file.seek(length)
        if file.read(len(_MARK)) != _MARK:
            raise DamagedArchiveError(
                "its end is missing or changed, or it is of an earlier version or not a checkpoint"
            )
        expected = file.read(_HASH_SIZE)
        file.seek(0)
        archive = file.read(length)
    found = blake2b(archive, digest_size=_HASH_SIZE)
    found.update(_MARK)
    if found.digest() != expected:
        raise DamagedArchiveError("its bytes are not those that were written")
    return archive


def _arrays_of(archive: bytes) -> dict[str, NDArray[Any]]:
    with ZipFile(BytesIO(archive)) as entries:
        listed = entries.infolist()
        # Entries that overlap could declare more bytes than there are.
        if sum(entry.file_size for entry in listed) > len(archive) or any(
            entry.compress_type != ZIP_STORED for entry in listed
        ):
            raise DamagedArchiveError("it declares more than it holds")
        return {
            entry.filename.removesuffix(".npy"): _array_of(entries.read(entry)) for entry in listed
        }


def _array_of(content: bytes) -> NDArray[Any]:
    file = BytesIO(content)
    shape, is_fortran, dtype = _READ_HEADER[npy.read_magic(file)](file)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise DamagedArchiveError(
            "it holds an array that is not of the size or kind that it declares"
        )
    flat = np.frombuffer(content, dtype, offset=file.tell())
    return flat.reshape(shape, order="F" if is_fortran else "C").copy()
