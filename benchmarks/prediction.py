"""``predict_proba`` on 1, 1,000 and 100,000 rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import product

import numpy as np

from .cases import CASES, Case
from .measuring import OURS, Options, Results, Table, medians, ratio_to, seconds_of
from .peers import jax_predictor, limit_threads, pytorch_predictor

#: Number of rows, and calls per measurement.
SIZES = {1: 300, 1_000: 20, 100_000: 1}


def tables(options: Options) -> list[Table]:
    """Measure microseconds per call."""
    rows: Results = {}
    for name, dtype in product(("digits", "mnist"), ("float64", "float32")):
        rows |= microseconds_of(CASES[name], dtype, options)
    ratios = ratio_to("scikit-learn", rows, "ours / scikit-learn")
    title = "Prediction, predict_proba: microseconds per call"
    return [Table("prediction", title, "network and rows", rows, ratios)]


def microseconds_of(case: Case, dtype: str, options: Options) -> Results:
    """Measure the calls of all peers, for each number of rows."""
    rows, predict = {}, predictors(case, dtype, options)
    for n_rows, calls in SIZES.items():
        n_rows = min(n_rows, 2_000) if options.quick else n_rows
        X = np.random.RandomState(0).standard_normal((n_rows, case.n_features)).astype(dtype)
        runs = {peer: partial(seconds_of, partial(f, X), calls) for peer, f in predict.items()}
        found = medians(runs, options.repeats)
        name = f"{case.name}, {dtype}, {n_rows:,} row{'s' * (n_rows > 1)}"
        rows[name] = {peer: 1e6 * time for peer, time in found.items()}
    return rows


def predictors(
    case: Case, dtype: str, options: Options
) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Return each peer's function for probabilities, after training on X of this dtype."""
    makers: dict[str, Callable] = {
        OURS: partial(fitted, "skperceptron", "MLPSoftmaxClassifier"),
        "scikit-learn": partial(fitted, "sklearn.neural_network", "MLPClassifier"),
    }
    if find_spec("torch"):
        limit_threads(options.threads)
        makers["PyTorch"] = pytorch_predictor
    if find_spec("jax") and dtype == "float32":
        makers["JAX"] = jax_predictor
    return {name: make(case, dtype) for name, make in options.chosen(makers).items()}


def fitted(module: str, name: str, case: Case, dtype: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return ``predict_proba`` of an estimator after a short fit."""
    estimator = getattr(import_module(module), name)(case.hidden, max_iter=1, random_state=0)
    return estimator.fit(*case.shrunk().data(dtype)).predict_proba
