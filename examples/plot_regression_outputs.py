"""
=========================================
Three last layers for a regression
=========================================

A regression usually has no last activation. A target with bounds can have a scaled sigmoid, which
never leaves them; integers in a range can be classes, whose distribution tells more than a number.
"""

# %%
# Marks from 0 to 20, on which effort has less and less effect near the top.

import warnings

import matplotlib.pyplot as plt
import numpy as np

from skperceptron import MLPRegressor

warnings.simplefilter("ignore")
rng = np.random.RandomState(0)
hours = rng.uniform(0, 10, 400)
marks = rng.binomial(20, 1 / (1 + np.exp(2 - 0.8 * hours)))
X, grid = hours[:, np.newaxis], np.linspace(-3, 14, 300)[:, np.newaxis]
options = {
    "hidden_layer_sizes": (16,),
    "activation": "tanh",
    "solver": "lbfgs",
    "alpha": 1e-2,
    "max_iter": 2000,
    "random_state": 0,
}
networks = {
    "no last activation": MLPRegressor(**options),
    "20 times a sigmoid": MLPRegressor(**options, output_range=(0, 20)),
    "classes 0 to 20": MLPRegressor(**options, output="categorical", output_range=(0, 20)),
}

# %%
# Outside the data, only the bounded outputs stay within the range.

fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
axes[0].scatter(hours, marks, s=6, color="grey", alpha=0.5)
axes[0].axhspan(0, 20, color="#56b4e9", alpha=0.1)
for (name, network), style in zip(networks.items(), ("-", "--", ":"), strict=True):
    network.fit(X, marks)
    axes[0].plot(grid, network.predict(grid), style, lw=2, label=name)
axes[0].set(xlabel="hours of work", ylabel="mark", ylim=(-3, 25))
axes[0].legend(fontsize="small", loc="lower right")

# %%
# The classes know how sure they are.

categorical = networks["classes 0 to 20"]
for effort, marker in ((1, "o"), (3, "s"), (6, "^")):
    distribution = categorical.predict_proba([[effort]])[0]
    mean = categorical.predict([[effort]])[0]
    axes[1].plot(
        categorical.values_, distribution, marker=marker, label=f"{effort} h, mean {mean:.1f}"
    )
axes[1].set(xlabel="mark", ylabel="probability")
axes[1].set_xticks(range(0, 21, 5))
axes[1].legend(fontsize="small")
plt.show()
