"""Functions that activations and losses share, computed in place."""

from __future__ import annotations

from functools import partial

import numpy as np

from .arrays import Call, Floats
from .calls import number


def sigmoid(z: Floats, out: Floats) -> None:
    """Write the logistic sigmoid of ``z`` into ``out``, which may be ``z`` itself.

    It differs from SciPy's ``expit`` by a few roundings, and is faster, since ``exp`` is
    vectorised: it takes an eighth of the time in float32 on (1, 128, 256), and between a quarter
    and nearly all of it in float64, depending on the processor.
    """
    with np.errstate(over="ignore"):
        for call in sigmoid_calls(z, out):
            call()


def sigmoid_calls(z: Floats, out: Floats) -> list[Call]:
    """List the calls of ``sigmoid``, for callers that have silenced NumPy's overflow warnings.

    The exponential overflows to infinity (below -88 in float32), where the sigmoid is rightly 0.
    Silencing the warnings at each step would take longer than a small step's sigmoid.
    """
    one = number(1, z.dtype)
    return [
        partial(np.negative, z, out),
        partial(np.exp, out, out),
        partial(np.add, out, one, out),
        partial(np.divide, one, out, out),
    ]
