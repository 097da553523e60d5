"""Convert fitted networks from and to scikit-learn: weights are copied, nothing is trained.

Predictions are the same up to rounding. Moments of the optimizer and a lowered learning rate are
not copied: continued training starts without them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import neural_network
from sklearn.utils.validation import check_is_fitted

from ._sklearn.checks import FLOAT64, take_over_features
from ._sklearn.compat import let_continue, let_predict
from ._sklearn.fit_calls import FROM_SCRATCH
from .engine.arrays import Floats
from .estimators.base import BaseMultilayerPerceptron
from .estimators.choices import Choices
from .estimators.classifiers import BaseMLPClassifier, MLPClassifier
from .estimators.continuation import Continuation
from .estimators.fitted import ALWAYS_KEPT, FittedNetwork, fitted_network
from .estimators.model import Model
from .estimators.regressor import MLPRegressor
from .estimators.targets import Indicators, ManyClasses, Numbers

__all__ = ["from_sklearn", "to_sklearn"]

#: Whether the installed scikit-learn's regressor knows the Poisson loss (1.7 and newer).
KNOWS_POISSON = "loss" in neural_network.MLPRegressor().get_params()

#: Functions by which scikit-learn turns raw predictions into predicted values.
LINKS = ("identity", "logistic", "softmax", *(["exp"] if KNOWS_POISSON else []))

ACTIVATIONS = ("identity", "logistic", "tanh", "relu")

#: Attributes that describe the training, and those that early stopping adds.
_HISTORY = ("loss_", "best_loss_", "loss_curve_", "n_iter_", "t_")
_VALIDATION = ("validation_scores_", "best_validation_score_")


def from_sklearn(fitted: Any) -> MLPClassifier | MLPRegressor:
    """Return a network of this package with the weights of a fitted network of scikit-learn.

    Parameters
    ----------
    fitted : sklearn.neural_network.MLPClassifier or sklearn.neural_network.MLPRegressor
        It is not changed.

    Returns
    -------
    MLPClassifier or MLPRegressor
        Fitted. It has the same parameters (a regressor also has ``standardize_target=False``),
        predicts the same up to rounding, and trains in float64.

    Raises
    ------
    TypeError
        If `fitted` is not such a network.
    ValueError
        If it was fitted to a single class.
    NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neural_network import MLPClassifier
    >>> from skperceptron.exchange import from_sklearn
    >>> X, y = load_iris(return_X_y=True)
    >>> theirs = MLPClassifier((8,), solver="lbfgs", alpha=1, max_iter=1000, random_state=0)
    >>> ours = from_sklearn(theirs.fit(X, y))
    >>> np.allclose(ours.predict_proba(X), theirs.predict_proba(X))
    True
    """
    if isinstance(fitted, neural_network.MLPClassifier):
        ours: Any = MLPClassifier()
    elif isinstance(fitted, neural_network.MLPRegressor):
        ours = MLPRegressor(standardize_target=False, dtype="float64")
    else:
        raise TypeError(
            "fitted must be an MLPClassifier or MLPRegressor of sklearn.neural_network, got"
            f" {type(fitted)}. For a pipeline, pass its last step."
        )
    check_is_fitted(fitted, "coefs_")
    ours.set_params(**fitted.get_params(deep=False))
    take_over_features(ours, fitted)
    y = _rows_like_those_of(fitted)
    if hasattr(fitted, "classes_"):
        ours.classes_ = fitted.classes_
    target = ours._choose_target(y, FROM_SCRATCH)
    target.encode(y, None, FROM_SCRATCH, None)
    choices = Choices.of(ours)
    network = ours._build_network(choices.wiring, fitted.n_features_in_, fitted.n_outputs_)
    ours._store_description(Model(choices, target, network, FLOAT64))
    learned: dict[str, list[Floats]] = {name: [] for name in ALWAYS_KEPT}
    learned["coefs_"] = [np.array(weight, dtype=FLOAT64) for weight in fitted.coefs_]
    learned["intercepts_"] = [np.array(bias, dtype=FLOAT64) for bias in fitted.intercepts_]
    ours._store_fitted(FittedNetwork(network, target, learned))
    _copy_history(fitted, ours)
    ours.validation_loss_curve_ = None
    if not choices.is_lbfgs:
        ours._later = Continuation(
            no_improvement=fitted._no_improvement_count, n_epochs=fitted.n_iter_
        )
    return ours


def _rows_like_those_of(fitted: Any) -> Any:
    """Return a y of the kind to which a model of scikit-learn has been fitted."""
    if not hasattr(fitted, "classes_"):
        y = np.zeros((2, fitted.n_outputs_))
        return y if fitted.n_outputs_ > 1 else y[:, 0]
    if len(fitted.classes_) < 2:
        raise ValueError(
            "fitted was trained on a single class,"
            f" {fitted.classes_[0]!r}: at least two are needed."
        )
    is_one_label_per_row = fitted.out_activation_ == "softmax" or fitted.n_outputs_ == 1
    return fitted.classes_ if is_one_label_per_row else np.eye(fitted.n_outputs_, dtype=int)


def _copy_history(source: Any, receiver: Any) -> None:
    names = _HISTORY if source.early_stopping is False else (*_HISTORY, *_VALIDATION)
    for name in names:
        if hasattr(source, name):
            value = getattr(source, name)
            setattr(receiver, name, list(value) if isinstance(value, list) else value)
    for name in _VALIDATION:
        setattr(receiver, name, getattr(receiver, name, None))


def to_sklearn(
    network: BaseMultilayerPerceptron,
) -> neural_network.MLPClassifier | neural_network.MLPRegressor:
    """Return a network of scikit-learn with the weights of a fitted network of this package.

    Dropout and averaging do not matter, since they act in training only, nor does a standardized
    target, which is folded into the output layer. A softmax of two classes becomes the equivalent
    single sigmoid. Parameters that scikit-learn lacks, or whose value it does not accept, such as
    ``solver="lion"``, get its defaults; this matters for further training only.

    Parameters
    ----------
    network : MLPClassifier, MLPBinaryClassifier, MLPSoftmaxClassifier or MLPRegressor
        Fitted; it is not changed.

    Returns
    -------
    sklearn.neural_network.MLPClassifier or sklearn.neural_network.MLPRegressor
        Fitted; it predicts the same up to rounding.

    Raises
    ------
    TypeError
        If `network` is not a network of this package.
    ValueError
        If scikit-learn's networks cannot express it: skip connections, normalizations, learned
        scales and embeddings, other activations or different ones in different layers, bounded,
        clipped and categorical outputs, and losses that estimate several numbers per target.
    NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from skperceptron import MLPRegressor
    >>> from skperceptron.exchange import to_sklearn
    >>> X, y = load_diabetes(return_X_y=True)
    >>> ours = MLPRegressor(hidden_layer_sizes=(8,), solver="lbfgs", alpha=1, random_state=0)
    >>> theirs = to_sklearn(ours.fit(X, y))
    >>> np.allclose(theirs.predict(X), ours.predict(X))
    True
    """
    if not isinstance(network, BaseMultilayerPerceptron):
        raise TypeError(
            "network must be an MLPClassifier, MLPBinaryClassifier, MLPSoftmaxClassifier or"
            f" MLPRegressor of skperceptron, got {type(network)}. For a pipeline, pass its last"
            " step."
        )
    fitted = fitted_network(network)
    activation = _expressible_activation(network, fitted)
    target = fitted.target
    is_classifier = isinstance(network, BaseMLPClassifier)
    coefs, intercepts = (list(fitted.learned[name]) for name in ("coefs_", "intercepts_"))
    link = network.out_activation_
    if isinstance(target, ManyClasses) and len(target.classes) == 2:
        coefs[-1], intercepts[-1] = _difference(coefs[-1]), _difference(intercepts[-1])
        link = "logistic"
    kind = neural_network.MLPClassifier if is_classifier else neural_network.MLPRegressor
    theirs: Any = kind()
    theirs.set_params(**_shared_parameters(network, theirs), activation=activation)
    theirs.set_params(hidden_layer_sizes=tuple(bias.size for bias in intercepts[:-1]))
    if link == "exp":
        theirs.set_params(loss="poisson")
    theirs.coefs_ = [weight.copy() for weight in coefs]
    theirs.intercepts_ = [bias.copy() for bias in intercepts]
    theirs.out_activation_, theirs.n_outputs_ = link, intercepts[-1].size
    theirs.n_layers_ = len(coefs) + 1
    take_over_features(theirs, network)
    if is_classifier:
        let_predict(theirs, target.classes, is_multilabel=isinstance(target, Indicators))
    _copy_history(network, theirs)
    let_continue(theirs, network._later.no_improvement or 0)
    return theirs


def _expressible_activation(network: Any, fitted: FittedNetwork) -> str:
    """Return the hidden layers' activation; raise ValueError if scikit-learn cannot express it."""
    for node in fitted.network.nodes:
        if node.block.kind not in ("affine", "activation", "dropout") or len(node.sources) > 1:
            raise _inexpressible(network, f"{node.block.kind} {node.name!r}", "plain layers only")
    target = fitted.target
    if not isinstance(network, BaseMLPClassifier):
        if not isinstance(target, Numbers):
            raise _inexpressible(network, f"output of {type(target).__name__}", "plain numbers")
        if target.loss.outputs_per_target > 1:
            raise _inexpressible(network, f"loss={network.loss!r}", "one number per target")
        if network.clip_predictions:
            raise _inexpressible(network, "clip_predictions=True", "predictions without bounds")
    if network.out_activation_ not in LINKS:
        known = ", ".join(LINKS)
        raise _inexpressible(network, f"output through {network.out_activation_!r}", known)
    hidden: list[Any] = [node.block.activation_of(0) for node in fitted.network.nodes]
    names = {a.names[0] if a.names else type(a).__name__ for a in hidden if a is not None}
    if not names:
        return "identity"
    if len(names) > 1 or not names <= set(ACTIVATIONS):
        raise _inexpressible(
            network,
            f"activation={network.activation!r}",
            f"one of {', '.join(ACTIVATIONS)} for all hidden layers",
        )
    return names.pop()


def _inexpressible(network: Any, what: str, known: str) -> ValueError:
    return ValueError(
        f"scikit-learn's networks cannot express this {type(network).__name__}: it has"
        f" {what}, they support {known}."
    )


def _difference(array: Floats) -> Floats:
    """Return the second column minus the first; exp(b) / (exp(a) + exp(b)) is logistic(b - a)."""
    return array[..., 1:] - array[..., :1]


def _shared_parameters(network: Any, theirs: Any) -> dict[str, Any]:
    """Return the parameters that both have and whose values scikit-learn accepts."""
    given = network.get_params(deep=False)
    found = {}
    for name in theirs.get_params().keys() & given.keys() - {"activation", "hidden_layer_sizes"}:
        twin = type(theirs)(**{name: given[name]})
        try:
            twin._validate_params()
        except ValueError:
            continue
        found[name] = given[name]
    return found
