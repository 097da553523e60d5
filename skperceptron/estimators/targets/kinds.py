"""Which kind of target the parameters of a regressor ask for."""

from __future__ import annotations

import sys
from functools import cache

from .regression import RegressionOptions, RegressionTarget


def list_outputs() -> list[str]:
    """Return the values that `output` may have."""
    return list(dict.fromkeys(kind.output for kind in _kinds()))


def kind_of_target(asked: RegressionOptions) -> type[RegressionTarget]:
    """Return the kind that the parameters ask for.

    Raises
    ------
    ValueError
        If there is none for this combination of parameters.
    """
    for kind in _kinds():
        if kind.fits(asked):
            return kind
    raise ValueError(
        f"output={asked.output!r} has no range of its own: output_range={asked.output_range!r} must"
        " be None."
    )


@cache
def _kinds() -> tuple[type[RegressionTarget], ...]:
    """Return all kinds of regression targets in this package."""
    package = sys.modules[__package__]
    found = [getattr(package, name) for name in package.__all__]
    return tuple(
        kind
        for kind in found
        if isinstance(kind, type)
        and issubclass(kind, RegressionTarget)
        and kind is not RegressionTarget
    )
