"""All that a member's training goes on from, as arrays and JSON, and its file.

A file is an ``.npz`` archive without pickled objects. It is written beside its final place,
flushed to the disk and then moved there, after the file before it has been moved aside: at
every moment at least one whole file exists.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from .._caller import warn
from .member import Member, Progress

#: What reading a damaged archive raises.
_DAMAGE = (BadZipFile, EOFError, KeyError, OSError, ValueError, zlib.error)

_JSON = "json"


@dataclass
class State:
    """A moment of training.

    Attributes
    ----------
    numbers : dict
        Whatever JSON can hold.
    arrays : dict of str to ndarray
    """

    numbers: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)


def state_of(member: Member) -> State:
    """Return what a member's training goes on from.

    Parameters
    ----------
    member : Member
        Published by its stack.
    """
    arrays: dict[str, NDArray[Any]] = {"parameters": member.parameters, "rows": member.rows}
    arrays |= {f"optimizer.{name}": vector for name, vector in member.optimizer_state.items()}
    for name in ("average", "best_parameters"):
        if getattr(member, name) is not None:
            arrays[name] = getattr(member, name)
    numbers = {
        "verdict": member.verdict,
        "current_rate": member.current_rate,
        "steps": member.steps,
        "n_iter": member.n_iter,
        "progress": asdict(member.progress),
        "rng": describe_random_state(member.rng),
        "noise": None if member.noise is None else member.noise.bit_generator.state,
    }
    return State(numbers, arrays)


def restore(member: Member, state: State) -> None:
    """Put a member, not yet in a stack, back to a moment of its training."""
    numbers, arrays = state.numbers, state.arrays
    member.parameters = arrays["parameters"]
    member.rows = arrays["rows"]
    member.optimizer_state = {
        name.removeprefix("optimizer."): vector
        for name, vector in arrays.items()
        if name.startswith("optimizer.")
    }
    member.average = arrays.get("average")
    member.best_parameters = arrays.get("best_parameters")
    member.verdict = numbers["verdict"]
    member.current_rate = numbers["current_rate"]
    member.steps = numbers["steps"]
    member.n_iter = numbers["n_iter"]
    member.progress = Progress(**numbers["progress"])
    recall_random_state(member.rng, numbers["rng"])
    if member.noise is not None:
        member.noise.bit_generator.state = numbers["noise"]


def describe_random_state(rng: np.random.RandomState) -> dict[str, Any]:
    """Return a generator's state in terms of JSON."""
    state: dict[str, Any] = dict(rng.get_state(legacy=False))
    state["state"] = {key: np.asarray(value).tolist() for key, value in state["state"].items()}
    return state


def recall_random_state(rng: np.random.RandomState, described: dict[str, Any]) -> None:
    """Put a generator back into a state that ``describe_random_state`` has returned."""
    inner = described["state"]
    key = np.array(inner["key"], dtype=np.uint32)
    rng.set_state({**described, "state": {**inner, "key": key}})


def previous(path: Path) -> Path:
    """Return where the file goes that a newer one replaces."""
    return path.with_name(path.name + ".previous")


def save(path: Path, state: State) -> None:
    """Write a file such that a crash at any moment leaves a whole one."""
    unfinished = path.with_name(path.name + ".unfinished")
    text = np.frombuffer(json.dumps(state.numbers).encode(), dtype=np.uint8)
    arrays: dict[str, Any] = {_JSON: text, **state.arrays}
    with open(unfinished, "wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        os.replace(path, previous(path))
    os.replace(unfinished, path)
    _flush_directory(path.parent)


def load(path: Path) -> State | None:
    """Read the newest whole file, and move damaged ones out of the way.

    Otherwise the next ``save`` would put a damaged file in the place of the whole one before it.

    Returns
    -------
    State or None
        None if there is no file, or none that is whole.

    Warns
    -----
    UserWarning
        Of each file that is damaged.
    """
    for candidate in (path, previous(path)):
        try:
            return _read(candidate)
        except FileNotFoundError:
            continue
        except _DAMAGE as damage:
            aside = candidate.with_name(candidate.name + ".damaged")
            os.replace(candidate, aside)
            warn(f"The checkpoint {candidate} is damaged ({damage}), ignored, and kept as {aside}.")
    return None


def _read(path: Path) -> State:
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return State(json.loads(arrays.pop(_JSON).tobytes()), arrays)


def _flush_directory(path: Path) -> None:
    """Make a move last, where the system lets one (it does not on Windows)."""
    if os.name == "posix":
        directory = os.open(path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
