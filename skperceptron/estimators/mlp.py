"""The multi-layer perceptrons: targets on one side, raw network outputs on the other."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import expit
from sklearn.base import RegressorMixin
from sklearn.metrics import d2_pinball_score, r2_score
from sklearn.utils import check_array
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._sklearn.checks import (
    Extras,
    FitMode,
    LabelMixin,
    accuracy,
    checking,
    never_certain,
    refuse_dates,
    restored_on_failure,
    shown_labels,
)
from .._sklearn.compat import (
    check_classification_targets,
    check_partial_fit_first_call,
    column_or_1d,
    fit_context,
    type_of_target,
)
from ..engine.arrays import Floats, Integers
from ..losses import (
    CategoricalLogLoss,
    Loss,
    Pinball,
    ScaledSquaredError,
    SquaredError,
    get_loss,
)
from ..options import (
    CLASS_WEIGHT,
    Flag,
    Instance,
    Interval,
    Listing,
    Name,
    Rules,
    did_you_mean,
    plain,
    speaks_for_itself,
)
from ..training import SomeOfMany, TargetRows, Targets, one_hot
from .base import BaseMultilayerPerceptron, is_stochastic
from .docs import shares_documentation
from .parameters import is_lbfgs

__all__ = ["MLPBinaryClassifier", "MLPRegressor", "MLPSoftmaxClassifier"]


def _takes_shared_parameters(init: Callable[..., None]) -> Callable[..., None]:
    """Put the parameters that all networks share in the place of ``**shared`` in a signature.

    There scikit-learn, and a reader's editor, look them up.
    """
    own = inspect.signature(init).parameters
    shared = inspect.signature(BaseMultilayerPerceptron.__init__).parameters
    merged = [*own.values(), *(p for name, p in shared.items() if name not in own)]
    kept = [p for p in merged if p.kind is not p.VAR_KEYWORD]
    # Python wants keyword-only parameters last; those that are shared come first among them.
    order = {name: place for place, name in enumerate(shared)}
    kept.sort(key=lambda p: (p.kind, p.kind == p.KEYWORD_ONLY and order.get(p.name, len(order))))
    init.__signature__ = inspect.Signature(kept)  # type: ignore[attr-defined]
    return init


def _refuse_unknown(estimator: BaseMultilayerPerceptron, shared: dict[str, Any]) -> None:
    """Raise TypeError, in Python's words, if a parameter is none of those that networks share."""
    known = inspect.signature(type(estimator).__init__).parameters
    for name in shared.keys() - known.keys():
        raise TypeError(
            f"{type(estimator).__name__}.__init__() got an unexpected keyword argument {name!r}."
            f"{did_you_mean(name, list(known))}"
        )


class _MLPClassifier(LabelMixin, BaseMultilayerPerceptron):
    """What both classifiers share: labels and their weights, fit, probabilities."""

    _parameter_constraints: dict[str, Rules] = {
        **BaseMultilayerPerceptron._parameter_constraints,
        "loss": [Instance(str), Instance(Loss)],
        "class_weight": CLASS_WEIGHT,
    }

    @_takes_shared_parameters
    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        loss="log_loss",
        class_weight=None,
        **shared,
    ) -> None:
        _refuse_unknown(self, shared)
        super().__init__(hidden_layer_sizes, activation, **shared)
        self.loss = loss
        self.class_weight = class_weight

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        coefs_init: Any = None,
        intercepts_init: Any = None,
    ) -> _MLPClassifier:
        """Fit the network to data X and labels y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.

        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        X_val, y_val : like X and y, default=None
            Validation data of your own: scored after each epoch, and used for early stopping
            instead of a part of X.

        sample_weight_val : array-like of shape (n_validation_samples,), default=None
            Non-negative weights of the validation rows.

        coefs_init, intercepts_init : list of array-like, default=None
            Where weights and biases start, shaped like ``coefs_`` and ``intercepts_`` and in
            their units. What is not given is drawn.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, or if training diverges. An earlier fit
            is then left as it was.
        """
        extras = Extras(X_val, y_val, sample_weight_val, coefs_init, intercepts_init)
        return self._fit(X, y, sample_weight, incremental=False, extras=extras)

    @available_if(is_stochastic)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> _MLPClassifier:
        """Train for one epoch on the given rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to learn from.

        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Their labels.

        classes : array-like of shape (n_classes,), default=None
            All labels that will ever occur; needed in the first call only.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            As `fit` does; an earlier fit is then left as it was.
        """
        self._refuse_balancing_batches()
        with restored_on_failure(self):
            check_partial_fit_first_call(self, classes)
            return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Any:
        """Predict class labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Predicted labels. A CSR matrix after a fit to a sparse one.
        """
        return self._described(X, self._labels)

    def decision_function(self, X: Any) -> Floats:
        """Return raw predictions, before the sigmoid or softmax.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, `n_outputs_`)
            One column per class or label; for a single sigmoid or two classes, one number
            per row that is positive where ``classes_[1]`` is predicted.
        """
        return self._decision(self._raw_predictions(X))

    def predict_proba(self, X: Any) -> Floats:
        """Estimate probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            Probability of each class, in the order of ``classes_``, or of each label. None
            is rounded to 0 or 1.
        """
        return never_certain(self._probabilities(self._raw_predictions(X)))

    def _judged(self, raw: Floats) -> Any:
        return self._labels(raw)

    def _score_judged(self, judged: Any, y: Any, sample_weight: Floats | None) -> float:
        return accuracy(y, judged, sample_weight)

    @abstractmethod
    def _labels(self, raw: Floats) -> Any:
        """Return the labels that raw predictions mean."""

    def _stratify(self, targets: TargetRows) -> Integers | None:
        return targets.codes

    def _weigh(self, targets: TargetRows, sample_weight: Floats | None) -> Floats | None:
        if self.class_weight is None:
            return sample_weight
        if targets.codes is None:
            raise ValueError(
                f"class_weight={self.class_weight!r} weighs rows by their class, but in a"
                " multilabel-indicator `y` a row has many: pass sample_weight, or"
                " loss=BinaryFocalLoss(alpha=...) to weigh labels that are present."
            )
        return self._weigh_classes(targets.codes, sample_weight)


@speaks_for_itself
@shares_documentation
class MLPBinaryClassifier(_MLPClassifier):
    """Multi-layer perceptron with sigmoid outputs, for two classes or for several labels.

    With two classes the network has one output, the probability of ``classes_[1]``. A
    multilabel-indicator target makes one independent output per label. Where scikit-learn's
    :class:`~sklearn.neural_network.MLPClassifier` has the same parameters, the same
    `random_state` gives the same model.

    Parameters
    ----------
    {parameters}

    {classifier_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The two class labels, or the positions of the labels.

    {attributes}

    See Also
    --------
    MLPSoftmaxClassifier : For more than two classes.
    MLPRegressor : For numbers.

    References
    ----------
    Rumelhart, Hinton & Williams (1986), Learning representations by back-propagating
    errors. Nature 323.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skperceptron import MLPBinaryClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> network = MLPBinaryClassifier((16,), max_iter=50, tol=0, n_iter_no_change=50,
    ...                               random_state=0, solver="lbfgs")
    >>> model = make_pipeline(StandardScaler(), network).fit(X, y)
    >>> model.score(X, y) > 0.98
    True
    """

    _is_multilabel: bool

    #: Whether `predict` returns a sparse matrix, as the target was.
    _y_was_sparse = False

    def _check_n_classes(self, classes: Any) -> None:
        super()._check_n_classes(classes)
        if len(classes) > 2:
            raise ValueError(
                "Only binary classification is supported. The type of the target is multiclass:"
                f" got {len(classes)} classes. Use MLPSoftmaxClassifier for more than two."
            )

    def _encode(self, y: Any, sample_weight: Floats | None, mode: FitMode) -> TargetRows:
        if self._are_known_labels(y, mode) and not self._is_multilabel:
            return Targets(np.array([[0.0], [1.0]]), self._label_codes(y, mode))
        if sparse.issparse(y) and y.shape[1] > 1:
            self._check_indicator(y)
        check_classification_targets(y)
        multilabel = type_of_target(y, input_name="y") == "multilabel-indicator"
        if mode.continuing and multilabel != self._is_multilabel:
            before, now = ("labels", "classes") if self._is_multilabel else ("classes", "labels")
            raise ValueError(f"`y` holds {now}, but the earlier fit was to {before}.")
        self._is_multilabel = multilabel
        if not mode.continuing:
            self._y_was_sparse = sparse.issparse(y)
        if multilabel:
            return self._encode_labels(y, mode)
        return Targets(np.array([[0.0], [1.0]]), self._label_codes(y, mode))

    def _check_indicator(self, y: Any) -> None:
        """Refuse several labels per row that are not told by zeros and ones."""
        if sparse.issparse(y) and not y.has_canonical_format:
            y = y.copy()
            y.sum_duplicates()
        values = np.unique(y.data if sparse.issparse(y) else y)
        if not np.isin(values, [0, 1]).all():
            raise ValueError(
                "A `y` of several labels per row must hold 1 (or True) where a row has a label, and"
                f" 0 (or False) elsewhere, got the values {shown_labels(values)}."
            )

    def _encode_labels(self, y: Any, mode: FitMode) -> TargetRows:
        self._check_indicator(y)
        labels = np.arange(y.shape[1])
        if (mode.continuing or mode.incremental) and len(labels) != len(self.classes_):
            raise ValueError(
                f"`y` has {len(labels)} labels, but {len(self.classes_)} are expected."
            )
        self.classes_ = labels
        if not sparse.issparse(y):
            return Targets(np.asarray(y, dtype=np.float64))
        # A copy: the user's matrix stays as it is.
        indicator = sparse.csr_array(y, dtype=np.int8, copy=True)
        indicator.sum_duplicates()
        indicator.eliminate_zeros()
        return SomeOfMany(indicator)

    def _make_loss(self) -> Loss:
        return self._resolve_loss("binary", len(self.classes_) if self._is_multilabel else 1)

    def _labels(self, raw: Floats) -> Any:
        if self._is_multilabel:
            present = (raw > 0).astype(int)
            return sparse.csr_matrix(present) if self._y_was_sparse else present
        return self.classes_[(raw[:, 0] > 0).astype(int)]

    def _decision(self, raw: Floats) -> Floats:
        return raw if self._is_multilabel else raw[:, 0]

    def _probabilities(self, raw: Floats) -> Floats:
        return expit(raw) if self._is_multilabel else expit(raw * np.array([-1, 1], raw.dtype))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.multi_label = self.class_weight is None
        return tags


@speaks_for_itself
@shares_documentation
class MLPSoftmaxClassifier(_MLPClassifier):
    """Multi-layer perceptron with a softmax output, for two or more classes.

    The network has one output per class. For three classes and more, where scikit-learn's
    :class:`~sklearn.neural_network.MLPClassifier` has the same parameters, the same
    `random_state` gives the same model.

    Parameters
    ----------
    {parameters}

    {classifier_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.

    {attributes}

    See Also
    --------
    MLPBinaryClassifier : For two classes with a single sigmoid, or several labels.
    MLPRegressor : For numbers.

    References
    ----------
    Bridle (1990), Probabilistic interpretation of feedforward classification network
    outputs. Neurocomputing.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPSoftmaxClassifier((8,), "tanh", solver="lbfgs", alpha=0.1, random_state=0)
    >>> network.fit(X, y).predict_proba(X[:1]).shape
    (1, 3)
    """

    def _encode(self, y: Any, sample_weight: Floats | None, mode: FitMode) -> TargetRows:
        if self._are_known_labels(y, mode):
            return one_hot(self._label_codes(y, mode), len(self.classes_))
        check_classification_targets(y)
        if type_of_target(y, input_name="y").startswith("multilabel"):
            raise ValueError(
                "MLPSoftmaxClassifier handles one class per row, but `y` is a multilabel"
                " indicator. Use MLPBinaryClassifier for several labels per row."
            )
        codes = self._label_codes(y, mode)
        return one_hot(codes, len(self.classes_))

    def _make_loss(self) -> Loss:
        return self._resolve_loss("multiclass", len(self.classes_))

    def _labels(self, raw: Floats) -> Any:
        return self.classes_[raw.argmax(axis=1)]

    def _decision(self, raw: Floats) -> Floats:
        return raw[:, 1] - raw[:, 0] if raw.shape[1] == 2 else raw

    def _probabilities(self, raw: Floats) -> Floats:
        self._loss.inverse_link(raw, out=raw)
        return raw


def _is_categorical(estimator: MLPRegressor) -> bool:
    """Tell ``available_if`` whether there is a distribution to ask for."""
    if not (isinstance(estimator.output, str) and estimator.output == "categorical"):
        raise AttributeError(
            f"predict_proba needs output='categorical', got output={estimator.output!r}."
        )
    return True


#: Standard deviations (for an exponential output: means) outside these bounds, and means of more
#: than so many deviations, do raw training harm. On 400 standardised rows, 200 epochs of the
#: default network reach an R2 of 0.93, raw or not; raw, on a deviation of 0.1 or 30, or on a mean
#: of 3 deviations: 0.36, 0.65, 0.81.
ORDINARY_SCALE = (0.25, 10.0)
ORDINARY_MEAN = 2.0

#: Exponents of normal numbers.
EXPONENTS = (-1022, 1023)

#: Rows of which ``partial_fit`` takes the deviation for that of all rows to come.
ENOUGH_ROWS = 32

#: Units of the target that float32 predicts without loss: their size, and deviations in a mean.
SINGLE_PRECISION = (1e-30, 1e30)
DEVIATIONS_IN_MEAN = 2**14

#: Numbers in the largest array of a categorical output (256 MB): a step needs several.
LARGEST_DISTRIBUTION = 2**25


@speaks_for_itself
@shares_documentation
class MLPRegressor(RegressorMixin, BaseMultilayerPerceptron):
    """Multi-layer perceptron for one or several numbers.

    Where scikit-learn's :class:`~sklearn.neural_network.MLPRegressor` has the same
    parameters, the same `random_state` gives the same model.

    Parameters
    ----------
    loss : str or Loss, default="squared_error"
        {regression_losses}.
        Objects, which have parameters, are in :mod:`skperceptron.losses`.

    {parameters}

    output : {"continuous", "categorical"}, default="continuous"
        "categorical" turns the regression of an integer into classification: a softmax
        over all integers of `output_range`.

    output_range : tuple of two numbers, default=None
        Bounds of the prediction. With ``output="continuous"`` the prediction is
        ``low + (high - low) * sigmoid(raw)``, trained on the target scaled to [0, 1]. With
        ``output="categorical"`` the bounds are integers; None means those of y.

    categorical_prediction : {"mean", "mode"}, default="mean"
        What `predict` makes of a categorical distribution.

    standardize_target : {"auto"} or bool, default="auto"
        Whether each column of the target is standardised inside the network. The output
        layer is folded back afterwards, so that ``coefs_`` and ``intercepts_`` speak y's
        units; ``loss_curve_`` speaks the network's. "auto" does so, but spares, to give
        scikit-learn's model, the columns of a "squared_error" whose standard deviation lies in
        [0.25, 10] and whose mean is at most two deviations from zero. With "poisson" and "gamma"
        the target is divided by a power of two near its mean; "auto" spares means in [0.25, 10]
        of "poisson". Not used with a bounded or categorical output, nor with a loss of the user's
        whose ``equivariance`` is "none".

    Attributes
    ----------
    values_ : ndarray of shape (n_values,)
        The integers of a categorical output.

    {attributes}

    See Also
    --------
    MLPBinaryClassifier : For two classes.
    MLPSoftmaxClassifier : For two classes or more.

    References
    ----------
    Rumelhart, Hinton & Williams (1986), Learning representations by back-propagating
    errors. Nature 323.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skperceptron import MLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = MLPRegressor(hidden_layer_sizes=(8,), activation="tanh", solver="lbfgs",
    ...                        alpha=1, standardize_target=True, random_state=0)
    >>> network.fit(X, y).predict(X[:2]).shape
    (2,)
    """

    _y_is_numeric = True

    #: What ``partial_fit`` has seen of the target, while its units are open.
    _seen: _Moments | None = None

    _parameter_constraints: dict[str, Rules] = {
        **BaseMultilayerPerceptron._parameter_constraints,
        "loss": [Instance(str), Instance(Loss)],
        "output": [Name(["continuous", "categorical"])],
        "output_range": [Listing([Interval()], "two finite numbers (low, high)", 2), None],
        "categorical_prediction": [Name(["mean", "mode"])],
        "standardize_target": [Name(["auto"]), Flag()],
    }

    @_takes_shared_parameters
    def __init__(
        self,
        loss="squared_error",
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        output="continuous",
        output_range=None,
        categorical_prediction="mean",
        standardize_target="auto",
        **shared,
    ) -> None:
        _refuse_unknown(self, shared)
        super().__init__(hidden_layer_sizes, activation, **shared)
        self.loss = loss
        self.output = output
        self.output_range = output_range
        self.categorical_prediction = categorical_prediction
        self.standardize_target = standardize_target

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        coefs_init: Any = None,
        intercepts_init: Any = None,
    ) -> MLPRegressor:
        """Fit the network to data X and targets y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        X_val, y_val : like X and y, default=None
            Validation data of your own: scored after each epoch, and used for early stopping
            instead of a part of X.

        sample_weight_val : array-like of shape (n_validation_samples,), default=None
            Non-negative weights of the validation rows.

        coefs_init, intercepts_init : list of array-like, default=None
            Where weights and biases start, shaped like ``coefs_`` and ``intercepts_`` and in
            their units. What is not given is drawn.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, or if training diverges. An earlier fit
            is then left as it was.
        """
        extras = Extras(X_val, y_val, sample_weight_val, coefs_init, intercepts_init)
        return self._fit(X, y, sample_weight, incremental=False, extras=extras)

    @available_if(is_stochastic)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """Train for one epoch on the given rows.

        A standardised target keeps the units of its first 32 rows, of however many calls. Until
        then they follow the rows, while what the network predicts stays.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to learn from.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            As `fit` does; an earlier fit is then left as it was.
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any, return_std: bool = False) -> Floats | tuple[Floats, Floats]:
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        return_std : bool, default=False
            Whether to return standard deviations too; needs ``loss="gaussian_nll"``.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predicted values, in the dtype of X; in float64 where float32 has no room for them.
            With a list of quantiles, one more axis holds them.

        y_std : ndarray of the same shape
            Standard deviations; only with ``return_std=True``.

        Raises
        ------
        ValueError
            If the loss does not estimate standard deviations.
        """
        described = self._description(X)
        if return_std and not self._loss.estimates_std:
            raise ValueError(
                "return_std=True needs a loss that estimates standard deviations, such as"
                f" 'gaussian_nll', got loss={self.loss!r}."
            )
        if described.shape[1] == 1:
            described = described[:, 0]
        if not self._loss.estimates_std:
            return described[..., 0] if described.shape[-1] == 1 else described
        return (described[..., 0], described[..., 1]) if return_std else described[..., 0]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return how good the predictions are, at most 1.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Their targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            R2. With the pinball loss D2 instead, averaged over quantiles: the part of the loss of
            constant quantiles that the predictions remove (Koenker & Machado 1999).
        """
        check_is_fitted(self)
        with checking():
            y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        return score_of(self, y, self.predict(X), sample_weight)

    def _description(self, X: Any) -> Floats:
        """Return what the loss tells of each target, (n_samples, T, outputs per target)."""
        values = self._described(X, self._values)
        return values.reshape(len(values), -1, self._loss.outputs_per_target)

    @available_if(_is_categorical)
    def predict_proba(self, X: Any) -> Floats:
        """Return the distribution over ``values_``; needs ``output="categorical"``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_samples, n_values)
            Probability of each value.
        """
        raw = self._raw_predictions(X)
        self._loss.inverse_link(raw, out=raw)
        return raw

    def _values(self, raw: Floats) -> Floats:
        """Turn raw predictions in y's units into predicted values, in place where possible."""
        if raw.dtype == np.float32 and self._loss.outgrows(raw):
            raw = raw.astype(np.float64)
        self._loss.inverse_link(raw, out=raw)
        if not self._was_categorical():
            return raw
        if self.categorical_prediction == "mode":
            return self.values_[raw.argmax(axis=1)][:, np.newaxis].astype(raw.dtype)
        return (raw * self.values_.astype(raw.dtype)).sum(axis=1, keepdims=True)

    def _is_scored_by_r2(self) -> bool:
        return self._loss.judged_by_r2 or self._was_categorical()

    def _judged(self, raw: Floats) -> Any:
        if not self._is_scored_by_r2():
            return raw
        offset, factor = self._output_units()
        with np.errstate(over="ignore"):
            return self._values(raw * factor + offset)

    def _score_judged(self, judged: Any, y: Any, sample_weight: Floats | None) -> float:
        if not self._is_scored_by_r2():
            y = y.reshape(len(y), -1)
            with np.errstate(over="ignore", invalid="ignore"):
                targets = y / self._target_scale - self._target_shift / self._target_scale
                return -self._loss.mean(judged, targets.astype(judged.dtype), sample_weight)
        if len(y) < 2:
            # R2 compares with the mean of several rows; scikit-learn would warn besides.
            return np.nan
        return scored(r2_score, y, judged, sample_weight)

    def _make_loss(self) -> Loss:
        if self.output == "categorical":
            return CategoricalLogLoss()
        if self.output_range is not None:
            return ScaledSquaredError(*self._bounds())
        loss = self._resolve_loss("regression", len(self._target_scale))
        return loss.in_units(self._target_scale) if self._has_own_units() else loss

    def _bounds(self) -> tuple[float, float]:
        """Return `output_range`, checked."""
        bounds: tuple[Any, ...] = tuple(map(plain, self.output_range))
        is_whole = all(isinstance(bound, int) for bound in bounds)
        if self.output == "categorical" and not is_whole:
            raise ValueError(
                f"output_range={self.output_range!r}: must hold two integers (low, high) with"
                " output='categorical'."
            )
        if not np.isfinite(float(bounds[1]) - float(bounds[0])):
            raise ValueError(
                f"output_range={self.output_range!r}: the range is wider than the largest float."
            )
        if not bounds[0] < bounds[1]:
            raise ValueError(
                f"output_range={self.output_range!r}: the lower bound must be below the upper"
                " bound."
            )
        return bounds

    def _was_categorical(self) -> bool:
        """Tell whether the fit, whatever `output` says by now, was to a distribution."""
        return isinstance(self._loss, CategoricalLogLoss)

    def _forget(self) -> None:
        super()._forget()
        self.__dict__.pop("values_", None)

    def _encode(self, y: Any, sample_weight: Floats | None, mode: FitMode) -> TargetRows:
        refuse_dates(y, "y")
        # Labels may be sparse, numbers may not.
        if not (type(y) is np.ndarray and y.dtype == np.float64):
            with checking():
                y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        y = y.reshape(len(y), -1)
        loss = self._resolve_loss("regression", y.shape[1])
        self._check_output(loss)
        if not mode.continuing:
            self._target_shift, self._target_scale = np.zeros(y.shape[1]), np.ones(y.shape[1])
            self._units_of_target = self._asked_units()
            self._seen = None
        else:
            self._check_continuation(loss, y)
        if self.output == "categorical":
            return self._encode_integers(y, mode)
        if self.output_range is not None:
            low, high = self._bounds()
            self._check_range(y, low, high)
            return Targets((y - low) / (high - low))
        loss.check_targets(y)
        if mode.learns:
            self._find_units(y, sample_weight, loss, mode)
        # Nothing overflows on the way, and divisions by powers of two round nothing.
        return Targets(y / self._target_scale - self._target_shift / self._target_scale)

    def _check_output(self, loss: Loss) -> None:
        """Refuse a loss that does not go with a bounded or categorical output."""
        is_bounded = self.output != "continuous" or self.output_range is not None
        if is_bounded and not isinstance(loss, SquaredError):
            raise ValueError(
                f"loss={self.loss!r} has an unbounded continuous output, got"
                f" output={self.output!r} and output_range={self.output_range!r}."
            )

    def _check_continuation(self, loss: Loss, y: Floats) -> None:
        """Refuse targets that do not fit the earlier fit."""
        if self._was_categorical() != (self.output == "categorical"):
            raise ValueError(
                f"output={self.output!r}: warm_start and partial_fit go on with the output of the"
                " earlier fit: whether it is categorical must stay."
            )
        for name, before in getattr(self, "_units_of_target", {}).items():
            if self._asked_units()[name] != before:
                raise ValueError(
                    f"{name}={getattr(self, name)!r}: warm_start and partial_fit go on with the"
                    f" units of the earlier fit, {name}={before!r}."
                )
        n_targets = len(self._target_scale)
        if self.output != "categorical" and y.shape[1] != n_targets:
            raise ValueError(f"y has {y.shape[1]} columns, but {n_targets} are expected.")
        units = self._target_shift, self._target_scale
        before, now = (np.array(of.output_units(*units)) for of in (self._loss, loss))
        if self._has_own_units() and not np.array_equal(before, now):
            raise ValueError(
                f"loss={self.loss!r}: warm_start and partial_fit go on with a target that was"
                " standardised for other outputs of the network: the kind of loss must stay."
            )

    def _asked_units(self) -> dict[str, Any]:
        """Return the parameters that decide which numbers the network sees as targets."""
        bounds = None
        if self.output_range is not None and self.output != "categorical":
            bounds = tuple(map(float, self._bounds()))
        return {"output_range": bounds, "standardize_target": self.standardize_target}

    def _check_range(self, y: Floats, low: float, high: float) -> None:
        allowed = Interval(low, high, low_closed=True, high_closed=True)
        if not allowed.contains(y):
            raise ValueError(
                f"y must lie in the range {allowed}, got values from {y.min()} to {y.max()}:"
                f" output_range={self.output_range!r}."
            )

    def _encode_integers(self, y: Floats, mode: FitMode) -> TargetRows:
        if y.shape[1] != 1:
            raise ValueError(
                f"output='categorical' predicts one target column, but y has {y.shape[1]}."
            )
        if (y != np.round(y)).any():
            raise ValueError("output='categorical' needs integers in y, got other numbers.")
        if not mode.continuing:
            bounds = (y.min(), y.max()) if self.output_range is None else self._bounds()
            low, high = int(bounds[0]), int(bounds[1])
            self._check_number_of_values(low, high, len(y))
            self._target_shift, self._target_scale = np.zeros(1), np.ones(1)
            self.values_ = np.arange(low, high + 1)
            if len(self.values_) < 2:
                raise ValueError(
                    "output='categorical' needs at least two different values: y holds only"
                    f" {low}, and output_range is None."
                )
        elif self.output_range is not None:
            before = int(self.values_[0]), int(self.values_[-1])
            if tuple(self._bounds()) != before:
                raise ValueError(
                    f"output_range={self.output_range!r}: warm_start and partial_fit go on with"
                    f" the values of the earlier fit, {before}."
                )
        self._check_range(y, self.values_[0], self.values_[-1])
        return one_hot((y[:, 0] - self.values_[0]).astype(np.intp), len(self.values_))

    def _check_number_of_values(self, low: int, high: int, n_rows: int) -> None:
        """Refuse a distribution that needs arrays out of proportion, before they are made."""
        n_values = high - low + 1
        n_rows = 1 if is_lbfgs(self.solver) else self._batch_rows(n_rows)
        widest = max(n_rows, *self._hidden_sizes(), 1)
        if n_values * widest > LARGEST_DISTRIBUTION:
            raise ValueError(
                f"output='categorical' has one output for each integer from {low} to {high}:"
                f" {n_values} values times {widest} rows of a batch, or hidden units, are more than"
                f" {LARGEST_DISTRIBUTION} numbers. Use a narrower range, a smaller batch_size, or"
                " output='continuous'."
            )

    def _find_units(
        self, y: Floats, sample_weight: Floats | None, loss: Loss, mode: FitMode
    ) -> None:
        """Decide in which units the network sees each column, as long as that is open."""
        if loss.equivariance == "none" or not (self.standardize_target or mode.continuing):
            return
        if mode.continuing and self._seen is None:
            return
        seen = _Moments.of(y, sample_weight)
        if self._seen is not None:
            seen = self._seen.joined(seen)
        self._change_units(*self._chosen_units(seen, loss, mode), is_open=mode.continuing)
        # A constant first batch says nothing about the deviation.
        may_shift = loss.equivariance == "affine"
        is_known = np.all(seen.deviation if may_shift else seen.mean)
        is_settled = seen.n_rows >= ENOUGH_ROWS and (is_known or not mode.incremental)
        self._seen = None if is_settled else seen

    def _chosen_units(self, seen: _Moments, loss: Loss, mode: FitMode) -> tuple[Floats, Floats]:
        """Return shift and scale of each column of the target."""
        may_shift = loss.equivariance == "affine"
        mean, deviation = seen.mean, seen.deviation
        spread = deviation if may_shift else mean
        if self.standardize_target == "auto" and loss.keeps_ordinary_units:
            low, high = ORDINARY_SCALE
            if mode.incremental and seen.n_rows < ENOUGH_ROWS:
                # Few rows may lie close together.
                spread_at_least = np.maximum(spread, 1.0)
            else:
                spread_at_least = spread
            chosen = (spread_at_least < low) | (spread > high)
            chosen |= may_shift & (np.abs(mean) > ORDINARY_MEAN * spread_at_least)
        else:
            chosen = np.full(len(mean), bool(self.standardize_target))
        # A constant column has nothing but rounding errors around its mean.
        constant = spread <= 1e-12 * np.abs(mean)
        measure = np.where(constant, np.minimum(np.abs(mean), 1.0), spread)
        # Powers of two: multiplying by them rounds nothing, so that folding is exact.
        exponent = np.round(np.log2(np.where(measure > 0, measure, 1.0)))
        scale = 2.0 ** np.clip(exponent, *EXPONENTS)
        return np.where(chosen & may_shift, mean, 0.0), np.where(chosen, scale, 1.0)

    def _change_units(self, shift: Floats, scale: Floats, *, is_open: bool) -> None:
        """Take other units of the target; what the network predicts stays as it is."""
        vectors: dict[str, Floats] = {}
        if is_open:
            # All other weights are kept in units of y.
            for name in ("_raw_parameters", "_average"):
                kept = getattr(self, name, None)
                if kept is not None:
                    vectors[name] = kept.astype(np.float64)
            for vector in vectors.values():
                weight, bias = self._network.views(vector[np.newaxis])[-1]
                weight[0], bias[0, 0] = self._fold(weight[0], bias[0, 0])
        self._target_shift, self._target_scale = shift, scale
        for name, vector in vectors.items():
            weight, bias = self._network.views(vector[np.newaxis])[-1]
            weight[0], bias[0, 0] = self._unfold(weight[0], bias[0, 0])
            setattr(self, name, vector)

    def _needs_float64(self) -> bool:
        low, high = SINGLE_PRECISION
        sizes = np.concatenate([self._target_scale, np.abs(self._target_shift)])
        if self.output_range is not None:
            sizes = np.append(sizes, np.abs(np.asarray(self.output_range, dtype=np.float64)))
        mean_in_deviations = np.abs(self._target_shift) / self._target_scale
        return bool(
            (sizes > high).any()
            or (self._target_scale < low).any()
            or (mean_in_deviations > DEVIATIONS_IN_MEAN).any()
        )

    def _fold(self, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        if not self._has_own_units():
            return weight, bias
        # In float32 a large mean would lose a small deviation, and large units would overflow.
        weight, bias = weight.astype(np.float64), bias.astype(np.float64)
        offset, factor = self._output_units()
        # What is not finite then is refused where it is stored.
        with np.errstate(over="ignore", invalid="ignore"):
            return weight * factor, bias * factor + offset

    def _unfold(self, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        if not self._has_own_units():
            return weight, bias
        offset, factor = self._output_units()
        return weight / factor, (bias - offset) / factor

    def _output_units(self) -> tuple[Floats, Floats]:
        """Return offset and factor that give raw predictions in y's units."""
        return self._loss.output_units(self._target_shift, self._target_scale)

    def _key_of_units(self) -> Hashable:
        return self._target_shift.tobytes(), self._target_scale.tobytes()

    def _has_own_units(self) -> bool:
        return bool(self._target_shift.any() or (self._target_scale != 1).any())

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        with suppress(TypeError, ValueError):
            tags.target_tags.positive_only = get_loss(self.loss).target_interval.low >= 0
        return tags


def score_of(network: Any, y: Floats, predicted: Floats, weight: Any) -> float:
    """Return how good predictions are, by the measure that goes with a network's loss.

    Parameters
    ----------
    network : estimator
        R2 is the measure, D2 where the network predicts quantiles.
    y : ndarray of shape (N,) or (N, T)
    predicted : ndarray of shape (N,), (N, T), (N, Q) or (N, T, Q)
        As `predict` of the network returns them.
    weight : ndarray of shape (N,) or None
    """
    loss = getattr(network, "_loss", None)
    if not isinstance(loss, Pinball):
        return scored(r2_score, y, predicted, weight)
    by_quantile = predicted.reshape(len(predicted), -1, len(loss.quantiles))
    scores = [
        scored(partial(d2_pinball_score, alpha=quantile), y, by_quantile[..., i], weight)
        for i, quantile in enumerate(loss.quantiles)
    ]
    return float(np.mean(scores))


def scored(score: Callable[..., float], y: Floats, predicted: Floats, weight: Any) -> float:
    """Return a score that does not depend on the units of y and of weights, (N,).

    Squares of the largest floats overflow, those of the smallest vanish: both are measured in
    powers of two of their own size, which rounds nothing.
    """
    y = y.reshape(len(y), -1)
    predicted = predicted.astype(np.float64).reshape(len(predicted), -1)
    exponent = np.frexp(np.abs(y).max(axis=0))[1]
    with np.errstate(over="ignore", under="ignore"):
        # Further off than 1e100 times y's size, nothing changes but the exponent of the score.
        predicted = np.clip(np.ldexp(predicted, -exponent), -1e100, 1e100)
        y = np.ldexp(y, -exponent)
        if weight is not None and np.ndim(weight) == 1:
            weight = np.asarray(weight, dtype=np.float64)
            weight = np.ldexp(weight, -np.frexp(np.abs(weight).max())[1])
    return float(score(y, predicted, sample_weight=weight))


@dataclass(frozen=True)
class _Moments:
    """Mean and standard deviation of each column of the rows seen so far."""

    n_rows: int
    weight: float
    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, y: Floats, sample_weight: Floats | None) -> _Moments:
        """Return those of some rows."""
        # Squares of the largest floats overflow, those of the smallest vanish.
        largest = np.abs(y).max(axis=0)
        unit = np.where(largest > 0, largest, 1.0)
        mean = np.average(y / unit, axis=0, weights=sample_weight)
        deviation = np.sqrt(np.average((y / unit - mean) ** 2, axis=0, weights=sample_weight))
        weight = float(len(y) if sample_weight is None else sample_weight.sum())
        n_rows = len(y) if sample_weight is None else int(np.count_nonzero(sample_weight))
        return cls(n_rows, weight, mean * unit, deviation * unit)

    def joined(self, other: _Moments) -> _Moments:
        """Return those of both groups of rows."""
        weight = self.weight + other.weight
        a, b = self.weight / weight, other.weight / weight
        within = np.hypot(np.sqrt(a) * self.deviation, np.sqrt(b) * other.deviation)
        between = np.sqrt(a * b) * (other.mean - self.mean)
        return _Moments(
            self.n_rows + other.n_rows,
            weight,
            a * self.mean + b * other.mean,
            np.hypot(within, between),
        )
