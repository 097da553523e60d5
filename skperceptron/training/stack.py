"""A stack of members in training: one epoch for all of them, step by step.

Members are kept in order of falling row counts. A full batch is then a step of a
leading run of members, and the shorter batch that ends an epoch is one step for each
run of members with equally many rows; no row is padded, and each member gets
what it would get alone.

An epoch is cut into windows of many batches. Targets are gathered, and losses computed,
for a window at a time: a step itself only gathers X, runs the network and updates it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from functools import partial
from itertools import pairwise

import numpy as np

from ..engine import Network, Workspace
from ..engine.arrays import Booleans, Call, Floats, Integers, as_slice, in_range, runs
from ..engine.calls import squared_lengths
from .data import TrainingSet, one_below_another
from .member import Member

#: Elements that the optimiser treats at a time: its four arrays of this length are 1 MB in
#: float32. Shorter chunks cost more calls, longer ones leave the cache (measured on a second-level
#: cache of 512 KB: 16,384 elements 424 us, 65,536 elements 328 us, for 200,704 parameters).
CHUNK = 65_536

#: Raw predictions that are kept before their losses are computed.
WINDOW = 32_768


class Stack:
    """Members that share the network's shape and the batch size.

    Parameters
    ----------
    network : Network
        Its activations are listed in the order of `members`.
    members : sequence of Member
        In order of falling numbers of rows; their optimisers perform the same operations.
    data : TrainingSet or sequence of TrainingSet
        One for all members, or one for each; neighbours with the same one are gathered at once.
        All have equally many targets.
    batch_size : int
        Rows per step; a member with fewer rows takes them all.
    dtype : dtype
        Of parameters and arithmetic.

    Attributes
    ----------
    parameters : ndarray of shape (K, P)
    state : dict of str to ndarray of shape (K, P)
        The optimiser's vectors.
    average : ndarray of shape (K, P) or None
        The averaged parameters, if some member has them.
    """

    def __init__(
        self,
        network: Network,
        members: Sequence[Member],
        data: TrainingSet | Sequence[TrainingSet],
        batch_size: int,
        dtype: np.dtype,
    ) -> None:
        if len({member.optimizer.operations for member in members}) > 1:
            raise ValueError("the optimizers of one stack must perform the same operations.")
        self.network = network
        self.members = list(members)
        if isinstance(data, TrainingSet):
            data = [data] * len(members)
        data, self.first_rows = one_below_another(data)
        converted = {key: one.astype(dtype) for key, one in {id(d): d for d in data}.items()}
        self.data = [converted[id(one)] for one in data]
        self.batch_size = batch_size
        self.dtype = dtype
        self.parameters = _stacked([m.parameters for m in members], dtype)
        self.state = {
            name: _stacked([_resumed(m, name) for m in members], dtype)
            for name in members[0].optimizer.state_names
        }
        self.average: Floats | None = None
        if any(m.averaging is not None for m in members):
            starts = [m.parameters if m.average is None else m.average for m in members]
            self.average = _stacked(starts, dtype)
        self._bind()

    def _bind(self) -> None:
        """Allocate what an epoch of the present members needs."""
        members = self.members
        counts = [len(m.rows) for m in members]
        if counts != sorted(counts, reverse=True):
            raise ValueError("members must come in order of falling numbers of rows.")
        self.gradient = np.empty_like(self.parameters)
        self.order = np.zeros((len(members), counts[0]), dtype=np.intp)
        for order, member in zip(self.order, members, strict=True):
            order[: len(member.rows)] = member.rows
        weighted = any(m.sample_weight is not None for m in members)
        self.weights = np.ones(self.order.shape) if weighted else None
        n_outputs = self.network.n_outputs
        batches = max(1, WINDOW // (len(members) * n_outputs * self.batch_size))
        self.window = _Window(self, min(counts[0], batches * self.batch_size))
        self.losses = list(runs([m.loss for m in members]))
        n_steps = sum(1 for _ in _batches(counts, self.batch_size))
        width = len(members[0].optimizer.coefficients(1.0, 1)) + len(_Update.own_scalars)
        self.scalars = np.zeros((n_steps, len(members), width), dtype=self.dtype)
        self._plan = list(self._windows(counts))
        self._epoch_of = [_EpochOfMember(self._plan, k, n) for k, n in enumerate(counts)]
        self.weight_sums = np.ones((n_steps, len(members)))
        for k, epoch in enumerate(self._epoch_of):
            self.weight_sums[epoch.steps, k] = epoch.lengths
        self.shares = np.zeros((n_steps, len(members)), dtype=self.dtype)
        self.squares = np.zeros((n_steps, len(members)))
        self.sizes = np.zeros((n_steps, len(members)))
        self._taken = np.zeros(len(members), dtype=np.intp)
        self._stays_gathered = n_steps == 1
        self._is_gathered = False
        self._counts = np.array(counts)
        self._divisors = np.array([n_outputs if m.loss.averages_outputs else 1 for m in members])
        self._alphas = np.array([m.alpha for m in members], dtype=np.float64)
        self._l1_ratios = np.array([m.l1_ratio for m in members], dtype=np.float64)
        # What a row counts in a loss but for its weight; nothing behind a member's end.
        self._shares = np.zeros(self.order.shape)
        self._lengths = np.zeros((len(members), n_steps))
        for k, epoch in enumerate(self._epoch_of):
            lengths = np.repeat(epoch.lengths, epoch.lengths)
            self._shares[k, : counts[k]] = lengths if weighted else 1.0
            self._lengths[k, epoch.steps] = epoch.lengths
        shuffled = [(id(m.rng), m.n_samples, m.shuffle, len(m.rows)) for m in members]
        self._shuffled_alike = [(alike[0], as_slice(alike)) for alike in _places(shuffled)]
        rated = [
            (id(m.optimizer), id(m.schedule), m.learning_rate, m.max_iter, m.steps, len(e.steps))
            for m, e in zip(members, self._epoch_of, strict=True)
        ]
        self._rated_alike = [(alike, self._place_in_epoch(alike)) for alike in _places(rated)]
        self._averaged = [
            (k, m.averaging) for k, m in enumerate(members) if m.averaging is not None
        ]
        self._weigh_penalties()

    def _place_in_epoch(self, alike: list[int]) -> Integers:
        """Return which step each one is to those members that take it; all take equally many."""
        place_of = np.zeros(len(self.scalars), dtype=np.intp)
        for k in alike:
            taken = self._epoch_of[k].steps
            place_of[taken] = np.arange(len(taken))
        return place_of

    def _windows(self, counts: list[int]) -> Iterator[tuple[int, list[_Step]]]:
        """Yield where each window of the epoch starts, and its steps."""
        bound: dict[tuple[int, int, int], _BoundStep] = {}
        made: dict[tuple[tuple[int, int, int, int], ...], list[_Step]] = {}
        length = self.window.length
        keys: dict[int, list[tuple[int, int, int, int]]] = {}
        for first, last, start, size in _batches(counts, self.batch_size):
            keys.setdefault(start // length, []).append((first, last, start % length, size))
        for window, steps in keys.items():
            # All whole windows have the same steps.
            if tuple(steps) not in made:
                for first, last, _, size in steps:
                    if (first, last, size) not in bound:
                        bound[first, last, size] = _BoundStep(self, slice(first, last), size)
                made[tuple(steps)] = [
                    _Step(self.window, bound[first, last, size], start)
                    for first, last, start, size in steps
                ]
            yield window * length, made[tuple(steps)]

    def run_epoch(self) -> Floats:
        """Train every member on each of its rows once.

        Returns
        -------
        losses : ndarray of shape (K,), float64
            Mean training loss while the epoch went on, penalty included.
        """
        self._reorder()
        if self.weights is not None:
            self._weigh(self.weights)
            self._weigh_penalties()
        self._prepare_scalars()
        self._taken[:] = 0
        try:
            # Overflow is either meant, as in a sigmoid, or found when the epoch is over.
            with np.errstate(over="ignore", invalid="ignore"):
                return self._reported(self._take_steps())
        finally:
            # An interrupted epoch may go on later.
            for member, taken in zip(self.members, self._taken.tolist(), strict=True):
                member.steps += taken

    def _take_steps(self) -> Floats:
        """Take all steps of an epoch; return the sums of the rows' losses, (K,) float64."""
        totals = np.zeros(len(self.members))
        i = 0
        for start, steps in self._plan:
            self.window.open(self, start)
            for step in steps:
                # The one batch of an epoch may stay where it is.
                if not (self._stays_gathered and self._is_gathered):
                    step.gather()
                    self._is_gathered = True
                step.run(self, i)
                i += 1
            totals += self.window.losses(self)
        return totals

    def _reorder(self) -> None:
        for first, alike in self._shuffled_alike:
            member = self.members[first]
            if member.shuffle:
                drawn = np.arange(member.n_samples)
                member.rng.shuffle(drawn)
                # One batch holds every row: its order changes nothing but rounding.
                if len(member.rows) > self.batch_size:
                    self.order[alike, : len(drawn)] = self.order[alike].take(drawn, axis=1)

    def _weigh(self, weights: Floats) -> None:
        """Divide each row's weight by the sum over its batch."""
        for k, (member, epoch) in enumerate(zip(self.members, self._epoch_of, strict=True)):
            rows = self.order[k, : len(member.rows)]
            weight: Floats = np.ones(len(rows))
            if member.sample_weight is not None:
                weight = member.sample_weight[rows]
            sums = np.add.reduceat(weight, epoch.starts)
            self.weight_sums[epoch.steps, k] = sums
            # A batch in which nothing counts moves nothing.
            divisors = np.where(sums > 0, sums, 1)
            weights[k, : len(rows)] = weight / np.repeat(divisors, epoch.lengths)

    def _weigh_penalties(self) -> None:
        """Divide the penalties by the weights' sum over each batch."""
        sums = self.weight_sums
        penalty = np.divide(self._alphas, sums, out=np.zeros(sums.shape), where=sums > 0)
        self.scalars[:, :, -2] = in_range(penalty * (1 - self._l1_ratios), self.dtype)
        self.scalars[:, :, -1] = in_range(penalty * self._l1_ratios, self.dtype)

    def _prepare_scalars(self) -> None:
        """Compute what each step of the epoch multiplies by, but for the penalties."""
        # Plateaus may have come to one member and not to another.
        groups = [
            ([alike[i] for i in places], place_of)
            for alike, place_of in self._rated_alike
            for places in _places([self.members[k].current_rate for k in alike])
        ]
        for alike, place_of in groups:
            self._prepare_coefficients(alike, place_of)
        if len(groups) == 1:
            self.steps_alike = [True] * len(self.scalars)
        else:
            self.steps_alike = self._which_steps_are_alike()
        for k, averaging in self._averaged:
            member, taken = self.members[k], self._epoch_of[k].steps
            steps = member.steps + np.arange(1, len(taken) + 1)
            self.shares[taken, k] = averaging.shares(steps, member.n_iter + 1, member.max_iter)

    def _which_steps_are_alike(self) -> list[bool]:
        """Return which steps multiply by the same for all members that take them."""
        coefficients = self.scalars[:, :, : -len(_Update.own_scalars)]
        takes_step = self._lengths.T > 0
        first = takes_step.argmax(axis=1)[:, np.newaxis, np.newaxis]
        of_first = np.take_along_axis(coefficients, first, axis=1)
        alike = (coefficients == of_first).all(axis=2) | ~takes_step
        return alike.all(axis=1).tolist()

    def _prepare_coefficients(self, alike: list[int], place_of: Integers) -> None:
        """Compute the scalars of optimiser and decay for members that share them."""
        member, n_steps = self.members[alike[0]], len(self._epoch_of[alike[0]].steps)
        steps = member.steps + np.arange(1, n_steps + 1)
        times = (steps - 1) / n_steps
        rates = member.schedule.rates(
            member.learning_rate, member.current_rate, times, member.max_iter
        )
        current_rate = float(np.ravel(rates)[0])
        for k in alike:
            self.members[k].current_rate = current_rate
        optimizer = member.optimizer
        scalars = *optimizer.coefficients(rates, steps), rates * optimizer.weight_decay
        table = np.empty((n_steps, 1, len(scalars)))
        for j, scalar in enumerate(scalars):
            table[:, 0, j] = scalar
        # Of steps that a member does not take, nobody reads the scalars.
        self.scalars[:, as_slice(alike), :-2] = in_range(table, self.dtype)[place_of]

    def _reported(self, totals: Floats) -> Floats:
        """Return an epoch's losses as scikit-learn reports them: batch means, weighted by length.

        ``totals`` are the sums of these means times the lengths.
        """
        sums = self.weight_sums.T
        shares = np.divide(self._lengths, sums, out=np.zeros(sums.shape), where=sums > 0)
        penalty = 0.5 * (1 - self._l1_ratios) * np.einsum("sk,ks->k", self.squares, shares)
        if self._l1_ratios.any():
            penalty += self._l1_ratios * np.einsum("sk,ks->k", self.sizes, shares)
        return (totals / self._divisors + self._alphas * penalty) / self._counts

    def count_step(self, members: slice) -> None:
        """Take note that these members take a step."""
        self._taken[members] += 1

    def row_shares(self, start: int, stop: int) -> Floats:
        """Return by how much each row's loss counts in ``total``, (K, stop - start)."""
        shares = self._shares[:, start:stop]
        if self.weights is not None:
            shares = shares * self.weights[:, start:stop]
        return shares

    def predicting(self, k: int) -> Floats:
        """Return the parameters that a member's predictions use: the average, if there is one."""
        if self.average is None or self.members[k].averaging is None:
            return self.parameters[k]
        return self.average[k]

    def publish(self, k: int) -> None:
        """Hand a member what training has made of it so far."""
        member = self.members[k]
        member.parameters = self.parameters[k].copy()
        member.optimizer_state = {name: vector[k].copy() for name, vector in self.state.items()}
        member.rows = self.order[k, : len(member.rows)].copy()
        if member.averaging is not None:
            member.average = self.predicting(k).copy()

    def retire(self, leaving: Sequence[int]) -> None:
        """Hand the members at the given positions their results and go on without them."""
        for k in leaving:
            self.publish(k)
        kept = [k for k in range(len(self.members)) if k not in set(leaving)]
        # The order in which rows were last visited is where the next shuffle starts.
        visited = [self.order[k, : len(self.members[k].rows)].copy() for k in kept]
        self.members = [self.members[k] for k in kept]
        for member, rows in zip(self.members, visited, strict=True):
            member.rows = rows
        if kept:
            self.network = self.network.members(kept)
            self.data = [self.data[k] for k in kept]
            self.first_rows = self.first_rows[kept]
            self.parameters = self.parameters[kept]
            self.state = {name: vector[kept] for name, vector in self.state.items()}
            self.average = None if self.average is None else self.average[kept]
            self._bind()


class _EpochOfMember:
    """Which steps of an epoch one member takes part in, and with how many of its rows."""

    steps: Integers
    lengths: Integers

    def __init__(self, plan: Sequence[tuple[int, list[_Step]]], k: int, n_rows: int) -> None:
        taken = [
            (i, window + step.rows.start)
            for i, (window, step) in enumerate((w, s) for w, steps in plan for s in steps)
            if step.members.start <= k < step.members.stop
        ]
        self.steps = np.array([i for i, _ in taken])
        self.starts = np.array([start for _, start in taken])
        self.lengths = np.diff(self.starts, append=n_rows)


class _Window:
    """A run of batches whose targets are gathered, and whose losses are computed, at once."""

    def __init__(self, stack: Stack, length: int) -> None:
        shape = (len(stack.members), length)
        self.length = length
        self.order = np.zeros(shape, dtype=np.intp)
        self.y = _in_front(stack.data[0].targets.n_outputs, *shape, stack.dtype)
        self.raw = _in_front(stack.network.n_outputs, *shape, stack.dtype)
        n_kept = max(member.loss.n_kept for member in stack.members)
        self.kept = _in_front(n_kept, *shape, stack.dtype)
        # Behind a member's last row nobody writes, but a logarithm is taken.
        self.kept.fill(1)
        self.factor = None if stack.weights is None else np.zeros((*shape, 1), dtype=stack.dtype)
        self._targets = [(data.targets, k) for data, k in runs(stack.data)]
        self._opened = slice(0, 0)

    def open(self, stack: Stack, start: int) -> None:
        """Take the rows from ``start`` of the epoch's order on."""
        n_rows = min(self.length, stack.order.shape[1] - start)
        self._opened = slice(start, start + n_rows)
        np.add(stack.order[:, self._opened], stack.first_rows, out=self.order[:, :n_rows])
        # Behind the end stand rows of an earlier window: valid, and without effect.
        for targets, k in self._targets:
            targets.take(self.order[k], self.y[k])
        if stack.weights is not None and self.factor is not None:
            self.factor[:, :n_rows, 0] = stack.weights[:, self._opened]

    def losses(self, stack: Stack) -> Floats:
        """Return the sum of the rows' losses, each times its share, (K,) float64."""
        n_rows = self._opened.stop - self._opened.start
        shares = stack.row_shares(self._opened.start, self._opened.stop)
        losses = np.empty(shares.shape)
        for loss, k in stack.losses:
            losses[k] = loss.kept_losses(
                self.raw[k, :n_rows], self.y[k, :n_rows], self.kept[k, :n_rows]
            )
        # Rows beyond a member's last one may hold anything.
        losses[shares == 0] = 0
        return np.einsum("kn,kn->k", losses, shares)


class _Step:
    """A bound step together with the rows of the window that it takes."""

    def __init__(self, window: _Window, bound: _BoundStep, start: int) -> None:
        k = self.members = bound.members
        rows = self.rows = slice(start, start + bound.batch_size)
        factor = bound.mean if window.factor is None else window.factor[k, rows]
        self._gather = bound.gathering(window.order[k, rows])
        self._learn = bound.learning(
            window.y[k, rows], window.raw[k, rows], window.kept[k, rows], factor
        )
        self._bound = bound

    def gather(self) -> None:
        """Put the rows of X into the workspace."""
        for call in self._gather:
            call()

    def run(self, stack: Stack, i: int) -> None:
        """Take step ``i`` of the epoch with the batch that has been gathered."""
        for call in self._learn:
            call()
        self._bound.update(stack, i)


class _BoundStep:
    """One gradient step of some members on batches of one size."""

    def __init__(self, stack: Stack, members: slice, batch_size: int) -> None:
        network = stack.network
        parameters, gradient = stack.parameters[members], stack.gradient[members]
        self.members = members
        self.batch_size = batch_size
        # An array: NumPy would make one of a number at every step.
        self.mean = np.array(1 / batch_size, dtype=stack.dtype)
        self.work = Workspace(
            network,
            network.views(parameters),
            batch_size,
            gradient=network.views(gradient),
            sparse=stack.data[0].is_sparse,
            members=members,
            noise=[m.noise for m in stack.members[members]],
        )
        self._dtype = stack.dtype
        self._sources = list(runs(stack.data[members]))
        self._scratch = np.empty_like(self.work.delta)
        self._losses = list(runs([m.loss for m in stack.members[members]]))
        self._weights = parameters[:, : network.n_weights]
        self._squares = squared_lengths(self._weights)
        self._has_penalty = any(m.alpha for m in stack.members[members])
        self._has_l1 = any(m.alpha * m.l1_ratio for m in stack.members[members])
        self._update = _Update(stack, members, batch_size)
        self._spent_gradient = gradient

    def gathering(self, order: Integers) -> list[Call]:
        """List the calls that gather rows of X, (K, B)."""
        return [
            call
            for data, k in self._sources
            for call in data.filling(self.work.x, order[k], self._dtype, k)
        ]

    def learning(self, y: Floats, raw: Floats, kept: Floats, factor: Floats) -> list[Call]:
        """List the calls that compute a batch's gradient and keep what its losses need."""
        work = self.work
        gradients = [
            call
            for loss, j in self._losses
            for call in loss.gradient_calls(
                work.raw[j], y[j], work.delta[j], self._scratch[j], kept[j]
            )
        ]
        return [
            *work.forward_calls,
            partial(np.copyto, raw, work.raw),
            *gradients,
            partial(np.multiply, work.delta, factor, work.delta),
            *work.backward_calls,
        ]

    def update(self, stack: Stack, i: int) -> None:
        """Change the parameters in step ``i`` of the epoch."""
        k = self.members
        if self._has_penalty:
            stack.squares[i, k] = self._squares()
        if self._has_l1:
            stack.sizes[i, k] = np.abs(self._weights).sum(axis=-1)
        stack.count_step(k)
        self._update.run(stack.scalars[i, k], stack.steps_alike[i])
        if stack.average is not None and stack.shares[i, k].any():
            self._average(stack.average[k], stack.parameters[k], stack.shares[i, k])

    def _average(self, average: Floats, parameters: Floats, shares: Floats) -> None:
        """Move averages towards the parameters; the gradient, used up, gives the room."""
        room = self._spent_gradient
        np.subtract(parameters, average, out=room)
        np.multiply(room, shares[:, np.newaxis], out=room)
        np.add(average, room, out=average)


class _Update:
    """Penalties, clipping and the optimiser, chunk by chunk over the flat vectors."""

    #: What a step multiplies by beside the optimiser's coefficients.
    own_scalars = ("weight decay", "L2 penalty", "L1 penalty")

    def __init__(self, stack: Stack, members: slice, batch_size: int) -> None:
        self.members = stack.members[members]
        n_members = len(self.members)
        self._scalars = np.empty((n_members, stack.scalars.shape[-1]), dtype=stack.dtype)
        columns = [self._scalars[:, j : j + 1] for j in range(self._scalars.shape[1])]
        vectors = [v[members] for v in (stack.parameters, stack.gradient, *stack.state.values())]
        if n_members == 1:
            # A vector times a 0-d array takes NumPy's fast path: half the time of (1, P) * (1, 1).
            columns = [column.reshape(()) for column in columns]
            vectors = [v[0] for v in vectors]
        self._trained = _trained_weights(stack.network, range(*members.indices(len(stack.members))))
        self._vectors, self._n_weights = vectors, stack.network.n_weights
        self._length = max(1, CHUNK // n_members)
        self._room = np.empty_like(vectors[0][..., : self._length])
        # All chunks calculate in the same room, which so stays in the cache.
        n_scratch = self.members[0].optimizer.n_scratch
        self._rooms = [np.empty_like(self._room) for _ in range(n_scratch)]
        self._has_l2 = any(m.alpha * (1 - m.l1_ratio) for m in self.members)
        self._l2: Floats | None = None
        is_one_chunk = n_members > 1 and self._length >= vectors[0].shape[1]
        if self._has_l2 and is_one_chunk and stack.weights is None:
            self._l2 = self._l2_of_each_parameter(batch_size)
        coefficients, own = columns[: -len(self.own_scalars)], columns[-len(self.own_scalars) :]
        self._calls = list(self._all_calls(coefficients, own, flat=False))
        self._calls_if_alike = self._calls
        if n_members > 1:
            # Without broadcasting an operation takes half the time.
            coefficients = [column[0].reshape(()) for column in coefficients]
            self._calls_if_alike = list(self._all_calls(coefficients, own, flat=True))

    def _all_calls(
        self, coefficients: list[Floats], own: list[Floats], flat: bool
    ) -> Iterator[Call]:
        starts = range(0, self._vectors[0].shape[-1], self._length)
        limits = in_range([[m.max_grad_norm] for m in self.members], self._room.dtype)
        clips = not np.isinf(limits).all()
        if not (clips or flat):
            for start in starts:
                yield from self._penalties(start, own)
                yield from self._shrink(start, own)
                yield from self._steps(start, start + self._length, coefficients, flat)
            return
        # The length of a gradient is known when all of it is.
        for start in starts:
            yield from self._penalties(start, own)
        if clips:
            yield partial(_clip, self._vectors[1].reshape(len(limits), -1), limits)
        for start in starts:
            yield from self._shrink(start, own)
        yield from self._steps(0, self._vectors[0].size, coefficients, flat)

    def _l2_of_each_parameter(self, batch_size: int) -> Floats:
        """Return what the L2 penalty multiplies each parameter by, (K, P): biases by zero."""
        strengths = np.zeros_like(self._vectors[0])
        of_member = [m.alpha / batch_size * (1 - m.l1_ratio) for m in self.members]
        strengths[:, : self._n_weights] = in_range(of_member, strengths.dtype)[:, np.newaxis]
        if self._trained is not None:
            strengths[:, : self._n_weights] *= self._trained
        return strengths

    def _penalties(self, start: int, own: list[Floats]) -> Iterator[Call]:
        """Add the penalties' gradients."""
        weights, gradient = (self._weights_of(v, start) for v in self._vectors[:2])
        room = self._room[..., : weights.shape[-1]]
        _, l2, l1 = own
        if self._l2 is not None:
            # One vector for all members takes a third of the time of a broadcast over them.
            vectors = (*self._vectors[:2], self._l2, self._room)
            all_parameters, whole_gradient, strengths, products = (v.reshape(-1) for v in vectors)
            yield partial(np.multiply, all_parameters, strengths, products)
            yield partial(np.add, whole_gradient, products, whole_gradient)
        elif self._has_l2 and weights.size:
            yield partial(np.multiply, weights, l2, room)
            yield from self._spare_unreached(room, start)
            yield partial(np.add, gradient, room, gradient)
        if weights.size and any(m.alpha * m.l1_ratio for m in self.members):
            yield partial(np.sign, weights, room)
            yield partial(np.multiply, room, l1, room)
            yield from self._spare_unreached(room, start)
            yield partial(np.add, gradient, room, gradient)

    def _shrink(self, start: int, own: list[Floats]) -> Iterator[Call]:
        """Let the weights decay, if they are to."""
        weights = self._weights_of(self._vectors[0], start)
        if weights.size and any(m.optimizer.weight_decay for m in self.members):
            room = self._room[..., : weights.shape[-1]]
            yield partial(np.multiply, weights, own[0], room)
            yield from self._spare_unreached(room, start)
            yield partial(np.subtract, weights, room, weights)

    def _steps(
        self, first: int, stop: int, coefficients: list[Floats], flat: bool
    ) -> Iterator[Call]:
        """Let the optimiser go on, chunk by chunk; flat, all members are one vector."""
        vectors, rooms = self._vectors, self._rooms
        if flat:
            vectors, rooms = ([v.reshape(-1) for v in group] for group in (vectors, rooms))
        length = self._room.size if flat else self._length
        for start in range(first, min(stop, vectors[0].shape[-1]), length):
            parameters, gradient, *state = [v[..., start : start + length] for v in vectors]
            state += [room[..., : parameters.shape[-1]] for room in rooms]
            optimizer = self.members[0].optimizer
            yield from optimizer.update_calls(parameters, gradient, state, coefficients)

    def _weights_of(self, vectors: Floats, start: int) -> Floats:
        """Return the part of a chunk that penalties concern: biases stand behind the weights."""
        return vectors[..., start : min(start + self._length, max(self._n_weights, start))]

    def _spare_unreached(self, room: Floats, start: int) -> Iterator[Call]:
        if self._trained is not None:
            trained = self._trained[:, start : start + room.shape[-1]].reshape(room.shape)
            yield partial(np.multiply, room, trained.astype(room.dtype), room)

    def run(self, scalars: Floats, alike: bool) -> None:
        """Take one step with the given scalars of each member, (K, n).

        ``alike`` tells that the optimiser's own are the same for all.
        """
        np.copyto(self._scalars, scalars)
        for call in self._calls_if_alike if alike else self._calls:
            call()


def _in_front(n_outputs: int, n_members: int, n_rows: int, dtype: np.dtype) -> Floats:
    """Return an array of zeros, (K, n, C), that lies in memory as (C, K, n)."""
    return np.zeros((n_outputs, n_members, n_rows), dtype).transpose(1, 2, 0)


def _clip(gradient: Floats, limits: Floats) -> None:
    """Shorten each member's gradient, (K, P), to its limit, (K, 1) (Pascanu et al. 2013)."""
    lengths = np.sqrt(np.matmul(gradient[:, np.newaxis], gradient[:, :, np.newaxis])[:, 0])
    lengths += lengths.dtype.type(1e-6)
    # Both may be infinite: a limit that is none, and a length whose square overflows.
    factors = np.ones_like(lengths)
    gradient *= np.divide(limits, lengths, out=factors, where=lengths > limits)


def _batches(counts: list[int], size: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (first member, last member + 1, first row, rows) of each step of an epoch."""
    for start in range(0, counts[0] - size + 1, size):
        yield 0, sum(count >= start + size for count in counts), start, size
    starts = [k for k in range(len(counts)) if k == 0 or counts[k] != counts[k - 1]]
    for first, last in pairwise([*starts, len(counts)]):
        rest = counts[first] % size
        if rest:
            yield first, last, counts[first] - rest, rest


def _places(keys: Sequence[Hashable]) -> Iterator[list[int]]:
    """Yield the positions of equal keys together."""
    places: dict[Hashable, list[int]] = {}
    for k, key in enumerate(keys):
        places.setdefault(key, []).append(k)
    yield from places.values()


def _trained_weights(network: Network, members: Sequence[int]) -> Booleans | None:
    """Return which weights a gradient reaches, (K, n_weights), or None if it reaches all.

    The others are not penalised: the penalty alone would drive them to zero.
    """
    trained = np.ones((len(members), network.n_weights), dtype=bool)
    for row, member in zip(trained, members, strict=True):
        for place in network.unreached_weights(member):
            row[place] = False
    return None if trained.all() else trained


def _stacked(vectors: Sequence[Floats], dtype: np.dtype) -> Floats:
    """Return the members' vectors below one another."""
    # What float32 has no room for becomes infinite: the training then has diverged.
    with np.errstate(over="ignore"):
        return np.stack(vectors).astype(dtype, copy=False)


def _resumed(member: Member, name: str) -> Floats:
    """Return one of the optimiser's vectors, zero at the beginning."""
    found = member.optimizer_state.get(name)
    return np.zeros_like(member.parameters) if found is None else found
