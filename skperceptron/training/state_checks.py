"""Checks whether a state that was read can be the state of a fit.

Anybody can write a file with a valid seal. NumPy checks little of the state that a generator is
set to, and training checks nothing of the state from which it continues.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .hashed_archive import DamagedArchiveError
from .member import Progress, Verdict

#: Verdicts, as files hold them, after which a fit can continue or has ended without an error.
_VERDICTS = tuple(v.value for v in Verdict if v not in (Verdict.DIVERGED, Verdict.FAILED))

#: Kinds of random generators whose states are checked: those of NumPy.
GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")

#: Words in the state of a Mersenne Twister, and in the buffer of Philox.
_TWISTER_WORDS, _BUFFER_WORDS = 624, 4

_WORD, _LONG_WORD, _LARGEST = 2**32, 2**64, 2**128

#: Counts from here on have no exact value in float64.
_MOST = 2**53


@dataclass(frozen=True)
class Form:
    """What the state of a fit must look like.

    ``state_names`` are those of the optimizer's vectors, and ``averages`` says whether parameters
    are averaged. ``generator`` is any state of the random generator, as ``describe_random_state``
    returns it, and ``noise`` any of the generator of dropout masks, if there is one.
    """

    n_parameters: int
    n_rows: int
    dtype: np.dtype
    state_names: tuple[str, ...]
    averages: bool
    generator: dict[str, Any]
    noise: dict[str, Any] | None


def check_state(numbers: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], form: Form) -> None:
    """Raise DamagedArchiveError if this cannot be the state of a fit of the given form."""
    _demand(numbers.get("verdict") in _VERDICTS, "verdict")
    _demand(isinstance(numbers.get("told_to_stop"), bool), "told_to_stop")
    _demand(isinstance(numbers.get("callbacks"), list), "callbacks")
    _demand(_is_rate(numbers.get("current_rate")), "current_rate")
    for name in ("steps", "n_iter"):
        _demand(_is_count(numbers.get(name)), name)
    _check_progress(numbers.get("progress"), numbers["n_iter"])
    for name, like in (("rng", form.generator), ("start", form.generator), ("noise", form.noise)):
        _demand(_is_generator(numbers.get(name), like), name)
    _check_arrays(arrays, form)


def check_limits(found: Any, like: Mapping[str, float]) -> None:
    """Raise DamagedArchiveError if these cannot be limits with the names `like`."""
    _demand(isinstance(found, dict) and found.keys() == like.keys(), "limits")
    _demand(all(_is_real(value) and value >= 0 for value in found.values()), "limits")


def _check_progress(found: Any, n_iter: int) -> None:
    like = Progress().of_this_fit()
    _demand(isinstance(found, dict) and found.keys() == like.keys(), "progress")
    for name, value in found.items():
        _demand(_is_like(value, like[name]), f"progress {name}")
    _demand(np.isfinite(found["loss_curve"]).all(), "progress loss_curve")
    _demand(len(found["loss_curve"]) >= n_iter, "n_iter")
    for name in ("validation_scores", "validation_losses"):
        _demand(len(found[name]) <= len(found["loss_curve"]), f"progress {name}")


def _is_like(value: Any, like: Any) -> bool:
    """Tell whether a part of the history has the same type as ``like``."""
    if isinstance(like, list):
        return isinstance(value, list) and all(map(_is_real, value))
    return _is_real(value) if isinstance(like, float) else _is_count(value)


def _check_arrays(arrays: Mapping[str, NDArray[Any]], form: Form) -> None:
    needed = {"parameters", "rows", *(f"optimizer.{name}" for name in form.state_names)}
    if form.averages:
        needed.add("average")
    _demand(needed <= arrays.keys() <= needed | {"average", "best_parameters"}, "arrays")
    for name, array in arrays.items():
        if name == "rows":
            _check_rows(array, form.n_rows)
            continue
        _demand(
            array.dtype == form.dtype
            and array.shape == (form.n_parameters,)
            and not np.isnan(array).any()
            # The optimizer's vectors may overflow, such as a mean of squares in float32.
            and (name.startswith("optimizer.") or np.isfinite(array).all()),
            f"array {name}",
        )


def _check_rows(rows: NDArray[Any], n_rows: int) -> None:
    is_valid = (
        rows.dtype.kind == "i"
        and rows.ndim == 1
        and 0 < len(rows) <= n_rows
        and rows.min() >= 0
        and rows.max() < n_rows
        and len(np.unique(rows)) == len(rows)
    )
    _demand(is_valid, "array rows")


def _is_generator(found: Any, like: dict[str, Any] | None) -> bool:
    """Tell whether this describes a possible state of a generator of the same kind as ``like``."""
    if like is None or not _has_layout(found, like):
        return found is like
    flags = [found[name] for name in ("has_gauss", "has_uint32") if name in found]
    if max(flags, default=0) > 1 or found.get("uinteger", 0) >= _WORD:
        return False
    return is_sound(found)


def is_sound(state: Mapping[str, Any]) -> bool:
    """Tell whether NumPy can draw numbers from the state of a generator of one of the kinds."""
    bits = state["state"]
    if "inc" in bits:
        # The increment of a congruential generator is odd.
        return bool(bits["inc"] % 2)
    if "pos" in bits:
        # At a later position NumPy would read past the end of the words. With only zeros in them,
        # it would look for a Gaussian forever.
        words = bits["key"]
        return 0 <= bits["pos"] <= _TWISTER_WORDS and max(words) < _WORD and any(words)
    words = [word for part in (*bits.values(), state.get("buffer", ())) for word in part]
    return 0 <= state.get("buffer_pos", 0) <= _BUFFER_WORDS and max(words) < _LONG_WORD


def _has_layout(found: Any, like: Any) -> bool:
    """Tell whether all parts have the same types, and all integers are small enough for C."""
    if isinstance(like, dict):
        return (
            isinstance(found, dict)
            and found.keys() == like.keys()
            and all(_has_layout(found[name], part) for name, part in like.items())
        )
    if isinstance(like, list):
        return (
            isinstance(found, list)
            and len(found) == len(like)
            and all(_has_layout(a, b) for a, b in zip(found, like, strict=True))
        )
    if isinstance(like, str):
        return bool(found == like)
    if isinstance(like, float):
        return isinstance(found, float) and bool(np.isfinite(found))
    return _is_count(found, _LARGEST)


def _is_count(value: Any, limit: int = _MOST) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < limit


def _is_real(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    # JSON reads whole numbers as int: a user's scorer may return them, negative ones, too.
    return isinstance(value, float) or (isinstance(value, int) and abs(value) <= sys.float_info.max)


def _is_rate(value: Any) -> bool:
    return _is_real(value) and 0 <= value < np.inf


def _demand(is_so: Any, what: str) -> None:
    if not is_so:
        raise DamagedArchiveError(f"its {what} cannot be that of this fit")
