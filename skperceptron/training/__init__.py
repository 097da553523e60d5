"""Training: epochs, mini-batches, stopping, L-BFGS. Independent of estimators and labels."""

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
