r"""
========================================
Universal approximation, and its limits
========================================

Given enough units, one hidden layer approximates every continuous function on a bounded, closed set
to any accuracy (Cybenko 1989; Hornik et al. 1989). Here networks of growing width approximate a
function. Then come three problems about which the theorem says nothing.
"""

# %%
# Error against width
# -------------------
# The conditions are ideal: a smooth target, no noise, enough rows, and L-BFGS.

import itertools
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skperceptron import MLPRegressor
from skperceptron.initializers import Given

warnings.simplefilter("ignore", ConvergenceWarning)


def target(x):
    return np.sin(3 * x) + 0.5 * np.cos(7 * x)


OPTIONS = {
    "activation": "tanh",
    "solver": "lbfgs",
    "alpha": 0,
    "tol": 1e-7,
    "max_iter": 800,
    "max_fun": 10**5,
    "random_state": 0,
}


def fit(x, y, width, **changes):
    network = MLPRegressor(hidden_layer_sizes=(width,), **OPTIONS | changes)
    return network.fit(x.reshape(len(x), -1), y)


def predict(network):
    return network.predict(grid[:, np.newaxis])


def error(network):
    return np.sqrt(np.mean((predict(network) - target(grid)) ** 2))


x, grid = np.linspace(-2, 2, 100), np.linspace(-2, 2, 1000)
fig, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
ax.plot(grid, target(grid), color="black", lw=4, alpha=0.3, label="target")
for width, style, color in ((2, ":", "#cc79a7"), (4, "--", "#e69f00"), (16, "-", "#0072b2")):
    ax.plot(grid, predict(fit(x, target(x), width)), style, color=color, label=f"{width} units")
ax.set(xlabel="x", ylabel="y", ylim=(-1.7, 2.6))
ax.set_title("a function, and networks of three sizes")
ax.legend(ncols=2, loc="upper center")
plt.show()

# %%
# The error for each width is the better of two seeds. With many iterations it falls, and then stays
# level, because the tolerance ends the training. With few iterations it rises again from 32 units
# on. This is not overfitting, since the error on the training rows (not shown) is the same: more
# weights take longer to train.

widths = [1, 2, 4, 8, 16, 32, 64]
fig, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
for max_iter, style, color in ((400, "s--", "#d55e00"), (4000, "o-", "#0072b2")):
    errors = [
        min(
            error(fit(x, target(x), width, random_state=seed, max_iter=max_iter))
            for seed in range(2)
        )
        for width in widths
    ]
    ax.loglog(widths, errors, style, color=color, label=f"at most {max_iter:,} iterations")
ax.set(xlabel="hidden units", ylabel="root mean squared error")
ax.set_title("error of networks of each size")
ax.set_xticks(widths, widths)
ax.tick_params(axis="x", which="minor", bottom=False)
ax.legend()
plt.show()

# %%
# Problem 1: training may not find the parameters
# -----------------------------------------------
# Networks with six units are trained from ten seeds. All of them could represent the same function;
# what training finds depends on the initial weights.

errors = sorted(error(fit(x, target(x), 6, random_state=seed)) for seed in range(10))
fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
ax.bar(range(1, 11), errors, color="#0072b2")
ax.set(xlabel="seed, sorted by error", ylabel="root mean squared error", xticks=range(1, 11))
ax.set_title("six tanh units")
plt.show()

# %%
# Problem 2: the number of units may be huge
# ------------------------------------------
# A target of d variables, :math:`\cos(3 x_1) \cdots \cos(3 x_d)`. It is the mean of :math:`2^{d-1}`
# waves, one for each choice of signs in :math:`\cos(3 x_1 \pm 3 x_2 \pm \dots)`, and each wave
# needs units of its own. To make training easy, the units start in the directions of these waves,
# with their kinks evenly spread. The question is how many units are needed for an error below a
# quarter of the target's standard deviation.


def product(X):
    return np.cos(3 * X).prod(axis=1)


def relative_error(n_variables, units_per_wave):
    rng = np.random.RandomState(0)
    train, test = rng.uniform(-1, 1, size=(2, 1000 * n_variables, n_variables))
    waves = np.array([(1, *s) for s in itertools.product([1, -1], repeat=n_variables - 1)], float)
    bends = np.linspace(-n_variables, n_variables, units_per_wave, endpoint=False)
    n_units = len(waves) * units_per_wave
    start = Given(
        [np.repeat(waves, units_per_wave, axis=0).T, np.zeros((n_units, 1))],
        [-np.tile(bends, len(waves)), np.zeros(1)],
    )
    network = fit(
        train, product(train), n_units, activation="relu", max_iter=150, initializer=start
    )
    y = product(test)
    return np.sqrt(np.mean((network.predict(test) - y) ** 2)) / y.std()


def units_needed(n_variables):
    for units_per_wave in (2, 4, 8, 16):
        if relative_error(n_variables, units_per_wave) < 0.25:
            return units_per_wave * 2 ** (n_variables - 1)
    raise RuntimeError(f"16 units per wave are not enough for {n_variables} variables.")


dimensions = [1, 2, 3, 4]
needed = [units_needed(n_variables) for n_variables in dimensions]
fig, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
ax.semilogy(dimensions, needed, "o-", color="#d55e00", base=2)
ax.set(xlabel="variables of the target", ylabel="ReLU units that are needed", xticks=dimensions)
ax.set_title("units for an error below a quarter")
ax.set_yticks(needed, needed)
ax.minorticks_off()
plt.show()

# %%
# Problem 3: overfitting may choose the wrong function
# ----------------------------------------------------
# With noise and few rows, a network that fits every row exactly oscillates between them. A penalty
# (``alpha``) prevents this.

few = np.linspace(-2, 2, 25)
noisy = target(few) + np.random.RandomState(1).normal(scale=0.4, size=25)
fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
ax.scatter(few, noisy, s=15, color="black", zorder=3)
ax.plot(grid, target(grid), color="black", alpha=0.3, lw=4, label="target")
for alpha, style, color in ((0, "--", "#cc79a7"), (0.03, "-", "#009e73")):
    network = fit(few, noisy, 100, alpha=alpha, max_iter=2000)
    label = f"alpha={alpha}, error {error(network):.2f}"
    ax.plot(grid, predict(network), style, color=color, label=label)
ax.set(xlabel="x", ylabel="y", title="100 units, 25 noisy rows", ylim=(-3, 4.2))
ax.legend(loc="upper right")
plt.show()
