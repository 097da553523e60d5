"""
==============================================
Softmax: probabilities with some reservations
==============================================

Softmax turns K real outputs into numbers that are positive and sum to one. Whether they *are*
probabilities is another question: of the rows to which a network gives 80 %, do 80 % belong to the
class? A large network that is trained for long is too sure of itself.
"""

# %%
# Noisy data with three classes, and a network that learns the noise by heart.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from skperceptron import MLPSoftmaxClassifier

warnings.simplefilter("ignore")
X, y = make_classification(
    6000, 20, n_informative=5, n_classes=3, flip_y=0.2, class_sep=0.8, random_state=0
)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=1500, random_state=0)
network = MLPSoftmaxClassifier((100,), alpha=0, max_iter=150, random_state=0)
models = {
    "as trained": network,
    "early stopping on the loss": MLPSoftmaxClassifier(
        (100,), max_iter=150, early_stopping=True, validation_fraction=0.2, random_state=0
    ),
    "calibrated (sigmoid, 5 folds)": CalibratedClassifierCV(network, cv=5),
}

# %%
# The reliability curve: predicted probability against the share of rows that the class really has.
# On the diagonal, a probability is what it says.

fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
axes[0].plot([0, 1], [0, 1], color="black", lw=1, label="perfect")
for (name, model), marker, colour in zip(
    models.items(), "os^", ("#d55e00", "#009e73", "#0072b2"), strict=True
):
    probability = model.fit(X_train, y_train).predict_proba(X_test)
    happens, predicted = calibration_curve(
        (y_test[:, np.newaxis] == model.classes_).ravel(), probability.ravel(), n_bins=10
    )
    loss = log_loss(y_test, probability)
    axes[0].plot(predicted, happens, marker=marker, color=colour, label=name)
    axes[1].hist(
        probability.max(axis=1), bins=20, range=(0, 1), histtype="step", color=colour, lw=2
    )
    print(f"{name:<30} accuracy {model.score(X_test, y_test):.3f}   log loss {loss:.3f}")
axes[0].set(xlabel="predicted probability", ylabel="share of the class")
axes[0].legend(fontsize="small")
axes[1].set(xlabel="probability of the predicted class", ylabel="test rows")
plt.show()
