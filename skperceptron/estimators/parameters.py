"""The parameters that the three multi-layer perceptrons share, and what they stand for."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import clone

from .._sklearn.compat import Interval, Options, RememberedNames, StrOptions
from ..activations import Activation, get_activation
from ..averaging import Averaging, get_averaging
from ..components import Kind
from ..initializers import Initializer, list_initializers
from ..losses import Loss, get_loss
from ..normalizations import Normalization, get_normalization
from ..optimizers import LBFGS, SGD, Adam, Optimizer, get_optimizer, list_optimizers
from ..schedules import (
    Adaptive,
    Constant,
    InverseScaling,
    Schedule,
    get_schedule,
    list_schedules,
)
from ..stopping import EarlyStopping


def is_lbfgs(solver: str | Optimizer) -> bool:
    """Tell whether there are no steps and no batches."""
    if isinstance(solver, Optimizer):
        return not solver.is_stochastic
    return solver == "lbfgs"


def owned(component: Kind, given: Any) -> Kind:
    """Return the component of what was given as an estimator's own: a copy of the user's."""
    return component if isinstance(given, str) else clone(component)


class NetworkParameters(RememberedNames):
    """Parameters of a network, and the objects that their values mean."""

    loss: Any

    _parameter_constraints: dict[str, list[Any]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [str, Activation, "array-like"],
        "solver": [StrOptions(set(list_optimizers())), Optimizer],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions(set(list_schedules())), Schedule, callable],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean", EarlyStopping],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
        ],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "skip_connections": [StrOptions({"none", "residual", "dense"})],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "initializer": [StrOptions(set(list_initializers())), Initializer],
        "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
        "input_dropout": [Interval(Real, 0, 1, closed="left")],
        "normalization": [str, Normalization, None],
        "averaging": [str, Averaging, None],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "callbacks": ["array-like", None],
        "dtype": [StrOptions({"auto", "float32", "float64"})],
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        skip_connections="none",
        l1_ratio=0.0,
        max_grad_norm=None,
        initializer="scikit-learn",
        dropout=0.0,
        input_dropout=0.0,
        normalization=None,
        averaging=None,
        max_time=None,
        callbacks=None,
        dtype="auto",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.skip_connections = skip_connections
        self.l1_ratio = l1_ratio
        self.max_grad_norm = max_grad_norm
        self.initializer = initializer
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.normalization = normalization
        self.averaging = averaging
        self.max_time = max_time
        self.callbacks = callbacks
        self.dtype = dtype

    def _hidden_sizes(self) -> list[int]:
        sizes = self.hidden_layer_sizes
        sizes = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
        for size in sizes:
            if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
                raise ValueError(
                    "hidden_layer_sizes must hold integers in the range [1, inf), got"
                    f" {self.hidden_layer_sizes!r}."
                )
        return [int(size) for size in sizes]

    def _resolve_activations(self) -> list[Activation]:
        """Return one activation per hidden layer, and at least one."""
        n_hidden = len(self._hidden_sizes())
        chosen: list[str | Activation]
        if isinstance(self.activation, str | Activation):
            chosen = [self.activation] * max(1, n_hidden)
        else:
            chosen = list(self.activation)
            if len(chosen) != n_hidden:
                raise ValueError(
                    f"activation has {len(chosen)} entries, hidden_layer_sizes={n_hidden} layers:"
                    " a list must have one entry per hidden layer."
                )
        # The first weights of a network without hidden layers follow some activation too.
        resolved = [owned(get_activation(given), given) for given in chosen or ["identity"]]
        for activation in resolved:
            activation.check_parameters()
        return resolved

    def _resolve_normalization(self) -> Normalization | None:
        if self.normalization is None:
            return None
        normalization = owned(get_normalization(self.normalization), self.normalization)
        normalization.check_parameters()
        if normalization.mixes_rows and is_lbfgs(self.solver):
            raise ValueError(
                f"normalization={self.normalization!r} needs batches and so a stochastic solver,"
                f" got solver={self.solver!r}. Use normalization='layer'."
            )
        return normalization

    def _dropout_rates(self) -> list[float]:
        """Return the rate of the input, then that of each hidden layer."""
        n_hidden = len(self._hidden_sizes())
        rates = self.dropout
        rates = [rates] * n_hidden if isinstance(rates, Real) else list(rates)
        if len(rates) != n_hidden:
            raise ValueError(
                f"dropout has {len(rates)} entries, hidden_layer_sizes={n_hidden} layers:"
                " a list must have one entry per hidden layer."
            )
        if not all(isinstance(rate, Real) and 0 <= float(rate) < 1 for rate in rates):
            raise ValueError(f"dropout={self.dropout!r} must hold numbers in the range [0.0, 1.0).")
        rates = [float(rate) for rate in (self.input_dropout, *rates)]
        if any(rates) and is_lbfgs(self.solver):
            raise ValueError(
                f"dropout={self.dropout!r} and input_dropout={self.input_dropout!r} must be 0 with"
                f" solver={self.solver!r}, whose objective must not be random."
            )
        return rates

    def _resolve_loss(self, task: str, n_targets: int) -> Loss:
        """Return a copy of the user's loss, checked."""
        loss = owned(get_loss(self.loss, task), self.loss)
        loss.check_parameters(n_targets)
        return loss

    def _make_optimizer(self) -> Optimizer:
        own = {
            "sgd": SGD(self.momentum, self.nesterovs_momentum),
            "adam": Adam(self.beta_1, self.beta_2, self.epsilon),
            "lbfgs": LBFGS(self.max_fun),
        }
        if isinstance(self.solver, str) and self.solver in own:
            return own[self.solver]
        optimizer = owned(get_optimizer(self.solver), self.solver)
        optimizer.check_parameters()
        return optimizer

    def _make_schedule(self, optimizer: Optimizer, *, incremental: bool) -> Schedule:
        own = {
            "constant": Constant(),
            "invscaling": InverseScaling(self.power_t),
            "adaptive": Adaptive(),
        }
        if isinstance(self.learning_rate, str) and self.learning_rate in own:
            # As in scikit-learn, only plain gradient descent heeds them.
            return own[self.learning_rate] if isinstance(optimizer, SGD) else Constant()
        schedule = owned(get_schedule(self.learning_rate), self.learning_rate)
        schedule.check_parameters()
        if incremental and schedule.needs_max_iter:
            raise ValueError(
                f"partial_fit does not support learning_rate={self.learning_rate!r}, which must"
                " know how many epochs there will be."
            )
        return schedule

    def _resolve_averaging(self, *, incremental: bool) -> Averaging | None:
        if self.averaging is None:
            return None
        averaging = owned(get_averaging(self.averaging), self.averaging)
        averaging.check_parameters()
        if is_lbfgs(self.solver):
            raise ValueError(
                f"averaging={self.averaging!r} needs a stochastic solver, got"
                f" solver={self.solver!r}."
            )
        if incremental and averaging.needs_max_iter:
            raise ValueError(
                f"partial_fit does not support averaging={self.averaging!r}, which must know how"
                " many epochs there will be."
            )
        return averaging

    def _resolve_early_stopping(self) -> EarlyStopping | None:
        if not self.early_stopping:
            return None
        if not isinstance(self.early_stopping, EarlyStopping):
            return EarlyStopping()
        self.early_stopping.check_parameters()
        return self.early_stopping

    def _batch_rows(self, n_rows: int) -> int:
        if self.batch_size == "auto":
            return min(200, n_rows)
        return min(self.batch_size, n_rows)
