"""Raw tables in, predictions out: preparation, networks and their combination as one estimator."""

from ._estimators import TabularMLPClassifier, TabularMLPRegressor

__all__ = ["TabularMLPClassifier", "TabularMLPRegressor"]
