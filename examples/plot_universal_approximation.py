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


def approximate(width, activation="tanh", random_state=0, **options):
    network = MLPRegressor(
        hidden_layer_sizes=(width,),
        activation=activation,
        solver="lbfgs",
        alpha=0,
        tol=1e-9,
        max_iter=1500,
        max_fun=10**5,
        random_state=random_state,
        **options,
    )
    return network.fit(x[:, np.newaxis], target(x))


def error(network):
    return np.sqrt(np.mean((network.predict(grid[:, np.newaxis]) - target(grid)) ** 2))


x = np.linspace(-2, 2, 200)
grid = np.linspace(-2, 2, 1000)
widths = [1, 2, 4, 8, 16, 32]
fig, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
for activation, marker in (("tanh", "o"), ("relu", "s"), ("sine", "^")):
    errors = [
        [error(approximate(width, activation, seed)) for seed in range(3)] for width in widths
    ]
    axes[0].loglog(widths, np.min(errors, axis=1), marker=marker, label=activation)
axes[0].set(xlabel="hidden units", ylabel="root mean squared error", title="best of three seeds")
axes[0].set_xticks(widths, widths)
axes[0].legend()
axes[1].plot(grid, target(grid), color="black", lw=3, alpha=0.4, label="target")
for width, style in ((2, ":"), (4, "--"), (16, "-")):
    axes[1].plot(
        grid,
        approximate(width).predict(grid[:, np.newaxis]),
        style,
        label=f"{width} tanh units",
    )
axes[1].set(xlabel="x", ylabel="y", title="what the networks have learned")
axes[1].legend(fontsize="small")

# %%
# Problem 1: training may not find the parameters
# -----------------------------------------------
# The same width, twenty seeds: what a network *can* represent is not what it finds.

fig, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
errors = sorted(error(approximate(6, random_state=seed)) for seed in range(20))
axes[0].bar(range(1, 21), errors, color="#0072b2")
axes[0].set(yscale="log", xlabel="seed, sorted", ylabel="error", title="1. six tanh units")

# %%
# Problem 2: the number of units may be huge
# ------------------------------------------
# A target that wiggles more needs more units: the width at which the error falls below 0.1.


def units_needed(frequency):
    y = np.sin(frequency * x)
    for width in (2, 4, 8, 16, 32, 64, 128):
        network = MLPRegressor(
            hidden_layer_sizes=(width,),
            solver="lbfgs",
            alpha=0,
            max_iter=800,
            max_fun=10**5,
            random_state=0,
        ).fit(x[:, np.newaxis], y)
        if np.sqrt(np.mean((network.predict(x[:, np.newaxis]) - y) ** 2)) < 0.1:
            break
    return width


frequencies = [1, 2, 4, 8, 16]
axes[1].plot(frequencies, [units_needed(f) for f in frequencies], "o-", color="#d55e00")
axes[1].set(xlabel="frequency of the target", ylabel="ReLU units", title="2. units for error < 0.1")
axes[1].set_xscale("log", base=2)
axes[1].set_yscale("log", base=2)

# %%
# Problem 3: over-fitting may choose the wrong function
# -----------------------------------------------------
# With noise and few rows, the network that fits the rows best is the worst elsewhere; a penalty
# helps.

rng = np.random.RandomState(1)
few = np.sort(rng.uniform(-2, 2, 20))
noisy = target(few) + rng.normal(scale=0.3, size=20)
axes[2].scatter(few, noisy, s=15, color="black", zorder=3)
axes[2].plot(grid, target(grid), color="black", alpha=0.4, lw=3, label="target")
for alpha, style, colour in ((0, "--", "#cc79a7"), (0.05, "-", "#009e73")):
    network = MLPRegressor(
        hidden_layer_sizes=(100,),
        activation="tanh",
        solver="lbfgs",
        alpha=alpha,
        max_iter=3000,
        max_fun=10**5,
        random_state=0,
    ).fit(few[:, np.newaxis], noisy)
    axes[2].plot(
        grid,
        network.predict(grid[:, np.newaxis]),
        style,
        color=colour,
        label=f"alpha={alpha}, error {error(network):.2f}",
    )
axes[2].set(ylim=(-3, 3), xlabel="x", title="3. 100 units, 20 noisy rows")
axes[2].legend(fontsize="small", loc="lower right")
plt.show()
