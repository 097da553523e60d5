"""The extension module, where there is one that fits.

A checkout keeps what was compiled from an earlier version of ``_steps.c`` until it is installed
again. Such a module counts as missing: fits run as NumPy's calls.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from .layout import LOOPS, VERSION, WIDTH

#: What there is, in words.
AVAILABLE, MISSING = "available", "not available"
STALE = "not available (compiled from another version: install skperceptron again)"


def loaded() -> tuple[Any, str]:
    """Return the extension module, or None, and in words what there is.

    There is none if the package was installed without a compiler, or for another kind of Python.
    """
    # An address has to fit into a word of NumPy's.
    if sys.maxsize <= 2**32:
        return None, MISSING
    try:
        found = import_module("._steps", __package__)
    except ImportError:
        return None, MISSING
    return (found, AVAILABLE) if fits(found) else (None, STALE)


def fits(module: Any) -> bool:
    """Tell whether a module has the loops that tables name, and reads rows as they are written."""
    numbers = getattr(module, "VERSION", None), getattr(module, "ROW_WORDS", None)
    return numbers == (VERSION, WIDTH) and set(module.own_loops()) >= LOOPS


steps: Any
steps, state = loaded()
