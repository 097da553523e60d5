"""
==============================================
Softmax: probabilities with some reservations
==============================================

Softmax turns K real outputs into numbers that are positive and sum to one. Whether they *are*
probabilities is another question: of the rows to which a network gives 80 %, do 80 % belong to the
class? A large network that is trained for a long time is overconfident.
"""

# %%
# The data are noisy and have three classes, and the network fits the noise. There are two
# remedies. One is early stopping. The other divides the network's outputs by a *temperature* that
# is fitted to cross-validated predictions (Guo et al. 2017; scikit-learn has it from 1.8 on). The
# most probable class of each row then stays the same.

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from skperceptron import MLPSoftmaxClassifier
from skperceptron.stopping import EarlyStopping

warnings.simplefilter("ignore")
X, y = make_classification(
    6000, 20, n_informative=5, n_classes=3, flip_y=0.2, class_sep=0.8, random_state=0
)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=1500, random_state=0)
network = MLPSoftmaxClassifier((100,), alpha=0, max_iter=150, random_state=0)
models = {
    "as trained": network,
    "stopped early": MLPSoftmaxClassifier(
        (100,),
        max_iter=150,
        early_stopping=EarlyStopping("loss"),
        validation_fraction=0.2,
        random_state=0,
    ),
    "calibrated": CalibratedClassifierCV(network, method="temperature", ensemble=False),
}

# %%
# The reliability curve plots the share of rows that belong to the class against the predicted
# probability. On the diagonal, both are equal. The table has the mean distance from the diagonal,
# over all predicted probabilities.


def reliability(happens, probability, n_bins=10):
    """Return mean probability and share of the class in each bin, and their mean distance."""
    share, predicted = calibration_curve(happens, probability, n_bins=n_bins)
    counts, _ = np.histogram(probability, bins=n_bins, range=(0, 1))
    distance = np.average(np.abs(share - predicted), weights=counts[counts > 0])
    return predicted, share, distance


fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
axes[0].plot([0, 1], [0, 1], color="black", lw=1, label="perfect")
styles = (("o", "-", "#d55e00"), ("s", "--", "#009e73"), ("^", "-.", "#0072b2"))
rows = {}
for (name, model), (marker, line, color) in zip(models.items(), styles, strict=True):
    probability = model.fit(X_train, y_train).predict_proba(X_test)
    happens = y_test[:, np.newaxis] == model.classes_
    predicted, share, distance = reliability(happens.ravel(), probability.ravel())
    axes[0].plot(predicted, share, line, marker=marker, color=color, label=name)
    surest = {"bins": 20, "range": (0, 1), "histtype": "step", "lw": 2, "ls": line}
    axes[1].hist(probability.max(axis=1), color=color, **surest)
    rows[name] = {
        "accuracy": model.score(X_test, y_test),
        "log loss": log_loss(y_test, probability),
        "distance": distance,
    }
axes[0].set(xlabel="predicted probability", ylabel="share of the class")
axes[0].set_title("calibration of three models")
axes[0].legend()
axes[1].set(xlabel="probability of the predicted class", ylabel="test rows")
axes[1].set_title("confidence of the models")
plt.show()
print(pd.DataFrame(rows).T.round(3))
