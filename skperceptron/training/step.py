"""One step of training: gather a batch, compute its gradient, change the parameters.

An epoch calls ``gather`` and then ``run`` of each ``Step``. Compiled steps read the lists of calls
instead: see ``compiled_steps``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from ..engine import Network, TrainingPass, Workspace
from ..engine.arrays import Call, Floats, Integers, by_network, outputs_before_rows, runs
from ..engine.calls import number, of_members, squared_lengths_calls
from ..engine.compiled import LARGE_PRODUCT
from ..losses import Loss
from .data import TrainingSet
from .groups import Groups
from .member import Member, Vectors
from .plan import Batch
from .scalars import Scalars
from .update import Update, trained_weights
from .window import RowWeights, Window


@dataclass(frozen=True)
class Record:
    """Numbers that steps record.

    ``squares`` and ``sizes``, (S, K), are sums of squares and of absolute values of the weights
    before each step; ``taken``, (K,), says how many steps of the epoch each member has taken.
    """

    squares: Floats
    sizes: Floats
    taken: Integers

    @classmethod
    def of_epoch(cls, n_steps: int, n_members: int) -> Record:
        """Return an empty record."""
        shape = (n_steps, n_members)
        return cls(np.zeros(shape), np.zeros(shape), np.zeros(n_members, dtype=np.intp))


@dataclass(frozen=True, eq=False)
class Shared:
    """What all steps of a stack use; each uses the part of its members, one data set for each."""

    network: Network
    members: Sequence[Member]
    data: Sequence[TrainingSet]
    vectors: Vectors
    groups: Groups
    scalars: Scalars
    weights: RowWeights
    record: Record


class Norms:
    """Sums of squares and of absolute values of penalized parameters, (K,) each.

    Parameters
    ----------
    parameters : ndarray of shape (K, P)
    n_weights : int
        Length of the first part, which is penalized.
    strengths : ndarray of shape (*, P) or None
        Factor of each parameter in the sums, for all members of the stack; if given, it replaces
        `n_weights`.
    place : slice
        Where these members stand in the stack.
    """

    def __init__(
        self, parameters: Floats, n_weights: int, strengths: Floats | None, place: slice
    ) -> None:
        self._strengths = None if strengths is None else strengths[place]
        self._penalized = parameters[:, :n_weights] if strengths is None else parameters
        self._room = np.empty((len(parameters), 1, 1), parameters.dtype)

    def squares_calls(self, out: Floats) -> list[Call]:
        """List the calls that write the sums of squares into ``out``, (K,)."""
        if self._strengths is not None:
            return [partial(_write_squares, self._penalized, self._strengths, out)]
        return [*self._summing, partial(np.copyto, out, self._room[:, 0, 0])]

    def sizes_calls(self, out: Floats) -> list[Call]:
        """List the calls that write the sums of absolute values into ``out``, (K,)."""
        return [partial(_write_sizes, self._penalized, self._strengths, out)]

    @cached_property
    def _summing(self) -> list[Call]:
        # Cached, so that all steps have the same calls: tables need arrays that are the same in all
        # steps, or advance by a constant stride.
        return squared_lengths_calls(self._penalized, self._room)


def _write_squares(x: Floats, strengths: Floats, out: Floats) -> None:
    out[:] = np.einsum("kp,kp,kp->k", x, x, strengths)


def _write_sizes(x: Floats, strengths: Floats | None, out: Floats) -> None:
    sizes = np.abs(x)
    if strengths is not None:
        sizes *= strengths
    out[:] = sizes.sum(axis=-1)


class Step:
    """A bound step together with the rows of the window that it takes.

    Its calls are listed when they are first used: for most steps, tables do not need them.
    """

    def __init__(self, window: Window, bound: BoundStep, batch: Batch) -> None:
        self._window, self._batch = window, batch
        self.bound = bound

    def follows(self, other: Step) -> bool:
        """Tell whether ``other`` is an equal step that takes the rows just before this one."""
        return self.bound is other.bound and self._batch.start == other._batch.rows.stop

    @cached_property
    def gather_calls(self) -> list[Call]:
        """The calls of ``gather``."""
        batch = self._batch
        return self.bound.gather_calls(self._window.order[batch.members, batch.rows])

    @cached_property
    def gradient_calls(self) -> list[Call]:
        """The calls that compute the gradient."""
        window, place = self._window, (self._batch.members, self._batch.rows)
        factor = self.bound.mean if window.factor is None else window.factor[place]
        notes = None if window.notes is None else window.notes[place]
        return self.bound.gradient_calls(window.y[place], window.raw[place], factor, notes)

    def gather(self) -> None:
        """Put the rows of X into the workspace."""
        for call in self.gather_calls:
            call()

    def run(self, i: int) -> None:
        """Take step ``i`` of the epoch with the batch that has been gathered."""
        if self.bound.announced:
            self.bound.announce(i)
        for call in self.gradient_calls:
            call()
        self.bound.update(i)


class BoundStep:
    """One gradient step of some members on batches of one size.

    Parameters
    ----------
    shared : Shared
    place : slice
        Where the members that take the step stand in the stack.
    batch_size : int
        Rows per member.
    """

    def __init__(self, shared: Shared, place: slice, batch_size: int) -> None:
        network, data = shared.network, shared.data[place]
        own = shared.vectors.of(place)
        recipes = [m.recipe for m in shared.members[place]]
        self._dtype = own.parameters.dtype
        self.has_large_product = batch_size * network.largest_product >= LARGE_PRODUCT
        # An array, because NumPy would convert a number into one at every step.
        self.mean = np.array(1 / batch_size, dtype=self._dtype)
        self._work = _workspace(shared, place, own, batch_size)
        self.announced = _announced(self._work, shared, place)
        self._place, self._vectors = place, own
        self._record, self._scalars = shared.record, shared.scalars
        #: Counts the steps of this epoch for each member, (K,).
        self.counters = shared.record.taken[place]
        self._sources = list(runs(data))
        self._scratch = np.empty_like(self._work.delta)
        if self._work.multiplicity > 1:
            self._of_networks = self._room_of_networks(data[0].targets.n_outputs)
        self._losses = list(runs([r.loss for r in recipes]))
        self._norms = Norms(own.parameters, network.n_weights, shared.groups.penalty, place)
        self._has_penalty = any(r.alpha for r in recipes)
        self._has_l1 = any(r.alpha * r.l1_ratio for r in recipes)
        self.optimization = Update(
            own,
            recipes,
            trained_weights(network, range(place.start, place.stop)),
            shared.groups,
            place,
        )

    def _room_of_networks(self, n_targets: int) -> tuple[Floats, Floats]:
        """Return arrays for targets and factors of all networks that share weights.

        They are the same arrays in each step, as tables need them.
        """
        n_members, n_rows, _ = self._work.delta.shape
        targets = outputs_before_rows(n_members, n_rows, n_targets, self._dtype)
        return targets, np.empty((n_members, n_rows, 1), self._dtype)

    def gather_calls(self, order: Integers) -> list[Call]:
        """List the calls that gather rows of X, (K, B)."""
        return [
            call
            for data, k in self._sources
            for call in of_members(
                data.fill_calls(self._work.inputs, order[k], self._dtype, k), k, len(order)
            )
        ]

    def gradient_calls(
        self, y: Floats, raw: Floats, factor: Floats, notes: Floats | None = None
    ) -> list[Call]:
        """List the calls that compute a batch's gradient; ``raw`` receives its predictions.

        Notes, (K, B, N), are written for the losses if an array for them is given.
        """
        work = self._work
        repeating: list[Call] = []
        if work.multiplicity > 1:
            y, factor, repeating = self._repeated(y, factor)
        gradients = [
            call
            for loss, j in self._losses
            for call in of_members(self._loss_calls(loss, j, y, notes), j, len(y))
        ]
        weighing = []
        if work.row_shares is not None:
            weighing.append(partial(np.copyto, work.row_shares, factor))
        return [
            *weighing,
            *repeating,
            *work.forward_calls,
            work.prediction_call(raw),
            *gradients,
            partial(np.multiply, work.delta, factor, work.delta),
            *work.backward_calls,
        ]

    def _loss_calls(self, loss: Loss, j: slice, y: Floats, notes: Floats | None) -> list[Call]:
        arrays = self._work.raw[j], y[j], self._work.delta[j], self._scratch[j]
        if notes is None or not loss.n_notes:
            return loss.gradient_calls(*arrays)
        return loss.noting_calls(*arrays, notes[j, :, : loss.n_notes])

    def _repeated(self, y: Floats, factor: Floats) -> tuple[Floats, Floats, list[Call]]:
        """Return targets and factors of rows that m networks predict, and the calls that fill them.

        The loss of a row is the mean of the networks' losses.
        """
        m = self._work.multiplicity
        targets, factors = self._of_networks
        of_network = by_network(targets, m, y.shape[-1])
        calls: list[Call] = [partial(np.copyto, of_network, y[:, np.newaxis])]
        if not factor.shape:
            return targets, number(factor / m, self._dtype), calls
        share = self._dtype.type(1 / m)
        of_network = by_network(factors, m, 1)
        calls.append(partial(np.multiply, factor[:, np.newaxis], share, of_network))
        return targets, factors, calls

    def announce(self, i: int) -> None:
        """Give blocks the batch weights and factors of dropout rates for step ``i``."""
        for call in self.announce_calls(i):
            call()

    def announce_calls(self, i: int) -> list[Call]:
        """List the calls of ``announce``."""
        return [partial(np.copyto, array, of_steps[i]) for array, of_steps in self.announced]

    def update(self, i: int) -> None:
        """Change the parameters in step ``i`` of the epoch."""
        k = self._place
        shares = self._scalars.average_shares[i, k]
        averages = self._vectors.average is not None and bool(shares.any())
        for call in self._update_calls(i, averages, self.optimization.calls):
            call()
        self.counters += 1

    def _average_calls(self, average: Floats, shares: Floats) -> list[Call]:
        """List the calls that move averages towards the parameters, and overwrite the gradient."""
        parameters, room = self._vectors.parameters, self._vectors.gradient
        return [
            partial(np.subtract, parameters, average, room),
            partial(np.multiply, room, shares[:, np.newaxis], room),
            partial(np.add, average, room, average),
        ]

    def update_calls(self, i: int, averages: bool) -> list[Call]:
        """List the calls of ``update``, except the counting, in the form for compiled steps.

        With ``averages``, averages of the parameters are updated, too.
        """
        return self._update_calls(i, averages, self.optimization.table_calls)

    def _update_calls(self, i: int, averages: bool, of_optimization: list[Call]) -> list[Call]:
        k = self._place
        calls: list[Call] = []
        if self._has_penalty:
            calls += self._norms.squares_calls(self._record.squares[i, k])
        if self._has_l1:
            calls += self._norms.sizes_calls(self._record.sizes[i, k])
        calls += [self.optimization.load(self._scalars.table[i, k]), *of_optimization]
        if averages and self._vectors.average is not None:
            shares = self._scalars.average_shares[i, k]
            calls += self._average_calls(self._vectors.average, shares)
        return calls

    def averaging_runs(self, i: int, n_steps: int) -> list[tuple[bool, int]]:
        """Split the steps from ``i`` of the epoch on into runs that do or do not update averages.

        Returns for each run whether it updates averages, and where it ends, counted from ``i``.
        """
        if self._vectors.average is None:
            return [(False, n_steps)]
        shares = self._scalars.average_shares[i : i + n_steps, self._place]
        moves = np.asarray(shares.any(axis=1))
        ends = [*(np.flatnonzero(moves[1:] != moves[:-1]) + 1).tolist(), n_steps]
        return [(bool(moves[end - 1]), end) for end in ends]


def _workspace(shared: Shared, place: slice, own: Vectors, batch_size: int) -> Workspace:
    """Return the workspace of the members at a place, whose vectors are ``own``."""
    network, members = shared.network, shared.members[place]
    return Workspace(
        network,
        network.views(own.parameters),
        batch_size,
        TrainingPass(
            network.views(own.gradient),
            noise=[m.noise for m in members],
            scheduled=shared.scalars.noise_shares is not None,
            weighted=network.mixes_rows and shared.weights.are_given,
        ),
        members=place,
        inputs=shared.data[place][0].holders(len(members)),
    )


def _announced(work: Workspace, shared: Shared, place: slice) -> list[tuple[Floats, Floats]]:
    """Return arrays that blocks read, (K,), and what stands in them in each step, (S, K)."""
    announced: list[tuple[Floats, Floats]] = []
    if work.noise_shares is not None and shared.scalars.noise_shares is not None:
        announced.append((work.noise_shares, shared.scalars.noise_shares[:, place]))
    if work.total_weights is not None:
        announced.append((work.total_weights[:, 0, 0], shared.weights.sums[:, place]))
    return announced
