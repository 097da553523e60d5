"""The two estimators: what is specific to classification and to regression."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from .._sklearn.labels import LogProbabilityMixin
from ..engine.arrays import Floats, Integers
from ..estimators import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
from ..estimators.docs import documented
from ..losses import BinaryLogLoss, CategoricalLogLoss
from ..model_selection import StackedCrossEnsembleClassifier, StackedCrossEnsembleRegressor
from ..model_selection._outputs import described_labels, described_numbers
from ..options import speaks_for_itself
from ._base import BaseTabularMLP, of_ensemble
from ._docs import ATTRIBUTES, PARAMETERS


@speaks_for_itself
@documented(
    parameters=PARAMETERS,
    attributes=ATTRIBUTES,
    network="MLPSoftmaxClassifier",
    columns="n_classes",
    predictions="Probabilities",
    score="Accuracy",
    loss="log loss",
    ensemble="StackedCrossEnsembleClassifier",
)
class TabularMLPClassifier(LogProbabilityMixin, ClassifierMixin, BaseTabularMLP):
    """Classifier for raw tables that needs no tuning.

    X is a frame of pandas or polars, an Arrow table, an array, or a sparse matrix of counts, with
    numbers, categories, texts, truth values, dates and missing values as they are.
    :class:`~skperceptron.preprocessing.TabularPreprocessor` turns it into numbers. Then a few
    *arms*, networks with weak or strong regularisation, are trained on each of a few folds, all
    together; each network gets back the weights of its best epoch on the fold that it has not seen.
    Predictions for rows that the networks have not seen determine the weight of each arm and
    calibrate the probabilities, so that they are neither too confident nor too cautious.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.

    temperatures_ : ndarray of shape (n_arms,)
        The temperature that the logits of each arm are divided by.

    {attributes}

    See Also
    --------
    TabularMLPRegressor : The same for regression.
    skperceptron.model_selection.StackedCrossEnsembleClassifier : The same for networks, pipelines,
        arms and splits of your own.

    Notes
    -----
    A class with a single row is never held out. If `y` has several labels per row, each label is
    a binary classification of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from skperceptron.tabular import TabularMLPClassifier
    >>> rng = np.random.RandomState(0)
    >>> color, size = rng.choice(["red", "blue"], 200), rng.normal(size=200)
    >>> X = np.array([color, np.where(rng.rand(200) < 0.1, None, size)], dtype=object).T
    >>> y = (color == "red") & (size > 0)
    >>> model = TabularMLPClassifier("fast", max_epochs=20, random_state=0).fit(X, y)
    >>> model.predict([["red", 1.5], ["blue", 1.5]])
    array([ True, False])
    >>> model.cv_score_ > 0.9
    True
    """

    _ensemble = StackedCrossEnsembleClassifier

    ensemble_: StackedCrossEnsembleClassifier
    # As in the regressor: the score of the ensemble, not that of the mixin.
    score = BaseTabularMLP.score

    def _checked_target(self, y: Any) -> tuple[Any, Integers | None]:
        labels, y, codes = described_labels(type(self).__name__, y)
        self._is_multilabel = labels.is_multilabel
        return y, None if labels.is_multilabel else codes[:, 0]

    def _truth(self, y: Any) -> Integers:
        labels, _, codes = described_labels(type(self).__name__, y)
        if not np.array_equal(labels.classes, self.classes_):
            raise ValueError(
                f"y has the classes {labels.classes}, but fit has seen {self.classes_}: importances"
                " are computed for the rows of fit, in the same order."
            )
        return codes

    def _network(self, batch: int, n_epochs: int) -> MLPBinaryClassifier | MLPSoftmaxClassifier:
        smoothing, shared = self._recipe.label_smoothing, self._shared(batch, n_epochs)
        if self._is_multilabel:
            shared["early_stopping"].set_params(monitor="loss")
            return MLPBinaryClassifier(loss=BinaryLogLoss(smoothing), **shared)
        return MLPSoftmaxClassifier(loss=CategoricalLogLoss(smoothing), **shared)

    def predict_proba(self, X: Any) -> Floats:
        """Estimate probabilities.

        Parameters
        ----------
        X : frame, {array-like, sparse matrix} of shape (n_samples, n_features)
            A table with the same columns as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            Probability of each class or label, calibrated on rows that were held out.
        """
        check_is_fitted(self)
        return self.ensemble_.predict_proba(self._numbers_of(X))

    classes_ = of_ensemble("classes_", "Class labels.")
    temperatures_ = of_ensemble(
        "temperatures_", "The temperature that the logits of each arm are divided by."
    )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


@speaks_for_itself
@documented(
    parameters=PARAMETERS,
    attributes=ATTRIBUTES,
    network="MLPRegressor",
    columns="n_outputs",
    predictions="Predictions",
    score="R2",
    loss="mean squared error",
    ensemble="StackedCrossEnsembleRegressor",
)
class TabularMLPRegressor(RegressorMixin, BaseTabularMLP):
    """Regressor for raw tables that needs no tuning.

    X is a frame of pandas or polars, an Arrow table, an array, or a sparse matrix of counts, with
    numbers, categories, texts, truth values, dates and missing values as they are.
    :class:`~skperceptron.preprocessing.TabularPreprocessor` turns it into numbers. Then a few
    *arms*, networks with weak or strong regularisation, are trained on each of a few folds, all
    together; each network gets back the weights of its best epoch on the fold that it has not seen.
    Predictions for rows that the networks have not seen determine the weight of each arm.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    TabularMLPClassifier : The same for classification.
    skperceptron.model_selection.StackedCrossEnsembleRegressor : The same for networks, pipelines,
        arms and splits of your own.

    Examples
    --------
    >>> import numpy as np
    >>> from skperceptron.tabular import TabularMLPRegressor
    >>> rng = np.random.RandomState(0)
    >>> color, size = rng.choice(["red", "blue"], 200), rng.normal(size=200)
    >>> X = np.array([color, np.where(rng.rand(200) < 0.1, None, size)], dtype=object).T
    >>> y = np.where(color == "red", size, -size)
    >>> model = TabularMLPRegressor("fast", max_epochs=40, random_state=0).fit(X, y)
    >>> model.predict([["red", 1.0], ["blue", 1.0]]).round().astype(int)
    array([ 1, -1])
    """

    _ensemble = StackedCrossEnsembleRegressor

    ensemble_: StackedCrossEnsembleRegressor
    # The `score` of the mixin, which must be the first base, overflows for huge targets.
    score = BaseTabularMLP.score

    def _checked_target(self, y: Any) -> tuple[Any, None]:
        _, y, _ = described_numbers(self, y)
        return y, None

    def _truth(self, y: Any) -> Floats:
        return described_numbers(self, y)[2]

    def _network(self, batch: int, n_epochs: int) -> MLPRegressor:
        return MLPRegressor(**self._shared(batch, n_epochs))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
