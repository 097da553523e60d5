"""The arrays that training changes: one row of each for every member of a stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..engine.arrays import Floats
from .member import Member


@dataclass
class Vectors:
    """What a stack has learned so far, and the state of its optimisers.

    Parameters
    ----------
    learned : ndarray of shape (V, K, P)
        The parameters, then each vector of the optimiser.
    gradient : ndarray of shape (K, P)
    state_names : sequence of str
        Of the optimiser's vectors.
    average : ndarray of shape (K, P) or None
        The averaged parameters, if some member has them.

    Attributes
    ----------
    parameters : ndarray of shape (K, P)
    state : dict of str to ndarray of shape (K, P)
        The vectors of the optimiser.
    """

    learned: Floats
    gradient: Floats
    state_names: Sequence[str]
    average: Floats | None

    def __post_init__(self) -> None:
        self.parameters: Floats = self.learned[0]
        self.state = dict(zip(self.state_names, self.learned[1:], strict=True))

    @classmethod
    def of_members(cls, members: Sequence[Member], dtype: np.dtype) -> Vectors:
        """Return the vectors with which these members start or continue."""
        names = members[0].recipe.optimizer.state_names
        shape = len(members), len(members[0].parameters)
        learned = np.empty((1 + len(names), *shape), dtype)
        average: Floats | None = None
        if any(m.recipe.averaging is not None for m in members):
            average = np.empty(shape, dtype)
        found = cls(learned, np.empty(shape, dtype), names, average)
        # Numbers too large for float32 become infinite: the training then has diverged.
        with np.errstate(over="ignore"):
            for k, member in enumerate(members):
                found.renew(k, member)
                if average is not None:
                    average[k] = member.parameters if member.average is None else member.average
        return found

    def renew(self, k: int, member: Member) -> None:
        """Copy the state of a member, except its average, into row k."""
        self.parameters[k] = member.parameters
        for name, vectors in self.state.items():
            vectors[k] = member.optimizer_state.get(name, 0)

    def of(self, members: slice | Sequence[int]) -> Vectors:
        """Return the rows of some members: as views, if they are given as a slice."""
        if isinstance(members, slice):
            learned = self.learned[:, members]
        else:
            # Indexing by a list would give another memory layout.
            learned = self.learned.take(members, axis=1)
        return Vectors(
            learned,
            self.gradient[members],
            self.state_names,
            None if self.average is None else self.average[members],
        )
