"""Averages of the weights during training; predictions use the average.

After each step, the average moves towards the current weights by a share that the objects
below compute. Training itself continues from the weights, not from the average.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .components import Component, Interval, find, undefined
from .engine.arrays import Floats, Integers
from .options import shown

__all__ = ["EMA", "SWA", "Averaging", "get_averaging"]


def _check_shares(name: str, result: Any, arguments: Sequence[Any]) -> None:
    """Raise ValueError unless there is one share in [0, 1] for each step, or one for all."""
    found = np.asarray(result)
    fits = found.shape in ((), np.shape(arguments[0])) and found.dtype.kind in "fiub"
    if not (fits and ((found >= 0) & (found <= 1)).all()):
        raise ValueError(
            f"{name} must return one share in [0, 1] for each step, got {shown(result)}."
        )


class Averaging(Component):
    """Base of all averages."""

    result_checks = {"shares": _check_shares}

    #: Whether it needs the number of epochs, which ``partial_fit`` does not know.
    needs_max_iter = False

    def shares(self, steps: Integers, epoch: int, max_iter: int) -> Floats:
        """Return the share of the newest weights in the average after each step of an epoch.

        Parameters
        ----------
        steps : ndarray of int, shape (n_steps,)
            Numbers of the steps, counted from 1 over all epochs.
        epoch : int
            Counted from 1.
        max_iter : int
            The largest number of epochs.

        Returns
        -------
        ndarray of shape (n_steps,)
            1 replaces the average by the weights, 0 leaves the average unchanged.
        """
        raise undefined(self, "shares")


class EMA(Averaging):
    r"""Exponential moving average over the steps (Polyak & Juditsky 1992).

    The decay of step t is :math:`\min(d, (1 + t) / (10 + t))`, so that the initial weights
    are soon forgotten.

    Parameters
    ----------
    decay : float, default=0.999
        The share d of the old average, in [0, 1).
    """

    names = ("ema",)
    ranges = {"decay": Interval(0, 1, low_closed=True)}

    def __init__(self, decay: float = 0.999) -> None:
        self.decay = decay

    def shares(self, steps: Integers, epoch: int, max_iter: int) -> Floats:
        return 1 - np.minimum(self.decay, (1 + steps) / (10 + steps))


class SWA(Averaging):
    """Stochastic weight averaging: the mean of the weights at the ends of the last epochs.

    Izmailov et al. (2018), *Averaging weights leads to wider optima and better generalization*.

    Parameters
    ----------
    start : float, default=0.75
        Share of `max_iter` after which the mean begins, in [0, 1).
    """

    names = ("swa",)
    ranges = {"start": Interval(0, 1, low_closed=True)}
    needs_max_iter = True

    def __init__(self, start: float = 0.75) -> None:
        self.start = start

    def shares(self, steps: Integers, epoch: int, max_iter: int) -> Floats:
        averaged = epoch - int(self.start * max_iter)
        shares = np.zeros(len(steps))
        shares[-1:] = 1 / max(1, averaged)
        return shares


def get_averaging(averaging: str | Averaging) -> Averaging:
    """Return an average from its name, or the object itself.

    Parameters
    ----------
    averaging : {"ema", "swa"} or Averaging

    Raises
    ------
    ValueError
        If there is no average of this name.
    TypeError
        If `averaging` is neither a string nor an Averaging.
    """
    return find(averaging, Averaging)
