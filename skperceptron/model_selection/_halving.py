"""Searches by successive halving with scikit-learn's interface, each round trained as stacks."""

from __future__ import annotations

from itertools import count
from math import ceil
from numbers import Integral, Real
from typing import Any

# Searches by halving are experimental in scikit-learn: this import enables them.
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV, HalvingRandomSearchCV

from .._sklearn.compat import Interval, num_samples
from ..options import speaks_for_itself
from ._search import StackedSearch

__all__ = ["StackedHalvingGridSearchCV", "StackedHalvingRandomSearchCV"]

#: Rules for values that scikit-learn accepts, but that fail later with an unclear message.
BOUNDED = {"factor": [Interval(Real, 1, None, closed="neither")]}

_SHARED = """
    factor : int or float, default=3
        From one round to the next, the number of candidates is divided by `factor`, and the
        resources of each are multiplied by it.

    resource : 'n_samples' or str, default='n_samples'
        The resource that grows from round to round: the number of rows, or a parameter of the
        estimator that is a positive integer, such as ``max_iter``.

    max_resources : int, default='auto'
        The most of the resource that any candidate gets; 'auto' is the number of rows.

    min_resources : {{'exhaust', 'smallest'}} or int, default='{min_resources}'
        The resource that each candidate gets in the first round.

    aggressive_elimination : bool, default=False
        Whether the first round is repeated, with `min_resources`, as often as it takes to have at
        most `factor` candidates after the last round.

    cv : int, cross-validation generator or iterable, default=5
        The splits; the same in every round.

    scoring : str or callable, default=None
        A single metric; None is the estimator's own ``score``.

    refit : bool or callable, default=True
        Whether the best candidate of the last round is fitted to all data.

    error_score : 'raise' or numeric, default=np.nan
        The score of a fit that fails; the other members of its stack are still trained.

    return_train_score : bool, default=True
        Whether scores on the training data are added.

    random_state : int, RandomState instance or None, default=None
        Seed of the rows of each round, and of the candidates where these are drawn.

    n_jobs : int, default=None
        Number of workers, each of which trains stacks of its own.

    verbose : int, default=0
        How much to print.

    Attributes
    ----------
    n_resources_ : list of int
        The resources of each round.

    n_candidates_ : list of int
        The candidates of each round.

    n_remaining_candidates_ : int
        Number of candidates that are left after the last round.

    max_resources_, min_resources_ : int
        The largest and smallest resources of a candidate.

    n_iterations_, n_possible_iterations_, n_required_iterations_ : int
        Numbers of rounds.

    cv_results_ : dict of numpy (masked) ndarrays
        Scores and times of all candidates and rounds.

    best_estimator_ : estimator
        The best candidate, fitted to all data.

    best_score_ : float
        Its mean score.

    best_params_ : dict
        Its parameters.

    best_index_ : int
        Its index in ``cv_results_``.

    scorer_ : function
        The function that scores a candidate.

    n_splits_ : int
        Number of splits.

    refit_time_ : float
        Seconds of the final fit.

    multimetric_ : bool
        False.

    classes_ : ndarray of shape (n_classes,)
        Class labels, if a classifier was refitted.

    n_features_in_ : int
        Number of features of the refitted estimator.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if X has names.

    References
    ----------
    Jamieson & Talwalkar (2016), Non-stochastic best arm identification and hyperparameter
    optimization. AISTATS.
"""


class _StackedHalving(StackedSearch):
    """Base of both searches by halving: what they add to scikit-learn's."""

    resource: str
    min_resources: Any
    _checked_cv_orig: Any

    # If the user interrupts the search in one round, there must be no further round.
    _keeps_finished = False

    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Run fit with all sets of parameters.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training data.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets.

        **params : dict of str -> object
            Passed to the estimator's ``fit``, the scorer and the splitter, as in scikit-learn.

        Returns
        -------
        self : object
            Fitted search.

        Raises
        ------
        ValueError
            If `min_resources` rows are so few that a part of a split would have none.
        """
        return super().fit(X, y, **params)

    def _check_input_parameters(self, X: Any, y: Any, split_params: dict[str, Any]) -> None:
        super()._check_input_parameters(X, y, split_params)  # type: ignore[misc]
        if self.resource != "n_samples" or not isinstance(self.min_resources, Integral):
            return
        splits = self._checked_cv_orig.split(X, y, **split_params)
        least = _least_rows(num_samples(X), min(len(part) for split in splits for part in split))
        if self.min_resources < least:
            raise ValueError(
                f"min_resources={self.min_resources!r} of {type(self).__name__} must be at least"
                f" {least} rows: with fewer, a part of a split would have none."
            )


def _least_rows(n_rows: int, n_part: int) -> int:
    """Return the least number of rows of a round that leaves a row in a part of a split."""
    # Multiply in the same order as scikit-learn, which rounds down.
    first = ceil(n_rows / n_part)
    return next(n for n in count(first) if int(n / n_rows * n_part))


def _documented(min_resources: str) -> Any:
    """Return a decorator that puts the shared documentation where ``{shared}`` stands."""

    def put(cls: type) -> type:
        cls.__doc__ = (cls.__doc__ or "").replace(
            "\n    {shared}\n", _SHARED.format(min_resources=min_resources)
        )
        return cls

    return put


@speaks_for_itself
@_documented("exhaust")
class StackedHalvingGridSearchCV(_StackedHalving, HalvingGridSearchCV):
    """Search by successive halving whose networks are trained together, as stacks.

    All candidates start with few resources; the best of each round get more. Parameters,
    attributes, methods and results are those of scikit-learn's
    :class:`~sklearn.model_selection.HalvingGridSearchCV`; see :class:`StackedGridSearchCV` for what
    is stacked.

    Parameters
    ----------
    estimator : estimator object
        One of the multi-layer perceptrons, or a :class:`~sklearn.pipeline.Pipeline` that ends in
        one. Any other estimator works too, but gains nothing.

    param_grid : dict or list of dicts
        Lists of values by parameter name.

    {shared}
    See Also
    --------
    StackedHalvingRandomSearchCV : Draws candidates.
    StackedGridSearchCV : Gives all candidates all resources.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.model_selection import StackedHalvingGridSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPSoftmaxClassifier((8,), max_iter=20, tol=0, random_state=0)
    >>> search = StackedHalvingGridSearchCV(
    ...     network, {"learning_rate_init": [0.001, 0.01, 0.1]}, random_state=0)
    >>> search.fit(X, y).n_candidates_
    [3, 1]
    """

    _parameter_constraints = HalvingGridSearchCV._parameter_constraints | BOUNDED


@speaks_for_itself
@_documented("smallest")
class StackedHalvingRandomSearchCV(_StackedHalving, HalvingRandomSearchCV):
    """Random search by successive halving whose networks are trained together, as stacks.

    All candidates start with few resources; the best of each round get more. Parameters,
    attributes, methods and results are those of scikit-learn's
    :class:`~sklearn.model_selection.HalvingRandomSearchCV`; see :class:`StackedGridSearchCV` for
    what is stacked.

    Parameters
    ----------
    estimator : estimator object
        One of the multi-layer perceptrons, or a :class:`~sklearn.pipeline.Pipeline` that ends in
        one. Any other estimator works too, but gains nothing.

    param_distributions : dict or list of dicts
        Distributions with an ``rvs`` method, or lists of values, by parameter name.

    n_candidates : 'exhaust' or int, default='exhaust'
        Number of candidates to draw; 'exhaust' draws enough for the last round to use all
        resources.

    {shared}
    See Also
    --------
    StackedHalvingGridSearchCV : Tries all combinations.
    StackedRandomizedSearchCV : Gives all candidates all resources.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.model_selection import StackedHalvingRandomSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPSoftmaxClassifier((8,), tol=0, random_state=0)
    >>> search = StackedHalvingRandomSearchCV(
    ...     network, {"alpha": loguniform(1e-5, 1)}, n_candidates=6, resource="max_iter",
    ...     max_resources=18, min_resources=2, random_state=0)
    >>> search.fit(X, y).n_resources_
    [2, 6]
    """

    _parameter_constraints = HalvingRandomSearchCV._parameter_constraints | BOUNDED
