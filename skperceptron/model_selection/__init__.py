"""Searches, cross-validation and ensembles whose networks are trained as stacks."""

from ..kept import offered_by as _offered_by
from ._cross_ensemble import StackedCrossEnsembleClassifier, StackedCrossEnsembleRegressor
from ._curves import (
    stacked_cross_val_predict,
    stacked_cross_val_score,
    stacked_cross_validate,
    stacked_learning_curve,
    stacked_validation_curve,
)
from ._ensemble import StackedEnsembleClassifier, StackedEnsembleRegressor
from ._halving import StackedHalvingGridSearchCV, StackedHalvingRandomSearchCV
from ._search import StackedGridSearchCV, StackedRandomizedSearchCV

__all__ = [
    "StackedCrossEnsembleClassifier",
    "StackedCrossEnsembleRegressor",
    "StackedEnsembleClassifier",
    "StackedEnsembleRegressor",
    "StackedGridSearchCV",
    "StackedHalvingGridSearchCV",
    "StackedHalvingRandomSearchCV",
    "StackedRandomizedSearchCV",
    "stacked_cross_val_predict",
    "stacked_cross_val_score",
    "stacked_cross_validate",
    "stacked_learning_curve",
    "stacked_validation_curve",
]

_offered_by(__name__)
