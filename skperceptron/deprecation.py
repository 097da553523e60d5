"""Marks for what will be removed: users are warned, and a test fails when the time has come.

The policy is in ``docs/releasing.rst``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from .usercall import warn

Marked = TypeVar("Marked", bound=Callable[..., Any])


@dataclass(frozen=True)
class Deprecation:
    """What will be removed, since and until when, and what to write instead."""

    what: str
    since: str
    until: str
    instead: str

    def tell(self) -> None:
        """Warn the user."""
        warn(
            f"{self.what} is deprecated since skperceptron {self.since} and will be removed in"
            f" {self.until}: use {self.instead} instead.",
            FutureWarning,
        )


_KNOWN: list[Deprecation] = []


def list_deprecations() -> list[Deprecation]:
    """Return all deprecations in the modules that have been imported."""
    return list(_KNOWN)


def deprecated(*, since: str, until: str, instead: str) -> Callable[[Marked], Marked]:
    """Return a decorator for a function or class that will be removed.

    Parameters
    ----------
    since, until : str
        The first version that warns, and the first version without it.
    instead : str
        What to write instead.

    Examples
    --------
    >>> import warnings
    >>> from skperceptron.deprecation import deprecated
    >>> @deprecated(since="0.3", until="0.5", instead="double")
    ... def twice(x):
    ...     return 2 * x
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     result = twice(4)
    >>> print(caught[0].message)
    twice is deprecated since skperceptron 0.3 and will be removed in 0.5: use double instead.
    """

    def mark(thing: Marked) -> Marked:
        noted = _noted(thing.__name__, since, until, instead)
        if not isinstance(thing, type):
            return _telling(thing, lambda *args, **params: noted.tell())
        # A class must remain a class: only its __init__ is wrapped.
        made: Any = thing
        made.__init__ = _telling(made.__init__, lambda *args, **params: noted.tell())
        return thing

    return mark


def deprecated_parameter(
    name: str, *, since: str, until: str, instead: str
) -> Callable[[Marked], Marked]:
    """Return a decorator for a function with a parameter that will be removed.

    Calls that pass it warn, whatever its value. `since`, `until` and `instead` are as in
    :func:`deprecated`.
    """

    def mark(function: Marked) -> Marked:
        signature = inspect.signature(function)
        if name not in signature.parameters:
            raise TypeError(f"{function.__qualname__} has no parameter {name!r} to deprecate.")
        what = f"The parameter {name!r} of {function.__qualname__}"
        noted = _noted(what, since, until, instead)

        def tell(*args: Any, **params: Any) -> None:
            if name in signature.bind_partial(*args, **params).arguments:
                noted.tell()

        return _telling(function, tell)

    return mark


def _noted(what: str, since: str, until: str, instead: str) -> Deprecation:
    noted = Deprecation(what, since, until, instead)
    _KNOWN.append(noted)
    return noted


def _telling(function: Any, tell: Callable[..., None]) -> Any:
    @wraps(function)
    def telling(*args: Any, **params: Any) -> Any:
        tell(*args, **params)
        return function(*args, **params)

    return telling
