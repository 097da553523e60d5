"""Ensembles whose members differ in parameters and training rows: fit and predictions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from scipy import sparse
from sklearn import get_config
from sklearn.base import clone
from sklearn.model_selection import KFold, ParameterGrid, StratifiedKFold, check_cv
from sklearn.utils import check_random_state, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.parallel import Parallel, delayed

from .._sklearn.checks import check_sample_weight
from .._sklearn.compat import (
    check_method_params,
    fit_context,
    num_samples,
)
from .._sklearn.pipelines import last_step, levels_of, path_of, seed_transformers
from ..callbacks.autologging import autologged
from ..engine.arrays import Floats
from ..estimators.blas_threads import blas_limited_to
from ..estimators.splits import counted_from_0
from ..options import Flag, Name, Rules, plain, shown
from ._combination import Blend, BlendRules
from ._ensemble_base import BaseEnsemble, deviation_of, mean_of, scaled_down
from ._fits import curves_of
from ._held_out import Combination, FittedMember, Split, combined, predicted_by
from ._members import Job, Part, accepts_validation_rows, fit_members, restore_best_epoch
from ._options import RULES
from ._outputs import Output
from ._spreading import n_threads
from ._transforming import own_rows


def weight_in(params: Mapping[str, Any], estimator: Any, X: Any) -> Floats | None:
    """Return the checked sample weights among the arguments of ``fit``; None if there are none."""
    name = f"{path_of(estimator)}sample_weight"
    if get_config()["enable_metadata_routing"]:
        # The network's own request decides under which name it gets its weights, if at all.
        for level in levels_of(estimator):
            params = process_routing(level, "fit", **params)[level.steps[-1][0]].fit
        name = "sample_weight"
    return check_sample_weight(params.get(name), X)


def divided_params(owner: Any, params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arguments of the members' ``fit``, and those of the splitter.

    ``params`` are the further arguments of the ``fit`` of an ensemble or a search.
    """
    if get_config()["enable_metadata_routing"]:
        routed = process_routing(owner, "fit", **params)
        return dict(routed.estimator.fit), dict(routed.splitter.split)
    params = dict(params)
    groups = params.pop("groups", None)
    return params, {"groups": groups}


# Long because it holds all that its subclasses share: fit, splits, combination, predictions.
class BaseCrossEnsemble(BaseEnsemble):
    """Base of both cross ensembles: parameters, fit, combination of the members."""

    _parameter_constraints: dict[str, Rules] = {
        **BaseEnsemble._parameter_constraints,
        "param_grid": RULES["param_grid"],
        "cv": RULES["cv"],
        "combination": [Name(["weights", "greedy", "mean"])],
        "restore_best": [Flag()],
    }

    _output: Output

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
        callbacks=None,
    ) -> None:
        self.estimator = estimator
        self.param_grid = param_grid
        self.cv = cv
        self.combination = combination
        self.restore_best = restore_best
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state
        self.callbacks = callbacks

    @abstractmethod
    def _described(self, y: Any) -> tuple[Any, Any, Any]:
        """Return the kind of output, y as members get it, and the true values as an array."""

    def _rules(self) -> BlendRules:
        return BlendRules(self.combination, bool(getattr(self, "calibrate", False)))

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> Any:
        """Fit each arm to the training rows of each split, and learn how to combine them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, for the networks as well as for the weights of members,
            temperatures and scores. Without metadata routing, the last step of a pipeline gets
            them.

        **params : dict of str -> object
            `groups` are passed to the splitter, all others to the ``fit`` of the members; arrays
            with one entry per row are split like X. With metadata routing, what estimator and
            splitter request.

        Returns
        -------
        self : object
            Fitted ensemble.

        Raises
        ------
        ValueError
            If the data is invalid, if no row is held out, if validation rows are given that would
            not be used, or if the training of a member diverges.
        """
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        params = self._with_weight(sample_weight, params)
        with autologged(self, X, recorded_by):
            return self._fit_and_free([X], y, params)

    def _fit_and_free(self, table: list[Any], y: Any, params: dict[str, Any]) -> Any:
        """Do what ``fit`` does with X, the only item of a list, which is emptied.

        So X is freed before the members are combined, unless the caller keeps it.
        """
        of_members, of_splitter = divided_params(self, params)
        X, y = indexable(table.pop(), y)
        output, y, truth = self._described(y)
        rng = check_random_state(self.random_state)
        splits = self._split(X, y, output, of_splitter, rng)
        arms = list(ParameterGrid(self.param_grid))
        weight = weight_in(of_members, self.estimator, X)
        jobs = self._jobs(output, arms, len(splits), rng)
        whole = Part(X, y, of_members, estimator=self.estimator, sample_weight=weight)
        parts = _parts(whole, splits, truth, output, jobs)
        for job in jobs:
            job.is_validated &= parts[job.part].can_validate
        if any(job.is_validated for job in jobs):
            _refuse_validation_rows(of_members)
        if self.verbose:
            print(f"Fitting {len(arms)} arms on {len(splits)} folds, totalling {len(jobs)} members")
        with self._telling(jobs, X, y, params):
            n_jobs, verbose = plain(self.n_jobs), int(self.verbose)
            found = fit_members(jobs, parts, n_jobs, verbose)
        n = len(splits)
        members: list[Sequence[FittedMember]]
        members = [found[start : start + n] for start in range(0, len(found), n)]
        # Freed first: the rows may take as much memory as combining the predictions does.
        del X, whole, found, parts
        learned = combined(output, members, splits, truth, weight, self._rules())
        self._take(arms, splits, members, output, learned)
        self._tell()
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """Return which metadata the members and the splitter take.

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
        cv, classes = plain(self.cv), output.classes_of_rows(y)
        if isinstance(cv, int | None):
            n_splits, seed = 5 if cv is None else cv, rng.randint(np.iinfo(np.int32).max)
            kind = KFold if classes is None else StratifiedKFold
            splitter = kind(n_splits, shuffle=True, random_state=seed)
        else:
            splitter = check_cv(cv)
        of_splitter = splitter.split(X, y if classes is None else classes, **params)
        splits = [counted_from_0(split, num_samples(y)) for split in of_splitter]
        if not all(len(test) for _, test in splits):
            raise ValueError(
                f"A split of cv={shown(self.cv)} holds out no row: weights are learned on rows that"
                " members have not seen."
            )
        return splits

    def _jobs(
        self,
        output: Output,
        arms: Sequence[dict[str, Any]],
        n_splits: int,
        rng: np.random.RandomState,
    ) -> list[Job]:
        """Return all members to be fitted, arm by arm."""
        most = np.iinfo(np.int32).max
        seeds = [rng.randint(most, size=n_splits).tolist() for _ in arms]
        shared = int(rng.randint(most))
        jobs = []
        for place, arm in enumerate(arms):
            for part, seed in enumerate(seeds[place]):
                member = clone(self.estimator).set_params(**clone(arm, safe=False))
                output.check_member(type(self).__name__, member)
                name = f"{path_of(member)}random_state"
                if name not in arm and name in member.get_params():
                    member.set_params(**{name: seed})
                # Members share transformers.
                seed_transformers(member, shared)
                is_validated = bool(self.restore_best) and accepts_validation_rows(member)
                if is_validated:
                    restore_best_epoch(member)
                name = f"arm {place} with the parameters {arm}, on split {part}"
                jobs.append(Job(member, part, arm, name, is_validated))
        return jobs

    def _take(
        self,
        arms: Sequence[dict[str, Any]],
        splits: Sequence[Split],
        members: Sequence[Sequence[FittedMember]],
        output: Output,
        found: Combination,
    ) -> None:
        """Set the fitted attributes of the ensemble."""
        self.params_ = list(arms)
        self.splits_ = list(splits)
        self.estimators_ = [[member.estimator for member in arm] for arm in members]
        self._output, self._blend = output, found.blend
        self.weights_ = found.blend.weights
        self.temperatures_ = found.temperatures
        self.oof_predictions_ = found.oof_predictions
        self.oof_arm_predictions_ = found.oof_arm_predictions
        self.oof_score_, self.oof_loss_ = found.oof_score, found.oof_loss
        self._describe_features()

    def _tell(self) -> None:
        """Print weights and scores, if `verbose`."""
        if not self.verbose:
            return
        for arm, weight, temperature in zip(
            self.params_, self.weights_, self.temperatures_, strict=True
        ):
            calibrated = f", temperature {temperature:.2f}" if temperature != 1 else ""
            print(f"Weight {weight:.3f}{calibrated}: {arm}")
        print(f"Out-of-fold score {self.oof_score_:.4g}, loss {self.oof_loss_:.6g}")

    def _fitted_members(self) -> Sequence[Any]:
        return [member for arm in super()._fitted_members() for member in arm]

    def _predictions_of_arms(self, X: Any) -> Iterator[tuple[float, list[Floats]]]:
        """Yield each non-zero weight, and the tempered predictions of the members of its arm."""
        self._fitted_members()
        arms = [
            (weight, temperature, arm)
            for weight, temperature, arm in zip(
                self.weights_, self.temperatures_, self.estimators_, strict=True
            )
            if weight
        ]
        tasks = [(member, temperature, X) for _, temperature, arm in arms for member in arm]
        networks = [last_step(member) for member, *_ in tasks]
        n_weights = sum(w.size for one in networks for w in getattr(one, "coefs_", ()))
        workers = n_threads(plain(self.n_jobs), n_weights * num_samples(X))
        found = (self._tempered(*task) for task in tasks)
        if workers > 1:
            # NumPy releases the GIL, so threads suffice, and they need no copies.
            with blas_limited_to(1):
                parallel = Parallel(n_jobs=workers, require="sharedmem")
                found = iter(parallel(delayed(self._tempered)(*task) for task in tasks))
        for weight, _, arm in arms:
            with blas_limited_to(1):
                members = list(islice(found, len(arm)))
            yield weight, members

    def _tempered(self, member: Any, temperature: float, X: Any) -> Floats:
        """Return a member's predictions at its arm's temperature."""
        output = self._output
        aligned = output.aligned(member, predicted_by(member, output.method, own_rows(member, X)))
        return output.tempered(aligned.astype(np.float64, copy=False), temperature)

    def _blended(self, X: Any, return_std: bool) -> Any:
        """Return the ensemble's predictions, and the deviation of its members if `return_std`."""
        weights, means, deviations = [], [], []
        for weight, members in self._predictions_of_arms(X):
            weights.append(weight)
            means.append(mean_of(members))
            if return_std:
                deviations.append(deviation_of(members))
        predictions, shares = np.stack(means), np.array(weights)
        blended = self._output.shown(Blend(shares, self._blend.temperature).of(predictions))
        if not return_std:
            return blended
        center = np.tensordot(shares, predictions, axes=1)
        # The deviation within each arm and the distance of its mean from that of all arms.
        apart = np.hypot(np.stack(deviations), predictions - center)
        scaled, exponent = scaled_down(apart)
        squares = np.tensordot(shares, scaled**2, axes=1)
        return blended, self._output.shown(np.ldexp(np.sqrt(squares), exponent))

    def predict_members(self, X: Any) -> Floats:
        """Return the predictions of each member, not calibrated.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_arms, n_splits, n_samples, ...)
            The predictions of each member.
        """
        self._fitted_members()
        shown = self._output.shown
        return np.stack(
            [[shown(self._tempered(m, 1.0, X)) for m in arm] for arm in self.estimators_]
        )

    @property
    def loss_curves_(self) -> list[list[Any]]:
        """Training losses of each member, epoch by epoch."""
        return self._curves("loss_curve_")

    @property
    def validation_loss_curves_(self) -> list[list[Any]]:
        """Losses of each member on its held-out rows, epoch by epoch; None if not recorded."""
        return self._curves("validation_loss_curve_")

    def _curves(self, name: str) -> list[list[Any]]:
        self._fitted_members()
        return [[getattr(last_step(m), name, None) for m in arm] for arm in self.estimators_]


def recorded_by(ensemble: BaseCrossEnsemble) -> dict[str, Floats]:
    """Return the score of out-of-fold predictions, and the curves of all members."""
    curves = {
        f"arm{i}_split{n}_{name}": curve
        for i, arm in enumerate(ensemble.estimators_)
        for n, member in enumerate(arm)
        for name, curve in curves_of(member).items()
    }
    return {"oof_score": np.array([ensemble.oof_score_]), **curves}


def _refuse_validation_rows(params: dict[str, Any]) -> None:
    for name in params:
        if name.endswith("X_val"):
            raise ValueError(
                f"{name} would not be used: each network is validated on the rows that its split"
                " holds out. Set restore_best=False to use it."
            )


def _parts(
    whole: Part, splits: Sequence[Split], truth: Any, output: Output, jobs: Sequence[Job]
) -> list[Part]:
    """Return one part of all rows per split, with the rows that networks are validated on."""
    X, y = whole.X, whole.y
    validated = [output.knows(truth, split) for split in splits]
    if whole.sample_weight is not None:
        for of_split, (_, test) in zip(validated, splits, strict=True):
            of_split &= whole.sample_weight[test] > 0
    is_array = isinstance(X, np.ndarray) or (sparse.issparse(X) and X.format == "csr")
    may_share = (
        is_array
        and (isinstance(y, np.ndarray) or sparse.issparse(y))
        and all(job.network is job.estimator and job.is_validated for job in jobs)
        and all(of_split.any() for of_split in validated)
        # With balanced classes, a row of both parts would have another weight in each.
        and not any(np.isin(test, train).any() for train, test in splits)
    )
    # Networks that share the rows copy only the held-out fold, to predict it.
    params = check_method_params(X, params=whole.params) if may_share else whole.params
    whole = replace(whole, params=params, is_shared=may_share, method=output.method)
    return [
        replace(whole, split=split, validated=of_split)
        for split, of_split in zip(splits, validated, strict=True)
    ]
