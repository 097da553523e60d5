"""Models as JSON and arrays: what a file may contain, and how it is read back.

JSON has numbers, strings, booleans, null, lists and dictionaries. Lists stand for lists; anything
else is a dictionary whose first key says what it is: ``{"tuple": [...]}``, ``{"array": "a0"}``,
``{"object": "skperceptron.activations.ReLU", ...}``. What occurs twice is written once: lists and
objects are numbered in the order in which they appear, and ``{"again": 3}`` refers to number 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from ..engine.arrays import Floats
from ..kept import set_state
from ..options import shown
from ..training.state_checks import GENERATORS, is_sound
from ._classes import class_named, name_of

#: Kinds of dtypes that arrays are stored in; dates and durations are stored as integers.
STORED, TIMES = "biuf", "mM"


class Writer:
    """Converts a model to JSON and arrays, which it keeps by name."""

    def __init__(self) -> None:
        self.arrays: dict[str, Any] = {}
        self._names: dict[int, str] = {}
        self._numbers: dict[int, int] = {}
        #: Generators have numbers of their own: files of earlier versions do not count them.
        self._sources: dict[int, int] = {}
        # Written objects are kept, so that no other object gets the same ``id``.
        self._kept: list[Any] = []

    def as_json(self, value: Any, where: str) -> Any:
        """Return a value as JSON; ``where`` is its place in the model, for messages.

        Raises TypeError if a file cannot hold it.
        """
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if np.isfinite(value) else {"float": repr(value)}
        number = self._numbers.get(id(value))
        if number is not None:
            return {"again": number}
        name = name_of(value)
        if name is not None:
            return self._object(value, name, where)
        for kind, write in self._WRITE.items():
            if isinstance(value, kind):
                return write(self, value, where)
        raise TypeError(
            f"{where} is {shown(value)}, which a file without code cannot hold: only numbers,"
            " strings, arrays and the classes of this package, and a few of scikit-learn's, are"
            " stored. Use skops or pickle, or export the model to ONNX."
        )

    def _note(self, value: Any) -> None:
        self._numbers[id(value)] = len(self._numbers)
        self._kept.append(value)

    def _object(self, value: Any, name: str, where: str) -> Any:
        self._note(value)
        state = value.__getstate__()
        return {"object": name, "state": self.as_json(state or {}, where)}

    def _list(self, value: list[Any], where: str) -> Any:
        self._note(value)
        return self._items(value, where)

    def _items(self, values: Any, where: str) -> list[Any]:
        return [self.as_json(item, f"{where}[{i}]") for i, item in enumerate(values)]

    def _tuple(self, value: tuple[Any, ...], where: str) -> Any:
        return {"tuple": self._items(value, where)}

    def _dict(self, value: dict[Any, Any], where: str) -> Any:
        items = []
        for key, item in value.items():
            named = f"{where}.{key}" if isinstance(key, str) else f"{where}[{key!r}]"
            items.append([self.as_json(key, where), self.as_json(item, named)])
        return {"dict": items}

    def _masked(self, value: Any, where: str) -> Any:
        parts = [np.asarray(value.data), np.ma.getmaskarray(value)]
        return {"masked": self._items(parts, where)}

    def _array(self, value: Any, where: str) -> Any:
        kind = value.dtype.kind
        if kind in "OU":
            dtype = "object" if kind == "O" else value.dtype.str
            items = self._items(value.ravel().tolist(), where)
            return {"objects": items, "dtype": dtype, "shape": list(value.shape)}
        if kind not in STORED + TIMES or value.dtype.itemsize > 8:
            raise TypeError(
                f"{where} is an array of {value.dtype}: a file holds arrays of booleans, of"
                " numbers of up to 64 bits, of dates, durations, strings and objects."
            )
        name = self._names.get(id(value))
        if name is None:
            name = self._names[id(value)] = f"a{len(self.arrays)}"
            self._kept.append(value)
            plain = value.view(np.int64) if kind in TIMES else value
            self.arrays[name] = np.array(plain, dtype=plain.dtype.newbyteorder("="), order="C")
        return {"array": name, "as": value.dtype.str} if kind in TIMES else {"array": name}

    def _scalar(self, value: Any, where: str) -> Any:
        return {"scalar": self._array(np.array(value), where)}

    def _dtype(self, value: Any, where: str) -> Any:
        return {"dtype": value.str}

    def _range(self, value: range, where: str) -> Any:
        return {"range": [value.start, value.stop, value.step]}

    def _slice(self, value: slice, where: str) -> Any:
        return {"slice": self._items((value.start, value.stop, value.step), where)}

    def _random_state(self, value: Any, where: str) -> Any:
        return self._source("random state", value, value.get_state(legacy=False), where)

    def _generator(self, value: Any, where: str) -> Any:
        return self._source("generator", value, value.bit_generator.state, where)

    def _source(self, kind: str, value: Any, state: dict[str, Any], where: str) -> Any:
        number = self._sources.get(id(value))
        if number is not None:
            return {"same generator": number}
        if state["bit_generator"] not in GENERATORS:
            raise TypeError(
                f"{where} is a random generator of the kind {state['bit_generator']}: a file holds"
                f" those of the kinds {', '.join(GENERATORS)}."
            )
        self._sources[id(value)] = len(self._sources)
        self._kept.append(value)
        return {kind: self.as_json(state, where)}

    def _scalar_type(self, value: Any, where: str) -> Any:
        if value not in np.sctypeDict.values():
            raise TypeError(
                f"{where} is the class {value.__name__}, which cannot be stored in a file."
            )
        return {"type": np.dtype(value).str}

    #: The method for each type, subclasses before their base classes.
    _WRITE: ClassVar[dict[type, Callable[[Writer, Any, str], Any]]] = {
        np.ma.MaskedArray: _masked,
        np.ndarray: _array,
        np.generic: _scalar,
        np.dtype: _dtype,
        list: _list,
        tuple: _tuple,
        dict: _dict,
        range: _range,
        slice: _slice,
        np.random.RandomState: _random_state,
        np.random.Generator: _generator,
        type: _scalar_type,
    }


class Reader:
    """Makes a model from JSON and arrays."""

    def __init__(self, arrays: dict[str, Floats]) -> None:
        self._arrays = arrays
        self._met: list[Any] = []
        self._sources: list[Any] = []

    def value_of(self, entry: Any) -> Any:
        """Return the value that JSON describes; ValueError if a model may not hold it."""
        if isinstance(entry, list):
            made: list[Any] = []
            self._met.append(made)
            made += [self.value_of(item) for item in entry]
            return made
        if not isinstance(entry, dict):
            return entry
        read = self._READ.get(next(iter(entry), ""))
        if read is None:
            raise ValueError(f"The file holds {shown(entry)}, which is not part of a model.")
        return read(self, entry)

    def _items(self, entry: Any) -> list[Any]:
        return [self.value_of(item) for item in entry]

    def _again(self, entry: Any) -> Any:
        return self._met[entry["again"]]

    def _object(self, entry: Any) -> Any:
        kind = class_named(entry["object"])
        made: Any = kind.__new__(kind)  # type: ignore[call-overload]
        self._met.append(made)
        state = self.value_of(entry["state"])
        if not isinstance(state, dict):
            raise ValueError(f"The state of {entry['object']} in the file is not a dictionary.")
        set_state(made, state)
        return made

    def _tuple(self, entry: Any) -> Any:
        return tuple(self._items(entry["tuple"]))

    def _dict(self, entry: Any) -> Any:
        return {self.value_of(key): self.value_of(value) for key, value in entry["dict"]}

    def _masked(self, entry: Any) -> Any:
        data, mask = self._items(entry["masked"])
        return np.ma.MaskedArray(data, mask)

    def _array(self, entry: Any) -> Any:
        array = self._arrays[entry["array"]]
        if "as" not in entry:
            return array
        dtype = np.dtype(entry["as"])
        if dtype.kind not in TIMES:
            raise ValueError(f"The file declares an array of {entry['as']!r}: it must be of times.")
        return array.view(dtype)

    def _objects(self, entry: Any) -> Any:
        dtype = np.dtype(entry["dtype"])
        if dtype.kind not in "OU":
            raise ValueError(f"The file declares a list as an array of {entry['dtype']!r}.")
        items = self._items(entry["objects"])
        if dtype.kind == "U":
            # Use the length of the longest text: a file must not ask for more memory than that.
            longest = max((len(item) for item in items if isinstance(item, str)), default=0)
            dtype = np.dtype(f"U{max(longest, 1)}")
        array = np.empty(len(items), dtype=dtype)
        array[:] = items
        return array.reshape(entry["shape"])

    def _scalar(self, entry: Any) -> Any:
        return self.value_of(entry["scalar"])[()]

    def _float(self, entry: Any) -> float:
        return {"inf": np.inf, "-inf": -np.inf, "nan": np.nan}[entry["float"]]

    def _dtype(self, entry: Any) -> Any:
        return np.dtype(str(entry["dtype"]))

    def _type(self, entry: Any) -> Any:
        return np.dtype(str(entry["type"])).type

    def _range(self, entry: Any) -> range:
        return range(*entry["range"])

    def _slice(self, entry: Any) -> slice:
        return slice(*self._items(entry["slice"]))

    def _random_state(self, entry: Any) -> Any:
        state = self.value_of(entry["random state"])
        made = np.random.RandomState(self._bits(state))
        made.set_state(state)
        self._sources.append(made)
        return made

    def _generator(self, entry: Any) -> Any:
        made = np.random.Generator(self._bits(self.value_of(entry["generator"])))
        self._sources.append(made)
        return made

    def _same_generator(self, entry: Any) -> Any:
        return self._sources[entry["same generator"]]

    def _bits(self, state: Any) -> Any:
        """Return what draws the numbers of a generator."""
        if state["bit_generator"] not in GENERATORS:
            raise ValueError(f"The file asks for the generator {state['bit_generator']!r}.")
        bits = getattr(np.random, state["bit_generator"])()
        bits.state = state
        if not is_sound(bits.state):
            raise ValueError("The file holds an impossible state of a random generator.")
        return bits

    #: The method that reads a dictionary, by its first key.
    _READ: ClassVar[dict[str, Callable[[Reader, Any], Any]]] = {
        "again": _again,
        "array": _array,
        "dict": _dict,
        "dtype": _dtype,
        "float": _float,
        "generator": _generator,
        "masked": _masked,
        "object": _object,
        "objects": _objects,
        "random state": _random_state,
        "range": _range,
        "same generator": _same_generator,
        "scalar": _scalar,
        "slice": _slice,
        "tuple": _tuple,
        "type": _type,
    }
