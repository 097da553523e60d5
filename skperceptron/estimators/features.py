"""Values of the last hidden layer, as features for another estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ..engine import Network
from ..engine.arrays import Floats
from .fitted import FittedNetwork, Outputs


def has_last_hidden_layer(estimator: Any) -> bool:
    """Tell ``available_if`` whether there is a single last hidden layer.

    If the estimator is fitted, its network decides, otherwise its parameters.
    """
    fitted = estimator._fitted_network()
    if fitted is None:
        is_shared = estimator.ensemble_size is not None
        has_hidden = len(np.atleast_1d(estimator.hidden_layer_sizes)) > 0
    else:
        is_shared = _has(fitted.network, "average")
        has_hidden = _has(fitted.network, "activation_1")
    name = type(estimator).__name__
    if is_shared:
        raise AttributeError(
            f"transform needs one last hidden layer, but the networks of this {name} share their"
            " weights and have one each: use ensemble_size=None."
        )
    if not has_hidden:
        raise AttributeError(
            f"transform returns the values of the last hidden layer, but this {name} has none:"
            " hidden_layer_sizes must not be empty."
        )
    return True


class HiddenFeaturesMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Makes a network a transformer: ``transform``, and the names of its columns."""

    def transform(self, X: Any) -> Floats:
        """Return the values of the last hidden layer, to be used as features.

        These are the values that the output layer receives from it: after the activation, and after
        a residual connection. Dropout is off. A network without hidden layers, or one with
        `ensemble_size`, has no such method.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to transform.

        Returns
        -------
        ndarray of shape (n_samples, ``hidden_layer_sizes[-1]``)
            In float32 if X is float32, else in float64; a table if ``set_output`` asks for one.
        """
        X = self._checked_to_predict(X)
        return self._hidden_part().raw_predictions(X)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the columns that `transform` returns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Not used: the names do not depend on those of the features.

        Returns
        -------
        ndarray of str objects
            The name of the class in lower case, followed by the position of the unit.
        """
        check_is_fitted(self)
        return super().get_feature_names_out(input_features)

    @property
    def _n_features_out(self) -> int:
        """Number of names that scikit-learn makes."""
        has_last_hidden_layer(self)
        return self._hidden_part().network.n_outputs

    def _hidden_part(self) -> FittedNetwork:
        """Return the fitted network without its output layer."""
        fitted = self._fitted_network()
        # Float32 is enough for hidden values, whatever the units of y.
        return FittedNetwork(fitted.network.hidden_part(), Outputs(), fitted.learned)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        if not hasattr(self, "transform"):
            tags.transformer_tags = None
        return tags


# Not in the class: when a class is made, scikit-learn wraps its methods for ``set_output``, and a
# wrapped method would exist for every estimator.
for _name in ("transform", "fit_transform", "get_feature_names_out"):
    setattr(
        HiddenFeaturesMixin,
        _name,
        available_if(has_last_hidden_layer)(getattr(HiddenFeaturesMixin, _name)),
    )


def _has(network: Network, name: str) -> bool:
    return any(node.name == name for node in network.nodes)
