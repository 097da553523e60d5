"""How a fit was called: what it goes on from, and what it was given beyond X and y."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FitMode:
    """How the estimator was called.

    Training may go on from an earlier call, and be incremental, that is, by ``partial_fit``. If no
    training follows (``trains``), a step is only looked at.
    """

    continuing: bool
    incremental: bool
    trains: bool = True


#: A ``fit`` that goes on from nothing.
FROM_SCRATCH = FitMode(continuing=False, incremental=False)


@dataclass(frozen=True)
class Extras:
    """What ``fit`` takes beyond X, y and sample weights, as the user gave it."""

    X_val: Any = None
    y_val: Any = None
    sample_weight_val: Any = None
    coefs_init: Any = None
    intercepts_init: Any = None
    groups: Any = None

    @property
    def gives_start(self) -> bool:
        """Whether there are initial weights or biases of the user's own."""
        return self.coefs_init is not None or self.intercepts_init is not None


#: A ``fit`` that takes nothing beyond them.
NO_EXTRAS = Extras()
