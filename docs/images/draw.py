"""Draw the picture of the README: ``python docs/images/draw.py``."""

from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import make_moons
from sklearn.inspection import DecisionBoundaryDisplay

from skperceptron import MLPBinaryClassifier
from skperceptron.inspection import ActivationDisplay, NetworkGraphDisplay


def draw():
    """Return a figure: a network with its weights, and what it makes of the plane."""
    X, y = make_moons(300, noise=0.15, random_state=0)
    network = MLPBinaryClassifier(
        (6, 4), "tanh", solver="lbfgs", alpha=0.3, max_iter=500, random_state=1
    ).fit(X, y)
    figure, axes = plt.subplots(
        1, 3, figsize=(11, 3.4), layout="constrained", width_ratios=(3, 2, 2)
    )
    NetworkGraphDisplay.from_estimator(network, ax=axes[0])
    DecisionBoundaryDisplay.from_estimator(
        network, X, ax=axes[1], response_method="predict_proba", cmap="PuOr", alpha=0.7
    )
    axes[1].scatter(*X.T, c=y, s=10, cmap="PuOr", edgecolors="white", linewidths=0.4)
    axes[1].set(
        title=f"what it has learned, accuracy {network.score(X, y):.2f}", xticks=[], yticks=[]
    )
    ActivationDisplay.from_activation("tanh", ax=axes[2])
    axes[2].set_title("what each unit makes of its sum")
    return figure


if __name__ == "__main__":
    draw().savefig(Path(__file__).with_name("network.png"), dpi=110)
