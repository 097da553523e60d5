"""Constructors that name their own parameters only; those that all networks share follow."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..options import did_you_mean
from .base import BaseMultilayerPerceptron


def takes_shared_parameters(init: Callable[..., None]) -> Callable[..., None]:
    """Put the parameters that all networks share in the place of ``**shared`` in a signature.

    There scikit-learn, and a reader's editor, look them up.
    """
    own = inspect.signature(init).parameters
    shared = inspect.signature(BaseMultilayerPerceptron.__init__).parameters
    merged = [*own.values(), *(p for name, p in shared.items() if name not in own)]
    kept = [p for p in merged if p.kind is not p.VAR_KEYWORD]
    # Python wants keyword-only parameters last; those that are shared come first among them.
    order = {name: place for place, name in enumerate(shared)}
    kept.sort(key=lambda p: (p.kind, p.kind == p.KEYWORD_ONLY and order.get(p.name, len(order))))
    init.__signature__ = inspect.Signature(kept)  # type: ignore[attr-defined]
    return init


def refuse_unknown(estimator: BaseMultilayerPerceptron, shared: dict[str, Any]) -> None:
    """Raise TypeError, in Python's words, if a parameter is none of those that networks share."""
    known = inspect.signature(type(estimator).__init__).parameters
    for name in shared.keys() - known.keys():
        raise TypeError(
            f"{type(estimator).__name__}.__init__() got an unexpected keyword argument {name!r}."
            f"{did_you_mean(name, list(known))}"
        )
