"""
================================================
Early stopping with your own validation data
================================================

A large network that is trained on few rows memorizes their noise: the training loss keeps falling,
while the loss on other rows falls and then rises. Early stopping monitors rows that are not used
for training, and keeps the weights of the best epoch.
"""

# %%
# The data are handwritten digits. Consecutive rows often come from one writer, so randomly drawn
# validation rows would be too easy. Blocks of rows are used instead.

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss

from skperceptron import MLPSoftmaxClassifier
from skperceptron.stopping import EarlyStopping

warnings.simplefilter("ignore", ConvergenceWarning)
X, y = load_digits(return_X_y=True)
X = X / 16
(X_train, X_val, X_test), (y_train, y_val, y_test) = (np.split(a, [300, 600]) for a in (X, y))

# %%
# ``EarlyStopping("loss")`` monitors the validation loss; the default, "score", monitors accuracy,
# which changes in steps and says less. For comparison, a second network with the same seed trains
# to the end.

options = {
    "hidden_layer_sizes": (100, 100),
    "learning_rate_init": 0.003,
    "max_iter": 120,
    "n_iter_no_change": np.inf,
    "random_state": 0,
}
stopped = MLPSoftmaxClassifier(**options, early_stopping=EarlyStopping("loss", patience=15))
on_and_on = MLPSoftmaxClassifier(**options)
for network in (stopped, on_and_on):
    network.fit(X_train, y_train, X_val=X_val, y_val=y_val)
best = int(np.argmin(stopped.validation_loss_curve_))

# %%
# The restored weights are those of the best epoch: their loss on the validation rows is the
# smallest of the curve.

loss = log_loss(y_val, stopped.predict_proba(X_val))
assert np.isclose(loss, stopped.validation_loss_curve_[best])
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
epochs = range(1, on_and_on.n_iter_ + 1)
ax.plot(epochs, on_and_on.loss_curve_, color="#0072b2", label="training")
ax.plot(epochs, on_and_on.validation_loss_curve_, "--", color="#d55e00", label="validation")
ax.axvline(stopped.n_iter_, color="black", lw=1, ls=":", label=f"stop, epoch {stopped.n_iter_}")
ax.plot(best + 1, loss, "o", ms=9, color="#009e73", label=f"restored, epoch {best + 1}")
ax.set(title="training without and with a stop", xlabel="epoch", ylabel="log loss", ylim=(0, 1.5))
ax.legend()
plt.show()

# %%
# Now both networks are scored on rows that neither training nor early stopping has used. With this
# many rows, the standard error of an accuracy is about 0.01.

print(f"{len(y_test)} test rows")
results = pd.DataFrame(
    {
        "epochs": network.n_iter_,
        "test accuracy": network.score(X_test, y_test),
        "test log loss": log_loss(y_test, network.predict_proba(X_test)),
    }
    for network in (stopped, on_and_on)
)
print(results.round(3).set_axis(["stopped early", "trained on and on"]))

# %%
# Stopping did not improve the predicted labels: the two accuracies differ by less than their
# standard error. It improved the *probabilities*, which is what the loss measures, and took a third
# of the epochs. A network that has memorized its rows still picks the right digit about as often,
# but is overconfident when it is wrong. If only the labels matter, monitor accuracy
# (``early_stopping=True``); if you use probabilities, monitor the loss.
