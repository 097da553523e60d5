"""scikit-learn's tests of its perceptron, run with the elementary perceptron."""

from skperceptron import RosenblattPerceptron
from tests.compat.adapter import own_tests


def perceptron(tol=1e-3, **options):
    """Return a perceptron without associative units; it has no tolerance."""
    return RosenblattPerceptron(0, **options)


DIFFERENCES = {
    "test_undefined_methods": "RosenblattPerceptron has probabilities.",
    "test_perceptron_l1_ratio": "RosenblattPerceptron has no penalties.",
}

globals().update(
    own_tests(
        "sklearn.linear_model.tests.test_perceptron",
        {"sklearn.linear_model.Perceptron": perceptron},
    )
)
