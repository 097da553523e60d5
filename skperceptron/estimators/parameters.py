"""The parameters that the three multi-layer perceptrons share, and what they stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sklearn.base import clone
from sklearn.metrics import get_scorer_names

from .._sklearn.compat import RememberedNames
from ..activations import Activation, get_activation
from ..averaging import Averaging, get_averaging
from ..callbacks.listening import CALLBACKS
from ..embeddings import NumericEmbedding, get_numeric_embedding, list_numeric_embeddings
from ..groups import ParameterGroups
from ..initializers import Initializer, list_initializers
from ..losses import Loss, get_loss
from ..normalizations import Normalization, get_normalization
from ..optimizers import LBFGS, SGD, Adam, Optimizer, get_optimizer, list_optimizers
from ..options import (
    COUNT,
    SEED,
    VERBOSITY,
    Checked,
    ChecksOptions,
    Flag,
    Function,
    Infinity,
    Instance,
    Interval,
    Listing,
    Name,
    Precision,
    Rule,
    Rules,
    check_option,
    items_of,
    plain,
)
from ..schedules import (
    Adaptive,
    Constant,
    InverseScaling,
    Schedule,
    TimeSchedule,
    get_schedule,
    get_time_schedule,
    list_schedules,
    list_time_schedules,
)
from ..stopping import EarlyStopping

Own = TypeVar("Own", bound=Checked)

_POSITIVE = Interval(0.0)
_NOT_NEGATIVE = Interval(0.0, low_closed=True)
_BELOW_ONE = Interval(0.0, 1.0, low_closed=True)
_SHARE = Interval(0.0, 1.0, low_closed=True, high_closed=True)


class Monitor(Rule):
    """The name of what early stopping may watch."""

    @property
    def options(self) -> list[str]:
        """All names: scikit-learn has no list of scorers that never changes."""
        return ["score", "loss", *get_scorer_names()]

    def allows(self, value: Any) -> bool:
        return isinstance(value, str) and value in self.options

    @property
    def text(self) -> str:
        scorers = ", ".join(map(repr, self.options[2:]))
        return f"'score', 'loss', the name of a scorer ({scorers})"


MONITOR = (Monitor(), Function("(estimator, X, y)"))


def is_lbfgs(solver: str | Optimizer) -> bool:
    """Tell whether there are no steps and no batches."""
    if isinstance(solver, Optimizer):
        return not solver.is_stochastic
    return isinstance(solver, str) and solver == "lbfgs"


def owned(component: Own, given: Any) -> Own:
    """Return the component of what was given as an estimator's own: a copy of the user's."""
    if isinstance(given, str):
        return component
    copied = clone(component)
    copied.make_numbers_plain()
    return copied


def resolved_loss(given: str | Loss, task: str, n_targets: int) -> Loss:
    """Return a copy of the user's loss, checked.

    Parameters
    ----------
    given : str or Loss
    task : {"binary", "multiclass", "regression"}
    n_targets : int
        Columns of y, or classes.
    """
    loss = owned(get_loss(given, task), given)
    loss.check_parameters(n_targets)
    return loss


class NetworkParameters(ChecksOptions, RememberedNames):
    """Parameters of a network, and the objects that their values mean."""

    loss: Any

    # Pickles of version 0.1.0 have none of their own.
    parameter_groups: ParameterGroups | None = None
    feature_scale: bool = False
    numeric_embedding: Any = None
    parametrization: str = "standard"
    decay_schedule: Any = None
    drop_last: bool = False

    _parameter_constraints: dict[str, Rules] = {
        "hidden_layer_sizes": [COUNT, Listing([COUNT], f"integers in the range {COUNT}")],
        "activation": [
            Instance(str),
            Instance(Activation),
            Listing([Instance(str), Instance(Activation)], "names and instances of 'Activation'"),
        ],
        "solver": [Name(list_optimizers()), Instance(Optimizer)],
        "alpha": [_NOT_NEGATIVE],
        "batch_size": [Name(["auto"]), COUNT, Function("(n_samples)")],
        "learning_rate": [Name(list_schedules()), Instance(Schedule), Function("(time)")],
        "learning_rate_init": [_POSITIVE],
        "power_t": [_NOT_NEGATIVE],
        "max_iter": [COUNT],
        "shuffle": [Flag()],
        "random_state": SEED,
        "tol": [_NOT_NEGATIVE],
        "verbose": VERBOSITY,
        "warm_start": [Flag()],
        "momentum": [_SHARE],
        "nesterovs_momentum": [Flag()],
        "early_stopping": [Flag(), Instance(EarlyStopping), Monitor()],
        "validation_fraction": [_BELOW_ONE],
        "beta_1": [_BELOW_ONE],
        "beta_2": [_BELOW_ONE],
        "epsilon": [_POSITIVE],
        "n_iter_no_change": [COUNT, Infinity()],
        "max_fun": [COUNT],
        "skip_connections": [Name(["none", "residual", "dense", "linear"])],
        "l1_ratio": [_SHARE],
        "max_grad_norm": [_POSITIVE, None],
        "initializer": [Name(list_initializers()), Instance(Initializer)],
        "dropout": [_BELOW_ONE, Listing([_BELOW_ONE], f"numbers in the range {_BELOW_ONE}")],
        "input_dropout": [_BELOW_ONE],
        "normalization": [Instance(str), Instance(Normalization), None],
        "averaging": [Instance(str), Instance(Averaging), None],
        "parameter_groups": [Instance(ParameterGroups), None],
        "feature_scale": [Flag()],
        "numeric_embedding": [
            Name(list_numeric_embeddings()),
            Instance(NumericEmbedding),
            None,
        ],
        "parametrization": [Name(["standard", "ntk"])],
        "decay_schedule": [
            Name(list_time_schedules()),
            Instance(TimeSchedule),
            Function("(time)"),
            None,
        ],
        "drop_last": [Flag()],
        "max_time": [_POSITIVE, None],
        "callbacks": [CALLBACKS, None],
        "dtype": [Name(["auto"]), Precision()],
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
        parameter_groups=None,
        feature_scale=False,
        numeric_embedding=None,
        parametrization="standard",
        decay_schedule=None,
        drop_last=False,
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
        self.parameter_groups = parameter_groups
        self.feature_scale = feature_scale
        self.numeric_embedding = numeric_embedding
        self.parametrization = parametrization
        self.decay_schedule = decay_schedule
        self.drop_last = drop_last
        self.max_time = max_time
        self.callbacks = callbacks
        self.dtype = dtype

    def _hidden_sizes(self) -> list[int]:
        sizes = items_of(self.hidden_layer_sizes)
        return [int(n) for n in ([self.hidden_layer_sizes] if sizes is None else sizes)]

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

    def _resolve_numeric_embedding(self) -> NumericEmbedding | None:
        if self.numeric_embedding is None:
            return None
        embedding = owned(get_numeric_embedding(self.numeric_embedding), self.numeric_embedding)
        embedding.check_parameters()
        return embedding

    def _dropout_rates(self) -> list[float]:
        """Return the rate of the input, then that of each hidden layer."""
        n_hidden = len(self._hidden_sizes())
        rates = items_of(self.dropout)
        rates = [self.dropout] * n_hidden if rates is None else rates
        if len(rates) != n_hidden:
            raise ValueError(
                f"dropout has {len(rates)} entries, hidden_layer_sizes={n_hidden} layers:"
                " a list must have one entry per hidden layer."
            )
        rates = [float(rate) for rate in (self.input_dropout, *rates)]
        if any(rates) and is_lbfgs(self.solver):
            raise ValueError(
                f"dropout={self.dropout!r} and input_dropout={self.input_dropout!r} must be 0 with"
                f" solver={self.solver!r}, whose objective must not be random."
            )
        return rates

    def _make_optimizer(self) -> Optimizer:
        own = {
            "sgd": SGD(plain(self.momentum), self.nesterovs_momentum),
            "adam": Adam(plain(self.beta_1), plain(self.beta_2), plain(self.epsilon)),
            "lbfgs": LBFGS(plain(self.max_fun)),
        }
        if isinstance(self.solver, str) and self.solver in own:
            return own[self.solver]
        optimizer = owned(get_optimizer(self.solver), self.solver)
        optimizer.check_parameters()
        return optimizer

    def _make_schedule(self, optimizer: Optimizer, *, incremental: bool) -> Schedule:
        own = {
            "constant": Constant(),
            "invscaling": InverseScaling(plain(self.power_t)),
            "adaptive": Adaptive(),
        }
        if isinstance(self.learning_rate, str) and self.learning_rate in own:
            # As in scikit-learn, only plain gradient descent heeds them.
            return own[self.learning_rate] if isinstance(optimizer, SGD) else Constant()
        schedule = owned(get_schedule(self.learning_rate), self.learning_rate)
        schedule.check_parameters()
        self._refuse_if_endless("learning_rate", schedule, incremental)
        return schedule

    def _make_decay_schedule(self, *, incremental: bool) -> TimeSchedule | None:
        if self.decay_schedule is None:
            return None
        schedule = owned(get_time_schedule(self.decay_schedule), self.decay_schedule)
        schedule.check_parameters()
        self._refuse_if_endless("decay_schedule", schedule, incremental)
        return schedule

    def _refuse_if_endless(self, name: str, schedule: Schedule, incremental: bool) -> None:
        if incremental and schedule.needs_max_iter:
            raise ValueError(
                f"partial_fit does not support {name}={getattr(self, name)!r}, which must"
                " know how many epochs there will be."
            )

    def _layer_rate(self, optimizer: Optimizer) -> Callable[[int], float] | None:
        """Return what multiplies the learning rate of weights with so many inputs.

        With ``z = x W / sqrt(n) + b`` and V = W / sqrt(n), which is what is kept, a step of W is
        one of V divided by sqrt(n), and so is the gradient: steps in proportion to it are divided
        twice (Yang & Hu 2021, where such changes of parametrisation are "abc").
        """
        if self.parametrization == "standard":
            return None
        if is_lbfgs(self.solver):
            raise ValueError(
                f"parametrization={self.parametrization!r} needs a stochastic solver, got"
                f" solver={self.solver!r}."
            )
        power = -0.5 if optimizer.is_scale_free else -1.0
        return lambda n_inputs: float(n_inputs) ** power

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

    def _resolve_groups(self) -> ParameterGroups:
        if self.parameter_groups is None:
            return ParameterGroups()
        groups = owned(self.parameter_groups, self.parameter_groups)
        groups.check_parameters()
        for name, group in groups.chosen().items():
            if is_lbfgs(self.solver) and (group.rate != 1 or group.decay is not None):
                raise ValueError(
                    f"parameter_groups__{name}={group!r} has a rate or a decay, which need a"
                    f" stochastic solver, got solver={self.solver!r}: it heeds penalty only."
                )
        return groups

    def _resolve_early_stopping(self) -> EarlyStopping | None:
        if not self.early_stopping:
            return None
        if isinstance(self.early_stopping, str):
            return EarlyStopping(self.early_stopping)
        if not isinstance(self.early_stopping, EarlyStopping):
            return EarlyStopping()
        # Not a copy of it: its monitor may be an object that remembers.
        rules = self.early_stopping
        rules.check_parameters()
        check_option(type(rules).__name__, "monitor", rules.monitor, MONITOR)
        return rules

    def _batch_rows(self, n_rows: int) -> int:
        if callable(self.batch_size):
            size = self.batch_size(n_rows)
            check_option(type(self).__name__, f"batch_size({n_rows})", size, [COUNT])
            return min(int(size), n_rows)
        return min(200 if isinstance(self.batch_size, str) else int(self.batch_size), n_rows)
