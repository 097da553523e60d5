"""Members of an ensemble: fitted as stacks, on all rows or on the training rows of splits."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from inspect import signature
from itertools import chain
from typing import Any

import numpy as np

from .._sklearn.compat import check_method_params, safe_split
from .._sklearn.pipelines import last_step, path_of
from .._sklearn.tasks import NetworkTask
from ..callbacks.listening import Listener
from ..engine.arrays import Booleans, Floats, Integers
from ..estimators.base import BaseMultilayerPerceptron
from ..estimators.data import Fold
from ..estimators.parameters import is_lbfgs
from ..estimators.run import Run
from ..estimators.running import train as train_alone
from ..options import Flag, is_allowed
from ..stopping import EarlyStopping
from ..usercall import first_in_call, interrupted, tell
from ._fits import Common, Fit, network_of, requested_fit, transformers_token
from ._held_out import FittedMember, Split
from ._pieces import MANY_UNITS, labels_of, least_seconds, n_hidden_units, pieces_for
from ._spreading import Workers, sender
from ._stacking import RunOptions, trained
from ._transforming import (
    Sources,
    Transformed,
    own_rows,
    put_together,
    replaced,
    through,
    transform,
)


@dataclass(frozen=True)
class Part:
    """Rows that members are fitted on, and rows that are held out.

    The rows of a split are selected only where they are needed: all workers get the same data.

    Attributes
    ----------
    X, y, params
        The arguments of each member's ``fit``; with a split, those of all rows.
    split : tuple of ndarray of int, default=None
        The rows that members are fitted on, and the held-out rows. Without a split, members are
        fitted on all rows.
    estimator : estimator, default=None
        Decides how rows are selected: a kernel matrix loses columns, too. Needed for a split.
    validated : ndarray of bool, default=None
        Which of the held-out rows networks are validated on.
    sample_weight : ndarray, default=None
        Weights of all rows, for validation.
    is_shared : bool, default=False
        Whether networks read the rows of the split directly from X and y, without copies.
    method : str, default=None
        Predicts the held-out rows, such as "predict_proba". None if no predictions are wanted.
    """

    X: Any
    y: Any
    params: dict[str, Any] = field(default_factory=dict)
    split: Split | None = None
    estimator: Any = None
    validated: Booleans | None = None
    sample_weight: Floats | None = None
    is_shared: bool = False
    method: str | None = None

    @property
    def can_validate(self) -> bool:
        """Whether there are rows to validate networks on."""
        return self.validated is not None and bool(self.validated.any())

    @cached_property
    def fold(self) -> Fold | None:
        """Training and validation rows of X, if networks share X; else None.

        It is one object: networks with the same one share what is made of these rows.
        """
        if not self.is_shared:
            return None
        assert self.split is not None and self.validated is not None
        train, test = self.split
        return Fold(train, test if self.validated.all() else test[self.validated])

    def training_data(self) -> tuple[Any, Any, dict[str, Any]]:
        """Return X, y and further arguments of ``fit``."""
        if self.split is None or self.is_shared:
            return self.X, self.y, self.params
        train, _ = self.split
        params = check_method_params(self.X, params=self.params, indices=train)
        return *safe_split(self.estimator, self.X, self.y, train), params

    def held_out(self) -> Any:
        """Return the rows of X that are held out."""
        assert self.split is not None
        train, test = self.split
        return safe_split(self.estimator, self.X, self.y, test, train)[0]

    def validation(self) -> dict[str, Any]:
        """Return the keyword arguments of a network's ``fit`` that hold validation data."""
        assert self.split is not None
        train, test = self.split
        rows = test[self.validated]
        X, y = safe_split(self.estimator, self.X, self.y, rows, train)
        sample_weight = None if self.sample_weight is None else self.sample_weight[rows]
        return {"X_val": X, "y_val": y, "sample_weight_val": sample_weight}

    def fitted_member(
        self, estimator: Any, cross_fitted: Sequence[tuple[Integers, Any]]
    ) -> FittedMember:
        """Return a fitted member with its predictions for the held-out rows, if they are wanted.

        ``cross_fitted`` holds what ``_finish`` returns.
        """
        if self.method is None:
            return FittedMember(estimator)
        member = FittedMember.with_predictions(estimator, self.held_out(), self.method)
        if cross_fitted and self.validated is not None:
            predicted, rows = member.held_out.copy(), np.flatnonzero(self.validated)
            for places, predictions in cross_fitted:
                predicted[rows[places]] = predictions
            member = replace(member, cross_fitted=predicted)
        return member


@dataclass
class Job:
    """A member to be fitted.

    Attributes
    ----------
    estimator : estimator
        Not fitted yet, its parameters set.
    part : int
        The index of its part.
    parameters : dict
        Those in which members differ.
    name : str
        Its name in error messages; empty if none is needed.
    is_validated : bool
        Whether its network is given the validation rows of its part.
    number : int
        Its place among the members, from 1 on.
    task : NetworkTask or None
        Reports the fit to callbacks.
    """

    estimator: Any
    part: int = 0
    parameters: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    is_validated: bool = False
    number: int = 1
    task: NetworkTask | None = None

    def __post_init__(self) -> None:
        self.network = network_of(self.estimator)
        # Jobs with equal sources are fitted on the same transformed data. Made here, once, since
        # the copies of parameters in a worker are other objects.
        self.source = self.part, transformers_token(self.estimator, self.parameters)
        self.n_units = n_hidden_units(self.network)


def accepts_validation_rows(estimator: Any) -> bool:
    """Tell whether the network of an estimator can be validated while it is trained."""
    network = last_step(estimator)
    if not isinstance(network, BaseMultilayerPerceptron) or is_lbfgs(network.solver):
        return False
    return "X_val" in signature(network.fit).parameters


def restore_best_epoch(estimator: Any) -> None:
    """Let a network train to its last epoch, and then get the weights of the best one.

    That is the epoch with the least validation loss. A network with early stopping keeps its rules.
    """
    given = last_step(estimator).early_stopping
    if is_allowed(given, [Flag()]) and not given:
        rules = EarlyStopping("loss", patience=np.inf)
        estimator.set_params(**{f"{path_of(estimator)}early_stopping": rules})


def fit_members(
    jobs: Sequence[Job],
    parts: Sequence[Part],
    n_jobs: int | None,
    verbose: int = 0,
) -> list[FittedMember]:
    """Fit members; networks of equal shapes are trained as stacks.

    Members are returned in the order of the jobs. Those of one part whose transformers have equal
    parameters share the fitted transformers. The error of the first ``fit`` that fails is raised,
    with a note that names the member; KeyboardInterrupt if the user interrupts for the second time.
    """
    # Large networks mostly run without the GIL: threads share the rows, and start at once.
    is_heavy = all(job.n_units >= MANY_UNITS for job in jobs)
    workers = Workers(n_jobs, "threads" if is_heavy else None)
    sending = sender(n_jobs)
    with workers, sending.released_on_failure():
        making = _transforming_tasks(jobs, parts)
        has_transformers = any(last_step(one) is not one for _, one, _ in making.values())
        sources = Sources.of(making, has_transformers, workers, sending)
        expected = sum(least_seconds(job.network, parts[job.part].X) for job in jobs)
        pieces = pieces_for(workers, jobs, expected, side_by_side=sending.is_remote)
        # Pieces can share results only if they run one after another in one process.
        common = Common() if workers.begins_here() else None

        def task(piece: Sequence[int], label: str) -> tuple[Any, ...]:
            mine = [jobs[i] for i in piece]
            of_mine = {job.part: parts[job.part] for job in mine}
            needed = sources.part(job.source for job in mine)
            options = RunOptions(verbose, label)
            return sending.task(_fit_together, mine, of_mine, needed, options, common)

        tasks = map(task, pieces, labels_of(pieces))
        by_number = dict(workers.spread(tasks, len(pieces), expected))
    outcomes = [by_number[n] for n in range(len(pieces))]
    _tell_of_interruptions([n for _, n in outcomes], workers.n_here, len(jobs))
    members: dict[int, FittedMember] = {}
    for piece, (found, _) in zip(pieces, outcomes, strict=True):
        members.update(zip(piece, found, strict=True))
    return [members[i] for i in range(len(jobs))]


def _tell_of_interruptions(cut_short: Sequence[int], n_here: int, n_members: int) -> None:
    """Warn of members that the user has cut short; on the second interruption, stop.

    ``cut_short`` counts them by piece. The first ``n_here`` pieces were fitted in this process.
    """
    for n_members_of_piece in cut_short[n_here:]:
        # Each worker knows only the interruptions of its own piece.
        if n_members_of_piece:
            interrupted()
    if any(cut_short):
        tell(
            f"Training interrupted by user. {sum(cut_short)} of {n_members} members of the"
            " ensemble keep what they have learned in fewer epochs."
        )


def _transforming_tasks(
    jobs: Sequence[Job], parts: Sequence[Part] | Mapping[int, Part]
) -> dict[Hashable, tuple[Any, ...]]:
    """Return the task that fits the transformers of each source, by the first of its jobs."""
    # Others are fitted as a whole, with their transformers.
    separate = [job for job in jobs if job.network is not None or job.is_validated]
    leaders = {job.source: job for job in reversed(separate)}
    return {s: (_prepared, job.estimator, parts[job.part]) for s, job in leaders.items()}


def _prepared(estimator: Any, part: Part) -> Transformed:
    """Fit the transformers of a pipeline, and transform the validation rows."""
    found = transform(estimator, *part.training_data())
    if part.can_validate and not part.is_shared and found.error is None:
        found.validation = part.validation()
        found.validation["X_val"] = through(found.steps, found.validation["X_val"])
    return found


def _fit_together(
    jobs: Sequence[Job],
    parts: Mapping[int, Part],
    sources: Sources,
    options: RunOptions,
    common: Common | None,
) -> tuple[list[FittedMember], int]:
    """Fit members in this process; return them, and how many the user has cut short."""
    common = common or Common()
    if any(job.is_validated for job in jobs):
        # The user has not given these rows: advice about their scale counts as given already.
        first_in_call("validation_scale")
    transformed = sources.completed(_transforming_tasks(jobs, parts))
    fits = {
        i: requested_fit(job.network, _arguments(job, transformed), common)
        for i, job in enumerate(jobs)
        if job.network is not None
    }
    for i, fit in fits.items():
        job, part = jobs[i], parts[jobs[i].part]
        fit.fold, fit.task = part.fold, job.task
        fit.name = job.name or f"member {job.number}"
        fit.cross_fit_method = part.method if job.is_validated else None
    members: dict[int, FittedMember] = {}
    fitted_alone = [i for i in range(len(jobs)) if i not in fits]
    # Those of a stack as soon as it has ended, so that an error is raised early.
    for i in chain(trained(fits, options, common), fitted_alone):
        job, part = jobs[i], parts[jobs[i].part]
        try:
            cross_fitted = _finish(job, fits.get(i), part, transformed)
        except Exception as error:
            if job.name:
                error.add_note(f"This was {job.name}.")
            raise
        members[i] = part.fitted_member(job.estimator, cross_fitted)
    return [members[i] for i in range(len(jobs))], sum(fit.was_cut_short for fit in fits.values())


def _arguments(job: Job, sources: Mapping[Hashable, Transformed]) -> Transformed:
    """Return the arguments of the ``fit`` of a job's network, with any validation rows."""
    transformed = sources[job.source]
    if not (job.is_validated and transformed.validation):
        return transformed
    return replace(transformed, keywords={**transformed.keywords, **transformed.validation})


def _finish(
    job: Job, fit: Fit | None, part: Part, sources: Mapping[Hashable, Transformed]
) -> list[tuple[Integers, Any]]:
    """Complete a member whose network has been trained in a stack; fit one without such a fit.

    Returns places among the rows that it is validated on, and what the part's method predicts there
    at epochs that were chosen on other rows.
    """
    if fit is None:
        cross_fitted = _fit_alone(job, part, sources)
        if job.task is not None:
            job.task.begin_and_end()
        return cross_fitted
    if fit.error is not None:
        raise fit.error
    put_together(job.estimator, fit.estimator, sources[job.source])
    return fit.cross_fitted


def _fit_alone(
    job: Job, part: Part, sources: Mapping[Hashable, Transformed]
) -> list[tuple[Integers, Any]]:
    """Fit a member that cannot be stacked; return what ``_finish`` does."""
    if part.method is None or not job.is_validated:
        X, y, params = part.training_data()
        job.estimator.fit(own_rows(job.estimator, X), y, **params)
        return []
    arguments = _arguments(job, sources)
    if arguments.error is not None:
        raise arguments.error
    network = last_step(job.estimator)
    cross_fitted = _cross_fitted(network, arguments, part.method)
    put_together(job.estimator, network, arguments)
    return cross_fitted


def _cross_fitted(network: Any, arguments: Transformed, method: str) -> list[tuple[Integers, Any]]:
    """Fit a network by itself; return what ``_finish`` does."""
    found: list[tuple[Integers, Any]] = []

    def cross_fit(run: Run, listener: Listener) -> None:
        # Removed first, so that callbacks can pickle the network: a local function cannot be.
        del vars(network)["_train"]
        run.cross_fit()
        train_alone(run, listener)
        found.extend(run.cross_fitted(method))

    with replaced(network, _train=cross_fit):
        network.fit(*arguments.arguments, **arguments.keywords)
    return found
