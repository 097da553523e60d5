"""Rosenblatt's perceptron of 1958: sensory, associative and response units.

Sensory units are the features. Each associative unit is joined to a few of them by fixed
random connections of +1 and -1 and fires where their sum reaches its threshold. Response
units, one per class, learn by error correction.
"""

from __future__ import annotations

from copy import copy, deepcopy
from functools import partial
from numbers import Integral
from typing import Any, NoReturn

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from .._sklearn.checks import (
    check_sample_weight,
    restored_on_failure,
    validated,
)
from .._sklearn.compat import (
    CallbackSupportMixin,
    check_partial_fit_first_call,
    fit_context,
)
from .._sklearn.estimators import PackageEstimator
from .._sklearn.fit_calls import FitMode
from .._sklearn.generators import generator_of
from .._sklearn.labels import (
    LabelMixin,
    are_known_labels,
    check_labels,
    n_evident_classes,
    never_certain,
    validated_labels,
)
from ..callbacks.autologging import autologged
from ..callbacks.listening import CALLBACKS, Listener, listening
from ..callbacks.table import Column, EpochTable
from ..engine.arrays import Floats, Integers, all_finite
from ..engine.fingerprints import merge_equal_rows
from ..engine.prediction import predict_raw
from ..estimators.continuation import KEPT_EPOCHS
from ..estimators.fitted import FittedNetwork, Outputs, fitted_network
from ..estimators.notebook import NotebookMixin
from ..exceptions import DivergedError
from ..options import (
    CLASS_WEIGHT,
    COUNT,
    SEED,
    VERBOSITY,
    ChecksOptions,
    Flag,
    Interval,
    Name,
    Rules,
    speaks_for_itself,
)
from ..usercall import warn, warn_of_interruption
from .error_correction import (
    AveragedWeights,
    ErrorCorrection,
    LastWeights,
    PocketWeights,
)
from .inputs import ComputedInputs, GivenInputs, Inputs
from .presentation import Presentation, check_sizes, rows_as_given
from .threshold import FAR, Threshold, slope_of
from .units import drawn_units, wire

#: Largest number of activations of associative units that are kept for all rows (32 MB). If
#: there are more, they are computed again in every epoch, window by window.
KEPT_NUMBERS = 2**22

#: Epochs that are presented together at first if rows are few: this is faster than two calls.
AT_FIRST = 8

#: Which weights are kept for predictions, by the names that users give.
MEMORIES: dict[str, type[LastWeights]] = {
    "plain": LastWeights,
    "averaged": AveragedWeights,
    "pocket": PocketWeights,
}


# The class is long because of its docstrings, which stand where users look for them.
@speaks_for_itself
class RosenblattPerceptron(
    NotebookMixin,
    CallbackSupportMixin,
    LabelMixin,
    ChecksOptions,
    PackageEstimator,
    BaseEstimator,
):
    """Rosenblatt's perceptron: sensory, associative and response units.

    Associative units have fixed random connections; only the response units learn, one
    per class (a single one for two classes), by error correction. With
    ``n_associative=0`` it is the elementary perceptron, a linear classifier. For dense X of
    doubles, ``shuffle=False`` and no class weights, it then learns the same weights as
    :class:`sklearn.linear_model.Perceptron` with ``tol=None``.

    Parameters
    ----------
    n_associative : int, default=200
        Number of associative units; with 0, response units are connected to the features.

    n_connections : int, default=None
        Features that each associative unit is connected to, at most all of them. None means
        ``min(n_features, 3)``.

    weights : {"plain", "averaged", "pocket"}, default="plain"
        Which response weights are kept: the last ones, the average over all rows presented
        (Freund & Schapire 1999), or those with the longest run of right answers, provided that
        they also classify more rows correctly (Gallant's pocket with ratchet, 1990). The last two
        are meant for classes that cannot be separated.

    fit_intercept : bool, default=True
        Whether response units have a bias.

    max_iter : int, default=100
        Largest number of epochs. Training ends with the first epoch without a mistake.

    shuffle : bool, default=True
        Whether each epoch presents the rows in a new random order. Equal rows are then
        presented as one, with the sum of their weights, so that a weight of 2 is the same
        as a repeated row. Otherwise rows are presented as they are given.

    class_weight : dict or "balanced", default=None
        Weights of the classes, which multiply those of their rows. "balanced" is inversely
        proportional to the weight of each class in the data.

    random_state : int, RandomState instance or None, default=None
        Seed or generator of connections, thresholds and row orders.

    warm_start : bool, default=False
        Whether `fit` continues from the weights of the previous call.

    verbose : bool or int, default=False
        Whether to print the number of mistakes in each epoch.

    callbacks : list of callbacks, default=None
        Objects that are called for each epoch: see :mod:`skperceptron.callbacks`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.

    associative_weights_ : ndarray of shape (n_features, n_associative)
        Connections from features to associative units: -1, 0 or 1.

    associative_thresholds_ : ndarray of shape (n_associative,)
        A unit fires, with value 1, where its sum is at least its threshold. Thresholds lie
        between two sums that occur in the training data of the first call.

    response_weights_ : ndarray of shape (1, n_inputs) or (n_classes, n_inputs)
        Weights of the response units; ``n_inputs`` is `n_associative`, or the number of
        features if that is 0.

    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        The same as `response_weights_`, if `n_associative` is 0. With associative units, features
        have no weights.

    intercept_ : ndarray of shape (1,) or (n_classes,)
        Biases of the response units.

    mistakes_ : list of int
        Number of corrections in each epoch, all response units together. From earlier calls, only
        the last 1,000 epochs are kept.

    converged_ : bool
        Whether the last epoch had no mistakes.

    response_slope_ : float
        Factor by which `predict_proba` multiplies responses, from the rows of the last call.

    n_iter_ : int
        Number of epochs in the last call.

    t_ : int
        Number of rows presented so far.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if all of them are strings.

    See Also
    --------
    MLPBinaryClassifier : Trains hidden layers too.
    sklearn.linear_model.Perceptron : The elementary perceptron.

    Notes
    -----
    If the classes can be separated with margin g, and no row is longer than R, training makes at
    most :math:`(R / g)^2` mistakes (Novikoff 1962), without class or sample weights.

    References
    ----------
    Rosenblatt (1958), The perceptron: a probabilistic model for information storage and
    organization in the brain. Psychological Review 65.

    Novikoff (1962), On convergence proofs on perceptrons. Symposium on the Mathematical
    Theory of Automata.

    Gallant (1990), Perceptron-based learning algorithms. IEEE Transactions on Neural
    Networks 1.

    Freund & Schapire (1999), Large margin classification using the perceptron algorithm.
    Machine Learning 37.

    Examples
    --------
    >>> from skperceptron import RosenblattPerceptron
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> RosenblattPerceptron(n_associative=20, random_state=0).fit(X, y).score(X, y)
    1.0
    >>> elementary = RosenblattPerceptron(n_associative=0, weights="pocket", random_state=0)
    >>> elementary.fit(X, y).score(X, y) < 1
    True
    """

    mistakes_: list[int]
    t_: int

    # Epochs of the last ``fit`` and of ``partial_fit`` since.
    _n_epochs = 0

    # Limits within which sums of rows times their weights neither overflow nor vanish.
    _sums_of_weights = (1e-150, 1e150)

    _layer_names = ("sensory (S)", "associative (A)", "response (R)")

    _parameter_constraints: dict[str, Rules] = {
        "n_associative": [Interval(0, low_closed=True, whole=True)],
        "n_connections": [COUNT, None],
        "weights": [Name(list(MEMORIES))],
        "fit_intercept": [Flag()],
        "max_iter": [COUNT],
        "shuffle": [Flag()],
        "class_weight": CLASS_WEIGHT,
        "random_state": SEED,
        "warm_start": [Flag()],
        "verbose": VERBOSITY,
        "callbacks": [CALLBACKS, None],
    }

    def __init__(
        self,
        n_associative=200,
        *,
        n_connections=None,
        weights="plain",
        fit_intercept=True,
        max_iter=100,
        shuffle=True,
        class_weight=None,
        random_state=None,
        warm_start=False,
        verbose=False,
        callbacks=None,
    ) -> None:
        self.n_associative = n_associative
        self.n_connections = n_connections
        self.weights = weights
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.class_weight = class_weight
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.callbacks = callbacks

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> RosenblattPerceptron:
        """Train the response units until an epoch passes without a mistake.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.

        y : array-like of shape (n_samples,)
            Class labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows: a correction adds the row times its weight.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, or (DivergedError) if responses overflow. An
            earlier fit is then left as it was.
        """
        continuing = self.warm_start and self.__sklearn_is_fitted__()
        with (
            autologged(self, X, lambda fitted: {"mistakes": np.asarray(fitted.mistakes_, float)}),
            restored_on_failure(self),
            listening(self, int(self.max_iter), X, y, sample_weight) as listener,
        ):
            mode = FitMode(continuing, incremental=False)
            return self._fit(X, y, sample_weight, mode, listener)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> RosenblattPerceptron:
        """Present the given rows once.

        The first call determines connections and thresholds; it should have a few hundred rows:
        with a single one, units with equal connections get equal thresholds. The last call alone
        determines the slope of `predict_proba`: if it has few rows, the slope is a rough guess.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to learn from.

        y : array-like of shape (n_samples,)
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
        # scikit-learn checks parameters in the first call only.
        self._validate_params()
        self._refuse_balancing_batches()
        with restored_on_failure(self), listening(self, 1, X, y, sample_weight) as listener:
            check_partial_fit_first_call(self, classes)
            mode = FitMode(self.__sklearn_is_fitted__(), incremental=True)
            return self._fit(X, y, sample_weight, mode, listener)

    @property
    def coef_(self) -> Floats:
        check_is_fitted(self)
        # Tools such as RFE treat its columns as the features.
        if self.associative_weights_.shape[1]:
            raise AttributeError(
                "A perceptron with associative units has no coef_, since its weights are not those"
                " of features: see response_weights_."
            )
        return self.response_weights_

    @coef_.setter
    def coef_(self, weights: Floats) -> None:
        # Only what can be read may be replaced.
        if self.coef_ is not weights:
            self.response_weights_ = weights

    def decision_function(self, X: Any) -> Floats:
        """Return the responses before the threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes, positive where ``classes_[1]`` is predicted.
        """
        responses = self._responses(X)
        return responses[:, 0] if responses.shape[1] == 1 else responses

    def predict(self, X: Any) -> Any:
        """Predict class labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predicted labels.
        """
        responses = self._responses(X)
        if responses.shape[1] == 1:
            return self.classes_[(responses[:, 0] > 0).astype(int)]
        return self.classes_[responses.argmax(axis=1)]

    def predict_proba(self, X: Any) -> Floats:
        """Estimate probabilities: a sigmoid or softmax of the responses times a slope.

        The slope minimizes the log loss on the training rows, those of the last call, whose labels
        are smoothed as in Platt (1999). A class's probability increases with its response.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probability of each class, in the order of ``classes_``. None is rounded to 0 or 1.
        """
        responses = self._responses(X)
        # For rows far from the training data, a probability near 0 or 1 is right.
        with np.errstate(over="ignore"):
            scaled = np.clip(responses.astype(np.float64) * self.response_slope_, -FAR, FAR)
        scaled = scaled.astype(responses.dtype, copy=False)
        if scaled.shape[1] == 1:
            return never_certain(expit(scaled * np.array([-1, 1], dtype=scaled.dtype)))
        return never_certain(softmax(scaled, axis=1))

    def _responses(self, X: Any) -> Floats:
        fitted = fitted_network(self)
        X = validated(self, X, dtype=(np.float64, np.float32), reset=False)
        responses = fitted.raw_predictions(X)
        if (np.abs(responses) > np.finfo(X.dtype).max).any():
            return responses
        return responses.astype(X.dtype, copy=False)

    # Fitting.

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, mode: FitMode, listener: Listener
    ) -> RosenblattPerceptron:
        listener.refuse_to_save("a RosenblattPerceptron")
        X, y, sample_weight = self._validated_data(X, y, sample_weight, mode)
        codes = self._label_codes(y, mode)
        weight = self._weigh_classes(codes, sample_weight)
        rng = self._generator(mode)
        distinct = rows_as_given(weight)
        if self.shuffle or (self.n_associative and not mode.continuing):
            distinct = merge_equal_rows(X, codes[:, np.newaxis], weight)
        if mode.continuing:
            self._check_same_units()
        else:
            self._draw_associative_units(X, *distinct, rng)
        kept, weights = distinct if self.shuffle else rows_as_given(weight)
        has_constant = bool(self.n_associative or self.fit_intercept)
        features = None if self.n_associative else X
        n_inputs = int(self.n_associative) or X.shape[1]
        check_sizes(features, weights, has_constant, n_inputs * int(self.max_iter))
        inputs, n_classes = self._inputs(X), len(self.classes_)
        training = Presentation(inputs, kept, codes[kept], n_classes, weights)
        self._train(training, rng, mode, listener)
        self._had_intercept = bool(self.fit_intercept)
        if isinstance(self.random_state, Integral):
            self._shuffling = int(self.random_state), rng
        return self

    def _validated_data(
        self, X: Any, y: Any, sample_weight: Any, mode: FitMode
    ) -> tuple[Any, Any, Floats | None]:
        X, y = validated_labels(
            self, X, y, dtype=(np.float64, np.float32), reset=not mode.continuing
        )
        known = getattr(self, "classes_", None)
        if not (are_known_labels(y, known, mode) or n_evident_classes(y)):
            check_labels(y)
        return X, y, check_sample_weight(sample_weight, X)

    def _generator(self, mode: FitMode) -> np.random.RandomState:
        """Return the generator of row orders: the earlier fit's, if this one continues its seed."""
        seed, rng = getattr(self, "_shuffling", (None, None))
        if mode.continuing and rng is not None and seed == self.random_state:
            # A copy: if this fit fails, the earlier fit keeps its generator unchanged.
            return deepcopy(rng)
        return generator_of(self.random_state)

    def _check_same_units(self) -> None:
        n_units = self.associative_weights_.shape[1]
        if self.n_associative != n_units:
            self._refuse_change("n_associative", n_units, "units")
        n_connections = np.count_nonzero(self.associative_weights_[:, :1])
        if self.n_associative and self._asked_connections() != n_connections:
            self._refuse_change("n_connections", n_connections, "units")
        had_intercept = getattr(self, "_had_intercept", self.fit_intercept)
        if self.fit_intercept != had_intercept:
            self._refuse_change("fit_intercept", had_intercept, "weights")

    def _asked_connections(self) -> int:
        given = self.n_connections
        return min(self.n_features_in_, 3) if given is None else int(given)

    def _refuse_change(self, name: str, earlier: Any, kept: str) -> NoReturn:
        raise ValueError(
            f"warm_start and partial_fit continue with the {kept} of the earlier fit:"
            f" {name}={getattr(self, name)} must stay {earlier}."
        )

    def _draw_associative_units(
        self, X: Any, rows: Integers, weights: Floats, rng: np.random.RandomState
    ) -> None:
        n_features, n_units = X.shape[1], int(self.n_associative)
        if self.n_connections is not None and self.n_connections > n_features:
            raise ValueError(
                f"n_connections={self.n_connections} must be at most n_features={n_features}."
            )
        self.associative_weights_, self.associative_thresholds_ = drawn_units(
            X, rows, weights, (n_units, self._asked_connections()), rng
        )
        n_responses = 1 if len(self.classes_) == 2 else len(self.classes_)
        self._network = wire(n_features, n_units, n_responses)

    def _inputs(self, X: Any) -> Inputs:
        """Return the inputs of the response units for the rows of X."""
        constant, n_units = float(self.fit_intercept), int(self.n_associative)
        if not n_units:
            return GivenInputs(X, constant)
        hidden = self._network.hidden_part()
        drawn = {
            "coefs_": [self.associative_weights_],
            "intercepts_": [-self.associative_thresholds_],
        }
        views = FittedNetwork(hidden, Outputs(), drawn).views(np.float64)
        if X.shape[0] * n_units <= KEPT_NUMBERS:
            associative = np.ascontiguousarray(predict_raw(hidden, views, X))
            return GivenInputs(associative, constant)
        return ComputedInputs(partial(predict_raw, hidden, views, X), n_units, constant)

    def _train(
        self,
        training: Presentation,
        rng: np.random.RandomState,
        mode: FitMode,
        listener: Listener,
    ) -> None:
        units = ErrorCorrection(*self._starting_point(training, mode), training.solver)
        units.memory.begin(training.count_right)
        mistakes: list[int] = []
        n_epochs = 1 if mode.incremental else int(self.max_iter)
        n_earlier = self._n_epochs if mode.incremental else 0

        def fitted() -> dict[str, Any]:
            estimator, now = copy(self), copy(units)
            # A copy, because `_keep` ends the memory, and training continues with the original.
            now.memory = copy(units.memory)
            estimator._keep(now, mistakes, training, mode)
            return dict(vars(estimator))

        table = None
        if self.verbose:
            table = EpochTable([Column("mistakes", "d", 9)], None if mode.incremental else n_epochs)
        is_live = listener.listens or table is not None
        try:
            while len(mistakes) < n_epochs:
                listener.begin("epoch")
                # As many epochs as so far, so that at most half of all are superfluous.
                more = max(AT_FIRST, len(mistakes))
                at_once = 1 if is_live else min(more, n_epochs - len(mistakes))
                mistakes += training.present_epochs(units, rng if self.shuffle else None, at_once)
                epoch = n_earlier + len(mistakes)
                if table is not None:
                    table.row(epoch, {"mistakes": mistakes[-1]})
                report = _report_of(epoch, mistakes, n_epochs)
                if listener.end(report, fitted) or not mistakes[-1]:
                    break
        except KeyboardInterrupt:
            warn_of_interruption(self, f"{len(mistakes)} epochs")
        self._keep(units, mistakes, training, mode)
        self._n_epochs = n_earlier + len(mistakes)
        is_exhausted = len(mistakes) == self.max_iter and not mode.incremental
        if self.weights == "plain" and is_exhausted and not self.converged_:
            self._warn_of_mistakes()

    def _starting_point(self, training: Presentation, mode: FitMode) -> tuple[Floats, LastWeights]:
        """Return the first weights, and the memory that chooses which ones to keep."""
        kind = MEMORIES[self.weights]
        if mode.continuing:
            weight, memory = self._state
            if mode.incremental and type(memory) is kind:
                # A copy: if this fit fails, the earlier fit keeps its memory unchanged.
                return weight, deepcopy(memory)
        else:
            weight = np.zeros((training.n_responses, training.inputs.n_inputs))
        if kind is not PocketWeights:
            return weight, kind()
        if mode.continuing:
            # The fitted weights stay until others do better on the rows of this call.
            fitted = np.column_stack([self.response_weights_, self.intercept_])
            return weight, PocketWeights(fitted)
        return weight, PocketWeights(weight)

    def _keep(
        self, units: ErrorCorrection, mistakes: list[int], training: Presentation, mode: FitMode
    ) -> None:
        """Store the results of training as attributes."""
        units.memory.end()
        self._state = (units.weight, units.memory)
        chosen = units.memory.weights(units.weight)
        if not all_finite(chosen):
            self._refuse_overflow()
        self.response_weights_, self.intercept_ = chosen[:, :-1].copy(), chosen[:, -1].copy()
        earlier = self.mistakes_[-KEPT_EPOCHS:] if mode.continuing else []
        self.mistakes_ = earlier + mistakes
        self.converged_ = bool(mistakes) and not mistakes[-1]
        self.n_iter_ = len(mistakes)
        self.t_ = (self.t_ if mode.continuing else 0) + len(mistakes) * len(training.rows)
        responses, signs, weights = training.sample(chosen)
        if not all_finite(responses):
            self._refuse_overflow()
        self.response_slope_ = slope_of(responses, signs, weights, len(self.classes_))

    def _refuse_overflow(self) -> NoReturn:
        raise DivergedError(
            "X, or the weights of its rows, hold numbers so large that responses, which grow with"
            " their squares, overflow. Scale X (for example with StandardScaler)."
        )

    def _warn_of_mistakes(self) -> None:
        warn(
            f"Maximum number of epochs ({self.max_iter}) reached and mistakes are still being made:"
            " the last weights are an arbitrary choice. Increase max_iter or n_associative, or use"
            " weights='averaged' or weights='pocket'.",
            ConvergenceWarning,
        )

    # Predicting.

    def __sklearn_is_fitted__(self) -> bool:
        # While the first fit runs, there are attributes such as `classes_`, but no weights yet.
        return hasattr(self, "response_weights_")

    def _fitted_network(self) -> FittedNetwork | None:
        if not self.__sklearn_is_fitted__():
            return None
        weights, biases = [self.response_weights_.T], [self.intercept_]
        if self.associative_weights_.shape[1]:
            weights.insert(0, self.associative_weights_)
            biases.insert(0, -self.associative_thresholds_)
        learned = {"coefs_": weights, "intercepts_": biases}
        target = Threshold(self._network.n_outputs, self.response_slope_)
        return FittedNetwork(self._network, target, learned)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        # The name in version 0.1.0.
        if "coef_" in vars(self):
            self.response_weights_ = self.__dict__.pop("coef_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _report_of(epoch: int, mistakes: list[int], n_epochs: int) -> dict[str, Any]:
    """Return what callbacks receive at the end of an epoch, of `n_epochs` at most."""
    return {
        "epoch": epoch,
        "mistakes": mistakes[-1],
        "history": {"mistakes": mistakes},
        "is_last": not mistakes[-1] or len(mistakes) == n_epochs,
    }
