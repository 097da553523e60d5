"""Training: epochs, mini-batches, stopping, L-BFGS. Independent of estimators and labels.

The way from an epoch down to single array operations: ``loop`` runs epochs and decides which
members stop; ``stack`` takes the steps that ``plan`` lists, window by ``window``; a ``step``
gathers rows of the ``data``, computes their gradient and makes an ``update``. ``member`` says what
one network of a stack is, ``vectors`` hold what training changes, ``scalars`` and ``row_weights``
the numbers by which steps multiply. ``compiled_steps`` and ``quiet_epochs`` only save time.
``lbfgs`` is another way to train one member, and ``checkpoint`` saves and restores its state.
"""

from .data import SomeOfMany, TargetRows, Targets, TrainingSet, one_hot
from .lbfgs import minimize_lbfgs
from .loop import EpochReport, epochs
from .member import Member, Recipe, Verdict
from .stack import Stack

__all__ = [
    "EpochReport",
    "Member",
    "Recipe",
    "SomeOfMany",
    "Stack",
    "TargetRows",
    "Targets",
    "TrainingSet",
    "Verdict",
    "epochs",
    "minimize_lbfgs",
    "one_hot",
]
