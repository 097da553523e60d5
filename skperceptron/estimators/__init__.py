"""The multi-layer perceptrons: scikit-learn on one side, arrays on the other."""

from .classifiers import MLPBinaryClassifier, MLPSoftmaxClassifier
from .regressor import MLPRegressor

__all__ = ["MLPBinaryClassifier", "MLPRegressor", "MLPSoftmaxClassifier"]
