"""
=================================
Rosenblatt's perceptron and XOR
=================================

Rosenblatt's machine of 1958 had three layers: sensory units, *associative* units with fixed random
connections and a threshold, and response units that learn from their mistakes. Without the
associative layer it is a linear classifier and cannot learn XOR; with it, it can.
"""

# %%
# Two classes in the corners of a square: no straight line parts them.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.inspection import DecisionBoundaryDisplay

from skperceptron import RosenblattPerceptron

rng = np.random.RandomState(0)
corners = np.array([[0, 0], [1, 1], [0, 1], [1, 0]])
X = np.repeat(corners, 50, axis=0) + rng.normal(scale=0.15, size=(200, 2))
y = np.repeat([0, 0, 1, 1], 50)

machines = {
    "response units alone": RosenblattPerceptron(n_associative=0, weights="pocket", random_state=0),
    "3 associative units": RosenblattPerceptron(n_associative=3, weights="pocket", random_state=0),
    "30 associative units": RosenblattPerceptron(n_associative=30, random_state=0),
}
for machine in machines.values():
    machine.fit(X, y)

# %%
# The associative units cut the plane into cells; the response unit gives each cell a side.

fig, axes = plt.subplots(1, 3, figsize=(9, 3.2), sharey=True, layout="constrained")
for ax, (name, machine) in zip(axes, machines.items(), strict=True):
    DecisionBoundaryDisplay.from_estimator(
        machine, X, response_method="predict", ax=ax, cmap="PuOr", alpha=0.35, grid_resolution=200
    )
    for label, marker, colour in ((0, "o", "#7f3b08"), (1, "^", "#2d004b")):
        ax.scatter(*X[y == label].T, s=12, marker=marker, color=colour, label=f"class {label}")
    ax.set(title=f"{name}\naccuracy {machine.score(X, y):.2f}", xlabel="input 1")
axes[0].set_ylabel("input 2")
axes[0].legend(loc="center")

# %%
# Mistakes per epoch. The plain rule stops when an epoch brings none, which on separable data it
# does after at most :math:`(R/\gamma)^2` corrections (Novikoff 1962); the linear machine goes on
# for ever.

fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for (name, machine), style in zip(machines.items(), ("-", "--", "-."), strict=True):
    ax.plot(range(1, machine.n_iter_ + 1), machine.mistakes_, style, label=name)
ax.set(xlabel="epoch", ylabel="mistakes", xscale="log")
ax.legend()
plt.show()
