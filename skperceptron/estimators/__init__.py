"""The multi-layer perceptrons: scikit-learn on one side, arrays on the other."""

from .mlp import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier

__all__ = ["MLPBinaryClassifier", "MLPRegressor", "MLPSoftmaxClassifier"]
