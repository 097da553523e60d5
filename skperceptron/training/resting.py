"""A stack that rests between calls of ``partial_fit``: to make one takes longer than a small step.

It keeps nothing that a call goes on from: each call puts rows, targets, parameters and the
optimiser's vectors into its arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from copy import deepcopy

import numpy as np

from .data import Targets, TrainingSet
from .member import Member
from .stack import Stack

#: Bytes of X, and parameters, up to which a stack is kept: beyond, its steps take most of the time.
LARGEST_X, LARGEST_P = 2**17, 2**16


class RestingStack:
    """The stack that one model has used last, if it has one.

    It leaves while it works, so that threads can share a model. Copies and pickles of the model
    start without any.
    """

    def __init__(self) -> None:
        self._resting: dict[Hashable, Stack] = {}

    def __reduce__(self) -> tuple[type[RestingStack], tuple[()]]:
        return RestingStack, ()

    def take(
        self,
        key: Hashable,
        member: Member,
        data: TrainingSet,
        make: Callable[[TrainingSet], Stack],
    ) -> Stack:
        """Return a stack of the member: the one that was made for the same key, or a new one.

        Parameters
        ----------
        key : hashable
            All that decides which operations a stack performs.
        member : Member
            Without weights, noise or average.
        data : TrainingSet
        make : callable
            Makes a stack of the member on the data that it is given.
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
    """Tell whether a stack of the member may rest between calls."""
    return (
        type(data.X) is np.ndarray
        and isinstance(data.targets, Targets)
        and data.X.nbytes <= LARGEST_X
        and len(member.parameters) <= LARGEST_P
        and member.recipe.sample_weight is None
        and member.noise is None
        and member.recipe.averaging is None
    )
