"""A stack of members in training: one epoch for all of them, step by step.

Members are kept in order of falling row counts. A full batch is then a step of a
leading run of members, and the shorter batch that ends an epoch is one step for each
run of members with equally many rows; no row is padded, and each member gets
what it would get alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise

import numpy as np

from ..engine import Network, Workspace
from ..engine.arrays import Call, Floats
from ..losses import Loss
from .data import TrainingSet
from .member import Member

#: Elements that the optimiser treats at a time: four arrays of this length stay in
#: a second-level cache of 1 MiB or nearly so.
CHUNK = 65_536


class Stack:
    """Members that share the network's shape and the batch size.

    Parameters
    ----------
    network : Network
        Its activations are listed in the order of `members`.
    members : sequence of Member
        In order of falling numbers of rows; the optimisers are of one class.
    data : TrainingSet
    batch_size : int
        Rows per step; a member with fewer rows takes them all.
    dtype : dtype
        Of parameters and arithmetic.

    Attributes
    ----------
    parameters : ndarray of shape (K, P)
    state : dict of str to ndarray of shape (K, P)
        The optimiser's vectors.
    """

    def __init__(
        self,
        network: Network,
        members: Sequence[Member],
        data: TrainingSet,
        batch_size: int,
        dtype: np.dtype,
    ) -> None:
        self.network = network
        self.members = list(members)
        self.data = data.astype(dtype)
        self.batch_size = batch_size
        self.dtype = dtype
        self.parameters = np.stack([m.parameters for m in members]).astype(dtype, copy=False)
        self.state = {
            name: np.stack([_resumed(m, name) for m in members]).astype(dtype, copy=False)
            for name in members[0].optimizer.state_names
        }
        self._bind()

    def _bind(self) -> None:
        """Allocate what an epoch of the present members needs."""
        members = self.members
        counts = [len(m.rows) for m in members]
        if counts != sorted(counts, reverse=True):
            raise ValueError("members must come in order of falling numbers of rows.")
        shape = (len(members), counts[0])
        self.gradient = np.empty_like(self.parameters)
        self.order = np.zeros(shape, dtype=np.intp)
        for order, member in zip(self.order, members, strict=True):
            order[: len(member.rows)] = member.rows
        self.losses = np.zeros(shape, dtype=self.dtype)
        weighted = any(m.sample_weight is not None for m in members)
        self.row_factor = np.zeros((*shape, 1), dtype=self.dtype) if weighted else None
        self._steps = list(self._plan(counts))
        self._batches = [_Batches(self._steps, k, len(m.rows)) for k, m in enumerate(members)]
        n_steps = len(self._steps)
        self.weight_sums = np.ones((n_steps, len(members)))
        for k, batches in enumerate(self._batches):
            self.weight_sums[batches.steps, k] = batches.lengths
        self.squares = np.zeros((n_steps, len(members), 1, 1), dtype=self.dtype)
        self._stays_filled = n_steps == 1

    def _plan(self, counts: list[int]) -> Iterator[_Step]:
        """Yield the steps of an epoch in their order."""
        made: dict[tuple[int, int, int], _BoundStep] = {}

        def step(first: int, last: int, start: int, size: int) -> _Step:
            key = (first, last, size)
            if key not in made:
                made[key] = _BoundStep(self, slice(first, last), size)
            return _Step(made[key], start)

        size = self.batch_size
        for start in range(0, counts[0] - size + 1, size):
            yield step(0, sum(count >= start + size for count in counts), start, size)
        starts = [k for k in range(len(counts)) if k == 0 or counts[k] != counts[k - 1]]
        for first, last in pairwise([*starts, len(counts)]):
            rest = counts[first] % size
            if rest:
                yield step(first, last, counts[first] - rest, rest)

    def run_epoch(self) -> Floats:
        """Train every member on each of its rows once.

        Returns
        -------
        losses : ndarray of shape (K,), float64
            Mean training loss while the epoch went on, penalty included.
        """
        self._reorder()
        if self.row_factor is not None:
            self._weigh()
        for i, step in enumerate(self._steps):
            step.run(self, i)
        return np.array([self._loss_of(k) for k in range(len(self.members))])

    def _reorder(self) -> None:
        for order, member in zip(self.order, self.members, strict=True):
            if member.shuffle:
                n = len(member.rows)
                drawn = np.arange(member.n_samples)
                member.rng.shuffle(drawn)
                # One batch holds every row: its order changes nothing but rounding.
                if n > self.batch_size:
                    order[:n] = order[:n][drawn]

    def _weigh(self) -> None:
        """Divide each row's weight by the sum over its batch."""
        assert self.row_factor is not None
        for k, (member, batches) in enumerate(zip(self.members, self._batches, strict=True)):
            rows = self.order[k, : len(member.rows)]
            weight = np.ones(len(rows))
            if member.sample_weight is not None:
                weight = member.sample_weight[rows]
            totals = np.add.reduceat(weight, batches.starts)
            self.weight_sums[batches.steps, k] = totals
            # A batch in which nothing counts moves nothing.
            divisors = np.where(totals > 0, totals, 1)
            self.row_factor[k, : len(rows), 0] = weight / np.repeat(divisors, batches.lengths)

    def _loss_of(self, k: int) -> float:
        """Return the epoch's loss as scikit-learn reports it: batch means, weighted by length."""
        member, batches = self.members[k], self._batches[k]
        n = len(member.rows)
        losses = self.losses[k, :n].astype(np.float64)
        if self.row_factor is None:
            mean = losses.mean()
        else:
            lengths = np.repeat(batches.lengths, batches.lengths)
            mean = (losses * self.row_factor[k, :n, 0] * lengths).sum() / n
        if member.loss.averages_outputs:
            mean /= self.network.n_outputs
        sums = self.weight_sums[batches.steps, k]
        squares = self.squares[batches.steps, k, 0, 0]
        shares = np.divide(batches.lengths, sums, out=np.zeros(len(sums)), where=sums > 0)
        return float(mean + 0.5 * member.alpha * (squares @ shares) / n)

    def retire(self, leaving: Sequence[int]) -> None:
        """Hand the members at the given positions their results and go on without them."""
        for k in leaving:
            member = self.members[k]
            member.parameters = self.parameters[k].copy()
            member.optimizer_state = {name: vector[k].copy() for name, vector in self.state.items()}
        kept = [k for k in range(len(self.members)) if k not in set(leaving)]
        # The order in which rows were last visited is where the next shuffle starts.
        visited = [self.order[k, : len(self.members[k].rows)].copy() for k in kept]
        self.members = [self.members[k] for k in kept]
        for member, rows in zip(self.members, visited, strict=True):
            member.rows = rows
        if kept:
            self.network = self.network.members(kept)
            self.parameters = self.parameters[kept]
            self.state = {name: vector[kept] for name, vector in self.state.items()}
            self._bind()


class _Batches:
    """Which steps of an epoch one member takes part in, and with which of its rows."""

    def __init__(self, steps: Sequence[_Step], k: int, n_rows: int) -> None:
        self.steps = np.array([i for i, s in enumerate(steps) if s.members.start <= k < s.members.stop])
        self.starts = np.array([steps[i].rows.start for i in self.steps])
        self.lengths = np.diff(self.starts, append=n_rows)


class _Step:
    """A bound step together with the rows of the epoch's order that it takes."""

    def __init__(self, bound: _BoundStep, start: int) -> None:
        self.bound = bound
        self.workspace = bound.workspace
        self.members = bound.members
        self.rows = slice(start, start + bound.workspace.delta.shape[1])

    def run(self, stack: Stack, i: int) -> None:
        self.bound.run(stack, i, self.rows)


class _BoundStep:
    """One gradient step of some members on batches of one size."""

    def __init__(self, stack: Stack, members: slice, batch_size: int) -> None:
        network, dtype = stack.network, stack.dtype
        parameters, gradient = stack.parameters[members], stack.gradient[members]
        self.members = members
        self.workspace = Workspace(
            network,
            network.views(parameters),
            batch_size,
            gradient=network.views(gradient),
            sparse=stack.data.is_sparse,
            members=members,
        )
        self.y = np.empty_like(self.workspace.delta)
        self._scratch = np.empty_like(self.workspace.delta)
        self._losses = list(_loss_runs(stack.members[members]))
        self._mean = dtype.type(1 / batch_size)
        weights = parameters[:, : network.n_weights]
        self._square = partial(np.matmul, weights[:, np.newaxis, :], weights[:, :, np.newaxis])
        self._update = _Update(stack, members)
        self._filled = False

    def run(self, stack: Stack, i: int, rows: slice) -> None:
        k, work = self.members, self.workspace
        if not (self._filled and stack._stays_filled):
            chosen = stack.order[k, rows]
            stack.data.fill(work.x, chosen, stack.dtype)
            stack.data.targets.take(chosen, self.y)
            self._filled = True
        work.forward()
        losses = stack.losses[k, rows]
        for loss, j in self._losses:
            loss.loss_gradient(work.raw[j], self.y[j], losses[j], work.delta[j], self._scratch[j])
        factor = self._mean if stack.row_factor is None else stack.row_factor[k, rows]
        np.multiply(work.delta, factor, out=work.delta)
        work.backward()
        self._square(stack.squares[i, k])
        self._update.run(stack.weight_sums[i, k])


class _Update:
    """The penalty's gradient and the optimiser, chunk by chunk over the flat vectors."""

    def __init__(self, stack: Stack, members: slice) -> None:
        self.members = stack.members[members]
        optimizer = self.members[0].optimizer
        n_members = len(self.members)
        width = len(optimizer.coefficients(1.0, 1))
        self._table = np.empty((n_members, width))
        self._coefficients = np.empty((n_members, width), dtype=stack.dtype)
        self._decay = np.empty((n_members, 1), dtype=stack.dtype)
        self._alphas = np.array([m.alpha for m in self.members])
        columns = [self._coefficients[:, j : j + 1] for j in range(width)]
        vectors = [v[members] for v in (stack.parameters, stack.gradient, *stack.state.values())]
        decay = self._decay
        if n_members == 1:
            # One vector times a 0-d array takes NumPy's fast path: half the time of (1, P) * (1, 1).
            columns = [column.reshape(()) for column in columns]
            vectors = [v[0] for v in vectors]
            decay = decay.reshape(())
        self._calls = list(self._chunks(vectors, stack.network.n_weights, columns, decay))

    def _chunks(
        self, vectors: list[Floats], n_weights: int, columns: list[Floats], decay: Floats
    ) -> Iterator[Call]:
        optimizer = self.members[0].optimizer
        length = max(1, CHUNK // len(self.members))
        n_parameters = vectors[0].shape[-1]
        shape = (*vectors[0].shape[:-1], min(length, n_weights))
        scratch = np.empty(shape, dtype=vectors[0].dtype)
        for start in range(0, n_parameters, length):
            parameters, gradient, *state = (v[..., start : start + length] for v in vectors)
            penalised = min(max(n_weights - start, 0), length)
            if penalised and self._alphas.any():
                room = scratch[..., :penalised]
                decayed = gradient[..., :penalised]
                yield partial(np.multiply, parameters[..., :penalised], decay, room)
                yield partial(np.add, decayed, room, decayed)
            yield partial(optimizer.update, parameters, gradient, state, columns)

    def run(self, weight_sums: Floats) -> None:
        """Take one step; ``weight_sums`` (K,) are the batch's sums of weights."""
        for k, member in enumerate(self.members):
            member.steps += 1
            self._table[k] = member.optimizer.coefficients(member.current_rate, member.steps)
            self._decay[k] = member.alpha / weight_sums[k] if weight_sums[k] else 0
        self._coefficients[:] = self._table
        for call in self._calls:
            call()


def _loss_runs(members: Sequence[Member]) -> Iterator[tuple[Loss, slice]]:
    """Yield each run of neighbouring members that share a loss."""
    starts = [k for k in range(len(members)) if k == 0 or members[k].loss is not members[k - 1].loss]
    for start, stop in pairwise([*starts, len(members)]):
        yield members[start].loss, slice(start, stop)


def _resumed(member: Member, name: str) -> Floats:
    """Return one of the optimiser's vectors, zero at the beginning."""
    found = member.optimizer_state.get(name)
    return np.zeros_like(member.parameters) if found is None else found
