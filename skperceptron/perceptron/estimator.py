"""Rosenblatt's perceptron of 1958: sensory, associative and response units.

Sensory units are the features. Each associative unit is joined to a few of them by fixed
random connections of +1 and -1 and fires where their sum reaches its threshold. Response
units, one per class, learn by error correction.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from copy import copy, deepcopy
from dataclasses import dataclass
from functools import cached_property, partial
from numbers import Integral
from typing import Any, NoReturn

import numpy as np
from scipy import sparse
from scipy.optimize import brentq
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.random import sample_without_replacement
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from .._sklearn.checks import (
    FitMode,
    LabelMixin,
    are_known_labels,
    check_sample_weight,
    generator_of,
    is_evidently_valid,
    never_certain,
    restored_on_failure,
    validated,
)
from .._sklearn.compat import (
    CallbackSupportMixin,
    check_classification_targets,
    check_partial_fit_first_call,
    fit_context,
)
from ..activations import Heaviside
from ..callbacks.listening import CALLBACKS, Listener, listening
from ..engine import Network, multilayer_perceptron
from ..engine.arrays import Floats, Integers, all_finite
from ..engine.network import Learned
from ..engine.prediction import predict_raw
from ..engine.rows import merge_equal_rows
from ..estimators.fitted import FittedNetwork, fitted_network
from ..estimators.notebook import NotebookMixin
from ..exceptions import DivergedError
from ..losses import BinaryLogLoss, CategoricalLogLoss
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
from .error_blocks import BLOCK, ErrorBlocks
from .error_correction import (
    AveragedWeights,
    ErrorCorrection,
    Features,
    LastWeights,
    PocketWeights,
    Room,
    Solver,
)
from .library_pass import HEAVIEST, LIGHTEST, CountingPass, MarkingPass
from .prefetch import prefetched
from .threshold import Threshold

__all__ = ["RosenblattPerceptron"]

#: Numbers that the associative units may hold for all rows at once (32 MB); beyond that
#: they are computed anew, window by window, in every epoch.
KEPT_NUMBERS = 2**22

#: Epochs of earlier calls whose mistakes are kept: a model that learns for years does not grow.
KEPT_EPOCHS = 1000

#: Numbers in a window of rows (2 MB).
WINDOW = 2**18

#: Dense rows from which on a compiled pass pays: its call takes 0.7 ms and 0.2 us a row,
#: `ErrorBlocks` 0.5 us a row, 0.7 us with many mistakes (64 features).
MANY_ROWS = 2000

#: Numbers of a window for a compiled pass (16 MB), whose calls are dear.
LARGE_WINDOW = 2**21

#: Rows of a window of which each row is marked: that takes a column each. Few sparse rows are
#: presented for several epochs in one window, since a compiled call takes as long as 5000 rows.
LARGE_ROWS = 16_384

#: Rows gathered at a time. Fewer, in another thread, wait for the interpreter too often; more
#: have left the cache when the constant is put behind them.
GATHERED = 2048

#: Rows from which thresholds and the slope of the probabilities are found.
SAMPLE = 10_000

#: Right answers, of all response units, that are held at a time (32 MB).
ANSWERS = 2**22

#: Responses times slope that are as far from zero as need be: their sigmoids are 0 or 1.
FAR = 1e4

#: Slopes that are tried, for responses of size 1 at most: none makes a probability underflow.
SLOPES = (1e-3, 300.0)


@speaks_for_itself
class RosenblattPerceptron(
    NotebookMixin, CallbackSupportMixin, LabelMixin, ChecksOptions, BaseEstimator
):
    """Rosenblatt's perceptron: sensory, associative and response units.

    Associative units have fixed random connections; only the response units learn, one
    per class (a single one for two classes), by error correction. With
    ``n_associative=0`` it is the elementary perceptron, a linear classifier: on two
    classes, dense X and ``shuffle=False`` it has, weight for weight, what
    :class:`sklearn.linear_model.Perceptron` with ``tol=None`` learns.

    Parameters
    ----------
    n_associative : int, default=200
        Number of associative units; 0 joins the response units to the features.

    n_connections : int, default=None
        Features that each associative unit is joined to, at most all of them. None means
        ``min(n_features, 3)``.

    weights : {"plain", "averaged", "pocket"}, default="plain"
        Which of the response weights passed through are kept: the last ones, the average over
        all rows presented (Freund & Schapire 1999), or those with the longest run of right
        answers, provided that they answer more rows rightly (Gallant's pocket with ratchet,
        1990). The last two are made for classes that cannot be separated.

    fit_intercept : bool, default=True
        Whether response units have a bias.

    max_iter : int, default=100
        Largest number of epochs. Training ends with the first epoch without a mistake.

    shuffle : bool, default=True
        Whether each epoch presents the rows in a new random order. Equal rows are then
        presented as one, with the sum of their weights, so that a weight of 2 is the same
        as a repeated row. Otherwise rows come as they are given.

    class_weight : dict or "balanced", default=None
        Weights of the classes, which multiply those of their rows. "balanced" is inversely
        proportional to the weight of each class in the data.

    random_state : int, RandomState instance or None, default=None
        Source of connections, thresholds and orders.

    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the previous call.

    verbose : bool or int, default=False
        Whether to print each epoch's mistakes.

    callbacks : list of callbacks, default=None
        Objects that are told of each epoch: see :mod:`skperceptron.callbacks`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.

    associative_weights_ : ndarray of shape (n_features, n_associative)
        Connections from features to associative units: -1, 0 or 1.

    associative_thresholds_ : ndarray of shape (n_associative,)
        A unit fires, with value 1, where its sum is at least its threshold. Thresholds lie
        between two values that the first training data takes.

    coef_ : ndarray of shape (1, n_inputs) or (n_classes, n_inputs)
        Weights of the response units; ``n_inputs`` is `n_associative`, or the number of
        features if that is 0.

    intercept_ : ndarray of shape (1,) or (n_classes,)
        Their biases.

    mistakes_ : list of int
        Corrections in each epoch, all response units together; of the calls before the last
        one, in the last 1,000 epochs.

    converged_ : bool
        Whether the last epoch had none.

    response_slope_ : float
        What `predict_proba` multiplies responses by.

    n_iter_ : int
        Epochs of the last call.

    t_ : int
        Rows presented so far.

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
    most :math:`(R / g)^2` mistakes (Novikoff 1962). Without class or sample weights.

    References
    ----------
    Rosenblatt (1958), The perceptron: a probabilistic model for information storage and
    organization in the brain. Psychological Review 65.

    Novikoff (1962), On convergence proofs for perceptrons. Symposium on the Mathematical
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

    # Sums of rows times their weights must not overflow, nor vanish.
    _sums_of_weights = (1e-150, 1e150)

    _layer_names = ("sensory (S)", "associative (A)", "response (R)")

    _parameter_constraints: dict[str, Rules] = {
        "n_associative": [Interval(0, low_closed=True, whole=True)],
        "n_connections": [COUNT, None],
        "weights": [Name(["plain", "averaged", "pocket"])],
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
        """Train the response units until an epoch brings no mistake.

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
        continuing = self.warm_start and hasattr(self, "coef_")
        with (
            listening(self, int(self.max_iter), X, y, sample_weight) as listener,
            restored_on_failure(self),
        ):
            mode = FitMode(continuing, incremental=False)
            return self._fit(X, y, sample_weight, mode, listener)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> RosenblattPerceptron:
        """Present the given rows once.

        Connections and thresholds are those of the first call.

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
        self._refuse_balancing_batches()
        with listening(self, 1, X, y, sample_weight) as listener, restored_on_failure(self):
            check_partial_fit_first_call(self, classes)
            mode = FitMode(continuing=hasattr(self, "coef_"), incremental=True)
            return self._fit(X, y, sample_weight, mode, listener)

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

        The slope minimises the log loss on the training rows, whose labels are smoothed
        as by Platt (1999). A class's probability increases with its response.

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
        # Far from all that was seen, a probability rightly ends near 0 or 1.
        with np.errstate(over="ignore"):
            scaled = np.clip(responses.astype(np.float64) * self.response_slope_, -FAR, FAR)
        scaled = scaled.astype(responses.dtype, copy=False)
        if scaled.shape[1] == 1:
            return never_certain(expit(scaled * np.array([-1, 1], dtype=scaled.dtype)))
        return never_certain(softmax(scaled, axis=1))

    def _responses(self, X: Any) -> Floats:
        check_is_fitted(self)
        X = validated(self, X, dtype=(np.float64, np.float32), reset=False)
        # In float32 a sum next to its threshold might fall on the other side than in training.
        fitted = fitted_network(self)
        responses = predict_raw(fitted.network, fitted.views(np.float64), X)
        if not all_finite(responses):
            raise ValueError(
                "X holds numbers so large that responses overflow. Scale X as it was scaled for the"
                " fit."
            )
        if (np.abs(responses) > np.finfo(X.dtype).max).any():
            return responses
        return responses.astype(X.dtype, copy=False)

    # Fitting.

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, mode: FitMode, listener: Listener
    ) -> RosenblattPerceptron:
        listener.refuse_to_save("a RosenblattPerceptron")
        if not (
            mode.continuing
            and is_evidently_valid(X, self)
            and are_known_labels(y, self.classes_, mode)
        ):
            X, y = validated(self, X, y, dtype=(np.float64, np.float32), reset=not mode.continuing)
            check_classification_targets(y)
        check_consistent_length(X, y)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, X)
        codes = self._label_codes(y, mode)
        weight = self._weigh_classes(codes, sample_weight)
        rng = self._generator(mode)
        given = distinct = _rows_as_given(weight)
        if self.shuffle or self.n_associative:
            distinct = merge_equal_rows(X, codes[:, np.newaxis], weight)
        if mode.continuing:
            self._check_same_units()
        else:
            self._draw_associative_units(X, *distinct, rng)
        kept, weights = distinct if self.shuffle else given
        self._check_sizes(X, weights)
        training = _Training(
            self._features_of(X),
            kept,
            codes[kept],
            len(self.classes_),
            weights,
            only_counted=not self._memory_kind.observes,
        )
        self._train(training, rng, mode, listener)
        self._had_intercept = bool(self.fit_intercept)
        if isinstance(self.random_state, Integral):
            self._shuffling = int(self.random_state), rng
        return self

    def _check_sizes(self, X: Any, weights: Floats) -> None:
        """Refuse rows whose inner products, by which mistakes are found, overflow or vanish."""
        numbers = X.data if sparse.issparse(X) else X
        # Associative units and the constant behind the features are 0 or 1.
        largest = float(self.n_associative > 0 or self.fit_intercept)
        if not self.n_associative and numbers.size:
            largest = max(largest, float(numbers.max()), -float(numbers.min()))
        limits = np.finfo(np.float64)
        n_terms = len(weights) * int(self.max_iter) * (int(self.n_associative) or X.shape[1])
        with np.errstate(over="ignore", under="ignore"):
            correction = np.float64(largest) * weights.max()
        too_large = correction > np.sqrt(limits.max / n_terms)
        if too_large or 0 < correction < np.sqrt(limits.tiny):
            raise ValueError(
                f"X holds numbers up to {largest:.3g}, weights of its rows are up to"
                f" {weights.max():.3g}: the responses, which grow with the squares of both, would"
                f" {'overflow' if too_large else 'vanish'}. Scale X (for example with"
                " StandardScaler) or the weights."
            )

    def _generator(self, mode: FitMode) -> np.random.RandomState:
        """Return the source of orders: where a seed would give them again, it goes on."""
        seed, rng = getattr(self, "_shuffling", (None, None))
        if mode.continuing and rng is not None and seed == self.random_state:
            # The earlier fit keeps its own, should this one fail.
            return deepcopy(rng)
        return generator_of(self.random_state)

    def _check_same_units(self) -> None:
        if self.n_associative != self.associative_weights_.shape[1]:
            raise ValueError(
                "warm_start and partial_fit go on with the units of the earlier fit:"
                f" n_associative={self.n_associative} must stay"
                f" {self.associative_weights_.shape[1]}."
            )
        n_features = self.n_features_in_
        asked = min(n_features, 3) if self.n_connections is None else self.n_connections
        n_connections = np.count_nonzero(self.associative_weights_[:, :1])
        if self.n_associative and asked != n_connections:
            raise ValueError(
                "warm_start and partial_fit go on with the units of the earlier fit:"
                f" n_connections={self.n_connections} must stay {n_connections}."
            )
        if self.fit_intercept != getattr(self, "_had_intercept", self.fit_intercept):
            raise ValueError(
                "warm_start and partial_fit go on with the weights of the earlier fit:"
                f" fit_intercept={self.fit_intercept} must stay {self._had_intercept}."
            )

    def _draw_associative_units(
        self, X: Any, rows: Integers, weights: Floats, rng: np.random.RandomState
    ) -> None:
        """Draw connections, and thresholds such that each unit splits the rows."""
        n_features, n_units = X.shape[1], int(self.n_associative)
        n_connections = 3 if self.n_connections is None else int(self.n_connections)
        n_connections = min(n_features, n_connections)
        if self.n_connections is not None and self.n_connections > n_features:
            raise ValueError(
                f"n_connections={self.n_connections} must be at most n_features={n_features}."
            )
        joined = np.zeros((n_features, n_units))
        for unit in range(n_units):
            features = sample_without_replacement(n_features, n_connections, random_state=rng)
            joined[features, unit] = rng.choice([-1.0, 1.0], n_connections)
        shares = rng.uniform(size=n_units)
        sums = X[rows[:SAMPLE]] @ joined
        self.associative_weights_ = joined
        self.associative_thresholds_ = np.array(
            [_split(s, weights[:SAMPLE], q) for s, q in zip(sums.T, shares, strict=True)]
        )
        n_responses = 1 if len(self.classes_) == 2 else len(self.classes_)
        self._network = wire(n_features, n_units, n_responses)

    def _features_of(self, X: Any) -> Callable[..., Features]:
        """Return what gives the response units' inputs for the rows asked for."""
        constant = float(self.fit_intercept)
        if not self.n_associative:
            return partial(_with_constant, X, constant)
        hidden, views = self._network.hidden_part(), self._associative_views(np.float64)
        if X.shape[0] * int(self.n_associative) <= KEPT_NUMBERS:
            associative = predict_raw(hidden, views, X)
            return partial(_with_constant, associative, constant)

        def computed(rows: Integers, room: Room = np.empty) -> Features:
            associative = predict_raw(hidden, views, X, rows)
            return _with_constant(associative, constant, np.arange(len(rows)), room)

        return computed

    def _train(
        self,
        training: _Training,
        rng: np.random.RandomState,
        mode: FitMode,
        listener: Listener,
    ) -> None:
        units = ErrorCorrection(*self._starting_point(training, mode), training.new_solver)
        units.memory.begin(training.count_right)
        mistakes: list[int] = []
        n_epochs = 1 if mode.incremental else int(self.max_iter)

        def fitted() -> dict[str, Any]:
            estimator, now = copy(self), copy(units)
            # To end it does not end the one that goes on.
            now.memory = copy(units.memory)
            estimator._keep(now, mistakes, training, mode)
            return dict(vars(estimator))

        try:
            while len(mistakes) < n_epochs:
                listener.begin("epoch")
                # As many epochs as there have been, so that half of them at most are superfluous.
                at_once = 1 if listener.listens else min(len(mistakes), n_epochs - len(mistakes))
                new = training.present_epochs(units, rng if self.shuffle else None, at_once)
                for epoch, made in enumerate(new, start=len(mistakes) + 1):
                    if self.verbose:
                        print(f"Epoch {epoch}, mistakes = {made}")
                mistakes += new
                epoch = len(mistakes)
                report = {
                    "epoch": epoch,
                    "mistakes": mistakes[-1],
                    "history": {"mistakes": mistakes},
                    "is_last": not mistakes[-1] or epoch == n_epochs,
                }
                if listener.end(report, fitted) or not mistakes[-1]:
                    break
        except KeyboardInterrupt:
            warn_of_interruption(self, f"{len(mistakes)} epochs")
        self._keep(units, mistakes, training, mode)
        is_exhausted = len(mistakes) == self.max_iter and not mode.incremental
        if self.weights == "plain" and is_exhausted and not self.converged_:
            self._warn_of_mistakes()

    @property
    def _memory_kind(self) -> type[LastWeights]:
        kinds = {"plain": LastWeights, "averaged": AveragedWeights, "pocket": PocketWeights}
        return kinds[self.weights]

    def _starting_point(self, training: _Training, mode: FitMode) -> tuple[Floats, LastWeights]:
        """Return the first weights, and what chooses among all that follow."""
        if mode.continuing:
            weight, memory = self._state
            if not mode.incremental and self.weights == "pocket":
                # What predicts so far has to hold its own on the rows of this call.
                return weight, PocketWeights(np.column_stack([self.coef_, self.intercept_]))
            if mode.incremental and type(memory) is self._memory_kind:
                # The earlier fit keeps its own, should this one fail.
                return weight, deepcopy(memory)
        else:
            n_inputs = int(self.n_associative) or self.n_features_in_
            weight = np.zeros((training.n_responses, n_inputs + 1))
        if self.weights == "pocket":
            return weight, PocketWeights(weight)
        return weight, self._memory_kind()

    def _keep(
        self, units: ErrorCorrection, mistakes: list[int], training: _Training, mode: FitMode
    ) -> None:
        """Store what training has brought."""
        units.memory.end()
        self._store(units)
        earlier = self.mistakes_[-KEPT_EPOCHS:] if mode.continuing else []
        self.mistakes_ = earlier + mistakes
        self.converged_ = bool(mistakes) and not mistakes[-1]
        self.n_iter_ = len(mistakes)
        self.t_ = (self.t_ if mode.continuing else 0) + len(mistakes) * len(training.rows)
        self.response_slope_ = self._calibrate(training)

    def _store(self, units: ErrorCorrection) -> None:
        self._state = (units.weight, units.memory)
        chosen = units.memory.weights(units.weight)
        if not all_finite(chosen):
            self._refuse_overflow()
        self.coef_, self.intercept_ = chosen[:, :-1].copy(), chosen[:, -1].copy()

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

    def _calibrate(self, training: _Training) -> float:
        """Find the slope that makes probabilities of responses."""
        responses, signs, weights = training.sample(self.coef_, self.intercept_)
        if not all_finite(responses):
            self._refuse_overflow()
        size = np.abs(responses).max()
        if not size > 1 / np.finfo(size.dtype).max:
            return 1.0
        responses /= size
        # As if each class had been met once more than it was.
        n_classes = len(self.classes_)
        smoothing = n_classes / (len(signs) + n_classes)
        targets = (1 - smoothing) * (signs > 0) + smoothing / n_classes
        loss = BinaryLogLoss() if responses.shape[1] == 1 else CategoricalLogLoss()
        weighted = responses * (weights / weights.sum())[:, np.newaxis]

        def tilt(slope: float) -> float:
            """Return the derivative of the log loss, which increases with the slope."""
            wrong = slope * responses
            loss.inverse_link(wrong, out=wrong)
            wrong -= targets
            return float(np.vdot(wrong, weighted))

        low, high = SLOPES
        if tilt(high) <= 0:
            return float(high / size)
        return float((low if tilt(low) >= 0 else brentq(tilt, low, high, xtol=1e-6)) / size)

    # Predicting.

    def _fitted_network(self) -> FittedNetwork | None:
        if not hasattr(self, "coef_"):
            return None
        weights, biases = [self.coef_.T], [self.intercept_]
        if self.associative_weights_.shape[1]:
            weights.insert(0, self.associative_weights_)
            biases.insert(0, -self.associative_thresholds_)
        learned = {"coefs_": weights, "intercepts_": biases}
        return FittedNetwork(self._network, Threshold(self._network.n_outputs), learned)

    def _associative_views(self, dtype: Any) -> Learned:
        thresholds = self.associative_thresholds_[np.newaxis, np.newaxis]
        joined = self.associative_weights_[np.newaxis]
        return [(joined.astype(dtype, copy=False), -thresholds.astype(dtype, copy=False)), ()]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


@dataclass(frozen=True)
class _Training:
    """The rows that are presented, with the right answers.

    Attributes
    ----------
    features_of : callable
        Gives the inputs of the response units for row numbers, constant included; dense ones
        in the room that may be given.
    rows : ndarray of int of shape (N,)
    codes : ndarray of int of shape (N,)
        The right classes.
    n_classes : int
    weights : ndarray of shape (N,)
    only_counted : bool
        Whether it does not matter which presentations are mistakes.
    """

    features_of: Callable[..., Features]
    rows: Integers
    codes: Integers
    n_classes: int
    weights: Floats
    only_counted: bool

    @property
    def n_responses(self) -> int:
        """Response units (C): two classes share one."""
        return 1 if self.n_classes == 2 else self.n_classes

    def signs_of(self, chosen: Integers) -> Floats:
        """Return the right answers of some rows, (n, C): 1 or -1."""
        units = np.array([1]) if self.n_classes == 2 else np.arange(self.n_classes)
        return np.where(self.codes[chosen, np.newaxis] == units, 1.0, -1.0)

    @cached_property
    def solver(self) -> Callable[[tuple[int, int]], Solver]:
        """The kind that is fastest."""
        if sparse.issparse(self.features_of(self.rows[:1])):
            return MarkingPass
        if len(self.rows) < MANY_ROWS:
            return ErrorBlocks
        moderate = LIGHTEST < self.weights.min() and self.weights.max() < HEAVIEST
        return CountingPass if self.only_counted and moderate else MarkingPass

    def new_solver(self, shape: tuple[int, int]) -> Solver:
        """Return a solver for windows of this shape, and of the epochs that fit into one."""
        n_rows, n_inputs = shape
        return self.solver((max(n_rows, self._epochs_in_a_window * len(self.rows)), n_inputs))

    @cached_property
    def _epochs_in_a_window(self) -> int:
        """How many epochs are presented at once at most."""
        if self.solver is MarkingPass and sparse.issparse(self.features_of(self.rows[:1])):
            return max(1, LARGE_ROWS // len(self.rows))
        return 1

    def present_epochs(
        self, units: ErrorCorrection, rng: np.random.RandomState | None, at_once: int
    ) -> list[int]:
        """Present each row in one epoch or several, but in none after one without a mistake.

        Parameters
        ----------
        units : ErrorCorrection
        rng : RandomState or None
            Where the order of each epoch comes from; None is for rows as they are given.
        at_once : int
            Largest number of epochs.

        Returns
        -------
        list of int
            The mistakes of each epoch.
        """
        n_epochs = min(at_once, self._epochs_in_a_window)
        if n_epochs <= 1:
            return [self.present_all(units, rng)]
        orders: list[Integers] = []
        states: list[Any] = []
        for _ in range(n_epochs):
            orders.append(self._order(rng))
            states.append(None if rng is None else rng.get_state())
        rows = np.concatenate(orders)
        features = self.features_of(self.rows[rows])
        mistakes = units.present_epochs(features, self.signs_of(rows), self.weights[rows], n_epochs)
        if rng is not None:
            # Orders of epochs that did not take place have not been drawn.
            rng.set_state(states[len(mistakes) - 1])
        return mistakes

    def _order(self, rng: np.random.RandomState | None) -> Integers:
        n_rows = len(self.rows)
        return np.arange(n_rows) if rng is None else rng.permutation(n_rows)

    def present_all(self, units: ErrorCorrection, rng: np.random.RandomState | None) -> int:
        """Present each row once, in random order if there is an `rng`; count the mistakes."""
        n_rows = len(self.rows)
        windows = self._contents(self._order(rng), units.room)
        # A marking pass has one room only, and wakes up threads of BLAS, which keep a core busy.
        if self.solver is CountingPass and n_rows > self._window_length:
            windows = prefetched(windows)
        with closing(windows):
            return sum(units.present(*window) for window in windows)

    def count_right(self, weight: Floats, unit: int) -> float:
        """Return the weight of the rows that a response unit answers rightly."""
        right = 0.0
        for chosen in self._windows(np.arange(len(self.rows))):
            is_class = self.codes[chosen] == (1 if self.n_classes == 2 else unit)
            with np.errstate(over="ignore", invalid="ignore"):
                responses = self.features_of(self.rows[chosen]) @ weight
            answered = responses * np.where(is_class, 1.0, -1.0) > 0
            right += float(self.weights[chosen][answered].sum())
        return right

    def sample(self, coef: Floats, intercept: Floats) -> tuple[Floats, Floats, Floats]:
        """Return responses, signs and weights of at most ``SAMPLE`` rows."""
        at_most = max(1, min(SAMPLE, ANSWERS // self.n_responses))
        chosen = np.arange(0, len(self.rows), -(-len(self.rows) // at_most))
        features = self.features_of(self.rows[chosen])
        with np.errstate(over="ignore", invalid="ignore"):
            responses = features @ np.column_stack([coef, intercept]).T
        return responses, self.signs_of(chosen), self.weights[chosen]

    def _contents(
        self, order: Integers, room: Room
    ) -> Generator[tuple[Features, Floats, Floats], None, None]:
        """Yield features, signs and weights, window by window."""
        for chosen in self._windows(order):
            features = self.features_of(self.rows[chosen], room=room)
            yield features, self.signs_of(chosen), self.weights[chosen]

    def _windows(self, order: Integers) -> Iterator[Integers]:
        length = self._window_length
        for start in range(0, len(order), length):
            yield order[start : start + length]

    @cached_property
    def _window_length(self) -> int:
        return max(1, min(self._rows_by_features(), ANSWERS // self.n_responses))

    def _rows_by_features(self) -> int:
        features = self.features_of(self.rows[:1])
        n_inputs = features.shape[1]
        if sparse.issparse(features):
            return LARGE_ROWS
        if self.solver is ErrorBlocks:
            # Whole blocks: a window's last one would otherwise be shorter.
            return max(1, WINDOW // (n_inputs * BLOCK)) * BLOCK
        n_rows = max(1, LARGE_WINDOW // n_inputs)
        return n_rows if self.solver is CountingPass else min(LARGE_ROWS, n_rows)


def wire(n_features: int, n_associative: int, n_responses: int) -> Network:
    """Return the network from sensory through associative to response units."""
    hidden = [n_associative] if n_associative else []
    return multilayer_perceptron(n_features, hidden, n_responses, [[Heaviside()]] * len(hidden))


def _split(sums: Floats, weights: Floats, share: float) -> float:
    """Return a threshold below which about the given share of the rows' weight lies.

    It stands halfway between two neighbouring values, so that there are rows on both
    sides of it unless all values are equal.
    """
    values, inverse = np.unique(sums, return_inverse=True)
    if len(values) == 1:
        return float(values[0])
    below = np.cumsum(np.bincount(inverse, weights=weights))[:-1]
    i = np.abs(below / weights.sum() - share).argmin()
    middle = values[i] + (values[i + 1] - values[i]) / 2
    # Between two neighbouring floats there is no middle.
    return float(middle if middle > values[i] else values[i + 1])


def _rows_as_given(weights: Floats) -> tuple[Integers, Floats]:
    """Return the rows that count, and their weights."""
    kept = np.flatnonzero(weights)
    return kept, weights[kept]


def _with_constant(X: Features, constant: float, rows: Integers, room: Room = np.empty) -> Features:
    """Return rows of X, and behind them the input whose weight is the bias."""
    n_rows, n_inputs = len(rows), X.shape[1]
    if sparse.issparse(X):
        column = np.full((n_rows, 1), constant)
        return sparse.csr_array(sparse.hstack([X[rows], column], format="csr", dtype=np.float64))
    extended = room((n_rows, n_inputs + 1))
    for start in range(0, n_rows, GATHERED):
        part = slice(start, start + GATHERED)
        extended[part, :-1] = _taken(X, rows[part])
        extended[part, -1] = constant
    return extended


def _taken(X: Floats, rows: Integers) -> Floats:
    """Return rows of X; neighbours without a copy."""
    if rows[-1] - rows[0] == len(rows) - 1 and (rows[1:] > rows[:-1]).all():
        return X[rows[0] : rows[-1] + 1]
    # Every row is there: "clip" saves the check.
    return np.take(X, rows, axis=0, mode="clip")
