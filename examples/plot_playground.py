"""
A network to play with
======================

:func:`~skperceptron.inspection.to_html` writes a page on which you can explore a small network:
what each unit computes, how it learned to do so epoch by epoch, and what happens to a sample on its
way through the network. The page is a single file, which needs neither a server nor a connection.
"""

# %%
# Two half moons, and a network with two hidden layers. The recorder keeps the weights of every
# epoch.

import matplotlib.pyplot as plt
from sklearn.datasets import make_moons
from sklearn.inspection import DecisionBoundaryDisplay

from skperceptron import MLPBinaryClassifier
from skperceptron.inspection import WeightsRecorder, to_html

X, y = make_moons(200, noise=0.15, random_state=0)
recorder = WeightsRecorder()
network = MLPBinaryClassifier(
    (6, 4),
    "tanh",
    learning_rate_init=0.03,
    max_iter=200,
    random_state=0,
    callbacks=[recorder],
).fit(X, y)
print(f"{network.n_iter_} epochs, accuracy {network.score(X, y):.3f}")

# %%
# A static picture of what the network has learned in the end:

_, ax = plt.subplots(figsize=(5, 4), layout="constrained")
DecisionBoundaryDisplay.from_estimator(
    network, X, response_method="predict_proba", ax=ax, cmap="PuOr", alpha=0.6
)
ax.scatter(*X.T, c=y, s=14, cmap="PuOr", edgecolors="white", linewidths=0.4)
ax.set_title("two moons, and the network's probability")
plt.show()

# %%
# And an interactive page. Move the slider of the epochs, or press *Play*: at first all units look
# alike; then they turn in different directions, and the second layer combines them. Click a unit
# to see what it computes. Click near a point to send it through the network. Choose another hidden
# activation: the weights do not change, and the score shows how much worse the network becomes.
#
# (``to_html(network, X, y, "network.html", recorder=recorder)`` writes the page to a file.)

to_html(network, X, y, recorder=recorder)

# %%
# You can explore a deeper network in the same way. Here each hidden layer normalizes its sums, and
# the second and the third layer add their values to those of the layer before: the dashed lines are
# these shortcuts. Click a unit of the last hidden layer. The text below the picture follows the
# chosen sample through it, block by block: weighted sum, normalization, activation, shortcut.

recorder = WeightsRecorder()
deeper = MLPBinaryClassifier(
    (5, 5, 5),
    "tanh",
    skip_connections="residual",
    normalization="layer",
    batch_size=50,
    learning_rate_init=0.01,
    random_state=0,
    callbacks=[recorder],
).fit(X, y)
print(f"{deeper.n_iter_} epochs, accuracy {deeper.score(X, y):.3f}")
to_html(deeper, X, y, recorder=recorder, title="Shortcuts and normalization")
