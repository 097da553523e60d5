"""Grid and random search with scikit-learn's interface, trained as stacks."""

from __future__ import annotations

from contextlib import ExitStack
from copy import copy
from typing import Any

import numpy as np
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

from .._sklearn.checks import refuse_texts_of_any_length, restored_on_failure
from .._sklearn.compat import fit_context, holding
from .._sklearn.estimators import PackageEstimator
from .._sklearn.pipelines import last_step
from ..callbacks.placing import refuse_misplaced, refuse_single_fits
from ..estimators.docs import documented
from ..estimators.notebook import NotebookMixin
from ..options import did_you_mean, speaks_for_itself
from ..usercall import warn
from ._child_runs import log_curves_of
from ._docs import FOUND, NETWORK, SCORES, SEARCH
from ._ensemble_base import BaseEnsemble
from ._options import check_search
from ._parallel import SearchRecord, StackedParallel
from ._search_ensemble import ensemble_of, record_for
from ._search_transform import TransformsAsBest
from ._spreading import without_preparing

#: The value of `refit` that asks for the best combination of candidates.
ENSEMBLE = "ensemble"


class StackedSearch(TransformsAsBest, NotebookMixin, PackageEstimator):
    """Base of all stacked searches: fits in stacks, checks of options.

    ``fit`` calls scikit-learn's own, so that tools that wrap it, such as MLflow's autologging, see
    these searches too. It calls ``_run_search`` with a function that runs the fits.
    """

    n_jobs: int | None
    scoring: Any
    refit: Any
    _record: SearchRecord
    _preparing: ExitStack
    #: Whether a search that the user ends keeps the finished fits.
    _keeps_finished = True

    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Run fit with all sets of parameters.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training data.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets.

        **params : dict of str -> object
            Passed to the estimator's ``fit`` (arrays with one entry per row are split like X), the
            scorer and the splitter, as in scikit-learn.

        Returns
        -------
        self : object
            Fitted search.

        Raises
        ------
        ValueError
            If all fits fail, or one does and ``error_score="raise"``; with
            ``refit="ensemble"``, if the candidates cannot be combined; in a search by halving, if
            a part of a split would have no rows in the first round. An earlier fit is then left as
            it was.
        """
        refuse_texts_of_any_length(y)
        with restored_on_failure(self), ExitStack() as preparing:
            # A search that combines its networks brings a record that keeps them.
            vars(self).setdefault("_record", SearchRecord())
            # scikit-learn enters a ``Parallel`` of its own, which then runs nothing.
            preparing.enter_context(without_preparing(self.n_jobs))
            self._preparing = preparing
            super().fit(X, y, **params)  # type: ignore[misc]
        log_curves_of(self)
        return self

    def _run_search(self, evaluate_candidates: Any, *, callback_ctx: Any = None) -> None:
        """Run the fits of the search as stacks."""
        is_name = isinstance(self.refit, str) and self.refit not in ("score", self.scoring)
        if is_name and isinstance(self.scoring, str | None):
            warn(
                f"refit={self.refit!r} counts as True: scoring={self.scoring!r} is the only metric."
                f"{did_you_mean(self.refit, [ENSEMBLE])}"
            )
        vars(self).pop("_preparing").close()
        stacked = holding(evaluate_candidates, parallel=self._stacked)
        # Before scikit-learn 1.9 there was no context.
        context = {} if callback_ctx is None else {"callback_ctx": callback_ctx}
        super()._run_search(stacked, **context)  # type: ignore[misc]
        # Tools that wrap scikit-learn's ``fit`` may store the search before ours ends.
        del self._record

    def _stacked(self, parallel: Any) -> StackedParallel:
        """Return a replacement of a ``Parallel`` that runs fits as stacks, not one by one."""
        return StackedParallel(
            self._record,
            keeps_finished=self._keeps_finished,
            n_jobs=parallel.n_jobs,
            pre_dispatch=parallel.pre_dispatch,
        )

    @property
    def _sk_visual_block_(self) -> Any:
        """The search in a diagram: as in scikit-learn, with the best estimator."""
        return super(NotebookMixin, self)._sk_visual_block_  # type: ignore[misc]

    def _drawn(self) -> tuple[Any, str]:
        best = getattr(self, "best_estimator_", None)
        remark = "the best candidate"
        if isinstance(best, BaseEnsemble):
            (best, *_), *_ = best.estimators_
            remark = "the first member of the best combination"
        network = None if best is None else last_step(best)
        return network if isinstance(network, NotebookMixin) else None, remark

    def _validate_params(self) -> None:
        """Check where callbacks are set, our own rules, and what scikit-learn checks."""
        refuse_misplaced(self)
        refuse_single_fits(self)
        check_search(type(self).__name__, vars(self))
        super()._validate_params()  # type: ignore[misc]

    def _format_results(self, candidates: Any, n_splits: int, *others: Any) -> dict[str, Any]:
        """Make ``cv_results_`` of all rounds so far, and ``curves_`` beside it."""
        curves = self._record.curves
        starts = range(0, len(curves), n_splits)
        self.curves_ = [curves[start : start + n_splits] for start in starts]
        # The deviation of scores around 1e200 may be infinite.
        with np.errstate(over="ignore", invalid="ignore"):
            return super()._format_results(candidates, n_splits, *others)  # type: ignore[misc]


class _CombiningSearch(StackedSearch):
    """A search whose fits are run as stacks, and whose networks may be kept and combined."""

    multimetric_: bool
    cv_results_: dict[str, Any]
    best_estimator_: Any
    feature_names_in_: Any

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        if not self._makes_ensemble():
            return super().fit(X, y, **params)
        record = record_for(self, y)
        # An earlier fit is left as it was if this one fails.
        search = copy(self)
        search.refit, search._record = False, record
        super(_CombiningSearch, search).fit(X, y, **params)
        search._find_best()
        search.best_estimator_ = ensemble = ensemble_of(search, record, X, y, params)
        vars(self).update(vars(search), refit=self.refit)
        # Names of an earlier fit must not survive one without names.
        vars(self).pop("feature_names_in_", None)
        if hasattr(ensemble, "feature_names_in_"):
            self.feature_names_in_ = ensemble.feature_names_in_
        return self

    def _makes_ensemble(self) -> bool:
        """Tell whether networks are combined; a metric may be called "ensemble", too."""
        named = isinstance(self.scoring, dict | list | tuple) and ENSEMBLE in self.scoring
        return isinstance(self.refit, str) and self.refit == ENSEMBLE and not named

    def _check_refit_for_multimetric(self, scores: Any) -> None:
        if not self._makes_ensemble():
            super()._check_refit_for_multimetric(scores)  # type: ignore[misc]

    def _find_best(self) -> None:
        """Find the best candidate by the only metric, or by the first of several."""
        metric = self._first_metric()
        self.best_index_ = self.cv_results_[f"rank_test_{metric}"].argmin()
        self.best_score_ = self.cv_results_[f"mean_test_{metric}"][self.best_index_]
        self.best_params_ = self.cv_results_["params"][self.best_index_]

    def _first_metric(self) -> str:
        # A single metric is called "score".
        start = "mean_test_"
        return next(name for name in self.cv_results_ if name.startswith(start))[len(start) :]

    def score(self, X: Any, y: Any = None, **params: Any) -> float:
        """Score the best estimator on the given data, as scikit-learn does.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Their targets.

        **params : dict of str -> object
            Passed to the scorer, with metadata routing.

        Returns
        -------
        float
            By ``scoring``, or else by the estimator's own ``score``; with ``refit="ensemble"`` and
            several metrics, by the first of them.
        """
        search = self
        if self._makes_ensemble() and getattr(self, "multimetric_", False):
            search = copy(self)
            search.refit = self._first_metric()
        return super(_CombiningSearch, search).score(X, y, **params)  # type: ignore[misc]


@speaks_for_itself
@documented(network=NETWORK, search=SEARCH, scores=SCORES, found=FOUND)
class StackedGridSearchCV(_CombiningSearch, GridSearchCV):
    """Exhaustive search whose networks are trained together, as stacks.

    Parameters, attributes, methods and results are those of scikit-learn's
    :class:`~sklearn.model_selection.GridSearchCV`; only the training differs. Fits whose networks
    have equal layers, batch size, dtype and kind of optimizer become members of one stack; most
    other settings may differ. Transformers before a network are fitted once for each of their
    settings and each split. Fits that cannot be stacked (``solver="lbfgs"``, ``warm_start``,
    ``max_time``, ``verbose``, callbacks, other estimators and subclasses) run one by one within
    the same search.

    Parameters
    ----------
    {network}

    param_grid : dict or list of dictionaries
        Lists of values to try, by parameter name.

    {search}

    {scores}

    Attributes
    ----------
    {found}

    See Also
    --------
    StackedRandomizedSearchCV : Draws candidates from distributions.
    stacked_cross_validate : Evaluates a single candidate.

    Notes
    -----
    A candidate's scores are those of ``GridSearchCV`` up to rounding: each network has its own
    seed, rows and stopping epoch, as if it were alone.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.model_selection import StackedGridSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPSoftmaxClassifier((8,), batch_size=32, learning_rate="cosine", max_iter=40,
    ...                                tol=0, learning_rate_init=0.05, random_state=0)
    >>> grid = {"mlpsoftmaxclassifier__activation": ["relu", "tanh"],
    ...         "mlpsoftmaxclassifier__alpha": [1e-4, 1e-2]}
    >>> search = StackedGridSearchCV(make_pipeline(StandardScaler(), network), grid)
    >>> bool(search.fit(X, y).best_score_ > 0.9)
    True
    """


@speaks_for_itself
@documented(network=NETWORK, search=SEARCH, scores=SCORES, found=FOUND)
class StackedRandomizedSearchCV(_CombiningSearch, RandomizedSearchCV):
    """Randomized search whose networks are trained together, as stacks.

    Parameters, attributes, methods and results are those of scikit-learn's
    :class:`~sklearn.model_selection.RandomizedSearchCV`; see :class:`StackedGridSearchCV` for
    what is stacked.

    Parameters
    ----------
    {network}

    param_distributions : dict or list of dicts
        Distributions with an ``rvs`` method, or lists of values, by parameter name.

    n_iter : int, default=10
        Number of candidates.

    {search}

    random_state : int, RandomState instance or None, default=None
        Seed of the candidates.

    {scores}

    Attributes
    ----------
    {found}

    See Also
    --------
    StackedGridSearchCV : Tries all combinations.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.model_selection import StackedRandomizedSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPSoftmaxClassifier((8,), batch_size=32, learning_rate="cosine", max_iter=20,
    ...                                tol=0, random_state=0)
    >>> search = StackedRandomizedSearchCV(
    ...     network, {"learning_rate_init": loguniform(1e-2, 1e-1)}, n_iter=4, random_state=0)
    >>> len(search.fit(X, y).cv_results_["params"])
    4
    """
