"""
==============================================
Vanishing gradients, dead units
==============================================

On its way back, the gradient is multiplied by the slope of the activation and by the weights, layer
after layer. Where slopes are small, as with a sigmoid, little of the gradient reaches the first
layers; where they are zero, as with a ReLU below zero, units may never recover.
"""

# %%
# A network with twelve hidden layers learns handwritten digits, with five activations and two ways
# to draw the initial weights. An epoch at a tiny learning rate shows the gradients at the start;
# then come 15 epochs of training.

import warnings

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPSoftmaxClassifier
from skperceptron.inspection import gradient_report

warnings.simplefilter("ignore", ConvergenceWarning)
X, y = load_digits(return_X_y=True)
X = StandardScaler().fit_transform(X)
DEPTH, EPOCHS = 12, 15
activations = {
    "logistic": ("#000000", ":"),
    "tanh": ("#0072b2", "-"),
    "relu": ("#d55e00", "-"),
    "leaky_relu": ("#e69f00", "--"),
    "elu": ("#009e73", "-."),
}
initializers = ("scikit-learn", "he_normal")


def examine(activation, initializer, **options):
    network = MLPSoftmaxClassifier(
        (30,) * DEPTH,
        activation,
        initializer=initializer,
        n_iter_no_change=EPOCHS,
        random_state=0,
        **options,
    ).fit(X, y)
    return network, gradient_report(network, X, y)


start = {"learning_rate_init": 1e-12, "max_iter": 1}
trained = {"learning_rate_init": 0.003, "max_iter": EPOCHS}
reports = {
    (initializer, activation): (
        examine(activation, initializer, **start),
        examine(activation, initializer, **trained),
    )
    for initializer in initializers
    for activation in activations
}

# %%
# ``gradient_report`` has a row per layer. The pictures show the norm of the gradient of the
# weights, at the start and after training. On average, the gradient loses more than four fifths of
# its norm in a layer of sigmoids. The larger weights of "he_normal" (He et al. 2015) make up for a
# part of this. ReLU and leaky ReLU start alike.

fig, axes = plt.subplots(2, 2, figsize=(8, 6), sharex=True, sharey=True, layout="constrained")
for row, initializer in zip(axes, initializers, strict=True):
    for activation, (color, line) in activations.items():
        for ax, (_, report) in zip(row, reports[initializer, activation], strict=True):
            norms = list(report["gradient_norm"])
            ax.semilogy(
                range(1, DEPTH + 2), norms, line, marker="o", ms=3, color=color, label=activation
            )
    row[0].set(title=f"{initializer}, at the start", ylabel="norm of the gradient")
    row[1].set(title=f"{initializer}, after {EPOCHS} epochs")
for ax in axes[1]:
    ax.set(xlabel="layer", xticks=range(1, DEPTH + 2, 2))
fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
plt.show()

# %%
# In numbers: at the start, the gradient of the first layer divided by that of the last one; after
# training, the share of saturated and dead units in all hidden layers, and the accuracy. With ReLU,
# some units die; with leaky ReLU and ELU, none do. "NaN" means that the activation cannot saturate
# on both sides, because it is not bounded on both.

rows = {}
for key, ((_, before), (network, after)) in reports.items():
    norms, hidden_layers = list(before["gradient_norm"]), after[:-1]
    rows[key] = {
        "first/last gradient": norms[0] / norms[-1],
        "saturated": hidden_layers["saturated"].mean(),
        "dead": hidden_layers["dead"].mean(),
        "accuracy": network.score(X, y),
    }
print(pd.DataFrame(rows).T.to_string(float_format="{:.2g}".format))
