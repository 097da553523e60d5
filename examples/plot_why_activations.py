r"""
==========================================
Why activations? Two linear layers are one
==========================================

Without activations, :math:`W_2 (W_1 x + b_1) + b_2 = \tilde W x + \tilde b`: a deep network of
linear layers can do no more than one of them. An activation between them makes the map non-linear.
"""

# %%
# The data are a ring around a smaller one. Of two networks of the same size, only one has
# activations.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_circles
from sklearn.inspection import DecisionBoundaryDisplay

from skperceptron import MLPBinaryClassifier
from skperceptron.inspection import collapse_linear, network_summary

X, y = make_circles(400, noise=0.1, factor=0.5, random_state=0)
options = {
    "hidden_layer_sizes": (8, 8),
    "solver": "lbfgs",
    "alpha": 0.1,
    "max_iter": 1000,
    "random_state": 0,
}
linear = MLPBinaryClassifier(**options, activation="identity").fit(X, y)
bent = MLPBinaryClassifier(**options, activation="tanh").fit(X, y)

# %%
# The linear one, as it was trained:

print(network_summary(linear, batch_size=1).to_string(index=False))

# %%
# ``collapse_linear`` multiplies the matrices. One neuron is left, and its predictions are the
# same.

single = collapse_linear(linear)
print(network_summary(single, batch_size=1).to_string(index=False))
difference = np.abs(single.decision_function(X) - linear.decision_function(X)).max()
print(f"\nlargest difference of two outputs: {difference:.1e}")
w1, w2, w3 = linear.coefs_
np.testing.assert_allclose(single.coefs_[0], w1 @ w2 @ w3, atol=1e-12)

# %%
# The boundary is a straight line, with three layers as with one. With tanh, nothing can be
# collapsed.

assert collapse_linear(bent).hidden_layer_sizes == bent.hidden_layer_sizes
networks = {"three linear layers": linear, "collapsed into one": single, "with tanh": bent}
fig, axes = plt.subplots(1, 3, figsize=(9, 3.4), sharey=True, layout="constrained")
for ax, (name, network) in zip(axes, networks.items(), strict=True):
    DecisionBoundaryDisplay.from_estimator(
        network, X, response_method="predict", ax=ax, cmap="PuOr", alpha=0.35, grid_resolution=200
    )
    for label, marker, color in ((0, "o", "#7f3b08"), (1, "^", "#2d004b")):
        ax.scatter(*X[y == label].T, s=10, marker=marker, color=color)
    ax.set(title=f"{name}\naccuracy {network.score(X, y):.2f}", xlabel="input 1")
axes[0].set_ylabel("input 2")
plt.show()
