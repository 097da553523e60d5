"""
=====================================================
Distilling an ensemble of networks into one small one
=====================================================

A :class:`~skperceptron.model_selection.StackedCrossEnsembleClassifier` predicts better than one
small network, but all its members must be stored, and computed for each prediction. Can a small
network learn from the ensemble's probabilities, rather than from the labels alone (Hinton, Vinyals
& Dean 2015)?
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPSoftmaxClassifier
from skperceptron.model_selection import StackedCrossEnsembleClassifier

warnings.simplefilter("ignore", ConvergenceWarning)
X, y = make_classification(
    4000,
    n_features=12,
    n_informative=8,
    n_classes=4,
    n_clusters_per_class=2,
    flip_y=0.15,
    random_state=0,
)
X = StandardScaler().fit_transform(X)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=800, random_state=0)

# %%
# The teacher is an ensemble of two arms and four folds. Its out-of-fold predictions come from
# members that were not trained on the row. On their training rows, members are overconfident, also
# for wrong labels: such predictions would teach little more than the labels themselves.

wide = MLPSoftmaxClassifier((64,), batch_size=32, max_iter=60, learning_rate_init=0.005)
teacher = StackedCrossEnsembleClassifier(wide, {"alpha": [0.01, 1.0]}, random_state=0)
teacher.fit(X_train, y_train)
taught = teacher.oof_predictions_
print("a row's label:", y_train[0], " the teacher's probabilities:", np.round(taught[0], 2))

# %%
# The students have 16 hidden units and the same seeds, but different targets. In place of labels,
# ``fit`` gets rows of probabilities, with one column per class. The third student's target is the
# mean of labels and teacher. The fourth has no teacher, but a penalty of suitable strength.

labels = np.eye(4)[y_train]
lessons = {
    "labels": (y_train, 1e-4),
    "teacher": (taught, 1e-4),
    "half and half": ((labels + taught) / 2, 1e-4),
    "labels, penalty": (y_train, 0.3),
}
losses = {name: [] for name in lessons}
accuracies = {name: [] for name in lessons}
for seed in range(8):
    for name, (lesson, alpha) in lessons.items():
        student = MLPSoftmaxClassifier((16,), alpha=alpha, batch_size=32, random_state=seed)
        student.set_params(max_iter=60, tol=0, n_iter_no_change=60, learning_rate_init=0.005)
        student.fit(X_train, lesson)
        losses[name].append(log_loss(y_test, student.predict_proba(X_test)))
        accuracies[name].append(student.score(X_test, y_test))

# %%
# All are scored with the true labels of test rows.

teacher_loss = log_loss(y_test, teacher.predict_proba(X_test))
figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
for place, values in enumerate(losses.values()):
    axes.plot([place] * len(values), values, "o", color="#0072b2", alpha=0.6)
axes.axhline(teacher_loss, color="#d55e00", label="teacher")
axes.set_xticks(range(len(losses)), list(losses))
axes.set(ylabel="log loss on test rows", xlim=(-0.5, len(losses) - 0.5))
axes.set_title("students and their teacher")
axes.legend()
plt.show()

table = pd.DataFrame(
    {"log loss": pd.DataFrame(losses).mean(), "accuracy": pd.DataFrame(accuracies).mean()}
)
table.loc["the teacher itself"] = teacher_loss, teacher.score(X_test, y_test)
print(table.round(3))

# %%
# In log loss, the small network that was trained on the teacher's probabilities comes close to the
# teacher: it recovers most of what training on labels alone loses. In accuracy it is no better than
# the network that was trained on labels, and labels and teacher together do about as well as
# labels. Much of the gain comes from soft targets, which keep a network from fitting wrong labels
# closely. A penalty does this as well, and here a little better. But its strength had to be found:
# it was the best of five on these same test rows, so its result is too optimistic. The teacher was
# not tuned, but takes more than twice the work. Try a penalty before you distill.
