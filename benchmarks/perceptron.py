"""RosenblattPerceptron against scikit-learn's Perceptron: few and many mistakes."""

from __future__ import annotations

from functools import partial

import numpy as np
from sklearn.linear_model import Perceptron

from skperceptron import RosenblattPerceptron

from .measuring import Figures, Options, Table, medians, seconds_of

EPOCHS = 20
#: Noise with which the perceptron errs on about a tenth or on almost half of the rows.
NOISES = {"few": 2.5, "many": 20.0}


def tables(options: Options) -> list[Table]:
    """Measure milliseconds per epoch."""
    shape = (2_000, 20) if options.quick else (100_000, 100)
    rows: Figures = {}
    for noise in NOISES.values():
        X, y = make_data(noise, shape)
        for shuffle in (False, True):
            common = {"shuffle": shuffle, "random_state": 0}
            ours = RosenblattPerceptron(0, max_iter=EPOCHS, **common)
            theirs = Perceptron(max_iter=EPOCHS, tol=None, **common)
            runs = {
                name: partial(seconds_of, partial(estimator.fit, X, y))
                for name, estimator in (("skperceptron", ours), ("scikit-learn", theirs))
            }
            found = medians(options.chosen(runs), options.repeats)
            order = "shuffled" if shuffle else "as given"
            name = f"{ours.mistakes_[-1] / shape[0]:.0%} mistakes, {order}"
            rows[name] = {peer: 1e3 * time / EPOCHS for peer, time in found.items()}
    title = f"Perceptron, {shape[0]:,} x {shape[1]}: milliseconds per epoch"
    return [Table("perceptron", title, "case", rows)]


def make_data(noise: float, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return random rows and their classes: the sides of a plane, with noise."""
    rng = np.random.RandomState(0)
    X = rng.standard_normal(shape)
    scores = X @ rng.standard_normal(shape[1])
    return X, (scores + noise * rng.standard_normal(shape[0]) > 0).astype(int)
