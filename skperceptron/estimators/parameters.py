"""The parameters that the multi-layer perceptrons share."""

from __future__ import annotations

from typing import Any

from sklearn.metrics import get_scorer_names

from .._sklearn.estimators import PackageEstimator
from ..activations import Activation
from ..averaging import Averaging
from ..callbacks.listening import CALLBACKS
from ..embeddings import NumericEmbedding, list_numeric_embeddings
from ..groups import ParameterGroups
from ..initializers import Initializer, list_initializers
from ..normalizations import Normalization
from ..optimizers import Optimizer, list_optimizers
from ..options import (
    COUNT,
    SEED,
    VERBOSITY,
    ChecksOptions,
    Flag,
    Function,
    HasMethods,
    Infinity,
    Instance,
    Interval,
    Listing,
    Name,
    Precision,
    RememberedNames,
    Rule,
    Rules,
    did_you_mean,
)
from ..preprocessing._columns import CATEGORICAL_FEATURES
from ..schedules import (
    Schedule,
    TimeSchedule,
    list_schedules,
    list_time_schedules,
)
from ..stopping import EarlyStopping

_POSITIVE = Interval(0.0)
_NOT_NEGATIVE = Interval(0.0, low_closed=True)
_BELOW_ONE = Interval(0.0, 1.0, low_closed=True)
_SHARE = Interval(0.0, 1.0, low_closed=True, high_closed=True)
#: What other libraries call a parameter.
NAMES_ELSEWHERE = {
    "batch_norm": "normalization",
    "criterion": "loss",
    "epochs": "max_iter",
    "layer_norm": "normalization",
    "lr": "learning_rate_init",
    "max_epochs": "max_iter",
    "optimizer": "solver",
    "scheduler": "learning_rate",
    "seed": "random_state",
}
_TIME_SCHEDULE = (Name(list_time_schedules()), Instance(TimeSchedule), Function("(time)"), None)


class Monitor(Rule):
    """Allows the name of a metric that early stopping can monitor."""

    @property
    def options(self) -> list[str]:
        """All names, looked up each time: scikit-learn's list of scorers may change."""
        return ["score", "loss", *get_scorer_names()]

    def allows(self, value: Any) -> bool:
        return isinstance(value, str) and value in self.options

    @property
    def text(self) -> str:
        scorers = ", ".join(map(repr, self.options[2:]))
        return f"'score', 'loss', the name of a scorer ({scorers})"


MONITOR = (Monitor(), Function("(estimator, X, y)"))


def is_lbfgs(solver: str | Optimizer) -> bool:
    """Tell whether a solver uses all rows at once, without batches, as L-BFGS does."""
    if isinstance(solver, Optimizer):
        return not solver.is_stochastic
    return isinstance(solver, str) and solver == "lbfgs"


class NetworkParameters(ChecksOptions, PackageEstimator, RememberedNames):
    """Parameters of a network, and the values that each may have."""

    loss: Any

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
        "max_iter": [Name(["auto"]), COUNT, Function("(n_samples)")],
        "shuffle": [Flag()],
        "random_state": SEED,
        "tol": [_NOT_NEGATIVE],
        "verbose": VERBOSITY,
        "warm_start": [Flag()],
        "momentum": [_SHARE],
        "nesterovs_momentum": [Flag()],
        "early_stopping": [Flag(), Instance(EarlyStopping), Monitor()],
        "validation_fraction": [_BELOW_ONE, HasMethods("a splitter", ("split", "get_n_splits"))],
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
        "parametric_activation": [Flag()],
        "ensemble_size": [COUNT, None],
        "numeric_embedding": [
            Name(list_numeric_embeddings()),
            Instance(NumericEmbedding),
            None,
        ],
        "categorical_features": CATEGORICAL_FEATURES,
        "embedding_dim": [Name(["auto"]), COUNT],
        "parametrization": [Name(["standard", "ntk"])],
        "decay_schedule": _TIME_SCHEDULE,
        "dropout_schedule": _TIME_SCHEDULE,
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
        parametric_activation=False,
        ensemble_size=None,
        numeric_embedding=None,
        categorical_features=None,
        embedding_dim="auto",
        parametrization="standard",
        decay_schedule=None,
        dropout_schedule=None,
        drop_last=False,
        max_time=None,
        callbacks=None,
        dtype="auto",
        **unknown,
    ) -> None:
        if unknown:
            # Worded as Python's own error.
            name = next(iter(unknown))
            raise TypeError(
                f"{type(self).__name__}.__init__() got an unexpected keyword argument {name!r}."
                f"{did_you_mean(NAMES_ELSEWHERE.get(name, name), names_of_parameters(self))}"
            )
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
        self.parametric_activation = parametric_activation
        self.ensemble_size = ensemble_size
        self.numeric_embedding = numeric_embedding
        self.categorical_features = categorical_features
        self.embedding_dim = embedding_dim
        self.parametrization = parametrization
        self.decay_schedule = decay_schedule
        self.dropout_schedule = dropout_schedule
        self.drop_last = drop_last
        self.max_time = max_time
        self.callbacks = callbacks
        self.dtype = dtype


def names_of_parameters(estimator: NetworkParameters) -> list[str]:
    """Return the names of an estimator's parameters."""
    return estimator._get_param_names()


def check_parameters(estimator: Any) -> None:
    """Raise ValueError or TypeError if a parameter of an estimator has an invalid value."""
    type(estimator)._validate_params(estimator)
