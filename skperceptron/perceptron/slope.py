"""From responses to probabilities: the slope of a sigmoid or softmax (Platt 1999)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import brentq

from ..engine.arrays import Floats
from ..losses import CategoricalLogLoss

#: Slopes between which the best one is searched, for responses of at most 1 in size. None of them
#: makes a probability underflow.
SLOPES = np.geomspace(1e-3, 300.0, 12).tolist()


def slope_of(responses: Floats, signs: Floats, weights: Floats, n_classes: int) -> float:
    """Return the slope with the least log loss, for labels smoothed as by Platt.

    Responses, (N, C), are overwritten; signs, (N, C), are the right answers, 1 or -1.
    """
    size = np.abs(responses).max()
    if not size > 1 / np.finfo(size.dtype).max:
        return 1.0
    responses /= size
    # As if each class had occurred once more than it did.
    smoothing = n_classes / (len(signs) + n_classes)
    weighted = responses * (weights / weights.sum())[:, np.newaxis]
    link: Callable[..., Any]
    if responses.shape[1] == 1:
        # The sigmoid is (1 + tanh(z / 2)) / 2, and NumPy's tanh takes a third of its time. The
        # derivative is twice as large as with the sigmoid.
        factor, link, targets = 0.5, np.tanh, (1 - smoothing) * signs
    else:
        factor, link = 1.0, CategoricalLogLoss().inverse_link
        targets = (1 - smoothing) * (signs > 0) + smoothing / n_classes

    def tilt(slope: float) -> float:
        """Return the derivative of the log loss, which increases with the slope."""
        wrong = factor * slope * responses
        link(wrong, out=wrong)
        wrong -= targets
        return float(np.vdot(wrong, weighted))

    steeper = bisect_left(SLOPES, 0.0, key=tilt)
    if steeper in (0, len(SLOPES)):
        return float(SLOPES[min(steeper, len(SLOPES) - 1)] / size)
    return float(brentq(tilt, *SLOPES[steeper - 1 : steeper + 1], xtol=1e-6) / size)
