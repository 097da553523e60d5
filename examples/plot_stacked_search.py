"""
==========================================================
A hundred and eighty networks at once: activations x sizes
==========================================================

Which activation, and how many hidden units?
:class:`~skperceptron.model_selection.StackedGridSearchCV`
trains the networks of a grid search together. The left picture shows the cross-validated accuracy
of each combination on the wine data; the right one how each of the networks has learned.
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
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    image = left.imshow(scores, cmap="viridis")
    left.set_xticks(range(len(SIZES)), [" + ".join(map(str, size)) for size in SIZES])
    left.set_yticks(range(len(names)), names)
    left.set(xlabel="hidden units", title="mean accuracy of five folds")
    middle = scores.min() / 2 + scores.max() / 2
    for i, j in np.ndindex(scores.shape):
        colour = "black" if scores[i, j] > middle else "white"
        left.text(j, i, f"{scores[i, j]:.2f}", ha="center", va="center", color=colour)
    figure.colorbar(image, ax=left, shrink=0.8)
    for number, (name, of_name) in enumerate(curves.items()):
        for k, curve in enumerate(of_name):
            label = name if k == 0 else None
            right.plot(curve, color=f"C{number}", alpha=0.35, linewidth=0.7, label=label)
    right.set(yscale="log", xlabel="epoch", ylabel="training loss")
    right.set_title(f"{sum(map(len, curves.values()))} learning curves")
    for line in right.legend().get_lines():
        line.set(alpha=1, linewidth=2)
    return figure


if __name__ == "__main__":
    search, curves, seconds = search_wine()
    n_networks = sum(map(len, curves.values()))
    print(f"{n_networks} networks in {seconds:.1f} s; best: {search.best_params_}")
    draw(search, curves)
    plt.show()
