"""
=================================
Rosenblatt's perceptron and XOR
=================================

Rosenblatt's machine of 1958 had three layers: sensory units, *associative* units with fixed random
connections and a threshold, and response units that learn from their mistakes. Without the
associative layer it is a linear classifier and cannot learn XOR; with it, it can.
"""

# %%
# Two classes are in the corners of a square: no straight line separates them.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.inspection import DecisionBoundaryDisplay

from skperceptron import RosenblattPerceptron

rng = np.random.RandomState(0)
corners = np.array([[0, 0], [1, 1], [0, 1], [1, 0]])
X = np.repeat(corners, 50, axis=0) + rng.normal(scale=0.15, size=(200, 2))
y = np.repeat([0, 0, 1, 1], 50)

machines = {
    "response units alone": RosenblattPerceptron(n_associative=0, weights="pocket", random_state=1),
    "8 associative units": RosenblattPerceptron(n_associative=8, weights="pocket", random_state=1),
    "100 associative units": RosenblattPerceptron(n_associative=100, random_state=1),
}
for machine in machines.values():
    machine.fit(X, y)

# %%
# Each associative unit draws a random line; together the lines cut the plane into cells, and the
# response unit assigns a class to each cell. A few lines may help by chance; many lines always do.

fig, axes = plt.subplots(1, 3, figsize=(9, 3.7), sharey=True, layout="constrained")
for ax, (name, machine) in zip(axes, machines.items(), strict=True):
    DecisionBoundaryDisplay.from_estimator(
        machine, X, response_method="predict", ax=ax, cmap="PuOr", alpha=0.35, grid_resolution=200
    )
    for label, marker, color in ((0, "o", "#7f3b08"), (1, "^", "#2d004b")):
        ax.scatter(*X[y == label].T, s=12, marker=marker, color=color, label=f"class {label}")
    ax.set(title=f"{name}\naccuracy {machine.score(X, y):.2f}", xlabel="input 1")
axes[0].set_ylabel("input 2")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
plt.show()

# %%
# The last picture shows the mistakes in each epoch. The plain rule stops after an epoch without
# mistakes. On separable data this takes at most :math:`(R/\gamma)^2` corrections (Novikoff 1962).
# On these data the linear machine would never stop.

fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for (name, machine), style, color in zip(
    machines.items(), ("-", "--", "-."), ("#0072b2", "#d55e00", "#009e73"), strict=True
):
    ax.plot(range(1, machine.n_iter_ + 1), machine.mistakes_, style, color=color, label=name)
ax.set(xlabel="epoch", ylabel="mistakes", xscale="log", ylim=(0, 170))
ax.set_title("mistakes in each epoch")
ax.legend(loc="upper center", ncols=2)
plt.show()
