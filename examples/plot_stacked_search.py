"""
==========================================================
A hundred and eighty networks at once: activations x sizes
==========================================================

Which activation, and how many hidden units?
:class:`~skperceptron.model_selection.StackedGridSearchCV`
trains the networks of a grid search together. The upper picture shows the cross-validated accuracy
of each combination on the wine data; the lower one how each of the networks has learned.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPSoftmaxClassifier
from skperceptron.activations import ELU
from skperceptron.model_selection import StackedGridSearchCV

ACTIVATIONS = ["relu", "tanh", "logistic", "identity", "softsign", ELU(alpha=0.5)]
SIZES = [(2,), (4,), (8,), (16,), (8, 8), (8, 8, 8)]
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#000000"]
FOLDS = 5


# %%
# A scorer sees each fitted network; this one keeps its learning curve.
class KeepCurve:
    """Score by accuracy, and remember the training loss of each epoch."""

    def __init__(self):
        self.curves = {}

    def __call__(self, model, X, y):
        network = model[-1]
        self.curves.setdefault(str(network.activation), []).append(network.loss_curve_)
        return model.score(X, y)


# %%
# The pipeline's scaler is fitted once for each fold, not once for each network.
def search_wine():
    """Return the fitted search, the curves of all its networks, and the seconds it took."""
    X, y = load_wine(return_X_y=True)
    network = MLPSoftmaxClassifier(
        batch_size=32, max_iter=60, tol=0, n_iter_no_change=60, random_state=0
    )
    grid = {
        "mlpsoftmaxclassifier__activation": ACTIVATIONS,
        "mlpsoftmaxclassifier__hidden_layer_sizes": SIZES,
        "mlpsoftmaxclassifier__learning_rate_init": [0.005],
    }
    keep = KeepCurve()
    pipeline = make_pipeline(StandardScaler(), network)
    search = StackedGridSearchCV(pipeline, grid, cv=FOLDS, scoring=keep)
    start = time.perf_counter()
    search.fit(X, y)
    return search, keep.curves, time.perf_counter() - start


# %%
# One picture for the grid, one for all members of all stacks.
def draw(search, curves):
    """Draw the heat map and the learning curves; return the figure."""
    scores = search.cv_results_["mean_test_score"].reshape(len(ACTIVATIONS), len(SIZES))
    names = [str(activation) for activation in ACTIVATIONS]
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(7, 8), layout="constrained")
    upper.imshow(scores, cmap="cividis", aspect="auto")
    upper.set_xticks(range(len(SIZES)), [" + ".join(map(str, size)) for size in SIZES])
    upper.set_yticks(range(len(names)), names)
    upper.set(xlabel="hidden units", title="mean accuracy of five folds")
    middle = scores.min() / 2 + scores.max() / 2
    for i, j in np.ndindex(scores.shape):
        colour = "black" if scores[i, j] > middle else "white"
        upper.text(j, i, f"{scores[i, j]:.2f}", ha="center", va="center", color=colour)
    for (name, of_name), colour in zip(curves.items(), COLOURS, strict=True):
        for k, curve in enumerate(of_name):
            label = name if k == 0 else None
            lower.plot(curve, color=colour, alpha=0.35, linewidth=0.7, label=label)
    lower.set(yscale="log", xlabel="epoch", ylabel="training loss")
    lower.set_title(f"{sum(map(len, curves.values()))} learning curves")
    for line in figure.legend(loc="outside lower center", ncols=3).get_lines():
        line.set(alpha=1, linewidth=2)
    return figure


if __name__ == "__main__":
    search, curves, seconds = search_wine()
    n_networks = sum(map(len, curves.values()))
    print(f"{n_networks} networks in {seconds:.1f} s; best: {search.best_params_}")
    draw(search, curves)
    plt.show()
