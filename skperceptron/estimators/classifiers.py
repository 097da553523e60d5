"""The classifiers: sigmoids for two classes or several labels, a softmax, or what y asks for."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.metaestimators import available_if

from .._sklearn.checks import restored_on_failure
from .._sklearn.compat import check_partial_fit_first_call, fit_context, type_of_target
from .._sklearn.fit_calls import FitMode
from .._sklearn.labels import LabelMixin, labels_to_compare, n_evident_classes, never_certain
from ..engine.arrays import Floats
from ..losses import Loss, list_losses
from ..options import CLASS_WEIGHT, Instance, Name, Rules, speaks_for_itself
from ..training import TargetRows
from .base import (
    BaseMultilayerPerceptron,
    is_stochastic,
    takes_shared_parameters,
)
from .docs import shares_documentation
from .targets import (
    ClassProbabilities,
    Indicators,
    LabelTarget,
    ManyClasses,
    OrderedClasses,
    Target,
    TwoClasses,
    are_probabilities,
    asks_for_order,
    is_multilabel,
    refuse_other_kind,
)


class BaseMLPClassifier(LabelMixin, BaseMultilayerPerceptron):
    """What all classifiers share: labels and their weights, fit, probabilities."""

    _parameter_constraints: dict[str, Rules] = {
        **BaseMultilayerPerceptron._parameter_constraints,
        "loss": [Name(list_losses("multiclass")), Instance(Loss)],
        "class_weight": CLASS_WEIGHT,
    }

    @takes_shared_parameters
    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        loss="log_loss",
        class_weight=None,
        **shared,
    ) -> None:
        super().__init__(hidden_layer_sizes, activation, **shared)
        self.loss = loss
        self.class_weight = class_weight

    @available_if(is_stochastic)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> BaseMLPClassifier:
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
            Predicted labels. A CSR matrix if the y of the fit was sparse.
        """
        X = self._checked_to_predict(X)
        fitted = self._network_as_assigned()
        return fitted.decoded(X, fitted.target.decode)

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
        raw = self._raw_predictions(X)
        return self._target().decision(raw)

    def predict_proba(self, X: Any) -> Floats:
        """Estimate probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            Probability of each class, in the order of ``classes_``, or of each label. Never
            exactly 0 or 1.
        """
        raw = self._raw_predictions(X)
        return never_certain(self._target().probabilities(raw))

    def _target(self) -> LabelTarget:
        return self._fitted.target

    def _target_of(self, kind: type[LabelTarget], loss: str | Loss) -> LabelTarget:
        classes = getattr(self, "classes_", None)
        return kind(loss, classes, type(self).__name__, self.warm_start)

    def _weigh(self, target: Any, rows: TargetRows, sample_weight: Floats | None) -> Floats | None:
        if self.class_weight is None:
            return sample_weight
        if rows.codes is None:
            raise ValueError(
                f"class_weight={self.class_weight!r} weights rows by their class, but"
                f" {target.lacks_class}"
            )
        self.classes_ = target.classes
        return self._weigh_classes(rows.codes, sample_weight)


@speaks_for_itself
@shares_documentation
class MLPBinaryClassifier(BaseMLPClassifier):
    """Multi-layer perceptron with sigmoid outputs, for two classes or for several labels.

    With two classes the network has one output, the probability of ``classes_[1]``. A
    multilabel-indicator target gives one independent output per label. With ``dtype="float64"``,
    the same parameters and the same `random_state`, the model is that of scikit-learn's
    :class:`~sklearn.neural_network.MLPClassifier`, up to rounding.

    Parameters
    ----------
    {parameters}

    {classifier_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The two class labels; for several labels per row, their column numbers.

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
    >>> network = MLPBinaryClassifier((16,), solver="lbfgs", alpha=1, max_iter=1000, random_state=0)
    >>> model = make_pipeline(StandardScaler(), network).fit(X, y)
    >>> model.score(X, y) > 0.98
    True
    """

    def _choose_target(self, y: Any, mode: FitMode) -> Target:
        has_many = isinstance(self._target(), Indicators) if mode.continuing else is_multilabel(y)
        return self._target_of(Indicators if has_many else TwoClasses, self.loss)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.multi_label = self.class_weight is None
        return tags


@speaks_for_itself
@shares_documentation
class MLPSoftmaxClassifier(BaseMLPClassifier):
    """Multi-layer perceptron with a softmax output, for two or more classes.

    The network has one output per class. For three classes and more, with ``dtype="float64"``, the
    same parameters and the same `random_state`, the model is that of scikit-learn's
    :class:`~sklearn.neural_network.MLPClassifier`, up to rounding.

    Instead of labels, `y` may hold a row of probabilities for each row of X, an array of floats of
    shape (n_samples, n_classes) whose rows add up to 1 (Hinton et al. 2015): the network learns
    them by cross entropy, and ``classes_`` are the positions of the columns.

    With ``loss="ordinal"`` classes are ordered: instead of the softmax, the network has an output
    for each border between neighboring classes. The probability that the class lies above a border
    falls from each border to the next (McCullagh 1980). The order is that of ``classes_``; if they
    are strings, state theirs with :class:`~skperceptron.losses.OrdinalLogLoss`.

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

    Hinton, Vinyals & Dean (2015), Distilling the knowledge in a neural network.
    arXiv:1503.02531.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPSoftmaxClassifier((8,), solver="lbfgs", alpha=1, max_iter=1000, random_state=0)
    >>> network.fit(X, y).predict_proba(X[:1]).shape
    (1, 3)
    """

    _parameter_constraints = {
        **BaseMLPClassifier._parameter_constraints,
        "loss": [Name([*list_losses("multiclass"), *list_losses("ordinal")]), Instance(Loss)],
    }

    def _choose_target(self, y: Any, mode: FitMode) -> Target:
        kind: type[ManyClasses] = ClassProbabilities if are_probabilities(y) else ManyClasses
        loss = self.loss
        return self._target_of(OrderedClasses if asks_for_order(loss) else kind, loss)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the mean accuracy on the given data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        y : array-like of shape (n_samples,)
            True labels. After a fit to probabilities, it may hold rows of probabilities, too: each
            is replaced by its most likely class.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Share of the rows that are predicted exactly.
        """
        fitted = self._fitted_network()
        if fitted is not None and isinstance(fitted.target, ClassProbabilities):
            y = fitted.target.likeliest(labels_to_compare(y))
        return super().score(X, y, sample_weight)


@speaks_for_itself
@shares_documentation
class MLPClassifier(BaseMLPClassifier):
    """Multi-layer perceptron for labels of any kind, a replacement for scikit-learn's.

    Two classes, or several labels per row, give sigmoid outputs, like those of
    :class:`MLPBinaryClassifier`; three or more classes give a softmax, like that of
    :class:`MLPSoftmaxClassifier`. To switch from scikit-learn's
    :class:`~sklearn.neural_network.MLPClassifier`, change the import: parameters that both have
    keep their names, defaults and meaning, and the same `random_state` gives the same model up to
    rounding.

    Parameters
    ----------
    {parameters}

    {classifier_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels; for several labels per row, their column numbers.

    {attributes}

    See Also
    --------
    MLPBinaryClassifier : For two classes or several labels only.
    MLPSoftmaxClassifier : A softmax for two classes, too.
    skperceptron.exchange.from_sklearn : Converts a fitted model of scikit-learn.

    Notes
    -----
    Unlike in the other networks, `dtype` is "float64" by default. With "auto", networks with a
    weight matrix of 4,096 numbers or more train in float32. This is faster, but their models then
    agree with scikit-learn's only up to the rounding of float32.

    References
    ----------
    Rumelhart, Hinton & Williams (1986), Learning representations by back-propagating
    errors. Nature 323.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import train_test_split
    >>> from skperceptron import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> network = MLPClassifier((8,), solver="lbfgs", alpha=1, max_iter=2000, random_state=0)
    >>> network.fit(X_train, y_train).score(X_test, y_test) > 0.9
    True
    """

    @takes_shared_parameters
    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        loss="log_loss",
        class_weight=None,
        dtype="float64",
        **shared,
    ) -> None:
        super().__init__(
            hidden_layer_sizes,
            activation,
            loss=loss,
            class_weight=class_weight,
            dtype=dtype,
            **shared,
        )

    def _choose_target(self, y: Any, mode: FitMode) -> Target:
        kind = self._kind_to_go_on_with(y) if mode.continuing else self._kind_of(y, mode)
        return self._target_of(kind, self.loss)

    def _kind_to_go_on_with(self, y: Any) -> type[LabelTarget]:
        kind = type(self._target())
        if kind is ManyClasses and is_multilabel(y):
            refuse_other_kind(now="labels", before="classes")
        return kind

    def _kind_of(self, y: Any, mode: FitMode) -> type[LabelTarget]:
        n_classes = n_evident_classes(y)
        if not n_classes and is_multilabel(y):
            return Indicators
        if mode.incremental:
            # partial_fit knows all classes; the first rows may hold only some of them.
            has_many = len(np.unique(self.classes_)) > 2
        elif n_classes:
            has_many = n_classes > 2
        else:
            has_many = type_of_target(y, input_name="y") == "multiclass"
        return ManyClasses if has_many else TwoClasses

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = self.class_weight is None
        return tags
