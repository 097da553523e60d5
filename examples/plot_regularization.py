"""
====================================
Four ways to avoid overfitting
====================================

A network with more weights than rows fits the noise of the rows, and its loss on other rows
rises. Dropout, a penalty, batch normalization and averaged weights are four remedies, but they do
not all help against the same problem.
"""

# %%
# The data are few and noisy: 400 handwritten digits for training, of which a tenth have a wrong
# label. The labels of the 600 validation rows are right.

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from skperceptron import MLPSoftmaxClassifier

warnings.simplefilter("ignore", ConvergenceWarning)
X, y = load_digits(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(
    X / 16, y, train_size=400, test_size=600, stratify=y, random_state=0
)
rng = np.random.RandomState(0)
wrong = rng.choice(400, 40, replace=False)
y_train[wrong] = (y_train[wrong] + rng.randint(1, 10, 40)) % 10

# %%
# Each remedy alone, then two of them together. All networks are trained for the same number of
# epochs.

remedies = {
    "none": {},
    "dropout": {"dropout": 0.5},
    "L2 penalty": {"alpha": 0.3},
    "batch normalization": {"normalization": "batch"},
    "weight averaging": {"averaging": "swa"},
    "dropout and averaging": {"dropout": 0.5, "averaging": "swa"},
}
networks = {
    name: MLPSoftmaxClassifier(
        (100, 100),
        learning_rate_init=0.003,
        batch_size=50,
        max_iter=80,
        n_iter_no_change=np.inf,
        random_state=0,
        **remedy,
    ).fit(X_train, y_train, X_val=X_val, y_val=y_val)
    for name, remedy in remedies.items()
}

# %%
# The picture shows the validation loss. Without a remedy it falls for about 30 epochs; then the
# network learns the wrong labels. With batch normalization, this begins sooner: its purpose is to
# make training faster. Averaging over the last quarter of the epochs only removes the jumps.
# Dropout helps most.

fig, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
colors = ("#000000", "#0072b2", "#009e73", "#d55e00", "#e69f00", "#56b4e9")
lines = ("-", "-", "-.", (0, (5, 1, 1, 1, 1, 1)), "--", "--")
for (name, network), color, line in zip(networks.items(), colors, lines, strict=True):
    losses = network.validation_loss_curve_
    ax.plot(range(1, len(losses) + 1), losses, ls=line, color=color, label=name)
ax.set(xlabel="epoch", ylabel="validation log loss", ylim=(0.15, 0.75))
ax.set_title("a network without and with each remedy")
ax.legend(ncols=2)
plt.show()

# %%
# The accuracies agree with this.

rows = {
    name: {
        "training loss": network.loss_curve_[-1],
        "validation loss": network.validation_loss_curve_[-1],
        "at its best": min(network.validation_loss_curve_),
        "accuracy": network.score(X_val, y_val),
    }
    for name, network in networks.items()
}
print(pd.DataFrame(rows).T.round(3).to_string())
