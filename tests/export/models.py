"""The models that tests store; ``python tests/export/models.py`` writes those of this version.

Files of released formats are kept: every version must read them.
"""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.activations import LeakyReLU
from skperceptron.model_selection import (
    StackedCrossEnsembleRegressor,
    StackedEnsembleClassifier,
    StackedGridSearchCV,
)
from skperceptron.tabular import TabularMLPClassifier

FOLDER = Path(__file__).parents[1] / "data" / "models_format_1"

RNG = np.random.RandomState(0)
X = RNG.normal(size=(60, 4))
Y = 1e5 * (X[:, 0] + 0.3 * X[:, 1] ** 2)
CODES = np.digitize(X[:, 0], [-0.5, 0.5])
NAMES = np.array(["low", "mid", "hoch"])[CODES]
LABELS = np.column_stack([X[:, 0] > 0, X[:, 1] > 0]).astype(int)
FRAME = pd.DataFrame(
    {
        "size": X[:, 0],
        "color": RNG.choice(["red", "blue", None], 60),
        "born": pd.to_datetime(RNG.randint(0, 9999, 60), unit="D"),
    }
)


def models():
    """Return fitted models by name, each with rows to predict."""
    short = {"max_iter": 4, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "huber": (
                MLPRegressor(
                    "huber", (5, 5), ["prelu", LeakyReLU(0.1)], normalization="batch", **short
                ).fit(X, Y),
                X,
            ),
            "categorical": (
                MLPRegressor(
                    hidden_layer_sizes=(5,), output="categorical", averaging="ema", **short
                ).fit(X, CODES),
                X,
            ),
            "bounded": (
                MLPRegressor(hidden_layer_sizes=(5,), output_range=(-1e6, 1e6), **short).fit(X, Y),
                X,
            ),
            "names": (
                MLPSoftmaxClassifier((5,), dropout=0.2, early_stopping=True, **short).fit(X, NAMES),
                X,
            ),
            "labels": (MLPBinaryClassifier((5,), loss="focal", **short).fit(X, LABELS), X),
            "perceptron": (
                RosenblattPerceptron(8, weights="averaged", random_state=0).fit(X, CODES),
                X,
            ),
            "pipeline": (
                make_pipeline(
                    OneHotEncoder(sparse_output=False, handle_unknown="ignore"),
                    StandardScaler(),
                    MLPBinaryClassifier((5,), dtype=np.float32, **short),
                ).fit(np.round(X), LABELS[:, 0]),
                np.round(X),
            ),
            "ensemble": (
                StackedEnsembleClassifier(
                    MLPSoftmaxClassifier((5,), **short), 2, random_state=0
                ).fit(X, CODES),
                X,
            ),
            "cross_ensemble": (
                StackedCrossEnsembleRegressor(
                    MLPRegressor(hidden_layer_sizes=(5,), **short),
                    {"alpha": [1e-4, 1.0]},
                    random_state=0,
                ).fit(X, Y),
                X,
            ),
            "table": (
                TabularMLPClassifier(
                    "fast", hidden_layer_sizes=(6,), max_epochs=2, random_state=0
                ).fit(FRAME, NAMES),
                FRAME,
            ),
            "search": (
                StackedGridSearchCV(
                    MLPSoftmaxClassifier((5,), **short), {"alpha": [1e-4, 1.0]}, cv=2, scoring=None
                ).fit(X, CODES),
                X,
            ),
        }


def predicted(model, rows):
    """Return probabilities if the model has any, otherwise predictions."""
    return getattr(model, "predict_proba", model.predict)(rows)


if __name__ == "__main__":
    from skperceptron.export import save

    FOLDER.mkdir(exist_ok=True)
    for name, (model, rows) in models().items():
        if name != "search":
            save(model, FOLDER / f"{name}.safetensors")
            np.save(FOLDER / f"{name}.npy", predicted(model, rows))
