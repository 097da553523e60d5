"""The extension module, if there is one that fits.

A checkout keeps the module compiled from an earlier version of ``_steps.c`` until it is installed
again. Such a module counts as missing: fits then run as NumPy calls.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from .layout import LOOPS, VERSION, WIDTH

#: The state of the extension module, in words.
AVAILABLE, MISSING = "available", "not available"
STALE = "not available (compiled from another version: install skperceptron again)"


def loaded() -> tuple[Any, str]:
    """Return the extension module, or None, and its state in words.

    It is missing if the package was installed without a compiler, or for another kind of Python.
    """
    # On 32-bit systems, an address may not fit into NumPy's signed intp.
    if sys.maxsize <= 2**32:
        return None, MISSING
    try:
        found = import_module("._steps", __package__)
    except ImportError:
        return None, MISSING
    return (found, AVAILABLE) if fits(found) else (None, STALE)


def fits(module: Any) -> bool:
    """Tell whether a module has all loops, and reads rows in the layout that ``layout`` writes."""
    numbers = getattr(module, "VERSION", None), getattr(module, "ROW_WORDS", None)
    return numbers == (VERSION, WIDTH) and set(module.own_loops()) >= LOOPS


steps: Any
steps, state = loaded()
