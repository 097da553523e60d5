"""A lock has one holder at a time, ends with its process, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from skperceptron.training import locks
from skperceptron.training.locks import FileLock, locked


def test_one_holder_at_a_time(tmp_path):
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
