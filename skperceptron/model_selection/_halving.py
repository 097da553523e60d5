"""Searches by successive halving with scikit-learn's interface, each round trained as stacks."""

from __future__ import annotations

from itertools import count
from math import ceil
from numbers import Integral
from typing import Any

# Searches by halving are experimental in scikit-learn: this import enables them.
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV, HalvingRandomSearchCV

from .._sklearn.compat import num_samples
from ..estimators.docs import documented
from ..options import speaks_for_itself
from ._docs import FOUND_BY_HALVING, HALVING, NETWORK
from ._search import ENSEMBLE, StackedSearch


class _StackedHalving(StackedSearch):
    """Base of both searches by halving: what they add to scikit-learn's."""

    resource: str
    min_resources: Any
    _checked_cv_orig: Any

    # If the user interrupts the search in one round, there must be no further round.
    _keeps_finished = False

    def _validate_params(self) -> None:
        super()._validate_params()
        if isinstance(self.refit, str) and self.refit == ENSEMBLE:
            # scikit-learn would treat the string as True.
            raise ValueError(
                f"refit={self.refit!r} of {type(self).__name__}: candidates of different rounds"
                " cannot be combined. Use StackedGridSearchCV or StackedRandomizedSearchCV."
            )

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


@speaks_for_itself
@documented(network=NETWORK, halving=HALVING, found=FOUND_BY_HALVING, default="exhaust")
class StackedHalvingGridSearchCV(_StackedHalving, HalvingGridSearchCV):
    """Search by successive halving whose networks are trained together, as stacks.

    All candidates start with few resources; the best of each round get more. Parameters,
    attributes, methods and results are those of scikit-learn's
    :class:`~sklearn.model_selection.HalvingGridSearchCV`; see :class:`StackedGridSearchCV` for what
    is stacked.

    Parameters
    ----------
    {network}

    param_grid : dict or list of dicts
        Lists of values by parameter name.

    {halving}

    Attributes
    ----------
    {found}

    See Also
    --------
    StackedHalvingRandomSearchCV : Draws candidates.
    StackedGridSearchCV : Gives all candidates all resources.

    References
    ----------
    Jamieson & Talwalkar (2016), Non-stochastic best arm identification and hyperparameter
    optimization. AISTATS.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.model_selection import StackedHalvingGridSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPSoftmaxClassifier((8,), learning_rate="cosine", max_iter=20, tol=0,
    ...                                random_state=0)
    >>> search = StackedHalvingGridSearchCV(
    ...     network, {"learning_rate_init": [0.001, 0.01, 0.1]}, random_state=0)
    >>> search.fit(X, y).n_candidates_
    [3, 1]
    """


@speaks_for_itself
@documented(network=NETWORK, halving=HALVING, found=FOUND_BY_HALVING, default="smallest")
class StackedHalvingRandomSearchCV(_StackedHalving, HalvingRandomSearchCV):
    """Random search by successive halving whose networks are trained together, as stacks.

    All candidates start with few resources; the best of each round get more. Parameters,
    attributes, methods and results are those of scikit-learn's
    :class:`~sklearn.model_selection.HalvingRandomSearchCV`; see :class:`StackedGridSearchCV` for
    what is stacked.

    Parameters
    ----------
    {network}

    param_distributions : dict or list of dicts
        Distributions with an ``rvs`` method, or lists of values, by parameter name.

    n_candidates : 'exhaust' or int, default='exhaust'
        Number of candidates to draw; 'exhaust' draws enough for the last round to use all
        resources.

    {halving}

    Attributes
    ----------
    {found}

    See Also
    --------
    StackedHalvingGridSearchCV : Tries all combinations.
    StackedRandomizedSearchCV : Gives all candidates all resources.

    References
    ----------
    Jamieson & Talwalkar (2016), Non-stochastic best arm identification and hyperparameter
    optimization. AISTATS.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.model_selection import StackedHalvingRandomSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPSoftmaxClassifier((8,), learning_rate="cosine", tol=0, random_state=0)
    >>> search = StackedHalvingRandomSearchCV(
    ...     network, {"alpha": loguniform(1e-5, 1)}, n_candidates=6, resource="max_iter",
    ...     max_resources=18, min_resources=2, random_state=0)
    >>> search.fit(X, y).n_resources_
    [2, 6]
    """
