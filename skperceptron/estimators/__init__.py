"""The multi-layer perceptrons: scikit-learn on one side, arrays on the other."""

from .classifiers import MLPBinaryClassifier, MLPClassifier, MLPSoftmaxClassifier
from .regressor import MLPRegressor

__all__ = ["MLPBinaryClassifier", "MLPClassifier", "MLPRegressor", "MLPSoftmaxClassifier"]
