"""The base of all exchangeable parts: searchable parameters with ranges, and names."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache, wraps
from types import MappingProxyType, ModuleType
from typing import Any, ClassVar, TypeVar

import numpy as np

from .engine.calls import refuse_lost
from .options import Checked, Instance, Interval, did_you_mean, hint_for, plain

__all__ = [
    "Component",
    "Interval",
    "by_name",
    "find",
    "is_built_in",
    "key_of",
    "public_classes",
    "undefined",
]

ResultCheck = Callable[[str, Any, Sequence[Any]], None]


class Component(Checked):
    """Base of all parts that an estimator accepts as a name or an object.

    Parameters are arguments of ``__init__``, stored unchanged.

    Attributes
    ----------
    names : tuple of str
        Names of a built-in component; the first is canonical.
    ranges : dict of str to Interval
        Range of each numeric parameter.
    rules : dict of str to sequence of Rule or None
        What each other parameter may be.
    shortcuts : dict of str to tuple of str
        For a method, its faster versions, and the attributes which say that there are any. A class
        from elsewhere that redefines the method alone gets the base's plain versions of these. So
        a method that calls its own faster version names its class in the call, not ``self``.
    in_place : tuple of str
        Methods that write into an argument. Those of a class from elsewhere raise TypeError if they
        return anything else, since what they return would be lost.
    unchanged : dict of str to tuple of int
        For a method, the places of arguments that it must not change. Those of a class from
        elsewhere are given views of them that cannot be written to.
    result_checks : dict of str to callable
        For a method, a function ``check(name, result, arguments)`` that raises an error if a class
        from elsewhere returns what cannot be right.
    records : bool
        Whether its methods do the same array operations for all values, so that compiled steps
        may record them once and repeat them. True for the classes of this package; a class from
        elsewhere must set it to True itself.
    """

    names: ClassVar[tuple[str, ...]] = ()
    ranges: ClassVar[dict[str, Interval]] = {}
    shortcuts: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    in_place: ClassVar[tuple[str, ...]] = ()
    unchanged: ClassVar[Mapping[str, tuple[int, ...]]] = {}
    result_checks: ClassVar[Mapping[str, ResultCheck]] = {}
    records: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        is_ours = is_built_in(cls)
        cls.records = vars(cls).get("records", is_ours)
        if is_ours:
            return
        for name in {*cls.in_place, *cls.unchanged, *cls.result_checks}:
            method = vars(cls).get(name)
            if inspect.isfunction(method):
                check = cls.result_checks.get(name, refuse_lost)
                setattr(cls, name, _guarded(method, cls.unchanged.get(name, ()), check))
        for method, others in cls.shortcuts.items():
            redefined = _definitions(cls, method)[0]
            for name in others:
                places = _definitions(cls, name)
                if redefined < places[0] < places[-1]:
                    setattr(cls, name, vars(cls.__mro__[places[-1]])[name])

    def check_parameters(self) -> None:
        """Raise InvalidOption, a ValueError and TypeError, if a parameter is invalid."""
        for name, interval in self.ranges.items():
            self._check_parameter(name, [interval])
        super().check_parameters()

    def make_numbers_plain(self) -> None:
        for name in self.ranges:
            setattr(self, name, plain(getattr(self, name)))
        super().make_numbers_plain()


def _guarded(
    method: Callable[..., Any], unchanged: tuple[int, ...], check: ResultCheck
) -> Callable[..., Any]:
    """Return a method that cannot write to some arguments, and whose results are checked."""

    @wraps(method)
    def guarded(self: Any, *arguments: Any, **keywords: Any) -> Any:
        given = [_read_only(x) if i in unchanged else x for i, x in enumerate(arguments)]
        result = method(self, *given, **keywords)
        check(method.__qualname__, result, (*given, *keywords.values()))
        return result

    return guarded


def _read_only(x: Any) -> Any:
    """Return a view of an array that cannot be written to; anything else as it is."""
    if not isinstance(x, np.ndarray):
        return x
    view = x.view()
    view.flags.writeable = False
    return view


def _definitions(cls: type, name: str) -> list[int]:
    """Return the places in the method resolution order that define an attribute, nearest first."""
    return [place for place, base in enumerate(cls.__mro__) if name in vars(base)]


def undefined(part: object, method: str) -> NotImplementedError:
    """Return the error for a method that each class of a kind has to define."""
    return NotImplementedError(f"{type(part).__name__} must define the method {method}.")


def is_built_in(cls: type) -> bool:
    """Tell whether a class is one of this package's, not one from elsewhere."""
    return cls.__module__.startswith("skperceptron.")


def key_of(item: object) -> Hashable:
    """Return a key that is equal for objects of equal type and attributes.

    An object with an attribute that cannot be hashed, such as an array, has its ``id`` as key: it
    must live as long as the key.
    """
    try:
        return type(item), frozenset(vars(item).items())
    except TypeError:
        return id(item)


Kind = TypeVar("Kind", bound=Component)


def public_classes(module: ModuleType, base: type[Kind]) -> list[type[Kind]]:
    """Return the public components of a module."""
    members = inspect.getmembers(module, inspect.isclass)
    return [cls for name, cls in members if issubclass(cls, base) and name[0] != "_"]


@cache
def by_name(base: type[Kind]) -> Mapping[str, type[Kind]]:
    """Return the public components of a kind, from the module of their base, by all names."""
    # Cached: a search looks up the names of thousands of fits.
    classes = public_classes(sys.modules[base.__module__], base)
    return MappingProxyType({name: cls for cls in classes for name in cls.names})


def find(
    value: Any,
    base: type[Kind],
    classes: Mapping[str, type[Kind]] | None = None,
    purpose: str = "",
) -> Kind:
    """Return a component from its name, or the component itself.

    ``classes`` holds the classes by their names; None means those of ``by_name``. ``purpose`` is
    added to the message about an unknown name, such as " for binary". Raises ValueError for an
    unknown name, TypeError for anything that is neither a string nor such a component.
    """
    if classes is None:
        # mypy takes the type of a bound class for unhashable.
        classes = by_name(base)  # type: ignore[arg-type]
    what = base.__name__.lower()
    if isinstance(value, str):
        if value not in classes:
            known = sorted(classes)
            raise ValueError(
                f"Unknown {what} {value!r}{purpose}. Known names: {', '.join(map(repr, known))}."
                f"{did_you_mean(value, known)}"
            )
        return classes[value]()
    if not isinstance(value, base):
        article = "an" if what[0] in "aeiou" else "a"
        raise TypeError(
            f"{what} must be a string or {article} {base.__name__}, got {value!r}."
            f"{hint_for(value, [Instance(base)])}"
        )
    return value
