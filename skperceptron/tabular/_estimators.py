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

#: The parameters of both estimators, for their docstrings.
PARAMETERS = """
preset : {"default", "fast", "accurate", "realmlp-td-s", "realmlp-td", "tabm"}, default="default"
    Sets folds, arms, layers, epochs and batches where their parameters are None:

    - "default" trains three arms, which :doc:`/tables` describes. Regression uses six folds,
      classification four, or eight on tables of up to 1,000 rows. On dense tables with enough rows
      and not too many columns after preparation, some arms embed numbers, in bins or by periodic
      functions.
    - "fast" takes about a quarter of the time, with narrower layers, fewer epochs, and mostly two
      arms.
    - "accurate" takes two to five times as long. Classification uses eight folds, and on dense
      tables of at least 100 rows and at most 60 columns five arms. Regression trains twice as many
      networks, or four times as many on tables of more than 600 rows.
    - "realmlp-td-s", "realmlp-td" (Holzmüller et al. 2024) and "tabm" (Gorishniy et al. 2025) are
      published networks. They hold out one fifth of the rows to find their best epoch, and are
      not calibrated. "realmlp-td" and "tabm" need dense X. "tabm", 32 networks of 3 x 512 units
      that share weights, takes minutes.

    Columns with more than eight categories are embedded, except with "realmlp-td-s" and "tabm":
    each category with at least five rows ("realmlp-td": any number) has a vector. Rarer and unknown
    categories and missing values share another one, which is zero if `fit` has seen none of them.
    If there are rarer categories and at least five missing values, these have their own vector. If
    one of your `arms` has an `ensemble_size`, these columns become zeros and ones for all arms
    instead. In the published networks, numeric embeddings are for numbers only: columns of
    categories and marks of missing values bypass them.

n_folds : int, cross-validation splitter or iterable, default=None
    Number of folds, >= 2; each is held out by one network of each arm. Folds are drawn with
    `random_state`, stratified by class. A splitter, such as
    :class:`~sklearn.model_selection.TimeSeriesSplit`, makes its own splits; an iterable holds pairs
    of training and held-out rows. Rows that no split holds out are used for training, but not to
    combine the arms. Splits whose training or held-out rows all have zero weight are left out, and
    so are those that hold out only classes that their training rows lack.

arms : int or list of dict, default=None
    Number of the preset's arms to train, from the first one on; or arms of your own, each a dict
    of parameters of :class:`~skperceptron.{network}`, such as
    ``[{}, {"activation": "relu", "dropout": 0.3}]``. Parameters that a dict leaves out are
    those of the preset's first arm.

hidden_layer_sizes : int or array-like of int, default=None
    Widths of the hidden layers.

max_epochs : int, default=None
    Largest number of epochs for which each network is trained.

batch_size : int, default=None
    Rows per step.

categorical_features : "from_dtype", array-like, callable or None, default="from_dtype"
    Which columns hold categories, in addition to those that always do, such as strings: see
    :class:`~skperceptron.preprocessing.TabularPreprocessor`.

max_time : float, default=None
    Approximate time limit of `fit` in seconds, > 0. A few epochs are timed first. Then training
    starts from scratch, with as many epochs as fit into the remaining time; a ConvergenceWarning
    says if these are fewer than without a limit. The learning rate schedule spans these epochs, so
    that training is not cut short. On very large tables, the limit may be exceeded by the
    preparation and one epoch of all networks; fewer `arms` take less time.

n_jobs : int, default=None
    Number of workers, each of which trains networks of its own. None means one worker for small
    tables and, for larger ones, as many threads as NumPy's BLAS may use, which ``OMP_NUM_THREADS``
    or threadpoolctl can limit.

verbose : int, default=0
    Whether progress, the weights of arms and the score of held-out rows are printed.

random_state : int, RandomState instance or None, default=None
    Seed of folds, weights and batches.

callbacks : list of callbacks, default=None
    Objects that are notified of each network and of its epochs, such as scikit-learn's
    ``ProgressBar``.
"""

#: Their attributes.
ATTRIBUTES = """
weights_ : ndarray of shape (n_arms,)
    Weight of each arm: non-negative, with the sum 1.

arms_ : list of dict
    The parameters in which the arms differ.

oof_predictions_ : ndarray of shape (n_samples,) or (n_samples, {columns})
    Out-of-fold {predictions} of the training rows, at epochs chosen on other rows, with weights
    learned on the other folds; NaN where a row was never held out.

cv_score_ : float
    {score} of `oof_predictions_`: an estimate for new rows. It may be a little too low, since each
    row is predicted only by the networks that held it out, whereas `predict` averages over all
    networks: see :doc:`/tables`.

cv_loss_ : float
    Their {loss}.

n_epochs_ : int
    Largest number of epochs for which each network was trained.

preprocessor_ : TabularPreprocessor
    Fitted to the training rows.

ensemble_ : {ensemble}
    The trained networks and their combination.

n_features_in_ : int
    Number of columns seen by `fit`.

feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Their names, if X has names.
"""


@speaks_for_itself
@documented(
    parameters=PARAMETERS,
    attributes=ATTRIBUTES,
    network="MLPSoftmaxClassifier",
    columns="n_classes",
    predictions="probabilities",
    score="Accuracy",
    loss="log loss",
    ensemble="StackedCrossEnsembleClassifier",
)
class TabularMLPClassifier(LogProbabilityMixin, ClassifierMixin, BaseTabularMLP):
    """Classifier for raw tables that needs no tuning.

    X is a frame of pandas or polars, an Arrow table, an array, or a sparse matrix of counts, with
    numbers, categories, strings, booleans, dates and missing values as they are.
    :class:`~skperceptron.preprocessing.TabularPreprocessor` turns it into numbers. Then a few
    *arms*, networks with weak or strong regularization, are trained on each of a few folds, all
    together; each network keeps the weights of its best epoch on the held-out fold. Predictions for
    held-out rows determine the weight of each arm and calibrate the probabilities, so that they are
    neither too confident nor too cautious.

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
    predictions="predictions",
    score="R2",
    loss="mean squared error",
    ensemble="StackedCrossEnsembleRegressor",
)
class TabularMLPRegressor(RegressorMixin, BaseTabularMLP):
    """Regressor for raw tables that needs no tuning.

    X is a frame of pandas or polars, an Arrow table, an array, or a sparse matrix of counts, with
    numbers, categories, strings, booleans, dates and missing values as they are.
    :class:`~skperceptron.preprocessing.TabularPreprocessor` turns it into numbers. Then a few
    *arms*, networks with weak or strong regularization, are trained on each of a few folds, all
    together; each network keeps the weights of its best epoch on the held-out fold. Predictions for
    held-out rows determine the weight of each arm.

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
