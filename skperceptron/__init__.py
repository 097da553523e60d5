"""Neural networks with scikit-learn's interface, from Rosenblatt's perceptron to a modern MLP."""

from . import moved as _moved  # noqa: F401
from .estimators import MLPBinaryClassifier, MLPClassifier, MLPRegressor, MLPSoftmaxClassifier
from .kept import offered_by as _offered_by
from .perceptron import RosenblattPerceptron
from .version import __version__ as __version__
from .versions import show_versions as show_versions

# ``from skperceptron import *`` imports the estimators only.
__all__ = [
    "MLPBinaryClassifier",
    "MLPClassifier",
    "MLPRegressor",
    "MLPSoftmaxClassifier",
    "RosenblattPerceptron",
]

_offered_by(__name__)
