"""What all swappable parts share: searchable parameters with ranges, and names."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from numbers import Real
from types import MappingProxyType, ModuleType
from typing import Any, ClassVar, TypeVar

import numpy as np
from sklearn.base import BaseEstimator

__all__ = ["Component", "Interval", "by_name", "find", "public_classes"]


@dataclass(frozen=True)
class Interval:
    """A range of numbers; an infinite bound is never part of it."""

    low: float = -np.inf
    high: float = np.inf
    low_closed: bool = False
    high_closed: bool = False

    def contains(self, values: Any) -> bool:
        """Tell whether all values lie in the range."""
        values = np.asarray(values)
        above = values >= self.low if self.low_closed else values > self.low
        below = values <= self.high if self.high_closed else values < self.high
        return bool((above & below).all())

    def __str__(self) -> str:
        left, right = "[" if self.low_closed else "(", "]" if self.high_closed else ")"
        return f"{left}{self.low}, {self.high}{right}"


class Component(BaseEstimator):
    """Base of everything that an estimator is told to use by a name or an object.

    Parameters are arguments of ``__init__``, stored unchanged.

    Attributes
    ----------
    names : tuple of str
        Names of a built-in component; the first is canonical.
    ranges : dict of str to Interval
        Range of each numeric parameter.
    shortcuts : dict of str to tuple of str
        Which methods do the same as another one, only faster. A subclass that redefines the other
        one alone gets the base's plain versions of these; so the other one, where it uses them,
        names its own class, not ``self``.
    """

    names: ClassVar[tuple[str, ...]] = ()
    ranges: ClassVar[dict[str, Interval]] = {}
    shortcuts: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for method, others in cls.shortcuts.items():
            redefined = _definitions(cls, method)[0]
            for name in others:
                places = _definitions(cls, name)
                if redefined < places[0] < places[-1]:
                    setattr(cls, name, vars(cls.__mro__[places[-1]])[name])

    def check_parameters(self) -> None:
        """Raise TypeError or ValueError if a parameter lies outside its range."""
        for name, interval in self.ranges.items():
            self.check_number(name, getattr(self, name), interval)

    def check_number(self, name: str, value: Any, interval: Interval) -> None:
        """Raise TypeError or ValueError if the value of a parameter is outside a range."""
        message = (
            f"The {name!r} parameter of {type(self).__name__} must be a float in the range"
            f" {interval}. Got {value!r} instead."
        )
        if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
            raise TypeError(message)
        if not interval.contains(value):
            raise ValueError(message)


def _definitions(cls: type, name: str) -> list[int]:
    """Return where in the method resolution order an attribute is defined, the nearest first."""
    return [place for place, base in enumerate(cls.__mro__) if name in vars(base)]


Kind = TypeVar("Kind", bound=Component)


def public_classes(module: ModuleType, base: type[Kind]) -> list[type[Kind]]:
    """Return the components that a module offers."""
    members = inspect.getmembers(module, inspect.isclass)
    return [cls for name, cls in members if issubclass(cls, base) and name[0] != "_"]


@cache
def by_name(module: ModuleType, base: type[Kind]) -> Mapping[str, type[Kind]]:
    """Return the components that a module offers, under all of their names."""
    # Kept: a search looks up the names of thousands of fits.
    return MappingProxyType(
        {name: cls for cls in public_classes(module, base) for name in cls.names}
    )


def find(
    value: Any, base: type[Kind], classes: Mapping[str, type[Kind]], purpose: str = ""
) -> Kind:
    """Return the component of a name, or a component as it is.

    Parameters
    ----------
    value : str or component
    base : type
        Of the component.
    classes : dict of str to type
    purpose : str, default=""
        What it is wanted for, as an addition to messages.

    Raises
    ------
    ValueError
        If there is no component of that name.
    TypeError
        If `value` is neither a string nor a component.
    """
    what = base.__name__.lower()
    if isinstance(value, str):
        if value not in classes:
            known = ", ".join(repr(name) for name in sorted(classes))
            raise ValueError(f"Unknown {what} {value!r}{purpose}. Known names: {known}.")
        return classes[value]()
    if not isinstance(value, base):
        hint = ""
        if isinstance(value, type) and issubclass(value, base):
            hint = f" Pass an instance: {value.__name__}()."
        article = "an" if what[0] in "aeiou" else "a"
        raise TypeError(
            f"{what} must be a string or {article} {base.__name__}, got {value!r}.{hint}"
        )
    return value
