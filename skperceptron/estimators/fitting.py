"""From checked data to a network that is ready to be trained."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np

from .._sklearn.fit_calls import FROM_SCRATCH, NO_EXTRAS, Extras, FitMode
from .._sklearn.generators import generator_of, same_generator
from ..callbacks.listening import Listener
from ..engine import Network
from ..engine.arrays import Floats, Integers
from ..engine.fingerprints import merge_equal_rows
from ..exceptions import TooLargeError
from ..options import is_number
from ..stopping import EarlyStopping
from ..training import Member, Recipe, TrainingSet
from ..training.checkpoint import State, restore
from ..training.groups import factors_of
from ..training.member import Progress
from ..usercall import first_in_call, warn
from .advice import NamedRows, about_validation_scale
from .choices import Choices
from .continuation import (
    has_known_options,
    plain_options,
    progress_so_far,
    shortcut_of,
    what_is_learned,
)
from .data import (
    CheckedData,
    check_data,
    check_validation_data,
    forget_history,
    has_validation_data,
    refuse_sparse_embedding,
)
from .fitted import fitted_network
from .held_out import HeldOut, Validation
from .initial_parameters import initial_parameters
from .model import Model
from .resumption import Start, description_of
from .run import Run
from .splits import SplitRules
from .targets import Target
from .trials import refuse_faulty_parts

Found = TypeVar("Found")

#: A penalty with a larger factor than this decides alone: beside it, the mean loss has no effect.
LARGEST_PENALTY = 1e15

#: Parameters that decide which arrays a network learns, and in which shapes.
SHAPING = (
    "hidden_layer_sizes",
    "skip_connections",
    "normalization",
    "feature_scale",
    "parametric_activation",
    "ensemble_size",
    "numeric_embedding",
    "embedding_dim",
)


def prepare(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    mode: FitMode = FROM_SCRATCH,
) -> Run:
    """Check everything, and return the run to train: what a fit without callbacks does first."""
    checked = check_data(estimator, X, y, sample_weight, mode)
    return make_ready(estimator, checked, mode, NO_EXTRAS, Listener())


class Cache(Protocol):
    """A cache of results that fits with equal parameters would all compute."""

    def __call__(
        self, key: Hashable, make: Callable[[], Found], before_steps: bool = False
    ) -> Found:
        """Return the result that is kept under a key; make and keep it if there is none.

        With ``before_steps``, parameters that matter from the first step on only may differ.
        """


def uncached(key: Hashable, make: Callable[[], Found], before_steps: bool = False) -> Found:
    """Make the result each time, and keep nothing."""
    return make()


@dataclass(frozen=True, eq=False)
class _Request:
    """A call of ``fit`` with checked data, as most steps of its preparation need it.

    ``cached`` is for results that calls with the same parameters share.
    """

    estimator: Any
    checked: CheckedData
    mode: FitMode
    extras: Extras
    cached: Cache


def make_ready(
    estimator: Any,
    checked: CheckedData,
    mode: FitMode,
    extras: Extras,
    listener: Listener,
    cached: Cache = uncached,
) -> Run:
    """Wire the network, and return the run to train.

    The estimator's `random_state` is used, and attributes that describe the network are stored on
    it. The listener may restore the state of an interrupted fit. ``cached`` is for results that
    fits with the same parameters share. The generator of the member may then be one of them: the
    caller copies it before anything is drawn from it.
    """
    refuse_sparse_embedding(estimator, checked.data.X)
    request = _Request(estimator, checked, mode, extras, cached)
    choices = _choices_for(request)
    if choices.wiring.n_networks is not None or choices.wiring.categories is not None:
        # The network then depends on the data, too, not on the parameters alone.
        request = replace(request, cached=uncached)
    _check_choices(request, choices)
    network = _network_for(request, choices)
    model = Model(choices, checked.target, network, choices.dtype_for(network))
    start, saved = _start(request, model, listener)
    if mode.continuing and not mode.incremental:
        forget_history(estimator)
    if mode.incremental:
        shortcut_of(estimator).wired = network, choices
    estimator._store_description(model)
    member = _member(request, model, start)
    if saved is not None:
        restore(member, saved)
        if isinstance(validate := member.recipe.validate, Validation):
            validate.has_scored = bool(np.isfinite(member.progress.validation_scores).any())
    return Run(estimator, model, member, checked.data, mode.incremental)


def _check_choices(request: _Request, choices: Choices) -> None:
    """Raise ValueError for parameters that do not fit the data, or for faulty parts."""
    target, data = request.checked.target, request.checked.data
    _check_penalty(choices.alpha, request.checked.weight)
    _check_room(choices, target, data.n_rows)
    # What an earlier ``partial_fit`` has tried need not be tried again.
    tried = shortcut_of(request.estimator).tried if request.mode.incremental else set()
    parts = *choices.wiring.activations, target.loss, choices.optimizer
    refuse_faulty_parts(parts, data.targets.n_outputs, tried)


def _start(request: _Request, model: Model, listener: Listener) -> tuple[Start, State | None]:
    """Return where training begins, and the saved state of an interrupted fit, if there is one."""
    estimator, checked, extras = request.estimator, request.checked, request.extras
    draw = partial(initial_parameters, model.network, model.choices, checked, extras)
    # None if it is drawn below: after the listener, which may restore the generator.
    start = None
    if request.mode.continuing:
        start = _start_from_earlier(request, model.network)
    elif not extras.gives_start:
        start = _common_start(request, model, draw)
    rng = generator_of(estimator.random_state) if start is None else start.rng
    given = {"X": checked.data.X, "y": checked.y, "sample_weight": checked.sample_weight}
    given |= vars(extras)
    saved = listener.resume(rng, lambda: description_of(estimator, given, model, rng, start))
    return start or Start(draw(rng), Progress(), estimator._later, rng), saved


def _member(request: _Request, model: Model, start: Start) -> Member:
    """Return the network with the rows, the weights and the noise of its training."""
    estimator, mode = request.estimator, request.mode
    choices, data, rng = model.choices, request.checked.data, start.rng
    rows, held_out = _hold_out(request, choices, rng)
    noise = _noise(choices, rng)
    if mode.continuing and noise is not None:
        noise, rng = start.later.generators(noise, rng, estimator.random_state, estimator.t_)
    validate = None if held_out is None else Validation(model, held_out, estimator)
    n_samples, weight = len(rows), request.checked.weight
    if data.is_at_hand and not mode.incremental:
        # Comparing rows takes longer than a single epoch.
        rows, weight = _rows_of_batches(choices, data, rows, weight)
    recipe = _recipe(model, n_samples, weight, validate)
    member = Member(recipe, start.parameters, rows, rng, noise, progress=start.progress)
    if mode.incremental:
        start.later.hand_steps_to(member)
        if recipe.averaging is not None:
            member.average = start.later.average
    return member


def _choices_for(request: _Request) -> Choices:
    """Resolve the parameters, and those parts of the wiring that depend on the data."""
    estimator, checked = request.estimator, request.checked
    n_rows = checked.data.n_rows if checked.fold is None else len(checked.fold.train)
    # Only a `max_iter` that is not a number depends on the rows.
    key = "choices", None if is_number(estimator.max_iter) else n_rows
    choices = request.cached(key, lambda: _choose(estimator, request.mode, n_rows))
    found: dict[str, Any] = {}
    if choices.wiring.n_networks is not None:
        found["link"] = checked.target.link_name
    if estimator._categories is not None:
        found["categories"] = estimator._categories
    return replace(choices, wiring=replace(choices.wiring, **found)) if found else choices


def _choose(estimator: Any, mode: FitMode, n_rows: int) -> Choices:
    """Resolve the parameters; ``partial_fit`` reuses the result while they stay the same."""
    if not (mode.incremental and mode.trains):
        return Choices.of(estimator, n_rows=n_rows)
    shortcut = shortcut_of(estimator)
    if shortcut.choices is None or not has_known_options(estimator):
        choices = Choices.of(estimator)
        _refuse_if_endless(estimator, choices)
        shortcut.options, shortcut.choices = plain_options(estimator), choices
    return shortcut.choices


def _refuse_if_endless(estimator: Any, choices: Choices) -> None:
    """Refuse what must know the number of epochs, for ``partial_fit``, which does not know it."""
    for name, part in choices.over_time.items():
        if part.needs_max_iter:
            raise ValueError(
                f"partial_fit does not support {name}={getattr(estimator, name)!r}, which must know"
                " how many epochs there will be."
            )


def _common_start(
    request: _Request, model: Model, draw: Callable[[np.random.RandomState], Floats]
) -> Start | None:
    """Return a start that is drawn once for all fits with the same parameters, if there is one.

    There is none without a cache, without a seed, or if the start depends on the rows. Unless more
    is drawn from it before training, the generator is shared, too: making one takes as long as
    several steps of a small network.
    """
    estimator, choices, network = request.estimator, model.choices, model.network
    depends_on_rows = choices.initializer.n_rows > 0 or network.looks_at_rows
    if request.cached is uncached or depends_on_rows or not isinstance(estimator.random_state, int):
        return None

    def begin() -> tuple[Floats, np.random.RandomState]:
        rng = generator_of(estimator.random_state)
        return draw(rng), rng

    shape = network.n_inputs, network.n_outputs
    parameters, rng = request.cached(("start", *shape), begin, before_steps=True)
    draws_more = choices.stopping is not None or choices.wiring.is_noisy
    own = same_generator(rng) if draws_more else rng
    return Start(parameters.copy(), Progress(), estimator._later, own)


def _check_penalty(alpha: float, weight: Floats | None) -> None:
    """Refuse sample weights so small that only the penalty would have an effect."""
    if weight is None:
        return
    with np.errstate(over="ignore"):
        share = alpha / weight.sum()
    if share > LARGEST_PENALTY:
        raise ValueError(
            f"alpha={alpha!r} is divided by the sum of sample_weight, {weight.sum():.2g}, which is"
            " too small: only the penalty would have an effect. Multiply all weights by one factor,"
            " or use alpha=0."
        )


def _check_room(choices: Choices, target: Target, n_rows: int) -> None:
    """Refuse a target that would need enormous arrays."""
    # L-BFGS has no batches; its largest array is a weight matrix.
    batch = 1 if choices.is_lbfgs else choices.batch_rows(n_rows)
    if reason := target.too_large(max(batch, *choices.wiring.hidden_sizes, 1)):
        raise TooLargeError(reason)


def _network_for(request: _Request, choices: Choices) -> Network:
    checked = request.checked
    n_outputs = checked.data.targets.n_outputs * checked.target.loss.outputs_per_target
    if request.mode.continuing:
        return _network_to_go_on_with(request, choices, n_outputs)
    shape = checked.data.X.shape[1], n_outputs
    return request.cached(
        ("network", *shape),
        lambda: request.estimator._build_network(choices.wiring, *shape),
        before_steps=True,
    )


def _network_to_go_on_with(request: _Request, choices: Choices, n_outputs: int) -> Network:
    """Wire the network again for the weights of the earlier fit; activations may change."""
    estimator = request.estimator
    if request.extras.gives_start:
        raise ValueError(
            "coefs_init and intercepts_init cannot be used with warm_start=True, which"
            " continues with the weights of the earlier fit."
        )
    earlier: Network = estimator._fitted.network
    if shortcut_of(estimator).wired == (earlier, choices) and earlier.n_outputs == n_outputs:
        return earlier
    network: Network = estimator._build_network(choices.wiring, estimator.n_features_in_, n_outputs)
    if what_is_learned(network) != what_is_learned(earlier):
        given = ", ".join(f"{name}={getattr(estimator, name)!r}" for name in SHAPING)
        raise ValueError(
            f"warm_start and partial_fit continue with the weights of the earlier fit: {given}, the"
            f" number of outputs (loss={estimator.loss!r}), and what"
            f" activation={estimator.activation!r} learns must stay as they were."
        )
    return network


def _start_from_earlier(request: _Request, network: Network) -> Start:
    estimator, target = request.estimator, request.checked.target
    fitted = fitted_network(estimator)
    later = estimator._later.in_units_of(target, fitted.target, network)
    parameters = later.parameters(fitted, target, network)
    rng = generator_of(estimator.random_state)
    return Start(parameters, progress_so_far(estimator, request.mode), later, rng)


def _hold_out(
    request: _Request, choices: Choices, rng: np.random.RandomState
) -> tuple[Integers, HeldOut | None]:
    """Return the rows to train on, and those to validate on."""
    estimator, checked, extras = request.estimator, request.checked, request.extras
    data, weight = checked.data, checked.weight
    if checked.fold is not None:
        return checked.fold.train, checked.held_out
    gives_rows = has_validation_data(extras, estimator.solver)
    draws_rows = not gives_rows and choices.stopping is not None and not choices.is_lbfgs
    if extras.groups is not None and not draws_rows and first_in_call("groups"):
        warn("groups is ignored: it only applies if early_stopping holds out rows of X.")
    all_rows = np.arange(data.n_rows)
    if gives_rows:
        held_out = check_validation_data(estimator, checked.target, extras)
        text = about_validation_scale(NamedRows.of(estimator, data.X), held_out.data.X)
        if text and first_in_call("validation_scale"):
            warn(text)
        return all_rows, held_out
    if not draws_rows:
        return all_rows, None
    labels = checked.target.labels_of(data.targets)
    fraction, groups = choices.validation_fraction, extras.groups
    rules = SplitRules(fraction, data.X, checked.y, labels, groups, weight)
    rows, held_out_rows = checked.splits.draw(rules, rng)
    return rows, HeldOut(data, checked.y, weight, checked.given, held_out_rows)


def _noise(choices: Choices, rng: np.random.RandomState) -> np.random.Generator | None:
    """Return the generator of dropout masks; without dropout nothing is drawn from ``rng``."""
    if not choices.wiring.is_noisy:
        return None
    return np.random.default_rng(rng.randint(2**32, size=4, dtype=np.uint32))


def _rows_of_batches(
    choices: Choices, data: TrainingSet, rows: Integers, weight: Floats | None
) -> tuple[Integers, Floats | None]:
    """Return the rows of the batches and their weights.

    The rows of a full batch are ordered by their content, and equal ones are merged: if one batch
    holds all rows, rounding is all that depends on their order, and on whether a row is repeated or
    has twice the weight. Removing these differences makes weights and repetitions agree bit for
    bit, in float32 too, and saves work.
    """
    is_full = not choices.is_lbfgs and choices.batch_rows(len(rows)) == len(rows)
    if not is_full or len(rows) == 1:
        return rows, weight
    kept, merged = merge_equal_rows(data.X, data.targets.keys, weight, rows)
    if weight is None and (merged == 1).all():
        return kept, None
    weights = np.zeros(data.n_rows)
    weights[kept] = merged
    return kept, weights


def _recipe(
    model: Model, n_samples: int, sample_weight: Floats | None, validate: Validation | None
) -> Recipe:
    """Return how the network is trained, and on which rows it is validated."""
    choices = model.choices
    rules = choices.stopping or EarlyStopping()
    return Recipe(
        loss=model.target.loss,
        optimizer=choices.optimizer,
        schedule=choices.schedule,
        learning_rate=choices.learning_rate,
        alpha=choices.alpha,
        n_samples=n_samples,
        l1_ratio=choices.l1_ratio,
        max_grad_norm=choices.max_grad_norm,
        sample_weight=sample_weight,
        shuffle=choices.shuffle,
        validate=validate,
        validates_every=rules.every,
        prefers_latest=rules.ties == "latest",
        monitors_loss=choices.stopping is None,
        restores_best=rules.restore_best,
        max_iter=choices.max_iter,
        tol=choices.tol,
        n_iter_no_change=choices.n_iter_no_change,
        max_seconds=choices.max_seconds,
        averaging=choices.averaging,
        groups=factors_of(choices.groups, model.network, choices.layer_rate),
        decay_schedule=choices.decay_schedule,
        dropout_schedule=choices.dropout_schedule if choices.wiring.is_noisy else None,
        drop_last=choices.drop_last,
    )
