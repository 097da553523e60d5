"""The extension module, if there is one that fits, and which way steps run.

A checkout keeps the module compiled from an earlier version of ``_steps.c`` until it is installed
again. Such a module counts as missing: fits then run as NumPy calls, as an environment variable,
read again for each fit, can demand.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from enum import Enum
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES, PathFinder
from typing import Any

import numpy as np

from .layout import LOOPS, VERSION, WIDTH

#: The environment variable, and its value if it is not set.
VARIABLE, DEFAULT = "SKPERCEPTRON_STEPS", "auto"

#: The state of the extension module, in words.
AVAILABLE, MISSING = "available", "not available"
STALE = "not available (compiled from another version: install skperceptron again)"

#: Whether this Python is built to run without its global lock.
IS_FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def loaded() -> tuple[Any, str]:
    """Return the extension module, or None, and its state in words.

    It is missing if the package was installed without a compiler, or for another kind of Python.
    """
    # On 32-bit systems, an address may not fit into NumPy's signed intp.
    if sys.maxsize <= 2**32 or (IS_FREE_THREADED and is_foreign(os.path.dirname(__file__))):
        return None, MISSING
    try:
        found = import_module("._steps", __package__)
    except ImportError:
        return None, MISSING
    return (found, AVAILABLE) if fits(found) else (None, STALE)


def is_foreign(folder: str) -> bool:
    """Tell whether a folder has a module that was not built for this version of Python only.

    Free-threaded builds have no limited API, but load modules that use it, and crash. An ordinary
    Python may have left one in the same checkout.
    """
    found = PathFinder.find_spec("_steps", [folder])
    return found is not None and not str(found.origin).endswith(EXTENSION_SUFFIXES[0])


def fits(module: Any) -> bool:
    """Tell whether a module has all loops, and reads rows in the layout that ``layout`` writes."""
    numbers = getattr(module, "VERSION", None), getattr(module, "ROW_WORDS", None)
    return numbers == (VERSION, WIDTH) and set(module.own_loops()) >= LOOPS


steps: Any
steps, state = loaded()


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
