"""Choices: the parameters of a network, resolved once for each fit into objects and numbers."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any, TypeVar

import numpy as np
from sklearn.base import clone

from ..activations import Activation, get_activation
from ..averaging import Averaging, get_averaging
from ..embeddings import NumericEmbedding, get_numeric_embedding
from ..engine import InputBlocks, Network, multilayer_perceptron
from ..groups import ParameterGroups
from ..initializers import Initializer, get_initializer
from ..losses import Loss, get_loss
from ..normalizations import Normalization, get_normalization
from ..optimizers import LBFGS, SGD, Adam, Optimizer, get_optimizer
from ..options import COUNT, Checked, check_option, items_of, plain, shown
from ..schedules import (
    Adaptive,
    Constant,
    InverseScaling,
    Schedule,
    TimeSchedule,
    get_schedule,
    get_time_schedule,
)
from ..stopping import EarlyStopping
from ..usercall import first_in_call, warn
from .categories import CategoryColumns, embedded_columns
from .parameters import MONITOR, NetworkParameters, is_lbfgs

Own = TypeVar("Own", bound=Checked)

#: Parameters that "sgd", "adam", "lbfgs" and "invscaling" take from the estimator, and their names
#: in solvers and schedules.
SETTINGS = {
    "momentum": "momentum",
    "nesterovs_momentum": "nesterov",
    "beta_1": "beta_1",
    "beta_2": "beta_2",
    "epsilon": "epsilon",
    "max_fun": "max_fun",
    "power_t": "power_t",
}

#: From this many weights in one matrix on, ``dtype="auto"`` trains in float32.
FLOAT32_FROM = 2**12

#: Rows of a batch that ``batch_size="auto"`` stands for.
USUAL_BATCH = 200

#: Numbers of ``max_iter="auto"``: least steps, least steps per root of the number of rows (the
#: larger of both counts), and most epochs.
LEAST_STEPS, STEPS_PER_ROOT, MOST_EPOCHS = 1000, 20, 256


def own_copy(component: Own, given: Any) -> Own:
    """Return a component that belongs to the estimator: the user's objects are copied."""
    if isinstance(given, str):
        return component
    copied = clone(component)
    copied.make_numbers_plain()
    return copied


def _checked_copy(find: Callable[[Any], Own], given: Any) -> Own:
    """Return a component that belongs to the estimator, found by the user's value, and checked."""
    component = own_copy(find(given), given)
    component.check_parameters()
    return component


def _optional(find: Callable[[Any], Own], given: Any) -> Own | None:
    """Return such a component, or None if the user's value is None."""
    return None if given is None else _checked_copy(find, given)


def resolved_loss(given: str | Loss, task: str, n_targets: int) -> Loss:
    """Return a copy of the user's loss, checked for a task and a number of targets.

    The task is "binary", "multiclass", "ordinal" or "regression"; targets are columns of y, or
    outputs of a network for labels.
    """
    loss = own_copy(get_loss(given, task), given)
    loss.check_parameters(n_targets)
    return loss


@dataclass(frozen=True, eq=False, kw_only=True)
class Wiring:
    """Everything that decides how a network is wired.

    There is at least one activation: the first weights of a network without hidden layers follow
    some activation, too. Dropout rates are those of the input, then of each hidden layer. ``link``
    is the name of the link function after which predictions of networks that share weights are
    averaged. ``categories`` are columns of X that are embedded, as the data shows; without
    ``embedding_dim``, their vectors have the default width.
    """

    hidden_sizes: tuple[int, ...]
    activations: tuple[Activation, ...]
    skip_connections: str
    normalization: Normalization | None
    dropout_rates: tuple[float, ...]
    feature_scale: bool
    numeric_embedding: NumericEmbedding | None
    parametric_activation: bool
    n_networks: int | None
    embedding_dim: int | None
    link: str = "identity"
    categories: CategoryColumns | None = None

    @classmethod
    def of(cls, estimator: Any) -> Wiring:
        """Return the wiring that an estimator asks for; ValueError if it is impossible."""
        sizes = hidden_sizes(estimator)
        return cls(
            hidden_sizes=sizes,
            activations=_activations(estimator.activation, len(sizes)),
            skip_connections=estimator.skip_connections,
            normalization=_normalization(estimator.normalization, estimator.solver),
            dropout_rates=_dropout_rates(
                estimator.input_dropout, estimator.dropout, len(sizes), estimator.solver
            ),
            feature_scale=bool(estimator.feature_scale),
            numeric_embedding=_optional(get_numeric_embedding, estimator.numeric_embedding),
            parametric_activation=bool(estimator.parametric_activation),
            n_networks=_ensemble_size(estimator),
            embedding_dim=_embedding_dim(estimator.embedding_dim),
        )

    @property
    def is_noisy(self) -> bool:
        """Whether there is dropout."""
        return any(self.dropout_rates)

    def network(self, n_features: int, n_outputs: int) -> Network:
        """Wire a network; warn of activations that have no useful gradient."""
        activations = self.activations[: len(self.hidden_sizes)]
        for message in {a.untrainable_message for a in activations if not a.differentiable}:
            warn(message)
        return multilayer_perceptron(
            n_features,
            list(self.hidden_sizes),
            n_outputs,
            [[a] for a in activations],
            self.skip_connections,
            input_blocks=self._input_blocks(n_features),
            normalize=None if self.normalization is None else self.normalization.block,
            dropout=[[rate] for rate in self.dropout_rates],
            blends=self.parametric_activation,
            n_networks=self.n_networks,
            link=self.link,
        )

    def _input_blocks(self, n_features: int) -> InputBlocks:
        embedding, categories = self.numeric_embedding, self.categories
        return InputBlocks(
            embed_numbers=None if embedding is None else embedding.block,
            numbers_to_embed=self._numbers_to_embed(n_features),
            embed_columns=None if categories is None else categories.block(self.embedding_dim),
            scales=self.feature_scale,
        )

    def _numbers_to_embed(self, n_features: int) -> list[int] | None:
        """Return which columns the numeric embedding embeds; None means all that are numbers.

        Raises ValueError if some of them do not exist, or hold categories, or if there are none.
        """
        columns = None if self.numeric_embedding is None else self.numeric_embedding.columns
        if columns is None:
            return None
        chosen = sorted(set(map(int, columns)))
        coded = embedded_columns(self.categories)
        if not chosen or chosen[-1] >= n_features or not set(chosen).isdisjoint(coded):
            marked = ""
            if coded:
                marked = f", and those of categories, {list(coded)}, are embedded anyway"
            raise ValueError(
                f"numeric_embedding has columns={shown(columns)}: at least one column is needed;"
                f" the positions of those of X are 0 to {n_features - 1}{marked}."
            )
        return chosen


@dataclass(frozen=True, eq=False, kw_only=True)
class Choices:
    """The resolved parameters of a network, without its target and its seed.

    Numbers are plain Python numbers, `max_seconds` perhaps infinite. ``stopping`` is the user's own
    object, not a copy: its monitor may have a state. ``layer_rate`` returns the factor of the
    learning rate for weights with a number of inputs. A batch size of None means "auto"; a callable
    returns it for a number of rows. A dtype of None means that it depends on the network.
    """

    wiring: Wiring
    initializer: Initializer
    optimizer: Optimizer
    schedule: Schedule
    decay_schedule: TimeSchedule | None
    dropout_schedule: TimeSchedule | None
    averaging: Averaging | None
    groups: ParameterGroups
    layer_rate: Callable[[int], float] | None
    stopping: EarlyStopping | None
    batch_size: int | Callable[[int], int] | None
    drop_last: bool
    dtype: np.dtype | None
    learning_rate: float
    alpha: float
    l1_ratio: float
    max_grad_norm: float
    shuffle: bool
    max_iter: int
    tol: float
    n_iter_no_change: float
    max_seconds: float
    validation_fraction: Any

    @classmethod
    def of(cls, estimator: Any, *, n_rows: int = 1) -> Choices:
        """Resolve the parameters of an estimator, which have been checked one by one.

        ``n_rows`` is the number of rows of X, for a `max_iter` that depends on it. Raises
        ValueError if the parameters are not compatible.
        """
        wiring = Wiring.of(estimator)
        optimizer = _optimizer(estimator)
        _check_lbfgs(estimator)
        rules = _early_stopping(estimator.early_stopping)
        patience = None if rules is None else rules.patience
        tol = None if rules is None else rules.tol
        given_norm, given_time = estimator.max_grad_norm, estimator.max_time
        groups = _groups(estimator.parameter_groups, estimator.solver)
        _warn_of_idle_options(estimator, wiring, optimizer, groups)
        return cls(
            wiring=wiring,
            initializer=_checked_copy(get_initializer, estimator.initializer),
            optimizer=optimizer,
            schedule=_schedule(estimator, optimizer),
            decay_schedule=_optional(get_time_schedule, estimator.decay_schedule),
            dropout_schedule=_optional(get_time_schedule, estimator.dropout_schedule),
            averaging=_averaging(estimator.averaging, estimator.solver),
            groups=groups,
            layer_rate=_layer_rate(estimator.parametrization, optimizer, estimator.solver),
            stopping=rules,
            batch_size=_batch_size(estimator),
            drop_last=bool(estimator.drop_last),
            dtype=_dtype(estimator.dtype),
            learning_rate=plain(estimator.learning_rate_init),
            alpha=plain(estimator.alpha),
            l1_ratio=plain(estimator.l1_ratio),
            max_grad_norm=np.inf if given_norm is None else plain(given_norm),
            shuffle=estimator.shuffle,
            max_iter=max_iter(estimator, n_rows),
            tol=plain(estimator.tol if tol is None else tol),
            n_iter_no_change=plain(estimator.n_iter_no_change if patience is None else patience),
            max_seconds=np.inf if given_time is None else plain(given_time),
            validation_fraction=plain(estimator.validation_fraction),
        )

    @property
    def over_time(self) -> dict[str, Schedule | TimeSchedule | Averaging]:
        """What changes in the course of training, by the name of the parameter."""
        parts = {
            "learning_rate": self.schedule,
            "decay_schedule": self.decay_schedule,
            "dropout_schedule": self.dropout_schedule,
            "averaging": self.averaging,
        }
        return {name: part for name, part in parts.items() if part is not None}

    @cached_property
    def is_lbfgs(self) -> bool:
        """Whether the solver uses all rows at once, without batches, as L-BFGS does."""
        return is_lbfgs(self.optimizer)

    def batch_rows(self, n_rows: int) -> int:
        """Return the number of rows of a batch, out of ``n_rows``."""
        return _rows_of(self.batch_size, n_rows)

    def dtype_for(self, network: Network) -> np.dtype:
        """Return the dtype that a network is trained in."""
        if self.is_lbfgs:
            return np.dtype(np.float64)
        if self.dtype is not None:
            return self.dtype
        is_large = network.largest_weight >= FLOAT32_FROM
        return np.dtype(np.float32 if is_large else np.float64)


def hidden_sizes(estimator: Any) -> tuple[int, ...]:
    """Return the widths of the hidden layers, by an estimator's `hidden_layer_sizes`."""
    sizes = items_of(estimator.hidden_layer_sizes)
    return tuple(map(int, [estimator.hidden_layer_sizes] if sizes is None else sizes))


def batch_rows(estimator: Any, n_rows: int) -> int:
    """Return the number of rows of a batch, out of ``n_rows``, by an estimator's `batch_size`."""
    return _rows_of(_batch_size(estimator), n_rows)


def max_iter(estimator: Any, n_rows: int) -> int:
    """Return the largest number of epochs for ``n_rows`` rows, by an estimator's `max_iter`."""
    given = estimator.max_iter
    if isinstance(given, str):
        rows = n_rows if is_lbfgs(estimator.solver) else batch_rows(estimator, n_rows)
        steps = max(LEAST_STEPS, STEPS_PER_ROOT * math.sqrt(n_rows))
        return min(MOST_EPOCHS, math.ceil(steps / math.ceil(n_rows / rows)))
    if callable(given):
        return _counted(type(estimator).__name__, "max_iter", given, n_rows)
    return int(given)


def _rows_of(batch_size: int | Callable[[int], int] | None, n_rows: int) -> int:
    size = USUAL_BATCH if batch_size is None else batch_size
    return min(size(n_rows) if callable(size) else size, n_rows)


def _batch_size(estimator: Any) -> int | Callable[[int], int] | None:
    given, owner = estimator.batch_size, type(estimator).__name__
    if isinstance(given, str):
        return None
    return partial(_counted, owner, "batch_size", given) if callable(given) else int(given)


def _counted(owner: str, name: str, rule: Callable[[int], Any], n_rows: int) -> int:
    """Return what the user's callable returns for a number of rows, checked."""
    count = rule(n_rows)
    check_option(owner, f"{name}({n_rows})", count, [COUNT])
    return int(count)


def _dtype(given: Any) -> np.dtype | None:
    return None if isinstance(given, str) and given == "auto" else np.dtype(given)


def _check_one_per_layer(name: str, entries: Sequence[Any], n_hidden: int) -> None:
    if len(entries) != n_hidden:
        raise ValueError(
            f"{name} has {len(entries)} entries, but there are {n_hidden} hidden layers:"
            " a list must have one entry per hidden layer."
        )


def _activations(given: Any, n_hidden: int) -> tuple[Activation, ...]:
    chosen: list[str | Activation]
    if isinstance(given, str | Activation):
        chosen = [given] * max(1, n_hidden)
    else:
        chosen = list(given)
        _check_one_per_layer("activation", chosen, n_hidden)
    return tuple(_checked_copy(get_activation, one) for one in chosen or ["identity"])


def _normalization(given: Any, solver: Any) -> Normalization | None:
    normalization = _optional(get_normalization, given)
    if normalization is not None and normalization.mixes_rows and is_lbfgs(solver):
        raise ValueError(
            f"normalization={given!r} needs batches and so a stochastic solver,"
            f" got solver={solver!r}. Use normalization='layer'."
        )
    return normalization


def _embedding_dim(given: Any) -> int | None:
    return None if isinstance(given, str) else int(given)


def _ensemble_size(estimator: Any) -> int | None:
    """Return how many networks share weights; refuse parameters that they cannot have."""
    size = plain(estimator.ensemble_size)
    if size is None:
        return None
    skips, normalization = estimator.skip_connections, estimator.normalization
    if skips in ("dense", "linear"):
        raise ValueError(
            f"ensemble_size={size} needs skip_connections='none' or 'residual', got {skips!r}."
        )
    found = None if normalization is None else get_normalization(normalization)
    if found is not None and found.mixes_rows:
        raise ValueError(
            f"ensemble_size={size} and normalization={normalization!r} exclude each other: rows of"
            " different networks would be mixed. Use normalization='layer'."
        )
    if estimator.categorical_features is not None:
        raise ValueError(
            f"ensemble_size={size} and categorical_features="
            f"{estimator.categorical_features!r} exclude each other: networks that share weights"
            " read no codes. Encode the columns before, for example by TabularPreprocessor."
        )
    _refuse_lbfgs(f"ensemble_size={size}", estimator.solver)
    if get_initializer(estimator.initializer).n_rows:
        raise ValueError(
            f"ensemble_size={size} and initializer={estimator.initializer!r} exclude each other:"
            " the networks share weights, but their inputs differ."
        )
    return int(size)


def _dropout_rates(of_input: Any, given: Any, n_hidden: int, solver: Any) -> tuple[float, ...]:
    rates = items_of(given)
    rates = [given] * n_hidden if rates is None else rates
    _check_one_per_layer("dropout", rates, n_hidden)
    numbers = tuple(float(rate) for rate in (of_input, *rates))
    if any(numbers) and is_lbfgs(solver):
        raise ValueError(
            f"dropout={given!r} and input_dropout={of_input!r} must be 0 with"
            f" solver={solver!r}, whose objective must not be random."
        )
    return numbers


def _optimizer(estimator: Any) -> Optimizer:
    solver = estimator.solver
    if isinstance(solver, str) and solver == "sgd":
        return SGD(plain(estimator.momentum), estimator.nesterovs_momentum)
    if isinstance(solver, str) and solver == "adam":
        return Adam(plain(estimator.beta_1), plain(estimator.beta_2), plain(estimator.epsilon))
    if isinstance(solver, str) and solver == "lbfgs":
        return LBFGS(plain(estimator.max_fun))
    optimizer = _checked_copy(get_optimizer, solver)
    _warn_of_unused_settings(estimator, "solver", optimizer)
    return optimizer


def _warn_of_unused_settings(estimator: Any, option: str, part: Optimizer | Schedule) -> None:
    """Warn of settings of the estimator that are ignored because a part of it has its own.

    As in scikit-learn, there is no warning of settings that the part does not have.
    """
    for name, own_name in SETTINGS.items():
        given = getattr(estimator, name)
        own = getattr(part, own_name, given)
        if given not in (own, _default_of(name)) and first_in_call(f"unused {name}"):
            warn(
                f"{name}={given!r} is ignored: {option}={getattr(estimator, option)!r} has its own,"
                f" {own_name}={own!r}. Use {option}={type(part).__name__}({own_name}={given!r})."
            )


def _warn_of_idle_options(
    estimator: Any, wiring: Wiring, optimizer: Optimizer, groups: ParameterGroups
) -> None:
    """Warn of options that change categories, dropout or weight decay where there are none."""
    idle: dict[str, tuple[Any, str]] = {}
    if estimator.categorical_features is None and wiring.embedding_dim is not None:
        idle["embedding_dim"] = wiring.embedding_dim, "categorical_features is None"
    if not wiring.is_noisy and estimator.dropout_schedule is not None:
        idle["dropout_schedule"] = estimator.dropout_schedule, "there is no dropout"
    if not optimizer.weight_decay:
        decays: dict[str, Any] = {
            f"parameter_groups__{n}__decay": g.decay for n, g in groups.chosen().items()
        }
        decays["decay_schedule"] = estimator.decay_schedule
        why = f"solver={estimator.solver!r} has no weight decay"
        idle |= {name: (given, why) for name, given in decays.items() if given}
    for name, (given, why) in idle.items():
        if first_in_call(f"idle {name}"):
            warn(f"{name}={given!r} has no effect: {why}.")


@cache
def _default_of(name: str) -> Any:
    return inspect.signature(NetworkParameters.__init__).parameters[name].default


def _check_lbfgs(estimator: Any) -> None:
    """Refuse parameters that L-BFGS cannot handle."""
    l1_ratio, max_norm = estimator.l1_ratio, estimator.max_grad_norm
    if is_lbfgs(estimator.solver) and (l1_ratio or max_norm is not None):
        raise ValueError(
            f"solver={estimator.solver!r} needs a smooth objective: l1_ratio={l1_ratio!r} must"
            f" be 0 and max_grad_norm={max_norm!r} must be None."
        )


def _schedule(estimator: Any, optimizer: Optimizer) -> Schedule:
    given = estimator.learning_rate
    own: Mapping[str, Schedule] = {
        "constant": Constant(),
        "invscaling": InverseScaling(plain(estimator.power_t)),
        "adaptive": Adaptive(),
    }
    if isinstance(given, str) and given in own:
        # As in scikit-learn, only plain gradient descent uses them.
        return own[given] if isinstance(optimizer, SGD) else Constant()
    schedule = _checked_copy(get_schedule, given)
    _warn_of_unused_settings(estimator, "learning_rate", schedule)
    return schedule


def _refuse_lbfgs(option: str, solver: Any) -> None:
    if is_lbfgs(solver):
        raise ValueError(f"{option} needs a stochastic solver, got solver={solver!r}.")


def _layer_rate(
    parametrization: str, optimizer: Optimizer, solver: Any
) -> Callable[[int], float] | None:
    """Return a function that gives the factor of the learning rate for weights with n inputs.

    In ``z = x W / sqrt(n) + b``, the network keeps V = W / sqrt(n). A step of W changes V by
    1 / sqrt(n) times as much, and the gradient of W is 1 / sqrt(n) times that of V: a step that is
    proportional to the gradient is divided by sqrt(n) twice (Yang & Hu 2021, who call such changes
    of parametrization "abc").
    """
    if parametrization == "standard":
        return None
    _refuse_lbfgs(f"parametrization={parametrization!r}", solver)
    power = -0.5 if optimizer.is_scale_free else -1.0
    return lambda n_inputs: float(n_inputs) ** power


def _averaging(given: Any, solver: Any) -> Averaging | None:
    averaging = _optional(get_averaging, given)
    if averaging is not None:
        _refuse_lbfgs(f"averaging={given!r}", solver)
    return averaging


def _groups(given: Any, solver: Any) -> ParameterGroups:
    if given is None:
        return ParameterGroups()
    groups = own_copy(given, given)
    groups.check_parameters()
    for name, group in groups.chosen().items():
        if is_lbfgs(solver) and (group.rate != 1 or group.decay is not None):
            raise ValueError(
                f"parameter_groups__{name}={group!r} has a rate or a decay, which need a"
                f" stochastic solver, got solver={solver!r}: it uses only the penalty."
            )
    return groups


def _early_stopping(given: Any) -> EarlyStopping | None:
    if not given:
        return None
    if isinstance(given, str):
        return EarlyStopping(given)
    if not isinstance(given, EarlyStopping):
        return EarlyStopping()
    given.check_parameters()
    check_option(type(given).__name__, "monitor", given.monitor, MONITOR)
    return given
