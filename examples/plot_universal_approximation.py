"""
========================================
Universal approximation, and its limits
========================================

One hidden layer approximates every continuous function to any accuracy, given enough units
(Cybenko 1989; Hornik et al. 1989). Here the error falls with the width; then come the three
problems of which the theorem says nothing.
"""

# %%
# Error against width
# -------------------
# A smooth target, no noise, as many rows as one likes, and L-BFGS from three seeds each.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skperceptron import MLPRegressor

warnings.simplefilter("ignore", ConvergenceWarning)


def target(x):
    return np.sin(3 * x) + 0.5 * np.cos(7 * x)


def fit(x, y, width, activation="tanh", random_state=0, alpha=0, max_iter=800, **start):
    network = MLPRegressor(
        hidden_layer_sizes=(width,),
        activation=activation,
        solver="lbfgs",
        alpha=alpha,
        tol=1e-7,
        max_iter=max_iter,
        max_fun=10**5,
        random_state=random_state,
    )
    return network.fit(x[:, np.newaxis], y, **start)


def predict(network):
    return network.predict(grid[:, np.newaxis])


def error(network):
    return np.sqrt(np.mean((predict(network) - target(grid)) ** 2))


x, grid = np.linspace(-2, 2, 100), np.linspace(-2, 2, 1000)
widths = [1, 2, 4, 8, 16, 32]
fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for activation, marker, colour in (("tanh", "o", "#0072b2"), ("relu", "s", "#d55e00")):
    errors = [
        [error(fit(x, target(x), width, activation, seed)) for seed in range(3)] for width in widths
    ]
    axes[0].loglog(widths, np.min(errors, axis=1), marker=marker, color=colour, label=activation)
axes[0].set(xlabel="hidden units", ylabel="root mean squared error", title="best of three seeds")
axes[0].set_xticks(widths, widths)
axes[0].tick_params(axis="x", which="minor", bottom=False)
axes[0].legend()
axes[1].plot(grid, target(grid), color="black", lw=4, alpha=0.3, label="target")
for width, style, colour in ((2, ":", "#cc79a7"), (4, "--", "#e69f00"), (16, "-", "#0072b2")):
    network = fit(x, target(x), width)
    axes[1].plot(grid, predict(network), style, color=colour, label=f"{width} tanh units")
axes[1].set(xlabel="x", ylabel="y", title="what the networks have learned", ylim=(-1.7, 2.6))
axes[1].legend(ncols=2, loc="upper center")
plt.show()

# %%
# Problem 1: training may not find the parameters
# -----------------------------------------------
# The same width, ten seeds: what a network *can* represent is not what it finds.

errors = sorted(error(fit(x, target(x), 6, random_state=seed)) for seed in range(10))
fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
ax.bar(range(1, 11), errors, color="#0072b2")
ax.set(xlabel="seed, sorted by error", ylabel="root mean squared error", xticks=range(1, 11))
ax.set_title("six tanh units")
plt.show()

# %%
# Problem 2: the number of units may be huge
# ------------------------------------------
# A target that wiggles more needs more units: the width at which the error falls below 0.1. ReLU
# units have one bend each; here the bends start evenly spread, so that training has an easy time
# and what counts is their number.


def units_needed(frequency):
    y = np.sin(frequency * x)
    for width in 2 ** np.arange(1, 9):
        bends = np.linspace(-2, 2, width, endpoint=False)
        network = fit(
            x,
            y,
            width,
            "relu",
            coefs_init=[np.ones((1, width)), np.zeros((width, 1))],
            intercepts_init=[-bends, np.zeros(1)],
        )
        if np.sqrt(np.mean((network.predict(x[:, np.newaxis]) - y) ** 2)) < 0.1:
            return width
    raise RuntimeError(f"256 units are not enough for frequency {frequency}.")


frequencies = [1, 2, 4, 8, 16]
needed = [units_needed(frequency) for frequency in frequencies]
fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
ax.loglog(frequencies, needed, "o-", color="#d55e00")
ax.set(xlabel="frequency of the target", ylabel="ReLU units", title="units for an error below 0.1")
ax.set_xticks(frequencies, frequencies)
ax.set_yticks(needed, needed)
ax.minorticks_off()
plt.show()

# %%
# Problem 3: over-fitting may choose the wrong function
# -----------------------------------------------------
# With noise and few rows, the network that meets every row runs wild between them; a penalty
# (``alpha``) holds it back.

few = np.linspace(-2, 2, 25)
noisy = target(few) + np.random.RandomState(1).normal(scale=0.4, size=25)
fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
ax.scatter(few, noisy, s=15, color="black", zorder=3)
ax.plot(grid, target(grid), color="black", alpha=0.3, lw=4, label="target")
for alpha, style, colour in ((0, "--", "#cc79a7"), (0.03, "-", "#009e73")):
    network = fit(few, noisy, 100, alpha=alpha, max_iter=2000)
    label = f"alpha={alpha}, error {error(network):.2f}"
    ax.plot(grid, predict(network), style, color=colour, label=label)
ax.set(xlabel="x", ylabel="y", title="100 units, 25 noisy rows", ylim=(-3, 4.2))
ax.legend(loc="upper right")
plt.show()
