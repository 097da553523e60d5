"""A stack of members in training: one epoch for all of them, step by step.

The plan says which members take which step, the vectors hold what is learned, the window and the
steps bind array operations to both. They are made once, and made again when some members leave.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from copy import deepcopy
from typing import ClassVar

import numpy as np

from ..engine import Network
from ..engine.arrays import Booleans, Floats, Integers, all_finite, as_slice, grouped
from ..engine.compiled import Team, shuffle
from .compiled_steps import Ahead, runner
from .data import Targets, TrainingSet, one_below_another
from .groups import Groups
from .member import Member, Recipe, Vectors
from .plan import Batch, Plan
from .scalars import Scalars
from .step import BoundStep, Record, Shared, Step
from .validating import Outcome, ValidationPass
from .window import RowWeights, Window

#: How many raw predictions are kept before their losses are computed.
WINDOW = 32_768

#: Bytes of X, and parameters, up to which a stack is kept: with more, steps take most of the time.
LARGEST_X, LARGEST_P = 2**17, 2**16


class Stack:
    """Members that share the network's shape and the batch size.

    Parameters
    ----------
    network : Network
        Its activations are listed in the order of `members`.
    members : sequence of Member
        In descending order of their numbers of rows. Their optimizers perform the same
        operations, and all or none of them leave out the last, shorter batch.
    data : TrainingSet or sequence of TrainingSet
        One for all members, or one for each; the rows of neighboring members with the same one
        are gathered together. All have equally many targets.
    batch_size : int
        Rows per step; a member with fewer rows takes them all.
    dtype : dtype
        Of parameters and arithmetic.
    is_brief : bool, default=False
        Whether the caller runs single epochs, so that their number is not known in advance.
    team : Team, default=None
        The threads that take steps together, where compiled code takes them.

    Attributes
    ----------
    members : list of Member
        The members that are still in training.
    vectors : Vectors
        What they have learned.
    reads_members : bool
        Whether an epoch reads what the reports of earlier ones have written into the members.
    """

    reads_members: ClassVar[bool] = False

    def __init__(
        self,
        network: Network,
        members: Sequence[Member],
        data: TrainingSet | Sequence[TrainingSet],
        batch_size: int,
        dtype: np.dtype,
        is_brief: bool = False,
        team: Team | None = None,
    ) -> None:
        if len({member.recipe.optimizer.operations for member in members}) > 1:
            raise ValueError("the optimizers of one stack must perform the same operations.")
        self.network = network
        self.members = list(members)
        if isinstance(data, TrainingSet):
            data = [data] * len(members)
        data, self._first_rows = one_below_another(data)
        converted = {key: one.astype(dtype) for key, one in {id(d): d for d in data}.items()}
        self.data = [converted[id(one)] for one in data]
        self.batch_size = batch_size
        self.dtype = dtype
        self.vectors = Vectors.of_members(members, dtype)
        self.is_brief = is_brief
        self._team = team
        n_epochs = self._n_epochs_left()
        self._bind(Ahead(0, math.inf) if is_brief else Ahead(n_epochs, n_epochs))

    @property
    def largest_product(self) -> int:
        """Multiply-adds of the largest product of a step."""
        return self.batch_size * self.network.largest_product

    def _n_epochs_left(self) -> int:
        return max(member.recipe.max_iter - member.n_iter for member in self.members)

    def _bind(self, ahead: Ahead) -> None:
        """Plan the epochs of the present members, and make all that they need."""
        members = self._bound_members = self.members
        recipes = [m.recipe for m in members]
        counts = [len(m.rows) for m in members]
        n_outputs = self.network.n_outputs
        batches = max(1, WINDOW // (len(members) * n_outputs * self.batch_size))
        length = min(counts[0], batches * self.batch_size)
        self._plan = Plan(counts, self.batch_size, length, members[0].recipe.drop_last)
        self._make_orders(counts[0])
        self._weights = RowWeights(recipes, self._plan)
        groups = Groups(recipes, self.network.n_parameters, self.network.n_weights)
        self.scalars = Scalars(members, self._plan, groups, self.dtype)
        self.scalars.weigh_penalties(self._weights.sums)
        self._record = Record.of_epoch(self._plan.n_steps, len(members))
        self.window = Window(
            recipes, self.data, length, n_outputs, self.dtype, self._weights, self._order_of
        )
        # If several networks predict each row, the losses are computed from the networks' mean, of
        # which there are no notes.
        if self.network.multiplicity(len(self.network.nodes) - 1, trains=True) == 1:
            self.window.take_notes()
        self.steps = self._bind_steps(groups)
        self._runner = runner(self.steps, ahead, self._team)
        self._validation: ValidationPass | None = None
        #: Whether these members have begun to take steps.
        self._has_begun = False
        self._reported = _ReportedLosses(recipes, self._plan, n_outputs)

    def _make_orders(self, n_rows: int) -> None:
        """Make the orders in which epochs visit rows; members with the same one share it."""
        members = self.members
        # Members with equal settings and the same generator have the same shuffles.
        settings = [(id(m.rng), m.recipe.n_samples, m.recipe.shuffle, len(m.rows)) for m in members]
        starts = self._first_rows[:, 0].tolist()
        contents = (m.rows.tobytes() for m in members)
        alike = grouped(list(zip(settings, map(id, self.data), starts, contents, strict=True)))
        first_of = [k for k, *_ in alike]
        self.order = np.zeros((len(alike), n_rows), dtype=np.intp)
        self._order_of = [0] * len(members)
        for i, of_order in enumerate(alike):
            for k in of_order:
                self._order_of[k] = i
            self.order[i, : len(members[k].rows)] = members[k].rows + starts[k]
        unshuffled = np.arange(max(m.recipe.n_samples for m in members), dtype=np.intp)
        self._shuffled = []
        for orders in grouped([settings[k] for k in first_of]):
            k = first_of[orders[0]]
            if members[k].recipe.shuffle:
                drawn_from = unshuffled[: members[k].recipe.n_samples]
                self._shuffled.append((k, as_slice(orders), drawn_from))

    def _bind_steps(self, groups: Groups) -> list[list[Step]]:
        """Return the steps of each window; equal steps are one object."""
        shared = Shared(
            self.network,
            self.members,
            self.data,
            self.vectors,
            groups,
            self.scalars,
            self._weights,
            self._record,
        )
        bound: dict[tuple[int, int, int], BoundStep] = {}
        made: dict[Batch, Step] = {}
        for batch in (batch for window in self._plan.windows for batch in window.batches):
            if batch in made:
                continue
            key = batch.first, batch.last, batch.size
            if key not in bound:
                bound[key] = BoundStep(shared, batch.members, batch.size)
            made[batch] = Step(self.window, bound[key], batch)
        return [[made[batch] for batch in window.batches] for window in self._plan.windows]

    def renew(self, member: Member, data: TrainingSet) -> None:
        """Replace the only member by another one of the same kind with equally many rows."""
        # Bound calls refer to the list of members and to the arrays: both are reused.
        self.members = self._bound_members
        self.members[0] = member
        (own,) = self.data
        with np.errstate(over="ignore"):
            np.copyto(own.X, data.X)
        assert isinstance(own.targets, Targets) and isinstance(data.targets, Targets)
        own.targets.overwrite(data.targets)
        self.order[0] = member.rows
        self.vectors.renew(0, member)
        self._validation = None
        self._has_begun = False

    def run_epoch(self) -> Floats:
        """Train every member on each of its rows once; return the losses, (K,), in float64.

        They are means over the steps of the epoch, penalty included.
        """
        is_reordered = self._shuffle()
        if self._weights.are_given and (is_reordered or not self._has_begun):
            self._weights.renew(self.order[self._order_of] - self._first_rows)
            self.scalars.weigh_penalties(self._weights.sums)
        self.scalars.prepare()
        self._record.taken[:] = 0
        try:
            # Overflow is either intended, as in a sigmoid, or found after the epoch.
            with np.errstate(over="ignore", invalid="ignore"), self._runner.threads():
                totals = self._take_steps()
                return self._reported.of_epoch(totals, self._record, self._weights.of_batches)
        finally:
            # After an interruption, training may continue later.
            for member, taken in zip(self.members, self._record.taken.tolist(), strict=True):
                member.steps += taken

    def _take_steps(self) -> Floats:
        """Take all steps of an epoch; return the sums of the rows' losses, (K,) float64."""
        totals = np.zeros(len(self.members))
        order = self.order[:, : self._plan.counts[0]]
        # The only batch of an epoch, if it holds all rows, is gathered once.
        keeps_rows = self._plan.n_steps == 1 and order.shape == self.order.shape
        i = 0
        for window, steps in zip(self._plan.windows, self.steps, strict=True):
            self.window.open(window.start, order)
            self._runner.take(steps, i, gathers=not (keeps_rows and self._has_begun))
            self._has_begun = True
            i += len(steps)
            totals += self.window.losses()
        return totals

    def _shuffle(self) -> bool:
        """Draw the orders of the next epoch; tell whether any differs from that of the last one."""
        is_reordered = False
        for first, orders, unshuffled in self._shuffled:
            member = self.members[first]
            drawn = unshuffled.copy()
            shuffle(drawn, member.rng)
            # If one batch holds every row, their order changes nothing but rounding.
            if len(member.rows) > self.batch_size:
                self.order[orders, : len(drawn)] = self.order[orders].take(drawn, axis=1)
                is_reordered = True
        return is_reordered

    def prediction_parameters(self, k: int) -> Floats:
        """Return the parameters that a member's predictions use: the average, if there is one."""
        if self.vectors.average is None or self.members[k].recipe.averaging is None:
            return self.vectors.parameters[k]
        return self.vectors.average[k]

    def validated(self, asked: Sequence[int]) -> dict[int, Outcome]:
        """Validate the members at the given positions: see :class:`.ValidationPass`."""
        if not asked:
            return {}
        if self._validation is None:
            validations = [member.recipe.validate for member in self.members]
            self._validation = ValidationPass(self.network, validations, self.dtype)
        parameters = self.vectors.parameters
        if self.vectors.average is not None:
            parameters = np.stack([self.prediction_parameters(k) for k in range(len(self.members))])
        return self._validation.outcomes(asked, parameters)

    def are_finite(self) -> Booleans:
        """Tell whether each member's parameters and optimizer's vectors are finite, (K,)."""
        # An infinite second moment would make all later steps zero.
        learned = self.vectors.learned
        if all_finite(learned):
            return np.ones(len(self.members), dtype=bool)
        return np.asarray(np.isfinite(learned).all(axis=(0, 2)))

    def publish(self, k: int) -> None:
        """Copy a member's results so far from the stack's arrays into the member."""
        self._publish_learned(k)
        self.members[k].rows = self._visited(k)

    def _visited(self, k: int) -> Integers:
        """Return a member's rows in the order of its last epoch."""
        order = self.order[self._order_of[k], : len(self.members[k].rows)]
        return np.subtract(order, self._first_rows[k])

    def _publish_learned(self, k: int) -> None:
        member = self.members[k]
        member.parameters = self.vectors.parameters[k].copy()
        state = self.vectors.state
        member.optimizer_state = {name: vector[k].copy() for name, vector in state.items()}
        if member.recipe.averaging is not None:
            member.average = self.prediction_parameters(k).copy()

    def retire(self, leaving: Sequence[int]) -> None:
        """Publish the results of the members at the given positions, and continue without them."""
        for k in leaving:
            self._publish_learned(k)
        staying = [k for k in range(len(self.members)) if k not in set(leaving)]
        for k, member in enumerate(self.members):
            # The order in which rows were last visited is where the next shuffle starts.
            member.rows = self._visited(k)
        self.members = [self.members[k] for k in staying]
        if staying:
            self.network = self.network.members(staying)
            self.data = [self.data[k] for k in staying]
            self._first_rows = self._first_rows[staying]
            self.vectors = self.vectors.of(staying)
            # When another member leaves, everything is bound again.
            patience = min(member.patience_left for member in self.members)
            self._bind(Ahead(patience, self._n_epochs_left()))


class _ReportedLosses:
    """The losses of epochs as scikit-learn reports them: means over batches, penalty included."""

    def __init__(self, recipes: Sequence[Recipe], plan: Plan, n_outputs: int) -> None:
        self._alphas = np.array([r.alpha for r in recipes], dtype=np.float64)
        self._l1_shares = np.array([r.l1_ratio for r in recipes], dtype=np.float64)
        self._has_l1 = bool(self._l1_shares.any())
        self._l2_shares = 0.5 * (1 - self._l1_shares)
        self._counts = np.array(plan.counts, dtype=np.float64)
        divisors = [n_outputs if r.loss.averages_outputs else 1 for r in recipes]
        self._divisors = np.array(divisors, dtype=np.float64)

    def of_epoch(self, totals: Floats, record: Record, of_batches: Floats) -> Floats:
        """Return the mean over an epoch's batches, weighted by their lengths, (K,).

        ``totals`` are the sums of the batches' losses times the lengths; ``of_batches`` is that of
        :class:`RowWeights`.
        """
        penalty = self._l2_shares * np.einsum("sk,ks->k", record.squares, of_batches)
        if self._has_l1:
            penalty += self._l1_shares * np.einsum("sk,ks->k", record.sizes, of_batches)
        return (totals / self._divisors + self._alphas * penalty) / self._counts


class ReusableStack:
    """The stack that one model has used last in ``partial_fit``, if any.

    Making a stack takes longer than a small step. Only its arrays and calls are reused: each call
    of ``partial_fit`` writes its rows, targets, parameters and the optimizer's vectors into them. A
    call takes the stack out while it works with it, so that threads can share a model. Copies and
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
