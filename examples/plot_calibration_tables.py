"""
=========================================================
Are the probabilities right? Calibration on a small table
=========================================================

A probability of 80 % is right if four of five such rows belong to the class. This example compares
the probabilities of :class:`~skperceptron.tabular.TabularMLPClassifier` with those of gradient
boosting, on a small table with much uncertainty: after a year, has a patient's diabetes progressed
further than average?
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.datasets import load_diabetes
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import brier_score_loss, log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from skperceptron.tabular import TabularMLPClassifier

X, progress = load_diabetes(return_X_y=True, scaled=False)
y = (progress > progress.mean()).astype(int)
print(f"{len(y)} patients, {X.shape[1]} columns, {y.mean():.0%} above the mean")

# %%
# All models have default parameters, except that the networks train for fewer epochs, to save time.
# Gradient boosting appears twice: as it is, and calibrated afterwards by
# :class:`~sklearn.calibration.CalibratedClassifierCV`. The last model ignores the columns and
# always predicts the share of the class.
#
# Each patient is predicted by models that were not trained on that patient. Log loss and Brier
# score both measure the quality of probabilities; lower is better. The log loss penalizes confident
# errors most.

boosting = HistGradientBoostingClassifier(random_state=0)
models = {
    "tabular networks": TabularMLPClassifier(max_epochs=20, random_state=0),
    "boosting": boosting,
    "boosting, calibrated": CalibratedClassifierCV(boosting, cv=3),
    "share of the class": DummyClassifier(),
}
folds = StratifiedKFold(5, shuffle=True, random_state=0)
probabilities = {
    name: cross_val_predict(model, X, y, cv=folds, method="predict_proba")[:, 1]
    for name, model in models.items()
}
rows = {
    name: {
        "log loss": log_loss(y, predicted),
        "Brier score": brier_score_loss(y, predicted),
        "accuracy": np.mean((predicted > 0.5) == y),
    }
    for name, predicted in probabilities.items()
}
print(pd.DataFrame(rows).T.round(3))

# %%
# By log loss, boosting with its defaults is worse than the model that ignores the columns, although
# its accuracy is higher. The pictures show why. Left: the patients are sorted by predicted
# probability and divided into eight groups of about 55. Each point compares the mean prediction of
# a group with the share that was really above the mean. On the diagonal both agree. In groups this
# small, a distance of 0.1 may be chance. Right: how many patients get each probability.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
left.plot([0, 1], [0, 1], color="black", lw=1, label="perfect")
styles = (("o", "-", "#0072b2"), ("s", "--", "#d55e00"), ("^", "-.", "#009e73"))
for (name, predicted), (marker, line, color) in zip(
    list(probabilities.items())[:3], styles, strict=True
):
    share, mean = calibration_curve(y, predicted, n_bins=8, strategy="quantile")
    left.plot(mean, share, line, marker=marker, color=color, label=name)
    bars = {"bins": 10, "range": (0, 1), "histtype": "step", "lw": 2, "ls": line}
    right.hist(predicted, color=color, label=name, **bars)
left.set(
    title="calibration of groups of patients",
    xlabel="predicted probability",
    ylabel="share above the mean",
)
left.legend(fontsize="small")
right.set(title="predicted probabilities", xlabel="predicted probability", ylabel="patients")
plt.show()

# %%
# Boosting is overconfident: most of its probabilities are close to 0 or 1, and they are often
# wrong. Calibration corrects this, but takes several fits. The networks need no such step, because
# their fit ends with one: it learns temperatures on held-out rows. Their probabilities are close to
# the diagonal and still spread over the whole range.
#
# This is one small, noisy table. On large tables boosting is less overconfident, and may be better.
