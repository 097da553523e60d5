"""The learning-rate range test: with which rates does training work?"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state, indexable

from .._sklearn.compat import num_samples, safe_indexing
from .._sklearn.fit_calls import FROM_SCRATCH, NO_EXTRAS
from ..callbacks.listening import Listener
from ..engine.arrays import Floats, Integers
from ..estimators.base import BaseMultilayerPerceptron
from ..estimators.choices import batch_rows
from ..estimators.data import check_data
from ..estimators.fitted import fitted_network
from ..estimators.fitting import make_ready
from ..estimators.parameters import check_parameters, is_lbfgs
from ..exceptions import DivergedError
from ..options import Interval, check_option, plain
from ..schedules import TimeSchedule
from ._displays._common import CATEGORIES, axes_or_new
from ._networks import check_estimator_type

#: Settings that switch off what a short trial does not need and ``partial_fit`` refuses.
_WITHOUT = {
    "early_stopping": False,
    "averaging": None,
    "callbacks": None,
    "verbose": False,
    "warm_start": False,
}


@dataclass(frozen=True)
class LearningRateRangeTest:
    """Losses at rising learning rates.

    Attributes
    ----------
    rates : ndarray of shape (n,)
        Learning rates, rising.
    losses : ndarray of shape (n,)
        Penalized loss of each batch, before the step with that rate.
    smoothed_losses : ndarray of shape (n,)
        Their exponential moving average.
    """

    rates: Floats
    losses: Floats
    smoothed_losses: Floats

    @property
    def suggestion(self) -> float:
        """The rate at which the smoothed loss falls fastest, before its minimum."""
        end = max(2, int(self.smoothed_losses.argmin()) + 1)
        slopes = np.gradient(self.smoothed_losses, np.log(self.rates))
        return float(self.rates[slopes[:end].argmin()])

    def plot(self, ax: Any = None) -> Any:
        """Draw the losses over the rates, and the suggestion; needs matplotlib.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            None makes new ones.

        Returns
        -------
        matplotlib.axes.Axes
        """
        ax = axes_or_new("LearningRateRangeTest.plot", ax)
        batch, smoothed = CATEGORIES[4], CATEGORIES[0]
        ax.plot(self.rates, self.losses, color=batch, linewidth=1, label="batch")
        ax.plot(self.rates, self.smoothed_losses, color=smoothed, linewidth=2, label="smoothed")
        suggestion = self.suggestion
        ax.axvline(suggestion, color="0.35", linestyle=":", label=f"steepest: {suggestion:.2g}")
        ax.set(xscale="log", xlabel="learning rate", ylabel="loss")
        ax.legend()
        return ax


class _Geometric(TimeSchedule):
    """Multiply the rate by the same number after each step, which is an epoch of its own."""

    def __init__(self, growth: float) -> None:
        self.growth = growth

    def factor(self, times: Floats, n_epochs: int) -> Floats:
        return self.growth**times


def learning_rate_range_test(
    estimator: BaseMultilayerPerceptron,
    X: Any,
    y: Any,
    *,
    min_rate: float = 1e-6,
    max_rate: float = 10.0,
    n_steps: int = 100,
    smoothing: float = 0.7,
) -> LearningRateRangeTest:
    """Train a copy for some steps, each with a larger learning rate (Smith 2017).

    The loss first stays the same, then falls, then explodes. A good constant rate lies where it
    falls fastest, or somewhat below; a good largest rate of
    :class:`~skperceptron.schedules.OneCycle` lies before the loss's minimum. The test ends when
    training diverges, or when the smoothed loss has risen above its minimum by more than three
    times the minimum and more than three quarters of the first loss (in absolute values: losses
    of densities may be negative).

    Parameters
    ----------
    estimator : MLPBinaryClassifier, MLPClassifier, MLPSoftmaxClassifier or MLPRegressor
        With a stochastic solver; it is not changed.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    min_rate, max_rate : float, default=1e-6, 10.0
        The first and the last rate, > 0.
    n_steps : int, default=100
        Number of steps, >= 2.
    smoothing : float, default=0.7
        Decay of the moving average, in [0, 1). The average lags ``smoothing / (1 - smoothing)``
        steps behind the losses.

    Returns
    -------
    LearningRateRangeTest

    Raises
    ------
    TypeError
        If `estimator` is not a multi-layer perceptron.
    ValueError
        If a number lies outside its range, if the solver is L-BFGS, or if training diverges in the
        first steps.

    References
    ----------
    Smith (2017), Cyclical learning rates for training neural networks. WACV.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.inspection import learning_rate_range_test
    >>> X, y = load_digits(return_X_y=True)
    >>> network = MLPSoftmaxClassifier((32,), random_state=0)
    >>> found = learning_rate_range_test(network, X / 16, y)
    >>> 1e-4 < found.suggestion < 1
    True
    """
    _check(estimator, min_rate, max_rate, n_steps, smoothing)
    min_rate, max_rate, n_steps, smoothing = map(plain, (min_rate, max_rate, n_steps, smoothing))
    X, y = indexable(X, y)
    rates = np.geomspace(min_rate, max_rate, n_steps)
    trial = clone(estimator).set_params(
        **_WITHOUT, learning_rate=_Geometric(rates[1] / rates[0]), learning_rate_init=min_rate
    )
    weight = _begin(trial, X, y)
    losses, smoothed, average = [], [], 0.0
    # A batch of rows without weight has no loss.
    counted = np.arange(num_samples(X)) if weight is None else np.flatnonzero(weight)
    for step, rows in enumerate(_batches(trial, counted, n_steps)):
        given = safe_indexing(X, rows), safe_indexing(y, rows)
        loss = _loss_of_step(trial, *given, None if weight is None else weight[rows])
        average = smoothing * average + (1 - smoothing) * loss
        losses.append(loss)
        smoothed.append(average / (1 - smoothing ** (step + 1)))
        least = min(smoothed)
        if not smoothed[-1] - least <= 3 * max(abs(least), abs(smoothed[0]) / 4):
            break
    kept = np.isfinite(losses)
    if kept.sum() < 2:
        raise ValueError(f"min_rate={min_rate!r} is too large: the first steps diverge.")
    return LearningRateRangeTest(
        rates[: len(losses)][kept], np.array(losses)[kept], np.array(smoothed)[kept]
    )


def _check(
    estimator: Any, min_rate: float, max_rate: float, n_steps: int, smoothing: float
) -> None:
    check_estimator_type(estimator)
    if not isinstance(estimator, BaseMultilayerPerceptron):
        raise TypeError("RosenblattPerceptron has no learning rate.")
    if is_lbfgs(estimator.solver):
        raise ValueError(
            f"solver={estimator.solver!r} has no learning rate: a stochastic solver, such as"
            " 'adam', is needed."
        )
    for name, value, interval in (
        ("min_rate", min_rate, Interval(0)),
        ("max_rate", max_rate, Interval(0)),
        ("n_steps", n_steps, Interval(2, low_closed=True, whole=True)),
        ("smoothing", smoothing, Interval(0, 1, low_closed=True)),
    ):
        check_option("learning_rate_range_test", name, value, [interval])
    if not min_rate < max_rate:
        raise ValueError(f"min_rate={min_rate!r} must be below max_rate={max_rate!r}.")


def _begin(trial: Any, X: Any, y: Any) -> Floats | None:
    """Store on a network what it would begin with in ``fit``; return the weights of its rows.

    A batch does not show all: not all categories, bins of numbers or integers to predict.
    """
    check_parameters(trial)
    checked = check_data(trial, X, y, None, FROM_SCRATCH)
    make_ready(trial, checked, FROM_SCRATCH, NO_EXTRAS, Listener()).keep(trial)
    # The units of few rows would follow those of the batches.
    fitted_network(trial).target.seen = None
    if checked.weight is not None:
        # Weights of the rows take the place of those of their classes.
        trial.set_params(class_weight=None)
    return checked.weight


def _batches(estimator: BaseMultilayerPerceptron, rows: Integers, n_batches: int) -> Any:
    """Yield `n_batches` batches; all rows are shuffled again when too few are left for a batch."""
    rng = check_random_state(estimator.random_state)
    size = batch_rows(estimator, len(rows))
    waiting = rows[:0]
    for _ in range(n_batches):
        if len(waiting) < size:
            waiting = rng.permutation(rows)
        yield waiting[:size]
        waiting = waiting[size:]


def _loss_of_step(estimator: Any, X: Any, y: Any, weight: Floats | None) -> float:
    """Take a step; return the loss before it, NaN if training has diverged."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # The batch size may be larger than the number of all rows.
            warnings.filterwarnings("ignore", message="Got batch_size")
            estimator.partial_fit(X, y, sample_weight=weight)
    except DivergedError:
        return np.nan
    return estimator.loss_curve_[-1]
