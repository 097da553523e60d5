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

    ``constants`` holds arrays by their content, so that equal constants become one array. New
    arrays are filled with a number.
    """

    def __init__(self, constants: dict[Any, Array], filling: float = 0) -> None:
        self.filling = filling
        self.calls: list[Call] = []
        #: Shapes, dtypes and contents of the constants used so far.
        self.used: list[Any] = []
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
        """Record ``function(*operands)``; ``out`` is the operand that it writes into."""
        call = partial(function, *map(self._read, operands))
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
            return x.view(np.ndarray)
        # An array that records nothing holds no result: it is a constant of the method.
        if x.nbytes > LARGEST_CONSTANT or x.dtype.char not in "df":
            raise NotRecordable
        if x.ndim == 0:
            return number(x, x.dtype)
        self.used.append((x.shape, x.dtype.char, x.tobytes()))
        return self._constants.setdefault(self.used[-1], x.copy())


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
            dtype = options.get("dtype")
            return tape.note(ufunc.reduce, inputs[0], axis, dtype, *out, keep, out=out[0])
        if method != "__call__" or options or ufunc.nout != 1:
            raise NotRecordable
        if out is None:
            # A comparison, for example, would make an array of another dtype.
            same = self.dtype.char
            if ufunc.signature or f"{same * ufunc.nin}->{same}" not in ufunc.types:
                raise NotRecordable
            shape = np.broadcast_shapes(*map(np.shape, inputs))
            out = (tape.watch(np.full(shape, tape.filling, self.dtype)),)
        return tape.note(ufunc, *inputs, *out, out=out[0])

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if function is np.copyto and len(args) == 2 and not options:
            self.tape.note(np.copyto, *args, out=args[0])
            return None
        if function is np.clip and len(args) == 3 and set(options) == {"out"}:
            return self.tape.note(np.clip, *args, options["out"], **options)
        if function not in (np.empty_like, np.shape, np.ndim, np.size):
            raise NotRecordable
        plain = [x.view(np.ndarray) if isinstance(x, Recorder) else x for x in args]
        found = function(*plain, **options)
        if function is not np.empty_like:
            return found
        found.fill(self.tape.filling)
        return self.tape.watch(found)

    def fill(self, value: Any) -> None:
        """Record that all elements are set to a number."""
        self.tape.note(np.copyto, self, value, out=self)

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return found if isinstance(found, Recorder) else self._look()

    def _look(self, *args: Any, **options: Any) -> Any:
        raise NotRecordable

    # Methods that read or change the content without calling NumPy's functions.
    __bool__ = __float__ = __int__ = __index__ = __complex__ = _look
    __setitem__ = __iter__ = __contains__ = _look
    item = tolist = tobytes = sort = argsort = put = partition = dot = _look
    argmax = argmin = nonzero = searchsorted = _look
    flat = property(_look)


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

    other = Tape({}, np.nan)
    try:
        method(*seen(operands, tape.watch))
        if tape.used:
            # Copies of operands and of results are not constants: they change with them.
            method(*seen(operands, lambda x: other.watch(np.full_like(x, np.nan))))
        if not tape.calls:
            # What writes by other means than NumPy's functions fails with read-only arrays.
            method(*seen(operands, lambda x: np.broadcast_to(x, x.shape)))
    except Exception:
        # If this is an error, the method raises it again when it is called with numbers.
        return None
    return tape.calls if tape.used == other.used else None
