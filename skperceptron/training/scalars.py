"""The numbers by which each step multiplies: coefficients of optimizers, penalties, averages."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from ..engine.arrays import Floats, Integers, as_slice, grouped, in_range, runs
from ..options import shown
from ..schedules import Schedule, TimeSchedule
from .groups import Groups
from .member import Member
from .plan import Plan

#: The factors of a step besides the optimizer's coefficients; the last columns of the table.
OWN_SCALARS = ("weight decay", "L2 penalty", "L1 penalty")

#: Indices of these columns.
DECAY, L2, L1 = range(-len(OWN_SCALARS), 0)

#: Steps whose numbers are computed at once if they depend on nothing but the steps' positions: many
#: epochs of a small fit then need a few calls.
STEPS_AHEAD = 1_024


@dataclass(frozen=True)
class _Forecast:
    """The numbers of the next n steps, (n, 1, W), and their rates, (n,), which members share.

    ``taken`` is how many steps a member has taken before. If ``heeds_rate``, the numbers hold only
    as long as the learning rate stays as it was; otherwise, it depends on the time alone.
    """

    taken: int
    rates: Floats
    heeds_rate: bool
    numbers: Floats

    def place(self, member: Member, n_steps: int) -> slice | None:
        """Return where the numbers of the next `n_steps` steps of a member are, if known."""
        first = member.steps - self.taken
        if not 0 <= first <= len(self.numbers) - n_steps:
            return None
        if self.heeds_rate and member.current_rate != self.rates[first]:
            return None
        return slice(first, first + n_steps)


class Scalars:
    """Tables of numbers, one for each step of an epoch and each member.

    Parameters
    ----------
    members : sequence of Member
    plan : Plan
    groups : Groups
        Parts of the parameters that have their own learning rates.
    dtype : dtype
        Of the arithmetic.

    Attributes
    ----------
    table : ndarray of shape (S, K, n)
        The optimizer's coefficients, for each factor of the learning rate, then ``OWN_SCALARS``.
        The numbers of a step that a member does not take have no effect.
    average_shares : ndarray of shape (S, K)
        By how much each step moves an average towards the parameters.
    noise_shares : ndarray of shape (S, K) or None
        Factor of the dropout rates in each step, if a member has a schedule for them.
    """

    def __init__(
        self, members: Sequence[Member], plan: Plan, groups: Groups, dtype: np.dtype
    ) -> None:
        self._members = members
        self._plan = plan
        self._rate_factors = groups.rate_factors
        n_coefficients = len(members[0].recipe.optimizer.coefficients(1.0, 1))
        width = n_coefficients * len(self._rate_factors) + len(OWN_SCALARS)
        self.table = np.zeros((plan.n_steps, len(members), width), dtype=dtype)
        self.average_shares = np.zeros((plan.n_steps, len(members)), dtype=dtype)
        recipes = [m.recipe for m in members]
        self._alphas = np.array([r.alpha for r in recipes], dtype=np.float64)
        self._l1_ratios = np.array([r.l1_ratio for r in recipes], dtype=np.float64)
        rated = [
            (
                *_settings_of_rates(m),
                len(epoch.steps),
                *factors,
            )
            for m, epoch, *factors in zip(members, plan.epochs, *self._rate_factors, strict=True)
        ]
        self._same_settings = [(alike, self._place_in_epoch(alike)) for alike in grouped(rated)]
        self._forecasts: dict[int, _Forecast] = {}
        # The present rates, and the members that share their numbers at these rates.
        self._rates: list[float] = []
        self._same_rates: list[tuple[list[int], Integers | slice]] = []
        self._averaged = [
            (k, r.averaging) for k, r in enumerate(recipes) if r.averaging is not None
        ]
        self._scheduled = [
            (k, r.dropout_schedule) for k, r in enumerate(recipes) if r.dropout_schedule is not None
        ]
        self.noise_shares: Floats | None = None
        if self._scheduled:
            self.noise_shares = np.ones((plan.n_steps, len(members)))

    def _place_in_epoch(self, alike: list[int]) -> Integers | slice:
        """Return, for each step of the epoch, its number among the steps of these members."""
        place_of = np.zeros(self._plan.n_steps, dtype=np.intp)
        epochs = [self._plan.epochs[k] for k in alike]
        for epoch, _ in runs(epochs):
            place_of[epoch.steps] = np.arange(len(epoch.steps))
        # Most members take all steps.
        return place_of if (place_of != np.arange(len(place_of))).any() else slice(None)

    def weigh_penalties(self, sums: Floats) -> None:
        """Divide the penalties by the sum of the weights of each batch, (S, K)."""
        # For a batch of almost no weight, the penalty overflows: training diverges.
        with np.errstate(over="ignore", invalid="ignore"):
            penalty = np.divide(self._alphas, sums, out=np.zeros(sums.shape), where=sums > 0)
            l1, l2 = penalty * self._l1_ratios, penalty * (1 - self._l1_ratios)
        self.table[:, :, L2] = in_range(l2, self.table.dtype)
        self.table[:, :, L1] = in_range(l1, self.table.dtype)

    def prepare(self) -> None:
        """Compute the numbers of the next epoch, except the penalties."""
        rates = [member.current_rate for member in self._members]
        if rates != self._rates:
            # Plateaus may have lowered the rates of members with the same schedule differently.
            self._same_rates = [
                ([alike[i] for i in of_rate], place_of)
                for alike, place_of in self._same_settings
                for of_rate in grouped([rates[k] for k in alike])
            ]
            self._rates = rates
        for alike, place_of in self._same_rates:
            self._prepare_coefficients(alike, place_of)
        for k, averaging in self._averaged:
            member, taken = self._members[k], self._plan.epochs[k].steps
            steps = member.steps + np.arange(1, len(taken) + 1)
            shares = averaging.shares(steps, member.n_iter + 1, member.recipe.max_iter)
            self.average_shares[taken, k] = shares
        if self.noise_shares is not None:
            for k, schedule in self._scheduled:
                member, taken = self._members[k], self._plan.epochs[k].steps
                times = (member.steps + np.arange(len(taken))) / len(taken)
                factors = _rates(schedule, (1.0, 1.0), times, member.recipe.max_iter)
                self.noise_shares[taken, k] = np.minimum(factors, 1)

    def _prepare_coefficients(self, alike: list[int], place_of: Integers | slice) -> None:
        """Compute the numbers of optimizer and decay for members that share them."""
        member, n_steps = self._members[alike[0]], len(self._plan.epochs[alike[0]].steps)
        known = self._forecasts.get(alike[0])
        place = None if known is None else known.place(member, n_steps)
        if known is None or place is None:
            known = self._forecasts[alike[0]] = self._forecast(member, n_steps, alike[0])
            place = slice(0, n_steps)
        rate = float(known.rates[place.start])
        for k in alike:
            self._members[k].current_rate = rate
        self.table[:, as_slice(alike), :L2] = known.numbers[place][place_of]

    def _forecast(self, member: Member, n_steps: int, k: int) -> _Forecast:
        """Compute the numbers of member k for its next epoch, or for several epochs."""
        recipe, optimizer = member.recipe, member.recipe.optimizer
        follows_time = _follows_time(recipe.schedule)
        is_known = (follows_time or _is_steady(recipe.schedule)) and (
            recipe.decay_schedule is None or _follows_time(recipe.decay_schedule)
        )
        n_epochs = max(1, STEPS_AHEAD // n_steps) if is_known else 1
        steps = member.steps + np.arange(1, n_epochs * n_steps + 1)
        times = (steps - 1) / n_steps
        present = recipe.learning_rate, member.current_rate
        rates = _rates(recipe.schedule, present, times, recipe.max_iter)
        factors = [of_members[k] for of_members in self._rate_factors]
        coefficients = [c for f in factors for c in optimizer.coefficients(rates * f, steps)]
        decay = rates * optimizer.weight_decay
        if recipe.decay_schedule is not None:
            decay = decay * _rates(recipe.decay_schedule, (1.0, 1.0), times, recipe.max_iter)
        # Computed in float64: some are out of the range of float32.
        exact = np.empty((len(steps), 1, len(coefficients) + 1))
        for j, scalar in enumerate((*coefficients, decay)):
            exact[:, 0, j] = scalar
        numbers = in_range(exact, self.table.dtype)
        return _Forecast(
            member.steps, np.broadcast_to(rates, len(steps)), not follows_time, numbers
        )


def _rates(
    schedule: Schedule, present: tuple[float, float], times: Floats, n_epochs: int
) -> float | Floats:
    """Return the rates of some steps, or raise ValueError if some are negative or NaN.

    Those after the last epoch are computed ahead, too, but not used. Infinity is left to the check
    for divergence, which ends the training of one member only.
    """
    rates = schedule.rates(*present, times, n_epochs)
    found = np.asarray(rates)
    if found.dtype.kind not in "fiu" or not ((found >= 0) | (times >= n_epochs)).all():
        raise ValueError(
            f"{type(schedule).__name__} must return learning rates or factors >= 0, got"
            f" {shown(rates)}."
        )
    return rates


def _settings_of_rates(member: Member) -> tuple[Hashable, ...]:
    """Return what the rates of a member's steps depend on."""
    recipe = member.recipe
    return (
        id(recipe.optimizer),
        id(recipe.schedule),
        id(recipe.decay_schedule),
        recipe.learning_rate,
        recipe.max_iter,
        member.steps,
    )


def _is_steady(schedule: Schedule) -> bool:
    """Tell whether a schedule changes the rate at plateaus only."""
    kind = type(schedule)
    return kind.rates is Schedule.rates and kind.after_epoch is Schedule.after_epoch


def _follows_time(schedule: Schedule) -> bool:
    """Tell whether a schedule is a function of time that is known for all times.

    A user's function may fail after the last epoch, or do anything else.
    """
    kind = type(schedule)
    is_function = kind.rates is TimeSchedule.rates and kind.after_epoch is Schedule.after_epoch
    return is_function and kind.records
