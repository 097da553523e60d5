"""Fits of networks that a stack can train, and what equal ones of them share."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np

from .._sklearn.compat import has_callbacks
from .._sklearn.fit_calls import FROM_SCRATCH, NO_EXTRAS, Extras
from .._sklearn.pipelines import last_step, levels_of, path_of
from .._sklearn.tasks import NetworkTask
from ..components import is_built_in, key_of
from ..engine.arrays import Floats, Integers
from ..estimators import (
    MLPBinaryClassifier,
    MLPClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
)
from ..estimators.base import BaseMultilayerPerceptron, recorded_curves
from ..estimators.data import CheckedData, Fold, check_data, check_fold
from ..estimators.fitting import Cache, uncached
from ..estimators.parameters import check_parameters, is_lbfgs, names_of_parameters
from ..options import Checked, is_immutable
from ..schedules import Schedule
from ._transforming import Transformed, replaced

Item = TypeVar("Item")

#: Classes that can be stacked. A subclass may have changed how it is fitted.
STACKABLE = (MLPBinaryClassifier, MLPClassifier, MLPRegressor, MLPSoftmaxClassifier)

#: Parameters that matter from the first step on only: estimators that differ in nothing else begin
#: with the same parameters in the same network.
STEPS_ONLY = frozenset(
    """
    alpha averaging batch_size beta_1 beta_2 decay_schedule drop_last dropout_schedule epsilon
    l1_ratio learning_rate learning_rate_init max_fun max_grad_norm max_iter momentum
    n_iter_no_change nesterovs_momentum parameter_groups power_t shuffle tol
    """.split()
)

#: Parameters that are used neither to check nor to encode the data: estimators that differ only in
#: these share the results of both.
TRAINING_ONLY = STEPS_ONLY.union(
    """
    activation dropout dtype early_stopping embedding_dim ensemble_size feature_scale
    hidden_layer_sizes initializer input_dropout normalization numeric_embedding
    parametric_activation parametrization random_state skip_connections solver validation_fraction
    """.split()
)


class Settings(NamedTuple):
    """Numbers that are equal for networks of equal parameters.

    Attributes
    ----------
    of_all, of_start, of_data : int
        Of all parameters, and of all except ``STEPS_ONLY`` or ``TRAINING_ONLY``.
    """

    of_all: int
    of_start: int
    of_data: int


@dataclass
class Fit:
    """One requested fit and its outcome.

    Attributes
    ----------
    estimator : BaseMultilayerPerceptron
        Not fitted yet; its parameters have been checked.
    X, y, sample_weight, extras
        The arguments of its ``fit``.
    seconds : float
        Its share of the time.
    error : Exception, default=None
        The exception that its ``fit`` would have raised.
    was_cut_short : bool
        Whether the user has interrupted its training.
    fold : Fold, default=None
        Training and validation rows, if X holds both.
    name : str
        Its name in progress reports.
    task : NetworkTask, default=None
        Reports it to callbacks.
    settings : Settings, default=None
        None if the parameters cannot be compared by value.
    cross_fit_method : str, default=None
        The method whose predictions of validation rows are wanted.
    cross_fitted : list
        Places among these rows, and the predictions there; see :class:`~.CrossFitting`.
    """

    estimator: BaseMultilayerPerceptron
    X: Any = None
    y: Any = None
    sample_weight: Any = None
    extras: Extras = NO_EXTRAS
    seconds: float = 0.0
    error: Exception | None = None
    was_cut_short: bool = False
    fold: Fold | None = None
    name: str = ""
    task: NetworkTask | None = None
    settings: Settings | None = None
    cross_fit_method: str | None = None
    cross_fitted: list[tuple[Integers, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._before = self.estimator.__dict__.copy()

    def fail(self, error: Exception) -> None:
        """Restore the estimator as it was before the fit, and keep the exception."""
        self.error = error
        # Before the estimator is restored, since that removes the callbacks.
        self.tell(NetworkTask.end)
        self.estimator.__dict__.clear()
        self.estimator.__dict__.update(self._before)

    def tell(self, report: Callable[..., None], *arguments: Any) -> None:
        """Report to callbacks by a method of the task; an exception of theirs fails the fit."""
        if self.task is None:
            return
        try:
            report(self.task, *arguments)
        except Exception as error:
            if self.error is None:
                self.fail(error)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Record the time that the body takes, and the exception that it raises."""
        start = time.perf_counter()
        try:
            yield
        except Exception as error:
            self.fail(error)
        finally:
            self.seconds += time.perf_counter() - start


class Common:
    """Objects and results that several fits share, each made once.

    A copy in another process begins empty.

    Attributes
    ----------
    objects : dict
        One object for all equal ones.
    checked : dict
        Checked data, and the attributes that the check has set on the estimator.
    """

    def __init__(self) -> None:
        self.objects: dict[Hashable, Any] = {}
        self.checked: dict[Hashable, tuple[CheckedData, dict[str, Any]]] = {}
        self._accepted: dict[type, set[Hashable]] = {}
        self._settings: dict[Hashable, Settings | None] = {}
        self._numbers: dict[Hashable, int] = {}
        self._found: dict[Hashable, Any] = {}
        # Objects whose ids are in keys must live on, so that no other object gets their id.
        self._kept: list[Any] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return Common, ()

    def unify(self, item: Item) -> Item:
        """Return the first object so far that equals this one in type and attributes."""
        return self.objects.setdefault(key_of(item), item)

    def shared(self, value: Any) -> Any:
        """Return one component for all equal ones, since clones are different objects.

        A schedule from elsewhere is left to its network: it may count that network's epochs.
        """
        may_count = isinstance(value, Schedule) and not is_built_in(type(value))
        return self.unify(value) if isinstance(value, Checked) and not may_count else value

    def check_parameters(self, network: BaseMultilayerPerceptron) -> Settings | None:
        """Check those parameters of a network whose values have not passed the check before.

        Candidates of a search share most of their values, and each parameter is checked
        independently of the others. Each candidate is fitted once for each split.

        Returns
        -------
        Settings or None
            None if the parameters cannot be compared by value.
        """
        kind, names = type(network), names_of_parameters(network)
        values = [getattr(network, name) for name in names]
        key = kind, *map(id, values)
        if key not in self._settings:
            tokens = dict(zip(names, map(token, values), strict=True))
            accepted = self._accepted.setdefault(kind, set())
            if new := dict({*tokens.items()} - accepted):
                rules = {n: r for n, r in network._parameter_constraints.items() if n in new}
                with replaced(network, _parameter_constraints=rules):
                    check_parameters(network)
                accepted.update(new.items())
            # Tokens describe such values fully; lists do not change during training.
            is_plain = all(is_immutable(tuple(v) if type(v) is list else v) for v in values)
            omitted = (), STEPS_ONLY, TRAINING_ONLY
            parts = [(kind, *(tokens[n] for n in names if n not in some)) for some in omitted]
            numbers = [self._numbers.setdefault(part, len(self._numbers)) for part in parts]
            self._settings[key] = Settings(*numbers) if is_plain else None
            self._kept.append(values)
        return self._settings[key]

    def cached(self, fit: Fit) -> Cache:
        """Return a cache of results that are the same for all fits with equal parameters."""
        settings = fit.settings
        if settings is None:
            return uncached

        def cached(key: Hashable, make: Callable[[], Item], before_steps: bool = False) -> Item:
            place = before_steps, settings.of_start if before_steps else settings.of_all, key
            if place not in self._found:
                self._found[place] = make()
            found: Item = self._found[place]
            return found

        return cached

    def check_data(self, fit: Fit) -> CheckedData:
        """Check the data of a fit, once for all estimators that check it in the same way."""
        estimator, settings = fit.estimator, fit.settings
        given = fit.X, fit.y, fit.sample_weight, fit.fold
        # The number of the settings stands for all parameters that matter here.
        numbered = TRAINING_ONLY if settings is None else names_of_parameters(estimator)
        relevant = {n: vars(estimator)[n] for n in vars(estimator).keys() - numbered}
        key = (
            type(estimator),
            settings and settings.of_data,
            *map(id, given),
            *((name, token(self.shared(value))) for name, value in sorted(relevant.items())),
        )
        if key not in self.checked:
            before = set(vars(estimator))
            arguments = estimator, fit.X, fit.y, fit.sample_weight
            if fit.fold is None:
                checked = check_data(*arguments, FROM_SCRATCH)
            else:
                checked = check_fold(*arguments, fit.fold)
            learned = {n: v for n, v in vars(estimator).items() if n not in before}
            self.checked[key] = checked, learned
            self._kept.append((given, relevant))
        checked, learned = self.checked[key]
        estimator.__dict__.update(learned)
        return checked


def network_of(estimator: Any) -> BaseMultilayerPerceptron | None:
    """Return an estimator's network if a stack can train it, else None.

    It is the estimator itself or the last step of a pipeline. Networks with L-BFGS, whose steps
    cannot be shared, ``warm_start``, ``max_time``, ``verbose`` or callbacks are fitted one by one.
    """
    network = last_step(estimator)
    if type(network) not in STACKABLE or any(map(has_callbacks, (*levels_of(estimator), network))):
        return None
    # Options of another type, such as arrays, are refused by the estimator's own ``fit``.
    is_plain = all(
        isinstance(value, bool | np.bool_ | int | list | tuple | None) and not value
        for value in (network.verbose, network.warm_start, network.callbacks)
    )
    if is_lbfgs(network.solver) or not is_plain or network.max_time is not None:
        return None
    return network


def requested_fit(
    network: BaseMultilayerPerceptron, transformed: Transformed, common: Common
) -> Fit:
    """Call a network's ``fit``, but only check its parameters and record its arguments."""
    if transformed.error is not None:
        return Fit(network, error=transformed.error)
    fit = Fit(network)

    def record(
        X: Any, y: Any, sample_weight: Any, *, incremental: bool, extras: Any = NO_EXTRAS
    ) -> None:
        fit.X, fit.y, fit.sample_weight, fit.extras = X, y, sample_weight, extras

    def check() -> None:
        fit.settings = common.check_parameters(network)

    with fit.attempt(), replaced(network, _validate_params=check, _fit=record):
        network.fit(*transformed.arguments, **transformed.keywords)
    return fit


def curves_of(estimator: Any) -> dict[str, Floats]:
    """Return what a fitted estimator's network has recorded of each epoch, by name of the metric.

    An estimator without a network, or with one that is not fitted, has recorded nothing.
    """
    network = last_step(estimator)
    return recorded_curves(network) if isinstance(network, BaseMultilayerPerceptron) else {}


def token(value: Any) -> Hashable:
    """Return a key that is equal for two parameter values only if they mean the same.

    Numbers, strings, tuples and lists are compared by value, everything else by identity: the
    values must live as long as their tokens.
    """
    kind = type(value)
    if value is None or kind is str or kind is bool:
        # These values are their own tokens: no token of another kind equals them.
        return value
    if kind in (tuple, list):
        return kind, *map(token, value)
    if isinstance(value, (str, int, float)):
        return kind, value
    return id(value)


def transformers_token(estimator: Any, parameters: dict[str, Any]) -> Hashable:
    """Return a key that is equal for candidates whose transformers have the same parameters.

    ``parameters`` are those that the search varies; the estimator has them set.
    """
    mine = path_of(estimator)
    return tuple(
        (name, token(value))
        for name, value in sorted(parameters.items())
        if not f"{name}__".startswith(mine)
    )
