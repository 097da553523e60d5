"""scikit-learn's own checks on every estimator, with default and with other parameters.

No check is expected to fail. Options that contradict a check by their nature are not in the grid:
with mini-batches, ``learning_rate="invscaling"``, early stopping or a perceptron that does not
shuffle, a row of weight 2 is not the same as two rows; ``partial_fit`` refuses early stopping,
balanced classes and ``averaging="swa"``; Poisson, gamma, bounded and categorical outputs refuse
targets of the checks or are far from them; a list of quantiles predicts several numbers for one
target; a perceptron without threshold cannot prefer a class. They have tests of their own.
"""

from itertools import combinations, cycle, product

import numpy as np
import pytest
import sklearn
import sklearn.utils.estimator_checks as checks
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.fixes import parse_version

import skperceptron
from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.activations import (
    CELU,
    ELU,
    GELU,
    Heaviside,
    LeakyReLU,
    PReLU,
    Sine,
    get_activation,
    list_activations,
)
from skperceptron.embeddings import Periodic
from skperceptron.groups import ParameterGroup, ParameterGroups
from skperceptron.losses import CategoricalLogLoss, Huber
from skperceptron.optimizers import LBFGS, AdamW, NAdam
from skperceptron.schedules import Exponential

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning"),
    pytest.mark.filterwarnings("ignore:The gradient of Heaviside:UserWarning"),
    pytest.mark.filterwarnings("ignore:Got .*batch_size.* larger than:UserWarning"),
]

IS_1_6 = parse_version(sklearn.__version__) < parse_version("1.7")


def _relabelled_as_in_1_7(estimator, y):
    """Return targets that the estimator's tags allow, by scikit-learn 1.7's formula."""
    tags = get_tags(estimator)
    if tags.target_tags.positive_only:
        y += 1 + abs(y.min())
    if tags.classifier_tags is not None and not tags.classifier_tags.multi_class and y.size > 0:
        y = np.where(y == y.min(), y, y.min() + 1)
    if tags.target_tags.multi_output and not tags.target_tags.single_output:
        return np.reshape(y, (-1, 1))
    return y


@pytest.fixture(scope="module", autouse=True)
def relabelling():
    """Let the checks of scikit-learn 1.6 make two classes as 1.7 does.

    1.6 calls the class of the *first row* 0, so that the sample-weight checks, which shuffle
    rows, compare a fit to some labels with a fit to the opposite labels.
    """
    with pytest.MonkeyPatch.context() as patch:
        if IS_1_6:
            patch.setattr(checks, "_enforce_estimator_tags_y", _relabelled_as_in_1_7)
        yield


MLPS = (MLPBinaryClassifier, MLPSoftmaxClassifier, MLPRegressor)
SOLVERS = ("adam", "sgd", "lbfgs")
DTYPES = ("auto", "float32", "float64")

#: Options of fast fits that still reach the scores of the checks.
QUICK = {
    "adam": {"max_iter": 40, "learning_rate_init": 0.05},
    "sgd": {"max_iter": 40, "learning_rate_init": 0.05},
    "lbfgs": {"max_iter": 40},
}


def quick(cls, solver="adam", **parameters):
    """Return an estimator that trains quickly."""
    kind = solver if isinstance(solver, str) and solver in QUICK else "adam"
    chosen = {"hidden_layer_sizes": (12,), **QUICK[kind]}
    if cls is MLPRegressor and solver == "sgd":
        # Targets of several hundreds and large steps diverge.
        chosen |= {"standardize_target": True, "learning_rate_init": 0.02}
    return cls(solver=solver, **{**chosen, **parameters})


def _solvers_and_dtypes():
    """Yield estimators so that every two of solver, dtype and class occur together."""
    for (i, solver), (j, dtype) in product(enumerate(SOLVERS), enumerate(DTYPES)):
        yield quick(MLPS[(i + j) % 3], solver=solver, dtype=dtype)


def _options_in_turn():
    """Yield estimators in turn with the options; activations in turn where none is given."""
    activations = cycle(a for a in list_activations() if get_activation(a).differentiable)
    for cls, options in zip(cycle(MLPS), OPTIONS, strict=False):
        chosen = {} if "activation" in options else {"activation": next(activations)}
        yield quick(cls, **chosen, **options)


SLOW_BIASES = ParameterGroups(
    bias=ParameterGroup(rate=0.1), feature_scale=ParameterGroup(rate=6.0, decay=0.1)
)
PENALIZED_SCALES = ParameterGroups(feature_scale=ParameterGroup(penalty=0.5))

#: Options for the three estimators in turn.
OPTIONS = [
    {"hidden_layer_sizes": (8, 8), "skip_connections": "residual", "dtype": "float32"},
    {"hidden_layer_sizes": (8, 8), "skip_connections": "dense", "activation": "tanh"},
    {"hidden_layer_sizes": (8, 5), "skip_connections": "dense", "solver": "lbfgs"},
    {"hidden_layer_sizes": (8, 5), "skip_connections": "dense", "solver": "sgd"},
    {"skip_connections": "linear", "solver": LBFGS(500), "initializer": "glorot_normal"},
    {"skip_connections": "linear", "parametrization": "ntk", "dtype": "float32"},
    {"solver": AdamW(0.1), "decay_schedule": "exponential", "parametrization": "ntk"},
    {"numeric_embedding": Periodic(4, 2, 0.3), "feature_scale": True, "dtype": "float32"},
    {"numeric_embedding": "pbld", "solver": "lbfgs"},
    {"hidden_layer_sizes": (), "solver": "sgd", "dtype": "float32"},
    {"hidden_layer_sizes": (), "max_time": 1e6, "callbacks": []},
    {"hidden_layer_sizes": [8, 4], "activation": ["tanh", LeakyReLU(0.1)], "alpha": 0.1},
    {"hidden_layer_sizes": (8, 8, 4), "activation": [PReLU(), GELU(), "softsign"]},
    {"hidden_layer_sizes": (8, 4), "activation": (Sine(0.5), GELU("tanh")), "dtype": "float32"},
    {"activation": Heaviside(surrogate="straight_through"), "shuffle": False},
    # Hidden layers that are not trained must be wide.
    {"activation": "heaviside", "hidden_layer_sizes": (200,)},
    {"solver": "sgd", "nesterovs_momentum": False, "hidden_layer_sizes": 7},
    {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.2, "activation": "tanh"},
    {"solver": "sgd", "learning_rate": "adaptive", "tol": 1e-2, "n_iter_no_change": 2},
    {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-6, "batch_size": 500, "alpha": 0.0},
    {"dropout": 0.1, "hidden_layer_sizes": (40,)},
    {"normalization": "layer", "activation": ELU(0.3), "solver": "lbfgs"},
    {"normalization": "batch", "activation": CELU(2.0), "dtype": "float64"},
    {"averaging": "ema", "normalization": "layer"},
    {"feature_scale": True, "parameter_groups": SLOW_BIASES, "solver": AdamW(0.1)},
    {"ensemble_size": 3, "solver": AdamW(0.1), "activation": "tanh"},
    {"parametric_activation": True, "numeric_embedding": "plr", "initializer": "ntk_normal"},
    {"feature_scale": True, "parameter_groups": PENALIZED_SCALES, "solver": "lbfgs"},
    {"categorical_features": "from_dtype", "embedding_dim": 3},
    {"solver": "adagrad", "learning_rate_init": 0.2},
    {"solver": "rmsprop", "learning_rate": Exponential(0.97), "initializer": "he_normal"},
    {"solver": AdamW(0.1), "alpha": 0.0, "max_grad_norm": 1.0},
    {"solver": NAdam(), "l1_ratio": 0.5, "alpha": 0.01},
    {"solver": "lion", "learning_rate_init": 0.01, "initializer": "orthogonal"},
]

#: Losses and weights of classes.
OBJECTIVES = [
    quick(MLPBinaryClassifier, loss="focal"),
    quick(MLPSoftmaxClassifier, loss=CategoricalLogLoss(0.1), dtype="float32"),
    quick(MLPSoftmaxClassifier, loss="focal", class_weight="balanced", solver="lbfgs"),
    quick(MLPSoftmaxClassifier, loss="ordinal"),
    quick(MLPRegressor, loss=Huber(10.0), dtype="float32"),
    quick(MLPRegressor, loss="gaussian_nll"),
]

REGRESSORS = [
    quick(MLPRegressor, standardize_target=True),
    quick(MLPRegressor, standardize_target=True, solver="lbfgs", dtype="float32"),
    quick(MLPRegressor, standardize_target=False, learning_rate_init=0.02),
]

PERCEPTRONS = [
    RosenblattPerceptron(n_associative=0),
    RosenblattPerceptron(n_associative=0, weights="averaged"),
    RosenblattPerceptron(n_associative=50, n_connections=2, fit_intercept=False),
    RosenblattPerceptron(n_associative=50, weights="averaged", max_iter=20),
    RosenblattPerceptron(n_associative=50, weights="pocket", max_iter=20),
]

PLAIN = [*_solvers_and_dtypes(), *PERCEPTRONS]
OTHERS = [*_options_in_turn(), *OBJECTIVES, *REGRESSORS]
CONFIGURATIONS = [*PLAIN, *OTHERS]

#: Only default estimators are checked with sparse matrices; sparse arrays run the same code.
OF_MATRICES = ("check_estimator_sparse_matrix",)
#: Checks of forms of X and y that other tests compare by their fits, in ``test_dtype.py``.
OF_FORMS = (*OF_MATRICES, "check_estimator_sparse_array", "data_not_an_array")

DEFAULTS = [getattr(skperceptron, name)() for name in skperceptron.__all__]


def test_grid_of_configurations_is_wide():
    assert len({repr(estimator) for estimator in CONFIGURATIONS}) >= 50
    networks = [e for e in CONFIGURATIONS if isinstance(e, MLPS)]
    names = [e.activation for e in networks if isinstance(e.activation, str)]
    assert {get_activation(name).names[0] for name in names} == set(list_activations())
    found = [(type(e), e.solver, e.dtype) for e in networks if isinstance(e.solver, str)]
    for some in combinations(range(3), 2):
        pairs = {tuple(names[i] for i in some) for names in found}
        assert pairs >= set(product(*((MLPS, SOLVERS, DTYPES)[i] for i in some)))


@parametrize_with_checks(DEFAULTS)
def test_defaults_pass_scikit_learns_checks(estimator, check):
    check(estimator)


def pairs_of(estimators, omitted):
    """Return pairs of an estimator and a check of scikit-learn, without checks of some names."""
    _, pairs = parametrize_with_checks(estimators).args
    return [pair for pair in pairs if not any(name in repr(pair) for name in omitted)]


def checks_of_configurations():
    """Return a mark with scikit-learn's checks of configurations."""
    names, _ = parametrize_with_checks([]).args
    chosen = [*pairs_of(PLAIN, OF_MATRICES), *pairs_of(OTHERS, OF_FORMS)]
    if IS_1_6:
        chosen = [pair for pair in chosen if not _ignores_tags(*pair)]
    return pytest.mark.parametrize(names, chosen, **parametrize_with_checks([]).kwargs)


def _ignores_tags(estimator, check):
    """Tell whether a check of scikit-learn 1.6 ignores the tags of an estimator.

    One passes sparse rows to all estimators, and one subtracts a mean from codes of categories in
    place, which NumPy refuses. 1.7 does neither.
    """
    tags, name = get_tags(estimator).input_tags, repr(check)
    if "check_sample_weight_equivalence_on_sparse_data" in name:
        return not tags.sparse
    return "check_positive_only_tag_during_fit" in name and tags.categorical


@checks_of_configurations()
def test_configurations_pass_scikit_learns_checks(estimator, check):
    check(estimator)
