"""What all ensembles share: routing, names of features, labels from probabilities, scores."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np
from scipy import sparse
from sklearn import get_config
from sklearn.base import ClassifierMixin, MetaEstimatorMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import UNUSED, MetadataRouter, MethodMapping
from sklearn.utils.validation import check_is_fitted

from .._sklearn.checks import check_numbers, take_over_features
from .._sklearn.compat import CallbackSupportMixin
from .._sklearn.estimators import PackageEstimator
from .._sklearn.labels import LogProbabilityMixin, labels_to_compare
from .._sklearn.pipelines import last_step, path_of
from ..callbacks.listening import CALLBACKS, listening
from ..callbacks.placing import refuse_single_fits
from ..engine.arrays import Floats
from ..estimators.base import BaseMultilayerPerceptron
from ..estimators.fitted import fitted_network
from ..estimators.notebook import NotebookMixin
from ..estimators.targets import RegressionTarget, likeliest, scored
from ..options import N_JOBS, SEED, VERBOSITY, ChecksOptions, HasMethods, Rules
from ._members import Job
from ._outputs import are_rows_of_probabilities


def mean_of(predictions: Any) -> Floats:
    """Return the mean over the first axis; sums of very large predictions do not overflow."""
    predictions = np.asarray(predictions)
    most = np.finfo(np.result_type(predictions, np.float32)).max / len(predictions)
    # Usually no scaling is needed. It takes several times as long, but changes no bits.
    if np.abs(predictions).max(initial=0) < most:
        return predictions.mean(axis=0)
    scaled, exponent = scaled_down(predictions)
    return np.ldexp(scaled.mean(axis=0), exponent)


def deviation_of(predictions: Any) -> Floats:
    """Return the standard deviation over the first axis; squares do not overflow."""
    scaled, exponent = scaled_down(predictions)
    return np.ldexp(scaled.std(axis=0), exponent)


def scaled_down(predictions: Any) -> tuple[Floats, Any]:
    """Return numbers scaled to at most 1 by powers of two, without rounding, and the exponents."""
    exponent = np.frexp(np.abs(predictions).max(axis=0))[1]
    return np.ldexp(predictions, -exponent), exponent


class BaseEnsemble(
    NotebookMixin, ChecksOptions, CallbackSupportMixin, PackageEstimator, MetaEstimatorMixin
):
    """An ensemble whose members are copies of one estimator."""

    _parameter_constraints: dict[str, Rules] = {
        "estimator": [HasMethods("an estimator with fit and predict", ("fit", "predict"))],
        "n_jobs": N_JOBS,
        "verbose": VERBOSITY,
        "random_state": SEED,
        "callbacks": [CALLBACKS, None],
    }

    # For pickles of version 0.1.0, which lack them.
    verbose: Any = 0
    callbacks: Any = None

    estimator: Any
    estimators_: list[Any]

    # The members request weights; an ensemble only passes them on, so it needs no set_fit_request.
    __metadata_request__fit = {"sample_weight": UNUSED}

    def _with_weight(self, sample_weight: Any, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the further arguments of ``fit``, with the weights under the members' name."""
        if sample_weight is None:
            return dict(params)
        is_routed = get_config()["enable_metadata_routing"]
        name = "sample_weight" if is_routed else f"{path_of(self.estimator)}sample_weight"
        return {name: sample_weight, **params}

    @contextmanager
    def _telling(self, jobs: Sequence[Job], X: Any, y: Any, params: Any) -> Iterator[None]:
        """Let the jobs report their fits to callbacks."""
        refuse_single_fits(self)
        with listening(self, len(jobs), X, y, params.get("sample_weight")) as listener:
            for job in jobs:
                job.task = listener.network_task("member")
            yield

    def _drawn(self) -> tuple[Any, str]:
        if not hasattr(self, "estimators_"):
            return None, ""
        members = self._fitted_members()
        network = last_step(members[0])
        is_network = isinstance(network, NotebookMixin)
        return network if is_network else None, f"the first of {len(members)} members"

    def get_metadata_routing(self) -> MetadataRouter:
        """Return which metadata the members take.

        Returns
        -------
        MetadataRouter
            See scikit-learn's user guide on metadata routing.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        return router.add(estimator=self.estimator, method_mapping=mapping)

    def _fitted_members(self) -> Sequence[Any]:
        """Return all members; raise NotFittedError if there are none."""
        check_is_fitted(self)
        return self.estimators_

    def _target_of_members(self) -> Any:
        """Return the target of the first member's network; None for other estimators."""
        member = last_step(self._fitted_members()[0])
        is_network = isinstance(member, BaseMultilayerPerceptron)
        return fitted_network(member).target if is_network else None

    def _describe_features(self) -> None:
        """Take over what the first member has learned about the columns of X."""
        take_over_features(self, self._fitted_members()[0])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        of_member = get_tags(self.estimator)
        tags.classifier_tags = deepcopy(of_member.classifier_tags)
        tags.regressor_tags = deepcopy(of_member.regressor_tags)
        tags.target_tags = deepcopy(of_member.target_tags)
        tags.input_tags = deepcopy(of_member.input_tags)
        return tags


class EnsembleClassifierMixin(LogProbabilityMixin, ClassifierMixin):
    """Labels and accuracy, from the probabilities of an ensemble."""

    classes_: Any
    estimator: Any

    @abstractmethod
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
            Standard deviation over the members, weighted like the mean and calibrated like them;
            only if `return_std`.
        """

    def predict(self, X: Any) -> Any:
        """Predict the labels that are most probable on average.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Predicted labels. A CSR matrix if the y of `fit` was sparse.
        """
        return self._labels(self.predict_proba(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy on the given rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Their labels. Rows of probabilities are replaced by their most likely classes.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Share of the rows whose labels are all predicted correctly.
        """
        y = labels_to_compare(y)
        if are_rows_of_probabilities(y, self.estimator):
            y = likeliest(np.asarray(y), self.classes_)
        return float(super().score(X, y, sample_weight))

    def _labels(self, probability: Floats) -> Any:
        is_multilabel, was_sparse = self._labels_were()
        if is_multilabel:
            present = (probability > 0.5).astype(int)
            return sparse.csr_matrix(present) if was_sparse else present
        return self.classes_[probability.argmax(axis=1)]

    @abstractmethod
    def _labels_were(self) -> tuple[bool, bool]:
        """Tell whether the target had several labels per row, and whether it was sparse."""


class EnsembleRegressorMixin(RegressorMixin):
    """The predictions of an ensemble of regressors, and their score."""

    @abstractmethod
    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predict the mean of the members' predictions, weighted if they have weights.

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
            Standard deviation over the members, weighted like the mean; only if `return_std`.
            The noise that members with ``loss="gaussian_nll"`` estimate is not part of it.
        """

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return a score of the mean prediction that does not depend on the units of y.

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
            R2, or D2 if the members predict quantiles; at most 1.
        """
        predicted = self.predict(X)
        y = check_numbers(y)
        target = self._target_of_members()
        if isinstance(target, RegressionTarget):
            return target.measure(y, predicted, sample_weight)
        return scored(r2_score, y, predicted, sample_weight)


def predicts_several_labels(ensemble: EnsembleClassifierMixin) -> bool:
    """Tell whether a fitted ensemble predicts several labels per row."""
    return ensemble._labels_were()[0]
