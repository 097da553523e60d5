"""Learning-rate schedules. Those of scikit-learn have its names and formulas.

Built-in ones have no state. Some map the initial rate, the current rate and the number of
training rows seen so far to the next epoch's rate; others are a function of time alone, in
epochs, and give each step a rate of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .components import Component, Interval, by_name, find, undefined
from .engine.arrays import Floats
from .options import COUNT, Function, shown

__all__ = [
    "Adaptive",
    "Constant",
    "Cosine",
    "CosineLog",
    "Exponential",
    "FlatCosine",
    "InverseScaling",
    "LinearWarmup",
    "OneCycle",
    "Schedule",
    "Step",
    "TimeSchedule",
    "UserSchedule",
    "WarmupCosine",
    "get_schedule",
    "get_time_schedule",
    "list_schedules",
    "list_time_schedules",
]

_POSITIVE = Interval(0)
_FACTOR = Interval(0, low_closed=True)
_SHARE = Interval(0, 1, low_closed=True, high_closed=True)


class Schedule(Component):
    """Base of all schedules; on its own it never changes the rate.

    Attributes
    ----------
    needs_max_iter : bool
        Whether it needs the number of epochs, which ``partial_fit`` does not know.
    heeds_plateaus : bool
        Whether it changes the rate when training makes no more progress.
    """

    needs_max_iter: bool = False

    @property
    def heeds_plateaus(self) -> bool:
        """Whether it changes the rate when training makes no more progress."""
        return type(self).after_plateau is not Schedule.after_plateau

    def rates(self, initial: float, current: float, times: Floats, n_epochs: int) -> float | Floats:
        """Return the learning rates of the steps of an epoch.

        Parameters
        ----------
        initial, current : float
            The first learning rate and that of this epoch.
        times : ndarray of shape (n_steps,)
            When each step begins, in epochs since training began.
        n_epochs : int
            The largest number of epochs.

        Returns
        -------
        float or ndarray of shape (n_steps,)
            One rate for all steps, or one for each.
        """
        return current

    def after_epoch(self, initial: float, current: float, rows_seen: int) -> float:
        """Return the learning rate of the next epoch.

        Parameters
        ----------
        initial, current : float
            The first learning rate and that of the epoch which just ended.
        rows_seen : int
            Rows of training data used so far, all epochs together.
        """
        return current

    def after_plateau(self, current: float) -> float | None:
        """Return the rate to continue with when progress has ended, or None to stop."""
        return None


class Constant(Schedule):
    """The initial learning rate throughout."""

    names = ("constant",)


class InverseScaling(Schedule):
    r"""After each epoch :math:`\eta = \eta_0 / (t + 1)^p`, t the number of rows seen.

    Robbins & Monro (1951) show that p in (1/2, 1] lets a convex problem converge.

    Parameters
    ----------
    power_t : float, default=0.5
        The exponent p, >= 0.
    """

    names = ("invscaling",)
    ranges = {"power_t": Interval(0, low_closed=True)}

    def __init__(self, power_t: float = 0.5) -> None:
        self.power_t = power_t

    def after_epoch(self, initial: float, current: float, rows_seen: int) -> float:
        try:
            return initial / (rows_seen + 1.0) ** self.power_t
        except OverflowError:
            # The divisor exceeds the largest float.
            return 0.0


class Adaptive(Schedule):
    """Divide the rate whenever training makes no more progress; stop when it is tiny.

    Krizhevsky, Sutskever & Hinton (2012) did so by hand.

    Parameters
    ----------
    divisor : float, default=5.0
        Divisor of the rate, > 1.
    smallest : float, default=1e-6
        The rate at which training stops, > 0.
    """

    names = ("adaptive",)
    ranges = {"divisor": Interval(1), "smallest": _POSITIVE}

    def __init__(self, divisor: float = 5.0, smallest: float = 1e-6) -> None:
        self.divisor = divisor
        self.smallest = smallest

    def after_plateau(self, current: float) -> float | None:
        return current / self.divisor if current > self.smallest else None


class TimeSchedule(Schedule):
    """Base of schedules that are a function of time: a subclass defines ``factor``."""

    def factor(self, times: Floats, n_epochs: int) -> Floats:
        """Return the factor on the initial rate.

        Parameters
        ----------
        times : ndarray of shape (n_steps,)
            In epochs since training began.
        n_epochs : int
            The largest number of epochs.

        Returns
        -------
        ndarray of shape (n_steps,)
        """
        raise undefined(self, "factor")

    def rates(self, initial: float, current: float, times: Floats, n_epochs: int) -> float | Floats:
        return initial * self.factor(times, n_epochs)


class Step(TimeSchedule):
    """Multiply the rate by a factor every few epochs (He et al. 2016).

    Parameters
    ----------
    every : int, default=30
        Number of epochs, >= 1.
    decay : float, default=0.1
        The factor, in (0, 1].
    """

    names = ("step",)
    ranges = {"every": COUNT, "decay": Interval(0, 1, high_closed=True)}

    def __init__(self, every: int = 30, decay: float = 0.1) -> None:
        self.every = every
        self.decay = decay

    def factor(self, times: Floats, n_epochs: int) -> Floats:
        return self.decay ** np.floor(times / self.every)


class Exponential(TimeSchedule):
    """Multiply the rate by a factor after each epoch (Senior et al. 2013).

    Parameters
    ----------
    decay : float, default=0.95
        The factor, in (0, 1].
    """

    names = ("exponential",)
    ranges = {"decay": Interval(0, 1, high_closed=True)}

    def __init__(self, decay: float = 0.95) -> None:
        self.decay = decay

    def factor(self, times: Floats, n_epochs: int) -> Floats:
        return self.decay ** np.floor(times)


class Cosine(TimeSchedule):
    """Fall along half a cosine, perhaps with warm restarts (Loshchilov & Hutter 2017, SGDR).

    Parameters
    ----------
    warmup : float, default=0.0
        Epochs in which the rate rises linearly from 0 at the beginning, >= 0.
    period : float, default=None
        Epochs from one start to the next, > 0; None means that there is one fall, which ends
        with ``max_iter``.
    stretch : float, default=1.0
        How many times longer each period is than the one before, >= 1.
    lowest : float, default=0.0
        The factor at the bottom, in [0, 1].
    """

    names = ("cosine",)
    ranges = {
        "warmup": Interval(0, low_closed=True),
        "stretch": Interval(1, low_closed=True),
        "lowest": _SHARE,
    }
    rules = {"period": [_POSITIVE, None]}

    def __init__(
        self,
        warmup: float = 0.0,
        period: float | None = None,
        stretch: float = 1.0,
        lowest: float = 0.0,
    ) -> None:
        self.warmup = warmup
        self.period = period
        self.stretch = stretch
        self.lowest = lowest

    @property
    def needs_max_iter(self) -> bool:  # type: ignore[override]
        return self.period is None

    def factor(self, times: Floats, n_epochs: int) -> Floats:
        since = np.maximum(times - self.warmup, 0)
        falling = _cosine(1.0, self.lowest, self._phase(since, n_epochs))
        rising = times / self.warmup if self.warmup else np.ones_like(times)
        return np.where(times < self.warmup, rising, falling)

    def _phase(self, since: Floats, n_epochs: int) -> Floats:
        """Return the share of the current period that has passed."""
        if self.period is None:
            return since / max(n_epochs - self.warmup, 1)
        if self.stretch == 1:
            passed = since / self.period
            return passed - np.floor(passed + 1e-12)
        # Periods T, T s, T s^2... end at T (s^n - 1) / (s - 1).
        grown = 1 + since / self.period * (self.stretch - 1)
        n_passed = np.floor(np.log(grown) / np.log(self.stretch) + 1e-12)
        length = self.period * self.stretch**n_passed
        began = self.period * (self.stretch**n_passed - 1) / (self.stretch - 1)
        return (since - began) / length


class OneCycle(TimeSchedule):
    """Rise to the learning rate, then fall far below where it began (Smith 2018).

    Parameters
    ----------
    rise : float, default=0.3
        Share of the training in which the rate rises, in (0, 1).
    first : float, default=0.04
        The factor at the beginning, in (0, 1].
    last : float, default=4e-6
        The factor at the end, in (0, 1].
    """

    names = ("one_cycle",)
    ranges = {
        "rise": Interval(0, 1),
        "first": Interval(0, 1, high_closed=True),
        "last": Interval(0, 1, high_closed=True),
    }
    needs_max_iter = True

    def __init__(self, rise: float = 0.3, first: float = 0.04, last: float = 4e-6) -> None:
        self.rise = rise
        self.first = first
        self.last = last

    def factor(self, times: Floats, n_epochs: int) -> Floats:
        done = times / n_epochs
        rising = _cosine(self.first, 1.0, done / self.rise)
        falling = _cosine(1.0, self.last, (done - self.rise) / (1 - self.rise))
        return np.where(done < self.rise, rising, falling)


class LinearWarmup(TimeSchedule):
    """Rise linearly to the learning rate, then stay there (Goyal et al. 2017).

    Parameters
    ----------
    epochs : float, default=5.0
        How long the rate rises, > 0.
    first : float, default=0.1
        The factor at the beginning, in [0, 1].
    """

    names = ("linear_warmup",)
    ranges = {"epochs": _POSITIVE, "first": _SHARE}

    def __init__(self, epochs: float = 5.0, first: float = 0.1) -> None:
        self.epochs = epochs
        self.first = first

    def factor(self, times: Floats, n_epochs: int) -> Floats:
        return np.minimum(self.first + (1 - self.first) * times / self.epochs, 1.0)


class FlatCosine(TimeSchedule):
    """Stay at the learning rate, then fall to 0 along half a cosine.

    Holzmüller et al. (2024) use it for weight decay and dropout.

    Parameters
    ----------
    flat : float, default=0.5
        Share of the training after which the fall begins, in [0, 1).
    """

    names = ("flat_cosine",)
    ranges = {"flat": Interval(0, 1, low_closed=True)}
    needs_max_iter = True

    def __init__(self, flat: float = 0.5) -> None:
        self.flat = flat

    def factor(self, times: Floats, n_epochs: int) -> Floats:
        return _cosine(1.0, 0.0, (times / n_epochs - self.flat) / (1 - self.flat))


class WarmupCosine(TimeSchedule):
    """Rise linearly in a share of the training, then fall to 0 along half a cosine.

    As :class:`Cosine` with a warm-up, but for any number of epochs (Loshchilov & Hutter 2017).

    Parameters
    ----------
    warmup : float, default=0.05
        Share of the training in which the rate rises from 0, in (0, 1).
    """

    names = ("warmup_cosine",)
    ranges = {"warmup": Interval(0, 1)}
    needs_max_iter = True

    def __init__(self, warmup: float = 0.05) -> None:
        self.warmup = warmup

    def factor(self, times: Floats, n_epochs: int) -> Floats:
        done = times / n_epochs
        falling = _cosine(1.0, 0.0, (done - self.warmup) / (1 - self.warmup))
        return np.where(done < self.warmup, done / self.warmup, falling)


class CosineLog(TimeSchedule):
    r"""Rise from 0 and fall to 0 several times, each time for twice as long.

    :math:`(1 - \cos(2 \pi \log_2(1 + (2^c - 1) t))) / 2`, t being the share of the training so far
    and c the number of cycles: "coslog4" of Holzmüller et al. (2024), *Better by default*.

    Parameters
    ----------
    cycles : int, default=4
        Number of cycles, in [1, 1000].
    """

    names = ("coslog4",)
    ranges = {"cycles": Interval(1, 1000, low_closed=True, high_closed=True, whole=True)}
    needs_max_iter = True

    def __init__(self, cycles: int = 4) -> None:
        self.cycles = cycles

    def factor(self, times: Floats, n_epochs: int) -> Floats:
        # After the last epoch, which a warm start may exceed, the rate stays 0.
        done = np.minimum(times / n_epochs, 1.0)
        passed = np.log2(1 + (2.0**self.cycles - 1) * done)
        return (1 - np.cos(2 * np.pi * passed)) / 2


class UserSchedule(TimeSchedule):
    """Any function of time; estimators convert callables to this class.

    Parameters
    ----------
    function : callable
        Maps the time in epochs since training began (a float, 2.5 in the middle of the
        third) to the factor on the initial learning rate.
    """

    rules = {"function": [Function("(time)")]}
    # The function may do anything.
    records = False

    def __init__(self, function: Callable[[float], float]) -> None:
        self.function = function

    def factor(self, times: Floats, n_epochs: int) -> Floats:
        factors = [self.function(float(time)) for time in times]
        for factor in factors:
            if not _FACTOR.allows(factor):
                raise ValueError(
                    "A function given as learning_rate, decay_schedule or dropout_schedule must"
                    f" return finite factors >= 0, got {shown(factor)} from {self.function!r}."
                )
        return np.array(factors, dtype=np.float64)


def _cosine(start: float, stop: float, share: Floats) -> Floats:
    """Go from one number to another along half a cosine."""
    return stop + (start - stop) * (1 + np.cos(np.pi * np.clip(share, 0, 1))) / 2


def list_schedules() -> list[str]:
    """Return the names of the built-in schedules, sorted.

    Examples
    --------
    >>> from skperceptron.schedules import list_schedules
    >>> "cosine" in list_schedules()
    True
    """
    return sorted(by_name(Schedule))


def list_time_schedules() -> list[str]:
    """Return the names of the schedules that are a function of time alone, sorted.

    Examples
    --------
    >>> from skperceptron.schedules import list_time_schedules
    >>> "adaptive" in list_time_schedules()
    False
    """
    return sorted(by_name(TimeSchedule))


def get_time_schedule(schedule: str | TimeSchedule | Callable[[float], float]) -> TimeSchedule:
    """Return a schedule that is a function of time alone, as ``get_schedule`` does.

    Parameters
    ----------
    schedule : str, TimeSchedule or callable

    Raises
    ------
    ValueError
        If no such schedule has that name.
    TypeError
        If `schedule` is none of these.
    """
    if callable(schedule) and not isinstance(schedule, type):
        return UserSchedule(schedule)
    return find(schedule, TimeSchedule)


def get_schedule(schedule: str | Schedule | Callable[[float], float]) -> Schedule:
    """Return a schedule from its name or a function of time, or the schedule itself.

    Parameters
    ----------
    schedule : str, Schedule or callable

    Raises
    ------
    ValueError
        If no schedule has that name.
    TypeError
        If `schedule` is none of these.
    """
    if callable(schedule) and not isinstance(schedule, type):
        return UserSchedule(schedule)
    return find(schedule, Schedule)
