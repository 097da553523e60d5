"""Neural networks in scikit-learn's terms, from Rosenblatt's perceptron to a modern MLP."""

from .mlp import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier

__version__ = "0.1.0"

__all__ = [
    "MLPBinaryClassifier",
    "MLPRegressor",
    "MLPSoftmaxClassifier",
]
