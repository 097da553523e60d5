"""Time RosenblattPerceptron against scikit-learn's Perceptron: ``python -m benchmarks.perceptron``.

100,000 x 100, few and many mistakes. Seconds of an epoch; in brackets, the share of mistakes.
"""

from __future__ import annotations

import argparse
import time
import warnings
from statistics import median
from typing import Any

import numpy as np
from sklearn.linear_model import Perceptron

from skperceptron import RosenblattPerceptron

EPOCHS = 20
SHAPE = (100_000, 100)
#: Noise that makes the perceptron err on about a tenth and on almost half of the rows.
NOISES = {"few": 2.5, "many": 20.0}


def make_data(noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and classes of a noisy plane."""
    rng = np.random.RandomState(0)
    X = rng.standard_normal(SHAPE)
    scores = X @ rng.standard_normal(SHAPE[1])
    return X, (scores + noise * rng.standard_normal(SHAPE[0]) > 0).astype(int)


def seconds_of(estimator: Any, X: np.ndarray, y: np.ndarray) -> float:
    """Return the seconds of one fit per epoch."""
    start = time.perf_counter()
    estimator.fit(X, y)
    return (time.perf_counter() - start) / EPOCHS


def compare(noise: float, shuffle: bool, repeats: int) -> dict[str, float]:
    """Return median seconds of an epoch, ours and scikit-learn's, and the share of mistakes."""
    X, y = make_data(noise)
    ours = RosenblattPerceptron(0, max_iter=EPOCHS, shuffle=shuffle, random_state=0)
    theirs = Perceptron(max_iter=EPOCHS, tol=None, shuffle=shuffle, random_state=0)
    times = [(seconds_of(ours, X, y), seconds_of(theirs, X, y)) for _ in range(repeats)]
    a, b = (median(column) for column in zip(*times, strict=True))
    return {"skperceptron": a, "scikit-learn": b, "mistakes": ours.mistakes_[-1] / SHAPE[0]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    warnings.simplefilter("ignore")
    print("| mistakes | order | skperceptron | scikit-learn | ratio |\n|---|---|---|---|---|")
    for name, noise in NOISES.items():
        for shuffle in (False, True):
            found = compare(noise, shuffle, repeats)
            a, b, share = found["skperceptron"], found["scikit-learn"], found["mistakes"]
            order = "shuffled" if shuffle else "as given"
            print(f"| {name} ({share:.0%}) | {order} | {a:.3f} | {b:.3f} | {b / a:.2f} |")


if __name__ == "__main__":
    main()
