"""One step of training: gather a batch, compute its gradient, change the parameters.

``Step`` is what an epoch calls, ``gather`` and then ``run``: another way to run a step has to offer
the same two methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..engine import Network, Workspace
from ..engine.arrays import Call, Floats, Integers, runs
from ..engine.calls import squared_lengths
from .data import TrainingSet
from .groups import Groups
from .member import Member
from .plan import Batch
from .scalars import Scalars
from .tables import Tables
from .update import Update, trained_weights
from .window import Window


@dataclass(frozen=True)
class Record:
    """What steps note down.

    Attributes
    ----------
    squares, sizes : ndarray of shape (S, K)
        Sums of squares and of absolute values of the weights before each step.
    taken : ndarray of int, shape (K,)
        How many steps of the epoch each member has taken.
    """

    squares: Floats
    sizes: Floats
    taken: Integers

    @classmethod
    def of_epoch(cls, n_steps: int, n_members: int) -> Record:
        """Return an empty record."""
        shape = (n_steps, n_members)
        return cls(np.zeros(shape), np.zeros(shape), np.zeros(n_members, dtype=np.intp))


class Norms:
    """Sums of squares and of absolute values of what is penalised, (K,) each.

    Parameters
    ----------
    parameters : ndarray of shape (K, P)
    n_weights : int
        Length of the first part, which is penalised.
    strengths : ndarray of shape (*, P) or None
        By what each parameter of all members of the stack counts instead.
    place : slice
        Where these members stand in the stack.
    """

    def __init__(
        self, parameters: Floats, n_weights: int, strengths: Floats | None, place: slice
    ) -> None:
        self._strengths = None if strengths is None else strengths[place]
        self._penalized = parameters[:, :n_weights] if strengths is None else parameters
        self.squares = (
            squared_lengths(self._penalized)
            if self._strengths is None
            else partial(_weighted_squares, self._penalized, self._strengths)
        )

    def sizes(self) -> Floats:
        """Return the sums of absolute values."""
        sizes = np.abs(self._penalized)
        if self._strengths is not None:
            sizes *= self._strengths
        found: Floats = sizes.sum(axis=-1)
        return found


def _weighted_squares(values: Floats, weights: Floats) -> Floats:
    found: Floats = np.einsum("kp,kp,kp->k", values, values, weights)
    return found


class Step:
    """A bound step together with the rows of the window that it takes."""

    def __init__(self, window: Window, bound: BoundStep, batch: Batch) -> None:
        members, rows = batch.members, batch.rows
        factor = bound.mean if window.factor is None else window.factor[members, rows]
        self._gather = bound.gathering(window.order[members, rows])
        self._learn = bound.learning(window.y[members, rows], window.raw[members, rows], factor)
        self._announces = bound.mixes_weighted or bound.is_scheduled
        self.bound = bound

    def gather(self) -> None:
        """Put the rows of X into the workspace."""
        for call in self._gather:
            call()

    def run(self, i: int) -> None:
        """Take step ``i`` of the epoch with the batch that has been gathered."""
        if self._announces:
            self.bound.announce(i)
        for call in self._learn:
            call()
        self.bound.update(i)


class BoundStep:
    """One gradient step of some members on batches of one size.

    Parameters
    ----------
    network : Network
        Of all members of the stack.
    members : sequence of Member
        Those that take the step.
    place : slice
        Where they stand in the stack.
    tables : Tables
        Of all members.
    data : sequence of TrainingSet
        One for each of those that take the step.
    groups : Groups
        Of all members.
    scalars : Scalars
        Of all members.
    record : Record
        Of all members.
    batch_size : int
        Rows per member.
    sums : ndarray of shape (S, K) or None
        The weight of each batch, if rows have weights.
    """

    def __init__(
        self,
        network: Network,
        members: Sequence[Member],
        place: slice,
        tables: Tables,
        data: Sequence[TrainingSet],
        groups: Groups,
        scalars: Scalars,
        record: Record,
        batch_size: int,
        sums: Floats | None,
    ) -> None:
        own = tables.of(place)
        self._dtype = own.parameters.dtype
        # An array: NumPy would make one of a number at every step.
        self.mean = np.array(1 / batch_size, dtype=self._dtype)
        self._work = Workspace(
            network,
            network.views(own.parameters),
            batch_size,
            gradient=network.views(own.gradient),
            sparse=data[0].is_sparse,
            members=place,
            noise=[m.noise for m in members],
            scheduled=scalars.noise_shares is not None,
            weighted=network.mixes_rows and sums is not None,
        )
        self.is_scheduled = scalars.noise_shares is not None
        self.mixes_weighted = self._work.row_shares is not None
        self._sums = sums
        self._place, self._tables, self._record, self._scalars = place, own, record, scalars
        self._sources = list(runs(data))
        self._scratch = np.empty_like(self._work.delta)
        recipes = [m.recipe for m in members]
        self._losses = list(runs([r.loss for r in recipes]))
        self._norms = Norms(own.parameters, network.n_weights, groups.penalty, place)
        self._has_penalty = any(r.alpha for r in recipes)
        self._has_l1 = any(r.alpha * r.l1_ratio for r in recipes)
        self.optimization = Update(
            own,
            recipes,
            trained_weights(network, range(place.start, place.stop)),
            network.n_weights,
            groups,
            place,
            batch_size if sums is None else None,
        )

    def gathering(self, order: Integers) -> list[Call]:
        """List the calls that gather rows of X, (K, B)."""
        return [
            call
            for data, k in self._sources
            for call in data.filling(self._work.inputs, order[k], self._dtype, k)
        ]

    def learning(self, y: Floats, raw: Floats, factor: Floats) -> list[Call]:
        """List the calls that compute a batch's gradient; ``raw`` receives its predictions."""
        work = self._work
        gradients = [
            call
            for loss, j in self._losses
            for call in loss.gradient_calls(work.raw[j], y[j], work.delta[j], self._scratch[j])
        ]
        weighing = []
        if work.row_shares is not None:
            weighing.append(partial(np.copyto, work.row_shares, factor))
        return [
            *weighing,
            *work.forward_calls,
            partial(np.copyto, raw, work.raw),
            *gradients,
            partial(np.multiply, work.delta, factor, work.delta),
            *work.backward_calls,
        ]

    def announce(self, i: int) -> None:
        """Tell blocks what the batch of step ``i`` of the epoch weighs, and how much is noise."""
        if self._work.noise_shares is not None and self._scalars.noise_shares is not None:
            self._work.noise_shares[:] = self._scalars.noise_shares[i, self._place]
        if self._work.total_weights is not None and self._sums is not None:
            self._work.total_weights[:, 0, 0] = self._sums[i, self._place]

    def update(self, i: int) -> None:
        """Change the parameters in step ``i`` of the epoch."""
        k = self._place
        if self._has_penalty:
            self._record.squares[i, k] = self._norms.squares()
        if self._has_l1:
            self._record.sizes[i, k] = self._norms.sizes()
        self._record.taken[k] += 1
        self.optimization.run(self._scalars.table[i, k], self._scalars.alike[i])
        average = self._tables.average
        if average is not None:
            shares = self._scalars.average_shares[i, k]
            if shares.any():
                self._move_average(average, shares)

    def _move_average(self, average: Floats, shares: Floats) -> None:
        """Move averages towards the parameters; the gradient, used up, gives the room."""
        parameters, room = self._tables.parameters, self._tables.gradient
        np.subtract(parameters, average, out=room)
        np.multiply(room, shares[:, np.newaxis], out=room)
        np.add(average, room, out=average)
