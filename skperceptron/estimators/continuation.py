"""The state that a later call continues from, and the objects that it reuses."""

from __future__ import annotations

from collections.abc import Hashable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np

from .._sklearn.fit_calls import FitMode
from ..engine import Network
from ..engine.arrays import Floats
from ..kept import kept_as
from ..optimizers import Optimizer
from ..schedules import Schedule
from ..training import Member
from ..training.member import Progress
from ..training.stack import ReusableStack
from .choices import Choices
from .fitted import FittedNetwork, unfolded

#: Epochs of earlier calls whose metrics are kept, so that a model does not grow with every call.
KEPT_EPOCHS = 1000

#: The curves of a history, and the attributes of an estimator that hold them.
_CURVES = {
    "loss_curve": "loss_curve_",
    "validation_scores": "validation_scores_",
    "validation_losses": "validation_loss_curve_",
}


@kept_as("steps")
@dataclass(frozen=True)
class StepState:
    """The state of optimizer and schedule.

    Attributes
    ----------
    vectors : dict of str to ndarray of shape (P,)
        The state of the optimizer.
    steps : int
        Number of steps so far.
    rate : float
        The learning rate as the schedule has changed it.
    optimizer, schedule, learning_rate
        Those that this state belongs to.
    """

    vectors: dict[str, Floats]
    steps: int
    rate: float
    optimizer: Optimizer
    schedule: Schedule
    learning_rate: float


@kept_as("continuation")
@dataclass(frozen=True)
class Continuation:
    """What a later call continues from, besides what predictions use. It is never changed.

    Attributes
    ----------
    raw_parameters : ndarray of shape (P,) or None
        The parameters in training, if predictions use others; in the network's units.
    average : ndarray of shape (P,) or None
        Their average so far.
    noise : tuple of int and Generator, or None
        The seed of the fit, and the generator of its dropout masks.
    steps : StepState or None
    no_improvement : int or None
        Epochs since the monitored metric last improved; None if there have been no epochs.
    n_epochs : int
        Epochs of the last ``fit`` and of ``partial_fit`` since.
    """

    raw_parameters: Floats | None = None
    average: Floats | None = None
    noise: tuple[int, np.random.Generator] | None = None
    steps: StepState | None = None
    no_improvement: int | None = None
    n_epochs: int = 0

    @classmethod
    def of(
        cls, member: Member, random_state: Any, noise: tuple[int, np.random.Generator] | None
    ) -> Continuation:
        """Return what a later call continues from after the training of a member.

        ``random_state`` is that of the fit, ``noise`` the attribute that earlier calls have left.
        """
        recipe = member.recipe
        is_averaged = member.average is not None and member.best_parameters is None
        if member.noise is not None and isinstance(random_state, Integral):
            noise = int(random_state), member.noise
        return cls(
            raw_parameters=member.parameters if is_averaged else None,
            average=member.average if is_averaged else None,
            noise=noise,
            steps=StepState(
                member.optimizer_state,
                member.steps,
                member.current_rate,
                recipe.optimizer,
                recipe.schedule,
                recipe.learning_rate,
            ),
            no_improvement=member.progress.no_improvement,
            n_epochs=member.progress.n_earlier + member.n_iter,
        )

    def in_units_of(self, target: Any, earlier: Any, network: Network) -> Continuation:
        """Return this converted to other units of y."""
        if target.key_of_units == earlier.key_of_units:
            return self

        def changed(vector: Floats | None) -> Floats | None:
            if vector is None:
                return None
            vector = vector.astype(np.float64)
            # Blocks that learn nothing, such as a mean of networks, may follow the output layer.
            weight, bias = next(v for v in reversed(network.views(vector[np.newaxis])) if v)
            # Several networks have their outputs side by side.
            weight, bias = (
                a.reshape(*a.shape[1:-1], -1, network.n_outputs) for a in (weight, bias)
            )
            weight[:], bias[:] = target.taken_over(*earlier.fold(weight, bias), earlier)
            return vector

        return replace(
            self, raw_parameters=changed(self.raw_parameters), average=changed(self.average)
        )

    def parameters(self, fitted: FittedNetwork, target: Any, network: Network) -> Floats:
        """Return the parameters to continue from as one new vector, in a target's units.

        ``fitted`` is of the earlier call, target and network are of this one.
        """
        if self.raw_parameters is not None:
            return self.raw_parameters.astype(np.float64)
        vector = np.empty((1, network.n_parameters))
        taken_over = partial(target.taken_over, earlier=fitted.target)
        learned = network.from_attributes(unfolded(fitted.learned, taken_over))
        for places, arrays in zip(network.views(vector), learned, strict=True):
            for place, array in zip(places, arrays, strict=True):
                place[:] = array
        return vector[0]

    def generators(
        self, noise: np.random.Generator, rng: np.random.RandomState, seed: Any, rows_seen: int
    ) -> tuple[np.random.Generator, np.random.RandomState]:
        """Continue the dropout of the earlier call, if a seed would draw its masks again.

        Shuffles continue, too. Without dropout they are seeded in each call, as in scikit-learn.
        Both generators are given as the seed of this call makes them; ``rows_seen`` counts the rows
        used in all earlier calls.
        """
        if self.noise is None or self.noise[0] != seed:
            return noise, rng
        earlier_seed, earlier = self.noise
        # A copy: if this fit fails, the earlier one keeps its own generator.
        return deepcopy(earlier), np.random.RandomState([earlier_seed, rows_seen % 2**32])

    def hand_steps_to(self, member: Member) -> None:
        """Give a member the state of the optimizer and the learning rate, if they still apply."""
        state, recipe = self.steps, member.recipe
        if state is None:
            return
        if type(state.optimizer) is type(recipe.optimizer):
            member.optimizer_state, member.steps = state.vectors, state.steps
        rate = recipe.learning_rate
        if state.learning_rate == rate and _are_alike(state.schedule, recipe.schedule):
            member.current_rate = state.rate
        else:
            rows_seen = member.progress.rows_seen
            member.current_rate = recipe.schedule.after_epoch(rate, rate, rows_seen)


def progress_so_far(estimator: Any, mode: FitMode) -> Progress:
    """Return the history to continue: ``fit`` stops by its own epochs, ``partial_fit`` by all."""
    no_improvement = estimator._later.no_improvement
    # L-BFGS counts iterations, which are not epochs that could be continued.
    had_epochs = no_improvement is not None
    earlier: dict[str, list[float]] = {}
    for name, attribute in _CURVES.items():
        curve = getattr(estimator, attribute, None) if had_epochs else None
        earlier[name] = list((curve or [])[-KEPT_EPOCHS:])
    if not mode.incremental:
        return Progress(rows_seen=estimator.t_, earlier=earlier)
    best: float | None = estimator.best_loss_ if had_epochs else None
    return Progress(
        loss_curve=earlier["loss_curve"],
        best_loss=np.inf if best is None else best,
        no_improvement=0 if best is None else no_improvement,
        rows_seen=estimator.t_,
        n_earlier=estimator._later.n_epochs,
    )


def forget_steps(estimator: Any) -> None:
    """Drop the state of optimizer and schedule, which may take twice the memory of the weights."""
    estimator._later = replace(estimator._later, steps=None)


@kept_as("shortcut")
class Shortcut:
    """Objects that ``partial_fit`` reuses as long as its parameters are the same.

    Copies and pickles of the model start with an empty shortcut.
    """

    def __init__(self) -> None:
        self.stack = ReusableStack()
        #: Keys of the user's own parts that have been tried.
        self.tried: set[Hashable] = set()
        #: Choices, and the options for which they were made; None means options that may change.
        self.choices: Choices | None = None
        self.options: tuple[Any, ...] | None = None
        #: The network that was wired last, and the choices for which it was.
        self.wired: tuple[Network, Choices] | None = None

    def __reduce__(self) -> tuple[type[Shortcut], tuple[()]]:
        return Shortcut, ()


def shortcut_of(estimator: Any) -> Shortcut:
    """Return the shortcut that an estimator keeps for itself, a new one if it has none."""
    found: Shortcut | None = getattr(estimator, "_shortcut", None)
    if found is None:
        found = estimator._shortcut = Shortcut()
    return found


def what_is_learned(network: Network) -> list[tuple[Any, ...]]:
    """Describe the blocks with weights that a later call continues; dropout may differ."""
    described: list[tuple[Any, ...]] = []
    for node in network.nodes:
        if node.block.kind != "dropout":
            activations = getattr(node.block, "activations", ()) if node.block.learned else ()
            kinds = tuple(activation.__class__ for activation in activations)
            columns = getattr(node.block, "columns", ())
            described.append((node.name, node.block.kind, kinds, node.block.learned, columns))
    return described


def plain_options(estimator: Any) -> tuple[Any, ...] | None:
    """Return the parameters if all are plain values, else None: objects may change in place."""
    values = [
        getattr(estimator, name)
        for name in estimator._get_param_names()
        if name not in ("callbacks", "random_state", "class_weight")
    ]
    values = [tuple(value) if isinstance(value, list) else value for value in values]
    parts = [part for v in values for part in (v if isinstance(v, tuple) else (v,))]
    if all(part is None or isinstance(part, str | int | float) for part in parts):
        # True, 1 and 1.0 are equal, but not allowed alike.
        return (*values, *map(type, parts))
    return None


def has_known_options(estimator: Any) -> bool:
    """Tell whether the last call of ``partial_fit`` had the same parameters, all plain values."""
    options = plain_options(estimator)
    return options is not None and options == shortcut_of(estimator).options


def _are_alike(one: Any, other: Any) -> bool:
    """Tell whether two components have the same class and equal parameters."""
    if type(one) is not type(other) or vars(one).keys() != vars(other).keys():
        return False
    return all(
        value is vars(other)[name] or np.array_equal(value, vars(other)[name])
        for name, value in vars(one).items()
    )
