"""Signatures of constructors: their own parameters, and those that all networks share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..options import did_you_mean
from .base import BaseMultilayerPerceptron


def takes_shared_parameters(init: Callable[..., None]) -> Callable[..., None]:
    """Replace ``**shared`` in a signature by the parameters that all networks share.

    scikit-learn and editors look parameters up in the signature.
    """
    own = inspect.signature(init).parameters
    shared = inspect.signature(BaseMultilayerPerceptron.__init__).parameters
    merged = [*own.values(), *(p for name, p in shared.items() if name not in own)]
    kept = [p for p in merged if p.kind is not p.VAR_KEYWORD]
    # Keyword-only parameters must come last; among them, the shared ones come first.
    order = {name: place for place, name in enumerate(shared)}
    kept.sort(key=lambda p: (p.kind, p.kind == p.KEYWORD_ONLY and order.get(p.name, len(order))))
    init.__signature__ = inspect.Signature(kept)  # type: ignore[attr-defined]
    return init


def refuse_unknown(estimator: BaseMultilayerPerceptron, shared: dict[str, Any]) -> None:
    """Raise TypeError, worded as Python's, for a parameter that the constructor does not have."""
    known = inspect.signature(type(estimator).__init__).parameters
    for name in shared.keys() - known.keys():
        raise TypeError(
            f"{type(estimator).__name__}.__init__() got an unexpected keyword argument {name!r}."
            f"{did_you_mean(name, list(known))}"
        )
