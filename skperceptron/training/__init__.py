"""Training: epochs, mini-batches, stopping, L-BFGS. Knows no estimator and no labels."""

from .data import SomeOfMany, TargetRows, Targets, TrainingSet, one_hot
from .lbfgs import minimize_lbfgs
from .loop import EpochReport, epochs
from .member import Member
from .stack import Stack

__all__ = [
    "EpochReport",
    "Member",
    "SomeOfMany",
    "Stack",
    "TargetRows",
    "Targets",
    "TrainingSet",
    "epochs",
    "minimize_lbfgs",
    "one_hot",
]
