"""Ensembles of equal networks from different seeds, trained as one stack."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    RegressorMixin,
    clone,
)
from sklearn.metrics import r2_score
from sklearn.utils import check_array, check_random_state, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from .._sklearn.checks import checking
from .._sklearn.compat import fit_context
from ..engine.arrays import Floats
from ..estimators.targets import Indicators, RegressionTarget, scored
from ..options import COUNT, N_JOBS, SEED, ChecksOptions, Having, Rules, plain, speaks_for_itself
from ._candidates import last_step, path_of
from ._parallel import fit_stacked

__all__ = ["StackedEnsembleClassifier", "StackedEnsembleRegressor"]


class _StackedEnsemble(ChecksOptions, MetaEstimatorMixin):
    """What both ensembles share: parameters, fit, the predictions of the members."""

    _parameter_constraints: dict[str, Rules] = {
        "estimator": [Having("an estimator with fit and predict", ("fit", "predict"))],
        "n_members": [COUNT],
        "n_jobs": N_JOBS,
        "random_state": SEED,
    }

    def __init__(self, estimator, n_members=10, *, n_jobs=None, random_state=None) -> None:
        self.estimator = estimator
        self.n_members = n_members
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, **params: Any) -> Any:
        """Fit all members to the data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        **params : dict of str -> object
            For the ``fit`` of the members, such as `sample_weight`; with metadata routing, what
            they request.

        Returns
        -------
        self : object
            Fitted ensemble.

        Raises
        ------
        ValueError
            If the data is invalid, or if the training of a member diverges.
        """
        if get_config()["enable_metadata_routing"]:
            params = process_routing(self, "fit", **params).estimator.fit
        rng = check_random_state(self.random_state)
        seeds = rng.randint(np.iinfo(np.int32).max, size=int(self.n_members))
        name = path_of(self.estimator) + "random_state"
        members = [clone(self.estimator).set_params(**{name: int(seed)}) for seed in seeds]
        self.estimators_ = fit_stacked(members, X, y, params, plain(self.n_jobs))
        first = self.estimators_[0]
        self.n_features_in_ = first.n_features_in_
        # Names of an earlier fit must not survive one without names.
        self.__dict__.pop("feature_names_in_", None)
        if hasattr(first, "feature_names_in_"):
            self.feature_names_in_ = first.feature_names_in_
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """Tell which metadata the members take.

        Returns
        -------
        MetadataRouter
            See scikit-learn's user guide on metadata routing.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=type(self).__name__)
        return router.add(estimator=self.estimator, method_mapping=mapping)

    def _of_members(self, method: str, X: Any) -> Floats:
        """Return what a method of each member makes of X, (M, n_samples, ...)."""
        check_is_fitted(self)
        return np.stack([getattr(member, method)(X) for member in self.estimators_])

    def _target_of_members(self) -> Any:
        """Return what the members' networks are asked for; None if they are no networks."""
        return getattr(last_step(self.estimators_[0]), "_target", None)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        of_member = get_tags(self.estimator)
        tags.classifier_tags = deepcopy(of_member.classifier_tags)
        tags.regressor_tags = deepcopy(of_member.regressor_tags)
        tags.target_tags = deepcopy(of_member.target_tags)
        tags.input_tags = deepcopy(of_member.input_tags)
        return tags


@speaks_for_itself
class StackedEnsembleClassifier(_StackedEnsemble, ClassifierMixin, BaseEstimator):
    """Average of classifiers that differ in their seeds only, trained as one stack.

    Members start from other weights and see their rows in another order; their average is
    usually more accurate than any of them, its probabilities are better calibrated, and their
    disagreement tells where the ensemble is on thin ice (Lakshminarayanan et al. 2017).

    Parameters
    ----------
    estimator : estimator object
        One of the multi-layer perceptrons that classify, or a pipeline that ends in one.

    n_members : int, default=10
        Number of networks.

    n_jobs : int, default=None
        Number of workers. Each trains a stack of its own.

    random_state : int, RandomState instance or None, default=None
        Seed of the members' seeds; the estimator's own `random_state` is not used.

    Attributes
    ----------
    estimators_ : list of estimators
        The fitted members. Those of a pipeline share their transformers.

    classes_ : ndarray of shape (n_classes,)
        Class labels.

    n_features_in_ : int
        Number of features seen by `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if X has names.

    See Also
    --------
    StackedEnsembleRegressor : For numbers.

    References
    ----------
    Lakshminarayanan, Pritzel & Blundell (2017), Simple and scalable predictive uncertainty
    estimation using deep ensembles. NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.model_selection import StackedEnsembleClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPSoftmaxClassifier((8,), batch_size=32, max_iter=30, tol=0,
    ...                                learning_rate_init=0.05)
    >>> ensemble = StackedEnsembleClassifier(network, n_members=5, random_state=0).fit(X, y)
    >>> mean, std = ensemble.predict_proba(X[:2], return_std=True)
    >>> mean.shape, std.shape
    ((2, 3), (2, 3))
    """

    @property
    def classes_(self) -> Any:
        """Class labels."""
        return self.estimators_[0].classes_

    def predict(self, X: Any) -> Any:
        """Predict the labels that are most probable on average.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Predicted labels. A CSR matrix after a fit to a sparse one.
        """
        probability = self.predict_proba(X)
        target = self._target_of_members()
        if isinstance(target, Indicators):
            return target.shown(probability > 0.5)
        return self.classes_[probability.argmax(axis=1)]

    def predict_proba(self, X: Any, return_std: bool = False) -> Any:
        """Estimate probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        return_std : bool, default=False
            Whether the spread over the members is returned too.

        Returns
        -------
        mean : ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            Mean probability of each class or label.

        std : ndarray of the same shape
            Standard deviation over the members; only if `return_std`.
        """
        probabilities = self.predict_members(X)
        mean = probabilities.mean(axis=0)
        return (mean, probabilities.std(axis=0)) if return_std else mean

    def predict_log_proba(self, X: Any) -> Floats:
        """Return the logarithm of `predict_proba`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            Log-probabilities.
        """
        return np.log(self.predict_proba(X))

    def predict_members(self, X: Any) -> Floats:
        """Return each member's probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_members, n_samples, n_classes)
            One estimate per member; with several labels per row, one column per label.
        """
        return self._of_members("predict_proba", X)


@speaks_for_itself
class StackedEnsembleRegressor(_StackedEnsemble, RegressorMixin, BaseEstimator):
    """Average of regressors that differ in their seeds only, trained as one stack.

    Members start from other weights and see their rows in another order; their average is
    usually more accurate than any of them, and their spread tells where the ensemble does not
    know (Lakshminarayanan et al. 2017).

    Parameters
    ----------
    estimator : estimator object
        A :class:`~skperceptron.MLPRegressor`, or a pipeline that ends in one.

    n_members : int, default=10
        Number of networks.

    n_jobs : int, default=None
        Number of workers. Each trains a stack of its own.

    random_state : int, RandomState instance or None, default=None
        Seed of the members' seeds; the estimator's own `random_state` is not used.

    Attributes
    ----------
    estimators_ : list of estimators
        The fitted members. Those of a pipeline share their transformers.

    n_features_in_ : int
        Number of features seen by `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if X has names.

    See Also
    --------
    StackedEnsembleClassifier : For labels.

    References
    ----------
    Lakshminarayanan, Pritzel & Blundell (2017), Simple and scalable predictive uncertainty
    estimation using deep ensembles. NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skperceptron import MLPRegressor
    >>> from skperceptron.model_selection import StackedEnsembleRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = MLPRegressor(hidden_layer_sizes=(8,), batch_size=32, max_iter=30, tol=0,
    ...                        learning_rate_init=0.05)
    >>> ensemble = StackedEnsembleRegressor(network, n_members=5, random_state=0).fit(X, y)
    >>> mean, std = ensemble.predict(X[:2], return_std=True)
    >>> mean.shape, std.shape
    ((2,), (2,))
    """

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predict the mean of the members' predictions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        return_std : bool, default=False
            Whether the spread over the members is returned too.

        Returns
        -------
        mean : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Mean prediction.

        std : ndarray of the same shape
            Standard deviation over the members; only if `return_std`.
        """
        predictions = self.predict_members(X)
        # Sums of large predictions overflow. Powers of two round nothing.
        exponent = np.frexp(np.abs(predictions).max(axis=0))[1]
        scaled = np.ldexp(predictions, -exponent)
        mean = np.ldexp(scaled.mean(axis=0), exponent)
        return (mean, np.ldexp(scaled.std(axis=0), exponent)) if return_std else mean

    def predict_members(self, X: Any) -> Floats:
        """Return each member's predictions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_members, n_samples) or (n_members, n_samples, n_outputs)
            One prediction per member.
        """
        return self._of_members("predict", X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return how good the mean prediction is, whatever the units of y are.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            As the members score: R2, or D2 where they predict quantiles; at most 1.
        """
        predicted = self.predict(X)
        with checking():
            y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        target = self._target_of_members()
        if isinstance(target, RegressionTarget):
            return target.measure(y, predicted, sample_weight)
        return scored(r2_score, y, predicted, sample_weight)
