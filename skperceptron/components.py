"""What all swappable parts share: searchable parameters with ranges, and names."""

from __future__ import annotations

import inspect
from collections.abc import Hashable, Mapping
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any, ClassVar, TypeVar

from .options import Checked, Interval, did_you_mean, plain

__all__ = ["Component", "Interval", "by_name", "find", "key_of", "public_classes"]


class Component(Checked):
    """Base of everything that an estimator is told to use by a name or an object.

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
        Which methods do the same as another one, only faster, and which attributes say that there
        are such methods. A subclass that redefines the other one alone gets the base's plain
        versions of these; so the other one, where it uses them, names its own class, not ``self``.
    records : bool
        Whether its methods do the same arithmetic whatever the numbers are, so that compiled
        steps may repeat what they have done once. The classes of this package do; a class from
        elsewhere that does sets it to True itself.
    """

    names: ClassVar[tuple[str, ...]] = ()
    ranges: ClassVar[dict[str, Interval]] = {}
    shortcuts: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    records: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.records = vars(cls).get("records", cls.__module__.startswith("skperceptron."))
        for method, others in cls.shortcuts.items():
            redefined = _definitions(cls, method)[0]
            for name in others:
                places = _definitions(cls, name)
                if redefined < places[0] < places[-1]:
                    setattr(cls, name, vars(cls.__mro__[places[-1]])[name])

    def check_parameters(self) -> None:
        """Raise ValueError, which is a TypeError too, if a parameter is not what it must be."""
        for name, interval in self.ranges.items():
            self._check_parameter(name, [interval])
        super().check_parameters()

    def make_numbers_plain(self) -> None:
        for name in self.ranges:
            setattr(self, name, plain(getattr(self, name)))
        super().make_numbers_plain()


def _definitions(cls: type, name: str) -> list[int]:
    """Return where in the method resolution order an attribute is defined, the nearest first."""
    return [place for place, base in enumerate(cls.__mro__) if name in vars(base)]


def key_of(item: object) -> Hashable:
    """Return what two objects agree in that are equal in type and attributes.

    One with an attribute that cannot be hashed, such as an array, stands for itself: it must live
    as long as its key.
    """
    try:
        return type(item), frozenset(vars(item).items())
    except TypeError:
        return id(item)


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
            raise ValueError(
                f"Unknown {what} {value!r}{purpose}. Known names: {known}."
                f"{did_you_mean(value, list(classes))}"
            )
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
