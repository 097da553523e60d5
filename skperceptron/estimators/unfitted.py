"""The network that a fit would train, as far as it is known before the fit."""

from __future__ import annotations

import warnings
from typing import Any

from ..engine import Network
from ..losses import get_loss
from .choices import Wiring
from .classifiers import MLPBinaryClassifier, MLPSoftmaxClassifier
from .drop_in import MLPClassifier
from .regressor import MLPRegressor
from .targets import RegressionOptions, asks_for_order, kind_of_target


def unfitted_network(estimator: Any, n_features: int, n_outputs: int | None) -> tuple[Network, str]:
    """Wire the network of an estimator that is not fitted; return it and the name of its link.

    The estimator's parameters have been checked. None outputs means the usual number; raises
    ValueError if there is none.
    """
    usual, link = _outputs(estimator, n_outputs)
    n_outputs = n_outputs or usual
    if n_outputs is None:
        raise ValueError(f"This {type(estimator).__name__} is not fitted: n_outputs must be given.")
    if estimator.categorical_features is not None:
        raise ValueError(
            f"This {type(estimator).__name__} is not fitted: how many categories"
            f" categorical_features={estimator.categorical_features!r} embeds is known after fit."
        )
    with warnings.catch_warnings():
        # The warning that a threshold does not learn is for training.
        warnings.simplefilter("ignore", UserWarning)
        return estimator._build_network(Wiring.of(estimator), n_features, n_outputs), link


def _outputs(estimator: Any, n_outputs: int | None) -> tuple[int | None, str]:
    """Return the usual number of outputs, if there is one, and the name of the link."""
    if isinstance(estimator, MLPRegressor):
        asked = RegressionOptions.of(estimator)
        return kind_of_target(asked).usual_outputs(asked)
    is_binary = isinstance(estimator, MLPBinaryClassifier)
    # y decides between the two; a single output can only be a sigmoid.
    may_be_binary = isinstance(estimator, MLPClassifier) and n_outputs == 1
    if isinstance(estimator, MLPSoftmaxClassifier) and asks_for_order(estimator.loss):
        return None, get_loss(estimator.loss, "ordinal").out_activation
    loss = get_loss(estimator.loss, "binary" if is_binary or may_be_binary else "multiclass")
    return 1 if is_binary else None, loss.out_activation
