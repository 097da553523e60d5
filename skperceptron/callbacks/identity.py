"""What identifies a fit, as strings: if they are equal, two fits end with the same bits.

A string is the same in every process: it does not depend on addresses, Python's hashes or the order
of sets. Objects of installed packages are identified by name and version, the user's own functions
and classes by their code and everything that it refers to. Objects that cannot be distinguished
from others of their kind, such as an open file, are refused.
"""

from __future__ import annotations

import copyreg
import dis
import importlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, cached_property
from hashlib import blake2b
from pathlib import Path
from types import (
    BuiltinMethodType,
    CodeType,
    FunctionType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import clone

from ..components import Component

#: Bytes of an array that are read at a time.
_BLOCK = 2**24

#: Longer strings are replaced by their hash.
_LONGEST = 200

#: Entries of a class's dictionary that do not affect what it does.
_NO_ATTRIBUTES = {
    "__annotate__",
    "__annotate_func__",
    "__annotations__",
    "__annotations_cache__",
    "__dict__",
    "__doc__",
    "__firstlineno__",
    "__module__",
    "__orig_bases__",
    "__parameters__",
    "__qualname__",
    "__static_attributes__",
    "__type_params__",
    "__weakref__",
    "_abc_impl",
}

#: Functions by which code can reach objects that it does not name.
_UNFORESEEABLE = {"__import__", "eval", "exec", "globals"}

_LOADS_GLOBAL = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
_NAMES_ATTRIBUTE = {"LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM"}


class IndescribableError(ValueError):
    """An object cannot be distinguished from others of its kind."""


def described(value: Any, name: str | None = None) -> str:
    """Return a text that identifies a value; a name replaces parts that cannot be described.

    Without a name, such parts raise IndescribableError.
    """
    try:
        return _Description(name).text(value)
    except IndescribableError:
        raise
    except Exception as error:
        # The user's objects may raise any error when their state is read.
        raise IndescribableError(f"its state cannot be read: {type(error).__name__}") from error


def comparable(value: Any) -> Any:
    """Return a parameter such that 1, 1.0 and NumPy's 1 are the same, as they are in a fit."""
    value = value.item() if isinstance(value, np.generic) else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def fingerprint(data: Any, name: str | None = None) -> str:
    """Return shape, dtype and a hash (BLAKE2) of an array, a sparse matrix, or a list of either."""
    if data is None:
        return "None"
    if isinstance(data, list | tuple):
        try:
            data = np.asarray(data)
        except ValueError:
            return f"[{', '.join(fingerprint(part, name) for part in data)}]"
    if sparse.issparse(data):
        kind = "" if data.format == "csr" else f"{data.format} "
        matrix = data.tocsr()
        parts = [matrix.data, matrix.indices, matrix.indptr]
    else:
        columns = getattr(data, "columns", None)
        kind = "" if columns is None else f"{described(list(columns), name)} "
        data = np.asanyarray(data)
        parts = [data]
    digest = blake2b(digest_size=16)
    for part in map(np.atleast_1d, map(np.asarray, parts)):
        if part.dtype.hasobject:
            digest.update(described(part.tolist(), name).encode())
            continue
        rows = max(1, _BLOCK // max(1, part[:1].nbytes))
        for start in range(0, len(part), rows):
            digest.update(np.ascontiguousarray(part[start : start + rows]).tobytes())
    return f"{kind}{data.dtype} {data.shape} {digest.hexdigest()}"


class _Description:
    """Describes a value with all its parts, each of them once.

    ``stand_in`` is the ``name`` of :func:`described`; ``within`` are the addresses of the objects
    that are being described, the outermost first.
    """

    def __init__(self, stand_in: str | None, within: Iterable[int] = ()) -> None:
        self._stand_in = stand_in
        self._within = list(within)
        # The objects are kept, so that no other one gets the same address.
        self._done: dict[int, tuple[Any, str]] = {}

    def text(self, value: Any) -> str:
        plain = _plain(value)
        if plain is not None:
            return plain
        address = id(value)
        if address in self._done:
            return self._done[address][1]
        if address in self._within:
            return f"<{len(self._within) - self._within.index(address)} levels up>"
        self._within.append(address)
        try:
            text = self._text_of_parts(value)
        except IndescribableError:
            if self._stand_in is None:
                raise
            text = f"{type(value).__qualname__} named {self._stand_in!r}"
        finally:
            self._within.pop()
        self._done[address] = value, text
        return text

    def _text_of_parts(self, value: Any) -> str:
        known = _known_by_name(value)
        if known is not None:
            return known
        for types, describe in self._ways:
            if isinstance(value, types):
                return describe(self, value)
        return self._object(value)

    # Containers.

    def _sequence(self, value: list[Any] | tuple[Any, ...]) -> str:
        if type(value) not in (list, tuple):
            return self._object(value)
        text = ", ".join(map(self.text, value))
        return _shortened(f"[{text}]" if isinstance(value, list) else f"({text})")

    def _mapping(self, value: Mapping[Any, Any]) -> str:
        if type(value) not in (dict, type(type.__dict__)):
            return self._object(value)
        items = sorted((self._aside(key), key) for key in value)
        return _shortened(f"{{{', '.join(f'{k}: {self.text(value[key])}' for k, key in items)}}}")

    def _set(self, value: Iterable[Any]) -> str:
        return self._hashed(
            type(value), sorted(map(self._aside, value)), getattr(value, "__dict__", {})
        )

    def _aside(self, value: Any) -> str:
        """Describe a part independently of the parts that were described before."""
        return _Description(self._stand_in, self._within).text(value)

    def _array(self, value: Any) -> str:
        # SciPy's matrices cache what has been found out about them, and pickle that too.
        kind = "" if type(value) is np.ndarray else f"{self.text(type(value))} "
        if isinstance(value, np.ma.MaskedArray):
            return f"{kind}{fingerprint(value.data)} {fingerprint(np.ma.getmaskarray(value))}"
        return f"{kind}{fingerprint(value, self._stand_in)}"

    # Functions and classes.

    def _module(self, value: ModuleType) -> str:
        return f"module {value.__name__}"

    def _function(self, value: FunctionType) -> str:
        cells = [_content(cell) for cell in value.__closure__ or ()]
        parts: list[Any] = [value.__code__, value.__defaults__, value.__kwdefaults__, cells]
        if vars(value):
            parts.append(vars(value))
        if not is_library(str(value.__globals__.get("__name__"))):
            parts.append(dict(_names_read(value, cells)))
        return self._hashed(value.__qualname__, *parts)

    def _code(self, value: CodeType) -> str:
        counts = value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount
        names = value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars
        steps = value.co_code, value.co_exceptiontable, value.co_flags
        return self._hashed("code", steps, counts, names, value.co_consts)

    def _method(self, value: Any) -> str:
        """Describe a method together with the object that it belongs to."""
        owner = value.__self__
        if isinstance(owner, ModuleType):
            return f"{value.__name__} of {owner.__name__}"
        function = value.__func__ if isinstance(value, MethodType) else value.__name__
        return self._hashed(f"method {value.__name__}", owner, function)

    def _class(self, value: type) -> str:
        attributes = {
            name: _unwrapped(attribute)
            for name, attribute in vars(value).items()
            if name not in _NO_ATTRIBUTES and not _is_slot(attribute)
        }
        parts: list[Any] = [value.__bases__, attributes]
        if type(value) is not type:
            parts.append(type(value))
        return self._hashed(value.__qualname__, *parts)

    def _ufunc(self, value: np.ufunc) -> str:
        for module in ("numpy", "scipy.special"):
            if getattr(sys.modules.get(module), value.__name__, None) is value:
                return f"{value.__name__} of {module}"
        raise IndescribableError(f"the ufunc {value.__name__} is not one of NumPy or SciPy")

    # Objects.

    def _component(self, value: Component) -> str:
        if type(value).__sklearn_clone__ is not Component.__sklearn_clone__:
            return self._object(value)
        # Fits use a clone, which has nothing but the parameters.
        parameters = clone(value).get_params(deep=False)
        items = sorted(parameters.items())
        listed = ", ".join(f"{name}={self.text(comparable(of))}" for name, of in items)
        return _shortened(f"{self.text(type(value))}({listed})", type(value).__qualname__)

    def _object(self, value: Any) -> str:
        """Describe an object by what pickle would rebuild it from."""
        kind = type(value).__qualname__
        reduce = copyreg.dispatch_table.get(type(value))
        try:
            reduced = value.__reduce_ex__(4) if reduce is None else reduce(value)
        except Exception as error:
            raise IndescribableError(f"nothing distinguishes one {kind} from another") from error
        if isinstance(reduced, str):
            # Only a name in a module, which does not say what the object does.
            wrapped = getattr(value, "__wrapped__", None)
            if wrapped is None:
                raise IndescribableError(f"only its name distinguishes one {kind} from another")
            return self._hashed(type(value), wrapped)
        make, arguments, *rest = reduced
        state, items, pairs = (*rest, None, None, None)[:3]
        parts = [make, arguments, state, None if items is None else list(items)]
        return self._hashed(kind, *parts, None if pairs is None else list(pairs))

    def _hashed(self, label: Any, *parts: Any) -> str:
        label = label if isinstance(label, str) else self.text(label)
        return f"{label} {_digest(' '.join(map(self.text, parts)))}"

    #: Types, and the methods that describe them; the first match counts.
    _ways: tuple[tuple[Any, Callable[..., str]], ...] = (
        (ModuleType, _module),
        ((list, tuple), _sequence),
        ((dict, type(type.__dict__)), _mapping),
        ((set, frozenset), _set),
        (np.ndarray, _array),
        ((sparse.sparray, sparse.spmatrix), _array),
        (FunctionType, _function),
        (CodeType, _code),
        ((MethodType, BuiltinMethodType, MethodWrapperType), _method),
        (type, _class),
        (np.ufunc, _ufunc),
        (Component, _component),
    )


def _plain(value: Any) -> str | None:
    """Return the text of a value that has no parts."""
    if value is None or value is Ellipsis or value is NotImplemented:
        return repr(value)
    if type(value) in (bool, int, float, complex, str, bytes, bytearray):
        return _shortened(repr(value))
    if isinstance(value, np.generic):
        if value.dtype.hasobject or value.dtype.names:
            return None
        if value.dtype.kind == "V":
            return f"{value.dtype.str[1:]}({value.tobytes().hex()})"
        return f"{type(value).__name__}({value.item()!r})"
    return None


def _shortened(text: str, label: str = "") -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{label or text[:30] + '...'} {_digest(text)}"


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@cache
def is_library(module: str) -> bool:
    """Tell whether a module belongs to Python or to an installed package."""
    top = module.partition(".")[0]
    if top in ("__main__", "__mp_main__"):
        return False
    if top in sys.stdlib_module_names or top == __name__.partition(".")[0]:
        return True
    found = sys.modules.get(top)
    file = getattr(found, "__file__", None)
    places = [*getattr(found, "__path__", [file] if file else ())]
    return any(_holds_packages(Path(place).parent) for place in places)


def _holds_packages(folder: Path) -> bool:
    """Tell whether packages are installed in a folder, perhaps by ``pip install --target``."""
    is_usual = {"site-packages", "dist-packages"} & set(folder.parts)
    return bool(is_usual) or any(folder.glob("*.dist-info"))


def _known_by_name(value: Any) -> str | None:
    """Return name, module and version of an object that an installed package offers, else None."""
    module = getattr(value, "__module__", None)
    # Sentinels of Python 3.15, such as that for no default in dataclasses, have no `__qualname__`.
    name = getattr(value, "__qualname__", getattr(value, "__name__", None))
    if not (isinstance(module, str) and isinstance(name, str) and is_library(module)):
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not value:
        return None
    top = module.partition(".")[0]
    version = getattr(sys.modules[top], "__version__", "")
    return f"{name} of {module} {version}".rstrip()


def _names_read(function: FunctionType, cells: list[Any]) -> Iterator[tuple[str, Any]]:
    """Yield names and values that a function uses from its module and the user's other modules."""
    steps = list(_steps(function.__code__))
    names = {step.argval for step in steps if step.opname in _LOADS_GLOBAL}
    found = {name: value for name, value in function.__globals__.items() if name in names}
    hidden = names & _UNFORESEEABLE - found.keys()
    if hidden:
        raise IndescribableError(
            f"{function.__qualname__} calls {', '.join(sorted(hidden))}, which may reach anything"
        )
    yield from found.items()
    attributes = {step.argval for step in steps if step.opname in _NAMES_ATTRIBUTE}
    imported = {step.argval for step in steps if step.opname == "IMPORT_NAME"}
    seen: set[str] = set()
    for value in (*found.values(), *cells, *map(_imported, sorted(imported))):
        yield from _read_of_module(value, attributes, seen)


def _steps(code: CodeType) -> Iterator[dis.Instruction]:
    """Yield the instructions of a function and of those inside it."""
    yield from dis.get_instructions(code)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _steps(constant)


def _read_of_module(value: Any, names: set[str], seen: set[str]) -> Iterator[tuple[str, Any]]:
    """Yield the contents of a user's module, and of modules in it, that have one of the names."""
    if not isinstance(value, ModuleType) or is_library(value.__name__) or value.__name__ in seen:
        return
    seen.add(value.__name__)
    for name in sorted(names & vars(value).keys()):
        part = vars(value)[name]
        yield f"{value.__name__}.{name}", part
        yield from _read_of_module(part, names, seen)


def _imported(name: str) -> Any:
    """Import a user's module that a function imports; return its outermost package, or None."""
    if not name or is_library(name):
        return None
    try:
        importlib.import_module(name)
    except ImportError:
        return None
    # Code reaches inner modules through the outermost package.
    return sys.modules[name.partition(".")[0]]


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return "an empty cell"


def _unwrapped(attribute: Any) -> Any:
    """Return the functions that an attribute of a class consists of."""
    if isinstance(attribute, staticmethod | classmethod):
        return type(attribute), attribute.__func__
    if isinstance(attribute, property):
        return property, attribute.fget, attribute.fset, attribute.fdel
    if isinstance(attribute, cached_property):
        return cached_property, attribute.func
    return attribute


def _is_slot(attribute: Any) -> bool:
    """Tell whether an attribute of a class is the descriptor of a slot of its instances."""
    return type(attribute).__name__ in ("member_descriptor", "getset_descriptor")
