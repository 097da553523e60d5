"""The private attributes of scikit-learn's fitted networks."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import LabelBinarizer

#: Whether the installed scikit-learn's regressor knows the Poisson loss (1.7 and newer).
KNOWS_POISSON = "loss" in MLPRegressor().get_params()


def let_predict(theirs: Any, classes: Any, *, is_multilabel: bool) -> None:
    """Set what scikit-learn's classifier needs to turn probabilities into labels.

    ``classes`` are its labels, or the positions of several labels per row.
    """
    told = np.eye(len(classes), dtype=int) if is_multilabel else classes
    theirs._label_binarizer = LabelBinarizer().fit(told)
    theirs.classes_ = classes


def let_go_on(theirs: Any) -> None:
    """Set what scikit-learn's ``partial_fit`` and warm start need to go on from the weights."""
    theirs._no_improvement_count = 0
