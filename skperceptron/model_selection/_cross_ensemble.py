"""Classifier and regressor ensembles whose members differ in parameters and training rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from ..engine.arrays import Floats
from ..estimators.docs import documented
from ..estimators.targets import as_decision
from ..options import Flag, Rules, speaks_for_itself
from ._combination import log_of
from ._cross_base import BaseCrossEnsemble
from ._docs import ARMS, ARMS_ON_FOLDS, CURVES, CV_OF_ARMS, FEATURES, FITTED_ARMS
from ._ensemble_base import EnsembleClassifierMixin, EnsembleRegressorMixin
from ._outputs import (
    ProbabilityOutput,
    are_rows_of_probabilities,
    described_labels,
    described_numbers,
    described_rows,
)

SHARED = {
    "arms": ARMS,
    "cv": CV_OF_ARMS,
    "arms_on_folds": ARMS_ON_FOLDS,
    "fitted_arms": FITTED_ARMS,
    "curves": CURVES,
    "features": FEATURES,
}


@speaks_for_itself
@documented(**SHARED)
class StackedCrossEnsembleClassifier(EnsembleClassifierMixin, BaseCrossEnsemble, BaseEstimator):
    """Classifiers with several settings, each on several folds, combined by held-out rows.

    Each arm, a set of parameters, is fitted to the training rows of each split; all these
    networks are trained together, as stacks. A network is validated on the held-out rows of its
    split and gets the weights of its best epoch. The predictions for held-out rows then decide how
    the arms are combined: a temperature calibrates the probabilities of each arm, so that they are
    neither too confident nor too cautious, a weight sets its share in the mixture, and a last
    temperature calibrates the mixture. A harmful arm thus gets hardly any weight.

    Parameters
    ----------
    estimator : estimator object
        One of the multi-layer perceptrons that classify, or a pipeline that ends in one, whose
        transformers are fitted to the training rows of each split. Any other classifier with
        ``predict_proba`` works too, but gets no validation rows.

    {arms}

    {cv}

    combination : {"weights", "greedy", "mean"}, default="weights"
        How arms are weighted. "weights" maximizes the likelihood of the held-out rows under the
        mixture, with 60 expectation-maximization steps and one pseudo-count per arm (three in
        total for more than three arms); "greedy" adds arms one by one, with replacement (Caruana
        et al. 2004); "mean" gives all arms the same weight.

    calibrate : bool, default=True
        Whether temperatures are learned; they are 1 otherwise.

    {arms_on_folds}

    Attributes
    ----------
    {fitted_arms}

    temperatures_ : ndarray of shape (n_arms,)
        Divisor of the logits of each arm.

    temperature_ : float
        Divisor of the logarithm of the mixture.

    oof_predictions_ : ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
        Out-of-fold probabilities of the training rows, at epochs chosen on other rows, with
        weights learned on the other folds; NaN where a row was never held out.

    oof_arm_predictions_ : ndarray of shape (n_arms, n_samples, ...)
        The same for each arm, calibrated.

    oof_score_ : float
        Accuracy of `oof_predictions_`. A row has no influence on its own prediction, except through
        the temperatures of the arms.

    oof_loss_ : float
        Log loss of `oof_predictions_`; with several labels per row, its mean over the labels.

    {curves}

    classes_ : ndarray of shape (n_classes,)
        Class labels.

    {features}

    See Also
    --------
    StackedCrossEnsembleRegressor : For numbers.
    StackedEnsembleClassifier : Members that differ in their seeds only.
    StackedGridSearchCV : With ``refit="ensemble"``, combines the networks of a search.

    Notes
    -----
    If y holds rows of probabilities, which :class:`~skperceptron.MLPSoftmaxClassifier` accepts,
    weights and temperatures minimize the cross entropy to them. Stratification and score then use
    the most likely class of each row.

    If rows have several labels, each label is a separate classification; an arm has the same weight
    and temperature for all of them. Members give the probability 0 to a class that their training
    rows lack.

    References
    ----------
    Guo, Pleiss, Sun & Weinberger (2017), On calibration of modern neural networks. ICML.

    Caruana, Niculescu-Mizil, Crew & Ksikes (2004), Ensemble selection from libraries of models.
    ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.model_selection import StackedCrossEnsembleClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> network = MLPSoftmaxClassifier((16,), batch_size=32, max_iter=40, learning_rate_init=0.01)
    >>> arms = {"mlpsoftmaxclassifier__alpha": [1e-4, 1.0]}
    >>> ensemble = StackedCrossEnsembleClassifier(
    ...     make_pipeline(StandardScaler(), network), arms, random_state=0).fit(X, y)
    >>> ensemble.predict_proba(X[:2]).shape, ensemble.weights_.shape
    ((2, 3), (2,))
    >>> ensemble.oof_score_ > 0.95
    True
    """

    _parameter_constraints: dict[str, Rules] = {
        **BaseCrossEnsemble._parameter_constraints,
        "calibrate": [Flag()],
    }

    _output: ProbabilityOutput

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        cv=4,
        combination="weights",
        calibrate=True,
        restore_best=True,
        n_jobs=None,
        verbose=0,
        random_state=None,
        callbacks=None,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            cv=cv,
            combination=combination,
            restore_best=restore_best,
            n_jobs=n_jobs,
            verbose=verbose,
            random_state=random_state,
            callbacks=callbacks,
        )
        self.calibrate = calibrate

    @property
    def classes_(self) -> Any:
        """Class labels."""
        self._fitted_members()
        return self._output.classes

    @property
    def temperature_(self) -> Any:
        """Divisor of the logarithm of the mixture."""
        self._fitted_members()
        return self._blend.temperature

    def predict_proba(self, X: Any, return_std: bool = False) -> Any:
        return self._blended(X, return_std)

    def decision_function(self, X: Any) -> Floats:
        """Return log-odds or log-probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_labels)
            For two classes, the log-odds of ``classes_[1]``; for more, the log-probability of
            each; for several labels per row, the log-odds of each.
        """
        probability = self.predict_proba(X)
        if self._output.is_multilabel:
            return log_of(probability) - log_of(1 - probability)
        return as_decision(log_of(probability))

    def _described(self, y: Any) -> tuple[Any, Any, Any]:
        if are_rows_of_probabilities(y, self.estimator):
            return described_rows(np.asarray(y))
        return described_labels(type(self).__name__, y)

    def _labels_were(self) -> tuple[bool, bool]:
        return self._output.is_multilabel, self._output.was_sparse


@speaks_for_itself
@documented(**SHARED)
class StackedCrossEnsembleRegressor(EnsembleRegressorMixin, BaseCrossEnsemble, BaseEstimator):
    """Regressors with several settings, each on several folds, combined by held-out rows.

    Each arm, a set of parameters, is fitted to the training rows of each split; all these
    networks are trained together, as stacks. A network is validated on the held-out rows of its
    split and gets the weights of its best epoch. The predictions for held-out rows then decide the
    weight of each arm. A harmful arm thus gets hardly any weight.

    Parameters
    ----------
    estimator : estimator object
        An :class:`~skperceptron.MLPRegressor`, or a pipeline that ends in one, whose transformers
        are fitted to the training rows of each split. Any other regressor works too, but gets
        no validation rows. Quantile regression (``loss="pinball"``) is refused: weights are learned
        for means.

    {arms}

    {cv}

    combination : {"weights", "greedy", "mean"}, default="weights"
        How arms are weighted. "weights" minimizes the squared error of the held-out rows, by
        non-negative least squares with the sum 1 (Breiman 1996); "greedy" adds arms one by one,
        with replacement (Caruana et al. 2004); "mean" gives all arms the same weight. All columns
        of y share the weights; the errors of each are divided by its standard deviation.

    {arms_on_folds}

    Attributes
    ----------
    {fitted_arms}

    temperatures_ : ndarray of shape (n_arms,)
        All 1: means have no temperature.

    oof_predictions_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Out-of-fold predictions of the training rows, at epochs chosen on other rows, with weights
        learned on the other folds; NaN where a row was never held out.

    oof_arm_predictions_ : ndarray of shape (n_arms, n_samples) or (n_arms, n_samples, n_outputs)
        The same for each arm.

    oof_score_ : float
        R2 of `oof_predictions_`.

    oof_loss_ : float
        Mean squared error of `oof_predictions_`.

    {curves}

    {features}

    See Also
    --------
    StackedCrossEnsembleClassifier : For labels.
    StackedEnsembleRegressor : Members that differ in their seeds only.
    StackedGridSearchCV : With ``refit="ensemble"``, combines the networks of a search.

    References
    ----------
    Breiman (1996), Stacked regressions. Machine Learning 24.

    Caruana, Niculescu-Mizil, Crew & Ksikes (2004), Ensemble selection from libraries of models.
    ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skperceptron import MLPRegressor
    >>> from skperceptron.model_selection import StackedCrossEnsembleRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = MLPRegressor(hidden_layer_sizes=(16,), batch_size=32, max_iter=40,
    ...                        learning_rate_init=0.01)
    >>> arms = {"mlpregressor__alpha": [1e-4, 10.0]}
    >>> ensemble = StackedCrossEnsembleRegressor(
    ...     make_pipeline(StandardScaler(), network), arms, random_state=0).fit(X, y)
    >>> ensemble.predict(X[:2]).shape, ensemble.oof_predictions_.shape
    ((2,), (442,))
    >>> ensemble.oof_score_ > 0.4
    True
    """

    def predict(self, X: Any, return_std: bool = False) -> Any:
        return self._blended(X, return_std)

    def _described(self, y: Any) -> tuple[Any, Any, Any]:
        return described_numbers(self, y)
