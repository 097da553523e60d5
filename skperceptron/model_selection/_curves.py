"""scikit-learn's functions that fit an estimator many times, with the networks in stacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import (
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    validation_curve,
)

from .._sklearn.compat import CallbackSupportMixin, seeing, validated_like
from ..callbacks.listening import CALLBACKS, listening
from ..callbacks.placing import refuse_misplaced, refuse_single_fits
from ..engine.arrays import Floats
from ..estimators.docs import documented
from ..options import check_option
from ._docs import VALIDATED
from ._members import Job, Part, fit_members
from ._options import check_search
from ._parallel import StackedParallel
from ._transforming import replaced


class StackedPredictions:
    """Replaces scikit-learn's ``Parallel`` for calls of ``_fit_and_predict``.

    Options of :class:`joblib.Parallel` other than `n_jobs` are ignored: all splits are given to
    workers at once.
    """

    def __init__(self, n_jobs: int | None = None, **options: Any) -> None:
        self._n_jobs = n_jobs

    def __call__(self, tasks: Iterable[Any]) -> list[Any]:
        """Fit all splits as stacks, then run each call with its fitted estimator."""
        calls = [(wrapped.__wrapped__, arguments) for wrapped, arguments, _ in tasks]
        parts, jobs = [], []
        for i, (_, (estimator, X, y, train, test, fit_params, _)) in enumerate(calls):
            # Old versions of scikit-learn give None for no parameters.
            parts.append(Part(X, y, fit_params or {}, (train, test), estimator))
            jobs.append(Job(estimator, i))
        members = fit_members(jobs, parts, self._n_jobs)
        found = []
        for (function, (_, *others)), member in zip(calls, members, strict=True):
            with replaced(member.estimator, fit=lambda *args, **params: None):
                found.append(function(member.estimator, *others))
        return found


@documented(**VALIDATED, y_default=", default=None")
@validated_like(cross_validate)
def stacked_cross_validate(
    estimator,
    X,
    y=None,
    *,
    groups=None,
    scoring=None,
    cv=None,
    n_jobs=None,
    verbose=0,
    params=None,
    pre_dispatch="2*n_jobs",
    return_train_score=False,
    return_estimator=False,
    return_indices=False,
    error_score=np.nan,
    callbacks=None,
) -> dict[str, Any]:
    """Evaluate metrics by cross-validation, with the networks of all splits in one stack.

    The same results as :func:`sklearn.model_selection.cross_validate` up to rounding.

    Parameters
    ----------
    {data}

    {groups}

    scoring : str, callable, list, tuple, or dict, default=None
        One or several metrics; None is the estimator's own ``score``.

    {run}

    return_train_score : bool, default=False
        Whether scores on the training data are added.

    return_estimator : bool, default=False
        Whether the fitted estimators are added.

    return_indices : bool, default=False
        Whether the rows of each split are added.

    {error_score}

    {callbacks}

    Returns
    -------
    dict of float arrays of shape (n_splits,)
        ``test_score``, ``fit_time``, ``score_time``, and what else was requested.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skperceptron import MLPRegressor
    >>> from skperceptron.model_selection import stacked_cross_validate
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = MLPRegressor(hidden_layer_sizes=(8,), batch_size=32, learning_rate="cosine",
    ...                        learning_rate_init=0.05, max_iter=20, tol=0, random_state=0)
    >>> sorted(stacked_cross_validate(network, X, y))
    ['fit_time', 'score_time', 'test_score']
    """
    return _run_reported(locals(), CrossValidation, lambda p: seeing(cross_validate, Parallel=p))


@documented(**VALIDATED, y_default=", default=None")
@validated_like(cross_val_score)
def stacked_cross_val_score(
    estimator,
    X,
    y=None,
    *,
    groups=None,
    scoring=None,
    cv=None,
    n_jobs=None,
    verbose=0,
    params=None,
    pre_dispatch="2*n_jobs",
    error_score=np.nan,
    callbacks=None,
) -> Floats:
    """Evaluate a score by cross-validation, with the networks of all splits in one stack.

    The same results as :func:`sklearn.model_selection.cross_val_score` up to rounding.

    Parameters
    ----------
    {data}

    {groups}

    {scoring}

    {run}

    {error_score}

    {callbacks}

    Returns
    -------
    ndarray of shape (n_splits,)
        The scores.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.model_selection import stacked_cross_val_score
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPSoftmaxClassifier((8,), batch_size=32, learning_rate="cosine", max_iter=20,
    ...                                tol=0, random_state=0)
    >>> stacked_cross_val_score(network, X, y).shape
    (5,)
    """
    return _run_reported(
        locals(),
        CrossValidationScore,
        lambda p: seeing(cross_val_score, cross_validate=seeing(cross_validate, Parallel=p)),
    )


@documented(**VALIDATED, y_default=", default=None")
@validated_like(cross_val_predict)
def stacked_cross_val_predict(
    estimator,
    X,
    y=None,
    *,
    groups=None,
    cv=None,
    n_jobs=None,
    verbose=0,
    params=None,
    pre_dispatch="2*n_jobs",
    method="predict",
) -> Any:
    """Predict each row by a network that has not seen it; the networks are trained as one stack.

    The same results as :func:`sklearn.model_selection.cross_val_predict` up to rounding.

    Parameters
    ----------
    {data}

    {groups}

    cv : int, cross-validation generator or an iterable, default=None
        The splits; None means five folds. Each row must be held out exactly once.

    n_jobs : int, default=None
        Number of workers.

    verbose : int, default=0
        Ignored: stacks do not report single fits.

    params : dict, default=None
        Passed to the estimator's ``fit`` and the splitter.

    pre_dispatch : int or str, default='2*n_jobs'
        Ignored: all splits are sent to workers at once.

    method : str, default='predict'
        The method that predicts: 'predict', 'predict_proba', 'predict_log_proba' or
        'decision_function'.

    Returns
    -------
    ndarray
        The results of `method`, in the order of X.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.model_selection import stacked_cross_val_predict
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPSoftmaxClassifier((8,), batch_size=32, learning_rate="cosine", max_iter=20,
    ...                                tol=0, random_state=0)
    >>> stacked_cross_val_predict(network, X, y, method="predict_proba").shape
    (150, 3)
    """
    check_search("stacked_cross_val_predict", locals())
    return seeing(cross_val_predict, Parallel=StackedPredictions)(**locals())


@documented(**VALIDATED, y_default="")
@validated_like(learning_curve)
def stacked_learning_curve(
    estimator,
    X,
    y,
    *,
    groups=None,
    train_sizes=np.linspace(0.1, 1.0, 5),  # noqa: B008
    cv=None,
    scoring=None,
    exploit_incremental_learning=False,
    n_jobs=None,
    pre_dispatch="all",
    verbose=0,
    shuffle=False,
    random_state=None,
    error_score=np.nan,
    return_times=False,
    params=None,
    callbacks=None,
) -> Any:
    """Return scores for growing numbers of training rows; the networks are trained as stacks.

    The same results as :func:`sklearn.model_selection.learning_curve` up to rounding.

    Parameters
    ----------
    {data}

    {groups}

    train_sizes : array-like of shape (n_ticks,), default=np.linspace(0.1, 1.0, 5)
        Shares of the largest training set, or numbers of rows.

    {cv}

    {scoring}

    exploit_incremental_learning : bool, default=False
        Whether ``partial_fit`` continues from each size to the next; such fits are not stacked.

    {workers}

    shuffle : bool, default=False
        Whether training rows are shuffled before the first ones are taken.

    random_state : int, RandomState instance or None, default=None
        Seed of the shuffle.

    {error_score}

    return_times : bool, default=False
        Whether times are returned, too.

    {params}

    {callbacks} Not with
        `exploit_incremental_learning`.

    Returns
    -------
    train_sizes_abs : ndarray of shape (n_unique_ticks,)
        Numbers of training rows.

    train_scores, test_scores : ndarray of shape (n_ticks, n_splits)
        The scores.

    fit_times, score_times : ndarray of shape (n_ticks, n_splits)
        Seconds; only with `return_times`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.model_selection import stacked_learning_curve
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPSoftmaxClassifier((8,), learning_rate="cosine", max_iter=20, tol=0,
    ...                                random_state=0)
    >>> sizes, train, test = stacked_learning_curve(network, X, y, shuffle=True, random_state=0)
    >>> sizes
    array([ 12,  39,  66,  93, 120])
    """
    given = locals()
    if exploit_incremental_learning and callbacks:
        raise ValueError(
            "callbacks of stacked_learning_curve follow whole fits, of which there are none with"
            " exploit_incremental_learning=True: pass callbacks=None."
        )

    def with_parallel(parallel: Any) -> Any:
        if exploit_incremental_learning:
            # With partial_fit from size to size, networks are trained one after another.
            return learning_curve
        return seeing(learning_curve, Parallel=parallel)

    return _run_reported(given, LearningCurve, with_parallel)


@documented(**VALIDATED, y_default="")
@validated_like(validation_curve)
def stacked_validation_curve(
    estimator,
    X,
    y,
    *,
    param_name,
    param_range,
    groups=None,
    cv=None,
    scoring=None,
    n_jobs=None,
    pre_dispatch="all",
    verbose=0,
    error_score=np.nan,
    params=None,
    callbacks=None,
) -> Any:
    """Return scores for values of a parameter; the networks are trained as stacks.

    The same results as :func:`sklearn.model_selection.validation_curve` up to rounding.

    Parameters
    ----------
    {data}

    param_name : str
        The parameter.

    param_range : array-like of shape (n_values,)
        Its values.

    {groups}

    {cv}

    {scoring}

    {workers}

    {error_score}

    {params}

    {callbacks}

    Returns
    -------
    train_scores, test_scores : ndarray of shape (n_values, n_splits)
        The scores.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.model_selection import stacked_validation_curve
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPSoftmaxClassifier((8,), batch_size=32, learning_rate="cosine", max_iter=20,
    ...                                tol=0, random_state=0)
    >>> train, test = stacked_validation_curve(
    ...     network, X, y, param_name="alpha", param_range=[1e-4, 1.0])
    >>> test.shape
    (2, 5)
    """
    if not len(param_range):
        raise ValueError(
            f"param_range={param_range!r} of stacked_validation_curve is empty: at least one value"
            " is needed."
        )
    return _run_reported(locals(), ValidationCurve, lambda p: seeing(validation_curve, Parallel=p))


# What callbacks see as being fitted, and how networks are reported to them.


class ManyFits(CallbackSupportMixin, BaseEstimator):
    """The estimator that callbacks see as being fitted; progress bars show its name.

    The estimator in it is the one that is fitted many times.
    """

    #: The function that the user has called.
    function: ClassVar[str]
    #: Whether there are several fits of each split.
    is_curve: ClassVar[bool] = False

    def __init__(self, estimator=None, callbacks=None) -> None:
        self.estimator = estimator
        self.callbacks = callbacks


class CrossValidation(ManyFits):
    """All fits of a cross-validation."""

    function = "stacked_cross_validate"


class CrossValidationScore(ManyFits):
    """All fits of a cross-validation that returns only scores."""

    function = "stacked_cross_val_score"


class LearningCurve(ManyFits):
    """All fits of a learning curve."""

    function = "stacked_learning_curve"
    is_curve = True


class ValidationCurve(ManyFits):
    """All fits of a validation curve."""

    function = "stacked_validation_curve"
    is_curve = True


def _run_reported(
    given: dict[str, Any],
    kind: type[ManyFits],
    with_parallel: Callable[[Callable[..., StackedParallel]], Callable[..., Any]],
) -> Any:
    """Run a function of scikit-learn as stacks, and report each network to callbacks.

    ``given`` are all arguments of the public function that is called: those of scikit-learn's, and
    ``callbacks``. ``with_parallel`` returns scikit-learn's function with a replacement of its
    ``Parallel``.

    Raises InvalidOption if an option is not what it must be, TypeError if a callback cannot work
    there.
    """
    fits = kind(given["estimator"], given.pop("callbacks"))
    check_search(fits.function, given)
    check_option(fits.function, "callbacks", fits.callbacks, [CALLBACKS, None])
    refuse_misplaced(fits, fits.function)
    refuse_single_fits(fits, fits.function)
    with listening(fits, None, given["X"], given["y"], None) as listener:
        new_task = partial(listener.network_task, "split")
        parallel = partial(StackedParallel, new_task=new_task, is_curve=fits.is_curve)
        return with_parallel(parallel)(**given)
