"""Inner objects as plain data: how pickles and files store objects that users do not make.

A fitted estimator holds objects of this package that nobody makes by hand: networks, blocks,
targets, counters. A pickle names the modules in which their classes are defined, so that it would
break when these modules change. So each object is stored as a short name, given by
:func:`kept_as`, and its content: ``{"kept_as": "node", "holds": {...}}``. Ranges and NumPy's
dtypes, which skops does not trust, are stored in the same form. Estimators, and components such as
activations, which users make, are stored as they are. Their classes name the public module that
offers them: see :func:`offered_by`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

#: Keys of a dictionary that stands for an object.
KIND, CONTENT = "kept_as", "holds"

#: Makes values that are not of this package from their content, by the names they are stored under.
_FOREIGN: dict[str, Callable[[Any], Any]] = {
    "dtype": np.dtype,
    "range": lambda bounds: range(*bounds),
}

#: Most numbers of a range in an inner object: these are columns of X. A few bytes can describe more
#: than memory holds.
LONGEST_RANGE = 10_000_000

Kind = TypeVar("Kind", bound=type)

_CLASSES: dict[str, type] = {}
_NAMES: dict[type, str] = {}


def kept_as(name: str) -> Callable[[Kind], Kind]:
    """Return a class decorator: objects are stored under this name, which must never change."""

    def register(cls: Kind) -> Kind:
        if _CLASSES.setdefault(name, cls) is not cls:
            raise ValueError(f"{_CLASSES[name].__name__} and {cls.__name__} are kept as {name!r}.")
        _NAMES[cls] = name
        return cls

    return register


def offered_by(module: str) -> None:
    """Set ``__module__`` of the classes that a public module lists to that module, as NumPy does.

    Pickles and representations then show the path that users import, which does not change. To see
    the source of a class, ask for that of a method: ``inspect.getsource(MLPClassifier.fit)``.
    """
    for name in sys.modules[module].__all__:
        offered = getattr(sys.modules[module], name)
        if isinstance(offered, type):
            offered.__module__ = module


def plain_state(value: Any) -> Any:
    """Return a value with its inner objects replaced by dictionaries.

    Containers without inner objects are returned as they are, not copied.
    """
    if isinstance(value, np.dtype) and value.kind in "biufc":
        return {KIND: "dtype", CONTENT: value.str}
    if type(value) is range:
        return {KIND: "range", CONTENT: [value.start, value.stop, value.step]}
    name = _NAMES.get(type(value))
    if name is not None:
        return {KIND: name, CONTENT: plain_state(_content(value))}
    return _mapped(value, plain_state)


def restored_state(value: Any) -> Any:
    """Undo :func:`plain_state`.

    Raises ValueError for a name that this version does not know, or an impossible state.
    """
    if type(value) is dict and value.keys() == {KIND, CONTENT}:
        return _made(value[KIND], restored_state(value[CONTENT]))
    return _mapped(value, restored_state)


def _refuse_long_ranges(value: Any) -> Any:
    if type(value) is range and len(value) > LONGEST_RANGE:
        raise ValueError(f"The model holds {value}, which is longer than its networks can need.")
    return _mapped(value, _refuse_long_ranges)


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Apply a function to the items of a container; return the same container if none changes."""
    if type(value) is dict:
        found: Any = {key: change(item) for key, item in value.items()}
        is_same = all(found[key] is item for key, item in value.items())
        return value if is_same else found
    if type(value) in (list, tuple):
        if not value or type(value[0]) in (float, int):
            # Numbers, such as the losses of all epochs: nothing to change.
            return value
        items = [change(item) for item in value]
        is_same = all(new is old for new, old in zip(items, value, strict=True))
        return value if is_same else type(value)(items)
    return value


def _content(value: Any) -> Any:
    """Return the state of an object; None if its class makes an equal one without arguments."""
    if "__reduce__" in vars(type(value)):
        return None
    state = value.__getstate__()
    return {} if state is None else state


def _made(name: str, content: Any) -> Any:
    """Return a new object, given the name of its class and its state."""
    if name in _FOREIGN:
        return _FOREIGN[name](content)
    if name not in _CLASSES:
        raise ValueError(
            f"This version of skperceptron does not know {name!r}: the model was written by a"
            " newer one."
        )
    cls = _CLASSES[name]
    if content is None:
        return cls()
    _refuse_long_ranges(content)
    made: Any = cls.__new__(cls)  # type: ignore[call-overload]
    set_state(made, content)
    return made


def set_state(made: Any, state: dict[str, Any]) -> None:
    """Set the state of an object that has been made without ``__init__``, as pickle does."""
    if hasattr(made, "__setstate__"):
        made.__setstate__(state)
    else:
        vars(made).update(state)
