"""Ensembles of equal networks from different seeds, trained as one stack."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metadata_routing import process_routing

from .._sklearn.compat import fit_context
from .._sklearn.pipelines import last_step, path_of, seed_transformers
from ..callbacks.autologging import autologged
from ..engine.arrays import Floats
from ..estimators.docs import documented
from ..estimators.targets import Indicators
from ..options import COUNT, Rules, plain, speaks_for_itself
from ._docs import FEATURES, MEMBERS
from ._ensemble_base import (
    BaseEnsemble,
    EnsembleClassifierMixin,
    EnsembleRegressorMixin,
    deviation_of,
    mean_of,
)
from ._fits import curves_of
from ._members import Job, Part, fit_members
from ._outputs import check_kind, refuse_without
from ._transforming import own_rows


class _StackedEnsemble(BaseEnsemble):
    """Base of both ensembles: parameters, fit, the predictions of the members."""

    _parameter_constraints: dict[str, Rules] = {
        **BaseEnsemble._parameter_constraints,
        "n_members": [COUNT],
    }

    #: The method of the members whose results are averaged.
    _method: ClassVar[str]

    def __init__(
        self,
        estimator,
        n_members=10,
        *,
        n_jobs=None,
        random_state=None,
        verbose=0,
        callbacks=None,
    ) -> None:
        self.estimator = estimator
        self.n_members = n_members
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> Any:
        """Fit all members to the data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. Without metadata routing, the last step of a pipeline gets them.

        **params : dict of str -> object
            Passed to the ``fit`` of the members; with metadata routing, what they request.

        Returns
        -------
        self : object
            Fitted ensemble.

        Raises
        ------
        ValueError
            If members cannot be averaged, the data is invalid, or the training of a member
            diverges.
        """
        self._refuse_what_is_not_averaged()
        params = self._with_weight(sample_weight, params)
        if get_config()["enable_metadata_routing"]:
            params = dict(process_routing(self, "fit", **params).estimator.fit)
        rng = check_random_state(self.random_state)
        *seeds, shared = rng.randint(np.iinfo(np.int32).max, size=int(self.n_members) + 1).tolist()
        estimator = clone(self.estimator)
        # Members share their transformers.
        seed_transformers(estimator, shared)
        members = [clone(estimator).set_params(**{self._seed_name: seed}) for seed in seeds]
        jobs = [Job(member, number=i) for i, member in enumerate(members, start=1)]
        with autologged(self, X, _curves_of_members):
            with self._telling(jobs, X, y, params):
                part, verbose = Part(X, y, params), int(self.verbose)
                found = fit_members(jobs, [part], plain(self.n_jobs), verbose)
            self.estimators_ = [member.estimator for member in found]
            self._describe_features()
        return self

    def _refuse_what_is_not_averaged(self) -> None:
        """Raise ValueError if members would be of another kind than the ensemble, or all equal."""
        check_kind(type(self).__name__, self.estimator, get_tags(self).estimator_type)
        if self._seed_name not in self.estimator.get_params():
            raise ValueError(
                f"The members of {type(self).__name__} differ in their random_state, but"
                f" {type(last_step(self.estimator)).__name__} has no such parameter."
            )
        refuse_without(type(self).__name__, self.estimator, self._method)

    @property
    def _seed_name(self) -> str:
        """The name of the parameter in which members differ."""
        return path_of(self.estimator) + "random_state"

    def predict_members(self, X: Any) -> Floats:
        """Return each member's predictions: those of a classifier are probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_members, n_samples) or (n_members, n_samples, n_outputs)
            One prediction per member; of probabilities, one column per class or label.
        """
        members = self._fitted_members()
        return np.stack([getattr(m, self._method)(own_rows(m, X)) for m in members])


@speaks_for_itself
@documented(members=MEMBERS, features=FEATURES)
class StackedEnsembleClassifier(EnsembleClassifierMixin, _StackedEnsemble, BaseEstimator):
    """Average of classifiers that differ in their seeds only, trained as one stack.

    Members start from different weights and see their rows in different orders. Their average is
    usually more accurate than any of them, its probabilities are better calibrated, and their
    disagreement shows where predictions are uncertain (Lakshminarayanan et al. 2017).

    Parameters
    ----------
    estimator : estimator object
        One of the multi-layer perceptrons that classify, or a pipeline that ends in one.

    {members}

    Attributes
    ----------
    estimators_ : list of estimators
        The fitted members. If they are pipelines, they share their transformers.

    classes_ : ndarray of shape (n_classes,)
        Class labels.

    {features}

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
    >>> network = MLPSoftmaxClassifier((8,), batch_size=32, learning_rate="cosine", max_iter=30,
    ...                                tol=0, learning_rate_init=0.05)
    >>> ensemble = StackedEnsembleClassifier(network, n_members=5, random_state=0).fit(X, y)
    >>> mean, std = ensemble.predict_proba(X[:2], return_std=True)
    >>> mean.shape, std.shape
    ((2, 3), (2, 3))
    """

    _method = "predict_proba"

    @property
    def classes_(self) -> Any:
        """Class labels."""
        return self._fitted_members()[0].classes_

    def predict_proba(self, X: Any, return_std: bool = False) -> Any:
        probabilities = self.predict_members(X)
        mean = probabilities.mean(axis=0)
        return (mean, probabilities.std(axis=0)) if return_std else mean

    def _labels_were(self) -> tuple[bool, bool]:
        target = self._target_of_members()
        return isinstance(target, Indicators), getattr(target, "is_sparse", False)


@speaks_for_itself
@documented(members=MEMBERS, features=FEATURES)
class StackedEnsembleRegressor(EnsembleRegressorMixin, _StackedEnsemble, BaseEstimator):
    """Average of regressors that differ in their seeds only, trained as one stack.

    Members start from different weights and see their rows in different orders. Their average is
    usually more accurate than any of them, and their spread shows where predictions are uncertain
    (Lakshminarayanan et al. 2017).

    Parameters
    ----------
    estimator : estimator object
        An :class:`~skperceptron.MLPRegressor`, or a pipeline that ends in one.

    {members}

    Attributes
    ----------
    estimators_ : list of estimators
        The fitted members. If they are pipelines, they share their transformers.

    {features}

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
    >>> network = MLPRegressor(hidden_layer_sizes=(8,), batch_size=32, learning_rate="cosine",
    ...                        learning_rate_init=0.05, max_iter=30, tol=0)
    >>> ensemble = StackedEnsembleRegressor(network, n_members=5, random_state=0).fit(X, y)
    >>> mean, std = ensemble.predict(X[:2], return_std=True)
    >>> mean.shape, std.shape
    ((2,), (2,))
    """

    _method = "predict"

    def predict(self, X: Any, return_std: bool = False) -> Any:
        predictions = self.predict_members(X)
        mean = mean_of(predictions)
        return (mean, deviation_of(predictions)) if return_std else mean


def _curves_of_members(ensemble: _StackedEnsemble) -> dict[str, Floats]:
    return {
        f"member{i}_{name}": curve
        for i, member in enumerate(ensemble.estimators_)
        for name, curve in curves_of(member).items()
    }
