"""Ensembles whose members differ in parameters and in rows, combined by what they do not know."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import KFold, ParameterGrid, StratifiedKFold, check_cv
from sklearn.utils import check_random_state, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from .._sklearn.checks import check_sample_weight
from .._sklearn.compat import check_method_params, fit_context, safe_split
from ..engine.arrays import Floats, Integers
from ..options import (
    N_JOBS,
    SEED,
    VERBOSITY,
    Flag,
    Having,
    Interval,
    Name,
    Rules,
    is_allowed,
    plain,
    speaks_for_itself,
)
from ._candidates import last_step, path_of
from ._combination import Blend, HeldOutRows, blended_without_own_fold
from ._ensemble_base import BaseEnsemble, EnsembleClassifierMixin, EnsembleRegressorMixin
from ._members import Job, Member, Part, fit_members, watching
from ._options import RULES
from ._outputs import (
    Labels,
    Output,
    described_labels,
    described_numbers,
    refuse_quantiles,
    refuse_without,
)

__all__ = ["StackedCrossEnsembleClassifier", "StackedCrossEnsembleRegressor", "weight_in"]

#: A split: rows to train on, rows that are held out.
Split = tuple[Integers, Integers]


def weight_in(params: Mapping[str, Any], estimator: Any, X: Any) -> Floats | None:
    """Return the weights of the rows among the arguments of an estimator's ``fit``, checked."""
    for name in ("sample_weight", f"{path_of(estimator)}sample_weight"):
        if params.get(name) is not None:
            return check_sample_weight(params[name], X)
    return None


class _StackedCrossEnsemble(BaseEnsemble):
    """What both ensembles share: parameters, fit, how members are combined."""

    _parameter_constraints: dict[str, Rules] = {
        "estimator": [Having("an estimator with fit and predict", ("fit", "predict"))],
        "param_grid": RULES["param_grid"],
        "cv": RULES["cv"],
        "combination": [Name(["weights", "greedy", "mean"])],
        "restore_best": [Flag()],
        "n_jobs": N_JOBS,
        "verbose": VERBOSITY,
        "random_state": SEED,
    }

    _output: Output

    @abstractmethod
    def _described(self, y: Any) -> tuple[Any, Any, Any]:
        """Return what y is like, y as members are given it, and the truth as an array."""

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, **params: Any) -> Any:
        """Fit each arm to the training rows of each split, and learn how to combine them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        **params : dict of str -> object
            `groups` are for the splitter, all else for the ``fit`` of the members; arrays with
            one entry per row are split like X. The `sample_weight` that reaches the networks
            (of a pipeline, without metadata routing, ``network__sample_weight``) weighs the
            rows wherever something is learned: weights, temperatures, scores. With metadata
            routing, what estimator and splitter request.

        Returns
        -------
        self : object
            Fitted ensemble.

        Raises
        ------
        ValueError
            If the data is invalid, if no row is held out, or if the training of a member
            diverges.
        """
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but y is None.")
        of_members, of_splitter = self._routed(params)
        X, y = indexable(X, y)
        output, y, truth = self._described(y)
        rng = check_random_state(self.random_state)
        splits = self._split(X, y, output, of_splitter, rng)
        arms = list(ParameterGrid(self.param_grid))
        weight = weight_in(of_members, self.estimator, X)
        parts = [_part(self.estimator, X, y, split, of_members, weight, output) for split in splits]
        jobs = self._jobs(arms, len(splits), rng)
        for job in jobs:
            job.is_validated &= parts[job.part].validation is not None
        if self.verbose:
            print(f"Fitting {len(arms)} arms on {len(splits)} folds, totalling {len(jobs)} members")
        found = fit_members(jobs, parts, plain(self.n_jobs), output.method)
        n = len(splits)
        members = [found[start : start + n] for start in range(0, len(found), n)]
        self._assemble(arms, splits, members, output, truth, weight)
        self._tell()
        return self

    def _routed(self, params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the arguments of the members' ``fit``, and those of the splitter."""
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", **params)
            return dict(routed.estimator.fit), dict(routed.splitter.split)
        params = dict(params)
        groups = params.pop("groups", None)
        return params, {"groups": groups}

    def get_metadata_routing(self) -> MetadataRouter:
        """Tell which metadata the members and the splitter take.

        Returns
        -------
        MetadataRouter
            See scikit-learn's user guide on metadata routing.
        """
        mapping = MethodMapping().add(caller="fit", callee="split")
        return super().get_metadata_routing().add(splitter=self.cv, method_mapping=mapping)

    def _split(
        self, X: Any, y: Any, output: Output, params: dict[str, Any], rng: np.random.RandomState
    ) -> list[Split]:
        """Return all splits."""
        cv = plain(self.cv)
        if is_allowed(cv, [Interval(2, low_closed=True, whole=True), None]):
            n_splits, seed = 5 if cv is None else cv, rng.randint(np.iinfo(np.int32).max)
            has_classes = isinstance(output, Labels) and not output.is_multilabel
            kind = StratifiedKFold if has_classes else KFold
            splitter = kind(n_splits, shuffle=True, random_state=seed)
        else:
            splitter = check_cv(cv)
        rows = np.arange(len(y) if not hasattr(y, "shape") else y.shape[0])
        splits = [(rows[train], rows[test]) for train, test in splitter.split(X, y, **params)]
        if not any(len(test) for _, test in splits):
            raise ValueError(
                f"cv={self.cv!r} holds no row out: weights are learned on rows that members have"
                " not seen."
            )
        return splits

    def _jobs(
        self, arms: Sequence[dict[str, Any]], n_splits: int, rng: np.random.RandomState
    ) -> list[Job]:
        """Return all members to be fitted, arm by arm."""
        jobs = []
        for place, arm in enumerate(arms):
            seeds = rng.randint(np.iinfo(np.int32).max, size=n_splits)
            for part, seed in enumerate(seeds.tolist()):
                member = clone(self.estimator).set_params(**clone(arm, safe=False))
                self._refuse_what_is_not_combined(member)
                name = f"{path_of(member)}random_state"
                if name not in arm and name in member.get_params():
                    member.set_params(**{name: seed})
                watches = bool(self.restore_best) and watching(member)
                name = f"arm {place} with the parameters {arm}, on split {part}"
                jobs.append(Job(member, part, arm, name, watches))
        return jobs

    @abstractmethod
    def _refuse_what_is_not_combined(self, member: Any) -> None:
        """Raise ValueError if predictions of an estimator cannot be combined."""

    def _assemble(
        self,
        arms: Sequence[dict[str, Any]],
        splits: Sequence[Split],
        members: Sequence[Sequence[Member]],
        output: Output,
        truth: Any,
        sample_weight: Floats | None,
    ) -> None:
        """Combine fitted members by what they predict for the rows that they have not seen."""
        held = HeldOutRows([test for _, test in splits])
        n_rows = len(truth)
        weight = np.ones(n_rows) if sample_weight is None else sample_weight
        of_known = weight[held.known]
        if not of_known.any():
            raise ValueError(
                "All rows that are held out have a weight of zero: nothing can be learned on them."
            )
        # In their own unit, so that pseudo-counts are rows whatever the unit of the weights is.
        of_known = of_known / of_known[of_known > 0].mean()
        truth = truth[held.known]
        predictions, temperatures = [], []
        shares, of_rows = held.shares(of_known), np.searchsorted(held.known, held.rows)
        for arm in members:
            aligned = [output.aligned(member.estimator, member.held_out) for member in arm]
            values = np.concatenate(aligned)
            temperature = output.temperature(values, truth[of_rows], shares)
            temperatures.append(temperature)
            predictions.append(held.averages(output.tempered(values, temperature)[np.newaxis])[0])
        self.params_ = list(arms)
        self.splits_ = list(splits)
        self.estimators_ = [[member.estimator for member in arm] for arm in members]
        self._output = output
        self._learn(np.stack(predictions), np.array(temperatures), held, truth, of_known, n_rows)
        self._describe_features()

    def _learn(
        self,
        predictions: Floats,
        temperatures: Floats,
        held: HeldOutRows,
        truth: Any,
        weight: Floats,
        n_rows: int,
    ) -> None:
        """Learn the weights of the arms; keep honest predictions, and what they are worth."""

        def learn(predictions: Floats, truth: Any, weight: Floats) -> Blend:
            return self._output.learn(predictions, truth, weight, combination=self.combination)

        self._blend = learn(predictions, truth, weight)
        self.weights_, self.temperatures_ = self._blend.weights, temperatures
        blended = blended_without_own_fold(learn, predictions, truth, weight, held.groups)
        self.oof_score_, self.oof_loss_ = self._output.judged(blended, truth, weight)

        def of_all_rows(known: Floats) -> Floats:
            shown = self._output.shown(known)
            filled = np.full((n_rows, *shown.shape[1:]), np.nan)
            filled[held.known] = shown
            return filled

        self.oof_predictions_ = of_all_rows(blended)
        self.oof_arm_predictions_ = np.stack([of_all_rows(arm) for arm in predictions])

    def _tell(self) -> None:
        """Print what has come out, if asked."""
        if not self.verbose:
            return
        for arm, weight, temperature in zip(
            self.params_, self.weights_, self.temperatures_, strict=True
        ):
            calibrated = f", temperature {temperature:.2f}" if temperature != 1 else ""
            print(f"Weight {weight:.3f}{calibrated}: {arm}")
        print(f"Out-of-fold score {self.oof_score_:.4f}, loss {self.oof_loss_:.4f}")

    def _fitted_members(self) -> Sequence[Any]:
        return [member for arm in super()._fitted_members() for member in arm]

    def _predictions_of_arms(self, X: Any) -> Iterator[tuple[float, list[Floats]]]:
        """Yield the weight of each arm that counts, and its members' tempered predictions."""
        self._fitted_members()
        output = self._output
        for weight, temperature, arm in zip(
            self.weights_, self.temperatures_, self.estimators_, strict=True
        ):
            if weight:
                aligned = [output.aligned(m, getattr(m, output.method)(X)) for m in arm]
                yield weight, [output.tempered(values, temperature) for values in aligned]

    def _blended(self, X: Any, return_std: bool) -> Any:
        """Return what the ensemble predicts, and the spread of its members if asked."""
        means, squares = [], []
        weights = []
        for weight, members in self._predictions_of_arms(X):
            weights.append(weight)
            means.append(np.mean(members, axis=0))
            if return_std:
                squares.append(np.var(members, axis=0))
        predictions, shares = np.stack(means), np.array(weights)
        blended = self._output.shown(Blend(shares, self._blend.temperature).of(predictions))
        if not return_std:
            return blended
        center = np.tensordot(shares, predictions, axes=1)
        variances = np.stack(squares) + (predictions - center) ** 2
        return blended, self._output.shown(np.sqrt(np.tensordot(shares, variances, axes=1)))

    def predict_members(self, X: Any) -> Floats:
        """Return what each member predicts, as it is: not calibrated.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_arms, n_splits, n_samples, ...)
            Shaped as one prediction, for each member.
        """
        self._fitted_members()
        output = self._output
        return np.stack(
            [
                [output.shown(output.aligned(m, getattr(m, output.method)(X))) for m in arm]
                for arm in self.estimators_
            ]
        )

    @property
    def loss_curves_(self) -> list[list[Any]]:
        """Training losses of each member, epoch by epoch."""
        return self._curves("loss_curve_")

    @property
    def validation_loss_curves_(self) -> list[list[Any]]:
        """Losses of each member on its held-out rows, epoch by epoch; None where not watched."""
        return self._curves("validation_loss_curve_")

    def _curves(self, name: str) -> list[list[Any]]:
        self._fitted_members()
        return [[getattr(last_step(m), name, None) for m in arm] for arm in self.estimators_]


def _part(
    estimator: Any,
    X: Any,
    y: Any,
    split: Split,
    params: dict[str, Any],
    sample_weight: Floats | None,
    output: Output,
) -> Part:
    """Return the rows of one split, with those that networks are validated on."""
    train, test = split
    X_train, y_train = safe_split(estimator, X, y, train)
    X_out, y_out = safe_split(estimator, X, y, test, train)
    of_train = check_method_params(X, params=params, indices=train)
    watched = np.ones(len(test), dtype=bool)
    if sample_weight is not None:
        watched &= sample_weight[test] > 0
    if isinstance(output, Labels) and not output.is_multilabel:
        # A class whose only row is held out is unknown to the network.
        watched &= np.isin(y_out, y_train)
    validation = None
    if watched.any():
        weight = None if sample_weight is None else sample_weight[test][watched]
        X_val, y_val = X_out, y_out
        if not watched.all():
            X_val, y_val = safe_split(estimator, X, y, test[watched], train)
        validation = X_val, y_val, weight
    return Part(X_train, y_train, of_train, X_out, validation)


@speaks_for_itself
class StackedCrossEnsembleClassifier(EnsembleClassifierMixin, _StackedCrossEnsemble, BaseEstimator):
    """Classifiers with several settings, each on several folds, combined by held-out rows.

    Each arm, a set of parameters, is fitted to the training rows of each split; all these
    networks are trained together, as stacks. A network watches the rows that its split holds out
    and gets back the weights of its best epoch. What the arms predict for rows that they have not
    seen then decides how they are combined: a temperature makes each arm's probabilities neither
    too sure nor too timid, a weight says how far it is trusted, and a last temperature calibrates
    the mixture. An arm that does harm on the data at hand is thus switched off by the data.

    Parameters
    ----------
    estimator : estimator object
        One of the multi-layer perceptrons that classify, or a pipeline that ends in one, whose
        transformers are fitted to the training rows of each split. Any other classifier with
        ``predict_proba`` works too, but is not watched.

    param_grid : dict or list of dicts
        The arms, as in :class:`~sklearn.model_selection.ParameterGrid`: lists of values by
        parameter name. ``{}`` is a single arm, the estimator as it is.

    cv : int, cross-validation generator or iterable, default=4
        The splits. An integer means so many shuffled folds, stratified by class, drawn with
        `random_state`; None means five. Rows that several splits hold out, as those of
        :class:`~sklearn.model_selection.RepeatedStratifiedKFold`, count once: their predictions
        are averaged. Rows that none holds out, as with
        :class:`~sklearn.model_selection.ShuffleSplit`, train but have no say in how arms are
        combined.

    combination : {"weights", "greedy", "mean"}, default="weights"
        How arms are weighted. "weights" maximises the likelihood of the held-out rows under the
        mixture, with 60 steps of expectation and maximisation and one pseudo-count per arm;
        "greedy" adds arms one by one, with replacement (Caruana et al. 2004); "mean" weighs
        all alike.

    calibrate : bool, default=True
        Whether temperatures are learned; they are 1 otherwise.

    restore_best : bool, default=True
        Whether each network watches the rows that its split holds out. One without
        `early_stopping` is trained for `max_iter` epochs and gets back the weights of the epoch
        with the least loss there; one with `early_stopping` keeps its own rules, but has them
        judged on these rows. If False, networks are trained as if alone. L-BFGS, which has no
        epochs, is never watched.

    n_jobs : int, default=None
        Number of workers. Each trains stacks of its own.

    verbose : int, default=0
        Whether the numbers of arms and folds, their weights and the score are printed.

    random_state : int, RandomState instance or None, default=None
        Seed of the folds and of the members' seeds. The estimator's own `random_state` is not
        used, that of an arm is.

    Attributes
    ----------
    estimators_ : list of lists of estimators
        The fitted members: for each arm, one for each split. Those of a pipeline share
        their transformers with other arms that have the same ones.

    params_ : list of dicts
        The parameters of each arm.

    splits_ : list of tuples of ndarrays
        The rows of each split, to train on and held out.

    weights_ : ndarray of shape (n_arms,)
        What each arm counts: non-negative, with the sum 1.

    temperatures_ : ndarray of shape (n_arms,)
        By what the logits of each arm are divided.

    temperature_ : float
        By what the logarithm of the mixture is divided.

    oof_predictions_ : ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
        Probabilities of the training rows from members that have not seen them, with weights
        learned on the other folds; NaN where a row was never held out.

    oof_arm_predictions_ : ndarray of shape (n_arms, n_samples, n_classes)
        The same for each arm, calibrated.

    oof_score_ : float
        Accuracy of `oof_predictions_`. The rows have chosen the epochs of their members and the
        temperatures of the arms, but neither weights nor the last temperature.

    oof_loss_ : float
        Their log loss; with several labels per row, its mean over the labels.

    loss_curves_ : list of lists
        Training losses of each member, epoch by epoch.

    validation_loss_curves_ : list of lists
        Losses of each member on its held-out rows, epoch by epoch.

    classes_ : ndarray of shape (n_classes,)
        Class labels.

    n_features_in_ : int
        Number of features seen by `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if X has names.

    See Also
    --------
    StackedCrossEnsembleRegressor : For numbers.
    StackedEnsembleClassifier : Members that differ in their seeds only.
    StackedGridSearchCV : With ``refit="ensemble"``, combines the networks of a search.

    Notes
    -----
    Where a row has several labels, each label is a classification of its own; arms have the same
    weight and temperature for all of them. A class that the training rows of a split lack has the
    probability 0 for its members.

    References
    ----------
    Guo, Pleiss, Sun & Weinberger (2017), On calibration of modern neural networks. ICML.

    Caruana, Niculescu-Mizil, Crew & Ksikes (2004), Ensemble selection from libraries of models.
    ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.model_selection import StackedCrossEnsembleClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> network = MLPSoftmaxClassifier((16,), batch_size=32, max_iter=40, learning_rate_init=0.01)
    >>> arms = {"mlpsoftmaxclassifier__alpha": [1e-4, 1.0]}
    >>> ensemble = StackedCrossEnsembleClassifier(
    ...     make_pipeline(StandardScaler(), network), arms, random_state=0).fit(X, y)
    >>> ensemble.predict_proba(X[:2]).shape, ensemble.weights_.shape
    ((2, 3), (2,))
    >>> ensemble.oof_score_ > 0.95
    True
    """

    _parameter_constraints: dict[str, Rules] = {
        **_StackedCrossEnsemble._parameter_constraints,
        "calibrate": [Flag()],
    }

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        cv=4,
        combination="weights",
        calibrate=True,
        restore_best=True,
        n_jobs=None,
        verbose=0,
        random_state=None,
    ) -> None:
        self.estimator = estimator
        self.param_grid = param_grid
        self.cv = cv
        self.combination = combination
        self.calibrate = calibrate
        self.restore_best = restore_best
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    @property
    def classes_(self) -> Any:
        """Class labels."""
        self._fitted_members()
        return self._output.classes

    @property
    def temperature_(self) -> Any:
        """By what the logarithm of the mixture is divided."""
        self._fitted_members()
        return self._blend.temperature

    def predict_proba(self, X: Any, return_std: bool = False) -> Any:
        """Estimate probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        return_std : bool, default=False
            Whether the spread over the members is returned too.

        Returns
        -------
        mean : ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            Probability of each class or label.

        std : ndarray of the same shape
            Weighted standard deviation of the members, calibrated by their arm's temperature;
            only if `return_std`.
        """
        return self._blended(X, return_std)

    def _described(self, y: Any) -> tuple[Any, Any, Any]:
        return described_labels(type(self).__name__, y, calibrate=bool(self.calibrate))

    def _refuse_what_is_not_combined(self, member: Any) -> None:
        refuse_without(type(self).__name__, member, Labels.method)

    def _labels_were(self) -> tuple[bool, bool]:
        return self._output.is_multilabel, self._output.was_sparse


@speaks_for_itself
class StackedCrossEnsembleRegressor(EnsembleRegressorMixin, _StackedCrossEnsemble, BaseEstimator):
    """Regressors with several settings, each on several folds, combined by held-out rows.

    Each arm, a set of parameters, is fitted to the training rows of each split; all these
    networks are trained together, as stacks. A network watches the rows that its split holds out
    and gets back the weights of its best epoch. What the arms predict for rows that they have not
    seen then decides how far each is trusted. An arm that does harm on the data at hand is thus
    switched off by the data.

    Parameters
    ----------
    estimator : estimator object
        A :class:`~skperceptron.MLPRegressor`, or a pipeline that ends in one, whose transformers
        are fitted to the training rows of each split. Any other regressor works too, but is not
        watched. Quantiles (``loss="pinball"``) are refused: weights are learned for means.

    param_grid : dict or list of dicts
        The arms, as in :class:`~sklearn.model_selection.ParameterGrid`: lists of values by
        parameter name. ``{}`` is a single arm, the estimator as it is.

    cv : int, cross-validation generator or iterable, default=4
        The splits. An integer means so many shuffled folds, drawn with `random_state`; None means
        five. Rows that several splits hold out, as those of
        :class:`~sklearn.model_selection.RepeatedKFold`, count once: their predictions are
        averaged. Rows that none holds out, as with
        :class:`~sklearn.model_selection.ShuffleSplit`, train but have no say in how arms are
        combined.

    combination : {"weights", "greedy", "mean"}, default="weights"
        How arms are weighted. "weights" minimises the squared error of the held-out rows, by
        non-negative least squares with the sum 1 (Breiman 1996); "greedy" adds arms one by
        one, with replacement (Caruana et al. 2004); "mean" weighs all alike. Several columns of y
        have the same weights; errors of each count in units of its standard deviation.

    restore_best : bool, default=True
        Whether each network watches the rows that its split holds out. One without
        `early_stopping` is trained for `max_iter` epochs and gets back the weights of the epoch
        with the least loss there; one with `early_stopping` keeps its own rules, but has them
        judged on these rows. If False, networks are trained as if alone. L-BFGS, which has no
        epochs, is never watched.

    n_jobs : int, default=None
        Number of workers. Each trains stacks of its own.

    verbose : int, default=0
        Whether the numbers of arms and folds, their weights and the score are printed.

    random_state : int, RandomState instance or None, default=None
        Seed of the folds and of the members' seeds. The estimator's own `random_state` is not
        used, that of an arm is.

    Attributes
    ----------
    estimators_ : list of lists of estimators
        The fitted members: for each arm, one for each split. Those of a pipeline share
        their transformers with other arms that have the same ones.

    params_ : list of dicts
        The parameters of each arm.

    splits_ : list of tuples of ndarrays
        The rows of each split, to train on and held out.

    weights_ : ndarray of shape (n_arms,)
        What each arm counts: non-negative, with the sum 1.

    temperatures_ : ndarray of shape (n_arms,)
        All 1: means have no temperature.

    oof_predictions_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Predictions of the training rows by members that have not seen them, with weights learned
        on the other folds; NaN where a row was never held out.

    oof_arm_predictions_ : ndarray of shape (n_arms, n_samples) or (n_arms, n_samples, n_outputs)
        The same for each arm.

    oof_score_ : float
        R2 of `oof_predictions_`. The rows have chosen the epochs of their members, but not the
        weights.

    oof_loss_ : float
        Their mean squared error.

    loss_curves_ : list of lists
        Training losses of each member, epoch by epoch.

    validation_loss_curves_ : list of lists
        Losses of each member on its held-out rows, epoch by epoch.

    n_features_in_ : int
        Number of features seen by `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if X has names.

    See Also
    --------
    StackedCrossEnsembleClassifier : For labels.
    StackedEnsembleRegressor : Members that differ in their seeds only.
    StackedGridSearchCV : With ``refit="ensemble"``, combines the networks of a search.

    References
    ----------
    Breiman (1996), Stacked regressions. Machine Learning 24.

    Caruana, Niculescu-Mizil, Crew & Ksikes (2004), Ensemble selection from libraries of models.
    ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skperceptron import MLPRegressor
    >>> from skperceptron.model_selection import StackedCrossEnsembleRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = MLPRegressor(hidden_layer_sizes=(16,), batch_size=32, max_iter=40,
    ...                        learning_rate_init=0.01)
    >>> arms = {"mlpregressor__alpha": [1e-4, 10.0]}
    >>> ensemble = StackedCrossEnsembleRegressor(
    ...     make_pipeline(StandardScaler(), network), arms, random_state=0).fit(X, y)
    >>> ensemble.predict(X[:2]).shape, ensemble.oof_predictions_.shape
    ((2,), (442,))
    >>> ensemble.oof_score_ > 0.4
    True
    """

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        cv=4,
        combination="weights",
        restore_best=True,
        n_jobs=None,
        verbose=0,
        random_state=None,
    ) -> None:
        self.estimator = estimator
        self.param_grid = param_grid
        self.cv = cv
        self.combination = combination
        self.restore_best = restore_best
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predict the weighted mean of the members' predictions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        return_std : bool, default=False
            Whether the spread over the members is returned too.

        Returns
        -------
        mean : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Mean prediction.

        std : ndarray of the same shape
            Weighted standard deviation of the members; only if `return_std`.
        """
        return self._blended(X, return_std)

    def _described(self, y: Any) -> tuple[Any, Any, Any]:
        return described_numbers(self, y)

    def _refuse_what_is_not_combined(self, member: Any) -> None:
        refuse_quantiles(type(self).__name__, member)
