"""How tasks are sent to workers, with the data that they need."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from pickle import dumps, loads
from threading import Lock
from traceback import format_exception
from typing import Any, TypeVar

from joblib import wrap_non_picklable_objects

Item = TypeVar("Item")


def as_sent(error: Exception) -> Any:
    """Return what any pickler turns into the error, even if a notebook defines its class."""
    return wrap_non_picklable_objects(error, keep_wrapper=False)


def sendable(error: Exception) -> Exception:
    """Return a copy of an error that another process can read: its text if the error cannot be.

    Such an error would break joblib's workers, or leave a pool of processes waiting for ever.
    """
    try:
        copy: Exception = loads(dumps(as_sent(error)))
    except Exception:
        copy = RuntimeError(f"{type(error).__name__}: {error}")
    return copy


class _ErrorToSend(Exception):
    """Stands for its argument, an error. Any pickler turns it into that error."""

    def __reduce__(self) -> Any:
        return as_sent(self.args[0]).__reduce__()


def as_raised(error: Exception) -> Exception:
    """Return what a worker raises for an error: the error itself if any pickler can send it.

    joblib's "multiprocessing" backend cannot send errors of classes that are defined in a notebook.
    """
    try:
        loads(dumps(error))
    except Exception:
        return _ErrorToSend(sendable(error))
    return error


def with_traceback(error: Exception) -> Exception:
    """Return such a copy with its traceback, which cannot be sent, as a note."""
    copy = sendable(error)
    if error.__traceback__ is not None:
        copy.add_note("In the process that raised it:\n" + "".join(format_exception(error)))
    return copy


class ProcessCache:
    """Results that several tasks of a process need, made by the first of them.

    A copy in another process begins empty.
    """

    def __init__(self) -> None:
        self._found: dict[Hashable, Any] = {}
        self._locks: dict[Hashable, Lock] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return ProcessCache, ()

    def get(self, key: Hashable, make: Callable[[], Item]) -> Item:
        """Return the result that is kept under a key; make and keep it if there is none."""
        # A worker may run several tasks at once, in threads.
        with self._locks.setdefault(key, Lock()):
            if key not in self._found:
                self._found[key] = make()
            return self._found[key]


class Sender:
    """Leaves tasks as they are: joblib's own backends memory-map or share large arrays."""

    #: Whether results of :meth:`started` stay on the workers, as futures that tasks may take.
    is_remote = False

    def task(self, function: Callable[..., Any], *arguments: Any) -> tuple[Any, ...]:
        """Return the function and arguments of an equivalent task that can be sent."""
        return function, *arguments

    def shared(self, value: Any) -> Any:
        """Return what tasks take in place of a value, so that each worker has one copy of it."""
        return value

    def started(self, cache: Any, tasks: Mapping[Hashable, tuple[Any, ...]]) -> dict[Hashable, Any]:
        """Start tasks on remote workers that transform rows; return futures of their results.

        Nothing is returned if each worker had better do this itself when it needs the rows. Tasks
        are functions and their arguments; ``cache`` is what they take in place of the
        ``ProcessCache`` that is to keep the results.
        """
        raise NotImplementedError

    @contextmanager
    def released_on_failure(self) -> Iterator[None]:
        """Let remote workers forget all that they have been sent if a ``with`` block fails."""
        yield
