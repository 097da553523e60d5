"""
=========================
How sure is a prediction?
=========================

With two losses, a network predicts more than a single number: with the pinball loss, quantiles of
any distribution; with the Gaussian likelihood, a mean and a standard deviation.
"""

# %%
# The noise grows with x, and is skewed: a few values lie far above the others.

import warnings

import matplotlib.pyplot as plt
import numpy as np

from skperceptron import MLPRegressor
from skperceptron.losses import Pinball

warnings.simplefilter("ignore")
rng = np.random.RandomState(0)
x = rng.uniform(0, 10, 800)
y = 10 + 5 * np.sin(x) + 0.3 * x * rng.gamma(1.5, size=800)
X, grid = x[:, np.newaxis], np.linspace(0, 10, 300)[:, np.newaxis]
options = {
    "hidden_layer_sizes": (32, 32),
    "activation": "tanh",
    "learning_rate_init": 0.01,
    "random_state": 0,
}

# %%
# Both are fitted like any other network.

quantiles = MLPRegressor(Pinball([0.05, 0.5, 0.95]), **options).fit(X, y)
normal = MLPRegressor("gaussian_nll", **options).fit(X, y)

# %%
# The quantiles follow the skew, and never cross. The normal distribution is symmetric, so its
# lower bound lies in a region without data.

low, median, high = quantiles.predict(grid).T
mean, std = normal.predict(grid, return_std=True)
bands = {
    "5 %, 50 % and 95 % quantile": (low, median, high),
    "mean and 1.64 standard deviations": (mean - 1.64 * std, mean, mean + 1.64 * std),
}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
for ax, (title, (bottom, middle, top)) in zip(axes, bands.items(), strict=True):
    ax.scatter(x, y, s=5, color="gray", alpha=0.5)
    ax.fill_between(grid[:, 0], bottom, top, color="#56b4e9", alpha=0.4)
    ax.plot(grid, middle, color="#0072b2", lw=2)
    ax.set(title=title, xlabel="x")
axes[0].set_ylabel("y")
plt.show()
