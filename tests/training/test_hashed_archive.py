"""Files are read byte for byte as written; nothing that a file declares is trusted."""

import io
import os
import struct
import tracemalloc
import zipfile
from hashlib import blake2b

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skperceptron.training.hashed_archive import (
    _HASH_SIZE,
    _MARK,
    DamagedArchiveError,
    read_arrays,
    write_arrays,
)

ARRAYS = {
    "a": np.arange(6.0).reshape(2, 3),
    "b": np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)),
    "empty": np.zeros((0, 4), dtype=np.float32),
    "one": np.array(3.5),
}


def sealed(archive):
    """Return a forged file with a valid seal."""
    return archive + _MARK + blake2b(archive + _MARK, digest_size=_HASH_SIZE).digest()


def npy(shape, descr="<f8", content=b""):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return header.getvalue() + content


def zipped(content, compression=zipfile.ZIP_STORED, name="a.npy"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def declaring(size):
    """Return an archive whose directory declares a wrong size for its entry."""
    archive = bytearray(zipped(npy((1,), content=b"\0" * 8)))
    entry = archive.rfind(b"PK\x01\x02")
    archive[entry + 20 : entry + 28] = struct.pack("<II", size, size)
    return bytes(archive)


def of_parts_that_overlap():
    """Return an archive whose directory lists one entry many times."""
    content = zipped(npy((1000,), content=b"\0" * 8000))
    start, end = content.rfind(b"PK\x01\x02"), content.rfind(b"PK\x05\x06")
    n = 1000
    entries = content[start:end] * n
    tail = bytearray(content[end:])
    tail[8:20] = struct.pack("<HHII", n, n, len(entries), start)
    return content[:start] + entries + bytes(tail)


MADE_UP = {
    "no archive": b"",
    "text": b"no archive at all",
    "more than there is": zipped(npy((10**13,))),
    "more than 64 bits": zipped(npy((2**40, 2**40))),
    "less than there is": zipped(npy((1,), content=b"\0" * 16)),
    "negative shape": zipped(npy((-1, -8), content=b"\0" * 64)),
    "objects": zipped(npy((1,), "|O", b"\0" * 8)),
    "nothing in each": zipped(npy((10**13,), "|V0")),
    "compressed": zipped(npy((10**6,), content=b"\0" * 8 * 10**6), zipfile.ZIP_DEFLATED),
    "no array": zipped(b"text"),
    "a version to come": zipped(b"\x93NUMPY\x09\x00" + npy((1,))[8:]),
    "brackets": zipped(b"\x93NUMPY\x01\x00" + struct.pack("<H", 9000) + b"(" * 9000),
    "a large entry": declaring(2**31),
    "overlapping": of_parts_that_overlap(),
}


def test_arrays_come_back(tmp_path):
    path = tmp_path / "x"
    with open(path, "xb") as file:
        write_arrays(file, ARRAYS)
    found = read_arrays(path)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        assert_array_equal(found[name], array)
        found[name][...] = 0
    with np.load(path) as archive:
        assert_array_equal(archive["a"], ARRAYS["a"])


@pytest.fixture
def archive(tmp_path):
    """Return the bytes of an archive."""
    with open(tmp_path / "x", "xb") as file:
        write_arrays(file, {"a": np.arange(3.0)})
    return (tmp_path / "x").read_bytes()


def assert_damaged(path, content):
    path.write_bytes(content)
    with pytest.raises(DamagedArchiveError):
        read_arrays(path)


def test_any_flipped_bit_is_noticed(archive, tmp_path):
    # One bit of each byte, and every bit of the seal.
    seal = range(len(archive) - len(_MARK) - _HASH_SIZE, len(archive))
    flips = [(place, place % 8) for place in range(len(archive))]
    for place, bit in flips + [(place, bit) for place in seal for bit in range(8)]:
        damaged = bytearray(archive)
        damaged[place] ^= 1 << bit
        assert_damaged(tmp_path / "x", bytes(damaged))


def test_a_file_cut_short_or_prolonged_is_noticed(archive, tmp_path):
    for length in range(len(archive)):
        assert_damaged(tmp_path / "x", archive[:length])
    for more in (b"\0", b"x" * 100, archive):
        assert_damaged(tmp_path / "x", archive + more)
        assert_damaged(tmp_path / "x", more + archive)


@pytest.mark.parametrize("archive", MADE_UP.values(), ids=MADE_UP)
def test_forged_files_are_refused_without_allocating_memory(archive, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(sealed(archive))
    tracemalloc.start()
    try:
        with pytest.raises(DamagedArchiveError):
            read_arrays(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * len(archive) + 2**23


def test_files_of_other_kinds_are_refused(tmp_path):
    np.savez(tmp_path / "earlier.npz", **ARRAYS)
    for path, fragment in ((tmp_path / "earlier.npz", "earlier version"), (tmp_path, "regular")):
        with pytest.raises(DamagedArchiveError, match=fragment):
            read_arrays(path)


def test_a_large_file_of_another_kind_is_not_read(tmp_path):
    path = tmp_path / "x"
    with open(path, "wb") as file:
        file.truncate(2**40)
    with pytest.raises(DamagedArchiveError, match="not a checkpoint"):
        read_arrays(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DamagedArchiveError, match="not a regular file"):
        read_arrays(tmp_path / "pipe")
