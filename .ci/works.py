"""Fit a network with the installed package. With ``compiled``, its C extension must be there."""

import sys

from sklearn.datasets import load_iris

import skperceptron
from skperceptron import MLPSoftmaxClassifier
from skperceptron.engine.compiled import is_available

X, y = load_iris(return_X_y=True)
network = MLPSoftmaxClassifier((8,), solver="lbfgs", alpha=1, max_iter=1000, random_state=0)
network.fit(X, y)
assert network.score(X, y) > 0.95
assert is_available() == ("compiled" in sys.argv)
print(f"skperceptron {skperceptron.__version__} works.")
