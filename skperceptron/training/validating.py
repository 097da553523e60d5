"""Scores of a stack's members on validation rows, computed for all of them at once.

Here K is the number of members, n the largest number of validation rows of any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..engine import Network
from ..engine.arrays import Floats, as_slice, grouped
from ..engine.inputs import DenseInput
from ..engine.prediction import BLOCK
from ..engine.workspace import Workspace

#: Elements of the widest layer, for the rows of all members, up to which these are predicted
#: together (16 MB). With more, arithmetic takes so long that the cost of calls does not matter.
TOGETHER = 2**21

#: Score and loss of one member on its rows, or the error that its validation has raised.
Outcome = tuple[float, float] | Exception


class ValidationMetrics(NamedTuple):
    """Losses and scores of K networks; those of one network have no axis of networks.

    Attributes
    ----------
    losses : ndarray of shape (K,)
    scores : ndarray of shape (K,), or None
        None if they cannot be computed from raw predictions.
    without_parts : ndarray of shape (K, n_parts), or None
        Scores of all rows but those of each part, if asked for.
    """

    losses: Any
    scores: Any = None
    without_parts: Any = None

    def of(self, k: int) -> ValidationMetrics:
        """Return the losses and scores of one network."""
        return ValidationMetrics(*(None if numbers is None else numbers[k] for numbers in self))


class Comparison(Protocol):
    """Compares raw predictions of several networks with the true targets."""

    @property
    def key(self) -> Hashable:
        """Comparisons with equal keys can be joined."""

    def joined(self, others: Sequence[Any]) -> Any:
        """Return one comparison of the networks of this one and of others with the same key."""

    def evaluate(self, raw: Floats) -> ValidationMetrics:
        """Return the losses and scores of raw predictions, (K, n, C), which may be overwritten."""


class JoinableValidation(Protocol):
    """Scores a network; its rows can be predicted together with those of others."""

    comparison: Comparison

    def __call__(self, parameters: Floats) -> tuple[float, float]:
        """Return score and loss of a network with these parameters, (P,)."""

    @property
    def n_rows_together(self) -> int:
        """How many rows can be predicted with those of others; 0 if they must be alone."""

    def dense_rows(self) -> Floats:
        """Return these rows, (n, D)."""

    def outcome(self, metrics: ValidationMetrics, parameters: Floats) -> tuple[float, float]:
        """Return score and loss from this network's part of the comparison."""


class ValidationPass:
    """Validates the members of a stack, each of which may have a validation.

    Rows of those that are a :class:`JoinableValidation` are predicted together.
    """

    def __init__(
        self,
        network: Network,
        validations: Sequence[Callable[[Floats], tuple[float, float]] | None],
        dtype: np.dtype,
    ) -> None:
        self._validations = validations
        # An ``isinstance`` check of the protocol takes longer than validating all members.
        known: Sequence[Any] = validations
        self._joinable: dict[int, JoinableValidation] = {
            k: one for k, one in enumerate(known) if hasattr(one, "comparison")
        }
        counts = {k: n for k, one in self._joinable.items() if (n := one.n_rows_together)}
        n_rows = max(counts.values(), default=0)
        widest = network.widest(spares_input=False)
        if n_rows * widest > BLOCK or len(counts) * n_rows * widest > TOGETHER:
            counts = {}
        joining = {k: self._joinable[k] for k in counts}
        self._joint = _JointValidation(network, joining, dtype) if joining else None

    def outcomes(self, asked: Sequence[int], parameters: Floats) -> dict[int, Outcome]:
        """Validate the members at some positions, which predict with these parameters, (K, P).

        An exception was raised by the validation of that member: others continue.
        """
        metrics: dict[int, ValidationMetrics] = {}
        if self._joint is not None and not self._joint.members.isdisjoint(asked):
            metrics = self._joint.evaluate(parameters)
        return {k: self._outcome(k, metrics.get(k), parameters[k]) for k in asked}

    def _outcome(self, k: int, metrics: ValidationMetrics | None, parameters: Floats) -> Outcome:
        try:
            if metrics is not None:
                return self._joinable[k].outcome(metrics, parameters)
            validation = self._validations[k]
            assert validation is not None
            return validation(parameters)
        except Exception as failure:
            return failure


class _JointValidation:
    """Members of a stack whose validation rows are predicted at once.

    ``validations`` has that of each of these members, by its position in the stack.
    """

    def __init__(
        self, network: Network, validations: Mapping[int, JoinableValidation], dtype: np.dtype
    ) -> None:
        self.members = validations.keys()
        given = [one.dense_rows() for one in validations.values()]
        self._n_rows = dict(zip(validations, map(len, given), strict=True))
        x = np.zeros((len(given), max(map(len, given)), network.n_inputs), dtype=dtype)
        # Numbers too large for float32 become infinite, which the validation detects.
        with np.errstate(over="ignore"):
            for of_member, rows in zip(x, given, strict=True):
                of_member[: len(rows)] = rows
        self._places = as_slice(list(validations))
        self._comparisons = _joined({k: one.comparison for k, one in validations.items()})
        self._x = DenseInput(x)
        self._parameters = np.ones((len(validations), network.n_parameters), dtype=dtype)
        self._network = network.members(list(validations))
        # A block with a factor and a shift computes them when it is bound, from the parameters of
        # that moment: it has to be bound again when these have changed.
        learned = self._network.views(self._parameters)
        self._is_bound_anew = any(
            node.block.factor_and_shift(arrays) is not None
            for node, arrays in zip(self._network.nodes, learned, strict=True)
        )
        self._work: Workspace | None = None

    def evaluate(self, parameters: Floats) -> dict[int, ValidationMetrics]:
        """Return losses and scores of these members, for parameters of the whole stack, (K, P)."""
        raw = self._raw(parameters)
        metrics: dict[int, ValidationMetrics] = {}
        for members, slots, comparison in self._comparisons:
            n_rows = self._n_rows[members[0]]
            try:
                # A comparison may overwrite the array that it gets.
                joint = comparison.evaluate(raw[slots, :n_rows].copy())
            except Exception:
                # A user's own loss may have failed: each member is then validated alone, and gets
                # its own error.
                continue
            metrics |= {member: joint.of(i) for i, member in enumerate(members)}
        return metrics

    def _raw(self, parameters: Floats) -> Floats:
        """Predict the rows of all these members, (G, n, C)."""
        np.copyto(self._parameters, parameters[self._places])
        # Overflow is either intended, as in a sigmoid, or detected by the validation.
        with np.errstate(over="ignore", invalid="ignore"):
            if self._work is None or self._is_bound_anew:
                inputs = {self._network.inputs[0].name: self._x}
                learned = self._network.views(self._parameters)
                self._work = Workspace(
                    self._network, learned, self._x.array.shape[1], inputs=inputs
                )
            self._work.forward()
        return self._work.raw


def _joined(
    comparisons: Mapping[int, Comparison],
) -> list[tuple[list[int], slice | list[int], Comparison]]:
    """Join comparisons with equal keys; return each with its members and their positions."""
    members, found = list(comparisons), list(comparisons.values())
    return [
        (
            [members[i] for i in alike],
            as_slice(alike),
            found[alike[0]].joined([found[i] for i in alike[1:]]),
        )
        for alike in grouped([comparison.key for comparison in found])
    ]
