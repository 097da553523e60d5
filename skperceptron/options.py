"""Rules for the values that options may have, and the one check that applies them.

An option is a parameter of an estimator, a component, a callback, a search or a function. Its
rules are alternatives: a value that one of them allows is valid. Only real numbers count as numbers
(not ``True``, strings or arrays), and only Python's and NumPy's booleans as flags.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from math import inf, isfinite
from numbers import Integral, Real
from types import CellType, FunctionType
from typing import Any, ClassVar, TypeVar

import numpy as np
from sklearn.base import BaseEstimator

__all__ = [
    "AnyNumber",
    "Checked",
    "ChecksOptions",
    "Filled",
    "Flag",
    "Function",
    "HasMethods",
    "Infinity",
    "Instance",
    "Interval",
    "InvalidOption",
    "Listing",
    "Name",
    "Precision",
    "RememberedNames",
    "Rule",
    "Weights",
    "Workers",
    "check_option",
    "did_you_mean",
    "hint_for",
    "is_allowed",
    "is_immutable",
    "is_number",
    "items_of",
    "plain",
    "shown",
    "speak_for",
    "speaks_for_itself",
]

#: Largest number of characters of a value that a message shows.
SHOWN = 200

#: Integers from this one on fit into no array shape and no counter.
TOO_LARGE = 2**63

#: Types of values that cannot change. (A set, since each clone of a network looks up fifty types.)
IMMUTABLE = frozenset({str, int, float, bool, type(None)})


class InvalidOption(ValueError, TypeError):
    """The value of an option is invalid; the reason may be its type or the value itself."""


class Rule:
    """Base class of all rules; in messages, ``text`` or one of ``texts`` follows "must be"."""

    def allows(self, value: Any) -> bool:
        """Tell whether a value is valid."""
        raise NotImplementedError

    @property
    def text(self) -> str:
        """Describe the valid values."""
        raise NotImplementedError

    @property
    def texts(self) -> list[str]:
        """Describe the valid values, one kind after the other."""
        return [self.text]


#: Alternative rules; the rule None allows the value None.
Rules = Sequence[Rule | None]


def is_number(value: Any) -> bool:
    """Tell whether a value is an integer below 2**63 in size or another real number, even inf."""
    if type(value) is float:
        return True
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        return False
    if isinstance(value, Integral):
        return abs(int(value)) < TOO_LARGE
    try:
        float(value)
    except OverflowError:
        return False
    return True


def plain(value: Any) -> Any:
    """Return a number as Python's int or float, as NumPy's may overflow; else the value itself."""
    if not is_number(value):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def is_immutable(value: Any) -> bool:
    """Tell whether a value is a str, int, float, bool or None, or a tuple of such values."""
    kind = type(value)
    if kind is tuple:
        return all(map(is_immutable, value))
    return kind in IMMUTABLE


def items_of(value: Any) -> list[Any] | None:
    """Return the items of a list, tuple, range or array; None for anything else."""
    if isinstance(value, list | tuple | range):
        return list(value)
    is_array = not isinstance(value, type) and hasattr(value, "__array__")
    return list(value) if is_array and np.ndim(value) else None


@dataclass(frozen=True)
class Interval(Rule):
    """A range of finite numbers.

    Attributes
    ----------
    low, high : float
    low_closed, high_closed : bool
        Whether the bounds are part of it.
    whole : bool
        Whether a value must be an integer.
    """

    low: float = -np.inf
    high: float = np.inf
    low_closed: bool = False
    high_closed: bool = False
    whole: bool = False

    def contains(self, values: Any) -> bool:
        """Tell whether all values lie in the range."""
        return bool(self._within(np.asarray(values)).all())

    def allows(self, value: Any) -> bool:
        if not is_number(value) or (self.whole and not isinstance(value, Integral)):
            return False
        value = plain(value)
        return self._within(value) and isfinite(value)

    def _within(self, values: Any) -> Any:
        above = values >= self.low if self.low_closed else values > self.low
        below = values <= self.high if self.high_closed else values < self.high
        return above & below

    @property
    def text(self) -> str:
        return f"{'an int' if self.whole else 'a float'} in the range {self}"

    def __str__(self) -> str:
        left, right = "[" if self.low_closed else "(", "]" if self.high_closed else ")"
        return f"{left}{self.low}, {self.high}{right}"


class Flag(Rule):
    """True or False."""

    text = "True or False (an instance of 'bool')"

    def allows(self, value: Any) -> bool:
        return isinstance(value, bool | np.bool_)


class Infinity(Rule):
    """Infinity, for "never"."""

    text = "inf"

    def allows(self, value: Any) -> bool:
        return is_number(value) and value == inf


@dataclass(frozen=True)
class Name(Rule):
    """One of some names."""

    options: Sequence[str]

    def allows(self, value: Any) -> bool:
        return isinstance(value, str) and value in self.options

    @property
    def texts(self) -> list[str]:
        return list(map(repr, self.options))


@dataclass(frozen=True)
class Instance(Rule):
    """An object of a class."""

    of: type
    description: str = ""

    def allows(self, value: Any) -> bool:
        return isinstance(value, self.of)

    @property
    def text(self) -> str:
        return self.description or f"an instance of {self.of.__name__!r}"


@dataclass(frozen=True)
class Function(Rule):
    """A callable that is not a class."""

    signature: str

    def allows(self, value: Any) -> bool:
        return callable(value) and not isinstance(value, type)

    @property
    def text(self) -> str:
        return f"a callable {self.signature}"


@dataclass(frozen=True)
class HasMethods(Rule):
    """An object, not a class, that has the given methods."""

    description: str
    methods: tuple[str, ...]

    def allows(self, value: Any) -> bool:
        return not isinstance(value, type) and self.has_them(value)

    def has_them(self, value: Any) -> bool:
        """Tell whether an object or a class has the methods."""
        return all(hasattr(value, name) for name in self.methods)

    @property
    def text(self) -> str:
        return self.description


@dataclass(frozen=True)
class Listing(Rule):
    """A list, tuple, range or array whose items are allowed by some rules."""

    of: Rules
    items: str
    length: int | None = None

    def allows(self, value: Any) -> bool:
        items = items_of(value)
        if items is None or self.length not in (None, len(items)):
            return False
        return all(is_allowed(item, self.of) for item in items)

    @property
    def text(self) -> str:
        return f"an array-like of {self.items}"


@dataclass(frozen=True)
class Filled(Rule):
    """What another rule allows, unless it is empty."""

    rule: Rule

    def allows(self, value: Any) -> bool:
        return self.rule.allows(value) and len(value) > 0

    @property
    def text(self) -> str:
        return f"{self.rule.text} that is not empty"


class AnyNumber(Rule):
    """A number; infinity and NaN are allowed."""

    text = "a float"

    def allows(self, value: Any) -> bool:
        return is_number(value)


class Workers(Rule):
    """A number of workers as joblib counts them."""

    text = "an int that is not 0"

    def allows(self, value: Any) -> bool:
        return is_number(value) and isinstance(value, Integral) and value != 0


class Weights(Rule):
    """A dict whose values are numbers."""

    text = "an instance of 'dict' that holds numbers"

    def allows(self, value: Any) -> bool:
        return isinstance(value, dict) and all(map(is_number, value.values()))


class Precision(Rule):
    """float32 or float64, by name, as a type or as NumPy's dtype."""

    names = ("float32", "float64")
    texts = ["'float32'", "'float64' (or a NumPy dtype of that name)"]

    def allows(self, value: Any) -> bool:
        if isinstance(value, type):
            return issubclass(value, np.floating | float) and np.dtype(value).name in self.names
        return isinstance(value, str | np.dtype) and value in self.names


CLASS_WEIGHT = (Name(["balanced"]), Weights(), None)
COUNT = Interval(1, low_closed=True, whole=True)
SEED = (
    Interval(0, 2**32 - 1, low_closed=True, high_closed=True, whole=True),
    Instance(np.random.RandomState),
    None,
)
N_JOBS = (Workers(), None)
VERBOSITY = (Flag(), Interval(0, low_closed=True, whole=True))


def is_allowed(value: Any, rules: Rules) -> bool:
    """Tell whether one of the rules allows a value."""
    return any(value is None if rule is None else rule.allows(value) for rule in rules)


def check_option(owner: str, name: str, value: Any, rules: Rules) -> None:
    """Raise InvalidOption, worded as in scikit-learn, unless one of the rules allows a value.

    ``owner`` is the public name of the class or function that has the option of the given name.
    """
    if is_allowed(value, rules):
        return
    *others, last = [text for rule in rules for text in (rule.texts if rule else ["None"])]
    wanted = f"{', '.join(others)} or {last}" if others else last
    raise InvalidOption(
        f"The {name!r} parameter of {owner} must be {wanted}. Got {shown(value)} instead."
        f"{hint_for(value, rules)}"
    )


def shown(value: Any) -> str:
    """Return the text with which messages show a value."""
    try:
        text = repr(value)
    except ValueError:
        # Python refuses to write integers of thousands of digits.
        text = f"a number of {value.bit_length()} bits"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def hint_for(value: Any, rules: Rules) -> str:
    """Return a sentence on what was probably meant; empty if that is unclear."""
    if isinstance(value, list | tuple):
        lists = [rule for rule in rules if isinstance(rule, Listing)]
        return next(filter(None, (hint_for(item, rule.of) for rule in lists for item in value)), "")
    if isinstance(value, type) and any(
        (isinstance(rule, Instance) and issubclass(value, rule.of))
        or (isinstance(rule, HasMethods) and rule.has_them(value))
        for rule in rules
    ):
        return f" Pass an instance: {value.__name__}()."
    names = [name for rule in rules for name in getattr(rule, "options", ())]
    return did_you_mean(value, names)


def did_you_mean(given: Any, names: Sequence[str]) -> str:
    """Return a sentence with the most similar name; empty if none is similar."""
    close = get_close_matches(given.lower(), names, n=1) if isinstance(given, str) else []
    return f" Did you mean {close[0]!r}?" if close else ""


class RememberedNames(BaseEstimator):
    """Base of classes whose parameters' names are read from ``__init__`` once for each class.

    scikit-learn reads them again whenever parameters are read, set, checked or cloned, which takes
    20 us; a search does so five times for each fit, and for each of its components.
    """

    @classmethod
    def _get_param_names(cls) -> list[str]:
        return list(cls._remembered_names())

    @classmethod
    @cache
    def _remembered_names(cls) -> tuple[str, ...]:
        return tuple(super()._get_param_names())

    def set_params(self, **params: Any) -> Any:
        """Set parameters; ``solver__beta_1`` is ``beta_1`` of the object that is the `solver`.

        Parameters
        ----------
        **params : dict
            The values, by name.

        Returns
        -------
        object
            This object.
        """
        names = self._remembered_names()
        if all(name in names for name in params):
            # scikit-learn would read all parameters.
            for name, value in params.items():
                setattr(self, name, value)
            return self
        for name in params:
            owner, _, inner = name.partition("__")
            if not inner or owner not in names:
                continue
            value = params.get(owner, getattr(self, owner))
            if isinstance(value, type) or not hasattr(value, "set_params"):
                raise ValueError(
                    f"{name} cannot be set, because {owner}={shown(value)} has no parameters: set"
                    f" {owner} to an object that has some."
                )
        return super().set_params(**params)


class Checked(RememberedNames):
    """Base of classes with options that are not estimators; ``__init__`` stores them unchanged.

    Attributes
    ----------
    rules : dict of str to sequence of Rule or None
        The rules of each parameter.
    """

    rules: ClassVar[Mapping[str, Rules]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        speak_for(cls, "__init__")

    def check_parameters(self) -> None:
        """Raise InvalidOption if no rule allows the value of a parameter."""
        for name, rules in self.rules.items():
            self._check_parameter(name, rules)

    def _check_parameter(self, name: str, rules: Rules) -> None:
        check_option(type(self).__name__, name, getattr(self, name), rules)

    def make_numbers_plain(self) -> None:
        """Turn NumPy's numbers among the parameters into Python's, as small types may overflow."""
        for name in self.rules:
            setattr(self, name, plain(getattr(self, name)))


class ChecksOptions:
    """Mixin of estimators that check their parameters by rules when scikit-learn validates them."""

    _parameter_constraints: dict[str, Rules]

    def _validate_params(self) -> None:
        """Raise InvalidOption if no rule allows the value of a parameter."""
        for name, rules in self._parameter_constraints.items():
            check_option(type(self).__name__, name, getattr(self, name), rules)


Class = TypeVar("Class", bound=type)


def speak_for(cls: type, *names: str) -> None:
    """Let Python's errors on wrong calls of inherited methods name this class, not its base."""
    for name in names:
        inherited = next((vars(b)[name] for b in cls.__mro__ if name in vars(b)), None)
        renamed = None if name in vars(cls) else _renamed(inherited, f"{cls.__qualname__}.{name}")
        if renamed is not None:
            setattr(cls, name, renamed)


def speaks_for_itself(cls: Class) -> Class:
    """Apply ``speak_for`` to ``__init__`` and all public methods, except scikit-learn's."""
    bases = [
        base for base in cls.__mro__ if not base.__module__.startswith(("sklearn.", "builtins"))
    ]
    names = {name for base in bases for name in vars(base) if name[0] != "_"}
    speak_for(cls, "__init__", *sorted(names))
    return cls


def _renamed(method: Any, qualified: str) -> Any:
    """Return a copy of a method under another name; None if it is not written in Python."""
    if hasattr(method, "fn") and hasattr(method, "check"):
        # A descriptor made by ``available_if``.
        descriptor = copy(method)
        descriptor.fn = _renamed(method.fn, qualified)
        return descriptor
    if not isinstance(method, FunctionType):
        return None
    inner = getattr(method, "__wrapped__", None)
    cells = tuple(
        CellType(_renamed(inner, qualified))
        if inner is not None and cell.cell_contents is inner
        else cell
        for cell in method.__closure__ or ()
    )
    renamed = FunctionType(
        method.__code__, method.__globals__, method.__name__, method.__defaults__, cells
    )
    vars(renamed).update(vars(method))
    renamed.__kwdefaults__ = method.__kwdefaults__
    renamed.__annotations__ = method.__annotations__
    renamed.__doc__, renamed.__module__ = method.__doc__, method.__module__
    renamed.__qualname__ = qualified
    return renamed
