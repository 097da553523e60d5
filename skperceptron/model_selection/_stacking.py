"""Many fits, trained as few stacks.

Fits whose networks have the same shape, batch size, dtype and kind of optimizer become members of
one stack. Each ends as if it had been fitted alone: with a fitted estimator or an exception.
"""

from __future__ import annotations

import math
import time
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from .._sklearn.fit_calls import FROM_SCRATCH
from .._sklearn.generators import same_generator, state_as_key
from .._sklearn.tasks import NetworkTask
from ..callbacks.listening import Listener
from ..engine import Network
from ..engine.compiled import Way, way
from ..estimators.blas_threads import suited_team, suited_threads
from ..estimators.fitting import make_ready
from ..estimators.reporting import warn_of_small_batch
from ..estimators.run import Run
from ..training import Member, Stack, epochs
from ..usercall import first_in_call, has_happened, interrupted
from ._fits import Common, Fit
from ._progress import StackProgress
from ._spreading import end_if_abandoned

#: Components of a recipe, of which members of a stack share equal ones.
COMPONENTS = ("loss", "optimizer", "schedule", "decay_schedule", "dropout_schedule")

#: Bytes that a step of one stack may read and write. With an L2 cache of 512 KB and an L3 cache of
#: 32 MB, a step of a 64-64-10 network, batch 32, float64, took 131 us alone, and per member 88 in a
#: stack of 8 (1.8 MB), 95 in one of 15 (3.3 MB), 127 in one of 30; a 30-32-2 network took 94 alone,
#: 37 in one of 60 (3 MB), 51 in one of 120. A search holds little else besides the data.
WORKING_SET = 3 * 2**20

#: The same with compiled steps, in which one member after another takes all steps of a window: this
#: only limits the memory. (Twelve networks for a table, 5 MB, then form one stack.)
COMPILED_SET = 16 * 2**20

#: Name of the event that the user has ended a search.
ENDED = "search_ended"


@dataclass
class _Prepared:
    """A fit that is ready to be trained."""

    fit: Fit
    run: Run
    random_state: Any

    @property
    def member(self) -> Member:
        return self.run.member

    @property
    def network(self) -> Network:
        return self.run.model.network

    def batch_rows(self) -> int:
        """Return the batch size; 0 if one batch holds all rows, however many they are."""
        size = self.run.batch_rows
        return 0 if size == self.member.recipe.n_samples else size

    def kind(self) -> Hashable:
        """Return a key that is equal for the members of one stack."""
        return (
            self.network.shape,
            self.member.recipe.optimizer.operations,
            self.batch_rows(),
            self.member.recipe.drop_last,
            self.run.model.dtype,
            self.run.data.is_sparse,
            self.network.mixes_rows and self.member.recipe.sample_weight is not None,
        )


@dataclass(frozen=True)
class RunOptions:
    """How fits are run and reported.

    Attributes
    ----------
    verbose : int
        How much is printed about each stack.
    label : str
        Name of a stack in these reports.
    keeps_finished : bool
        Whether, on the second interruption, fits that have not ended receive an
        ``InterruptedFit`` as their error, and all others are kept.
    """

    verbose: int
    label: str
    keeps_finished: bool = False


class InterruptedFit(Exception):
    """The error of a fit that had not ended when the user ended the search."""


def trained(fits: Mapping[int, Fit], options: RunOptions, common: Common) -> Iterator[int]:
    """Fit all estimators, as few stacks.

    Parameters
    ----------
    fits : mapping of int to Fit
        Each receives its time, and its exception if it fails. Those that have failed before are
        not changed.
    options : RunOptions
    common : Common
        Shared with fits before and after these.

    Yields
    ------
    int
        The keys of the fits: first of those that have failed before training, then of those of each
        stack as soon as it has ended.

    Raises
    ------
    KeyboardInterrupt
        On the second interruption, unless ``options.keeps_finished``. The first one ends only the
        current stack.
    """
    key_of = {id(fit): key for key, fit in fits.items()}
    stacks = _stacks_of(fits.values(), common)
    yield from [key for key, fit in fits.items() if fit.error is not None]
    # Stacks are removed from this list, so that finished ones can be freed.
    n_stacks, stacks = len(stacks), stacks[::-1]
    while stacks:
        stacked = stacks.pop()
        numbered = replace(options, label=f"{options.label} {n_stacks - len(stacks)} of {n_stacks}")
        _train_stack(stacked, common, numbered)
        yield from [key_of[id(prepared.fit)] for prepared in stacked]


def _stacks_of(fits: Iterable[Fit], common: Common) -> list[list[_Prepared]]:
    """Prepare all fits that have not failed, and return those of each stack."""
    kinds: dict[Hashable, list[_Prepared]] = {}
    for fit in (fit for fit in fits if fit.error is None):
        with fit.attempt():
            prepared = _prepare(fit, common)
            kinds.setdefault(prepared.kind(), []).append(prepared)
    return [stacked for alike in kinds.values() for stacked in _divided(alike)]


def _divided(alike: list[_Prepared]) -> list[list[_Prepared]]:
    """Divide fits whose networks have equal shapes into stacks that fit into the cache."""
    n_stacks = math.ceil(len(alike) / _members_in_cache(alike[0]))
    size = math.ceil(len(alike) / n_stacks)
    return [alike[start : start + size] for start in range(0, len(alike), size)]


def _prepare(fit: Fit, common: Common) -> _Prepared:
    estimator = fit.estimator
    seed = estimator.random_state
    state = seed.get_state(legacy=False) if isinstance(seed, np.random.RandomState) else None
    checked = common.check_data(fit)
    run = make_ready(estimator, checked, FROM_SCRATCH, fit.extras, Listener(), common.cached(fit))
    recipe = run.member.recipe
    if fit.cross_fit_method is not None:
        run.cross_fit()
    warn_of_small_batch(run.model, recipe.n_samples)
    components = {name: common.shared(getattr(recipe, name)) for name in COMPONENTS}
    run.member.recipe = replace(recipe, **components)
    return _Prepared(fit, run, state)


def _train_stack(alike: list[_Prepared], common: Common, options: RunOptions) -> None:
    """Train a stack, and report to callbacks that no epoch follows, however training has ended."""
    try:
        _train_together(alike, common, options)
    finally:
        for prepared in alike:
            prepared.fit.tell(NetworkTask.end)


def _train_together(alike: list[_Prepared], common: Common, options: RunOptions) -> None:
    if options.keeps_finished and has_happened(ENDED):
        for prepared in alike:
            prepared.fit.fail(InterruptedFit())
        return
    ordered = _in_stacking_order(alike, common)
    _share_generators(ordered)
    start, has_failed = time.perf_counter(), False
    try:
        _run(ordered, common, options)
    except Exception as error:
        if len(alike) == 1:
            alike[0].fit.fail(error)
            return
        has_failed = True
    if has_failed:
        # Perhaps a user's own activation or loss: in stacks of one, only fits that use it fail.
        # Not in the handler: their errors would also show the one that is handled there.
        for prepared in alike:
            _train_stack([_prepared_again(prepared)], Common(), options)
        return
    elapsed = time.perf_counter() - start
    n_epochs = max(1, sum(prepared.member.n_iter for prepared in ordered))
    for prepared in ordered:
        prepared.fit.seconds += elapsed * prepared.member.n_iter / n_epochs
        if prepared.fit.error is not None:
            continue
        with prepared.fit.attempt():
            prepared.run.finish()
            if (method := prepared.fit.cross_fit_method) is not None:
                prepared.fit.cross_fitted = prepared.run.cross_fitted(method)


def _run(ordered: list[_Prepared], common: Common, options: RunOptions) -> None:
    """Train the members of one stack until all have ended, or callbacks have failed for them."""
    progress = _progress_of(ordered, options)
    ordered = [prepared for prepared in ordered if prepared.fit.error is None]
    if not ordered:
        return
    stack = _stack_of(ordered, common)
    try:
        with suited_threads(stack.largest_product):
            for reports in epochs(stack, tells_all=progress is not None, check=end_if_abandoned):
                if progress is not None:
                    progress.epoch(reports)
                    _retire_failed(stack, ordered)
    except KeyboardInterrupt:
        _cut_short(stack, ordered, options)


def _stack_of(ordered: list[_Prepared], common: Common) -> Stack:
    members = [prepared.member for prepared in ordered]
    network = Network.stacked([prepared.network for prepared in ordered], common.unify)
    batch_size = ordered[0].batch_rows() or len(members[0].rows)
    n_steps = sum(m.recipe.max_iter * math.ceil(len(m.rows) / batch_size) for m in members)
    return Stack(
        network,
        members,
        [prepared.run.data for prepared in ordered],
        batch_size,
        ordered[0].run.model.dtype,
        team=suited_team(batch_size * network.largest_product, len(members), n_steps),
    )


def _progress_of(ordered: list[_Prepared], options: RunOptions) -> StackProgress | None:
    """Report to callbacks that training begins; return what reports its epochs, if anything."""
    fits = [prepared.fit for prepared in ordered]
    if not options.verbose and all(fit.task is None for fit in fits):
        return None
    members = [prepared.member for prepared in ordered]
    return StackProgress(fits, members, options.verbose, options.label)


def _retire_failed(stack: Stack, ordered: list[_Prepared]) -> None:
    """End the training of members whose callbacks have raised an exception."""
    failed = {id(prepared.member) for prepared in ordered if prepared.fit.error is not None}
    if leaving := [k for k, member in enumerate(stack.members) if id(member) in failed]:
        stack.retire(leaving)


def _cut_short(stack: Stack, ordered: list[_Prepared], options: RunOptions) -> None:
    """End the training of a stack that the user has interrupted."""
    is_ended = _ends_all(options)
    in_training = {id(member) for member in stack.members}
    for prepared in ordered:
        if id(prepared.member) in in_training:
            # The first time, what has been learned so far is kept, as in a single fit.
            prepared.fit.was_cut_short = not is_ended
            if is_ended:
                prepared.fit.fail(InterruptedFit())
    stack.retire(range(len(stack.members)))


def _ends_all(options: RunOptions) -> bool:
    """Note an interruption; tell whether it ends all fits, not only those of this stack."""
    if not options.keeps_finished:
        interrupted()
        return False
    if first_in_call("interrupted"):
        return False
    first_in_call(ENDED)
    return True


def _share_generators(ordered: list[_Prepared]) -> None:
    """Let members that would draw the same shuffles share one generator."""
    # Cached, since fits with equal parameters have one generator, whose state is long.
    key_of = cache(state_as_key)
    shared: dict[Hashable, np.random.RandomState] = {}
    for prepared in ordered:
        member, seed = prepared.member, prepared.fit.estimator.random_state
        if seed is None:
            # Otherwise, all members without a seed would share NumPy's global generator.
            member.rng = np.random.RandomState(member.rng.randint(2**32, dtype=np.uint32))
        elif not isinstance(seed, np.random.RandomState):
            shuffles = len(member.rows), member.recipe.n_samples, member.recipe.shuffle
            key = key_of(member.rng), *shuffles
            if key not in shared:
                # A copy, since members of other stacks may have the same generator.
                shared[key] = same_generator(member.rng)
            member.rng = shared[key]


def _prepared_again(prepared: _Prepared) -> _Prepared:
    """Prepare a fit that has been prepared before, but not been trained to its end."""
    fit = prepared.fit
    if prepared.random_state is not None:
        fit.estimator.random_state.set_state(prepared.random_state)
    return _prepare(fit, Common())


def _in_stacking_order(alike: list[_Prepared], common: Common) -> list[_Prepared]:
    """Sort by descending numbers of rows; neighbors share activation, loss and data."""

    # Cached, since fits that differ only in their steps have one network.
    @cache
    def activations(network: Network) -> tuple[int, ...]:
        applied = [node.block.activation_of(0) for node in network.nodes]
        return tuple(id(common.unify(f)) for f in applied if f is not None)

    def places(keys: list[Any]) -> dict[Any, int]:
        return {key: place for place, key in enumerate(dict.fromkeys(keys))}

    counts = [len(prepared.member.rows) for prepared in alike]
    applied = [(activations(p.network), id(p.member.recipe.loss)) for p in alike]
    data = [id(prepared.run.data) for prepared in alike]
    of_count, of_functions = places(sorted(counts, reverse=True)), places(applied)
    of_data = places(data)

    def rank(i: int) -> tuple[int, ...]:
        count, function = of_count[counts[i]], of_functions[applied[i]]
        # Alternating, so that the last activation of one count is the first of the next.
        return count, -function if count % 2 else function, of_data[data[i]]

    return [alike[i] for i in sorted(range(len(alike)), key=rank)]


def _members_in_cache(prepared: _Prepared) -> int:
    """Return how many members one stack may have."""
    network = prepared.network
    vectors = 2 + len(prepared.member.recipe.optimizer.state_names)
    batch = prepared.run.batch_rows
    # The input, and a value and a gradient of each node.
    widths = network.n_inputs + sum(2 * node.block.units for node in network.nodes)
    numbers = vectors * network.n_parameters + batch * widths
    room = WORKING_SET if way() is Way.NUMPY else COMPILED_SET
    return max(1, room // (numbers * prepared.run.model.dtype.itemsize))
