"""A stack that is kept between calls of ``partial_fit``: making one takes longer than a small step.

Only its arrays and calls are reused: each call of ``partial_fit`` writes its rows, targets,
parameters and the optimiser's vectors into the arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from copy import deepcopy

import numpy as np

from .data import Targets, TrainingSet
from .member import Member
from .stack import Stack

#: Bytes of X, and parameters, up to which a stack is kept: with more, steps take most of the time.
LARGEST_X, LARGEST_P = 2**17, 2**16


class ReusableStack:
    """The stack that one model has used last, if any.

    A call takes it out while it works with it, so that threads can share a model. Copies and
    pickles of the model start without a stack.
    """

    def __init__(self) -> None:
        self._resting: dict[Hashable, Stack] = {}

    def __reduce__(self) -> tuple[type[ReusableStack], tuple[()]]:
        return ReusableStack, ()

    def take(
        self,
        key: Hashable,
        member: Member,
        data: TrainingSet,
        make: Callable[[TrainingSet], Stack],
    ) -> Stack:
        """Return a stack of the member: the one that was made for the same key, or a new one.

        The key is all that decides which operations a stack performs. The member has no sample
        weights, dropout or averaging. ``make`` makes a stack of it on the data that it is given.
        """
        stack = self._resting.pop(key, None)
        if stack is None:
            # Copies: the next call writes into them.
            return make(TrainingSet(data.X.copy(), deepcopy(data.targets)))
        stack.renew(member, data)
        return stack

    def put_back(self, key: Hashable, stack: Stack) -> None:
        """Keep a stack for the next call."""
        self._resting = {key: stack}


def is_small(member: Member, data: TrainingSet) -> bool:
    """Tell whether a stack of the member may be kept between calls."""
    return (
        type(data.X) is np.ndarray
        and isinstance(data.targets, Targets)
        and data.X.nbytes <= LARGEST_X
        and len(member.parameters) <= LARGEST_P
        and member.recipe.sample_weight is None
        and member.noise is None
        and member.recipe.averaging is None
    )
