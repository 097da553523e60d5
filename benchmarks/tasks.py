"""Tasks that compare two checkouts; they use only the package's public names.

Run as a script, it reads names of tasks from standard input and prints the processor seconds of
each. All tasks run in one thread; other programs affect processor time less than wall time.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

Task = Callable[[], object]

#: Rows, features, classes, hidden layers, rows per batch, epochs.
TRAINED: dict[str, tuple[int, int, int, tuple[int, ...], int, int]] = {
    "tiny": (1_000, 10, 2, (16,), 32, 30),
    "small": (2_000, 20, 5, (32,), 32, 15),
    "digits": (1_797, 64, 10, (100,), 200, 20),
    "medium": (20_000, 50, 5, (100,), 200, 2),
    "mnist": (4_000, 784, 10, (256, 128), 128, 2),
}
DTYPES = ("float64", "float32")
#: Number of rows, and calls per task.
PREDICTED = {1: 500, 1_000: 40, 20_000: 2}
GRID = {"activation": ["relu", "tanh"], "hidden_layer_sizes": [(8,), (16,), (8, 8)]}


def data(n_rows: int, n_features: int, n_classes: int, dtype: str) -> tuple[Any, Any]:
    """Return random rows with classes that a network can learn."""
    rng = np.random.RandomState(0)
    X = rng.standard_normal((n_rows, n_features))
    return X.astype(dtype), (X @ rng.standard_normal((n_features, n_classes))).argmax(axis=1)


def training(case: str, dtype: str, **options: Any) -> Task:
    """Return a fit with Adam, or the solver in the options, without early stopping."""
    from skperceptron import MLPSoftmaxClassifier

    n_rows, n_features, n_classes, hidden, batch_size, epochs = TRAINED[case]
    X, y = data(n_rows, n_features, n_classes, dtype)
    network = MLPSoftmaxClassifier(
        hidden,
        batch_size=batch_size,
        tol=0,
        n_iter_no_change=epochs + 1,
        random_state=0,
        **({"max_iter": epochs} | options),
    )
    return lambda: network.fit(X, y)


def prediction(n_rows: int, dtype: str) -> Task:
    """Return calls of ``predict_proba`` with ten classes."""
    network = training("digits", dtype, max_iter=2)()
    X = np.random.RandomState(1).standard_normal((n_rows, 64)).astype(dtype)
    calls = PREDICTED[n_rows]
    return lambda: [network.predict_proba(X) for _ in range(calls)]


def search() -> Task:
    """Return a stacked search of six candidates with five folds."""
    from sklearn.datasets import load_iris

    from skperceptron import MLPSoftmaxClassifier
    from skperceptron.model_selection import StackedGridSearchCV

    X, y = load_iris(return_X_y=True)
    network = MLPSoftmaxClassifier(max_iter=30, batch_size=32, random_state=0)
    return lambda: StackedGridSearchCV(network, GRID, refit=False).fit(X, y)


def tasks() -> dict[str, Callable[[], Task]]:
    """Return a function that makes the task, for each name."""
    makers: dict[str, Callable[[], Task]] = {}
    for dtype in DTYPES:
        for case in TRAINED:
            makers[f"training, {case}, {dtype}"] = lambda c=case, d=dtype: training(c, d)
        for n in PREDICTED:
            makers[f"prediction, {n:,} rows, {dtype}"] = lambda n=n, d=dtype: prediction(n, d)
    makers["L-BFGS, digits"] = lambda: training("digits", "float64", solver="lbfgs", max_iter=10)
    makers["SGD, small"] = lambda: training("small", "float64", solver="sgd")
    makers["search, iris, 30 fits"] = search
    return makers


NAMES = tuple(tasks())


def main() -> None:
    """Run the task named on each line of standard input and print its seconds."""
    warnings.simplefilter("ignore")
    made = cache(lambda name: tasks()[name]())
    for line in sys.stdin:
        task = made(line.rstrip("\n"))
        start = time.process_time()
        task()
        print(time.process_time() - start, flush=True)


if __name__ == "__main__":
    main()
