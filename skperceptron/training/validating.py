"""Scores of a stack's members on validation rows, predicted for all of them in one pass.

Here K is the number of members, n the largest number of validation rows of any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from ..engine import Network
from ..engine.arrays import Floats
from ..engine.inputs import DenseInput
from ..engine.prediction import BLOCK
from ..engine.workspace import Workspace

#: Numbers of the widest layer, for the rows of all members, up to which they are predicted
#: together (16 MB). Above it the arithmetic takes so long that calls do not count.
TOGETHER = 2**21

#: What the rows of one member, and the loss on them, have become: an error stands for itself.
Outcome = tuple[float, float] | Exception


@runtime_checkable
class Judge(Protocol):
    """Scores a network; its rows can be predicted together with those of others."""

    def __call__(self, parameters: Floats) -> tuple[float, float]:
        """Return score and loss of a network with these parameters, (P,)."""

    @property
    def n_rows_together(self) -> int:
        """How many rows may be predicted with those of others; none, if they must be alone."""

    def dense_rows(self) -> Floats:
        """Return these rows, (n, D)."""

    def judge(self, raw: Floats, parameters: Floats) -> tuple[float, float]:
        """Return score and loss from the raw predictions of its rows, (n, C)."""


class ValidationPass:
    """Validates the members of a stack.

    Parameters
    ----------
    network : Network
        Of all members.
    validations : sequence of callable or None
        How each member is validated, if at all. Those that are a :class:`Judge` are predicted
        together, the others one by one.
    dtype : dtype
        Of the arithmetic.
    """

    def __init__(
        self,
        network: Network,
        validations: Sequence[Callable[[Floats], tuple[float, float]] | None],
        dtype: np.dtype,
    ) -> None:
        self._validations = validations
        judges = {k: judge for k, judge in enumerate(validations) if isinstance(judge, Judge)}
        self._judges = judges
        counts = {k: n for k, judge in judges.items() if (n := judge.n_rows_together)}
        n_rows = max(counts.values(), default=0)
        widest = network.widest(spares_input=False)
        if n_rows * widest > BLOCK or len(counts) * n_rows * widest > TOGETHER:
            counts = {}
        #: The members that are predicted together, and how many rows each has.
        self._together = counts
        if not counts:
            return
        x = np.zeros((len(counts), n_rows, network.n_inputs), dtype=dtype)
        # What float32 has no room for becomes infinite, which the judge finds.
        with np.errstate(over="ignore"):
            for of_member, (k, n) in zip(x, counts.items(), strict=True):
                of_member[:n] = judges[k].dense_rows()
        self._x = DenseInput(x)
        self._parameters = np.ones((len(counts), network.n_parameters), dtype=dtype)
        self._network = network.members(list(counts))
        # What a block makes of its parameters when it is bound is of the moment.
        learned = self._network.views(self._parameters)
        lines = zip(self._network.nodes, learned, strict=True)
        self._is_bound_anew = any(n.block.factor_and_shift(of) is not None for n, of in lines)
        self._work: Workspace | None = None

    def outcomes(
        self, asked: Iterable[int], parameters_of: Callable[[int], Floats]
    ) -> dict[int, Outcome]:
        """Validate some members.

        Parameters
        ----------
        asked : iterable of int
            Positions of the members.
        parameters_of : callable
            Returns the parameters, (P,), with which the member at a position predicts.

        Returns
        -------
        dict of int to (score, loss) or Exception
            An exception is what the validation of the member has raised: others go on.
        """
        asked = list(asked)
        raw = self._raw(parameters_of) if self._together.keys() & asked else {}
        return {k: self._outcome(k, raw.get(k), parameters_of(k)) for k in asked}

    def _raw(self, parameters_of: Callable[[int], Floats]) -> dict[int, Floats]:
        """Predict the rows of all members that are predicted together."""
        for i, k in enumerate(self._together):
            self._parameters[i] = parameters_of(k)
        # Overflow is either meant, as in a sigmoid, or found by the judge.
        with np.errstate(over="ignore", invalid="ignore"):
            if self._work is None or self._is_bound_anew:
                inputs = {self._network.inputs[0].name: self._x}
                learned = self._network.views(self._parameters)
                self._work = Workspace(
                    self._network, learned, self._x.array.shape[1], inputs=inputs
                )
            self._work.forward()
        # Judges may change what they get.
        return {
            k: self._work.raw[i, :n_rows].copy()
            for i, (k, n_rows) in enumerate(self._together.items())
        }

    def _outcome(self, k: int, raw: Floats | None, parameters: Floats) -> Outcome:
        try:
            if raw is not None:
                return self._judges[k].judge(raw, parameters)
            validation = self._validations[k]
            assert validation is not None
            return validation(parameters)
        except Exception as failure:
            return failure
