"""Cross-validation with scikit-learn's interface, trained as stacks."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import cross_validate

from .._sklearn.compat import seeing, validated_like
from ..estimators.docs import documented
from ._callback_tasks import CrossValidation, told
from ._docs import VALIDATED
from ._options import check_search


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

    The same results as :func:`sklearn.model_selection.cross_validate` to rounding.

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
    >>> network = MLPRegressor(hidden_layer_sizes=(8,), batch_size=32, max_iter=20, tol=0,
    ...                        learning_rate_init=0.05, random_state=0)
    >>> sorted(stacked_cross_validate(network, X, y))
    ['fit_time', 'score_time', 'test_score']
    """
    options = {"estimator": estimator, "scoring": scoring, "cv": cv, "n_jobs": n_jobs}
    check_search("stacked_cross_validate", options | {"error_score": error_score})
    with told(CrossValidation(estimator, callbacks), X, y) as parallel:
        return seeing(cross_validate, Parallel=parallel)(
            estimator,
            X,
            y,
            groups=groups,
            scoring=scoring,
            cv=cv,
            n_jobs=n_jobs,
            verbose=verbose,
            params=params,
            pre_dispatch=pre_dispatch,
            return_train_score=return_train_score,
            return_estimator=return_estimator,
            return_indices=return_indices,
            error_score=error_score,
        )
