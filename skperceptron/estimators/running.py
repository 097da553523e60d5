"""Trains a network, and reports the progress to callbacks and to the user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from itertools import chain
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

from ..callbacks.listening import Listener
from ..callbacks.table import say
from ..training import Stack, TrainingSet, Verdict, epochs, minimize_lbfgs
from ..training.checkpoint import State, state_of
from ..training.stack import is_small
from ..usercall import warn_of_interruption
from .blas_threads import suited_team, suited_threads
from .continuation import shortcut_of, what_is_learned
from .reporting import epoch_metrics, warn_of_small_batch, warn_unconverged, warn_unconverged_lbfgs
from .run import Run
from .verbose_output import DETAILED, VerboseOutput, described, table_of_iterations

#: Makes the stack in which a network is trained.
MakeStack = Callable[[Run], Stack]


def train(run: Run, listener: Listener, make_stack: MakeStack | None = None) -> None:
    """Train a network, notify a listener of every epoch, and store the results on the estimator.

    ``make_stack`` makes the stack of a stochastic fit; None means one in this process.
    """
    if run.model.choices.is_lbfgs:
        _Minimization(run, listener).train()
    else:
        _train_stochastic(run, listener, make_stack)


def _train_stochastic(run: Run, listener: Listener, make_stack: MakeStack | None) -> None:
    member = run.member
    warn_of_small_batch(run.model, member.recipe.n_samples)
    # A saved fit that had already ended is not continued.
    if not member.is_over:
        with _stack_of(run, make_stack) as stack:
            try:
                with suited_threads(stack.largest_product):
                    _run_epochs(run, stack, listener)
            except KeyboardInterrupt:
                warn_of_interruption(run.estimator, f"{member.n_iter} epochs")
            stack.retire(range(len(stack.members)))
    run.finish()


@contextmanager
def _stack_of(run: Run, make_stack: MakeStack | None) -> Iterator[Stack]:
    """Yield a stack of the member; steps of ``partial_fit`` reuse theirs, unless one has failed."""
    if make_stack is not None:
        yield make_stack(run)
        return
    model, member, data, size = run.model, run.member, run.data, run.batch_rows

    def make(own: TrainingSet) -> Stack:
        team = suited_team(size * model.network.largest_product)
        return Stack(model.network, [member], own, size, model.dtype, run.is_incremental, team)

    may_reuse = run.is_incremental and is_small(member, data)
    shortcut = shortcut_of(run.estimator) if may_reuse else None
    if shortcut is None or shortcut.options is None:
        yield make(data)
        return
    # Class labels are codes into a table, which depends only on the number of outputs.
    key = (
        shortcut.options,
        (data.X.shape, data.X.dtype, len(member.rows), size, model.dtype),
        tuple(chain.from_iterable(what_is_learned(model.network))),
        (data.targets.n_outputs, data.targets.codes is None),
        model.target.key_of_units,
    )
    stack = shortcut.stack.take(key, member, data, make)
    yield stack
    shortcut.stack.put_back(key, stack)


def _run_epochs(run: Run, stack: Stack, listener: Listener) -> None:
    member = run.member
    output = VerboseOutput(run) if run.estimator.verbose else None
    # An incremental step is a single epoch, which is reported.
    reports_all = run.is_incremental or listener.listens or output is not None
    reports = epochs(stack, tells_all=reports_all or stack.reads_members)

    def fitted() -> dict[str, Any]:
        _publish(stack)
        estimator = copy(run.estimator)
        run.keep(estimator)
        return dict(vars(estimator))

    def state() -> State:
        _publish(stack)
        return state_of(member)

    while not member.is_over:
        listener.begin("epoch")
        (report,) = next(reports)
        if member.failure is not None:
            raise member.failure
        if output is not None:
            output.tell(report)
        if listener.end(epoch_metrics(report), fitted, state) and not member.diverged:
            # A stop that a callback asks for is not a failure to converge.
            member.verdict = Verdict.STOP
        if run.is_incremental:
            break


def _publish(stack: Stack) -> None:
    for k in range(len(stack.members)):
        stack.publish(k)


class _Minimization:
    """A run of L-BFGS."""

    def __init__(self, run: Run, listener: Listener) -> None:
        self._run, self._listener = run, listener
        self._losses: list[float] = []
        verbose = run.estimator.verbose
        self._table = table_of_iterations(run.model.choices) if verbose else None
        if self._table is not None and verbose >= DETAILED:
            say(described(run))

    def train(self) -> None:
        """Minimize the loss, and store the results on the estimator."""
        model, member, estimator = self._run.model, self._run.member, self._run.estimator
        self._listener.begin("iteration")
        result, interrupted = minimize_lbfgs(model.network, member, self._run.data, self._tell)
        # The iteration that was announced last does not take place.
        self._listener.close()
        # An interrupted search may not know any loss yet.
        if not (np.isfinite(result.x).all() and (interrupted or np.isfinite(result.fun))):
            model.refuse_diverged()
        if interrupted:
            warn_of_interruption(estimator, f"{result.nit} iterations")
            estimator.n_iter_ = result.nit
        elif result.ending is not None:
            estimator.n_iter_ = result.nit
            warn_unconverged(result.ending, model.choices, self._losses, self._run.named_rows)
        else:
            # SciPy may take one iteration more than the limit.
            estimator.n_iter_ = min(result.nit, model.choices.max_iter)
            warn_unconverged_lbfgs(result, model.choices, self._losses, self._run.named_rows)
        if self._table is not None:
            say(f"L-BFGS: {estimator.n_iter_} iterations, loss = {result.loss:.8f}")
        self._keep(estimator, result)

    def _tell(self, last: OptimizeResult) -> bool:
        """Report an iteration; return whether the search should stop."""
        choices, losses = self._run.model.choices, self._losses
        losses.append(float(last.loss))
        report = {
            "epoch": last.nit,
            "loss": losses[-1],
            "history": {"loss": losses},
            "is_last": False,
        }
        if self._table is not None:
            self._table.row(last.nit, {"loss": losses[-1]})
        stops = self._listener.end(report, lambda: self._attributes_at(last))
        if last.nit < choices.max_iter:
            self._listener.begin("iteration")
        return stops

    def _attributes_at(self, result: OptimizeResult) -> dict[str, Any]:
        estimator = copy(self._run.estimator)
        estimator.n_iter_ = result.nit
        self._keep(estimator, result)
        return dict(vars(estimator))

    def _keep(self, estimator: Any, result: OptimizeResult) -> None:
        estimator._store_fitted(self._run.model.fitted(result.x))
        estimator.loss_ = estimator.best_loss_ = float(result.loss)
        estimator.loss_curve_ = list(self._losses)
        estimator.validation_scores_ = estimator.validation_loss_curve_ = None
        estimator.best_validation_score_ = None
        estimator.t_ = 0
