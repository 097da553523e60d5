"""The state from which a member's training can continue, as arrays and JSON, and its file.

A file is a sealed archive. It is written under a temporary name in the same directory and flushed
to the disk. Then the previous file is moved aside and the new one renamed: at every moment at
least one whole file exists.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from operator import methodcaller
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..usercall import warn
from .hashed_archive import DamagedArchiveError, read_arrays, write_arrays
from .locks import FileLock
from .member import Member, Progress, Verdict
from .state_checks import GENERATORS, Form, check_limits, check_state

_JSON = "json"

#: Ends the name of a file that is being written.
_UNFINISHED = ".unfinished"


@dataclass
class State:
    """The state of training at one moment: values that JSON can hold, and arrays by name."""

    numbers: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """A fit that is to be resumed.

    Attributes
    ----------
    identity : dict of str to str
        Everything that distinguishes this fit from others, by name, except for the limits.
    limits : dict of str to float
        Settings that only decide how long the fit goes on: ``max_iter``, ``patience``,
        ``max_time``. One that has other effects on this fit is part of its identity instead.
    form : Form
        What its state must look like.
    """

    identity: dict[str, str]
    limits: dict[str, float]
    form: Form

    def check(self, state: State) -> None:
        """Raise DamagedArchiveError if a state claims to be of this fit, but cannot be."""
        numbers = state.numbers
        identity, limits = numbers.get("identity"), numbers.get("limits")
        if not (isinstance(identity, dict) and all(isinstance(v, str) for v in identity.values())):
            raise DamagedArchiveError("it does not say what it is of")
        # The file of another fit is not damaged.
        if identity == self.identity:
            check_limits(limits, self.limits)
            check_state(numbers, state.arrays, self.form)

    def differences(self, state: State) -> str:
        """Return in words why a state that has passed ``check`` is not of this fit; "" if it is."""
        before, now = state.numbers["identity"], self.identity
        names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        if names:
            return "; ".join(f"{n} was {before.get(n)}, is {now.get(n)}" for n in names)
        n_iter, limits = state.numbers["n_iter"], state.numbers["limits"]
        if self.limits.get("max_iter", n_iter) < n_iter:
            return f"it has seen {n_iter} epochs, max_iter is {self.limits['max_iter']}"
        if self.limits.get("patience", np.inf) < limits.get("patience", 0):
            return (
                f"n_iter_no_change was {limits['patience']}, is {self.limits['patience']}, and may"
                " only grow"
            )
        return ""


def state_of(member: Member) -> State:
    """Return the state from which a member, whose stack has published its results, can go on."""
    arrays: dict[str, NDArray[Any]] = {"parameters": member.parameters, "rows": member.rows}
    arrays |= {f"optimizer.{name}": vector for name, vector in member.optimizer_state.items()}
    for name in ("average", "best_parameters"):
        if getattr(member, name) is not None:
            arrays[name] = getattr(member, name)
    numbers = {
        "verdict": member.verdict.value,
        "told_to_stop": False,
        "current_rate": member.current_rate,
        "steps": member.steps,
        "n_iter": member.n_iter,
        "progress": member.progress.of_this_fit(),
        "rng": describe_random_state(member.rng),
        "noise": None if member.noise is None else member.noise.bit_generator.state,
    }
    return State(numbers, arrays)


def restore(member: Member, state: State) -> None:
    """Restore a member at its start to a saved state, which has passed ``Job.check``.

    The limits that decide how long it trains may have changed since. Raises ValueError if the
    member trains on other rows.
    """
    numbers, arrays = state.numbers, state.arrays
    if not np.array_equal(np.sort(arrays["rows"]), np.sort(member.rows)):
        raise ValueError(
            "The checkpoint's rows are not those on which this fit trains: the file has been"
            " tampered with. Delete it to train anew."
        )
    member.parameters = arrays["parameters"]
    member.rows = arrays["rows"]
    member.optimizer_state = {
        name.removeprefix("optimizer."): vector
        for name, vector in arrays.items()
        if name.startswith("optimizer.")
    }
    member.average = arrays.get("average")
    member.best_parameters = arrays.get("best_parameters")
    member.current_rate = numbers["current_rate"]
    member.steps = numbers["steps"]
    member.n_iter = numbers["n_iter"]
    member.progress = Progress(**numbers["progress"], earlier=member.progress.earlier)
    recall_random_state(member.rng, numbers["rng"])
    if member.noise is not None:
        member.noise.bit_generator.state = numbers["noise"]
    member.verdict = _verdict_today(member, numbers)


def _verdict_today(member: Member, numbers: dict[str, Any]) -> Verdict:
    """Return the verdict of the last epoch under the limits that hold now."""
    recipe = member.recipe
    if numbers["told_to_stop"] or member.progress.no_improvement > recipe.n_iter_no_change:
        return Verdict.STOP
    if member.n_iter >= recipe.max_iter:
        return Verdict.EXHAUSTED
    was_late = numbers["verdict"] == Verdict.OUT_OF_TIME.value
    if was_late and recipe.max_seconds <= numbers["limits"]["max_time"]:
        return Verdict.OUT_OF_TIME
    return Verdict.GO_ON


def describe_random_state(rng: np.random.RandomState) -> dict[str, Any]:
    """Return a generator's state in values that JSON can hold.

    Raises ValueError if states of this kind of generator cannot be checked when they are read.
    """
    state: dict[str, Any] = dict(rng.get_state(legacy=False))
    if state["bit_generator"] not in GENERATORS:
        raise ValueError(
            f"random_state={rng!r} of a fit that Checkpoint saves must be a generator of the kind"
            f" {' or '.join(GENERATORS)}."
        )
    return _without_arrays(state)


def _without_arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_arrays(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def recall_random_state(rng: np.random.RandomState, described: dict[str, Any]) -> None:
    """Put a generator back into a state that ``describe_random_state`` has returned."""
    inner = described["state"]
    if "pos" in inner:
        inner = {**inner, "key": np.array(inner["key"], dtype=np.uint32)}
    rng.set_state({**described, "state": inner})


def previous(path: Path) -> Path:
    """Return the path to which a file is moved when a newer one replaces it."""
    return path.with_name(path.name + ".previous")


def save(path: Path, state: State) -> None:
    """Write a file such that a crash at any moment leaves a whole one.

    Raises OSError if it cannot be written; the previous one is still there.
    """
    # JSON can hold Python's numbers, but not NumPy's.
    text = json.dumps(state.numbers, default=methodcaller("item")).encode()
    # Each writer uses a different name.
    name = f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}{_UNFINISHED}"
    unfinished = path.with_name(name)
    try:
        with open(unfinished, "xb") as file:
            write_arrays(file, {_JSON: np.frombuffer(text, dtype=np.uint8), **state.arrays})
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            os.replace(path, previous(path))
        os.replace(unfinished, path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
    _flush_directory(path.parent)


class Writing:
    """The right to write a checkpoint file during a fit.

    A fit that cannot write goes on without saving: it is worth more than its checkpoint. A warning
    tells that the file cannot be written, or that another fit is writing it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(path.with_name(path.name + ".lock"))
        self._has_failed = False
        self.is_allowed = False
        try:
            self.is_allowed = self._lock.acquire()
            if self.is_allowed:
                _remove_unfinished(path)
            else:
                self._warn("is being written by another fit")
        except OSError as error:
            self._warn(f"cannot be written ({error})")

    def write(self, state: State) -> None:
        """Save a state if that is allowed; only the first of several failures causes a warning."""
        if not self.is_allowed:
            return
        try:
            save(self._path, state)
        except OSError as error:
            if not self._has_failed:
                self._warn(f"cannot be written ({error})")
            self._has_failed = True

    def close(self) -> None:
        """Let other fits write the file."""
        self._lock.release()

    def _warn(self, why: str) -> None:
        _tell(f"The checkpoint {self._path} {why}: this fit goes on without saving.")


def _remove_unfinished(path: Path) -> None:
    """Remove unfinished files of writers that were killed; the caller holds the lock."""
    for name in os.listdir(path.parent):
        if name.startswith(f"{path.name}.") and name.endswith(_UNFINISHED):
            with suppress(OSError):
                path.with_name(name).unlink()


def load(
    path: Path, check: Callable[[State], None] | None = None, *, tidies: bool = True
) -> State | None:
    """Read the newest whole file, and move damaged ones out of the way.

    Otherwise the next ``save`` would overwrite the previous, whole file with the damaged one;
    without ``tidies``, damaged files are left where they are. ``check`` raises
    ``DamagedArchiveError`` if a state cannot be right. Returns None if no file is whole. Warns of
    each damaged file; a filter that turns warnings into errors does not end the fit.
    """
    for candidate in (path, previous(path)):
        try:
            state = _read(candidate)
            if check is not None:
                check(state)
            return state
        except FileNotFoundError:
            continue
        except (DamagedArchiveError, OSError) as damage:
            aside = _put_aside(candidate) if tidies else None
            kept = "" if aside is None else f", and kept as {aside}"
            _tell(f"The checkpoint {candidate} is damaged ({damage}), ignored{kept}.")
    return None


def _tell(message: str) -> None:
    """Warn, or print to stderr if the user's filter turns warnings into errors.

    The fit can go on: an error would end it needlessly.
    """
    try:
        warn(message)
    except UserWarning:
        print(message, file=sys.stderr)


def _read(path: Path) -> State:
    arrays = read_arrays(path)
    try:
        numbers = json.loads(arrays.pop(_JSON).tobytes())
    except Exception as error:
        # A valid seal before invalid JSON: the file was forged. Deep nesting exhausts the stack.
        raise DamagedArchiveError(f"it holds no JSON: {type(error).__name__}") from error
    if not isinstance(numbers, dict):
        raise DamagedArchiveError("its JSON is no object")
    return State(numbers, arrays)


def _put_aside(path: Path) -> Path | None:
    """Rename a file that is damaged; return its new name, or None if that cannot be done."""
    aside = path.with_name(path.name + ".damaged")
    try:
        if not path.is_file():
            return None
        os.replace(path, aside)
    except OSError:
        return None
    return aside


def _flush_directory(path: Path) -> None:
    """Make a rename durable, where the system allows it (Windows does not)."""
    if os.name == "posix":
        directory = os.open(path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
