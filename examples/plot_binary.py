"""
=====================================
A sigmoid makes a probability
=====================================

For two classes, the last activation is a sigmoid: it maps the real output of the network to the
interval from 0 to 1, which reads as the probability of the second class.
"""

# %%
# Tumors, described by two of their measurements.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPBinaryClassifier

data = load_breast_cancer(as_frame=True)
X, y = data.data[["mean radius", "mean texture"]], data.target
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
model = make_pipeline(
    StandardScaler(), MLPBinaryClassifier((16,), "tanh", alpha=1, max_iter=1000, random_state=0)
).fit(X_train, y_train)
print(f"test accuracy {model.score(X_test, y_test):.3f}")

# %%
# Left, the output of the network before the sigmoid and the probability after it, for the test
# rows: they lie on a sigmoid, whatever the network has learned. Right, the probability over the
# plane.

fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
raw, probability = model.decision_function(X_test), model.predict_proba(X_test)[:, 1]
styles = ((0, "o", "#7f3b08"), (1, "^", "#2d004b"))
for label, marker, color in styles:
    chosen = y_test == label
    name = data.target_names[label]
    axes[0].scatter(raw[chosen], probability[chosen], s=20, marker=marker, color=color, label=name)
assert np.allclose(probability, 1 / (1 + np.exp(-raw)))
axes[0].set(xlabel="output before the sigmoid", ylabel="probability of 'benign'")
axes[0].set_title("the probability is a sigmoid of the output")
axes[0].legend()
display = DecisionBoundaryDisplay.from_estimator(
    model,
    X,
    response_method="predict_proba",
    class_of_interest=1,
    ax=axes[1],
    levels=np.linspace(0, 1, 11),
    cmap="PuOr",
    alpha=0.6,
)
fig.colorbar(display.surface_, ax=axes[1], label="probability of 'benign'")
axes[1].set_title("the probability over the plane")
for label, marker, color in styles:
    rows = X_test[y_test == label].to_numpy()
    axes[1].scatter(*rows.T, s=24, marker=marker, color=color, edgecolors="white", linewidths=0.5)
plt.show()
