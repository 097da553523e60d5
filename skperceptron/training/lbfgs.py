"""L-BFGS (Liu & Nocedal 1989) through SciPy, on the whole data set, in float64."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from ..engine import Network, TrainingPass, Workspace
from ..engine.arrays import Floats
from ..optimizers import LBFGS
from .data import TrainingSet
from .groups import Groups
from .member import Member, Verdict

#: Elements of the widest layer, or of X, that are computed at a time, 32 MB.
BLOCK = 2**22


class Objective:
    """Penalized loss and gradient of one member over all its rows.

    Where a loss reports the mean over the outputs, this is their sum, whose gradient the network
    computes.
    """

    def __init__(self, network: Network, member: Member, data: TrainingSet) -> None:
        self.network = network
        self.member = member
        self._float64 = np.dtype(np.float64)
        self.data = data.astype(self._float64)
        n_rows = len(member.rows)
        self.size = min(n_rows, max(1, BLOCK // network.widest(data.is_sparse)))
        self._starts = range(0, n_rows, self.size)
        self.parameters = np.empty((1, network.n_parameters))
        self._learned = network.views(self.parameters)
        self._weights = [
            array.reshape(-1)
            for node, arrays in zip(network.nodes, self._learned, strict=True)
            for declared, array in zip(node.block.learned, arrays, strict=True)
            if declared.is_weight
        ]
        self._block_gradient = np.empty_like(self.parameters)
        recipe = self.recipe = member.recipe
        weight = recipe.sample_weight
        self.weight = None if weight is None else weight[member.rows]
        self.total = float(n_rows if self.weight is None else self.weight.sum())
        #: The loss in the objective is this many times the reported loss.
        self.times = network.n_outputs if recipe.loss.averages_outputs else 1
        self._workspaces: dict[int, Workspace] = {}
        self._filled = False
        groups = Groups([recipe], network.n_parameters, network.n_weights)
        self._penalty = None if groups.penalty is None else groups.penalty[0]
        self._unreached = network.unreached_weights(0)

    # A line search may try points where numbers overflow; it then tries nearer ones.
    @np.errstate(over="ignore", invalid="ignore")
    def __call__(self, vector: Floats) -> tuple[float, Floats]:
        """Return loss and gradient at ``vector``, (P,)."""
        self.parameters[0] = vector
        gradient = np.zeros(self.network.n_parameters)
        loss = sum(self._add_block(start, gradient) for start in self._starts)
        if self._penalty is None:
            weights = vector[: self.network.n_weights]
            gradient[: self.network.n_weights] += self.recipe.alpha * weights
        else:
            gradient += self.recipe.alpha * self._penalty * vector
        for place in self._unreached:
            # The penalty alone would drive them to zero.
            gradient[place] = 0
        gradient /= self.total
        return self.times * loss + self._penalty_value(), gradient

    def reported(self, value: float, vector: Floats) -> float:
        """Return the loss to report, penalty included, where the objective is ``value``."""
        if self.times == 1:
            return value
        self.parameters[0] = vector
        penalty = self._penalty_value()
        return (value - penalty) / self.times + penalty

    def _penalty_value(self) -> float:
        return 0.5 * self.recipe.alpha * self._square() / self.total

    def _square(self) -> float:
        """Return the penalized sum of squares; without groups, added up as in scikit-learn."""
        if self._penalty is not None:
            return float((self._penalty * self.parameters[0] ** 2).sum())
        return float(sum(np.dot(w, w) for w in self._weights))

    def _add_block(self, start: int, gradient: Floats) -> float:
        """Add one block's gradient; return its share of the mean loss."""
        rows = slice(start, start + self.size)
        chosen = self.member.rows[rows][np.newaxis]
        work = self._workspace(chosen.shape[1])
        if len(self._starts) > 1 or not self._filled:
            self.data.fill(work.inputs, chosen, self._float64)
            self._filled = True
        y = np.empty((*chosen.shape, self.data.targets.n_outputs))
        self.data.targets.take(chosen, y)
        weight = None if self.weight is None else self.weight[rows]
        share = (chosen.size if weight is None else float(weight.sum())) / self.total
        work.forward()
        if not share:
            return 0.0
        mean = self.recipe.loss.mean(work.raw[0], y[0], weight, work.delta[0])
        if weight is not None:
            work.delta *= weight[:, np.newaxis]
        work.backward()
        gradient += self._block_gradient[0]
        return mean * share

    def _workspace(self, size: int) -> Workspace:
        if size not in self._workspaces:
            self._workspaces[size] = Workspace(
                self.network,
                self._learned,
                size,
                # Within a hundred iterations, a difference in a last bit leads to other weights.
                TrainingPass(self.network.views(self._block_gradient), like_numpy=True),
                inputs=self.data.holders(n_members=1),
            )
        return self._workspaces[size]


def minimize_lbfgs(
    network: Network,
    member: Member,
    data: TrainingSet,
    after_iteration: Callable[[OptimizeResult], bool] | None = None,
) -> tuple[OptimizeResult, bool]:
    """Minimize a member's objective from its parameters; its optimizer is L-BFGS.

    ``after_iteration`` gets each accepted iterate, and ends the search if it returns True.

    Returns the result as SciPy does, and whether the user has interrupted the search. The result is
    then the last accepted iterate or, if there is none, the start, with an infinite loss: computing
    it might take long. Its ``loss`` is the loss to report, ``fun`` the objective; its ``ending`` is
    ``Verdict.STOP`` or ``Verdict.OUT_OF_TIME`` if one of these has ended the search, else None.
    """
    began, recipe = monotonic(), member.recipe
    assert isinstance(recipe.optimizer, LBFGS)
    objective = Objective(network, member, data)
    start = member.parameters.astype(np.float64)
    last = OptimizeResult(x=start, fun=np.inf, loss=np.inf, nit=0, status=0, ending=None)

    def remember(intermediate_result: OptimizeResult) -> None:
        last.x = intermediate_result.x.copy()
        last.fun = intermediate_result.fun
        last.loss = objective.reported(float(last.fun), last.x)
        last.nit += 1
        if after_iteration is not None and after_iteration(last):
            last.ending = Verdict.STOP
        elif monotonic() - began > recipe.max_seconds:
            last.ending = Verdict.OUT_OF_TIME
        if last.ending is not None:
            raise StopIteration

    options = {
        "maxfun": recipe.optimizer.max_fun,
        "maxiter": recipe.max_iter,
        "gtol": recipe.tol,
    }
    try:
        result = minimize(
            objective, start, method="L-BFGS-B", jac=True, callback=remember, options=options
        )
    except KeyboardInterrupt:
        return last, True
    result.ending = last.ending
    result.loss = objective.reported(float(result.fun), result.x)
    return result, False
