"""A lock has one holder at a time, ends with its process, and leaves nothing behind."""

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from skperceptron.training import locks
from skperceptron.training.locks import FileLock, locked


def test_a_lock_has_one_holder_at_a_time(tmp_path):
    first, second = (FileLock(tmp_path / "lock") for _ in range(2))
    assert first.acquire()
    assert not second.acquire()
    second.release()
    assert (tmp_path / "lock").exists()
    first.release()
    assert second.acquire()
    second.release()
    assert not list(tmp_path.iterdir())


def test_releasing_twice_is_no_error(tmp_path):
    lock = FileLock(tmp_path / "lock")
    lock.acquire()
    for _ in range(2):
        lock.release()


def test_a_file_that_was_removed_meanwhile_is_no_lock(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    holder, other = FileLock(path), FileLock(path)
    holder.acquire()
    take = locks._take

    def release_first(descriptor):
        # The holder releases it after this process has opened the file, but before it locks it.
        monkeypatch.setattr(locks, "_take", take)
        holder.release()
        return take(descriptor)

    monkeypatch.setattr(locks, "_take", release_first)
    assert other.acquire()
    assert path.exists()
    assert not FileLock(path).acquire()
    other.release()


@pytest.mark.parametrize("method", ["acquire", "release"])
def test_an_interruption_leaves_no_lock_that_nobody_can_release(method, tmp_path, monkeypatch):
    path = tmp_path / "lock"
    lock = FileLock(path)
    if method == "release":
        lock.acquire()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        name = {"acquire": "stat", "release": "unlink"}[method]
        patch.setattr(os, name, Mock(side_effect=KeyboardInterrupt))
        getattr(lock, method)()
    other = FileLock(path)
    assert other.acquire()
    other.release()


def test_an_open_file_has_one_holder_at_a_time(tmp_path):
    path = tmp_path / "lines"
    with path.open("a") as first, path.open("a") as second:
        with locked(first.fileno()):
            assert not locks._take(second.fileno())
        with locked(second.fileno()):
            assert not locks._take(first.fileno())


def test_waits_for_the_holder_of_an_open_file(tmp_path, monkeypatch):
    path, pauses = tmp_path / "lines", []
    with path.open("a") as first, path.open("a") as second:
        assert locks._take(first.fileno())

        def end_soon(seconds):
            pauses.append(seconds)
            if len(pauses) == 2:
                locks._give_back(first.fileno())

        monkeypatch.setattr(locks, "sleep", end_soon)
        with locked(second.fileno()):
            assert not locks._take(first.fileno())
    assert len(pauses) == 2


# The code for Windows, with locks of POSIX in place of msvcrt's.


class Msvcrt:
    """Locks one byte at the position of an open file, as ``msvcrt`` does."""

    LK_UNLCK, LK_NBLCK = 0, 2

    def __init__(self):
        self.fcntl = pytest.importorskip("fcntl")
        self.has_locks = True

    def locking(self, descriptor, mode, n_bytes):
        assert (os.lseek(descriptor, 0, os.SEEK_CUR), n_bytes) == (2**30, 1)
        if not self.has_locks:
            raise OSError("The file system has no locks.")
        fcntl = self.fcntl
        flag = {self.LK_UNLCK: fcntl.LOCK_UN, self.LK_NBLCK: fcntl.LOCK_EX | fcntl.LOCK_NB}[mode]
        try:
            fcntl.flock(descriptor, flag)
        except BlockingIOError as error:
            raise PermissionError from error


@pytest.fixture
def on_windows(monkeypatch):
    if sys.platform == "win32":
        pytest.skip("Windows runs this code in all other tests.")
    system = Msvcrt()
    spec = importlib.util.spec_from_file_location("locks_of_windows", locks.__file__)
    module = importlib.util.module_from_spec(spec)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "win32")
        patch.setitem(sys.modules, "msvcrt", system)
        spec.loader.exec_module(module)
    assert module.msvcrt is system
    return module


def test_a_lock_has_one_holder_at_a_time_on_windows(on_windows, tmp_path, monkeypatch):
    remove = os.unlink

    def remove_closed(path):
        with path.open() as file:
            if not locks._take(file.fileno()):
                raise PermissionError("Windows cannot remove an open file.")
        remove(path)

    monkeypatch.setattr(os, "unlink", remove_closed)
    first, second = (on_windows.FileLock(tmp_path / "lock") for _ in range(2))
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert not list(tmp_path.iterdir())
    assert second.acquire()
    assert not first.acquire()
    # A file that another has opened before it is removed is that other's lock.
    monkeypatch.setattr(os, "unlink", Mock(side_effect=PermissionError))
    second.release()
    assert first.acquire()
    first.release()


def test_lines_are_appended_behind_a_lock_on_windows(on_windows, tmp_path):
    path = tmp_path / "lines"
    with path.open("a") as first, path.open("a") as second:
        with on_windows.locked(first.fileno()):
            assert not on_windows._take(second.fileno())
            first.write("one\n")
            first.flush()
        with on_windows.locked(second.fileno()):
            second.write("two\n")
            second.flush()
    # The locked byte is far behind the end, but nothing is written there.
    assert path.read_text() == "one\ntwo\n"


def test_files_without_locks_are_written_on_windows(on_windows, tmp_path):
    on_windows.msvcrt.has_locks = False
    locks_of_one_file = [on_windows.FileLock(tmp_path / "lock") for _ in range(2)]
    assert all(lock.acquire() for lock in locks_of_one_file)
    for lock in locks_of_one_file:
        lock.release()


HOLDER = """
import sys, time
from pathlib import Path
from skperceptron.training.locks import FileLock
print(FileLock(Path(sys.argv[1])).acquire(), flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(os.name != "posix", reason="kills with SIGKILL")
def test_a_killed_process_holds_no_lock(tmp_path):
    path = tmp_path / "lock"
    root = str(Path(sys.modules["skperceptron"].__file__).parents[1])
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        env=os.environ | {"PYTHONPATH": root},
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout.readline() == "True\n"
        assert not FileLock(path).acquire()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    lock = FileLock(path)
    assert lock.acquire()
    lock.release()
    assert not list(tmp_path.iterdir())
