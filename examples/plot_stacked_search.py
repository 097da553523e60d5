"""
=============================================
A grid search in a fraction of the time
=============================================

A grid search over small networks spends most of its time on work around the arithmetic, such as
preparing each fit and each epoch. :class:`~skperceptron.model_selection.StackedGridSearchCV` trains
the networks of a search together, so that this work is done once for many of them. Here both search
the same grid: how much time is saved, and are the results the same?
"""

# %%
# The data are wines, described by 13 measurements. Which activation, and how many hidden units?
# With 24 combinations and five folds, there are 120 networks. The pipeline's scaler is fitted for
# each fold.

import math
import os
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPSoftmaxClassifier
from skperceptron.activations import ELU
from skperceptron.model_selection import StackedEnsembleClassifier, StackedGridSearchCV

warnings.simplefilter("ignore", ConvergenceWarning)
ACTIVATIONS = ["relu", "tanh", "logistic", ELU(alpha=0.5)]
SIZES = [(2,), (4,), (8,), (16,), (8, 8), (8, 8, 8)]
X, y = load_wine(return_X_y=True)
network = MLPSoftmaxClassifier(
    batch_size=32, learning_rate_init=0.005, max_iter=60, tol=0, n_iter_no_change=60, random_state=0
)
pipeline = make_pipeline(StandardScaler(), network)
grid = {
    "mlpsoftmaxclassifier__activation": ACTIVATIONS,
    "mlpsoftmaxclassifier__hidden_layer_sizes": SIZES,
}

# %%
# Run the two searches. They have the same interface and give the same scores.

seconds, scores = {}, {}
for search_class in (GridSearchCV, StackedGridSearchCV):
    start = time.perf_counter()
    search = search_class(pipeline, grid, cv=5).fit(X, y)
    seconds[search_class.__name__] = time.perf_counter() - start
    scores[search_class.__name__] = search.cv_results_["mean_test_score"]
    print(f"{search_class.__name__:<22}{seconds[search_class.__name__]:>6.1f} s")
one_by_one, stacked = scores.values()
print(f"largest difference of two scores: {np.abs(one_by_one - stacked).max():.1e}")
print(f"best: {search.best_params_}")

# %%
# What they found: the mean accuracy of each combination.

fig, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
table = stacked.reshape(len(ACTIVATIONS), len(SIZES))
ax.imshow(table, cmap="cividis", aspect="auto")
ax.set_xticks(range(len(SIZES)), [" + ".join(map(str, size)) for size in SIZES])
ax.set_yticks(range(len(ACTIVATIONS)), map(str, ACTIVATIONS))
ax.set(xlabel="hidden units", title="mean accuracy of five folds")
for i, j in np.ndindex(table.shape):
    color = "black" if table[i, j] > table.min() / 2 + table.max() / 2 else "white"
    ax.text(j, i, f"{table[i, j]:.2f}", ha="center", va="center", color=color)
plt.show()

# %%
# Where the time goes
# -------------------
# Without :ref:`compiled steps <compiled-steps>`, one training step of a single network takes about
# forty calls, whatever the size of the arrays. In a stack of K networks the same calls work on
# arrays K times as large. The time per step and network falls until arithmetic dominates:

os.environ["SKPERCEPTRON_STEPS"] = "numpy"
scaled = StandardScaler().fit_transform(X)
numbers = [1, 2, 4, 8, 16, 32]
steps = 60 * math.ceil(len(X) / 32)
fig, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
for units, style, color in ((8, "o-", "#0072b2"), (256, "s--", "#d55e00")):
    per_step = []
    for n_members in numbers:
        members = StackedEnsembleClassifier(
            network.set_params(hidden_layer_sizes=(units,)), n_members=n_members, random_state=0
        )
        start = time.perf_counter()
        members.fit(scaled, y)
        per_step.append(1e6 * (time.perf_counter() - start) / steps / n_members)
    ax.semilogx(numbers, per_step, style, color=color, label=f"{units} hidden units")
ax.set(xlabel="networks that are trained together", ylabel="microseconds per step and network")
ax.set_title("time of a training step")
ax.set_ylim(bottom=0)
ax.set_xticks(numbers, numbers)
ax.minorticks_off()
ax.legend()
plt.show()
del os.environ["SKPERCEPTRON_STEPS"]

# %%
# Small networks gain most. With 256 hidden units the gain is smaller and ends sooner: what remains
# is arithmetic, which has to be done for each network. Compiled steps avoid the calls; a stack then
# saves only the work around the steps, which is done once per fit or once per epoch.
