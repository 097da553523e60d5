"""How tasks go to workers: what is large lies beside the task, not inside it.

A backend such as Dask's recognises the same array among the arguments of several tasks, and sends
it to a worker once; it does not look into what arguments hold.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from scipy import sparse

__all__ = ["apart", "holds_data"]

#: Bytes from which on an array is worth an argument of its own.
LARGE = 1000

Kind = TypeVar("Kind", bound=type)

_HOLDERS: set[type] = set()


def holds_data(cls: Kind) -> Kind:
    """Let arrays be taken out of the attributes of a class."""
    _HOLDERS.add(cls)
    return cls


@dataclass(frozen=True)
class _Place:
    """Stands for the array with this number."""

    number: int


def apart(function: Callable[..., Any], *arguments: Any) -> tuple[Any, ...]:
    """Return a call, function and arguments, that does the same, with its arrays at the end."""
    arrays: list[Any] = []
    numbers: dict[int, int] = {}

    def taken_out(value: Any) -> Any:
        if not _is_large(value):
            return value
        if id(value) not in numbers:
            numbers[id(value)] = len(arrays)
            arrays.append(value)
        return _Place(numbers[id(value)])

    return _call_whole, function, _mapped(arguments, taken_out), *arrays


def _call_whole(function: Callable[..., Any], arguments: Any, *arrays: Any) -> Any:
    def put_back(value: Any) -> Any:
        return arrays[value.number] if isinstance(value, _Place) else value

    return function(*_mapped(arguments, put_back))


def _is_large(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.nbytes >= LARGE and not value.dtype.hasobject
    return sparse.issparse(value) or hasattr(value, "iloc")


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return what containers and holders consist of, changed one by one."""
    if type(value) in (list, tuple):
        return type(value)(_mapped(item, change) for item in value)
    if type(value) is dict:
        return {key: _mapped(item, change) for key, item in value.items()}
    if type(value) in _HOLDERS:
        made = copy(value)
        vars(made).update({name: _mapped(item, change) for name, item in vars(value).items()})
        return made
    return change(value)
