"""Neural networks in scikit-learn's terms, from Rosenblatt's perceptron to a modern MLP."""

from . import moved as _moved  # noqa: F401
from .estimators import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
from .perceptron import RosenblattPerceptron
from .versions import show_versions as show_versions

__version__ = "0.1.0"

# What people import by a star are the estimators.
__all__ = [
    "MLPBinaryClassifier",
    "MLPRegressor",
    "MLPSoftmaxClassifier",
    "RosenblattPerceptron",
]
