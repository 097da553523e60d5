"""How a fit was called: whether it continues an earlier one, and with which further arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FitMode:
    """How the estimator was called.

    Training may continue from an earlier call, and may be incremental (by ``partial_fit``). If
    ``trains`` is False, a step is only inspected.
    """

    continuing: bool
    incremental: bool
    trains: bool = True


#: A ``fit`` that continues nothing.
FROM_SCRATCH = FitMode(continuing=False, incremental=False)


@dataclass(frozen=True)
class Extras:
    """What ``fit`` accepts beside X, y and sample weights, as the user gave it."""

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


#: A ``fit`` without any of these.
NO_EXTRAS = Extras()
