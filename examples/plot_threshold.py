"""
==================================
Training through a threshold
==================================

The gradient of Heaviside's threshold is zero everywhere: layers before it do not learn, and the
package warns about this. Back-propagation with a *surrogate* gradient uses the slope of a smoother
function instead. The network still computes with zeros and ones.
"""

# %%
# Four networks with two hidden layers on two half moons. Only the hidden activation differs.

import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import make_moons
from sklearn.inspection import DecisionBoundaryDisplay

from skperceptron import MLPBinaryClassifier
from skperceptron.activations import Heaviside

X, y = make_moons(300, noise=0.15, random_state=0)
activations = {
    "threshold": Heaviside(),
    "straight-through": Heaviside(surrogate="straight_through"),
    "smooth surrogate": Heaviside(surrogate="sigmoid"),
    "ReLU": "relu",
}
fig, axes = plt.subplots(2, 4, figsize=(9, 4.8), sharey="row", layout="constrained")
for column, (name, activation) in zip(axes.T, activations.items(), strict=True):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        network = MLPBinaryClassifier(
            (8, 8),
            activation,
            learning_rate_init=0.02,
            max_iter=300,
            n_iter_no_change=300,
            random_state=2,
        ).fit(X, y)
    for warning in caught:
        if issubclass(warning.category, UserWarning) and "Heaviside" in str(warning.message):
            print(f"{name}: {warning.message}\n")
    DecisionBoundaryDisplay.from_estimator(
        network, X, response_method="predict", ax=column[0], cmap="PuOr", alpha=0.4
    )
    for label, marker, color in ((0, "o", "#7f3b08"), (1, "^", "#2d004b")):
        column[0].scatter(*X[y == label].T, s=6, marker=marker, color=color)
    column[0].set(title=f"{name}\naccuracy {network.score(X, y):.2f}", xticks=[], yticks=[])
    column[1].plot(network.loss_curve_, color="#0072b2")
    column[1].set(xlabel="epoch", ylim=(0, 0.9))
axes[1, 0].set_ylabel("training loss")
plt.show()

# %%
# With plain thresholds, only the last layer learns, from random features. With "straight-through",
# all layers learn, but the steps are rough: the surrogate's slope is 1, however far the sum lies
# from the threshold. The slope of a sigmoid decreases with the distance, and training ends about as
# well as with ReLU.
