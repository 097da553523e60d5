"""A replacement for scikit-learn's classifier: y decides between sigmoid and softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._sklearn.compat import type_of_target
from .._sklearn.fit_calls import FitMode
from ..options import speaks_for_itself
from .base import takes_shared_parameters
from .classifiers import BaseMLPClassifier
from .docs import shares_documentation
from .targets import (
    Indicators,
    LabelTarget,
    ManyClasses,
    Target,
    TwoClasses,
    is_multilabel,
    refuse_other_kind,
)


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
        if is_multilabel(y):
            return Indicators
        if mode.incremental:
            # partial_fit knows all classes; the first rows may hold only some of them.
            return ManyClasses if len(np.unique(self.classes_)) > 2 else TwoClasses
        return ManyClasses if type_of_target(y, input_name="y") == "multiclass" else TwoClasses

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = self.class_weight is None
        return tags
