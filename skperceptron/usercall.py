"""The user's call, found from within it: where warnings point, and what has happened in it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple

#: Packages between the user's line and ours: a search calls joblib, which calls scikit-learn.
_BETWEEN = frozenset({"contextlib", "joblib", "numpy", "scipy", "skperceptron", "sklearn"})

#: Packages whose functions a user calls to train. Not joblib: its workers outlive their tasks.
_CALLED = frozenset({"skperceptron", "sklearn"})

_MARK = "__{}_by_skperceptron__"

_CORRECTED = _MARK.format("corrected")


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the innermost line outside this package and the packages between it and the user."""
    correct = _correction()
    message = correct(message) if correct else message
    line = users_line()
    # A worker process may lack the module.
    module = sys.modules.get(line.module, sys.modules[__name__])
    registry = vars(module).setdefault("__warningregistry__", {})
    warnings.warn_explicit(message, category, *line, registry=registry)


@contextmanager
def correcting(correct: Callable[[str], str]) -> Iterator[None]:
    """Correct the messages of warnings in a ``with`` block.

    This is not done by filters of warnings, which all threads share.
    """
    _users_call().f_locals[_CORRECTED] = correct
    try:
        yield
    finally:
        _users_call().f_locals[_CORRECTED] = None


def _correction() -> Any:
    return _users_call().f_locals.get(_CORRECTED)


def tell(message: str) -> None:
    """Warn, or print to stderr if the user's filter turns warnings into errors.

    The fit can continue: an error would end it needlessly.
    """
    try:
        warn(message)
    except UserWarning:
        print(message, file=sys.stderr)


class Line(NamedTuple):
    """A line of a program."""

    file: str
    number: int
    module: str


def users_line() -> Line:
    """Return the innermost line outside this package and the packages between it and the user.

    In a task of a worker, this is the line that `at_line` was given, unless code of the user is
    part of the task. If there is no such line, it is the outermost one.
    """
    # A list of frames would hold this frame, too: a cycle that keeps the arrays of a fit alive.
    for frame in _frames():
        if frame.f_code is at_line.__code__:
            return frame.f_locals["line"]
        if _package_of(frame) not in _BETWEEN:
            break
    return Line(frame.f_code.co_filename, frame.f_lineno, _name_of(frame))


def at_line(line: Line, function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a task in a worker as if it were called from a line of the user's program."""
    return function(*arguments)


class AtUsersLine:
    """Replaces the module ``warnings`` in functions that would warn at a line of ours.

    Unless ``always``, it only does so if warnings are corrected.
    """

    def __init__(self, always: bool = True) -> None:
        self._always = always

    def __getattr__(self, name: str) -> Any:
        return getattr(warnings, name)

    def warn(
        self, message: str, category: type[Warning] = UserWarning, stacklevel: int = 1
    ) -> None:
        """Warn at the user's line, whatever `stacklevel` says."""
        if self._always or _correction():
            warn(message, category)
        else:
            warnings.warn(message, category, stacklevel + 1)


def interrupted() -> None:
    """Note that the user has pressed the interrupt key during training.

    The current fit then ends with what it has learned. If it is one of many, as in a search, the
    others still run; when the key is pressed again, KeyboardInterrupt ends all of them.
    """
    if not first_in_call("interrupted"):
        raise KeyboardInterrupt


def first_in_call(what: str) -> bool:
    """Tell whether something happens for the first time in the user's call.

    A search may have the same warning for a hundred fits: only the first one needs a long text.
    """
    marks, name = _users_call().f_locals, _MARK.format(what)
    is_first = not marks.get(name)
    # A mark among the variables of the call disappears with it, and keeps nothing alive.
    marks[name] = True
    return is_first


def has_happened(what: str) -> bool:
    """Tell whether something has happened before in the user's call."""
    return bool(_users_call().f_locals.get(_MARK.format(what)))


def forget_in_call(*what: str) -> None:
    """Forget that things have happened in the user's call."""
    for one in what:
        _users_call().f_locals[_MARK.format(one)] = False


def _users_call() -> FrameType:
    """Return the frame of the outermost function that a user calls to train."""
    found: FrameType | None = None
    for frame in _frames():
        if _package_of(frame) in _CALLED:
            found = frame
    assert found is not None
    return found


def _frames() -> Iterator[FrameType]:
    """Yield the frames of the call stack, the innermost first."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _package_of(frame: FrameType) -> str:
    return _name_of(frame).partition(".")[0]


def _name_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def warn_of_interruption(estimator: Any, trained: str) -> None:
    """Note an interruption, as ``interrupted`` does, and warn which estimator it has ended.

    Its parameters tell the candidates of a search apart. ``trained`` says how long it was trained.
    """
    interrupted()
    name = " ".join(repr(estimator).split())
    tell(
        f"Training interrupted by user. {name} keeps what it has learned in {trained}. A search or"
        " ensemble that it is part of continues; interrupt again to end that, too."
    )
