"""
==========================================
What the weights of an ensemble's arms say
==========================================

A strong penalty is good for one table and bad for another. In a
:class:`~skperceptron.model_selection.StackedCrossEnsembleClassifier`, networks with a strong
penalty are one *arm* of several, and the rows that each fold holds out determine its weight.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_moons
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPSoftmaxClassifier
from skperceptron.model_selection import StackedCrossEnsembleClassifier

PENALTIES = [1e-4, 1.0, 10.0]
TABLES = {
    "two moons": make_moons(800, noise=0.15, random_state=0),
    "digits": load_digits(return_X_y=True),
    "wine": load_wine(return_X_y=True),
    "breast cancer": load_breast_cancer(return_X_y=True),
}

# %%
# Three arms times four folds are twelve networks, which are trained together. Half of the rows are
# kept for testing: they show later whether the ensemble's estimate of its own loss is right.


def fitted(X, y):
    """Return a fitted ensemble, and the test rows."""
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.5, stratify=y, random_state=0
    )
    network = MLPSoftmaxClassifier((32,), batch_size=32, max_iter=60, learning_rate_init=0.01)
    arms = {"mlpsoftmaxclassifier__alpha": PENALTIES}
    ensemble = StackedCrossEnsembleClassifier(
        make_pipeline(StandardScaler(), network), arms, random_state=0
    )
    return ensemble.fit(X_train, y_train), X_test, y_test


results = {name: fitted(X, y) for name, (X, y) in TABLES.items()}

# %%
# Left, the weights: the arm with the strongest penalty gets hardly any weight where the border
# between classes is sharp, as in "two moons", and some on small tables. Right, log losses on the
# other half of the rows: of the single networks, and of the ensemble. The loss that the ensemble
# expects ("out of fold") was computed on rows that its members were not trained on.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
colors = ["#0072b2", "#e69f00", "#d55e00"]
places = np.arange(len(results))
bottom = np.zeros(len(results))
for i, (penalty, color) in enumerate(zip(PENALTIES, colors, strict=True)):
    weights = np.array([ensemble.weights_[i] for ensemble, _, _ in results.values()])
    left.bar(places, weights, 0.6, bottom, color=color, label=f"alpha = {penalty:g}")
    bottom += weights
left.set_xticks(places, list(results))
left.set(ylabel="weight of the arm", ylim=(0, 1.25))
left.set_title("weights in each ensemble")
left.legend(ncols=3, loc="upper center", fontsize="small", columnspacing=1, handlelength=1)

for place, (ensemble, X_test, y_test) in zip(places, results.values(), strict=True):
    members = ensemble.predict_members(X_test)
    for arm, color in zip(members, colors, strict=True):
        losses = [log_loss(y_test, member) for member in arm]
        right.plot([place] * len(losses), losses, "o", ms=4, color=color, alpha=0.7)
    own = log_loss(y_test, ensemble.predict_proba(X_test))
    right.plot(
        place, own, "_", ms=28, mew=2.5, color="black", label="ensemble" if not place else None
    )
    label = "expected, out of fold" if not place else None
    right.plot(place + 0.3, ensemble.oof_loss_, "<", color="black", label=label)
right.set_xticks(places, list(results))
right.set(ylabel="log loss on the other half", yscale="log", xlim=(-0.4, len(results) - 0.4))
right.set_title("single networks and ensembles")
right.legend(fontsize="small", handlelength=3)
plt.show()

# %%
# The same results in numbers.

rows = {}
for name, (ensemble, X_test, y_test) in results.items():
    members = ensemble.predict_members(X_test)
    rows[name] = {
        "weights": ensemble.weights_.round(2),
        "temperatures": ensemble.temperatures_.round(2),
        "expected": ensemble.oof_loss_,
        "true": log_loss(y_test, ensemble.predict_proba(X_test)),
        "best network": min(log_loss(y_test, member) for arm in members for member in arm),
    }
print(pd.DataFrame.from_dict(rows, orient="index").round(3).to_string())

# %%
# "Best network" is the network with the smallest loss on these same test rows; nobody knows it
# beforehand. On two of the four tables the ensemble is better than this network, on the other two
# somewhat worse. The expected loss is a rough estimate: on "wine", it is more than twice the
# true one.
#
# The outputs of an arm are divided by its temperature before they become probabilities. A
# temperature below 1 means that the arm's networks are underconfident: the strongest penalty keeps
# outputs so small that its temperature is at or near 1/3, the lowest that is allowed. A temperature
# above 1 means that the networks are overconfident.
