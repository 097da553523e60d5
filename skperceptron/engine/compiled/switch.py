"""Which way steps run: the environment says, anew for each fit."""

from __future__ import annotations

import os
import sys
from enum import Enum

import numpy as np

from .extension import steps

#: The environment variable, and what it means not to set it.
VARIABLE, DEFAULT = "SKPERCEPTRON_STEPS", "numpy"


class Way(Enum):
    """How the steps of a fit run.

    ``AUTO`` takes the compiled way where that is available and pays.
    """

    NUMPY = "numpy"
    COMPILED = "compiled"
    AUTO = "auto"


def is_available() -> bool:
    """Tell whether the extension module is there."""
    # An address has to fit into a word of NumPy's.
    return steps is not None and sys.maxsize > 2**32


def way() -> Way:
    """Return what the environment says, or what follows from a missing extension module.

    Raises
    ------
    ValueError
        If the variable has another value.
    ImportError
        If it wants compiled steps where there are none.
    """
    value = os.environ.get(VARIABLE) or DEFAULT
    if value not in {one.value for one in Way}:
        names = ", ".join(repr(one.value) for one in Way)
        raise ValueError(f"{VARIABLE}={value!r} must be one of {names}.")
    if is_available():
        return Way(value)
    if value == Way.COMPILED.value:
        raise ImportError(
            f"{VARIABLE}='compiled', but this installation of skperceptron has no compiled steps."
            " Install a wheel for your platform, or from source with a C compiler."
        )
    return Way.NUMPY


def rows_are_visited() -> bool:
    """Tell whether the extension visits the rows of a perceptron.

    It pays from the first row on, so it does where it is installed, unless the environment says
    "numpy".

    Raises
    ------
    ValueError, ImportError
        As :func:`way` does.
    """
    wanted = way() is not Way.NUMPY if os.environ.get(VARIABLE) else is_available()
    # A checkout keeps what was compiled before there was such a loop until it is installed again.
    return wanted and hasattr(steps, "visit")


def warns_as_usual() -> bool:
    """Tell whether NumPy would not raise on a division by zero or an underflow: tables never do."""
    state = np.geterr()
    return state["divide"] in ("warn", "ignore") and state["under"] == "ignore"
