"""Searches, cross-validation and ensembles whose networks are trained as stacks."""

from ._cross_ensemble import StackedCrossEnsembleClassifier, StackedCrossEnsembleRegressor
from ._ensemble import StackedEnsembleClassifier, StackedEnsembleRegressor
from ._search import StackedGridSearchCV, StackedRandomizedSearchCV
from ._validation import stacked_cross_validate

__all__ = [
    "StackedCrossEnsembleClassifier",
    "StackedCrossEnsembleRegressor",
    "StackedEnsembleClassifier",
    "StackedEnsembleRegressor",
    "StackedGridSearchCV",
    "StackedRandomizedSearchCV",
    "stacked_cross_validate",
]
