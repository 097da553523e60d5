"""
====================================================
Grid search over activations and sizes in a pipeline
====================================================

Which activation, and how many hidden units? A grid search over both on the digits data, with
activations as strings and as objects with parameters. Then a cross-validation of each estimator
of the package, on a data set that suits it.
"""

import time
from importlib.util import find_spec

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.activations import ELU, LeakyReLU

# %%
# The grid, and the search over it. In each fold, the scaler is fitted to the training rows only.

ACTIVATIONS = ["relu", "tanh", "gelu", LeakyReLU(alpha=0.05), ELU(alpha=0.5)]
HIDDEN_LAYER_SIZES = [(32,), (100,), (64, 32)]


def search_digits():
    """Fit the grid search; return it, and its score on rows that it has never seen."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    pipeline = Pipeline(
        [
            ("scale", StandardScaler()),
            ("mlp", MLPSoftmaxClassifier(max_iter=300, tol=1e-3, random_state=0)),
        ]
    )
    grid = {"mlp__activation": ACTIVATIONS, "mlp__hidden_layer_sizes": HIDDEN_LAYER_SIZES}
    search = GridSearchCV(pipeline, grid, cv=3, verbose=3).fit(X_train, y_train)
    return search, search.score(X_test, y_test)


# %%
# Run the search on a single core; then print its results.


def print_grid(search):
    """Print mean accuracies: one row per activation, one column per architecture."""
    results = search.cv_results_
    scores = {
        (repr(parameters["mlp__activation"]), parameters["mlp__hidden_layer_sizes"]): score
        for parameters, score in zip(results["params"], results["mean_test_score"], strict=True)
    }
    print(f"{'cross-validated accuracy':<24}" + "".join(f"{s!s:>12}" for s in HIDDEN_LAYER_SIZES))
    for activation in ACTIVATIONS:
        row = [scores[repr(activation), sizes] for sizes in HIDDEN_LAYER_SIZES]
        name = activation if isinstance(activation, str) else repr(activation)
        print(f"{name:<24}" + "".join(f"{score:>12.4f}" for score in row))


if __name__ == "__main__":
    search, test_score = search_digits()

# %%
if __name__ == "__main__":
    print()
    print_grid(search)
    best = {name.removeprefix("mlp__"): value for name, value in search.best_params_.items()}
    print(f"\nbest: {best}")
    print(f"test accuracy: {test_score:.4f}\n")

# %%
# The same results as a picture, if matplotlib is installed.


def draw_grid(search):
    """Draw mean accuracies: one row per activation, one column per architecture."""
    import matplotlib.pyplot as plt

    # The grid varies the parameter whose name comes last in the alphabet fastest.
    scores = search.cv_results_["mean_test_score"].reshape(len(ACTIVATIONS), -1)
    _, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    ax.imshow(scores, cmap="cividis", aspect="auto")
    ax.set_xticks(range(len(HIDDEN_LAYER_SIZES)), map(str, HIDDEN_LAYER_SIZES))
    ax.set_yticks(range(len(ACTIVATIONS)), map(str, ACTIVATIONS))
    ax.set(xlabel="hidden_layer_sizes", title="cross-validated accuracy")
    for i, j in np.ndindex(scores.shape):
        color = "black" if scores[i, j] > scores.min() / 2 + scores.max() / 2 else "white"
        ax.text(j, i, f"{scores[i, j]:.3f}", ha="center", va="center", color=color)
    plt.show()


if __name__ == "__main__" and find_spec("matplotlib"):
    draw_grid(search)

# %%
# Cross-validate each estimator on a data set that suits it.


def cross_validate(name, estimator, data, metric):
    """Return a row of the last table: five folds, with a scaler fitted to the training rows."""
    start = time.perf_counter()
    scores = cross_val_score(make_pipeline(StandardScaler(), estimator), *data, cv=5)
    print(f"cross-validated {name} in {time.perf_counter() - start:.1f} s")
    return f"{name:<42}{metric:>10}{scores.mean():>10.4f} +- {scores.std():.4f}"


if __name__ == "__main__":
    cancer, diabetes = load_breast_cancer(return_X_y=True), load_diabetes(return_X_y=True)
    binary = MLPBinaryClassifier((16,), activation="tanh", solver="lbfgs", alpha=1, random_state=0)
    regressor = MLPRegressor(
        hidden_layer_sizes=(8,),
        activation="tanh",
        solver="lbfgs",
        alpha=10,
        max_iter=1000,
        standardize_target=True,
        random_state=0,
    )
    rosenblatt = RosenblattPerceptron(weights="averaged", random_state=0)
    rows = [
        cross_validate("MLPBinaryClassifier on breast cancer", binary, cancer, "accuracy"),
        cross_validate("MLPRegressor on diabetes", regressor, diabetes, "R2"),
        cross_validate("RosenblattPerceptron on breast cancer", rosenblatt, cancer, "accuracy"),
    ]
    print(f"\n{'estimator':<42}{'metric':>10}{'mean':>10}    std")
    print("\n".join(rows))
