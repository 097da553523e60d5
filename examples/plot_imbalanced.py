"""
=================================
When one class is rare
=================================

If one class is rare, a network can have a high accuracy and still miss most rows of this class.
Class weights, another loss, and another threshold change its predictions, but in different ways.
"""

# %%
# In these synthetic data, 4.5 % of the rows are in the rare class, which overlaps with the other.

import warnings

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    log_loss,
    precision_recall_curve,
    precision_score,
    recall_score,
)
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split

from skperceptron import MLPBinaryClassifier
from skperceptron.losses import BinaryFocalLoss

warnings.simplefilter("ignore", ConvergenceWarning)
X, y = make_classification(
    12_000,
    10,
    n_informative=6,
    n_clusters_per_class=2,
    weights=[0.96],
    flip_y=0.01,
    class_sep=1.1,
    random_state=0,
)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
print(f"{y_train.sum()} of {len(y_train)} training rows are in the rare class")

# %%
# The example compares four ways. The threshold is chosen by cross-validation for the best balanced
# accuracy, and is applied to the plain network.

options = {
    "hidden_layer_sizes": (16,),
    "activation": "tanh",
    "solver": "lbfgs",
    "alpha": 10,
    "max_iter": 300,
    "random_state": 0,
}
plain = MLPBinaryClassifier(**options)
models = {
    "plain": plain,
    'class_weight="balanced"': MLPBinaryClassifier(**options, class_weight="balanced"),
    "focal loss": MLPBinaryClassifier(**options, loss=BinaryFocalLoss(gamma=2)),
    "tuned threshold": TunedThresholdClassifierCV(plain, scoring="balanced_accuracy", cv=3),
}
for model in models.values():
    model.fit(X_train, y_train)

# %%
# Labels: class weights and the tuned threshold find most of the rare rows, and raise many false
# alarms. The focal loss is for hard rows, not for rare ones: without its ``alpha`` it finds no more
# of them. Probabilities: those of the plain network have the best log loss, and a tuned threshold
# does not change them. With class weights, a network predicts probabilities for classes of equal
# size, which these are not, and the focal loss moves probabilities away from 0 and 1.

rows = {}
for name, model in models.items():
    predicted = model.predict(X_test)
    rows[name] = {
        "accuracy": model.score(X_test, y_test),
        "balanced": balanced_accuracy_score(y_test, predicted),
        "recall": recall_score(y_test, predicted),
        "precision": precision_score(y_test, predicted),
        "log loss": log_loss(y_test, model.predict_proba(X_test)),
    }
print(pd.DataFrame(rows).T.round(3))

# %%
# Each network gives a curve with one point for each threshold. The markers show the threshold that
# it uses. Changing the threshold moves along the curve, and achieves the same as class weights.

fig, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
styles = (("-", "o", "#0072b2"), ("--", "s", "#d55e00"), (":", "^", "#009e73"))
for (name, model), (line, marker, color) in zip(list(models.items())[:3], styles, strict=True):
    probability = model.predict_proba(X_test)[:, 1]
    precision, recall, _ = precision_recall_curve(y_test, probability)
    area = average_precision_score(y_test, probability)
    ax.plot(recall, precision, line, color=color, label=f"{name}, average precision {area:.2f}")
    predicted = model.predict(X_test)
    point = recall_score(y_test, predicted), precision_score(y_test, predicted)
    ax.plot(*point, marker, ms=9, color=color, mec="black")
predicted = models["tuned threshold"].predict(X_test)
point = recall_score(y_test, predicted), precision_score(y_test, predicted)
ax.plot(*point, "D", ms=9, color="#56b4e9", mec="black", label="plain with the tuned threshold")
ax.set(xlabel="recall: share of the rare class that is found", ylabel="precision", ylim=(0, 1.03))
ax.set_title("precision and recall at each threshold")
ax.legend(loc="lower left")
plt.show()
