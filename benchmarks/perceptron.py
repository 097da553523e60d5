"""RosenblattPerceptron compared with scikit-learn's Perceptron: fits and predictions."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.linear_model import Perceptron
from sklearn.preprocessing import StandardScaler

from skperceptron import RosenblattPerceptron

from .measuring import OURS, Options, Results, Table, medians, seconds_of

EPOCHS = 20
#: Noise for which the perceptron is wrong on about a tenth or almost half of the rows.
NOISES = {"few": 2.5, "many": 20.0}

#: Epochs of a small fit, and how often it is repeated to be measured.
SHORT, LONG = 5, 100
CALLS = 21
#: How often a prediction is repeated.
PREDICTIONS = 101


def tables(options: Options) -> list[Table]:
    """Measure milliseconds per epoch, and of whole fits of few rows."""
    return [_large(options), _small(options), _predictions(options)]


def _large(options: Options) -> Table:
    shape = (2_000, 20) if options.quick else (100_000, 100)
    rows: Results = {}
    for noise in NOISES.values():
        X, y = make_data(noise, shape)
        for shuffle in (False, True):
            ours, theirs = _both(EPOCHS, shuffle)
            found = _measured(options, (ours, theirs), "fit", (X, y))
            name = f"{ours.mistakes_[-1] / shape[0]:.0%} mistakes, {_order(shuffle)}"
            rows[name] = {peer: 1e3 * time / EPOCHS for peer, time in found.items()}
    title = f"Perceptron, {shape[0]:,} x {shape[1]}: milliseconds per epoch"
    return Table("perceptron", title, "case", rows)


def _small(options: Options) -> Table:
    calls = 1 if options.quick else CALLS
    rows: Results = {}
    for name, (X, y) in small_data().items():
        for epochs in (SHORT, LONG):
            for shuffle in (False, True):
                ours, theirs = _both(epochs, shuffle)
                found = _measured(options, (ours, theirs), "fit", (X, y), calls)
                case = f"{name}, at most {epochs} epochs, {_order(shuffle)}"
                rows[case] = {peer: 1e3 * time for peer, time in found.items()}
    title = "Perceptron, few rows: milliseconds of a fit"
    return Table("perceptron_small", title, "case", rows)


def _predictions(options: Options) -> Table:
    rows: Results = {}
    for name, (X, y) in small_data().items():
        ours, theirs = _both(SHORT, shuffle=True)
        for model in (ours, theirs):
            model.fit(X, y)
        for n_rows in (1, 20):
            found = _measured(options, (ours, theirs), "predict", (X[:n_rows],), PREDICTIONS)
            case = f"{name}, {n_rows} row{'s' * (n_rows > 1)}"
            rows[case] = {peer: 1e6 * time for peer, time in found.items()}
    title = "Perceptron, few rows: microseconds of a prediction"
    return Table("perceptron_predictions", title, "case", rows)


def _both(epochs: int, shuffle: bool) -> tuple[RosenblattPerceptron, Perceptron]:
    common: dict[str, Any] = {"max_iter": epochs, "shuffle": shuffle, "random_state": 0}
    return RosenblattPerceptron(0, **common), Perceptron(tol=None, **common)


def _order(shuffle: bool) -> str:
    return "shuffled" if shuffle else "as given"


def _measured(
    options: Options,
    models: tuple[RosenblattPerceptron, Perceptron],
    method: str,
    data: tuple[Any, ...],
    calls: int = 1,
) -> dict[str, float]:
    """Return the seconds of a call, for our perceptron and scikit-learn's."""
    runs = {
        name: partial(seconds_of, partial(getattr(model, method), *data), calls)
        for name, model in zip((OURS, "scikit-learn"), models, strict=True)
    }
    return medians(options.chosen(runs), options.repeats)


def make_data(noise: float, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return random rows and their classes, the sides of a hyperplane with noise."""
    rng = np.random.RandomState(0)
    X = rng.standard_normal(shape)
    scores = X @ rng.standard_normal(shape[1])
    return X, (scores + noise * rng.standard_normal(shape[0]) > 0).astype(int)


def small_data() -> dict[str, tuple[Any, np.ndarray]]:
    """Return small data sets, by names that state their shapes."""
    loaders = {
        "iris (150 x 4, 3 classes)": load_iris,
        "wine (178 x 13, 3 classes)": load_wine,
        "breast cancer (569 x 30)": load_breast_cancer,
    }
    found: dict[str, tuple[Any, np.ndarray]] = {}
    for name, load in loaders.items():
        X, y = load(return_X_y=True)
        found[name] = StandardScaler().fit_transform(X), y
    found["noise (2,000 x 20)"] = make_data(NOISES["few"], (2_000, 20))
    rng = np.random.RandomState(0)
    for n_rows in (200, 2_000):
        X = sparse.random(n_rows, 1_000, 0.01, format="csr", random_state=rng)
        found[f"sparse ({n_rows:,} x 1,000)"] = X, rng.randint(0, 2, n_rows)
    return found
