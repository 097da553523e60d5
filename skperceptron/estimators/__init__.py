"""The multi-layer perceptrons: scikit-learn on one side, arrays on the other."""

from .classifiers import MLPBinaryClassifier, MLPSoftmaxClassifier
from .drop_in import MLPClassifier
from .regressor import MLPRegressor

__all__ = ["MLPBinaryClassifier", "MLPClassifier", "MLPRegressor", "MLPSoftmaxClassifier"]
