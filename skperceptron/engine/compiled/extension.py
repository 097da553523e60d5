"""The extension module, where there is one."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: ``_steps``, or None: installed without a compiler, or for another kind of Python.
steps: Any
try:
    steps = import_module("._steps", __package__)
except ImportError:
    steps = None
