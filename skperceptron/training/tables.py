"""The arrays that training changes: one row of each for every member of a stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..engine.arrays import Floats
from .member import Member


@dataclass
class Tables:
    """What a stack has learned so far, and what its optimisers remember.

    Attributes
    ----------
    parameters, gradient : ndarray of shape (K, P)
    state : dict of str to ndarray of shape (K, P)
        The vectors of the optimiser.
    average : ndarray of shape (K, P) or None
        The averaged parameters, if some member has them.
    """

    parameters: Floats
    gradient: Floats
    state: dict[str, Floats]
    average: Floats | None

    @classmethod
    def of_members(cls, members: Sequence[Member], dtype: np.dtype) -> Tables:
        """Return the tables from which these members go on."""
        parameters = _stacked([m.parameters for m in members], dtype)
        state = {
            name: _stacked([_resumed(m, name) for m in members], dtype)
            for name in members[0].recipe.optimizer.state_names
        }
        average: Floats | None = None
        if any(m.recipe.averaging is not None for m in members):
            starts = [m.parameters if m.average is None else m.average for m in members]
            average = _stacked(starts, dtype)
        return cls(parameters, np.empty_like(parameters), state, average)

    def renew(self, k: int, member: Member) -> None:
        """Let member k, without an average, go on from what another one brings."""
        self.parameters[k] = member.parameters
        for name, vectors in self.state.items():
            vectors[k] = _resumed(member, name)

    def of(self, members: slice | Sequence[int]) -> Tables:
        """Return the rows of some members: as views, if they are given as a slice."""
        return Tables(
            self.parameters[members],
            self.gradient[members],
            {name: vectors[members] for name, vectors in self.state.items()},
            None if self.average is None else self.average[members],
        )


def _stacked(vectors: Sequence[Floats], dtype: np.dtype) -> Floats:
    """Return vectors below one another."""
    # What float32 has no room for becomes infinite: the training then has diverged.
    with np.errstate(over="ignore"):
        return np.stack(vectors).astype(dtype, copy=False)


def _resumed(member: Member, name: str) -> Floats:
    """Return one of the optimiser's vectors, zero at the beginning."""
    found = member.optimizer_state.get(name)
    return np.zeros_like(member.parameters) if found is None else found
