"""What is decided about a network's training after an epoch, or when its solver ends."""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """How training goes on, or why it has ended; the value is what files hold.

    Attributes
    ----------
    GO_ON
        Another epoch follows.
    SLOW_DOWN
        Another epoch follows, at a learning rate that was lowered instead of stopping.
    STOP
        A stopping rule, or a callback, has ended the training.
    EXHAUSTED
        That was the last allowed epoch, without convergence.
    OUT_OF_TIME
        The time limit has been reached.
    DIVERGED
        The loss or the parameters have ceased to be finite.
    FAILED
        The validation has raised an exception.
    """

    GO_ON = "go on"
    SLOW_DOWN = "slow down"
    STOP = "stop"
    EXHAUSTED = "exhausted"
    OUT_OF_TIME = "out of time"
    DIVERGED = "diverged"
    FAILED = "failed"

    @property
    def is_last(self) -> bool:
        """Whether no further epoch follows."""
        return self not in (Verdict.GO_ON, Verdict.SLOW_DOWN)
