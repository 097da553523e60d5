"""Transformer methods of a search whose best estimator transforms rows."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted


def best_has(name: str) -> Callable[[Any], bool]:
    """Return a check for ``available_if``: whether the best estimator has a method of this name.

    Before ``fit``, the estimator of the search is checked instead. The combination that
    ``refit="ensemble"`` returns has no hidden layer of its own.
    """

    def check(search: Any) -> bool:
        if not search.refit:
            # The message is scikit-learn's.
            raise AttributeError(
                f"This {type(search).__name__} instance was initialized with `refit=False`. {name}"
                " is available only after refitting on the best parameters: use refit=True."
            )
        if search._makes_ensemble():
            raise AttributeError(
                f"{name} is that of the best estimator, but refit={search.refit!r} returns a"
                " combination, which has no hidden layer: use refit=True."
            )
        getattr(getattr(search, "best_estimator_", search.estimator), name)
        return True

    return check


class TransformsAsBest:
    """Lets a search delegate all transformer methods to its best estimator.

    scikit-learn's searches delegate ``transform``, but neither ``get_feature_names_out`` nor
    ``set_output``.
    """

    estimator: Any
    best_estimator_: Any

    def _makes_ensemble(self) -> bool:
        return False

    @available_if(best_has("transform"))
    def transform(self, X: Any) -> Any:
        """Call ``transform`` of the best estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to transform.

        Returns
        -------
        {ndarray, DataFrame} of shape (n_samples, n_features_out)
            For a network, the values of its last hidden layer.
        """
        check_is_fitted(self)
        return self.best_estimator_.transform(X)

    @available_if(best_has("transform"))
    def fit_transform(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Fit the search and transform the same rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets.

        **params : dict of str -> object
            Passed to ``fit``.

        Returns
        -------
        {ndarray, DataFrame} of shape (n_samples, n_features_out)
            What `transform` returns.
        """
        return self.fit(X, y, **params).transform(X)  # type: ignore[attr-defined]

    @available_if(best_has("get_feature_names_out"))
    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the columns that `transform` of the best estimator returns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X, if that estimator needs them.

        Returns
        -------
        ndarray of str objects
            One name per column.
        """
        check_is_fitted(self)
        return self.best_estimator_.get_feature_names_out(input_features)

    @available_if(best_has("set_output"))
    def set_output(self, *, transform: Any = None) -> Any:
        """Choose what `transform` returns, as scikit-learn's pipelines do.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            The kind of table; None changes nothing.

        Returns
        -------
        self : object
            The search itself.
        """
        self.estimator.set_output(transform=transform)
        if hasattr(self, "best_estimator_"):
            self.best_estimator_.set_output(transform=transform)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        if hasattr(self, "transform"):
            tags.transformer_tags = deepcopy(get_tags(self.estimator).transformer_tags)
        return tags
