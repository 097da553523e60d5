"""Learning-rate schedules, with scikit-learn's names and formulas.

A schedule has no state: it maps the initial rate, the current rate and the number of
training rows seen so far to the next rate.
"""

from __future__ import annotations

from typing import ClassVar

from sklearn.base import BaseEstimator

__all__ = ["Adaptive", "Constant", "InverseScaling", "Schedule"]


class Schedule(BaseEstimator):
    """Base of all schedules; on its own it never changes the rate."""

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
        """Return the rate to go on with when progress has ended, or None to stop."""
        return None


class Constant(Schedule):
    """The initial learning rate throughout."""


class InverseScaling(Schedule):
    r"""After each epoch :math:`\eta = \eta_0 / (t + 1)^p`, t the number of rows seen.

    Parameters
    ----------
    power_t : float, default=0.5
        The exponent p, >= 0.
    """

    def __init__(self, power_t: float = 0.5) -> None:
        self.power_t = power_t

    def after_epoch(self, initial: float, current: float, rows_seen: int) -> float:
        return initial / (rows_seen + 1) ** self.power_t


class Adaptive(Schedule):
    """Divide the rate by 5 whenever progress ends; stop when it has become tiny."""

    factor: ClassVar[float] = 5.0
    smallest: ClassVar[float] = 1e-6

    def after_plateau(self, current: float) -> float | None:
        return current / self.factor if current > self.smallest else None
