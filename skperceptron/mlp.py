"""The earlier home of the multi-layer perceptrons: models that were stored then name it."""

from .estimators import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier

__all__ = ["MLPBinaryClassifier", "MLPRegressor", "MLPSoftmaxClassifier"]
