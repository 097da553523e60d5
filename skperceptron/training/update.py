"""How a step changes the parameters: a chain of penalties, clipping, decay and the optimizer.

The links of the chain work on chunks of the flat vectors of all members. A member's vector holds
its weights first; the other parameters (biases, slopes) are neither penalized nor shrunk, unless
parameter groups say otherwise.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial

import numpy as np

from ..components import is_built_in
from ..engine import Network
from ..engine.arrays import Booleans, Call, Floats, grouped, in_range
from ..engine.calls import number, squared_lengths_calls
from ..optimizers import Optimizer
from ..usercall import warn
from .groups import Groups
from .member import Recipe, Vectors
from .scalars import DECAY, L1, L2, OWN_SCALARS

#: Elements that the optimizer treats at a time: its four arrays of this length are 1 MB in
#: float32. Shorter chunks cost more calls, longer ones leave the cache (measured on a second-level
#: cache of 512 KB: 16,384 elements 424 us, 65,536 elements 328 us, for 200,704 parameters).
CHUNK = 65_536

#: Reasons why the results of an optimizer may depend on how the vectors are cut.
_OF_MEMBERS = "several networks are trained together here"
_CUT = "here it gets them part by part"


class Update:
    """Penalties, clipping, decay and the optimizer, chunk by chunk over the flat vectors.

    Parameters
    ----------
    vectors : Vectors
        Of the members that take the step.
    recipes : sequence of Recipe
        Of these members.
    trained : ndarray of bool, shape (K, n_weights), or None
        Which weights a gradient reaches; None if it reaches all.
    groups : Groups
        Parts of the vectors with their own settings of training; of all members of the stack.
    place : slice
        Where these members stand in the stack.
    """

    def __init__(
        self,
        vectors: Vectors,
        recipes: Sequence[Recipe],
        trained: Booleans | None,
        groups: Groups,
        place: slice,
    ) -> None:
        self._recipes = recipes
        self._parts = groups.parts
        n_members, dtype = len(recipes), vectors.parameters.dtype
        self._decay_strengths = _reaching(groups.decay, place, trained, dtype)
        self._penalty_strengths = _reaching(groups.penalty, place, trained, dtype)
        # Penalties concern the weights only, unless each parameter has a strength of its own.
        has_own = groups.penalty is not None
        self._n_penalized = vectors.parameters.shape[1] if has_own else groups.n_weights
        arrays = [vectors.parameters, vectors.gradient, *vectors.state.values()]
        # A vector times a 0-d array takes NumPy's fast path: half the time of (1, P) * (1, 1).
        self._vectors = arrays if n_members > 1 else [array[0] for array in arrays]
        self._chunk_length = max(1, CHUNK // n_members)
        self._room = np.empty_like(self._vectors[0][..., : self._chunk_length])
        # All chunks use the same temporary arrays, which therefore stay in the cache.
        n_scratch = recipes[0].optimizer.n_scratch
        self._scratch = [np.empty_like(self._room) for _ in range(n_scratch)]
        self._make_scalars(len(groups.rate_factors))
        self._warn_of_slicing()

    def _warn_of_slicing(self) -> None:
        """Warn if the results depend on how the vectors are cut into chunks."""
        optimizer, n_members = self._recipes[0].optimizer, len(self._recipes)
        if is_built_in(type(optimizer)):
            return
        is_cut = len(self._parts) > 1 or self._vectors[0].shape[-1] > self._chunk_length
        for reason, applies in ((_OF_MEMBERS, n_members > 1), (_CUT, is_cut)):
            if applies and _depends_on_slicing(optimizer, of_members=reason is _OF_MEMBERS):
                warn(
                    f"{type(optimizer).__name__}.update gives other numbers for a part of the"
                    f" parameters than for all at once, but {reason}. It should treat each number"
                    " by itself, without sums or norms."
                )

    def _make_scalars(self, n_factors: int) -> None:
        """Make the table of factors of each member, and views of its columns, (K, 1) or 0-d.

        First come the optimizer's coefficients, for each factor of the learning rate, then the
        columns that ``OWN_SCALARS`` names.
        """
        n_members, n = len(self._recipes), len(self._recipes[0].optimizer.coefficients(1.0, 1))
        shape = n_members, n * n_factors + len(OWN_SCALARS)
        self._scalars = np.empty(shape, dtype=self._room.dtype)
        columns = [self._scalars[:, j : j + 1] for j in range(shape[1])]
        if n_members == 1:
            columns = [column.reshape(()) for column in columns]
        self._coefficients = [columns[i * n : (i + 1) * n] for i in range(n_factors)]
        self._columns = columns

    # Steps take one of these lists, most often that for compiled steps, after the call of ``load``.

    @cached_property
    def calls(self) -> list[Call]:
        """The calls of a step."""
        return list(self._all_calls(self._recipes[0].optimizer.update_calls))

    @cached_property
    def table_calls(self) -> list[Call]:
        """The calls of a step in the form for compiled steps, which do them member by member."""
        return list(self._all_calls(self._recipes[0].optimizer.fused_calls))

    def load(self, scalars: Floats) -> Call:
        """Bind the copying of the factors of each member, (K, width), for the next step."""
        return partial(np.copyto, self._scalars, scalars)

    def _all_calls(self, optimize: Callable[..., list[Call]]) -> Iterator[Call]:
        """List the calls of a step, those of the optimizer in the form that its method lists."""
        starts = range(0, self._vectors[0].shape[-1], self._chunk_length)
        limits = in_range([[r.max_grad_norm] for r in self._recipes], self._room.dtype)
        clips = not np.isinf(limits).all()
        if clips:
            # The norm of a gradient is known only when all penalties have been added.
            for start in starts:
                yield from self._penalties(start)
            yield from clip_calls(self._vectors[1].reshape(len(limits), -1), limits)
        for start in starts:
            if not clips:
                yield from self._penalties(start)
            yield from self._decay(start)
            yield from self._optimizer_calls(start, optimize)

    def _penalties(self, start: int) -> Iterator[Call]:
        """Add the penalties' gradients."""
        weights, gradient = (self._penalized(v, start) for v in self._vectors[:2])
        room = self._room[..., : weights.shape[-1]]
        l2, l1 = self._columns[L2], self._columns[L1]
        if not weights.size:
            return
        if any(r.alpha * (1 - r.l1_ratio) for r in self._recipes):
            yield partial(np.multiply, weights, l2, room)
            yield from _scaled(room, self._penalty_strengths, start)
            yield partial(np.add, gradient, room, gradient)
        if any(r.alpha * r.l1_ratio for r in self._recipes):
            yield partial(np.sign, weights, room)
            yield partial(np.multiply, room, l1, room)
            yield from _scaled(room, self._penalty_strengths, start)
            yield partial(np.add, gradient, room, gradient)

    def _decay(self, start: int) -> Iterator[Call]:
        """Apply decoupled weight decay, if there is any."""
        weights = self._penalized(self._vectors[0], start)
        if weights.size and any(r.optimizer.weight_decay for r in self._recipes):
            room, decay = self._room[..., : weights.shape[-1]], self._columns[DECAY]
            yield partial(np.multiply, weights, decay, room)
            yield from _scaled(room, self._decay_strengths, start)
            yield partial(np.subtract, weights, room, weights)

    def _optimizer_calls(self, start: int, optimize: Callable[..., list[Call]]) -> Iterator[Call]:
        """Take the optimizer's step on a chunk, or on each part of it with a rate of its own."""
        for part in self._parts:
            first = max(start, part.place.start)
            stop = min(start + self._chunk_length, part.place.stop)
            if first < stop:
                parameters, gradient, *state = [v[..., first:stop] for v in self._vectors]
                state += [room[..., : stop - first] for room in self._scratch]
                yield from optimize(parameters, gradient, state, self._coefficients[part.factor])

    def _penalized(self, vectors: Floats, start: int) -> Floats:
        """Return the part of a chunk that decay and penalties concern."""
        return vectors[..., start : min(start + self._chunk_length, max(self._n_penalized, start))]


def _depends_on_slicing(optimizer: Optimizer, *, of_members: bool) -> bool:
    """Tell whether a step gives other numbers for two parts of the vectors than for both at once.

    It takes a few steps to find out. The two parts are two members, or halves of one. False if a
    second step like the first gives other numbers, too, or if the method cannot be tried.
    """
    points = np.linspace(0.5, 2.0, 8)

    def stepped(shape: tuple[int, ...], first: int = 0) -> Floats:
        size = math.prod(shape)
        parameters, gradient = (points[first : first + size].reshape(shape) * f for f in (1, -0.7))
        state = [np.zeros(shape) for _ in range(len(trial.state_names) + trial.n_scratch)]
        width = (shape[0], 1) if len(shape) == 2 else ()
        scalars = [np.full(width, c) for c in trial.coefficients(0.1, 1)]
        trial.update(parameters, gradient, state, scalars)
        return parameters.ravel()

    whole = (2, 4) if of_members else (8,)
    try:
        trial = copy.deepcopy(optimizer)
        with np.errstate(all="ignore"):
            at_once, again = stepped(whole), stepped(whole)
            in_parts = np.concatenate([stepped((4,)), stepped((4,), 4)])
    except Exception:
        # If this is an error, training raises it, too.
        return False
    return np.array_equal(at_once, again) and not np.allclose(at_once, in_parts, equal_nan=True)


def _reaching(
    strengths: Floats | None, place: slice, trained: Booleans | None, dtype: np.dtype
) -> Floats | None:
    """Return the strengths of some members' parameters, zero where no gradient reaches.

    A penalty alone would drive such weights to zero. None means one for all weights.
    """
    if strengths is None:
        return None if trained is None else trained.astype(dtype)
    # Numbers too large for float32 make training diverge, which is reported.
    with np.errstate(over="ignore"):
        own = strengths[place].astype(dtype)
    if trained is not None:
        own[:, : trained.shape[1]] *= trained
    return own


def _scaled(room: Floats, strengths: Floats | None, start: int) -> Iterator[Call]:
    """Multiply a chunk, of (K, n) or (n,), by the strengths of its parameters."""
    if strengths is not None:
        of_chunk = strengths[:, start : start + room.shape[-1]].reshape(room.shape)
        yield partial(np.multiply, room, of_chunk, room)


def clip_calls(gradient: Floats, limits: Floats) -> Iterator[Call]:
    """Scale each member's gradient, (K, P), down to its limit, (K, 1) (Pascanu et al. 2013)."""
    factors = np.empty((len(gradient), 1, 1), gradient.dtype)
    yield from squared_lengths_calls(gradient, factors)
    yield partial(np.sqrt, factors, factors)
    yield partial(np.add, factors, number(1e-6, gradient.dtype), factors)
    yield partial(np.divide, limits[:, np.newaxis], factors, factors)
    # If limit and length are both infinite, the quotient is NaN, which ``fmin`` turns into 1.
    yield partial(np.fmin, factors, number(1, gradient.dtype), factors)
    yield partial(np.multiply, gradient, factors[:, 0], gradient)


def trained_weights(network: Network, members: Sequence[int]) -> Booleans | None:
    """Return which weights a gradient reaches, (K, n_weights), or None if it reaches all.

    The others are not penalized: the penalty alone would drive them to zero.
    """
    trained = np.ones((len(members), network.n_weights), dtype=bool)
    # Which blocks pass gradients on is the same for many members.
    passes = [tuple([node.block.passes_gradient(k) for node in network.nodes]) for k in members]
    for alike in grouped(passes):
        for place in network.unreached_weights(members[alike[0]]):
            trained[alike, place] = False
    return None if trained.all() else trained
