"""Inner objects as plain data: how pickles and files keep what no user has a name for.

A fitted estimator holds objects of this package that nobody makes by hand: networks, blocks,
targets, counters. A pickle of them names the modules that they are defined in, so that it would
break when these are tidied up. So they are kept under a short name, given by :func:`kept_as`, with
what they hold beside it: ``{"kept_as": "node", "holds": {...}}``. Components such as activations,
which users make, and estimators are kept as they are. Their classes name the public module that
offers them: see :func:`offered_by`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["kept_as", "offered_by", "plain_state", "restored_state", "set_state"]

#: What marks a dictionary that stands for an object.
KIND, CONTENT = "kept_as", "holds"

Kind = TypeVar("Kind", bound=type)

_CLASSES: dict[str, type] = {}
_NAMES: dict[type, str] = {}


def kept_as(name: str) -> Callable[[Kind], Kind]:
    """Return a decorator: objects of the class are kept under this name, which never changes."""

    def register(cls: Kind) -> Kind:
        if _CLASSES.setdefault(name, cls) is not cls:
            raise ValueError(f"{_CLASSES[name].__name__} and {cls.__name__} are kept as {name!r}.")
        _NAMES[cls] = name
        return cls

    return register


def offered_by(module: str) -> None:
    """Let the classes that a public module offers name it as their own, as NumPy's functions do.

    Pickles and representations then tell the path that users import, which stays. What a class
    consists of is found by its methods: ``inspect.getsource(MLPClassifier.fit)``.

    Parameters
    ----------
    module : str
        Its ``__all__`` names what it offers.
    """
    for name in sys.modules[module].__all__:
        offered = getattr(sys.modules[module], name)
        if isinstance(offered, type):
            offered.__module__ = module


def plain_state(value: Any) -> Any:
    """Return a value whose inner objects are told as dictionaries.

    Containers in which there are none stay the same objects.
    """
    name = _NAMES.get(type(value))
    if name is not None:
        return {KIND: name, CONTENT: plain_state(_content(value))}
    return _mapped(value, plain_state)


def restored_state(value: Any) -> Any:
    """Undo :func:`plain_state`.

    Raises
    ------
    ValueError
        If an object is kept under a name that this version does not know.
    """
    if type(value) is dict and value.keys() == {KIND, CONTENT}:
        return _made(value[KIND], restored_state(value[CONTENT]))
    return _mapped(value, restored_state)


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a container with what a function makes of its items; itself if that is the same."""
    if type(value) is dict:
        found: Any = {key: change(item) for key, item in value.items()}
        is_same = all(found[key] is item for key, item in value.items())
        return value if is_same else found
    if type(value) in (list, tuple):
        if not value or type(value[0]) in (float, int):
            # Such as a loss for each epoch.
            return value
        items = [change(item) for item in value]
        is_same = all(new is old for new, old in zip(items, value, strict=True))
        return value if is_same else type(value)(items)
    return value


def _content(value: Any) -> Any:
    """Return what an object holds; None if a new one is as good."""
    if "__reduce__" in vars(type(value)):
        return None
    state = value.__getstate__()
    return {} if state is None else state


def _made(name: str, content: Any) -> Any:
    """Return an object of a kind with what it holds."""
    if name not in _CLASSES:
        raise ValueError(
            f"This version of skperceptron knows nothing that is kept as {name!r}: the model was"
            " written by a newer one."
        )
    cls = _CLASSES[name]
    if content is None:
        return cls()
    made: Any = cls.__new__(cls)  # type: ignore[call-overload]
    set_state(made, content)
    return made


def set_state(made: Any, state: dict[str, Any]) -> None:
    """Let an object that has been made without its ``__init__`` hold a state, as pickle does."""
    if hasattr(made, "__setstate__"):
        made.__setstate__(state)
    else:
        vars(made).update(state)
