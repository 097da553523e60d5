"""Plain methods that do nothing but arithmetic, turned into lists of bound calls.

``recorded`` calls a method with arrays that record operations instead of computing them. This is
right for methods whose operations do not depend on the numbers: classes of this package say so
with ``records = True``, and users' classes may. A method that reads a number, or does something
that cannot be recorded, stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Call
from ..calls import number
from .extension import steps as extension

#: Bytes of the largest array that counts as a constant.
LARGEST_CONSTANT = 2**16

Array = NDArray[Any]


class NotRecordable(Exception):
    """A method does something that cannot be recorded."""


class Tape:
    """The calls recorded so far.

    ``constants`` holds arrays by their content, so that equal constants become one array.
    """

    def __init__(self, constants: dict[Any, Array]) -> None:
        self.calls: list[Call] = []
        self._constants = constants
        # The arrays that own the memory of all that records, by their ids.
        self._owners: dict[int, Array] = {}

    def watch(self, x: Array) -> Recorder:
        """Return a view of an array that records the operations on it."""
        owner = extension.owner_of(x)
        self._owners[id(owner)] = owner
        found = x.view(Recorder)
        found.tape = self
        return found

    def note(self, function: Callable[..., Any], *operands: Any, out: Any) -> Recorder:
        """Record ``function(*operands, out=out)``."""
        return self._append(partial(function, *map(self._read, operands), out=self._read(out)), out)

    def note_copy(self, x: Any, out: Any) -> Recorder:
        """Record ``np.copyto(out, x)``."""
        return self._append(partial(np.copyto, self._read(out), self._read(x)), out)

    def note_reduction(self, ufunc: np.ufunc, x: Any, axis: int, out: Any, keep: bool) -> Recorder:
        """Record ``ufunc.reduce(x, axis, out=out, keepdims=keep)``."""
        reduce: Any = ufunc.reduce
        call = partial(reduce, self._read(x), axis, None, self._read(out), keep)
        return self._append(call, out)

    def _append(self, call: Call, out: Any) -> Recorder:
        if not isinstance(out, Recorder) or not out.flags.writeable:
            # Later operations on a plain array might not be recorded.
            raise NotRecordable
        self.calls.append(call)
        return out

    def _read(self, x: Any) -> Any:
        if not isinstance(x, np.ndarray):
            return x
        if isinstance(x, Recorder) != (id(extension.owner_of(x)) in self._owners):
            # A copy would need content that has not been computed; a plain view would not record.
            raise NotRecordable
        if isinstance(x, Recorder):
            return _plain(x)
        # An array that records nothing holds no result: it is a constant of the method.
        if x.nbytes > LARGEST_CONSTANT or x.dtype.char not in "df":
            raise NotRecordable
        if x.ndim == 0:
            return number(x, x.dtype)
        return self._constants.setdefault((x.shape, x.dtype.char, x.tobytes()), x.copy())


class Recorder(np.ndarray[Any, Any]):
    """An array that records operations instead of computing them."""

    tape: Tape

    def __array_finalize__(self, source: Any) -> None:
        if isinstance(source, Recorder):
            self.tape = source.tape

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any
    ) -> Any:
        tape = self.tape
        if method == "reduce" and out is not None and set(options) <= {"axis", "keepdims", "dtype"}:
            axis, keep = options.get("axis", 0), options.get("keepdims", False)
            if not isinstance(axis, int) or options.get("dtype") is not None:
                raise NotRecordable
            return tape.note_reduction(ufunc, inputs[0], axis, out[0], keep)
        if method != "__call__" or options or ufunc.nout != 1:
            raise NotRecordable
        if out is None:
            # A comparison, for example, would make an array of another dtype.
            same = self.dtype.char
            if ufunc.signature or f"{same * ufunc.nin}->{same}" not in ufunc.types:
                raise NotRecordable
            shape = np.broadcast_shapes(*(np.shape(_plain(x)) for x in inputs))
            out = (tape.watch(np.empty(shape, self.dtype)),)
        return tape.note(ufunc, *inputs, out=out[0])

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if function is np.copyto and len(args) == 2 and not options:
            self.tape.note_copy(args[1], args[0])
            return None
        if function is np.clip and len(args) == 3 and set(options) == {"out"}:
            return self.tape.note(np.clip, *args, out=options["out"])
        if function is np.empty_like:
            return self.tape.watch(np.empty_like(*map(_plain, args), **options))
        if function in (np.shape, np.ndim, np.size):
            return function(*map(_plain, args), **options)
        raise NotRecordable

    def fill(self, value: Any) -> None:
        """Record that all elements are set to a number."""
        self.tape.note_copy(value, self)

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return found if isinstance(found, Recorder) else self._look()

    def _look(self, *args: Any, **options: Any) -> Any:
        raise NotRecordable

    # Methods that read or change the content without calling NumPy's functions.
    __bool__ = __float__ = __int__ = __index__ = __complex__ = _look
    __setitem__ = __iter__ = __contains__ = __reduce__ = _look
    item = tolist = tobytes = sort = argsort = put = partition = take = dot = _look
    argmax = argmin = nonzero = searchsorted = choose = compress = diagonal = _look
    clip = round = trace = repeat = resize = byteswap = tofile = dump = dumps = _look
    flat = property(_look)


def _plain(x: Any) -> Any:
    return x.view(np.ndarray) if isinstance(x, Recorder) else x


def recorded(
    method: Callable[..., Any], operands: Sequence[Any], constants: dict[Any, Array]
) -> list[Call] | None:
    """Return the calls that a method makes with these operands; None if it cannot be recorded.

    Operands are arrays, or lists of arrays; anything else is passed on unchanged. ``constants``
    holds arrays that are constants of methods, by their content.
    """
    tape = Tape(constants)

    def seen(x: Any, view: Callable[[Array], Array]) -> Any:
        if isinstance(x, list | tuple):
            return [seen(one, view) for one in x]
        return view(x) if type(x) is np.ndarray else x

    try:
        method(*seen(operands, tape.watch))
        if not tape.calls:
            # What writes by other means than NumPy's functions fails with read-only arrays.
            method(*seen(operands, lambda x: np.broadcast_to(x, x.shape)))
    except Exception:
        # If this is an error, the method raises it again when it is called with numbers.
        return None
    return tape.calls
