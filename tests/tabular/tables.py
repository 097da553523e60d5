"""A small table of all kinds of columns, and small estimators for it."""

from datetime import date, timedelta

import numpy as np
import pytest

from skperceptron.tabular import TabularMLPClassifier, TabularMLPRegressor

pd = pytest.importorskip("pandas")
SMALL = {"n_folds": 2, "arms": 1, "hidden_layer_sizes": (8,), "max_epochs": 15, "random_state": 0}
BOTH = pytest.mark.parametrize("cls", [TabularMLPClassifier, TabularMLPRegressor])


def small(cls=TabularMLPClassifier, **parameters):
    return cls(**{**SMALL, **parameters})


def frame(n=120, seed=0):
    """Return a frame of all kinds of columns, and labels that follow from two of them."""
    rng = np.random.RandomState(seed)
    size, color = rng.normal(size=n), rng.choice(["red", "green", "blue"], n)
    y = np.where((color == "red") | (size > 0.5), "yes", "no")
    X = pd.DataFrame(
        {
            "size": np.where(rng.rand(n) < 0.1, np.nan, size),
            "color": pd.Series(color, dtype=object).where(rng.rand(n) > 0.1, None),
            "kind": pd.Categorical(rng.choice(["a", "b"], n)),
            "known": rng.rand(n) < 0.5,
            "day": [date(2024, 1, 1) + timedelta(int(d)) for d in rng.randint(400, size=n)],
            "empty": np.full(n, np.nan),
            "constant": np.full(n, 7.0),
        }
    )
    X["day"] = pd.to_datetime(X["day"])
    return X, y


def target_of(cls, y):
    return y if cls is TabularMLPClassifier else (y == "yes") * 1000.0 - 500
