"""
=========================================
Three last layers for a regression
=========================================

A network for regression usually has no last activation. For a target with bounds, a scaled sigmoid
never leaves them. Integers in a range can be classes: their distribution says more than a number.
"""

# %%
# The targets are marks from 0 to 20 after one to six hours of work. More work has less effect when
# the mark is already high.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from scipy.stats import binom

from skperceptron import MLPRegressor

warnings.simplefilter("ignore")


def success(hours):
    return expit(0.8 * hours - 2)


rng = np.random.RandomState(0)
hours = rng.uniform(1, 6, 1500)
marks = rng.binomial(20, success(hours))
X, grid = hours[:, np.newaxis], np.linspace(-2, 9, 300)[:, np.newaxis]
options = {
    "hidden_layer_sizes": (16,),
    "solver": "lbfgs",
    "alpha": 1,
    "max_iter": 1000,
    "random_state": 0,
}
networks = {
    "no last activation": MLPRegressor(**options),
    "20 times a sigmoid": MLPRegressor(**options, output_range=(0, 20)),
    "classes 0 to 20": MLPRegressor(**options, output="categorical", output_range=(0, 20)),
}

# %%
# On the data, the three networks agree. Outside the data, only the bounded ones stay within the
# range.

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
ax.scatter(hours, marks, s=10, color="gray", alpha=0.3, lw=0)
ax.axhspan(0, 20, color="#56b4e9", alpha=0.15, lw=0, label="range of marks")
for (name, network), style, color in zip(
    networks.items(), ("-", "--", ":"), ("#d55e00", "#0072b2", "#000000"), strict=True
):
    network.fit(X, marks)
    ax.plot(grid, network.predict(grid), style, color=color, lw=2, label=name)
ax.set(xlabel="hours of work", ylabel="mark", ylim=(-8, 28), yticks=range(-5, 26, 5))
ax.set_title("predictions of three networks")
ax.legend(loc="upper left")
plt.show()

# %%
# The network with classes also says how certain it is. The lines show the distributions from which
# the data were drawn.

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
categorical = networks["classes 0 to 20"]
values = categorical.values_
for effort, marker, color in ((1.5, "o", "#0072b2"), (3, "s", "#d55e00"), (5.5, "^", "#009e73")):
    distribution = categorical.predict_proba([[effort]])[0]
    label = f"{effort:g} h, mean {categorical.predict([[effort]])[0]:.1f}"
    ax.plot(values, distribution, marker, color=color, label=label)
    ax.plot(values, binom.pmf(values, 20, success(effort)), color=color, lw=1)
ax.set(xlabel="mark", ylabel="probability", xticks=range(0, 21, 5))
ax.set_title("predicted distributions of the mark")
ax.legend(loc="upper left")
plt.show()
