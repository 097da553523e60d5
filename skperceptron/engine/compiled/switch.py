"""Which way steps run: an environment variable decides, read again for each fit."""

from __future__ import annotations

import os
from enum import Enum

import numpy as np

from .extension import state, steps

#: The environment variable, and its value if it is not set.
VARIABLE, DEFAULT = "SKPERCEPTRON_STEPS", "auto"


class Way(Enum):
    """How the steps of a fit run.

    ``AUTO`` takes the compiled way if that is available and pays.
    """

    NUMPY = "numpy"
    COMPILED = "compiled"
    AUTO = "auto"


def is_available() -> bool:
    """Tell whether the extension module is there."""
    return steps is not None


def way() -> Way:
    """Return the way that the variable selects; NumPy's if the extension module is missing.

    Raises ValueError if the variable has another value, ImportError if it selects compiled steps
    and the extension module is missing.
    """
    value = os.environ.get(VARIABLE) or DEFAULT
    if value not in {one.value for one in Way}:
        names = ", ".join(repr(one.value) for one in Way)
        raise ValueError(f"{VARIABLE}={value!r} must be one of {names}.")
    if is_available():
        return Way(value)
    if value == Way.COMPILED.value:
        raise ImportError(
            f"{VARIABLE}='compiled', but compiled steps are {state} in this installation of"
            " skperceptron. Install a wheel for your platform, or from source with a C compiler."
        )
    return Way.NUMPY


def warns_as_usual() -> bool:
    """Tell whether NumPy neither raises on division by zero nor reports underflow, like tables."""
    reactions = np.geterr()
    return reactions["divide"] in ("warn", "ignore") and reactions["under"] == "ignore"
