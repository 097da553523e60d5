"""The versions of installed packages, for bug reports."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from .engine.compiled import VARIABLE, way
from .engine.compiled.extension import state

#: Distributions whose versions matter.
DISTRIBUTIONS = ("skperceptron", "scikit-learn", "numpy", "scipy", "threadpoolctl")


def show_versions() -> None:
    """Print the versions of this package and its dependencies, and how the steps of a fit run.

    Raises
    ------
    ValueError, ImportError
        If the environment variable SKPERCEPTRON_STEPS has a value with which no fit could run.

    Examples
    --------
    >>> import skperceptron
    >>> skperceptron.show_versions()  # doctest: +ELLIPSIS
    python: ...
    """
    print(f"python: {sys.version.split()[0]} ({platform.platform()})")
    for name in DISTRIBUTIONS:
        print(f"{name}: {_version_of(name)}")
    print(f"compiled steps: {state}")
    print(f"steps run: {way().value} ({VARIABLE})")


def _version_of(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
