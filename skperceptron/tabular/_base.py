"""Base of both estimators: parameters, fit, and results on the held-out rows.

A fit turns the table into numbers, parameters into arms and rows into folds, and then fits a cross
ensemble.
"""

from __future__ import annotations

import time
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial
from itertools import chain, pairwise
from numbers import Integral
from typing import Any

import numpy as np
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch, check_consistent_length, check_random_state, get_tags
from sklearn.utils.validation import check_is_fitted

from .._sklearn.checks import (
    check_sample_weight,
    refuse_other_libraries,
    renaming,
    restored_on_failure,
    take_over_features,
)
from .._sklearn.compat import CallbackSupportMixin, fit_context, num_samples
from .._sklearn.estimators import PackageEstimator
from ..callbacks.autologging import autologged
from ..callbacks.listening import CALLBACKS
from ..callbacks.placing import callbacks_of, refuse_single_fits
from ..engine.arrays import Floats, Integers
from ..estimators.base import BaseMultilayerPerceptron
from ..estimators.choices import hidden_sizes
from ..estimators.data import NEED_DENSE
from ..estimators.splits import counted_from_0
from ..model_selection._cross_base import BaseCrossEnsemble, recorded_by
from ..model_selection._held_out import Split
from ..model_selection._options import RULES
from ..model_selection._pieces import MANY_UNITS
from ..model_selection._spreading import n_threads
from ..options import (
    COUNT,
    N_JOBS,
    SEED,
    VERBOSITY,
    ChecksOptions,
    Instance,
    Interval,
    Listing,
    Name,
    Rules,
    check_option,
    did_you_mean,
    items_of,
    plain,
)
from ..preprocessing import TabularPreprocessor
from ..preprocessing._columns import CATEGORICAL_FEATURES
from ..stopping import EarlyStopping
from ..usercall import has_happened, warn
from ._folds import counting_splits, drawn_folds, grouped_folds
from ._importances import rises_of_loss
from ._presets import PRESETS, Arm, Preset, Recipe, embedding_numbers, is_skewed

#: Largest number of columns after preparation. A layer of 128 units for 10,000 inputs takes 5 MB,
#: and a network needs five times as much while it is trained: 300 MB for twelve networks.
MOST_INPUTS = 10_000

#: A longer fit is timed only if it takes at most this part of the time that is left.
PILOT_SHARE = 0.4

#: Share of a timed fit that its epochs are assumed to take at least: a difference of two times may
#: be too small by chance.
LEAST_OF_EPOCHS = 1 / 3


def epochs_in_time(end: float, n_wanted: int, train: Callable[[int], None]) -> float:
    """Return how many epochs can be trained until `end`, by the time that `train` takes for a few.

    Each fit that is timed has twice the epochs of the one before, and their difference is the time
    of epochs alone: on small tables, all else takes as long as many epochs.

    The number may be more than `n_wanted`; fewer epochs are timed then. It may be less than 1, or
    even negative, for example if the user interrupts the training.
    """
    was_interrupted, n_pilot, seconds = has_happened("interrupted"), 1, 0.0
    while True:
        before, began = seconds, time.monotonic()
        train(n_pilot)
        now = time.monotonic()
        interrupts = has_happened("interrupted") and not was_interrupted
        seconds, left = now - began, 0.0 if interrupts else end - now
        # The first fit of a process takes longer, so no difference includes its time.
        of_epochs = seconds if n_pilot <= 2 else min(2 * (seconds - before), seconds)
        n_epochs = n_pilot + n_pilot * (left - seconds) / max(of_epochs, LEAST_OF_EPOCHS * seconds)
        is_known = n_pilot > 2 and of_epochs > seconds / 2
        if is_known or n_epochs >= n_wanted or 2 * seconds > PILOT_SHARE * left:
            return n_epochs
        n_pilot *= 2


def of_ensemble(attribute: str, documentation: str) -> Any:
    """Return a property of a tabular estimator: an attribute of its fitted ensemble."""

    def attribute_of(estimator: Any) -> Any:
        check_is_fitted(estimator)
        return getattr(estimator.ensemble_, attribute)

    return property(attribute_of, doc=documentation)


# Long because of its docstrings. The steps of a fit, from table to ensemble, stay in one place.
class BaseTabularMLP(ChecksOptions, CallbackSupportMixin, PackageEstimator, BaseEstimator):
    """Base of both estimators."""

    _parameter_constraints: dict[str, Rules] = {
        "preset": [Name(list(PRESETS))],
        "n_folds": RULES["cv"],
        "arms": [COUNT, Listing([Instance(dict)], "dicts"), None],
        "hidden_layer_sizes": [COUNT, Listing([COUNT], f"integers in the range {COUNT}"), None],
        "max_epochs": [COUNT, None],
        "batch_size": [COUNT, None],
        "categorical_features": CATEGORICAL_FEATURES,
        "max_time": [Interval(0), None],
        "n_jobs": N_JOBS,
        "verbose": VERBOSITY,
        "callbacks": [CALLBACKS, None],
        "random_state": SEED,
    }

    ensemble_: BaseCrossEnsemble
    preprocessor_: TabularPreprocessor

    def __init__(
        self,
        preset="default",
        *,
        n_folds=None,
        arms=None,
        hidden_layer_sizes=None,
        max_epochs=None,
        batch_size=None,
        categorical_features="from_dtype",
        max_time=None,
        n_jobs=None,
        verbose=0,
        random_state=None,
        callbacks=None,
    ) -> None:
        self.preset = preset
        self.n_folds = n_folds
        self.arms = arms
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.categorical_features = categorical_features
        self.max_time = max_time
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state
        self.callbacks = callbacks

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Any:
        """Prepare the table, train all networks, and learn how to combine them.

        Parameters
        ----------
        X : frame, {array-like, sparse matrix} of shape (n_samples, n_features)
            The table: numbers, categories, strings, booleans, dates and missing values as they are.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows. They apply to everything that is learned except the
            preparation.

        groups : array-like of shape (n_samples,), default=None
            Rows of one group are held out together.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, if X has too many columns, or if training
            diverges. An earlier fit is then left as it was.
        """
        with (
            autologged(self, X, lambda fitted: recorded_by(fitted.ensemble_)),
            restored_on_failure(self),
        ):
            return self._learn(X, y, sample_weight, groups)

    def _learn(self, X: Any, y: Any, sample_weight: Any, groups: Any) -> Any:
        began = time.monotonic()
        refuse_single_fits(self, place="an arm of your own, as arms=[{{'callbacks': [{}()]}}]")
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y"
                " is None."
            )
        rng = check_random_state(self.random_state)
        numbers = self._prepared(X, y)
        sample_weight = _with_mean_one(sample_weight, numbers)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        y, codes = self._checked_target(y)
        splits = self._split(X, y, codes, groups, rng, sample_weight)
        # No longer needed: there is a code for each row.
        del codes
        batch, n_epochs = self._batch_and_epochs(numbers.shape[0], splits)
        arms = self._arms(numbers, y, sample_weight)
        ensemble = self._untrained(self._network(batch, n_epochs), arms, splits, numbers)
        ensemble.set_params(random_state=int(rng.randint(np.iinfo(np.int32).max)))
        pilots: dict[int, BaseCrossEnsemble] = {}
        if self.max_time is not None and n_epochs > 1:

            def train(n_epochs: int) -> None:
                pilot = copy(ensemble).set_params(estimator=self._network(batch, n_epochs))
                pilots[n_epochs] = self._train(pilot, [numbers], y, weights)

            n_wanted = n_epochs
            found = epochs_in_time(began + plain(self.max_time), n_wanted, train)
            n_epochs = max(1, min(n_wanted, int(found)))
            if n_epochs < n_wanted and not has_happened("interrupted"):
                warn(
                    f"max_time={self.max_time} leaves time for {n_epochs} of {n_wanted} epochs:"
                    " raise it, or train fewer arms.",
                    ConvergenceWarning,
                )
            ensemble.set_params(estimator=self._network(batch, n_epochs))
        if n_epochs in pilots and not self.verbose and not any(callbacks_of(self)):
            # Training for this many epochs would only repeat the fit that was timed.
            self.ensemble_ = pilots[n_epochs]
        else:
            ensemble.set_params(verbose=self.verbose)
            table = [numbers]
            del numbers
            with self._telling(ensemble):
                self.ensemble_ = self._train(ensemble, table, y, weights)
        self.n_epochs_ = n_epochs
        return self

    @property
    def _preset(self) -> Preset:
        return PRESETS[self.preset]

    @property
    def _recipe(self) -> Recipe:
        """What the preset sets for this task."""
        return self._preset.classification if is_classifier(self) else self._preset.regression

    def _prepared(self, X: Any, y: Any) -> Any:
        """Return the table as numbers, by a preprocessor that is kept."""
        self.preprocessor_ = TabularPreprocessor(
            self.categorical_features, dtype="float32", **self._preparation()
        )
        with config_context(transform_output="default"):
            numbers = self.preprocessor_.fit_transform(X)
        take_over_features(self, self.preprocessor_)
        check_consistent_length(numbers, y)
        self._check_width(numbers)
        return numbers

    def _numbers_of(self, X: Any) -> Any:
        """Return rows as numbers: an array, even if transformers are to return frames."""
        with config_context(transform_output="default"):
            return self.preprocessor_.transform(X)

    def _untrained(
        self,
        network: BaseMultilayerPerceptron,
        arms: Sequence[Arm],
        splits: list[Split],
        numbers: Any,
    ) -> BaseCrossEnsemble:
        """Return the ensemble of all arms, for the table as numbers."""
        if sparse.issparse(numbers):
            self._refuse_sparse(arms)
        _check_names(arms, network)
        grid = [{name: [value] for name, value in arm.items()} for arm in arms]
        options = {"calibrate": not self._preset.is_published} if is_classifier(self) else {}
        n_jobs = self._workers(network, numbers, len(arms) * len(splits))
        return self._ensemble(network, grid, cv=splits, n_jobs=n_jobs, **options)

    def _train(
        self, ensemble: BaseCrossEnsemble, table: list[Any], y: Any, weights: dict[str, Any]
    ) -> BaseCrossEnsemble:
        """Fit an ensemble to a table, the only item of a list, which is emptied to free it."""
        # Users cannot set metadata requests of the networks: without routing none are needed.
        with config_context(enable_metadata_routing=False), warnings.catch_warnings():
            # Held-out rows select the best epoch, so that using up all epochs is no problem.
            warnings.filterwarnings("ignore", "Stochastic Optimizer: Max", ConvergenceWarning)
            # Presets set options for categories, dropout and decay, which an arm may not have.
            warnings.filterwarnings("ignore", r"(?s)\w+=.+ has no effect: ")
            # `predict` has its own rule for the number of threads if n_jobs is None.
            return ensemble._fit_and_free(table, y, weights).set_params(n_jobs=self.n_jobs)

    @contextmanager
    def _telling(self, ensemble: BaseCrossEnsemble) -> Iterator[None]:
        """Let the fit of an ensemble be reported to callbacks, in place of this fit."""
        registered, _ = callbacks_of(self)
        ensemble.set_params(callbacks=self.callbacks).set_callbacks(*registered)
        # Inside a search or pipeline of scikit-learn, the fit is a part of another one.
        around = vars(self).get("_parent_callback_ctx")
        if around is not None:
            ensemble._parent_callback_ctx = around
        try:
            yield
        finally:
            ensemble.set_callbacks()
            ensemble.__dict__.pop("_parent_callback_ctx", None)

    def _workers(self, network: BaseMultilayerPerceptron, numbers: Any, n_members: int) -> Any:
        """Return `n_jobs`; if it is None and networks are large, the number of threads to use."""
        widths = [numbers.shape[1], *hidden_sizes(network)]
        if self.n_jobs is not None or sum(widths[1:]) < MANY_UNITS:
            return self.n_jobs
        n_weights = sum(a * b for a, b in pairwise(widths))
        # The backward pass takes twice as many operations as the forward pass.
        operations = 3.0 * numbers.shape[0] * n_members * n_weights
        return n_threads(None, operations)

    @abstractmethod
    def _checked_target(self, y: Any) -> tuple[Any, Integers | None]:
        """Return y as an array, and the class codes of a single-label target, else None."""

    @abstractmethod
    def _truth(self, y: Any) -> Any:
        """Return targets in the form in which the ensemble computes its score and loss."""

    @abstractmethod
    def _network(self, batch: int, n_epochs: int) -> BaseMultilayerPerceptron:
        """Return the network that all arms are variations of."""

    @property
    @abstractmethod
    def _ensemble(self) -> type[BaseCrossEnsemble]:
        """The class of the ensemble."""

    def _check_width(self, numbers: Any) -> None:
        """Raise ValueError if there are too many columns after preparation, or none."""
        width = numbers.shape[1]
        if not width:
            raise ValueError("X has no value in any column: there is nothing to learn from.")
        if width > MOST_INPUTS:
            raise ValueError(
                f"X has {self.n_features_in_} columns, which become {width} numbers for each row:"
                f" {type(self).__name__} accepts up to {MOST_INPUTS}. Select columns first, for"
                " example with SelectKBest, or reduce them with TruncatedSVD."
            )

    def _split(
        self,
        X: Any,
        y: Any,
        codes: Integers | None,
        groups: Any,
        rng: np.random.RandomState,
        sample_weight: Floats | None,
    ) -> list[Split]:
        """Return the folds: those of the user's splitter, or folds that are drawn."""
        preset, given, n_rows = self._preset, plain(self.n_folds), num_samples(y)
        weight = np.ones(n_rows) if sample_weight is None else sample_weight
        found: Iterable[Any]
        if given is not None and not isinstance(given, Integral):
            # A splitter of the user's own may look at columns of the table.
            found = check_cv(given).split(X, y, groups)
        else:
            recipe = self._recipe
            if given is None:
                n_draws, n_folds = preset.draws_and_folds(recipe, n_rows)
            else:
                n_draws, n_folds = 1, int(given)
            if groups is None:
                draw = partial(drawn_folds, n_folds, codes, rng, weight)
            else:
                refuse_other_libraries(groups, "groups")
                with renaming("", "groups"):
                    check_consistent_length(y, groups)
                draw = partial(grouped_folds, n_folds, codes, groups, rng)
            found = chain.from_iterable(draw() for _ in range(n_draws))
        splits = [counted_from_0(split, n_rows) for split in found]
        splits = counting_splits(splits, codes, weight)
        return splits[:1] if preset.is_published and given is None else splits

    def _batch_and_epochs(self, n_rows: int, splits: Sequence[Split]) -> tuple[int, int]:
        """Return the rows of a batch, and how many epochs training takes at most."""
        recipe = self._recipe
        sizes = [len(train) for train, _ in splits]
        batch = min(plain(self.batch_size) or recipe.batch_size(n_rows), *sizes)
        n_batches = max(sizes) // batch
        return batch, plain(self.max_epochs) or self._preset.epochs(recipe, n_rows, n_batches)

    def _preparation(self) -> Mapping[str, Any]:
        """Return parameters of the preprocessor: no codes if an arm of the user shares weights."""
        listed = items_of(plain(self.arms)) or []
        shared = any(isinstance(arm, dict) and arm.get("ensemble_size") for arm in listed)
        usual = self._recipe.preparation
        return {**usual, "max_one_hot": None} if shared else usual

    def _arms(self, numbers: Any, y: Any, sample_weight: Floats | None) -> Sequence[Arm]:
        """Return the parameters of each arm in which the arms differ."""
        recipe = self._recipe
        listed = items_of(given := plain(self.arms))
        if listed is not None:
            if not listed:
                raise ValueError("arms=[] holds no arm: at least one is needed.")
            # Parameters that an arm leaves out are those of the preset's first arm.
            return [self._for_numbers({**recipe.arms[0], **arm}) for arm in listed]
        arms = recipe.arms_for(
            *numbers.shape,
            is_dense=not sparse.issparse(numbers),
            # Targets of a classifier may be strings.
            is_skewed=bool(recipe.skewed_arms) and is_skewed(y, sample_weight),
        )
        if given is not None and given > len(arms):
            raise ValueError(
                f"arms={given}, but the preset {self.preset!r} has {len(arms)}. Pass a list of"
                " dicts of a network's parameters for arms of your own."
            )
        if self.hidden_layer_sizes is not None:
            # The user's sizes apply to all arms, even to those for which the preset has its own.
            arms = tuple({n: arm[n] for n in arm if n != "hidden_layer_sizes"} for arm in arms)
        return [self._for_numbers(arm) for arm in arms[:given]]

    def _refuse_sparse(self, arms: Sequence[Arm]) -> None:
        """Raise ValueError for a sparse table if the preset, not an arm, needs a dense one."""
        chosen = set(NEED_DENSE) & {*self._recipe.network}
        if any(chosen - {*arm} for arm in arms):
            others = [name for name, preset in PRESETS.items() if preset.takes_sparse]
            raise ValueError(
                f"preset={self.preset!r} needs dense X, got a sparse matrix: pass X.toarray(), or"
                f" choose one of the presets {others}."
            )

    def _for_numbers(self, arm: Arm) -> Arm:
        """Return parameters; those of a published network embed columns of numbers only."""
        numbers, codes = self.preprocessor_.number_columns_, self.preprocessor_.code_columns_
        # Networks never embed codes as numbers.
        has_others = len(numbers) + len(codes) < len(self.preprocessor_.get_feature_names_out())
        return embedding_numbers(arm, numbers) if self._preset.is_published and has_others else arm

    def _shared(self, batch: int, n_epochs: int) -> dict[str, Any]:
        """Return the parameters that networks of both estimators take."""
        preset, recipe = self._preset, self._recipe
        patience = preset.patience * n_epochs
        shared = {
            **recipe.network,
            "batch_size": batch,
            "max_iter": n_epochs,
            "early_stopping": EarlyStopping(
                recipe.monitor,
                patience=max(1, round(patience)) if np.isfinite(patience) else np.inf,
                tol=preset.tol,
                every=max(1, round(n_epochs / preset.looks)),
                ties=preset.ties,
            ),
        }
        if self.hidden_layer_sizes is not None:
            shared["hidden_layer_sizes"] = self.hidden_layer_sizes
        if codes := self.preprocessor_.code_columns_:
            shared["categorical_features"] = codes
        return dict(self._for_numbers(shared))

    def predict(self, X: Any) -> Any:
        """Predict rows.

        Parameters
        ----------
        X : frame, {array-like, sparse matrix} of shape (n_samples, n_features)
            A table with the same columns as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Labels or numbers.
        """
        check_is_fitted(self)
        return self.ensemble_.predict(self._numbers_of(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the score of predictions.

        Parameters
        ----------
        X : frame, {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Accuracy or R2.
        """
        check_is_fitted(self)
        return self.ensemble_.score(self._numbers_of(X), y, sample_weight)

    def permutation_importances(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        n_repeats: int = 5,
        random_state: Any = None,
    ) -> Bunch:
        """Return the increase of the loss on held-out rows when each column of X is shuffled.

        Each row is predicted by the networks that have not been trained on it; nothing is fitted
        again. All outputs of a column, such as those of the levels of a category, are shuffled
        together, among all rows that are held out.

        Parameters
        ----------
        X, y : as in `fit`
            The rows of `fit`, in the same order.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the losses.

        n_repeats : int, default=5
            Number of times that each column is shuffled.

        random_state : int, RandomState instance or None, default=None
            Seed of the shuffles.

        Returns
        -------
        Bunch
            With `importances_mean` and `importances_std`, of shape (n_features,), and
            `importances`, of shape (n_features, n_repeats): the increase of the log loss or of
            the mean squared error.
        """
        check_is_fitted(self)
        check_option(type(self).__name__, "n_repeats", n_repeats, [COUNT])
        check_option(type(self).__name__, "random_state", random_state, SEED)
        numbers = self._numbers_of(X)
        n_rows, n_expected = numbers.shape[0], len(self.oof_predictions_)
        if n_rows != n_expected:
            raise ValueError(
                f"X has {n_rows} rows, but fit has seen {n_expected}: importances are computed for"
                " the rows of fit, in the same order."
            )
        check_consistent_length(numbers, y)
        weight = check_sample_weight(sample_weight, numbers)
        if weight is None:
            weight = np.ones(n_rows)
        rng = check_random_state(random_state)
        rises = rises_of_loss(
            self.ensemble_,
            numbers,
            self.preprocessor_.outputs_of_columns(),
            self._truth(y),
            weight,
            int(n_repeats),
            rng,
        )
        return Bunch(
            importances_mean=rises.mean(axis=1),
            importances_std=rises.std(axis=1),
            importances=rises,
        )

    weights_ = of_ensemble("weights_", "Weight of each arm: non-negative, with the sum 1.")
    arms_ = of_ensemble("params_", "The parameters in which the arms differ.")
    oof_predictions_ = of_ensemble(
        "oof_predictions_", "Out-of-fold predictions of the training rows."
    )
    cv_score_ = of_ensemble("oof_score_", "Accuracy or R2 of `oof_predictions_`.")
    cv_loss_ = of_ensemble("oof_loss_", "Log loss or mean squared error of `oof_predictions_`.")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Tags of an estimator with a wrong parameter are asked for, too.
        preset = PRESETS.get(self.preset) if isinstance(self.preset, str) else None
        tags.input_tags = get_tags(TabularPreprocessor()).input_tags
        tags.input_tags.sparse = preset is None or preset.takes_sparse
        return tags


def _check_names(arms: Sequence[Arm], network: BaseMultilayerPerceptron) -> None:
    """Raise ValueError if an arm has a key that is not a parameter of the network."""
    known = list(network.get_params(deep=False))
    for i, arm in enumerate(arms):
        for name in arm:
            if name.partition("__")[0] not in known:
                raise ValueError(
                    f"arms[{i}] sets {name!r}, which {type(network).__name__} does not have:"
                    f" must be one of {known}.{did_you_mean(name, known)}"
                )


def _with_mean_one(sample_weight: Any, numbers: Any) -> Floats | None:
    """Return the weights, scaled so that the positive ones have the mean 1.

    Only ratios of the weights matter: penalties must not depend on their scale.
    """
    checked = check_sample_weight(sample_weight, numbers)
    return None if checked is None else checked / checked[checked > 0].mean()
