"""The state from which a member's training can continue, as arrays and values for JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .hashed_archive import DamagedArchiveError
from .member import Member, Progress, Verdict
from .state_checks import GENERATORS, Form, check_limits, check_state


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
        Settings that only decide how long the fit lasts: ``max_iter``, ``patience``,
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
            return "; ".join(f"{name} {_change(name, before, now)}" for name in names)
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
    """Return the state from which a member can continue; its stack has published its results."""
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
            " tampered with. Delete it to train from scratch."
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
    """Restore a generator to a state that ``describe_random_state`` has returned."""
    inner = described["state"]
    if "pos" in inner:
        inner = {**inner, "key": np.array(inner["key"], dtype=np.uint32)}
    rng.set_state({**described, "state": inner})


def _change(name: str, before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return what a fact was in one fit and is in another, for those that have it."""
    fits = ("was", before), ("is", now)
    return ", ".join(f"{verb} {facts[name]}" for verb, facts in fits if name in facts)
